//! What differs from kind to kind: one file each, one line in `rules`.
//!
//! A kind says which bodies make sense, what the server derives, which facts it leaves for the
//! stateful rules, and what it adds to the day's counts. Everything else is read from its table.

mod activity;
mod check_in;
mod client;
mod incident;
pub use incident::{OPEN, heard_of};
mod incident_step;
mod link;
pub use link::LOT;
mod need;
mod resource;
mod review;
mod sign_up;
mod visit;
mod work_time;

use serde_json::Value;
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Life, Op};
use xiangyi_proto::time::{self, Millis, TimeQuality};

use crate::check::Faults;
use crate::clock_quality;
use crate::effects::{RollupDelta, RollupKey};
use crate::policy::{Fact, FactKey, FactKind, Question, whole_time};
use crate::wants::id_at;
use crate::world::{Admitted, Env, Record, Slot, World};

/// The rules of one kind; the defaults are those of a kind without any.
pub trait Rules: Sync {
    /// Faults the field table cannot express.
    fn check(&self, _item: &Admitted, _body: &Value, _faults: &mut Faults) {}

    /// When the act began and ended, by the phone's clock.
    fn span(&self, _body: &Value, occurred_at: Millis) -> (Millis, Millis) {
        (occurred_at, occurred_at)
    }

    /// Writes what the server derives into `/derived`.
    fn derive(&self, _record: &mut Record, _world: &World, _env: &Env<'_>) {}

    /// Facts beyond those of the stateful rules.
    fn facts(&self, _record: &Record) -> Vec<Fact> {
        Vec::new()
    }

    /// What the record adds to its day's counts.
    fn measure(&self, _record: &Record) -> Vec<(RollupKey, RollupDelta)> {
        Vec::new()
    }

    /// The slots that the record opens, by name.
    fn slots(&self, _record: &Record) -> Vec<(String, Slot)> {
        Vec::new()
    }
}

struct Plain;
impl Rules for Plain {}

/// The rules of a kind.
pub fn rules(kind: Kind) -> &'static dyn Rules {
    match kind {
        Kind::CheckIn => &check_in::CheckIn,
        Kind::Visit => &visit::Visit,
        Kind::WorkTime => &work_time::WorkTime,
        Kind::Client => &client::Client,
        Kind::Activity => &activity::Activity,
        Kind::SignUp => &sign_up::SignUp,
        Kind::Need => &need::Need,
        Kind::Resource => &resource::Resource,
        Kind::Link => &link::Link,
        Kind::Review => &review::Review,
        Kind::Incident => &incident::Incident,
        Kind::IncidentStep => &incident_step::IncidentStep,
        _ => &Plain,
    }
}

/// When an act took place, by the corrected clock, and how far to trust that.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    pub begun: Millis,
    pub ended: Millis,
    pub quality: TimeQuality,
}

/// When the act of an item with this body took place. What nobody can correct and still lies
/// ahead is impossible, whichever member claims it, and counts at its receipt.
pub fn act_of(item: &Admitted, kind: Kind, body: &Value) -> Act {
    let (begun, ended) = rules(kind).span(body, item.occurred_at);
    let [begun, ended] = [begun, ended].map(|at| at.saturating_add(item.shift_ms));
    let ahead = clock_quality::is_ahead(begun.max(ended), item.received_at);
    let quality = match item.quality {
        TimeQuality::Claimed if ahead => TimeQuality::Impossible,
        quality => quality,
    };
    let [begun, ended] = match quality {
        TimeQuality::Impossible => [begun, ended].map(|at| at.min(item.received_at)),
        _ => [begun, ended],
    };
    Act {
        begun,
        ended,
        quality,
    }
}

/// What the rule pack is asked about an item with this body.
pub fn question<'a>(item: &'a Admitted, kind: Kind, body: &'a Value) -> Question<'a> {
    let act = act_of(item, kind, body);
    Question {
        kind,
        record: body,
        unit: &item.mutation.unit,
        author: &item.person,
        op: item.mutation.op,
        estimated_at: act.begun,
        ended_at: act.ended,
        received_at: item.received_at,
        quality: act.quality,
    }
}

/// What the rule pack is asked about a stored record, as if it came whole.
pub fn question_of(record: &Record) -> Question<'_> {
    let (begun, ended) = rules(record.kind).span(&record.body, record.occurred_at);
    Question {
        kind: record.kind,
        record: &record.body,
        unit: &record.unit,
        author: &record.author,
        op: match record.kind.spec().life {
            Life::Slot => Op::Request,
            _ => Op::Create,
        },
        estimated_at: record.estimated_at,
        ended_at: record.estimated_at + (ended - begun),
        received_at: record.received_at,
        quality: record.quality,
    }
}

/// Hashes that a `photos` member declares.
pub fn photos_in(photos: Option<&Value>) -> Vec<String> {
    let list = photos.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|photo| Some(photo.get("sha256")?.as_str()?.to_owned()))
        .collect()
}

/// The slot that a first intent names.
pub fn slot_of<'a>(
    kind: Kind,
    get: impl Fn(&str) -> Option<&'a Value>,
) -> Option<(RecordId, String)> {
    if kind.spec().life != Life::Slot {
        return None;
    }
    match kind {
        Kind::Link => Some((id_at(get("resource"))?, link::LOT.to_owned())),
        _ => {
            let session = get("session").and_then(Value::as_i64).unwrap_or(1);
            let role = get("role").and_then(Value::as_str)?;
            Some((id_at(get("activity"))?, slot_name(session, role)))
        }
    }
}

/// The name of an activity's slot.
pub fn slot_name(session: i64, role: &str) -> String {
    format!("{session}/{role}")
}

/// All visits of a client.
pub fn visits_of_client(client: RecordId) -> FactKey {
    whole_time(FactKind::ClientVisit, client.to_string())
}

/// When a person already has a place.
pub fn busy_of(person: &str) -> FactKey {
    whole_time(FactKind::Busy, person.to_owned())
}

/// A count of one record on its day.
fn counted(record: &Record, class: &str, minutes: i64, missing: i64) -> (RollupKey, RollupDelta) {
    let key = RollupKey {
        day: time::day_number(record.estimated_at),
        unit: record.unit.clone(),
        village: record.village.clone().unwrap_or_default(),
        class: class.to_owned(),
        kind: record.kind.number(),
    };
    (
        key,
        RollupDelta {
            count: 1,
            minutes,
            missing,
        },
    )
}

/// A village must lie in the unit: a station's in its township, a hub's in its county.
fn village_within(item: &Admitted, village: Option<&Value>, at: &str, faults: &mut Faults) {
    if let Some(code) = village.and_then(Value::as_str) {
        let unit = &item.mutation.unit;
        let scope = &unit[..unit.len().min(xiangyi_proto::region::TOWNSHIP_DIGITS)];
        if !code.starts_with(scope) {
            faults.add(at, "village-outside-unit");
        } else if code.len() != xiangyi_proto::region::VILLAGE_DIGITS {
            faults.add(at, "bad-region");
        }
    }
}

//! Facts: what stateful rules know about other records, and which of them a question needs.
//!
//! A fact is a span of time under a key; the store answers "facts of this kind and key whose span
//! touches this range". Facts of the record being judged must not be handed in with a question,
//! and a new revision of a record replaces the facts of the old one: both are the caller's.

use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::time::HOUR_MS;

use super::Question;
use crate::geo;

/// Hours around a fix in which another fix can contradict it: Hunan is crossed in eight.
const TRAVEL_HOURS: i64 = 12;

/// What a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// A worker's time at a visit; key is the person, note the mode of the visit.
    Presence = 1,
    /// A fix of a check-in; key is the person, note `lat_e7,lng_e7,accuracy_m`, rounded, WGS-84.
    Fix = 2,
    /// A check-in that a check-out can close; key is its record id.
    Arrival = 3,
    /// A visit to a client; key is the client's record id.
    ClientVisit = 10,
    /// A confirmed place; key is the person, the span is the session's.
    Busy = 11,
}

impl FactKind {
    /// The stored number; never reused.
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The kind of a stored number.
    pub const fn of_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Presence),
            2 => Some(Self::Fix),
            3 => Some(Self::Arrival),
            10 => Some(Self::ClientVisit),
            11 => Some(Self::Busy),
            _ => None,
        }
    }
}

/// A range of facts to load: same kind and key, span touching `from_ms..=to_ms`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKey {
    pub kind: FactKind,
    pub key: String,
    pub from_ms: i64,
    pub to_ms: i64,
}

/// One stored fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub kind: FactKind,
    pub key: String,
    pub from_ms: i64,
    pub to_ms: i64,
    pub person: String,
    pub record: Uuid,
    /// What the kind of fact says; never narrative.
    pub note: String,
}

impl Fact {
    /// Says whether the fact lies in the range that a key names.
    pub fn is_under(&self, key: &FactKey) -> bool {
        self.kind == key.kind
            && self.key == key.key
            && self.from_ms <= key.to_ms
            && key.from_ms <= self.to_ms
    }
}

/// The facts a question needs.
pub fn facts_wanted(q: &Question) -> Vec<FactKey> {
    let mut wanted = Vec::new();
    if !states_a_record(q.op) {
        return wanted;
    }
    let mut want = |kind, key: &str, from_ms, to_ms| {
        let key = key.to_owned();
        wanted.push(FactKey {
            kind,
            key,
            from_ms,
            to_ms,
        });
    };
    match q.kind {
        Kind::Visit => want(FactKind::Presence, q.author, q.estimated_at, q.ended_at),
        Kind::CheckIn => {
            if fix_note(q.record).is_some() {
                let around = TRAVEL_HOURS * HOUR_MS;
                let (from, to) = (q.estimated_at - around, q.estimated_at + around);
                want(FactKind::Fix, q.author, from, to);
            }
            if let (Some("out"), Some(pair)) = (text(q.record, "phase"), text(q.record, "pair")) {
                want(FactKind::Arrival, &pair.to_ascii_lowercase(), 0, i64::MAX);
            }
        }
        _ => {}
    }
    wanted
}

/// The facts a record makes when it is committed.
pub fn facts_made(q: &Question, record: RecordId) -> Vec<Fact> {
    let mut made = Vec::new();
    if !states_a_record(q.op) {
        return made;
    }
    let mut make = |kind, key: String, to_ms, note: String| {
        let (from_ms, person) = (q.estimated_at, q.author.to_owned());
        made.push(Fact {
            kind,
            key,
            from_ms,
            to_ms,
            person,
            record,
            note,
        });
    };
    match q.kind {
        Kind::Visit => {
            let mode = text(q.record, "mode").unwrap_or_default().to_owned();
            make(FactKind::Presence, q.author.to_owned(), q.ended_at, mode);
        }
        Kind::CheckIn => {
            if let Some(note) = fix_note(q.record) {
                make(FactKind::Fix, q.author.to_owned(), q.estimated_at, note);
            }
            if text(q.record, "phase") == Some("in") {
                make(
                    FactKind::Arrival,
                    record.to_string(),
                    q.estimated_at,
                    String::new(),
                );
            }
        }
        _ => {}
    }
    made
}

const fn states_a_record(op: Op) -> bool {
    matches!(op, Op::Create | Op::Patch | Op::Appeal)
}

fn text<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str()
}

/// Degrees × 10⁷ to which a fact rounds a fix: some 1,100 m. Rules over facts ask whether a road
/// could be driven, not where somebody stood.
const FIX_GRAIN_E7: f64 = 100_000.0;
/// Metres that rounding can add on top of the accuracy.
const FIX_GRAIN_M: f64 = 800.0;

/// The fix of a check-in as the note of a fact: rounded, in WGS-84.
pub(super) fn fix_note(record: &Value) -> Option<String> {
    let (point, accuracy_m) = geo::fix_of(record)?;
    let round = |degrees: f64| (degrees * 1e7 / FIX_GRAIN_E7).round() * FIX_GRAIN_E7;
    let (lat, lng) = (round(point.lat), round(point.lng));
    let accuracy_m = (accuracy_m + FIX_GRAIN_M).ceil();
    Some(format!("{lat:.0},{lng:.0},{accuracy_m:.0}"))
}

//! Visits: times in order, minutes and evidence derived, one count per visit and per client.

use serde_json::Value;
use xiangyi_proto::time::{DAY_MS, MINUTE_MS, Millis};

use super::{Rules, counted, photos_in, village_within};
use crate::check::Faults;
use crate::effects::{RollupDelta, RollupKey};
use crate::policy::{Fact, FactKind};
use crate::wants::id_at;
use crate::world::{Admitted, Env, Record, World};

/// Class under which a client counts once a day: persons beside person-times.
pub const PERSON: &str = "person";

pub struct Visit;

impl Rules for Visit {
    fn check(&self, item: &Admitted, body: &Value, faults: &mut Faults) {
        village_within(item, body.get("village"), "/village", faults);
        let (begun, ended) = self.span(body, 0);
        if ended < begun {
            faults.add("/ended_at", "ends-before-start");
        } else if ended - begun > DAY_MS {
            faults.add("/ended_at", "time-range");
        }
    }

    fn span(&self, body: &Value, occurred_at: Millis) -> (Millis, Millis) {
        let at = |name: &str| body.get(name).and_then(Value::as_i64);
        let begun = at("started_at").unwrap_or(occurred_at);
        (begun, at("ended_at").unwrap_or(begun))
    }

    fn derive(&self, record: &mut Record, world: &World, _env: &Env<'_>) {
        let (begun, ended) = self.span(&record.body, record.occurred_at);
        record.derive("minutes", (ended - begun) / MINUTE_MS);
        let declared = photos_in(record.body.get("photos"));
        let here = declared
            .iter()
            .filter(|sha| {
                world
                    .photos
                    .contains(&((*sha).clone(), record.author.clone()))
            })
            .count();
        record.derive("photo_count", declared.len());
        record.derive("photos_here", here);
        record.derive("evidence", evidence(record, declared.len(), here));
        // Where nobody says where, it was where the client lives.
        let card = id_at(record.body.get("client")).and_then(|id| world.live(id));
        let lives = card.and_then(|card| card.village.clone());
        record.village = record.text("/village").map(str::to_owned).or(lives);
        if let Value::Object(body) = &mut record.body {
            body.entry("state").or_insert_with(|| "submitted".into());
        }
    }

    fn facts(&self, record: &Record) -> Vec<Fact> {
        let Some(client) = id_at(record.body.get("client")) else {
            return Vec::new();
        };
        vec![Fact {
            kind: FactKind::ClientVisit,
            key: client.to_string(),
            from_ms: record.estimated_at,
            to_ms: record.estimated_at,
            person: record.author.clone(),
            record: record.id,
            note: String::new(),
        }]
    }

    fn measure(&self, record: &Record) -> Vec<(RollupKey, RollupDelta)> {
        let class = record.text("/derived/class").unwrap_or("assistive");
        let missing = record.int("/derived/photo_count").unwrap_or(0)
            - record.int("/derived/photos_here").unwrap_or(0);
        let minutes = record.int("/derived/minutes").unwrap_or(0);
        let mut counts = vec![counted(record, class, minutes, missing)];
        if let Some(client) = record.text("/client") {
            let (mut key, delta) = counted(record, PERSON, 0, 0);
            key.village = client.to_owned();
            counts.push((key, delta));
        }
        counts
    }
}

fn evidence(record: &Record, declared: usize, here: usize) -> &'static str {
    let remote = matches!(record.text("/mode"), Some("telephone" | "video"));
    if declared > 0 {
        if here >= declared {
            "complete"
        } else {
            "pending"
        }
    } else if record.body.get("photos_declined").and_then(Value::as_bool) == Some(true) {
        "declined"
    } else if remote {
        "not_needed"
    } else {
        "none"
    }
}

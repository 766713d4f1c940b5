//! Incidents: counted while they are open, in one counter of the county, and in nothing else.

use xiangyi_proto::time::{DAY_MS, Millis, day_number, day_start};

use super::Rules;
use crate::effects::{RollupDelta, RollupKey};
use crate::policy::{Fact, FactKey, FactKind};
use crate::world::Record;

/// Class of the counter of incidents that are not closed; its day is 0.
pub const OPEN: &str = "open";

pub struct Incident;

/// Incidents that a person's words opened on the day of a moment.
pub fn heard_of(person: &str, at: Millis) -> FactKey {
    let begins = day_start(day_number(at));
    FactKey {
        kind: FactKind::Heard,
        key: person.to_owned(),
        from_ms: begins,
        to_ms: begins + DAY_MS - 1,
    }
}

impl Rules for Incident {
    fn facts(&self, record: &Record) -> Vec<Fact> {
        let text = |at: &str| record.text(at).unwrap_or_default();
        vec![Fact {
            kind: FactKind::Heard,
            key: text("/reported_by").to_owned(),
            from_ms: record.received_at,
            to_ms: record.received_at,
            person: text("/reported_by").to_owned(),
            record: record.id,
            note: format!("{}|{}", text("/state"), text("/record")),
        }]
    }

    fn measure(&self, record: &Record) -> Vec<(RollupKey, RollupDelta)> {
        let county = xiangyi_proto::region::shard_of(&record.unit);
        if record.text("/state") == Some("closed") {
            return Vec::new();
        }
        let key = RollupKey {
            day: 0,
            unit: county.map_or_else(String::new, |shard| shard.to_string()),
            village: String::new(),
            class: OPEN.to_owned(),
            kind: record.kind.number(),
        };
        let delta = RollupDelta {
            count: 1,
            ..RollupDelta::default()
        };
        vec![(key, delta)]
    }
}

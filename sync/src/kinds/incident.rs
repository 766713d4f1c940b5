//! Incidents: counted while they are open, in one counter of the county, and in nothing else.

use super::Rules;
use crate::effects::{RollupDelta, RollupKey};
use crate::world::Record;

/// Class of the counter of incidents that are not closed; its day is 0.
pub const OPEN: &str = "open";

pub struct Incident;

impl Rules for Incident {
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

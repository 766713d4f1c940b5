//! Resources: one lot of a quantity, promised by links and never twice.

use serde_json::Value;
use xiangyi_proto::time;

use super::{Rules, link};
use crate::world::{Env, Record, Slot, World};

pub struct Resource;

impl Rules for Resource {
    fn derive(&self, record: &mut Record, world: &World, _env: &Env<'_>) {
        let lot = world.slots.get(&(record.id, link::LOT.to_owned()));
        record.derive("promised", lot.map_or(0, |lot| lot.confirmed));
        if let Value::Object(body) = &mut record.body {
            body.entry("state").or_insert_with(|| "open".into());
        }
    }

    fn slots(&self, record: &Record) -> Vec<(String, Slot)> {
        let last_day = record.text("/valid_until").and_then(time::day_of_text);
        let ends_at = last_day.map_or(i64::MAX / 4, |day| time::day_start(day + 1));
        let slot = Slot {
            capacity: record.int("/quantity").unwrap_or(0),
            starts_at: ends_at,
            ends_at,
            next_rank: 1,
            next_offer: 1,
            ..Slot::default()
        };
        vec![(link::LOT.to_owned(), slot)]
    }
}

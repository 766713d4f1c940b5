//! Working time: counted by its own class, not by what the text says.

use xiangyi_proto::time::day_of_text;

use super::{Rules, counted};
use crate::effects::{RollupDelta, RollupKey};
use crate::world::{Env, Record, World};

pub struct WorkTime;

impl Rules for WorkTime {
    fn derive(&self, record: &mut Record, _world: &World, _env: &Env<'_>) {
        let class = record.text("/class").unwrap_or("administrative").to_owned();
        record.derive("class", class);
        let minutes = record.int("/minutes").unwrap_or(0);
        record.derive("minutes", minutes);
    }

    fn measure(&self, record: &Record) -> Vec<(RollupKey, RollupDelta)> {
        let class = record.text("/class").unwrap_or("administrative");
        let minutes = record.int("/minutes").unwrap_or(0);
        let (mut key, delta) = counted(record, class, minutes, 0);
        // The day that was worked, whenever it was written down.
        key.day = record.text("/day").and_then(day_of_text).unwrap_or(key.day);
        vec![(key, delta)]
    }
}

//! Working time: counted by its own class, not by what the text says.

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
        vec![counted(
            record,
            class,
            record.int("/minutes").unwrap_or(0),
            0,
        )]
    }
}

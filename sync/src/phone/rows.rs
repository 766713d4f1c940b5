//! Counting what the phone holds, to compare with what the server counts.

use std::collections::BTreeMap;

use xiangyi_proto::exchange::StreamSum;

use super::{Phone, Write};
use crate::sums::Sum;

/// Sums per (shard, stream, kind) of the rows on a phone.
pub fn sums(phone: &Phone) -> BTreeMap<(i64, String, String), Sum> {
    let mut sums: BTreeMap<(i64, String, String), Sum> = BTreeMap::new();
    for ((shard, stream, id), held) in &phone.rows {
        let key = (*shard, stream.clone(), held.row.kind.clone());
        sums.entry(key).or_default().add(*id, held.row.rev);
    }
    sums
}

/// Whether the rows, after these writes, are what the server counts.
pub fn sums_match(phone: &Phone, theirs: &[StreamSum], writes: &[Write]) -> bool {
    if theirs.is_empty() {
        return true;
    }
    let mut after = phone.clone();
    writes.iter().for_each(|write| after.write(write));
    let ours = sums(&after);
    theirs.iter().all(|sum| {
        let key = (sum.shard, sum.stream.clone(), sum.kind.clone());
        let own = ours.get(&key).copied().unwrap_or_default();
        own == Sum {
            live: sum.live,
            sum1: sum.sum1,
            sum2: sum.sum2,
        }
    })
}

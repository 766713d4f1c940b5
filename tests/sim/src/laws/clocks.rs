//! 25: other clocks, the same order, merges and convergence.

use serde_json::Value;

use super::records::said;
use crate::model::Store;
use crate::story::{Check, holds};

/// What a world comes to, without the times that clocks claim.
pub fn outcome(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    for county in store.counties.values() {
        let mut log: Vec<_> = county.log.values().collect();
        log.sort_by_key(|row| row.seq);
        for row in log {
            let (verdict, seq) = (row.verdict.verdict, row.seq);
            lines.push(format!("{seq} {} {} {verdict:?}", row.device, row.n));
        }
        for record in county.records() {
            let own = !record.kind.spec().may.is_empty();
            let body = if own { said(&record.body) } else { Value::Null };
            let streams = &record.placed;
            lines.push(format!(
                "{} {} {} {streams:?} {body}",
                record.id, record.rev, record.seq
            ));
        }
        lines.extend(county.claims.values().map(|claim| format!("{claim:?}")));
        lines.extend(county.slots.iter().map(|slot| format!("{slot:?}")));
    }
    lines
}

/// 25: permuting device clocks changes no order, merge or convergence.
pub fn law_25_clocks_change_nothing(one: &Store, other: &Store) -> Check {
    let (one, other) = (outcome(one), outcome(other));
    let differ = one.iter().zip(&other).find(|(a, b)| a != b);
    holds("25", differ.is_none() && one.len() == other.len(), || {
        format!("with other clocks: {differ:?}")
    })
}

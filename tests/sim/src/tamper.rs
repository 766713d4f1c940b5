//! Planted faults of the store: what is written or lost at a commit.

use uuid::Uuid;
use xiangyi_sync::effects::Effects;

use crate::fault::Fault;
use crate::model::County;

/// Spoils what a commit writes.
pub fn effects(fault: Option<Fault>, effects: &mut Effects, head: i64) {
    match fault {
        Some(Fault::VerdictsAlone) if head % 5 == 0 => effects.rows.clear(),
        Some(Fault::RanksReused) => {
            for claim in effects.claims.values_mut() {
                claim.rank = claim.rank.min(1);
            }
        }
        Some(Fault::SumsForgotten) => effects.sums.retain(|_, sum| sum.live >= 0),
        Some(Fault::TimersLost) if head % 2 == 0 => effects.timers.clear(),
        _ => {}
    }
}

/// Rows whose leaving is not remembered.
pub fn lost_tombstones(fault: Option<Fault>, effects: &Effects) -> Vec<(Uuid, String)> {
    let lost = fault == Some(Fault::TombstonesLost);
    let rows = effects
        .rows
        .iter()
        .filter(|(_, row)| lost && row.rm && !row.home);
    rows.map(|(key, _)| key.clone()).collect()
}

/// Forgets rows.
pub fn lose(county: &mut County, rows: Vec<(Uuid, String)>) {
    for (id, name) in rows {
        if let Some(stream) = county.streams.get_mut(&name)
            && let Some(row) = stream.rows.remove(&id)
        {
            stream.order.remove(&row.seq);
        }
    }
}

//! Planted faults of the store: what is written or lost at a commit.

use uuid::Uuid;
use xiangyi_sync::effects::{Effects, RowWrite};
use xiangyi_sync::world::ClaimState;

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
        Some(Fault::HeldKept) => effects.held.retain(|_, held| held.is_some()),
        Some(Fault::FactsKept) => effects.facts_gone.clear(),
        Some(Fault::CountsKept) => effects.rollups.retain(|_, by| by.count > 0),
        Some(Fault::MailboxesForgotten) => effects.people.clear(),
        Some(Fault::PhotoRefsForgotten) => effects.photo_refs.clear(),
        Some(Fault::SealedForAll) => seal_nothing(effects),
        Some(Fault::LeaversKept) => effects
            .claims
            .retain(|_, claim| claim.state != ClaimState::Left),
        Some(Fault::RefusedForGood) => effects.forgotten.clear(),
        _ => {}
    }
}

/// Puts the sealed part of a record into each of its rows.
fn seal_nothing(effects: &mut Effects) {
    let sealed = |row: &RowWrite| row.home && row.sealed.is_some();
    let homes: Vec<(Uuid, RowWrite)> = effects
        .rows
        .iter()
        .filter(|(_, row)| sealed(row))
        .map(|((id, _), row)| (*id, row.clone()))
        .collect();
    for (id, home) in homes {
        let rows = effects.rows.iter_mut().filter(|(key, _)| key.0 == id);
        for (_, row) in rows.filter(|(_, row)| !row.rm) {
            row.open.clone_from(&home.open);
            row.sealed.clone_from(&home.sealed);
        }
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

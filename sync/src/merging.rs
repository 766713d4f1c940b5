//! Merging: somebody was entered twice, and what the second entry holds becomes the first one's.
//!
//! Claims, clients and what is run (activities, resources, needs) change hands, because rights hang
//! on whose they are. What was reported keeps its author.

use xiangyi_proto::ids::{PersonId, RecordId};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::Millis;

use crate::moves::{self, Handover};
use crate::wants::Wants;
use crate::world::{Env, World};
use crate::{kinds, slots};

/// What changes hands in one shard.
#[derive(Debug, Clone, Default)]
pub struct Merging {
    pub from: PersonId,
    pub to: PersonId,
    pub at: Millis,
    pub reason: String,
    /// Cards that name the first person.
    pub cards: Vec<RecordId>,
    /// Sign-ups and links of the first person.
    pub claims: Vec<RecordId>,
    /// Activities, resources and needs of the first person.
    pub runs: Vec<RecordId>,
    /// What others claim of these.
    pub followers: Vec<RecordId>,
}

/// What changed hands, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    pub clients: u64,
    pub visits: u64,
    /// Claims that went over, and those that were left because there was one already.
    pub claims: u64,
    pub left: u64,
    pub runs: u64,
}

/// What must be loaded before; ask again until it is empty.
pub fn wants(world: &World, merging: &Merging) -> Wants {
    let mut wants = world.wants(&[]);
    let records = [&merging.claims, &merging.runs, &merging.followers];
    for id in records.into_iter().flatten() {
        wants.records.insert(*id);
        world.wants_of_kept(*id, &mut wants);
    }
    for id in &merging.cards {
        wants.records.insert(*id);
        wants.held.insert(*id);
        world.wants_of_visits(*id, &mut wants);
    }
    wants.facts.insert(kinds::busy_of(&merging.to));
    for id in &merging.claims {
        wants.claims.insert(*id);
        let Some(claim) = world.claims.get(id) else {
            continue;
        };
        let (slot, name) = (claim.slot, claim.name.clone());
        wants.slots.insert(slot);
        wants.records.insert(slot);
        world.wants_of_kept(slot, &mut wants);
        wants
            .live_claims
            .insert((slot, name.clone(), merging.to.clone()));
        wants.lines.insert((slot, name));
    }
    wants.beyond(&world.seen)
}

/// Merges, as far as one shard goes.
pub fn merge(world: &mut World, merging: &Merging, env: &Env<'_>) -> Merged {
    let mut merged = Merged::default();
    for id in &merging.runs {
        merged.runs += u64::from(given(world, *id, merging, env));
    }
    for id in &merging.followers {
        world.replace(*id, env.now);
    }
    for id in &merging.claims {
        match slots::take_over(world, *id, &merging.to, env) {
            Some(true) => merged.claims += 1,
            Some(false) => merged.left += 1,
            None => {}
        }
    }
    for client in &merging.cards {
        let handover = Handover {
            client: *client,
            from: merging.from.clone(),
            to: merging.to.clone(),
            at: merging.at,
            reason: merging.reason.clone(),
        };
        if let Some(visits) = moves::take_over(world, &handover, env) {
            merged.clients += 1;
            merged.visits += visits as u64;
        }
    }
    merged
}

/// Gives what somebody runs to the other.
fn given(world: &mut World, id: RecordId, merging: &Merging, env: &Env<'_>) -> bool {
    let runs = [Kind::Activity, Kind::Resource, Kind::Need];
    let theirs = world
        .live(id)
        .filter(|record| record.author == merging.from);
    let Some(mut record) = theirs.filter(|record| runs.contains(&record.kind)).cloned() else {
        return false;
    };
    record.author.clone_from(&merging.to);
    record.rev += 1;
    world.keep(record, env);
    true
}

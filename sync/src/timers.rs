//! Timers: what the clock alone changes. Crash-safe, because each is a row until it has fired.

use uuid::Uuid;
use xiangyi_proto::time::Millis;

use crate::wants::Wants;
use crate::world::{Env, World};
use crate::{apply, hold, slots};

/// A row of the timer table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    pub kind: String,
    pub id: String,
    pub due_at: Millis,
}

/// What must be loaded before these timers can fire; ask again until it is empty.
pub fn wants(world: &World, timers: &[Timer]) -> Wants {
    let mut wants = world.wants(&[]);
    for timer in timers {
        let Ok(id) = Uuid::try_parse(&timer.id) else {
            continue;
        };
        match timer.kind.as_str() {
            "offer" => {
                wants.claims.insert(id);
                wants.records.insert(id);
                if let Some(claim) = world.claims.get(&id) {
                    wants.slots.insert(claim.slot);
                    wants.lines.insert((claim.slot, claim.name.clone()));
                }
            }
            "grant" => {
                wants.records.insert(id);
            }
            "assignment" => {
                wants.records.insert(id);
                wants.held.insert(id);
                world.wants_of_visits(id, &mut wants);
            }
            _ => {
                wants.held.insert(id);
            }
        }
    }
    wants.beyond(&world.seen)
}

/// Fires one timer; a timer that no longer fits does nothing.
pub fn fire(world: &mut World, timer: &Timer, env: &Env<'_>) {
    let key = (timer.kind.clone(), timer.id.clone());
    world.effects.timers.insert(key, None);
    let Ok(id) = Uuid::try_parse(&timer.id) else {
        return;
    };
    match timer.kind.as_str() {
        "offer" => slots::lapse(world, id, env),
        "hold-expires" => hold::end(world, id, "hold-expired", env),
        "hold-escalates" => escalate(world, id, env),
        // Readers change with the clock: a new revision makes them look.
        "assignment" | "grant" => {
            if let Some(mut record) = world.live(id).cloned() {
                record.rev += 1;
                world.keep(record, env);
            }
        }
        _ => {}
    }
    hold::settle(world, env);
    apply::finish(world, env);
}

fn escalate(world: &mut World, id: Uuid, env: &Env<'_>) {
    if let Some(held) = world.held.get_mut(&id) {
        held.escalated = true;
        world.effects.held.insert(id, Some(held.clone()));
    }
    if let Some(mut record) = world.live(id).cloned() {
        record.rev += 1;
        if let serde_json::Value::Object(body) = &mut record.body {
            body.insert("escalated".to_owned(), true.into());
        }
        world.keep(record, env);
    }
}

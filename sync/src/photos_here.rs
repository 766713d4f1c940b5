//! A photograph is complete: the visits that declare it show it.
//!
//! Somebody who was entered twice is one owner: what is loaded under an id has come from whichever
//! entry of theirs.

use xiangyi_proto::ids::{PersonId, RecordId};

use crate::wants::Wants;
use crate::world::{Env, World};

/// What must be loaded before a photograph can be shown; ask again until it is empty.
pub fn wants(world: &World, sha256: &str, owner: &PersonId) -> Wants {
    world.wants_of_photo(sha256, owner)
}

/// Rewrites every record of the owner that declares this photograph.
pub fn photo_complete(world: &mut World, sha256: &str, owner: &PersonId, env: &Env<'_>) {
    let key = (sha256.to_owned(), owner.clone());
    let records: Vec<RecordId> = world
        .photo_refs
        .get(&key)
        .into_iter()
        .flatten()
        .copied()
        .collect();
    world.photos.insert(key);
    for id in records {
        if let Some(mut record) = world.live(id).cloned() {
            world
                .photos
                .insert((sha256.to_owned(), record.author.clone()));
            record.rev += 1;
            world.keep(record, env);
        }
    }
    world.arrived.clear();
}

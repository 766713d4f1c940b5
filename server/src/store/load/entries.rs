//! Entries of one human being: somebody was entered twice, and became one (decision 0025).

use std::collections::{BTreeSet, HashMap};

use xiangyi_proto::kinds::Kind;
use xiangyi_sync::digest;
use xiangyi_sync::world::{Admitted, World};

use crate::store::{StoreError, Tx, people};

/// What changes hands in a merge, because rights hang on whose it is. All else keeps its author.
const CHANGES_HANDS: [Kind; 6] = [
    Kind::Client,
    Kind::SignUp,
    Kind::Link,
    Kind::Activity,
    Kind::Resource,
    Kind::Need,
];

/// Loads under which other ids these people were entered; of reviewers, a few in a batch.
pub(super) async fn entries(
    tx: &mut Tx,
    world: &mut World,
    wanted: &BTreeSet<String>,
) -> Result<(), StoreError> {
    for person in wanted {
        let others = people::others(tx, person).await?;
        world
            .entries
            .insert(person.clone(), others.into_iter().collect());
    }
    Ok(())
}

/// An id, whom it was merged into, and another that was merged into the same.
pub(super) fn each(
    id: String,
    into: Option<String>,
    other: Option<String>,
) -> impl Iterator<Item = String> {
    [Some(id), into, other].into_iter().flatten()
}

/// Whoever was merged while their request was under way asks as the person they are: behind the
/// lock of the shard nobody comes after them to bring it over.
pub(crate) async fn led_on(tx: &mut Tx, items: &mut [Admitted]) -> Result<(), StoreError> {
    let moves = |item: &Admitted| item.kind.is_some_and(|kind| CHANGES_HANDS.contains(&kind));
    let asking = items.iter().filter(|item| moves(item));
    let asking: BTreeSet<&str> = asking.map(|item| item.person.as_str()).collect();
    if asking.is_empty() {
        return Ok(());
    }
    let asking: Vec<&str> = asking.into_iter().collect();
    let led: HashMap<String, String> = people::led_on(tx, &asking).await?.into_iter().collect();
    for item in items.iter_mut().filter(|item| moves(item)) {
        if let Some(person) = led.get(&item.person) {
            item.person.clone_from(person);
            // As the person says it when they send it again.
            item.content = digest::said_by(person, &item.mutation);
        }
    }
    Ok(())
}

//! L: what is asked for suffices. Over everything that is stored, the same comes out.

use std::fmt::Debug;

use xiangyi_sync::effects::Effects;
use xiangyi_sync::world::World;

use crate::story::{Check, holds};

/// L: with only what was asked for, the effects and the answers are those over the whole store.
pub fn law_l_wants_suffice<T: PartialEq + Debug>(
    asked: &World,
    all: &World,
    told: &T,
    told_all: &T,
) -> Check {
    holds("L", told == told_all, || {
        format!("answers differ:\n asked for: {told:?}\n over all:  {told_all:?}")
    })?;
    let (a, b) = (written(&asked.effects), written(&all.effects));
    let differ = a.iter().zip(&b).find(|(a, b)| a != b);
    holds("L", differ.is_none() && a.len() == b.len(), || {
        format!(
            "effects differ:\n asked for: {:?}\n over all:  {:?}",
            differ,
            b.len()
        )
    })
}

fn written(effects: &Effects) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(effects.rows.iter().map(|row| format!("{row:?}")));
    lines.extend(effects.log.iter().map(|row| format!("{row:?}")));
    lines.extend(effects.held.iter().map(|row| format!("{row:?}")));
    lines.push(format!("{:?}", effects.forgotten));
    lines.push(format!("{:?}", effects.slots));
    lines.push(format!("{:?}", effects.claims));
    lines.push(format!("{:?} {:?}", effects.facts_gone, effects.facts));
    lines.push(format!("{:?}", effects.refusals));
    lines.push(format!("{:?}", effects.sums));
    lines.push(format!("{:?}", effects.rollups));
    lines.push(format!("{:?}", effects.timers));
    lines.push(format!("{:?} {:?}", effects.photo_refs, effects.next_n));
    lines
}

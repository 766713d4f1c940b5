//! Trials: what a draft would say of a record, beside what the packs in force say.
//!
//! The draft stands in for every version of its region, on all days; other regions' packs stay as
//! they are. Nothing is changed by a trial, and what it gives holds no word of a record.

use std::sync::Arc;

use super::compile::CompiledPack;
use super::facts::Fact;
use super::packs::PackSet;
use super::{Judgement, Question};

/// The packs in force, and the same with a draft.
#[derive(Debug, Clone)]
pub struct Trial {
    before: Arc<PackSet>,
    after: PackSet,
}

/// An answer that changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The rule that makes the difference.
    pub rule: String,
    /// `none`, or the severest verdict, as if nobody were in danger: whoever reads a trial need not
    /// know of incidents.
    pub from: String,
    pub to: String,
}

impl Trial {
    /// A draft before the packs in force.
    pub fn of(before: Arc<PackSet>, mut draft: CompiledPack) -> Self {
        draft.from_day = i64::MIN;
        draft.to_day = None;
        let after = before.with(draft);
        Self { before, after }
    }

    /// What changes for a record; facts of the record itself must not be among them.
    pub fn change(&self, q: &Question, facts: &[Fact]) -> Option<Change> {
        let before = answer(&self.before, q, facts);
        let after = answer(&self.after, q, facts);
        let (from, to) = (word(&before), word(&after));
        if from == to {
            return None;
        }
        let stricter = after.severest() >= before.severest();
        let (telling, other) = if stricter {
            (&after, &before)
        } else {
            (&before, &after)
        };
        let rule = of(telling).or_else(|| of(other)).unwrap_or_default();
        Some(Change { rule, from, to })
    }
}

fn answer(packs: &PackSet, q: &Question, facts: &[Fact]) -> Judgement {
    let mut judgement = packs.judge_apart_from_danger(q);
    judgement.hits.extend(packs.judge_stateful(q, facts));
    judgement
}

fn word(judgement: &Judgement) -> String {
    let severest = judgement.severest();
    severest.map_or("none", |verdict| verdict.name()).to_owned()
}

/// The rule of the severest hit, the first of several.
fn of(judgement: &Judgement) -> Option<String> {
    let severest = judgement.severest();
    let mut hits = judgement.hits.iter();
    let hit = hits.find(|hit| Some(hit.verdict) == severest);
    hit.map(|hit| hit.rule.id.clone())
}

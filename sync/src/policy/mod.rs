//! The negative list: what a record is asked, and what the packs in force answer.
//!
//! A judge is a pure function of the question, the packs and the facts handed in. Text alone
//! never rejects and never holds; danger lowers a refusal to a hold; a condition that fails at
//! run time holds the record under the rule `pack-fault`. Storing, alerting and wording of the
//! exchange belong to the callers.

mod alerts;
mod bounds;
mod by_text;
mod catalogue;
mod check;
mod compile;
mod depth;
mod diff;
mod engine;
mod exempt;
mod explain;
mod facts;
mod fault;
mod filler;
mod judge;
mod lexicon;
mod mentions;
mod packs;
#[cfg(test)]
mod proofs;
mod reads;
mod score;
mod script;
mod sieve;
pub mod signals;
mod stateful;
mod steps;
mod tighten;
mod trial;
mod view;
mod wording;

use std::sync::Arc;

use serde_json::Value;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::pack::{DangerState, RuleVerdict};
use xiangyi_proto::time::TimeQuality;
use xiangyi_proto::verdict::RuleRef;

pub use alerts::Alert;
pub use bounds::faults as out_of_bounds;
pub use catalogue::{catalogue, class_of, service};
pub use check::{PackReport, check, read};
pub use compile::{CompiledPack, compile, with_weights_that_are_here};
pub use diff::{Difference, Way, diff};
pub use exempt::{Exempted, Exemption};
pub use explain::{Explained, Heard, Reason, Word, explain};
pub use facts::{
    Fact, FactKey, FactKind, account_keys, facts_chosen, facts_made, facts_wanted, terms_of,
    whole_time,
};
pub use fault::PackFault;
pub use judge::{narrative, severest_first};
pub use lexicon::Lexicons;
pub use packs::PackSet;
pub use score::{GroupRates, Note, Rates, Score, score};
pub use tighten::sound;
pub use trial::{Change, Trial};
pub use xiangyi_proto::pack::Class;

/// A record before the rules.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub kind: Kind,
    /// The merged body as it would be stored, not yet completed.
    pub record: &'a Value,
    /// Code of the unit the record belongs to.
    pub unit: &'a str,
    /// Person id.
    pub author: &'a str,
    pub op: Op,
    /// When the act took place, Unix milliseconds.
    pub estimated_at: i64,
    pub received_at: i64,
    pub quality: TimeQuality,
    /// When the act ended; equal to `estimated_at` for a moment.
    pub ended_at: i64,
}

/// What of a rule is shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText {
    pub id: String,
    pub pack: String,
    pub version: i64,
    pub clause: String,
    /// The basis in one line, ending in `derived` where the list's own text was not at hand.
    pub basis: String,
    pub title_zh: String,
    pub title_en: String,
    pub message_zh: String,
    pub message_en: String,
    /// What the worker can do: `split`, `work_time`, `appeal`.
    pub instead: Vec<String>,
}

impl RuleText {
    /// The rule as verdicts cite it.
    pub fn cited(&self) -> RuleRef {
        RuleRef {
            pack: self.pack.clone(),
            version: self.version,
            id: self.id.clone(),
            clause: self.clause.clone(),
            basis: self.basis.clone(),
        }
    }
}

/// A rule that applies to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub rule: Arc<RuleText>,
    pub verdict: RuleVerdict,
    /// JSON pointers into the record.
    pub at: Vec<String>,
}

impl Hit {
    /// The same where it stops nothing any more: a reviewer let the record in, or what it tells of
    /// has happened.
    pub fn let_in(self) -> Self {
        let (rule, verdict) = (Arc::new(wording::let_in(&self.rule)), RuleVerdict::Warn);
        Self {
            rule,
            verdict,
            ..self
        }
    }
}

/// A signal of danger to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Danger {
    pub rule: Arc<RuleText>,
    pub state: DangerState,
    /// JSON pointer of the field or text; empty when only a bare text was at hand.
    pub at: String,
}

/// What the rules say about one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// In the order of the packs, province first, and of their rules.
    pub hits: Vec<Hit>,
    /// Reported before suspected.
    pub danger: Vec<Danger>,
    pub class: Class,
    /// Rules that failed at run time, for the alarm.
    pub faults: Vec<PackFault>,
    /// Rules that would have applied, and what lifted them.
    pub exempted: Vec<Exempted>,
}

impl Judgement {
    /// The verdict of the severest hit.
    pub fn severest(&self) -> Option<RuleVerdict> {
        self.hits.iter().map(|hit| hit.verdict).max()
    }
}

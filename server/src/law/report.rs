//! What a trial found, and how much of it is told to whom.
//!
//! A draft's conditions can ask anything of a narrative. Who may read narratives gets each record;
//! who may not gets numbers, in steps so large that no draft tells what one record says.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;
use xiangyi_proto::limits::WHAT_IF_CELL;
use xiangyi_sync::policy::Change;

/// How many records a rule would answer otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    #[serde(flatten)]
    pub change: Told,
    pub records: u64,
}

/// A change in words of rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Told {
    pub rule: String,
    pub from: String,
    pub to: String,
}

/// A record that would get another answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub record: Uuid,
    pub kind: &'static str,
    pub unit: String,
    /// It waits for a decision and is not stored yet.
    pub held: bool,
    #[serde(flatten)]
    pub change: Told,
}

/// What a trial found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub judged: u64,
    pub changed: u64,
    pub by_rule: Vec<Counted>,
    /// The first thousand; all are counted.
    pub records: Vec<Listed>,
    /// Held corrections and steps, which are no whole records.
    pub held_not_tried: u64,
    /// Refusals keep no body that could be tried.
    pub refused_not_tried: i64,
    #[serde(skip)]
    pub(super) counts: BTreeMap<Told, u64>,
}

impl From<Change> for Told {
    fn from(change: Change) -> Self {
        let Change { rule, from, to } = change;
        Self { rule, from, to }
    }
}

/// What stands for the rules of which each alone would tell too much.
const OTHERS: &str = "*";

impl Report {
    /// The same for somebody who may not read narratives: no record, and numbers in whole steps.
    /// Rules with less than a step are counted together, or not told where all of them are less.
    pub fn without_records(&self) -> Self {
        let steps = |count: u64| count - count % WHAT_IF_CELL;
        let told = |counted: &&Counted| counted.records >= WHAT_IF_CELL;
        let (large, small): (Vec<_>, Vec<_>) = self.by_rule.iter().partition(told);
        let others = Counted {
            change: Told {
                rule: OTHERS.to_owned(),
                from: OTHERS.to_owned(),
                to: OTHERS.to_owned(),
            },
            records: small.iter().map(|counted| counted.records).sum(),
        };
        let all = large.into_iter().cloned().chain([others]);
        let all = all.map(|counted| Counted {
            records: steps(counted.records),
            ..counted
        });
        Self {
            judged: self.judged,
            changed: steps(self.changed),
            by_rule: all.filter(|counted| counted.records > 0).collect(),
            records: Vec::new(),
            held_not_tried: 0,
            refused_not_tried: self.refused_not_tried,
            counts: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(report: &Report) -> Vec<(&str, u64)> {
        let rows = report.by_rule.iter();
        rows.map(|row| (row.change.rule.as_str(), row.records))
            .collect()
    }

    #[test]
    fn numbers_go_in_steps_and_small_ones_together() {
        let row = |rule: &str, records| Counted {
            change: Told {
                rule: rule.to_owned(),
                from: "none".to_owned(),
                to: "hold".to_owned(),
            },
            records,
        };
        let report = Report {
            changed: 47,
            by_rule: vec![row("a", 29), row("b", 9), row("c", 5), row("d", 4)],
            ..Report::default()
        };
        let shown = report.without_records();
        assert_eq!(told(&shown), [("a", 20), ("*", 10)]);
        assert_eq!(shown.changed, 40);
        let few = Report {
            changed: 9,
            by_rule: vec![row("b", 9)],
            ..Report::default()
        };
        let shown = few.without_records();
        assert_eq!((told(&shown), shown.changed), (vec![], 0));
    }
}

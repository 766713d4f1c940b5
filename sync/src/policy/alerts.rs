//! Alerts: what a county's board shows of a trend, and what is said to nobody else.

use std::sync::Arc;

use xiangyi_proto::pack::StatefulRule;
use xiangyi_proto::time::{Millis, day_number};

use super::RuleText;
use super::compile::Test;
use super::packs::PackSet;

/// A trend that the packs ask a board to show: people on duty in an office day after day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub rule: Arc<RuleText>,
    /// Days at the least, of the last `within_days`.
    pub days: i64,
    pub within_days: i64,
}

impl PackSet {
    /// The alerts that hold at a county at a moment: a county's own shows beside the province's
    /// and takes none away.
    pub fn alerts(&self, county: &str, at: Millis) -> Vec<Alert> {
        let packs = self.in_force(county, day_number(at));
        let rules = packs.into_iter().flat_map(|pack| &pack.rules);
        let alerts = rules.filter_map(|rule| match &rule.test {
            Test::Stateful(StatefulRule::SameOfficeDays, params) => Some(Alert {
                rule: Arc::clone(&rule.text),
                days: params.office_days,
                within_days: params.within_days,
            }),
            _ => None,
        });
        alerts.collect()
    }
}

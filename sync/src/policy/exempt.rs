//! Exemptions: dated loosenings of the province.
//!
//! A rule that is exempted at a record's unit on the day its clock names gives no hit; the
//! judgement notes what was lifted and by what. Danger is never exempted. The newest version of
//! a pack says which exemptions there are, for late records too; their own days say when.

use std::collections::BTreeSet;
use std::sync::Arc;

use xiangyi_proto::pack::{ExemptionDoc, PackDoc, RuleClock, RuleVerdict};
use xiangyi_proto::time::{day_number, day_of_text};

use super::fault::PackFault;
use super::{Hit, Question, RuleText};

/// Exemptions of one pack: a year of emergencies in every county of a province.
const EXEMPTIONS_MAX: usize = 500;
/// Days of one exemption: longer is not an exemption but another rule.
const DAYS_MAX: i64 = 366;

/// An exemption that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    pub id: String,
    pub pack: String,
    pub version: i64,
    pub reason_zh: String,
    pub reason_en: String,
    pub basis: String,
    rules: BTreeSet<String>,
    units: Vec<String>,
    from_day: i64,
    to_day: i64,
}

/// A rule that would have applied but for an exemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exempted {
    pub rule: Arc<RuleText>,
    /// What the rule would have done.
    pub verdict: RuleVerdict,
    pub exemption: Arc<Exemption>,
}

impl Exemption {
    /// Says whether a hit is lifted, on the day that the rule's clock names.
    pub(super) fn lifts(&self, hit: &Hit, q: &Question, clock: impl Fn() -> RuleClock) -> bool {
        let is_meant = hit.rule.pack == self.pack && self.rules.contains(&hit.rule.id);
        if !is_meant || !self.units.iter().any(|unit| q.unit.starts_with(unit)) {
            return false;
        }
        let day = match clock() {
            RuleClock::Act => day_number(q.estimated_at),
            RuleClock::Receipt => day_number(q.received_at),
        };
        (self.from_day..=self.to_day).contains(&day)
    }
}

/// The exemptions of a pack; what is wrong with them joins the faults.
pub(super) fn compiled(doc: &PackDoc, faults: &mut Vec<PackFault>) -> Vec<Arc<Exemption>> {
    if doc.exemptions.len() > EXEMPTIONS_MAX {
        faults.push(PackFault::of_pack("exemptions", "more than 500 exemptions"));
    }
    let mut ids = BTreeSet::new();
    let mut read = |exemption: &ExemptionDoc| {
        if !ids.insert(exemption.id.clone()) {
            faults.push(fault(exemption, "id", "is taken by another exemption"));
        }
        one(doc, exemption, faults)
    };
    doc.exemptions
        .iter()
        .map(|own| Arc::new(read(own)))
        .collect()
}

fn fault(exemption: &ExemptionDoc, member: &str, message: &str) -> PackFault {
    PackFault::of_pack(format!("exemptions/{}/{member}", exemption.id), message)
}

fn one(doc: &PackDoc, exemption: &ExemptionDoc, faults: &mut Vec<PackFault>) -> Exemption {
    let mut need = |met: bool, member: &str, message: &str| {
        if !met {
            faults.push(fault(exemption, member, message));
        }
    };
    let words = |text: &str| !text.trim().is_empty();
    let reason = &exemption.reason;
    need(words(&exemption.id), "id", "is missing");
    need(
        words(&reason.zh) && words(&reason.en),
        "reason",
        "needs words in zh and en",
    );
    need(
        words(&exemption.basis),
        "basis",
        "needs the order it rests on",
    );
    need(!exemption.rules.is_empty(), "rules", "names no rule");
    for id in &exemption.rules {
        let rule = doc.rules.iter().find(|rule| rule.id == *id);
        need(rule.is_some(), "rules", &format!("unknown rule {id}"));
        let is_danger = rule.is_some_and(|rule| rule.danger.is_some());
        need(
            !is_danger,
            "rules",
            &format!("{id} is about danger and is never exempted"),
        );
    }
    let inside = |unit: &String| xiangyi_proto::region::within(unit, &doc.pack) && unit.len() >= 2;
    let inside = !exemption.units.is_empty() && exemption.units.iter().all(inside);
    need(inside, "units", "needs units inside the pack's region");
    let (from, to) = (day_of_text(&exemption.from), day_of_text(&exemption.to));
    need(from.is_some(), "from", "is not a day like 2026-01-31");
    need(to.is_some(), "to", "is not a day like 2026-01-31");
    let days = from.zip(to).map_or(1, |(from, to)| to - from + 1);
    need(days >= 1, "to", "lies before its first day");
    need(
        days <= DAYS_MAX,
        "to",
        "is more than a year after its first day",
    );
    Exemption {
        id: exemption.id.clone(),
        pack: doc.pack.clone(),
        version: doc.version,
        reason_zh: reason.zh.clone(),
        reason_en: reason.en.clone(),
        basis: exemption.basis.clone(),
        rules: exemption.rules.iter().cloned().collect(),
        units: exemption.units.clone(),
        from_day: from.unwrap_or(0),
        to_day: to.unwrap_or(-1),
    }
}

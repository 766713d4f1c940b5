//! Which packs are in force at a unit on a day.
//!
//! A pack holds for the units whose code begins with its own; the province's and the county's hold
//! together, because a county tightens and never loosens. Of one region one version holds at a
//! time.

use std::sync::Arc;

use xiangyi_proto::pack::RuleClock;
use xiangyi_proto::time::{self, Millis};

use super::compile::CompiledPack;
use super::exempt::{Exempted, Exemption};
use super::{Hit, Question, RuleText};

/// The packs of all regions and versions.
#[derive(Debug, Clone, Default)]
pub struct PackSet {
    /// Ordered by length of code, code, first day, version.
    packs: Vec<Arc<CompiledPack>>,
    /// Those of each region's newest version, whatever days that version is in force.
    exemptions: Vec<Arc<Exemption>>,
}

impl PackSet {
    /// A set of packs.
    pub fn new(packs: Vec<CompiledPack>) -> Self {
        Self::of(packs.into_iter().map(Arc::new).collect())
    }

    /// A set of packs that others hold too.
    pub fn of(mut packs: Vec<Arc<CompiledPack>>) -> Self {
        packs.sort_by(|a, b| {
            let place = |pack: &CompiledPack| (pack.code.len(), pack.from_day, pack.version);
            place(a).cmp(&place(b)).then_with(|| a.code.cmp(&b.code))
        });
        packs.sort_by(|a, b| (a.code.len(), &a.code).cmp(&(b.code.len(), &b.code)));
        let regions = packs.chunk_by(|a, b| a.code == b.code);
        let newest = regions.filter_map(|versions| versions.iter().max_by_key(|p| p.version));
        let exemptions = newest.flat_map(|pack| pack.exemptions.iter().cloned());
        let exemptions = exemptions.collect();
        Self { packs, exemptions }
    }

    /// The same packs with one in place of every version of its region.
    pub(super) fn with(&self, other: CompiledPack) -> Self {
        let others = self.packs.iter().filter(|pack| pack.code != other.code);
        let mut packs: Vec<_> = others.cloned().collect();
        packs.push(Arc::new(other));
        Self::of(packs)
    }

    /// Takes out the hits that an exemption lifts, and notes them.
    pub(super) fn lift(&self, q: &Question, hits: &mut Vec<Hit>, lifted: &mut Vec<Exempted>) {
        if self.exemptions.is_empty() {
            return;
        }
        hits.retain(|hit| {
            let clock = || self.clock_of(&hit.rule);
            let found = self.exemptions.iter().find(|own| own.lifts(hit, q, clock));
            if let Some(exemption) = found {
                lifted.push(Exempted {
                    rule: Arc::clone(&hit.rule),
                    verdict: hit.verdict,
                    exemption: Arc::clone(exemption),
                });
            }
            found.is_none()
        });
    }

    fn clock_of(&self, text: &RuleText) -> RuleClock {
        let mut packs = self.packs.iter();
        let pack = packs.find(|pack| pack.code == text.pack && pack.version == text.version);
        let mut rules = pack.into_iter().flat_map(|pack| &pack.rules);
        let rule = rules.find(|rule| rule.text.id == text.id);
        rule.map_or(RuleClock::Act, |rule| rule.clock)
    }

    /// Every pack, province first.
    pub(super) fn all(&self) -> impl Iterator<Item = &CompiledPack> {
        self.packs.iter().map(Arc::as_ref)
    }

    /// The packs in force at a unit on a day (UTC+8, counted from 1970-01-01), province first.
    pub(super) fn in_force(&self, unit: &str, day: i64) -> Vec<&CompiledPack> {
        let regions = self.packs.chunk_by(|a, b| a.code == b.code);
        let above = regions.filter(|versions| unit.starts_with(versions[0].code.as_str()));
        let mut in_force: Vec<&CompiledPack> = Vec::new();
        for versions in above {
            let is_first = in_force.is_empty();
            in_force.extend(version_of(versions, day, is_first));
        }
        in_force
    }
}

/// The version of one region that holds on a day. Before the first version of the widest region
/// its first one holds, and a gap keeps the version before it: no day is without rules.
fn version_of(versions: &[Arc<CompiledPack>], day: i64, widest: bool) -> Option<&CompiledPack> {
    let begun = || versions.iter().rev().filter(|pack| pack.from_day <= day);
    let holds = begun().find(|pack| pack.to_day.is_none_or(|to| day <= to));
    let fallback = || begun().next().or(versions.first()).filter(|_| widest);
    holds.or_else(fallback).map(Arc::as_ref)
}

impl PackSet {
    /// The packs in force at a unit at a moment, as they are noted beside what they judged:
    /// `43@3 430121@1`, province first.
    pub fn versions(&self, unit: &str, at: Millis) -> String {
        let packs = self.in_force(unit, time::day_number(at));
        let noted = packs
            .iter()
            .map(|pack| format!("{}@{}", pack.code, pack.version));
        noted.collect::<Vec<_>>().join(" ")
    }

    /// The clause of a rule in the newest pack that has it.
    pub fn clause(&self, rule: &str) -> Option<&str> {
        let mut rules = self.packs.iter().rev().flat_map(|pack| &pack.rules);
        let rule = rules.find(|known| known.text.id == rule)?;
        Some(rule.text.clause.as_str())
    }

    /// The title of a rule in the newest pack that has it: Chinese, English.
    pub fn title(&self, rule: &str) -> Option<(String, String)> {
        let mut rules = self.packs.iter().rev().flat_map(|pack| &pack.rules);
        let text = &rules.find(|known| known.text.id == rule)?.text;
        Some((text.title_zh.clone(), text.title_en.clone()))
    }
}

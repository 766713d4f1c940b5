//! The judge: a question to the packs in force, without facts and with them.
//!
//! Danger is looked for first and lowers a refusal to a hold. Texts are folded once and scanned
//! once per pack; a condition runs only if the record has something it reads.

use cel::Program;
use serde_json::{Map, Value};
use xiangyi_proto::kinds::{Kind, Type};
use xiangyi_proto::pack::{Class, DangerState, RuleClock, RuleVerdict};
use xiangyi_proto::time::{Millis, TimeQuality, day_number, day_text};

use std::sync::Arc;

use super::catalogue::class_of;
use super::compile::{CompiledPack, Entry, KindIndex, Rule, Test, is_something};
use super::facts::Fact;
use super::fault::PackFault;
use super::lexicon::{Heard, LexiconSet};
use super::packs::PackSet;
use super::view::{At, Names, View};
use super::{Danger, Hit, Judgement, Question, engine, stateful, wording};
use crate::shape::{self, Shape};

/// Texts of fewer characters are names and addresses, not narrative.
const NARRATIVE_CHARS_MIN: u32 = 60;

/// A text of the record that was prepared, and where it stands.
pub(super) struct Told {
    pub at: String,
    pub heard: Heard,
}

/// A pack with the clocks of which it answers.
struct InForce<'p> {
    pack: &'p CompiledPack,
    act: bool,
    receipt: bool,
}

impl PackSet {
    /// What the rules say without looking at other records.
    pub fn judge(&self, q: &Question) -> Judgement {
        self.judge_change(q, None)
    }

    /// What the rules say about a record that was `before`.
    pub fn judge_change(&self, q: &Question, before: Option<&Value>) -> Judgement {
        let mut judgement = self.unsettled(q, before);
        settle(&mut judgement);
        judgement
    }

    /// What the rules say as if nobody were in danger: for reports to people who may not know of
    /// incidents, where a refusal that became a hold would tell of one.
    pub(super) fn judge_apart_from_danger(&self, q: &Question) -> Judgement {
        let mut judgement = self.unsettled(q, None);
        judgement.danger.clear();
        settle(&mut judgement);
        judgement
    }

    fn unsettled(&self, q: &Question, before: Option<&Value>) -> Judgement {
        let shape = shape::of(q.kind);
        let texts = texts(q);
        let at = at_of(q);
        let (hits, danger, faults) = (Vec::new(), Vec::new(), Vec::new());
        let class = class_of(q.kind, q.record);
        let mut judgement = Judgement {
            hits,
            danger,
            class,
            faults,
            exempted: Vec::new(),
        };
        for chosen in self.chosen(q) {
            if let Some(index) = chosen.pack.of_kind(q.kind) {
                let judge = Judge {
                    q,
                    before,
                    at: &at,
                    chosen: &chosen,
                    index,
                    shape,
                    texts: &texts,
                };
                judge.run(&mut judgement);
            }
        }
        self.lift(q, &mut judgement.hits, &mut judgement.exempted);
        judgement
    }

    /// What the rules say in the light of facts; facts of the record itself must not be among
    /// them.
    pub fn judge_stateful(&self, q: &Question, facts: &[Fact]) -> Vec<Hit> {
        let mut hits = Vec::new();
        if facts.is_empty() {
            return hits;
        }
        for chosen in self.chosen(q) {
            let index = chosen.pack.of_kind(q.kind);
            for entry in index.into_iter().flat_map(|index| &index.entries) {
                let rule = &chosen.pack.rules[entry.rule];
                if let Test::Stateful(name, params) = &rule.test
                    && chosen.answers(rule.clock)
                    && let Some(at) = stateful::applies(*name, params, q, facts)
                {
                    let none = at.is_empty();
                    hits.push(hit(rule, if none { pointers(rule, q.record) } else { at }));
                }
            }
        }
        self.lift(q, &mut hits, &mut Vec::new());
        hits
    }

    /// Signals of danger in a bare text, such as that of a record with defects, by the packs in
    /// force where it came; by all where no pack is, each rule once.
    pub fn danger_in_text(&self, text: &str, unit: &str, received_at: Millis) -> Vec<Danger> {
        let heard = Heard::of(text);
        let mut danger: Vec<Danger> = Vec::new();
        let mut packs = self.in_force(unit, day_number(received_at));
        if packs.is_empty() {
            packs = self.all().collect();
        }
        for pack in packs {
            let mentioned = pack.lexicons.scan(&heard);
            for rule in &pack.rules {
                if let (Some(state), Test::Mentions(lexicon)) = (rule.danger, &rule.test)
                    && mentioned >> lexicon & 1 == 1
                {
                    danger.retain(|known| known.rule.id != rule.text.id);
                    let (rule, at) = (Arc::clone(&rule.text), String::new());
                    danger.push(Danger { rule, state, at });
                }
            }
        }
        danger
    }

    /// Whether any rule listens for danger in the narrative of this kind.
    pub fn hears(&self, kind: Kind) -> bool {
        let listens = |pack: &CompiledPack| {
            let entries = pack.of_kind(kind).into_iter();
            let mut rules = entries.flat_map(|index| &index.entries);
            rules.any(|entry| {
                let rule = &pack.rules[entry.rule];
                rule.danger.is_some() && matches!(rule.test, Test::Mentions(_))
            })
        };
        self.all().any(listens)
    }

    fn chosen(&self, q: &Question) -> Vec<InForce<'_>> {
        let (act, receipt) = (day_number(q.estimated_at), day_number(q.received_at));
        let in_force = |day, act, receipt| {
            let packs = self.in_force(q.unit, day).into_iter();
            packs.map(move |pack| InForce { pack, act, receipt })
        };
        if act == receipt {
            return in_force(act, true, true).collect();
        }
        let mut chosen: Vec<_> = in_force(act, true, false).collect();
        for late in in_force(receipt, false, true) {
            match chosen
                .iter_mut()
                .find(|early| std::ptr::eq(early.pack, late.pack))
            {
                Some(same) => same.receipt = true,
                None => chosen.push(late),
            }
        }
        chosen
    }
}

impl InForce<'_> {
    const fn answers(&self, clock: RuleClock) -> bool {
        match clock {
            RuleClock::Act => self.act,
            RuleClock::Receipt => self.receipt,
        }
    }
}

/// One question to one pack.
struct Judge<'a> {
    q: &'a Question<'a>,
    before: Option<&'a Value>,
    at: &'a At,
    chosen: &'a InForce<'a>,
    index: &'a KindIndex,
    shape: &'static Shape,
    texts: &'a [Told],
}

impl Judge<'_> {
    fn run(&self, judgement: &mut Judgement) {
        let pack = self.chosen.pack;
        let scan = |text: &Told| pack.lexicons.scan(&text.heard);
        let scans: Vec<LexiconSet> = self.texts.iter().map(scan).collect();
        let mentioned = scans.iter().fold(0, |all, set| all | set);
        let present = self.index.present(self.q.record);
        for entry in &self.index.entries {
            let rule = &pack.rules[entry.rule];
            if self.chosen.answers(rule.clock) && may_apply(entry, present, mentioned) {
                self.one(rule, &scans, judgement);
            }
        }
    }

    fn one(&self, rule: &Rule, scans: &[LexiconSet], judgement: &mut Judgement) {
        let at = match &rule.test {
            Test::When(program, sieve) => {
                if !sieve.lets_through(self.q.record) {
                    return;
                }
                match self.holds(rule, program, self.q.record) {
                    Ok(true) => self.places(rule, program),
                    Ok(false) => return,
                    Err(failed) => return self.failed(rule, failed, judgement),
                }
            }
            Test::Mentions(lexicon) => {
                let texts = self.texts.iter().zip(scans);
                let said = texts.filter(|(_, set)| **set >> lexicon & 1 == 1);
                said.map(|(text, _)| text.at.clone()).collect()
            }
            Test::Stateful(..) => return,
        };
        match rule.danger {
            None => judgement.hits.push(hit(rule, at)),
            Some(state) => {
                let (rule, at) = (Arc::clone(&rule.text), at.into_iter().next());
                let at = at.unwrap_or_default();
                judgement.danger.push(Danger { rule, state, at });
            }
        }
    }

    fn holds(&self, rule: &Rule, on: &Program, record: &Value) -> Result<bool, &'static str> {
        let names = Names {
            record: View::new(self.shape, record),
            before: View::new(self.shape, self.before.unwrap_or(&Value::Null)),
            kind: self.q.kind.name(),
            op: Some(self.q.op),
            unit: Some(self.q.unit),
            at: Some(self.at),
            params: &rule.params,
        };
        engine::holds(&self.chosen.pack.base, on, &names)
    }

    /// The rule's pointers in this record. One that ends in `/-` stands for those elements by
    /// which the condition holds: each is tried alone.
    fn places(&self, rule: &Rule, program: &Program) -> Vec<String> {
        let lists = rule.at.iter().filter_map(|at| at.strip_suffix("/-"));
        let mut found = Vec::new();
        for list in lists {
            let elements = self.q.record.pointer(list).and_then(Value::as_array);
            for (index, element) in elements.into_iter().flatten().enumerate() {
                let mut alone = self.q.record.clone();
                if let Some(place) = alone.pointer_mut(list) {
                    *place = Value::Array(vec![element.clone()]);
                }
                if self.holds(rule, program, &alone) == Ok(true) {
                    found.push(format!("{list}/{index}"));
                }
            }
        }
        if found.is_empty() {
            pointers(rule, self.q.record)
        } else {
            found
        }
    }

    fn failed(&self, rule: &Rule, failed: &str, judgement: &mut Judgement) {
        judgement
            .faults
            .push(PackFault::of_rule(&rule.text.id, "when", failed));
        let known = judgement
            .hits
            .iter()
            .any(|hit| hit.rule.id == wording::PACK_FAULT);
        if !known {
            let pack = self.chosen.pack;
            let rule = Arc::new(wording::pack_fault(&pack.code, pack.version));
            let (verdict, at) = (RuleVerdict::Hold, Vec::new());
            judgement.hits.push(Hit { rule, verdict, at });
        }
    }
}

const fn may_apply(entry: &Entry, present: u64, mentioned: LexiconSet) -> bool {
    !entry.skippable || entry.reads & present != 0 || entry.lexicons & mentioned != 0
}

/// Danger first: refusals become holds, tags take the professional class away.
fn settle(judgement: &mut Judgement) {
    severest_first(&mut judgement.danger);
    for hit in &mut judgement.hits {
        if hit.verdict == RuleVerdict::Reject && !judgement.danger.is_empty() {
            hit.verdict = RuleVerdict::Hold;
            hit.rule = Arc::new(wording::lowered(&hit.rule));
        }
        if hit.verdict == RuleVerdict::Tag {
            judgement.class = judgement.class.min(Class::Assistive);
        }
    }
}

/// Reported before suspected.
pub fn severest_first(danger: &mut [Danger]) {
    danger.sort_by_key(|danger| match danger.state {
        DangerState::Reported => 0,
        DangerState::Suspected => 1,
    });
}

fn hit(rule: &Rule, at: Vec<String>) -> Hit {
    let (text, verdict) = (Arc::clone(&rule.text), rule.verdict);
    Hit {
        rule: text,
        verdict,
        at,
    }
}

/// The rule's pointers that the record has, or all of them when it is their absence that counts.
fn pointers(rule: &Rule, record: &Value) -> Vec<String> {
    let there = |at: &&String| record.pointer(at).is_some_and(is_something);
    let found: Vec<String> = rule.at.iter().filter(there).cloned().collect();
    if found.is_empty() {
        rule.at.clone()
    } else {
        found
    }
}

fn at_of(q: &Question) -> At {
    At {
        estimated: q.estimated_at,
        received: q.received_at,
        ended: q.ended_at,
        quality: match q.quality {
            TimeQuality::Monotonic => "monotonic",
            TimeQuality::Offset => "offset",
            TimeQuality::Claimed => "claimed",
            TimeQuality::Impossible => "impossible",
        },
        day: day_text(q.estimated_at),
        received_day: day_text(q.received_at),
    }
}

/// The narrative texts of a record, prepared.
pub(super) fn texts(q: &Question) -> Vec<Told> {
    let mut texts = Vec::new();
    each_text(q.kind, q.record, &mut |at, text| {
        let (at, heard) = (at(), Heard::of(text));
        texts.push(Told { at, heard });
    });
    texts
}

/// The narrative texts of a record as they were written.
pub fn narrative(kind: Kind, record: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    each_text(kind, record, &mut |_, text| texts.push(text.to_owned()));
    texts
}

type Take<'a> = dyn FnMut(&dyn Fn() -> String, &str) + 'a;

fn each_text(kind: Kind, record: &Value, take: &mut Take<'_>) {
    if let Value::Object(members) = record {
        in_members(shape::of(kind), members, "", take);
    }
}

fn in_members(shape: &Shape, members: &Map<String, Value>, at: &str, take: &mut Take<'_>) {
    for (name, value) in members {
        if let Some(shape) = shape.member(name) {
            in_one(shape, value, &|| format!("{at}/{name}"), take);
        }
    }
}

fn in_one(shape: &Shape, value: &Value, at: &dyn Fn() -> String, take: &mut Take<'_>) {
    match (shape.ty, value) {
        (Type::Text(chars), Value::String(text)) if chars >= NARRATIVE_CHARS_MIN => take(at, text),
        (Type::Map, Value::Object(members)) => in_members(shape, members, &at(), take),
        (Type::List(_), Value::Array(list)) => {
            let Some(element) = shape.element.as_deref() else {
                return;
            };
            let at = at();
            for (index, value) in list.iter().enumerate() {
                in_one(element, value, &|| format!("{at}/{index}"), take);
            }
        }
        _ => {}
    }
}

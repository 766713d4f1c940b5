//! From a pack document to rules that can be judged with, or to the list of what is wrong with it.
//!
//! Everything that can be known before a record arrives is settled here: conditions parse and read
//! only what exists, each is run on a record of which nothing was said, and where the answer to
//! such a record is no whatever the time and place, records without the rule's fields skip it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use cel::common::types::CelMap;
use cel::{Context, Program};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::{KIND_STEPS_MAX, RULE_STEPS_MAX};
use xiangyi_proto::pack::{DangerState, PackDoc, RuleClock, RuleDoc, RuleVerdict, StatefulRule};
use xiangyi_proto::{region, time};

use super::RuleText;
use super::bounds;
use super::by_text;
use super::depth;
use super::engine;
use super::exempt::{self, Exemption};
use super::fault::PackFault;
use super::lexicon::{LexiconSet, Lexicons};
use super::reads::{Reader, Reads};
use super::sieve::Sieve;
use super::signals::{self, Signals};
use super::stateful;
use super::steps;
use super::wording;
use crate::shape;

/// Paths of one kind that can be told apart in a bit set; the last bit stands for the rest.
const PATHS_MAX: usize = 63;

/// A pack that is ready to judge.
pub struct CompiledPack {
    pub code: String,
    pub version: i64,
    /// Days in UTC+8, counted from 1970-01-01; both inclusive.
    pub from_day: i64,
    pub to_day: Option<i64>,
    pub lexicons: Arc<Lexicons>,
    pub(super) rules: Vec<Rule>,
    pub(super) by_kind: Vec<(Kind, KindIndex)>,
    pub(super) base: Context<'static, 'static>,
    pub(super) exemptions: Vec<Arc<Exemption>>,
}

impl fmt::Debug for CompiledPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pack {} version {} with {} rules",
            self.code,
            self.version,
            self.rules.len()
        )
    }
}

/// One rule.
pub(super) struct Rule {
    pub text: Arc<RuleText>,
    pub verdict: RuleVerdict,
    pub danger: Option<DangerState>,
    pub clock: RuleClock,
    pub at: Vec<String>,
    pub test: Test,
    pub params: CelMap<'static>,
}

/// When a rule applies.
pub(super) enum Test {
    When(Program, Sieve),
    Mentions(usize),
    Stateful(StatefulRule, stateful::Params),
}

/// The rules of one kind with what they read.
#[derive(Default)]
pub(super) struct KindIndex {
    pub paths: Vec<String>,
    pub entries: Vec<Entry>,
    /// What all conditions can take on the largest record, and the rule that takes the most.
    steps: u64,
    longest: (u64, String),
}

/// A rule for one kind.
pub(super) struct Entry {
    pub rule: usize,
    /// Bits of `KindIndex::paths`.
    pub reads: u64,
    pub lexicons: LexiconSet,
    /// Proven: without its fields and lexicons the answer is no.
    pub skippable: bool,
}

/// Compiles a pack; all its faults are listed, not only the first.
pub fn compile(doc: &PackDoc) -> Result<CompiledPack, Vec<PackFault>> {
    let mut faults = bounds::faults(doc);
    if !faults.is_empty() {
        return Err(faults);
    }
    if !region::is_code(&doc.pack) {
        faults.push(PackFault::of_pack("pack", "is not a region code"));
    }
    let from_day = day(&doc.effective.from, "effective/from", &mut faults);
    let to = doc.effective.to.as_deref();
    let to_day = to.map(|to| day(to, "effective/to", &mut faults));
    let signals = match signals(doc) {
        Ok(signals) => signals,
        Err(fault) => return Err(vec![fault]),
    };
    let lexicons = match Lexicons::new(&doc.lexicons, signals) {
        Ok(lexicons) => Arc::new(lexicons),
        Err(found) => {
            faults.extend(found);
            return Err(faults);
        }
    };
    let base = engine::base_context(&lexicons);
    let mut pack = CompiledPack {
        code: doc.pack.clone(),
        version: doc.version,
        from_day,
        to_day,
        lexicons,
        rules: Vec::new(),
        by_kind: Vec::new(),
        base,
        exemptions: exempt::compiled(doc, &mut faults),
    };
    faults.extend(wording::closing_faults(doc));
    let mut ids = BTreeSet::new();
    for rule in &doc.rules {
        if !ids.insert(rule.id.as_str()) {
            faults.push(PackFault::of_rule(
                &rule.id,
                "id",
                "is taken by another rule",
            ));
        }
        faults.extend(wording::faults(doc, rule));
        // What is too long or too deep is not even parsed: depth is paid for with the stack.
        let condition = rule.when.as_deref().unwrap_or_default();
        if let Some(deep) = depth::fault_of_text(condition) {
            faults.push(PackFault::of_rule(&rule.id, "when", deep));
        } else if condition.len() <= wording::WHEN_BYTES_MAX {
            pack.add(doc, rule, &mut faults);
        }
    }
    faults.extend(pack.by_kind.iter().filter_map(KindIndex::too_long));
    if faults.is_empty() {
        Ok(pack)
    } else {
        Err(faults)
    }
}

/// Puts the weights that ship in place of others that a stored pack names: a build carries one file
/// of them, and a county must not stand still because its list is older. Says whether it did.
pub fn with_weights_that_are_here(doc: &mut PackDoc) -> bool {
    let (Some(named), Ok(shipped)) = (&mut doc.signals, signals::shipped()) else {
        return false;
    };
    let other = *named != shipped.digest;
    named.clone_from(&shipped.digest);
    other
}

/// The weights that a pack names; others than those that ship come with a release.
fn signals(doc: &PackDoc) -> Result<Option<Arc<Signals>>, PackFault> {
    let Some(digest) = &doc.signals else {
        return Ok(None);
    };
    let fault = |message: String| PackFault::of_pack("signals", message);
    let shipped = signals::shipped().map_err(fault)?;
    if shipped.digest == *digest {
        Ok(Some(shipped))
    } else {
        let message = format!("these weights are not here; here are {}", shipped.digest);
        Err(fault(message))
    }
}

fn day(text: &str, place: &str, faults: &mut Vec<PackFault>) -> i64 {
    time::day_of_text(text).unwrap_or_else(|| {
        faults.push(PackFault::of_pack(place, "is not a day like 2026-01-31"));
        0
    })
}

impl CompiledPack {
    fn add(&mut self, doc: &PackDoc, rule: &RuleDoc, faults: &mut Vec<PackFault>) {
        let test = match self.test(rule) {
            Ok(test) => test,
            Err(fault) => return faults.push(fault),
        };
        let compiled = Rule {
            text: Arc::new(wording::text_of(doc, rule)),
            verdict: rule.verdict.unwrap_or(RuleVerdict::Tag),
            danger: rule.danger,
            clock: rule.clock,
            at: rule.at.clone(),
            test,
            params: engine::params(&rule.params),
        };
        for at in &rule.at {
            if rule
                .kinds
                .iter()
                .all(|kind| shape::of(*kind).at(at).is_none())
            {
                faults.push(PackFault::of_rule(
                    &rule.id,
                    "at",
                    format!("unknown field {at}"),
                ));
            }
        }
        for kind in &rule.kinds {
            self.index(*kind, rule, &compiled, faults);
        }
        self.rules.push(compiled);
    }

    fn test(&self, rule: &RuleDoc) -> Result<Test, PackFault> {
        if let Some(name) = &rule.mentions {
            let unknown = || format!("unknown lexicon {name}");
            let index = self.lexicons.index(name);
            let fault = || PackFault::of_rule(&rule.id, "mentions", unknown());
            return index.map(Test::Mentions).ok_or_else(fault);
        }
        if let Some(name) = rule.stateful {
            let params = stateful::Params::read(name, &rule.params);
            let fault = |message: String| PackFault::of_rule(&rule.id, "params", message);
            return params
                .map(|params| Test::Stateful(name, params))
                .map_err(fault);
        }
        let condition = rule.when.as_deref().unwrap_or_default();
        Program::compile(condition)
            .map_err(|errors| {
                let first = errors.errors.first();
                let message = first.map_or("does not parse", |error| error.msg.as_str());
                let column = first.and_then(|error| usize::try_from(error.pos.1).ok());
                PackFault::of_rule(&rule.id, "when", message).at_column(column)
            })
            .and_then(|program| {
                if depth::is_too_deep(program.expression()) {
                    let message = "has more than 24 operations within each other";
                    return Err(PackFault::of_rule(&rule.id, "when", message));
                }
                let sieve = Sieve::of(program.expression());
                Ok(Test::When(program, sieve))
            })
    }

    /// Checks a rule for one kind and notes what it reads.
    fn index(&mut self, kind: Kind, doc: &RuleDoc, rule: &Rule, faults: &mut Vec<PackFault>) {
        let mut steps = 0;
        let (reads, skippable) = match &rule.test {
            Test::When(program, _) => {
                let flags = doc
                    .params
                    .iter()
                    .map(|(name, value)| (name, value.is_boolean()));
                let flags: Vec<_> = flags.map(|(name, flag)| (name.as_str(), flag)).collect();
                let shape = shape::of(kind);
                let reads = Reader::read(program.expression(), shape, &self.lexicons, &flags);
                let mut found = self.condition_faults(kind, rule, program, &reads);
                if found.is_empty() {
                    found.extend(self.by_text_alone(kind, rule, program, &reads));
                    steps = steps::of(program.expression(), shape, &doc.params, &doc.at);
                    found.extend(takes_too_long(kind, &doc.id, steps));
                }
                let sound = found.is_empty();
                faults.extend(found);
                let whole = program.expression();
                let proof = || engine::answers_no_whenever(&self.base, whole, kind, &rule.params);
                let skippable = sound && !reads.before && proof();
                (reads, skippable)
            }
            Test::Mentions(lexicon) => {
                let lexicons = 1 << lexicon;
                (
                    Reads {
                        lexicons,
                        ..Reads::default()
                    },
                    true,
                )
            }
            Test::Stateful(name, _) => {
                if !stateful::kinds(*name).contains(&kind) {
                    let message = format!("makes no sense for {}", kind.name());
                    faults.push(PackFault::of_rule(&doc.id, "stateful", message));
                }
                (Reads::default(), true)
            }
        };
        let rule = self.rules.len();
        let index = self.kind_index(kind);
        index.steps = index.steps.saturating_add(steps);
        if steps > index.longest.0 {
            index.longest = (steps, doc.id.clone());
        }
        let bits = reads.paths.iter().map(|path| index.bit(path));
        let reads_bits = bits.fold(0, |set, bit| set | bit);
        let lexicons = reads.lexicons;
        index.entries.push(Entry {
            rule,
            reads: reads_bits,
            lexicons,
            skippable,
        });
    }

    fn condition_faults(
        &self,
        kind: Kind,
        rule: &Rule,
        program: &Program,
        reads: &Reads,
    ) -> Vec<PackFault> {
        let column = |expression| {
            let offset = program.source_info().offset_for(expression);
            offset.map(|(start, _)| start as usize + 1)
        };
        let fault = |message: &str| {
            let message = format!("{message} (for {})", kind.name());
            PackFault::of_rule(&rule.text.id, "when", message)
        };
        if !reads.faults.is_empty() {
            let misread = reads.faults.iter();
            return misread
                .map(|misread| fault(&misread.message).at_column(column(misread.expression)))
                .collect();
        }
        match engine::on_an_absent_record(&self.base, program, kind, &rule.params) {
            Ok(_) => Vec::new(),
            Err(failed) => vec![fault(&format!("fails on an empty record: {failed}"))],
        }
    }

    /// Free text alone warns; whatever does more stands beside a field.
    fn by_text_alone(
        &self,
        kind: Kind,
        rule: &Rule,
        program: &Program,
        reads: &Reads,
    ) -> Option<PackFault> {
        let only_tells = rule.danger.is_some() || rule.verdict < RuleVerdict::Amend;
        if only_tells || !reads.asks_words {
            return None;
        }
        let says_no = |part: &_| engine::answers_no_whenever(&self.base, part, kind, &rule.params);
        let (condition, shape) = (program.expression(), shape::of(kind));
        let stands = by_text::stands_beside_a_field(condition, &reads.texts, shape, &says_no);
        let message = format!(
            "text alone never rejects and never holds: compare a field too, or warn (for {})",
            kind.name()
        );
        let fault = || PackFault::of_rule(&rule.text.id, "when", message);
        (!stands).then(fault)
    }

    fn kind_index(&mut self, kind: Kind) -> &mut KindIndex {
        let at = self.by_kind.iter().position(|(own, _)| *own == kind);
        let at = at.unwrap_or_else(|| {
            self.by_kind.push((kind, KindIndex::default()));
            self.by_kind.len() - 1
        });
        &mut self.by_kind[at].1
    }

    /// What is said of a rule.
    pub fn words(&self, rule: &str) -> Option<&RuleText> {
        let found = self.rules.iter().find(|known| known.text.id == rule);
        found.map(|rule| rule.text.as_ref())
    }

    /// The rules of a kind.
    pub(super) fn of_kind(&self, kind: Kind) -> Option<&KindIndex> {
        let found = self.by_kind.iter().find(|(own, _)| *own == kind);
        found.map(|(_, index)| index)
    }
}

fn takes_too_long(kind: Kind, rule: &str, steps: u64) -> Option<PackFault> {
    let message = format!(
        "can take {steps} steps on the largest {}; at most {RULE_STEPS_MAX}",
        kind.name()
    );
    let fault = || PackFault::of_rule(rule, "when", message);
    (steps > RULE_STEPS_MAX).then(fault)
}

impl KindIndex {
    /// All conditions of a kind together, told of the rule that takes the most.
    fn too_long((kind, index): &(Kind, Self)) -> Option<PackFault> {
        let message = format!(
            "with the other rules of a {} takes {} steps on the largest; at most {KIND_STEPS_MAX}",
            kind.name(),
            index.steps
        );
        let fault = || PackFault::of_rule(&index.longest.1, "when", message);
        (index.steps > KIND_STEPS_MAX).then(fault)
    }

    fn bit(&mut self, path: &str) -> u64 {
        let known = self.paths.iter().position(|own| own == path);
        let at = known.unwrap_or_else(|| {
            if self.paths.len() < PATHS_MAX {
                self.paths.push(path.to_owned());
                self.paths.len() - 1
            } else {
                PATHS_MAX
            }
        });
        1 << at
    }

    /// The bits of the paths that a raw record has.
    pub fn present(&self, record: &serde_json::Value) -> u64 {
        // By hand: `pointer` allocates two texts a step, which was half the time of a judgement.
        let at = |path: &str| {
            let mut steps = path.split('/').skip(1);
            steps.try_fold(record, |value, step| value.get(step))
        };
        let paths = self.paths.iter().enumerate();
        let there = paths.filter(|(_, path)| at(path).is_some_and(is_something));
        there.fold(1 << PATHS_MAX, |set, (bit, _)| set | 1 << bit)
    }
}

/// Says whether a raw value differs from what completing puts in its place.
pub(super) fn is_something(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => false,
        serde_json::Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

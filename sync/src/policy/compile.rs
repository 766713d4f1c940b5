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
use xiangyi_proto::pack::{
    Basis, DangerState, PackDoc, RuleClock, RuleDoc, RuleVerdict, StatefulRule,
};
use xiangyi_proto::{region, time};

use super::RuleText;
use super::engine;
use super::fault::PackFault;
use super::lexicon::{LexiconSet, Lexicons};
use super::reads::{Reader, Reads};
use super::stateful;
use crate::shape;

/// Paths of one kind that can be told apart in a bit set; the last bit stands for the rest.
const PATHS_MAX: usize = 63;
/// What a worker can do instead.
const INSTEAD: &[&str] = &["split", "work_time", "appeal"];

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
    When(Program),
    Mentions(usize),
    Stateful(StatefulRule, stateful::Params),
}

/// The rules of one kind with what they read.
#[derive(Default)]
pub(super) struct KindIndex {
    pub paths: Vec<String>,
    pub entries: Vec<Entry>,
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

/// What `pack check` says about a sound pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackReport {
    pub pack: String,
    pub version: i64,
    pub rules: usize,
    pub lexicons: usize,
    pub phrases: usize,
    /// Rules that are looked at for every record of their kinds.
    pub never_skipped: Vec<String>,
}

/// Reads a pack written in YAML.
pub fn read(yaml: &str) -> Result<PackDoc, Vec<PackFault>> {
    serde_norway::from_str(yaml).map_err(|error| {
        let line = error.location().map(|place| place.line());
        let fault = PackFault::of_pack("document", error.to_string());
        vec![PackFault { line, ..fault }]
    })
}

/// Reads and compiles a pack written in YAML; faults carry the lines of their rules.
pub fn check(yaml: &str) -> Result<PackReport, Vec<PackFault>> {
    let doc = read(yaml)?;
    let compiled = compile(&doc).map_err(|mut faults| {
        for fault in &mut faults {
            fault.line = fault.rule.as_deref().and_then(|rule| line_of(yaml, rule));
        }
        faults
    })?;
    let never_skipped = |rule: &usize| {
        let mut entries = compiled
            .by_kind
            .iter()
            .flat_map(|(_, index)| &index.entries);
        entries.any(|entry| entry.rule == *rule && !entry.skippable)
    };
    let always = (0..compiled.rules.len()).filter(never_skipped);
    Ok(PackReport {
        rules: doc.rules.len(),
        lexicons: doc.lexicons.len(),
        phrases: doc
            .lexicons
            .values()
            .map(|lexicon| lexicon.acts.len())
            .sum(),
        never_skipped: always
            .map(|rule| compiled.rules[rule].text.id.clone())
            .collect(),
        pack: doc.pack,
        version: doc.version,
    })
}

fn line_of(yaml: &str, rule: &str) -> Option<usize> {
    let names = |line: &str| {
        let id = line
            .trim_start()
            .trim_start_matches("- ")
            .strip_prefix("id:");
        id.is_some_and(|id| id.trim().trim_matches(['"', '\'']) == rule)
    };
    yaml.lines().position(names).map(|index| index + 1)
}

/// Compiles a pack; all its faults are listed, not only the first.
pub fn compile(doc: &PackDoc) -> Result<CompiledPack, Vec<PackFault>> {
    let mut faults = Vec::new();
    if !region::is_code(&doc.pack) {
        faults.push(PackFault::of_pack("pack", "is not a region code"));
    }
    let from_day = day(&doc.effective.from, "effective/from", &mut faults);
    let to = doc.effective.to.as_deref();
    let to_day = to.map(|to| day(to, "effective/to", &mut faults));
    let lexicons = match Lexicons::new(&doc.lexicons) {
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
    };
    let mut ids = BTreeSet::new();
    for rule in &doc.rules {
        if !ids.insert(rule.id.as_str()) {
            faults.push(PackFault::of_rule(
                &rule.id,
                "id",
                "is taken by another rule",
            ));
        }
        faults.extend(plain_faults(rule));
        pack.add(doc, rule, &mut faults);
    }
    if faults.is_empty() {
        Ok(pack)
    } else {
        Err(faults)
    }
}

fn day(text: &str, place: &str, faults: &mut Vec<PackFault>) -> i64 {
    time::day_of_text(text).unwrap_or_else(|| {
        faults.push(PackFault::of_pack(place, "is not a day like 2026-01-31"));
        0
    })
}

/// Faults that need no engine: missing words, bases, kinds, and what may not go together.
fn plain_faults(rule: &RuleDoc) -> Vec<PackFault> {
    let mut faults = Vec::new();
    let mut need = |met: bool, place: &str, message: &str| {
        if !met {
            faults.push(PackFault::of_rule(&rule.id, place, message));
        }
    };
    let words = |text: &str| !text.trim().is_empty();
    need(words(&rule.id), "id", "is missing");
    need(
        words(&rule.title.zh) && words(&rule.title.en),
        "title",
        "needs words in zh and en",
    );
    need(
        words(&rule.message.zh) && words(&rule.message.en),
        "message",
        "needs words in zh and en",
    );
    need(words(&rule.clause), "clause", "is missing");
    let basis = [&rule.basis.plan, &rule.basis.law, &rule.basis.practice];
    let based = basis.into_iter().flatten().any(|text| words(text));
    need(based, "basis", "needs a plan, a law or a practice");
    need(!rule.kinds.is_empty(), "kinds", "names no kind");
    let tests = [
        rule.when.is_some(),
        rule.mentions.is_some(),
        rule.stateful.is_some(),
    ];
    let one = tests.into_iter().filter(|test| *test).count() == 1;
    need(one, "when", "needs exactly one of when, mentions, stateful");
    let one = rule.verdict.is_some() != rule.danger.is_some();
    need(one, "verdict", "needs exactly one of verdict and danger");
    let severe = rule.verdict >= Some(RuleVerdict::Hold);
    need(
        !(severe && rule.mentions.is_some()),
        "verdict",
        "text alone never rejects and never holds",
    );
    let rejects = rule.verdict == Some(RuleVerdict::Reject);
    need(
        !(rejects && rule.stateful.is_some()),
        "verdict",
        "facts alone never reject",
    );
    need(
        rule.danger.is_none() || rule.stateful.is_none(),
        "danger",
        "is not read from facts",
    );
    let known = rule
        .instead
        .iter()
        .all(|way| INSTEAD.contains(&way.as_str()));
    need(known, "instead", "knows split, work_time and appeal");
    let pointers = rule.at.iter().all(|at| at.starts_with('/'));
    need(pointers, "at", "holds JSON pointers");
    faults
}

impl CompiledPack {
    fn add(&mut self, doc: &PackDoc, rule: &RuleDoc, faults: &mut Vec<PackFault>) {
        let test = match self.test(rule) {
            Ok(test) => test,
            Err(fault) => return faults.push(fault),
        };
        let compiled = Rule {
            text: Arc::new(text_of(doc, rule)),
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
            .map(Test::When)
            .map_err(|errors| {
                let first = errors.errors.first();
                let message = first.map_or("does not parse", |error| error.msg.as_str());
                let column = first.and_then(|error| usize::try_from(error.pos.1).ok());
                PackFault::of_rule(&rule.id, "when", message).at_column(column)
            })
    }

    /// Checks a rule for one kind and notes what it reads.
    fn index(&mut self, kind: Kind, doc: &RuleDoc, rule: &Rule, faults: &mut Vec<PackFault>) {
        let (reads, skippable) = match &rule.test {
            Test::When(program) => {
                let flags = doc
                    .params
                    .iter()
                    .map(|(name, value)| (name, value.is_boolean()));
                let flags: Vec<_> = flags.map(|(name, flag)| (name.as_str(), flag)).collect();
                let shape = shape::of(kind);
                let reads = Reader::read(program.expression(), shape, &self.lexicons, &flags);
                let found = self.condition_faults(kind, rule, program, &reads);
                let sound = found.is_empty();
                faults.extend(found);
                let proof = || engine::answers_no_whenever(&self.base, program, kind, &rule.params);
                (reads, sound && proof())
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

    fn kind_index(&mut self, kind: Kind) -> &mut KindIndex {
        let at = self.by_kind.iter().position(|(own, _)| *own == kind);
        let at = at.unwrap_or_else(|| {
            self.by_kind.push((kind, KindIndex::default()));
            self.by_kind.len() - 1
        });
        &mut self.by_kind[at].1
    }

    /// The rules of a kind.
    pub(super) fn of_kind(&self, kind: Kind) -> Option<&KindIndex> {
        let found = self.by_kind.iter().find(|(own, _)| *own == kind);
        found.map(|(_, index)| index)
    }
}

impl KindIndex {
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
        let paths = self.paths.iter().enumerate();
        let there = paths.filter(|(_, path)| record.pointer(path).is_some_and(is_something));
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

fn text_of(doc: &PackDoc, rule: &RuleDoc) -> RuleText {
    RuleText {
        id: rule.id.clone(),
        pack: doc.pack.clone(),
        version: doc.version,
        clause: rule.clause.clone(),
        basis: basis_of(&rule.basis),
        title_zh: rule.title.zh.clone(),
        title_en: rule.title.en.clone(),
        message_zh: rule.message.zh.clone(),
        message_en: rule.message.en.clone(),
        instead: rule.instead.clone(),
    }
}

fn basis_of(basis: &Basis) -> String {
    let plan = basis.plan.iter().map(|plan| format!("行动方案 {plan}"));
    let others = basis.law.iter().chain(&basis.practice).cloned();
    let derived = basis.derived.then(|| "derived".to_owned());
    plan.chain(others)
        .chain(derived)
        .collect::<Vec<_>>()
        .join("; ")
}

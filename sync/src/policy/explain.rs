//! Why a record got its answer: every rule that spoke with what made it speak, and every signal
//! whose matter it was and that was decided to be somebody else's doing.
//!
//! For a learned signal the words of the text that counted most, for and against; for a condition
//! the condition. Rules over facts of other records are named and not run. For reviewers and for
//! authors of packs: it repeats parts of the text.

use std::collections::BTreeSet;

use serde::Serialize;
use xiangyi_proto::pack::{Class, DangerState, PackDoc};

use super::judge::{Told, texts};
use super::signals::{Signals, Spoke};
use super::{CompiledPack, PackFault, PackSet, Question, RuleText, compile};

/// Words that are shown of a signal, on each side.
const WORDS_MAX: usize = 6;

/// A record's answer with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// The severest verdict, or `none`.
    pub verdict: &'static str,
    pub class: &'static str,
    /// Rules that spoke.
    pub rules: Vec<Reason>,
    /// Signals that were the record's matter and were decided to be somebody else's doing.
    pub quiet: Vec<Heard>,
    /// Exemptions that lifted a rule.
    pub lifted: Vec<String>,
    /// Rules of this kind that look at other records.
    pub not_looked_at: Vec<String>,
}

/// A rule that spoke.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    pub rule: String,
    /// A verdict, or `danger:` with the state it opens.
    pub verdict: String,
    pub clause: String,
    pub basis: String,
    pub title_zh: String,
    pub title_en: String,
    pub message_zh: String,
    pub message_en: String,
    pub at: Vec<String>,
    /// The condition that holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The texts that the signal was heard in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Heard>,
}

/// A learned signal in a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heard {
    pub lexicon: String,
    pub at: String,
    /// By how much gate and decider pass their limits; both must be above 0.
    pub gate: i64,
    pub decide: i64,
    /// What counted most, loudest first; a negative weight speaks against.
    pub words: Vec<Word>,
}

/// A part of the text with its weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word {
    pub text: String,
    pub weight: i32,
}

/// Explains what one pack says of a record.
pub fn explain(doc: &PackDoc, q: &Question) -> Result<Explained, Vec<PackFault>> {
    let packs = PackSet::new(vec![compile(doc)?]);
    let pack = packs.all().next().expect("it was put in");
    let judgement = packs.judge(q);
    let texts = texts(q);
    let mut rules = Vec::new();
    for danger in &judgement.danger {
        let state = match danger.state {
            DangerState::Reported => "danger: reported",
            DangerState::Suspected => "danger: suspected",
        };
        let at = vec![danger.at.clone()];
        rules.push(reason(doc, pack, &danger.rule, state, at, &texts));
    }
    for hit in &judgement.hits {
        let (verdict, at) = (hit.verdict.name(), hit.at.clone());
        rules.push(reason(doc, pack, &hit.rule, verdict, at, &texts));
    }
    let of_kind = doc.rules.iter().filter(|rule| rule.kinds.contains(&q.kind));
    let stateful = of_kind.filter(|rule| rule.stateful.is_some());
    let lifted = judgement.exempted.iter();
    Ok(Explained {
        verdict: judgement
            .severest()
            .map_or("none", |verdict| verdict.name()),
        class: Class::name(judgement.class),
        quiet: quiet(doc, pack, q, &texts),
        lifted: lifted.map(|lifted| lifted.rule.id.clone()).collect(),
        not_looked_at: stateful.map(|rule| rule.id.clone()).collect(),
        rules,
    })
}

fn reason(
    doc: &PackDoc,
    pack: &CompiledPack,
    text: &RuleText,
    verdict: &str,
    at: Vec<String>,
    texts: &[Told],
) -> Reason {
    let rule = doc.rules.iter().find(|rule| rule.id == text.id);
    let lexicon = rule.and_then(|rule| rule.mentions.as_deref());
    let heard = lexicon.into_iter().flat_map(|name| {
        let there = texts.iter().filter(|told| at.contains(&told.at));
        there.filter_map(move |told| heard(pack, name, told))
    });
    Reason {
        rule: text.id.clone(),
        verdict: verdict.to_owned(),
        clause: text.clause.clone(),
        basis: text.basis.clone(),
        title_zh: text.title_zh.clone(),
        title_en: text.title_en.clone(),
        message_zh: text.message_zh.clone(),
        message_en: text.message_en.clone(),
        condition: rule.and_then(|rule| rule.when.clone()),
        heard: heard.collect(),
        at,
    }
}

/// Signals of the record's kind whose gate was passed and whose decider was not.
fn quiet(doc: &PackDoc, pack: &CompiledPack, q: &Question, texts: &[Told]) -> Vec<Heard> {
    let of_kind = doc.rules.iter().filter(|rule| rule.kinds.contains(&q.kind));
    let names: BTreeSet<&str> = of_kind
        .filter_map(|rule| rule.mentions.as_deref())
        .collect();
    let pairs = names
        .into_iter()
        .flat_map(|name| texts.iter().map(move |told| (name, told)));
    let all = pairs.filter_map(|(name, told)| heard(pack, name, told));
    all.filter(|heard| heard.gate > 0 && heard.decide <= 0)
        .collect()
}

fn heard(pack: &CompiledPack, name: &str, told: &Told) -> Option<Heard> {
    let (signals, group) = pack.lexicons.weights(pack.lexicons.index(name)?)?;
    let plain = &told.heard.plain;
    if !Signals::asks(plain) {
        return None;
    }
    let (gate, decide) = signals.margins(&signals.sums(plain), group);
    Some(Heard {
        lexicon: name.to_owned(),
        at: told.at.clone(),
        gate,
        decide,
        words: words(signals, plain, group),
    })
}

/// The loudest features as parts of the text; a part within a louder one on its side is left out.
fn words(signals: &Signals, plain: &str, group: usize) -> Vec<Word> {
    let spoke = signals.spoke(plain, group);
    let weight = |spoke: &Spoke| spoke.gate + spoke.decide;
    let mut kept: Vec<&Spoke> = Vec::new();
    for one in &spoke {
        let side = weight(one).signum();
        let mine = || kept.iter().filter(|other| weight(other).signum() == side);
        let within = |other: &&&Spoke| other.at.start <= one.at.start && one.at.end <= other.at.end;
        if side != 0 && mine().count() < WORDS_MAX && mine().find(within).is_none() {
            kept.push(one);
        }
    }
    let word = |spoke: &Spoke| Word {
        text: plain[spoke.at.clone()].to_owned(),
        weight: weight(spoke),
    };
    kept.into_iter().map(word).collect()
}

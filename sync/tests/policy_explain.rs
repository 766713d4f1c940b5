//! The words a worker gets: every rule of the starter pack, as its first case hears it, is written
//! out in `proto/vectors/explain.json` and read aloud before it is changed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xiangyi_proto::kinds::{Kind, Life, Op};
use xiangyi_proto::pack::{PackDoc, RuleDoc, STARTER};
use xiangyi_proto::time::TimeQuality;
use xiangyi_sync::policy::{self, PackSet, Question, RuleText};

const CASES: &str = include_str!("../../proto/vectors/packs.json");
const EXPLAIN: &str = include_str!("../../proto/vectors/explain.json");
/// 2026-10-20 09:00 in UTC+8.
const MORNING: i64 = 1_792_458_000_000;

#[derive(Deserialize)]
struct Case {
    rule: String,
    kind: Kind,
    hit: bool,
    body: Value,
    time: Option<Time>,
    was: Option<Value>,
}

#[derive(Clone, Copy, Deserialize)]
struct Time {
    quality: TimeQuality,
    estimated_at: i64,
    received_at: i64,
    ended_at: i64,
}

/// What is said of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explained {
    rule: String,
    verdict: String,
    title_zh: String,
    title_en: String,
    clause: String,
    basis: String,
    zh: String,
    en: String,
    instead: Vec<String>,
}

fn starter() -> PackDoc {
    policy::read(STARTER).expect("the starter pack reads")
}

fn snapshot() -> Vec<Explained> {
    serde_json::from_str(EXPLAIN).expect("the snapshot reads")
}

/// What a rule says in its first case.
fn said(packs: &PackSet, case: &Case) -> Vec<RuleText> {
    let at = |name: &str| case.body.get(name).and_then(Value::as_i64);
    let begun = at("started_at").unwrap_or(MORNING);
    let ended_at = at("ended_at").unwrap_or(begun);
    let time = case.time.unwrap_or(Time {
        quality: TimeQuality::Offset,
        estimated_at: begun,
        received_at: ended_at + 3_600_000,
        ended_at,
    });
    let op = match case.kind.spec().life {
        Life::Slot => Op::Request,
        _ => Op::Create,
    };
    let question = Question {
        kind: case.kind,
        record: &case.body,
        unit: "430121102",
        author: "p-7k2m9qx4",
        op,
        estimated_at: time.estimated_at,
        received_at: time.received_at,
        quality: time.quality,
        ended_at: time.ended_at,
    };
    let judged = packs.judge_change(&question, case.was.as_ref());
    let hits = judged.hits.into_iter().map(|hit| hit.rule);
    let danger = judged.danger.into_iter().map(|danger| danger.rule);
    hits.chain(danger).map(|rule| (*rule).clone()).collect()
}

fn explained(doc: &RuleDoc, text: &RuleText) -> Explained {
    let other = if doc.alert.is_some() {
        "alert"
    } else {
        "danger"
    };
    let verdict = doc.verdict.map_or(other, |verdict| verdict.name());
    Explained {
        rule: text.id.clone(),
        verdict: verdict.to_owned(),
        title_zh: text.title_zh.clone(),
        title_en: text.title_en.clone(),
        clause: text.clause.clone(),
        basis: text.basis.clone(),
        zh: text.message_zh.clone(),
        en: text.message_en.clone(),
        instead: text.instead.clone(),
    }
}

/// Every rule as it is said today. Rules over facts need other records to be heard at all, so
/// their words are taken from the pack.
fn today() -> Vec<Explained> {
    let doc = starter();
    let pack = policy::compile(&doc).expect("the pack compiles");
    let packs = PackSet::new(vec![policy::compile(&doc).expect("the pack compiles")]);
    let cases: Vec<Case> = serde_json::from_str(CASES).expect("the cases read");
    let of_rule = |rule: &RuleDoc| {
        let mut hits = cases.iter().filter(|case| case.hit && case.rule == rule.id);
        let mut words = || {
            let case = hits.next()?;
            let said = said(&packs, case);
            said.into_iter().find(|text| text.id == rule.id)
        };
        let text = match rule.stateful {
            Some(_) => pack.words(&rule.id).cloned(),
            None => words(),
        };
        let text = text.unwrap_or_else(|| panic!("{} is heard in none of its cases", rule.id));
        explained(rule, &text)
    };
    doc.rules.iter().map(of_rule).collect()
}

#[test]
fn every_rule_is_explained_as_the_snapshot_says() {
    let (today, before) = (today(), snapshot());
    let named: BTreeSet<&str> = before.iter().map(|said| said.rule.as_str()).collect();
    assert_eq!(named.len(), before.len(), "a rule is explained twice");
    for said in &today {
        let old = before.iter().find(|old| old.rule == said.rule);
        let old = old.unwrap_or_else(|| {
            panic!(
                "{} lacks its words in explain.json; read them aloud, then write them with\n\
                 cargo test -p xiangyi-sync --test policy_explain -- --ignored\n{said:#?}",
                said.rule
            )
        });
        assert_eq!(said, old, "{} is said in other words", said.rule);
    }
    assert_eq!(
        before.len(),
        today.len(),
        "words of rules that do not exist"
    );
}

#[test]
#[ignore = "writes the snapshot; read what it changes aloud"]
fn write_the_snapshot() {
    let lines = today();
    let lines = lines
        .iter()
        .map(|said| serde_json::to_string(said).expect("words are JSON"));
    let text = format!("[\n{}\n]\n", lines.collect::<Vec<_>>().join(",\n"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/vectors/explain.json");
    std::fs::write(path, text).expect("the snapshot can be written");
}

/// What was not accepted, which clause and why, what to do instead, whom to ask, how to appeal.
#[test]
fn an_explanation_has_its_five_parts_in_both_languages() {
    for said in snapshot() {
        let has = |text: &str, any: &[&str]| any.iter().any(|words| text.contains(words));
        let part = |language: &str, what: &str, there: bool| {
            assert!(there, "{} lacks {what} in {language}: {said:#?}", said.rule);
        };
        let zh = said
            .zh
            .replace("（本规则由行动方案和法律推定，非清单原文。）", "推定");
        let (zh, en) = (zh.as_str(), said.en.as_str());
        // No record is judged by an alert, and so nothing became of one.
        let judged = said.verdict != "alert";
        part("zh", "what became of it", !judged || has(zh, WHAT_ZH));
        part("en", "what became of it", !judged || has(en, WHAT_EN));
        part(
            "zh",
            "the clause",
            has(zh, &["行动方案", "条例第", "法第", "国办函"]),
        );
        part(
            "en",
            "the clause",
            has(en, &["lause 3", "rticle", "notice 12"]),
        );
        part("zh", "whom to ask", zh.contains("总站"));
        part("en", "whom to ask", en.contains("hub"));
        let appeals = said.verdict != "danger";
        let zh_way = has(zh, &["申诉", "更正"]);
        part("zh", "how to appeal", !appeals || zh_way);
        part(
            "en",
            "how to appeal",
            !appeals || has(en, &["ppeal", "correct it"]),
        );
        part("zh", "that it is derived", zh.contains("推定"));
        part("en", "that it is derived", en.contains("Derived"));
    }
}

const WHAT_ZH: &[&str] = &["没有", "已收下", "已保存", "已发布", "已先送到", "计入"];
const WHAT_EN: &[&str] = &[
    "ot accepted",
    "is in",
    "is saved",
    "Saved",
    "published",
    "has gone to",
    "not",
    "counts",
];

/// Words that point at the worker. The office that ordered is named, the worker is not blamed.
#[test]
fn no_explanation_blames() {
    const ZH: &[&str] = &[
        "违规",
        "违反",
        "违纪",
        "造假",
        "作假",
        "弄虚",
        "处分",
        "追究",
        "警告",
        "严禁",
        "责令",
        "您不该",
        "您错",
        "你",
    ];
    const EN: &[&str] = &[
        "violat",
        "illegal",
        "cheat",
        "fake",
        "fraudulent",
        "punish",
        "must not",
        "your fault",
        "you failed",
        "forbidden",
        "offence",
    ];
    for said in snapshot() {
        for word in ZH {
            assert!(
                !said.zh.contains(word),
                "{} says {word}: {}",
                said.rule,
                said.zh
            );
        }
        let en = said.en.to_lowercase();
        for word in EN {
            assert!(!en.contains(word), "{} says {word}: {}", said.rule, said.en);
        }
    }
}

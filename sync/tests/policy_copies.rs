//! Written accounts are neither filler nor copies of each other: false alarms, counted over the
//! narratives of several writers.

use serde_json::{Value, json};
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::pack::STARTER;
use xiangyi_proto::time::TimeQuality;
use xiangyi_sync::policy::{self, Fact, PackSet, Question};

/// 2026-10-20 09:00 in UTC+8.
const MORNING: i64 = 1_792_458_000_000;
const HOUR: i64 = 3_600_000;

fn packs() -> PackSet {
    let doc = policy::read(STARTER).expect("the starter pack reads");
    PackSet::new(vec![policy::compile(&doc).expect("it compiles")])
}

fn texts(name: &str) -> Vec<String> {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the narratives are in the repository");
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let lines = lines.map(|line| line.expect("one object a line"));
    lines
        .filter_map(|line| Some(line.get("text")?.as_str()?.to_owned()))
        .collect()
}

/// The visit of a number to a client of its own, an hour after the one before.
fn visit(number: usize, text: &str) -> Value {
    let begun = MORNING + number as i64 % 700 * HOUR;
    json!({"client": uuid::Uuid::from_u128(0xc00 + number as u128), "services": ["ec_visit"],
        "outcome": {"kind": "served"}, "started_at": begun, "ended_at": begun + HOUR / 2,
        "process": text})
}

fn question(record: &Value) -> Question<'_> {
    let at = |name: &str| record[name].as_i64().expect("a time");
    Question {
        kind: Kind::Visit,
        record,
        unit: "430121102",
        author: "p-7k2m9qx4",
        op: Op::Create,
        estimated_at: at("started_at"),
        received_at: at("ended_at") + HOUR,
        quality: TimeQuality::Offset,
        ended_at: at("ended_at"),
    }
}

#[test]
fn no_written_account_is_filler() {
    let packs = packs();
    for name in [
        "tests/data/visit-narratives.jsonl",
        "proto/vectors/narratives/a.jsonl",
        "proto/vectors/narratives/d-plain.jsonl",
        "proto/vectors/narratives/h-plain.jsonl",
    ] {
        for (number, text) in texts(name).iter().enumerate() {
            let record = visit(number, text);
            let hits = packs.judge(&question(&record)).hits;
            let filler = hits.iter().any(|hit| hit.rule.id == "NL-C02.filler");
            assert!(!filler, "{name}: {text}");
        }
    }
}

/// One worker who wrote all of them within a month.
#[test]
fn accounts_of_ordinary_visits_are_no_copies() {
    let packs = packs();
    for name in [
        "proto/vectors/narratives/d-plain.jsonl",
        "proto/vectors/narratives/e-plain.jsonl",
        "proto/vectors/narratives/h-plain.jsonl",
    ] {
        let visits: Vec<Value> = texts(name)
            .iter()
            .enumerate()
            .map(|(number, text)| visit(number, text))
            .collect();
        let mut facts: Vec<Fact> = Vec::new();
        let mut copies = Vec::new();
        for (number, record) in visits.iter().enumerate() {
            let q = question(record);
            let wanted = policy::facts_wanted(&q);
            let here = facts
                .iter()
                .filter(|fact| wanted.iter().any(|key| fact.is_under(key)));
            let here: Vec<Fact> = here.cloned().collect();
            let hits = packs.judge_stateful(&q, &here);
            if hits.iter().any(|hit| hit.rule.id == "NL-C02") {
                copies.push(record["process"].clone());
            }
            facts.extend(policy::facts_made(
                &q,
                uuid::Uuid::from_u128(number as u128),
            ));
        }
        assert!(copies.len() * 100 <= visits.len(), "{name}: {copies:#?}");
    }
}

/// The same account told of another client is found, whatever short thing was changed in it.
#[test]
fn copies_with_small_changes_are_found() {
    let packs = packs();
    let (mut copies, mut found) = (0, 0);
    for text in texts("proto/vectors/narratives/d-plain.jsonl") {
        if text.chars().filter(|c| c.is_alphabetic()).count() < 35 {
            continue;
        }
        let first = visit(1, &text);
        let facts = policy::facts_made(&question(&first), uuid::Uuid::from_u128(1));
        let changed = format!("今天{}，血压{}", text, 120 + copies);
        let second = visit(2, &changed);
        let q = question(&second);
        let wanted = policy::facts_wanted(&q);
        let here = facts
            .iter()
            .filter(|fact| wanted.iter().any(|key| fact.is_under(key)));
        let here: Vec<Fact> = here.cloned().collect();
        let hits = packs.judge_stateful(&q, &here);
        copies += 1;
        found += usize::from(hits.iter().any(|hit| hit.rule.id == "NL-C02"));
    }
    assert!(copies > 20, "{copies} are long enough");
    assert!(found * 100 >= copies * 95, "{found} of {copies} are found");
}

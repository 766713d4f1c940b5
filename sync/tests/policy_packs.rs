//! Which pack answers: by unit, by day, by clock; and what happens when a condition fails.

use serde_json::{Value, json};
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::pack::{PackDoc, RuleVerdict, STARTER};
use xiangyi_proto::time::{DAY_MS, TimeQuality, day_of_text, day_start};
use xiangyi_sync::policy::{
    Class, CompiledPack, FactKind, PackSet, Question, compile, facts_made, facts_wanted, read,
};

fn pack(code: &str, version: i64, from: &str, to: &str, more: &str) -> CompiledPack {
    let yaml = format!(
        "pack: \"{code}\"\nversion: {version}\neffective: {{from: {from}, to: {to}}}\nrules:\n\
         - id: R\n  title: {{zh: 题, en: t}}\n  clause: 条\n  basis: {{plan: 三}}\n  \
         message: {{zh: 话, en: words}}\n  kinds: [need]\n  verdict: warn\n{more}"
    );
    let doc = read(&yaml).unwrap_or_else(|faults| panic!("{faults:?}\n{yaml}"));
    compile(&doc).unwrap_or_else(|faults| panic!("{faults:?}\n{yaml}"))
}

fn always(code: &str, version: i64, from: &str, to: &str) -> CompiledPack {
    pack(code, version, from, to, "  when: 'true'\n")
}

fn at(day: &str) -> i64 {
    day_start(day_of_text(day).expect("a day")) + DAY_MS / 2
}

fn question<'a>(record: &'a Value, unit: &'a str, act: &str, receipt: &str) -> Question<'a> {
    Question {
        kind: Kind::Need,
        record,
        unit,
        author: "p-7k2m9qx4",
        op: Op::Create,
        estimated_at: at(act),
        received_at: at(receipt),
        quality: TimeQuality::Offset,
        ended_at: at(act),
    }
}

fn said(packs: &PackSet, unit: &str, act: &str, receipt: &str) -> Vec<(String, i64)> {
    let record = json!({});
    let judged = packs.judge(&question(&record, unit, act, receipt));
    let hits = judged.hits.iter();
    hits.map(|hit| (hit.rule.pack.clone(), hit.rule.version))
        .collect()
}

fn one(code: &str, version: i64) -> Vec<(String, i64)> {
    vec![(code.to_owned(), version)]
}

#[test]
fn the_version_of_the_act_day_answers() {
    let packs = PackSet::new(vec![
        always("43", 3, "2026-09-01", "null"),
        always("43", 1, "2026-01-01", "2026-03-31"),
        always("43", 2, "2026-04-01", "2026-06-30"),
    ]);
    let late = "2026-11-20";
    assert_eq!(said(&packs, "430121102", "2026-03-31", late), one("43", 1));
    assert_eq!(said(&packs, "430121102", "2026-04-01", late), one("43", 2));
    assert_eq!(said(&packs, "430121102", "2026-11-20", late), one("43", 3));
    // Before the first version the first one answers; a gap keeps the one before it.
    assert_eq!(said(&packs, "430121102", "2021-05-01", late), one("43", 1));
    assert_eq!(said(&packs, "430121102", "2026-08-01", late), one("43", 2));
}

#[test]
fn a_countys_pack_tightens_in_its_own_county_from_its_first_day() {
    let packs = PackSet::new(vec![
        always("430121", 1, "2026-05-01", "null"),
        always("43", 1, "2026-01-01", "null"),
        always("430181", 1, "2026-01-01", "null"),
    ]);
    let both = vec![("43".to_owned(), 1), ("430121".to_owned(), 1)];
    assert_eq!(said(&packs, "430121102", "2026-06-01", "2026-06-01"), both);
    assert_eq!(said(&packs, "430121", "2026-06-01", "2026-06-01"), both);
    assert_eq!(
        said(&packs, "430121102", "2026-04-30", "2026-06-01"),
        one("43", 1)
    );
    assert_eq!(
        said(&packs, "430122102", "2026-06-01", "2026-06-01"),
        one("43", 1)
    );
    assert_eq!(said(&packs, "44", "2026-06-01", "2026-06-01"), []);
}

#[test]
fn a_rule_of_the_receipt_clock_is_taken_from_the_pack_of_the_receipt() {
    let receipt = "  when: 'true'\n  clock: receipt\n";
    let packs = PackSet::new(vec![
        pack("43", 1, "2026-01-01", "2026-03-31", receipt),
        pack("43", 2, "2026-04-01", "null", receipt),
    ]);
    assert_eq!(
        said(&packs, "4301", "2026-03-01", "2026-05-01"),
        one("43", 2)
    );
    assert_eq!(
        said(&packs, "4301", "2026-03-01", "2026-03-02"),
        one("43", 1)
    );
}

#[test]
fn a_condition_that_fails_holds_the_record_and_raises_an_alarm() {
    let fails = "  when: 'record.quantity != null && 10 / (record.quantity - 1) > 100'\n";
    let packs = PackSet::new(vec![pack("43", 1, "2026-01-01", "null", fails)]);
    let record = json!({"quantity": 1});
    let judged = packs.judge(&question(&record, "4301", "2026-03-01", "2026-03-01"));
    assert_eq!(judged.severest(), Some(RuleVerdict::Hold));
    assert_eq!(judged.hits[0].rule.id, "pack-fault");
    assert_eq!(judged.faults.len(), 1);
    assert_eq!(
        judged.faults[0].to_string(),
        "rule R: when: division by zero"
    );
    let record = json!({"quantity": 3});
    let judged = packs.judge(&question(&record, "4301", "2026-03-01", "2026-03-01"));
    assert_eq!((judged.hits.len(), judged.faults.len()), (0, 0));
}

#[test]
fn a_tag_takes_the_professional_class_away() {
    let tag = |verdict: &str| {
        let body = "  when: 'record.quantity == 1'\n";
        let yaml = format!(
            "pack: \"43\"\nversion: 1\neffective: {{from: 2026-01-01, to: null}}\nrules:\n\
             - id: R\n  title: {{zh: 题, en: t}}\n  clause: 条\n  basis: {{plan: 三}}\n  \
             message: {{zh: 话, en: words}}\n  kinds: [need]\n  verdict: {verdict}\n{body}"
        );
        let doc = read(&yaml).expect("it reads");
        let packs = PackSet::new(vec![compile(&doc).expect("it compiles")]);
        let record = json!({"quantity": 1});
        packs
            .judge(&question(&record, "4301", "2026-03-01", "2026-03-01"))
            .class
    };
    assert_eq!(
        (tag("tag"), tag("warn")),
        (Class::Assistive, Class::Professional)
    );
}

#[test]
fn conditions_know_the_unit_and_regions() {
    let within = "  when: 'region_within(unit, \"4301\") && kind == \"need\" && \
                  at.day == at.received_day'\n";
    let packs = PackSet::new(vec![pack("43", 1, "2026-01-01", "null", within)]);
    assert_eq!(
        said(&packs, "430121102", "2026-03-01", "2026-03-01"),
        one("43", 1)
    );
    assert_eq!(said(&packs, "430301", "2026-03-01", "2026-03-01"), []);
    assert_eq!(said(&packs, "430121102", "2026-03-01", "2026-03-02"), []);
}

#[test]
fn a_pack_travels_as_json() {
    let doc = read(STARTER).expect("the starter pack reads");
    let text = serde_json::to_string(&doc).expect("it can be written");
    let back: PackDoc = serde_json::from_str(&text).expect("it can be read");
    assert_eq!(back, doc);
}

#[test]
fn facts_are_few_and_carry_no_place_finer_than_a_kilometre() {
    let record = json!({"phase": "in", "fix": {"lat_e7": 282_512_345, "lng_e7": 1_130_898_765,
        "accuracy_m": 12, "system": "wgs84"}, "note": "彭奶奶家"});
    let mut question = question(&record, "430121102", "2026-03-01", "2026-03-01");
    question.kind = Kind::CheckIn;
    let made = facts_made(&question, uuid::Uuid::from_u128(5));
    let kinds: Vec<FactKind> = made.iter().map(|fact| fact.kind).collect();
    assert_eq!(kinds, [FactKind::Fix, FactKind::Arrival]);
    assert_eq!(made[0].note, "282500000,1130900000,812");
    assert_eq!(made[1].key, uuid::Uuid::from_u128(5).to_string());
    let wanted = facts_wanted(&question);
    assert_eq!(wanted.len(), 1);
    assert!(made[0].is_under(&wanted[0]));
    question.op = Op::Void;
    assert_eq!(
        (
            facts_made(&question, uuid::Uuid::nil()).len(),
            facts_wanted(&question).len()
        ),
        (0, 0)
    );
}

#[test]
fn facts_of_a_visit_hold_no_word_of_it() {
    let account = "上午到彭奶奶家探访，量了血压，帮她把药按早中晚分好，又聊了聊在外打工的儿子。";
    let record = json!({"client": "01920000-0000-7000-8000-000000000c01", "mode": "home",
        "process": account, "result": "约好下周三再来", "village": "430121102001",
        "assigned_by": {"office": "镇民政办", "person": "王某"}, "co_workers": ["p-aaaaaaaa"],
        "photos": [{"sha256": "ab".repeat(32)}]});
    let mut question = question(&record, "430121102", "2026-03-01", "2026-03-01");
    question.kind = Kind::Visit;
    let made = facts_made(&question, uuid::Uuid::from_u128(5));
    let count = |kind| made.iter().filter(|fact| fact.kind == kind).count();
    assert_eq!(
        [FactKind::Presence, FactKind::Photo, FactKind::Account].map(count),
        [2, 1, 2]
    );
    for fact in &made {
        let said = format!("{}{}", fact.key, fact.note);
        assert!(said.is_ascii(), "{fact:?}");
        assert!(!said.contains("430121102001"), "{fact:?}");
        assert!(fact.note.len() <= 160, "{fact:?}");
    }
}

/// A question of a kind by somebody, an hour long.
fn of<'a>(kind: Kind, record: &'a Value, author: &'a str, act: &str) -> Question<'a> {
    Question {
        kind,
        author,
        ended_at: at(act) + 3_600_000,
        ..question(record, "430121102", act, "2026-03-03")
    }
}

#[test]
fn facts_of_others_are_not_looked_at() {
    let doc = read(STARTER).expect("the starter pack reads");
    let packs = PackSet::new(vec![compile(&doc).expect("the starter pack compiles")]);
    let (mine, pair, other) = (
        "p-7k2m9qx4",
        uuid::Uuid::from_u128(5),
        uuid::Uuid::from_u128(6),
    );
    let fix = |lat_e7: i64| {
        let lng_e7 = 1_130_898_765_i64;
        json!({"lat_e7": lat_e7, "lng_e7": lng_e7, "accuracy_m": 12, "system": "wgs84"})
    };
    let south = json!({"phase": "in", "fix": fix(252_512_345)});
    let north = json!({"phase": "in", "fix": fix(282_512_345)});
    let out = |pair: uuid::Uuid| json!({"phase": "out", "pair": pair});
    let (monday, tuesday) = ("2026-03-02", "2026-03-03");
    let mut facts = facts_made(&of(Kind::CheckIn, &south, mine, tuesday), pair);
    facts.extend(facts_made(
        &of(Kind::Visit, &json!({}), mine, tuesday),
        pair,
    ));
    let table = [
        (Kind::CheckIn, north.clone(), mine, tuesday, 1),
        (Kind::CheckIn, north, "p-aaaaaaaa", tuesday, 0),
        (Kind::CheckIn, out(pair), mine, monday, 1),
        (Kind::CheckIn, out(other), mine, monday, 0),
        (Kind::Visit, json!({}), mine, tuesday, 1),
        (Kind::Visit, json!({}), "p-aaaaaaaa", tuesday, 0),
    ];
    for (kind, record, author, act, said) in table {
        let hits = packs.judge_stateful(&of(kind, &record, author, act), &facts);
        assert_eq!(hits.len(), said, "{record} {hits:?}");
    }
}

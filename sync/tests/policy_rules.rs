//! The starter pack: every rule has a hit and a near miss, the gate's table gets its answers,
//! and judging depends on nothing but the question.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;
use xiangyi_proto::kinds::{Kind, Life, Op};
use xiangyi_proto::pack::{DangerState, RuleVerdict, STARTER};
use xiangyi_proto::time::TimeQuality;
use xiangyi_sync::policy::{self, Fact, FactKind, Hit, Judgement, PackSet, Question};

const CASES: &str = include_str!("../../proto/vectors/packs.json");
const GATE: &str = include_str!("../../proto/vectors/gate.json");
const UNIT: &str = "430121102";
const AUTHOR: &str = "p-7k2m9qx4";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    kind: Kind,
    hit: bool,
    body: Value,
    time: Option<Time>,
    before: Option<Before>,
    #[serde(default)]
    earlier: Vec<Before>,
    /// The activity that a sign-up is for.
    activity: Option<Value>,
    /// The record as it was, where the case is about a change of it.
    was: Option<Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    quality: TimeQuality,
    estimated_at: i64,
    received_at: i64,
    ended_at: i64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    kind: Kind,
    body: Value,
    estimated_at: i64,
    ended_at: i64,
    id: Option<Uuid>,
    author: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "family")]
    _family: String,
    kind: Kind,
    want: String,
    rule: Option<String>,
    unit: String,
    occurred_at: i64,
    body: Value,
    #[serde(default)]
    before: Vec<Earlier>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Earlier {
    kind: Kind,
    unit: String,
    occurred_at: i64,
    body: Value,
}

static PACKS: LazyLock<PackSet> = LazyLock::new(|| {
    let doc = policy::read(STARTER).expect("the starter pack reads");
    PackSet::new(vec![
        policy::compile(&doc).expect("the starter pack compiles"),
    ])
});

fn cases() -> Vec<Case> {
    serde_json::from_str(CASES).expect("the cases read")
}

fn time_of(kind: Kind, body: &Value, otherwise: i64) -> Time {
    let at = |name: &str| body.get(name).and_then(Value::as_i64);
    let begun = at("started_at")
        .filter(|_| kind == Kind::Visit)
        .unwrap_or(otherwise);
    let ended_at = at("ended_at")
        .filter(|_| kind == Kind::Visit)
        .unwrap_or(begun);
    let received_at = ended_at.max(begun) + 3_600_000;
    Time {
        quality: TimeQuality::Offset,
        estimated_at: begun,
        received_at,
        ended_at,
    }
}

fn ask<'a>(kind: Kind, record: &'a Value, unit: &'a str, time: Time) -> Question<'a> {
    let op = if kind.spec().life == Life::Slot {
        Op::Request
    } else {
        Op::Create
    };
    Question {
        kind,
        record,
        unit,
        author: AUTHOR,
        op,
        estimated_at: time.estimated_at,
        received_at: time.received_at,
        quality: time.quality,
        ended_at: time.ended_at,
    }
}

/// 2026-10-20 09:00 in UTC+8.
const MORNING: i64 = 1_792_458_000_000;

fn facts_of(before: &Before) -> Vec<Fact> {
    let (estimated_at, ended_at) = (before.estimated_at, before.ended_at);
    let received_at = ended_at + 1_000;
    let time = Time {
        quality: TimeQuality::Offset,
        estimated_at,
        received_at,
        ended_at,
    };
    let question = Question {
        author: before.author.as_deref().unwrap_or(AUTHOR),
        ..ask(before.kind, &before.body, UNIT, time)
    };
    policy::facts_made(&question, before.id.unwrap_or(Uuid::from_u128(7)))
}

/// The facts of the records before a case, and what its activity asks for.
fn facts_before(case: &Case) -> Vec<Fact> {
    let earlier = case.before.iter().chain(&case.earlier);
    let mut facts: Vec<Fact> = earlier.flat_map(facts_of).collect();
    if let (Some(activity), Some(id)) = (&case.activity, case.body["activity"].as_str()) {
        let id = Uuid::parse_str(id).expect("an id");
        facts.push(policy::terms_of(id, activity, AUTHOR));
    }
    facts
}

/// Everything the pack says, with only the facts that the question asked for.
fn answers(q: &Question, was: Option<&Value>, facts: &[Fact]) -> (Judgement, Vec<Hit>) {
    let wanted = policy::facts_wanted(q);
    let asked_for =
        |fact: &&Fact| fact.kind == FactKind::Terms || wanted.iter().any(|key| fact.is_under(key));
    let facts: Vec<Fact> = facts.iter().filter(asked_for).cloned().collect();
    let judgement = PACKS.judge_change(q, was);
    (judgement, PACKS.judge_stateful(q, &facts))
}

fn rules_said(judgement: &Judgement, stateful: &[Hit]) -> Vec<String> {
    let hits = judgement
        .hits
        .iter()
        .chain(stateful)
        .map(|hit| hit.rule.id.clone());
    let danger = judgement.danger.iter().map(|danger| danger.rule.id.clone());
    hits.chain(danger).collect()
}

#[test]
fn every_case_gets_its_answer() {
    let doc = policy::read(STARTER).expect("the starter pack reads");
    let alerts = doc.rules.iter().filter(|rule| rule.alert.is_some());
    let alerts: Vec<String> = alerts.map(|rule| rule.id.clone()).collect();
    for case in cases() {
        let time = case
            .time
            .unwrap_or_else(|| time_of(case.kind, &case.body, MORNING));
        let question = ask(case.kind, &case.body, UNIT, time);
        let facts = facts_before(&case);
        let (judgement, stateful) = answers(&question, case.was.as_ref(), &facts);
        let mut said = rules_said(&judgement, &stateful);
        // An alert is counted from what records leave, and said to none of them.
        assert!(!said.iter().any(|rule| alerts.contains(rule)), "{said:?}");
        let made = policy::facts_made(&question, Uuid::from_u128(8));
        if made.iter().any(|fact| fact.kind == FactKind::OfficeDay) {
            said.extend(alerts.iter().cloned());
        }
        let hit = said.contains(&case.rule);
        assert_eq!(
            hit,
            case.hit,
            "{} on {}: {said:?}\n{}",
            case.rule,
            case.kind.name(),
            case.body
        );
        assert_eq!(judgement.faults, [], "{}", case.rule);
    }
}

#[test]
fn every_rule_has_a_hit_and_a_near_miss() {
    let mut seen: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for case in cases() {
        seen.entry(case.rule).or_default().insert(case.hit);
    }
    let doc = policy::read(STARTER).expect("the starter pack reads");
    for rule in &doc.rules {
        let both = seen.remove(&rule.id).unwrap_or_default();
        assert_eq!(both.len(), 2, "{} lacks a hit or a near miss", rule.id);
    }
    assert_eq!(seen, BTreeMap::new(), "cases of rules that do not exist");
}

#[test]
fn the_gates_table_gets_its_answers() {
    let rows: Vec<Row> = serde_json::from_str(GATE).expect("the table reads");
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // What the table has stored before a row stays there, as it does where it is played.
    let mut facts: Vec<Fact> = Vec::new();
    for (number, row) in (100..).step_by(10).zip(&rows) {
        for (record, earlier) in (number + 1..).zip(&row.before) {
            let time = time_of(earlier.kind, &earlier.body, earlier.occurred_at);
            let question = ask(earlier.kind, &earlier.body, &earlier.unit, time);
            facts.extend(policy::facts_made(&question, Uuid::from_u128(record)));
        }
        let time = time_of(row.kind, &row.body, row.occurred_at);
        let question = ask(row.kind, &row.body, &row.unit, time);
        let (judgement, stateful) = answers(&question, None, &facts);
        let all = judgement.hits.iter().chain(&stateful);
        let severest = all.clone().map(|hit| hit.verdict).max();
        let want = match severest {
            None | Some(RuleVerdict::Tag) => "accepted",
            Some(RuleVerdict::Warn | RuleVerdict::Amend) => "warned",
            Some(RuleVerdict::Hold) => "held",
            Some(RuleVerdict::Reject) => "rejected",
        };
        assert_eq!(want, row.want, "{}: {}", row.kind.name(), row.body);
        let top = all.clone().filter(|hit| Some(hit.verdict) == severest);
        let said: Vec<&str> = top.map(|hit| hit.rule.id.as_str()).collect();
        match &row.rule {
            // A text may be heard by several groups; a field by its rule only.
            Some(rule) if rule.ends_with(".text") => {
                assert!(said.contains(&rule.as_str()), "{said:?} for {}", row.body);
            }
            Some(rule) => assert_eq!(said, [rule.as_str()], "{}", row.body),
            None => assert!(said.is_empty(), "{said:?} for {}", row.body),
        }
        if matches!(row.want.as_str(), "accepted" | "warned") {
            facts.extend(policy::facts_made(&question, Uuid::from_u128(number)));
        }
        let wants = seen.entry(row.kind.name().to_owned()).or_default();
        wants.insert(row.want.clone());
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
    for (kind, wants) in seen {
        assert_eq!(wants.len(), 4, "{kind} lacks an answer: {wants:?}");
    }
}

#[test]
fn bodies_of_the_tables_have_the_shape_of_their_kind() {
    let rows: Vec<Row> = serde_json::from_str(GATE).expect("the table reads");
    let earlier = rows.iter().flat_map(|row| &row.before);
    let bodies = rows.iter().map(|row| (row.kind, &row.body));
    let bodies = bodies.chain(earlier.map(|row| (row.kind, &row.body)));
    let cases = cases();
    for (kind, body) in bodies.chain(cases.iter().map(|case| (case.kind, &case.body))) {
        let mut faults = xiangyi_sync::check::Faults::default();
        let members = body.as_object().expect("a body is an object");
        xiangyi_sync::check::body(kind, members, &mut faults);
        assert_eq!(faults.list, [], "{} {body}", kind.name());
    }
}

#[test]
fn danger_comes_first_and_lowers_a_refusal() {
    let body: Value = serde_json::from_str(
        r#"{"outcome": {"kind": "served", "decision": "approved"}, "risk": "minor_harm",
            "process": "班主任说，孩子手臂上有烟头烫的印子，不准告诉别人。"}"#,
    )
    .expect("a body");
    let judged = PACKS.judge(&ask(
        Kind::Visit,
        &body,
        UNIT,
        time_of(Kind::Visit, &body, MORNING),
    ));
    assert_eq!(judged.severest(), Some(RuleVerdict::Hold));
    let states: Vec<_> = judged.danger.iter().map(|danger| danger.state).collect();
    // One text may speak of several dangers.
    assert_eq!(states[0], DangerState::Reported);
    assert!(
        states.len() > 1
            && states[1..]
                .iter()
                .all(|state| *state == DangerState::Suspected)
    );
    assert_eq!(judged.danger[0].at, "/risk");
    assert_eq!(judged.danger[1].at, "/process");
    let lowered = judged
        .hits
        .iter()
        .find(|hit| hit.rule.id == "NL-A03.decision");
    let words = &lowered.expect("the refusal stays visible").rule.message_zh;
    assert!(!words.contains("没有作为服务记录收下"), "{words}");
    let found = PACKS.danger_in_text("{\"process\": \"不准告诉别人\"", UNIT, MORNING);
    assert!(!found.is_empty());
    assert_eq!(PACKS.danger_in_text("今天去看了老人", UNIT, MORNING), []);
}

#[test]
fn text_alone_never_stops_a_record() {
    let doc = policy::read(STARTER).expect("the starter pack reads");
    for rule in doc.rules.iter().filter(|rule| rule.danger.is_none()) {
        let reads_text = rule.mentions.is_some()
            || rule
                .when
                .as_deref()
                .is_some_and(|when| when.contains("mentions("));
        assert!(
            !reads_text || rule.verdict < Some(RuleVerdict::Hold),
            "{}",
            rule.id
        );
    }
}

#[test]
fn messages_are_bilingual_end_with_whom_to_ask_and_say_they_are_derived() {
    let doc = policy::read(STARTER).expect("the starter pack reads");
    for case in cases().iter().filter(|case| case.hit) {
        let time = case
            .time
            .unwrap_or_else(|| time_of(case.kind, &case.body, MORNING));
        let question = ask(case.kind, &case.body, UNIT, time);
        for hit in PACKS.judge(&question).hits {
            let rule = &hit.rule;
            assert!(rule.message_zh.contains("总站"), "{}", rule.id);
            assert!(rule.message_zh.contains("推定"), "{}", rule.id);
            assert!(rule.message_en.contains("hub"), "{}", rule.id);
            assert!(rule.basis.ends_with("derived"), "{}", rule.id);
            assert!(!rule.message_zh.contains('{'), "{}", rule.id);
            assert!(!rule.message_zh.contains(' '), "{} has a blank", rule.id);
            assert!(hit.at.iter().all(|at| at.starts_with('/')), "{}", rule.id);
        }
    }
    assert!(doc.rules.iter().all(|rule| rule.basis.derived));
}

/// A value of the same content whose members are written in another order.
fn shuffled(value: &Value, seed: u64) -> String {
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{:?}:{}", name, shuffled(value, seed)))
                .collect();
            let by = usize::try_from(seed).unwrap_or(0) % parts.len().max(1);
            parts.rotate_left(by);
            if seed % 2 == 1 {
                parts.reverse();
            }
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().map(|value| shuffled(value, seed)).collect();
            format!("[{}]", parts.join(","))
        }
        other => other.to_string(),
    }
}

/// Two cases of one kind laid over each other, so that rules meet in combinations.
fn over(a: &Value, b: &Value) -> Value {
    let mut both: Map<String, Value> = a.as_object().cloned().unwrap_or_default();
    both.extend(b.as_object().cloned().unwrap_or_default());
    Value::Object(both)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn judging_is_deterministic_and_blind_to_member_order(
        a in 0usize..10_000, b in 0usize..10_000, seed in 0u64..64,
    ) {
        let cases = cases();
        let (a, b) = (&cases[a % cases.len()], &cases[b % cases.len()]);
        prop_assume!(a.kind == b.kind);
        let body = over(&a.body, &b.body);
        let again: Value = serde_json::from_str(&shuffled(&body, seed)).expect("still JSON");
        prop_assert_eq!(&again, &body);
        let time = a.time.unwrap_or_else(|| time_of(a.kind, &body, MORNING));
        let first = PACKS.judge(&ask(a.kind, &body, UNIT, time));
        prop_assert_eq!(&first, &PACKS.judge(&ask(a.kind, &again, UNIT, time)));
        prop_assert_eq!(&first, &PACKS.judge(&ask(a.kind, &body, UNIT, time)));
        prop_assert!(first.faults.is_empty());
        let whole = xiangyi_sync::shape::complete(a.kind.spec(), &body);
        let completed = PACKS.judge(&ask(a.kind, &whole, UNIT, time));
        let ids = |judged: &Judgement| rules_said(judged, &[]);
        prop_assert_eq!(ids(&first), ids(&completed));
    }
}

//! Proof by trial that nothing is skipped which would have applied.
//!
//! Every condition of the starter pack is run on every case of its kind, and on pairs of cases
//! laid over each other, without the index and without the sieve; the judge must say the same.

use serde::Deserialize;
use serde_json::{Map, Value};
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::pack::STARTER;
use xiangyi_proto::time::TimeQuality;

use super::compile::Test;
use super::view::{At, Names, View};
use super::{CompiledPack, PackSet, Question, compile, engine, read};
use crate::shape;

const CASES: &str = include_str!("../../../proto/vectors/packs.json");

#[derive(Deserialize)]
struct Case {
    kind: Kind,
    body: Map<String, Value>,
}

fn starter() -> CompiledPack {
    let doc = read(STARTER).expect("the starter pack reads");
    compile(&doc).expect("the starter pack compiles")
}

/// Rules that apply when every condition is run.
fn all_run(pack: &CompiledPack, kind: Kind, record: &Value, at: &At) -> Vec<String> {
    let index = pack
        .of_kind(kind)
        .expect("the pack knows every kind of the cases");
    let mut said = Vec::new();
    for entry in &index.entries {
        let rule = &pack.rules[entry.rule];
        if let Test::When(program, _) = &rule.test {
            let names = Names {
                record: View::new(shape::of(kind), record),
                before: View::new(shape::of(kind), &Value::Null),
                kind: kind.name(),
                op: Some(Op::Create),
                unit: Some("430121102"),
                at: Some(at),
                params: &rule.params,
            };
            if engine::holds(&pack.base, program, &names) == Ok(true) {
                said.push(rule.text.id.clone());
            }
        }
    }
    said
}

#[test]
fn the_index_and_the_sieve_skip_nothing_that_applies() {
    let cases: Vec<Case> = serde_json::from_str(CASES).expect("the cases read");
    let (pack, packs) = (starter(), PackSet::new(vec![starter()]));
    let moment = 1_792_458_000_000;
    let at = At {
        estimated: moment,
        received: moment,
        ended: moment,
        quality: "offset",
        day: "2026-10-20".to_owned(),
        received_day: "2026-10-20".to_owned(),
    };
    for a in &cases {
        for b in cases.iter().filter(|b| b.kind == a.kind) {
            let mut body = a.body.clone();
            body.extend(b.body.clone());
            let record = Value::Object(body);
            let question = Question {
                kind: a.kind,
                record: &record,
                unit: "430121102",
                author: "p-7k2m9qx4",
                op: Op::Create,
                estimated_at: moment,
                received_at: moment,
                quality: TimeQuality::Offset,
                ended_at: moment,
            };
            let judged = packs.judge(&question);
            let mut said: Vec<String> = judged.hits.iter().map(|h| h.rule.id.clone()).collect();
            said.extend(judged.danger.iter().map(|danger| danger.rule.id.clone()));
            said.retain(|id| {
                pack.rules
                    .iter()
                    .any(|rule| rule.text.id == *id && matches!(rule.test, Test::When(..)))
            });
            let mut expected = all_run(&pack, a.kind, &record, &at);
            said.sort();
            expected.sort();
            assert_eq!(said, expected, "{} {record}", a.kind.name());
        }
    }
}

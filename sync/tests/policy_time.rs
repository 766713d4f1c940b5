//! How long judging takes. Ignored: run with `--release -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::pack::STARTER;
use xiangyi_proto::time::TimeQuality;
use xiangyi_sync::policy::{PackSet, Question, compile, read};
use xiangyi_sync::shape;

const ROUNDS: usize = 20_000;

#[expect(clippy::disallowed_methods, reason = "a measurement needs the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Median and 99th percentile.
fn times(mut one: impl FnMut(usize)) -> (Duration, Duration) {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let begun = now();
        one(round);
        times.push(begun.elapsed());
    }
    times.sort();
    (times[ROUNDS / 2], times[ROUNDS * 99 / 100])
}

fn visits() -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/visit-narratives.jsonl"
    );
    let text = std::fs::read_to_string(path).expect("the narratives are in the repository");
    let said = text.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = line.get("text")?.as_str()?.to_owned();
        (60..=120).contains(&text.chars().count()).then_some(text)
    });
    let visit = |process: String| {
        json!({
            "client": "01920000-0000-7000-8000-000000000c01", "services": ["ec_visit"],
            "outcome": {"kind": "served"}, "started_at": 1_792_458_000_000_i64,
            "ended_at": 1_792_460_400_000_i64, "village": "430121102001", "mode": "home",
            "purpose": "例行探访", "process": process, "work_category": "service",
            "follow_up": {"plan": "下周三再来", "due_on": "2026-10-28"},
            "signatures": [{"role": "client", "signer": "彭某"}],
        })
    };
    said.map(visit).collect()
}

#[test]
#[ignore = "a measurement"]
fn a_visit_is_judged_within_twenty_microseconds() {
    let begun = now();
    let doc = read(STARTER).expect("the starter pack reads");
    let packs = PackSet::new(vec![compile(&doc).expect("the starter pack compiles")]);
    let loaded = begun.elapsed();
    let (count, off) = (visits().len(), PackSet::default());
    let visits = visits();
    let judge = |packs: &PackSet, round: usize| {
        let record = &visits[round % visits.len()];
        let question = Question {
            kind: Kind::Visit,
            record,
            unit: "430121102",
            author: "p-7k2m9qx4",
            op: Op::Create,
            estimated_at: 1_792_458_000_000,
            received_at: 1_792_464_000_000,
            quality: TimeQuality::Offset,
            ended_at: 1_792_460_400_000,
        };
        std::hint::black_box(packs.judge(&question));
    };
    let on = times(|round| judge(&packs, round));
    let off = times(|round| judge(&off, round));
    let completed = times(|round| {
        let record = &visits[round % visits.len()];
        std::hint::black_box(shape::complete(Kind::Visit.spec(), record));
    });
    println!(
        "{count} visits; p50 and p99: judged {on:?}, without a pack {off:?}, completed \
         {completed:?}; pack read and compiled in {loaded:?}"
    );
}

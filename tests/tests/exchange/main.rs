//! The exchange over real sockets, as a phone of another make would meet it: verdicts, bad items,
//! bad requests, pages, waiting, live events, photographs. On both engines.

mod alerts;
mod echoes;
mod envelopes;
mod items;
mod live;
mod pages;
mod photographs;
mod poison;
mod sealed;
mod shelf;
mod verdicts;
mod waits;
mod windows;

use serde_json::{Value, json};
use xiangyi_tests::harness::START;

/// The first station of the demo's county, and a village of it.
const UNIT: &str = "430121001";
const VILLAGE: &str = "430121001001";
const COUNTY: i64 = 430_121;
const HOUR: i64 = 3_600_000;
const STATION: &str = "station:430121001";

/// An id of a record; the same for the same number.
fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-{number:012x}")
}

/// A sound check-in, an hour before the one with the number below.
fn check_in(n: u32, number: u32) -> Value {
    json!({ "n": n, "op": "create", "kind": "check_in", "unit": UNIT, "id": id(number),
            "occurred_at": START - i64::from(number % 400) * HOUR,
            "body": { "purpose": "visit", "phase": "in", "no_fix_reason": "屋里没有信号",
                      "place": { "kind": "home", "village": VILLAGE } } })
}

/// A sound visit of 40 minutes; visits of different numbers below 100 do not overlap.
fn visit(n: u32, number: u32) -> Value {
    let begun = START - i64::from(number % 100 + 1) * 2 * HOUR;
    json!({ "n": n, "op": "create", "kind": "visit", "unit": UNIT, "id": id(number),
            "body": { "no_client_reason": "集中走访", "services": ["ec_visit"],
                      "process": "上门看望，量了血压。", "result": "情绪平稳",
                      "started_at": begun, "ended_at": begun + 40 * 60_000,
                      "outcome": { "kind": "served" } } })
}

/// A patch of a visit.
fn patch(n: u32, number: u32, base: i64, set: Value) -> Value {
    json!({ "n": n, "op": "patch", "kind": "visit", "unit": UNIT, "id": id(number),
            "base": base, "set": set })
}

/// The same mutation with another value at a pointer.
fn with(mut mutation: Value, pointer: &str, value: Value) -> Value {
    let (above, name) = pointer.rsplit_once('/').expect("a pointer");
    let above = mutation.pointer_mut(above).expect("there is such a place");
    above[name] = value;
    mutation
}

/// The same mutation without a member.
fn without(mut mutation: Value, pointer: &str) -> Value {
    let (above, name) = pointer.rsplit_once('/').expect("a pointer");
    let above = mutation.pointer_mut(above).and_then(Value::as_object_mut);
    above.expect("an object").remove(name);
    mutation
}

/// The names of verdicts.
fn names(verdicts: &[Value]) -> Vec<&str> {
    verdicts
        .iter()
        .map(|verdict| verdict["verdict"].as_str().unwrap_or_default())
        .collect()
}

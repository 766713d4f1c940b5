//! Trouble: what is not well-formed, what was said before, what was never said by this phone.

use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::exchange::{Exchange, Push};

use super::Scene;
use crate::dice::Dice;
use crate::handset::Handset;

/// Bytes that are a mutation only in part: (record, kind, bytes).
pub fn malformed(n: i64, hand: &Handset, scene: &mut Scene<'_>) -> (Uuid, String, String) {
    let id = scene.dice.id();
    let unit = hand.unit.as_str();
    let value = match scene.dice.below(9) {
        0 => json!({"n": n, "op": "create", "kind": "tea", "unit": unit, "id": id}),
        1 => json!({"n": n, "op": "create", "kind": "visit", "unit": unit, "id": id, "body": {}}),
        2 => json!({"n": n, "op": "create", "kind": "visit", "unit": "乡", "id": id,
            "body": {"purpose": "孩子说被打了"}}),
        3 => json!({"n": n, "op": "patch", "kind": "visit", "unit": unit, "id": id, "base": 1,
            "set": {"/state": "approved", "/photos/0/purpose": "x"}}),
        4 => json!({"n": n, "op": "create", "kind": "check_in", "unit": unit, "id": "nobody"}),
        5 => json!({"n": n, "op": 7, "kind": ["visit"], "unit": unit, "id": id, "body": 3}),
        6 => json!({"n": n, "op": "void", "kind": "visit", "unit": unit, "id": id}),
        7 => json!({"n": n, "op": "request", "kind": "sign_up", "unit": "430999", "id": id,
            "body": {"want": "fly"}}),
        _ => {
            let text = "长".repeat(7_000);
            json!({"n": n, "op": "create", "kind": "visit", "unit": unit, "id": id,
                "body": {"purpose": text}})
        }
    };
    (id, "visit".to_owned(), value.to_string())
}

/// What the phone has said before, under a new number.
pub fn same_again(n: i64, hand: &Handset, scene: &mut Scene<'_>) -> Option<(Uuid, String, String)> {
    let entries: Vec<_> = hand.phone.entries.values().collect();
    let said = scene.dice.any(&entries)?;
    let mut value: Value = serde_json::from_str(&said.raw).ok()?;
    value["n"] = json!(n);
    Some((said.record, said.kind.clone(), value.to_string()))
}

/// Something about a record of anybody, as if it were one's own.
pub fn stolen(n: i64, hand: &Handset, scene: &mut Scene<'_>) -> Option<(Uuid, String, String)> {
    let rows: Vec<_> = hand.phone.rows.values().map(|held| &held.row).collect();
    let row = scene.dice.any(&rows)?;
    let (id, unit) = (row.id, row.unit.as_str());
    let kind = *scene
        .dice
        .pick(&["visit", "client", "check_in", "need", row.kind.as_str()]);
    let mut value = json!({"n": n, "kind": kind, "unit": unit, "id": id, "reason": "我的",
        "base": row.rev});
    match scene.dice.below(4) {
        0 => {
            value["op"] = json!("create");
            let body = row.body.as_ref().map_or("{}", |body| body.get());
            let mut body: Value = serde_json::from_str(body).ok()?;
            if let Value::Object(members) = &mut body {
                members.remove("derived");
                members.remove("state");
            }
            value["body"] = body;
        }
        1 => {
            value["op"] = json!("patch");
            value["set"] = json!({"/purpose": "偷", "/village": "430121101001"});
        }
        2 => value["op"] = json!("void"),
        _ => {
            value["op"] = json!("request");
            value["body"] = json!({"want": "leave", "reason": "走", "record": id,
                "decision": "approve"});
        }
    }
    Some((id, kind.to_owned(), value.to_string()))
}

/// What somebody else was answered, with its proof, as one's own.
pub fn taken(owner: &Handset, exchange: Exchange, dice: &mut Dice) -> Option<Exchange> {
    let kept = owner
        .phone
        .entries
        .values()
        .filter(|entry| entry.kept.is_some());
    let kept: Vec<&xiangyi_sync::phone::Entry> = kept.collect();
    if kept.is_empty() {
        return None;
    }
    let entry = dice.pick(&kept);
    let raw = serde_json::value::RawValue::from_string(entry.raw.clone()).ok()?;
    let push = Push {
        saved_below: 0,
        mutations: vec![raw],
        proofs: entry.kept.iter().map(|kept| kept.proof.clone()).collect(),
    };
    Some(Exchange {
        push: Some(push),
        pull: None,
        ..exchange
    })
}

/// An exchange of a clone: a number of this phone used for something else.
pub fn forged(hand: &Handset, exchange: Exchange) -> Option<Exchange> {
    let answered = |entry: &&xiangyi_sync::phone::Entry| {
        let verdict = entry.verdict.as_ref();
        verdict.is_some() && entry.raw.contains("\"op\"")
    };
    let said = hand.phone.entries.values().find(answered)?;
    let mut value: Value = serde_json::from_str(&said.raw).ok()?;
    value["occurred_at"] = json!(1);
    let raw = serde_json::value::to_raw_value(&value).ok()?;
    let push = Push {
        saved_below: 0,
        mutations: vec![raw],
        proofs: Vec::new(),
    };
    Some(Exchange {
        push: Some(push),
        pull: None,
        ..exchange
    })
}

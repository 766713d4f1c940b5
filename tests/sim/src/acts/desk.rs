//! The desk: reviewers decide, and workers answer refusals by splitting, re-filing or appealing.

use serde_json::{Value, json};
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::kinds::Op;
use xiangyi_proto::time::day_text;
use xiangyi_sync::phone::Place;
use xiangyi_sync::wants::id_at;

use super::{Draft, Scene};
use crate::handset::Handset;

/// A reviewer decides about something that waits, or about a visit.
pub fn review(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let waiting = hand.rows("held");
    let id = scene.dice.id();
    let (target, decision) = match scene.dice.any(&waiting) {
        Some((_, row, body)) if scene.dice.chance(80) => {
            let op = body.pointer("/mutation/op").and_then(Value::as_str);
            let decisions: &[&str] = if op == Some("appeal") {
                &["upheld", "changed", "list_wrong"]
            } else {
                &["release", "release", "refuse"]
            };
            let record = id_at(body.get("record")).filter(|_| scene.dice.chance(50));
            (record.unwrap_or(row.id), *scene.dice.pick(decisions))
        }
        _ if scene.dice.chance(80) => return Vec::new(),
        _ => {
            let visits = hand.rows("visit");
            let Some((_, row, _)) = scene.dice.any(&visits) else {
                return Vec::new();
            };
            (
                row.id,
                *scene.dice.pick(&["approve", "return", "return", "release"]),
            )
        }
    };
    let body = json!({"record": target.to_string(), "decision": decision, "reason": "已核实"});
    vec![Draft::request("review", &hand.unit, id, body)]
}

/// What a worker does about a refusal.
pub fn answer_refusal(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let refusals = hand.rows("refusal");
    let own: Vec<_> = refusals
        .into_iter()
        .filter(|(_, row, _)| row.author == hand.who.name)
        .collect();
    let Some((_, row, body)) = scene.dice.any(&own) else {
        return Vec::new();
    };
    let record = id_at(body.get("record"));
    let said: Vec<Mutation> = hand
        .phone
        .entries
        .values()
        .filter(|entry| entry.place == Place::Refused && Some(entry.record) == record)
        .filter_map(|entry| serde_json::from_str(&entry.raw).ok())
        .collect();
    let Some(said) = scene.dice.any(&said) else {
        return Vec::new();
    };
    let kind = xiangyi_proto::kinds::Kind::parse(&said.kind).map_or("visit", |kind| kind.name());
    let minutes = body.get("minutes").and_then(Value::as_i64).unwrap_or(0);
    let time = |minutes: i64| {
        json!({"class": "administrative", "minutes": minutes.clamp(1, 1_440),
            "day": day_text(scene.now), "refusal": row.id.to_string()})
    };
    let (whole, half) = (time(minutes), time(minutes / 2));
    let id = scene.dice.id();
    match scene.dice.below(3) {
        0 => vec![Draft::create("work_time", &said.unit, id, whole)],
        1 if said.op == Op::Create && said.kind != "visit" => Vec::new(),
        1 if said.op == Op::Create => {
            let mut clean = said.body.clone().unwrap_or(Value::Null);
            clean["work_category"] = json!("service");
            let (from, to) = (&clean["started_at"], &clean["ended_at"]);
            let middle = (from.as_i64().unwrap_or(0) + to.as_i64().unwrap_or(0)) / 2;
            clean["ended_at"] = json!(middle);
            let clean = Draft::create(kind, &said.unit, said.id, clean);
            vec![clean, Draft::create("work_time", &said.unit, id, half)]
        }
        _ => {
            let mut draft = Draft::new(Op::Appeal, kind, &said.unit, said.id);
            draft.body = said.body;
            draft.base = said.base;
            draft.set = said.set;
            draft.add = said.add;
            draft.unset = said.unset;
            draft.reason = Some("请再看".to_owned());
            draft.refusal = Some(row.id);
            vec![draft]
        }
    }
}

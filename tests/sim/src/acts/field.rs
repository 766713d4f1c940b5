//! Field work: check-ins, clients and their workers, visits with photographs, needs, time.

use serde_json::{Value, json};
use xiangyi_proto::kinds::Op;
use xiangyi_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, day_text};
use xiangyi_sync::phone::Place;

use super::{Draft, Scene};
use crate::cast;
use crate::handset::Handset;
use crate::server::POISON;

/// Categories: mostly service; some are refused, held or warned about.
const CATEGORIES: &[&str] = &[
    "service",
    "service",
    "service",
    "land_demolition",
    "screening",
    "travel",
];
const TEXTS: &[&str] = &["一切安好", "孩子说被打了", "帮助填表", "聊了近况"];

/// One piece of a worker's day.
pub fn work(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    if scene.dice.chance(2) {
        return chain(hand, scene);
    }
    match scene.dice.below(16) {
        0 | 1 => check_in(hand, scene),
        2 | 3 => client(hand, scene),
        4..=6 => vec![visit(hand, scene)],
        7..=11 => patch_visit(hand, scene),
        12 | 13 => patch_client(hand, scene),
        14 => void(hand, scene),
        _ => work_time(hand, scene),
    }
}

/// A check-in, at times with a fix.
pub fn check_in(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let village = cast::village(&hand.unit, scene.dice);
    let mut body = json!({
        "purpose": "visit",
        "phase": "in",
        "place": {"kind": "home", "village": village},
        "work_category": scene.dice.pick(CATEGORIES),
        "derived": null,
    });
    if scene.dice.chance(50) {
        let lng_e7 = 1_130_000_000 + scene.dice.between(0, 90_000);
        body["fix"] = json!({"lat_e7": 282_000_000, "lng_e7": lng_e7,
            "accuracy_m": 20, "system": "gcj02"});
    } else {
        body["no_fix_reason"] = json!("室内");
    }
    let id = scene.dice.id();
    vec![Draft::create("check_in", &hand.unit, id, body)]
}

fn client(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let id = scene.dice.id();
    let from = if scene.calm { 0 } else { scene.now - DAY_MS };
    let mut workers = vec![json!({"person": hand.who.name, "from": from})];
    if scene.dice.chance(40) {
        workers.push(substitute(scene));
    }
    let body = json!({
        "name": "某甲",
        "number": format!("C{}", scene.dice.below(100)),
        "village": cast::village(&hand.unit, scene.dice),
        "workers": workers,
        "background": scene.dice.pick(TEXTS),
        "work_category": if scene.dice.chance(10) { "screening" } else { "service" },
    });
    let card = Draft::create("client", &hand.unit, id, body);
    if scene.dice.chance(50) {
        // A first visit at once; at times it travels ahead of its card.
        let mut visit = visit(hand, scene);
        if let Some(Value::Object(members)) = &mut visit.body {
            members.insert("client".to_owned(), json!(id.to_string()));
        }
        if scene.dice.chance(30) {
            return vec![visit, card];
        }
        return vec![card, visit];
    }
    vec![card]
}

fn substitute(scene: &mut Scene<'_>) -> Value {
    let who = scene.dice.pick(scene.people).clone();
    if scene.calm {
        return json!({"person": who, "from": 0});
    }
    let from = scene.now + scene.dice.between(-2, 8) * HOUR_MS;
    json!({"person": who, "from": from, "to": from + scene.dice.between(1, 60) * HOUR_MS,
        "reason": "代班"})
}

fn visit(hand: &Handset, scene: &mut Scene<'_>) -> Draft {
    let ended = scene.told(hand) - scene.dice.between(0, 300) * MINUTE_MS;
    let mut body = json!({
        "village": cast::village(&hand.unit, scene.dice),
        "started_at": ended - scene.dice.between(10, 90) * MINUTE_MS,
        "ended_at": ended,
        "mode": "home",
        "outcome": {"kind": "served"},
        "purpose": scene.dice.pick(TEXTS),
        "process": format!("{}{}", "走访并了解近况。".repeat(4), scene.dice.below(90)),
        "work_category": scene.dice.pick(CATEGORIES),
        "headcount": scene.dice.between(11, 14),
    });
    let clients: Vec<String> = hand
        .rows("client")
        .iter()
        .map(|row| row.1.id.to_string())
        .collect();
    let waiting = hand.entries(Place::Outbox, "client");
    let own: Vec<String> = waiting
        .iter()
        .map(|entry| entry.record.to_string())
        .collect();
    match (scene.dice.any(&clients), scene.dice.any(&own)) {
        (Some(client), _) if scene.dice.chance(80) => body["client"] = json!(client),
        (_, Some(client)) => body["client"] = json!(client),
        _ => body["no_client_reason"] = json!("入村宣传"),
    }
    if scene.dice.chance(35) {
        body["photos"] = json!([photo(scene)]);
    }
    if scene.dice.chance(2) {
        body["result"] = json!(POISON);
    }
    let id = scene.dice.id();
    let mut draft = Draft::create("visit", &hand.unit, id, body);
    if scene.dice.chance(5) {
        draft.needs = vec![scene.dice.id()];
    }
    draft
}

/// Visits of which each needs the next; the last one to arrive moves them all.
fn chain(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let length = 3 + scene.dice.below(8);
    let mut links: Vec<Draft> = (0..length).map(|_| visit(hand, scene)).collect();
    for index in 1..length {
        let next = links[index].id;
        links[index - 1].needs = vec![next];
    }
    links
}

fn photo(scene: &mut Scene<'_>) -> Value {
    json!({"sha256": scene.dice.sha256(), "bytes": 1000, "mime": "image/jpeg"})
}

fn patch_visit(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let strange = scene.dice.chance(6);
    let rows = if strange {
        hand.rows("visit")
    } else {
        hand.own_rows("visit")
    };
    let Some((_, row, body)) = scene.dice.any(&rows) else {
        return vec![visit(hand, scene)];
    };
    let base = scene.base(row.rev);
    let draft = Draft::patch("visit", &row.unit, row.id, base);
    let text = format!("改{}", scene.dice.below(4));
    let draft = match scene.dice.below(9) {
        0 | 1 => draft.set("/purpose", text),
        2 => draft.set("/result", text).set("/outcome/kind", "referred"),
        3 => draft.add("/photos", photo(scene)),
        4 => draft.add("/needs_found", json!(text)),
        5 => draft.set("/work_category", *scene.dice.pick(CATEGORIES)),
        6 => {
            let started = body.get("started_at").and_then(Value::as_i64).unwrap_or(0);
            draft.set(
                "/started_at",
                started - scene.dice.between(-20, 60) * MINUTE_MS,
            )
        }
        7 => draft.set("/client", scene.dice.id().to_string()),
        _ => {
            let mut draft = draft.set("/headcount", scene.dice.between(11, 14));
            draft.unset.push("/purpose".to_owned());
            draft
        }
    };
    vec![draft]
}

fn patch_client(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let rows = hand.rows("client");
    let Some((_, row, _)) = scene.dice.any(&rows) else {
        return Vec::new();
    };
    let base = scene.base(row.rev);
    let draft = Draft::patch("client", &row.unit, row.id, base);
    vec![match scene.dice.below(4) {
        0 | 1 => {
            let worker = substitute(scene);
            draft.add("/workers", worker)
        }
        2 => draft.set("/address", format!("{}组", scene.dice.below(5))),
        _ => draft.set("/background", *scene.dice.pick(TEXTS)),
    }]
}

fn void(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    const KINDS: &[&str] = &[
        "check_in", "visit", "client", "need", "resource", "activity",
    ];
    let kind = *scene.dice.pick(KINDS);
    let rows = if scene.dice.chance(15) {
        hand.rows(kind)
    } else {
        hand.own_rows(kind)
    };
    let Some((_, row, _)) = scene.dice.any(&rows) else {
        return Vec::new();
    };
    let mut draft = Draft::new(Op::Void, kind, &row.unit, row.id);
    draft.reason = Some("记错了".to_owned());
    vec![draft]
}

fn work_time(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let body = json!({"class": "administrative", "minutes": scene.dice.between(10, 120),
        "day": day_text(scene.told(hand))});
    let id = scene.dice.id();
    vec![Draft::create("work_time", &hand.unit, id, body)]
}

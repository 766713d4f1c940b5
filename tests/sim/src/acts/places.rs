//! Places and lots: activities, sign-ups, needs, resources, links.

use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::exchange::Row;
use xiangyi_proto::kinds::Op;
use xiangyi_proto::time::HOUR_MS;
use xiangyi_sync::wants::id_at;

use super::{Draft, Scene};
use crate::cast;
use crate::handset::Handset;

/// Makes an activity, or changes one.
pub fn organise(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let rows = hand.rows("activity");
    let own: Vec<(i64, &Row, Value)> = rows
        .into_iter()
        .filter(|(_, row, _)| row.author == hand.who.name)
        .collect();
    if own.is_empty() || scene.dice.chance(20) {
        let id = scene.dice.id();
        let body = activity(hand, scene);
        return vec![Draft::create("activity", &hand.unit, id, body)];
    }
    let (_, row, body) = scene.dice.pick(&own);
    let base = scene.base(row.rev);
    let draft = Draft::patch("activity", &row.unit, row.id, base);
    let mut sessions = body.get("sessions").cloned().unwrap_or(Value::Null);
    vec![match scene.dice.below(6) {
        0 => draft.set("/title", format!("活动{}", scene.dice.below(9))),
        1 => {
            if let Value::Array(list) = &mut sessions
                && list.len() > 1
            {
                list.pop();
            }
            draft.set("/sessions", sessions)
        }
        2 => {
            let mut draft = Draft::new(Op::Void, "activity", &row.unit, row.id);
            draft.reason = Some("天气".to_owned());
            draft
        }
        _ => {
            let places = scene.dice.between(1, 3);
            if let Some(place) = sessions.pointer_mut("/0/roles/0/capacity") {
                *place = json!(places);
            }
            draft.set("/sessions", sessions)
        }
    }]
}

fn activity(hand: &Handset, scene: &mut Scene<'_>) -> Value {
    let starts = scene.now + scene.dice.between(2, 60) * HOUR_MS;
    let session = |number: i64, from: i64, capacity: i64| {
        json!({"session": number, "starts_at": from, "ends_at": from + 2 * HOUR_MS,
            "roles": [{"role": "helper", "capacity": capacity}]})
    };
    let first = session(1, starts, scene.dice.between(1, 2));
    let second = session(2, starts + scene.dice.between(0, 3) * HOUR_MS, 1);
    json!({"title": "敬老", "type": "elder_company",
        "village": cast::village(&hand.unit, scene.dice), "sessions": [first, second]})
}

/// Signs up, or takes the next step of a sign-up.
pub fn sign_up(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let rows = hand.rows("sign_up");
    let own: Vec<(i64, &Row, Value)> = rows
        .into_iter()
        .filter(|(_, row, _)| row.author == hand.who.name)
        .collect();
    let offered = |row: &&(i64, &Row, Value)| {
        row.2.pointer("/derived/state").and_then(Value::as_str) == Some("offered")
    };
    if let Some((_, row, body)) = own.iter().find(offered)
        && scene.dice.chance(70)
    {
        return vec![step("sign_up", &row.unit, row.id, body, scene)];
    }
    if !own.is_empty() && scene.dice.chance(35) {
        let (_, row, body) = scene.dice.pick(&own);
        return vec![step("sign_up", &row.unit, row.id, body, scene)];
    }
    let (now, hasty) = (scene.now, scene.dice.chance(5));
    let open = |body: &Value| {
        let starts = body.pointer("/sessions/0/starts_at");
        hasty
            || starts
                .and_then(Value::as_i64)
                .is_some_and(|starts| starts > now)
    };
    let rows = hand.rows("activity");
    let rows = rows.iter().filter(|(.., body)| open(body));
    let activities: Vec<Uuid> = rows.map(|(_, row, _)| row.id).collect();
    let id = scene.dice.id();
    let activity = match scene.dice.any(&activities) {
        // It may be known from elsewhere and arrive later, or never.
        _ if scene.dice.chance(5) => scene.dice.id(),
        Some(activity) => activity,
        None => return Vec::new(),
    };
    let mut body = json!({"activity": activity.to_string(), "session": scene.dice.between(1, 2),
        "role": "helper", "want": "join"});
    if scene.dice.chance(12) {
        body["guardian_consent"] = json!(false);
    }
    let join = Draft::request("sign_up", &hand.unit, id, body.clone());
    if scene.dice.chance(10) {
        let leave = step("sign_up", &hand.unit, id, &body, scene);
        return vec![join, leave];
    }
    vec![join]
}

fn step(kind: &'static str, unit: &str, id: Uuid, body: &Value, scene: &mut Scene<'_>) -> Draft {
    let state = body
        .pointer("/derived/state")
        .and_then(Value::as_str)
        .unwrap_or("");
    let offer = body
        .pointer("/derived/offer")
        .and_then(Value::as_i64)
        .unwrap_or(1);
    let said = scene.dice.below(90);
    let answer = match (state, scene.dice.below(4)) {
        ("offered", 0) => json!({"want": "decline", "offer": offer}),
        ("offered", 1..=2) => json!({"want": "accept", "offer": offer}),
        _ => json!({"want": "leave", "reason": format!("有事{said}")}),
    };
    Draft::request(kind, unit, id, answer)
}

/// Needs, resources, and the links between them.
pub fn link(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let ids =
        |kind: &str| -> Vec<Uuid> { hand.rows(kind).iter().map(|(_, row, _)| row.id).collect() };
    let (needs, resources) = (ids("need"), ids("resource"));
    let id = scene.dice.id();
    match scene.dice.below(8) {
        0 => vec![Draft::create("need", &hand.unit, id, need(hand, scene))],
        1 => vec![Draft::create("resource", &hand.unit, id, resource(scene))],
        2 => patch_amount(hand, scene),
        3..=5 => {
            let known = (scene.dice.any(&needs), scene.dice.any(&resources));
            if let (Some(need), Some(resource)) = known {
                let body = link_body(need, resource, scene);
                return vec![Draft::request("link", &hand.unit, id, body)];
            }
            let (wanted, given) = (scene.dice.id(), scene.dice.id());
            vec![
                Draft::create("need", &hand.unit, wanted, need(hand, scene)),
                Draft::create("resource", &hand.unit, given, resource(scene)),
                Draft::request("link", &hand.unit, id, link_body(wanted, given, scene)),
            ]
        }
        _ => link_step(hand, scene),
    }
}

fn link_body(need: Uuid, resource: Uuid, scene: &mut Scene<'_>) -> Value {
    json!({"need": need.to_string(), "resource": resource.to_string(),
        "quantity": scene.dice.between(1, 3), "purpose": "冬衣", "want": "join"})
}

fn need(hand: &Handset, scene: &mut Scene<'_>) -> Value {
    let mut body = json!({"title": "棉被", "category": "goods",
        "quantity": scene.dice.between(1, 4), "village": cast::village(&hand.unit, scene.dice),
        "state": null});
    let clients: Vec<Uuid> = hand
        .rows("client")
        .iter()
        .map(|(_, row, _)| row.id)
        .collect();
    if let Some(client) = scene.dice.any(&clients) {
        body["client"] = json!(client.to_string());
    }
    body
}

fn resource(scene: &mut Scene<'_>) -> Value {
    json!({"title": "棉被一批", "kind": "goods", "provider": "某厂",
        "quantity": scene.dice.between(1, 4)})
}

fn patch_amount(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let kind = *scene.dice.pick(&["need", "resource"]);
    let rows = hand.rows(kind);
    let Some((_, row, _)) = scene.dice.any(&rows) else {
        return Vec::new();
    };
    let base = scene.base(row.rev);
    let draft = Draft::patch(kind, &row.unit, row.id, base);
    vec![draft.set("/quantity", scene.dice.between(1, 5))]
}

fn link_step(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let others = scene.dice.chance(10);
    let mut rows = hand.rows("link");
    rows.retain(|(_, row, _)| others || row.author == hand.who.name);
    let Some((_, row, body)) = scene.dice.any(&rows) else {
        return Vec::new();
    };
    let known = id_at(body.get("need")).is_some();
    let draft = match scene.dice.below(4) {
        0 | 1 if known => {
            let delivered = scene.dice.between(0, 4);
            let body = json!({"want": "deliver", "delivered_quantity": delivered});
            Draft::request("link", &row.unit, row.id, body)
        }
        2 => Draft::request("link", &row.unit, row.id, json!({"want": "confirm"})),
        _ => step("link", &row.unit, row.id, &body, scene),
    };
    vec![draft]
}

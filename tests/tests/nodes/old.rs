//! Clients that do not know a field erase nothing: they correct what they know, by sync and by
//! REST, and all the rest stays as others wrote it.

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_tests::actor::{Actor, Phone, send};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const STATION: &str = "430121001";
const COUNTY: &str = "430121";
const HOUR: i64 = 3_600_000;

/// A record with as many fields as one writes, who writes it, and the one field that an old client
/// knows: collection, kind, unit, body, pointer, two new values.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    Value,
    &'static str,
    [Value; 2],
);

fn rows() -> Vec<Row> {
    let visit = json!({ "no_client_reason": "集中走访", "headcount": 3, "services": ["ec_visit"],
        "method": "case", "mode": "home", "village": "430121001001", "started_at": START - 2 * HOUR,
        "ended_at": START - HOUR, "purpose": "看望老人", "process": "上门看望，量了血压。",
        "needs_found": ["meal"], "handed_over": [{ "kind": "goods", "what": "米", "quantity": 2 }],
        "referrals": ["卫生院"], "result": "情绪平稳", "outcome": { "kind": "served" } });
    let activity = json!({ "title": "陪老人过节", "type": "elder_company", "insured": true,
        "summary": "一起包粽子", "place_name": "文化广场", "contact": "站里", "age_min": 16,
        "sessions": [{ "session": 1, "starts_at": START + 48 * HOUR,
            "ends_at": START + 50 * HOUR, "roles": [{ "role": "helper", "capacity": 3 }] }] });
    vec![
        (
            "visits",
            "visit",
            STATION,
            visit,
            "/result",
            [json!("好转"), json!("平稳")],
        ),
        (
            "activities",
            "activity",
            COUNTY,
            activity,
            "/summary",
            [json!("下棋"), json!("唱歌")],
        ),
    ]
}

async fn stored(actor: &Actor, collection: &str, id: &str, unit: &str) -> Value {
    let path = format!("/v1/{collection}/{id}?unit={unit}");
    actor.get(&path).await.good()
}

/// Everything but the field and what the server derives.
fn rest(record: &Value, pointer: &str) -> Value {
    let mut body = record["body"].clone();
    let members = body.as_object_mut().expect("a body");
    members.remove(pointer.trim_start_matches('/'));
    members.remove("derived");
    body
}

async fn old_push(phone: &Phone, mutation: Value, kind: &str) -> Value {
    let client = json!({ "app": "old", "build": 1, "schemas": { kind: 1 } });
    let push = json!({ "mutations": [mutation] });
    let answer = phone
        .exchange(json!({ "client": client, "push": push }))
        .await
        .good();
    answer["push"]["verdicts"][0].clone()
}

on_both!(an_old_client_erases_nothing, |engine| {
    let harness = Harness::start(engine).await;
    for (number, (collection, kind, unit, body, pointer, [one, two])) in
        rows().into_iter().enumerate()
    {
        let author = match kind {
            "activity" => harness.organiser().await,
            _ => harness.worker(1).await,
        };
        let id = format!("01920000-0000-7000-8000-0000000000{number:02}");
        let phone = author.phone().await;
        let create =
            json!({ "n": 1, "op": "create", "kind": kind, "unit": unit, "id": id, "body": body });
        let verdict = phone.push_one(create).await;
        assert_eq!(verdict["verdict"], "accepted", "{verdict}");
        let whole = stored(&author, collection, &id, unit).await;
        for name in body.as_object().expect("members").keys() {
            assert_eq!(whole["body"][name], body[name], "{kind} keeps {name}");
        }

        let patch = json!({ "n": 1, "op": "patch", "kind": kind, "unit": unit, "id": id,
            "base": whole["rev"], "set": { pointer: one } });
        let verdict = old_push(&author.phone().await, patch, kind).await;
        assert_eq!(verdict["verdict"], "accepted", "{verdict}");
        let now = stored(&author, collection, &id, unit).await;
        assert_eq!(now["body"].pointer(pointer), Some(&one));
        assert_eq!(rest(&now, pointer), rest(&whole, pointer), "{kind} by sync");

        let path = format!("/v1/{collection}/{id}?unit={unit}");
        let patch = json!({ "unit": unit, "base": now["rev"], "set": { pointer: two } });
        let request = author
            .request(Method::PATCH, &path)
            .header("idempotency-key", "old");
        send(request.json(&patch)).await.good();
        let now = stored(&author, collection, &id, unit).await;
        assert_eq!(now["body"].pointer(pointer), Some(&two));
        assert_eq!(rest(&now, pointer), rest(&whole, pointer), "{kind} by REST");
    }
});

//! Care for people in danger and for those who do the work: incidents, order reports, appeals, and
//! the numbers that come of them.

mod appeals;
mod hidden;
mod incidents;
mod kpi;
mod ledger;
mod orders;

use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;

/// The first station of the demo's county.
pub const UNIT: &str = "430121001";
pub const HOUR: i64 = 3_600_000;

/// A write by REST: the status and the verdict.
pub async fn post(actor: &Actor, path: &str, key: &str, body: Value) -> (u16, Value) {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let reply = actor.post_raw(path, &headers, body.to_string()).await;
    let answer = reply.json();
    let verdict = match answer["verdict"].is_object() {
        true => answer["verdict"].clone(),
        false => answer,
    };
    (reply.status.as_u16(), verdict)
}

/// Every record of a collection that somebody may see in the county.
pub async fn list(actor: &Actor, collection: &str) -> Vec<Value> {
    let path = format!("/v1/{collection}?unit=430121&limit=200");
    let records = actor.get(&path).await.good()["records"].clone();
    records.as_array().cloned().expect("a list")
}

/// The body of a visit without a client.
pub fn visit(begun: i64, minutes: i64, more: &Value) -> Value {
    let mut body = json!({
        "no_client_reason": "集中走访", "services": ["ec_visit"], "started_at": begun,
        "ended_at": begun + minutes * 60_000, "process": "陪老人说话，量血压。",
        "result": "情绪平稳", "outcome": { "kind": "served" },
    });
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    body
}

/// Everything a phone of somebody pulls from the beginning, as text.
pub async fn pulled(actor: &Actor) -> String {
    let device = actor.register().await;
    let pull = json!({ "cursor": null, "sums": true, "max_bytes": 500_000 });
    let ask = json!({ "protocol": 1, "device": device, "pull": pull });
    actor.post("/v1/sync", &ask).await.text
}

//! What the routes of webhooks ask and answer.

use serde_json::{Value, json};

use super::routes::{bare, body, good, parameter};
use super::schema::{code, count, list, object, reference, text, time, unit};

/// Answers by status, under method and path.
pub fn answers() -> Vec<(&'static str, Value)> {
    let of_unit = object(
        &["webhooks"],
        json!({ "webhooks": list(reference("Webhook")) }),
    );
    let one = || good(reference("Webhook"));
    vec![
        ("GET /v1/webhooks", json!({ "200": good(of_unit) })),
        ("POST /v1/webhooks", json!({ "201": one() })),
        ("DELETE /v1/webhooks/{id}", json!({ "204": bare(&[]) })),
        ("POST /v1/webhooks/{id}/resume", json!({ "200": one() })),
    ]
}

/// Bodies, under method and path.
pub fn bodies() -> Vec<(&'static str, Value)> {
    let ask = object(&["unit", "url"], json!({ "unit": unit(), "url": text() }));
    vec![("POST /v1/webhooks", body("application/json", true, ask))]
}

/// Parameters, under method and path, but those of the path.
pub fn asked() -> Vec<(&'static str, Vec<Value>)> {
    vec![(
        "GET /v1/webhooks",
        vec![parameter("query", "unit", true, unit())],
    )]
}

/// A webhook.
pub fn webhook() -> Value {
    let required = [
        "id", "unit", "url", "state", "position", "tries", "made_by", "made_at",
    ];
    let mut shape = object(
        &required,
        json!({
            "id": text(), "unit": unit(), "url": text(), "state": code(&["active", "paused"]),
            "position": count(), "tries": count(), "made_by": text(), "made_at": time(),
            "fault": text(), "secret": text(),
        }),
    );
    shape["example"] = json!({
        "id": "w-7K2M9QX4AB", "unit": "430121", "url": "https://hub.example.cn/changed",
        "state": "active", "position": 87990, "tries": 0, "made_by": "p-officer-1",
        "made_at": 1_768_442_400_000_i64,
    });
    shape
}

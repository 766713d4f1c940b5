//! A trend is shown to the county and held against nobody.

use serde_json::{Value, json};
use xiangyi_proto::time::DAY_MS;
use xiangyi_tests::actor::{Actor, Phone};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{UNIT, id};

/// A morning on duty in an office, so many days ago.
fn on_duty(n: u32, days_ago: i64) -> Value {
    json!({ "n": n, "op": "create", "kind": "check_in", "unit": UNIT, "id": id(n),
            "occurred_at": START - days_ago * DAY_MS,
            "body": { "purpose": "duty", "phase": "in", "place": { "kind": "gov_office" } } })
}

async fn sent(phone: &Phone, days: std::ops::Range<u32>) {
    let days: Vec<Value> = days.map(|n| on_duty(n, i64::from(n))).collect();
    for verdict in phone.push(&days).await {
        // Whoever was lent hears nothing of it.
        assert_eq!(verdict["verdict"], "accepted", "{verdict}");
        assert!(verdict.get("notices").is_none(), "{verdict}");
    }
}

async fn alerts(hub: &Actor) -> Value {
    let today = hub.get("/v1/today?unit=430121").await.good();
    today["alerts"].clone()
}

on_both!(the_county_sees_who_is_lent_and_nobody_else_does, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let hub = harness.hub().await;
    sent(&phone, 1..10).await;
    assert_eq!(alerts(&hub).await, json!([]), "nine days are no trend");
    // The same day again is no further day.
    let mut again = on_duty(40, 3);
    again["occurred_at"] = json!(START - 3 * DAY_MS + 60_000);
    phone.push_one(again).await;
    assert_eq!(
        alerts(&hub).await,
        json!([]),
        "nine days and one of them twice"
    );
    phone.push_one(on_duty(41, 12)).await;
    let shown = alerts(&hub).await;
    let one = &shown[0];
    assert_eq!(
        (&one["rule"], &one["station"], &one["people"], &one["days"]),
        (&json!("NL-B01"), &json!(UNIT), &json!(1), &json!(10)),
        "{shown}"
    );
    assert!(
        one["message"]
            .as_str()
            .is_some_and(|words| words.contains("不针对社工"))
    );
    assert!(!shown.to_string().contains("p-worker-01"), "{shown}");
    // What is older than the days that count is no part of it.
    harness.clock.set(START + 25 * DAY_MS);
    let hub = harness.hub().await;
    assert_eq!(alerts(&hub).await, json!([]));
    let stranger = harness.stranger_hub().await;
    stranger
        .get("/v1/today?unit=430121")
        .await
        .problem(404, "not-found");
});

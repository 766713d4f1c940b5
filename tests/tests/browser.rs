//! The hub's page in a real Chromium: what the county sees, and what a stranger does not.

use serde_json::{Value, json};
use xiangyi_server::clock::Clock;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::browser::Browser;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;

async fn push(worker: &Actor, device: &str, n: i64, kind: &str, body: Value) -> Value {
    let now = body["ended_at"].as_i64().unwrap_or_default();
    push_at(worker, device, n, kind, body, now).await
}

async fn push_at(
    worker: &Actor,
    device: &str,
    n: i64,
    kind: &str,
    body: Value,
    occurred_at: i64,
) -> Value {
    let unit = worker.signed_in().person.roles[0].unit.clone();
    let id = format!("01920000-0000-7000-8000-{n:012x}");
    let envelope = json!({ "protocol": 1, "device": device, "push": { "mutations": [
        { "n": n, "op": "create", "kind": kind, "unit": unit, "id": id, "body": body,
          "occurred_at": occurred_at } ]}});
    worker.post("/v1/sync", &envelope).await.good()["push"]["verdicts"][0].clone()
}

fn visit(now: i64, village: &str, decision: Option<&str>) -> Value {
    json!({
        "no_client_reason": "村里集中走访", "services": ["ec_visit"], "village": village,
        "started_at": now - 3_600_000, "ended_at": now - 1_800_000,
        "process": "陪老人说话，量了血压，叮嘱按时吃药。", "result": "情绪平稳",
        "outcome": { "kind": "served", "decision": decision },
        "assigned_by": { "office": decision.map(|_| "社会事务办") },
    })
}

/// Of one or two people an officer sees no cell.
async fn two_more_are_refused(harness: &Harness, now: i64) {
    for number in 2..=3 {
        let other = harness.worker(number).await;
        let village = format!("{}001", other.signed_in().person.roles[0].unit);
        let body = visit(now - 7_200_000, &village, Some("approved"));
        let (device, n) = (other.register().await, 40 + i64::from(number));
        let refused = push(&other, &device, n, "visit", body).await;
        assert_eq!(refused["verdict"], "rejected", "{refused}");
    }
}

/// Ten days on duty in an office.
async fn lent(worker: &Actor, device: &str, now: i64) {
    for day in 1..=10 {
        let duty = json!({ "purpose": "duty", "phase": "in", "place": { "kind": "gov_office" } });
        let at = now - day * 86_400_000;
        push_at(worker, device, 10 + day, "check_in", duty, at).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_county_sees_its_field_work() {
    let harness = Harness::with_clock(Engine::Sqlite, Clock::system()).await;
    let worker = harness.worker(1).await;
    let device = worker.register().await;
    let now = harness.clock.now();
    let village = format!("{}001", worker.signed_in().person.roles[0].unit);
    let browser = Browser::start().await;
    browser.open(&format!("{}/hub/", harness.base())).await;
    browser.type_into("telephone", "13800000201").await;
    browser.type_into("password", "wrong-password").await;
    browser.click("sign-in").await;
    browser.wait_for("problem", "密码").await;
    browser.open(&format!("{}/hub/", harness.base())).await;
    browser.type_into("telephone", "13800000201").await;
    browser.type_into("password", "xiangyi-demo").await;
    browser.click("sign-in").await;
    browser
        .wait("document.querySelector('[data-state=\"live\"]') !== null")
        .await;
    // A station never heard from is unknown, not zero.
    browser.wait_for("station-row", "未知").await;

    let accepted = push(&worker, &device, 1, "visit", visit(now, &village, None)).await;
    assert_eq!(accepted["verdict"], "accepted", "{accepted}");
    browser
        .wait("document.querySelector('[data-test=\"feed-row\"][data-kind=\"visit\"]')")
        .await;
    browser
        .wait("document.querySelector('[data-test=\"village-row\"]')")
        .await;
    let feed = browser.text("feed-row").await;
    assert!(
        !feed.contains("血压"),
        "no narrative reaches the board: {feed}"
    );

    let body = visit(now - 7_200_000, &village, Some("approved"));
    let refused = push(&worker, &device, 2, "visit", body).await;
    assert_eq!(refused["verdict"], "rejected", "{refused}");
    two_more_are_refused(&harness, now).await;
    // What still waits on a phone is told, so that a quiet phone is not read as an idle one.
    let said = json!({ "protocol": 1, "device": device,
        "unsent": { "records": 12, "photos": 3, "oldest_ms": 10_800_000 } });
    worker.post("/v1/sync", &said).await.good();
    let body = visit(now - 14_400_000, &village, None);
    push(&worker, &device, 3, "visit", body).await;
    browser.wait_for("station-row", "12 条待上传").await;
    browser.wait_for("refusal-row", "行动方案").await;
    lent(&worker, &device, now).await;
    push(
        &worker,
        &device,
        30,
        "visit",
        visit(now - 21_600_000, &village, None),
    )
    .await;
    browser.wait_for("alert-row", "1 人近 31 天里").await;
    browser.click("lang").await;
    browser
        .wait("document.documentElement.lang.startsWith('en')")
        .await;
    browser.wait_for("connection", "ive").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volunteer_has_no_board() {
    let harness = Harness::with_clock(Engine::Sqlite, Clock::system()).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/hub/", harness.base())).await;
    browser.type_into("telephone", "13800000301").await;
    browser.type_into("password", "xiangyi-demo").await;
    browser.click("sign-in").await;
    browser
        .wait("document.body.dataset.view === 'no-county'")
        .await;
    assert_eq!(browser.text("station-row").await, "");
}

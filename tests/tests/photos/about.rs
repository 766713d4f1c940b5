//! What the camera wrote, told beside the visit to its author and to reviewers.

use serde_json::{Value, json};
use sqlx::query_scalar;
use xiangyi_server::on;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{ROADSIDE, UNIT, hash};

const PLAIN: &[u8] = include_bytes!("../../data/photos/village-room.jpg");

/// Sends a photograph and a visit to a village that shows it.
async fn shown(harness: &Harness, bytes: &[u8], village: &str, last: &str) -> Actor {
    let phone = harness.worker(1).await.phone().await;
    let id = format!("01920000-0000-7000-8000-0000000000{last}");
    let body = json!({
        "no_client_reason": "集中走访", "services": ["ec_visit"], "process": "看望老人",
        "started_at": START - 3_600_000, "ended_at": START - 60_000, "result": "平稳",
        "outcome": { "kind": "served" }, "village": village,
        "photos": [{ "sha256": hash(bytes), "bytes": bytes.len(), "mime": "image/jpeg" }],
    });
    let verdict = phone
        .push_one(
            json!({ "n": 1, "op": "create", "kind": "visit", "unit": UNIT, "id": id,
                          "body": body }),
        )
        .await;
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
    let sent = phone.actor.upload(bytes, "image/jpeg", UNIT).await;
    assert_eq!(sent.status, 204, "{}", sent.text);
    phone.actor
}

fn path(bytes: &[u8], more: &str) -> String {
    format!("/v1/photos/{}/about?unit={UNIT}{more}", hash(bytes))
}

fn codes(about: &Value) -> Vec<&str> {
    let findings = about["sent"][0]["records"][0]["findings"].as_array();
    let findings = findings.unwrap_or_else(|| panic!("findings: {about}"));
    findings
        .iter()
        .filter_map(|one| one["code"].as_str())
        .collect()
}

on_both!(what_the_camera_wrote_is_told_beside_the_visit, |engine| {
    let harness = Harness::start(engine).await;
    let author = shown(&harness, ROADSIDE, "430121001001", "f1").await;
    let about = author.get(&path(ROADSIDE, "")).await.good();
    // The clock of the test stands ten months before the moment in the picture.
    let camera = &about["sent"][0]["camera"];
    assert_eq!(camera["taken_at"], 1_795_158_175_000_i64, "{about}");
    assert_eq!(
        (&camera["maker"], &camera["has_place"]),
        (&json!("Xiangyi Optical"), &json!(true))
    );
    let found = codes(&about);
    assert!(found.contains(&"taken_later"), "{about}");
    let later = about["sent"][0]["records"][0]["findings"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["code"] == "taken_later").cloned());
    assert_eq!(later.expect("found")["amount"], 309);
    for secret in ["28.24", "282468", "CANARY", "Paddy"] {
        assert!(!about.to_string().contains(secret), "{about}");
    }

    let reviewer = harness.reviewer(1).await;
    let fault = reviewer
        .get(&path(ROADSIDE, ""))
        .await
        .problem(400, "invalid-parameter");
    assert_eq!(fault["errors"][0]["pointer"], "/reason");
    let told = reviewer
        .get(&path(ROADSIDE, "&reason=核对走访"))
        .await
        .good();
    assert_eq!(told, about, "the same for both");
    let mut tx = harness.app.db.read().await.expect("begin");
    let reasons: Vec<String> = on!(&mut tx, |c| query_scalar("SELECT reason FROM read_log")
        .fetch_all(c)
        .await)
    .expect("read");
    assert_eq!(reasons, ["核对走访"], "noted as a reading");
    for other in [
        harness.worker(2).await,
        harness.lead().await,
        harness.hub().await,
    ] {
        let path = path(ROADSIDE, "&reason=看看");
        other.get(&path).await.problem(404, "not-found");
    }
});

on_both!(a_picture_that_says_nothing_has_no_finding, |engine| {
    let harness = Harness::start(engine).await;
    let author = shown(&harness, PLAIN, "430121001001", "f2").await;
    let about = author.get(&path(PLAIN, "")).await.good();
    assert_eq!(about["sent"][0]["camera"], Value::Null);
    assert!(codes(&about).is_empty(), "{about}");
    assert_eq!(about["sent"][0]["width"], 1_600);
    let none = path(b"nothing", "");
    author.get(&none).await.problem(404, "not-found");
    author
        .get("/v1/photos/xyz/about?unit=430121001")
        .await
        .problem(404, "not-found");
});

on_both!(what_the_camera_wrote_is_sealed_at_rest, |engine| {
    let harness = Harness::start(engine).await;
    shown(&harness, ROADSIDE, "430121001001", "f3").await;
    let mut tx = harness.app.db.read().await.expect("begin");
    let sealed: Option<Vec<u8>> = on!(&mut tx, |c| query_scalar("SELECT camera FROM photo")
        .fetch_one(c)
        .await)
    .expect("read");
    let sealed = sealed.expect("there");
    assert!(
        !sealed
            .windows(4)
            .any(|part| part == b"1795" || part == b"Xian")
    );
});

//! After a merge both entries are one human being: to photographs, to rules that take two persons,
//! and to a request that was under way.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xiangyi_proto::ids::Shard;
use xiangyi_server::moves::{self, By, Move};
use xiangyi_server::writer::Work;
use xiangyi_sync::admit::{Sender, admit};
use xiangyi_tests::actor::{Actor, Reply};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{ACTIVITY, COUNTY, HOUR, UNIT, activity, post, sign_up};

const ROADSIDE: &[u8] = include_bytes!("../../data/photos/exif-roadside.jpg");
const EDGE: &str = "----xiangyi7731";

/// Whoever holds the machine may merge anybody.
async fn merged(harness: &Harness, from: &str, into: &str) {
    let what = Move::Person {
        person: from.to_owned(),
        into: into.to_owned(),
        reason: "登记了两次".to_owned(),
        dry_run: false,
    };
    let moved = moves::run(&harness.app, By::Operator, &what).await;
    moved.expect("merged");
}

fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-00000000f{number:03}")
}

fn sha() -> String {
    hex::encode(Sha256::digest(ROADSIDE))
}

fn visit(number: u32, more: &Value) -> Value {
    let mut body = json!({ "no_client_reason": "集中走访", "services": ["ec_visit"],
        "process": "看望老人", "started_at": START - 3 * HOUR, "ended_at": START - 2 * HOUR,
        "result": "平稳", "outcome": { "kind": "served" } });
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    json!({ "unit": UNIT, "id": id(number), "body": body })
}

fn photographed() -> Value {
    json!({ "photos": [{ "sha256": sha(), "bytes": ROADSIDE.len(), "mime": "image/jpeg",
        "source": "camera" }] })
}

async fn send_photo(who: &Actor) {
    let mut form = Vec::new();
    for (name, value) in [("sha256", sha().as_str()), ("unit", UNIT)] {
        let part = format!(
            "--{EDGE}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        form.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{EDGE}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\
         content-type: image/jpeg\r\n\r\n"
    );
    form.extend_from_slice(head.as_bytes());
    form.extend_from_slice(ROADSIDE);
    form.extend_from_slice(format!("\r\n--{EDGE}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={EDGE}");
    let headers = [("content-type", kind.as_str())];
    let sent = who.post_raw("/v1/photos/small", &headers, form).await;
    sent.good();
}

/// What a reviewer reads of a visit and of its photograph.
async fn evidence(harness: &Harness, number: u32) -> (Value, u16) {
    let reviewer = harness.reviewer(1).await;
    let path = format!("/v1/visits/{}?unit={UNIT}", id(number));
    let row = reviewer.get(&path).await.good();
    let path = format!("/v1/photos/{}?as=original&unit={UNIT}&reason=check", sha());
    let read = reviewer.request(reqwest::Method::GET, &path).send().await;
    let status = read.expect("answered").status().as_u16();
    (row["body"]["derived"]["evidence"].clone(), status)
}

on_both!(
    a_photograph_that_comes_after_completes_the_visit,
    |engine| {
        let harness = Harness::start(engine).await;
        let ask = visit(1, &photographed());
        post(&harness.worker(1).await, "/v1/visits", "a", ask).await;
        merged(&harness, "p-worker-01", "p-worker-02").await;
        assert_eq!(evidence(&harness, 1).await, (json!("pending"), 404));
        send_photo(&harness.worker(1).await).await;
        assert_eq!(evidence(&harness, 1).await, (json!("complete"), 200));
    }
);

on_both!(a_photograph_that_came_before_is_the_persons, |engine| {
    let harness = Harness::start(engine).await;
    send_photo(&harness.worker(1).await).await;
    merged(&harness, "p-worker-01", "p-worker-03").await;
    let ask = visit(1, &photographed());
    post(&harness.worker(3).await, "/v1/visits", "a", ask).await;
    assert_eq!(evidence(&harness, 1).await, (json!("complete"), 200));
});

async fn try_post(who: &Actor, path: &str, key: &str, body: &Value) -> Reply {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    who.post_raw(path, &headers, body.to_string()).await
}

fn review(number: u32, decision: &str) -> Value {
    json!({ "unit": COUNTY, "body": { "record": id(number), "decision": decision,
        "reason": "看过" } })
}

fn handed_over() -> Value {
    json!({ "handed_over": [{ "kind": "bank_card", "what": "社保卡" }] })
}

on_both!(
    nobody_reviews_what_they_made_under_another_entry,
    |engine| {
        let harness = Harness::start(engine).await;
        let worker = harness.worker(1).await;
        let held = try_post(&worker, "/v1/visits", "a", &visit(1, &handed_over())).await;
        assert_eq!(held.status, 202, "{}", held.text);
        post(
            &worker,
            "/v1/visits",
            "b",
            visit(
                2,
                &json!({ "started_at": START - 9 * HOUR,
        "ended_at": START - 8 * HOUR }),
            ),
        )
        .await;
        // A colleague was there.
        post(
            &harness.worker(2).await,
            "/v1/visits",
            "c",
            visit(
                3,
                &json!({
        "co_workers": ["p-worker-01"], "process": "陪老人说话", "started_at": START - 6 * HOUR,
        "ended_at": START - 5 * HOUR }),
            ),
        )
        .await;
        merged(&harness, "p-worker-01", "p-reviewer-1").await;
        let (own, other) = (harness.reviewer(1).await, harness.reviewer(2).await);
        for (number, decision) in [(1, "release"), (2, "approve"), (3, "approve")] {
            let key = format!("r{number}");
            let said = try_post(&own, "/v1/reviews", &key, &review(number, decision)).await;
            assert!(
                said.text.contains("second-reviewer"),
                "{number}: {}",
                said.text
            );
            let key = format!("s{number}");
            let said = try_post(&other, "/v1/reviews", &key, &review(number, decision)).await;
            assert_eq!(said.status, 201, "{number}: {}", said.text);
        }
    }
);

on_both!(
    nobody_decides_an_appeal_who_refused_under_another_entry,
    |engine| {
        let harness = Harness::start(engine).await;
        let worker = harness.worker(1).await;
        let ask = visit(1, &handed_over());
        let held = try_post(&worker, "/v1/visits", "a", &ask).await;
        assert_eq!(held.status, 202, "{}", held.text);
        post(
            &harness.reviewer(1).await,
            "/v1/reviews",
            "b",
            review(1, "refuse"),
        )
        .await;
        let receipts = worker
            .get(&format!("/v1/refusals?unit={UNIT}"))
            .await
            .good();
        let refusal = receipts["records"][0]["id"].clone();
        let appeal = json!({ "unit": UNIT, "id": id(1), "refusal": refusal, "reason": "当场归还",
        "body": ask["body"] });
        let held = try_post(&worker, "/v1/visits", "c", &appeal).await;
        assert_eq!(held.status, 202, "{}", held.text);
        merged(&harness, "p-reviewer-1", "p-reviewer-2").await;
        let second = harness.reviewer(2).await;
        let said = try_post(&second, "/v1/reviews", "d", &review(1, "changed")).await;
        assert!(said.text.contains("second-reviewer"), "{}", said.text);
    }
);

on_both!(nobody_publishes_what_their_other_entry_proposed, |engine| {
    let harness = Harness::start(engine).await;
    let pack = json!({ "pack": COUNTY, "version": 1,
        "effective": { "from": "2026-02-01", "to": null },
        "rules": [{ "id": "430121-1", "title": { "zh": "规定", "en": "a rule" },
            "clause": "县规 一", "basis": { "practice": "试行" }, "kinds": ["need"],
            "when": "true", "verdict": "hold", "instead": ["appeal"],
            "message": { "zh": "这里不收。", "en": "Not here." } }] });
    let hub = harness.hub().await;
    hub.post("/v1/packs", &json!({ "document": pack }))
        .await
        .good();
    merged(&harness, &hub.signed_in().person.id, "p-reviewer-1").await;
    let path = format!("/v1/packs/{COUNTY}/1/publish");
    let own = harness.reviewer(1).await;
    let said = own.post(&path, &json!({})).await;
    assert!(said.text.contains("second-person"), "{}", said.text);
    harness
        .reviewer(2)
        .await
        .post(&path, &json!({}))
        .await
        .good();
});

on_both!(
    a_place_asked_for_during_the_merge_is_the_persons,
    |engine| {
        let harness = Harness::start(engine).await;
        activity(&harness, 1).await;
        let phone = harness.volunteer(1).await.phone().await;
        merged(&harness, "p-volunteer-01", "p-volunteer-02").await;
        // Signed in before, written after.
        let raw = json!({ "n": 1, "op": "request", "kind": "sign_up", "unit": COUNTY, "id": id(1),
        "body": { "activity": ACTIVITY, "session": 1, "role": "helper", "want": "join" } });
        let raw = serde_json::value::to_raw_value(&raw).expect("JSON");
        let sender = Sender {
            person: "p-volunteer-01".to_owned(),
            device: phone.device.clone(),
            clock: None,
            received_at: harness.clock.now(),
        };
        let item = admit(&raw, &sender, &harness.app.writer.packs()).expect("a number");
        let done = harness
            .app
            .writer
            .write(Shard(430_121), Work::Items(vec![item]))
            .await;
        assert!(format!("{done:?}").contains("Accepted"), "{done:?}");
        let person = harness.volunteer(2).await;
        assert_eq!(sign_up(&person, &id(1)).await, "confirmed");
        // It is no second place, and no second person.
        let ask = json!({ "unit": COUNTY, "body": { "activity": ACTIVITY, "session": 1,
        "role": "helper", "want": "join" } });
        let said = try_post(&person, "/v1/sign-ups", "x", &ask).await;
        assert!(said.text.contains("already-signed-up"), "{}", said.text);
    }
);

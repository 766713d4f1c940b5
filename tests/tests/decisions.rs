//! How a refusal or a hold ends: split, working time, appeal, review, and a substitute for a
//! client. Each by REST on both engines, read back as the people concerned see it.

use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const UNIT: &str = "430121001";
const HOUR: i64 = 3_600_000;

async fn post(actor: &Actor, path: &str, key: &str, body: Value) -> (u16, Value) {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let reply = actor.post_raw(path, &headers, body.to_string()).await;
    let answer = reply.json();
    let verdict = if answer["verdict"].is_object() {
        answer["verdict"].clone()
    } else {
        answer
    };
    (reply.status.as_u16(), verdict)
}

fn visit(begun: i64, minutes: i64, more: Value) -> Value {
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

fn approved() -> Value {
    json!({ "outcome": { "kind": "served", "decision": "approved" },
            "assigned_by": { "office": "社会事务办" } })
}

async fn list(actor: &Actor, collection: &str) -> Vec<Value> {
    let path = format!("/v1/{collection}?unit={UNIT}&limit=200");
    actor.get(&path).await.good()["records"]
        .as_array()
        .cloned()
        .expect("a list")
}

on_both!(a_refused_visit_is_split, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let begun = START - 5 * HOUR;
    let id = "01920000-0000-7000-8000-00000000d001";
    let refused = json!({ "unit": UNIT, "id": id, "body": visit(begun, 90, approved()) });
    let (status, verdict) = post(&worker, "/v1/visits", "a", refused).await;
    assert_eq!(
        (status, &verdict["verdict"]),
        (422, &json!("rejected")),
        "{verdict}"
    );
    let refusal = verdict["refusal"].as_str().expect("a receipt").to_owned();
    assert!(
        verdict["instead"]
            .as_array()
            .expect("ways on")
            .contains(&json!("split"))
    );

    // Together they may be as long as what was refused, and no longer.
    let time = |minutes: i64| {
        json!({ "unit": UNIT, "body": {
        "class": "administrative", "minutes": minutes, "day": "2026-01-15", "refusal": refusal,
        "office": "社会事务办" } })
    };
    let (status, verdict) = post(&worker, "/v1/work-times", "b", time(91)).await;
    assert_eq!(
        (status, &verdict["rule"]["id"]),
        (422, &json!("split-minutes")),
        "{verdict}"
    );
    let (status, verdict) = post(&worker, "/v1/work-times", "c", time(30)).await;
    assert_eq!(status, 201, "{verdict}");
    let cleaned =
        |minutes: i64| json!({ "unit": UNIT, "id": id, "body": visit(begun, minutes, json!({})) });
    let (status, verdict) = post(&worker, "/v1/visits", "d", cleaned(61)).await;
    assert_eq!(
        (status, &verdict["rule"]["id"]),
        (422, &json!("split-minutes")),
        "{verdict}"
    );
    let (status, verdict) = post(&worker, "/v1/visits", "e", cleaned(60)).await;
    assert_eq!(status, 201, "{verdict}");
    let receipt = worker
        .get(&format!("/v1/refusals/{refusal}?unit={UNIT}"))
        .await
        .good();
    assert_eq!(receipt["body"]["state"], "split", "{receipt}");
    // A split closes the appeal.
    let appeal = json!({ "unit": UNIT, "id": id, "refusal": refusal, "reason": "是陪同",
                         "body": visit(begun, 90, approved()) });
    let (status, verdict) = post(&worker, "/v1/visits", "f", appeal).await;
    assert_eq!(status, 422, "{verdict}");
});

on_both!(an_appeal_is_granted_and_the_working_time_goes, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let reviewer = harness.reviewer(1).await;
    let id = "01920000-0000-7000-8000-00000000d002";
    let body = visit(START - 5 * HOUR, 60, approved());
    let (_, verdict) = post(
        &worker,
        "/v1/visits",
        "a",
        json!({ "unit": UNIT, "id": id, "body": body }),
    )
    .await;
    let refusal = verdict["refusal"].as_str().expect("a receipt").to_owned();
    let time = json!({ "unit": UNIT, "body": { "class": "administrative", "minutes": 60,
        "day": "2026-01-15", "refusal": refusal } });
    let (_, refiled) = post(&worker, "/v1/work-times", "b", time).await;
    let refiled = refiled["id"].as_str().expect("an id").to_owned();
    let appeal = json!({ "unit": UNIT, "id": id, "refusal": refusal, "reason": "我只是转告",
                         "body": body });
    let (status, verdict) = post(&worker, "/v1/visits", "c", appeal.clone()).await;
    assert_eq!(
        (status, &verdict["for"]),
        (202, &json!("review")),
        "{verdict}"
    );
    let (status, verdict) = post(&worker, "/v1/visits", "c2", appeal).await;
    assert_eq!(status, 422, "once per refusal: {verdict}");

    let review = |decision: &str| {
        json!({ "unit": "430121", "body": {
        "record": id, "decision": decision, "reason": "确系转告，不是审批" } })
    };
    let (status, _) = post(&worker, "/v1/reviews", "d", review("changed")).await;
    assert_eq!(status, 422, "a worker reviews nothing");
    let (status, verdict) = post(&reviewer, "/v1/reviews", "e", review("release")).await;
    assert_eq!(status, 422, "an appeal is not released: {verdict}");
    let (status, verdict) = post(&reviewer, "/v1/reviews", "f", review("changed")).await;
    assert_eq!(status, 201, "{verdict}");

    let stored = worker
        .get(&format!("/v1/visits/{id}?unit={UNIT}"))
        .await
        .good();
    assert_eq!(stored["body"]["state"], "submitted", "{stored}");
    let gone = worker
        .get(&format!("/v1/work-times/{refiled}?unit={UNIT}"))
        .await;
    gone.problem(404, "not-found");
    let receipt = worker
        .get(&format!("/v1/refusals/{refusal}?unit={UNIT}"))
        .await
        .good();
    assert_eq!(receipt["body"]["state"], "overturned", "{receipt}");
    assert!(list(&worker, "held").await.is_empty());
});

on_both!(a_hold_is_released_by_another_and_only_once, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let (first, second) = (harness.reviewer(1).await, harness.reviewer(2).await);
    let id = "01920000-0000-7000-8000-00000000d003";
    let card = json!({ "handed_over": [{ "kind": "bank_card", "what": "社保卡" }] });
    let body = visit(START - 5 * HOUR, 60, card);
    let (status, verdict) = post(
        &worker,
        "/v1/visits",
        "a",
        json!({ "unit": UNIT, "id": id, "body": body }),
    )
    .await;
    assert_eq!(
        (status, &verdict["for"]),
        (202, &json!("review")),
        "{verdict}"
    );
    assert_eq!(
        list(&first, "held").await.len(),
        1,
        "reviewers see it whole"
    );
    assert!(
        list(&harness.hub().await, "held").await.is_empty(),
        "the officer does not"
    );
    let review = json!({ "unit": "430121", "body": {
        "record": id, "decision": "release", "reason": "当场交还本人" } });
    let (status, verdict) = post(&first, "/v1/reviews", "b", review.clone()).await;
    assert_eq!(status, 201, "{verdict}");
    let (status, verdict) = post(&second, "/v1/reviews", "c", review).await;
    assert_eq!(status, 422, "there is nothing left to decide: {verdict}");
    let stored = worker
        .get(&format!("/v1/visits/{id}?unit={UNIT}"))
        .await
        .good();
    assert_eq!(stored["rev"], 1);
    assert!(list(&first, "held").await.is_empty());
});

on_both!(a_substitute_sees_the_client_for_the_days, |engine| {
    let harness = Harness::start(engine).await;
    let (worker, other) = (harness.worker(1).await, harness.worker(2).await);
    let lead = harness.lead().await;
    let client = "01920000-0000-7000-8000-00000000d004";
    let card = json!({ "unit": UNIT, "id": client, "body": {
        "name": "谭某", "village": "430121001001", "categories": ["独居老人"] } });
    let (status, verdict) = post(&worker, "/v1/clients", "a", card).await;
    assert_eq!(status, 201, "{verdict}");
    let visit = json!({ "unit": UNIT, "id": "01920000-0000-7000-8000-00000000d005",
        "body": visit(START - 5 * HOUR, 60, json!({ "client": client })) });
    let (status, verdict) = post(&worker, "/v1/visits", "b", visit).await;
    assert_eq!(status, 201, "{verdict}");
    other
        .get(&format!("/v1/clients/{client}?unit={UNIT}"))
        .await
        .problem(404, "not-found");

    let from = START + HOUR;
    let substitute = json!({ "unit": UNIT, "base": 1, "add": { "/workers": [
        { "person": "p-worker-02", "from": from, "to": from + 24 * HOUR, "reason": "休假" } ]}});
    let path = format!("/v1/clients/{client}");
    let patched = xiangyi_tests::actor::send(
        lead.request(reqwest::Method::PATCH, &path)
            .header("idempotency-key", "c")
            .json(&substitute),
    )
    .await;
    patched.good();
    other
        .get(&format!("/v1/clients/{client}?unit={UNIT}"))
        .await
        .problem(404, "not-found");
    // The timer that the patch left moves the card and the visits when the day comes.
    harness.clock.set(from + 1);
    xiangyi_server::ticker::fire_due(&harness.app)
        .await
        .expect("timers fire");
    let other = harness.worker(2).await;
    other
        .get(&format!("/v1/clients/{client}?unit={UNIT}"))
        .await
        .good();
    let visits = list(&other, "visits").await;
    assert!(
        visits
            .iter()
            .any(|visit| visit["body"]["process"].is_string()),
        "{visits:?}"
    );
    harness.clock.set(from + 25 * HOUR);
    xiangyi_server::ticker::fire_due(&harness.app)
        .await
        .expect("timers fire");
    let other = harness.worker(2).await;
    other
        .get(&format!("/v1/clients/{client}?unit={UNIT}"))
        .await
        .problem(404, "not-found");
    let visits = list(&other, "visits").await;
    assert!(
        visits
            .iter()
            .all(|visit| visit["body"]["process"].is_null()),
        "{visits:?}"
    );
});

on_both!(a_freed_place_is_offered_and_passed_on, |engine| {
    let harness = Harness::start(engine).await;
    let leader = harness.organiser().await;
    let activity = "01920000-0000-7000-8000-00000000d006";
    let body = json!({ "unit": "430121", "id": activity, "body": {
        "title": "陪老人过节", "type": "elder_company", "insured": true, "sessions": [
            { "session": 1, "starts_at": START + 48 * HOUR, "ends_at": START + 50 * HOUR,
              "roles": [{ "role": "helper", "capacity": 1 }] } ] } });
    let (status, verdict) = post(&leader, "/v1/activities", "a", body).await;
    assert_eq!(status, 201, "{verdict}");
    let mut signed = Vec::new();
    for number in 1..=3 {
        let volunteer = harness.volunteer(number).await;
        let join = json!({ "unit": "430121", "body": {
            "activity": activity, "session": 1, "role": "helper", "want": "join" } });
        let (status, verdict) = post(&volunteer, "/v1/sign-ups", "a", join).await;
        assert_eq!(status, 201, "{verdict}");
        signed.push((volunteer, verdict["id"].as_str().expect("an id").to_owned()));
        let state = if number == 1 { "confirmed" } else { "waiting" };
        assert_eq!(verdict["derived"]["state"], state, "{verdict}");
    }
    let step = |id: &str, body: Value| json!({ "unit": "430121", "id": id, "body": body });
    let leave = step(
        &signed[0].1,
        json!({ "want": "leave", "reason": "临时有事" }),
    );
    let (status, verdict) = post(&signed[0].0, "/v1/sign-ups", "b", leave).await;
    assert_eq!(status, 201, "{verdict}");
    let path = |n: usize| format!("/v1/sign-ups/{}?unit=430121", signed[n].1);
    let offered = signed[1].0.get(&path(1)).await.good();
    assert_eq!(offered["body"]["derived"]["state"], "offered", "{offered}");
    let accept_by = offered["body"]["derived"]["accept_by"]
        .as_i64()
        .expect("a time");
    // Nobody takes it in time: it goes to the next, and the first is too late.
    harness.clock.set(accept_by + 2);
    xiangyi_server::ticker::fire_due(&harness.app)
        .await
        .expect("timers fire");
    let volunteer = harness.volunteer(3).await;
    let next = volunteer.get(&path(2)).await.good();
    assert_eq!(next["body"]["derived"]["state"], "offered", "{next}");
    let late = harness.volunteer(2).await;
    let accept = step(&signed[1].1, json!({ "want": "accept", "offer": 1 }));
    let (status, verdict) = post(&late, "/v1/sign-ups", "c", accept).await;
    assert_eq!(
        (status, &verdict["rule"]["id"]),
        (422, &json!("offer-passed")),
        "{verdict}"
    );
    let offer = next["body"]["derived"]["offer"].clone();
    let accept = step(&signed[2].1, json!({ "want": "accept", "offer": offer }));
    let (status, verdict) = post(&volunteer, "/v1/sign-ups", "c", accept).await;
    assert_eq!(
        (status, &verdict["derived"]["state"]),
        (201, &json!("confirmed")),
        "{verdict}"
    );
});

on_both!(an_appeal_is_turned_down_and_the_refusal_stands, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let reviewer = harness.reviewer(1).await;
    let id = "01920000-0000-7000-8000-00000000d011";
    let body = visit(START - 5 * HOUR, 60, approved());
    let ask = json!({ "unit": UNIT, "id": id, "body": body });
    let (_, verdict) = post(&worker, "/v1/visits", "a", ask).await;
    let refusal = verdict["refusal"].as_str().expect("a receipt").to_owned();
    let appeal = json!({ "unit": UNIT, "id": id, "refusal": refusal, "reason": "我只是转告",
                         "body": body });
    assert_eq!(post(&worker, "/v1/visits", "b", appeal).await.0, 202);
    let upheld = json!({ "unit": "430121", "body": {
        "record": id, "decision": "upheld", "reason": "写明由本人审批" } });
    let (status, verdict) = post(&reviewer, "/v1/reviews", "c", upheld).await;
    assert_eq!(status, 201, "{verdict}");
    let receipt = format!("/v1/refusals/{refusal}?unit={UNIT}");
    assert_eq!(worker.get(&receipt).await.good()["body"]["state"], "upheld");
    let stored = worker.get(&format!("/v1/visits/{id}?unit={UNIT}")).await;
    stored.problem(404, "not-found");
    assert!(list(&worker, "held").await.is_empty());
    // The minutes count all the same, and the matter is closed.
    let time = json!({ "unit": UNIT, "body": { "class": "administrative", "minutes": 60,
        "day": "2026-01-15", "refusal": refusal } });
    assert_eq!(post(&worker, "/v1/work-times", "d", time).await.0, 201);
    let receipt = worker.get(&receipt).await.good();
    assert_eq!(receipt["body"]["state"], "upheld", "{receipt}");
    let appeal = json!({ "unit": UNIT, "id": id, "refusal": refusal, "reason": "再看一次",
                         "body": body });
    assert_eq!(post(&worker, "/v1/visits", "e", appeal).await.0, 422);
});

on_both!(
    a_hold_is_refused_with_a_receipt_and_may_be_appealed,
    |engine| {
        let harness = Harness::start(engine).await;
        let worker = harness.worker(1).await;
        let (first, second) = (harness.reviewer(1).await, harness.reviewer(2).await);
        let id = "01920000-0000-7000-8000-00000000d012";
        let card = json!({ "handed_over": [{ "kind": "bank_card", "what": "社保卡" }] });
        let body = visit(START - 5 * HOUR, 60, card);
        let ask = json!({ "unit": UNIT, "id": id, "body": body });
        assert_eq!(post(&worker, "/v1/visits", "a", ask).await.0, 202);
        let review = |decision: &str| {
            json!({ "unit": "430121", "body": {
            "record": id, "decision": decision, "reason": "卡仍在工作人员手中" } })
        };
        let (status, verdict) = post(&first, "/v1/reviews", "b", review("refuse")).await;
        assert_eq!(status, 201, "{verdict}");
        let receipts = list(&worker, "refusals").await;
        assert_eq!(receipts.len(), 1, "{receipts:?}");
        assert_eq!(receipts[0]["body"]["pack"], "review");
        let appeal = json!({ "unit": UNIT, "id": id, "refusal": receipts[0]["id"],
                         "reason": "当场归还", "body": body });
        let (status, verdict) = post(&worker, "/v1/visits", "c", appeal).await;
        assert_eq!(status, 202, "{verdict}");
        let (status, verdict) = post(&first, "/v1/reviews", "d", review("changed")).await;
        let told = (status, &verdict["rule"]["id"]);
        assert_eq!(told, (422, &json!("second-reviewer")), "{verdict}");
        let (status, verdict) = post(&second, "/v1/reviews", "e", review("list_wrong")).await;
        assert_eq!(status, 201, "{verdict}");
        let stored = worker.get(&format!("/v1/visits/{id}?unit={UNIT}")).await;
        assert_eq!(stored.good()["body"]["state"], "submitted");
    }
);

on_both!(a_visit_is_returned_corrected_and_approved, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let reviewer = harness.reviewer(1).await;
    let id = "01920000-0000-7000-8000-00000000d013";
    let path = format!("/v1/visits/{id}?unit={UNIT}");
    let body = visit(START - 5 * HOUR, 60, json!({}));
    let ask = json!({ "unit": UNIT, "id": id, "body": body });
    assert_eq!(post(&worker, "/v1/visits", "a", ask).await.0, 201);
    let review = |decision: &str| {
        json!({ "unit": "430121", "body": {
            "record": id, "decision": decision, "reason": "请补写结果" } })
    };
    let patch = |key: &'static str, base: i64, text: &str| {
        let ask = json!({ "unit": UNIT, "base": base, "set": { "/result": text } });
        let request = worker.request(reqwest::Method::PATCH, &format!("/v1/visits/{id}"));
        xiangyi_tests::actor::send(request.header("idempotency-key", key).json(&ask))
    };
    assert_eq!(
        post(&reviewer, "/v1/reviews", "b", review("return"))
            .await
            .0,
        201
    );
    let returned = worker.get(&path).await.good();
    assert_eq!(returned["body"]["state"], "returned", "{returned}");
    let rev = returned["rev"].as_i64().expect("a revision");
    patch("c", rev, "血压平稳，已约下次").await.good();
    let again = worker.get(&path).await.good();
    assert_eq!(again["body"]["state"], "submitted", "{again}");
    assert_eq!(
        post(&reviewer, "/v1/reviews", "d", review("approve"))
            .await
            .0,
        201
    );
    let approved = worker.get(&path).await.good();
    assert_eq!(approved["body"]["state"], "approved", "{approved}");
    let rev = approved["rev"].as_i64().expect("a revision");
    let locked = patch("e", rev, "再改一改").await;
    let problem = locked.problem(422, "record-rejected");
    assert_eq!(problem["verdict"]["rule"]["id"], "locked", "{problem}");
});

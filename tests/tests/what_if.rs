//! What would change under a rule pack: tried on what is stored, in the background, told by ids.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xiangyi_proto::pack::PackDoc;
use xiangyi_proto::role::Role;
use xiangyi_server::law::what_if::{Period, WhatIf};
use xiangyi_server::store::people::{self, NewGrant};
use xiangyi_sync::policy;
use xiangyi_tests::actor::{Actor, Phone};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const UNIT: &str = "430121001";
const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

/// A county's pack of these rules: id, kinds, test, verdict.
fn county(rules: &[(&str, &str, Value, &str)]) -> Value {
    let rule = |(id, kind, test, verdict): &(&str, &str, Value, &str)| {
        let mut rule = json!({ "id": format!("430121-{id}"), "title": { "zh": "题", "en": "t" },
            "clause": "县规 一", "basis": { "practice": "试行" }, "kinds": [kind],
            "verdict": verdict, "message": { "zh": "话", "en": "words" } });
        for (name, value) in test.as_object().expect("a test") {
            rule[name] = value.clone();
        }
        rule
    };
    let rules: Vec<Value> = rules.iter().map(rule).collect();
    json!({ "pack": "430121", "version": 1, "effective": { "from": "2026-06-01", "to": null },
        "lexicons": { "card": { "acts": ["打牌"] } }, "rules": rules })
}

fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-{number:012x}")
}

fn need(n: u32, at: i64, quantity: u32) -> Value {
    json!({ "n": n, "op": "create", "kind": "need", "unit": UNIT, "occurred_at": at, "id": id(n),
        "body": { "title": "一床棉被", "category": "goods", "quantity": quantity } })
}

fn visit(n: u32, begun: i64, process: &str) -> Value {
    json!({ "n": n, "op": "create", "kind": "visit", "unit": UNIT, "id": id(n),
        "body": { "no_client_reason": "集中走访", "services": ["ec_visit"], "process": process,
            "result": "情绪平稳", "started_at": begun, "ended_at": begun + 40 * MINUTE,
            "outcome": { "kind": "served" } } })
}

/// Runs a trial of a document over January to its end, and gives the answer.
async fn tried(who: &Actor, document: Value) -> Value {
    let ask = json!({ "document": document, "from": "2026-01-01", "to": "2026-01-31" });
    let started = who.post("/v1/packs/what-if", &ask).await;
    assert_eq!(started.status, 202, "{}", started.text);
    let id = started.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/packs/what-if/{id}");
    loop {
        let told = who.get(&path).await.good();
        if told["state"] != "running" {
            assert_eq!(told["state"], "done", "{told}");
            return told;
        }
    }
}

async fn seeded(harness: &Harness) -> Phone {
    let phone = harness.worker(1).await.phone().await;
    let begun = START - 5 * 60 * MINUTE;
    let said = phone
        .push(&[
            need(1, START - DAY, 1),
            need(2, START - DAY, 9),
            need(3, START - 40 * DAY, 9),
            visit(4, begun, "陪老人聊天，后来一起打牌。"),
            // Five minutes of both are the same: less than the province minds.
            visit(5, begun + 35 * MINUTE, "上门看望。"),
            visit(6, begun + 36 * MINUTE, "又上门看望。"),
        ])
        .await;
    let names: Vec<&Value> = said.iter().map(|verdict| &verdict["verdict"]).collect();
    let (accepted, held) = (&json!("accepted"), &json!("held"));
    assert_eq!(
        names,
        [accepted, accepted, accepted, accepted, accepted, held],
        "{said:?}"
    );
    phone
}

on_both!(a_trial_says_what_would_change_and_no_word_of_it, |engine| {
    let harness = Harness::start(engine).await;
    let _phone = seeded(&harness).await;
    let reviewer = harness.reviewer(2).await;
    let draft = county(&[
        (
            "1",
            "need",
            json!({ "when": "record.quantity != null && record.quantity > 5" }),
            "reject",
        ),
        ("2", "visit", json!({ "mentions": "card" }), "warn"),
        (
            "3",
            "visit",
            json!({ "stateful": "overlapping_visits",
            "params": { "tolerance_minutes": 3 } }),
            "hold",
        ),
    ]);
    let told = tried(&reviewer, draft).await;
    let report = &told["report"];
    // Five of January are stored and one is held; the need of December is not meant. The card
    // game is in a sealed part; both visits lie over each other, and the held one is held anyway.
    assert_eq!(
        (&report["judged"], &report["changed"]),
        (&json!(5), &json!(3)),
        "{told}"
    );
    let rows = json!([
        { "rule": "430121-1", "from": "none", "to": "reject", "records": 1 },
        { "rule": "430121-3", "from": "none", "to": "hold", "records": 2 },
    ]);
    assert_eq!(report["by_rule"], rows, "{told}");
    let mut listed: Vec<&str> = report["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|row| row["record"].as_str().expect("an id"))
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, [id(2), id(4), id(5)], "{told}");
    let text = told.to_string();
    assert!(
        !text.contains("打牌") && !text.contains("棉被"),
        "no word of a record: {text}"
    );
    // Alone, the words of the sealed part warn.
    let told = tried(
        &reviewer,
        county(&[("2", "visit", json!({ "mentions": "card" }), "warn")]),
    )
    .await;
    let row = json!({ "rule": "430121-2", "from": "none", "to": "warn", "records": 1 });
    assert_eq!(told["report"]["by_rule"], json!([row]), "{told}");
    // A held item is tried as well.
    let when = json!({ "when": "record.result != null" });
    let told = tried(&reviewer, county(&[("4", "visit", when, "reject")])).await;
    let held: Vec<&Value> = told["report"]["records"]
        .as_array()
        .expect("records")
        .iter()
        .filter(|row| row["held"] == true)
        .collect();
    assert_eq!(held.len(), 1, "{told}");
    assert_eq!(
        (&held[0]["from"], &held[0]["to"]),
        (&json!("hold"), &json!("reject"))
    );
});

on_both!(a_trial_writes_nothing, |engine| {
    let harness = Harness::start(engine).await;
    let phone = seeded(&harness).await;
    let whole = async || {
        let pull = json!({ "pull": { "sums": true, "max_bytes": 500_000 } });
        let mut answer = phone.exchange(pull).await.good();
        answer["server_time"] = Value::Null;
        answer
    };
    let before = whole().await;
    let draft = county(&[("1", "need", json!({ "when": "true" }), "reject")]);
    let told = tried(&harness.reviewer(1).await, draft).await;
    assert!(told["report"]["changed"].as_i64() > Some(0), "{told}");
    assert_eq!(whole().await["pull"], before["pull"]);
    let same = phone.push(&[need(1, START - DAY, 1)]).await;
    assert_eq!(same[0]["was"]["verdict"], "accepted");
});

on_both!(
    a_draft_is_tried_by_its_name_and_a_trial_is_ended,
    |engine| {
        let harness = Harness::start(engine).await;
        let _phone = seeded(&harness).await;
        let reviewer = harness.reviewer(2).await;
        let draft = county(&[("1", "need", json!({ "when": "true" }), "reject")]);
        reviewer
            .post("/v1/packs", &json!({ "document": draft }))
            .await
            .good();
        let days = |more: Value| {
            let mut ask = json!({ "from": "2026-01-01", "to": "2026-01-31" });
            for (name, value) in more.as_object().expect("members") {
                ask[name] = value.clone();
            }
            ask
        };
        let named = days(json!({ "region": "430121", "version": 1 }));
        // Conditions could ask anything of narratives that an officer does not read.
        let refused = harness.hub().await.post("/v1/packs/what-if", &named).await;
        assert_eq!(refused.status, 404, "{}", refused.text);
        let started = reviewer.post("/v1/packs/what-if", &named).await.good();
        let path = format!(
            "/v1/packs/what-if/{}",
            started["id"].as_str().expect("an id")
        );
        let ended = reviewer.call(reqwest::Method::DELETE, &path).await;
        assert_eq!(ended.status, 204, "{}", ended.text);
        // It is gone, or says so until it has noticed.
        let after = reviewer.get(&path).await;
        let is_gone = after.code() == "not-found" || after.json()["state"] == "cancelled";
        assert!(is_gone, "{}", after.text);
        for (ask, status, code) in [
            (
                days(json!({ "region": "430121", "version": 7 })),
                404,
                "not-found",
            ),
            (
                days(json!({ "region": "43", "version": 1 })),
                404,
                "not-found",
            ),
            (days(json!({})), 422, "invalid-envelope"),
            (
                days(json!({ "document": draft, "to": "2027-02-01" })),
                422,
                "invalid-envelope",
            ),
            (
                days(json!({ "document": { "pack": "430121" } })),
                422,
                "pack-unsound",
            ),
        ] {
            reviewer
                .post("/v1/packs/what-if", &ask)
                .await
                .problem(status, code);
        }
    }
);

on_both!(who_may_not_read_narratives_is_told_numbers_only, |engine| {
    let harness = Harness::start(engine).await;
    let phone = seeded(&harness).await;
    let mut tx = harness.app.db.write().await.expect("begin");
    let grant = NewGrant {
        id: "g-a".to_owned(),
        person: "p-worker-02".to_owned(),
        role: Role::ProvinceAdmin,
        unit: "43".to_owned(),
        from_at: 0,
        to_at: None,
    };
    people::grant(&mut tx, &grant).await.expect("granted");
    tx.commit().await.expect("commit");
    let admin = harness.worker(2).await;
    // One visit says so: to whoever may not read it nothing moves.
    let draft = || {
        county(&[
            ("1", "need", json!({ "when": "true" }), "reject"),
            ("2", "visit", json!({ "mentions": "card" }), "warn"),
        ])
    };
    let told = tried(&admin, draft()).await;
    let report = &told["report"];
    assert_eq!(
        (&report["changed"], &report["by_rule"], &report["records"]),
        (&json!(0), &json!([]), &json!([])),
        "{told}"
    );
    let more: Vec<Value> = (20..35).map(|n| need(n, START - DAY, 1)).collect();
    phone.push(&more).await;
    let told = tried(&admin, draft()).await;
    let report = &told["report"];
    let row = json!({ "rule": "430121-1", "from": "none", "to": "reject", "records": 10 });
    assert_eq!(
        (&report["changed"], &report["by_rule"], &report["records"]),
        (&json!(10), &json!([row]), &json!([])),
        "{told}"
    );
    let told = tried(&harness.reviewer(1).await, draft()).await;
    assert_eq!(told["report"]["changed"], 18, "{told}");
    assert_eq!(told["report"]["records"].as_array().map(Vec::len), Some(18));
});

on_both!(what_waits_because_of_danger_is_not_counted, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let mut danger = visit(1, START - 5 * 60 * MINUTE, "上门看望。");
    danger["body"]["risk"] = json!("violence");
    danger["body"]["outcome"]["decision"] = json!("approved");
    let said = phone.push(&[danger, need(2, START - DAY, 1)]).await;
    // Refused, but for the danger.
    assert_eq!(said[0]["verdict"], "held", "{said:?}");
    let draft = county(&[(
        "1",
        "visit",
        json!({ "when": "record.result != null" }),
        "reject",
    )]);
    let told = tried(&harness.reviewer(1).await, draft).await;
    let report = &told["report"];
    assert_eq!(
        (
            &report["judged"],
            &report["changed"],
            &report["held_not_tried"]
        ),
        (&json!(1), &json!(0), &json!(0)),
        "{told}"
    );
});

on_both!(sign_ups_are_tried_with_what_their_activity_asks, |engine| {
    let harness = Harness::start(engine).await;
    let organiser = harness.organiser().await;
    let body = json!({ "unit": "430121", "id": id(77), "body": {
        "title": "陪老人过节", "type": "elder_company", "insured": true, "age_min": 60,
        "sessions": [{ "session": 1, "starts_at": START + 2 * DAY,
            "ends_at": START + 2 * DAY + 60 * MINUTE,
            "roles": [{ "role": "helper", "capacity": 5 }] }] } });
    let made = organiser
        .request(reqwest::Method::POST, "/v1/activities")
        .header("idempotency-key", "a")
        .json(&body);
    xiangyi_tests::actor::send(made).await.good();
    for (number, age, verdict) in [(1, 70, "accepted"), (2, 30, "held")] {
        let join = json!({ "unit": "430121", "body": { "activity": id(77), "session": 1,
            "role": "helper", "want": "join", "age": age } });
        let asked = harness
            .volunteer(number)
            .await
            .request(reqwest::Method::POST, "/v1/sign-ups")
            .header("idempotency-key", "a")
            .json(&join);
        let reply = xiangyi_tests::actor::send(asked).await.good();
        assert_eq!(reply["verdict"], verdict, "{reply}");
    }
    // One is held for age already, so only the other changes; both asked for a place.
    let when = json!({ "when": "op == \"request\"" });
    let told = tried(
        &harness.reviewer(1).await,
        county(&[("1", "sign_up", when, "hold")]),
    )
    .await;
    let row = json!({ "rule": "430121-1", "from": "none", "to": "hold", "records": 1 });
    assert_eq!(told["report"]["by_rule"], json!([row]), "{told}");
    assert_eq!(told["report"]["records"][0]["held"], false, "{told}");
});

fn what(harness: &Harness, document: &Value) -> WhatIf {
    let doc: PackDoc = serde_json::from_value(document.clone()).expect("a pack");
    let draft = policy::sound(&doc).expect("sound");
    let period = Period::of("2025-02-01", "2026-01-31").expect("a year");
    WhatIf::new(&harness.app, &doc, draft, period)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trial_runs_at_a_time() {
    let harness = Harness::start(Engine::Sqlite).await;
    let draft = county(&[("1", "need", json!({ "when": "true" }), "reject")]);
    // Every reader is taken, so that the first trial cannot go on.
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(harness.app.db.read().await.expect("a reader"));
    }
    let jobs = &harness.app.law.jobs;
    let first = jobs
        .start("w-1".to_owned(), 1, what(&harness, &draft))
        .expect("started");
    assert!(
        jobs.start("w-2".to_owned(), 1, what(&harness, &draft))
            .is_none(),
        "busy"
    );
    jobs.cancel("w-1");
    assert!(
        jobs.start("w-2".to_owned(), 1, what(&harness, &draft))
            .is_none(),
        "not yet ended"
    );
    drop(taken);
    while jobs
        .start("w-2".to_owned(), 1, what(&harness, &draft))
        .is_none()
    {
        tokio::task::yield_now().await;
    }
    let state = serde_json::to_value(first.shown(true)).expect("JSON");
    assert!(
        ["cancelled", "done"].contains(&state["state"].as_str().expect("a state")),
        "{state}"
    );
}

/// Visits of the measurement.
const VISITS: u32 = 100_000;

#[expect(clippy::disallowed_methods, reason = "a measurement needs the clock")]
fn now() -> Instant {
    Instant::now()
}

/// The 99th percentile of pushes of one item.
async fn p99(
    phone: &Phone,
    numbers: std::ops::Range<u32>,
    mut on: impl FnMut() -> bool,
) -> Duration {
    let mut times = Vec::new();
    for n in numbers {
        if !on() {
            break;
        }
        let begun = now();
        phone.try_push(&[need(n, START - MINUTE, 1)]).await.good();
        times.push(begun.elapsed());
    }
    times.sort();
    println!("{} pushes", times.len());
    times
        .get(times.len() * 99 / 100)
        .copied()
        .unwrap_or_default()
}

/// `cargo test --release -p xiangyi-tests --test what_if -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_hundred_thousand_visits_are_tried_within_thirty_seconds() {
    let harness = Harness::start(Engine::Sqlite).await;
    let mut phones = Vec::new();
    for worker in 1..=10 {
        phones.push(harness.worker(worker).await.phone().await);
    }
    let each = VISITS / 10;
    let fill = |(index, phone): (usize, &Phone)| {
        let (phone, index) = (phone.clone(), index as u32);
        let unit = format!("4301210{:02}", index / 2 + 1);
        async move {
            let numbers: Vec<u32> = (1..=each).collect();
            for part in numbers.chunks(100) {
                let one = |n: &u32| {
                    let mut visit = visit(
                        *n,
                        START - i64::from(*n + 1) * 41 * MINUTE,
                        "上门看望，量了血压，聊了家常，叮嘱按时吃药，约好下周再来。",
                    );
                    visit["id"] = json!(id(*n + index * 1_000_000));
                    visit["unit"] = json!(unit);
                    visit
                };
                let all: Vec<Value> = part.iter().map(one).collect();
                phone.push(&all).await;
            }
        }
    };
    let filled = now();
    futures::future::join_all(phones.iter().enumerate().map(fill)).await;
    println!("filled in {:?}", filled.elapsed());
    let pusher = harness.worker(1).await.phone().await;
    let alone = p99(&pusher, 1..1_001, || true).await;
    let draft = county(&[
        ("1", "visit", json!({ "mentions": "card" }), "warn"),
        (
            "3",
            "visit",
            json!({ "stateful": "overlapping_visits",
            "params": { "tolerance_minutes": 3 } }),
            "hold",
        ),
    ]);
    let jobs = &harness.app.law.jobs;
    let begun = now();
    let job = jobs
        .start("w-1".to_owned(), 1, what(&harness, &draft))
        .expect("started");
    let runs = || serde_json::to_value(job.shown(true)).expect("JSON")["state"] == "running";
    let beside = p99(&pusher, 1_001..1_000_000, runs).await;
    let took = begun.elapsed();
    let told = serde_json::to_value(job.shown(true)).expect("JSON");
    let mut plain = what(&harness, &draft);
    plain.beside_a_server = false;
    let begun = now();
    let report = plain.run().await.expect("it runs");
    println!(
        "{} tried beside pushes in {took:?}, alone in {:?}; push p99 {alone:?} alone, {beside:?} beside",
        told["report"]["judged"],
        begun.elapsed()
    );
    assert!(report.judged >= u64::from(each) * 10);
}

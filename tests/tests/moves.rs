//! Moves: do rights, clients and visits go where they are sent, together, and only by whoever may?

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_server::import::{self, Options, What};
use xiangyi_server::ticker;
use xiangyi_tests::actor::{Actor, send};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const UNIT: &str = "430121001";
const OTHER: &str = "430121002";
const HOUR: i64 = 3_600_000;
const CLIENT: &str = "01920000-0000-7000-8000-00000000e001";
const VISIT: &str = "01920000-0000-7000-8000-00000000e002";

async fn post(who: &Actor, path: &str, key: &str, body: Value) {
    let request = who.request(Method::POST, path);
    send(request.header("idempotency-key", key).json(&body))
        .await
        .good();
}

/// Worker 1 has a client with a visit.
async fn served(harness: &Harness) {
    let worker = harness.worker(1).await;
    let card = json!({ "unit": UNIT, "id": CLIENT, "body": {
        "name": "谭某", "village": "430121001001", "categories": ["独居老人"] } });
    post(&worker, "/v1/clients", "a", card).await;
    let visit = json!({ "unit": UNIT, "id": VISIT, "body": { "client": CLIENT,
        "started_at": START - 2 * HOUR, "ended_at": START - HOUR, "services": ["ec_visit"],
        "process": "陪老人说话，叮嘱按时吃药。", "result": "情绪平稳",
        "outcome": { "kind": "served" } } });
    post(&worker, "/v1/visits", "b", visit).await;
}

/// Whether a worker has the card, and the narrative of the visit.
async fn has(harness: &Harness, number: u32) -> (bool, bool) {
    let worker = harness.worker(number).await;
    let card = worker
        .get(&format!("/v1/clients/{CLIENT}?unit={UNIT}"))
        .await;
    let visit = worker.get(&format!("/v1/visits/{VISIT}?unit={UNIT}")).await;
    (card.status.as_u16() == 200, visit.text.contains("叮嘱"))
}

async fn moves(who: &Actor, body: Value) -> Value {
    who.post("/v1/moves", &body).await.good()["moved"].clone()
}

on_both!(a_client_changes_hands_with_its_visits, |engine| {
    let harness = Harness::start(engine).await;
    served(&harness).await;
    harness.clock.set(START + HOUR);
    let hub = harness.hub().await;
    let mut ask = json!({ "what": "client", "client": CLIENT, "unit": UNIT, "to": "p-worker-02",
        "reason": "片区调整", "dry_run": true });
    let moved = moves(&hub, ask.clone()).await;
    assert_eq!(
        (&moved["clients"], &moved["visits"]),
        (&json!(1), &json!(1)),
        "{moved}"
    );
    assert_eq!(
        (has(&harness, 1).await, has(&harness, 2).await),
        ((true, true), (false, false))
    );

    ask["dry_run"] = json!(false);
    assert_eq!(
        moves(&hub, ask.clone()).await,
        moved,
        "a trial tells what comes"
    );
    assert_eq!(has(&harness, 2).await, (true, true));
    // The author keeps the own record and loses the card.
    assert_eq!(has(&harness, 1).await, (false, true));
    let worker = harness.worker(2).await;
    let card = worker
        .get(&format!("/v1/clients/{CLIENT}?unit={UNIT}"))
        .await
        .good();
    let workers = &card["body"]["workers"];
    assert_eq!(workers[0]["to"], workers[1]["from"], "{workers}");
    assert_eq!(workers[1]["reason"], "片区调整");
    assert_eq!(card["author"], "p-worker-01");

    let problem = hub
        .post("/v1/moves", &ask)
        .await
        .problem(422, "invalid-envelope");
    assert!(problem.to_string().contains("not-serving"), "{problem}");
    ask["to"] = json!("p-worker-01");
    ask["from"] = json!("p-worker-03");
    let problem = hub
        .post("/v1/moves", &ask)
        .await
        .problem(422, "invalid-envelope");
    assert!(problem.to_string().contains("not-in-charge"), "{problem}");
    let (zero, long) = (json!("p-\0"), json!("因".repeat(121)));
    for (member, value, status, code) in [
        ("to", zero.clone(), 404, "not-found"),
        ("reason", zero, 422, "bad-text"),
        ("reason", long, 422, "too-long"),
        ("client", json!("none"), 422, "invalid-envelope"),
        ("more", json!(1), 422, "invalid-envelope"),
    ] {
        let mut ask = ask.clone();
        ask[member] = value;
        let reply = hub.post("/v1/moves", &ask).await;
        assert_eq!(reply.status.as_u16(), status, "{member}: {}", reply.text);
        assert!(reply.text.contains(code), "{member}: {}", reply.text);
    }
    // Who may not move anybody there learns nothing.
    for who in [
        harness.stranger_hub().await,
        harness.worker(2).await,
        harness.lead().await,
    ] {
        who.post("/v1/moves", &ask).await.problem(404, "not-found");
    }
});

on_both!(a_worker_leaves_clients_with_a_colleague, |engine| {
    let harness = Harness::start(engine).await;
    served(&harness).await;
    harness.clock.set(START + HOUR);
    let hub = harness.hub().await;
    let mut ask = json!({ "what": "worker", "person": "p-worker-01", "from": UNIT, "to": OTHER });
    let problem = hub
        .post("/v1/moves", &ask)
        .await
        .problem(422, "invalid-envelope");
    let text = problem.to_string();
    assert!(
        text.contains("/clients_to") && text.contains("required"),
        "{text}"
    );
    ask["clients_to"] = json!("p-worker-03");
    let problem = hub
        .post("/v1/moves", &ask)
        .await
        .problem(422, "invalid-envelope");
    assert!(
        problem.to_string().contains("not-serving"),
        "of another station: {problem}"
    );
    ask["clients_to"] = json!("p-worker-02");
    let moved = moves(&hub, ask.clone()).await;
    for (what, count) in [
        ("grants_ended", 1),
        ("grants_given", 1),
        ("clients", 1),
        ("visits", 1),
    ] {
        assert_eq!(moved[what], count, "{what}: {moved}");
    }
    assert_eq!(
        (has(&harness, 1).await, has(&harness, 2).await),
        ((false, true), (true, true))
    );
    let worker = harness.worker(1).await;
    let me = worker.get("/v1/me").await.good();
    let streams = me["streams"].to_string();
    assert!(streams.contains("station:430121002") && !streams.contains("station:430121001"));
    hub.post("/v1/moves", &ask).await.problem(404, "not-found");
});

on_both!(a_move_by_date_happens_on_the_day, |engine| {
    let harness = Harness::start(engine).await;
    served(&harness).await;
    harness.clock.set(START + HOUR);
    let hub = harness.hub().await;
    let ask = json!({ "what": "worker", "person": "p-worker-01", "from": UNIT, "to": OTHER,
        "clients_to": "p-worker-02", "on": "2026-01-17" });
    assert_eq!(moves(&hub, ask).await["clients"], 1);
    assert_eq!(
        (has(&harness, 1).await, has(&harness, 2).await),
        ((true, true), (false, false))
    );
    let me = harness.worker(1).await.get("/v1/me").await.good();
    assert!(
        me["streams"].to_string().contains("station:430121001"),
        "{me}"
    );
    harness.clock.set(START + 40 * HOUR);
    ticker::fire_due(&harness.app).await.expect("timers fire");
    assert_eq!(
        (has(&harness, 1).await, has(&harness, 2).await),
        ((false, true), (true, true))
    );
    let me = harness.worker(1).await.get("/v1/me").await.good();
    assert!(
        me["streams"].to_string().contains("station:430121002"),
        "{me}"
    );
    let hub = harness.hub().await;
    let past = json!({ "what": "worker", "person": "p-worker-02", "from": UNIT, "to": OTHER,
        "on": "2026-01-10" });
    let problem = hub
        .post("/v1/moves", &past)
        .await
        .problem(422, "invalid-envelope");
    assert!(problem.to_string().contains("day-passed"), "{problem}");
});

on_both!(a_contract_ends_with_the_roles_under_it, |engine| {
    let harness = Harness::start(engine).await;
    let file = "licence,name,from,stations\n52430121MJJ000001X,示例中心,2026-01-01,430121001\n";
    let options = Options::default();
    let report = import::run(&harness.app, What::Agencies, file.as_bytes(), &options).await;
    assert!(report.expect("a table").is_written);
    let mut ask = json!({ "what": "agency", "licence": "52430121MJJ000001X", "dry_run": true });
    harness
        .stranger_hub()
        .await
        .post("/v1/moves", &ask)
        .await
        .problem(404, "not-found");
    let hub = harness.hub().await;
    let moved = moves(&hub, ask.clone()).await;
    assert_eq!(
        (&moved["people"], &moved["grants_ended"]),
        (&json!(3), &json!(3)),
        "{moved}"
    );
    let streams = |me: Value| me["streams"].to_string().contains("station:430121001");
    assert!(streams(harness.worker(1).await.get("/v1/me").await.good()));
    ask["dry_run"] = json!(false);
    assert_eq!(moves(&hub, ask.clone()).await, moved);
    assert!(!streams(harness.worker(1).await.get("/v1/me").await.good()));
    assert_eq!(
        moves(&hub, ask).await["grants_ended"],
        0,
        "again ends nothing"
    );
});

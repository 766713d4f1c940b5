//! Webhooks: told in order and signed, again after a fault, and nowhere that they may not go.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use xiangyi_proto::role::Role;
use xiangyi_server::app::App;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::on;
use xiangyi_server::store::people::{self, NewGrant};
use xiangyi_server::webhooks::{Inside, deliver_due, signature};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const COUNTY: &str = "430121";
const LIST: &str = "/v1/webhooks?unit=430121";

#[derive(Debug, Default)]
struct Heard {
    /// Signature and body of each call.
    calls: Vec<(String, String)>,
    /// What the next calls are answered; 200 when there is nothing.
    answers: VecDeque<Response>,
}

/// Another system of the county.
struct Other {
    url: String,
    port: u16,
    heard: Arc<Mutex<Heard>>,
    served: JoinHandle<()>,
}

impl Drop for Other {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Other {
    #[expect(
        clippy::disallowed_methods,
        reason = "the other system ends with its owner"
    )]
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let heard = Arc::new(Mutex::new(Heard::default()));
        let router = Router::new().fallback(hear).with_state(heard.clone());
        let served = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self {
            url: format!("http://{address}/changed?key=1"),
            port: address.port(),
            heard,
            served,
        }
    }

    fn answer(&self, answer: impl IntoResponse) {
        let mut heard = self.heard.lock().expect("nobody panicked");
        heard.answers.push_back(answer.into_response());
    }

    fn calls(&self) -> Vec<(String, String)> {
        self.heard.lock().expect("nobody panicked").calls.clone()
    }
}

async fn hear(State(heard): State<Arc<Mutex<Heard>>>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers["x-xiangyi-signature"].to_str().expect("text");
    let body = String::from_utf8(body.to_vec()).expect("text");
    let mut heard = heard.lock().expect("nobody panicked");
    heard.calls.push((signature.to_owned(), body));
    let answer = heard.answers.pop_front();
    answer.unwrap_or_else(|| StatusCode::OK.into_response())
}

/// A county's system inside.
fn inside(host: &str, port: u16) -> Inside {
    Inside {
        county: COUNTY.to_owned(),
        host: host.to_owned(),
        port,
    }
}

async fn harness(engine: Engine, other: &Other) -> Harness {
    let named = vec![inside("127.0.0.1", other.port), inside("127.0.0.1", 9)];
    Harness::with_settings(engine, |config| {
        config.webhooks.enabled = true;
        config.webhooks.inside = named;
    })
    .await
}

async fn connect(officer: &Actor, url: &str) -> Value {
    let ask = json!({ "unit": COUNTY, "url": url });
    let reply = officer.post("/v1/webhooks", &ask).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    reply.json()
}

async fn resource(worker: &Actor, title: &str) {
    let body = json!({ "unit": "430121001", "body": {
        "title": title, "kind": "goods", "provider": "商会", "quantity": 3,
        "channel": "direct", "payee": "none" } });
    let key = ("idempotency-key", title.len().to_string());
    let request = worker.request(Method::POST, "/v1/resources");
    let request = request
        .header(key.0, format!("k-{}", hex::encode(title)))
        .json(&body);
    xiangyi_tests::actor::send(request).await.good();
}

async fn tries(harness: &Harness) -> i64 {
    let mut tx = harness.app.db.read().await.expect("begin");
    let hooks = xiangyi_server::store::webhooks::of(&mut tx, 430_121).await;
    hooks.expect("read")[0].tries
}

async fn paused(harness: &Harness) -> i64 {
    let mut tx = harness.app.db.read().await.expect("begin");
    let paused = xiangyi_server::store::webhooks::paused(&mut tx).await;
    paused.expect("counted")
}

async fn due(harness: &Harness) -> usize {
    deliver_due(&harness.app)
        .await
        .expect("the database answers")
}

on_both!(
    changes_are_told_in_order_signed_and_without_a_word_of_them,
    |engine| {
        let other = Other::start().await;
        let harness = harness(engine, &other).await;
        let (officer, worker) = (harness.hub().await, harness.worker(1).await);
        resource(&worker, "先前的棉被").await;
        let hook = connect(&officer, &other.url).await;
        assert_eq!(due(&harness).await, 0, "what was before is not told");
        resource(&worker, "棉被").await;
        resource(&worker, "大米").await;
        assert_eq!(due(&harness).await, 1);
        assert_eq!(due(&harness).await, 0, "told once");
        let calls = other.calls();
        let [(signed, body)] = &calls[..] else {
            panic!("{calls:?}");
        };
        let secret = hook["secret"].as_str().expect("told this once");
        assert_eq!(*signed, signature(secret.as_bytes(), START / 1_000, body));
        let told: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(
            (&told["webhook"], &told["stream"]),
            (&hook["id"], &json!("county:430121"))
        );
        // Nothing of this stream lies between.
        assert!(told["from"].as_i64() >= hook["position"].as_i64(), "{told}");
        let events = told["events"].as_array().expect("events");
        assert_eq!(events.len(), 2, "{told}");
        assert!(
            events
                .iter()
                .all(|event| event["kind"] == "resource" && event["op"] == "put")
        );
        assert_eq!(events[1]["seq"], told["to"]);
        for word in ["棉被", "大米", "商会", "body", "author"] {
            assert!(!body.contains(word), "{word}: {body}");
        }
        let listed = officer.get(LIST).await.good();
        let position = listed["webhooks"][0]["position"].as_i64();
        assert!(position >= told["to"].as_i64(), "{listed}");
        assert!(listed["webhooks"][0].get("secret").is_none(), "{listed}");
    }
);

on_both!(a_fault_is_told_again_later_and_pauses_at_last, |engine| {
    let other = Other::start().await;
    let harness = harness(engine, &other).await;
    let (officer, worker) = (harness.hub().await, harness.worker(1).await);
    let hook = connect(&officer, &other.url).await;
    resource(&worker, "棉被").await;
    let elsewhere = [("location", "http://127.0.0.1:1/")];
    other.answer((StatusCode::TEMPORARY_REDIRECT, elsewhere));
    assert_eq!(due(&harness).await, 0, "it is not followed");
    assert_eq!(due(&harness).await, 0, "not before its time");
    assert_eq!(other.calls().len(), 1);
    let told = officer.get(LIST).await.good();
    assert_eq!(told["webhooks"][0]["fault"], "没有收下 not taken");
    harness.clock.advance(30_000);
    assert_eq!(due(&harness).await, 1, "the same again");
    let calls = other.calls();
    assert_eq!(calls[0].1, calls[1].1);
    resource(&worker, "大米").await;
    // The server's own task delivers beside this test. The clock stands while one of them does, or
    // a claim would run out and the same be told twice.
    for _ in 0..40 {
        other.answer(StatusCode::SERVICE_UNAVAILABLE);
    }
    while paused(&harness).await == 0 {
        let before = tries(&harness).await;
        // The last try may have been made between the two questions.
        while tries(&harness).await == before && paused(&harness).await == 0 {
            due(&harness).await;
        }
        harness.clock.advance(6 * 3_600_000);
    }
    due(&harness).await;
    assert_eq!(
        other.calls().len(),
        24,
        "one that was taken, its fault, and 22 tries"
    );
    other.heard.lock().expect("nobody panicked").answers.clear();
    // Days have passed: who is signed in signs in again.
    let (officer, worker) = (harness.hub().await, harness.worker(1).await);
    let told = officer.get(LIST).await.good();
    assert_eq!(told["webhooks"][0]["state"], "paused", "{told}");
    assert_eq!(due(&harness).await, 0);
    let path = format!("/v1/webhooks/{}", hook["id"].as_str().expect("an id"));
    let on = officer
        .post(&format!("{path}/resume"), &json!({}))
        .await
        .good();
    assert_eq!(on["state"], "active");
    assert_eq!(due(&harness).await, 1, "nothing was lost");
    officer.call(Method::DELETE, &path).await.good();
    officer
        .call(Method::DELETE, &path)
        .await
        .problem(404, "not-found");
    resource(&worker, "面条").await;
    assert_eq!(due(&harness).await, 0);
});

on_both!(
    nobody_is_told_where_they_may_not_and_strangers_connect_nothing,
    |engine| {
        let other = Other::start().await;
        let harness = harness(engine, &other).await;
        let officer = harness.hub().await;
        let ask = |unit: &str, url: &str| json!({ "unit": unit, "url": url });
        for url in [
            "http://10.0.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::1]/",
            "http://8.8.8.8/",
            "http://127.0.0.1:10/",
            "http://localhost:9/",
            "ftp://127.0.0.1/",
            "https://nowhere.invalid/",
            "not a url",
        ] {
            let reply = officer.post("/v1/webhooks", &ask(COUNTY, url)).await;
            let errors = reply.problem(422, "invalid-envelope")["errors"].clone();
            assert_eq!(errors[0]["code"], "bad-url", "{url}");
        }
        let fine = ask(COUNTY, "http://127.0.0.1:9/");
        for actor in [
            harness.worker(1).await,
            harness.stranger_hub().await,
            harness.volunteer(1).await,
        ] {
            actor
                .post("/v1/webhooks", &fine)
                .await
                .problem(404, "not-found");
            actor.get(LIST).await.problem(404, "not-found");
        }
        harness
            .nobody()
            .get(LIST)
            .await
            .problem(401, "unauthorized");
        for _ in 0..10 {
            connect(&officer, "http://127.0.0.1:9/").await;
        }
        let reply = officer.post("/v1/webhooks", &fine).await;
        assert_eq!(
            reply.problem(422, "invalid-envelope")["errors"][0]["code"],
            "list-too-long"
        );
        let other = harness.stranger_hub().await;
        let id = officer.get(LIST).await.good()["webhooks"][0]["id"].clone();
        let path = format!("/v1/webhooks/{}", id.as_str().expect("an id"));
        other
            .call(Method::DELETE, &path)
            .await
            .problem(404, "not-found");
        let resume = format!("{path}/resume");
        other
            .post(&resume, &json!({}))
            .await
            .problem(404, "not-found");
        let long = ask(COUNTY, &"x".repeat(20_000));
        officer
            .post("/v1/webhooks", &long)
            .await
            .problem(413, "too-large");
    }
);

on_both!(two_servers_tell_each_change_once_and_in_order, |engine| {
    let other = Other::start().await;
    let harness = harness(engine, &other).await;
    let app = App::open(&harness.config, harness.clock.clone(), Entropy::system()).await;
    let second = app.expect("another server on the same database");
    let (officer, worker) = (harness.hub().await, harness.worker(1).await);
    connect(&officer, &other.url).await;
    for round in 0..12_u32 {
        // What this stream does not tell moves the numbers on, beside what it tells.
        worker.register().await;
        quiet(&worker, round).await;
        let title = "米".repeat(round as usize + 1);
        let told = resource(&worker, &title);
        let both = tokio::join!(told, deliver_due(&harness.app), deliver_due(&second));
        both.1.expect("answers");
        both.2.expect("answers");
        harness.clock.advance(1_000);
    }
    let heard = || {
        let calls = other.calls();
        let bodies = calls
            .iter()
            .map(|(_, body)| serde_json::from_str::<Value>(body));
        bodies
            .map(|body| body.expect("JSON"))
            .collect::<Vec<Value>>()
    };
    let events = |bodies: &[Value]| {
        let all = bodies
            .iter()
            .flat_map(|body| body["events"].as_array().cloned());
        all.flatten()
            .map(|event| event["seq"].as_i64().expect("a number"))
            .collect::<Vec<i64>>()
    };
    // Whoever has a claim at the end lets it go.
    while events(&heard()).len() < 12 {
        due(&harness).await;
        harness.clock.advance(1_000);
    }
    let (bodies, mut last) = (heard(), 0);
    for body in &bodies {
        let from = body["from"].as_i64().expect("a number");
        assert!(from >= last, "{from} after {last}");
        last = body["to"].as_i64().expect("a number");
    }
    let seqs = events(&bodies);
    assert_eq!(seqs.len(), 12, "each once: {seqs:?}");
    assert!(seqs.is_sorted(), "{seqs:?}");
});

/// A record that no shared stream of the county shows.
async fn quiet(worker: &Actor, number: u32) {
    let body = json!({ "unit": "430121001", "body": { "class": "administrative",
        "minutes": number + 1, "day": "2026-01-15" } });
    let request = worker.request(Method::POST, "/v1/work-times");
    let request = request.header("idempotency-key", format!("q-{number}"));
    xiangyi_tests::actor::send(request.json(&body)).await.good();
}

on_both!(quiet_ones_of_a_busy_county_take_nobodys_turn, |engine| {
    let other = Other::start().await;
    let harness = harness(engine, &other).await;
    let (officer, worker) = (harness.hub().await, harness.worker(1).await);
    let hook = connect(&officer, &other.url).await;
    // Stations in which nothing happens, and a county that never rests.
    let copy = "INSERT INTO webhook (id, shard, stream, url, secret, made_by, made_at, state, \
         position, tries, due_at) SELECT $2, shard, 'station:430121009', url, secret, made_by, \
         made_at, state, 0, tries, due_at - 1 FROM webhook WHERE id = $1";
    let mut tx = harness.app.db.write().await.expect("begin");
    for number in 0..70 {
        on!(&mut tx, |c| sqlx::query(copy)
            .bind(hook["id"].as_str())
            .bind(format!("w-quiet-{number:02}"))
            .execute(c)
            .await
            .map(drop))
        .expect("copied");
    }
    tx.commit().await.expect("commit");
    for round in 0..3 {
        harness.clock.advance(1_000);
        resource(&worker, &"被".repeat(round + 1)).await;
        due(&harness).await;
    }
    // The server's own task may have been the one that told it.
    while other.calls().is_empty() {
        let mut tx = harness.app.db.read().await.expect("begin");
        let sql = "SELECT due_at FROM webhook WHERE id = $1 AND state = 'active'";
        let due_at: i64 = on!(&mut tx, |c| sqlx::query_scalar(sql)
            .bind(hook["id"].as_str())
            .fetch_one(c)
            .await)
        .expect("it is there");
        assert!(
            due_at > harness.clock.now(),
            "it was passed over three times"
        );
    }
});

on_both!(it_stops_with_the_right_of_whoever_made_it, |engine| {
    let other = Other::start().await;
    let harness = harness(engine, &other).await;
    let (officer, worker) = (harness.hub().await, harness.worker(1).await);
    let hook = connect(&officer, &other.url).await;
    harness.revoke("p-officer-1", "hub_officer", COUNTY).await;
    resource(&worker, "棉被").await;
    while paused(&harness).await == 0 {
        due(&harness).await;
        assert!(other.calls().is_empty(), "nothing is told any more");
    }
    let path = format!("/v1/webhooks/{}", hook["id"].as_str().expect("an id"));
    let resume = format!("{path}/resume");
    officer
        .post(&resume, &json!({}))
        .await
        .problem(404, "not-found");
    // Somebody else speaks for it, and nothing was lost.
    let mut tx = harness.app.db.write().await.expect("begin");
    let grant = NewGrant {
        id: "g-after".to_owned(),
        person: "p-lead-1".to_owned(),
        role: Role::HubOfficer,
        unit: COUNTY.to_owned(),
        from_at: 0,
        to_at: None,
    };
    people::grant(&mut tx, &grant).await.expect("given");
    tx.commit().await.expect("commit");
    let next = harness.lead().await;
    let told = next.get(LIST).await.good();
    let fault = told["webhooks"][0]["fault"].as_str().unwrap_or_default();
    assert!(fault.contains("no right"), "{told}");
    let on = next.post(&resume, &json!({})).await.good();
    assert_eq!(
        (&on["state"], &on["made_by"]),
        (&json!("active"), &json!("p-lead-1"))
    );
    while other.calls().is_empty() {
        due(&harness).await;
    }
});

#[tokio::test]
async fn where_they_are_switched_off_there_are_none() {
    let harness = Harness::start(Engine::Sqlite).await;
    let officer = harness.hub().await;
    officer.get(LIST).await.problem(404, "not-found");
    let ask = json!({ "unit": COUNTY, "url": "https://example.org/" });
    officer
        .post("/v1/webhooks", &ask)
        .await
        .problem(404, "not-found");
}

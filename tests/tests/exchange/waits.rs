//! The long poll: it answers when the view has moved, and only then.

use std::pin::Pin;

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_server::ticker::look_for_others;
use xiangyi_tests::actor::{Actor, Phone, Reply, send};
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::shelf::Shelf;
use super::{COUNTY, UNIT, check_in, with};

/// A wait that the server has begun.
type Wait = Pin<Box<dyn Future<Output = Reply>>>;

/// Sends a wait and gives it as soon as the server listens for it.
async fn begun(harness: &Harness, actor: &Actor, body: Option<Value>) -> Wait {
    let before = harness.app.live.listeners();
    let mut request = actor.request(Method::POST, "/v1/sync/wait");
    if let Some(body) = body {
        request = request.json(&body);
    }
    let mut wait: Wait = Box::pin(send(request));
    let listening = async {
        while harness.app.live.listeners() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        reply = &mut wait => panic!("answered at once: {} {}", reply.status, reply.text),
        () = listening => {}
    }
    wait
}

/// Asserts that a wait is still open after the server has answered something else.
async fn open(harness: &Harness, wait: &mut Wait) {
    tokio::select! {
        biased;
        reply = wait => panic!("nothing of theirs moved: {} {}", reply.status, reply.text),
        reply = async { harness.nobody().get("/healthz").await } => assert_eq!(reply.status, 200),
    }
}

async fn cursor(phone: &Phone) -> String {
    let mut shelf = Shelf::default();
    shelf.read(phone, &json!({ "max_bytes": 500_000 })).await;
    shelf.cursor.expect("a cursor")
}

#[track_caller]
fn poked(reply: &Reply) {
    assert_eq!(
        (reply.status.as_u16(), reply.json()),
        (200, json!({ "poke": true }))
    );
}

on_both!(a_change_before_the_wait_answers_at_once, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let stands = cursor(&phone).await;
    phone.push_one(check_in(1, 1)).await;
    let reply = phone
        .actor
        .post("/v1/sync/wait", &json!({ "cursor": stands }))
        .await;
    poked(&reply);
    // A colleague of the station is behind as well; so is a lost grant.
    let colleague = harness.worker(2).await.phone().await;
    let stands = cursor(&colleague).await;
    harness.revoke("p-worker-02", "worker", UNIT).await;
    let reply = colleague
        .actor
        .post("/v1/sync/wait", &json!({ "cursor": stands }))
        .await;
    poked(&reply);
});

on_both!(a_change_during_the_wait_pokes, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let colleague = harness.worker(2).await.phone().await;
    colleague.push_one(check_in(1, 1)).await;
    let stands = cursor(&phone).await;
    for (n, body) in [(2, Some(json!({ "cursor": stands }))), (3, None)] {
        let mut wait = begun(&harness, &phone.actor, body).await;
        open(&harness, &mut wait).await;
        colleague.push_one(check_in(n, n)).await;
        poked(&wait.await);
    }
});

on_both!(another_countys_change_does_not_poke, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let stranger = harness.stranger().await.phone().await;
    let unit = stranger.actor.signed_in().person.roles[0].unit.clone();
    let theirs = |n: u32| {
        let theirs = with(check_in(n, 100 + n), "/unit", json!(unit));
        with(theirs, "/body/place/village", json!(format!("{unit}001")))
    };
    assert_eq!(stranger.push_one(theirs(1)).await["verdict"], "accepted");
    let stands = cursor(&stranger).await;
    let mut rings = harness.app.live.listen();
    let mut wait = begun(&harness, &stranger.actor, Some(json!({ "cursor": stands }))).await;
    assert_eq!(phone.push_one(check_in(1, 1)).await["verdict"], "accepted");
    let ring = rings.recv().await.expect("the commit rings");
    assert_eq!(ring.shard.0, COUNTY);
    open(&harness, &mut wait).await;
    // The look for commits of other nodes finds nothing but this node's own; a repeat writes none.
    look_for_others(&harness.app).await.expect("heads are read");
    assert_eq!(phone.push_one(check_in(1, 1)).await["verdict"], "duplicate");
    look_for_others(&harness.app).await.expect("heads are read");
    open(&harness, &mut wait).await;
    stranger.push_one(theirs(2)).await;
    poked(&wait.await);
});

on_both!(a_wait_is_refused_for_a_bad_cursor, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let others = cursor(&harness.worker(2).await.phone().await).await;
    for bad in ["AYlAAAAA", "*", others.as_str()] {
        let reply = phone
            .actor
            .post("/v1/sync/wait", &json!({ "cursor": bad }))
            .await;
        reply.problem(400, "cursor-invalid");
    }
    let reply = phone
        .actor
        .post("/v1/sync/wait", &json!({ "cursor": 7 }))
        .await;
    assert_eq!(
        reply.problem(422, "invalid-envelope")["errors"][0]["pointer"],
        "/cursor"
    );
    assert_eq!(harness.app.live.listeners(), 0, "nobody is left waiting");
});

on_both!(a_wait_in_which_nothing_moves_ends_empty, |engine| {
    let harness = Harness::with_settings(engine, |config| {
        config.lines.wait = std::time::Duration::from_millis(50);
    });
    let harness = harness.await;
    let phone = harness.worker(1).await.phone().await;
    let cursor = cursor(&phone).await;
    let request = phone.actor.request(Method::POST, "/v1/sync/wait");
    let reply = send(request.json(&json!({ "cursor": cursor }))).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
});

on_both!(a_hub_is_poked_by_the_first_record_of_a_station, |engine| {
    let harness = Harness::start(engine).await;
    let (hub, worker) = (harness.hub().await, harness.worker(3).await);
    let phone = hub.phone().await;
    let stands = json!({ "cursor": cursor(&phone).await });
    let wait = begun(&harness, &hub, Some(stands)).await;
    let filed = with(check_in(1, 1), "/unit", json!("430121002"));
    let filed = with(filed, "/body/place/village", json!("430121002001"));
    let verdict = worker.phone().await.push_one(filed).await;
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
    poked(&wait.await);
});

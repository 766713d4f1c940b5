//! Photographs: who may read one that is not theirs, and what the server does with one that it
//! can do nothing with.

use std::fs;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sqlx::query_as;
use xiangyi_server::on;
use xiangyi_server::photos::jobs;
use xiangyi_server::store::photo_jobs::{self, What};
use xiangyi_tests::actor::{Actor, hash};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{COUNTY, HOUR, UNIT, VILLAGE, id, names, visit, with};

const ROADSIDE: &[u8] = include_bytes!("../../data/photos/exif-roadside.jpg");
const BOMB: &[u8] = include_bytes!("../../data/photos/bomb.png");
/// How long a rendition may take; a loaded machine needs a tenth of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A visit of worker 1 to a client, with a photograph that has arrived.
async fn photographed(harness: &Harness) -> Actor {
    let phone = harness.worker(1).await.phone().await;
    let card = json!({ "n": 1, "op": "create", "kind": "client", "unit": UNIT, "id": id(1),
        "body": { "name": "谭某", "village": VILLAGE, "categories": ["独居老人"] } });
    let photo =
        json!([{ "sha256": hash(ROADSIDE), "bytes": ROADSIDE.len(), "mime": "image/jpeg" }]);
    let visit = with(visit(2, 2), "/body/client", json!(id(1)));
    let verdicts = phone
        .push(&[card, with(visit, "/body/photos", photo)])
        .await;
    assert_eq!(names(&verdicts), ["accepted", "accepted"], "{verdicts:?}");
    let sent = phone.actor.upload(ROADSIDE, "image/jpeg", UNIT).await;
    assert_eq!(sent.status, 204, "{}", sent.text);
    phone.actor
}

fn photo(form: &str, more: &str) -> String {
    format!("/v1/photos/{}?unit={UNIT}&as={form}{more}", hash(ROADSIDE))
}

/// Reads until the rendition is made; the bytes.
async fn shown(actor: &Actor, path: &str) -> Vec<u8> {
    let made = async {
        loop {
            let reply = actor
                .request(Method::GET, path)
                .send()
                .await
                .expect("answered");
            match reply.status().as_u16() {
                202 => tokio::task::yield_now().await,
                200 => return reply.bytes().await.expect("bytes").to_vec(),
                status => panic!("{status} for {path}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, made)
        .await
        .expect("made in time")
}

on_both!(who_serves_the_client_now_sees_the_photograph, |engine| {
    let harness = Harness::start(engine).await;
    let owner = photographed(&harness).await;
    let thumb = shown(&owner, &photo("thumb", "")).await;
    let (two, elsewhere) = (harness.worker(2).await, harness.worker(3).await);
    two.get(&photo("thumb", "")).await.problem(404, "not-found");

    let share = json!({ "n": 1, "op": "patch", "kind": "client", "unit": UNIT, "id": id(1),
        "base": 1, "add": { "/workers": [{ "person": "p-worker-02", "from": START - HOUR,
                                           "to": START + HOUR, "reason": "休假" }] } });
    let shared = harness.lead().await.phone().await.push_one(share).await;
    assert_eq!(shared["verdict"], "accepted", "{shared}");
    assert_eq!(shown(&two, &photo("thumb", "")).await, thumb);
    shown(&two, &photo("view", "")).await;
    // What the camera wrote is for the owner; a reason is a reviewer's matter.
    for path in [photo("original", ""), photo("original", "&reason=看看")] {
        two.get(&path).await.problem(404, "not-found");
    }
    let lead = harness.lead().await;
    for other in [&elsewhere, &lead, &harness.stranger().await] {
        other
            .get(&photo("thumb", "&reason=看看"))
            .await
            .problem(404, "not-found");
    }
    assert_eq!(shown(&owner, &photo("original", "")).await, ROADSIDE);

    harness.clock.set(START + HOUR + 1);
    xiangyi_server::ticker::fire_due(&harness.app)
        .await
        .expect("timers fire");
    let two = harness.worker(2).await;
    two.get(&photo("thumb", "")).await.problem(404, "not-found");
});

/// Lines of the log of readings: who, of what, why, when.
async fn readings(harness: &Harness) -> Vec<(String, Vec<u8>, String, i64)> {
    let mut tx = harness.app.db.read().await.expect("begin");
    on!(&mut tx, |c| query_as(
        "SELECT person, record, reason, read_at FROM read_log WHERE shard = $1"
    )
    .bind(COUNTY)
    .fetch_all(c)
    .await)
    .expect("read")
}

on_both!(a_reviewer_reads_with_a_reason_that_is_noted, |engine| {
    let harness = Harness::start(engine).await;
    photographed(&harness).await;
    let reviewer = harness.reviewer(1).await;
    let long = "长".repeat(201);
    for (reason, code) in [("", "required"), ("&reason=%20", "required")] {
        let body = reviewer
            .get(&photo("view", reason))
            .await
            .problem(400, "invalid-parameter");
        let error = &body["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!("/reason"), &json!(code))
        );
    }
    let body = reviewer
        .get(&photo("view", &format!("&reason={long}")))
        .await;
    assert_eq!(
        body.problem(400, "invalid-parameter")["errors"][0]["code"],
        "too-long"
    );
    for other in [harness.hub().await, harness.stranger_hub().await] {
        other
            .get(&photo("view", "&reason=看看"))
            .await
            .problem(404, "not-found");
    }
    assert!(
        readings(&harness).await.is_empty(),
        "nothing was read so far"
    );

    shown(&reviewer, &photo("view", "&reason=核对走访")).await;
    assert_eq!(
        shown(&reviewer, &photo("original", "&reason=核对拍摄地点")).await,
        ROADSIDE
    );
    let record = hex::decode(id(2).replace('-', "")).expect("an id");
    let line = |reason: &str| {
        (
            "p-reviewer-1".to_owned(),
            record.clone(),
            reason.to_owned(),
            START,
        )
    };
    let mut noted = readings(&harness).await;
    noted.sort();
    let mut wanted = vec![line("核对走访"), line("核对拍摄地点")];
    wanted.sort();
    assert_eq!(noted, wanted);
    // One that nobody sent is as little there for a reviewer.
    let nothing = photo("view", "&reason=看看").replace(&hash(ROADSIDE), &hash(b"nothing"));
    reviewer.get(&nothing).await.problem(404, "not-found");
    assert_eq!(readings(&harness).await.len(), 2);
});

on_both!(a_bomb_is_undecodable_and_the_server_lives, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    for _ in 0..3 {
        let sent = worker.upload(BOMB, "image/png", UNIT).await;
        sent.problem(422, "photo-undecodable");
    }
    // It stands at 0 and can be looked at; an honest one goes through beside it.
    let again = worker.announce(BOMB, "image/png", &[("unit", UNIT)]).await;
    assert_eq!(again.header("upload-offset"), "0");
    assert_eq!(
        worker.upload(ROADSIDE, "image/jpeg", UNIT).await.status,
        204
    );
    worker.get("/v1/me").await.good();
});

/// What is left of a picture's job: its state and its fault.
async fn job(harness: &Harness) -> Option<(String, Option<String>)> {
    let mut tx = harness.app.db.read().await.expect("begin");
    on!(&mut tx, |c| query_as(
        "SELECT state, fault FROM photo_job WHERE shard = $1 AND what = 'renditions'"
    )
    .bind(COUNTY)
    .fetch_optional(c)
    .await)
    .expect("read")
}

on_both!(a_job_that_can_never_succeed_is_parked, |engine| {
    let harness = Harness::start(engine).await;
    let owner = photographed(&harness).await;
    shown(&owner, &photo("thumb", "")).await;
    shown(&owner, &photo("view", "")).await;
    // Renditions are seen a moment before their job is over; the next one must be another.
    while job(&harness).await.is_some() {
        tokio::task::yield_now().await;
    }
    // The disk lost the original and what was made of it.
    for folder in ["photos", "renditions"] {
        let folder = harness.config.data.join("photos").join(folder);
        fs::remove_dir_all(&folder).expect("it was there");
    }
    let sha = hex::decode(hash(ROADSIDE)).expect("a hash");
    let mut tx = harness.app.db.write().await.expect("begin");
    photo_jobs::add(
        &mut tx,
        COUNTY,
        &sha,
        &What::Renditions,
        harness.clock.now(),
    )
    .await
    .expect("added");
    tx.commit().await.expect("commit");
    owner
        .get(&photo("original", ""))
        .await
        .problem(404, "not-found");

    let mut looks = 0;
    while job(&harness)
        .await
        .is_none_or(|(state, _)| state != "parked")
    {
        looks += 1;
        assert!(looks < 50, "parked at last: {:?}", job(&harness).await);
        harness.clock.advance(11 * 60_000);
        jobs::run_due(&harness.app).await.expect("run");
    }
    assert_eq!(
        job(&harness).await.and_then(|(_, fault)| fault).as_deref(),
        Some("no-blob")
    );
    // Nobody waits for it for ever, and it is not tried again.
    let owner = harness.worker(1).await;
    owner
        .get(&photo("thumb", ""))
        .await
        .problem(404, "not-found");
    harness.clock.advance(24 * HOUR);
    jobs::run_due(&harness.app).await.expect("run");
    assert_eq!(
        job(&harness).await.map(|(state, _)| state),
        Some("parked".to_owned())
    );
});

//! The store of photographs is away for minutes: phones are told to come again, jobs wait.

use sqlx::query_as;
use xiangyi_server::on;
use xiangyi_server::photos::jobs;
use xiangyi_server::store::photo_jobs::{self, What};
use xiangyi_tests::harness::Harness;
use xiangyi_tests::objects;
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

use super::{ROADSIDE, UNIT, hash, offset, once_made};

/// State, tries and fault of the renditions' job.
async fn job(harness: &Harness) -> Option<(String, i64, Option<String>)> {
    let mut tx = harness.app.db.read().await.expect("begin");
    on!(&mut tx, |c| query_as(
        "SELECT state, tries, fault FROM photo_job WHERE what = 'renditions'"
    )
    .fetch_optional(c)
    .await)
    .expect("read")
}

on_both!(a_store_that_is_away_costs_one_byte_and_no_job, |engine| {
    let scratch = Scratch::new("objects");
    let (photos, door) = objects::serve_behind(scratch.path()).await;
    let harness = Harness::with_settings(engine, |config| config.photos = photos).await;
    let worker = harness.worker(1).await;
    let made = worker
        .announce(ROADSIDE, "image/jpeg", &[("unit", UNIT)])
        .await;
    let location = made.header("location");
    door.shut().await;
    let busy = worker.append(location, 0, ROADSIDE).await;
    busy.problem(503, "busy");
    let last = ROADSIDE.len() - 1;
    assert_eq!(offset(&worker, location).await, last, "one byte is left");
    worker
        .append(location, last, &ROADSIDE[last..])
        .await
        .problem(503, "busy");
    door.open();
    let sent = worker.append(location, last, &ROADSIDE[last..]).await;
    assert_eq!(sent.status, 204, "{}", sent.text);
    let view = format!("/v1/photos/{}?as=view&unit={UNIT}", hash(ROADSIDE));
    assert_eq!(once_made(&worker, &view).await.status(), 200);
    while job(&harness).await.is_some() {
        tokio::task::yield_now().await;
    }

    door.shut().await;
    // A line that was being taken in that moment may still be served.
    while worker.get(&view).await.status != 503 {
        tokio::task::yield_now().await;
    }
    worker.get(&view).await.problem(503, "busy");
    let sha = hex::decode(hash(ROADSIDE)).expect("a hash");
    let (what, now) = (What::Renditions, harness.clock.now());
    let mut tx = harness.app.db.write().await.expect("begin");
    photo_jobs::add(&mut tx, 430_121, &sha, &what, now)
        .await
        .expect("added");
    tx.commit().await.expect("commit");
    // Longer than it would take to park a picture that is to blame itself.
    for _ in 0..7 {
        jobs::run_due(&harness.app).await.expect("run");
        while job(&harness).await.is_some_and(|(_, tries, _)| tries > 0) {
            tokio::task::yield_now().await;
        }
        let waits = Some(("due".to_owned(), 0, Some("no-store".to_owned())));
        assert_eq!(job(&harness).await, waits);
        harness.clock.advance(31_000);
    }
    door.open();
    jobs::run_due(&harness.app).await.expect("run");
    while job(&harness).await.is_some() {
        tokio::task::yield_now().await;
    }
});

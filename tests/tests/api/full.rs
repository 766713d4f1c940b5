//! A disk that is full: phones are told to keep what they have, and room is enough to go on.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use xiangyi_server::on;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::program::until;

const UNIT: &str = "430121001";

fn check_in(n: u32) -> Value {
    json!({ "n": n, "op": "create", "kind": "check_in", "unit": UNIT,
            "id": format!("01920000-0000-7000-8000-{n:012x}"),
            "occurred_at": START - i64::from(n) * 3_600_000,
            "body": { "purpose": "visit", "phase": "in",
                      "no_fix_reason": "屋里没有信号，走到坳上才有，回来再补。".repeat(6),
                      "place": { "kind": "home", "village": "430121001001" } } })
}

/// Bounds the file of the database to so many pages; it is never cut below what it holds.
async fn bound(harness: &Harness, pages: u32) {
    let mut tx = harness.app.db.write().await.expect("begin");
    let sql = format!("PRAGMA max_page_count = {pages}");
    let done = on!(&mut tx, |c| sqlx::query(AssertSqlSafe(sql))
        .execute(c)
        .await
        .map(drop));
    done.expect("bounded");
    tx.commit().await.expect("commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_as_busy_and_room_is_enough_to_go_on() {
    let harness = Harness::start(Engine::Sqlite).await;
    let phone = harness.worker(1).await.phone().await;
    bound(&harness, 1).await;
    let all: Vec<Value> = (1..=150).map(check_in).collect();
    let told = phone.try_push(&all).await;
    told.problem(503, "busy");
    let nobody = harness.nobody();
    nobody.get("/readyz").await.problem(503, "busy");
    bound(&harness, 1_000_000).await;
    let verdicts = phone.push(&all).await;
    let accepted = |verdict: &&Value| verdict["verdict"] == "accepted";
    assert_eq!(
        verdicts.iter().filter(accepted).count(),
        150,
        "nothing was lost"
    );
    assert_eq!(nobody.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_finds_out_by_itself_that_there_is_room_again() {
    let harness = Harness::start(Engine::Sqlite).await;
    let phone = harness.worker(1).await.phone().await;
    bound(&harness, 1).await;
    let all: Vec<Value> = (1..=150).map(check_in).collect();
    phone.try_push(&all).await.problem(503, "busy");
    bound(&harness, 1_000_000).await;
    let ready = || {
        let failed = &harness.app.cannot_write;
        (!failed.load(std::sync::atomic::Ordering::Relaxed)).then_some(())
    };
    until("it can write again", ready).await;
}

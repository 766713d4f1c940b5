//! What a transaction promises on both engines.

use sqlx::query_scalar;
use xiangyi_server::store::{Db, Tx};
use xiangyi_server::{bulk, on};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::on_both;

const ADD: &str = "INSERT INTO throttle (key, failures, next_at) VALUES ($1, $2, $3)";
const COUNT: &str = "SELECT COUNT(*) FROM throttle";

async fn add(tx: &mut Tx, key: u8) {
    on!(tx, |c| sqlx::query(ADD)
        .bind(vec![key])
        .bind(1_i64)
        .bind(2_i64)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .expect("insert");
}

async fn count(tx: &mut Tx) -> i64 {
    on!(tx, |c| query_scalar(COUNT).fetch_one(c).await).expect("count")
}

async fn committed(db: &Db) -> i64 {
    count(&mut db.read().await.expect("begin")).await
}

on_both!(a_dropped_transaction_leaves_nothing, |engine| {
    let fresh = engine.fresh().await;
    let mut tx = fresh.db.write().await.expect("begin");
    add(&mut tx, 1).await;
    drop(tx);
    assert_eq!(committed(&fresh.db).await, 0);
    let mut tx = fresh.db.write().await.expect("begin");
    add(&mut tx, 1).await;
    tx.commit().await.expect("commit");
    assert_eq!(committed(&fresh.db).await, 1);
});

on_both!(a_read_sees_one_snapshot_and_cannot_write, |engine| {
    let fresh = engine.fresh().await;
    let mut read = fresh.db.read().await.expect("begin");
    assert_eq!(count(&mut read).await, 0);
    let mut tx = fresh.db.write().await.expect("begin");
    add(&mut tx, 1).await;
    tx.commit().await.expect("commit");
    assert_eq!(count(&mut read).await, 0, "the snapshot stands");
    assert_eq!(committed(&fresh.db).await, 1);
    let mut read = fresh.db.read().await.expect("begin");
    let write = on!(&mut read, |c| sqlx::query("DELETE FROM throttle")
        .execute(c)
        .await
        .map(|done| done.rows_affected()));
    assert!(write.is_err(), "a read transaction must not write");
});

on_both!(a_bulk_write_counts_only_what_it_changed, |engine| {
    use xiangyi_server::store::bulk::Bulk;
    static ADD_MANY: Bulk = Bulk::new(
        "INSERT INTO throttle (key, failures, next_at) VALUES",
        "bii",
        "ON CONFLICT (key) DO NOTHING",
    );
    async fn add_many(tx: &mut Tx, rows: &[u16]) -> Result<u64, sqlx::Error> {
        Ok(bulk!(tx, ADD_MANY, rows, |q, row| q
            .bind(row.to_be_bytes().to_vec())
            .bind(i64::from(*row))
            .bind(3_i64)))
    }
    let fresh = engine.fresh().await;
    let mut tx = fresh.db.write().await.expect("begin");
    let rows: Vec<u16> = (0..500).collect();
    assert_eq!(add_many(&mut tx, &rows).await.expect("insert"), 500);
    let rows: Vec<u16> = (400..603).collect();
    assert_eq!(add_many(&mut tx, &rows).await.expect("insert"), 103);
    assert_eq!(count(&mut tx).await, 603);
});

#[tokio::test]
async fn an_engine_that_rolled_back_by_itself_is_written_to_again() {
    let fresh = Engine::Sqlite.fresh().await;
    for _ in 0..2 {
        let mut tx = fresh.db.write().await.expect("begin");
        // A full disk does this behind the driver's back, which then fails to do it again.
        let done = on!(&mut tx, |c| sqlx::query("ROLLBACK")
            .execute(c)
            .await
            .map(drop));
        done.expect("rolled back");
        drop(tx);
    }
    let tx = fresh
        .db
        .write()
        .await
        .expect("a connection that is outside");
    tx.commit().await.expect("commit");
}

//! Single-row changes beside the batches: rare ones, each with its own text.

use uuid::Uuid;
use xiangyi_proto::ids::Shard;

use super::{StoreError, Tx};
use crate::on;

/// Index: `log_content(shard, record, content)`.
const FORGET: &str =
    "UPDATE log SET content = NULL WHERE shard = $1 AND record = $2 AND content = $3";

/// Lets a content be judged afresh; number, digest and answer stay.
pub async fn forget(
    tx: &mut Tx,
    shard: Shard,
    record: &Uuid,
    content: &[u8; 32],
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(FORGET)
        .bind(shard.0)
        .bind(record.as_bytes().as_slice())
        .bind(content.as_slice())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: held_need by its held item.
const DROP_NEEDS: &str = "DELETE FROM held_need WHERE shard = $1 AND held = $2";
const DROP_HELD: &str = "DELETE FROM held WHERE shard = $1 AND id = $2";

/// Takes away what a held item waits for, and the item itself when it is done.
pub async fn drop_held(
    tx: &mut Tx,
    shard: Shard,
    held: &Uuid,
    done: bool,
) -> Result<(), StoreError> {
    let id = held.as_bytes().as_slice();
    on!(tx, |c| sqlx::query(DROP_NEEDS)
        .bind(shard.0)
        .bind(id)
        .execute(c)
        .await
        .map(drop))?;
    if done {
        on!(tx, |c| sqlx::query(DROP_HELD)
            .bind(shard.0)
            .bind(id)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// Index: `fact(shard, record)`.
const DROP_FACTS: &str = "DELETE FROM fact WHERE shard = $1 AND record = $2";

/// Takes away the facts of a record's former revision.
pub async fn drop_facts(tx: &mut Tx, shard: Shard, record: &Uuid) -> Result<(), StoreError> {
    let id = record.as_bytes().as_slice();
    on!(tx, |c| sqlx::query(DROP_FACTS)
        .bind(shard.0)
        .bind(id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const DROP_TIMER: &str = "DELETE FROM timer WHERE shard = $1 AND kind = $2 AND id = $3";

/// Takes a timer away.
pub async fn drop_timer(tx: &mut Tx, shard: Shard, kind: &str, id: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(DROP_TIMER)
        .bind(shard.0)
        .bind(kind)
        .bind(id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const NEXT_N: &str = "UPDATE device SET next_n = $2 WHERE id = $1";

/// Remembers the next number of a REST device.
pub async fn next_n(tx: &mut Tx, device: &str, next_n: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(NEXT_N)
        .bind(device)
        .bind(next_n)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: `timer_due(due_at)`.
const DUE: &str =
    "SELECT shard, kind, id, due_at FROM timer WHERE due_at <= $1 ORDER BY due_at LIMIT $2";

/// Timers whose moment has come: shard, kind, id, due time.
pub async fn due(
    tx: &mut Tx,
    now: i64,
    limit: i64,
) -> Result<Vec<(i64, String, String, i64)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(DUE)
        .bind(now)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

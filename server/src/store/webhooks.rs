//! Webhooks: where changes of a stream are told to, and how far they were.

use sqlx::FromRow;

use super::{StoreError, Tx};
use crate::on;

/// A webhook.
#[derive(Debug, Clone, FromRow)]
pub struct Webhook {
    pub id: String,
    pub shard: i64,
    pub stream: String,
    pub url: String,
    /// Sealed for its row.
    pub secret: Vec<u8>,
    pub made_by: String,
    pub made_at: i64,
    /// `active`, or `paused` after many faults.
    pub state: String,
    /// Changes up to here were taken.
    pub position: i64,
    pub tries: i64,
    pub due_at: i64,
    pub fault: Option<String>,
    /// Where its county's numbers stood when it was read as due.
    #[sqlx(default)]
    pub head: i64,
}

const ADD: &str = "INSERT INTO webhook (id, shard, stream, url, secret, made_by, made_at, state, \
     position, tries, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', $8, 0, $7)";

/// A new one.
pub async fn add(tx: &mut Tx, hook: &Webhook) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD)
        .bind(&hook.id)
        .bind(hook.shard)
        .bind(&hook.stream)
        .bind(&hook.url)
        .bind(&hook.secret)
        .bind(&hook.made_by)
        .bind(hook.made_at)
        .bind(hook.position)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: `webhook_shard`.
const OF: &str = "SELECT id, shard, stream, url, secret, made_by, made_at, state, position, tries, \
     due_at, fault FROM webhook WHERE shard = $1 ORDER BY id";

/// Those of a county.
pub async fn of(tx: &mut Tx, shard: i64) -> Result<Vec<Webhook>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(OF)
        .bind(shard)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `webhook`.
const BY_ID: &str = "SELECT id, shard, stream, url, secret, made_by, made_at, state, position, \
     tries, due_at, fault FROM webhook WHERE id = $1";

/// One by its id.
pub async fn by_id(tx: &mut Tx, id: &str) -> Result<Option<Webhook>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(BY_ID)
        .bind(id)
        .fetch_optional(c)
        .await)?)
}

/// Index: `webhook_due(due_at)` where active, and the primary key of `shard`. Who has heard of
/// everything takes nobody's turn.
const DUE: &str = "SELECT h.id, h.shard, h.stream, h.url, h.secret, h.made_by, h.made_at, h.state, \
     h.position, h.tries, h.due_at, h.fault, s.head_seq AS head FROM webhook h \
     JOIN shard s ON s.id = h.shard WHERE h.state = 'active' AND h.due_at <= $1 \
     AND h.position < s.head_seq ORDER BY h.due_at LIMIT $2";

/// Those whose moment has come and that something may be told.
pub async fn due(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<Webhook>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(DUE)
        .bind(now)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `webhook`.
const CLAIM: &str = "UPDATE webhook SET due_at = $3 \
     WHERE id = $1 AND due_at = $2 AND position = $4 AND state = 'active'";

/// Claims one until a moment; false when another node was faster.
pub async fn claim(tx: &mut Tx, hook: &Webhook, until: i64) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(CLAIM)
        .bind(&hook.id)
        .bind(hook.due_at)
        .bind(until)
        .bind(hook.position)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Index: the primary key of `webhook`.
const SETTLE: &str = "UPDATE webhook SET state = $2, position = $3, tries = $4, due_at = $5, \
     fault = $6 WHERE id = $1 AND due_at = $7 AND state = 'active'";

/// Writes what became of one while the claim until a moment holds; false when another went on.
pub async fn settle(tx: &mut Tx, hook: &Webhook, until: i64) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(SETTLE)
        .bind(&hook.id)
        .bind(&hook.state)
        .bind(hook.position)
        .bind(hook.tries)
        .bind(hook.due_at)
        .bind(&hook.fault)
        .bind(until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Index: `webhook_shard`.
const GIVE: &str = "UPDATE webhook SET made_by = $3 WHERE shard = $1 AND made_by = $2";

/// Those of a county that somebody made go on in another's name; gives how many.
pub async fn give(tx: &mut Tx, shard: i64, from: &str, to: &str) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(GIVE)
        .bind(shard)
        .bind(from)
        .bind(to)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// A table of a few rows a county.
const MADE_BY: &str = "SELECT DISTINCT shard FROM webhook WHERE made_by = $1";

/// Counties in which somebody made one.
pub async fn made_by(tx: &mut Tx, person: &str) -> Result<Vec<i64>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(MADE_BY)
        .bind(person)
        .fetch_all(c)
        .await)?)
}

/// A table of a few rows a county.
const PAUSED: &str = "SELECT COUNT(*) FROM webhook WHERE state = 'paused'";

/// How many are paused.
pub async fn paused(tx: &mut Tx) -> Result<i64, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(PAUSED).fetch_one(c).await)?)
}

/// Index: the primary key of `webhook`.
const RESUME: &str = "UPDATE webhook SET state = 'active', tries = 0, due_at = $2, made_by = $3 \
     WHERE id = $1";

/// Goes on, in the name of whoever says so.
pub async fn resume(tx: &mut Tx, hook: &Webhook) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(RESUME)
        .bind(&hook.id)
        .bind(hook.due_at)
        .bind(&hook.made_by)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `webhook`.
const REMOVE: &str = "DELETE FROM webhook WHERE id = $1";

/// Takes one away.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(REMOVE)
        .bind(id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

//! The throttle of signing in: one row per keyed telephone, known or not.
//!
//! A try is counted before the password is looked at, by a conditional write, so that many
//! guesses at the same moment are no more tries than one after the other.

use super::{StoreError, Tx};
use crate::on;

const FIND: &str = "SELECT failures, next_at FROM throttle WHERE key = $1";
const ADD: &str = "INSERT INTO throttle (key, failures, next_at) VALUES ($1, 1, $2) \
     ON CONFLICT (key) DO NOTHING";
const COUNT: &str = "UPDATE throttle SET failures = $4, next_at = $5 \
     WHERE key = $1 AND failures = $2 AND next_at = $3";

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// It counts as a failure until `forget` is called.
    Counted,
    /// Not before this moment.
    Wait(i64),
    /// Another try came in between; look again.
    Lost,
}

/// Counts a try. `after` gives the moment of the next one for a number of failures; failures
/// older than `stale` are forgotten.
pub async fn count(
    tx: &mut Tx,
    key: &[u8],
    now: i64,
    stale: i64,
    after: impl Fn(i64) -> i64,
) -> Result<Try, StoreError> {
    let row: Option<(i64, i64)> = find(tx, key).await?;
    let changed = match row {
        Some((_, next_at)) if now < next_at => return Ok(Try::Wait(next_at)),
        None => add(tx, key, after(1)).await?,
        Some((failures, next_at)) => {
            let counted = if next_at < stale { 1 } else { failures + 1 };
            let to = (counted, after(counted));
            replace(tx, key, (failures, next_at), to).await?
        }
    };
    Ok(if changed == 1 {
        Try::Counted
    } else {
        Try::Lost
    })
}

async fn find(tx: &mut Tx, key: &[u8]) -> Result<Option<(i64, i64)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(FIND)
        .bind(key)
        .fetch_optional(c)
        .await)?)
}

async fn add(tx: &mut Tx, key: &[u8], next_at: i64) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(ADD)
        .bind(key)
        .bind(next_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

async fn replace(
    tx: &mut Tx,
    key: &[u8],
    from: (i64, i64),
    to: (i64, i64),
) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(COUNT)
        .bind(key)
        .bind(from.0)
        .bind(from.1)
        .bind(to.0)
        .bind(to.1)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// The whole of a table that this keeps small.
const SWEEP: &str = "DELETE FROM throttle WHERE next_at < $1";

/// Forgets tries whose time is long over.
pub async fn sweep(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(SWEEP)
        .bind(before)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

const FORGET: &str = "DELETE FROM throttle WHERE key = $1";

/// Forgets the failures of an account whose password was right.
pub async fn forget(tx: &mut Tx, key: &[u8]) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(FORGET)
        .bind(key)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

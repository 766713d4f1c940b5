//! Jobs about photographs: due, claimed until a moment, parked; a job that is done is gone.
//!
//! The table stays as small as what is left to do and what was given up.

use super::{StoreError, Tx};
use crate::on;

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Makes both renditions.
    Renditions,
    /// Rewrites the records of this owner that declare the photograph.
    Show(String),
}

impl What {
    /// The stored text.
    pub fn text(&self) -> String {
        match self {
            Self::Renditions => "renditions".to_owned(),
            Self::Show(owner) => format!("show {owner}"),
        }
    }

    /// The job of a stored text.
    pub fn parse(text: &str) -> Self {
        let owner = text.strip_prefix("show ");
        owner.map_or(Self::Renditions, |owner| Self::Show(owner.to_owned()))
    }
}

/// A job that is due.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct JobRow {
    pub shard: i64,
    pub sha256: Vec<u8>,
    pub what: String,
    /// Claims before this one.
    pub tries: i64,
}

impl JobRow {
    /// What it does.
    pub fn what(&self) -> What {
        What::parse(&self.what)
    }
}

const ADD: &str = "INSERT INTO photo_job (shard, sha256, what, state, tries, due_at, fault) \
     VALUES ($1, $2, $3, 'due', 0, $4, NULL) ON CONFLICT (shard, sha256, what) DO UPDATE \
     SET state = 'due', tries = 0, due_at = excluded.due_at, fault = NULL";

/// Adds a job; one that was parked gets another chance.
pub async fn add(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    what: &What,
    due_at: i64,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD)
        .bind(shard)
        .bind(sha256)
        .bind(what.text())
        .bind(due_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: `photo_job_due(due_at)` where due.
const DUE: &str = "SELECT shard, sha256, what, tries FROM photo_job \
     WHERE state = 'due' AND due_at <= $1 ORDER BY due_at LIMIT $2";

/// Jobs whose moment has come.
pub async fn due(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<JobRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(DUE)
        .bind(now)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

const CLAIM: &str = "UPDATE photo_job SET tries = tries + 1, due_at = $5 \
     WHERE shard = $1 AND sha256 = $2 AND what = $3 AND state = 'due' AND due_at <= $4";

/// Claims a job until a moment; false when another runner was faster.
pub async fn claim(tx: &mut Tx, job: &JobRow, now: i64, until: i64) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(CLAIM)
        .bind(job.shard)
        .bind(job.sha256.as_slice())
        .bind(job.what.as_str())
        .bind(now)
        .bind(until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const DONE: &str = "DELETE FROM photo_job WHERE shard = $1 AND sha256 = $2 AND what = $3";

/// A job is done.
pub async fn done(tx: &mut Tx, shard: i64, sha256: &[u8], what: &What) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(DONE)
        .bind(shard)
        .bind(sha256)
        .bind(what.text())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const AGAIN: &str = "UPDATE photo_job SET tries = $4, due_at = $5, fault = $6 \
     WHERE shard = $1 AND sha256 = $2 AND what = $3";

/// A job is to be tried again; `next` is the number of tries that count, and the moment.
pub async fn again(
    tx: &mut Tx,
    job: &JobRow,
    next: (i64, i64),
    fault: &str,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(AGAIN)
        .bind(job.shard)
        .bind(job.sha256.as_slice())
        .bind(job.what.as_str())
        .bind(next.0)
        .bind(next.1)
        .bind(fault)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const PARK: &str = "UPDATE photo_job SET state = 'parked', fault = $4 \
     WHERE shard = $1 AND sha256 = $2 AND what = $3";

/// A job is given up; somebody may look at its fault.
pub async fn park(tx: &mut Tx, job: &JobRow, fault: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(PARK)
        .bind(job.shard)
        .bind(job.sha256.as_slice())
        .bind(job.what.as_str())
        .bind(fault)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key.
const STATE: &str = "SELECT state FROM photo_job WHERE shard = $1 AND sha256 = $2 AND what = $3";

/// Says whether a job was given up.
pub async fn is_parked(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    what: &What,
) -> Result<bool, StoreError> {
    let state: Option<String> = on!(tx, |c| sqlx::query_scalar(STATE)
        .bind(shard)
        .bind(sha256)
        .bind(what.text())
        .fetch_optional(c)
        .await)?;
    Ok(state.as_deref() == Some("parked"))
}

//! Shards and streams: the counter row that orders a county, and the numbers of its streams.
//!
//! The counter row is locked by the first statement of every writing transaction and stays locked
//! to its commit; that alone makes cursors safe.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use sqlx::FromRow;
use xiangyi_proto::ids::{Seq, Shard};

use super::batch::{self, in_texts};
use super::dialect::Dual;
use super::{StoreError, Tx};
use crate::on;

/// The counter row of a shard.
#[derive(Debug, Clone, FromRow)]
pub struct ShardRow {
    pub id: i64,
    pub epoch: i64,
    pub head_seq: Seq,
    pub durable_seq: Seq,
    pub chain: Vec<u8>,
}

/// Takes the row lock on the engine that has one; the other is alone already.
const LOCK: &str = "UPDATE shard SET head_seq = head_seq WHERE id = $1 \
     RETURNING id, epoch, head_seq, durable_seq, chain";
const OPEN: &str = "INSERT INTO shard (id, epoch, head_seq, durable_seq, chain) \
     VALUES ($1, 1, 0, 0, $2) ON CONFLICT (id) DO NOTHING";
const ADVANCE: &str = "UPDATE shard SET head_seq = $2, chain = $3 WHERE id = $1";

/// Locks a shard for writing; a shard that was never written to begins at 0.
pub async fn lock(tx: &mut Tx, shard: Shard) -> Result<ShardRow, StoreError> {
    let locked = |row: Option<ShardRow>| row.ok_or(super::broken("shard", "no counter row"));
    let row: Option<ShardRow> = on!(tx, |c| sqlx::query_as(LOCK)
        .bind(shard.0)
        .fetch_optional(c)
        .await)?;
    if row.is_some() {
        return locked(row);
    }
    open(tx, shard).await?;
    let row = on!(tx, |c| sqlx::query_as(LOCK)
        .bind(shard.0)
        .fetch_optional(c)
        .await)?;
    locked(row)
}

async fn open(tx: &mut Tx, shard: Shard) -> Result<(), StoreError> {
    let chain: Vec<u8> = Vec::new();
    on!(tx, |c| sqlx::query(OPEN)
        .bind(shard.0)
        .bind(chain)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Moves the counter; the last number of a commit and the end of its chain.
pub async fn advance(tx: &mut Tx, shard: Shard, head: Seq, chain: &[u8]) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADVANCE)
        .bind(shard.0)
        .bind(head)
        .bind(chain)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// One statement over a table of 137 rows at most.
const TOUCH: &str = "UPDATE shard SET head_seq = head_seq WHERE id > $1";

/// Writes what is there already, to see whether anything can be written.
pub async fn touch(tx: &mut Tx) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(TOUCH)
        .bind(0_i64)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// One row, and only while it is of the epoch that was copied.
const HOLD: &str = "UPDATE shard SET durable_seq = $3 WHERE id = $1 AND epoch = $2 \
     AND durable_seq < $3";

/// Notes that a verified backup holds a shard up to where the copy's row stands.
pub async fn hold(tx: &mut Tx, copied: &ShardRow) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(HOLD)
        .bind(copied.id)
        .bind(copied.epoch)
        .bind(copied.head_seq)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const HEADS: &str = "SELECT id, epoch, head_seq, durable_seq, chain FROM shard ORDER BY id";

/// Every shard's counter row; there are at most 137 in a province.
pub async fn heads(tx: &mut Tx) -> Result<Vec<ShardRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(HEADS).fetch_all(c).await)?)
}

/// A stream's row.
#[derive(Debug, Clone, FromRow)]
pub struct StreamRow {
    pub shard: i64,
    pub id: i64,
    pub name: String,
    pub floor_seq: Seq,
}

/// Index: the unique one of `stream(shard, name)`.
const STREAMS: Dual = in_texts!(
    "SELECT shard, id, name, floor_seq",
    "stream WHERE shard = $1 AND name = k0"
);
const NEW_STREAM: &str = "INSERT INTO stream (shard, id, name, floor_seq) \
     SELECT $1, COALESCE(MAX(id), 0) + 1, $2, 0 FROM stream WHERE shard = $1 \
     ON CONFLICT (shard, name) DO NOTHING";

/// The streams of these names that exist.
pub async fn streams(
    tx: &mut Tx,
    shard: Shard,
    names: &[&str],
) -> Result<Vec<StreamRow>, StoreError> {
    let (sql, keys) = (tx.text(&STREAMS), batch::list(names));
    Ok(on!(tx, |c| sqlx::query_as(sql)
        .bind(shard.0)
        .bind(keys)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `stream`.
const ALL_STREAMS: &str =
    "SELECT shard, id, name, floor_seq FROM stream WHERE shard = $1 ORDER BY id";

/// Every stream of a shard.
pub async fn all_streams(tx: &mut Tx, shard: Shard) -> Result<Vec<StreamRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(ALL_STREAMS)
        .bind(shard.0)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `stream`.
const NAME: &str = "SELECT name FROM stream WHERE shard = $1 AND id = $2";

/// The name of a stream.
pub async fn name_of(tx: &mut Tx, shard: i64, id: i64) -> Result<Option<String>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(NAME)
        .bind(shard)
        .bind(id)
        .fetch_optional(c)
        .await)?)
}

/// Numbers of streams that this process has seen committed; they never change.
#[derive(Debug, Default)]
pub struct StreamIds {
    known: Mutex<HashMap<(i64, String), i64>>,
}

impl StreamIds {
    /// The numbers of these streams, made where there are none. Needs the shard's lock.
    pub async fn of(
        &self,
        tx: &mut Tx,
        shard: Shard,
        names: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut found = BTreeMap::new();
        let mut unknown = Vec::new();
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for name in names {
                match known.get(&(shard.0, (*name).to_owned())) {
                    Some(id) => drop(found.insert((*name).to_owned(), *id)),
                    None => unknown.push(*name),
                }
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let there = streams(tx, shard, &unknown).await?;
        found.extend(there.into_iter().map(|row| (row.name, row.id)));
        unknown.retain(|name| !found.contains_key(*name));
        for name in &unknown {
            on!(tx, |c| sqlx::query(NEW_STREAM)
                .bind(shard.0)
                .bind(*name)
                .execute(c)
                .await
                .map(drop))?;
        }
        if !unknown.is_empty() {
            let made = streams(tx, shard, &unknown).await?;
            found.extend(made.into_iter().map(|row| (row.name, row.id)));
        }
        Ok(found)
    }

    /// Remembers numbers after the commit that made them.
    pub fn keep(&self, shard: Shard, ids: &BTreeMap<String, i64>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(ids.iter().map(|(name, id)| ((shard.0, name.clone()), *id)));
    }
}

//! What a trial of a rule pack reads: stored records and held items of a period, page by page.
//!
//! Each page is one range of one mailbox, so that no statement reads a county at once.

use std::collections::BTreeSet;

use sqlx::FromRow;
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::{Millis, TimeQuality};
use xiangyi_sync::world::{Admitted, Record};

use super::keys::{self, KeySet};
use super::{StoreError, Tx, broken, load, sealed};
use crate::accounts::seal::Sealer;
use crate::on;

/// Kinds below this number are judged; those from it on are the server's own.
pub const JUDGED_BELOW: i64 = 20;

/// Index: the primary key of `stream`.
const HOMES: &str = "SELECT id, name FROM stream WHERE shard = $1 ORDER BY id";

/// The streams of a shard that are homes of records which rules judge: mailboxes and the vault.
pub async fn homes(tx: &mut Tx, shard: Shard) -> Result<Vec<i64>, StoreError> {
    let rows: Vec<(i64, String)> = on!(tx, |c| sqlx::query_as(HOMES)
        .bind(shard.0)
        .fetch_all(c)
        .await)?;
    let is_home = |name: &str| name.starts_with("person:") || name.starts_with("vault:");
    let homes = rows.into_iter().filter(|(_, name)| is_home(name));
    Ok(homes.map(|(id, _)| id).collect())
}

/// Where a page of a mailbox begins, and which acts are meant: from a moment, before another.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub shard: Shard,
    pub stream: i64,
    pub after: i64,
    pub from: Millis,
    pub until: Millis,
    pub limit: i64,
}

/// Index: the primary key of `feed`.
const RECORDS: &str = "SELECT seq, id, kind, author, unit, occurred_at, received_at, \
     estimated_at, quality, body, sealed, sealed_for FROM feed \
     WHERE shard = $1 AND stream = $2 AND seq > $3 AND home AND op = 0 AND kind < $4 \
     AND estimated_at >= $5 AND estimated_at < $6 ORDER BY seq LIMIT $7";

/// A stored row, still sealed.
#[derive(Debug, FromRow)]
pub struct Row {
    pub seq: i64,
    id: Vec<u8>,
    kind: i64,
    author: String,
    unit: String,
    occurred_at: i64,
    received_at: i64,
    estimated_at: i64,
    quality: i64,
    body: String,
    sealed: Option<Vec<u8>>,
    sealed_for: Option<String>,
}

/// A page of records, and the keys to open them.
pub async fn records(
    tx: &mut Tx,
    sealer: &Sealer,
    page: &Page,
) -> Result<(Vec<Row>, KeySet), StoreError> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(RECORDS)
        .bind(page.shard.0)
        .bind(page.stream)
        .bind(page.after)
        .bind(JUDGED_BELOW)
        .bind(page.from)
        .bind(page.until)
        .bind(page.limit)
        .fetch_all(c)
        .await)?;
    let owners: BTreeSet<&str> = rows
        .iter()
        .filter_map(|r| r.sealed_for.as_deref())
        .collect();
    let keys = keys::known(tx, sealer, page.shard.0, owners).await?;
    Ok((rows, keys))
}

impl Row {
    /// The record, whole.
    pub fn open(self, keys: &KeySet) -> Result<Record, StoreError> {
        let id = load::id(&self.id)?;
        let part = self.sealed.as_deref().zip(self.sealed_for.as_deref());
        let body = sealed::whole(keys, id, &self.body, part)?;
        Ok(Record {
            id,
            kind: Kind::of_number(self.kind).ok_or_else(|| broken("feed", "kind"))?,
            rev: 1,
            author: self.author,
            unit: self.unit,
            village: None,
            occurred_at: self.occurred_at,
            received_at: self.received_at,
            estimated_at: self.estimated_at,
            quality: TimeQuality::of_number(self.quality),
            body: serde_json::from_str(&body).map_err(|_| broken("feed", "body"))?,
            field_revs: Default::default(),
            placed: Default::default(),
            void: false,
            seq: self.seq,
        })
    }
}

/// Index: the primary key of `held`.
const HELD: &str = "SELECT id, sealed, sealed_for FROM held \
     WHERE shard = $1 AND id > $2 ORDER BY id LIMIT $3";

/// Held items after an id, opened.
pub async fn held(
    tx: &mut Tx,
    sealer: &Sealer,
    shard: Shard,
    after: Uuid,
    limit: i64,
) -> Result<Vec<(Uuid, Admitted)>, StoreError> {
    let rows: Vec<(Vec<u8>, Vec<u8>, String)> = on!(tx, |c| sqlx::query_as(HELD)
        .bind(shard.0)
        .bind(after.as_bytes().as_slice())
        .bind(limit)
        .fetch_all(c)
        .await)?;
    let owners: BTreeSet<&str> = rows.iter().map(|row| row.2.as_str()).collect();
    let keys = keys::known(tx, sealer, shard.0, owners).await?;
    let open = |(id, part, owner): &(Vec<u8>, Vec<u8>, String)| {
        let id = load::id(id)?;
        let text = sealed::text(&keys, id, part, owner)?;
        let item = serde_json::from_str(&text).map_err(|_| broken("held", "sealed"))?;
        Ok((id, item))
    };
    rows.iter().map(open).collect()
}

/// Index: `refusal(shard, received_at)`.
const REFUSED: &str = "SELECT COUNT(*) FROM refusal \
     WHERE shard = $1 AND received_at >= $2 AND received_at < $3";

/// Refusals of a period: they keep no body that could be tried.
pub async fn refused(
    tx: &mut Tx,
    shard: Shard,
    from: Millis,
    until: Millis,
) -> Result<i64, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(REFUSED)
        .bind(shard.0)
        .bind(from)
        .bind(until)
        .fetch_one(c)
        .await)?)
}

//! Photographs: what is complete, who declares it, who may read it, who read it.
//!
//! A photograph belongs to whoever sent it. A record vouches for a photograph only when its
//! author is the owner: declaring a hash that one has heard of opens nothing.

use uuid::Uuid;

use super::{StoreError, Tx, load};
use crate::on;

/// A complete photograph.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PhotoRow {
    pub owner: String,
    pub bytes: i64,
    pub mime: String,
    /// Upright.
    pub width: i64,
    pub height: i64,
    /// What the camera wrote, sealed under the owner's key at `place`.
    pub camera: Option<Vec<u8>>,
}

/// Where what a camera wrote is sealed.
pub fn place(sha256: &[u8]) -> Vec<u8> {
    [b"camera\0", sha256].concat()
}

const ADD: &str = "INSERT INTO photo (shard, sha256, owner, bytes, mime, state, width, height, \
     stored_at, camera) VALUES ($1, $2, $3, $4, $5, 'complete', $6, $7, $8, $9) \
     ON CONFLICT (shard, sha256, owner) DO NOTHING";

/// Notes a complete photograph; its blob must be durable.
pub async fn add(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    photo: &PhotoRow,
    now: i64,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD)
        .bind(shard)
        .bind(sha256)
        .bind(photo.owner.as_str())
        .bind(photo.bytes)
        .bind(photo.mime.as_str())
        .bind(photo.width)
        .bind(photo.height)
        .bind(now)
        .bind(photo.camera.as_deref())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `photo`.
const BY_OWNER: &str = "SELECT owner, bytes, mime, width, height, camera FROM photo \
     WHERE shard = $1 AND sha256 = $2 AND owner = $3 AND state = 'complete'";

/// A person's own photograph.
pub async fn by_owner(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    owner: &str,
) -> Result<Option<PhotoRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(BY_OWNER)
        .bind(shard)
        .bind(sha256)
        .bind(owner)
        .fetch_optional(c)
        .await)?)
}

/// Index: `photo_owner(owner, stored_at)`.
const SENT: &str = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM photo \
     WHERE owner = $1 AND stored_at > $2";

/// Bytes of the photographs that a person has sent since a moment.
pub async fn sent_since(tx: &mut Tx, owner: &str, since: i64) -> Result<i64, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(SENT)
        .bind(owner)
        .bind(since)
        .fetch_one(c)
        .await)?)
}

/// Index: the primary key of `photo`.
const MIME: &str = "SELECT mime FROM photo \
     WHERE shard = $1 AND sha256 = $2 AND state = 'complete' LIMIT 1";

/// The media type of a photograph, whoever sent it.
pub async fn mime(tx: &mut Tx, shard: i64, sha256: &[u8]) -> Result<Option<String>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(MIME)
        .bind(shard)
        .bind(sha256)
        .fetch_optional(c)
        .await)?)
}

/// Index: the primary key of `photo_ref`.
const DECLARES: &str = "SELECT record FROM photo_ref \
     WHERE shard = $1 AND sha256 = $2 AND author = $3 LIMIT 1";

/// Says whether a record of this author declares a photograph, sent or not.
pub async fn declares(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    author: &str,
) -> Result<bool, StoreError> {
    let record: Option<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(DECLARES)
        .bind(shard)
        .bind(sha256)
        .bind(author)
        .fetch_optional(c)
        .await)?;
    Ok(record.is_some())
}

/// Records with their author's own photographs; entries of one human being are one owner.
macro_rules! own_photos {
    ($tail:literal) => {
        concat!(
            "SELECT r.record FROM photo_ref r JOIN photo p ON p.shard = r.shard \
             AND p.sha256 = r.sha256 AND p.state = 'complete' \
             LEFT JOIN person a ON a.id = r.author LEFT JOIN person o ON o.id = p.owner ",
            $tail,
            " AND COALESCE(o.merged_into, p.owner) = COALESCE(a.merged_into, r.author) \
             ORDER BY r.record LIMIT 1"
        )
    };
}

/// Index: the primary keys of `photo_ref`, `photo` and `person`.
const DECLARED: &str = own_photos!("WHERE r.shard = $1 AND r.sha256 = $2");

/// A record whose author sent this photograph for it.
pub async fn declared(tx: &mut Tx, shard: i64, sha256: &[u8]) -> Result<Option<Uuid>, StoreError> {
    let record: Option<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(DECLARED)
        .bind(shard)
        .bind(sha256)
        .fetch_optional(c)
        .await)?;
    record.map(|bytes| load::id(&bytes)).transpose()
}

/// Index: the primary keys of `photo_ref`, `photo` and `person`, `feed(shard, id, stream)`.
const READABLE: &str = own_photos!(
    "JOIN stream s ON s.shard = r.shard AND s.name = $3 \
     JOIN feed f ON f.shard = r.shard AND f.id = r.record AND f.stream = s.id AND f.op = 0 \
     WHERE r.shard = $1 AND r.sha256 = $2"
);

/// Says whether a mailbox holds, now and whole, a record whose author sent this photograph.
pub async fn is_readable(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    mailbox: &str,
) -> Result<bool, StoreError> {
    let record: Option<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(READABLE)
        .bind(shard)
        .bind(sha256)
        .bind(mailbox)
        .fetch_optional(c)
        .await)?;
    Ok(record.is_some())
}

/// Index: the primary key of `photo`.
const SENT_BY: &str = "SELECT owner, bytes, mime, width, height, camera FROM photo \
     WHERE shard = $1 AND sha256 = $2 AND state = 'complete' ORDER BY owner LIMIT $3";

/// Everybody's row of one photograph.
pub async fn sent_by(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    limit: i64,
) -> Result<Vec<PhotoRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(SENT_BY)
        .bind(shard)
        .bind(sha256)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `photo_ref`.
const SHOWN_IN: &str = "SELECT record, author FROM photo_ref \
     WHERE shard = $1 AND sha256 = $2 ORDER BY record LIMIT $3";

/// Records that declare a photograph, with their authors.
pub async fn shown_in(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    limit: i64,
) -> Result<Vec<(Uuid, String)>, StoreError> {
    let rows: Vec<(Vec<u8>, String)> = on!(tx, |c| sqlx::query_as(SHOWN_IN)
        .bind(shard)
        .bind(sha256)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    let read = |(record, author): (Vec<u8>, String)| Ok((load::id(&record)?, author));
    rows.into_iter().map(read).collect()
}

/// Index: the primary keys of `photo_ref` and `photo`.
const VOUCHES: &str = own_photos!("WHERE r.shard = $1 AND r.sha256 = $2 AND r.record = $3");

/// Says whether this record shows the photograph and its author has sent it.
pub async fn vouches(
    tx: &mut Tx,
    shard: i64,
    sha256: &[u8],
    record: Uuid,
) -> Result<bool, StoreError> {
    let found: Option<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(VOUCHES)
        .bind(shard)
        .bind(sha256)
        .bind(record.as_bytes().as_slice())
        .fetch_optional(c)
        .await)?;
    Ok(found.is_some())
}

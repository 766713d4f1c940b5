//! Uploads of photographs: how far each has come, and who may move it.
//!
//! Every change of an open upload names the fence of the append that makes it; an older append
//! changes nothing. The file itself is no matter of this module.

use uuid::Uuid;

use super::{StoreError, Tx};
use crate::on;

/// An upload's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UploadRow {
    pub id: String,
    pub shard: i64,
    pub owner: String,
    pub sha256: Vec<u8>,
    pub mime: String,
    pub length: i64,
    /// Bytes that were durable when the row was written.
    pub received: i64,
    pub fence: i64,
    /// `open` or `complete`.
    pub state: String,
    pub expires_at: i64,
}

impl UploadRow {
    /// Says whether its photograph is here.
    pub fn is_complete(&self) -> bool {
        self.state == "complete"
    }
}

/// What an upload announces.
#[derive(Debug, Clone)]
pub struct NewUpload<'a> {
    pub id: &'a str,
    pub shard: i64,
    pub owner: &'a str,
    pub sha256: &'a [u8],
    pub mime: &'a str,
    pub record: Option<Uuid>,
    pub length: i64,
    pub expires_at: i64,
}

/// An upload that begins again under its id goes on where it was. Fences start at the moment of
/// creation, so that none of a former life fits.
const BEGIN: &str = "INSERT INTO photo_upload (id, shard, owner, sha256, mime, record, length, \
     received, fence, state, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, 'open', $8, $9) \
     ON CONFLICT (id) DO UPDATE SET mime = excluded.mime, expires_at = excluded.expires_at, \
     received = CASE WHEN photo_upload.state = 'open' THEN photo_upload.received ELSE 0 END, \
     state = 'open'";

/// Begins an upload, or goes on with it.
pub async fn begin(tx: &mut Tx, new: &NewUpload<'_>, now: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(BEGIN)
        .bind(new.id)
        .bind(new.shard)
        .bind(new.owner)
        .bind(new.sha256)
        .bind(new.mime)
        .bind(new.record.as_ref().map(|id| id.as_bytes().as_slice()))
        .bind(new.length)
        .bind(now)
        .bind(new.expires_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const ALREADY: &str = "INSERT INTO photo_upload (id, shard, owner, sha256, mime, record, length, \
     received, fence, state, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, 'complete', $8, $9) \
     ON CONFLICT (id) DO UPDATE SET received = excluded.received, state = 'complete', \
     expires_at = excluded.expires_at";

/// Notes an upload whose photograph its owner has sent before.
pub async fn already(tx: &mut Tx, new: &NewUpload<'_>, now: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ALREADY)
        .bind(new.id)
        .bind(new.shard)
        .bind(new.owner)
        .bind(new.sha256)
        .bind(new.mime)
        .bind(new.record.as_ref().map(|id| id.as_bytes().as_slice()))
        .bind(new.length)
        .bind(now)
        .bind(new.expires_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const BY_ID: &str = "SELECT id, shard, owner, sha256, mime, length, received, fence, state, \
     expires_at FROM photo_upload WHERE id = $1";

/// An upload by id; whose it is, the caller must look at.
pub async fn by_id(tx: &mut Tx, id: &str) -> Result<Option<UploadRow>, StoreError> {
    // One engine knows no text with a zero in it, and no upload has such an id.
    if id.contains('\0') {
        return Ok(None);
    }
    Ok(on!(tx, |c| sqlx::query_as(BY_ID)
        .bind(id)
        .fetch_optional(c)
        .await)?)
}

const FENCE: &str = "UPDATE photo_upload SET fence = fence + 1 \
     WHERE id = $1 AND state = 'open' RETURNING fence, received";

/// Fences whoever appends now; gives the new fence and the durable bytes.
pub async fn fence(tx: &mut Tx, id: &str) -> Result<Option<(i64, i64)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(FENCE)
        .bind(id)
        .fetch_optional(c)
        .await)?)
}

const ADVANCE: &str = "UPDATE photo_upload SET received = $3 \
     WHERE id = $1 AND fence = $2 AND state = 'open'";

/// Notes how many bytes are durable; false when the fence is not the newest.
pub async fn advance(tx: &mut Tx, id: &str, fence: i64, received: i64) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(ADVANCE)
        .bind(id)
        .bind(fence)
        .bind(received)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Index: `photo_upload_owner(owner)`.
const UNDER_WAY: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(length), 0) AS BIGINT) \
     FROM photo_upload WHERE owner = $1 AND state = 'open' AND expires_at > $2";

/// A person's unfinished uploads: how many, and the bytes they announce.
pub async fn under_way(tx: &mut Tx, owner: &str, now: i64) -> Result<(i64, i64), StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(UNDER_WAY)
        .bind(owner)
        .bind(now)
        .fetch_one(c)
        .await)?)
}

const COMPLETE: &str = "UPDATE photo_upload SET received = length, state = 'complete', \
     expires_at = $3 WHERE id = $1 AND fence = $2 AND state = 'open'";

/// Completes an upload; false when the fence is not the newest. The row stays until
/// `expires_at` for a phone whose answer was lost.
pub async fn complete(
    tx: &mut Tx,
    id: &str,
    fence: i64,
    expires_at: i64,
) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(COMPLETE)
        .bind(id)
        .bind(fence)
        .bind(expires_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const REMOVE: &str = "DELETE FROM photo_upload WHERE id = $1";

/// Takes an upload away.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(REMOVE)
        .bind(id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: `photo_upload_expires(expires_at)`.
const EXPIRED: &str = "SELECT id FROM photo_upload WHERE expires_at <= $1 LIMIT $2";

/// Uploads whose time is over.
pub async fn expired(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<String>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(EXPIRED)
        .bind(now)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

const REMOVE_EXPIRED: &str = "DELETE FROM photo_upload WHERE id = $1 AND expires_at <= $2";

/// Takes an upload away unless it was begun again meanwhile.
pub async fn remove_expired(tx: &mut Tx, id: &str, now: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(REMOVE_EXPIRED)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// A sweep asks for a handful a day; no index leads to the hash.
const ANY_OF: &str = "SELECT id FROM photo_upload WHERE shard = $1 AND sha256 = $2 LIMIT 1";

/// Says whether anybody's upload of these bytes is known, whatever its state.
pub async fn is_any_of(tx: &mut Tx, shard: i64, sha256: &[u8]) -> Result<bool, StoreError> {
    let id: Option<String> = on!(tx, |c| sqlx::query_scalar(ANY_OF)
        .bind(shard)
        .bind(sha256)
        .fetch_optional(c)
        .await)?;
    Ok(id.is_some())
}

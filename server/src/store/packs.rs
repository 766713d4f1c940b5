//! Rule packs as published, and those that wait for a second person.

use super::{StoreError, Tx};
use crate::on;

/// A published pack.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PackRow {
    pub region: String,
    pub version: i64,
    /// Canonical JSON.
    pub document: String,
    pub signature: Option<String>,
    /// Id of the key that signed it.
    pub signer: Option<String>,
    /// Whether its stream has the row.
    pub told: bool,
    pub proposed_by: Option<String>,
    /// Nobody published the shipped one.
    pub published_by: Option<String>,
    pub published_at: i64,
}

const ALL: &str = "SELECT region, version, document, signature, signer, told, proposed_by, \
     published_by, published_at FROM pack ORDER BY region, version";

/// Every published pack.
pub async fn all(tx: &mut Tx) -> Result<Vec<PackRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(ALL).fetch_all(c).await)?)
}

/// Index: the primary key of `pack`.
const OF_REGION: &str = "SELECT region, version, document, signature, signer, told, proposed_by, \
     published_by, published_at FROM pack WHERE region = $1 ORDER BY version";

/// The published packs of a region.
pub async fn of_region(tx: &mut Tx, region: &str) -> Result<Vec<PackRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(OF_REGION)
        .bind(region)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `pack`.
const ONE: &str = "SELECT region, version, document, signature, signer, told, proposed_by, \
     published_by, published_at FROM pack WHERE region = $1 AND version = $2";

/// A published pack.
pub async fn one(tx: &mut Tx, region: &str, version: i64) -> Result<Option<PackRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(ONE)
        .bind(region)
        .bind(version)
        .fetch_optional(c)
        .await)?)
}

/// Index: the primary key of `pack`.
const NEWEST: &str = "SELECT COALESCE(MAX(version), 0) FROM pack WHERE region = $1";

/// The highest version of a region; 0 when there is none.
pub async fn newest(tx: &mut Tx, region: &str) -> Result<i64, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(NEWEST)
        .bind(region)
        .fetch_one(c)
        .await)?)
}

const COUNT: &str = "SELECT COUNT(*) FROM pack";

/// How many packs are published; there are only ever more.
pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(COUNT).fetch_one(c).await)?)
}

const ADD: &str = "INSERT INTO pack (region, version, document, signature, signer, told, \
     proposed_by, published_by, published_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
     ON CONFLICT (region, version) DO NOTHING";

/// Publishes a pack; a version stands once and for all. Says whether this one does.
pub async fn add(tx: &mut Tx, pack: &PackRow) -> Result<bool, StoreError> {
    Ok(on!(tx, |c| sqlx::query(ADD)
        .bind(pack.region.as_str())
        .bind(pack.version)
        .bind(pack.document.as_str())
        .bind(pack.signature.as_deref())
        .bind(pack.signer.as_deref())
        .bind(pack.told)
        .bind(pack.proposed_by.as_deref())
        .bind(pack.published_by.as_deref())
        .bind(pack.published_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))?)
}

/// Index: the primary key of `pack`.
const SIGN: &str = "UPDATE pack SET signature = $3, signer = $4 \
     WHERE region = $1 AND version = $2 AND signature IS NULL";

/// Signs a pack that nobody has signed.
pub async fn sign(tx: &mut Tx, pack: &PackRow) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SIGN)
        .bind(pack.region.as_str())
        .bind(pack.version)
        .bind(pack.signature.as_deref())
        .bind(pack.signer.as_deref())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `pack`.
const TOLD: &str = "UPDATE pack SET told = TRUE WHERE region = $1 AND version = $2";

/// Notes that the stream has the row.
pub async fn told(tx: &mut Tx, region: &str, version: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(TOLD)
        .bind(region)
        .bind(version)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// A pack that waits for a second person.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DraftRow {
    pub region: String,
    pub version: i64,
    pub document: String,
    /// Of the province's own key; absent when this server is to sign.
    pub signature: Option<String>,
    pub signer: Option<String>,
    pub proposed_by: String,
    pub proposed_at: i64,
}

const DRAFT: &str = "INSERT INTO pack_draft (region, version, document, signature, signer, \
     proposed_by, proposed_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (region, version) DO NOTHING";

/// Keeps a draft; one that was proposed does not change under whoever reads it.
pub async fn draft(tx: &mut Tx, draft: &DraftRow) -> Result<bool, StoreError> {
    Ok(on!(tx, |c| sqlx::query(DRAFT)
        .bind(draft.region.as_str())
        .bind(draft.version)
        .bind(draft.document.as_str())
        .bind(draft.signature.as_deref())
        .bind(draft.signer.as_deref())
        .bind(draft.proposed_by.as_str())
        .bind(draft.proposed_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))?)
}

/// Index: the primary key of `pack_draft`.
const DRAFTS: &str = "SELECT region, version, document, signature, signer, proposed_by, \
     proposed_at FROM pack_draft WHERE region = $1 ORDER BY version";

/// The drafts of a region.
pub async fn drafts(tx: &mut Tx, region: &str) -> Result<Vec<DraftRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(DRAFTS)
        .bind(region)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `pack_draft`.
const TAKE: &str = "DELETE FROM pack_draft WHERE region = $1 AND version = $2 AND document = $3 \
     AND proposed_by = $4";

/// Takes a draft as it was read; says whether it was still there. Whoever else wants it or a later
/// one waits for the end of this transaction.
pub async fn take_draft(tx: &mut Tx, draft: &DraftRow) -> Result<bool, StoreError> {
    Ok(on!(tx, |c| sqlx::query(TAKE)
        .bind(draft.region.as_str())
        .bind(draft.version)
        .bind(draft.document.as_str())
        .bind(draft.proposed_by.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))?)
}

/// A draft that was taken back.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct WithdrawnRow {
    pub region: String,
    pub version: i64,
    /// SHA-256 of its document.
    pub digest: String,
    pub proposed_by: String,
    pub proposed_at: i64,
    pub withdrawn_by: String,
    pub withdrawn_at: i64,
}

const WITHDRAWN: &str = "INSERT INTO pack_withdrawn (region, version, digest, proposed_by, \
     proposed_at, withdrawn_by, withdrawn_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (region, version, withdrawn_at, digest) DO NOTHING";

/// Notes that a draft was taken back.
pub async fn note_withdrawn(tx: &mut Tx, row: &WithdrawnRow) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(WITHDRAWN)
        .bind(row.region.as_str())
        .bind(row.version)
        .bind(row.digest.as_str())
        .bind(row.proposed_by.as_str())
        .bind(row.proposed_at)
        .bind(row.withdrawn_by.as_str())
        .bind(row.withdrawn_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `pack_withdrawn`.
const WITHDRAWN_OF: &str = "SELECT region, version, digest, proposed_by, proposed_at, \
     withdrawn_by, withdrawn_at FROM pack_withdrawn WHERE region = $1 \
     ORDER BY version DESC, withdrawn_at DESC LIMIT $2";

/// The drafts of a region that were taken back, the highest versions first.
pub async fn withdrawn(
    tx: &mut Tx,
    region: &str,
    limit: i64,
) -> Result<Vec<WithdrawnRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(WITHDRAWN_OF)
        .bind(region)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `pack_withdrawn`.
const WAS_WITHDRAWN: &str = "SELECT COUNT(*) FROM pack_withdrawn \
     WHERE region = $1 AND version = $2";

/// Whether another draft of this number was taken back before.
pub async fn was_withdrawn(tx: &mut Tx, region: &str, version: i64) -> Result<bool, StoreError> {
    let count: i64 = on!(tx, |c| sqlx::query_scalar(WAS_WITHDRAWN)
        .bind(region)
        .bind(version)
        .fetch_one(c)
        .await)?;
    Ok(count > 0)
}

/// Index: the primary key of `pack_draft`.
const DROP: &str = "DELETE FROM pack_draft WHERE region = $1 AND version <= $2";

/// Drops the drafts that a published version leaves behind.
pub async fn drop_drafts(tx: &mut Tx, region: &str, version: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(DROP)
        .bind(region)
        .bind(version)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

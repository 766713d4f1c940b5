//! Rule packs as published.

use super::{StoreError, Tx};
use crate::on;

/// A published pack.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PackRow {
    pub region: String,
    pub version: i64,
    /// Canonical JSON.
    pub document: String,
}

const ALL: &str = "SELECT region, version, document FROM pack ORDER BY region, version";

/// Every published pack.
pub async fn all(tx: &mut Tx) -> Result<Vec<PackRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(ALL).fetch_all(c).await)?)
}

const ADD: &str = "INSERT INTO pack (region, version, document, published_at) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (region, version) DO NOTHING";

/// Publishes a pack; a version stands once and for all.
pub async fn add(tx: &mut Tx, pack: &PackRow, now: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD)
        .bind(pack.region.as_str())
        .bind(pack.version)
        .bind(pack.document.as_str())
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

//! What of a record stands on a strip of evidence.

use uuid::Uuid;

use super::{StoreError, Tx};
use crate::on;

/// The open part of a record that a strip tells.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Said {
    pub rev: i64,
    pub unit: String,
    pub village: Option<String>,
    pub estimated_at: i64,
    pub quality: i64,
}

/// Index: `feed_record(shard, id, stream)`.
const SAID: &str = "SELECT rev, unit, village, estimated_at, quality FROM feed \
     WHERE home AND shard = $1 AND id = $2 AND op = 0";

/// What a record says now; nothing when it is gone.
pub async fn said(tx: &mut Tx, shard: i64, record: Uuid) -> Result<Option<Said>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(SAID)
        .bind(shard)
        .bind(record.as_bytes().as_slice())
        .fetch_optional(c)
        .await)?)
}

//! Records: their home rows, whole, and the streams that hold a copy.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::TimeQuality;
use xiangyi_sync::world::{Record, World};

use super::id;
use crate::accounts::seal::Sealer;
use crate::on;
use crate::store::batch::{self, in_ids};
use crate::store::dialect::Dual;
use crate::store::keys::{self, KeySet};
use crate::store::{StoreError, Tx, broken, sealed};

/// Index: `feed_record(shard, id, stream)`.
const HOMES: Dual = in_ids!(
    "SELECT seq, op, id, kind, rev, author, unit, village, occurred_at, received_at, \
     estimated_at, quality, body, sealed, sealed_for, field_revs",
    "feed WHERE home AND shard = $1 AND id = k0"
);
/// Index: `feed_record(shard, id, stream)`.
const PLACED: Dual = in_ids!(
    "SELECT id, (SELECT name FROM stream AS s WHERE s.shard = f.shard AND s.id = f.stream), rev",
    "feed AS f WHERE op = 0 AND shard = $1 AND id = k0"
);

#[derive(FromRow)]
struct HomeRow {
    seq: i64,
    op: i64,
    id: Vec<u8>,
    kind: i64,
    rev: i64,
    author: String,
    unit: String,
    village: Option<String>,
    occurred_at: i64,
    received_at: i64,
    estimated_at: i64,
    quality: i64,
    body: String,
    sealed: Option<Vec<u8>>,
    sealed_for: Option<String>,
    field_revs: Option<String>,
}

/// Records by their ids, whole.
pub async fn records(
    tx: &mut Tx,
    sealer: &Sealer,
    world: &mut World,
    wanted: &BTreeSet<Uuid>,
) -> Result<(), StoreError> {
    let shard = world.shard;
    let keys = batch::ids(wanted);
    let sql = tx.text(&HOMES);
    let rows: Vec<HomeRow> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard.0)
        .bind(keys.as_str())
        .fetch_all(c)
        .await)?;
    if rows.is_empty() {
        return Ok(());
    }
    let owners: BTreeSet<String> = rows.iter().filter_map(|r| r.sealed_for.clone()).collect();
    let keyring = keys::known(tx, sealer, shard.0, owners.iter().map(String::as_str)).await?;
    let sql = tx.text(&PLACED);
    let placed: Vec<(Vec<u8>, String, i64)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard.0)
        .bind(keys.as_str())
        .fetch_all(c)
        .await)?;
    for row in rows {
        let record = record(&keyring, row)?;
        world.records.insert(record.id, record);
    }
    for (record, stream, rev) in placed {
        if let Some(record) = world.records.get_mut(&id(&record)?) {
            record.placed.insert(stream, rev);
        }
    }
    Ok(())
}

fn record(keyring: &KeySet, row: HomeRow) -> Result<Record, StoreError> {
    let record_id = id(&row.id)?;
    let sealed = row.sealed.as_deref().zip(row.sealed_for.as_deref());
    let body = sealed::whole(keyring, record_id, &row.body, sealed)?;
    let field_revs = row.field_revs.as_deref().unwrap_or("{}");
    Ok(Record {
        id: record_id,
        kind: Kind::of_number(row.kind).ok_or_else(|| broken("feed", "kind"))?,
        rev: row.rev,
        author: row.author,
        unit: row.unit,
        village: row.village,
        occurred_at: row.occurred_at,
        received_at: row.received_at,
        estimated_at: row.estimated_at,
        quality: TimeQuality::of_number(row.quality),
        body: serde_json::from_str(&body).map_err(|_| broken("feed", "body"))?,
        field_revs: serde_json::from_str::<BTreeMap<String, i64>>(field_revs)
            .map_err(|_| broken("feed", "field_revs"))?,
        placed: BTreeMap::new(),
        void: row.op == 1,
        seq: row.seq,
    })
}

//! Held items: about a record, by their own id, or waiting for a record.

use std::collections::BTreeSet;

use sqlx::FromRow;
use uuid::Uuid;
use xiangyi_proto::verdict::HeldFor;
use xiangyi_sync::world::{Held, World};

use super::id;
use crate::accounts::seal::Sealer;
use crate::on;
use crate::store::batch::{self, in_ids, in_texts};
use crate::store::dialect::Dual;
use crate::store::keys::{self, KeySet};
use crate::store::{StoreError, Tx, broken, sealed};

/// Index: `held(shard, record)`.
const HELD_ABOUT: Dual = in_ids!(
    "SELECT id, reason, rule, until_at, escalated, sealed, sealed_for",
    "held WHERE shard = $1 AND record = k0"
);
/// Index: the primary key of `held`.
const HELD_BY_ID: Dual = in_ids!(
    "SELECT id, reason, rule, until_at, escalated, sealed, sealed_for",
    "held WHERE shard = $1 AND id = k0"
);
/// Index: the primary key of `held_need`.
const WAITERS: Dual = in_ids!("SELECT held", "held_need WHERE shard = $1 AND need = k0");
/// All needs of these held items.
const NEEDS: Dual = in_ids!(
    "SELECT held, need",
    "held_need WHERE shard = $1 AND held = k0"
);

#[derive(FromRow)]
struct HeldRow {
    id: Vec<u8>,
    reason: String,
    rule: Option<String>,
    until_at: Option<i64>,
    escalated: bool,
    sealed: Vec<u8>,
    sealed_for: String,
}

/// Index: `held_device(shard, device)`.
const COUNTS: Dual = in_texts!(
    "SELECT device, COUNT(*)",
    "held WHERE shard = $1 AND device = k0 GROUP BY device"
);

/// How many items of these devices are held.
pub(super) async fn counts(
    tx: &mut Tx,
    world: &mut World,
    devices: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let devices: Vec<&String> = devices.iter().collect();
    let (sql, keys, shard) = (tx.text(&COUNTS), batch::list(&devices), world.shard.0);
    let rows: Vec<(String, i64)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    let counted = |(device, count)| (device, usize::try_from(count).unwrap_or(0));
    world.held_by.extend(rows.into_iter().map(counted));
    Ok(())
}

pub(super) async fn held(
    tx: &mut Tx,
    sealer: &Sealer,
    world: &mut World,
    wanted: &BTreeSet<Uuid>,
) -> Result<(), StoreError> {
    let shard = world.shard;
    let keys = batch::ids(wanted);
    let mut rows: Vec<HeldRow> = Vec::new();
    for sql in [tx.text(&HELD_ABOUT), tx.text(&HELD_BY_ID)] {
        let some: Vec<HeldRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard.0)
            .bind(keys.as_str())
            .fetch_all(c)
            .await)?;
        rows.extend(some);
    }
    let sql = tx.text(&WAITERS);
    let waiters: Vec<(Vec<u8>,)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard.0)
        .bind(keys.as_str())
        .fetch_all(c)
        .await)?;
    if !waiters.is_empty() {
        let waiters = waiters
            .iter()
            .map(|(w,)| id(w))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let (sql, keys) = (tx.text(&HELD_BY_ID), batch::ids(&waiters));
        let some: Vec<HeldRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard.0)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        rows.extend(some);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let owners: BTreeSet<String> = rows.iter().map(|row| row.sealed_for.clone()).collect();
    let keyring = keys::known(tx, sealer, shard.0, owners.iter().map(String::as_str)).await?;
    let mut fresh = BTreeSet::new();
    for row in rows {
        let held_id = id(&row.id)?;
        if !world.held.contains_key(&held_id) && !world.effects.held.contains_key(&held_id) {
            fresh.insert(held_id);
            world
                .held
                .insert(held_id, held_item(&keyring, held_id, row)?);
        }
    }
    let (sql, keys) = (tx.text(&NEEDS), batch::ids(&fresh));
    let needs: Vec<(Vec<u8>, Vec<u8>)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard.0)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    for (held, need) in needs {
        if let Some(held) = world.held.get_mut(&id(&held)?) {
            held.needs.insert(id(&need)?);
        }
    }
    Ok(())
}

fn held_item(keyring: &KeySet, held_id: Uuid, row: HeldRow) -> Result<Held, StoreError> {
    let text = sealed::text(keyring, held_id, &row.sealed, &row.sealed_for)?;
    Ok(Held {
        id: held_id,
        item: serde_json::from_str(&text).map_err(|_| broken("held", "sealed"))?,
        reason: match row.reason.as_str() {
            "missing" => HeldFor::Missing,
            _ => HeldFor::Review,
        },
        rule: row.rule,
        until_at: row.until_at,
        escalated: row.escalated,
        needs: BTreeSet::new(),
    })
}

//! Slots, the claims on them, and those who wait.

use sqlx::FromRow;
use uuid::Uuid;
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::{Claim, ClaimState, Slot, World};

use super::id;
use crate::on;
use crate::store::batch::{self, in_ids, in_places};
use crate::store::dialect::Dual;
use crate::store::{StoreError, Tx, broken};

/// Index: the primary key of `slot`.
const SLOTS: Dual = in_ids!(
    "SELECT id, name, capacity, confirmed, offered, next_rank, next_offer, starts_at, ends_at",
    "slot WHERE shard = $1 AND id = k0"
);
/// Index: the primary key of `claim`.
const CLAIMS: Dual = in_ids!(
    "SELECT record, slot, name, person, state, rank, quantity, offer, accept_by",
    "claim WHERE shard = $1 AND record = k0"
);
/// Index: `claim_live(shard, slot, name, person)`.
const LIVE_CLAIMS: Dual = in_places!(
    "SELECT record, slot, name, person, state, rank, quantity, offer, accept_by",
    "claim WHERE shard = $1 AND slot = k0 AND name = k1 AND person = k2 \
     AND name <> 'lot' AND state IN ('confirmed', 'offered', 'waiting')"
);
/// Index: `claim_line(shard, slot, name, state, rank)`.
const LINE: &str = "SELECT record, slot, name, person, state, rank, quantity, offer, accept_by \
     FROM claim WHERE shard = $1 AND slot = $2 AND name = $3 AND state = 'waiting' \
     ORDER BY rank";

#[derive(FromRow)]
struct SlotRow {
    id: Vec<u8>,
    name: String,
    capacity: i64,
    confirmed: i64,
    offered: i64,
    next_rank: i64,
    next_offer: i64,
    starts_at: i64,
    ends_at: i64,
}

#[derive(FromRow)]
struct ClaimRow {
    record: Vec<u8>,
    slot: Vec<u8>,
    name: String,
    person: String,
    state: String,
    rank: i64,
    quantity: i64,
    offer: i64,
    accept_by: i64,
}

pub(super) async fn slots_and_claims(
    tx: &mut Tx,
    world: &mut World,
    wants: &Wants,
) -> Result<(), StoreError> {
    if !wants.slots.is_empty() {
        slots(tx, world, wants).await?;
    }
    for row in claims(tx, world.shard.0, wants).await? {
        let claim = claim(row)?;
        world.claims.entry(claim.record).or_insert(claim);
    }
    Ok(())
}

async fn slots(tx: &mut Tx, world: &mut World, wants: &Wants) -> Result<(), StoreError> {
    let (sql, keys, shard) = (tx.text(&SLOTS), batch::ids(&wants.slots), world.shard.0);
    let rows: Vec<SlotRow> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    for row in rows {
        let slot = Slot {
            capacity: row.capacity,
            confirmed: row.confirmed,
            offered: row.offered,
            next_rank: row.next_rank,
            next_offer: row.next_offer,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
        };
        world.slots.insert((id(&row.id)?, row.name), slot);
    }
    Ok(())
}

async fn claims(tx: &mut Tx, shard: i64, wants: &Wants) -> Result<Vec<ClaimRow>, StoreError> {
    let mut rows: Vec<ClaimRow> = Vec::new();
    if !wants.claims.is_empty() {
        let (sql, keys) = (tx.text(&CLAIMS), batch::ids(&wants.claims));
        let some: Vec<ClaimRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        rows.extend(some);
    }
    if !wants.live_claims.is_empty() {
        let place = |(slot, name, person): &(Uuid, String, String)| {
            let slot = hex::encode(slot.as_bytes());
            (slot, name.clone(), person.clone())
        };
        let places: Vec<(String, String, String)> = wants.live_claims.iter().map(place).collect();
        let (sql, keys) = (tx.text(&LIVE_CLAIMS), batch::list(&places));
        let some: Vec<ClaimRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        rows.extend(some);
    }
    for (slot, name) in &wants.lines {
        let slot = slot.as_bytes().to_vec();
        let some: Vec<ClaimRow> = on!(tx, |c| sqlx::query_as(LINE)
            .bind(shard)
            .bind(slot)
            .bind(name.as_str())
            .fetch_all(c)
            .await)?;
        rows.extend(some);
    }
    Ok(rows)
}

fn claim(row: ClaimRow) -> Result<Claim, StoreError> {
    Ok(Claim {
        record: id(&row.record)?,
        slot: id(&row.slot)?,
        name: row.name,
        person: row.person,
        state: ClaimState::parse(&row.state).ok_or_else(|| broken("claim", "state"))?,
        rank: row.rank,
        quantity: row.quantity,
        offer: row.offer,
        accept_by: row.accept_by,
    })
}

//! Loading a world: what `wants` names, each kind of key in one batched read.
//!
//! Runs under the shard's lock, after the counter row has been taken.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::TimeQuality;
use xiangyi_proto::verdict::HeldFor;
use xiangyi_sync::policy::{Fact, FactKey, FactKind};
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::{Claim, ClaimState, Granted, Held, Past, Record, Refusal, Slot, World};

use super::batch::{self, in_id_pairs, in_ids, in_numbers, in_pairs, in_texts};
use super::dialect::Dual;
use super::keys::{self, KeySet};
use super::{StoreError, Tx, broken, sealed};
use crate::accounts::seal::Sealer;
use crate::on;

/// How many of a line are loaded at once; more come when these all have a clash.
const LINE_ROWS: i64 = 64;

/// Loads everything these keys name.
pub async fn load(
    tx: &mut Tx,
    sealer: &Sealer,
    world: &mut World,
    wants: Wants,
) -> Result<(), StoreError> {
    numbers(tx, world, &wants).await?;
    if !wants.records.is_empty() {
        records(tx, sealer, world, &wants.records).await?;
    }
    if !wants.held.is_empty() {
        held(tx, sealer, world, &wants.held).await?;
    }
    slots_and_claims(tx, world, &wants).await?;
    if !wants.facts.is_empty() {
        facts(tx, world, &wants.facts).await?;
    }
    refusals(tx, world, &wants).await?;
    if !wants.grants.is_empty() {
        grants(tx, world, &wants.grants).await?;
    }
    photos(tx, world, &wants).await?;
    if !wants.reviews_of.is_empty() {
        deciders(tx, world, &wants.reviews_of).await?;
    }
    world.seen.absorb(wants);
    Ok(())
}

/// Index: the unique one of `log(shard, device, n)`.
const NUMBERS: Dual = in_numbers!(
    "SELECT device, n, digest, answer, record, author FROM log WHERE shard = $1 AND (device, n)",
    ""
);
/// Index: `log_content(shard, record, content)`.
const CONTENTS: Dual = in_id_pairs!(
    "SELECT device, n, record, content FROM log WHERE shard = $1 AND (record, content)",
    ""
);
/// Index: `log_key(shard, device, key)`.
const KEYS: Dual = in_pairs!(
    "SELECT device, key, n, digest FROM log WHERE shard = $1 AND (device, key)",
    ""
);
const NEXT_N: Dual = in_texts!("SELECT id, next_n FROM device WHERE $1 = $1 AND id", "");

#[derive(FromRow)]
struct LogRow {
    device: String,
    n: i64,
    digest: Vec<u8>,
    answer: String,
    record: Vec<u8>,
    author: String,
}

async fn numbers(tx: &mut Tx, world: &mut World, wants: &Wants) -> Result<(), StoreError> {
    let shard = world.shard.0;
    if !wants.contents.is_empty() {
        let pairs: Vec<(String, String)> = wants
            .contents
            .iter()
            .map(|(id, content)| (hex::encode(id.as_bytes()), hex::encode(content)))
            .collect();
        let (sql, keys) = (tx.text(&CONTENTS), batch::list(&pairs));
        let rows: Vec<(String, i64, Vec<u8>, Vec<u8>)> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        for (device, n, record, content) in rows {
            world
                .by_content
                .insert((id(&record)?, digest(&content)?), (device, n));
        }
    }
    let mut pairs: BTreeSet<(String, i64)> = wants.numbers.clone();
    pairs.extend(world.by_content.values().cloned());
    let last: Vec<(String, i64)> = pairs
        .iter()
        .map(|(device, n)| (format!("{}{device}", xiangyi_sync::effects::FINAL), *n))
        .collect();
    pairs.extend(last);
    pairs.retain(|pair| !world.by_number.contains_key(pair));
    if !pairs.is_empty() && !(wants.numbers.is_empty() && wants.contents.is_empty()) {
        let pairs: Vec<(String, i64)> = pairs.into_iter().collect();
        let (sql, keys) = (tx.text(&NUMBERS), batch::list(&pairs));
        let rows: Vec<LogRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        for row in rows {
            let past = Past {
                digest: digest(&row.digest)?,
                author: row.author,
                record: id(&row.record)?,
                verdict: serde_json::from_str(&row.answer).map_err(|_| broken("log", "answer"))?,
            };
            world.by_number.insert((row.device, row.n), past);
        }
    }
    keyed(tx, world, wants).await
}

async fn keyed(tx: &mut Tx, world: &mut World, wants: &Wants) -> Result<(), StoreError> {
    if wants.keys.is_empty() {
        return Ok(());
    }
    let shard = world.shard.0;
    let pairs: Vec<&(String, String)> = wants.keys.iter().collect();
    let (sql, keys) = (tx.text(&KEYS), batch::list(&pairs));
    let rows: Vec<(String, String, i64, Vec<u8>)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    let mut known = Vec::new();
    for (device, key, n, sent) in rows {
        known.push((device.clone(), n));
        world.by_key.insert((device, key), (n, digest(&sent)?));
    }
    let devices: BTreeSet<&String> = wants.keys.iter().map(|(device, _)| device).collect();
    let devices: Vec<&String> = devices.into_iter().collect();
    let (sql, keys) = (tx.text(&NEXT_N), batch::list(&devices));
    let rows: Vec<(String, i64)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    world.next_n.extend(rows);
    // The first answers to these keys.
    let known = Wants {
        numbers: known.into_iter().collect(),
        ..Wants::default()
    };
    if known
        .numbers
        .iter()
        .any(|number| !world.by_number.contains_key(number))
    {
        Box::pin(numbers(tx, world, &known)).await?;
    }
    Ok(())
}

/// Index: `feed_record(shard, id, stream)`.
const HOMES: Dual = in_ids!(
    "SELECT seq, op, id, kind, rev, author, unit, village, occurred_at, received_at, \
     estimated_at, quality, body, sealed, sealed_for, field_revs \
     FROM feed WHERE home AND shard = $1 AND id",
    ""
);
/// Index: `feed_record(shard, id, stream)`.
const PLACED: Dual = in_ids!(
    "SELECT f.id, s.name, f.rev FROM feed f \
     JOIN stream s ON s.shard = f.shard AND s.id = f.stream \
     WHERE f.op = 0 AND f.shard = $1 AND f.id",
    ""
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

async fn records(
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

/// Index: `held(shard, record)`.
const HELD_ABOUT: Dual = in_ids!(
    "SELECT id, reason, rule, until_at, escalated, sealed, sealed_for \
     FROM held WHERE shard = $1 AND record",
    ""
);
/// Index: the primary key of `held`.
const HELD_BY_ID: Dual = in_ids!(
    "SELECT id, reason, rule, until_at, escalated, sealed, sealed_for \
     FROM held WHERE shard = $1 AND id",
    ""
);
/// Index: the primary key of `held_need`.
const WAITERS: Dual = in_ids!("SELECT held FROM held_need WHERE shard = $1 AND need", "");
/// All needs of these held items.
const NEEDS: Dual = in_ids!(
    "SELECT held, need FROM held_need WHERE shard = $1 AND held",
    ""
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

async fn held(
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

/// Index: the primary key of `slot`.
const SLOTS: Dual = in_ids!(
    "SELECT id, name, capacity, confirmed, offered, next_rank, next_offer, starts_at, ends_at \
     FROM slot WHERE shard = $1 AND id",
    ""
);
/// Index: the primary key of `claim`.
const CLAIMS: Dual = in_ids!(
    "SELECT record, slot, name, person, state, rank, quantity, offer, accept_by \
     FROM claim WHERE shard = $1 AND record",
    ""
);
/// Index: `claim_live(shard, slot, name, person)`.
const LIVE_CLAIMS: Dual = in_pairs!(
    "SELECT record, slot, name, person, state, rank, quantity, offer, accept_by \
     FROM claim WHERE state IN ('confirmed', 'offered', 'waiting') AND shard = $1 \
     AND (name, person)",
    ""
);
/// Index: `claim_line(shard, slot, name, state, rank)`.
const LINE: &str = "SELECT record, slot, name, person, state, rank, quantity, offer, accept_by \
     FROM claim WHERE shard = $1 AND slot = $2 AND name = $3 AND state = 'waiting' \
     ORDER BY rank LIMIT $4";

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

async fn slots_and_claims(tx: &mut Tx, world: &mut World, wants: &Wants) -> Result<(), StoreError> {
    let shard = world.shard.0;
    if !wants.slots.is_empty() {
        let (sql, keys) = (tx.text(&SLOTS), batch::ids(&wants.slots));
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
    }
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
        let pairs: Vec<(&str, &str)> = wants
            .live_claims
            .iter()
            .map(|(_, name, person)| (name.as_str(), person.as_str()))
            .collect();
        let (sql, keys) = (tx.text(&LIVE_CLAIMS), batch::list(&pairs));
        let some: Vec<ClaimRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        rows.extend(some);
    }
    let mut lines = wants.lines.clone();
    lines.extend(
        wants
            .live_claims
            .iter()
            .map(|(slot, name, _)| (*slot, name.clone())),
    );
    for (slot, name) in &lines {
        let slot = slot.as_bytes().to_vec();
        let limit = if wants.lines.iter().any(|(_, line)| line == name) {
            LINE_ROWS
        } else {
            1
        };
        let some: Vec<ClaimRow> = on!(tx, |c| sqlx::query_as(LINE)
            .bind(shard)
            .bind(slot)
            .bind(name.as_str())
            .bind(limit)
            .fetch_all(c)
            .await)?;
        rows.extend(some);
    }
    for row in rows {
        let claim = claim(row)?;
        world.claims.entry(claim.record).or_insert(claim);
    }
    Ok(())
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

/// Index: the primary key of `fact`.
const FACTS: Dual = in_texts!(
    "SELECT key, from_ms, to_ms, person, record, note FROM fact \
     WHERE shard = $1 AND kind = $3 AND from_ms <= $4 AND to_ms >= $5 AND key",
    ""
);

#[derive(FromRow)]
struct FactRow {
    key: String,
    from_ms: i64,
    to_ms: i64,
    person: String,
    record: Vec<u8>,
    note: String,
}

async fn facts(
    tx: &mut Tx,
    world: &mut World,
    wanted: &BTreeSet<FactKey>,
) -> Result<(), StoreError> {
    let mut by_kind: BTreeMap<FactKind, (BTreeSet<&str>, i64, i64)> = BTreeMap::new();
    for key in wanted {
        let group = by_kind
            .entry(key.kind)
            .or_insert_with(|| (BTreeSet::new(), i64::MAX, i64::MIN));
        group.0.insert(&key.key);
        group.1 = group.1.min(key.from_ms);
        group.2 = group.2.max(key.to_ms);
    }
    for (kind, (keys, from, to)) in by_kind {
        let keys: Vec<&str> = keys.into_iter().collect();
        let (sql, keys) = (tx.text(&FACTS), batch::list(&keys));
        let shard = world.shard.0;
        let rows: Vec<FactRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .bind(kind.number())
            .bind(to)
            .bind(from)
            .fetch_all(c)
            .await)?;
        for row in rows {
            let fact = Fact {
                kind,
                key: row.key,
                from_ms: row.from_ms,
                to_ms: row.to_ms,
                person: row.person,
                record: id(&row.record)?,
                note: row.note,
            };
            if !world.facts.contains(&fact) {
                world.facts.push(fact);
            }
        }
    }
    Ok(())
}

/// Index: the primary key of `refusal`.
const REFUSALS: Dual = in_ids!(
    "SELECT id, seq, record, kind, device, n, author, unit, rule, pack, version, clause, office, \
     minutes, received_at, state, refiled, content FROM refusal WHERE shard = $1 AND id",
    ""
);
/// Index: `refusal(shard, record)`.
const REFUSALS_OF: Dual = in_ids!(
    "SELECT id, seq, record, kind, device, n, author, unit, rule, pack, version, clause, office, \
     minutes, received_at, state, refiled, content FROM refusal WHERE shard = $1 AND record",
    ""
);

#[derive(FromRow)]
struct RefusalRow {
    id: Vec<u8>,
    seq: i64,
    record: Vec<u8>,
    kind: i64,
    device: String,
    n: i64,
    author: String,
    unit: String,
    rule: String,
    pack: String,
    version: i64,
    clause: String,
    office: Option<String>,
    minutes: i64,
    received_at: i64,
    state: String,
    refiled: Option<Vec<u8>>,
    content: Vec<u8>,
}

async fn refusals(tx: &mut Tx, world: &mut World, wants: &Wants) -> Result<(), StoreError> {
    let shard = world.shard.0;
    let mut rows: Vec<RefusalRow> = Vec::new();
    for (dual, keys) in [
        (&REFUSALS, &wants.refusals),
        (&REFUSALS_OF, &wants.refusals_of),
    ] {
        if keys.is_empty() {
            continue;
        }
        let (sql, keys) = (tx.text(dual), batch::ids(keys));
        let some: Vec<RefusalRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        rows.extend(some);
    }
    for row in rows {
        let refiled = row.refiled.as_deref().map(id).transpose()?;
        let refusal = Refusal {
            id: id(&row.id)?,
            record: id(&row.record)?,
            kind: Kind::of_number(row.kind).ok_or_else(|| broken("refusal", "kind"))?,
            device: row.device,
            n: row.n,
            author: row.author,
            unit: row.unit,
            rule: row.rule,
            pack: row.pack,
            version: row.version,
            clause: row.clause,
            office: row.office,
            minutes: row.minutes,
            received_at: row.received_at,
            state: row.state,
            refiled,
            content: digest(&row.content)?,
            seq: row.seq,
        };
        world.refusals.entry(refusal.id).or_insert(refusal);
    }
    Ok(())
}

/// Index: `granted(person)`.
const GRANTS: Dual = in_texts!(
    "SELECT person, role, unit, from_at, to_at FROM granted WHERE $1 = $1 AND person",
    ""
);

async fn grants(
    tx: &mut Tx,
    world: &mut World,
    people: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let people: Vec<&String> = people.iter().collect();
    let (sql, keys, shard) = (tx.text(&GRANTS), batch::list(&people), world.shard.0);
    let rows: Vec<(String, String, String, i64, Option<i64>)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    for (person, role, unit, from_at, to_at) in rows {
        let role = Role::parse(&role).ok_or_else(|| broken("granted", "role"))?;
        world.grants.entry(person).or_default().push(Granted {
            role,
            unit,
            from_at,
            to_at,
        });
    }
    Ok(())
}

/// Index: the primary key of `photo`.
const PHOTOS: Dual = in_ids!(
    "SELECT sha256, owner FROM photo WHERE shard = $1 AND state = 'complete' AND sha256",
    ""
);
/// Index: the primary key of `photo_ref`.
const PHOTO_REFS: Dual = in_ids!(
    "SELECT sha256, author, record FROM photo_ref WHERE shard = $1 AND sha256",
    ""
);

async fn photos(tx: &mut Tx, world: &mut World, wants: &Wants) -> Result<(), StoreError> {
    let shard = world.shard.0;
    if !wants.photos.is_empty() {
        let hashes: Vec<&String> = wants.photos.iter().map(|(sha, _)| sha).collect();
        let (sql, keys) = (tx.text(&PHOTOS), batch::list(&hashes));
        let rows: Vec<(Vec<u8>, String)> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        world.photos.extend(
            rows.into_iter()
                .map(|(sha, owner)| (hex::encode(sha), owner)),
        );
    }
    if !wants.photo_refs.is_empty() {
        let hashes: Vec<&String> = wants.photo_refs.iter().map(|(sha, _)| sha).collect();
        let (sql, keys) = (tx.text(&PHOTO_REFS), batch::list(&hashes));
        let rows: Vec<(Vec<u8>, String, Vec<u8>)> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        for (sha, author, record) in rows {
            let record = id(&record)?;
            world
                .photo_refs
                .entry((hex::encode(sha), author))
                .or_default()
                .insert(record);
        }
    }
    Ok(())
}

/// Index: the primary key of `feed`, on the hub's stream; reviews are few.
const REVIEWS: &str = "SELECT f.id, f.author, f.body FROM feed f \
     JOIN stream s ON s.shard = f.shard AND s.id = f.stream \
     WHERE f.shard = $1 AND s.name = $2 AND f.kind = $3 AND f.op = 0";

async fn deciders(
    tx: &mut Tx,
    world: &mut World,
    wanted: &BTreeSet<Uuid>,
) -> Result<(), StoreError> {
    let shard = world.shard;
    let stream = format!("hub:{shard}");
    let rows: Vec<(Vec<u8>, String, String)> = on!(tx, |c| sqlx::query_as(REVIEWS)
        .bind(shard.0)
        .bind(stream)
        .bind(Kind::Review.number())
        .fetch_all(c)
        .await)?;
    for (_, author, body) in rows {
        let body: serde_json::Value =
            serde_json::from_str(&body).map_err(|_| broken("feed", "body"))?;
        if let Some(record) = xiangyi_sync::wants::id_at(body.get("record"))
            && wanted.contains(&record)
        {
            world.deciders.entry(record).or_default().insert(author);
        }
    }
    Ok(())
}

/// A stored id.
pub fn id(bytes: &[u8]) -> Result<Uuid, StoreError> {
    Uuid::from_slice(bytes).map_err(|_| broken("any", "id"))
}

fn digest(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| broken("log", "digest"))
}

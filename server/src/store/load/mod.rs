//! Loading a world: what `wants` names, each kind of key in one batched read.
//!
//! Runs under the shard's lock, after the counter row has been taken.

mod answers;
mod entries;
mod held;
mod places;
mod records;

pub use records::records;

use std::collections::{BTreeSet, HashSet};

pub(crate) use entries::led_on;
use sqlx::FromRow;
use uuid::Uuid;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::DAY_MS;
use xiangyi_sync::policy::{Fact, FactKey, FactKind};
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::{Refusal, World};

use super::batch::{self, in_ids, in_spans, in_texts};
use super::dialect::Dual;
use super::{StoreError, Tx, broken, views};
use crate::accounts::seal::Sealer;
use crate::on;

/// Loads everything these keys name.
pub async fn load(
    tx: &mut Tx,
    sealer: &Sealer,
    world: &mut World,
    wants: Wants,
) -> Result<(), StoreError> {
    answers::numbers(tx, world, &wants).await?;
    if !wants.records.is_empty() {
        records::records(tx, sealer, world, &wants.records).await?;
    }
    if !wants.held.is_empty() {
        held::held(tx, sealer, world, &wants.held).await?;
    }
    if !wants.held_by.is_empty() {
        held::counts(tx, world, &wants.held_by).await?;
    }
    places::slots_and_claims(tx, world, &wants).await?;
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
    entries::entries(tx, world, &wants.entries).await?;
    world.seen.absorb(wants);
    Ok(())
}

/// No span is longer: a fact that touches a range began at most so long before it.
const FACT_SPAN_MAX_MS: i64 = DAY_MS;
/// Index: the primary key of `fact`.
const FACTS: Dual = in_spans!(
    "SELECT kind, key, from_ms, to_ms, person, record, note",
    "fact WHERE shard = $1 AND kind = k3 AND key = k0 \
     AND from_ms BETWEEN k1 - $3 AND k2 AND to_ms >= k1"
);

#[derive(FromRow)]
struct FactRow {
    kind: i64,
    key: String,
    from_ms: i64,
    to_ms: i64,
    person: String,
    record: Vec<u8>,
    note: String,
}

/// Adds the facts under these keys to a world: of every kind in one read, however many kinds the
/// rules look at.
pub(crate) async fn facts(
    tx: &mut Tx,
    world: &mut World,
    wanted: &BTreeSet<FactKey>,
) -> Result<(), StoreError> {
    let span = |key: &FactKey| (key.key.clone(), key.from_ms, key.to_ms, key.kind.number());
    let spans: Vec<(String, i64, i64, i64)> = wanted.iter().map(span).collect();
    // Spans overlap, and a fact that lies in two of them is still one.
    let place = |fact: &Fact| (fact.record, fact.kind, fact.from_ms, fact.key.clone());
    let mut known: HashSet<_> = world.facts.iter().map(place).collect();
    let (sql, keys, shard) = (tx.text(&FACTS), batch::list(&spans), world.shard.0);
    let rows: Vec<FactRow> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .bind(FACT_SPAN_MAX_MS)
        .fetch_all(c)
        .await)?;
    for row in rows {
        let fact = Fact {
            kind: FactKind::of_number(row.kind).ok_or_else(|| broken("fact", "kind"))?,
            key: row.key,
            from_ms: row.from_ms,
            to_ms: row.to_ms,
            person: row.person,
            record: id(&row.record)?,
            note: row.note,
        };
        if known.insert(place(&fact)) {
            world.facts.push(fact);
        }
    }
    Ok(())
}

/// Index: the primary key of `refusal`.
const REFUSALS: Dual = in_ids!(
    "SELECT id, seq, record, kind, device, n, author, unit, rule, pack, version, clause, office, \
     minutes, received_at, refused_at, state, refiled, content",
    "refusal WHERE shard = $1 AND id = k0"
);
/// Index: `refusal(shard, record)`.
const REFUSALS_OF: Dual = in_ids!(
    "SELECT id, seq, record, kind, device, n, author, unit, rule, pack, version, clause, office, \
     minutes, received_at, refused_at, state, refiled, content",
    "refusal WHERE shard = $1 AND record = k0"
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
    refused_at: i64,
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
            refused_at: row.refused_at,
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
    "SELECT person, role, unit, from_at, to_at",
    "granted WHERE $1 = $1 AND person = k0"
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
        let granted = views::granted(&role, unit, from_at, to_at)?;
        world.grants.entry(person).or_default().push(granted);
    }
    Ok(())
}

/// With every entry of whoever sent it. Indexes: the primary keys of `photo` and `person`,
/// `person_merged(merged_into)`.
const PHOTOS: Dual = in_ids!(
    "SELECT p.sha256, p.owner, o.merged_into, e.id",
    "photo p LEFT JOIN person o ON o.id = p.owner \
     LEFT JOIN person e ON e.merged_into = COALESCE(o.merged_into, p.owner) \
     WHERE p.shard = $1 AND p.state = 'complete' AND p.sha256 = k0"
);
/// With every entry of the record's author. Indexes: the primary keys of `photo_ref` and `person`,
/// `person_merged(merged_into)`.
const PHOTO_REFS: Dual = in_ids!(
    "SELECT r.sha256, r.author, o.merged_into, e.id, r.record",
    "photo_ref r LEFT JOIN person o ON o.id = r.author \
     LEFT JOIN person e ON e.merged_into = COALESCE(o.merged_into, r.author) \
     WHERE r.shard = $1 AND r.sha256 = k0"
);

type Sent = (Vec<u8>, String, Option<String>, Option<String>);
type Declared = (Vec<u8>, String, Option<String>, Option<String>, Vec<u8>);

async fn photos(tx: &mut Tx, world: &mut World, wants: &Wants) -> Result<(), StoreError> {
    let shard = world.shard.0;
    if !wants.photos.is_empty() {
        let hashes: Vec<&String> = wants.photos.iter().map(|(sha, _)| sha).collect();
        let (sql, keys) = (tx.text(&PHOTOS), batch::list(&hashes));
        let rows: Vec<Sent> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        for (sha, owner, into, other) in rows {
            let sha = hex::encode(sha);
            let owners = entries::each(owner, into, other);
            world
                .photos
                .extend(owners.map(|owner| (sha.clone(), owner)));
        }
    }
    if !wants.photo_refs.is_empty() {
        let hashes: Vec<&String> = wants.photo_refs.iter().map(|(sha, _)| sha).collect();
        let (sql, keys) = (tx.text(&PHOTO_REFS), batch::list(&hashes));
        let rows: Vec<Declared> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        for (sha, author, into, other, record) in rows {
            let (sha, record) = (hex::encode(sha), id(&record)?);
            for author in entries::each(author, into, other) {
                let key = (sha.clone(), author);
                world.photo_refs.entry(key).or_default().insert(record);
            }
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

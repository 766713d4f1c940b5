//! Saving effects: everything of one commit, each table in a few batched statements.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_sync::effects::{Effects, LogWrite, RollupDelta, RollupKey, RowWrite};
use xiangyi_sync::policy::Fact;
use xiangyi_sync::sums::Sum;
use xiangyi_sync::world::{Claim, Held, Refusal, Slot};

use super::bulk::Bulk;
use super::chain::{Link, link};
use super::keys::{self, KeySet};
use super::shards::StreamIds;
use super::{StoreError, Tx};
use crate::accounts::seal::Sealer;
use crate::bulk;
use crate::entropy::Entropy;

/// What a commit leaves for the process to remember once it is durable.
#[derive(Debug)]
pub struct Saved {
    pub keys: KeySet,
    pub streams: BTreeMap<String, i64>,
    pub chain: Vec<u8>,
}

/// Writes the effects of one batch. Needs the shard's lock.
pub async fn save(
    tx: &mut Tx,
    shard: Shard,
    effects: &Effects,
    chain: &[u8],
    with: (&Sealer, &Entropy, &StreamIds),
) -> Result<Saved, StoreError> {
    let (sealer, entropy, stream_ids) = with;
    let owners = effects.rows.values().filter(|row| row.sealed.is_some());
    let owners = owners.map(|row| row.sealed_for.as_str());
    let held = effects
        .held
        .values()
        .flatten()
        .map(|held| held.item.person.as_str());
    let keys = keys::of(tx, sealer, shard.0, owners.chain(held), entropy).await?;
    let names: BTreeSet<&str> = effects
        .rows
        .keys()
        .map(|(_, stream)| stream.as_str())
        .chain(effects.sums.keys().map(|(stream, _)| stream.as_str()))
        .collect();
    let streams = stream_ids.of(tx, shard, &names).await?;
    rows(tx, shard, &effects.rows, &streams, &keys, entropy).await?;
    // A forgotten content may come again in the same commit.
    forget(tx, shard, &effects.forgotten).await?;
    let chain = log(tx, shard, &effects.log, chain).await?;
    held_items(tx, shard, &effects.held, &keys, entropy).await?;
    slots(tx, shard, &effects.slots).await?;
    claims(tx, shard, &effects.claims).await?;
    facts(tx, shard, &effects.facts_gone, &effects.facts).await?;
    refusals(tx, shard, &effects.refusals).await?;
    sums(tx, shard, &effects.sums, &streams).await?;
    rollups(tx, shard, &effects.rollups).await?;
    timers(tx, shard, &effects.timers).await?;
    rest(tx, shard, effects).await?;
    Ok(Saved {
        keys,
        streams,
        chain,
    })
}

static FEED: Bulk = Bulk::new(
    "INSERT INTO feed (shard, stream, seq, op, id, kind, schema, rev, home, author, unit, \
     village, state, occurred_at, received_at, estimated_at, quality, body, sealed, sealed_for, \
     field_revs) VALUES",
    "iiiibiiiottttiiiitbtt",
    "ON CONFLICT (shard, id, stream) DO UPDATE SET seq = excluded.seq, op = excluded.op, \
     schema = excluded.schema, rev = excluded.rev, home = excluded.home, \
     author = excluded.author, unit = excluded.unit, village = excluded.village, \
     state = excluded.state, occurred_at = excluded.occurred_at, \
     received_at = excluded.received_at, estimated_at = excluded.estimated_at, \
     quality = excluded.quality, body = excluded.body, sealed = excluded.sealed, \
     sealed_for = excluded.sealed_for, field_revs = excluded.field_revs",
);

struct FeedWrite<'a> {
    stream: i64,
    id: &'a Uuid,
    row: &'a RowWrite,
    sealed: Option<Vec<u8>>,
}

async fn rows(
    tx: &mut Tx,
    shard: Shard,
    rows: &BTreeMap<(Uuid, String), RowWrite>,
    streams: &BTreeMap<String, i64>,
    keys: &KeySet,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let mut writes = Vec::with_capacity(rows.len());
    for ((id, stream), row) in rows {
        let sealed = row.sealed.as_deref().map(|text| {
            let key = keys
                .key(&row.sealed_for)
                .expect("keys of all owners were fetched");
            key.seal(entropy, id.as_bytes(), text.as_bytes())
        });
        let stream = streams.get(stream).copied();
        let stream = stream.ok_or(super::broken("stream", "no number"))?;
        writes.push(FeedWrite {
            stream,
            id,
            row,
            sealed,
        });
    }
    bulk!(tx, FEED, &writes, |query, write| {
        let row = write.row;
        query
            .bind(shard.0)
            .bind(write.stream)
            .bind(row.seq)
            .bind(i64::from(row.rm))
            .bind(write.id.as_bytes().as_slice())
            .bind(row.kind.number())
            .bind(i64::from(row.kind.spec().schema))
            .bind(row.rev)
            .bind(row.home)
            .bind(row.author.as_str())
            .bind(row.unit.as_str())
            .bind(row.village.as_deref())
            .bind(row.state.as_deref())
            .bind(row.occurred_at)
            .bind(row.received_at)
            .bind(row.estimated_at)
            .bind(row.quality)
            .bind(row.open.as_str())
            .bind(write.sealed.as_deref())
            .bind(write.sealed.as_ref().map(|_| row.sealed_for.as_str()))
            .bind(row.field_revs.as_deref())
    });
    Ok(())
}

static LOG: Bulk = Bulk::new(
    "INSERT INTO log (shard, seq, device, n, digest, content, verdict, answer, record, kind, op, \
     author, unit, rule, received_at, packs, key, body_digest) VALUES",
    "iitibbitbiitttittb",
    "",
);

/// Writes the log and gives the new end of its chain.
async fn log(
    tx: &mut Tx,
    shard: Shard,
    log: &[LogWrite],
    chain: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let mut chain = chain.to_vec();
    let mut writes = Vec::with_capacity(log.len());
    let mut lines: Vec<&LogWrite> = log.iter().collect();
    // As they will be read when the chain is checked.
    lines.sort_unstable_by_key(|row| row.seq);
    for row in lines {
        let answer = serde_json::to_string(&row.verdict).expect("a verdict can be written");
        let line = Link {
            seq: row.seq,
            device: &row.device,
            n: row.n,
            digest: &row.digest,
            record: row.record.as_bytes(),
            author: &row.author,
            unit: &row.unit,
            received_at: row.received_at,
            answer: &answer,
        };
        chain = link(&chain, &line);
        writes.push((row, answer));
    }
    bulk!(tx, LOG, &writes, |query, write| {
        let (row, answer) = write;
        query
            .bind(shard.0)
            .bind(row.seq)
            .bind(row.device.as_str())
            .bind(row.n)
            .bind(row.digest.as_slice())
            .bind(row.content.as_ref().map(<[u8; 32]>::as_slice))
            .bind(row.verdict.verdict.number())
            .bind(answer.as_str())
            .bind(row.record.as_bytes().as_slice())
            .bind(row.kind)
            .bind(row.op)
            .bind(row.author.as_str())
            .bind(row.unit.as_str())
            .bind(row.verdict.rule.as_ref().map(|rule| rule.id.as_str()))
            .bind(row.received_at)
            .bind(row.packs.as_deref())
            .bind(row.key.as_deref())
            .bind(row.key.as_ref().map(|_| row.digest.as_slice()))
    });
    Ok(chain)
}

async fn forget(
    tx: &mut Tx,
    shard: Shard,
    forgotten: &[(Uuid, [u8; 32])],
) -> Result<(), StoreError> {
    for (record, content) in forgotten {
        super::single::forget(tx, shard, record, content).await?;
    }
    Ok(())
}

static HELD: Bulk = Bulk::new(
    "INSERT INTO held (shard, id, record, device, n, author, unit, kind, reason, rule, until_at, \
     escalated, received_at, sealed, sealed_for) VALUES",
    "ibbtittittioibt",
    "ON CONFLICT (shard, id) DO UPDATE SET reason = excluded.reason, rule = excluded.rule, \
     until_at = excluded.until_at, escalated = excluded.escalated, sealed = excluded.sealed",
);
static HELD_NEED: Bulk = Bulk::new(
    "INSERT INTO held_need (shard, need, held) VALUES",
    "ibb",
    "ON CONFLICT (shard, need, held) DO NOTHING",
);

async fn held_items(
    tx: &mut Tx,
    shard: Shard,
    held: &BTreeMap<Uuid, Option<Held>>,
    keys: &KeySet,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let mut writes = Vec::new();
    let mut needs = Vec::new();
    for (id, held) in held {
        super::single::drop_held(tx, shard, id, held.is_none()).await?;
        if let Some(held) = held {
            let text = serde_json::to_string(&held.item).expect("an item can be written");
            let key = keys
                .key(&held.item.person)
                .expect("keys of all owners were fetched");
            writes.push((held, key.seal(entropy, id.as_bytes(), text.as_bytes())));
            needs.extend(held.needs.iter().map(|need| (need, id)));
        }
    }
    bulk!(tx, HELD, &writes, |query, write| {
        let (held, sealed) = write;
        let item = &held.item;
        query
            .bind(shard.0)
            .bind(held.id.as_bytes().as_slice())
            .bind(item.mutation.id.as_bytes().as_slice())
            .bind(item.device.as_str())
            .bind(item.mutation.n)
            .bind(item.person.as_str())
            .bind(item.mutation.unit.as_str())
            .bind(item.kind.map_or(0, xiangyi_proto::kinds::Kind::number))
            .bind(held.reason.name())
            .bind(held.rule.as_deref())
            .bind(held.until_at)
            .bind(held.escalated)
            .bind(item.received_at)
            .bind(sealed.as_slice())
            .bind(item.person.as_str())
    });
    bulk!(tx, HELD_NEED, &needs, |query, pair| query
        .bind(shard.0)
        .bind(pair.0.as_bytes().as_slice())
        .bind(pair.1.as_bytes().as_slice()));
    Ok(())
}

static SLOTS: Bulk = Bulk::new(
    "INSERT INTO slot (shard, id, name, capacity, confirmed, offered, next_rank, next_offer, \
     starts_at, ends_at) VALUES",
    "ibtiiiiiii",
    "ON CONFLICT (shard, id, name) DO UPDATE SET capacity = excluded.capacity, \
     confirmed = excluded.confirmed, offered = excluded.offered, \
     next_rank = excluded.next_rank, next_offer = excluded.next_offer, \
     starts_at = excluded.starts_at, ends_at = excluded.ends_at",
);

async fn slots(
    tx: &mut Tx,
    shard: Shard,
    slots: &BTreeMap<(Uuid, String), Slot>,
) -> Result<(), StoreError> {
    let writes: Vec<(&(Uuid, String), &Slot)> = slots.iter().collect();
    bulk!(tx, SLOTS, &writes, |query, write| {
        let ((id, name), slot) = write;
        query
            .bind(shard.0)
            .bind(id.as_bytes().as_slice())
            .bind(name.as_str())
            .bind(slot.capacity)
            .bind(slot.confirmed)
            .bind(slot.offered)
            .bind(slot.next_rank)
            .bind(slot.next_offer)
            .bind(slot.starts_at)
            .bind(slot.ends_at)
    });
    Ok(())
}

static CLAIMS: Bulk = Bulk::new(
    "INSERT INTO claim (shard, record, slot, name, person, state, rank, quantity, offer, \
     accept_by) VALUES",
    "ibbtttiiii",
    "ON CONFLICT (shard, record) DO UPDATE SET person = excluded.person, state = excluded.state, \
     rank = excluded.rank, quantity = excluded.quantity, offer = excluded.offer, \
     accept_by = excluded.accept_by",
);

async fn claims(
    tx: &mut Tx,
    shard: Shard,
    claims: &BTreeMap<Uuid, Claim>,
) -> Result<(), StoreError> {
    let writes: Vec<&Claim> = claims.values().collect();
    bulk!(tx, CLAIMS, &writes, |query, claim| query
        .bind(shard.0)
        .bind(claim.record.as_bytes().as_slice())
        .bind(claim.slot.as_bytes().as_slice())
        .bind(claim.name.as_str())
        .bind(claim.person.as_str())
        .bind(claim.state.name())
        .bind(claim.rank)
        .bind(claim.quantity)
        .bind(claim.offer)
        .bind(claim.accept_by));
    Ok(())
}

static FACTS: Bulk = Bulk::new(
    "INSERT INTO fact (shard, kind, key, from_ms, to_ms, person, record, note) VALUES",
    "iitiitbt",
    "ON CONFLICT (shard, kind, key, from_ms, record) DO UPDATE SET to_ms = excluded.to_ms, \
     note = excluded.note",
);

async fn facts(
    tx: &mut Tx,
    shard: Shard,
    gone: &BTreeSet<Uuid>,
    facts: &[Fact],
) -> Result<(), StoreError> {
    for record in gone {
        super::single::drop_facts(tx, shard, record).await?;
    }
    // One statement may not touch a row twice; the last fact of a key stands.
    let mut last: BTreeMap<(i64, &str, i64, Uuid), &Fact> = BTreeMap::new();
    for fact in facts {
        last.insert(
            (fact.kind.number(), &fact.key, fact.from_ms, fact.record),
            fact,
        );
    }
    let writes: Vec<&Fact> = last.into_values().collect();
    bulk!(tx, FACTS, &writes, |query, fact| query
        .bind(shard.0)
        .bind(fact.kind.number())
        .bind(fact.key.as_str())
        .bind(fact.from_ms)
        .bind(fact.to_ms)
        .bind(fact.person.as_str())
        .bind(fact.record.as_bytes().as_slice())
        .bind(fact.note.as_str()));
    Ok(())
}

static REFUSALS: Bulk = Bulk::new(
    "INSERT INTO refusal (shard, id, seq, record, kind, device, n, author, unit, rule, pack, \
     version, clause, office, minutes, received_at, refused_at, state, refiled, content) \
     VALUES",
    "ibibitittttittiiitbb",
    "ON CONFLICT (shard, id) DO UPDATE SET state = excluded.state, refiled = excluded.refiled",
);

async fn refusals(
    tx: &mut Tx,
    shard: Shard,
    refusals: &BTreeMap<Uuid, Refusal>,
) -> Result<(), StoreError> {
    let writes: Vec<&Refusal> = refusals.values().collect();
    bulk!(tx, REFUSALS, &writes, |query, refusal| query
        .bind(shard.0)
        .bind(refusal.id.as_bytes().as_slice())
        .bind(refusal.seq)
        .bind(refusal.record.as_bytes().as_slice())
        .bind(refusal.kind.number())
        .bind(refusal.device.as_str())
        .bind(refusal.n)
        .bind(refusal.author.as_str())
        .bind(refusal.unit.as_str())
        .bind(refusal.rule.as_str())
        .bind(refusal.pack.as_str())
        .bind(refusal.version)
        .bind(refusal.clause.as_str())
        .bind(refusal.office.as_deref())
        .bind(refusal.minutes)
        .bind(refusal.received_at)
        .bind(refusal.refused_at)
        .bind(refusal.state.as_str())
        .bind(refusal.refiled.as_ref().map(|id| id.as_bytes().as_slice()))
        .bind(refusal.content.as_slice()));
    Ok(())
}

static SUMS: Bulk = Bulk::new(
    "INSERT INTO stream_sum (shard, stream, kind, live, sum1, sum2) VALUES",
    "iiiiii",
    "ON CONFLICT (shard, stream, kind) DO UPDATE SET live = stream_sum.live + excluded.live, \
     sum1 = (stream_sum.sum1 + excluded.sum1) % 4294967296, \
     sum2 = (stream_sum.sum2 + excluded.sum2) % 4294967296",
);

async fn sums(
    tx: &mut Tx,
    shard: Shard,
    sums: &BTreeMap<(String, i64), Sum>,
    streams: &BTreeMap<String, i64>,
) -> Result<(), StoreError> {
    let numbered = |((stream, kind), sum): (&(String, i64), &Sum)| {
        (streams.get(stream).copied().unwrap_or(0), *kind, *sum)
    };
    let changed = |write: &(i64, i64, Sum)| write.2 != Sum::default();
    let writes: Vec<(i64, i64, Sum)> = sums.iter().map(numbered).filter(changed).collect();
    bulk!(tx, SUMS, &writes, |query, write| query
        .bind(shard.0)
        .bind(write.0)
        .bind(write.1)
        .bind(write.2.live)
        .bind(write.2.sum1)
        .bind(write.2.sum2));
    Ok(())
}

static ROLLUPS: Bulk = Bulk::new(
    "INSERT INTO rollup (shard, day, unit, village, class, kind, count, minutes, missing) VALUES",
    "iitttiiii",
    "ON CONFLICT (shard, day, unit, village, class, kind) DO UPDATE SET \
     count = rollup.count + excluded.count, minutes = rollup.minutes + excluded.minutes, \
     missing = rollup.missing + excluded.missing",
);

async fn rollups(
    tx: &mut Tx,
    shard: Shard,
    rollups: &BTreeMap<RollupKey, RollupDelta>,
) -> Result<(), StoreError> {
    let changed = |(_, delta): &(&RollupKey, &RollupDelta)| **delta != RollupDelta::default();
    let writes: Vec<(&RollupKey, &RollupDelta)> = rollups.iter().filter(changed).collect();
    bulk!(tx, ROLLUPS, &writes, |query, write| {
        let (key, delta) = write;
        query
            .bind(shard.0)
            .bind(key.day)
            .bind(key.unit.as_str())
            .bind(key.village.as_str())
            .bind(key.class.as_str())
            .bind(key.kind)
            .bind(delta.count)
            .bind(delta.minutes)
            .bind(delta.missing)
    });
    Ok(())
}

static TIMERS: Bulk = Bulk::new(
    "INSERT INTO timer (shard, kind, id, due_at) VALUES",
    "itti",
    "ON CONFLICT (shard, kind, id) DO UPDATE SET due_at = excluded.due_at",
);

async fn timers(
    tx: &mut Tx,
    shard: Shard,
    timers: &BTreeMap<(String, String), Option<i64>>,
) -> Result<(), StoreError> {
    let mut writes = Vec::new();
    for ((kind, id), due) in timers {
        match due {
            Some(due) => writes.push((kind, id, *due)),
            None => super::single::drop_timer(tx, shard, kind, id).await?,
        }
    }
    bulk!(tx, TIMERS, &writes, |query, write| query
        .bind(shard.0)
        .bind(write.0.as_str())
        .bind(write.1.as_str())
        .bind(write.2));
    Ok(())
}

static PHOTO_REFS: Bulk = Bulk::new(
    "INSERT INTO photo_ref (shard, sha256, record, author) VALUES",
    "ibbt",
    "ON CONFLICT (shard, sha256, record) DO NOTHING",
);
static PEOPLE: Bulk = Bulk::new(
    "INSERT INTO person_shard (person, shard) VALUES",
    "ti",
    "ON CONFLICT (person, shard) DO NOTHING",
);

async fn rest(tx: &mut Tx, shard: Shard, effects: &Effects) -> Result<(), StoreError> {
    let mut refs = Vec::new();
    for (sha256, record, author) in &effects.photo_refs {
        let hash = hex::decode(sha256).map_err(|_| super::broken("photo_ref", "hash"))?;
        refs.push((hash, record, author));
    }
    bulk!(tx, PHOTO_REFS, &refs, |query, write| query
        .bind(shard.0)
        .bind(write.0.as_slice())
        .bind(write.1.as_bytes().as_slice())
        .bind(write.2.as_str()));
    let people: Vec<&String> = effects.people.iter().collect();
    bulk!(tx, PEOPLE, &people, |query, person| query
        .bind(person.as_str())
        .bind(shard.0));
    for (device, next_n) in &effects.next_n {
        super::single::next_n(tx, device, *next_n).await?;
    }
    Ok(())
}

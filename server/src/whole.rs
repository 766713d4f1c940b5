//! All of it or nothing: a write that is decided whole, in one transaction of one shard.
//!
//! The lanes of the writer commit whatever queued and answer item by item. An import and a move
//! are different: a line that is refused undoes the others, and a trial undoes them all. They are
//! rare and go beside the lanes, behind the same lock of the shard.

use std::panic::AssertUnwindSafe;

use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_sync::apply::{self, Outcome};
use xiangyi_sync::merging::{self, Merged, Merging};
use xiangyi_sync::moves::{self, Handover};
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::{Admitted, Env, Record, World};

use crate::app::{App, own_record};
use crate::store::lists::{self, Listed};
use crate::store::people::{self, NewGrant};
use crate::store::{StoreError, Tx, load, sessions, shards, webhooks};
use crate::trail::{self, Entry};
use crate::writer::{self, Shared, Work};

/// A grant that ends.
#[derive(Debug, Clone)]
pub struct GrantEnd {
    pub person: String,
    pub role: Role,
    pub unit: String,
    pub from_at: i64,
    pub at: i64,
}

/// What is written together.
#[derive(Debug, Clone, Default)]
pub struct Whole {
    /// Devices under which items are numbered, with whose they are; made where there are none.
    pub devices: Vec<(String, String)>,
    pub items: Vec<Admitted>,
    pub ends: Vec<GrantEnd>,
    pub gives: Vec<NewGrant>,
    pub handovers: Vec<Handover>,
    /// Somebody who was entered twice; what the mailbox holds is found behind the lock.
    pub merging: Option<Merging>,
    /// What the trail tells of it.
    pub trail: Option<Entry>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Came {
    /// In the order of the items.
    pub outcomes: Vec<Outcome>,
    /// Visits of each client that changed hands; nothing where it was not the first person's.
    pub visits: Vec<Option<usize>>,
    pub grants_ended: u64,
    pub grants_given: u64,
    pub merged: Merged,
    /// Webhooks that go on in the other's name.
    pub webhooks: u64,
    /// What waits for a reviewer, and refusals that are open: these stay with the old entry.
    pub held_stay: u64,
    pub refusals_stay: u64,
}

/// Whether a write is kept, seen when everything is decided.
pub type Keep<'a> = &'a (dyn Fn(&Came) -> bool + Sync);

/// Writes into one shard, if `keep` says so of what it would come to.
///
/// # Errors
/// When the database fails, or what is to be written cannot be decided.
pub async fn write(
    app: &App,
    shard: Shard,
    whole: &Whole,
    keep: Keep<'_>,
) -> Result<Came, StoreError> {
    let shared = app.writer.shared();
    let (packs, places) = shared.law();
    let env = Env {
        now: app.clock.now(),
        packs: &packs,
        places: &places,
        secret: shared.entropy.bytes(),
    };
    let mut tx = shared.db.write().await?;
    // A table of thousands of lines is decided between two statements.
    tx.be_patient().await?;
    let counter = shards::lock(&mut tx, shard).await?;
    let whole = &found(shared, &mut tx, shard, whole, env.now).await?;
    let mut came = Came::default();
    for (device, person) in &whole.devices {
        sessions::add_device(&mut tx, device, person, "import", None, env.now).await?;
    }
    grants(&mut tx, whole, &mut came).await?;
    if let Some(merging) = &whole.merging {
        let (from, to) = (&merging.from, &merging.to);
        came.webhooks = webhooks::give(&mut tx, shard.0, from, to).await?;
        let stay = async |tx: &mut Tx, kind| staying(shared, tx, shard, from, kind).await;
        came.held_stay = stay(&mut tx, Kind::Held).await?;
        came.refusals_stay = stay(&mut tx, Kind::Refusal).await?;
    }
    let told = told(whole, env.now);
    let mut world = World::new(shard, counter.head_seq);
    fill(shared, &mut tx, &mut world, whole, &told).await?;
    let decided = std::panic::catch_unwind(AssertUnwindSafe(|| {
        decide(&mut world, whole, &told, &env, &mut came);
    }));
    decided.map_err(|_| broken("an item cannot be applied"))?;
    let saved = writer::stored(shared, &mut tx, &world, &counter, env.now).await?;
    if let Some(entry) = &whole.trail {
        let with = (&shared.sealer, &shared.entropy);
        trail::note(&mut tx, with, env.now, entry).await?;
    }
    if !keep(&came) {
        return Ok(came);
    }
    tx.commit().await?;
    writer::settled(shared, shard, &saved, (counter.head_seq, world.head));
    Ok(came)
}

const fn broken(what: &'static str) -> StoreError {
    StoreError::Broken {
        table: "feed",
        what,
    }
}

/// What is merged, with everything of it that the mailbox holds now that nobody else writes.
async fn found(
    shared: &Shared,
    tx: &mut Tx,
    shard: Shard,
    whole: &Whole,
    now: i64,
) -> Result<Whole, StoreError> {
    let mut whole = whole.clone();
    let Some(merging) = &mut whole.merging else {
        return Ok(whole);
    };
    let mailbox = format!("person:{}", merging.from);
    let Some(stream) = shards::streams(tx, shard, &[&mailbox]).await?.pop() else {
        return Ok(whole);
    };
    for kind in [Kind::SignUp, Kind::Link] {
        let rows = lists::all(tx, &shared.sealer, shard.0, stream.id, kind, "").await?;
        for row in rows {
            let own = row.author == merging.from;
            let list = if own {
                &mut merging.claims
            } else {
                &mut merging.followers
            };
            list.push(row.id);
        }
    }
    for kind in [Kind::Activity, Kind::Resource, Kind::Need] {
        let rows = lists::all(tx, &shared.sealer, shard.0, stream.id, kind, "").await?;
        let runs = rows
            .iter()
            .filter(|row| row.author == merging.from && !is_over(row, now));
        merging.runs.extend(runs.map(|row| row.id));
    }
    Ok(whole)
}

/// How much of a kind somebody's mailbox holds that is not settled.
async fn staying(
    shared: &Shared,
    tx: &mut Tx,
    shard: Shard,
    person: &str,
    kind: Kind,
) -> Result<u64, StoreError> {
    let mailbox = format!("person:{person}");
    let Some(stream) = shards::streams(tx, shard, &[&mailbox]).await?.pop() else {
        return Ok(0);
    };
    let rows = lists::all(tx, &shared.sealer, shard.0, stream.id, kind, "").await?;
    let open = rows.iter().filter(|row| {
        let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
        let state = body.get("state").and_then(serde_json::Value::as_str);
        row.author == person && state.is_none_or(|state| ["open", "appealed"].contains(&state))
    });
    Ok(open.count() as u64)
}

/// Whether the last session of an activity has ended.
fn is_over(row: &Listed, now: i64) -> bool {
    let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
    let sessions = body.get("sessions").and_then(serde_json::Value::as_array);
    let ends = |session: &serde_json::Value| session.get("ends_at")?.as_i64();
    let last = sessions.into_iter().flatten().filter_map(ends).max();
    last.is_some_and(|ends_at| ends_at <= now)
}

async fn grants(tx: &mut Tx, whole: &Whole, came: &mut Came) -> Result<(), StoreError> {
    for end in &whole.ends {
        came.grants_ended += people::revoke(tx, &end.person, end.role, &end.unit, end.at).await?;
    }
    for give in &whole.gives {
        came.grants_given += u64::from(people::grant(tx, give).await?);
    }
    Ok(())
}

/// Rows for the mailboxes of those whose grants change, so that a waiting phone comes at once.
fn told(whole: &Whole, now: i64) -> Vec<Record> {
    let ends = whole.ends.iter().map(|end| row(&given(end), now));
    ends.chain(whole.gives.iter().map(|give| row(give, now)))
        .collect()
}

/// A grant that ends, as it then is.
fn given(end: &GrantEnd) -> NewGrant {
    NewGrant {
        id: String::new(),
        person: end.person.clone(),
        role: end.role,
        unit: end.unit.clone(),
        from_at: end.from_at,
        to_at: Some(end.at),
    }
}

fn row(grant: &NewGrant, now: i64) -> Record {
    let (role, unit) = (grant.role.name(), grant.unit.as_str());
    let parts = [grant.person.as_bytes(), role.as_bytes(), unit.as_bytes()];
    let id = xiangyi_sync::digest::derived_id("grant", &parts);
    let body = serde_json::json!({
        "role": role, "unit": unit, "from_at": grant.from_at, "to_at": grant.to_at,
    });
    own_record(Kind::Grant, id, unit, &grant.person, body, now)
}

/// Puts a grant that was given into the person's mailbox, so that a waiting phone comes at once.
pub async fn tell_give(app: &App, grant: &NewGrant) {
    let Some(shard) = region::shard_of(&grant.unit) else {
        return;
    };
    let record = row(grant, app.clock.now());
    let work = Work::Record(Box::new(record));
    app.writer.write(shard, work).await;
}

/// Puts a grant that was ended into the person's mailbox.
pub async fn tell_end(app: &App, end: &GrantEnd) {
    tell_give(app, &given(end)).await;
}

async fn fill(
    shared: &Shared,
    tx: &mut Tx,
    world: &mut World,
    whole: &Whole,
    told: &[Record],
) -> Result<(), StoreError> {
    for _ in 0..writer::ROUNDS_MAX {
        let mut wants = world.wants(&whole.items);
        let mut rows = Wants::default();
        rows.records.extend(told.iter().map(|record| record.id));
        rows.absorb(moves::wants(world, &whole.handovers));
        if let Some(merging) = &whole.merging {
            rows.absorb(merging::wants(world, merging));
        }
        wants.absorb(rows.beyond(&world.seen));
        if wants.is_empty() {
            return Ok(());
        }
        load::load(tx, &shared.sealer, world, wants).await?;
    }
    Err(broken("what the items need has no end"))
}

fn decide(world: &mut World, whole: &Whole, told: &[Record], env: &Env<'_>, came: &mut Came) {
    for record in told {
        writer::keep(world, record, env);
    }
    for handover in &whole.handovers {
        came.visits.push(moves::hand_over(world, handover, env));
    }
    if let Some(merging) = &whole.merging {
        came.merged = merging::merge(world, merging, env);
    }
    let mut items = whole.items.clone();
    for item in &mut items {
        came.outcomes.push(apply::apply(world, item, env));
    }
    apply::finish(world, env);
}

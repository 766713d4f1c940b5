//! The writer: group commit. Whatever queued while the last commit ran goes into the next.
//!
//! One lane per file, or per active county on a database server. A batch that fails twice is
//! halved until the poison item stands alone; it alone stays unanswered. Nobody is answered
//! before the commit.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};
use xiangyi_proto::exchange::Position;
use xiangyi_proto::ids::{PersonId, RecordId, Seq, Shard};
use xiangyi_proto::limits::COMMIT_ITEMS_MAX;
use xiangyi_proto::time::Millis;
use xiangyi_sync::apply::{self, Outcome};
use xiangyi_sync::kinds::LOT;
use xiangyi_sync::policy::PackSet;
use xiangyi_sync::timers::{self, Timer};
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::{Admitted, ClaimState, Env, World};
use xiangyi_sync::{hold, photos_here};

use crate::accounts::seal::Sealer;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::failpoint;
use crate::live::Live;
use crate::store::save::Saved;
use crate::store::shards::{ShardRow, StreamIds};
use crate::store::{Db, StoreError, Tx, cards, load, save, shards, wechat};
use crate::wechat::messages::OFFER;

/// Village code → latitude and longitude × 10⁷, WGS-84.
pub type Places = HashMap<String, (i64, i64)>;

/// Jobs that may wait in a lane before senders wait too: two bursts of a full commit.
const QUEUE: usize = 1_024;
/// Rounds of loading: a handful, and one more for each link of a chain of items that wait for each
/// other; a push can bring 200 of them.
pub(crate) const ROUNDS_MAX: usize = 256;

/// What the writer needs beside its queue.
#[derive(Clone)]
pub struct Shared {
    pub db: Db,
    pub sealer: Sealer,
    pub entropy: Entropy,
    pub clock: Clock,
    pub packs: Arc<RwLock<Arc<PackSet>>>,
    pub places: Arc<RwLock<Arc<Places>>>,
    pub live: Live,
    pub stream_ids: Arc<StreamIds>,
    /// Whether the last commit failed for want of a disk or a database.
    pub cannot_write: Arc<AtomicBool>,
    /// Whether offers are told by messages.
    pub messages: bool,
}

impl Shared {
    /// The packs in force and the village points, as of now.
    pub(crate) fn law(&self) -> (Arc<PackSet>, Arc<Places>) {
        let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&packs), Arc::clone(&places))
    }
}

/// One thing to write into one shard.
#[derive(Debug, Clone)]
pub enum Work {
    /// Items of one exchange, or one REST write.
    Items(Vec<Admitted>),
    /// Timers whose moment has come.
    Timers(Vec<Timer>),
    /// A photograph of this hash and owner is complete.
    Photo { sha256: String, owner: PersonId },
    /// What WeChat said of an activity's public texts.
    Card {
        record: RecordId,
        state: &'static str,
    },
    /// A row the server writes by itself: a grant in a mailbox, a published pack.
    Record(Box<xiangyi_sync::world::Record>),
}

/// What came of it.
#[derive(Debug)]
pub enum Done {
    /// With where the shard stood after the commit.
    Outcomes(Vec<Outcome>, Position),
    Forked,
    Nothing,
}

/// Why there is no answer; worth repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The database did not take it.
    Store,
    /// This item fails on its own, again and again.
    Poison,
}

struct Job {
    shard: Shard,
    work: Work,
    reply: oneshot::Sender<Vec<Result<Done, NoAnswer>>>,
}

/// Hands work to the lanes; clones share them.
#[derive(Clone)]
pub struct Writer {
    shared: Shared,
    lanes: Arc<Mutex<HashMap<i64, mpsc::Sender<Job>>>>,
}

impl Writer {
    /// A writer without lanes yet.
    pub fn new(shared: Shared) -> Self {
        Self {
            shared,
            lanes: Arc::default(),
        }
    }

    /// The rule packs in force.
    pub fn packs(&self) -> Arc<PackSet> {
        Arc::clone(
            &self
                .shared
                .packs
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Puts other packs in force.
    pub fn put_packs(&self, packs: PackSet) {
        *self
            .shared
            .packs
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(packs);
    }

    /// Puts other village points in place.
    pub fn put_places(&self, places: Places) {
        let mut kept = self
            .shared
            .places
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = Arc::new(places);
    }

    /// The point of one village: latitude and longitude × 10⁷, WGS-84.
    pub fn place_of(&self, code: &str) -> Option<(i64, i64)> {
        self.shared.law().1.get(code).copied()
    }

    /// What the writer works with, for a write that goes beside the lanes.
    pub(crate) const fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Writes into one shard; answers after the commit.
    ///
    /// Items come back in order: one `Done::Outcomes`, or parts of it where poison was cut out.
    pub async fn write(&self, shard: Shard, work: Work) -> Vec<Result<Done, NoAnswer>> {
        let (reply, answer) = oneshot::channel();
        let job = Job { shard, work, reply };
        if self.lane(shard).send(job).await.is_err() {
            return vec![Err(NoAnswer::Store)];
        }
        answer.await.unwrap_or_else(|_| vec![Err(NoAnswer::Store)])
    }

    /// One file has one lane; on a database server each county has its own.
    fn lane(&self, shard: Shard) -> mpsc::Sender<Job> {
        let key = if self.shared.db.is_own_file() {
            0
        } else {
            shard.0
        };
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&key).filter(|lane| !lane.is_closed()) {
            return lane.clone();
        }
        let (send, receive) = mpsc::channel(QUEUE);
        lanes.insert(key, send.clone());
        crate::tasks::spawn("writer", run(self.shared.clone(), receive));
        send
    }
}

async fn run(shared: Shared, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.recv().await {
        let mut size = size_of(&first.work);
        let mut jobs = vec![first];
        while size < COMMIT_ITEMS_MAX {
            let Ok(job) = queue.try_recv() else { break };
            size += size_of(&job.work);
            jobs.push(job);
        }
        let works: Vec<(Shard, Work)> = jobs
            .iter_mut()
            .map(|job| (job.shard, take(&mut job.work)))
            .collect();
        let answers = commit_all(&shared, works).await;
        for (job, answer) in jobs.into_iter().zip(answers) {
            // A phone that hung up gets the same answer when it repeats.
            let _ = job.reply.send(answer);
        }
    }
}

fn take(work: &mut Work) -> Work {
    std::mem::replace(work, Work::Items(Vec::new()))
}

fn size_of(work: &Work) -> usize {
    match work {
        Work::Items(items) => items.len(),
        Work::Timers(timers) => timers.len(),
        Work::Photo { .. } | Work::Card { .. } | Work::Record(_) => 1,
    }
}

/// Commits works together; what fails twice is halved.
async fn commit_all(
    shared: &Shared,
    works: Vec<(Shard, Work)>,
) -> Vec<Vec<Result<Done, NoAnswer>>> {
    for last in [false, true] {
        let watch = crate::clock::Stopwatch::start();
        match commit(shared, &works).await {
            Ok(done) => {
                let took = watch.elapsed().as_secs_f64();
                metrics::histogram!("xiangyi_commit_seconds").record(took);
                shared.cannot_write.store(false, Ordering::Relaxed);
                return done.into_iter().map(|done| vec![Ok(done)]).collect();
            }
            Err(Fault::Store(error)) if error.is_passing() && last => {
                if error.is_full() {
                    tracing::error!("no commit: the disk of the database is full");
                } else {
                    tracing::warn!(jobs = works.len(), "no commit: {}", error.told());
                }
                shared.cannot_write.store(true, Ordering::Relaxed);
                return works.iter().map(|_| vec![Err(NoAnswer::Store)]).collect();
            }
            Err(Fault::Store(error)) if error.is_passing() => {}
            Err(fault) => tracing::error!(jobs = works.len(), %fault, "a commit failed"),
        }
    }
    Box::pin(halve(shared, works)).await
}

async fn halve(shared: &Shared, mut works: Vec<(Shard, Work)>) -> Vec<Vec<Result<Done, NoAnswer>>> {
    if works.len() > 1 {
        let rest = works.split_off(works.len() / 2);
        let mut answers = commit_all(shared, works).await;
        answers.extend(commit_all(shared, rest).await);
        return answers;
    }
    let Some((shard, work)) = works.pop() else {
        return Vec::new();
    };
    match work {
        Work::Items(mut items) if items.len() > 1 => {
            let rest = items.split_off(items.len() / 2);
            let mut answers = Vec::new();
            for part in [items, rest] {
                answers.extend(commit_all(shared, vec![(shard, Work::Items(part))]).await);
            }
            vec![answers.into_iter().flatten().collect()]
        }
        _ => {
            tracing::error!(
                shard = shard.0,
                "an item cannot be applied and stays unanswered"
            );
            vec![vec![Err(NoAnswer::Poison)]]
        }
    }
}

/// Why a commit failed.
enum Fault {
    Store(StoreError),
    Panic,
    /// Loading went on and on: deciding on a part would be wrong.
    Endless,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => f.write_str(&error.told()),
            Self::Panic => f.write_str("applying panicked"),
            Self::Endless => f.write_str("what the items need has no end"),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn commit(shared: &Shared, works: &[(Shard, Work)]) -> Result<Vec<Done>, Fault> {
    let mut by_shard: BTreeMap<Shard, Vec<usize>> = BTreeMap::new();
    for (index, (shard, _)) in works.iter().enumerate() {
        by_shard.entry(*shard).or_default().push(index);
    }
    let (packs, places) = shared.law();
    let env = Env {
        now: shared.clock.now(),
        packs: &packs,
        places: &places,
        secret: shared.entropy.bytes(),
    };
    let mut tx = shared.db.write().await?;
    let mut done: Vec<Option<Done>> = works.iter().map(|_| None).collect();
    let mut rings = Vec::new();
    for (shard, indexes) in by_shard {
        let mine: Vec<&Work> = indexes.iter().map(|index| &works[*index].1).collect();
        let (outcomes, saved, heads) = in_shard(shared, &mut tx, shard, &mine, &env).await?;
        for (index, outcome) in indexes.into_iter().zip(outcomes) {
            done[index] = Some(outcome);
        }
        rings.push((shard, saved, heads));
    }
    failpoint::reach("commit-before");
    tx.commit().await?;
    failpoint::reach("commit-after");
    for (shard, saved, heads) in rings {
        settled(shared, shard, &saved, heads);
    }
    Ok(done
        .into_iter()
        .map(|done| done.unwrap_or(Done::Nothing))
        .collect())
}

async fn in_shard(
    shared: &Shared,
    tx: &mut Tx,
    shard: Shard,
    works: &[&Work],
    env: &Env<'_>,
) -> Result<(Vec<Done>, Saved, (Seq, Seq)), Fault> {
    let counter = shards::lock(tx, shard).await?;
    let mut world = World::new(shard, counter.head_seq);
    let mut items: Vec<Admitted> = Vec::new();
    for work in works {
        if let Work::Items(list) = work {
            items.extend(list.iter().cloned());
        }
    }
    load::led_on(tx, &mut items).await?;
    fill(shared, tx, &mut world, works, &items).await?;
    let applied = std::panic::catch_unwind(AssertUnwindSafe(|| {
        decide(&mut world, works, &mut items, env)
    }));
    let mut done = applied.map_err(|_| Fault::Panic)?;
    for done in &mut done {
        if let Done::Outcomes(_, at) = done {
            (at.epoch, at.seq) = (counter.epoch, world.head);
        }
    }
    let saved = stored(shared, tx, &world, &counter, env.now).await?;
    Ok((done, saved, (counter.head_seq, world.head)))
}

/// Writes what was decided of one shard, with the messages that it means; not yet committed.
pub(crate) async fn stored(
    shared: &Shared,
    tx: &mut Tx,
    world: &World,
    counter: &ShardRow,
    now: Millis,
) -> Result<Saved, StoreError> {
    let (shard, with) = (
        world.shard,
        (&shared.sealer, &shared.entropy, &*shared.stream_ids),
    );
    let saved = save::save(tx, shard, &world.effects, &counter.chain, with).await?;
    cards::put(tx, shard.0, &crate::cards::written(&world.effects), now).await?;
    if shared.messages {
        tell_offers(tx, shard, world, now).await?;
    }
    shards::advance(tx, shard, world.head, &saved.chain).await?;
    Ok(saved)
}

/// After the commit: keeps what the process remembers of it, and tells who waits.
pub(crate) fn settled(shared: &Shared, shard: Shard, saved: &Saved, heads: (Seq, Seq)) {
    saved.keys.keep(&shared.sealer);
    shared.stream_ids.keep(shard, &saved.streams);
    shared.live.ring(shard, heads, saved.streams.keys());
}

/// Puts a message for each place that is offered now into the outbox, with the offer.
async fn tell_offers(
    tx: &mut Tx,
    shard: Shard,
    world: &World,
    now: Millis,
) -> Result<(), StoreError> {
    let claims = world.effects.claims.values();
    let offered = claims.filter(|claim| claim.state == ClaimState::Offered && claim.name != LOT);
    let told = offered.map(|claim| wechat::New {
        what: OFFER,
        record: claim.record,
        number: claim.offer,
        person: &claim.person,
        due_at: now,
    });
    let told: Vec<wechat::New<'_>> = told.collect();
    wechat::add(tx, shard.0, &told).await
}

/// Loads until the rules ask for nothing more.
async fn fill(
    shared: &Shared,
    tx: &mut Tx,
    world: &mut World,
    works: &[&Work],
    items: &[Admitted],
) -> Result<(), Fault> {
    for _ in 0..ROUNDS_MAX {
        let mut wants = world.wants(items);
        let mut others = Wants::default();
        for work in works {
            match work {
                Work::Items(_) => {}
                Work::Timers(due) => others.absorb(timers::wants(world, due)),
                Work::Photo { sha256, owner } => {
                    others.absorb(world.wants_of_photo(sha256, owner));
                }
                Work::Card { record, .. } => {
                    others.records.insert(*record);
                    others.slots.insert(*record);
                }
                Work::Record(record) => {
                    others.records.insert(record.id);
                }
            }
        }
        wants.absorb(others.beyond(&world.seen));
        if wants.is_empty() {
            return Ok(());
        }
        load::load(tx, &shared.sealer, world, wants).await?;
    }
    Err(Fault::Endless)
}

fn decide(world: &mut World, works: &[&Work], items: &mut [Admitted], env: &Env<'_>) -> Vec<Done> {
    let mut rest = items;
    let mut done = Vec::with_capacity(works.len());
    for work in works {
        done.push(match work {
            Work::Items(list) => {
                let (mine, others) = rest.split_at_mut(list.len());
                rest = others;
                if apply::is_forked(world, mine) {
                    Done::Forked
                } else {
                    let outcome = |item: &mut Admitted| apply::apply(world, item, env);
                    let outcomes = mine.iter_mut().map(outcome).collect();
                    // Where the shard stands then is known when all is decided.
                    Done::Outcomes(outcomes, Position { epoch: 0, seq: 0 })
                }
            }
            Work::Timers(due) => {
                due.iter().for_each(|timer| timers::fire(world, timer, env));
                Done::Nothing
            }
            Work::Photo { sha256, owner } => {
                photos_here::photo_complete(world, sha256, owner, env);
                Done::Nothing
            }
            Work::Card { record, state } => {
                if let Some(mut record) = world.live(*record).cloned() {
                    record.derive("public", *state);
                    record.rev += 1;
                    world.keep(record, env);
                }
                Done::Nothing
            }
            Work::Record(record) => {
                keep(world, record, env);
                Done::Nothing
            }
        });
    }
    apply::finish(world, env);
    done
}

pub(crate) fn keep(world: &mut World, record: &xiangyi_sync::world::Record, env: &Env<'_>) {
    let mut record = record.clone();
    if let Some(old) = world.records.get(&record.id) {
        record.rev = old.rev + 1;
        record.placed.clone_from(&old.placed);
    }
    world.keep(record, env);
    hold::settle(world, env);
}

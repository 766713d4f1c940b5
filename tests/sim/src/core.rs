//! What a commit runs: loading in rounds, the production rules, writing. No law is asked here.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use xiangyi_proto::ids::Shard;
use xiangyi_proto::time::Millis;
use xiangyi_sync::apply::{self, Outcome};
use xiangyi_sync::policy::PackSet;
use xiangyi_sync::timers::{self, Timer};
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::{Admitted, Env, Record, Slot, World};
use xiangyi_sync::{hold, photos_here};

use crate::fault::Fault;
use crate::model::Store;
use crate::story::{Broken, Check, holds};
use crate::tamper;

/// Rounds of loading after which something asks for ever.
const ROUNDS_MAX: usize = 64;
static PLACES: LazyLock<HashMap<String, (i64, i64)>> = LazyLock::new(|| {
    let place = |n: i64| (format!("430121101{n:03}"), (282_000_000 + n, 1_130_000_000));
    (1..3).map(place).collect()
});

/// What the rules run over.
#[derive(Clone)]
pub struct Core {
    pub store: Store,
    pub packs: &'static PackSet,
    pub fault: Option<Fault>,
    stale: Vec<BTreeMap<(uuid::Uuid, String), Slot>>,
}

/// One thing to do in a commit; a commit does several, as the server does.
#[derive(Debug, Clone)]
pub enum Work {
    Push(Vec<Admitted>),
    Timers(Vec<Timer>),
    Photo(String, String),
    Record(Record),
}

/// What a thing to do comes back with.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Nothing,
    Verdicts(Vec<Outcome>),
    /// A number was used for something else; nothing of the push was done.
    Forked,
}

impl Core {
    /// Rules over a store.
    pub const fn new(store: Store, packs: &'static PackSet, fault: Option<Fault>) -> Self {
        Self {
            store,
            packs,
            fault,
            stale: Vec::new(),
        }
    }

    /// Nothing of before is known any more.
    pub fn forget_stale(&mut self) {
        self.stale.clear();
    }

    /// What stands around a commit.
    pub fn env(&self, now: Millis) -> Env<'_> {
        Env {
            now,
            packs: self.packs,
            places: &PLACES,
            secret: [7; 32],
        }
    }

    /// Loads in rounds and works; nothing is committed.
    pub fn run(
        &self,
        shard: i64,
        now: Millis,
        works: &[Work],
    ) -> Result<(World, Vec<Told>, usize), Broken> {
        let county = &self.store.counties[&shard];
        let mut world = World::new(Shard(shard), county.head);
        let pushed = works.iter().filter_map(|work| match work {
            Work::Push(items) => Some(items),
            _ => None,
        });
        let items: Vec<Admitted> = pushed.flatten().cloned().collect();
        let mut rounds = 0;
        loop {
            let wanted = wants(&world, &items, works);
            if wanted.is_empty() {
                break;
            }
            rounds += 1;
            holds("L", rounds < ROUNDS_MAX, || {
                format!("asks for ever: {wanted:?}")
            })?;
            self.store.load(county, &mut world, wanted, self.fault);
        }
        if let (Some(Fault::CapacityStale), Some(stale)) = (self.fault, self.stale.first()) {
            for (key, slot) in &mut world.slots {
                *slot = stale.get(key).unwrap_or(slot).clone();
            }
        }
        let told = decide(&mut world, works, &self.env(now));
        Ok((world, told, rounds))
    }

    /// Works over everything that is stored.
    pub fn run_over_all(&self, shard: i64, now: Millis, works: &[Work]) -> (World, Vec<Told>) {
        let county = &self.store.counties[&shard];
        let mut world = World::new(Shard(shard), county.head);
        self.store.load_all(county, &mut world);
        let told = decide(&mut world, works, &self.env(now));
        (world, told)
    }

    /// Commits what a world has changed.
    pub fn commit(&mut self, shard: i64, mut world: World) -> Check {
        let head = world.head;
        tamper::effects(self.fault, &mut world.effects, head);
        let gone = tamper::lost_tombstones(self.fault, &world.effects);
        let effects = std::mem::take(&mut world.effects);
        self.store.commit(shard, effects, head)?;
        let county = self.store.counties.get_mut(&shard).expect("it committed");
        tamper::lose(county, gone);
        if self.fault == Some(Fault::CapacityStale) {
            self.stale.push(county.slots.clone());
            if self.stale.len() > 4 {
                self.stale.remove(0);
            }
        }
        Ok(())
    }
}

fn wants(world: &World, items: &[Admitted], works: &[Work]) -> Wants {
    let mut wants = world.wants(items);
    let mut others = Wants::default();
    for work in works {
        match work {
            Work::Push(_) => {}
            Work::Timers(due) => others.absorb(timers::wants(world, due)),
            Work::Photo(sha, owner) => others.absorb(photos_here::wants(world, sha, owner)),
            Work::Record(record) => drop(others.records.insert(record.id)),
        }
    }
    wants.absorb(others.beyond(&world.seen));
    wants
}

/// Does everything of a commit in order; a push whole or, where a number was used twice, not at
/// all.
fn decide(world: &mut World, works: &[Work], env: &Env<'_>) -> Vec<Told> {
    let mut told = Vec::new();
    for work in works {
        told.push(match work {
            Work::Push(items) if apply::is_forked(world, items) => Told::Forked,
            Work::Push(items) => {
                let one = |item: &Admitted| apply::apply(world, &mut item.clone(), env);
                Told::Verdicts(items.iter().map(one).collect())
            }
            Work::Timers(due) => {
                due.iter().for_each(|timer| timers::fire(world, timer, env));
                Told::Nothing
            }
            Work::Photo(sha, owner) => {
                photos_here::photo_complete(world, sha, owner, env);
                Told::Nothing
            }
            Work::Record(record) => {
                world.keep(record.clone(), env);
                hold::settle(world, env);
                Told::Nothing
            }
        });
    }
    apply::finish(world, env);
    told
}

//! The gate of a world: admits, commits in groups, answers.
//!
//! Whatever is committed is held against the laws at once. A share of the commits is also run a
//! second time, over everything that is stored and cut into other batches.

use std::collections::BTreeMap;

use xiangyi_proto::exchange::{Exchange, JournalAt, Position, Proof, PushAnswer, Unanswered};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::limits::{JOURNAL_DAYS, RETRY_MS};
use xiangyi_proto::time::{DAY_MS, Millis};
use xiangyi_sync::admit::{self, Sender};
use xiangyi_sync::apply::Outcome;
use xiangyi_sync::digest::Digest;
use xiangyi_sync::policy::PackSet;
use xiangyi_sync::stamp::{self, Stamps, Whose};
use xiangyi_sync::world::{Admitted, Proved, Record};

use crate::core::{Core, Told, Work};
use crate::dice::Dice;
use crate::fault::Fault;
use crate::laws::{self, Commit, Ledger};
use crate::model::Store;
use crate::story::{Broken, Check, broken};

/// A text that makes an item a poison one: the server fails on it and nobody knows why.
pub const POISON: &str = "POISON";

/// When the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    Never,
    BeforeCommit,
    AfterCommit,
}

/// One push as it reached the server.
pub struct Sent<'a> {
    pub person: &'a str,
    pub exchange: &'a Exchange,
}

/// The gate.
pub struct Server {
    pub core: Core,
    pub ledger: Ledger,
    pub rounds: usize,
    /// Share of commits that are run again in other ways.
    deep: u32,
    dice: Dice,
    stamps: Stamps,
    /// With the moment it was made.
    backup: Option<Box<(Store, Ledger, Millis)>>,
    /// The newest epoch that ever was.
    epoch: i64,
}

impl Server {
    /// A gate over a store.
    pub fn new(
        store: Store,
        packs: &'static PackSet,
        fault: Option<Fault>,
        deep: u32,
        seed: u64,
    ) -> Self {
        Self {
            core: Core::new(store, packs, fault),
            ledger: Ledger::default(),
            rounds: 0,
            deep,
            dice: Dice::new(seed ^ 0x5eed),
            stamps: Stamps::new(&[9; 32]),
            backup: None,
            epoch: 1,
        }
    }

    /// A verified backup of everything.
    pub fn back_up(&mut self, now: Millis) {
        let (store, ledger) = (self.core.store.clone(), self.ledger.clone());
        self.backup = Some(Box::new((store, ledger, now)));
        for county in self.core.store.counties.values_mut() {
            county.durable = county.head;
        }
    }

    /// Everything is lost and comes back as the last backup has it; false when there is none that
    /// is younger than what phones keep.
    pub fn restore(&mut self, now: Millis) -> bool {
        let young = |made: Millis| now - made < (JOURNAL_DAYS - 1) * DAY_MS;
        let Some(backup) = self.backup.as_ref().filter(|backup| young(backup.2)) else {
            return false;
        };
        let (store, mut ledger, _) = (**backup).clone();
        let lost = &self.core.store.counties;
        let last = lost.values().map(|county| county.epoch).max();
        self.epoch = self.epoch.max(last.unwrap_or(1)) + 1;
        ledger.given = std::mem::take(&mut self.ledger.given);
        ledger.told = std::mem::take(&mut self.ledger.told);
        (self.core.store, self.ledger) = (store, ledger);
        self.core.forget_stale();
        for county in self.core.store.counties.values_mut() {
            if self.core.fault != Some(Fault::EpochKept) {
                county.epoch = self.epoch;
            }
            county.durable = county.head;
        }
        true
    }

    /// What is news to a journal.
    pub fn durable(&self, journal: &BTreeMap<String, JournalAt>) -> BTreeMap<String, Position> {
        let early = self.core.fault == Some(Fault::DurableTooEarly);
        let news = journal.iter().filter_map(|(shard, said)| {
            let county = self.core.store.counties.get(&shard.parse().ok()?)?;
            let at = Position {
                epoch: county.epoch,
                seq: if early { county.head } else { county.durable },
            };
            let moved = at.epoch != said.epoch || said.seq.is_some_and(|seq| seq <= at.seq);
            moved.then(|| (shard.clone(), at))
        });
        news.collect()
    }

    /// One commit of one shard, held against the laws.
    pub fn transact(
        &mut self,
        shard: i64,
        works: &[Work],
        now: Millis,
        crash: Crash,
    ) -> Result<Vec<Told>, Broken> {
        let old = self.dice.chance(self.deep).then(|| self.core.clone());
        let head = self.core.store.counties[&shard].head;
        let (world, told, rounds) = self.core.run(shard, now, works)?;
        self.rounds = self.rounds.max(rounds);
        if let Some(old) = &old {
            let (full, full_told) = old.run_over_all(shard, now, works);
            laws::loading::law_l_wants_suffice(&world, &full, &told, &full_told)?;
        }
        if crash == Crash::BeforeCommit {
            return Ok(told);
        }
        self.say(shard, works);
        let commit = Commit::before(&self.core.store, shard, &world);
        self.core.commit(shard, world)?;
        laws::after_commit(&mut self.ledger, &self.core.store, &commit)?;
        let county = &self.core.store.counties[&shard];
        for (work, told) in works.iter().zip(&told) {
            let (Work::Push(push), Told::Verdicts(outcomes)) = (work, told) else {
                continue;
            };
            for (item, outcome) in push.iter().zip(outcomes) {
                laws::verdicts::law_2_restored_for_its_own(&self.ledger, item, outcome)?;
                laws::verdicts::law_3_same_verdict(&mut self.ledger, shard, item, outcome, head)?;
                laws::pages::law_14_conflict(&self.core.store, county, item, outcome, now)?;
            }
        }
        if let Some(old) = old {
            let batch = laws::batches::Batch {
                shard,
                now,
                works,
                told: &told,
            };
            laws::batches::law_6_batching(&old, &self.core, &batch, &self.ledger)?;
            laws::batches::law_6_neighbours(&old, &batch)?;
            laws::batches::law_12_again(&self.core, &batch)?;
        }
        Ok(told)
    }

    /// Notes what each number says.
    fn say(&mut self, shard: i64, works: &[Work]) {
        let pushed = works.iter().filter_map(|work| match work {
            Work::Push(items) => Some(items),
            _ => None,
        });
        for item in pushed.flatten().filter(|item| item.key.is_none()) {
            let number = (shard, item.device.clone(), item.mutation.n);
            let said = (item.mutation.id, item.content);
            self.ledger.said.entry(number).or_insert(said);
        }
    }

    /// Admits, groups by shard, commits each shard, answers each push; None stands for 409.
    pub fn push(
        &mut self,
        sent: &[Sent<'_>],
        now: Millis,
        crash: Crash,
    ) -> Result<Vec<Option<PushAnswer>>, Broken> {
        let mut answers: Vec<Option<PushAnswer>> = Vec::new();
        let mut asked: Vec<BTreeMap<i64, (i64, Digest)>> = Vec::new();
        let mut shards: BTreeMap<i64, Vec<(usize, Vec<Admitted>)>> = BTreeMap::new();
        for (who, sent) in sent.iter().enumerate() {
            let mut answer = PushAnswer::default();
            asked.push(BTreeMap::new());
            for item in self.admit(sent, now, &mut answer) {
                asked[who].insert(item.mutation.n, (item.shard.0, item.digest));
                let list = shards.entry(item.shard.0).or_default();
                match list.last_mut().filter(|(last, _)| *last == who) {
                    Some((_, push)) => push.push(item),
                    None => list.push((who, vec![item])),
                }
            }
            answers.push(Some(answer));
        }
        for (shard, batch) in shards {
            let (who, pushes): (Vec<usize>, Vec<Vec<Admitted>>) = batch.into_iter().unzip();
            let mut works: Vec<Work> = pushes.into_iter().map(Work::Push).collect();
            works.extend(self.rides_along(shard, now));
            let told = self.transact(shard, &works, now, crash)?;
            for (who, told) in who.into_iter().zip(told) {
                match told {
                    Told::Nothing => {}
                    Told::Forked => answers[who] = None,
                    Told::Verdicts(outcomes) => {
                        let verdicts = outcomes.into_iter().filter_map(|outcome| match outcome {
                            Outcome::Verdict(verdict) => Some(*verdict),
                            Outcome::Forked | Outcome::KeyReused | Outcome::NoRoom(_) => None,
                        });
                        if let Some(answer) = &mut answers[who] {
                            answer.verdicts.extend(verdicts);
                            let at = self.stands(shard);
                            answer.stamps.insert(shard.to_string(), at);
                        }
                    }
                }
            }
        }
        for ((sent, asked), answer) in sent.iter().zip(&asked).zip(&mut answers) {
            if let Some(answer) = answer {
                self.stamp(sent, asked, answer, now);
            }
        }
        Ok(answers)
    }

    fn stands(&self, shard: i64) -> Position {
        let county = &self.core.store.counties[&shard];
        Position {
            epoch: county.epoch,
            seq: county.head,
        }
    }

    fn stamp(
        &mut self,
        sent: &Sent<'_>,
        asked: &BTreeMap<i64, (i64, Digest)>,
        answer: &mut PushAnswer,
        now: Millis,
    ) {
        for verdict in &mut answer.verdicts {
            let (shard, digest) = asked[&verdict.n];
            let (person, device) = (sent.person, sent.exchange.device.as_str());
            let whose = Whose {
                shard,
                person,
                device,
                n: verdict.n,
                digest: &digest,
            };
            let at = (self.stands(shard), now);
            let mac = stamp::bound(verdict).map(|bound| self.stamps.mac(&whose, bound, at));
            if mac.is_some() {
                let key = (person.to_owned(), device.to_owned(), verdict.n, digest);
                self.ledger.given.insert(key);
            }
            verdict.mac = mac;
        }
    }

    /// Takes an item as answered before if its proof fits, or is only there.
    fn prove(&self, item: &mut Admitted, proofs: &[Proof]) {
        let Some(proof) = proofs.iter().find(|proof| proof.n == item.mutation.n) else {
            return;
        };
        let fits = self.stamps.prove(item, proof);
        let stored = proof.verdict.is_stored();
        if !fits && stored && self.core.fault == Some(Fault::ProofsUnchecked) {
            item.proof = Some(Proved {
                verdict: proof.verdict,
                held_for: proof.held_for,
                state: proof.state.clone().unwrap_or_default(),
            });
        }
        if item.faults.is_empty() {
            admit::judge(item, self.core.packs);
        }
    }

    /// Timers that happen to ride in the commit of a push.
    fn rides_along(&mut self, shard: i64, now: Millis) -> Option<Work> {
        let due = self.core.store.counties[&shard].due(now);
        (!due.is_empty() && self.dice.chance(50)).then_some(Work::Timers(due))
    }

    fn admit(&self, sent: &Sent<'_>, now: Millis, answer: &mut PushAnswer) -> Vec<Admitted> {
        let exchange = sent.exchange;
        let sender = Sender {
            person: sent.person.to_owned(),
            device: exchange.device.clone(),
            clock: exchange.clock.as_ref(),
            received_at: now,
        };
        let mut items = Vec::new();
        for raw in exchange.push.iter().flat_map(|push| &push.mutations) {
            let Ok(mut item) = admit::admit(raw, &sender, self.core.packs) else {
                continue;
            };
            if raw.get().contains(POISON) {
                answer.unanswered.push(Unanswered {
                    n: item.mutation.n,
                    code: "server-fault".to_owned(),
                    retry_ms: RETRY_MS,
                });
                continue;
            }
            let proofs = exchange.push.as_ref().map(|push| push.proofs.as_slice());
            self.prove(&mut item, proofs.unwrap_or_default());
            let said = exchange.journal.get(&item.shard.0.to_string());
            let county = self.core.store.counties.get(&item.shard.0);
            let other = |said: &&JournalAt| county.is_some_and(|at| at.epoch != said.epoch);
            if item.proof.is_none() && said.filter(other).is_some() {
                answer.unanswered.push(Unanswered {
                    n: item.mutation.n,
                    code: "epoch-changed".to_owned(),
                    retry_ms: 0,
                });
                continue;
            }
            if !self.core.store.counties.contains_key(&item.shard.0) {
                item.shard = self.home(sent.person);
            }
            items.push(item);
        }
        items
    }

    /// Where an item that names no county is answered: the person's own.
    pub fn home(&self, person: &str) -> Shard {
        let grants = self.core.store.grants.get(person);
        let first = grants.and_then(|grants| grants.first());
        let shard = first.and_then(|grant| xiangyi_proto::region::shard_of(&grant.unit));
        shard.unwrap_or(Shard(430_121))
    }

    /// Fires what is due, a few timers to a commit.
    pub fn fire(&mut self, shard: i64, now: Millis) -> Result<usize, Broken> {
        let mut fired = 0;
        loop {
            let mut due = self.core.store.counties[&shard].due(now);
            if due.is_empty() {
                return Ok(fired);
            }
            due.truncate(1 + self.dice.below(3));
            fired += due.len();
            if fired > 1_000 {
                return broken("24", "timers fire for ever");
            }
            self.transact(shard, &[Work::Timers(due)], now, Crash::Never)?;
        }
    }

    /// A photograph is complete.
    pub fn photo(&mut self, shard: i64, sha: &str, owner: &str, now: Millis) -> Check {
        let key = (sha.to_owned(), owner.to_owned());
        self.core.store.photos.insert(key.clone());
        let works = [Work::Photo(key.0, key.1)];
        self.transact(shard, &works, now, Crash::Never).map(drop)
    }

    /// The server writes a record of its own: a grant, a pack.
    pub fn write(&mut self, shard: i64, record: Record, now: Millis) -> Check {
        let works = [Work::Record(record)];
        self.transact(shard, &works, now, Crash::Never).map(drop)
    }
}

//! The journal: what was answered and may still be lost, when a server comes back from a backup.
//!
//! An entry stays in it, with the proof of its answer, until that is final and a verified backup
//! holds it, or for 30 days. When a shard's epoch is another than the one an entry was answered in,
//! the entry is sent once more with its proof. The entry's own epoch decides, never the cursor's: a
//! cursor is of the new epoch after one page, and the journal may take many pushes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use xiangyi_proto::exchange::{
    ClientBuild, Exchange, JournalAt, PROTOCOL, PhoneClock, Position, Proof, Push,
};
use xiangyi_proto::ids::Seq;
use xiangyi_proto::limits::JOURNAL_DAYS;
use xiangyi_proto::region;
use xiangyi_proto::time::DAY_MS;
use xiangyi_proto::verdict::Verdict;

use super::exchange::{fitting, raw_of};
use super::{Entry, Phone, Write};
use crate::stamp;

/// The proof of an answer, as an entry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub shard: i64,
    /// The registration that was answered; it may not be this phone's any more.
    pub device: String,
    pub proof: Proof,
    /// A backup that holds this number holds the answer.
    pub safe_at: Seq,
}

/// Which shard answers a mutation: the first six digits of its unit.
pub fn shard_of(raw: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct At {
        unit: String,
    }
    let at: At = serde_json::from_str(raw).ok()?;
    region::shard_of(&at.unit).map(|shard| shard.0)
}

/// The proof of a verdict, if it has one.
pub fn kept(verdict: &Verdict, device: &str, shard: i64, at: (Position, i64)) -> Option<Kept> {
    let mac = verdict.mac.clone()?;
    let bound = stamp::bound(verdict)?;
    let (position, at) = at;
    Some(Kept {
        shard,
        device: device.to_owned(),
        proof: Proof {
            n: verdict.n,
            verdict: bound.verdict,
            held_for: bound.held_for,
            state: (!bound.state.is_empty()).then(|| bound.state.to_owned()),
            epoch: position.epoch,
            seq: position.seq,
            at,
            mac,
        },
        safe_at: position.seq,
    })
}

impl Phone {
    /// Whether an entry was answered in another epoch than its shard has now.
    pub fn is_lost(&self, entry: &Entry) -> bool {
        entry.kept.as_ref().is_some_and(|kept| {
            let now = self.epochs.get(&kept.shard);
            now.is_some_and(|now| *now != kept.proof.epoch)
        })
    }

    /// Whether it was this registration that an entry was answered under.
    pub(super) fn is_own(&self, entry: &Entry) -> bool {
        entry
            .kept
            .as_ref()
            .is_none_or(|kept| kept.device == self.device)
    }

    /// A former registration of this phone under which something is to be sent once more.
    pub fn former(&self, now: i64) -> Option<&str> {
        let lost = self.entries.values().filter(|entry| {
            let due = entry.retry_at <= now || entry.retry_at - now > DAY_MS;
            due && self.is_lost(entry) && !self.is_own(entry)
        });
        let mut devices = lost.filter_map(|entry| entry.kept.as_ref().map(|kept| &*kept.device));
        devices.next()
    }

    /// A push of what a former registration was answered, for itself.
    pub fn request_as(&self, device: &str, clock: PhoneClock, build: ClientBuild) -> Exchange {
        let now = clock.wall_ms;
        let mine = self.entries.values().filter(|entry| {
            let due = entry.retry_at <= now || entry.retry_at - now > DAY_MS;
            let kept = entry.kept.as_ref();
            due && self.is_lost(entry) && kept.is_some_and(|kept| kept.device == device)
        });
        let all: Vec<&Entry> = mine.collect();
        let healthy = all.iter().any(|entry| entry.unanswered == 0);
        let ready = all
            .into_iter()
            .filter(|entry| entry.unanswered == 0 || !healthy);
        let ready: Vec<&Entry> = match healthy {
            true => ready.collect(),
            false => ready.take(1).collect(),
        };
        let (batch, _) = fitting(ready, usize::MAX, usize::MAX);
        Exchange {
            protocol: PROTOCOL,
            device: device.to_owned(),
            client: Some(build),
            clock: Some(clock),
            push: Some(Push {
                saved_below: 0,
                mutations: batch.iter().map(|entry| raw_of(entry)).collect(),
                proofs: self.proofs(&batch),
            }),
            pull: None,
            unsent: None,
            journal: BTreeMap::new(),
        }
    }

    /// The proofs of those that were answered before.
    pub(super) fn proofs(&self, batch: &[&Entry]) -> Vec<Proof> {
        let lost = batch.iter().filter(|entry| self.is_lost(entry));
        lost.filter_map(|entry| Some(entry.kept.as_ref()?.proof.clone()))
            .collect()
    }

    /// What is known of each shard, and where its journal stands.
    pub(super) fn journal(&self) -> BTreeMap<String, JournalAt> {
        let known = self.epochs.iter();
        let mut all: BTreeMap<String, JournalAt> = known
            .map(|(shard, epoch)| {
                let (epoch, seq) = (*epoch, None);
                (shard.to_string(), JournalAt { epoch, seq })
            })
            .collect();
        for kept in self
            .entries
            .values()
            .filter_map(|entry| entry.kept.as_ref())
        {
            let known = self.epochs.get(&kept.shard);
            let epoch = known.copied().unwrap_or(kept.proof.epoch);
            let at = all.entry(kept.shard.to_string());
            let at = at.or_insert(JournalAt { epoch, seq: None });
            if kept.proof.epoch == epoch {
                let first = at.seq.map_or(kept.safe_at, |seq| seq.min(kept.safe_at));
                at.seq = Some(first);
            }
        }
        all
    }

    /// What an answer says of epochs, and the entries that need no journal any more; those in
    /// `moved` have just been answered.
    pub(super) fn tidied(
        &self,
        told: &[(i64, i64)],
        durable: &BTreeMap<String, Position>,
        moved: &BTreeSet<i64>,
        server_time: i64,
    ) -> Vec<Write> {
        let mut epochs = self.epochs.clone();
        epochs.extend(told.iter().copied());
        let durable: BTreeMap<i64, Position> = durable
            .iter()
            .filter_map(|(shard, at)| Some((shard.parse().ok()?, *at)))
            .collect();
        epochs.extend(durable.iter().map(|(shard, at)| (*shard, at.epoch)));
        let news = epochs
            .iter()
            .filter(|(shard, epoch)| self.epochs.get(shard) != Some(epoch));
        let mut writes: Vec<Write> = news
            .map(|(shard, epoch)| Write::Epoch(*shard, *epoch))
            .collect();
        let safe = |entry: &&Entry| {
            let Some(kept) = entry.kept.as_ref().filter(|_| !moved.contains(&entry.n)) else {
                return false;
            };
            let is_final = entry.verdict.as_ref().is_some_and(Verdict::is_final);
            let epoch = kept.proof.epoch;
            let held = durable.get(&kept.shard);
            let held = held.is_some_and(|at| at.epoch == epoch && kept.safe_at <= at.seq);
            let is_old = server_time - kept.proof.at > JOURNAL_DAYS * DAY_MS;
            // One that is known to be lost is sent however old it is.
            let here = epochs.get(&kept.shard) == Some(&epoch);
            is_final && here && (held || is_old)
        };
        let gone = self.entries.values().filter(safe);
        writes.extend(gone.map(|entry| Write::Forget(entry.n)));
        writes
    }
}

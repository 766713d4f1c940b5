//! What must always hold. Each law is a function with its number in the protocol's list.
//!
//! Beside the numbers: L, what is asked for suffices; P, rows stand where their record belongs;
//! F and R, facts and daily counts equal a recount.

pub mod batches;
pub mod clocks;
pub mod loading;
pub mod pages;
pub mod places;
pub mod quiet;
pub mod records;
pub mod verdicts;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use xiangyi_proto::ids::{DeviceId, RecordId, Seq};
use xiangyi_proto::verdict::Verdict;
use xiangyi_sync::digest::Digest;
use xiangyi_sync::effects::{FINAL, LogWrite};
use xiangyi_sync::world::{Claim, Record, World};

use crate::model::Store;
use crate::story::Check;

/// What was seen so far, kept apart from the store.
#[derive(Default, Clone)]
pub struct Ledger {
    /// Whom a stamp was given, and for which bytes; phones keep it through every restore.
    pub given: BTreeSet<(String, DeviceId, i64, Digest)>,
    /// First answers by (shard, device, number).
    pub first: BTreeMap<(i64, DeviceId, i64), Verdict>,
    /// Later, final answers.
    pub last: BTreeMap<(i64, DeviceId, i64), (Verdict, Seq)>,
    /// What each number said: record and content.
    pub said: BTreeMap<(i64, DeviceId, i64), (RecordId, Digest)>,
    /// Who had a content stored.
    pub stored: BTreeMap<(i64, RecordId, Digest), (DeviceId, i64)>,
    /// Records that were voided.
    pub void: BTreeSet<(i64, RecordId)>,
    /// Bodies by revision, as commits showed them.
    pub bodies: BTreeMap<(i64, RecordId), BTreeMap<i64, Value>>,
    /// How often each verdict was given, with its rule.
    pub told: BTreeMap<String, usize>,
}

/// A commit, as it was before it happened and as it was written.
pub struct Commit {
    pub shard: i64,
    pub before: BTreeMap<RecordId, Record>,
    pub claims: BTreeMap<RecordId, Claim>,
    pub touched: BTreeSet<RecordId>,
    pub streams: BTreeSet<String>,
    pub log: Vec<LogWrite>,
}

impl Commit {
    /// Notes what a commit is about to change.
    pub fn before(store: &Store, shard: i64, world: &World) -> Self {
        let county = &store.counties[&shard];
        let rows = world.effects.rows.keys();
        let touched: BTreeSet<RecordId> = rows.clone().map(|(id, _)| *id).collect();
        let before = touched.iter().filter_map(|id| county.record(*id));
        let claims = if world.effects.claims.is_empty() {
            BTreeMap::new()
        } else {
            county.claims.clone()
        };
        Self {
            shard,
            before: before.map(|record| (record.id, record)).collect(),
            claims,
            streams: rows.map(|(_, stream)| stream.clone()).collect(),
            touched,
            log: world.effects.log.clone(),
        }
    }
}

/// Every law that a commit can break.
pub fn after_commit(ledger: &mut Ledger, store: &Store, commit: &Commit) -> Check {
    let county = &store.counties[&commit.shard];
    verdicts::law_2_no_double_effect(ledger, commit)?;
    verdicts::law_4_together(county, commit)?;
    verdicts::law_23_what_judged(commit)?;
    records::law_17_no_resurrection(ledger, county, commit)?;
    records::law_20_check_ins_never_change(county, commit)?;
    records::law_21_approved_is_locked(county, commit)?;
    records::law_26_sums(county, &commit.streams)?;
    places::law_18_places(county)?;
    places::law_18_by_rank(county, commit)?;
    places::law_18_nobody_passes(county, commit)?;
    places::law_19_one_sign_up(county)?;
    places::law_18_no_clash(county)?;
    for row in &commit.log {
        if let Some(device) = row.device.strip_prefix(FINAL) {
            let key = (commit.shard, device.to_owned(), row.n);
            ledger.last.insert(key, (row.verdict.clone(), row.seq));
        }
    }
    for id in &commit.touched {
        if let Some(record) = county.record(*id).filter(|record| !record.void) {
            let revs = ledger.bodies.entry((commit.shard, *id)).or_default();
            revs.insert(record.rev, record.body);
        }
    }
    Ok(())
}

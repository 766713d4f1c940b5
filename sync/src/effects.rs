//! What a batch writes, ready for the store: everything of one commit.

use std::collections::{BTreeMap, BTreeSet};

use xiangyi_proto::ids::{DeviceId, PersonId, RecordId, Seq};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::Millis;
use xiangyi_proto::verdict::Verdict;

use crate::digest::Digest;
use crate::policy::Fact;
use crate::sums::Sum;
use crate::world::{Claim, Held, Refusal, Slot};

/// Prefix of the device under which a later, final verdict stands in the log.
pub const FINAL: &str = "final:";

/// Everything one batch changes.
#[derive(Debug, Default)]
pub struct Effects {
    /// By (record, stream): the last write of the batch wins.
    pub rows: BTreeMap<(RecordId, String), RowWrite>,
    pub log: Vec<LogWrite>,
    /// Contents that may be judged afresh: (record, content).
    pub forgotten: Vec<(RecordId, Digest)>,
    pub held: BTreeMap<RecordId, Option<Held>>,
    pub slots: BTreeMap<(RecordId, String), Slot>,
    pub claims: BTreeMap<RecordId, Claim>,
    pub facts_gone: BTreeSet<RecordId>,
    pub facts: Vec<Fact>,
    pub refusals: BTreeMap<RecordId, Refusal>,
    pub sums: BTreeMap<(String, i64), Sum>,
    pub rollups: BTreeMap<RollupKey, RollupDelta>,
    /// Due time, or None to take the timer away; by (kind, id).
    pub timers: BTreeMap<(String, String), Option<Millis>>,
    pub photo_refs: BTreeSet<(String, RecordId, PersonId)>,
    /// Numbers handed out to REST devices.
    pub next_n: BTreeMap<DeviceId, i64>,
    /// People whose mailbox got a row: each has one in this shard now.
    pub people: BTreeSet<PersonId>,
}

/// One row of one stream.
#[derive(Debug, Clone)]
pub struct RowWrite {
    pub seq: Seq,
    pub rm: bool,
    pub kind: Kind,
    pub rev: i64,
    pub home: bool,
    pub author: PersonId,
    pub unit: String,
    pub village: Option<String>,
    pub state: Option<String>,
    pub occurred_at: Millis,
    pub received_at: Millis,
    pub estimated_at: Millis,
    pub quality: i64,
    pub open: String,
    pub sealed: Option<String>,
    /// Under whose key the sealed part goes.
    pub sealed_for: String,
    /// JSON of the field revs; home rows only.
    pub field_revs: Option<String>,
}

/// One row of the log.
#[derive(Debug, Clone)]
pub struct LogWrite {
    pub seq: Seq,
    pub device: DeviceId,
    pub n: i64,
    pub digest: Digest,
    pub content: Option<Digest>,
    pub verdict: Verdict,
    pub record: RecordId,
    pub kind: i64,
    pub op: i64,
    pub author: PersonId,
    pub unit: String,
    pub received_at: Millis,
    /// The packs that judged what was stored: `43@3 430121@1`.
    pub packs: Option<String>,
    pub key: Option<String>,
}

/// Where a day's count belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RollupKey {
    pub day: i64,
    pub unit: String,
    pub village: String,
    pub class: String,
    pub kind: i64,
}

/// What is added to a day's count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RollupDelta {
    pub count: i64,
    pub minutes: i64,
    pub missing: i64,
}

impl RollupDelta {
    /// Adds another difference, `sign` times.
    pub fn shift(&mut self, by: Self, sign: i64) {
        self.count += sign * by.count;
        self.minutes += sign * by.minutes;
        self.missing += sign * by.missing;
    }
}

//! A model of the store: what a database keeps, without one.
//!
//! It loads exactly what is asked for, writes exactly what a commit lists, and insists on the
//! unique keys a database would have. It decides nothing.

mod commit;
mod load;
mod page;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use xiangyi_proto::ids::{DeviceId, PersonId, RecordId, Seq, Shard};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::{Millis, TimeQuality};
use xiangyi_proto::verdict::HeldFor;
use xiangyi_sync::digest::Digest;
use xiangyi_sync::effects::{LogWrite, RollupDelta, RollupKey, RowWrite};
use xiangyi_sync::policy::Fact;
use xiangyi_sync::project;
use xiangyi_sync::sums::Sum;
use xiangyi_sync::timers::Timer;
use xiangyi_sync::world::{Claim, Granted, Record, Refusal, Slot};

pub use page::{Page, ask};

/// Everything that is stored.
#[derive(Clone, Default)]
pub struct Store {
    pub counties: BTreeMap<i64, County>,
    pub grants: BTreeMap<PersonId, Vec<Granted>>,
    pub mailboxes: BTreeSet<(PersonId, i64)>,
    pub photos: BTreeSet<(String, PersonId)>,
}

/// One shard.
#[derive(Clone)]
pub struct County {
    pub shard: Shard,
    pub epoch: i64,
    /// Up to here the last backup holds it.
    pub durable: Seq,
    pub head: Seq,
    pub log: BTreeMap<(DeviceId, i64), LogWrite>,
    pub contents: BTreeMap<(RecordId, Digest), (DeviceId, i64)>,
    pub keys: BTreeMap<(DeviceId, String), (i64, Digest)>,
    pub streams: BTreeMap<String, Stream>,
    /// Streams in which a record has or had a row.
    pub placed: BTreeMap<RecordId, BTreeSet<String>>,
    pub held: BTreeMap<RecordId, HeldRow>,
    pub slots: BTreeMap<(RecordId, String), Slot>,
    pub claims: BTreeMap<RecordId, Claim>,
    pub facts: Vec<Fact>,
    pub refusals: BTreeMap<RecordId, Refusal>,
    pub timers: BTreeMap<(String, String), Millis>,
    pub photo_refs: BTreeMap<(String, PersonId), BTreeSet<RecordId>>,
    pub next_n: BTreeMap<DeviceId, i64>,
    pub rollups: BTreeMap<RollupKey, RollupDelta>,
}

/// One stream.
#[derive(Clone, Default)]
pub struct Stream {
    pub id: i64,
    pub floor: Seq,
    pub rows: BTreeMap<RecordId, RowWrite>,
    pub order: BTreeMap<Seq, RecordId>,
    pub sums: BTreeMap<i64, Sum>,
}

/// A held item as a database keeps it: written, so that what is not written is lost.
#[derive(Clone)]
pub struct HeldRow {
    pub item: String,
    pub record: RecordId,
    pub device: String,
    pub reason: HeldFor,
    pub rule: Option<String>,
    pub until_at: Option<Millis>,
    pub escalated: bool,
    pub needs: BTreeSet<RecordId>,
}

impl County {
    /// An empty shard.
    pub fn new(shard: i64) -> Self {
        Self {
            shard: Shard(shard),
            epoch: 1,
            durable: 0,
            head: 0,
            log: BTreeMap::new(),
            contents: BTreeMap::new(),
            keys: BTreeMap::new(),
            streams: BTreeMap::new(),
            placed: BTreeMap::new(),
            held: BTreeMap::new(),
            slots: BTreeMap::new(),
            claims: BTreeMap::new(),
            facts: Vec::new(),
            refusals: BTreeMap::new(),
            timers: BTreeMap::new(),
            photo_refs: BTreeMap::new(),
            next_n: BTreeMap::new(),
            rollups: BTreeMap::new(),
        }
    }

    /// A record with the streams that hold it, voided or not.
    pub fn record(&self, id: RecordId) -> Option<Record> {
        let streams = self.placed.get(&id)?;
        let mut rows: Vec<(&String, &RowWrite)> = Vec::new();
        for stream in streams {
            let row = self
                .streams
                .get(stream)
                .and_then(|stream| stream.rows.get(&id));
            rows.extend(row.map(|row| (stream, row)));
        }
        let (_, home) = rows.iter().find(|(_, row)| row.home)?;
        let live = rows.iter().filter(|(_, row)| !row.rm);
        let revs = home.field_revs.as_deref().unwrap_or("{}");
        Some(Record {
            id,
            kind: home.kind,
            rev: home.rev,
            author: home.author.clone(),
            unit: home.unit.clone(),
            village: home.village.clone(),
            occurred_at: home.occurred_at,
            received_at: home.received_at,
            estimated_at: home.estimated_at,
            quality: TimeQuality::of_number(home.quality),
            body: body(home),
            field_revs: serde_json::from_str(revs).expect("revs were written as JSON"),
            placed: live
                .map(|(stream, row)| ((*stream).clone(), row.rev))
                .collect(),
            void: home.rm,
            seq: home.seq,
        })
    }

    /// Every record, voided ones too.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.placed.keys().filter_map(|id| self.record(*id))
    }

    /// Records of a kind that are not voided.
    pub fn live(&self, kind: Kind) -> impl Iterator<Item = Record> + '_ {
        self.records()
            .filter(move |record| record.kind == kind && !record.void)
    }

    /// Timers that are due, earliest first.
    pub fn due(&self, now: Millis) -> Vec<Timer> {
        let timer = |((kind, id), due_at): (&(String, String), &Millis)| Timer {
            kind: kind.clone(),
            id: id.clone(),
            due_at: *due_at,
        };
        let due = self.timers.iter().filter(|(_, due_at)| **due_at <= now);
        let mut due: Vec<Timer> = due.map(timer).collect();
        due.sort_by_key(|timer| timer.due_at);
        due
    }

    /// Takes away tombstones up to a number and raises the floors of their streams. The home row
    /// of a voided record stays, or its id could be used again.
    pub fn collect(&mut self, up_to: Seq, raises: bool) {
        for stream in self.streams.values_mut() {
            let old = |row: &RowWrite| row.rm && !row.home && row.seq <= up_to;
            let gone: Vec<(RecordId, Seq)> = stream
                .rows
                .iter()
                .filter(|(_, row)| old(row))
                .map(|(id, row)| (*id, row.seq))
                .collect();
            for (id, seq) in gone {
                stream.rows.remove(&id);
                stream.order.remove(&seq);
                if raises {
                    stream.floor = stream.floor.max(seq);
                }
            }
        }
    }
}

/// The body of a row.
pub fn body(row: &RowWrite) -> Value {
    let text = project::join(&row.open, row.sealed.as_deref());
    serde_json::from_str(&text).expect("a stored body is JSON")
}

//! Pages: what a phone gets next, and the cursor that says so. Sans I/O.
//!
//! The caller reads streams in one snapshot: `next` names a range, `take` takes its rows, `finish`
//! gives the page. A page holds one row at least when there is any, so each makes progress.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use uuid::Uuid;
use xiangyi_proto::exchange::{PullAnswer, Row, StreamChanges, StreamRef};
use xiangyi_proto::ids::Seq;
use xiangyi_proto::kinds::Kind;

use crate::cursor::{Cursor, Lag, Mode, ShardPlace};
use crate::echo::{self, Said};

/// Bytes a row takes on the wire beside its body.
const ROW_BYTES: usize = 180;
/// Rows of one range read: enough for a page of small rows.
const SCAN_ROWS_MAX: usize = 2_000;
/// A quiet phone's cursor is renewed when the head is this far ahead, so that it stays above the
/// floor of its streams.
const STALE_SEQS: i64 = 1_000;

/// A shard as the snapshot shows it.
#[derive(Debug, Clone)]
pub struct ShardView {
    pub shard: i64,
    pub epoch: i64,
    pub head: Seq,
    /// Streams of the view that exist, in order of priority.
    pub streams: Vec<StreamView>,
}

/// A stream as the snapshot shows it.
#[derive(Debug, Clone)]
pub struct StreamView {
    pub id: i64,
    pub name: String,
    pub floor: Seq,
}

/// A range of one stream to read, in order of `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub shard: i64,
    pub stream: i64,
    pub after: Seq,
    pub limit: usize,
}

/// A row as it is stored, its sealed part opened and joined.
#[derive(Debug, Clone)]
pub struct FeedRow {
    pub seq: Seq,
    pub rm: bool,
    pub id: Uuid,
    pub kind: i64,
    pub rev: i64,
    pub author: String,
    pub unit: String,
    pub village: Option<String>,
    pub occurred_at: i64,
    pub received_at: i64,
    pub estimated_at: i64,
    pub quality: i64,
    pub body: String,
}

/// One reading to do.
#[derive(Debug)]
struct Reading {
    shard: i64,
    name: String,
    lag: Lag,
    head: Seq,
    done: bool,
}

/// A page in the making.
#[derive(Debug)]
pub struct Puller {
    person: u32,
    kinds: Vec<u64>,
    shards: Vec<ShardView>,
    old: Option<Cursor>,
    readings: Vec<Reading>,
    at: usize,
    left: usize,
    rows: usize,
    said: Said,
    answer: PullAnswer,
}

impl Puller {
    /// Compares the cursor with the view: what left, what entered, what must be read again.
    ///
    /// `name_of` names streams that the cursor holds and the view does not.
    pub fn start(
        person: &str,
        old: Option<Cursor>,
        kinds: &BTreeSet<u64>,
        shards: Vec<ShardView>,
        max_bytes: usize,
        name_of: impl Fn(i64, i64) -> Option<String>,
    ) -> Self {
        let mut puller = Self {
            person: crate::cursor::person_check(person),
            kinds: kinds.iter().copied().collect(),
            shards,
            old,
            readings: Vec::new(),
            at: 0,
            left: max_bytes,
            rows: 0,
            said: Said::new(),
            answer: PullAnswer::default(),
        };
        puller.leave(name_of);
        puller.plan();
        puller
    }

    /// What the phone has just said: rows that are the same come without it.
    pub fn having_said(mut self, said: Said) -> Self {
        self.said = said;
        self
    }

    fn leave(&mut self, name_of: impl Fn(i64, i64) -> Option<String>) {
        let here: BTreeSet<(i64, i64)> = self
            .shards
            .iter()
            .flat_map(|view| view.streams.iter().map(|stream| (view.shard, stream.id)))
            .collect();
        for place in self.old.iter().flat_map(|old| &old.shards) {
            let view = self.shards.iter().find(|view| view.shard == place.shard);
            // Of a shard of which nothing is left nobody can say in which epoch it answers.
            if view.is_none_or(|view| view.epoch != place.epoch) {
                self.answer.anew.push(place.shard);
            }
            if view.is_some_and(|view| view.epoch != place.epoch) {
                continue;
            }
            for id in &place.streams {
                if !here.contains(&(place.shard, *id))
                    && let Some(stream) = name_of(place.shard, *id)
                {
                    self.answer.leave.push(StreamRef {
                        shard: place.shard,
                        stream,
                    });
                }
            }
        }
    }

    fn plan(&mut self) {
        let known: Option<Vec<u64>> = self.old.as_ref().map(|old| old.kinds.clone());
        // Naming none is knowing all of them.
        let all = || Kind::ALL.iter().map(|kind| kind.number() as u64).collect();
        let asked: Vec<u64> = match self.kinds.is_empty() {
            true => all(),
            false => self.kinds.clone(),
        };
        let fresh: Vec<u64> = match &known {
            Some(known) if !known.is_empty() => asked
                .into_iter()
                .filter(|kind| !known.contains(kind))
                .collect(),
            _ => Vec::new(),
        };
        let mut late = Vec::new();
        for view in &self.shards {
            let place = self
                .old
                .iter()
                .flat_map(|old| &old.shards)
                .find(|place| place.shard == view.shard);
            for stream in &view.streams {
                // Numbers of streams mean nothing beyond their epoch: all are read again.
                let held = |place: &&ShardPlace| {
                    place.epoch != view.epoch || place.streams.contains(&stream.id)
                };
                let stands = place.filter(held);
                let reading = |lag: Lag| Reading {
                    shard: view.shard,
                    name: stream.name.clone(),
                    lag,
                    head: view.head,
                    done: false,
                };
                let from_zero = |mode: Mode, kinds: Vec<u64>| Lag {
                    stream: stream.id,
                    position: 0,
                    mode,
                    began: view.head,
                    kinds,
                };
                let name = StreamRef {
                    shard: view.shard,
                    stream: stream.name.clone(),
                };
                let Some(place) = stands else {
                    self.answer.enter.push(name);
                    late.push(reading(from_zero(Mode::Backfill, Vec::new())));
                    continue;
                };
                if is_lost(place, view, stream) {
                    self.answer.reset.push(name);
                    late.push(reading(from_zero(Mode::Sweep, Vec::new())));
                    continue;
                }
                if !fresh.is_empty() {
                    late.push(reading(from_zero(Mode::Backfill, fresh.clone())));
                }
                for lag in lags(place, stream.id) {
                    match lag.mode {
                        Mode::Tail => self.readings.push(reading(lag)),
                        _ => late.push(reading(lag)),
                    }
                }
            }
        }
        self.readings.extend(late);
    }

    /// The next range to read, None when the page is full or everything is read.
    #[expect(
        clippy::should_implement_trait,
        reason = "a step between two reads of the caller, not an iterator"
    )]
    pub fn next(&mut self) -> Option<Scan> {
        while let Some(reading) = self.readings.get(self.at) {
            if reading.done || reading.lag.position >= reading.head {
                self.readings[self.at].done = true;
                self.at += 1;
                continue;
            }
            if self.left == 0 {
                return None;
            }
            return Some(Scan {
                shard: reading.shard,
                stream: reading.lag.stream,
                after: reading.lag.position,
                limit: (self.left / ROW_BYTES + 1).min(SCAN_ROWS_MAX),
            });
        }
        None
    }

    /// Takes the rows of the range that `next` named.
    pub fn take(&mut self, scan: &Scan, rows: Vec<FeedRow>) {
        let read_all = rows.len() < scan.limit;
        let kinds = self.kinds.clone();
        let mut full = false;
        let reading = &mut self.readings[self.at];
        let mut changes = StreamChanges {
            shard: reading.shard,
            stream: reading.name.clone(),
            rows: Vec::new(),
        };
        for mut row in rows {
            // A page ends where it would end for a phone that has said nothing: a repeated request
            // then gets the same page.
            let bytes = row.body.len() + ROW_BYTES;
            let rest = self.said.get(&row.id).filter(|_| !row.rm);
            let rest = rest.and_then(|said| echo::rest_of(&row.body, said));
            let same = rest.is_some();
            row.body = rest.unwrap_or(row.body);
            let wanted = (kinds.is_empty() || kinds.contains(&(row.kind as u64)))
                && (reading.lag.kinds.is_empty() || reading.lag.kinds.contains(&(row.kind as u64)));
            let stale_rm = row.rm && reading.lag.mode != Mode::Tail && row.seq <= reading.lag.began;
            if wanted && !stale_rm {
                if bytes > self.left && self.rows > 0 {
                    full = true;
                    break;
                }
                self.left = self.left.saturating_sub(bytes);
                self.rows += 1;
                reading.lag.position = row.seq;
                changes.rows.push(wire_row(row, same));
            } else {
                reading.lag.position = row.seq;
            }
        }
        if read_all && !full {
            reading.done = true;
            reading.lag.position = reading.head;
        }
        if full {
            self.left = 0;
        }
        if !changes.rows.is_empty() {
            self.answer.changes.push(changes);
        }
    }

    /// The page, and the streams whose sums belong on it.
    pub fn finish(mut self) -> PullAnswer {
        let mut places: BTreeMap<i64, ShardPlace> = BTreeMap::new();
        for view in &self.shards {
            places.insert(
                view.shard,
                ShardPlace {
                    shard: view.shard,
                    epoch: view.epoch,
                    seq: view.head,
                    streams: view.streams.iter().map(|stream| stream.id).collect(),
                    lagging: Vec::new(),
                },
            );
        }
        for reading in self.readings {
            if reading.done {
                if reading.lag.mode == Mode::Sweep {
                    let stream = reading.name;
                    self.answer.swept.push(StreamRef {
                        shard: reading.shard,
                        stream,
                    });
                }
                continue;
            }
            self.answer.more = true;
            if let Some(place) = places.get_mut(&reading.shard) {
                place.lagging.push(reading.lag);
            }
        }
        let cursor = Cursor {
            person: self.person,
            kinds: self.kinds,
            shards: places.into_values().collect(),
        };
        let told = self.rows > 0
            || self.answer.more
            || !(self.answer.enter.is_empty()
                && self.answer.leave.is_empty()
                && self.answer.anew.is_empty()
                && self.answer.reset.is_empty()
                && self.answer.swept.is_empty());
        if told || self.old.as_ref().is_none_or(|old| is_stale(old, &cursor)) {
            self.answer.cursor = Some(cursor.encode());
        }
        self.answer
    }
}

fn is_stale(old: &Cursor, new: &Cursor) -> bool {
    let lagged = old.shards.iter().any(|place| !place.lagging.is_empty());
    let behind = new.shards.iter().any(|place| {
        let before = old.shards.iter().find(|before| before.shard == place.shard);
        before.is_none_or(|before| place.seq - before.seq > STALE_SEQS)
    });
    lagged || behind || old.kinds != new.kinds
}

/// Whether a stream's position can no longer be trusted: another epoch, or below the floor.
fn is_lost(place: &ShardPlace, view: &ShardView, stream: &StreamView) -> bool {
    place.epoch != view.epoch
        || lags(place, stream.id).iter().any(|lag| {
            let guard = if lag.mode == Mode::Tail {
                lag.position
            } else {
                lag.began
            };
            guard < stream.floor
        })
}

/// The readings a cursor holds for a stream: its lagging ones, else the tail.
fn lags(place: &ShardPlace, stream: i64) -> Vec<Lag> {
    let mut list: Vec<Lag> = place
        .lagging
        .iter()
        .filter(|lag| lag.stream == stream)
        .cloned()
        .collect();
    // A reading for a few kinds runs beside the stream's own position.
    if list.iter().all(|lag| !lag.kinds.is_empty()) {
        list.push(Lag {
            stream,
            position: place.seq,
            mode: Mode::Tail,
            began: place.seq,
            kinds: Vec::new(),
        });
    }
    list
}

fn wire_row(row: FeedRow, same: bool) -> Row {
    Row {
        id: row.id,
        seq: row.seq,
        kind: Kind::of_number(row.kind).map_or("", Kind::name).to_owned(),
        rev: row.rev,
        rm: row.rm,
        same,
        author: if row.rm { String::new() } else { row.author },
        unit: if row.rm { String::new() } else { row.unit },
        village: row.village.filter(|_| !row.rm),
        occurred_at: if row.rm { 0 } else { row.occurred_at },
        received_at: if row.rm { 0 } else { row.received_at },
        estimated_at: if row.rm { 0 } else { row.estimated_at },
        quality: if row.rm { 0 } else { row.quality },
        body: (!row.rm).then(|| RawValue::from_string(row.body).expect("a stored body is JSON")),
    }
}

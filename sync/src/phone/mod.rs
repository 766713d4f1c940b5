//! The phone's half: a state machine over local writes, without storage, network or clock.
//!
//! Each local mutation is in exactly one place: outbox, held, refused, needs-you, quarantined or
//! committed. An answer becomes a list of writes that the storage does in one transaction.

pub mod exchange;
pub mod journal;
pub mod rows;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xiangyi_proto::exchange::{Row, StreamRef};
use xiangyi_proto::verdict::{Verdict, VerdictName};

/// Where a local mutation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Not answered yet.
    Outbox,
    /// Stored by the server, not final.
    Held,
    /// Refused by the list or a rule: split, re-file or appeal.
    Refused,
    /// A conflict that a person must settle.
    NeedsYou,
    /// Not understood by the server; kept, never deleted.
    Quarantined,
    /// Final and stored.
    Committed,
}

/// A local mutation with what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub n: i64,
    pub record: Uuid,
    pub kind: String,
    /// The exact bytes that are sent, again and again.
    pub raw: String,
    pub created_at: i64,
    pub place: Place,
    pub verdict: Option<Verdict>,
    /// How often it came back unanswered; a poison item travels alone.
    #[serde(default)]
    pub unanswered: u32,
    /// Not before this moment of the phone's own clock.
    #[serde(default)]
    pub retry_at: i64,
    /// What proves its answer; with it the entry is in the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<journal::Kept>,
}

/// A row of a stream.
#[derive(Debug, Clone)]
pub struct Held {
    pub row: Row,
    /// Set by a reset; rows still marked when the sweep ends go.
    pub marked: bool,
}

/// Everything a phone keeps.
#[derive(Debug, Clone, Default)]
pub struct Phone {
    pub device: String,
    pub next_n: i64,
    pub entries: BTreeMap<i64, Entry>,
    pub rows: BTreeMap<(i64, String, Uuid), Held>,
    pub streams: BTreeSet<(i64, String)>,
    pub cursor: Option<String>,
    pub offset_ms: Option<i64>,
    /// Streams whose sums did not match; the cursor forgets them.
    pub mismatches: u32,
    /// The epoch of each shard that answered, as last heard.
    pub epochs: BTreeMap<i64, i64>,
}

/// One change of the phone's storage.
#[derive(Debug, Clone)]
pub enum Write {
    Entry(Box<Entry>),
    /// An entry that was answered once more, and the same.
    Again(Box<Entry>),
    /// A backup holds the entry of this number: its proof goes.
    Forget(i64),
    /// A shard answers in this epoch.
    Epoch(i64, i64),
    Cursor(Option<String>),
    Enter(StreamRef),
    Leave(StreamRef),
    Mark(StreamRef),
    Sweep(StreamRef),
    Put(i64, String, Box<Row>),
    Remove(i64, String, Uuid),
    Offset(i64),
    Mismatch,
}

impl Phone {
    /// A phone of a device that has sent nothing yet.
    pub fn new(device: &str) -> Self {
        Self {
            device: device.to_owned(),
            next_n: 1,
            ..Self::default()
        }
    }

    /// Takes the next number for a mutation; persist before sending.
    pub fn number(&mut self) -> i64 {
        let n = self.next_n.max(1);
        self.next_n = n + 1;
        n
    }

    /// Does one write to the state in memory; storage does the same to its tables.
    pub fn write(&mut self, write: &Write) {
        match write {
            Write::Entry(entry) | Write::Again(entry) => {
                self.next_n = self.next_n.max(entry.n + 1);
                self.entries.insert(entry.n, (**entry).clone());
            }
            Write::Forget(n) => {
                if let Some(entry) = self.entries.get_mut(n) {
                    entry.kept = None;
                }
            }
            Write::Epoch(shard, epoch) => drop(self.epochs.insert(*shard, *epoch)),
            Write::Cursor(cursor) => self.cursor.clone_from(cursor),
            // An entered stream comes whole, so rows of an earlier stay would only be stale.
            Write::Enter(stream) => {
                self.drop_rows(stream);
                self.streams.insert((stream.shard, stream.stream.clone()));
            }
            Write::Leave(stream) => {
                self.drop_rows(stream);
                self.streams.remove(&(stream.shard, stream.stream.clone()));
            }
            Write::Mark(stream) => {
                self.streams.insert((stream.shard, stream.stream.clone()));
                for ((shard, name, _), held) in &mut self.rows {
                    held.marked |= *shard == stream.shard && *name == stream.stream;
                }
            }
            Write::Sweep(stream) => self.rows.retain(|(shard, name, _), held| {
                !held.marked || *shard != stream.shard || *name != stream.stream
            }),
            Write::Put(shard, stream, row) => {
                let held = Held {
                    row: (**row).clone(),
                    marked: false,
                };
                self.rows.insert((*shard, stream.clone(), row.id), held);
            }
            Write::Remove(shard, stream, id) => {
                self.rows.remove(&(*shard, stream.clone(), *id));
            }
            Write::Offset(offset) => self.offset_ms = Some(*offset),
            Write::Mismatch => self.mismatches += 1,
        }
    }

    fn drop_rows(&mut self, stream: &StreamRef) {
        self.rows
            .retain(|(shard, name, _), _| *shard != stream.shard || *name != stream.stream);
    }
}

/// Where a verdict puts a mutation.
pub fn place_of(verdict: &Verdict) -> Place {
    match verdict.verdict {
        VerdictName::Accepted | VerdictName::Merged => Place::Committed,
        VerdictName::Duplicate => verdict.was.as_deref().map_or(Place::Committed, place_of),
        VerdictName::Conflict => Place::NeedsYou,
        VerdictName::Rejected => Place::Refused,
        VerdictName::Invalid => Place::Quarantined,
        VerdictName::Held => Place::Held,
    }
}

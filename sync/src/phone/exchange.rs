//! Building a request and absorbing its answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use xiangyi_proto::exchange::{
    Answer, ClientBuild, Exchange, Form, PROTOCOL, PhoneClock, Position, PullAnswer, PullAsk, Push,
    Row, StreamRef, Unsent,
};
use xiangyi_proto::limits::{PUSH_BYTES_MAX, PUSH_ITEMS_MAX};
use xiangyi_proto::problem;
use xiangyi_proto::time::DAY_MS;
use xiangyi_proto::verdict::Verdict;

use crate::{columns, echo};

use super::{Entry, Phone, Place, Write, journal, place_of, rows};

/// Bytes of an envelope around its mutations, generously.
const ENVELOPE_BYTES: usize = 4 * 1024;
/// Bytes of a proof, generously.
const PROOF_BYTES: usize = 256;

impl Phone {
    /// The next request: what waits, oldest first, and a pull from the cursor.
    ///
    /// A poison item travels alone, and only when nothing healthy waits.
    pub fn request(&self, clock: PhoneClock, build: ClientBuild, max_items: usize) -> Exchange {
        let now = clock.wall_ms;
        // A clock that was set back must not keep an item waiting for years.
        let due = |entry: &Entry| entry.retry_at <= now || entry.retry_at - now > DAY_MS;
        let is_lost = |entry: &&Entry| self.is_lost(entry) && self.is_own(entry);
        let waits = |entry: &&Entry| entry.place == Place::Outbox || is_lost(entry);
        let ready = |entry: &&Entry| waits(entry) && due(entry);
        let healthy = |entry: &&Entry| entry.unanswered == 0;
        let all = || self.entries.values().filter(ready);
        let batch = match all().any(|entry| healthy(&entry)) {
            true => self.mixed(all().filter(healthy).collect(), max_items),
            false => all().take(1).collect(),
        };
        let mutations: Vec<Box<RawValue>> = batch.iter().map(|entry| raw_of(entry)).collect();
        let proofs = self.proofs(&batch);
        let fresh = batch.iter().filter(|entry| entry.place == Place::Outbox);
        let sent = fresh.count();
        let waiting = || {
            self.entries
                .values()
                .filter(|entry| entry.place == Place::Outbox)
        };
        let oldest = waiting().skip(sent).map(|entry| entry.created_at).min();
        Exchange {
            protocol: PROTOCOL,
            device: self.device.clone(),
            client: Some(build),
            push: (!mutations.is_empty()).then(|| Push {
                saved_below: self.saved(),
                mutations,
                proofs,
            }),
            pull: Some(PullAsk {
                cursor: self.cursor.clone(),
                max_bytes: None,
                form: Some(Form::Columns),
                sums: true,
            }),
            unsent: Some(Unsent {
                records: (waiting().count() - sent) as i64,
                photos: 0,
                oldest_ms: oldest.map_or(0, |at| (now - at).max(0)),
            }),
            clock: Some(clock),
            journal: self.journal(),
        }
    }

    /// Lost work and new work beside it, by number: at most half of a push is lost work as long as
    /// there is other, and whatever else fits.
    fn mixed<'a>(&self, ready: Vec<&'a Entry>, max_items: usize) -> Vec<&'a Entry> {
        let items = max_items.min(PUSH_ITEMS_MAX);
        let (lost, fresh): (Vec<&Entry>, Vec<&Entry>) =
            ready.into_iter().partition(|entry| self.is_lost(entry));
        let half = match fresh.is_empty() || lost.is_empty() {
            true => (items, PUSH_BYTES_MAX),
            false => (items.div_ceil(2), PUSH_BYTES_MAX / 2),
        };
        let (mut batch, bytes) = fitting(lost, half.0, half.1);
        let left = PUSH_BYTES_MAX.saturating_sub(bytes);
        let room = items - batch.len();
        if room > 0 {
            batch.extend(fitting(fresh, room, left).0);
        }
        batch.sort_by_key(|entry| entry.n);
        batch
    }

    /// Whether anything waits that may be sent now: new, or lost with a restore.
    pub fn is_due(&self, now: i64) -> bool {
        self.entries.values().any(|entry| {
            let due = entry.retry_at <= now || entry.retry_at - now > DAY_MS;
            due && (entry.place == Place::Outbox || self.is_lost(entry))
        })
    }

    /// Verdicts below this number are stored here.
    fn saved(&self) -> i64 {
        let open = self
            .entries
            .values()
            .find(|entry| entry.place == Place::Outbox);
        open.map_or(self.next_n, |entry| entry.n)
    }

    /// What an answer changes; the storage does all of it in one transaction, or nothing.
    pub fn absorb(&self, answer: Answer, wall_ms: i64) -> Vec<Write> {
        let server_time = answer.server_time;
        let mut writes = vec![Write::Offset(server_time - wall_ms)];
        let mut told = Vec::new();
        let mut moved = BTreeSet::new();
        let verdicts = answer.push.as_ref().map(|push| push.verdicts.as_slice());
        let made = echo::made(verdicts.unwrap_or_default());
        if let Some(push) = answer.push {
            let stamps: BTreeMap<i64, Position> = push
                .stamps
                .iter()
                .filter_map(|(shard, at)| Some((shard.parse().ok()?, *at)))
                .collect();
            told.extend(stamps.iter().map(|(shard, at)| (*shard, at.epoch)));
            for verdict in push.verdicts {
                moved.insert(verdict.n);
                writes.extend(self.settle(verdict, &stamps, server_time));
            }
            for left in push.unanswered {
                // It is well, and goes again with what is told beside it.
                let changed = left.code == problem::EPOCH_CHANGED.name;
                if let Some(entry) = self.entries.get(&left.n).filter(|_| !changed) {
                    let mut entry = entry.clone();
                    entry.unanswered += 1;
                    entry.retry_at = wall_ms + left.retry_ms;
                    writes.push(Write::Entry(Box::new(entry)));
                }
            }
        }
        // Columns that do not fit together are no page: it is asked for once more.
        let pull = answer.pull.and_then(|mut pull| {
            let unfolded = columns::unfold(&mut pull);
            unfolded.is_ok().then_some(pull)
        });
        if let Some(pull) = pull {
            let answered = writes.iter().filter_map(|write| match write {
                Write::Entry(entry) | Write::Again(entry) => Some((entry.n, (**entry).clone())),
                _ => None,
            });
            let answered = answered.collect();
            self.absorb_pull(pull, &made, &answered, &mut writes);
        }
        let late = writes.iter().filter_map(|write| match write {
            Write::Entry(entry) => Some(entry.n),
            _ => None,
        });
        moved.extend(late);
        writes.extend(self.tidied(&told, &answer.durable, &moved, server_time));
        writes
    }

    /// Moves an entry to where its verdict puts it; a final verdict is undone only by another
    /// epoch, in which it was not given.
    fn settle(
        &self,
        mut verdict: Verdict,
        stamps: &BTreeMap<i64, Position>,
        at: i64,
    ) -> Option<Write> {
        let entry = self.entries.get(&verdict.n)?;
        let kept = entry.kept.as_ref();
        let shard = kept.map(|kept| kept.shard);
        let shard = shard.or_else(|| journal::shard_of(&entry.raw));
        let stamp = shard.and_then(|shard| Some((shard, *stamps.get(&shard)?)));
        let other =
            |(_, now): &(i64, Position)| kept.is_some_and(|kept| kept.proof.epoch != now.epoch);
        let again = stamp.filter(other).is_some();
        if !again && !matches!(entry.place, Place::Outbox | Place::Held) {
            return None;
        }
        let device = kept.map_or(&self.device, |kept| &kept.device);
        let proof =
            stamp.and_then(|(shard, now)| journal::kept(&verdict, device, shard, (now, at)));
        let mut entry = entry.clone();
        let before = entry.place;
        verdict.mac = None;
        entry.kept = proof;
        entry.place = place_of(&verdict);
        entry.verdict = Some(verdict);
        entry.unanswered = 0;
        entry.retry_at = 0;
        let same = again && entry.place == before;
        let entry = Box::new(entry);
        Some(if same {
            Write::Again(entry)
        } else {
            Write::Entry(entry)
        })
    }

    fn absorb_pull(
        &self,
        pull: PullAnswer,
        made: &echo::Made,
        answered: &BTreeMap<i64, Entry>,
        writes: &mut Vec<Write>,
    ) {
        if self.cursor.is_none() || !pull.anew.is_empty() {
            // Without a cursor the server cannot say what left: all that is not entered has. Nor
            // can it of a shard in another epoch.
            let stays = |(shard, stream): &(i64, String)| {
                let same =
                    |entered: &StreamRef| entered.shard == *shard && entered.stream == *stream;
                pull.enter.iter().chain(&pull.reset).any(same)
            };
            let unsure = |shard: &i64| self.cursor.is_none() || pull.anew.contains(shard);
            let asked = self.streams.iter().filter(|(shard, _)| unsure(shard));
            let gone = asked.filter(|stream| !stays(stream));
            writes.extend(gone.map(|(shard, stream)| {
                let (shard, stream) = (*shard, stream.clone());
                Write::Leave(StreamRef { shard, stream })
            }));
        }
        writes.extend(pull.leave.into_iter().map(Write::Leave));
        writes.extend(pull.enter.into_iter().map(Write::Enter));
        writes.extend(pull.reset.into_iter().map(Write::Mark));
        for changes in pull.changes {
            for row in changes.rows {
                if row.kind == "verdict" && !row.rm {
                    writes.extend(self.late_verdict(&row, answered));
                }
                let (stream, id) = (changes.stream.clone(), row.id);
                writes.push(match self.whole(row, made) {
                    Some(row) if row.rm => Write::Remove(changes.shard, stream, id),
                    Some(row) => Write::Put(changes.shard, stream, Box::new(row)),
                    None => Write::Mismatch,
                });
            }
        }
        writes.extend(pull.swept.into_iter().map(Write::Sweep));
        if pull.cursor.is_some() {
            writes.push(Write::Cursor(pull.cursor));
        }
        if !pull.more && !rows::sums_match(self, &pull.sums, writes) {
            writes.push(Write::Mismatch);
        }
        if writes.iter().any(|write| matches!(write, Write::Mismatch)) {
            writes.push(Write::Cursor(None));
        }
    }

    /// A row with its whole body; of an echo the phone has the rest itself.
    fn whole(&self, row: Row, made: &echo::Made) -> Option<Row> {
        if !row.same {
            return Some(row);
        }
        let entry = self.entries.get(made.get(&row.id)?)?;
        echo::restored(row, &entry.raw)
    }

    /// A final verdict that came by mailbox.
    fn late_verdict(&self, row: &Row, answered: &BTreeMap<i64, Entry>) -> Option<Write> {
        #[derive(serde::Deserialize)]
        struct Late {
            device: String,
            verdict: Verdict,
        }
        let late: Late = serde_json::from_str(row.body.as_ref()?.get()).ok()?;
        let n = late.verdict.n;
        let entry = answered.get(&n).or_else(|| self.entries.get(&n))?;
        let kept = entry.kept.as_ref();
        let device = kept.map_or(&self.device, |kept| &kept.device);
        // One whose first answer was lost has no proof for a restore. It is sent once more, and its
        // answer is the same, with one.
        let waits = entry.place == Place::Held || entry.place == Place::Outbox && kept.is_some();
        (waits && late.device == *device).then(|| settled_late(entry, late.verdict, row.seq))
    }
}

/// A final verdict that came later: what was held is proved by its first answer still, and is safe
/// once a backup holds the last.
fn settled_late(entry: &Entry, verdict: Verdict, seq: i64) -> Write {
    let mut entry = entry.clone();
    entry.place = place_of(&verdict);
    entry.verdict = Some(verdict);
    entry.unanswered = 0;
    if let Some(kept) = &mut entry.kept {
        kept.safe_at = kept.safe_at.max(seq);
    }
    Write::Entry(Box::new(entry))
}

/// The bytes of an entry, to be sent as they are.
pub(super) fn raw_of(entry: &Entry) -> Box<RawValue> {
    RawValue::from_string(entry.raw.clone()).expect("an entry is JSON")
}

/// As many entries as fit, in order, at least one; and their bytes with what goes around them.
pub(super) fn fitting(list: Vec<&Entry>, items: usize, most: usize) -> (Vec<&Entry>, usize) {
    let mut bytes = ENVELOPE_BYTES;
    let mut batch = Vec::new();
    for entry in list.into_iter().take(items.min(PUSH_ITEMS_MAX)) {
        bytes += entry.raw.len() + 1 + entry.kept.as_ref().map_or(0, |_| PROOF_BYTES);
        if bytes > most.min(PUSH_BYTES_MAX) && !batch.is_empty() {
            break;
        }
        batch.push(entry);
    }
    (batch, bytes)
}

//! Building a request and absorbing its answer.

use serde_json::value::RawValue;
use xiangyi_proto::exchange::{
    Answer, ClientBuild, Exchange, PROTOCOL, PhoneClock, PullAnswer, PullAsk, Push, Row, StreamRef,
    Unsent,
};
use xiangyi_proto::limits::{PUSH_BYTES_MAX, PUSH_ITEMS_MAX};
use xiangyi_proto::time::DAY_MS;
use xiangyi_proto::verdict::Verdict;

use crate::echo;

use super::{Entry, Phone, Place, Write, place_of, rows};

/// Bytes of an envelope around its mutations, generously.
const ENVELOPE_BYTES: usize = 4 * 1024;

impl Phone {
    /// The next request: what waits, oldest first, and a pull from the cursor.
    ///
    /// A poison item travels alone, and only when nothing healthy waits.
    pub fn request(&self, clock: PhoneClock, build: ClientBuild, max_items: usize) -> Exchange {
        let now = clock.wall_ms;
        // A clock that was set back must not keep an item waiting for years.
        let due = |entry: &Entry| entry.retry_at <= now || entry.retry_at - now > DAY_MS;
        let ready = |entry: &&Entry| entry.place == Place::Outbox && due(entry);
        let healthy: Vec<&Entry> = self
            .entries
            .values()
            .filter(ready)
            .filter(|e| e.unanswered == 0)
            .collect();
        let batch = if healthy.is_empty() {
            self.entries.values().filter(ready).take(1).collect()
        } else {
            healthy
        };
        let mut bytes = ENVELOPE_BYTES;
        let mut mutations = Vec::new();
        for entry in batch.into_iter().take(max_items.min(PUSH_ITEMS_MAX)) {
            bytes += entry.raw.len() + 1;
            if bytes > PUSH_BYTES_MAX && !mutations.is_empty() {
                break;
            }
            let raw = RawValue::from_string(entry.raw.clone()).expect("an entry is JSON");
            mutations.push(raw);
        }
        let sent = mutations.len();
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
            }),
            pull: Some(PullAsk {
                cursor: self.cursor.clone(),
                max_bytes: None,
                form: None,
                sums: true,
            }),
            unsent: Some(Unsent {
                records: (waiting().count() - sent) as i64,
                photos: 0,
                oldest_ms: oldest.map_or(0, |at| (now - at).max(0)),
            }),
            clock: Some(clock),
        }
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
        let mut writes = vec![Write::Offset(answer.server_time - wall_ms)];
        let verdicts = answer.push.as_ref().map(|push| push.verdicts.as_slice());
        let made = echo::made(verdicts.unwrap_or_default());
        if let Some(push) = answer.push {
            for verdict in push.verdicts {
                writes.extend(self.settle(verdict));
            }
            for left in push.unanswered {
                if let Some(entry) = self.entries.get(&left.n) {
                    let mut entry = entry.clone();
                    entry.unanswered += 1;
                    entry.retry_at = wall_ms + left.retry_ms;
                    writes.push(Write::Entry(Box::new(entry)));
                }
            }
        }
        if let Some(pull) = answer.pull {
            self.absorb_pull(pull, &made, &mut writes);
        }
        writes
    }

    /// Moves an entry to where its verdict puts it; a final verdict is never undone.
    fn settle(&self, verdict: Verdict) -> Option<Write> {
        let entry = self.entries.get(&verdict.n)?;
        if !matches!(entry.place, Place::Outbox | Place::Held) {
            return None;
        }
        let mut entry = entry.clone();
        entry.place = place_of(&verdict);
        entry.verdict = Some(verdict);
        entry.unanswered = 0;
        Some(Write::Entry(Box::new(entry)))
    }

    fn absorb_pull(&self, pull: PullAnswer, made: &echo::Made, writes: &mut Vec<Write>) {
        if self.cursor.is_none() {
            // Without a cursor the server cannot say what left: all that is not entered has.
            let stays = |(shard, stream): &(i64, String)| {
                let same =
                    |entered: &StreamRef| entered.shard == *shard && entered.stream == *stream;
                pull.enter.iter().any(same)
            };
            let gone = self.streams.iter().filter(|stream| !stays(stream));
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
                    writes.extend(self.late_verdict(&row));
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
    fn late_verdict(&self, row: &Row) -> Option<Write> {
        #[derive(serde::Deserialize)]
        struct Late {
            device: String,
            verdict: Verdict,
        }
        let late: Late = serde_json::from_str(row.body.as_ref()?.get()).ok()?;
        (late.device == self.device)
            .then(|| self.settle(late.verdict))
            .flatten()
    }
}

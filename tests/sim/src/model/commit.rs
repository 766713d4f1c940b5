//! Committing: everything a batch lists, at once, under the unique keys of a database.

use std::collections::BTreeMap;

use xiangyi_proto::ids::{DeviceId, RecordId, Seq};
use xiangyi_sync::effects::{Effects, LogWrite, RowWrite};
use xiangyi_sync::policy::Fact;
use xiangyi_sync::world::Held;

use super::{County, HeldRow, Store, Stream};
use crate::story::{Check, holds};

impl Store {
    /// Writes a commit.
    pub fn commit(&mut self, shard: i64, mut effects: Effects, head: Seq) -> Check {
        for person in std::mem::take(&mut effects.people) {
            self.mailboxes.insert((person, shard));
        }
        let county = self.counties.get_mut(&shard);
        let county = county.expect("only shards that exist commit");
        county.commit(effects, head)
    }
}

impl County {
    fn commit(&mut self, effects: Effects, head: Seq) -> Check {
        holds("8", head >= self.head, || {
            "the counter went back".to_owned()
        })?;
        let from = self.head;
        self.head = head;
        for key in effects.forgotten {
            self.contents.remove(&key);
        }
        for row in effects.log {
            holds("8", row.seq > from && row.seq <= head, || {
                format!("a verdict has number {} outside {from}..{head}", row.seq)
            })?;
            self.write_log(row)?;
        }
        for ((id, stream), row) in effects.rows {
            holds("8", row.seq > from && row.seq <= head, || {
                format!(
                    "a row of {stream} has number {} outside {from}..{head}",
                    row.seq
                )
            })?;
            self.write_row(id, stream, row)?;
        }
        let gone = |fact: &Fact| effects.facts_gone.contains(&fact.record);
        self.facts.retain(|fact| !gone(fact));
        self.facts.extend(effects.facts);
        self.hold(effects.held);
        self.slots.extend(effects.slots);
        self.claims.extend(effects.claims);
        self.refusals.extend(effects.refusals);
        for ((stream, kind), by) in effects.sums {
            let stream = self.stream(&stream);
            stream.sums.entry(kind).or_default().merge(by);
        }
        for (key, by) in effects.rollups {
            self.rollups.entry(key).or_default().shift(by, 1);
        }
        for (key, due) in effects.timers {
            match due {
                Some(due) => drop(self.timers.insert(key, due)),
                None => drop(self.timers.remove(&key)),
            }
        }
        for (sha, record, author) in effects.photo_refs {
            self.photo_refs
                .entry((sha, author))
                .or_default()
                .insert(record);
        }
        self.next_n.extend(effects.next_n);
        Ok(())
    }

    fn hold(&mut self, changes: BTreeMap<RecordId, Option<Held>>) {
        for (id, held) in changes {
            let Some(held) = held else {
                self.held.remove(&id);
                continue;
            };
            let item = serde_json::to_string(&held.item);
            let row = HeldRow {
                item: item.expect("an item can be written"),
                record: held.item.mutation.id,
                device: held.item.device,
                reason: held.reason,
                rule: held.rule,
                until_at: held.until_at,
                escalated: held.escalated,
                needs: held.needs,
            };
            self.held.insert(id, row);
        }
    }

    fn write_log(&mut self, row: LogWrite) -> Check {
        let number: (DeviceId, i64) = (row.device.clone(), row.n);
        if let Some(content) = row.content {
            let first = self.contents.insert((row.record, content), number.clone());
            holds("2", first.is_none(), || {
                format!("{number:?} is logged with a content that {first:?} has")
            })?;
        }
        if let Some(key) = row.key.clone() {
            self.keys
                .insert((row.device.clone(), key), (row.n, row.digest));
        }
        let first = self.log.insert(number.clone(), row);
        holds("2", first.is_none(), || {
            format!("{number:?} is logged twice")
        })
    }

    fn write_row(&mut self, id: RecordId, name: String, row: RowWrite) -> Check {
        self.placed.entry(id).or_default().insert(name.clone());
        let stream = self.stream(&name);
        let seq = row.seq;
        if let Some(old) = stream.rows.insert(id, row) {
            stream.order.remove(&old.seq);
        }
        let twin = stream.order.insert(seq, id);
        holds("8", twin.is_none(), || {
            format!("two rows of {name} have number {seq}")
        })
    }

    fn stream(&mut self, name: &str) -> &mut Stream {
        let next = 1 + self.streams.len() as i64;
        self.streams
            .entry(name.to_owned())
            .or_insert_with(|| Stream {
                id: next,
                ..Stream::default()
            })
    }
}

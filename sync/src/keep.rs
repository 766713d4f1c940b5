//! Keeping a record: its rows in every stream, the sums, the counts, the facts, the slots.
//!
//! The only place that writes rows. A row that no longer belongs to a stream becomes an `rm`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use xiangyi_proto::ids::{RecordId, Seq};
use xiangyi_proto::kinds::{Home, Kind, SealedFor, See, Target};
use xiangyi_proto::limits::CLIENT_VISIT_MONTHS;
use xiangyi_proto::time::{DAY_MS, Millis};

use crate::effects::RowWrite;
use crate::policy::{Fact, Question};
use crate::project::{self, Copy};
use crate::wants::id_at;
use crate::world::{Env, Record, Slot, World};
use crate::{kinds, policy, sums};

/// Days of a month, for the age of visits; the longest.
const MONTH_DAYS: i64 = 31;

/// Streams of a record: what each shows and whether it is the home.
type Targets = BTreeMap<String, (See, bool)>;

impl World {
    /// Stores a new revision of a record: derives, numbers, places, counts.
    pub fn keep(&mut self, mut record: Record, env: &Env<'_>) -> Seq {
        let old = self.records.get(&record.id).cloned();
        if record.void {
            // The store keeps nothing of it, so the rest of this batch must not know more.
            record.body = Value::Object(serde_json::Map::new());
        }
        if !record.void {
            kinds::rules(record.kind).derive(&mut record, self, env);
        }
        record.seq = match record.kind {
            Kind::Incident => self.spare.take().unwrap_or_else(|| self.next_seq()),
            _ => self.next_seq(),
        };
        if let Some(old) = old.as_ref().filter(|old| !old.void) {
            self.count(old, -1);
        }
        self.facts_of(&record);
        let targets = if record.void {
            Targets::new()
        } else {
            self.targets(&record, env.now)
        };
        self.place(&mut record, &targets);
        if !record.void {
            self.count(&record, 1);
            self.open_slots(&record);
            for sha in kinds::photos_in(record.body.get("photos")) {
                let key = (sha.clone(), record.author.clone());
                self.photo_refs.entry(key).or_default().insert(record.id);
                self.effects
                    .photo_refs
                    .insert((sha, record.id, record.author.clone()));
            }
        }
        let (id, kind, seq) = (record.id, record.kind, record.seq);
        if let Kind::Client | Kind::Grant = kind {
            self.reader_timers(&record, env.now);
        }
        self.records.insert(id, record);
        if kind == Kind::Client {
            self.replace_visits(id, env.now);
        }
        // Somebody who was not assigned may be now; who waits for what is gone is told so.
        // Nobody waits for what only the server writes.
        let gone = self.records[&id].void;
        let news = kind == Kind::Client || gone || old.is_none_or(|old| old.void);
        if news && !kind.spec().may.is_empty() {
            self.arrived.push(id);
        }
        seq
    }

    /// Rewrites the placements of a record whose readers changed; its rev stays.
    pub fn replace(&mut self, id: RecordId, now: Millis) {
        let Some(mut record) = self.live(id).cloned() else {
            return;
        };
        let targets = self.targets(&record, now);
        let same = targets.len() == record.placed.len()
            && targets
                .keys()
                .all(|stream| record.placed.contains_key(stream));
        if same {
            return;
        }
        record.seq = self.next_seq();
        let moved: Targets = targets
            .iter()
            .filter(|(stream, _)| !record.placed.contains_key(*stream))
            .map(|(stream, shows)| (stream.clone(), *shows))
            .collect();
        let gone: Vec<String> = record
            .placed
            .keys()
            .filter(|s| !targets.contains_key(*s))
            .cloned()
            .collect();
        self.put_rows(&mut record, &moved);
        self.take_rows(&mut record, gone);
        self.records.insert(id, record);
    }

    fn replace_visits(&mut self, client: RecordId, now: Millis) {
        let key = kinds::visits_of_client(client);
        let visits: BTreeSet<RecordId> = self
            .facts
            .iter()
            .filter(|f| f.is_under(&key))
            .map(|f| f.record)
            .collect();
        for visit in visits {
            self.replace(visit, now);
            // Who was not assigned, and now is said to have been, may have waited for it.
            self.arrived.push(visit);
        }
    }

    fn place(&mut self, record: &mut Record, targets: &Targets) {
        let gone: Vec<String> = record
            .placed
            .keys()
            .filter(|s| !targets.contains_key(*s))
            .cloned()
            .collect();
        self.put_rows(record, targets);
        self.take_rows(record, gone);
    }

    fn put_rows(&mut self, record: &mut Record, targets: &Targets) {
        let mut copies: BTreeMap<See, Copy> = BTreeMap::new();
        for (stream, (shows, home)) in targets {
            let copy = copies
                .entry(*shows)
                .or_insert_with(|| project::copy(record.kind, &record.body, *shows))
                .clone();
            let mut row = row(record, copy);
            row.home = *home;
            // The ledger counts by clause and office, never by worker.
            if record.kind == Kind::Refusal && !home {
                row.author.clear();
            }
            row.field_revs = home.then(|| {
                serde_json::to_string(&record.field_revs).expect("a map of numbers can be written")
            });
            let sum = self
                .effects
                .sums
                .entry((stream.clone(), record.kind.number()))
                .or_default();
            if let Some(rev) = record.placed.insert(stream.clone(), record.rev) {
                sum.take(record.id, rev);
            }
            sum.add(record.id, record.rev);
            if let Some(person) = stream.strip_prefix("person:") {
                self.effects.people.insert(person.to_owned());
            }
            self.effects.rows.insert((record.id, stream.clone()), row);
        }
    }

    fn take_rows(&mut self, record: &mut Record, gone: Vec<String>) {
        for stream in gone {
            let empty = Copy {
                open: "{}".to_owned(),
                sealed: None,
            };
            let mut row = row(record, empty);
            row.rm = true;
            row.home = record.void && stream == home_stream(record);
            let sum: &mut sums::Sum = self
                .effects
                .sums
                .entry((stream.clone(), record.kind.number()))
                .or_default();
            if let Some(rev) = record.placed.remove(&stream) {
                sum.take(record.id, rev);
            }
            self.effects.rows.insert((record.id, stream), row);
        }
    }

    /// The streams in which a record belongs now, as far as the records it names are loaded.
    pub fn streams(&self, record: &Record, now: Millis) -> BTreeSet<String> {
        self.targets(record, now).into_keys().collect()
    }

    fn targets(&self, record: &Record, now: Millis) -> Targets {
        let mut targets = Targets::new();
        for placement in record.kind.spec().placements {
            for stream in self.streams_of(record, placement.to, now) {
                let entry = targets.entry(stream).or_insert((placement.shows, false));
                entry.0 = entry.0.max(placement.shows);
            }
        }
        targets.insert(home_stream(record), (See::Whole, true));
        targets
    }

    fn streams_of(&self, record: &Record, to: Target, now: Millis) -> Vec<String> {
        let station = &record.unit[..record.unit.len().min(9)];
        let person = |id: &str| format!("person:{id}");
        match to {
            Target::Station => vec![format!("station:{station}")],
            Target::Cards => vec![format!("cards:{station}")],
            Target::County => vec![format!("county:{}", self.shard)],
            Target::Hub => vec![format!("hub:{}", self.shard)],
            // What waits for a record, not for a person; members of other kinds decide nothing.
            Target::Restricted
                if record.kind == Kind::Held && record.text("/for") == Some("missing") =>
            {
                Vec::new()
            }
            Target::Restricted => vec![format!("restricted:{}", self.shard)],
            Target::Person(at) => record.text(at).map(person).into_iter().collect(),
            Target::Workers => Self::assigned(&record.body, now)
                .iter()
                .map(|p| person(p))
                .collect(),
            Target::WorkersOf(at) => {
                let old = now - CLIENT_VISIT_MONTHS * MONTH_DAYS * DAY_MS;
                let card = id_at(record.body.pointer(at)).and_then(|id| self.live(id));
                card.filter(|_| record.estimated_at >= old)
                    .map(|card| {
                        Self::assigned(&card.body, now)
                            .iter()
                            .map(|p| person(p))
                            .collect()
                    })
                    .unwrap_or_default()
            }
            Target::AuthorOf(at) => {
                // Who signed up for what was cancelled is still to be told so.
                let linked = id_at(record.body.pointer(at)).and_then(|id| self.records.get(&id));
                linked
                    .map(|linked| person(&linked.author))
                    .into_iter()
                    .collect()
            }
        }
    }

    fn count(&mut self, record: &Record, sign: i64) {
        for (key, delta) in kinds::rules(record.kind).measure(record) {
            self.effects
                .rollups
                .entry(key)
                .or_default()
                .shift(delta, sign);
        }
    }

    /// Replaces what the record leaves for stateful rules.
    fn facts_of(&mut self, record: &Record) {
        self.facts.retain(|fact| fact.record != record.id);
        self.effects.facts.retain(|fact| fact.record != record.id);
        if record.rev > 1 {
            self.effects.facts_gone.insert(record.id);
        }
        if record.void {
            return;
        }
        let mut facts: Vec<Fact> = kinds::rules(record.kind).facts(record);
        facts.extend(policy::facts_made(&asked_of(record), record.id));
        self.facts.extend(facts.iter().cloned());
        self.effects.facts.extend(facts);
    }

    fn open_slots(&mut self, record: &Record) {
        let fresh = kinds::rules(record.kind).slots(record);
        let closed = |(key, slot): (&(RecordId, String), &Slot)| {
            let gone = key.0 == record.id && !fresh.iter().any(|(name, _)| *name == key.1);
            (gone && slot.capacity > 0).then(|| (key.clone(), slot.clone()))
        };
        let closed: Vec<_> = self.slots.iter().filter_map(closed).collect();
        for (key, mut slot) in closed {
            slot.capacity = 0;
            self.slots.insert(key.clone(), slot.clone());
            self.effects.slots.insert(key, slot);
        }
        for (name, fresh) in fresh {
            let key = (record.id, name);
            let mut slot = self
                .slots
                .get(&key)
                .cloned()
                .unwrap_or_else(|| fresh.clone());
            slot.capacity = fresh.capacity;
            slot.starts_at = fresh.starts_at;
            slot.ends_at = fresh.ends_at;
            if self.slots.get(&key) != Some(&slot) {
                self.slots.insert(key.clone(), slot.clone());
                self.effects.slots.insert(key, slot);
            }
        }
    }

    /// An assignment or a grant that begins or ends later must move rows or views then.
    fn reader_timers(&mut self, record: &Record, now: Millis) {
        let workers = record.body.get("workers").and_then(Value::as_array);
        let (what, parts, names): (_, Vec<&Value>, _) = match record.kind {
            Kind::Grant => ("grant", vec![&record.body], ["from_at", "to_at"]),
            _ => (
                "assignment",
                workers.into_iter().flatten().collect(),
                ["from", "to"],
            ),
        };
        let moments = |part: &Value| names.map(|name| part.get(name).and_then(Value::as_i64));
        let bounds = parts.into_iter().flat_map(moments).flatten();
        let next = bounds.filter(|at| *at > now).min();
        self.effects
            .timers
            .insert((what.to_owned(), record.id.to_string()), next);
    }
}

/// The stream that keeps the record whole.
pub fn home_stream(record: &Record) -> String {
    let shard = || xiangyi_proto::region::shard_of(&record.unit).map_or(0, |shard| shard.0);
    match record.kind.spec().home {
        Home::Author => format!("person:{}", record.author),
        Home::Vault => format!("vault:{}", shard()),
        Home::Hub => format!("hub:{}", shard()),
        Home::Restricted => format!("restricted:{}", shard()),
        Home::Rules => format!("rules:{}", record.unit),
    }
}

/// What the rule pack is asked about a stored record.
pub fn asked_of(record: &Record) -> Question<'_> {
    let (begun, ended) = kinds::rules(record.kind).span(&record.body, record.occurred_at);
    Question {
        kind: record.kind,
        record: &record.body,
        unit: &record.unit,
        author: &record.author,
        op: xiangyi_proto::kinds::Op::Patch,
        estimated_at: record.estimated_at,
        ended_at: record.estimated_at + (ended - begun),
        received_at: record.received_at,
        quality: record.quality,
    }
}

fn row(record: &Record, copy: Copy) -> RowWrite {
    let sealed_for = match record.kind.spec().sealed_for {
        SealedFor::Author => record.author.clone(),
        SealedFor::Record => record.id.to_string(),
        SealedFor::ClientIn(at) => record.text(at).unwrap_or(&record.author).to_owned(),
    };
    RowWrite {
        seq: record.seq,
        rm: false,
        kind: record.kind,
        rev: record.rev,
        home: false,
        author: record.author.clone(),
        unit: record.unit.clone(),
        village: record.village.clone(),
        state: record.state().map(str::to_owned),
        occurred_at: record.occurred_at,
        received_at: record.received_at,
        estimated_at: record.estimated_at,
        quality: record.quality.number(),
        open: copy.open,
        sealed: copy.sealed,
        sealed_for,
        field_revs: None,
    }
}

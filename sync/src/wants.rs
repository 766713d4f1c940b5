//! What must be loaded before a batch can be applied: a pure answer, asked until nothing is new.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::ids::{DeviceId, PersonId, RecordId};
use xiangyi_proto::kinds::{Kind, Life, Op, Target};
use xiangyi_proto::time::{self, DAY_MS, Millis};

use crate::digest::Digest;
use crate::policy::{self, FactKey, FactKind, whole_time};
use crate::world::{Admitted, World};
use crate::{incident, kinds};

/// Keys to load, each of which becomes one batched read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wants {
    /// The answers to these numbers, and the later, final ones (`final:` before the device).
    pub numbers: BTreeSet<(DeviceId, i64)>,
    pub contents: BTreeSet<(RecordId, Digest)>,
    /// Answers to idempotency keys, with the next number of their devices.
    pub keys: BTreeSet<(DeviceId, String)>,
    /// Records, voided ones too.
    pub records: BTreeSet<RecordId>,
    /// Held items with these ids, about these records, or waiting for them.
    pub held: BTreeSet<RecordId>,
    /// How many items of these devices are held.
    pub held_by: BTreeSet<DeviceId>,
    /// All slots of an activity or a resource.
    pub slots: BTreeSet<RecordId>,
    pub claims: BTreeSet<RecordId>,
    pub live_claims: BTreeSet<(RecordId, String, PersonId)>,
    /// Everybody who waits in a slot.
    pub lines: BTreeSet<(RecordId, String)>,
    pub facts: BTreeSet<FactKey>,
    pub refusals: BTreeSet<RecordId>,
    pub refusals_of: BTreeSet<RecordId>,
    pub grants: BTreeSet<PersonId>,
    pub photos: BTreeSet<(String, PersonId)>,
    pub photo_refs: BTreeSet<(String, PersonId)>,
    pub reviews_of: BTreeSet<RecordId>,
    /// Under which other ids these people were entered.
    pub entries: BTreeSet<PersonId>,
}

impl Wants {
    /// Says whether nothing is left to load.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What of this is not in `seen` yet.
    pub fn beyond(self, seen: &Self) -> Self {
        fn less<T: Ord>(mut set: BTreeSet<T>, seen: &BTreeSet<T>) -> BTreeSet<T> {
            set.retain(|key| !seen.contains(key));
            set
        }
        Self {
            numbers: less(self.numbers, &seen.numbers),
            contents: less(self.contents, &seen.contents),
            keys: less(self.keys, &seen.keys),
            records: less(self.records, &seen.records),
            held: less(self.held, &seen.held),
            held_by: less(self.held_by, &seen.held_by),
            slots: less(self.slots, &seen.slots),
            claims: less(self.claims, &seen.claims),
            live_claims: less(self.live_claims, &seen.live_claims),
            lines: less(self.lines, &seen.lines),
            facts: less(self.facts, &seen.facts),
            refusals: less(self.refusals, &seen.refusals),
            refusals_of: less(self.refusals_of, &seen.refusals_of),
            grants: less(self.grants, &seen.grants),
            photos: less(self.photos, &seen.photos),
            photo_refs: less(self.photo_refs, &seen.photo_refs),
            reviews_of: less(self.reviews_of, &seen.reviews_of),
            entries: less(self.entries, &seen.entries),
        }
    }

    /// Remembers what has been loaded.
    pub fn absorb(&mut self, mut other: Self) {
        self.numbers.append(&mut other.numbers);
        self.contents.append(&mut other.contents);
        self.keys.append(&mut other.keys);
        self.records.append(&mut other.records);
        self.held.append(&mut other.held);
        self.held_by.append(&mut other.held_by);
        self.slots.append(&mut other.slots);
        self.claims.append(&mut other.claims);
        self.live_claims.append(&mut other.live_claims);
        self.lines.append(&mut other.lines);
        self.facts.append(&mut other.facts);
        self.refusals.append(&mut other.refusals);
        self.refusals_of.append(&mut other.refusals_of);
        self.grants.append(&mut other.grants);
        self.photos.append(&mut other.photos);
        self.photo_refs.append(&mut other.photo_refs);
        self.reviews_of.append(&mut other.reviews_of);
        self.entries.append(&mut other.entries);
    }
}

impl World {
    /// What these items still need; ask again after every load until it is empty.
    pub fn wants(&self, items: &[Admitted]) -> Wants {
        let mut wants = Wants::default();
        let mut touched: BTreeSet<RecordId> = BTreeSet::new();
        for item in items {
            wants.numbers.insert((item.device.clone(), item.mutation.n));
            if let Some(key) = &item.key {
                wants.keys.insert((item.device.clone(), key.clone()));
            }
            self.wants_of_danger(item, items.len(), &mut wants);
            self.wants_of(item, items, &mut wants, &mut touched);
        }
        for held in self.held.values() {
            wants.records.insert(held.id);
            self.wants_of(&held.item, items, &mut wants, &mut touched);
        }
        self.wants_of_answers(&mut wants);
        self.wants_of_refusals(&mut wants, &mut touched);
        self.wants_of_lines(&mut wants, &mut touched);
        for id in touched {
            self.wants_of_kept(id, &mut wants);
        }
        wants.beyond(&self.seen)
    }

    /// What rewriting the records that declare a photograph needs.
    pub fn wants_of_photo(&self, sha256: &str, owner: &str) -> Wants {
        let key = (sha256.to_owned(), owner.to_owned());
        let mut wants = Wants::default();
        let records = self.photo_refs.get(&key).into_iter().flatten();
        for id in records {
            wants.records.insert(*id);
            self.wants_of_kept(*id, &mut wants);
        }
        wants.photo_refs.insert(key);
        wants.beyond(&self.seen)
    }

    /// Whoever sends, and whatever it is: how often danger was heard today is asked of every item,
    /// or the time an answer takes would tell.
    fn wants_of_danger(&self, item: &Admitted, coming: usize, wants: &mut Wants) {
        wants
            .facts
            .insert(kinds::heard_of(&item.person, item.received_at));
        wants.grants.insert(item.person.clone());
        if !item.danger.is_empty() {
            wants
                .records
                .extend(incident::candidates(self, item, coming));
        }
    }

    fn wants_of(
        &self,
        item: &Admitted,
        items: &[Admitted],
        wants: &mut Wants,
        touched: &mut BTreeSet<RecordId>,
    ) {
        let mutation = &item.mutation;
        let Some(kind) = item.kind else { return };
        wants.numbers.insert((item.device.clone(), mutation.n));
        // What is not well formed is only answered, and its words are no keys.
        if !item.faults.is_empty() && !crate::restore::is_stray(item) {
            return;
        }
        wants.contents.insert((mutation.id, item.content));
        wants.grants.insert(item.person.clone());
        wants.records.insert(mutation.id);
        wants.held.insert(mutation.id);
        // Decisions about it may have come back before it, and wait for what holds it.
        let held = crate::hold::held_id(item);
        wants.held.insert(held);
        if item.proof.is_some() {
            // It may be held once more.
            wants.records.insert(held);
        }
        wants.held_by.insert(item.device.clone());
        wants.refusals_of.insert(mutation.id);
        wants.records.extend(mutation.needs.iter().copied());
        wants.refusals_of.extend(mutation.needs.iter().copied());
        wants.refusals.extend(mutation.refusal);
        touched.insert(mutation.id);
        self.wants_of_body(item, kind, wants, touched);
        self.wants_of_stored(item, kind, wants);
        if kind.spec().life == Life::Slot {
            self.wants_of_slot(item, kind, wants);
        }
        if matches!(kind, Kind::Visit | Kind::WorkTime) && item.mutation.op != Op::Create {
            let authors = self.authors_of(mutation.id, items);
            self.wants_of_versions(item, items, &authors, wants);
            let [set, add] = [&mutation.set, &mutation.add].map(|part| part.get("/photos"));
            for sha in [set, add].into_iter().flat_map(kinds::photos_in) {
                let owners = authors.iter().map(|author| (sha.clone(), author.clone()));
                wants.photos.extend(owners);
            }
        }
    }

    fn wants_of_body(
        &self,
        item: &Admitted,
        kind: Kind,
        wants: &mut Wants,
        touched: &mut BTreeSet<RecordId>,
    ) {
        let Some(body) = &item.mutation.body else {
            return;
        };
        for id in refs(kind, |name| body.get(name)) {
            wants.records.insert(id);
            wants.refusals_of.insert(id);
        }
        wants.refusals.extend(id_at(body.get("refusal")));
        if matches!(kind, Kind::Review | Kind::IncidentStep) {
            // Nobody decides about their own, under whichever entry they made it.
            wants.entries.insert(item.person.clone());
        }
        if kind == Kind::IncidentStep {
            // Who took part in what an incident is about does not close it.
            let incident = id_at(body.get("incident")).and_then(|id| self.live(id));
            let about = incident.and_then(|incident| id_at(incident.body.get("record")));
            wants.records.extend(about);
        }
        if kind == Kind::Review
            && let Some(id) = id_at(body.get("record"))
        {
            wants.held.insert(id);
            wants.reviews_of.insert(id);
            touched.insert(id);
            let about = self.held.get(&id).map(|held| held.item.mutation.id);
            wants.reviews_of.extend(about);
        }
        for sha in kinds::photos_in(body.get("photos")) {
            wants.photos.insert((sha, item.person.clone()));
        }
        let question = kinds::question(item, kind, body);
        wants.facts.extend(crate::policy::facts_wanted(&question));
    }

    /// What follows from the stored record: the lines of its slots, the visits of a client.
    fn wants_of_stored(&self, item: &Admitted, kind: Kind, wants: &mut Wants) {
        let id = item.mutation.id;
        if matches!(kind, Kind::Activity | Kind::Resource) {
            wants.slots.insert(id);
            // More places are offered to those who wait.
            if item.mutation.op != Op::Create {
                let own = self.slots.keys().filter(|(owner, _)| *owner == id);
                wants.lines.extend(own.cloned());
            }
        }
        if kind == Kind::Client && item.mutation.op != Op::Create {
            self.wants_of_visits(id, wants);
        }
    }

    /// A client's visits move with its assignments.
    pub fn wants_of_visits(&self, client: RecordId, wants: &mut Wants) {
        let key = kinds::visits_of_client(client);
        let visits = self.facts.iter().filter(|fact| fact.is_under(&key));
        for visit in visits.map(|fact| fact.record) {
            wants.records.insert(visit);
            wants.held.insert(visit);
        }
        wants.facts.insert(key);
    }

    /// A patch may come to any mixture of what is stored and what was sent of its record, here or
    /// before it: whatever it comes to, its facts must be here.
    fn wants_of_versions(
        &self,
        item: &Admitted,
        items: &[Admitted],
        authors: &BTreeSet<PersonId>,
        wants: &mut Wants,
    ) {
        let stored = self.records.get(&item.mutation.id);
        let mut said = Versions::default();
        if let Some(record) = stored {
            said.starts.insert(record.estimated_at);
            said.hear(&record.body);
        }
        let held = self.held.values().map(|held| &held.item);
        for other in items.iter().chain(held) {
            if other.mutation.id == item.mutation.id {
                said.hear_item(other, item.shift_ms);
            }
        }
        let key = |kind, key: &String, (from_ms, to_ms)| FactKey {
            kind,
            key: key.clone(),
            from_ms,
            to_ms,
        };
        for start in &said.starts {
            let around = (
                start.saturating_sub(DAY_MS),
                start.saturating_add(2 * DAY_MS),
            );
            for person in authors.iter().chain(&said.others) {
                wants.facts.insert(key(FactKind::Presence, person, around));
            }
            let worked = authors.iter();
            wants
                .facts
                .extend(worked.map(|author| key(FactKind::Worked, author, around)));
        }
        let photos = said.photos.into_iter();
        wants
            .facts
            .extend(photos.map(|sha| whole_time(FactKind::Photo, sha)));
        for hash in &said.accounts {
            let keys = authors.iter().map(|author| format!("{author}:{hash}"));
            wants
                .facts
                .extend(keys.map(|key| whole_time(FactKind::Account, key)));
        }
    }

    /// Who may have made the record of an item: stored, held, or in the same batch.
    fn authors_of(&self, id: RecordId, items: &[Admitted]) -> BTreeSet<PersonId> {
        let held = self.held.values().map(|held| &held.item);
        let others = items.iter().chain(held);
        let mut authors: BTreeSet<PersonId> = others
            .filter(|other| other.mutation.id == id)
            .map(|other| other.person.clone())
            .collect();
        authors.extend(self.records.get(&id).map(|record| record.author.clone()));
        authors
    }

    fn wants_of_slot(&self, item: &Admitted, kind: Kind, wants: &mut Wants) {
        let id = item.mutation.id;
        wants.claims.insert(id);
        let body = item.mutation.body.as_ref();
        let named = kinds::slot_of(kind, |name| body.and_then(|body| body.get(name)));
        let stored = self
            .claims
            .get(&id)
            .map(|claim| (claim.slot, claim.name.clone()));
        let Some((slot, name)) = stored.or(named) else {
            return;
        };
        wants.slots.insert(slot);
        wants.records.insert(slot);
        if kind == Kind::SignUp {
            wants
                .live_claims
                .insert((slot, name.clone(), item.person.clone()));
            wants.facts.insert(kinds::busy_of(&item.person));
        }
        let want = body
            .and_then(|body| body.get("want"))
            .and_then(Value::as_str);
        // A full slot needs no look at its line, and one in which nobody ever waited has none.
        let passes = self.slots.get(&(slot, name.clone())).is_some_and(|slot| {
            slot.next_rank > 1 && slot.capacity > slot.confirmed + slot.offered
        });
        if passes || matches!(want, Some("decline" | "leave")) {
            wants.lines.insert((slot, name));
        }
    }

    /// The answers behind contents and keys that were met before.
    fn wants_of_answers(&self, wants: &mut Wants) {
        wants.numbers.extend(self.by_content.values().cloned());
        let keys = self.by_key.iter();
        wants
            .numbers
            .extend(keys.map(|((device, _), (n, _))| (device.clone(), *n)));
    }

    /// Receipts change with what became of them, and so does what was re-filed.
    fn wants_of_refusals(&self, wants: &mut Wants, touched: &mut BTreeSet<RecordId>) {
        for refusal in self.refusals.values() {
            wants.records.insert(refusal.id);
            wants.records.insert(refusal.record);
            wants.records.extend(refusal.refiled);
            touched.extend(refusal.refiled);
        }
    }

    /// Those who wait may be offered a place: their records, and when they are already busy.
    fn wants_of_lines(&self, wants: &mut Wants, touched: &mut BTreeSet<RecordId>) {
        for claim in self.claims.values() {
            let in_line = (claim.slot, claim.name.clone());
            if self.seen.lines.contains(&in_line) || wants.lines.contains(&in_line) {
                wants.records.insert(claim.record);
                wants.records.insert(claim.slot);
                wants.slots.insert(claim.slot);
                wants.facts.insert(kinds::busy_of(&claim.person));
                touched.insert(claim.record);
            }
        }
    }

    /// What deriving and placing a stored record reads.
    pub(crate) fn wants_of_kept(&self, id: RecordId, wants: &mut Wants) {
        let Some(record) = self.records.get(&id) else {
            return;
        };
        wants
            .records
            .extend(refs(record.kind, |name| record.body.get(name)));
        for sha in kinds::photos_in(record.body.get("photos")) {
            wants.photos.insert((sha, record.author.clone()));
        }
        if matches!(record.kind, Kind::Activity | Kind::Resource) {
            wants.slots.insert(id);
        }
    }
}

/// What the versions of a record may say of times, people, photographs and accounts.
#[derive(Default)]
struct Versions {
    starts: BTreeSet<Millis>,
    others: BTreeSet<PersonId>,
    photos: BTreeSet<String>,
    /// Hashes of accounts, without their author.
    accounts: BTreeSet<String>,
}

impl Versions {
    fn hear_item(&mut self, item: &Admitted, shift_ms: Millis) {
        let mutation = &item.mutation;
        if let Some(body) = &mutation.body {
            self.hear(body);
            self.start(body.get("started_at"), item, shift_ms);
        }
        self.starts.insert(item.estimated_at);
        self.start(mutation.set.get("/started_at"), item, shift_ms);
        let part = |name: &str| mutation.set.get(name).or(mutation.add.get(name));
        let [others, photos, account, day] =
            ["/co_workers", "/photos", "/process", "/day"].map(part);
        let parts = serde_json::json!({"co_workers": others, "photos": photos,
            "process": account, "day": day});
        self.hear(&parts);
    }

    /// The corrected clock of either item may count, and what lies ahead counts at its receipt.
    fn start(&mut self, started: Option<&Value>, item: &Admitted, shift_ms: Millis) {
        if let Some(at) = started.and_then(Value::as_i64) {
            for shift in [item.shift_ms, shift_ms] {
                self.starts.insert(at.saturating_add(shift));
            }
            self.starts.insert(item.received_at);
        }
    }

    fn hear(&mut self, body: &Value) {
        let others = body.get("co_workers").and_then(Value::as_array);
        let others = others.into_iter().flatten().filter_map(Value::as_str);
        self.others.extend(others.map(str::to_owned));
        self.photos.extend(kinds::photos_in(body.get("photos")));
        let account = body.get("process").and_then(Value::as_str);
        self.accounts
            .extend(account.into_iter().flat_map(policy::account_keys));
        let day = body.get("day").and_then(Value::as_str);
        let day = day.and_then(time::day_of_text).map(time::day_start);
        self.starts.extend(day);
    }
}

/// Ids that a body names: links of placements and of merging.
fn refs<'a>(kind: Kind, get: impl Fn(&str) -> Option<&'a Value>) -> Vec<RecordId> {
    let placed = kind
        .spec()
        .placements
        .iter()
        .filter_map(|placement| match placement.to {
            Target::WorkersOf(at) | Target::AuthorOf(at) => id_at(get(&at[1..])),
            _ => None,
        });
    let mut ids: Vec<RecordId> = placed.collect();
    ids.extend(id_at(get(match kind {
        Kind::Need => "client",
        Kind::Review => "record",
        Kind::IncidentStep => "incident",
        _ => "-",
    })));
    ids
}

/// A record id inside a value.
pub fn id_at(value: Option<&Value>) -> Option<RecordId> {
    Uuid::try_parse(value?.as_str()?).ok()
}

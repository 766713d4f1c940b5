//! What must be loaded before a batch can be applied: a pure answer, asked until nothing is new.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::ids::{DeviceId, PersonId, RecordId};
use xiangyi_proto::kinds::{Kind, Life, Op, Target};

use crate::digest::Digest;
use crate::kinds;
use crate::policy::FactKey;
use crate::world::{Admitted, World};

/// Keys to load, each of which becomes one batched read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wants {
    pub numbers: BTreeSet<(DeviceId, i64)>,
    pub contents: BTreeSet<(RecordId, Digest)>,
    pub keys: BTreeSet<(DeviceId, String)>,
    pub records: BTreeSet<RecordId>,
    /// Held items about these records, or waiting for them.
    pub held: BTreeSet<RecordId>,
    /// All slots of an activity or a resource.
    pub slots: BTreeSet<RecordId>,
    pub claims: BTreeSet<RecordId>,
    pub live_claims: BTreeSet<(RecordId, String, PersonId)>,
    /// The first of those waiting in a slot.
    pub lines: BTreeSet<(RecordId, String)>,
    pub facts: BTreeSet<FactKey>,
    pub refusals: BTreeSet<RecordId>,
    pub refusals_of: BTreeSet<RecordId>,
    pub grants: BTreeSet<PersonId>,
    pub photos: BTreeSet<(String, PersonId)>,
    pub photo_refs: BTreeSet<(String, PersonId)>,
    pub reviews_of: BTreeSet<RecordId>,
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
        }
    }

    /// Remembers what has been loaded.
    pub fn absorb(&mut self, mut other: Self) {
        self.numbers.append(&mut other.numbers);
        self.contents.append(&mut other.contents);
        self.keys.append(&mut other.keys);
        self.records.append(&mut other.records);
        self.held.append(&mut other.held);
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
    }
}

impl World {
    /// What these items still need; ask again after every load until it is empty.
    pub fn wants(&self, items: &[Admitted]) -> Wants {
        let mut wants = Wants::default();
        for item in items {
            self.wants_of(item, &mut wants);
            wants.numbers.insert((item.device.clone(), item.mutation.n));
            if let Some(key) = &item.key {
                wants.keys.insert((item.device.clone(), key.clone()));
            }
        }
        for held in self.held.values() {
            self.wants_of(&held.item, &mut wants);
        }
        self.wants_of_lines(&mut wants);
        wants.records.extend(self.more_records.iter().copied());
        wants.beyond(&self.seen)
    }

    fn wants_of(&self, item: &Admitted, wants: &mut Wants) {
        let mutation = &item.mutation;
        let Some(kind) = item.kind else { return };
        wants.numbers.insert((item.device.clone(), mutation.n));
        wants.contents.insert((mutation.id, item.content));
        wants.grants.insert(item.person.clone());
        wants.records.insert(mutation.id);
        wants.held.insert(mutation.id);
        wants.refusals_of.insert(mutation.id);
        wants.records.extend(mutation.needs.iter().copied());
        wants.refusals_of.extend(mutation.needs.iter().copied());
        wants.refusals.extend(mutation.refusal);
        self.wants_of_body(item, kind, wants);
        self.wants_of_stored(item, kind, wants);
    }

    fn wants_of_body(&self, item: &Admitted, kind: Kind, wants: &mut Wants) {
        let Some(body) = &item.mutation.body else {
            return;
        };
        for id in refs(kind, |name| body.get(name)) {
            wants.records.insert(id);
            wants.refusals_of.insert(id);
        }
        if let Some(id) = id_at(body.get("refusal")) {
            wants.refusals.insert(id);
        }
        if kind == Kind::Review
            && let Some(id) = id_at(body.get("record"))
        {
            wants.held.insert(id);
            wants.refusals_of.insert(id);
            wants.reviews_of.insert(id);
        }
        for sha in kinds::photos_in(body.get("photos")) {
            wants.photos.insert((sha, item.person.clone()));
        }
        let question = kinds::question(item, kind, body);
        wants.facts.extend(crate::policy::facts_wanted(&question));
    }

    /// What follows from the stored record: its links, its slot, the visits of a client.
    fn wants_of_stored(&self, item: &Admitted, kind: Kind, wants: &mut Wants) {
        let id = item.mutation.id;
        if kind.spec().life == Life::Slot {
            self.wants_of_slot(item, kind, wants);
        }
        if matches!(kind, Kind::Activity | Kind::Resource) {
            wants.slots.insert(id);
        }
        if kind == Kind::Client && item.mutation.op == Op::Patch {
            wants.facts.insert(kinds::visits_of_client(id));
        }
        let Some(record) = self.records.get(&id) else {
            return;
        };
        for id in refs(kind, |name| record.body.get(name)) {
            wants.records.insert(id);
        }
        for sha in kinds::photos_in(record.body.get("photos")) {
            wants.photos.insert((sha, record.author.clone()));
        }
        if kind == Kind::Client {
            let key = kinds::visits_of_client(id);
            for fact in self.facts.iter().filter(|fact| fact.is_under(&key)) {
                wants.records.insert(fact.record);
            }
        }
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
        if kind == Kind::Link || matches!(want, Some("decline" | "leave")) {
            wants.lines.insert((slot, name));
        }
    }

    /// Those who wait may be offered a place: their records, and when they are already busy.
    fn wants_of_lines(&self, wants: &mut Wants) {
        for claim in self.claims.values() {
            let in_line = (claim.slot, claim.name.clone());
            if self.seen.lines.contains(&in_line) || wants.lines.contains(&in_line) {
                wants.records.insert(claim.record);
                wants.records.insert(claim.slot);
                wants.slots.insert(claim.slot);
                wants.facts.insert(kinds::busy_of(&claim.person));
            }
        }
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
        _ => "-",
    })));
    ids
}

/// A record id inside a value.
pub fn id_at(value: Option<&Value>) -> Option<RecordId> {
    Uuid::try_parse(value?.as_str()?).ok()
}

//! The part of a shard that a batch touches, as loaded, and what the batch changes in it.
//!
//! `apply` reads and writes only here, so later items see what earlier ones did. The store loads
//! what `wants` names and writes what `effects` lists; the simulator keeps whole worlds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::ids::{DeviceId, PersonId, RecordId, Seq, Shard};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{Millis, TimeQuality};
use xiangyi_proto::verdict::{FieldError, HeldFor, Verdict, VerdictName};

use crate::digest::Digest;
use crate::effects::Effects;
use crate::hold;
use crate::policy::{Danger, Fact, Judgement, PackSet};
use crate::wants::Wants;

/// What stands around a batch and never changes inside it.
pub struct Env<'a> {
    pub now: Millis,
    pub packs: &'a PackSet,
    /// Village code → latitude and longitude × 10⁷, WGS-84.
    pub places: &'a HashMap<String, (i64, i64)>,
    /// Nobody can guess it: ids that must not be guessed follow from it.
    pub secret: [u8; 32],
}

/// A mutation after the checks that need no lock.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Admitted {
    pub mutation: Mutation,
    pub kind: Option<Kind>,
    pub shard: Shard,
    pub device: DeviceId,
    pub person: PersonId,
    pub received_at: Millis,
    pub occurred_at: Millis,
    pub estimated_at: Millis,
    pub shift_ms: i64,
    pub quality: TimeQuality,
    pub digest: Digest,
    /// What this person says, whatever the number and the clocks.
    pub content: Digest,
    /// The idempotency key of a REST write; its `n` is allocated when it is applied.
    #[serde(default)]
    pub key: Option<String>,
    /// It was held and is judged again.
    #[serde(default)]
    pub waited: bool,
    /// Other numbers under which the same was sent while it was held: they end with it.
    #[serde(default)]
    pub also: Vec<(DeviceId, i64)>,
    /// A reviewer released it from the rules.
    #[serde(default)]
    pub released: bool,
    /// Its device was revoked: what it still sends goes before a reviewer.
    #[serde(default)]
    pub revoked: bool,
    /// It was answered in an epoch before a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proved>,
    #[serde(skip)]
    pub faults: Vec<FieldError>,
    #[serde(skip)]
    pub judgement: Option<Judgement>,
    #[serde(skip)]
    pub danger: Vec<Danger>,
    /// Its JSON as it came, where danger was heard in it: an incident keeps it.
    #[serde(skip)]
    pub sent: String,
}

/// What an earlier epoch answered to an item, as its stamp shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Proved {
    pub verdict: VerdictName,
    pub held_for: Option<HeldFor>,
    /// `derived.state` of the answer, or nothing.
    pub state: String,
}

impl Admitted {
    /// Order in which held items move.
    pub fn arrival(&self) -> (Millis, &str, i64) {
        (self.received_at, &self.device, self.mutation.n)
    }
}

/// A row of the log: what was answered to a number.
#[derive(Debug, Clone)]
pub struct Past {
    pub digest: Digest,
    pub author: PersonId,
    pub record: RecordId,
    pub verdict: Verdict,
}

/// A record, whole.
#[derive(Debug, Clone)]
pub struct Record {
    pub id: RecordId,
    pub kind: Kind,
    pub rev: i64,
    pub author: PersonId,
    pub unit: String,
    pub village: Option<String>,
    pub occurred_at: Millis,
    pub received_at: Millis,
    pub estimated_at: Millis,
    pub quality: TimeQuality,
    pub body: Value,
    /// Pointer → rev at which the field last changed; absent means rev 1.
    pub field_revs: BTreeMap<String, i64>,
    /// Streams that hold a live row, with the rev and kind they hold.
    pub placed: BTreeMap<String, i64>,
    pub void: bool,
    /// The number the record's last change got.
    pub seq: Seq,
}

impl Record {
    /// A text member at a pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }

    /// An integer member at a pointer.
    pub fn int(&self, pointer: &str) -> Option<i64> {
        self.body.pointer(pointer).and_then(Value::as_i64)
    }

    /// The derived state word, or the reviewed state of a visit.
    pub fn state(&self) -> Option<&str> {
        self.text("/state").or_else(|| self.text("/derived/state"))
    }

    /// Sets a member under `/derived`.
    pub fn derive(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Object(body) = &mut self.body {
            let derived = body
                .entry("derived")
                .or_insert_with(|| Value::Object(Default::default()));
            if let Value::Object(derived) = derived {
                derived.insert(name.to_owned(), value.into());
            }
        }
    }
}

/// A stored item that is not final.
#[derive(Debug, Clone)]
pub struct Held {
    pub id: RecordId,
    pub item: Admitted,
    pub reason: HeldFor,
    pub rule: Option<String>,
    pub until_at: Option<Millis>,
    pub escalated: bool,
    pub needs: BTreeSet<RecordId>,
}

/// Places of one session and role, or the quantity of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slot {
    pub capacity: i64,
    pub confirmed: i64,
    pub offered: i64,
    pub next_rank: i64,
    pub next_offer: i64,
    pub starts_at: Millis,
    pub ends_at: Millis,
}

/// One record's claim on a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub record: RecordId,
    pub slot: RecordId,
    pub name: String,
    pub person: PersonId,
    pub state: ClaimState,
    pub rank: i64,
    pub quantity: i64,
    pub offer: i64,
    pub accept_by: Millis,
}

impl Claim {
    /// What it holds of its slot for good: places taken, quantities promised or handed over.
    pub const fn promised(&self) -> i64 {
        match self.state {
            ClaimState::Confirmed | ClaimState::Delivered | ClaimState::Closed => self.quantity,
            _ => 0,
        }
    }
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimState {
    Confirmed,
    Offered,
    Waiting,
    Declined,
    Lapsed,
    Left,
    Delivered,
    Closed,
}

impl ClaimState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Confirmed,
        Self::Offered,
        Self::Waiting,
        Self::Declined,
        Self::Lapsed,
        Self::Left,
        Self::Delivered,
        Self::Closed,
    ];

    /// The stored word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Offered => "offered",
            Self::Waiting => "waiting",
            Self::Declined => "declined",
            Self::Lapsed => "lapsed",
            Self::Left => "left",
            Self::Delivered => "delivered",
            Self::Closed => "closed",
        }
    }

    /// The state of a stored word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Says whether a second claim by the same person would be one too many.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Confirmed | Self::Offered | Self::Waiting)
    }
}

/// A refusal's receipt.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub id: RecordId,
    pub record: RecordId,
    pub kind: Kind,
    pub device: DeviceId,
    pub n: i64,
    pub author: PersonId,
    pub unit: String,
    pub rule: String,
    pub pack: String,
    pub version: i64,
    pub clause: String,
    pub office: Option<String>,
    pub minutes: i64,
    pub received_at: Millis,
    /// When it was refused: at once, or later by a reviewer. The ledger counts it then, so that a
    /// month that is over stays as it was published.
    pub refused_at: Millis,
    /// `open`, `appealed`, `split`, `upheld`, `overturned`.
    pub state: String,
    pub refiled: Option<RecordId>,
    pub content: Digest,
    /// The number its row got; later refusals of a record have higher ones.
    pub seq: Seq,
}

/// A grant of a person, as far as a push or a view needs it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Granted {
    pub role: Role,
    pub unit: String,
    pub from_at: Millis,
    pub to_at: Option<Millis>,
}

impl Granted {
    /// Says whether the grant holds at a moment.
    pub fn holds_at(&self, at: Millis) -> bool {
        self.from_at <= at && self.to_at.is_none_or(|to| at < to)
    }
}

/// A shard as far as one batch touches it.
pub struct World {
    pub shard: Shard,
    pub head: Seq,
    /// A number that every item is given for an incident, whether it opens one or not: a gap behind
    /// a row would tell of what cannot be seen.
    pub spare: Option<Seq>,
    pub by_number: HashMap<(DeviceId, i64), Past>,
    pub by_content: HashMap<(RecordId, Digest), (DeviceId, i64)>,
    pub by_key: HashMap<(DeviceId, String), (i64, Digest)>,
    pub records: HashMap<RecordId, Record>,
    pub held: HashMap<RecordId, Held>,
    /// How many items of a device are held, loaded or not.
    pub held_by: HashMap<DeviceId, usize>,
    pub slots: HashMap<(RecordId, String), Slot>,
    pub claims: HashMap<RecordId, Claim>,
    pub facts: Vec<Fact>,
    pub refusals: HashMap<RecordId, Refusal>,
    pub grants: HashMap<PersonId, Vec<Granted>>,
    /// Complete photographs, by hash and owner.
    pub photos: BTreeSet<(String, PersonId)>,
    /// Records that declare a photograph, by hash and author.
    pub photo_refs: BTreeMap<(String, PersonId), BTreeSet<RecordId>>,
    /// The next number of a REST device.
    pub next_n: HashMap<DeviceId, i64>,
    /// Deciders of earlier reviews, by the record reviewed.
    pub deciders: HashMap<RecordId, BTreeSet<PersonId>>,
    /// Other entries of the same human being, by whoever was asked about: somebody was entered
    /// twice, and became one.
    pub entries: HashMap<PersonId, BTreeSet<PersonId>>,
    pub seen: Wants,
    pub effects: Effects,
    /// Records that came to exist, and records that never will, with whose they were: their waiters
    /// move.
    pub arrived: Vec<RecordId>,
    pub refused: Vec<(RecordId, PersonId)>,
    /// Activities and resources whose counts changed and are rewritten once per batch.
    pub stale_slots: BTreeSet<RecordId>,
}

impl World {
    /// An empty world of a shard whose counter stands at `head`.
    pub fn new(shard: Shard, head: Seq) -> Self {
        Self {
            shard,
            head,
            spare: None,
            by_number: HashMap::new(),
            by_content: HashMap::new(),
            by_key: HashMap::new(),
            records: HashMap::new(),
            held: HashMap::new(),
            held_by: HashMap::new(),
            slots: HashMap::new(),
            claims: HashMap::new(),
            facts: Vec::new(),
            refusals: HashMap::new(),
            grants: HashMap::new(),
            photos: BTreeSet::new(),
            photo_refs: BTreeMap::new(),
            next_n: HashMap::new(),
            deciders: HashMap::new(),
            entries: HashMap::new(),
            seen: Wants::default(),
            effects: Effects::default(),
            arrived: Vec::new(),
            refused: Vec::new(),
            stale_slots: BTreeSet::new(),
        }
    }

    /// Whether two ids stand for one human being; `wants.entries` names whose are loaded.
    pub fn is_same(&self, person: &str, other: &str) -> bool {
        let entries = self.entries.get(person);
        person == other || entries.is_some_and(|entries| entries.contains(other))
    }

    /// The next number of the shard's order.
    pub fn next_seq(&mut self) -> Seq {
        self.head += 1;
        self.head
    }

    /// A record that exists and was not voided.
    pub fn live(&self, id: RecordId) -> Option<&Record> {
        self.records.get(&id).filter(|record| !record.void)
    }

    /// Whether an item must wait behind a held one about the same record: behind earlier ones only,
    /// or two that waited themselves, or came back after a restore, would wait for each other.
    ///
    /// One waits behind one's own, and behind changes that a reviewer has before them; what others
    /// only try does not stand in the way.
    pub fn is_behind_held(&self, item: &Admitted) -> bool {
        let about = |held: &&Held| {
            let own = held.item.person == item.person;
            let makes = hold::makes_record(&held.item);
            let under_review = held.reason == HeldFor::Review && !makes;
            // Steps of a record that is not here yet wait for whatever makes it.
            let for_this = held.reason == HeldFor::Missing && !makes && hold::makes_record(item);
            let same = held.item.mutation.id == item.mutation.id;
            same && (own || under_review) && !for_this
        };
        let mut about = self.held.values().filter(about);
        about.any(|held| held.item.arrival() < item.arrival())
    }

    /// The refusals of a record, newest last.
    pub fn refusals_of(&self, record: RecordId) -> Vec<&Refusal> {
        let mut list: Vec<&Refusal> = self
            .refusals
            .values()
            .filter(|refusal| refusal.record == record)
            .collect();
        list.sort_by_key(|refusal| refusal.seq);
        list
    }

    /// Workers assigned to a client at a moment, from the card's `/workers`.
    pub fn assigned(card: &Value, at: Millis) -> BTreeSet<PersonId> {
        let list = card.get("workers").and_then(Value::as_array);
        let now = |worker: &&Value| {
            let from = worker
                .get("from")
                .and_then(Value::as_i64)
                .unwrap_or(i64::MAX);
            let to = worker.get("to").and_then(Value::as_i64).unwrap_or(i64::MAX);
            from <= at && at < to
        };
        let person = |worker: &Value| Some(worker.get("person")?.as_str()?.to_owned());
        list.into_iter()
            .flatten()
            .filter(now)
            .filter_map(person)
            .collect()
    }

    /// The answer to a number, the final one if it came later.
    pub fn answer(&self, device: &str, n: i64) -> Option<&Past> {
        let last = (format!("{}{device}", crate::effects::FINAL), n);
        self.by_number
            .get(&last)
            .or_else(|| self.by_number.get(&(device.to_owned(), n)))
    }
}

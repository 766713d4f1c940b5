//! A phone of a world: the production state machine with a storage that can be killed, a clock
//! that may lie, and an app that may be old.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::exchange::{Answer, ClientBuild, Exchange, Mutation, PhoneClock, Row};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::{DAY_MS, MINUTE_MS, Millis};
use xiangyi_proto::verdict::HeldFor;
use xiangyi_sync::phone::{Entry, Phone, Place, Write};

use crate::cast::Person;
use crate::dice::Dice;

/// Kinds that the older app does not know.
const YOUNG_KINDS: &[Kind] = &[Kind::Need, Kind::Resource, Kind::Link];

/// A phone.
pub struct Handset {
    pub phone: Phone,
    pub who: Person,
    /// The station or county the person believes to serve at.
    pub unit: String,
    pub is_old: bool,
    /// The system took rows away; the sums will tell.
    pub evicted: bool,
    /// Numbers that were written down before they were ever sent.
    pub created: BTreeSet<i64>,
    /// Numbers that were seen stored, and those of them that were seen held after that.
    pub stored: BTreeSet<i64>,
    pub held_again: BTreeSet<i64>,
    /// Numbers that a reviewer had before them.
    pub reviewed: BTreeSet<i64>,
    /// The cursor before the last one.
    pub earlier: Option<String>,
    skew_ms: i64,
    booted_at: Millis,
    boots: u32,
}

/// How far clocks are off; in a calm world not by the years that decide who carries a visit.
pub fn skew(dice: &mut Dice, calm: bool) -> i64 {
    match dice.below(8) {
        0 | 1 if calm => dice.between(-40, 40) * DAY_MS,
        0 => -20 * 365 * DAY_MS,
        1 => 10 * 365 * DAY_MS,
        2 => dice.between(-3, 3) * DAY_MS,
        3 => dice.between(-90, 90) * MINUTE_MS,
        _ => dice.between(-30_000, 30_000),
    }
}

impl Handset {
    /// A new phone of a person.
    pub fn new(who: Person, device: &str, skew_ms: i64, now: Millis) -> Self {
        Self {
            phone: Phone::new(device),
            who,
            unit: who.unit().to_owned(),
            is_old: false,
            evicted: false,
            created: BTreeSet::new(),
            stored: BTreeSet::new(),
            held_again: BTreeSet::new(),
            reviewed: BTreeSet::new(),
            earlier: None,
            skew_ms,
            booted_at: now - 3 * DAY_MS,
            boots: 0,
        }
    }

    /// What the phone's own clock says.
    pub const fn wall(&self, now: Millis) -> Millis {
        now + self.skew_ms
    }

    /// Turns the phone off and on; the monotonic clock begins anew.
    pub fn reboot(&mut self, now: Millis) {
        self.booted_at = now;
        self.boots += 1;
    }

    /// Somebody sets the clock.
    pub fn set_clock(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    /// Milliseconds since the phone was turned on, and the name of that session.
    pub fn monotonic(&self, now: Millis) -> (i64, String) {
        (now - self.booted_at, format!("b{}", self.boots))
    }

    /// Kinds that the app knows.
    pub fn kinds(&self) -> BTreeSet<u64> {
        let known = Kind::ALL
            .iter()
            .filter(|kind| !self.is_old || !YOUNG_KINDS.contains(kind));
        known.map(|kind| kind.number() as u64).collect()
    }

    /// The next request.
    pub fn request(&self, now: Millis, max_items: usize, max_bytes: usize) -> Exchange {
        let (monotonic_ms, boot) = self.monotonic(now);
        let clock = PhoneClock {
            wall_ms: self.wall(now),
            monotonic_ms: Some(monotonic_ms),
            boot: Some(boot),
            offset_ms: self.phone.offset_ms,
            offset_age_ms: None,
        };
        let names = self
            .kinds()
            .into_iter()
            .filter_map(|n| Kind::of_number(n as i64));
        let build = ClientBuild {
            app: "sim".to_owned(),
            build: 1,
            schemas: names
                .map(|kind| (kind.name().to_owned(), 1))
                .collect::<BTreeMap<_, _>>(),
        };
        let mut exchange = self.phone.request(clock, build, max_items);
        if let Some(pull) = &mut exchange.pull {
            pull.max_bytes = Some(max_bytes);
            pull.form = pull.form.filter(|_| !self.is_old);
        }
        exchange
    }

    /// Takes an answer in, all of it or nothing.
    pub fn absorb(&mut self, answer: Answer, now: Millis) {
        let before = self.phone.cursor.clone();
        for write in self.phone.absorb(answer, self.wall(now)) {
            self.phone.write(&write);
        }
        let entries = self.phone.entries.values();
        let stored = entries.filter(|entry| entry.place == Place::Committed);
        self.stored.extend(stored.map(|entry| entry.n));
        let entries = self.phone.entries.values();
        let held = entries.filter(|entry| entry.place == Place::Held);
        let again = held.filter(|entry| self.stored.contains(&entry.n));
        self.held_again.extend(again.map(|entry| entry.n));
        let entries = self.phone.entries.values();
        let reviewed = entries.filter(|entry| {
            let kept = entry.kept.as_ref();
            kept.is_some_and(|kept| kept.proof.held_for == Some(HeldFor::Review))
        });
        self.reviewed.extend(reviewed.map(|entry| entry.n));
        if self.phone.cursor != before {
            self.earlier = before;
        }
    }

    /// What a restore has lost and was not sent once more yet.
    pub fn lost(&self) -> Vec<i64> {
        let entries = self.phone.entries.values();
        let lost = entries.filter(|entry| self.phone.is_lost(entry));
        lost.map(|entry| entry.n).collect()
    }

    /// Forgets the proofs of these, where they still wait.
    pub fn forget(&mut self, numbers: &[i64]) {
        let lost = self.lost();
        for n in numbers.iter().filter(|n| lost.contains(n)) {
            self.phone.write(&Write::Forget(*n));
        }
    }

    /// Writes a mutation down; it is sent from there, the same bytes again and again.
    pub fn write_down(&mut self, mutation: &Mutation, now: Millis) {
        let raw = serde_json::to_string(mutation).expect("a mutation can be written");
        self.write_raw(mutation.n, mutation.id, &mutation.kind, raw, now);
    }

    /// Writes bytes down that may be anything.
    pub fn write_raw(&mut self, n: i64, record: Uuid, kind: &str, raw: String, now: Millis) {
        self.created.insert(n);
        let entry = Entry {
            n,
            record,
            kind: kind.to_owned(),
            raw,
            created_at: self.wall(now),
            place: Place::Outbox,
            verdict: None,
            unanswered: 0,
            retry_at: 0,
            kept: None,
        };
        self.phone.write(&Write::Entry(Box::new(entry)));
    }

    /// Rows of a kind on the phone, with their shard and body.
    pub fn rows(&self, kind: &str) -> Vec<(i64, &Row, Value)> {
        self.rows_in("", kind)
    }

    /// Rows of a kind that came whole, by mailbox.
    pub fn own_rows(&self, kind: &str) -> Vec<(i64, &Row, Value)> {
        self.rows_in("person:", kind)
    }

    fn rows_in(&self, sort: &str, kind: &str) -> Vec<(i64, &Row, Value)> {
        let mut rows = Vec::new();
        for ((shard, stream, _), held) in &self.phone.rows {
            if stream.starts_with(sort) && held.row.kind == kind {
                let text = held.row.body.as_ref().map_or("null", |body| body.get());
                let body = serde_json::from_str(text).unwrap_or(Value::Null);
                rows.push((*shard, &held.row, body));
            }
        }
        rows
    }

    /// Mutations that stand somewhere on the phone.
    pub fn entries(&self, place: Place, kind: &str) -> Vec<&Entry> {
        let entries = self.phone.entries.values();
        entries
            .filter(|entry| entry.place == place && entry.kind == kind)
            .collect()
    }
}

//! Facts: what stateful rules know about other records, and which of them a question needs.
//!
//! A fact is a span of time under a key; the store answers "facts of this kind and key whose span
//! touches this range". Facts of the record being judged must not be handed in with a question,
//! and a new revision of a record replaces the facts of the old one: both are the caller's. No
//! fact holds narrative or a place finer than a kilometre.

mod made;
pub mod sketch;
mod wanted;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use xiangyi_proto::kinds::Op;
use xiangyi_proto::time::{DAY_MS, Millis, day_number, day_start};

use crate::geo;

pub use made::{facts_made, terms_of};
pub use wanted::{facts_chosen, facts_wanted, whole_time};

/// What a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// Somebody's time at a visit, the author's and each co-worker's; key is the person, note the
    /// mode of the visit and its occasion: `home|5f0c…`.
    Presence = 1,
    /// A fix of a check-in; key is the person, note `lat_e7,lng_e7,accuracy_m`, rounded, WGS-84.
    Fix = 2,
    /// A check-in that a check-out can close; key is its record id.
    Arrival = 3,
    /// A photograph that a visit declares; key is its hash, note the visit's occasion.
    Photo = 4,
    /// The account of a visit to somebody; key is the author and a hash of the text, note the
    /// occasion and the sketch of the text.
    Account = 5,
    /// Working time; key is the person, the span is the day's first moment, note the minutes.
    Worked = 6,
    /// An arrival at an activity; key is the activity and the person.
    SignIn = 7,
    /// A day on duty in a government office; key is the unit, the span the day's first moment.
    OfficeDay = 8,
    /// A visit to a client; key is the client's record id.
    ClientVisit = 10,
    /// A confirmed place; key is the person, the span is the session's.
    Busy = 11,
    /// What an activity asks of those who sign up, `age_min|certificate`; key is its record id.
    /// Taken from the activity itself and never stored.
    Terms = 12,
    /// An incident; key is the person whose words were heard, the span the moment of receipt, note
    /// the state and the record: `reported|0192…`. No rule asks for it.
    Heard = 13,
}

impl FactKind {
    /// The stored number; never reused.
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The kind of a stored number.
    pub const fn of_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Presence),
            2 => Some(Self::Fix),
            3 => Some(Self::Arrival),
            4 => Some(Self::Photo),
            5 => Some(Self::Account),
            6 => Some(Self::Worked),
            7 => Some(Self::SignIn),
            8 => Some(Self::OfficeDay),
            10 => Some(Self::ClientVisit),
            11 => Some(Self::Busy),
            12 => Some(Self::Terms),
            13 => Some(Self::Heard),
            _ => None,
        }
    }
}

/// A range of facts to load: same kind and key, span touching `from_ms..=to_ms`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKey {
    pub kind: FactKind,
    pub key: String,
    pub from_ms: i64,
    pub to_ms: i64,
}

/// One stored fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub kind: FactKind,
    pub key: String,
    pub from_ms: i64,
    pub to_ms: i64,
    pub person: String,
    pub record: Uuid,
    /// What the kind of fact says; never narrative.
    pub note: String,
}

impl Fact {
    /// Says whether the fact lies in the range that a key names.
    pub fn is_under(&self, key: &FactKey) -> bool {
        self.kind == key.kind
            && self.key == key.key
            && self.from_ms <= key.to_ms
            && key.from_ms <= self.to_ms
    }

    /// The two halves of a note.
    pub(crate) fn halves(&self) -> (&str, &str) {
        self.note.split_once('|').unwrap_or((&self.note, ""))
    }
}

const fn states_a_record(op: Op) -> bool {
    matches!(op, Op::Create | Op::Patch | Op::Appeal)
}

pub(super) fn text<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str()
}

/// The texts of a list.
pub(super) fn texts<'a>(record: &'a Value, name: &str) -> Vec<&'a str> {
    let list = record.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Whom a visit was with: the same client or the same group give the same word, a visit to nobody
/// in particular gives none.
pub(super) fn occasion(record: &Value) -> String {
    let mut with = match text(record, "client") {
        Some(client) => vec![client.to_ascii_lowercase()],
        None => texts(record, "participants")
            .into_iter()
            .map(str::to_ascii_lowercase)
            .collect(),
    };
    if with.is_empty() {
        return String::new();
    }
    with.sort();
    with.dedup();
    hex::encode(&Sha256::digest(with.join(" ").as_bytes())[..6])
}

/// The account of a visit.
pub(super) fn account(record: &Value) -> Option<sketch::Sketch> {
    text(record, "process").and_then(sketch::of)
}

/// Hashes under which an account may be found, without its author.
pub fn account_keys(text: &str) -> Vec<String> {
    sketch::of(text).map_or_else(Vec::new, |sketch| sketch.keys)
}

/// The day on which something took place, first and last millisecond.
pub(super) fn day_of(at: Millis) -> (Millis, Millis) {
    let begins = day_start(day_number(at));
    (begins, begins + DAY_MS - 1)
}

/// Degrees × 10⁷ to which a fact rounds a fix: some 1,100 m. Rules over facts ask whether a road
/// could be driven, not where somebody stood.
const FIX_GRAIN_E7: f64 = 100_000.0;
/// Metres that rounding can add on top of the accuracy.
const FIX_GRAIN_M: f64 = 800.0;

/// The fix of a check-in as the note of a fact: rounded, in WGS-84.
pub(super) fn fix_note(record: &Value) -> Option<String> {
    let (point, accuracy_m) = geo::fix_of(record)?;
    let round = |degrees: f64| (degrees * 1e7 / FIX_GRAIN_E7).round() * FIX_GRAIN_E7;
    let (lat, lng) = (round(point.lat), round(point.lng));
    let accuracy_m = (accuracy_m + FIX_GRAIN_M).ceil();
    Some(format!("{lat:.0},{lng:.0},{accuracy_m:.0}"))
}

//! What the fake knows: users, codes, tokens, templates, and what was asked of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::Value;
use sha2::{Digest, Sha256};
use xiangyi_proto::time::{HOUR_MS, MINUTE_MS, Millis, day_number};
use xiangyi_server::clock::Clock;

use super::fault::Fault;
use super::replies::{Refusal, refuse};
use super::tokens::Tokens;

/// Logins and telephone numbers are had by codes of this life.
const CODE_MS: i64 = 5 * MINUTE_MS;
/// Texts are judged for who was here within this time.
const VISIT_MS: i64 = 2 * HOUR_MS;
/// Logins of one user in a minute.
const LOGINS_A_MINUTE: usize = 100;

/// A subscription message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub at: Millis,
    pub openid: String,
    pub template: String,
    pub page: Option<String>,
    /// Field and value.
    pub data: BTreeMap<String, String>,
}

/// A call that came in, whatever became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// By the fake's clock.
    pub at: Millis,
    pub method: String,
    pub path: String,
    pub query: HashMap<String, String>,
    /// `Null` where it was no JSON.
    pub body: Value,
}

/// A code and what it stands for.
#[derive(Debug)]
pub(super) struct Code<T> {
    pub made: Millis,
    pub used: bool,
    pub of: T,
}

impl<T> Code<T> {
    /// Made now, not used.
    pub const fn new(made: Millis, of: T) -> Self {
        Self {
            made,
            used: false,
            of,
        }
    }

    /// Whether its time is over.
    pub const fn is_old(&self, now: Millis) -> bool {
        now - self.made >= CODE_MS
    }
}

/// A telephone number that a user let out.
#[derive(Debug)]
pub(super) struct Phone {
    pub country: String,
    pub number: String,
    /// It was let out to this mini-program, not to another.
    pub ours: bool,
}

/// What is said of a text that holds `word`.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub word: String,
    pub suggest: String,
    pub label: i64,
}

#[derive(Debug)]
pub(super) struct Book {
    pub clock: Clock,
    pub logins: HashMap<String, Code<String>>,
    pub phones: HashMap<String, Code<Phone>>,
    pub tokens: Tokens,
    /// The last visit of each known user.
    pub visits: HashMap<String, Millis>,
    pub unions: HashMap<String, String>,
    /// Templates and their fields.
    pub templates: HashMap<String, Vec<String>>,
    /// Pages of the published version; none named means that any is taken.
    pub pages: BTreeSet<String>,
    pub credits: HashMap<(String, String), u32>,
    pub delivered: Vec<Delivered>,
    pub verdicts: Vec<Verdict>,
    pub limits: HashMap<String, usize>,
    pub seen: Vec<Seen>,
    /// A number in place of the documented string, as the documented example has it.
    pub country_is_number: bool,
    faults: HashMap<String, VecDeque<Fault>>,
    entered: Vec<(Millis, String)>,
    next: u64,
}

impl Book {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            logins: HashMap::new(),
            phones: HashMap::new(),
            tokens: Tokens::default(),
            visits: HashMap::new(),
            unions: HashMap::new(),
            templates: HashMap::new(),
            pages: BTreeSet::new(),
            credits: HashMap::new(),
            delivered: Vec::new(),
            verdicts: Vec::new(),
            limits: HashMap::from([(super::STABLE_TOKEN.to_owned(), 500_000)]),
            seen: Vec::new(),
            country_is_number: false,
            faults: HashMap::new(),
            entered: Vec::new(),
            next: 0,
        }
    }

    /// The moment now.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Bytes that no other call gets.
    pub fn fresh(&mut self) -> [u8; 32] {
        self.next += 1;
        Sha256::digest(format!("wechat {}", self.next)).into()
    }

    /// A text that no other call gets, as long as asked for, at most 64 characters.
    pub fn fresh_text(&mut self, length: usize) -> String {
        let mut text = hex::encode(self.fresh());
        text.truncate(length);
        text
    }

    /// The number of a call as errors name it.
    pub fn rid(&mut self) -> String {
        let seconds = self.now() / 1_000;
        let rest = self.fresh_text(16);
        format!("{seconds:08x}-{}-{}", &rest[..8], &rest[8..])
    }

    /// Whether this token may be used now.
    pub fn token(&self, query: &HashMap<String, String>) -> Result<(), Refusal> {
        match query.get("access_token").map(String::as_str) {
            None | Some("") => refuse(41_001),
            Some(token) => self.tokens.check(token, self.now()),
        }
    }

    /// Whether this user was here within two hours; an unknown one never was.
    pub fn visited(&self, openid: &str) -> Result<(), Refusal> {
        match self.visits.get(openid) {
            None => refuse(40_003),
            Some(at) if self.now() - at > VISIT_MS => refuse(61_010),
            Some(_) => Ok(()),
        }
    }

    /// One more login of this user, if the minute has room.
    pub fn enter(&mut self, openid: &str) -> Result<(), Refusal> {
        let now = self.now();
        self.entered.retain(|(at, _)| now - at < MINUTE_MS);
        let of_user = self.entered.iter().filter(|(_, who)| who == openid);
        if of_user.count() >= LOGINS_A_MINUTE {
            return refuse(45_011);
        }
        self.entered.push((now, openid.to_owned()));
        Ok(())
    }

    /// Whether the day has room for the call that was just written down.
    pub fn room(&self, path: &str) -> Result<(), Refusal> {
        let Some(limit) = self.limits.get(path) else {
            return Ok(());
        };
        let today = day_number(self.now());
        let of_today = |seen: &&Seen| seen.path == path && day_number(seen.at) == today;
        if self.seen.iter().filter(of_today).count() > *limit {
            return refuse(45_009);
        }
        Ok(())
    }

    /// One message for one consent.
    pub fn spend(&mut self, openid: &str, template: &str) -> Result<(), Refusal> {
        let key = (openid.to_owned(), template.to_owned());
        match self.credits.get_mut(&key) {
            Some(left) if *left > 0 => *left -= 1,
            _ => return refuse(43_101),
        }
        Ok(())
    }

    /// What is said of a text: the first word that it holds decides.
    pub fn judge(&self, text: &str) -> (String, i64) {
        let hit = self.verdicts.iter().find(|one| text.contains(&one.word));
        hit.map_or_else(
            || ("pass".to_owned(), 100),
            |one| (one.suggest.clone(), one.label),
        )
    }

    /// Orders a fault for calls to come, behind those ordered before.
    pub fn order(&mut self, path: &str, fault: Fault, times: usize) {
        let queue = self.faults.entry(path.to_owned()).or_default();
        queue.extend(std::iter::repeat_n(fault, times));
    }

    /// Forgets the faults ordered for a path.
    pub fn calm(&mut self, path: &str) {
        self.faults.remove(path);
    }

    /// The fault of the call that came in.
    pub fn fault(&mut self, path: &str) -> Option<Fault> {
        self.faults.get_mut(path).and_then(VecDeque::pop_front)
    }
}

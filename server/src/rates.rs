//! How often one sign-in, and one person over all their sign-ins, may ask.
//!
//! A request moves the moment at which its asker would have used up nothing; who is further ahead
//! of the clock than a burst waits. Nothing is queued: a phone keeps what it has and comes again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use xiangyi_proto::problem;

use crate::problem::ApiError;

/// Who is remembered: every social worker of the province with a phone and a page, some 2 MB. Those
/// who used up nothing make room first.
const KNOWN_MAX: usize = 16_384;
const MICROS: i64 = 1_000_000;

/// Bounds of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Requests of one sign-in at once. A first sync is some 40 pages, a worker's heaviest day 100
    /// photographs in 4 parts each and 50 pushes: 500 requests, and a fifth more.
    pub session_burst: u32,
    /// And then each second: a phone on 4G sends 5 parts of 64 KB a second.
    pub session_per_second: u32,
    /// The same over all sign-ins of a person: a phone, a page, and one more.
    pub person_burst: u32,
    pub person_per_second: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            session_burst: 600,
            session_per_second: 5,
            person_burst: 1_800,
            person_per_second: 15,
        }
    }
}

impl Rates {
    /// Whether none of them is nothing: nobody could sign out again.
    pub const fn are_some(&self) -> bool {
        self.session_burst > 0
            && self.session_per_second > 0
            && self.person_burst > 0
            && self.person_per_second > 0
    }
}

/// A burst and what comes back each second.
#[derive(Debug, Clone, Copy)]
struct Bound {
    burst: u32,
    per_second: u32,
}

impl Bound {
    fn cost(self) -> i64 {
        MICROS / i64::from(self.per_second)
    }

    /// The moment up to which `used` is used up after one more request at `now`, or how many
    /// microseconds to wait.
    fn take(self, used: i64, now: i64) -> Result<i64, i64> {
        let after = used.max(now) + self.cost();
        let ahead = after - now - self.cost() * i64::from(self.burst);
        if ahead > 0 { Err(ahead) } else { Ok(after) }
    }
}

/// Who has asked how often, in the memory of this node.
#[derive(Debug)]
pub struct Tally {
    session: Bound,
    person: Bound,
    /// Sessions and persons, whose ids never meet: when what they used up is back, in microseconds.
    used: Mutex<HashMap<String, i64>>,
}

impl Tally {
    /// Nobody has asked.
    pub fn new(rates: Rates) -> Self {
        Self {
            session: Bound {
                burst: rates.session_burst,
                per_second: rates.session_per_second,
            },
            person: Bound {
                burst: rates.person_burst,
                per_second: rates.person_per_second,
            },
            used: Mutex::default(),
        }
    }

    /// Counts a request of a sign-in, before it is known whether that still holds: tokens of ended
    /// sessions use up what is theirs and nothing of the person's.
    ///
    /// # Errors
    /// As `count`.
    pub fn of_session(&self, session: &str, now: i64) -> Result<(), ApiError> {
        self.one(self.session, session, now)
    }

    /// Counts a request of a person whose sign-in holds.
    ///
    /// # Errors
    /// As `count`.
    pub fn of_person(&self, person: &str, now: i64) -> Result<(), ApiError> {
        self.one(self.person, person, now)
    }

    fn one(&self, bound: Bound, key: &str, now: i64) -> Result<(), ApiError> {
        let now = now * 1_000;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let after = bound.take(used.get(key).copied().unwrap_or(0), now);
        let after = after.map_err(too_often)?;
        let is_full = is_full(&mut used, now);
        put(&mut used, key, after, is_full);
        Ok(())
    }

    /// Counts a request at `now` (Unix milliseconds).
    ///
    /// # Errors
    /// When it is one too many, with how long to wait; it is not counted then.
    pub fn count(&self, session: &str, person: &str, now: i64) -> Result<(), ApiError> {
        let now = now * 1_000;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |key: &str| used.get(key).copied().unwrap_or(0);
        let session_after = self.session.take(of(session), now);
        let person_after = self.person.take(of(person), now);
        let (session_after, person_after) = match (session_after, person_after) {
            (Ok(session), Ok(person)) => (session, person),
            (one, other) => {
                return Err(too_often(one.err().max(other.err()).unwrap_or(0)));
            }
        };
        let is_full = is_full(&mut used, now);
        put(&mut used, session, session_after, is_full);
        put(&mut used, person, person_after, is_full);
        Ok(())
    }
}

fn too_often(wait: i64) -> ApiError {
    ApiError::new(problem::THROTTLED).retry((wait + 999) / 1_000)
}

/// Whether there is no room for a newcomer, who then passes uncounted: nobody is forgiven for
/// another.
fn is_full(used: &mut HashMap<String, i64>, now: i64) -> bool {
    if used.len() + 2 > KNOWN_MAX {
        used.retain(|_, until| *until > now);
    }
    used.len() + 2 > KNOWN_MAX
}

/// Without a new text for who is known already.
fn put(used: &mut HashMap<String, i64>, key: &str, until: i64, is_full: bool) {
    match used.get_mut(key) {
        Some(place) => *place = until,
        None if is_full => {}
        None => drop(used.insert(key.to_owned(), until)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Tally {
        Tally::new(Rates {
            session_burst: 3,
            session_per_second: 2,
            person_burst: 4,
            person_per_second: 4,
        })
    }

    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let asked = asked();
        for _ in 0..3 {
            asked.count("s", "p", 1_000).expect("within the burst");
        }
        asked.count("s", "p", 1_000).expect_err("one too many");
        asked.count("s", "p", 1_499).expect_err("not yet");
        asked.count("s", "p", 1_500).expect("one is back");
        asked.count("s", "p", 1_500).expect_err("and only one");
        for _ in 0..3 {
            asked.count("s", "p", 60_000).expect("all are back");
        }
        asked
            .count("s", "p", 60_000)
            .expect_err("and no more than that");
    }

    #[test]
    fn a_person_is_bounded_over_all_their_sessions_and_nobody_for_another() {
        let asked = asked();
        for session in ["a", "a", "b", "b"] {
            asked.count(session, "p", 0).expect("within both");
        }
        asked
            .count("c", "p", 0)
            .expect_err("the person's burst is used up");
        asked.count("d", "q", 0).expect("somebody else");
    }

    #[test]
    fn those_who_used_up_nothing_make_room_and_who_waits_still_waits() {
        let asked = asked();
        for _ in 0..3 {
            asked.count("s", "p", 0).expect("within the burst");
        }
        for number in 0..KNOWN_MAX {
            let (session, person) = (format!("s{number}"), format!("p{number}"));
            asked.count(&session, &person, 0).expect("a first request");
        }
        let known = || asked.used.lock().expect("no panic").len();
        assert!(
            (KNOWN_MAX - 2..=KNOWN_MAX).contains(&known()),
            "{}",
            known()
        );
        asked.count("s", "p", 0).expect_err("it still waits");
        asked.count("new", "newer", 60_000).expect("all are back");
        assert_eq!(known(), 2);
    }
}

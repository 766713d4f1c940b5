//! Access tokens of `/cgi-bin/stable_token`: which one is given, and which ones are still good.
//!
//! At most two are good at once. The normal mode gives the same token until five minutes before
//! its end; then a new one, and for five minutes both are good. The forced mode makes a new one,
//! unless the last forced one is less than thirty seconds old; a second forced one ends the first
//! token at once, which is the documented way to be rid of a leaked one.

use xiangyi_proto::time::{MINUTE_MS, Millis, day_number};

use super::replies::{Refusal, refuse};

/// How long a token lives.
const LIFE_MS: i64 = 7_200_000;
/// Before its end a token is replaced, and for as long both are good.
const OVERLAP_MS: i64 = 5 * MINUTE_MS;
/// Forced ones need this distance, or nothing is made.
const FORCED_GAP_MS: i64 = 30_000;
/// Forced ones a day.
const FORCED_A_DAY: usize = 20;

#[derive(Debug)]
struct Token {
    text: String,
    /// When it ends by itself.
    expires: Millis,
    /// When it ends because another took its place.
    replaced: Option<Millis>,
}

/// Every token made so far, the newest last.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    list: Vec<Token>,
    forced: Vec<Millis>,
}

impl Tokens {
    /// The token to give and for how many seconds it is good.
    pub fn give(&mut self, now: Millis, force: bool) -> Result<(String, i64), Refusal> {
        if force && self.may_force(now)? {
            self.forced.push(now);
            self.renew(now);
        } else if !self.current_lasts(now) {
            self.renew(now);
        }
        let current = self.list.last().expect("one was just made or lasts");
        Ok((current.text.clone(), (current.expires - now) / 1_000))
    }

    /// Whether this token may be used now.
    pub fn check(&self, text: &str, now: Millis) -> Result<(), Refusal> {
        let Some(token) = self.list.iter().find(|token| token.text == text) else {
            return refuse(40_001);
        };
        if now < token.replaced.unwrap_or(token.expires) {
            return Ok(());
        }
        refuse(if now < token.expires { 40_001 } else { 42_001 })
    }

    /// Somebody else who knows the secret forced twice: nothing given so far is good.
    pub fn taken_over(&mut self, now: Millis) {
        self.renew(now);
        self.renew(now);
    }

    /// How many were made.
    pub fn made(&self) -> usize {
        self.list.len()
    }

    fn may_force(&self, now: Millis) -> Result<bool, Refusal> {
        let today = |at: &&Millis| day_number(**at) == day_number(now);
        if self.forced.iter().filter(today).count() >= FORCED_A_DAY {
            return refuse(45_009);
        }
        let last = self.forced.last();
        Ok(last.is_none_or(|last| now - last >= FORCED_GAP_MS))
    }

    fn current_lasts(&self, now: Millis) -> bool {
        let current = self.list.last();
        current.is_some_and(|token| token.expires - now > OVERLAP_MS)
    }

    fn renew(&mut self, now: Millis) {
        let newest = self.list.len().saturating_sub(1);
        for (index, token) in self.list.iter_mut().enumerate() {
            let end = token.replaced.unwrap_or(token.expires);
            let was_good = now < end;
            let overlap = if index == newest { OVERLAP_MS } else { 0 };
            if was_good {
                token.replaced = Some(now + overlap);
            }
        }
        self.list.push(Token {
            text: text(self.list.len() + 1),
            expires: now + LIFE_MS,
            replaced: None,
        });
    }
}

/// A token as long as the documentation asks one to make room for.
fn text(number: usize) -> String {
    format!("{number}_{}", "Zt-0_".repeat(110))
        .chars()
        .take(512)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{FORCED_A_DAY, MINUTE_MS, Tokens};

    const START: i64 = 1_768_442_400_000;

    fn code(tokens: &Tokens, text: &str, at: i64) -> i64 {
        tokens
            .check(text, at)
            .map_or_else(|refusal| refusal.code, |()| 0)
    }

    #[test]
    fn the_normal_mode_gives_the_same_until_five_minutes_before_the_end() {
        let mut tokens = Tokens::default();
        let (first, seconds) = tokens.give(START, false).expect("given");
        assert_eq!((seconds, first.len()), (7_200, 512));
        let late = START + 114 * MINUTE_MS;
        let (same, seconds) = tokens.give(late, false).expect("given");
        assert_eq!((&same, seconds), (&first, 360));
        let later = START + 116 * MINUTE_MS;
        let (second, seconds) = tokens.give(later, false).expect("given");
        assert!(second != first && seconds == 7_200);
        assert_eq!(code(&tokens, &first, later + 5 * MINUTE_MS - 1), 0);
        assert_eq!(code(&tokens, &first, later + 5 * MINUTE_MS), 42_001);
        assert_eq!(code(&tokens, &second, later + 5 * MINUTE_MS), 0);
        assert_eq!(code(&tokens, &second, later + 120 * MINUTE_MS), 42_001);
        assert_eq!(code(&tokens, "made up", later), 40_001);
    }

    #[test]
    fn one_forced_leaves_five_minutes_and_a_second_none() {
        let mut tokens = Tokens::default();
        let (leaked, _) = tokens.give(START, false).expect("given");
        let (first, _) = tokens.give(START, true).expect("given");
        assert_eq!(code(&tokens, &leaked, START + 5 * MINUTE_MS - 1), 0);
        assert_eq!(code(&tokens, &leaked, START + 5 * MINUTE_MS), 40_001);
        let (soon, _) = tokens.give(START + 29_999, true).expect("given");
        assert_eq!(soon, first, "too soon makes nothing");
        let (second, _) = tokens.give(START + 30_000, true).expect("given");
        assert_ne!(second, first);
        assert_eq!(code(&tokens, &leaked, START + 30_000), 40_001);
        assert_eq!(code(&tokens, &first, START + 30_000), 0);
    }

    #[test]
    fn twenty_forced_a_day_and_the_normal_mode_goes_on() {
        let mut tokens = Tokens::default();
        for number in 0..FORCED_A_DAY {
            let at = START + 60_000 * i64::try_from(number).expect("small");
            tokens.give(at, true).expect("given");
        }
        let at = START + 30 * MINUTE_MS;
        let refused = tokens.give(at, true).expect_err("the twenty-first");
        assert_eq!(refused.code, 45_009);
        tokens
            .give(at, false)
            .expect("the normal mode is not counted");
        tokens
            .give(at + 24 * 60 * MINUTE_MS, true)
            .expect("another day");
    }

    #[test]
    fn taken_over_means_that_nothing_given_is_good() {
        let mut tokens = Tokens::default();
        let (ours, _) = tokens.give(START, false).expect("given");
        tokens.taken_over(START);
        assert_eq!(code(&tokens, &ours, START), 40_001);
        let (theirs, _) = tokens.give(START, false).expect("given");
        assert_eq!(code(&tokens, &theirs, START), 0);
    }
}

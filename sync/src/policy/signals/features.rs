//! What of a text the weights look at: its letters in short runs, and its words by their class.
//!
//! Runs of one to three letters and pairs with one letter between, each within a clause; classes of
//! words (who acts, what is done, to what, and whether it is denied, told or asked), alone, first
//! in their clause, two and three in a row. Each feature is a number made from what it stands for,
//! so that no list of them has to be kept, and has a place in the text, so that it can be shown.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::policy::mentions::{CLAUSE_END, levelled};

/// Open and close a clause; no text holds them once it is levelled.
const OPENS: u32 = 2;
const CLOSES: u32 = 3;

/// Sorts of features, as seeds of their numbers.
const SKIP: u32 = 8;
const CLASS: u32 = 16;
const FIRST: u32 = 17;

/// A feature of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    pub number: u32,
    /// A class of words, rather than letters.
    pub is_class: bool,
    /// Where it stands in the text, in bytes.
    pub at: Range<usize>,
}

/// A text as features are read from it: levelled, with every digit the same.
pub fn plain(text: &str) -> String {
    of_level(&levelled(text))
}

/// The same of a text that is levelled already.
pub fn of_level(level: &[char]) -> String {
    let digits = |c: &char| if c.is_ascii_digit() { '0' } else { *c };
    let mut plain = String::with_capacity(level.len() * 3);
    plain.extend(level.iter().map(digits));
    plain
}

/// Classes of words.
#[derive(Debug)]
pub struct Classes {
    /// The number of each pattern's class.
    numbers: Vec<u32>,
    machine: AhoCorasick,
}

impl Classes {
    /// Classes by name; a word that two classes claim belongs to the later one.
    pub fn new(words: &BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let mut patterns: BTreeMap<String, u32> = BTreeMap::new();
        for (name, words) in words {
            let number = name.chars().fold(CLASS, |all, c| mix(all, c as u32));
            for word in words {
                let folded = plain(word);
                if folded.is_empty() || folded.contains(CLAUSE_END) {
                    return Err(format!("word {word:?} of {name} is empty or spans clauses"));
                }
                patterns.insert(folded, number);
            }
        }
        let machine = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns.keys());
        let machine = machine.map_err(|error| error.to_string())?;
        let numbers = patterns.into_values().collect();
        Ok(Self { numbers, machine })
    }

    /// Every feature of a plain text, repeats included.
    pub fn features(&self, plain: &str, take: &mut impl FnMut(Feature)) {
        let mut letters = Vec::with_capacity(plain.len() / 3 + 2);
        let mut start = 0;
        for clause in plain.split(CLAUSE_END) {
            if !clause.is_empty() {
                runs(clause, start, &mut letters, take);
            }
            start += clause.len() + CLAUSE_END.len_utf8();
        }
        self.classes(plain, take);
    }

    fn classes(&self, plain: &str, take: &mut impl FnMut(Feature)) {
        // The class and the place of the two words before, in the same clause.
        let mut before: [Option<(u32, usize)>; 2] = [None, None];
        let mut end = 0;
        for found in self.machine.find_iter(plain) {
            let class = self.numbers[found.pattern().as_usize()];
            if plain[end..found.start()].contains(CLAUSE_END) {
                before = [None, None];
            }
            end = found.end();
            let mut give = |number: u32, from: usize| {
                let at = from..found.end();
                take(Feature {
                    number: settled(number),
                    is_class: true,
                    at,
                });
            };
            give(mix(CLASS, class), found.start());
            match before {
                [None, _] => give(mix(FIRST, class), found.start()),
                [Some((one, from)), two] => {
                    give(mix(mix(FIRST + 1, one), class), from);
                    if let Some((two, from)) = two {
                        give(mix(mix(mix(FIRST + 2, two), one), class), from);
                    }
                }
            }
            before = [Some((class, found.start())), before[0]];
        }
    }
}

/// The runs of a clause that begins at a byte of the text.
fn runs(
    clause: &str,
    start: usize,
    letters: &mut Vec<(u32, usize)>,
    take: &mut impl FnMut(Feature),
) {
    letters.clear();
    letters.push((OPENS, start));
    letters.extend(clause.char_indices().map(|(at, c)| (c as u32, start + at)));
    letters.push((CLOSES, start + clause.len()));
    // Where the letter after the last ends: the end of the clause.
    let end = |index: usize| {
        letters
            .get(index + 1)
            .map_or(start + clause.len(), |next| next.1)
    };
    let mut give = |number: u32, from: usize, last: usize| {
        let at = letters[from].1..end(last);
        take(Feature {
            number: settled(number),
            is_class: false,
            at,
        });
    };
    for (index, &(letter, _)) in letters.iter().enumerate() {
        if letter != OPENS && letter != CLOSES {
            give(mix(1, letter), index, index);
        }
        let Some(&(second, _)) = letters.get(index + 1) else {
            break;
        };
        give(mix(mix(2, letter), second), index, index + 1);
        let Some(&(third, _)) = letters.get(index + 2) else {
            continue;
        };
        give(mix(mix(mix(3, letter), second), third), index, index + 2);
        give(mix(mix(SKIP, letter), third), index, index + 2);
    }
}

/// One step of the FNV-1a hash over a code point; the same in 32-bit arithmetic everywhere.
const fn mix(all: u32, part: u32) -> u32 {
    (all ^ part).wrapping_mul(0x0100_0193).rotate_left(5)
}

/// Spreads a number over all its bits (the last step of MurmurHash3).
const fn settled(mut number: u32) -> u32 {
    number ^= number >> 16;
    number = number.wrapping_mul(0x85eb_ca6b);
    number ^= number >> 13;
    number = number.wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}

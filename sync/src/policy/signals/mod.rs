//! Text signals by learned weights: whether a text says that its writer did what a group names.
//!
//! Per group two sums over the features of a text: a wide gate (is this the group's matter at all)
//! and a decider (did the writer do it, or somebody else; was it denied, told, asked, planned). A
//! group is mentioned where both pass their limit, which grows with the number of features. All in
//! whole numbers, so that phone and server answer alike. The weights come from `make train`; a pack
//! names them by their digest. What follows from a mention is the rules' business.

mod features;
mod file;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use super::mentions::is_letter;
pub use features::{Classes, Feature, of_level, plain};
pub use file::{Frame, Group, written};

/// Groups of one table: gates and deciders share one row of sums.
pub const GROUPS_MAX: usize = 32;
/// Sums of one text: a gate and a decider a group.
const SUMS: usize = 2 * GROUPS_MAX;
/// A limit grows by this many thousandths and more, see [`Signals::reach`].
const WHOLE: i64 = 1_024;
/// Steps of the length of a text: features count 2, classes of words 1, and 16 make a step.
pub const STEP: usize = 16;
/// Letters below which weights are not asked: nobody who wrote what they were learned from said a
/// whole thing in fewer, and a remark such as a reason for no fix is none. Phrases still count.
const LETTERS_MIN: usize = 8;
/// Bits that say whether a number may be known: 64 KiB, which stays near the processor.
const KNOWN_BITS: usize = 1 << 19;
/// The weights that ship with the programme.
static SHIPPED: LazyLock<Result<Arc<Signals>, String>> =
    LazyLock::new(|| Signals::read(xiangyi_proto::pack::SIGNALS).map(Arc::new));

/// Learned weights, ready to decide.
#[derive(Debug)]
pub struct Signals {
    /// SHA-256 of the file, in hex.
    pub digest: String,
    pub groups: Vec<Group>,
    frame: Frame,
    classes: Classes,
    /// A bit for each known number's low bits: most features of a text end here.
    known: Vec<u64>,
    /// Open addressing: the numbers of features, and the rows of their weights; a power of two.
    slots: Vec<Slot>,
    /// Two weights a group, by row.
    weights: Vec<i8>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    number: u32,
    /// One more than the row; nothing is here when it is 0.
    row: u32,
}

/// The sums of a text.
#[derive(Debug, Clone)]
pub struct Sums {
    sums: [i32; SUMS],
    /// Known features, classes of words counting one and runs of letters two.
    size: usize,
}

/// A feature that spoke for or against a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoke {
    pub at: Range<usize>,
    /// The weight in the gate and in the decider.
    pub gate: i32,
    pub decide: i32,
}

/// The weights that ship with the programme.
pub fn shipped() -> Result<Arc<Signals>, String> {
    SHIPPED.clone()
}

impl Signals {
    /// The place of a group.
    pub fn group(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name == name)
    }

    /// The sums of a plain text.
    pub fn sums(&self, plain: &str) -> Sums {
        let mut sums = Sums {
            sums: [0; SUMS],
            size: 0,
        };
        let mut seen = vec![0_u64; self.rows().div_ceil(64)];
        self.classes.features(plain, &mut |feature| {
            if let Some(row) = self.row(feature.number) {
                let (word, bit) = (&mut seen[row / 64], 1 << (row % 64));
                if *word & bit == 0 {
                    *word |= bit;
                    sums.size += if feature.is_class { 1 } else { 2 };
                    for (sum, weight) in sums.sums.iter_mut().zip(self.of_row(row)) {
                        *sum += i32::from(*weight);
                    }
                }
            }
        });
        sums
    }

    /// By how much the gate and the decider of a group pass their limits; both positive when the
    /// group is mentioned.
    pub fn margins(&self, sums: &Sums, group: usize) -> (i64, i64) {
        let reach = self.reach(sums);
        let limits = &self.groups[group];
        let margin = |sum: i32, limit: i32| i64::from(sum) * WHOLE - i64::from(limit) * reach;
        (
            margin(sums.sums[2 * group], limits.gate),
            margin(sums.sums[2 * group + 1], limits.decide),
        )
    }

    /// Says whether a plain text is long enough for weights to be asked.
    pub fn asks(plain: &str) -> bool {
        let letters = plain.chars().filter(|c| is_letter(*c));
        letters.take(LETTERS_MIN).count() >= LETTERS_MIN
    }

    /// The groups that a plain text mentions, one bit each.
    pub fn mentioned(&self, plain: &str) -> u64 {
        if !Self::asks(plain) {
            return 0;
        }
        let sums = self.sums(plain);
        let groups = 0..self.groups.len();
        let said = groups.filter(|group| {
            let (gate, decide) = self.margins(&sums, *group);
            gate > 0 && decide > 0
        });
        said.fold(0, |set, group| set | 1 << group)
    }

    /// The features of a plain text that spoke for or against a group, the loudest first.
    pub fn spoke(&self, plain: &str, group: usize) -> Vec<Spoke> {
        let mut spoke: Vec<(usize, Spoke)> = Vec::new();
        self.classes.features(plain, &mut |feature| {
            if let Some(row) = self.row(feature.number)
                && spoke.iter().all(|(known, _)| *known != row)
            {
                let weights = self.of_row(row);
                let (gate, decide) = (weights[2 * group], weights[2 * group + 1]);
                let (gate, decide, at) = (i32::from(gate), i32::from(decide), feature.at);
                spoke.push((row, Spoke { at, gate, decide }));
            }
        });
        let mut spoke: Vec<Spoke> = spoke.into_iter().map(|(_, spoke)| spoke).collect();
        spoke.sort_by_key(|spoke| (-(spoke.gate.abs() + spoke.decide.abs()), spoke.at.start));
        spoke
    }

    fn rows(&self) -> usize {
        self.weights.len() / (2 * self.groups.len()).max(1)
    }

    fn of_row(&self, row: usize) -> &[i8] {
        let wide = 2 * self.groups.len();
        &self.weights[row * wide..(row + 1) * wide]
    }

    fn row(&self, number: u32) -> Option<usize> {
        let bit = number as usize % KNOWN_BITS;
        if self.known[bit / 64] >> (bit % 64) & 1 == 0 {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = number as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.row == 0 {
                return None;
            }
            if slot.number == number {
                return Some(slot.row as usize - 1);
            }
            at = (at + 1) & mask;
        }
    }

    /// How far limits reach for a text with these sums, in 1/1024: long texts gather more.
    pub fn reach(&self, sums: &Sums) -> i64 {
        let step = (sums.size / STEP).min(self.frame.reach.len() - 1);
        i64::from(self.frame.reach[step])
    }
}

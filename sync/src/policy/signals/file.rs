//! The file of the weights: a line of JSON that frames them, the numbers of the features, one row
//! of weights each.
//!
//! `XIANGYI-SIGNALS 1\n`, the frame's length as four bytes, the frame, then each feature's number
//! as four bytes in rising order, then for each feature two signed bytes a group: gate, decider.
//! Numbers are little-endian.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Classes, GROUPS_MAX, KNOWN_BITS, Signals, Slot};

const HEAD: &[u8] = b"XIANGYI-SIGNALS 1\n";
/// Features of a file: sixteen times those of the shipped one leave room to grow.
const FEATURES_MAX: usize = 1 << 20;

/// What stands before the weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// SHA-256 of the notes and words that the weights were learned from, in hex.
    pub learned_from: String,
    /// Classes of words, by name.
    pub words: BTreeMap<String, Vec<String>>,
    pub groups: Vec<Group>,
    /// How far limits reach by the size of a text, in 1/1024.
    pub reach: Vec<i32>,
    pub features: usize,
}

/// A group of signals: the name of a lexicon, and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub name: String,
    pub gate: i32,
    pub decide: i32,
}

impl Signals {
    /// Reads a file; what is wrong with it is told.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let short = || "the file of the weights ends too early".to_owned();
        let rest = bytes
            .strip_prefix(HEAD)
            .ok_or("this is no file of weights")?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (frame, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        let frame: Frame = serde_json::from_slice(frame).map_err(|error| error.to_string())?;
        if frame.groups.is_empty() || frame.groups.len() > GROUPS_MAX || frame.reach.is_empty() {
            return Err(format!("between 1 and {GROUPS_MAX} groups, and a reach"));
        }
        if frame.features > FEATURES_MAX {
            return Err(format!("more than {FEATURES_MAX} features"));
        }
        let (numbers, weights) = rest
            .split_at_checked(4 * frame.features)
            .ok_or_else(short)?;
        if weights.len() != frame.features * 2 * frame.groups.len() {
            return Err("the weights do not match their number".to_owned());
        }
        let numbers = numbers.as_chunks::<4>().0.iter();
        let numbers: Vec<u32> = numbers.map(|four| u32::from_le_bytes(*four)).collect();
        if !numbers.is_sorted_by(|a, b| a < b) {
            return Err("the numbers of the features do not rise".to_owned());
        }
        Ok(Self {
            digest: hex::encode(Sha256::digest(bytes)),
            groups: frame.groups.clone(),
            classes: Classes::new(&frame.words)?,
            known: known(&numbers),
            slots: slots(&numbers),
            weights: weights.iter().map(|byte| byte.cast_signed()).collect(),
            frame,
        })
    }

    /// SHA-256 of what the weights were learned from, in hex.
    pub fn learned_from(&self) -> &str {
        &self.frame.learned_from
    }
}

/// The file of these weights; rows are sorted by their feature's number.
pub fn written(frame: &Frame, rows: &[(u32, Vec<i8>)]) -> Vec<u8> {
    let head = serde_json::to_vec(frame).expect("a frame is JSON");
    let length = u32::try_from(head.len()).expect("a frame is short");
    let mut bytes = [HEAD, &length.to_le_bytes(), &head].concat();
    bytes.extend(rows.iter().flat_map(|(number, _)| number.to_le_bytes()));
    let weights = rows.iter().flat_map(|(_, weights)| weights);
    bytes.extend(weights.map(|weight| weight.cast_unsigned()));
    bytes
}

fn known(numbers: &[u32]) -> Vec<u64> {
    let mut known = vec![0_u64; KNOWN_BITS / 64];
    for number in numbers {
        let bit = *number as usize % KNOWN_BITS;
        known[bit / 64] |= 1 << (bit % 64);
    }
    known
}

fn slots(numbers: &[u32]) -> Vec<Slot> {
    let size = (numbers.len() + numbers.len() / 4 + 1).next_power_of_two();
    let mut slots = vec![Slot { number: 0, row: 0 }; size];
    for (row, number) in (1_u32..).zip(numbers) {
        let mut at = *number as usize & (size - 1);
        while slots[at].row != 0 {
            at = (at + 1) & (size - 1);
        }
        slots[at] = Slot {
            number: *number,
            row,
        };
    }
    slots
}

//! Sums: per stream and kind, the number of live rows and two 32-bit sums over (id, rev).
//!
//! Kept incrementally with every write; a phone that counts differently resets that stream.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

const MODULUS: i64 = 1 << 32;
const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

/// What one stream holds of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub live: i64,
    pub sum1: i64,
    pub sum2: i64,
}

impl Sum {
    /// Counts a row in.
    pub fn add(&mut self, id: Uuid, rev: i64) {
        self.shift(id, rev, 1);
    }

    /// Counts a row out.
    pub fn take(&mut self, id: Uuid, rev: i64) {
        self.shift(id, rev, -1);
    }

    /// Adds a difference.
    pub fn merge(&mut self, other: Self) {
        self.live += other.live;
        self.sum1 = (self.sum1 + other.sum1).rem_euclid(MODULUS);
        self.sum2 = (self.sum2 + other.sum2).rem_euclid(MODULUS);
    }

    fn shift(&mut self, id: Uuid, rev: i64, by: i64) {
        let (first, second) = hashes(id, rev);
        self.live += by;
        self.sum1 = (self.sum1 + by * i64::from(first)).rem_euclid(MODULUS);
        self.sum2 = (self.sum2 + by * i64::from(second)).rem_euclid(MODULUS);
    }
}

/// CRC-32 and FNV-1a (32 bits) of the id's 16 bytes followed by the rev's 8, big-endian.
fn hashes(id: Uuid, rev: i64) -> (u32, u32) {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(id.as_bytes());
    bytes[16..].copy_from_slice(&rev.to_be_bytes());
    let fnv = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME);
    (crc32fast::hash(&bytes), bytes.iter().fold(FNV_OFFSET, fnv))
}

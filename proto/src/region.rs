//! Region and unit codes: GB/T 2260 and statistical codes as text; scope is a code prefix.

use crate::ids::Shard;

/// Digits of a county code; the shard of everything below it.
pub const COUNTY_DIGITS: usize = 6;
/// Digits of a township code, which is also its station's unit code.
pub const TOWNSHIP_DIGITS: usize = 9;
/// Digits of a village code.
pub const VILLAGE_DIGITS: usize = 12;

/// Says whether `code` is a well-formed region code of any level.
pub fn is_code(code: &str) -> bool {
    matches!(code.len(), 2 | 4 | 6 | 9 | 12) && code.bytes().all(|b| b.is_ascii_digit())
}

/// The shard a unit belongs to: its first six digits, or itself when shorter.
pub fn shard_of(unit: &str) -> Option<Shard> {
    if !is_code(unit) {
        return None;
    }
    let digits = &unit[..unit.len().min(COUNTY_DIGITS)];
    digits.parse().ok().map(Shard)
}

/// Says whether `code` lies inside the region `prefix` (or is it).
pub fn within(code: &str, prefix: &str) -> bool {
    is_code(prefix) && code.starts_with(prefix)
}

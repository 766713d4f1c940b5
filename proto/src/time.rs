//! Time: Unix milliseconds everywhere; days, months and pack dates in UTC+8.

use serde::{Deserialize, Serialize};

/// A moment, Unix milliseconds.
pub type Millis = i64;
/// China's offset from UTC; it has had no summer time since 1991.
pub const UTC_PLUS_8_MS: i64 = 8 * 3_600_000;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60_000;

/// Number of the day in UTC+8, counted from 1970-01-01.
pub const fn day_number(at: Millis) -> i64 {
    (at + UTC_PLUS_8_MS).div_euclid(DAY_MS)
}

/// First moment of the day in UTC+8 that has the number `day`.
pub const fn day_start(day: i64) -> Millis {
    day * DAY_MS - UTC_PLUS_8_MS
}

/// The day as `YYYY-MM-DD` in UTC+8 (civil-from-days, proleptic Gregorian).
pub fn day_text(at: Millis) -> String {
    let z = day_number(at) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The number of the day written `YYYY-MM-DD`, if it is one.
pub fn day_of_text(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || y.len() != 4 || m.len() != 2 || d.len() != 2 {
        return None;
    }
    let (y, m, d): (i64, i64, i64) = (y.parse().ok()?, m.parse().ok()?, d.parse().ok()?);
    if !(1..=12).contains(&m) || !(1..=31).contains(&d) {
        return None;
    }
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    (day_text(day_start(days)) == text).then_some(days)
}

/// How far an estimated act time can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeQuality {
    /// Same boot session: received time less the monotonic distance.
    Monotonic,
    /// The phone's clock corrected by its measured offset.
    Offset,
    /// The phone's clock as it stood.
    Claimed,
    /// Still ahead after correction; judged at receipt.
    Impossible,
}

impl TimeQuality {
    /// The stored number.
    pub const fn number(self) -> i64 {
        match self {
            Self::Monotonic => 0,
            Self::Offset => 1,
            Self::Claimed => 2,
            Self::Impossible => 3,
        }
    }

    /// The quality of a stored number; unknown numbers are the least trusted.
    pub const fn of_number(n: i64) -> Self {
        match n {
            0 => Self::Monotonic,
            1 => Self::Offset,
            2 => Self::Claimed,
            _ => Self::Impossible,
        }
    }
}

//! When something really happened: three clocks, none of them trusted alone.
//!
//! Only rules and screens use these times; order is always the shard's counter.

use xiangyi_proto::exchange::{Mutation, PhoneClock};
use xiangyi_proto::limits::AHEAD_MINUTES_MAX;
use xiangyi_proto::time::{MINUTE_MS, Millis, TimeQuality};

/// The end of 2099; no clock on a phone is right beyond it.
const CENTURY_END: Millis = 4_102_444_799_999;

/// An estimated moment and how far to trust it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    pub at: Millis,
    pub quality: TimeQuality,
    /// What to add to other times of the same body.
    pub shift_ms: i64,
}

/// Estimates when a mutation's act took place.
pub fn estimate(mutation: &Mutation, clock: Option<&PhoneClock>, received_at: Millis) -> Estimate {
    let claimed = mutation.occurred_at.unwrap_or(received_at);
    let monotonic = || {
        let clock = clock?;
        let (now, at) = (clock.monotonic_ms?, mutation.monotonic_ms?);
        let same_boot = mutation.boot.is_none() || mutation.boot == clock.boot;
        (same_boot && now >= at).then(|| received_at.saturating_sub(now.saturating_sub(at)))
    };
    // An act without a claimed time has none to correct: it is judged at its receipt.
    let offset = || Some(mutation.occurred_at?.saturating_add(clock?.offset_ms?));
    let (at, quality) = if let Some(at) = monotonic() {
        (at, TimeQuality::Monotonic)
    } else if let Some(at) = offset() {
        (at, TimeQuality::Offset)
    } else {
        (claimed, TimeQuality::Claimed)
    };
    // Clocks that say more than a century are broken; what follows must stay countable.
    let at = at.clamp(0, CENTURY_END);
    Estimate {
        at,
        quality,
        shift_ms: at.saturating_sub(claimed),
    }
}

/// Says whether a moment is still ahead of its receipt by more than clocks may differ.
pub fn is_ahead(at: Millis, received_at: Millis) -> bool {
    at > received_at.saturating_add(AHEAD_MINUTES_MAX * MINUTE_MS)
}

/// The estimate as it is judged: a claimed time that lies ahead is impossible and judged at
/// receipt; a corrected time that lies ahead stays, for the rule to refuse.
pub fn settle(estimate: Estimate, received_at: Millis) -> Estimate {
    if estimate.quality == TimeQuality::Claimed && is_ahead(estimate.at, received_at) {
        let shift_ms = estimate.shift_ms + received_at - estimate.at;
        return Estimate {
            at: received_at,
            quality: TimeQuality::Impossible,
            shift_ms,
        };
    }
    estimate
}

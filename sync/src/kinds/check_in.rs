//! Check-ins: the fix must be believable as a point; the rest is recorded, never refused.

use serde_json::Value;
use xiangyi_proto::time::HOUR_MS;

use super::{Rules, counted, village_within};
use crate::check::Faults;
use crate::effects::{RollupDelta, RollupKey};
use crate::geo;
use crate::world::{Admitted, Env, Record, World};

/// A check-in received within this time of its act counts as live: a retry on 2G takes minutes.
const LIVE_MS: i64 = 10 * 60_000;
/// China's extent in degrees × 10⁷, with a margin.
const LAT_E7: std::ops::RangeInclusive<i64> = 30_000_000..=540_000_000;
const LNG_E7: std::ops::RangeInclusive<i64> = 730_000_000..=1_360_000_000;

pub struct CheckIn;

impl Rules for CheckIn {
    fn check(&self, item: &Admitted, body: &Value, faults: &mut Faults) {
        village_within(
            item,
            body.pointer("/place/village"),
            "/place/village",
            faults,
        );
        let e7 = |at: &str| body.pointer(at).and_then(Value::as_i64);
        if let (Some(lat), Some(lng)) = (e7("/fix/lat_e7"), e7("/fix/lng_e7")) {
            if lat == 0 && lng == 0 {
                faults.add("/fix", "fix-zero");
            } else if LAT_E7.contains(&lng) && LNG_E7.contains(&lat) {
                faults.add("/fix", "fix-swapped");
            } else if !LAT_E7.contains(&lat) || !LNG_E7.contains(&lng) {
                faults.add("/fix", "fix-outside");
            }
        }
    }

    fn derive(&self, record: &mut Record, _world: &World, env: &Env<'_>) {
        let village = record.text("/place/village").map(str::to_owned);
        let home = village.as_ref().and_then(|code| env.places.get(code));
        let fence = match (geo::fix_of(&record.body), home) {
            (Some((fix, accuracy)), Some((lat, lng))) => {
                let centre = geo::Wgs84 {
                    lat: *lat as f64 / 1e7,
                    lng: *lng as f64 / 1e7,
                };
                let distance = geo::metres(fix, centre);
                record.derive("distance_m", distance.round() as i64);
                geo::fence(distance, accuracy)
            }
            (Some(_), None) => "undecidable",
            (None, _) => "none",
        };
        record.derive("fence", fence);
        let late = record.received_at - record.estimated_at;
        let claim = if late <= LIVE_MS {
            "live"
        } else if record.text("/late_reason").is_some() {
            "late_claim"
        } else {
            "offline_claimed"
        };
        record.derive("claim", claim);
        let (score, reasons) = plausibility(record, fence, late);
        record.derive("plausibility", score);
        record.derive("reasons", reasons);
        record.village = village;
    }

    fn measure(&self, record: &Record) -> Vec<(RollupKey, RollupDelta)> {
        vec![counted(
            record,
            record.text("/derived/class").unwrap_or("assistive"),
            0,
            0,
        )]
    }
}

/// A score with reasons the worker can read; it never refuses and never punishes.
fn plausibility(record: &Record, fence: &str, late_ms: i64) -> (i64, Vec<String>) {
    let mut score = 100;
    let mut reasons = Vec::new();
    let mut less = |by: i64, reason: &str| {
        score -= by;
        reasons.push(reason.to_owned());
    };
    if fence == "outside" {
        less(40, "far_from_village");
    }
    if fence == "none" {
        less(10, "no_fix");
    }
    if late_ms > 48 * HOUR_MS {
        less(10, "sent_days_later");
    }
    if record.quality >= xiangyi_proto::time::TimeQuality::Claimed {
        less(10, "clock_unchecked");
    }
    (score, reasons)
}

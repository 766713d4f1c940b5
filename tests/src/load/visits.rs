//! Visits to send: invented, of 578 bytes on average as compact JSON, and sure to be accepted.
//!
//! Each worker's visits walk back in time without touching, twelve a day: more than a worker
//! makes, fewer than would let the rule against two visits at once compare what never happens.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::kinds::Op;
use xiangyi_proto::region::{TOWNSHIP_DIGITS, VILLAGE_DIGITS};
use xiangyi_proto::time::{HOUR_MS, MINUTE_MS, Millis};
use xiangyi_server::clock::Clock;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::regions::Regions;

use super::{Fault, phones};

/// Workers of the demo, two a station.
pub const WORKERS: usize = 12;
/// The county of the demo.
pub const COUNTY: &str = "430121";
const NARRATIVES: &str = include_str!("../../data/visit-narratives.jsonl");
/// From one visit of a worker to the one before.
const STEP_MS: i64 = 2 * HOUR_MS;

struct Station {
    unit: String,
    villages: Vec<String>,
}

/// Where visits come from; shared by all phones of a run.
pub struct Visits {
    narratives: Vec<String>,
    stations: Vec<Station>,
    /// How far back each worker is.
    turns: Vec<AtomicI64>,
    told: AtomicUsize,
    began_at: Millis,
    entropy: Entropy,
}

/// One visit.
#[derive(Debug, Clone)]
pub struct Visit {
    pub id: Uuid,
    /// From 0.
    pub worker: usize,
    pub unit: String,
    pub village: String,
    pub started_at: Millis,
    pub ended_at: Millis,
    pub body: Value,
}

/// The station of a worker of the demo.
pub fn unit_of(worker: usize) -> String {
    let regions = Regions::default();
    let unit = regions.under(COUNTY, TOWNSHIP_DIGITS).nth(worker / 2);
    unit.unwrap_or_else(|| COUNTY.to_owned())
}

impl Visits {
    /// A fresh start: the latest visit ends now.
    ///
    /// # Errors
    /// When the narratives or the regions are not there.
    pub fn new() -> Result<Self, Fault> {
        let mut narratives = Vec::new();
        for line in NARRATIVES.lines() {
            let line: Value = serde_json::from_str(line)?;
            let text = line["text"].as_str().ok_or("a narrative has no text")?;
            narratives.push(text.to_owned());
        }
        let regions = Regions::default();
        let station = |unit: &str| Station {
            unit: unit.to_owned(),
            villages: regions.under(unit, VILLAGE_DIGITS).collect(),
        };
        let units = regions.under(COUNTY, TOWNSHIP_DIGITS).take(WORKERS / 2);
        let stations: Vec<Station> = units.map(|unit| station(&unit)).collect();
        let whole = stations.len() == WORKERS / 2;
        if narratives.is_empty() || !whole || stations.iter().any(|s| s.villages.is_empty()) {
            return Err("the demo's stations are not in this build's table".into());
        }
        Ok(Self {
            narratives,
            stations,
            turns: (0..WORKERS).map(|_| AtomicI64::new(0)).collect(),
            told: AtomicUsize::new(0),
            began_at: Clock::system().now(),
            entropy: Entropy::system(),
        })
    }

    /// The next visit of a worker.
    pub fn next(&self, worker: usize) -> Visit {
        let turn = self.turns[worker].fetch_add(1, Ordering::Relaxed);
        let told = self.told.fetch_add(1, Ordering::Relaxed);
        let station = &self.stations[worker / 2];
        let village = &station.villages[told % station.villages.len()];
        let ended_at = self.began_at - turn * STEP_MS;
        let started_at = ended_at - (25 + turn * 7 % 60) * MINUTE_MS;
        let narrative = &self.narratives[told % self.narratives.len()];
        Visit {
            id: self.entropy.record_id(self.began_at),
            worker,
            unit: station.unit.clone(),
            village: village.clone(),
            started_at,
            ended_at,
            body: body(narrative, village, started_at, ended_at),
        }
    }

    /// The next visits of a worker, ready to send.
    pub fn some(&self, worker: usize, count: usize) -> Vec<Mutation> {
        let one = |visit: Visit| {
            let (unit, at) = (visit.unit.as_str(), visit.started_at);
            phones::mutation(Op::Create, "visit", unit, visit.id, at, visit.body)
        };
        (0..count).map(|_| one(self.next(worker))).collect()
    }
}

fn body(narrative: &str, village: &str, started_at: Millis, ended_at: Millis) -> Value {
    json!({
        "village": village,
        "started_at": started_at,
        "ended_at": ended_at,
        "method": "case",
        "mode": "home",
        "work_category": "service",
        "services": ["sa_visit", "sa_counselling"],
        "case_stage": "follow_up",
        "headcount": 1,
        "no_client_reason": "对象尚未建档",
        "process": narrative,
        "outcome": {"kind": "served"},
        "risk": "none",
    })
}

#[cfg(test)]
mod tests {
    use super::{Visits, WORKERS};

    #[test]
    fn visits_are_of_578_bytes_and_a_workers_do_not_touch() {
        let visits = Visits::new().expect("the data is there");
        let (mut bytes, mut count) = (0, 0);
        for worker in 0..WORKERS {
            let mut before = i64::MAX;
            for _ in 0..200 {
                let visit = visits.next(worker);
                assert!(visit.started_at < visit.ended_at && visit.ended_at < before);
                assert!(visit.village.starts_with(&visit.unit));
                before = visit.started_at;
                bytes += visit.body.to_string().len();
                count += 1;
            }
        }
        let average = bytes / count;
        assert!((573..=583).contains(&average), "{average} bytes");
    }
}

//! What somebody does next, drawn from a seed and from what was answered so far.

use std::collections::HashSet;

use serde_json::{Value, json};
use xiangyi_proto::time::Millis;
use xiangyi_server::clock::Clock;
use xiangyi_server::entropy::Entropy;

use super::photo::Photo;
use super::{Ledger, below};

/// Check-ins of one push, at most.
const BATCH_MAX: u64 = 6;
/// Visits of one person: further back than these reach, a visit is late.
const VISITS_MAX: u64 = 24;
const MINUTE: Millis = 60_000;

/// What somebody does.
#[derive(Debug, Clone)]
pub enum Trade {
    /// Checks in and takes it back.
    Checks,
    /// Beside that visits, corrects what was written, and sends photographs.
    Visits,
    /// Signs up for this activity and leaves it.
    SignUps(String),
}

/// Somebody's plan.
#[derive(Debug)]
pub struct Plan {
    trade: Trade,
    unit: String,
    entropy: Entropy,
    visits: u64,
    touched: HashSet<String>,
}

impl Plan {
    /// Nothing done yet.
    pub fn new(trade: Trade, unit: String, entropy: Entropy) -> Self {
        Self {
            trade,
            unit,
            entropy,
            visits: 0,
            touched: HashSet::new(),
        }
    }

    /// One push, and the photograph that goes with it.
    pub fn next(&mut self, ledger: &Ledger) -> (Vec<Value>, Option<Photo>) {
        if let Trade::SignUps(activity) = &self.trade {
            let activity = activity.clone();
            return (vec![self.signed_up(ledger, &activity)], None);
        }
        let visits = matches!(self.trade, Trade::Visits);
        let one = match below(&self.entropy, 10) {
            0 => self.taken_back(ledger),
            1 if visits => self.corrected(ledger),
            2 | 3 if visits && self.visits < VISITS_MAX => {
                let (visit, photo) = self.visit(ledger.next());
                return (vec![visit], photo);
            }
            _ => None,
        };
        if let Some(one) = one {
            return (vec![one], None);
        }
        let (first, count) = (ledger.next(), 1 + below(&self.entropy, BATCH_MAX));
        let batch = (first..first + count).map(|n| self.check_in(n));
        (batch.collect(), None)
    }

    fn id(&self) -> String {
        self.entropy.record_id(Clock::system().now()).to_string()
    }

    fn check_in(&self, n: u64) -> Value {
        let words = "巡".repeat(usize::try_from(below(&self.entropy, 400)).expect("small"));
        json!({ "n": n, "op": "create", "kind": "check_in", "unit": self.unit, "id": self.id(),
            "body": { "purpose": "visit", "phase": "in", "note": words,
                      "place": { "kind": "home", "village": format!("{}001", self.unit) } } })
    }

    /// The newest check-in that stands is voided; it is minutes old at most.
    fn taken_back(&mut self, ledger: &Ledger) -> Option<Value> {
        let stands = ledger.entries.values().rev().find(|entry| {
            let fits = entry.sent["op"] == "create" && entry.sent["kind"] == "check_in";
            fits && entry.is_in() && !self.touched.contains(entry.id())
        })?;
        let id = stands.id().to_owned();
        self.touched.insert(id.clone());
        Some(
            json!({ "n": ledger.next(), "op": "void", "kind": "check_in", "unit": self.unit,
            "id": id, "reason": "记错了地方" }),
        )
    }

    /// A visit beside none of the others, every other one with a photograph of its own.
    fn visit(&mut self, n: u64) -> (Value, Option<Photo>) {
        self.visits += 1;
        let back = Clock::system().now() - i64::try_from(self.visits).expect("few") * 30 * MINUTE;
        let id = self.id();
        let photo = self
            .visits
            .is_multiple_of(2)
            .then(|| Photo::new(&self.entropy, &self.unit, &id));
        let mut body = json!({
            "no_client_reason": "集中走访", "services": ["ec_visit"], "process": "看望老人",
            "started_at": back, "ended_at": back + 10 * MINUTE, "outcome": { "kind": "served" },
        });
        if let Some(photo) = &photo {
            body["photos"] = json!([photo.declared()]);
        }
        let visit = json!({ "n": n, "op": "create", "kind": "visit", "unit": self.unit, "id": id,
            "body": body });
        (visit, photo)
    }

    fn corrected(&self, ledger: &Ledger) -> Option<Value> {
        let own = |entry: &&super::Entry| entry.sent["kind"] == "visit" && entry.is_in();
        let last = ledger.entries.values().rev().find(own)?;
        let result = format!("情绪平稳，{}", below(&self.entropy, 1_000_000));
        Some(
            json!({ "n": ledger.next(), "op": "patch", "kind": "visit", "unit": self.unit,
            "id": last.id(), "base": last.first["rev"], "set": { "/result": result } }),
        )
    }

    /// In, and out again, each time under a new id.
    fn signed_up(&self, ledger: &Ledger, activity: &str) -> Value {
        let last = ledger.entries.values().next_back();
        let is_in = last.filter(|last| last.sent["body"]["want"] == "join" && last.is_in());
        let (id, body) = match is_in {
            Some(last) => (
                last.id().to_owned(),
                json!({ "want": "leave", "reason": "家里有事" }),
            ),
            None => (
                self.id(),
                json!({ "activity": activity, "session": 1, "role": "helper", "want": "join" }),
            ),
        };
        json!({ "n": ledger.next(), "op": "request", "kind": "sign_up", "unit": "430121",
            "id": id, "body": body })
    }
}

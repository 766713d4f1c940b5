//! Steps of an incident: each needs what makes it readable later, and nobody was told tomorrow.

use serde_json::Value;
use xiangyi_proto::limits::{AHEAD_MINUTES_MAX, INCIDENT_TOLD_DAYS_MAX};
use xiangyi_proto::time::{DAY_MS, MINUTE_MS};

use super::Rules;
use crate::check::{Faults, says_something};
use crate::world::Admitted;

pub struct IncidentStep;

impl Rules for IncidentStep {
    fn check(&self, item: &Admitted, body: &Value, faults: &mut Faults) {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let mut needs = |name: &str| {
            if text(name).is_none_or(str::is_empty) {
                faults.add(&format!("/{name}"), "required");
            }
        };
        match text("step") {
            Some("confirm" | "close") => needs("reason"),
            Some("consent") => needs("consent"),
            Some("told") => {
                needs("who");
                // The family may be where the harm comes from: why this one may know is written.
                if matches!(text("who"), Some("family" | "guardian")) {
                    needs("note");
                }
            }
            _ => {}
        }
        if text("consent") == Some("not_asked") {
            needs("why");
        }
        // What is there says something, needed or not.
        for name in ["reason", "note"] {
            let blank = |text: &str| !text.is_empty() && !says_something(text);
            if text(name).is_some_and(blank) {
                faults.add(&format!("/{name}"), "required");
            }
        }
        let told_at = body.get("told_at").and_then(Value::as_i64);
        if text("step") == Some("told") && told_at.is_none() {
            faults.add("/told_at", "required");
        }
        let latest = item.received_at + AHEAD_MINUTES_MAX * MINUTE_MS;
        let earliest = item.received_at - INCIDENT_TOLD_DAYS_MAX * DAY_MS;
        if told_at.is_some_and(|at| at > latest || at < earliest) {
            faults.add("/told_at", "time-range");
        }
    }
}

//! Activities: each session and role is a slot; the row shows how full each is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Rules, slot_name, village_within};
use crate::check::Faults;
use crate::world::{Admitted, Env, Record, Slot, World};

pub struct Activity;

impl Rules for Activity {
    fn check(&self, item: &Admitted, body: &Value, faults: &mut Faults) {
        village_within(item, body.get("village"), "/village", faults);
        let mut names = BTreeSet::new();
        let sessions = body.get("sessions").and_then(Value::as_array);
        for (index, session) in sessions.into_iter().flatten().enumerate() {
            let at = |name: &str| session.get(name).and_then(Value::as_i64).unwrap_or(0);
            if at("ends_at") <= at("starts_at") {
                faults.add(&format!("/sessions/{index}/ends_at"), "ends-before-start");
            }
            for (place, role) in list(session, "roles").enumerate() {
                let role = role.get("role").and_then(Value::as_str).unwrap_or("");
                if !names.insert(slot_name(at("session"), role)) {
                    let pointer = format!("/sessions/{index}/roles/{place}");
                    faults.add(&pointer, "duplicate-number");
                }
            }
        }
    }

    fn derive(&self, record: &mut Record, world: &World, _env: &Env<'_>) {
        record.village = record.text("/village").map(str::to_owned);
        let mut slots = Vec::new();
        for session in list(&record.body, "sessions") {
            let number = session.get("session").and_then(Value::as_i64).unwrap_or(0);
            for role in list(session, "roles") {
                let name = role.get("role").and_then(Value::as_str).unwrap_or("");
                let key = (record.id, slot_name(number, name));
                let slot = world.slots.get(&key).cloned().unwrap_or_default();
                slots.push(json!({
                    "session": number,
                    "role": name,
                    "capacity": role.get("capacity"),
                    "confirmed": slot.confirmed,
                    "offered_through": (slot.next_offer - 1).max(0),
                }));
            }
        }
        record.derive("slots", slots);
        if let Value::Object(body) = &mut record.body {
            body.entry("state").or_insert_with(|| "open".into());
        }
    }

    fn slots(&self, record: &Record) -> Vec<(String, Slot)> {
        let mut slots = Vec::new();
        for session in list(&record.body, "sessions") {
            let at = |name: &str| session.get(name).and_then(Value::as_i64).unwrap_or(0);
            for role in list(session, "roles") {
                let name = role.get("role").and_then(Value::as_str).unwrap_or("");
                let slot = Slot {
                    capacity: role.get("capacity").and_then(Value::as_i64).unwrap_or(0),
                    starts_at: at("starts_at"),
                    ends_at: at("ends_at"),
                    next_rank: 1,
                    next_offer: 1,
                    ..Slot::default()
                };
                slots.push((slot_name(at("session"), name), slot));
            }
        }
        slots
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

//! Sign-ups: the first names activity, session and role; later steps only what they want.

use serde_json::Value;

use super::Rules;
use crate::check::Faults;
use crate::policy::{Fact, FactKind};
use crate::world::{Admitted, Record};

pub struct SignUp;

impl Rules for SignUp {
    fn check(&self, _item: &Admitted, body: &Value, faults: &mut Faults) {
        match body.get("want").and_then(Value::as_str) {
            Some("join") => {
                for name in ["activity", "role"] {
                    if body.get(name).is_none_or(Value::is_null) {
                        faults.add(&format!("/{name}"), "required");
                    }
                }
            }
            Some("accept" | "decline") if body.get("offer").is_none_or(Value::is_null) => {
                faults.add("/offer", "required");
            }
            Some("leave") if body.get("reason").is_none_or(Value::is_null) => {
                faults.add("/reason", "required");
            }
            _ => {}
        }
    }

    fn facts(&self, record: &Record) -> Vec<Fact> {
        let at = |name: &str| record.int(&format!("/derived/{name}"));
        let (Some(from_ms), Some(to_ms)) = (at("starts_at"), at("ends_at")) else {
            return Vec::new();
        };
        if record.text("/derived/state") != Some("confirmed") {
            return Vec::new();
        }
        vec![Fact {
            kind: FactKind::Busy,
            key: record.author.clone(),
            from_ms,
            to_ms,
            person: record.author.clone(),
            record: record.id,
            note: String::new(),
        }]
    }
}

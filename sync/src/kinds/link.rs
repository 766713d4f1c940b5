//! Links: the first names need, resource and quantity; later steps only what they want.

use serde_json::Value;

use super::Rules;
use crate::check::Faults;
use crate::world::Admitted;

/// The name of a resource's only slot.
pub const LOT: &str = "lot";

pub struct Link;

impl Rules for Link {
    fn check(&self, _item: &Admitted, body: &Value, faults: &mut Faults) {
        let needed: &[&str] = match body.get("want").and_then(Value::as_str) {
            Some("join") => &["need", "resource", "quantity", "purpose"],
            Some("accept" | "decline") => &["offer"],
            Some("leave") => &["reason"],
            _ => &[],
        };
        for name in needed {
            if body.get(*name).is_none_or(Value::is_null) {
                faults.add(&format!("/{name}"), "required");
            }
        }
    }
}

//! Reviews: a reason says something; who may decide what is in `crate::review`.

use serde_json::Value;

use super::Rules;
use crate::check::{Faults, says_something};
use crate::world::Admitted;

pub struct Review;

impl Rules for Review {
    fn check(&self, _item: &Admitted, body: &Value, faults: &mut Faults) {
        let reason = body.get("reason").and_then(Value::as_str);
        if reason.is_some_and(|reason| !says_something(reason)) {
            faults.add("/reason", "required");
        }
    }
}

//! Needs: open until links have promised the quantity.

use serde_json::Value;

use super::{Rules, village_within};
use crate::check::Faults;
use crate::world::{Admitted, Env, Record, World};

pub struct Need;

impl Rules for Need {
    fn check(&self, item: &Admitted, body: &Value, faults: &mut Faults) {
        village_within(item, body.get("village"), "/village", faults);
    }

    fn derive(&self, record: &mut Record, _world: &World, _env: &Env<'_>) {
        record.village = record.text("/village").map(str::to_owned);
        let linked = record.int("/derived/linked").unwrap_or(0);
        let met = linked >= record.int("/quantity").unwrap_or(i64::MAX);
        if let Value::Object(body) = &mut record.body {
            body.insert("state".to_owned(), if met { "met" } else { "open" }.into());
        }
    }
}

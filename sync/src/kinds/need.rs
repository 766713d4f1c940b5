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
        if let Value::Object(body) = &mut record.body {
            body.entry("state").or_insert_with(|| "open".into());
        }
    }
}

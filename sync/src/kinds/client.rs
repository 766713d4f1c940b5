//! Clients: the village must lie in the station's township, assignments must run forwards, and
//! nobody is born after today.

use serde_json::Value;
use xiangyi_proto::time::day_text;

use super::{Rules, village_within};
use crate::check::Faults;
use crate::world::{Admitted, Env, Record, World};

pub struct Client;

impl Rules for Client {
    fn check(&self, item: &Admitted, body: &Value, faults: &mut Faults) {
        village_within(item, body.get("village"), "/village", faults);
        // Days are written so that the later one is the greater text.
        let born_on = body.get("born_on").and_then(Value::as_str);
        if born_on.is_some_and(|day| *day > *day_text(item.received_at)) {
            faults.add("/born_on", "time-range");
        }
        let workers = body.get("workers").and_then(Value::as_array);
        for (index, worker) in workers.into_iter().flatten().enumerate() {
            let at = |name: &str| worker.get(name).and_then(Value::as_i64);
            if let (Some(from), Some(to)) = (at("from"), at("to"))
                && to <= from
            {
                faults.add(&format!("/workers/{index}/to"), "ends-before-start");
            }
        }
    }

    fn derive(&self, record: &mut Record, _world: &World, _env: &Env<'_>) {
        record.village = record.text("/village").map(str::to_owned);
        let unassigned = record
            .body
            .get("workers")
            .is_none_or(|list| list.as_array().is_none_or(Vec::is_empty));
        // Whoever files a card without naming a worker serves that client.
        if record.rev == 1
            && unassigned
            && let Value::Object(body) = &mut record.body
        {
            let from = record.estimated_at.min(record.received_at);
            let worker = serde_json::json!({ "person": record.author, "from": from });
            body.insert("workers".to_owned(), Value::Array(vec![worker]));
        }
    }
}

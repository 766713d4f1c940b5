//! Echoes: a row that a phone has just made need not come back whole.
//!
//! The server leaves out of the body what the phone sent a moment ago, and the phone puts it back
//! from the bytes it still has. Both halves live here, so that one undoes the other. An echo is
//! made only of a new record stored as it was said; whatever else happened to it comes whole.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;
use xiangyi_proto::exchange::Row;
use xiangyi_proto::kinds::Op;
use xiangyi_proto::verdict::{Verdict, VerdictName};

/// Records, and the numbers of the mutations that made them.
pub type Made = HashMap<Uuid, i64>;
/// What a phone said of new records, by record.
pub type Said = HashMap<Uuid, Map<String, Value>>;

#[derive(Deserialize)]
struct Sent {
    n: i64,
    op: Op,
    id: Uuid,
    #[serde(default)]
    body: Option<Map<String, Value>>,
}

/// The bodies of those mutations of a push that have just made a record.
pub fn said(mutations: &[Box<RawValue>], verdicts: &[Verdict]) -> Said {
    let made = made(verdicts);
    if made.is_empty() {
        return Said::new();
    }
    let sent = mutations.iter().filter_map(|raw| said_in(raw.get()));
    sent.filter(|(n, id, _)| made.get(id) == Some(n))
        .map(|(_, id, body)| (id, body))
        .collect()
}

/// The records that an answer says were made, and the numbers that made them.
pub fn made(verdicts: &[Verdict]) -> Made {
    let new =
        |verdict: &&Verdict| verdict.verdict == VerdictName::Accepted && verdict.rev == Some(1);
    let numbers = verdicts.iter().filter(new);
    numbers.map(|verdict| (verdict.id, verdict.n)).collect()
}

/// Number, record and body of a mutation that makes a record; null members say nothing.
fn said_in(raw: &str) -> Option<(i64, Uuid, Map<String, Value>)> {
    let sent: Sent = serde_json::from_str(raw).ok()?;
    let mut body = sent.body?;
    body.retain(|_, value| !value.is_null());
    matches!(sent.op, Op::Create | Op::Request).then_some((sent.n, sent.id, body))
}

/// The members of a stored body that were not said, if all that was said is in it unchanged.
pub fn rest_of(body: &str, said: &Map<String, Value>) -> Option<String> {
    let mut whole: Map<String, Value> = serde_json::from_str(body).ok()?;
    let same = |(name, value): (&String, &Value)| whole.get(name) == Some(value);
    if said.is_empty() || !said.iter().all(same) {
        return None;
    }
    whole.retain(|name, _| !said.contains_key(name));
    serde_json::to_string(&whole).ok()
}

/// The whole row of an echo, from the bytes that were sent; None if they do not fit.
pub fn restored(mut row: Row, raw: &str) -> Option<Row> {
    let (_, id, mut body) = said_in(raw)?;
    let rest: Map<String, Value> = serde_json::from_str(row.body.as_ref()?.get()).ok()?;
    if id != row.id {
        return None;
    }
    body.extend(rest);
    row.same = false;
    row.body = Some(serde_json::value::to_raw_value(&body).ok()?);
    Some(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn row(body: &str) -> Row {
        let row =
            json!({"id": Uuid::from_u128(7), "seq": 1, "kind": "visit", "rev": 1, "same": true});
        let mut row: Row = serde_json::from_value(row).expect("a row");
        row.body = Some(RawValue::from_string(body.to_owned()).expect("JSON"));
        row
    }

    fn raw(body: &Map<String, Value>) -> String {
        let id = Uuid::from_u128(7);
        let told = json!({"n": 1, "op": "create", "kind": "visit", "unit": "430121101",
            "id": id, "body": body});
        told.to_string()
    }

    #[test]
    fn what_was_changed_comes_whole() {
        let said = json!({"a": 1, "b": [1]})
            .as_object()
            .cloned()
            .expect("an object");
        assert_eq!(
            rest_of(r#"{"a":1,"b":[1],"derived":{}}"#, &said).as_deref(),
            Some(r#"{"derived":{}}"#)
        );
        assert_eq!(rest_of(r#"{"a":2,"b":[1]}"#, &said), None);
        assert_eq!(rest_of(r#"{"a":1}"#, &said), None);
    }

    proptest! {
        #[test]
        fn restoring_undoes_shortening(
            said in prop::collection::btree_map("[a-f]", 0_i64..9, 1..5),
            own in prop::collection::btree_map("[g-k]", 0_i64..9, 0..4),
        ) {
            let said: Map<String, Value> =
                said.into_iter().map(|(name, value)| (name, value.into())).collect();
            let mut whole = said.clone();
            whole.extend(own.into_iter().map(|(name, value)| (name, Value::from(value))));
            let text = serde_json::to_string(&whole).expect("JSON");
            let rest = rest_of(&text, &said).expect("nothing was changed");
            let back = restored(row(&rest), &raw(&said)).expect("it fits");
            let body: Map<String, Value> =
                serde_json::from_str(back.body.expect("a body").get()).expect("JSON");
            prop_assert_eq!(body, whole);
        }
    }
}

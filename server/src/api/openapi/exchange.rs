//! Shapes of the exchange: what `POST /v1/sync` takes and gives.

use serde_json::{Value, json};
use xiangyi_proto::limits::{ITEM_BYTES_MAX, PAGE_BYTES_MAX, PUSH_ITEMS_MAX};

use super::schema::{
    code, count, flag, list, map, nullable, object, open, reference, text, time, unit, uuid, whole,
};

/// `POST /v1/sync`: a push, a pull, or both.
pub fn exchange() -> Value {
    let client = object(
        &[],
        json!({
            "app": text(),
            "build": whole(),
            "schemas": map(json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })),
        }),
    );
    let push = object(
        &["mutations"],
        json!({
            "saved_below": whole(),
            "mutations": {
                "type": "array", "maxItems": PUSH_ITEMS_MAX, "items": reference("Mutation"),
            },
            "proofs": list(proof()),
        }),
    );
    object(
        &["protocol", "device"],
        json!({
            "protocol": { "type": "integer", "const": 1 },
            "device": text(),
            "client": nullable(client),
            "clock": nullable(reference("PhoneClock")),
            "push": nullable(push),
            "pull": nullable(reference("PullAsk")),
            "unsent": nullable(reference("Unsent")),
            "journal": map(object(&["epoch"], json!({ "epoch": whole(), "seq": nullable(whole()) }))),
        }),
    )
}

/// What a phone kept of an answer that another epoch gave.
pub fn proof() -> Value {
    object(
        &["n", "verdict", "epoch", "seq", "at", "mac"],
        json!({
            "n": { "type": "integer", "format": "int64", "minimum": 1 },
            "verdict": code(&["accepted", "merged", "rejected", "held"]),
            "for": nullable(code(&["missing", "review"])),
            "state": nullable(text()),
            "epoch": whole(),
            "seq": whole(),
            "at": time(),
            "mac": text(),
        }),
    )
}

/// A registration that is asked for once more, by an answer that it was given; or nothing.
pub fn reregister() -> Value {
    let members = json!({
        "device": text(),
        "shard": whole(),
        "digest": text(),
        "proof": proof(),
    });
    object(&[], members)
}

/// A place in the order of a shard, within one epoch.
fn position() -> Value {
    object(
        &["epoch", "seq"],
        json!({ "epoch": whole(), "seq": count() }),
    )
}

/// The phone's clocks at the moment of sending.
pub fn phone_clock() -> Value {
    object(
        &["wall_ms"],
        json!({
            "wall_ms": whole(),
            "monotonic_ms": nullable(whole()),
            "boot": nullable(text()),
            "offset_ms": nullable(whole()),
            "offset_age_ms": nullable(whole()),
        }),
    )
}

/// One mutation. Only `n` has to be usable; everything else that is wrong is the verdict `invalid`
/// of this item alone.
pub fn mutation() -> Value {
    let described = format!("At most {ITEM_BYTES_MAX} bytes.");
    let mut schema = object(
        &["n", "op", "kind", "unit", "id"],
        json!({
            "n": { "type": "integer", "format": "int64", "minimum": 1 },
            "op": code(&["create", "patch", "void", "request", "appeal"]),
            "kind": text(),
            "unit": unit(),
            "id": uuid(),
            "occurred_at": nullable(time()),
            "monotonic_ms": nullable(whole()),
            "boot": nullable(text()),
            "needs": list(uuid()),
            "body": nullable(open()),
            "base": nullable(count()),
            "set": open(),
            "unset": list(text()),
            "add": map(json!({ "type": "array" })),
            "reason": nullable(text()),
            "refusal": nullable(uuid()),
        }),
    );
    schema["description"] = json!(described);
    schema
}

/// How much of what the phone has not read is wanted.
pub fn pull_ask() -> Value {
    object(
        &[],
        json!({
            "cursor": nullable(text()),
            "max_bytes": {
                "anyOf": [
                    { "type": "integer", "minimum": 1, "maximum": PAGE_BYTES_MAX },
                    { "type": "null" },
                ],
            },
            "form": nullable(code(&["rows", "columns"])),
            "sums": flag(),
        }),
    )
}

/// What waits on the phone beside what this request carries.
pub fn unsent() -> Value {
    object(
        &[],
        json!({ "records": whole(), "photos": whole(), "oldest_ms": whole() }),
    )
}

/// The answer of `POST /v1/sync`.
pub fn answer() -> Value {
    let push = object(
        &["verdicts"],
        json!({
            "verdicts": list(reference("Verdict")),
            "unanswered": list(reference("Unanswered")),
            "stamps": map(position()),
        }),
    );
    let next = object(
        &["min_ms", "poll_ms"],
        json!({ "min_ms": count(), "poll_ms": count() }),
    );
    object(
        &["protocol", "server_time"],
        json!({
            "protocol": { "type": "integer", "const": 1 },
            "server_time": time(),
            "push": push,
            "pull": reference("PullAnswer"),
            "durable": map(position()),
            "limits": reference("Limits"),
            "next": next,
        }),
    )
}

/// An item that could not be judged now: keep it, send it alone after `retry_ms`.
pub fn unanswered() -> Value {
    object(
        &["n", "code", "retry_ms"],
        json!({
            "n": whole(),
            "code": code(&["busy", "epoch-changed", "held-full", "server-fault"]),
            "retry_ms": count(),
        }),
    )
}

/// One page; without a cursor nothing moved.
pub fn pull_answer() -> Value {
    object(
        &[],
        json!({
            "cursor": text(),
            "more": flag(),
            "leave": list(reference("StreamRef")),
            "enter": list(reference("StreamRef")),
            "anew": list(whole()),
            "reset": list(reference("StreamRef")),
            "swept": list(reference("StreamRef")),
            "changes": list(reference("StreamChanges")),
            "columns": list(reference("StreamColumns")),
            "sums": list(reference("StreamSum")),
        }),
    )
}

/// A stream in a shard.
pub fn stream_ref() -> Value {
    object(
        &["shard", "stream"],
        json!({ "shard": whole(), "stream": text() }),
    )
}

/// Rows of one stream, in order of `seq`.
pub fn stream_changes() -> Value {
    object(
        &["shard", "stream", "rows"],
        json!({
            "shard": whole(),
            "stream": text(),
            "rows": list(reference("Row")),
        }),
    )
}

/// Rows of one stream, member by member: each row takes, of every column of its shape, the next
/// value.
pub fn stream_columns() -> Value {
    object(
        &["shard", "stream", "columns", "shapes", "rows"],
        json!({
            "shard": whole(),
            "stream": text(),
            "texts": list(text()),
            "columns": list(reference("Column")),
            "shapes": list(list(count())),
            "rows": list(count()),
        }),
    )
}

/// The values of one member, in one of five spellings.
pub fn column() -> Value {
    let beside = object(
        &["column", "by"],
        json!({ "column": count(), "by": list(whole()) }),
    );
    object(
        &["at"],
        json!({
            "at": text(),
            "steps": list(whole()),
            "beside": beside,
            "texts": list(count()),
            "ids": text(),
            "plain": { "type": "array", "items": {} },
        }),
    )
}

/// One row of a stream. A row that left has `rm` and no body; of one with `same` the body is what
/// this phone has just sent, with what is given here put over it.
pub fn row() -> Value {
    object(
        &["id", "seq", "kind", "rev"],
        json!({
            "id": uuid(),
            "seq": count(),
            "kind": text(),
            "rev": count(),
            "rm": flag(),
            "same": flag(),
            "author": text(),
            "unit": text(),
            "village": text(),
            "occurred_at": time(),
            "received_at": time(),
            "estimated_at": time(),
            "quality": { "type": "integer", "minimum": 0, "maximum": 3 },
            "body": open(),
        }),
    )
}

/// Rows that a phone should hold of one kind in a stream, and two sums modulo 2³².
pub fn stream_sum() -> Value {
    let sum = || json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    object(
        &["shard", "stream", "kind", "live", "sum1", "sum2"],
        json!({
            "shard": whole(),
            "stream": text(),
            "kind": text(),
            "live": count(),
            "sum1": sum(),
            "sum2": sum(),
        }),
    )
}

/// `POST /v1/sync/wait`: the cursor of the last pull.
pub fn wait_ask() -> Value {
    object(&[], json!({ "cursor": nullable(text()) }))
}

/// Something in the view has changed: pull.
pub fn poke() -> Value {
    object(
        &["poke"],
        json!({ "poke": { "type": "boolean", "const": true } }),
    )
}

//! Shapes of verdicts, problems, and records as REST shows and takes them.

use serde_json::{Value, json};
use xiangyi_proto::limits::LIST_ROWS_MAX;
use xiangyi_proto::problem::FIELD_CODES;

use super::schema::{
    closed, code, count, flag, list, map, nullable, object, open, reference, text, time, unit,
    uuid, whole,
};

/// What became of a mutation or of a write.
pub fn verdict() -> Value {
    let names = [
        "accepted",
        "merged",
        "duplicate",
        "conflict",
        "rejected",
        "invalid",
        "held",
    ];
    object(
        &["n", "id", "verdict"],
        json!({
            "n": whole(),
            "id": uuid(),
            "verdict": code(&names),
            "rev": count(),
            "seq": count(),
            "derived": open(),
            "notices": list(reference("Notice")),
            "was": reference("Verdict"),
            "kept": list(text()),
            "theirs": list(text()),
            "fields": list(text()),
            "current": open(),
            "rule": reference("RuleRef"),
            "at": list(text()),
            "message": text(),
            "message_en": text(),
            "refusal": uuid(),
            "instead": list(code(&["split", "work_time", "appeal"])),
            "errors": list(reference("FieldError")),
            "for": code(&["missing", "review"]),
            "restored": flag(),
            "mac": text(),
        }),
    )
}

/// The rule behind a verdict. `pack` is absent for rules of the exchange, `review` for a
/// reviewer's refusal.
pub fn rule_ref() -> Value {
    object(
        &["id", "version"],
        json!({
            "pack": text(),
            "version": count(),
            "id": text(),
            "clause": text(),
            "basis": text(),
        }),
    )
}

/// A rule that was met without refusing.
pub fn notice() -> Value {
    object(
        &["rule", "verdict", "message", "message_en"],
        json!({
            "rule": reference("RuleRef"),
            "verdict": code(&["warn", "tag", "amend"]),
            "at": list(text()),
            "message": text(),
            "message_en": text(),
        }),
    )
}

/// What is wrong with one field.
pub fn field_error() -> Value {
    let codes: Vec<&str> = FIELD_CODES.iter().map(|(name, ..)| *name).collect();
    object(
        &["pointer", "code", "detail"],
        json!({
            "pointer": text(),
            "code": code(&codes),
            "detail": text(),
            "detail_en": text(),
        }),
    )
}

/// A failed request.
pub fn problem() -> Value {
    let required = [
        "type",
        "title",
        "status",
        "code",
        "detail",
        "detail_en",
        "request_id",
    ];
    object(
        &required,
        json!({
            "type": { "type": "string", "pattern": "^urn:xiangyi:problem:[a-z0-9-]+$" },
            "title": text(),
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "code": reference("ProblemCode"),
            "detail": text(),
            "detail_en": text(),
            "errors": list(reference("FieldError")),
            "retry_ms": count(),
            "verdict": reference("Verdict"),
            "request_id": text(),
        }),
    )
}

/// Members that every write may have.
fn written(required: &[&str], body: Value) -> Value {
    let mut schema = closed(
        required,
        json!({
            "unit": unit(),
            "id": nullable(uuid()),
            "occurred_at": nullable(time()),
            "needs": list(uuid()),
            "refusal": nullable(uuid()),
            "reason": nullable(text()),
        }),
    );
    schema["properties"]["body"] = body;
    schema
}

/// `POST` of a kind: a whole record, an intent, or with `refusal` an appeal. `PATCH`: what is set,
/// taken away and added since `base`; of a sign-up or link its next step, as a `body`.
pub fn write(kind: &str) -> Value {
    let mut schema = written(&["unit"], reference(kind));
    for (name, member) in changes() {
        schema["properties"][name] = member;
    }
    schema
}

/// How a correction is said; pointers name the members.
fn changes() -> Vec<(&'static str, Value)> {
    vec![
        ("base", nullable(whole())),
        ("set", open()),
        ("unset", list(text())),
        ("add", map(json!({ "type": "array" }))),
    ]
}

/// `DELETE` of a kind: it is voided, with a reason.
pub fn void() -> Value {
    let mut schema = closed(
        &["unit", "reason"],
        json!({
            "unit": unit(),
            "reason": { "type": "string", "minLength": 1, "maxLength": 500 },
            "occurred_at": nullable(time()),
        }),
    );
    schema["description"] = json!("Why it is taken back.");
    schema
}

/// A record as REST shows it, in the fullest copy that the caller may see.
pub fn record(kind: &str) -> Value {
    let required = [
        "id",
        "kind",
        "rev",
        "seq",
        "author",
        "unit",
        "village",
        "occurred_at",
        "received_at",
        "estimated_at",
        "body",
    ];
    object(
        &required,
        json!({
            "id": uuid(),
            "kind": { "type": "string", "const": kind },
            "rev": count(),
            "seq": count(),
            "author": text(),
            "unit": text(),
            "village": nullable(text()),
            "occurred_at": time(),
            "received_at": time(),
            "estimated_at": time(),
            "body": reference(kind),
        }),
    )
}

/// A page of a list; `next` goes into `after`.
pub fn page(kind: &str) -> Value {
    object(
        &["records", "next"],
        json!({
            "records": {
                "type": "array", "maxItems": LIST_ROWS_MAX,
                "items": reference(&format!("{kind}_record")),
            },
            "next": nullable(count()),
        }),
    )
}

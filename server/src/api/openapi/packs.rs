//! Shapes of rule packs and of their trials.

use serde_json::{Value, json};

use super::schema::{
    closed, code, count, day, flag, list, map, nullable, object, open, reference, sha256, text,
    time, uuid, wide,
};

/// A rule pack. What its rules may say is in the packs that ship.
pub fn pack_document() -> Value {
    let effective = closed(&["from"], json!({ "from": day(), "to": nullable(day()) }));
    let words = || object(&["zh", "en"], json!({ "zh": text(), "en": text() }));
    closed(
        &["pack", "version", "effective", "rules"],
        json!({
            "pack": wide(),
            "version": { "type": "integer", "format": "int64", "minimum": 1 },
            "effective": effective,
            "closings": map(words()),
            "messages": map(words()),
            "signals": nullable(sha256()),
            "lexicons": map(open()),
            "rules": list(open()),
            "exemptions": list(open()),
        }),
    )
}

/// A pack or a draft as a list shows it.
pub fn pack_listed() -> Value {
    let required = [
        "region",
        "version",
        "state",
        "digest",
        "signer",
        "proposed_by",
        "proposed_at",
        "published_by",
        "published_at",
    ];
    object(
        &required,
        json!({
            "region": text(),
            "version": count(),
            "state": code(&["draft", "published", "withdrawn"]),
            "digest": sha256(),
            "signer": nullable(text()),
            "proposed_by": nullable(text()),
            "proposed_at": nullable(time()),
            "published_by": nullable(text()),
            "published_at": nullable(time()),
            "withdrawn_by": text(),
            "withdrawn_at": time(),
        }),
    )
}

/// The same with its document.
pub fn pack() -> Value {
    let mut schema = pack_listed();
    schema["properties"]["signature"] = nullable(text());
    schema["properties"]["document"] = reference("PackDocument");
    schema["required"] = json!([
        "region",
        "version",
        "state",
        "digest",
        "signature",
        "document"
    ]);
    schema
}

/// What was proposed or published.
pub fn pack_named() -> Value {
    object(
        &["region", "version"],
        json!({ "region": text(), "version": count() }),
    )
}

/// A rule pack that is proposed.
pub fn pack_proposal() -> Value {
    closed(
        &["document"],
        json!({
            "document": reference("PackDocument"),
            "signature": nullable(json!({ "type": "string", "pattern": "^[0-9a-f]{128}$" })),
            "signer": nullable(json!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })),
        }),
    )
}

/// Which draft is meant; needed where one of this number was taken back before.
pub fn pack_publish() -> Value {
    closed(&[], json!({ "digest": nullable(sha256()) }))
}

/// What is tried, a document or a draft, and on which days.
pub fn trial_ask() -> Value {
    let given = closed(
        &["document", "from", "to"],
        json!({
            "document": reference("PackDocument"), "from": day(), "to": day(),
        }),
    );
    let draft = closed(
        &["region", "version", "from", "to"],
        json!({
            "region": wide(), "version": count(), "from": day(), "to": day(),
        }),
    );
    let mut either = json!({});
    either["oneOf"] = Value::Array(vec![given, draft]);
    either
}

/// How far a trial is, and its report when it is done.
pub fn trial() -> Value {
    let required = [
        "id",
        "region",
        "version",
        "period",
        "state",
        "judged",
        "mailboxes_done",
        "mailboxes",
        "report",
    ];
    object(
        &required,
        json!({
            "id": text(),
            "region": text(),
            "version": count(),
            "period": object(&["from", "to"], json!({ "from": day(), "to": day() })),
            "state": code(&["running", "done", "cancelled", "failed"]),
            "judged": count(),
            "mailboxes_done": count(),
            "mailboxes": count(),
            "report": nullable(reference("TrialReport")),
        }),
    )
}

/// What a trial found; `*` counts rules together that changed too little to be told alone.
pub fn trial_report() -> Value {
    let counted = object(
        &["rule", "from", "to", "records"],
        json!({
            "rule": text(), "from": text(), "to": text(), "records": count(),
        }),
    );
    let listed = object(
        &["record", "kind", "unit", "held", "rule", "from", "to"],
        json!({
            "record": uuid(), "kind": text(), "unit": text(), "held": flag(),
            "rule": text(), "from": text(), "to": text(),
        }),
    );
    let required = [
        "judged",
        "changed",
        "by_rule",
        "records",
        "held_not_tried",
        "refused_not_tried",
    ];
    object(
        &required,
        json!({
            "judged": count(),
            "changed": count(),
            "by_rule": list(counted),
            "records": list(listed),
            "held_not_tried": count(),
            "refused_not_tried": count(),
        }),
    )
}

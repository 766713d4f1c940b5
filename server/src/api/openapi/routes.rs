//! What routes take and give: answers by status, bodies, parameters.

use serde_json::{Value, json};
use xiangyi_proto::limits::{LIST_ROWS_MAX, PHOTO_BYTES_MAX};

use super::schema::{code, list, object, open, reference, text, unit, whole, wide};

/// A good answer of JSON.
pub fn good(schema: Value) -> Value {
    media("application/json", schema)
}

/// The same with an example.
pub fn exampled(kind: &str, schema: Value, example: Value) -> Value {
    let mut answer = media(kind, schema);
    answer["content"][kind]["example"] = example;
    answer
}

/// A good answer of another media type.
fn media(kind: &str, schema: Value) -> Value {
    let mut answer = json!({ "description": "Done." });
    answer["content"][kind]["schema"] = schema;
    answer
}

/// An answer without a body; these headers are in it.
pub fn bare(headers: &[&str]) -> Value {
    let mut answer = json!({ "description": "Done." });
    for name in headers {
        answer["headers"][*name] = json!({ "required": true, "schema": text() });
    }
    answer
}

/// What a route without a kind answers when it is done, by status; what is not here has wire types
/// of its own in `openapi.rs`.
pub fn answers() -> Vec<(&'static str, Value)> {
    let named = || json!({ "200": good(reference("PackNamed")) });
    let trial = |status: &str| json!({ status: good(reference("Trial")) });
    vec![
        ("GET /", json!({ "308": bare(&["Location"]) })),
        ("GET /hub", json!({ "308": bare(&["Location"]) })),
        ("GET /hub/", json!({ "200": media("text/html", text()) })),
        ("GET /hub/{file}", json!({ "200": asset() })),
        (
            "GET /healthz",
            json!({ "200": media("text/plain", text()) }),
        ),
        ("GET /readyz", json!({ "200": media("text/plain", text()) })),
        (
            "GET /.well-known/jwks.json",
            json!({ "200": good(public_keys()) }),
        ),
        ("GET /v1/openapi.json", json!({ "200": good(open()) })),
        ("POST /v1/sync", json!({ "200": good(reference("Answer")) })),
        (
            "POST /v1/sync/wait",
            json!({ "200": good(reference("Poke")), "204": bare(&[]) }),
        ),
        (
            "GET /v1/live",
            json!({ "200": media("text/event-stream", text()) }),
        ),
        ("GET /v1/today", json!({ "200": good(reference("Today")) })),
        ("GET /v1/kpi", json!({ "200": good(reference("Kpi")) })),
        (
            "GET /v1/refusals/ledger",
            json!({ "200": good(reference("Ledger")) }),
        ),
        (
            "GET /v1/escalated",
            json!({ "200": good(reference("Escalated")) }),
        ),
        (
            "GET /v1/packs",
            json!({ "200": good(list(reference("PackListed"))) }),
        ),
        (
            "POST /v1/packs",
            json!({ "201": good(reference("PackNamed")) }),
        ),
        (
            "GET /v1/packs/{region}/{version}",
            json!({ "200": good(reference("Pack")) }),
        ),
        ("POST /v1/packs/{region}/{version}/publish", named()),
        ("POST /v1/packs/what-if", trial("202")),
        ("GET /v1/packs/what-if/{id}", trial("200")),
        ("OPTIONS /v1/photos", json!({ "204": tus_spoken() })),
        ("POST /v1/photos", json!({ "201": upload(&["Location"]) })),
        (
            "GET /v1/photos/uploads/{id}",
            json!({ "200": upload(&["Upload-Length"]) }),
        ),
        (
            "PATCH /v1/photos/uploads/{id}",
            json!({ "204": upload(&[]) }),
        ),
        (
            "DELETE /v1/photos/uploads/{id}",
            json!({ "204": bare(&["Tus-Resumable"]) }),
        ),
        ("GET /v1/photos/{sha256}", photograph()),
    ]
}

/// A file of the county's page.
fn asset() -> Value {
    let mut answer = json!({ "description": "Done." });
    for kind in ["text/html", "text/javascript", "text/css", "image/svg+xml"] {
        answer["content"][kind]["schema"] = text();
    }
    answer
}

fn tus_spoken() -> Value {
    bare(&[
        "Tus-Resumable",
        "Tus-Version",
        "Tus-Extension",
        "Tus-Max-Size",
    ])
}

/// An answer about an upload.
fn upload(more: &[&str]) -> Value {
    let mut headers = vec!["Tus-Resumable", "Upload-Offset", "Upload-Expires"];
    headers.extend(more);
    bare(&headers)
}

/// The bytes, or 202 while a rendition is being made.
fn photograph() -> Value {
    let mut bytes = json!({ "description": "Done." });
    for kind in ["image/jpeg", "image/png", "image/webp"] {
        bytes["content"][kind]["schema"] = json!({ "type": "string", "format": "binary" });
    }
    let mut answers = json!({ "202": bare(&["Retry-After"]) });
    answers["200"] = bytes;
    answers
}

/// Answers of a collection: a list, one record, or the verdict of a write.
pub fn answers_of(kind: &str, method: &str, one: bool) -> Value {
    let verdict = || good(reference("Verdict"));
    match method {
        "GET" if one => json!({ "200": good(reference(&format!("{kind}_record"))) }),
        "GET" => json!({ "200": good(reference(&format!("{kind}_page"))) }),
        "POST" => json!({ "200": verdict(), "201": verdict(), "202": verdict() }),
        _ => json!({ "200": verdict(), "202": verdict() }),
    }
}

/// Bodies of routes without a kind.
pub fn bodies() -> Vec<(&'static str, Value)> {
    let chunk = json!({ "type": "string", "format": "binary" });
    vec![
        (
            "POST /v1/sync",
            body("application/json", true, reference("Exchange")),
        ),
        (
            "POST /v1/sync/wait",
            body("application/json", false, reference("WaitAsk")),
        ),
        (
            "POST /v1/devices",
            body("application/json", false, super::exchange::reregister()),
        ),
        (
            "POST /v1/packs",
            body("application/json", true, reference("PackProposal")),
        ),
        (
            "POST /v1/packs/{region}/{version}/publish",
            body("application/json", false, reference("PackPublish")),
        ),
        (
            "POST /v1/packs/what-if",
            body("application/json", true, reference("TrialAsk")),
        ),
        (
            "PATCH /v1/photos/uploads/{id}",
            body("application/offset+octet-stream", true, chunk),
        ),
    ]
}

/// A body of one media type.
pub fn body(kind: &str, required: bool, schema: Value) -> Value {
    let mut body = json!({ "required": required });
    body["content"][kind]["schema"] = schema;
    body
}

/// The body of a write of a kind.
pub fn body_of(kind: &str, method: &str) -> Value {
    let schema = match method {
        "POST" | "PATCH" => reference(&format!("{kind}_write")),
        _ => reference("Void"),
    };
    body("application/json", true, schema)
}

/// One parameter.
pub fn parameter(place: &str, name: &str, required: bool, schema: Value) -> Value {
    let mut parameter = json!({ "name": name, "in": place, "required": required });
    parameter["schema"] = schema;
    parameter
}

/// Parameters of routes without a kind, but those of their paths.
pub fn asked() -> Vec<(&'static str, Vec<Value>)> {
    let query = |name, required, schema| parameter("query", name, required, schema);
    let year = || json!({ "type": "integer", "minimum": 2021, "maximum": 2099 });
    let month = || json!({ "type": "integer", "minimum": 1, "maximum": 12 });
    let months = || json!({ "type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$" });
    let reason = || json!({ "type": "string", "minLength": 1, "maxLength": 200 });
    let form = || code(&["thumb", "view", "original", "evidence"]);
    let county = || json!({ "type": "string", "pattern": "^[0-9]{6}$" });
    vec![
        ("GET /v1/today", vec![query("unit", true, county())]),
        (
            "GET /v1/kpi",
            vec![
                query("unit", true, unit()),
                query("year", true, year()),
                query("month", false, month()),
            ],
        ),
        (
            "GET /v1/refusals/ledger",
            vec![
                query("unit", true, county()),
                query("from", true, months()),
                query("to", true, months()),
            ],
        ),
        (
            "GET /v1/escalated",
            vec![
                query("unit", true, wide()),
                query(
                    "after",
                    false,
                    json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+){2}$" }),
                ),
                query("limit", false, limit()),
            ],
        ),
        ("GET /v1/packs", vec![query("region", true, wide())]),
        (
            "GET /v1/live",
            vec![
                query("cursor", false, text()),
                query("streams", false, text()),
                parameter("header", "Last-Event-ID", false, text()),
            ],
        ),
        (
            "GET /v1/photos/{sha256}",
            vec![
                query("unit", true, unit()),
                query("as", false, form()),
                query("record", false, text()),
                query("reason", false, reason()),
            ],
        ),
        ("POST /v1/photos", [tus_asked(), announced()].concat()),
        ("GET /v1/photos/uploads/{id}", tus_asked()),
        (
            "PATCH /v1/photos/uploads/{id}",
            [tus_asked(), vec![offset()]].concat(),
        ),
        ("DELETE /v1/photos/uploads/{id}", tus_asked()),
    ]
}

/// Parameters of a list, of one record, and of a write.
pub fn asked_of(method: &str, one: bool) -> Vec<Value> {
    let query = |name, required, schema| parameter("query", name, required, schema);
    if method != "GET" {
        let key = json!({ "type": "string", "minLength": 1, "maxLength": 128 });
        return vec![parameter("header", "Idempotency-Key", true, key)];
    }
    if one {
        return vec![query("unit", true, unit())];
    }
    vec![
        query("unit", true, unit()),
        query("station", false, text()),
        query("village", false, text()),
        query("author", false, text()),
        query("state", false, text()),
        query("from", false, whole()),
        query("to", false, whole()),
        query("after", false, whole()),
        query("limit", false, limit()),
    ]
}

/// Rows of a page.
pub fn limit() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": LIST_ROWS_MAX })
}

fn tus_asked() -> Vec<Value> {
    let version = json!({ "type": "string", "const": "1.0.0" });
    vec![parameter("header", "Tus-Resumable", true, version)]
}

fn announced() -> Vec<Value> {
    let length = json!({ "type": "integer", "minimum": 1, "maximum": PHOTO_BYTES_MAX });
    vec![
        parameter("header", "Upload-Length", true, length),
        parameter("header", "Upload-Metadata", true, text()),
    ]
}

fn offset() -> Value {
    parameter(
        "header",
        "Upload-Offset",
        true,
        json!({ "type": "integer", "minimum": 0 }),
    )
}

/// RFC 7517 and 8037.
fn public_keys() -> Value {
    let names = ["kty", "crv", "alg", "use", "kid", "x"];
    let members: serde_json::Map<_, _> = names
        .map(|name| (name.to_owned(), text()))
        .into_iter()
        .collect();
    let key = object(&names, Value::Object(members));
    object(&["keys"], json!({ "keys": list(key) }))
}

//! What the station's further routes ask and answer: reports, timelines, moves, one's own account,
//! photographs beside their uploads, pages.

use serde_json::{Value, json};

use super::routes::{bare, body, good, parameter};
use super::schema::{code, count, reference, sha256, text, unit, uuid};

fn any() -> Value {
    json!({ "type": "object" })
}

/// Answers by status, under method and path.
pub fn answers() -> Vec<(&'static str, Value)> {
    let page = || {
        json!({ "200": { "description": "Done.", "content": { "text/html": {
        "schema": text() } } } })
    };
    vec![
        ("GET /reference/", page()),
        ("GET /reference/{file}", page()),
        ("GET /v1/reports/{period}", json!({ "200": good(any()) })),
        (
            "GET /v1/clients/{id}/timeline",
            json!({ "200": good(any()) }),
        ),
        ("POST /v1/moves", json!({ "200": good(any()) })),
        ("GET /v1/audit", json!({ "200": good(any()) })),
        (
            "POST /v1/photos/small",
            json!({ "200": good(any()), "201": good(any()) }),
        ),
        (
            "GET /v1/photos/{sha256}/about",
            json!({ "200": good(any()) }),
        ),
        (
            "GET /v1/photos/{sha256}/check",
            json!({ "200": good(any()) }),
        ),
        (
            "DELETE /v1/packs/{region}/{version}",
            json!({ "204": bare(&[]) }),
        ),
        (
            "POST /v1/me/second-factor",
            json!({ "200": good(reference("SecondFactor")) }),
        ),
    ]
}

/// Bodies, under method and path.
pub fn bodies() -> Vec<(&'static str, Value)> {
    let form = json!({ "type": "object", "required": ["unit", "photo"], "properties": {
        "unit": text(), "sha256": sha256(), "record": uuid(),
        "photo": { "type": "string", "format": "binary" },
    } });
    vec![
        ("POST /v1/moves", body("application/json", true, moved())),
        (
            "POST /v1/photos/small",
            json!({ "required": true,
                    "content": { "multipart/form-data": { "schema": form } } }),
        ),
        (
            "POST /v1/me/second-factor",
            body("application/json", true, reference("Password")),
        ),
    ]
}

/// Parameters, under method and path, but those of the path.
pub fn asked() -> Vec<(&'static str, Vec<Value>)> {
    let query = |name, required, schema| parameter("query", name, required, schema);
    let form = code(&["json", "csv", "xlsx"]);
    vec![
        (
            "GET /v1/audit",
            vec![
                query("unit", true, unit()),
                query("since", false, count()),
                query("person", false, text()),
                query("after", false, text()),
                query("limit", false, count()),
            ],
        ),
        (
            "GET /v1/reports/{period}",
            vec![
                parameter("path", "period", true, text()),
                query("unit", true, unit()),
                query("format", false, form),
            ],
        ),
        (
            "GET /v1/clients/{id}/timeline",
            vec![
                query("unit", true, unit()),
                query("before", false, text()),
                query("limit", false, count()),
            ],
        ),
        (
            "GET /v1/photos/{sha256}/about",
            vec![query("unit", true, unit()), query("reason", false, text())],
        ),
        (
            "GET /v1/photos/{sha256}/check",
            vec![
                query("unit", true, unit()),
                query("record", true, uuid()),
                query("code", true, text()),
            ],
        ),
    ]
}

/// Who or what is moved, and where to.
fn moved() -> Value {
    json!({ "type": "object", "required": ["what"], "properties": {
        "what": code(&["worker", "client", "agency", "person"]),
        "person": text(), "from": text(), "to": text(), "clients_to": text(),
        "client": uuid(), "unit": text(), "licence": text(), "into": text(),
        "on": { "type": "string", "format": "date" }, "reason": text(),
        "dry_run": { "type": "boolean" },
    } })
}

//! `GET /v1/openapi.json`: OpenAPI 3.1, made from the router's table, the kinds' tables and the
//! wire types, so that it cannot say anything else than the code does.

use std::collections::BTreeMap;

use axum::Json;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};
use xiangyi_proto::account::{
    Code, Consent, Devices, Me, NewPassword, Password, Refresh, Registered, SecondFactor, Sessions,
    SignIn, SignedIn, WeChatCode, WeChatSignIn,
};
use xiangyi_proto::kinds::{Kind, Type};
use xiangyi_proto::limits::LIST_ROWS_MAX;
use xiangyi_proto::problem::{CODES, Problem};
use xiangyi_sync::tree::{self, Node};

use super::records::COLLECTIONS;
use crate::router::{ROUTES, Route, Who};

/// `GET /v1/openapi.json`.
pub async fn openapi() -> Json<Value> {
    Json(document())
}

/// The document.
pub fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        for (path, kind) in spelled(route) {
            let method = route.method.to_ascii_lowercase();
            let operation = operation(route, &path, kind);
            paths.entry(path).or_default().insert(method, operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Xiangyi 乡驿",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Records of grassroots social-work stations; the protocol is in \
                            proto/PROTOCOL.md.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
            },
        },
    })
}

/// A route with its collection written out, once per kind.
fn spelled(route: &Route) -> Vec<(String, Option<Kind>)> {
    let path = route.path.replace("{*", "{");
    if !path.contains("{collection}") {
        return vec![(path, None)];
    }
    let writes = route.method != "GET";
    let takes = |kind: &Kind| !writes || !kind.spec().may.is_empty();
    COLLECTIONS
        .iter()
        .filter(|(_, kind)| takes(kind))
        .map(|(name, kind)| (path.replace("{collection}", name), Some(*kind)))
        .collect()
}

fn operation(route: &Route, path: &str, kind: Option<Kind>) -> Value {
    let problem = json!({
        "description": "A problem with its code and what to do next.",
        "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut operation = json!({
        "operationId": format!("{}{}", route.method.to_ascii_lowercase(), path.replace('/', "_")),
        "parameters": parameters(route, path, kind),
        "responses": { "default": problem },
    });
    let (status, body, answer) = shapes(route, kind);
    let mut good = json!({ "description": "Done." });
    if let Some(answer) = answer {
        good["content"] = json!({ "application/json": { "schema": answer } });
    }
    operation["responses"][status] = good;
    if let Some(body) = body {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body } } });
    }
    if route.who == Who::SignedIn {
        operation["security"] = json!([{ "token": [] }]);
    }
    operation
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Status, request body and answer of a route.
fn shapes(route: &Route, kind: Option<Kind>) -> (&'static str, Option<Value>, Option<Value>) {
    if let Some(kind) = kind {
        let write = json!({ "type": "object", "required": ["unit"], "properties": {
            "unit": { "type": "string" },
            "id": { "type": "string", "format": "uuid" },
            "occurred_at": { "type": "integer" },
            "base": { "type": "integer" },
            "body": reference(kind.name()),
            "set": { "type": "object" },
            "unset": { "type": "array", "items": { "type": "string" } },
            "add": { "type": "object" },
            "needs": { "type": "array", "items": { "type": "string", "format": "uuid" } },
            "reason": { "type": "string" },
            "refusal": { "type": "string", "format": "uuid" },
        } });
        let any = json!({ "type": "object" });
        return match route.method {
            "GET" => ("200", None, Some(any)),
            "POST" => ("201", Some(write), Some(any)),
            _ => ("200", Some(write), Some(any)),
        };
    }
    if route.path.starts_with("/v1/photos") {
        return of_photographs(route);
    }
    if route.path.starts_with("/v1/packs") {
        return of_packs(route);
    }
    match (route.method, route.path) {
        ("POST", "/v1/sessions") => (
            "200",
            Some(reference("SignIn")),
            Some(reference("SignedIn")),
        ),
        ("POST", "/v1/sessions/refresh") => (
            "200",
            Some(reference("Refresh")),
            Some(reference("SignedIn")),
        ),
        ("DELETE", "/v1/sessions") => ("204", None, None),
        ("POST", "/v1/devices") => ("201", None, Some(reference("Registered"))),
        ("POST", "/v1/sessions/wechat") => (
            "200",
            Some(reference("WeChatSignIn")),
            Some(reference("SignedIn")),
        ),
        ("POST", "/v1/me/wechat") => ("204", Some(reference("WeChatCode")), None),
        ("DELETE", "/v1/me/wechat") => ("204", None, None),
        ("POST", "/v1/me/messages") => (
            "200",
            Some(reference("Consent")),
            Some(reference("Consent")),
        ),
        ("GET", "/v1/me/sessions") => ("200", None, Some(reference("Sessions"))),
        ("GET", "/v1/me/devices") => ("200", None, Some(reference("Devices"))),
        ("POST", "/v1/me/password") => ("204", Some(reference("NewPassword")), None),
        ("POST", "/v1/me/second-factor") => (
            "200",
            Some(reference("Password")),
            Some(reference("SecondFactor")),
        ),
        ("POST", "/v1/me/second-factor/confirm") | ("DELETE", "/v1/me/second-factor") => {
            ("204", Some(reference("Code")), None)
        }
        ("DELETE", "/v1/me/sessions/{id}" | "/v1/me/devices/{id}") => ("204", None, None),
        ("GET", "/v1/me") => ("200", None, Some(reference("Me"))),
        ("GET", "/v1/kpi" | "/v1/escalated" | "/v1/refusals/ledger") => {
            ("200", None, Some(json!({ "type": "object" })))
        }
        ("POST", "/v1/sync") => {
            let any = json!({ "type": "object" });
            ("200", Some(any.clone()), Some(any))
        }
        _ => ("200", None, None),
    }
}

/// The same for rule packs and their trials.
fn of_packs(route: &Route) -> (&'static str, Option<Value>, Option<Value>) {
    match (route.method, route.path) {
        ("POST", "/v1/packs") => ("201", Some(proposal()), Some(json!({ "type": "object" }))),
        ("GET", "/v1/packs") => ("200", None, Some(json!({ "type": "array" }))),
        ("POST", "/v1/packs/what-if") => ("202", Some(trial()), Some(json!({ "type": "object" }))),
        ("DELETE", "/v1/packs/what-if/{id}" | "/v1/packs/{region}/{version}") => {
            ("204", None, None)
        }
        ("GET" | "POST", path) if path.starts_with("/v1/packs/") => {
            ("200", None, Some(json!({ "type": "object" })))
        }
        _ => ("200", None, None),
    }
}

/// The same for photographs, whose bodies are bytes and forms.
fn of_photographs(route: &Route) -> (&'static str, Option<Value>, Option<Value>) {
    let any = || Some(json!({ "type": "object" }));
    match (route.method, route.path) {
        ("OPTIONS" | "PATCH" | "DELETE", _) => ("204", None, None),
        ("POST", "/v1/photos/small") => ("201", None, any()),
        ("POST", _) => ("201", None, None),
        (_, "/v1/photos/{sha256}/about" | "/v1/photos/{sha256}/check") => ("200", None, any()),
        _ => ("200", None, None),
    }
}

/// A rule pack that is proposed.
fn proposal() -> Value {
    json!({ "type": "object", "required": ["document"], "properties": {
        "document": { "type": "object" },
        "signature": { "type": "string", "pattern": "^[0-9a-f]{128}$" },
        "signer": { "type": "string", "pattern": "^[0-9a-f]{16}$" },
    } })
}

/// What is tried and on which days: a document, or a draft by region and version.
fn trial() -> Value {
    json!({ "type": "object", "required": ["from", "to"], "properties": {
        "document": { "type": "object" },
        "region": { "type": "string" },
        "version": { "type": "integer" },
        "from": { "type": "string", "format": "date" },
        "to": { "type": "string", "format": "date" },
    } })
}

fn parameters(route: &Route, path: &str, kind: Option<Kind>) -> Vec<Value> {
    let mut list = Vec::new();
    let mut add = |name: &str, place: &str, required: bool, schema: Value| {
        list.push(json!({ "name": name, "in": place, "required": required, "schema": schema }));
    };
    for name in ["id", "file", "sha256", "region", "version"] {
        if path.contains(&format!("{{{name}}}")) {
            let uuid = name == "id" && kind.is_some();
            let schema = if uuid {
                json!({ "type": "string", "format": "uuid" })
            } else {
                json!({ "type": "string" })
            };
            add(name, "path", true, schema);
        }
    }
    let text = || json!({ "type": "string" });
    if kind.is_some() && route.method == "GET" {
        add("unit", "query", true, text());
        if !path.contains("{id}") {
            for name in ["station", "village", "author", "state"] {
                add(name, "query", false, text());
            }
            for name in ["from", "to", "after"] {
                add(name, "query", false, json!({ "type": "integer" }));
            }
            add(
                "limit",
                "query",
                false,
                json!({ "type": "integer", "maximum": 200 }),
            );
        }
    } else if kind.is_some() {
        add("Idempotency-Key", "header", true, text());
    }
    if path == "/v1/photos/{sha256}" {
        add("unit", "query", true, text());
        add(
            "as",
            "query",
            false,
            json!({ "enum": ["thumb", "view", "original", "evidence"] }),
        );
        add("record", "query", false, text());
        add("reason", "query", false, text());
    }
    if path == "/v1/photos/{sha256}/about" {
        add("unit", "query", true, text());
        add("reason", "query", false, text());
    }
    if path == "/v1/photos/{sha256}/check" {
        for name in ["unit", "record", "code"] {
            add(name, "query", true, text());
        }
    }
    if path == "/v1/packs" && route.method == "GET" {
        add("region", "query", true, text());
    }
    list.extend(of_reports(path));
    list
}

/// One parameter of a query.
fn query(name: &str, required: bool, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "required": required, "schema": schema })
}

/// Parameters of the county's numbers.
fn of_reports(path: &str) -> Vec<Value> {
    let mut list = Vec::new();
    let reports = [
        "/v1/today",
        "/v1/escalated",
        "/v1/kpi",
        "/v1/refusals/ledger",
    ];
    if reports.contains(&path) {
        list.push(query("unit", true, &json!({ "type": "string" })));
    }
    if path == "/v1/kpi" {
        list.push(query("year", true, &json!({ "type": "integer" })));
        let month = json!({ "type": "integer", "minimum": 1, "maximum": 12 });
        list.push(query("month", false, &month));
    }
    if path == "/v1/escalated" {
        list.push(query("after", false, &json!({ "type": "string" })));
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": LIST_ROWS_MAX });
        list.push(query("limit", false, &limit));
    }
    if path == "/v1/refusals/ledger" {
        let month = || json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$" });
        list.extend(["from", "to"].map(|name| query(name, true, &month())));
    }
    list
}

fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    let mut parts = Vec::new();
    macro_rules! add {
        ($($wire:ty),*) => { $(
            <$wire>::schemas(&mut parts);
            parts.push((<$wire>::name().into_owned(), <$wire>::schema()));
        )* };
    }
    add!(
        SignIn,
        SignedIn,
        Refresh,
        Registered,
        Me,
        Sessions,
        Devices,
        NewPassword,
        Password,
        SecondFactor,
        Code,
        Problem,
        WeChatSignIn,
        WeChatCode,
        Consent
    );
    for (name, schema) in parts {
        all.insert(name, serde_json::to_value(schema).unwrap_or_default());
    }
    let codes: Vec<&str> = CODES.iter().map(|code| code.name).collect();
    all.insert(
        "ProblemCode".to_owned(),
        json!({ "type": "string", "enum": codes }),
    );
    for (_, kind) in COLLECTIONS {
        all.insert(kind.name().to_owned(), object(tree::of(*kind)));
    }
    all
}

fn object(node: &Node) -> Value {
    let described = || {
        node.members
            .iter()
            .filter(|(_, child)| child.field.is_some())
    };
    let mut names: Vec<&&str> = described()
        .filter(|(_, child)| child.field.is_some_and(|field| field.required))
        .map(|(name, _)| name)
        .collect();
    names.sort();
    let members: BTreeMap<&str, Value> = described()
        .map(|(name, child)| (*name, one(child)))
        .collect();
    json!({ "type": "object", "properties": members, "required": names })
}

fn one(node: &Node) -> Value {
    let mut schema = match node.ty() {
        Type::Text(max) => json!({ "type": "string", "maxLength": max }),
        Type::Word | Type::Person => json!({ "type": "string", "maxLength": 64 }),
        Type::Code(codes) => json!({ "type": "string", "enum": codes }),
        Type::Int(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Type::Flag => json!({ "type": "boolean" }),
        Type::Time => json!({ "type": "integer", "description": "Unix milliseconds" }),
        Type::Day => json!({ "type": "string", "format": "date" }),
        Type::Ref => json!({ "type": "string", "format": "uuid" }),
        Type::Region => json!({ "type": "string", "pattern": "^[0-9]{2,12}$" }),
        Type::Sha256 => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
        Type::List(max) => {
            let items = node.element.as_deref().map_or(json!({}), one);
            json!({ "type": "array", "maxItems": max, "items": items })
        }
        Type::Map => object(node),
    };
    if node.field.is_some_and(|field| field.derived) {
        schema["readOnly"] = json!(true);
    }
    schema
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_names_every_route_and_kind() {
        let document = super::document();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().expect("paths");
        assert!(paths.contains_key("/v1/check-ins") && paths.contains_key("/v1/sync"));
        assert!(!paths.keys().any(|path| path.contains("{collection}")));
        let visit = &document["components"]["schemas"]["visit"];
        assert_eq!(visit["properties"]["process"]["maxLength"], 4_000);
        assert_eq!(visit["properties"]["derived"]["readOnly"], true);
    }
}

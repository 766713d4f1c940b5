//! `GET /v1/openapi.json`: OpenAPI 3.1, made from the router's table, the kinds' tables and the
//! wire types, so that it cannot say anything else than the code does.

mod county;
mod exchange;
mod packs;
mod public;
mod records;
mod routes;
mod schema;
mod shapes;
mod station;
mod units;
mod webhooks;

use std::collections::BTreeMap;

use axum::Json;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};
use xiangyi_proto::account::{
    Code, Consent, Devices, Me, NewPassword, Password, Refresh, Registered, SecondFactor, Sessions,
    SignIn, SignedIn, WeChatCode, WeChatSignIn,
};
use xiangyi_proto::kinds::{Kind, Type};
use xiangyi_proto::problem::CODES;
use xiangyi_sync::tree::{self, Node};

use self::schema::reference;
use super::records::{COLLECTIONS, takes};
use crate::router::{ROUTES, Route, Who};

/// The one route whose HEAD is part of the protocol: how far an upload has come.
const HEADED: &str = "/v1/photos/uploads/{id}";

/// The one list that whoever has not signed in may see.
const PUBLIC: &str = "/v1/activities";

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
            let at = paths.entry(path).or_default();
            if route.path == HEADED && method == "get" {
                let mut head = operation.clone();
                head["operationId"] = json!(operation_id("head", route.path));
                at.insert("head".to_owned(), head);
            }
            at.insert(method, operation);
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
                "token": { "type": "http", "scheme": "bearer" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "xiangyi_session" },
            },
        },
    })
}

/// A route with its collection written out, once per kind.
fn spelled(route: &Route) -> Vec<(String, Option<Kind>)> {
    let path = route.path.replace("{*", "{");
    if path == PUBLIC {
        return vec![(path, Some(Kind::Activity))];
    }
    if !path.contains("{collection}") {
        return vec![(path, None)];
    }
    COLLECTIONS
        .iter()
        .filter(|(_, kind)| takes(*kind, route.method))
        .map(|(name, kind)| (path.replace("{collection}", name), Some(*kind)))
        .collect()
}

/// A name that is one in every language clients are generated in.
fn operation_id(method: &str, path: &str) -> String {
    let named = |letter: char| match letter {
        '/' | '-' | '.' => Some('_'),
        '{' | '}' => None,
        other => Some(other),
    };
    let path: String = path.chars().filter_map(named).collect();
    format!("{}{path}", method.to_ascii_lowercase())
}

fn operation(route: &Route, path: &str, kind: Option<Kind>) -> Value {
    let problem = json!({
        "description": "A problem with its code and what to do next.",
        "content": { "application/problem+json": { "schema": reference("Problem") } },
    });
    let is_public = route.path == PUBLIC && route.method == "GET";
    let (mut answers, body) = match kind {
        Some(_) if is_public => (public::answers(), None),
        Some(kind) => of_kind(kind, route.method, path.contains("{id}")),
        None => of_route(route, path),
    };
    answers["default"] = problem;
    let mut operation = json!({
        "operationId": operation_id(route.method, path),
        "parameters": parameters(route, path, kind),
        "responses": answers,
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    if route.who == Who::SignedIn {
        operation["security"] = json!([{ "token": [] }, { "cookie": [] }]);
    }
    if is_public {
        operation["security"] = json!([{}, { "token": [] }, { "cookie": [] }]);
    }
    operation
}

/// Answers by status, and the body, of a collection's route.
fn of_kind(kind: Kind, method: &str, one: bool) -> (Value, Option<Value>) {
    let body = (method != "GET").then(|| routes::body_of(kind.name(), method));
    (routes::answers_of(kind.name(), method, one), body)
}

/// The same of any other route: wire types first, then what is written by hand.
fn of_route(route: &Route, path: &str) -> (Value, Option<Value>) {
    let named = format!("{} {path}", route.method);
    let of = |list: Vec<(&str, Value)>| {
        let mut found = list.into_iter().filter(|(key, _)| *key == named);
        found.next().map(|(_, value)| value)
    };
    let (status, body, answer) = typed(route);
    let body = body.map(|body| routes::body("application/json", true, body));
    let answers = of(routes::answers())
        .or_else(|| of(station::answers()))
        .or_else(|| of(units::answers()))
        .or_else(|| of(webhooks::answers()))
        .or_else(|| of(public::more()))
        .unwrap_or_else(
            || json!({ status: answer.map_or_else(|| routes::bare(&[]), routes::good) }),
        );
    let body = body.or_else(|| of(routes::bodies()));
    let body = body.or_else(|| of(webhooks::bodies()));
    (answers, body.or_else(|| of(station::bodies())))
}

/// Status, request body and answer of a route that has wire types of its own.
fn typed(route: &Route) -> (&'static str, Option<Value>, Option<Value>) {
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
        ("POST", "/v1/me/second-factor/confirm") | ("DELETE", "/v1/me/second-factor") => {
            ("204", Some(reference("Code")), None)
        }
        ("DELETE", "/v1/me/sessions/{id}" | "/v1/me/devices/{id}") => ("204", None, None),
        ("GET", "/v1/me") => ("200", None, Some(reference("Me"))),
        ("DELETE", "/v1/packs/what-if/{id}" | "/v1/packs/{region}/{version}") => {
            ("204", None, None)
        }
        _ => ("200", None, None),
    }
}

fn parameters(route: &Route, path: &str, kind: Option<Kind>) -> Vec<Value> {
    let mut list = Vec::new();
    for name in ["id", "file", "sha256", "region", "version"] {
        if path.contains(&format!("{{{name}}}")) {
            let schema = match name {
                "id" if kind.is_some() => schema::uuid(),
                "sha256" => schema::sha256(),
                "region" => schema::wide(),
                "version" => schema::count(),
                _ => schema::text(),
            };
            list.push(routes::parameter("path", name, true, schema));
        }
    }
    let more = match kind {
        Some(_) if route.path == PUBLIC && route.method == "GET" => {
            public::either(routes::asked_of("GET", false))
        }
        Some(_) => routes::asked_of(route.method, path.contains("{id}")),
        None => {
            let named = format!("{} {path}", route.method);
            let all = routes::asked().into_iter().chain(station::asked());
            let all = all.chain(units::asked()).chain(public::asked());
            let all = all.chain(webhooks::asked());
            let mut asked = all.filter(|(key, _)| *key == named);
            asked.next().map(|(_, list)| list).unwrap_or_default()
        }
    };
    list.extend(more);
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
        all.extend(shapes::of_kind(kind.name()));
    }
    let by_hand = shapes::shapes().into_iter();
    all.extend(by_hand.map(|(name, schema)| (name.to_owned(), schema)));
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

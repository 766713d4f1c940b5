//! Parts of which the shapes of the OpenAPI document are made.

use serde_json::{Value, json};

/// A schema of `components/schemas`.
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with these members, of which the named are always there.
pub fn object(required: &[&str], members: Value) -> Value {
    let mut schema = json!({ "type": "object", "required": required });
    schema["properties"] = members;
    schema
}

/// The same, and no other member is taken.
pub fn closed(required: &[&str], members: Value) -> Value {
    let mut schema = object(required, members);
    schema["additionalProperties"] = json!(false);
    schema
}

/// A list of one shape.
pub fn list(items: Value) -> Value {
    let mut schema = json!({ "type": "array" });
    schema["items"] = items;
    schema
}

/// The same, or null.
pub fn nullable(schema: Value) -> Value {
    let mut either = json!({});
    either["anyOf"] = Value::Array(vec![schema, json!({ "type": "null" })]);
    either
}

/// Members of one shape under names that no schema lists.
pub fn map(of: Value) -> Value {
    let mut schema = json!({ "type": "object" });
    schema["additionalProperties"] = of;
    schema
}

/// An object of which nothing more is said here.
pub fn open() -> Value {
    json!({ "type": "object", "additionalProperties": true })
}

/// Any text.
pub fn text() -> Value {
    json!({ "type": "string" })
}

/// One of a closed list.
pub fn code(codes: &[&str]) -> Value {
    json!({ "type": "string", "enum": codes })
}

/// Any whole number of 64 bits.
pub fn whole() -> Value {
    json!({
        "type": "integer", "format": "int64",
        "minimum": i64::MIN, "maximum": i64::MAX,
    })
}

/// What is counted.
pub fn count() -> Value {
    json!({
        "type": "integer", "format": "int64",
        "minimum": 0, "maximum": i64::MAX,
    })
}

/// A moment.
pub fn time() -> Value {
    json!({ "type": "integer", "format": "int64", "description": "Unix milliseconds" })
}

/// True or false.
pub fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// A record's id.
pub fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// `YYYY-MM-DD`, UTC+8.
pub fn day() -> Value {
    json!({ "type": "string", "format": "date" })
}

/// A county hub or a station.
pub fn unit() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{6}([0-9]{3})?$" })
}

/// A province, a city or a county.
pub fn wide() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{2}([0-9]{2}){0,2}$" })
}

/// A digest in lower-case hex.
pub fn sha256() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
}

//! Work of others that waits for a decision, as a reviewer's phone shows it.

use serde_json::Value;
use xiangyi_proto::exchange::Row;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::verdict::HeldFor;
use xiangyi_sync::phone::Phone;

use super::words::{self, body_of, moment};

/// Letters of one text that are shown.
const TEXT_MAX: usize = 160;
/// Texts of one record that are shown.
const TEXTS_MAX: usize = 6;

/// Whether this phone reads what waits for a decision.
pub fn reads(phone: &Phone) -> bool {
    let mut streams = phone.streams.iter();
    streams.any(|(_, stream)| is_restricted(stream))
}

/// Held work of others that a reviewer has to decide.
pub fn waiting(phone: &Phone) -> impl Iterator<Item = &Row> {
    let rows = phone.rows.iter();
    let rows = rows.filter(|((_, stream, _), _)| is_restricted(stream));
    let rows = rows.map(|(_, held)| &held.row);
    rows.filter(|row| {
        let held = row.kind == Kind::Held.name() && !row.rm;
        held && body_of(row)["for"] == HeldFor::Review.name()
    })
}

fn is_restricted(stream: &str) -> bool {
    stream.starts_with("restricted:")
}

/// Whose it is, which record, which rule, since when, what it says, and how to decide.
pub fn told(row: &Row) -> String {
    let body = body_of(row);
    let text = |name: &str| body[name].as_str().unwrap_or("?");
    let (record, rule) = (text("record"), text("rule"));
    let kind = words::kind_word(text("record_kind"));
    let since = moment(if row.received_at > 0 {
        row.received_at
    } else {
        row.estimated_at
    });
    let mut lines = format!(
        "待审核 to decide  {kind}  {record}\n  {} {}  规则 rule {rule}  始于 since {since}",
        row.author, row.unit
    );
    let mutation = &body["mutation"];
    let mut texts = Vec::new();
    for name in ["reason", "body", "set", "add"] {
        gather(name, &mutation[name], &mut texts);
    }
    for text in texts.iter().take(TEXTS_MAX) {
        lines.push_str(&format!("\n  {text}"));
    }
    let decisions = match mutation["op"].as_str() {
        Some("appeal") => "upheld|changed|list_wrong",
        _ => "release|refuse",
    };
    lines.push_str(&format!(
        "\n  决定 decide: review {record} --decision {decisions} --reason …"
    ));
    lines
}

/// Texts of people with the names of their members; codes, ids and hashes say little here.
fn gather(name: &str, value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_ascii() => {
            texts.push(format!("{name}: {}", words::cut(text, TEXT_MAX)));
        }
        Value::Array(list) => list.iter().for_each(|value| gather(name, value, texts)),
        Value::Object(members) => {
            for (name, value) in members {
                gather(name, value, texts);
            }
        }
        _ => {}
    }
}

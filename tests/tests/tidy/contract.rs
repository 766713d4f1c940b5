//! `proto/PROTOCOL.md` and the code say the same.

use serde_json::value::RawValue;
use uuid::Uuid;
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::problem::{CODES, FIELD_CODES};
use xiangyi_proto::role::Role;
use xiangyi_server::api::records::COLLECTIONS;
use xiangyi_server::router::ROUTES;
use xiangyi_sync::sums::Sum;
use xiangyi_sync::{digest, words};

use crate::{none, text};

fn protocol() -> String {
    text("proto/PROTOCOL.md")
}

/// What of these the document does not hold.
fn missing<'a>(names: impl Iterator<Item = String> + 'a) -> Vec<String> {
    let document = protocol();
    names.filter(|name| !document.contains(name)).collect()
}

#[test]
fn every_route_is_described() {
    let row = |route: &xiangyi_server::router::Route| {
        let (method, path) = (route.method, route.path);
        format!("| {method} | `{path}` |")
    };
    none(&missing(ROUTES.iter().map(row)), "routes not described");
    let collection = |(name, _): &(&str, Kind)| format!("`/v1/{name}`");
    none(
        &missing(COLLECTIONS.iter().map(collection)),
        "collections not described",
    );
}

#[test]
fn every_code_is_described_with_its_status() {
    let document = protocol();
    let mut found = Vec::new();
    for code in CODES {
        let repeat = if code.retry { "yes" } else { "no" };
        let told = document.lines().any(|line| {
            line.starts_with(&format!("| `{}`", code.name))
                && line.contains(&format!("| {} | {repeat} |", code.status))
        });
        if !told {
            found.push(format!("{} {} {repeat}", code.name, code.status));
        }
    }
    none(&found, "codes not described as they are");
    let fields = FIELD_CODES.iter().map(|(name, ..)| format!("| `{name}` |"));
    none(&missing(fields), "field codes not described");
}

#[test]
fn every_kind_is_described_field_by_field() {
    let document = protocol();
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let (name, number) = (kind.name(), kind.number());
        let told = document.lines().any(|line| {
            line.starts_with(&format!("| `{name}` |")) && line.contains(&format!("| {number} |"))
        });
        if !told {
            found.push(format!("{name}: no row with its number"));
        }
        let own = document
            .split(&format!("\n#### {name}\n"))
            .nth(1)
            .and_then(|rest| rest.split("\n#").next())
            .unwrap_or("");
        for field in kind.spec().fields {
            let row = own
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", field.path)));
            let sealed = row.is_some_and(|row| row.contains('★')) == field.starred;
            let server = row.is_some_and(|row| row.contains("| server |")) == field.derived;
            if row.is_none() || !sealed || !server {
                found.push(format!("{name} {}", field.path));
            }
        }
    }
    none(&found, "kinds and fields not described as they are");
}

#[test]
fn every_rule_of_the_exchange_and_every_role_is_described() {
    let rules = words::rules().map(|rule| format!("| `{rule}` |"));
    none(&missing(rules), "rules of the exchange not described");
    let roles = Role::ALL.iter().map(|role| format!("`{}`", role.name()));
    none(&missing(roles), "roles not described");
}

fn chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_code_has_words_in_both_languages() {
    let whole = CODES.iter().map(|code| (code.name, code.zh, code.en));
    let all = whole.chain(FIELD_CODES.iter().copied());
    let rules = words::rules().map(|rule| {
        let (zh, en) = words::of(rule);
        (rule, zh, en)
    });
    let wordless = |(_, zh, en): &(&str, &str, &str)| !chinese(zh) || en.is_empty() || chinese(en);
    let found: Vec<String> = all
        .chain(rules)
        .filter(wordless)
        .map(|(name, ..)| name.to_owned())
        .collect();
    none(&found, "codes without words in both languages");
}

/// The mutation of the test vector, as sent.
fn vector() -> String {
    let document = protocol();
    let block = document
        .split("```text\n")
        .nth(1)
        .expect("there is a vector");
    let line = block.lines().next().expect("the vector has a line");
    line.to_owned()
}

#[test]
fn the_digests_of_the_vector_come_out_as_printed() {
    let raw = vector();
    let sent: Box<RawValue> = serde_json::from_str(&raw).expect("the vector is JSON");
    let mutation: Mutation = serde_json::from_str(&raw).expect("the vector is a mutation");
    let printed = [
        hex::encode(digest::as_sent(sent.get())),
        hex::encode(digest::content(&mutation)),
    ];
    none(&missing(printed.into_iter()), "digests printed wrongly");
}

#[test]
fn the_sums_of_the_vector_come_out_as_printed() {
    let rows = [
        ("019b7a50-31c5-7c1e-8d0a-6b1f9e2a4c01", 1),
        ("019b79f0-0a10-7b22-9c41-2f64d0a1b802", 3),
    ];
    let mut all = Sum::default();
    let mut printed = Vec::new();
    for (id, rev) in rows {
        let id = Uuid::parse_str(id).expect("an id");
        let mut one = Sum::default();
        one.add(id, rev);
        printed.extend([one.sum1.to_string(), one.sum2.to_string()]);
        all.add(id, rev);
    }
    assert_eq!(all.live, 2);
    printed.extend([all.sum1.to_string(), all.sum2.to_string()]);
    none(&missing(printed.into_iter()), "sums printed wrongly");
}

//! Layers: tests use server, server uses sync, sync uses proto; nothing points back.

use std::collections::BTreeSet;

use crate::{files, none, text};

/// What pure packages may not even depend on.
const IMPURE: &[&str] = &["tokio", "sqlx", "reqwest", "axum", "rand", "object_store"];
/// Ways by which a clock, a file, a socket or a setting would come into a pure package.
const IMPURE_PATHS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant::now",
    "thread_rng",
    "now_v7",
];
const SQL: &[&str] = &[
    "\"SELECT ",
    "\"INSERT ",
    "\"UPDATE ",
    "\"DELETE FROM ",
    "\"CREATE TABLE ",
];
/// Where SQL may stand: the server's store, and the command-line phone's own file.
const SQL_HOMES: &[&str] = &["server/src/store/", "server/src/phone/store.rs"];
const ENGINES: &[&str] = &["Sqlite", "Postgres", "SqlitePool", "PgPool"];
const ENGINE_HOMES: &[&str] = &["server/src/store/dialect.rs", "server/src/phone/store.rs"];

/// Names of the packages under `[dependencies]`.
fn dependencies(package: &str) -> BTreeSet<String> {
    let manifest = text(&format!("{package}/Cargo.toml"));
    let section = manifest
        .split_once("[dependencies]")
        .map_or("", |(_, rest)| rest.split("\n[").next().unwrap_or(""));
    let named = section.lines().filter(|line| line.contains('='));
    let name = |line: &str| {
        let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
        line[..end].to_owned()
    };
    named.map(name).collect()
}

fn ours(package: &str) -> Vec<String> {
    let all = dependencies(package).into_iter();
    all.filter(|name| name.starts_with("xiangyi-")).collect()
}

#[test]
fn packages_point_one_way() {
    assert!(ours("proto").is_empty());
    assert_eq!(ours("sync"), ["xiangyi-proto"]);
    assert_eq!(ours("server"), ["xiangyi-proto", "xiangyi-sync"]);
}

#[test]
fn pure_packages_stay_pure() {
    let mut found = Vec::new();
    for package in ["proto", "sync"] {
        let own = dependencies(package);
        let bad = IMPURE.iter().filter(|name| own.contains(**name));
        found.extend(bad.map(|name| format!("{package} depends on {name}")));
        for path in files(&format!("{package}/src"), ".rs") {
            let code = text(&path);
            let bad = IMPURE_PATHS.iter().filter(|name| code.contains(**name));
            found.extend(bad.map(|name| format!("{path} names {name}")));
        }
    }
    none(
        &found,
        "no clock, file, socket or setting in proto and sync",
    );
}

#[test]
fn sql_stays_in_the_store() {
    let found = strays("server/src", SQL, SQL_HOMES);
    none(&found, "SQL stands in the store");
}

#[test]
fn engines_are_named_in_one_place() {
    let found = strays("server/src", ENGINES, ENGINE_HOMES);
    none(&found, "the engines are named in store/dialect.rs");
}

/// Files that hold one of these words and are none of its homes.
fn strays(below: &str, words: &[&str], homes: &[&str]) -> Vec<String> {
    let is_home = |path: &String| homes.iter().any(|home| path.starts_with(home));
    let mut found = Vec::new();
    for path in files(below, ".rs").into_iter().filter(|p| !is_home(p)) {
        for (index, line) in text(&path).lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            if !is_comment && words.iter().any(|word| holds(line, word)) {
                found.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    found
}

/// Whether a line holds a word that is not part of a longer name.
fn holds(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let whole = |at: usize| {
        let after = part(line[at + word.len()..].chars().next());
        let before = part(line[..at].chars().next_back());
        let open_ended = part(word.chars().next_back());
        !before && (!open_ended || !after)
    };
    line.match_indices(word).any(|(at, _)| whole(at))
}

#[test]
fn migrations_come_in_pairs() {
    let names = |engine: &str| {
        let folder = format!("server/migrations/{engine}/");
        let list = files(&folder, ".sql").into_iter();
        list.map(|path| path[folder.len()..].to_owned())
            .collect::<Vec<_>>()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

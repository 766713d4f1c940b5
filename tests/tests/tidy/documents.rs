//! Documents: what they point at is there.

use std::collections::BTreeSet;

use crate::{files, none, root, text};

/// Documents whose paths are checked; a plan may name what is not there yet.
fn documents() -> Vec<String> {
    let mut list = vec!["README.md".to_owned(), "tests/README.md".to_owned()];
    list.extend(files("server/decisions", ".md"));
    list
}

/// Paths between backticks that begin in one of our folders.
fn paths(document: &str) -> BTreeSet<String> {
    let ours = |word: &&str| {
        ["proto/", "sync/", "server/", "tests/", "deploy/"]
            .iter()
            .any(|folder| word.starts_with(folder))
    };
    let plain = |word: &&str| !word.contains(['{', '*', ' ', '…', '<']);
    let words = document.split('`').skip(1).step_by(2);
    words
        .filter(ours)
        .filter(plain)
        .map(str::to_owned)
        .collect()
}

#[test]
fn paths_in_documents_exist() {
    let mut found = Vec::new();
    for document in documents() {
        for path in paths(&text(&document)) {
            if !root().join(&path).exists() {
                found.push(format!("{document}: {path}"));
            }
        }
    }
    none(&found, "paths that are not there");
}

#[test]
fn the_protocol_has_its_contents() {
    let document = text("proto/PROTOCOL.md");
    let heads = document.lines().filter_map(|line| line.strip_prefix("## "));
    let entry = |head: &str| {
        let kept = head
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        format!("- [{head}](#{})", anchor.to_lowercase())
    };
    let want: Vec<String> = heads.map(entry).collect();
    let is_entry = |line: &&str| line.starts_with("- [") && line.contains("](#");
    let listed: Vec<&str> = document.lines().filter(is_entry).collect();
    assert_eq!(listed, want, "sections and contents");
}

#[test]
fn decisions_are_numbered_without_a_gap() {
    let list = files("server/decisions", ".md");
    for (index, path) in list.iter().enumerate() {
        let number = format!("server/decisions/{:04}-", index + 1);
        assert!(path.starts_with(&number), "{path} should begin {number}");
    }
    assert!(list.len() >= 8);
}

//! The corpus of field notes: what is in it, and what today's phrases find of each writer's hits.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use xiangyi_proto::pack::STARTER;
use xiangyi_sync::policy::{Lexicons, read};

/// Writers, in the order in which they wrote.
const WRITERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// Writers who also wrote ordinary notes.
const PLAIN: [&str; 5] = ["d", "e", "f", "g", "h"];
/// Groups of signals; the starter pack has phrases for some of them.
const GROUPS: [&str; 18] = [
    "licence",
    "recognise",
    "approve",
    "pay",
    "publicity_review",
    "verify_household",
    "enforce",
    "petition_land",
    "office_duty",
    "sign_for",
    "official_promise",
    "fees_sales",
    "fundraise_quota",
    "forced_volunteer",
    "danger_minor",
    "danger_violence",
    "danger_self",
    "ordered",
];
/// Labelled notes of each group, at least.
const A_GROUP: usize = 150;
/// Ordinary notes, at least.
const ORDINARY: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    id: String,
    text: String,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    hit: Option<bool>,
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the file")]
    note: Option<String>,
}

fn notes(name: &str) -> Vec<Note> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/vectors/narratives/");
    let text = std::fs::read_to_string(format!("{folder}{name}.jsonl")).expect("the file is there");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}")))
        .collect()
}

#[test]
fn the_corpus_is_whole() {
    let (mut ids, mut texts) = (BTreeSet::new(), BTreeSet::new());
    let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for note in WRITERS.iter().flat_map(|writer| notes(writer)) {
        let (group, hit) = (note.group.expect("a group"), note.hit.expect("a label"));
        assert!(GROUPS.contains(&group.as_str()), "{group} is no group");
        let counts = groups.entry(group).or_default();
        counts.0 += usize::from(hit);
        counts.1 += usize::from(!hit);
        assert!(ids.insert(note.id.clone()), "{} twice", note.id);
        assert!(texts.insert(note.text.clone()), "{} is a repeat", note.id);
    }
    assert_eq!(groups.len(), GROUPS.len());
    for (group, (hits, others)) in &groups {
        assert!(hits + others >= A_GROUP, "{group}: {hits} + {others}");
        assert!(
            hits.abs_diff(*others) * 5 <= hits + others,
            "{group}: {hits}, {others}"
        );
    }
    let mut ordinary = 0;
    for note in PLAIN
        .iter()
        .flat_map(|writer| notes(&format!("{writer}-plain")))
    {
        assert!(note.group.is_none() && note.hit.is_none(), "{}", note.id);
        assert!(
            ids.insert(note.id.clone()) && texts.insert(note.text),
            "{}",
            note.id
        );
        ordinary += 1;
    }
    assert!(ordinary >= ORDINARY, "{ordinary}");
}

/// Phrases alone find at least half of what was written beside them; what they find of anybody else
/// is no promise and is printed by `cargo test -p xiangyi-sync --test corpus -- --nocapture`.
#[test]
fn phrases_find_what_their_own_writer_means() {
    let doc = read(STARTER).expect("the starter pack reads");
    let lexicons = Lexicons::new(&doc.lexicons).expect("the lexicons are sound");
    for writer in WRITERS {
        let (mut found, mut missed, mut wrong) = (0, 0, 0);
        for note in notes(writer) {
            let group = note.group.unwrap_or_default();
            if lexicons.index(&group).is_none() {
                continue;
            }
            match (lexicons.mentions(&note.text, &group), note.hit) {
                (true, Some(true)) => found += 1,
                (false, Some(true)) => missed += 1,
                (true, _) => wrong += 1,
                (false, _) => {}
            }
        }
        let recall = f64::from(found) / f64::from(found + missed);
        println!("{writer}: {found} found, {missed} missed, {wrong} wrong: recall {recall:.2}");
        assert!(writer != "a" || recall >= 0.5, "{writer}: {recall:.2}");
    }
}

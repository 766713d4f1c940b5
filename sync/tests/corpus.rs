//! The corpus of field notes: what is in it, and that the shipped weights were learned from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use xiangyi_proto::pack::STARTER;
use xiangyi_sync::policy::{self, read, signals};

/// Writers of all groups, in the order in which they wrote.
const WRITERS: [&str; 25] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "q", "r", "s", "t", "u",
    "v", "w", "z", "aa", "ab", "ac",
];
/// Writers of the groups of danger only.
const DANGER_WRITERS: [&str; 4] = ["o", "p", "x", "ad"];
/// Short remarks as they stand in a record's other texts: reasons, plans, answers.
const REMARKS: &str = "y-plain";
/// Writers who wrote no ordinary notes.
const WITHOUT_ORDINARY: [&str; 3] = ["a", "b", "c"];
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/vectors/narratives/");
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
    let text = std::fs::read_to_string(format!("{FOLDER}{name}.jsonl")).expect("the file is there");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}")))
        .collect()
}

#[test]
fn the_corpus_is_whole() {
    let (mut ids, mut texts) = (BTreeSet::new(), BTreeSet::new());
    let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let labelled = WRITERS.iter().chain(&DANGER_WRITERS);
    for note in labelled.flat_map(|writer| notes(writer)) {
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
    let all = WRITERS.iter().chain(&DANGER_WRITERS);
    let with = all.filter(|writer| !WITHOUT_ORDINARY.contains(writer));
    for note in with.flat_map(|writer| notes(&format!("{writer}-plain"))) {
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

/// The weights know what they were learned from: `make train` after a change of notes or words.
#[test]
fn the_weights_were_learned_from_these_notes_and_words() {
    let mut files: Vec<_> = std::fs::read_dir(FOLDER)
        .expect("the folder is there")
        .map(|entry| entry.expect("it reads").path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    files.sort();
    files.push(
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/data/visit-narratives.jsonl"
        )
        .into(),
    );
    files.push(concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/packs/words.yaml").into());
    let mut digest = Sha256::new();
    for path in files {
        digest.update(std::fs::read(path).expect("the file is there"));
    }
    let shipped = signals::shipped().expect("the weights read");
    assert_eq!(shipped.learned_from(), hex::encode(digest.finalize()));
}

/// The weights know their own notes; what they are worth on other writers is told by `make folds`.
#[test]
fn what_was_learned_is_found_again() {
    let doc = read(STARTER).expect("the starter pack reads");
    let mut all = Vec::new();
    for writer in WRITERS.iter().chain(&DANGER_WRITERS) {
        all.extend(notes(writer));
        if !WITHOUT_ORDINARY.contains(writer) {
            all.extend(notes(&format!("{writer}-plain")));
        }
    }
    all.extend(notes(REMARKS));
    let asked = all.iter().map(|note| policy::Note {
        id: note.id.clone(),
        text: note.text.clone(),
        group: note.group.clone(),
        hit: note.hit,
    });
    let score = policy::score(&doc, &asked.collect::<Vec<_>>()).expect("the pack is sound");
    println!("{score:?}");
    assert!(score.pooled.f1 >= 0.97, "{:?}", score.pooled);
    for group in &score.groups {
        assert!(group.rates.f1 >= 0.95, "{group:?}");
    }
    assert!(
        score.false_alarms * 200 <= all.len(),
        "{}",
        score.false_alarms
    );
    assert!(score.warned * 100 <= all.len(), "{}", score.warned);
}

/// A stored list outlives the weights it was published with.
#[test]
fn a_pack_whose_weights_are_gone_is_judged_with_those_that_are_here() {
    let mut doc = read(STARTER).expect("the starter pack reads");
    assert!(!policy::with_weights_that_are_here(&mut doc));
    doc.signals = Some("0".repeat(64));
    assert!(
        policy::compile(&doc).is_err(),
        "a new pack must name known weights"
    );
    assert!(policy::with_weights_that_are_here(&mut doc));
    assert!(policy::compile(&doc).is_ok());
}

//! What texts mention: the shared vectors, and a look at false alarms over written narratives.

use serde::Deserialize;
use xiangyi_proto::pack::STARTER;
use xiangyi_sync::policy::{CompiledPack, compile, read};

const VECTORS: &str = include_str!("../../proto/vectors/mentions.json");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    text: String,
    lexicon: String,
    hit: bool,
}

fn starter() -> CompiledPack {
    let doc = read(STARTER).expect("the starter pack reads");
    compile(&doc).expect("the starter pack compiles")
}

#[test]
fn the_shared_vectors_hold() {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).expect("the vectors read");
    let pack = starter();
    let wrong: Vec<&Vector> = vectors
        .iter()
        .filter(|vector| pack.lexicons.mentions(&vector.text, &vector.lexicon) != vector.hit)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_lexicon_has_a_hit_and_a_near_miss() {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).expect("the vectors read");
    let doc = read(STARTER).expect("the starter pack reads");
    for name in doc.lexicons.keys() {
        for hit in [true, false] {
            let any = vectors
                .iter()
                .any(|vector| vector.lexicon == *name && vector.hit == hit);
            assert!(any, "{name} lacks a vector with hit: {hit}");
        }
    }
    let known = |vector: &&Vector| doc.lexicons.contains_key(&vector.lexicon);
    assert_eq!(vectors.iter().filter(known).count(), vectors.len());
}

#[derive(Debug, Deserialize)]
struct Narrative {
    text: String,
}

fn narratives(name: &str) -> Vec<Narrative> {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the narratives are in the repository");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect()
}

/// One ordinary visit in a hundred may be taken for something; the load narratives are put together
/// from parts, half of them were learned from.
#[test]
fn ordinary_visits_raise_next_to_no_alarm() {
    let pack = starter();
    let doc = read(STARTER).expect("the starter pack reads");
    let visits = narratives("tests/data/visit-narratives.jsonl");
    let alarmed = |visit: &&Narrative| {
        let mut names = doc
            .lexicons
            .keys()
            .filter(|name| *name != "not_volunteering");
        names.any(|name| pack.lexicons.mentions(&visit.text, name))
    };
    let alarms = visits.iter().filter(alarmed).count();
    assert!(alarms * 100 <= visits.len(), "{alarms} of {}", visits.len());
}

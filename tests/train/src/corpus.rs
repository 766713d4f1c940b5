//! The field notes that weights are learned from, and the classes of words.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Writer of the ordinary visits that only measure load: put together from parts, no diary.
pub const GENERATED: &str = "visits";

/// A field note with its writer.
#[derive(Debug, Clone)]
pub struct Note {
    pub id: String,
    pub writer: String,
    pub text: String,
    /// Absent for an ordinary note, which hits no group.
    pub group: Option<String>,
    pub hit: bool,
}

/// Everything that is learned from.
pub struct Corpus {
    pub notes: Vec<Note>,
    pub words: BTreeMap<String, Vec<String>>,
    /// SHA-256 of all files, in hex.
    pub digest: String,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    text: String,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    hit: Option<bool>,
}

/// Reads the corpus under the project's folder.
pub fn read(root: &Path) -> Result<Corpus, String> {
    let folder = root.join("proto/vectors/narratives");
    let listed = fs::read_dir(&folder).map_err(|error| told(&folder, &error))?;
    let mut files: Vec<_> = listed.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    files.sort();
    files.push(root.join("tests/data/visit-narratives.jsonl"));
    let mut digest = Sha256::new();
    let mut notes = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).map_err(|error| told(path, &error))?;
        digest.update(text.as_bytes());
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let writer = match stem.as_ref() {
            "visit-narratives" => GENERATED.to_owned(),
            stem => stem.split('-').next().unwrap_or(stem).to_owned(),
        };
        for line in text.lines() {
            let line: Line = serde_json::from_str(line).map_err(|error| told(path, &error))?;
            notes.push(Note {
                id: line.id,
                writer: writer.clone(),
                text: line.text,
                group: line.group,
                hit: line.hit.unwrap_or(false),
            });
        }
    }
    let path = root.join("proto/packs/words.yaml");
    let text = fs::read_to_string(&path).map_err(|error| told(&path, &error))?;
    digest.update(text.as_bytes());
    let words = serde_norway::from_str(&text).map_err(|error| told(&path, &error))?;
    Ok(Corpus {
        notes,
        words,
        digest: hex::encode(digest.finalize()),
    })
}

fn told(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

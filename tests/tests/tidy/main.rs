//! The house rules, as tests: sizes, layers, and documents that say what the code does.
//!
//! Everything here reads the sources as text and needs no server, no database and no network.

mod contract;
mod documents;
mod layers;
mod sizes;

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are not ours to judge: what is built, what is stored, what others wrote.
const NOT_OURS: &[&str] = &["target", ".git", "node_modules", "dist", "data"];

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the repository")
        .to_owned()
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder whose name ends so, as paths from the root, in order.
fn files(below: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root().join(below), &mut |path| {
        let name = path.strip_prefix(root()).expect("walked from the root");
        let name = name.to_string_lossy().into_owned();
        if name.ends_with(ending) {
            found.push(name);
        }
    });
    found.sort();
    found
}

fn walk(folder: &Path, tell: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let ours = !NOT_OURS.iter().any(|other| name == *other);
        if path.is_dir() && ours {
            walk(&path, tell);
        } else if path.is_file() {
            tell(&path);
        }
    }
}

/// Fails with every finding on a line of its own.
fn none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}

//! Packs as their authors write them: reading YAML and saying what is wrong with it, line by line.
//!
//! What `xiangyi pack check` prints comes from here; loading a pack goes the same way.

use xiangyi_proto::pack::PackDoc;

use super::fault::PackFault;
use super::tighten::sound;

/// What `pack check` says about a sound pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackReport {
    pub pack: String,
    pub version: i64,
    pub rules: usize,
    pub lexicons: usize,
    pub phrases: usize,
    /// Rules that are looked at for every record of their kinds.
    pub never_skipped: Vec<String>,
}

/// Reads a pack written in YAML.
pub fn read(yaml: &str) -> Result<PackDoc, Vec<PackFault>> {
    serde_norway::from_str(yaml).map_err(|error| {
        let line = error.location().map(|place| place.line());
        let fault = PackFault::unread(&error);
        vec![PackFault { line, ..fault }]
    })
}

/// Reads and compiles a pack written in YAML; faults carry the lines of their rules.
pub fn check(yaml: &str) -> Result<PackReport, Vec<PackFault>> {
    let doc = read(yaml)?;
    let compiled = sound(&doc).map_err(|mut faults| {
        for fault in &mut faults {
            fault.line = fault.rule.as_deref().and_then(|rule| line_of(yaml, rule));
        }
        faults
    })?;
    let never_skipped = |rule: &usize| {
        let mut entries = compiled
            .by_kind
            .iter()
            .flat_map(|(_, index)| &index.entries);
        entries.any(|entry| entry.rule == *rule && !entry.skippable)
    };
    let always = (0..compiled.rules.len()).filter(never_skipped);
    Ok(PackReport {
        rules: doc.rules.len(),
        lexicons: doc.lexicons.len(),
        phrases: doc
            .lexicons
            .values()
            .map(|lexicon| lexicon.acts.len())
            .sum(),
        never_skipped: always
            .map(|rule| compiled.rules[rule].text.id.clone())
            .collect(),
        pack: doc.pack,
        version: doc.version,
    })
}

fn line_of(yaml: &str, rule: &str) -> Option<usize> {
    let names = |line: &str| {
        let id = line
            .trim_start()
            .trim_start_matches("- ")
            .strip_prefix("id:");
        id.is_some_and(|id| id.trim().trim_matches(['"', '\'']) == rule)
    };
    yaml.lines().position(names).map(|index| index + 1)
}

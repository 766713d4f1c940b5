//! What was used before: photographs by their hash, accounts by what they have in common.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::Params;
use crate::policy::Question;
use crate::policy::facts::{self, Fact, FactKind};

/// Photographs of the visit that another one declares. Colleagues who were with the same people
/// may share a picture.
pub fn photos(q: &Question, facts: &[Fact]) -> Option<Vec<String>> {
    let with = facts::occasion(q.record);
    let shared = |fact: &Fact| fact.person != q.author && !with.is_empty() && fact.note == with;
    let is_used = |sha: &str| {
        let mut known = facts.iter().filter(|fact| fact.kind == FactKind::Photo);
        known.any(|fact| fact.key == sha && !shared(fact))
    };
    let list = q.record.get("photos").and_then(Value::as_array);
    let list = list.into_iter().flatten().enumerate();
    let used = list.filter(|(_, photo)| {
        let sha = photo.get("sha256").and_then(Value::as_str);
        sha.is_some_and(is_used)
    });
    let found: Vec<String> = used.map(|(at, _)| format!("/photos/{at}")).collect();
    (!found.is_empty()).then_some(found)
}

/// Whether the author has told the same of other people, as often as the rule says. What is said
/// of the same client week after week is no copy.
pub fn account(params: &Params, q: &Question, facts: &[Fact]) -> bool {
    let with = facts::occasion(q.record);
    let own = facts::account(q.record).filter(|own| own.letters as i64 >= params.letters_min);
    let Some(own) = own.filter(|_| !with.is_empty()) else {
        return false;
    };
    let near = |fact: &&Fact| {
        let apart = fact.from_ms.abs_diff(q.estimated_at);
        let of_author = fact.kind == FactKind::Account && fact.person == q.author;
        of_author && apart <= params.within_ms.unsigned_abs()
    };
    let alike = facts.iter().filter(near).filter(|fact| {
        let (other, sketch) = fact.halves();
        other != with && own.alike(sketch) >= params.percent_min
    });
    let records: BTreeSet<Uuid> = alike.map(|fact| fact.record).collect();
    records.len() as i64 >= params.times
}

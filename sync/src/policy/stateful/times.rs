//! Times and places that do not go together.

use serde_json::Value;
use xiangyi_proto::time::HOUR_MS;

use super::Params;
use crate::geo::{self, Wgs84};
use crate::policy::Question;
use crate::policy::facts::{Fact, FactKind, fix_note, occasion, text, texts};

/// Whether the author was at another visit at the same time. Whoever is named as a co-worker was
/// there; two records of one occasion are no two visits.
pub fn overlaps(params: &Params, q: &Question, facts: &[Fact]) -> bool {
    if !elsewhere(params, text(q.record, "mode").unwrap_or_default()) {
        return false;
    }
    let mut there = facts.iter().filter(|fact| is_present(fact, q.author));
    there.any(|fact| clashes(params, q, fact) && !is_shared(q, fact, q.author))
}

/// Co-workers who, as other records say, were somewhere else at that time.
pub fn co_workers(params: &Params, q: &Question, facts: &[Fact]) -> Option<Vec<String>> {
    if !elsewhere(params, text(q.record, "mode").unwrap_or_default()) {
        return None;
    }
    let with_author = |fact: &Fact| {
        let mut own = facts.iter().filter(|own| is_present(own, q.author));
        own.any(|own| own.record == fact.record)
    };
    let named = texts(q.record, "co_workers");
    let named = named
        .iter()
        .enumerate()
        .filter(|(_, name)| **name != q.author);
    let away = named.filter(|(_, person)| {
        let mut there = facts.iter().filter(|fact| is_present(fact, person));
        there.any(|fact| {
            clashes(params, q, fact) && !with_author(fact) && !is_shared(q, fact, person)
        })
    });
    let found: Vec<String> = away.map(|(at, _)| format!("/co_workers/{at}")).collect();
    (!found.is_empty()).then_some(found)
}

fn elsewhere(params: &Params, mode: &str) -> bool {
    !params.except_modes.iter().any(|except| except == mode)
}

fn is_present(fact: &Fact, person: &str) -> bool {
    fact.kind == FactKind::Presence && fact.key == person
}

fn clashes(params: &Params, q: &Question, fact: &Fact) -> bool {
    let (from, to) = (fact.from_ms.max(q.estimated_at), fact.to_ms.min(q.ended_at));
    elsewhere(params, fact.halves().0) && to.saturating_sub(from) > params.tolerance_ms
}

/// Whether a fact of `person` tells of the same occasion as the visit: somebody else wrote it, and
/// it was with the same people or by somebody whom the author names too. Two records of one author
/// are two visits.
fn is_shared(q: &Question, fact: &Fact, person: &str) -> bool {
    if fact.person == q.author {
        return false;
    }
    let with = occasion(q.record);
    let same = !with.is_empty() && fact.halves().1 == with;
    let named = person == q.author && texts(q.record, "co_workers").contains(&&*fact.person);
    same || named
}

/// A fix as facts keep it: a point and the metres by which it may be off.
fn fix_in(note: &str) -> Option<(Wgs84, f64)> {
    let mut parts = note.split(',').map(str::parse::<f64>);
    let mut number = || parts.next()?.ok();
    let (lat, lng) = (number()? / 1e7, number()? / 1e7);
    Some((Wgs84 { lat, lng }, number()?))
}

/// Whether the way from another fix of the author cannot be made in the time between.
pub fn travels(params: &Params, q: &Question, facts: &[Fact]) -> bool {
    let note = fix_note(q.record);
    let Some((here, here_off_m)) = note.as_deref().and_then(fix_in) else {
        return false;
    };
    let fixes = facts.iter();
    let mut others = fixes.filter(|fact| fact.kind == FactKind::Fix && fact.key == q.author);
    others.any(|fact| {
        let Some((there, there_off_m)) = fix_in(&fact.note) else {
            return false;
        };
        let at_least_m = geo::metres(here, there) - here_off_m - there_off_m;
        let hours = fact.from_ms.abs_diff(q.estimated_at) as f64 / HOUR_MS as f64;
        at_least_m > params.metres_min && at_least_m > params.kmh_max * 1_000.0 * hours
    })
}

/// Whether a check-out is earlier than the check-in it closes.
pub fn leaves_first(params: &Params, q: &Question, facts: &[Fact]) -> bool {
    let member = |name: &str| q.record.get(name).and_then(Value::as_str);
    let (Some("out"), Some(pair)) = (member("phase"), member("pair")) else {
        return false;
    };
    let mut arrivals = facts.iter().filter(|fact| fact.kind == FactKind::Arrival);
    arrivals.any(|fact| {
        fact.key.eq_ignore_ascii_case(pair)
            && q.estimated_at.saturating_add(params.tolerance_ms) < fact.from_ms
    })
}

/// Whether the author has arrived at this activity as often as a day allows.
pub fn signs_in_again(params: &Params, q: &Question, facts: &[Fact]) -> bool {
    let arrives = text(q.record, "phase") == Some("in") && text(q.record, "activity").is_some();
    let arrivals = facts.iter().filter(|fact| fact.kind == FactKind::SignIn);
    arrives && arrivals.count() as i64 >= params.pairs_max
}

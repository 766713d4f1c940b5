//! Built-in rules over facts of other records: two visits at once, travel nobody could make, a
//! check-out before its check-in.
//!
//! They compare the record being judged with the facts handed in and never load any. Facts give
//! suspicion only: a rule over them holds, warns or tags, it never rejects.

use std::collections::BTreeMap;

use serde_json::Value;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::pack::StatefulRule;
use xiangyi_proto::time::{HOUR_MS, MINUTE_MS};

use super::Question;
use super::facts::{Fact, FactKind, fix_note};
use crate::geo::{self, Wgs84};

/// Parameters of a built-in, with the values that hold when the pack names none.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    tolerance_ms: i64,
    except_modes: Vec<String>,
    kmh_max: f64,
    metres_min: f64,
}

impl Params {
    /// Reads the parameters of a rule; unknown names and wrong types are refused.
    pub fn read(rule: StatefulRule, params: &BTreeMap<String, Value>) -> Result<Self, String> {
        let mut read = Self {
            tolerance_ms: 10 * MINUTE_MS,
            except_modes: Vec::new(),
            kmh_max: 120.0,
            metres_min: 5_000.0,
        };
        for (name, value) in params {
            if !names(rule).contains(&name.as_str()) {
                return Err(format!("unknown parameter {name}"));
            }
            let number = || value.as_f64().filter(|number| *number >= 0.0);
            let wrong = || format!("parameter {name} is not a number");
            match name.as_str() {
                "tolerance_minutes" => {
                    let minutes = value
                        .as_i64()
                        .filter(|minutes| (0..=1_440).contains(minutes));
                    read.tolerance_ms = minutes.ok_or_else(wrong)? * MINUTE_MS;
                }
                "kmh_max" => read.kmh_max = number().filter(|kmh| *kmh > 0.0).ok_or_else(wrong)?,
                "metres_min" => read.metres_min = number().ok_or_else(wrong)?,
                _ => read.except_modes = words(value).ok_or("except_modes is a list of words")?,
            }
        }
        Ok(read)
    }
}

fn names(rule: StatefulRule) -> &'static [&'static str] {
    match rule {
        StatefulRule::OverlappingVisits => &["tolerance_minutes", "except_modes"],
        StatefulRule::ImpossibleTravel => &["kmh_max", "metres_min"],
        StatefulRule::CheckOutBeforeIn => &["tolerance_minutes"],
    }
}

fn words(value: &Value) -> Option<Vec<String>> {
    let list = value.as_array()?;
    let word = |value: &Value| value.as_str().map(str::to_owned);
    list.iter().map(word).collect()
}

/// The kinds a built-in can judge.
pub fn kinds(rule: StatefulRule) -> &'static [Kind] {
    match rule {
        StatefulRule::OverlappingVisits => &[Kind::Visit],
        StatefulRule::ImpossibleTravel | StatefulRule::CheckOutBeforeIn => &[Kind::CheckIn],
    }
}

/// Says whether a built-in applies to a record, given the facts.
pub fn applies(rule: StatefulRule, params: &Params, q: &Question, facts: &[Fact]) -> bool {
    match rule {
        StatefulRule::OverlappingVisits => overlaps(params, q, facts),
        StatefulRule::ImpossibleTravel => travels(params, q, facts),
        StatefulRule::CheckOutBeforeIn => leaves_first(params, q, facts),
    }
}

fn overlaps(params: &Params, q: &Question, facts: &[Fact]) -> bool {
    let elsewhere = |mode: &str| !params.except_modes.iter().any(|except| except == mode);
    let mode = q.record.get("mode").and_then(Value::as_str);
    if !elsewhere(mode.unwrap_or_default()) {
        return false;
    }
    let spans = facts.iter().filter(|fact| {
        fact.kind == FactKind::Presence && fact.key == q.author && elsewhere(&fact.note)
    });
    let shared = |fact: &Fact| {
        let (from, to) = (fact.from_ms.max(q.estimated_at), fact.to_ms.min(q.ended_at));
        to.saturating_sub(from)
    };
    spans.map(shared).any(|ms| ms > params.tolerance_ms)
}

/// A fix as facts keep it: a point and the metres by which it may be off.
fn fix_in(note: &str) -> Option<(Wgs84, f64)> {
    let mut parts = note.split(',').map(str::parse::<f64>);
    let mut number = || parts.next()?.ok();
    let (lat, lng) = (number()? / 1e7, number()? / 1e7);
    Some((Wgs84 { lat, lng }, number()?))
}

fn travels(params: &Params, q: &Question, facts: &[Fact]) -> bool {
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

fn leaves_first(params: &Params, q: &Question, facts: &[Fact]) -> bool {
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

//! What is different between two packs, rule by rule and member by member, and which way it goes.
//!
//! Tighter or looser is said only where it follows from the shape: a condition or a parameter that
//! changed is `other`, and a trial on stored records says what it does.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use xiangyi_proto::pack::{LexiconDoc, PackDoc, RuleDoc, RuleVerdict};

/// Which way a difference goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    Tighter,
    Looser,
    Other,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// `rule NL-A03`, `lexicon approve`, `exemption E-1`, `pack`.
    pub what: String,
    /// `added`, `removed`, or the member that changed.
    pub member: String,
    pub way: Way,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub from: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub to: Value,
}

/// Everything that is different from one pack to another, in the order of the second.
pub fn diff(before: &PackDoc, after: &PackDoc) -> Vec<Difference> {
    let mut all = Vec::new();
    let pack = |doc: &PackDoc| {
        let messages = serde_json::json!([doc.closings, doc.messages]);
        members(&serde_json::json!({
            "pack": doc.pack, "version": doc.version, "effective": doc.effective,
            "messages": messages,
        }))
    };
    changed("pack", &pack(before), &pack(after), &mut all, |_, _, _| {
        Way::Other
    });
    rules(before, after, &mut all);
    lexicons(before, after, &mut all);
    let exemptions = |doc: &PackDoc| named(&doc.exemptions, |own| own.id.clone());
    let (old, new) = (exemptions(before), exemptions(after));
    come_and_gone(
        "exemption",
        &old,
        &new,
        (Way::Looser, Way::Tighter),
        &mut all,
    );
    for (id, members) in &new {
        if let Some(former) = old.get(id) {
            let what = format!("exemption {id}");
            changed(&what, former, members, &mut all, |_, _, _| Way::Other);
        }
    }
    all
}

type Members = BTreeMap<String, Value>;

fn members(value: &impl Serialize) -> Members {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members.into_iter().collect(),
        _ => Members::new(),
    }
}

fn named<T: Serialize>(list: &[T], id: impl Fn(&T) -> String) -> BTreeMap<String, Members> {
    list.iter().map(|one| (id(one), members(one))).collect()
}

fn come_and_gone<T>(
    what: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    (come, gone): (Way, Way),
    all: &mut Vec<Difference>,
) {
    let mut note = |id: &String, member: &str, way: Way| {
        let (what, member) = (format!("{what} {id}"), member.to_owned());
        let (from, to) = (Value::Null, Value::Null);
        all.push(Difference {
            what,
            member,
            way,
            from,
            to,
        });
    };
    new.keys()
        .filter(|id| !old.contains_key(*id))
        .for_each(|id| note(id, "added", come));
    old.keys()
        .filter(|id| !new.contains_key(*id))
        .for_each(|id| note(id, "removed", gone));
}

fn changed(
    what: &str,
    old: &Members,
    new: &Members,
    all: &mut Vec<Difference>,
    way: impl Fn(&str, &Value, &Value) -> Way,
) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let of = |members: &Members| members.get(name).cloned().unwrap_or_default();
        let (from, to) = (of(old), of(new));
        if from != to {
            all.push(Difference {
                what: what.to_owned(),
                member: name.clone(),
                way: way(name, &from, &to),
                from,
                to,
            });
        }
    }
}

fn rules(before: &PackDoc, after: &PackDoc, all: &mut Vec<Difference>) {
    let of = |doc: &PackDoc| named(&doc.rules, |rule: &RuleDoc| rule.id.clone());
    let (old, new) = (of(before), of(after));
    come_and_gone("rule", &old, &new, (Way::Tighter, Way::Looser), all);
    for rule in &after.rules {
        if let Some((former, now)) = old.get(&rule.id).zip(new.get(&rule.id)) {
            changed(&format!("rule {}", rule.id), former, now, all, way_of_rule);
        }
    }
}

fn way_of_rule(member: &str, from: &Value, to: &Value) -> Way {
    let verdict = |value: &Value| serde_json::from_value::<RuleVerdict>(value.clone()).ok();
    match member {
        "verdict" => match verdict(from).zip(verdict(to)) {
            Some((from, to)) if to > from => Way::Tighter,
            Some(_) => Way::Looser,
            None => Way::Other,
        },
        "kinds" => {
            let has = |list: &Value, kind: &Value| {
                list.as_array().is_some_and(|kinds| kinds.contains(kind))
            };
            let all = |inner: &Value, outer: &Value| {
                inner
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().all(|kind| has(outer, kind)))
            };
            match (all(from, to), all(to, from)) {
                (true, false) => Way::Tighter,
                (false, true) => Way::Looser,
                _ => Way::Other,
            }
        }
        _ => Way::Other,
    }
}

fn lexicons(before: &PackDoc, after: &PackDoc, all: &mut Vec<Difference>) {
    let (old, new) = (&before.lexicons, &after.lexicons);
    come_and_gone("lexicon", old, new, (Way::Other, Way::Other), all);
    for (name, lexicon) in new {
        if let Some(former) = old.get(name) {
            phrases(name, former, lexicon, all);
        }
    }
}

/// Phrases are counted, not listed: a list may have hundreds.
fn phrases(name: &str, old: &LexiconDoc, new: &LexiconDoc, all: &mut Vec<Difference>) {
    let lists = [
        ("acts", &old.acts, &new.acts, (Way::Tighter, Way::Looser)),
        (
            "not_when",
            &old.not_when,
            &new.not_when,
            (Way::Looser, Way::Tighter),
        ),
    ];
    for (member, old, new, (more, fewer)) in lists {
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
        let (come, gone) = (new.difference(&old).count(), old.difference(&new).count());
        let way = match (come > 0, gone > 0) {
            (false, false) => continue,
            (true, false) => more,
            (false, true) => fewer,
            (true, true) => Way::Other,
        };
        all.push(Difference {
            what: format!("lexicon {name}"),
            member: member.to_owned(),
            way,
            from: old.len().into(),
            to: format!("{} (+{come} -{gone})", new.len()).into(),
        });
    }
}

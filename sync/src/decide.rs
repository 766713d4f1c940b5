//! The gate for one item: rules asked, hits sorted, receipts written, the record made.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::pack::RuleVerdict;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{MINUTE_MS, Millis};
use xiangyi_proto::verdict::{Notice, RuleRef, Verdict, VerdictName};

use crate::policy::{self, Fact, Hit, Judgement, Question};
use crate::wants::id_at;
use crate::world::{Admitted, Env, Record, Refusal, World};
use crate::{apply, digest, kinds, merge};

/// What stops an item.
pub enum Stop {
    Reject(Hit),
    Hold(Hit),
}

/// What the rules found.
pub struct Gate {
    pub refusal: Option<Stop>,
    pub notices: Vec<Notice>,
    pub class: String,
    /// The body without what an `amend` rule took out.
    pub amended: Option<Value>,
}

/// Asks every rule about a body that changes what was `before`. A reviewer's release lets the
/// record through with notices only.
pub fn gate(
    world: &World,
    item: &Admitted,
    asked: &Question<'_>,
    before: Option<&Value>,
    env: &Env<'_>,
    reviewed: bool,
) -> Gate {
    let stateful = env
        .packs
        .judge_stateful(asked, &facts_for(world, item, asked));
    let judgement = match &item.judgement {
        Some(judgement) if item.mutation.op != Op::Patch && before.is_none() => judgement.clone(),
        _ => env.packs.judge_change(asked, before),
    };
    let Judgement {
        mut hits,
        danger,
        class,
        ..
    } = judgement;
    hits.extend(stateful);
    if asked.kind == Kind::OrderReport {
        // Whoever was ordered may say so, whatever a pack would make of the words.
        hits.clear();
    }
    let endangered = !danger.is_empty();
    let mut gate = Gate {
        refusal: None,
        notices: Vec::new(),
        class: class.name().to_owned(),
        amended: None,
    };
    let mut taken_out = BTreeSet::new();
    for hit in hits {
        let verdict = match hit.verdict {
            RuleVerdict::Reject if endangered => RuleVerdict::Hold,
            verdict => verdict,
        };
        match verdict {
            RuleVerdict::Reject if !reviewed => stop(&mut gate, Stop::Reject(hit)),
            RuleVerdict::Hold if !reviewed => stop(&mut gate, Stop::Hold(hit)),
            RuleVerdict::Amend => {
                gate.notices.push(notice(&hit));
                taken_out.extend(hit.at);
            }
            RuleVerdict::Reject | RuleVerdict::Hold => gate.notices.push(notice(&hit.let_in())),
            _ => gate.notices.push(notice(&hit)),
        }
    }
    if !taken_out.is_empty() {
        gate.amended = Some(without(asked.record.clone(), taken_out));
    }
    gate
}

/// The facts a question needs and no others, whatever else its batch has loaded.
fn facts_for(world: &World, item: &Admitted, asked: &Question<'_>) -> Vec<Fact> {
    let mut facts = policy::facts_chosen(&world.facts, asked, item.mutation.id);
    // What an activity asks for stands in the activity, which is here.
    if asked.kind == Kind::SignUp
        && let Some(activity) = id_at(asked.record.get("activity")).and_then(|id| world.live(id))
    {
        facts.push(policy::terms_of(
            activity.id,
            &activity.body,
            &activity.author,
        ));
    }
    facts
}

/// The severest stop wins; the others are told as notices of a refusal.
fn stop(gate: &mut Gate, found: Stop) {
    let first = matches!(
        (&gate.refusal, &found),
        (None, _) | (Some(Stop::Hold(_)), Stop::Reject(_))
    );
    let lesser = if first {
        gate.refusal.replace(found)
    } else {
        Some(found)
    };
    if let Some(Stop::Reject(hit) | Stop::Hold(hit)) = lesser {
        gate.notices.push(notice(&hit));
    }
}

/// Takes members and elements out; the last elements first, because those behind move up.
fn without(mut body: Value, at: BTreeSet<String>) -> Value {
    let place = |pointer: &String| {
        let (list, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        (list.to_owned(), name.parse::<usize>().ok())
    };
    let mut at: Vec<String> = at.into_iter().collect();
    at.sort_by_key(place);
    let mut emptied = Vec::new();
    for pointer in at.iter().rev() {
        let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        match body.pointer_mut(parent) {
            Some(Value::Object(members)) => drop(members.remove(name)),
            Some(Value::Array(list)) => {
                if let Some(index) = name.parse::<usize>().ok().filter(|i| *i < list.len()) {
                    list.remove(index);
                }
                if list.is_empty() {
                    emptied.push(parent.to_owned());
                }
            }
            _ => {}
        }
    }
    for list in emptied {
        merge::put(&mut body, &list, Value::Null);
    }
    body
}

fn notice(hit: &Hit) -> Notice {
    Notice {
        rule: hit.rule.cited(),
        verdict: hit.verdict.name().to_owned(),
        at: hit.at.clone(),
        message: hit.rule.message_zh.clone(),
        message_en: hit.rule.message_en.clone(),
    }
}

/// A verdict that cites a rule, its name still to be set.
pub fn cited(item: &Admitted, hit: &Hit) -> Verdict {
    let mut verdict = Verdict::bare(item.mutation.n, item.mutation.id, VerdictName::Rejected);
    verdict.rule = Some(hit.rule.cited());
    verdict.at = hit.at.clone();
    verdict.message = Some(hit.rule.message_zh.clone());
    verdict.message_en = Some(hit.rule.message_en.clone());
    verdict.instead = hit.rule.instead.clone();
    verdict
}

/// Refuses an item by a rule of the pack: a receipt without narrative, and its words.
pub fn refuse(world: &mut World, item: &Admitted, kind: Kind, hit: &Hit, env: &Env<'_>) -> Verdict {
    let verdict = cited(item, hit);
    refused(world, item, kind, verdict, env)
}

/// Writes the receipt of a refusal, whoever refused.
pub fn refused(
    world: &mut World,
    item: &Admitted,
    kind: Kind,
    mut verdict: Verdict,
    env: &Env<'_>,
) -> Verdict {
    let n = item.mutation.n.to_be_bytes();
    let id = digest::derived_id("refusal", &[item.device.as_bytes(), &n]);
    let rule = verdict.rule.clone().expect("a refusal cites a rule");
    let empty = Value::Object(Map::new());
    let body = item.mutation.body.as_ref().unwrap_or(&empty);
    let (begun, ended) = kinds::rules(kind).span(body, item.occurred_at);
    let minutes = body.get("minutes").and_then(Value::as_i64);
    let refusal = Refusal {
        id,
        record: item.mutation.id,
        kind,
        device: item.device.clone(),
        n: item.mutation.n,
        author: item.person.clone(),
        unit: item.mutation.unit.clone(),
        rule: rule.id.clone(),
        pack: rule.pack.clone(),
        version: rule.version,
        clause: rule.clause.clone(),
        office: body
            .pointer("/assigned_by/office")
            .and_then(Value::as_str)
            .map(str::to_owned),
        minutes: minutes.unwrap_or((ended - begun) / MINUTE_MS),
        received_at: item.received_at,
        refused_at: env.now,
        state: "open".to_owned(),
        refiled: None,
        content: item.content,
        seq: 0,
    };
    let receipt = receipt(item, &refusal, &rule, &verdict.at);
    verdict.verdict = VerdictName::Rejected;
    verdict.refusal = Some(id);
    keep_refusal(world, item, refusal, receipt, env);
    let refused = (item.mutation.id, item.person.clone());
    world.refused.push(refused);
    verdict
}

fn receipt(item: &Admitted, refusal: &Refusal, rule: &RuleRef, at: &[String]) -> Value {
    json!({
        "record": refusal.record.to_string(),
        "record_kind": refusal.kind.name(),
        "rule": rule.id,
        "pack": rule.pack,
        "version": rule.version,
        "clause": rule.clause,
        "basis": rule.basis,
        "at": at,
        "content": hex::encode(digest::content(&item.mutation)),
        "unit": refusal.unit,
        "ordering_office": refusal.office,
        "minutes": refusal.minutes,
        "occurred_at": item.estimated_at,
        "state": refusal.state,
    })
}

fn keep_refusal(
    world: &mut World,
    item: &Admitted,
    mut refusal: Refusal,
    body: Value,
    env: &Env<'_>,
) {
    let record = apply::server_record(item, Kind::Refusal, refusal.id, body);
    refusal.seq = world.keep(record, env);
    world.effects.refusals.insert(refusal.id, refusal.clone());
    world.refusals.insert(refusal.id, refusal);
}

/// Changes the state of a refusal and its row.
pub fn restate(
    world: &mut World,
    id: RecordId,
    state: &str,
    refiled: Option<RecordId>,
    env: &Env<'_>,
) {
    if let Some(refusal) = world.refusals.get_mut(&id) {
        state.clone_into(&mut refusal.state);
        refusal.refiled = refiled.or(refusal.refiled);
        world.effects.refusals.insert(id, refusal.clone());
    }
    if let Some(mut record) = world.live(id).cloned() {
        record.rev += 1;
        if let Value::Object(body) = &mut record.body {
            body.insert("state".to_owned(), state.into());
            if let Some(refiled) = refiled {
                body.insert("refiled_as".to_owned(), refiled.to_string().into());
            }
        }
        world.keep(record, env);
    }
}

/// A new record out of an item.
pub fn fresh_record(item: &Admitted, kind: Kind, mut body: Value, class: &str) -> Record {
    if let Value::Object(members) = &mut body {
        // Null says nothing and is not stored; what the server derives must find its place free.
        members.retain(|_, value| !value.is_null());
    }
    let act = kinds::act_of(item, kind, &body);
    let mut record = apply::server_record(item, kind, item.mutation.id, body);
    record.estimated_at = act.begun;
    record.quality = act.quality;
    record.derive("class", class);
    record
}

/// Keeps a record and says so.
pub fn kept(
    world: &mut World,
    item: &Admitted,
    record: Record,
    notices: Vec<Notice>,
    env: &Env<'_>,
) -> Verdict {
    let (id, rev) = (record.id, record.rev);
    let seq = world.keep(record, env);
    let mut verdict = Verdict::bare(item.mutation.n, id, VerdictName::Accepted);
    verdict.rev = Some(rev);
    verdict.seq = Some(seq);
    verdict.derived = world
        .live(id)
        .and_then(|record| record.body.get("derived").cloned());
    verdict.notices = notices;
    verdict
}

/// Ids that a body names and that must exist first.
pub fn named(kind: Kind, body: &Value) -> Vec<RecordId> {
    let names: &[&str] = match kind {
        Kind::Visit | Kind::Need => &["client"],
        Kind::SignUp => &["activity"],
        Kind::Link => &["need", "resource"],
        _ => &[],
    };
    names
        .iter()
        .filter_map(|name| id_at(body.get(*name)))
        .collect()
}

/// Whether a record exists and the author may know of it.
pub fn may_name(world: &World, item: &Admitted, kind: Kind, id: RecordId, now: Millis) -> bool {
    let Some(record) = world.live(id) else {
        return false;
    };
    match record.kind {
        Kind::Client => {
            let act = item.estimated_at;
            record.author == item.person
                || World::assigned(&record.body, now).contains(&item.person)
                || World::assigned(&record.body, act).contains(&item.person)
                || leads(world, item, &record.unit)
        }
        Kind::Activity | Kind::Resource => true,
        Kind::Need => kind == Kind::Link,
        // To everybody but those who work on it an incident is not there.
        Kind::Incident => kind == Kind::IncidentStep,
        _ => record.author == item.person,
    }
}

/// Whether the author leads this unit now.
pub fn leads(world: &World, item: &Admitted, unit: &str) -> bool {
    let grants = world
        .grants
        .get(&item.person)
        .map_or(&[][..], Vec::as_slice);
    grants.iter().any(|grant| {
        grant.role == Role::StationLead
            && unit.starts_with(&grant.unit)
            && grant.holds_at(item.received_at)
    })
}

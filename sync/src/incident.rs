//! Incidents: danger to a person, from the first signal to who was told and when.
//!
//! An incident is opened by the server and moved by steps of named reviewers. Whether a competent
//! adult agrees is asked before others are told; a refusal stops it, and only the police may still
//! be told while the danger is acute. Nothing here reaches a stream but `restricted:`.

use serde_json::{Value, json};
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::{
    INCIDENT_SOURCES_BYTES, INCIDENT_SOURCES_MAX, INCIDENTS_PER_PERSON_DAY,
};
use xiangyi_proto::pack::DangerState;
use xiangyi_proto::verdict::Verdict;

use crate::policy::Fact;
use crate::wants::id_at;
use crate::world::{Admitted, Env, Record, World};
use crate::{apply, decide, digest, kinds, review, words};

/// Tellings that the incident's own row keeps; older ones stand in their steps.
const TOLD_MAX: usize = 64;
/// Faults of a record that are noted beside what it said.
const DEFECTS_MAX: usize = 16;

/// Opens an incident on what an item says, or adds it to one that the same person's words opened
/// today: about the same record always, about others beyond the day's number. An item has one
/// place, however many rules heard it, and nothing that was heard is dropped.
pub fn hear(world: &mut World, item: &Admitted, env: &Env<'_>) {
    let Some(first) = item.danger.first() else {
        return;
    };
    let source = source(item);
    if let Some(mut incident) = joined(world, item, &source) {
        add(&mut incident, source, item);
        incident.rev += 1;
        world.keep(incident, env);
        return;
    }
    let n = item.mutation.n.to_be_bytes();
    let id = digest::secret_id("incident", &env.secret, &[item.device.as_bytes(), &n]);
    let mut body = source;
    body["rule"] = json!(first.rule.id);
    body["state"] = json!(first.state.name());
    body["reported_by"] = json!(item.person);
    if let Value::Object(members) = &mut body {
        members.remove("received_at");
    }
    let mut record = apply::server_record(item, Kind::Incident, id, body);
    // Whatever unit a malformed record names, the reviewers of this county must see it.
    if xiangyi_proto::region::shard_of(&record.unit) != Some(world.shard) {
        record.unit = world.shard.to_string();
    }
    world.keep(record, env);
}

/// What was heard in an item: a line of an incident, or its beginning.
fn source(item: &Admitted) -> Value {
    let rules: Vec<&str> = item.danger.iter().map(|one| one.rule.id.as_str()).collect();
    let faults = item.faults.iter().take(DEFECTS_MAX);
    let defects: Vec<&str> = faults.map(|fault| fault.pointer.as_str()).collect();
    json!({
        "record": item.mutation.id.to_string(),
        "record_kind": item.mutation.kind,
        "rules": rules,
        "defects": defects,
        "received_at": item.received_at,
        "text": item.sent,
    })
}

/// Incidents of today that may take in what an item says, as far as facts tell: those about the
/// same record, the newest first, then the newest of all once the day's number is reached, which
/// `coming` more may do.
pub fn candidates(world: &World, item: &Admitted, coming: usize) -> Vec<RecordId> {
    let key = kinds::heard_of(&item.person, item.received_at);
    let today: Vec<&Fact> = world.facts.iter().filter(|f| f.is_under(&key)).collect();
    let full = today.len() + coming >= INCIDENTS_PER_PERSON_DAY;
    let about = item.mutation.id.to_string();
    let same = |fact: &Fact| !item.mutation.id.is_nil() && fact.halves().1 == about;
    let mut open: Vec<&Fact> = today
        .into_iter()
        .filter(|fact| fact.halves().0 != "closed" && (full || same(fact)))
        .collect();
    open.sort_by_key(|fact| (!same(fact), std::cmp::Reverse((fact.from_ms, fact.record))));
    open.iter().map(|fact| fact.record).collect()
}

fn joined(world: &World, item: &Admitted, source: &Value) -> Option<Record> {
    let more = source.to_string().len();
    let has_room = |incident: &&Record| {
        let sources = incident.body.get("sources");
        let count = sources.and_then(Value::as_array).map_or(0, Vec::len);
        let bytes = sources.map_or(0, |sources| sources.to_string().len());
        count < INCIDENT_SOURCES_MAX && bytes + more <= INCIDENT_SOURCES_BYTES
    };
    let found = candidates(world, item, 0).into_iter();
    let mut found = found.filter_map(|id| world.live(id)).filter(has_room);
    found.next().cloned()
}

fn add(incident: &mut Record, source: Value, item: &Admitted) {
    let reported = item
        .danger
        .iter()
        .any(|one| one.state == DangerState::Reported);
    if reported && incident.text("/state") == Some(DangerState::Suspected.name()) {
        set(incident, "state", json!(DangerState::Reported.name()));
    }
    let list = incident.body.get("sources").and_then(Value::as_array);
    let mut list = list.cloned().unwrap_or_default();
    list.push(source);
    set(incident, "sources", Value::Array(list));
}

/// What a reviewer does about an incident: the step is kept as it came, the incident moves.
pub fn step(world: &mut World, item: &Admitted, env: &Env<'_>) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let body = item.mutation.body.clone().unwrap_or(Value::Null);
    let incident = id_at(body.get("incident")).and_then(|id| world.live(id));
    let incident = incident.filter(|record| record.kind == Kind::Incident);
    let (Some(mut incident), false) = (incident.cloned(), world.records.contains_key(&id)) else {
        return words::rejected(n, id, "not-found");
    };
    let own = is_own(world, &incident, &item.person);
    if let Err(rule) = moved(&mut incident, item, &body, own) {
        return words::rejected(n, id, rule);
    }
    incident.rev += 1;
    world.keep(incident, env);
    let record = decide::fresh_record(item, Kind::IncidentStep, body, "administrative");
    decide::kept(world, item, record, Vec::new(), env)
}

/// Whether somebody raised an incident, or took part in what it was raised about.
fn is_own(world: &World, incident: &Record, person: &str) -> bool {
    let about = id_at(incident.body.get("record")).and_then(|id| world.records.get(&id));
    let raised = incident.text("/reported_by");
    raised.is_some_and(|who| world.is_same(person, who))
        || about.is_some_and(|record| review::took_part(world, record, person))
}

fn moved(
    incident: &mut Record,
    item: &Admitted,
    body: &Value,
    own: bool,
) -> Result<(), &'static str> {
    let said = |name: &str| body.get(name).and_then(Value::as_str);
    let step = said("step").unwrap_or_default();
    let closed = incident.text("/state") == Some("closed");
    // Whoever raised it, or was there, may not be the one who puts it aside.
    if step == "close" && own {
        return Err("second-reviewer");
    }
    if closed && step != "confirm" {
        return Err("incident-closed");
    }
    if let Some(consent) = said("consent") {
        consented(incident, consent, said("why"))?;
    }
    match step {
        "confirm" => decided(incident, "confirmed", item, body),
        "close" => decided(incident, "closed", item, body),
        "told" => told(incident, item, body)?,
        _ => {}
    }
    Ok(())
}

fn set(incident: &mut Record, name: &str, value: Value) {
    if let Value::Object(members) = &mut incident.body {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), value);
        }
    }
}

fn decided(incident: &mut Record, state: &str, item: &Admitted, body: &Value) {
    set(incident, "state", json!(state));
    set(incident, "decided_by", json!(item.person));
    set(incident, "reason", body["reason"].clone());
}

/// A refusal stands until the person agrees after all, or turns out not to be one who decides.
fn consented(incident: &mut Record, consent: &str, why: Option<&str>) -> Result<(), &'static str> {
    let refused = incident.text("/consent") == Some("refused");
    if refused && consent == "not_asked" && why == Some("acute_danger") {
        return Err("consent-refused");
    }
    set(incident, "consent", json!(consent));
    let why = why.filter(|_| consent == "not_asked");
    set(incident, "why", json!(why));
    Ok(())
}

fn told(incident: &mut Record, item: &Admitted, body: &Value) -> Result<(), &'static str> {
    let acute = body.get("acute").and_then(Value::as_bool) == Some(true);
    let police = body.get("who").and_then(Value::as_str) == Some("police");
    match incident.text("/consent") {
        Some("given" | "not_asked") => {}
        _ if police && acute => {}
        Some(_) => return Err("consent-refused"),
        None => return Err("consent-needed"),
    }
    let mut entry = json!({ "by": item.person });
    for name in ["who", "told_at", "acute", "note"] {
        if let Some(value) = body.get(name).filter(|value| !value.is_null()) {
            entry[name] = value.clone();
        }
    }
    let list = incident.body.get("told").and_then(Value::as_array);
    let mut list = list.cloned().unwrap_or_default();
    list.push(entry);
    let older = list.len().saturating_sub(TOLD_MAX);
    set(incident, "told", Value::Array(list.split_off(older)));
    Ok(())
}

//! Incidents: danger to a person, from the first signal to who was told and when.
//!
//! An incident is opened by the server and moved by steps of named reviewers. Whether a competent
//! adult agrees is asked before others are told; a refusal stops it, and only the police may still
//! be told while the danger is acute. Nothing here reaches a stream but `restricted:`.

use serde_json::{Value, json};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::verdict::Verdict;

use crate::policy::Danger;
use crate::wants::id_at;
use crate::world::{Admitted, Env, Record, World};
use crate::{apply, decide, digest, words};

/// Tellings that the incident's own row keeps; older ones stand in their steps.
const TOLD_MAX: usize = 64;

/// Opens an incident on what an item says.
pub fn open(world: &mut World, item: &Admitted, danger: &Danger, env: &Env<'_>) {
    let rule = danger.rule.id.as_bytes();
    let n = item.mutation.n.to_be_bytes();
    let id = digest::derived_id("incident", &[item.device.as_bytes(), &n, rule]);
    let defects: Vec<&str> = item
        .faults
        .iter()
        .map(|fault| fault.pointer.as_str())
        .collect();
    let body = json!({
        "record": item.mutation.id.to_string(),
        "record_kind": item.mutation.kind,
        "rule": danger.rule.id,
        "state": danger.state.name(),
        "reported_by": item.person,
        "defects": defects,
        "text": item.mutation.body.as_ref().map(Value::to_string).unwrap_or_default(),
    });
    let mut record = apply::server_record(item, Kind::Incident, id, body);
    // Whatever unit a malformed record names, the reviewers of this county must see it.
    if xiangyi_proto::region::shard_of(&record.unit) != Some(world.shard) {
        record.unit = world.shard.to_string();
    }
    world.keep(record, env);
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
    if let Err(rule) = moved(&mut incident, item, &body) {
        return words::rejected(n, id, rule);
    }
    incident.rev += 1;
    world.keep(incident, env);
    let record = decide::fresh_record(item, Kind::IncidentStep, body, "administrative");
    decide::kept(world, item, record, Vec::new(), env)
}

fn moved(incident: &mut Record, item: &Admitted, body: &Value) -> Result<(), &'static str> {
    let said = |name: &str| body.get(name).and_then(Value::as_str);
    let step = said("step").unwrap_or_default();
    let closed = incident.text("/state") == Some("closed");
    // Whoever raised it may not be the one who puts it aside.
    if step == "close" && incident.text("/reported_by") == Some(&item.person) {
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

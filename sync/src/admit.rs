//! Admission: everything that can be known about an item without a lock.
//!
//! Parses the bytes as sent, estimates when the act took place, checks the structure, judges by
//! the stateless rules. Danger is looked for in anything that carries text, malformed or not.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use xiangyi_proto::exchange::{Mutation, PhoneClock};
use xiangyi_proto::ids::{DeviceId, PersonId, RecordId, record_id};
use xiangyi_proto::kinds::{Kind, Life, Op};
use xiangyi_proto::time::Millis;
use xiangyi_proto::{limits, region};

use crate::check::{self, Faults};
use crate::policy::PackSet;
use crate::world::Admitted;
use crate::{clock_quality, digest, hear, kinds};

/// Who sends, from which device, and what its clocks said.
#[derive(Debug, Clone)]
pub struct Sender<'a> {
    pub person: PersonId,
    pub device: DeviceId,
    pub clock: Option<&'a PhoneClock>,
    pub received_at: Millis,
}

/// An item without a usable number: nobody could be answered about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameless;

/// Admits one mutation as sent.
pub fn admit(raw: &RawValue, sender: &Sender<'_>, packs: &PackSet) -> Result<Admitted, Nameless> {
    let text = raw.get();
    let mut faults = Faults::default();
    if text.len() > limits::ITEM_BYTES_MAX {
        faults.add("", "too-long");
    }
    let mutation = match serde_json::from_str::<Mutation>(text) {
        Ok(mutation) if mutation.n > 0 => mutation,
        Ok(_) => return Err(Nameless),
        Err(_) => lenient(text, &mut faults)?,
    };
    let digest = digest::as_sent(text);
    let mut item = admitted(mutation, digest, faults, sender);
    settle(&mut item, text, packs);
    Ok(item)
}

/// Admits a mutation the server itself built for a REST write; `sent` is the body as it came.
pub fn admit_built(
    mutation: Mutation,
    key: String,
    sent: &str,
    sender: &Sender<'_>,
    packs: &PackSet,
) -> Admitted {
    let digest = digest::content(&mutation);
    let mut faults = Faults::default();
    if sent.len() > limits::ITEM_BYTES_MAX {
        faults.add("", "too-long");
    }
    let mut item = admitted(mutation, digest, faults, sender);
    item.key = Some(key);
    // As much of it as an item may have is listened to; the rest is with whoever sent it.
    let heard = sent.floor_char_boundary(limits::ITEM_BYTES_MAX);
    settle(&mut item, &sent[..heard], packs);
    item
}

/// Judges again what was admitted before: a held item after a restart.
pub fn judge(item: &mut Admitted, packs: &PackSet) {
    if let (Some(kind), Some(body)) = (item.kind, &item.mutation.body) {
        item.judgement = Some(packs.judge(&kinds::question(item, kind, body)));
    }
}

fn admitted(
    mutation: Mutation,
    digest: digest::Digest,
    mut faults: Faults,
    sender: &Sender<'_>,
) -> Admitted {
    let estimate = clock_quality::settle(
        clock_quality::estimate(&mutation, sender.clock, sender.received_at),
        sender.received_at,
    );
    let kind = Kind::parse(&mutation.kind);
    let shard = region::shard_of(&mutation.unit);
    // A village is where something happened; who files is its station.
    let files = mutation.unit.len() != region::VILLAGE_DIGITS;
    if shard.is_none() || !files {
        faults.add("/unit", "bad-region");
    }
    let mut item = Admitted {
        kind,
        shard: shard.unwrap_or(xiangyi_proto::ids::Shard(0)),
        device: sender.device.clone(),
        person: sender.person.clone(),
        received_at: sender.received_at,
        occurred_at: mutation.occurred_at.unwrap_or(sender.received_at),
        estimated_at: estimate.at,
        shift_ms: estimate.shift_ms,
        quality: estimate.quality,
        digest,
        content: digest::said_by(&sender.person, &mutation),
        key: None,
        waited: false,
        also: Vec::new(),
        released: false,
        revoked: false,
        proof: None,
        faults: Vec::new(),
        judgement: None,
        danger: Vec::new(),
        sent: String::new(),
        mutation,
    };
    structure(&item, &mut faults);
    item.faults = faults.list;
    item
}

/// Judges what is well formed, and hears danger in whatever was sent.
fn settle(item: &mut Admitted, sent: &str, packs: &PackSet) {
    let well_formed = item.faults.is_empty();
    if well_formed {
        judge(item, packs);
    }
    item.danger = hear::danger(item, sent, well_formed, packs);
    if !item.danger.is_empty() {
        sent.clone_into(&mut item.sent);
    }
}

/// The members of a mutation, each read by itself: half an emoji or a number beyond all bounds in
/// one of them must not hide the others. What cannot be read is kept as its text, to be listened
/// to.
fn parts_of(text: &str, faults: &mut Faults) -> Result<BTreeMap<String, Value>, Nameless> {
    let raws: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|_| Nameless)?;
    let mut parts = BTreeMap::new();
    for (name, raw) in raws {
        let value = serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            faults.add(&format!("/{name}"), "bad-text");
            Value::String(raw.get().to_owned())
        });
        parts.insert(name, value);
    }
    Ok(parts)
}

/// What can be read of a mutation that does not parse: its number, its id, its text.
fn lenient(text: &str, faults: &mut Faults) -> Result<Mutation, Nameless> {
    let parts = parts_of(text, faults)?;
    let value = |name: &str| parts.get(name);
    let n = value("n").and_then(Value::as_i64).filter(|n| *n > 0);
    let n = n.ok_or(Nameless)?;
    let word = |name: &str| value(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let id = value("id").and_then(Value::as_str).and_then(record_id);
    if id.is_none() {
        let code = if value("id").is_some() {
            "bad-id"
        } else {
            "required"
        };
        faults.add("/id", code);
    }
    for name in ["op", "kind", "unit"] {
        if !value(name).is_some_and(Value::is_string) {
            faults.add(&format!("/{name}"), "required");
        }
    }
    let op = value("op").and_then(|op| serde_json::from_value::<Op>(op.clone()).ok());
    if op.is_none() {
        faults.add("/op", "unknown-code");
    }
    if faults.is_empty() {
        faults.add("", "wrong-type");
    }
    Ok(Mutation {
        n,
        op: op.unwrap_or(Op::Create),
        kind: word("kind"),
        unit: word("unit"),
        id: id.unwrap_or(RecordId::nil()),
        base: None,
        occurred_at: None,
        monotonic_ms: None,
        boot: None,
        needs: Vec::new(),
        body: value("body").or_else(|| value("set")).cloned(),
        set: Default::default(),
        unset: Vec::new(),
        add: Default::default(),
        reason: None,
        refusal: None,
    })
}

/// Says where a body holds a text that no database of ours can keep.
fn zero_in(value: &Value, at: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| at.to_owned()),
        Value::Array(list) => {
            let mut places = list.iter().enumerate();
            places.find_map(|(index, value)| zero_in(value, &format!("{at}/{index}")))
        }
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let named = name.contains('\0').then(|| at.to_owned());
            named.or_else(|| zero_in(value, &format!("{at}/{name}")))
        }),
        _ => None,
    }
}

/// A character that cannot be kept is a fault wherever it stands.
fn zeros(mutation: &Mutation, faults: &mut Faults) {
    let mut values: Vec<(&str, &Value)> = mutation.body.iter().map(|body| ("", body)).collect();
    let patched = mutation.set.iter().chain(&mutation.add);
    values.extend(patched.map(|(pointer, value)| (pointer.as_str(), value)));
    let inside = values
        .into_iter()
        .find_map(|(at, value)| zero_in(value, at));
    let beside = || {
        mutation
            .reason
            .as_ref()
            .filter(|reason| reason.contains('\0'))
    };
    let names = || {
        let mut pointers = mutation.unset.iter().chain(mutation.set.keys());
        pointers.find(|pointer| pointer.contains('\0'))
    };
    if let Some(pointer) = inside {
        faults.add(&pointer, "bad-text");
    } else if beside().is_some() {
        faults.add("/reason", "bad-text");
    } else if names().is_some() {
        faults.add("/set", "bad-text");
    }
}

fn structure(item: &Admitted, faults: &mut Faults) {
    let mutation = &item.mutation;
    zeros(mutation, faults);
    let Some(kind) = item.kind else {
        return faults.add("/kind", "unknown-kind");
    };
    let unusable = mutation.id.is_nil() && faults.is_empty();
    if unusable || digest::is_secret(mutation.id) {
        faults.add("/id", "bad-id");
    }
    if mutation.occurred_at.is_some_and(|at| at < 0) {
        faults.add("/occurred_at", "time-range");
    }
    if !kind.spec().may.iter().any(|may| may.op == mutation.op) {
        return faults.add("/op", "op-not-allowed");
    }
    match mutation.op {
        Op::Create | Op::Request => whole_body(item, kind, faults),
        Op::Appeal => {
            if mutation.refusal.is_none() {
                faults.add("/refusal", "required");
            }
            reason(mutation, faults);
            if mutation.body.is_some() {
                whole_body(item, kind, faults);
            } else {
                patch(mutation, kind, faults);
            }
        }
        Op::Patch => patch(mutation, kind, faults),
        Op::Void => reason(mutation, faults),
    }
}

fn reason(mutation: &Mutation, faults: &mut Faults) {
    match mutation.reason.as_deref() {
        None => faults.add("/reason", "required"),
        Some(text) if !check::says_something(text) => faults.add("/reason", "required"),
        Some(text) if text.chars().count() > 500 => faults.add("/reason", "too-long"),
        Some(_) => {}
    }
}

fn whole_body(item: &Admitted, kind: Kind, faults: &mut Faults) {
    match &item.mutation.body {
        Some(body @ Value::Object(members)) => {
            // Later steps of a slot need only their want; the first names everything.
            check::body(kind, members, faults);
            if kind.spec().life == Life::Slot || faults.is_empty() {
                kinds::rules(kind).check(item, body, faults);
            }
        }
        Some(_) => faults.add("/body", "wrong-type"),
        None => faults.add("/body", "required"),
    }
}

fn patch(mutation: &Mutation, kind: Kind, faults: &mut Faults) {
    if mutation.base.is_none() {
        faults.add("/base", "required");
    }
    if mutation.set.is_empty() && mutation.unset.is_empty() && mutation.add.is_empty() {
        faults.add("/set", "required");
    }
    for (pointer, value) in &mutation.set {
        check::patched(kind, pointer, value, faults);
    }
    for pointer in &mutation.unset {
        check::patched(kind, pointer, &Value::Null, faults);
    }
    for (pointer, list) in &mutation.add {
        if list.is_array() {
            check::patched(kind, pointer, list, faults);
        } else {
            faults.add(pointer, "wrong-type");
        }
    }
}

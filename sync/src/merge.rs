//! Patches and voids: which paths are taken, which stay, which must be asked about.
//!
//! A patch changes exactly the paths it takes. A field that an old phone does not know is never
//! touched, because only named paths are written.

use serde_json::{Map, Value};
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Merge, Op, See};
use xiangyi_proto::role::Role;
use xiangyi_proto::time::MINUTE_MS;
use xiangyi_proto::verdict::{Verdict, VerdictName};

use crate::check::{self, Faults};
use crate::decide::{self, Stop};
use crate::policy::Question;
use crate::world::{Admitted, Env, Record, World};
use crate::{hold, kinds, project, review, slots, tree, words};

/// Minutes in which a check-in's author may void it alone.
const VOID_MINUTES: i64 = 10;

/// What a merge comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Merged {
    pub body: Value,
    pub changed: Vec<String>,
    pub theirs: Vec<String>,
    pub asked: Vec<String>,
    pub fixed: Vec<String>,
}

/// Merges a patch into a record, per field and by the table's policy.
pub fn merge(record: &Record, item: &Admitted) -> Merged {
    let mut merged = Merged {
        body: record.body.clone(),
        ..Merged::default()
    };
    let mutation = &item.mutation;
    let base = mutation.base.unwrap_or(0);
    // What its author saw was lost with an epoch, and has not come back: whether it is overwritten
    // cannot be known, so it is asked. What was stored before was asked then.
    let unknown = base > record.rev && item.proof.is_none();
    let nulls = mutation.unset.iter().map(|pointer| (pointer, &Value::Null));
    for (pointer, value) in mutation.set.iter().chain(nulls) {
        let current = record.body.pointer(pointer).unwrap_or(&Value::Null);
        if current == value {
            continue;
        }
        let policy = policy_at(record.kind, pointer);
        let moved = unknown || changed_since(record, pointer, base);
        match policy {
            Merge::Fixed => merged.fixed.push(pointer.clone()),
            _ if !moved => take(&mut merged, pointer, value.clone()),
            Merge::MineIfAuthor if record.author == item.person => {
                take(&mut merged, pointer, value.clone());
            }
            Merge::MineIfAuthor | Merge::Theirs => merged.theirs.push(pointer.clone()),
            Merge::Ask | Merge::AddWins => merged.asked.push(pointer.clone()),
        }
    }
    for (pointer, added) in &mutation.add {
        unite(&mut merged, pointer, added);
    }
    merged
}

fn take(merged: &mut Merged, pointer: &str, value: Value) {
    put(&mut merged.body, pointer, value);
    merged.changed.push(pointer.to_owned());
}

fn unite(merged: &mut Merged, pointer: &str, added: &Value) {
    let mut list = match merged.body.pointer(pointer) {
        Some(Value::Array(list)) => list.clone(),
        _ => Vec::new(),
    };
    let before = list.len();
    for element in added.as_array().into_iter().flatten() {
        if !list.contains(element) {
            list.push(element.clone());
        }
    }
    if list.len() > before {
        take(merged, pointer, Value::Array(list));
    }
}

/// Writes a value at a pointer, making objects on the way; null takes the member away.
pub fn put(body: &mut Value, pointer: &str, value: Value) {
    let mut names: Vec<&str> = pointer.split('/').skip(1).collect();
    let Some(last) = names.pop() else { return };
    let mut at = body;
    for name in names {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members
            .entry(name)
            .or_insert_with(|| Value::Object(Map::new()));
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(members) = at {
        if value.is_null() {
            members.remove(last);
        } else {
            members.insert(last.to_owned(), value);
        }
    }
}

/// How a field merges.
pub fn policy_at(kind: Kind, pointer: &str) -> Merge {
    let mut node = tree::of(kind);
    for name in pointer.split('/').skip(1) {
        match node.members.get(name) {
            Some(next) => node = next,
            None => break,
        }
    }
    node.field.map_or(Merge::Ask, |field| field.merge)
}

/// Whether a path, or one above or below it, changed after `base`.
fn changed_since(record: &Record, pointer: &str, base: i64) -> bool {
    let touches = |other: &str| {
        let (short, long) = if other.len() < pointer.len() {
            (other, pointer)
        } else {
            (pointer, other)
        };
        long == short || (long.starts_with(short) && long[short.len()..].starts_with('/'))
    };
    record
        .field_revs
        .iter()
        .any(|(path, rev)| *rev > base && touches(path))
}

/// A patch: merged, checked and judged again as the whole record.
pub fn patch(
    world: &mut World,
    item: &mut Admitted,
    kind: Kind,
    env: &Env<'_>,
    reviewed: bool,
) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let Some(record) = world.records.get(&id).cloned() else {
        return hold::until_here(world, item, env);
    };
    if record.kind == kind && record.void && knew(item, &record) {
        return words::rejected(n, id, "void-gone");
    }
    if record.void || record.kind != kind || !may_touch(world, item, &record) {
        return hold::until_here(world, item, env);
    }
    if record.text("/state") == Some("approved") {
        return words::rejected(n, id, "locked");
    }
    let merged = merge(&record, item);
    if let Some(mut verdict) = conflict_or_fault(item, &record, &merged) {
        if verdict.verdict == VerdictName::Conflict {
            verdict.current = in_view(&record, item);
        }
        return verdict;
    }
    let fault = slots_fault(world, &record, &merged.body);
    let fault = fault.or_else(|| refiled_fault(&record, &merged.body));
    if let Some(rule) = fault.or_else(|| review::cleaned_fault(world, &record, &merged.body)) {
        return words::rejected(n, id, rule);
    }
    judged(world, item, record, merged, env, reviewed)
}

/// Working time that a refused record was re-filed as had its measure taken when it came: it may
/// shrink.
fn refiled_fault(record: &Record, body: &Value) -> Option<&'static str> {
    let minutes = body.get("minutes").and_then(Value::as_i64);
    let grows = minutes > record.int("/minutes");
    (record.kind == Kind::WorkTime && record.text("/refusal").is_some() && grows)
        .then_some("split-minutes")
}

fn conflict_or_fault(item: &mut Admitted, record: &Record, merged: &Merged) -> Option<Verdict> {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let mut faults = Faults::default();
    merged
        .fixed
        .iter()
        .for_each(|pointer| faults.add(pointer, "fixed-field"));
    if !merged.asked.is_empty() {
        let mut verdict = Verdict::bare(n, id, VerdictName::Conflict);
        verdict.fields.clone_from(&merged.asked);
        verdict.rev = Some(record.rev);
        return Some(verdict);
    }
    let mut plain = merged.body.clone();
    if let Value::Object(members) = &mut plain {
        members.remove("derived");
        members.remove("state");
        check::body(record.kind, members, &mut faults);
    }
    if faults.is_empty() {
        kinds::rules(record.kind).check(item, &plain, &mut faults);
    }
    (!faults.is_empty()).then(|| {
        let mut verdict = Verdict::bare(n, id, VerdictName::Invalid);
        verdict.errors = faults.list;
        verdict
    })
}

/// The stored record as far as the sender reads it: whole from the mailbox, else a lead's card or
/// what the county sees.
fn in_view(record: &Record, item: &Admitted) -> Option<Value> {
    let mailbox = format!("person:{}", item.person);
    if record.placed.contains_key(&mailbox) {
        return Some(record.body.clone());
    }
    let shows = match record.kind {
        Kind::Client => See::Card,
        Kind::Activity => See::County,
        _ => return None,
    };
    let copy = project::copy(record.kind, &record.body, shows);
    serde_json::from_str(&project::join(&copy.open, copy.sealed.as_deref())).ok()
}

fn judged(
    world: &mut World,
    item: &mut Admitted,
    mut record: Record,
    merged: Merged,
    env: &Env<'_>,
    reviewed: bool,
) -> Verdict {
    let kind = record.kind;
    let asked = asked(&record, item, &merged);
    let (estimated_at, quality) = (asked.estimated_at, asked.quality);
    let mut gate = decide::gate(world, item, &asked, Some(&record.body), env, reviewed);
    match gate.refusal.take() {
        Some(Stop::Reject(hit)) => return decide::refuse(world, item, kind, &hit, env),
        Some(Stop::Hold(hit)) => {
            let cited = decide::cited(item, &hit);
            return hold::for_review(world, item, cited, env);
        }
        None => {}
    }
    let base = item.mutation.base.unwrap_or(0);
    let late = record.field_revs.values().any(|rev| *rev > base);
    record.rev += 1;
    record.estimated_at = estimated_at;
    record.quality = quality;
    for pointer in &merged.changed {
        record.field_revs.insert(pointer.clone(), record.rev);
    }
    record.body = gate.amended.take().unwrap_or(merged.body);
    if record.text("/state") == Some("returned")
        && let Value::Object(body) = &mut record.body
    {
        body.insert("state".to_owned(), "submitted".into());
    }
    record.derive("class", gate.class);
    let mut verdict = decide::kept(world, item, record, gate.notices, env);
    slots::reopened(world, item.mutation.id, env);
    if late {
        verdict.verdict = VerdictName::Merged;
        verdict.kept = merged.changed;
        verdict.theirs = merged.theirs;
    }
    verdict
}

/// What the rules are asked about the merged record. The patcher's clock moves only the times that
/// this patch sets; the others keep what was estimated when they were set.
fn asked<'a>(record: &'a Record, item: &'a Admitted, merged: &'a Merged) -> Question<'a> {
    let (begun, ended) = kinds::rules(record.kind).span(&merged.body, record.occurred_at);
    let at = record.kind.spec().act_time;
    let moved = at.is_some_and(|at| merged.changed.iter().any(|changed| changed == at));
    let mut question = kinds::question(item, record.kind, &merged.body);
    if !moved {
        question.estimated_at = record.estimated_at;
        question.quality = record.quality;
    }
    question.ended_at = question.estimated_at.saturating_add(ended - begun);
    question.author = &record.author;
    question.unit = &record.unit;
    question
}

/// A voided record keeps nothing to judge by: its author and its unit knew that it was there.
pub fn knew(item: &Admitted, record: &Record) -> bool {
    record.author == item.person || record.unit == item.mutation.unit
}

/// The unit must be the record's own: a grant elsewhere does not reach it.
fn may_touch(world: &World, item: &Admitted, record: &Record) -> bool {
    if item.mutation.unit != record.unit {
        return false;
    }
    if record.author == item.person {
        return true;
    }
    let leads = decide::leads(world, item, &record.unit);
    match record.kind {
        Kind::Client => {
            leads || World::assigned(&record.body, item.received_at).contains(&item.person)
        }
        Kind::Visit => {
            let client = crate::wants::id_at(record.body.get("client"));
            client.and_then(|id| world.live(id)).is_some_and(|card| {
                World::assigned(&card.body, item.received_at).contains(&item.person)
            })
        }
        Kind::CheckIn => leads && item.mutation.op == Op::Void,
        Kind::Activity => officer(world, item),
        _ => false,
    }
}

fn officer(world: &World, item: &Admitted) -> bool {
    let grants = world
        .grants
        .get(&item.person)
        .map_or(&[][..], Vec::as_slice);
    grants.iter().any(|grant| {
        grant.role == Role::HubOfficer
            && item.mutation.unit.starts_with(&grant.unit)
            && grant.holds_at(item.received_at)
    })
}

/// Places cannot fall below what is confirmed and offered.
fn slots_fault(world: &World, record: &Record, body: &Value) -> Option<&'static str> {
    let mut changed = record.clone();
    changed.body = body.clone();
    let fresh = kinds::rules(record.kind).slots(&changed);
    for ((owner, name), slot) in &world.slots {
        if *owner != record.id {
            continue;
        }
        let capacity = fresh
            .iter()
            .find(|(fresh, _)| fresh == name)
            .map_or(0, |(_, slot)| slot.capacity);
        if capacity < slot.confirmed + slot.offered {
            return Some("capacity-below");
        }
    }
    None
}

/// Voids a record: rows leave every stream and never come back.
pub fn void(world: &mut World, item: &mut Admitted, kind: Kind, env: &Env<'_>) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let Some(mut record) = world.records.get(&id).cloned() else {
        return hold::until_here(world, item, env);
    };
    if record.kind == kind && record.void && knew(item, &record) {
        return words::rejected(n, id, "void-gone");
    }
    if record.void || record.kind != kind || !may_touch(world, item, &record) {
        return hold::until_here(world, item, env);
    }
    if record.text("/state") == Some("approved") {
        return words::rejected(n, id, "locked");
    }
    let late = item.received_at - record.received_at > VOID_MINUTES * MINUTE_MS;
    if kind == Kind::CheckIn && late && !decide::leads(world, item, &record.unit) {
        return words::rejected(n, id, "void-late");
    }
    void_record(world, &mut record, env);
    let mut verdict = Verdict::bare(n, id, VerdictName::Accepted);
    verdict.rev = Some(record.rev);
    verdict.seq = world.records.get(&id).map(|record| record.seq);
    verdict
}

/// Voids a record on the server's own account.
pub fn void_record(world: &mut World, record: &mut Record, env: &Env<'_>) {
    record.rev += 1;
    record.void = true;
    world.keep(record.clone(), env);
}

/// Voids a record by id, if it is live.
pub fn void_by_id(world: &mut World, id: RecordId, env: &Env<'_>) {
    if let Some(mut record) = world.live(id).cloned() {
        void_record(world, &mut record, env);
    }
}

//! `apply`: what becomes of an item, decided under the shard's lock by a pure function.
//!
//! Items are judged in order but independently. Every answer is logged with its effect, or neither
//! exists. The server and the simulator run this very code.

use serde_json::Value;
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Life, Op};
use xiangyi_proto::limits::GRANT_GRACE_HOURS;
use xiangyi_proto::time::{HOUR_MS, TimeQuality};
use xiangyi_proto::verdict::{Verdict, VerdictName};

use crate::effects::{FINAL, LogWrite};
use crate::world::{Admitted, Env, Record, World};
use crate::{decide, digest, hold, incident, kinds, merge, restore, review, slots, words};

/// What became of an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Verdict(Box<Verdict>),
    /// The number was used for something else: cloned or restored storage.
    Forked,
    /// The idempotency key was used for another body.
    KeyReused,
    /// Too much of this number's device is held already: nothing happened, the same bytes may come
    /// later.
    NoRoom(i64),
}

/// Says whether any number of these items was used for something else; then none may be applied.
pub fn is_forked(world: &World, items: &[Admitted]) -> bool {
    let mut met = std::collections::HashMap::new();
    items.iter().filter(|item| item.key.is_none()).any(|item| {
        let key = (item.device.clone(), item.mutation.n);
        let past = world.by_number.get(&key).map(|past| past.digest);
        let first = *met.entry(key).or_insert(past.unwrap_or(item.digest));
        first != item.digest
    })
}

/// Applies one item and logs the answer.
pub fn apply(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Outcome {
    if let Some(outcome) = by_key(world, item) {
        return outcome;
    }
    let number = (item.device.clone(), item.mutation.n);
    if let Some(past) = world.by_number.get(&number) {
        if past.digest != item.digest {
            return Outcome::Forked;
        }
        if let Some(verdict) = restore::over(world, item, env) {
            hold::settle(world, env);
            return Outcome::Verdict(Box::new(verdict));
        }
        return Outcome::Verdict(Box::new(repeated(world, item)));
    }
    // Every item takes as many numbers as one that opens an incident.
    world.spare = Some(world.next_seq());
    if !speaks_as_reviewer(world, item) {
        incident::hear(world, item, env);
    }
    let verdict = decide_fresh(world, item, env);
    world.spare = None;
    if hold::is_no_room(&verdict) {
        if let Some(key) = item.key.clone() {
            world.by_key.remove(&(item.device.clone(), key));
        }
        return Outcome::NoRoom(item.mutation.n);
    }
    log(world, item, &verdict, env);
    hold::settle(world, env);
    Outcome::Verdict(Box::new(verdict))
}

/// Whether a reviewer writes about what was heard before: their words are no new danger. Anybody
/// else's are, whatever kind they are sent as.
fn speaks_as_reviewer(world: &World, item: &Admitted) -> bool {
    let about = matches!(item.kind, Some(Kind::IncidentStep | Kind::Review));
    about
        && item
            .kind
            .is_some_and(|kind| matches!(scope(world, item, kind), Scope::Open))
}

/// Finishes a batch: rows whose counts changed are rewritten once.
pub fn finish(world: &mut World, env: &Env<'_>) {
    for id in std::mem::take(&mut world.stale_slots) {
        if let Some(mut record) = world.live(id).cloned() {
            record.rev += 1;
            world.keep(record, env);
        }
    }
    world.arrived.clear();
    world.refused.clear();
}

fn by_key(world: &mut World, item: &mut Admitted) -> Option<Outcome> {
    let key = (item.device.clone(), item.key.clone()?);
    if let Some((n, content)) = world.by_key.get(&key) {
        item.mutation.n = *n;
        if *content != item.digest {
            return Some(Outcome::KeyReused);
        }
        return Some(Outcome::Verdict(Box::new(repeated(world, item))));
    }
    let next = world.next_n.entry(item.device.clone()).or_insert(1);
    item.mutation.n = *next;
    *next += 1;
    world.effects.next_n.insert(item.device.clone(), *next);
    world.by_key.insert(key, (item.mutation.n, item.digest));
    None
}

fn repeated(world: &World, item: &Admitted) -> Verdict {
    let was = world
        .answer(&item.device, item.mutation.n)
        .map(|past| past.verdict.clone());
    duplicate(item, was)
}

fn duplicate(item: &Admitted, was: Option<Verdict>) -> Verdict {
    let mut verdict = Verdict::bare(item.mutation.n, item.mutation.id, VerdictName::Duplicate);
    verdict.was = was.map(|was| match was.was {
        Some(first) => first,
        None => Box::new(was),
    });
    verdict
}

fn decide_fresh(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Verdict {
    let is_stray = restore::is_stray(item);
    if !item.faults.is_empty() && !is_stray {
        return invalid(item);
    }
    if let Some(verdict) = by_content(world, item) {
        return verdict;
    }
    // Without a proof this is judging it.
    restore::decide(world, item, env)
}

fn invalid(item: &mut Admitted) -> Verdict {
    let mut verdict = Verdict::bare(item.mutation.n, item.mutation.id, VerdictName::Invalid);
    verdict.errors = std::mem::take(&mut item.faults);
    verdict
}

/// The same content under another number is a duplicate, unless it was turned away for reasons
/// that may have passed.
pub fn by_content(world: &mut World, item: &Admitted) -> Option<Verdict> {
    if item.mutation.op == Op::Appeal {
        return None;
    }
    let key = (item.mutation.id, item.content);
    let (device, n) = world.by_content.get(&key)?.clone();
    let past = world.answer(&device, n)?;
    // What was let in before a restore is not refused because it came too early after it.
    let refused = past.verdict.verdict == VerdictName::Rejected;
    if !stands(&past.verdict) || refused && item.proof.is_some() {
        forget(world, item.mutation.id, item.content);
        return None;
    }
    let was = past.verdict.clone();
    if !was.is_final() {
        follow(world, item, &(device, n));
    }
    Some(duplicate(item, Some(was)))
}

/// What waits although another number has had the same stored: after a restore a refused item may
/// come back, be judged anew and be let in while its appeal is before a reviewer.
pub fn stored_meanwhile(world: &World, item: &Admitted) -> Option<Verdict> {
    let (device, n) = world.by_content.get(&(item.mutation.id, item.content))?;
    let past = world.answer(device, *n)?;
    let own = (device.strip_prefix(FINAL).unwrap_or(device), *n);
    let is_other = own != (item.device.as_str(), item.mutation.n);
    let stored = is_other && past.verdict.verdict.is_stored();
    stored.then(|| duplicate(item, Some(past.verdict.clone())))
}

/// Whoever sends again what is held hears how it ends, under the number it was sent with now.
fn follow(world: &mut World, item: &Admitted, first: &(String, i64)) {
    let same = |held: &&mut crate::world::Held| {
        (&held.item.device, held.item.mutation.n) == (&first.0, first.1)
    };
    if let Some(held) = world.held.values_mut().find(same) {
        held.item.also.push((item.device.clone(), item.mutation.n));
        // The same words of the same person: what was let in before is not refused as the other.
        held.item.proof = held.item.proof.take().or_else(|| item.proof.clone());
        world.effects.held.insert(held.id, Some(held.clone()));
    }
}

/// Whether the same content would be answered the same: it was stored, waits, or a pack refused it.
fn stands(verdict: &Verdict) -> bool {
    match verdict.verdict {
        VerdictName::Accepted | VerdictName::Merged | VerdictName::Held => true,
        VerdictName::Rejected => verdict
            .rule
            .as_ref()
            .is_some_and(|rule| !rule.pack.is_empty()),
        VerdictName::Duplicate | VerdictName::Conflict | VerdictName::Invalid => false,
    }
}

/// Lets a content be judged afresh when it comes again.
pub fn forget(world: &mut World, record: RecordId, content: digest::Digest) {
    let key = (record, content);
    world.by_content.remove(&key);
    world.effects.forgotten.push(key);
    for row in &mut world.effects.log {
        if row.record == record && row.content == Some(content) {
            row.content = None;
        }
    }
}

/// Decides an item; `reviewed` skips what a reviewer has released it from.
pub fn decide(world: &mut World, item: &mut Admitted, env: &Env<'_>, reviewed: bool) -> Verdict {
    let Some(kind) = item.kind else {
        return invalid(item);
    };
    let (n, id) = (item.mutation.n, item.mutation.id);
    match scope(world, item, kind) {
        Scope::Open => {}
        Scope::Ended if reviewed => {}
        Scope::Ended => return hold::for_review(world, item, words_of("grant-ended"), env),
        Scope::Closed => return words::rejected(n, id, "scope"),
    }
    if item.revoked && !reviewed {
        return hold::for_review(world, item, words_of("device-revoked"), env);
    }
    if let Some(verdict) = dependencies(world, item, kind, env) {
        return verdict;
    }
    match (item.mutation.op, kind) {
        (Op::Request, Kind::Review) => review::decide(world, item, env),
        (Op::Request, Kind::IncidentStep) => incident::step(world, item, env),
        (Op::Request, _) => slots::request(world, item, kind, env, reviewed),
        (Op::Create, _) => create(world, item, kind, env, reviewed),
        (Op::Patch, _) => merge::patch(world, item, kind, env, reviewed),
        (Op::Void, _) => merge::void(world, item, kind, env),
        (Op::Appeal, _) => review::appeal(world, item, env, reviewed),
    }
}

fn words_of(rule: &str) -> Verdict {
    words::rejected(0, RecordId::nil(), rule)
}

/// Whether a grant allows an operation.
pub enum Scope {
    Open,
    Ended,
    Closed,
}

/// Whether a grant allows the operation: now, at the act, or within the hours after its end.
pub fn scope(world: &World, item: &Admitted, kind: Kind) -> Scope {
    let mutation = &item.mutation;
    let may = kind.spec().may.iter().find(|may| may.op == mutation.op);
    let roles = may.map_or(&[][..], |may| may.roles);
    let grants = world
        .grants
        .get(&item.person)
        .map_or(&[][..], Vec::as_slice);
    // Places and lots are the county's: who serves at one station may ask for those of another.
    let around = |grant: &crate::world::Granted| {
        mutation.unit.starts_with(&grant.unit)
            || kind.spec().life == Life::Slot && grant.unit.starts_with(&mutation.unit)
    };
    let fitting = || {
        grants
            .iter()
            .filter(|grant| roles.contains(&grant.role) && around(grant))
    };
    if fitting().any(|grant| grant.holds_at(item.received_at)) {
        return Scope::Open;
    }
    let grace = GRANT_GRACE_HOURS * HOUR_MS;
    let in_grace = |to: i64| item.received_at < to + grace && item.estimated_at < to;
    let ended = |grant: &&crate::world::Granted| grant.from_at <= item.received_at;
    match fitting()
        .filter(ended)
        .filter_map(|grant| grant.to_at)
        .max()
    {
        Some(to) if in_grace(to) => Scope::Open,
        Some(_) => Scope::Ended,
        None => Scope::Closed,
    }
}

/// Records an item names must exist; what was refused refuses it, what is not here holds it.
fn dependencies(
    world: &mut World,
    item: &mut Admitted,
    kind: Kind,
    env: &Env<'_>,
) -> Option<Verdict> {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let mut needs: Vec<RecordId> = item.mutation.needs.clone();
    if let Some(body) = &item.mutation.body {
        needs.extend(decide::named(kind, body));
    }
    if item.mutation.op != Op::Appeal && kind != Kind::Review && world.is_behind_held(item) {
        needs.push(id);
    }
    let refused = |need: &&RecordId| {
        world.live(**need).is_none()
            && world
                .refusals_of(**need)
                .last()
                .is_some_and(|r| r.state != "appealed" && r.author == item.person)
    };
    let rule_of = |need: &RecordId| match refused(&need) {
        true => Some("dependency-refused"),
        false => gone(world, item, *need),
    };
    if let Some(rule) = needs.iter().filter(|need| **need != id).find_map(rule_of) {
        return Some(words::rejected(n, id, rule));
    }
    let missing: std::collections::BTreeSet<RecordId> = needs
        .into_iter()
        .filter(|need| *need == id || !decide::may_name(world, item, kind, *need, env.now))
        .collect();
    (!missing.is_empty()).then(|| hold::for_missing(world, item, missing, env))
}

/// Why a record that was voided, as the sender may know, is not waited for: it never comes back.
fn gone(world: &World, item: &Admitted, id: RecordId) -> Option<&'static str> {
    let record = world.records.get(&id).filter(|record| record.void)?;
    match record.kind {
        Kind::Activity => Some("activity-cancelled"),
        Kind::Resource => Some("dependency-refused"),
        _ => merge::knew(item, record).then_some("dependency-refused"),
    }
}

fn create(
    world: &mut World,
    item: &mut Admitted,
    kind: Kind,
    env: &Env<'_>,
    reviewed: bool,
) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    if kind.spec().life == Life::ServerOnly || is_taken(world, item) {
        let mut faults = crate::check::Faults::default();
        faults.add("/id", "id-taken");
        item.faults = faults.list;
        return invalid(item);
    }
    if let Some(rule) = review::split_fault(world, item, kind) {
        return words::rejected(n, id, rule);
    }
    let body = item.mutation.body.take().unwrap_or(Value::Null);
    let asked = kinds::question(item, kind, &body);
    let mut gate = decide::gate(world, item, &asked, None, env, reviewed);
    match gate.refusal.take() {
        Some(decide::Stop::Reject(hit)) => {
            item.mutation.body = Some(body);
            decide::refuse(world, item, kind, &hit, env)
        }
        Some(decide::Stop::Hold(hit)) => {
            item.mutation.body = Some(body);
            hold::for_review(world, item, decide::cited(item, &hit), env)
        }
        None => {
            let record =
                decide::fresh_record(item, kind, gate.amended.unwrap_or(body), &gate.class);
            review::note_refiling(world, &record, env);
            decide::kept(world, item, record, gate.notices, env)
        }
    }
}

/// Whether the id belongs to something else. What was refused keeps its id for its author, who
/// may send it again cleaned.
fn is_taken(world: &World, item: &Admitted) -> bool {
    let id = item.mutation.id;
    let first = world.refusals_of(id).first().copied();
    world.records.contains_key(&id) || first.is_some_and(|first| first.author != item.person)
}

fn log(world: &mut World, item: &Admitted, verdict: &Verdict, env: &Env<'_>) {
    let number = (item.device.clone(), item.mutation.n);
    let key = (item.mutation.id, item.content);
    // Of one content one row speaks.
    let speaks = stands(verdict)
        && item.mutation.op != Op::Appeal
        && world
            .by_content
            .get(&key)
            .is_none_or(|first| *first == number);
    if speaks {
        world.by_content.insert(key, number);
    }
    let content = speaks.then_some(item.content);
    write_log(world, item, item.device.clone(), content, verdict, env);
}

/// Writes one row of the log and remembers it for the rest of the batch.
pub fn write_log(
    world: &mut World,
    item: &Admitted,
    device: String,
    content: Option<digest::Digest>,
    verdict: &Verdict,
    env: &Env<'_>,
) {
    let judged = verdict.verdict.is_stored() || verdict.verdict == VerdictName::Held;
    let packs = judged.then(|| env.packs.versions(&item.mutation.unit, item.estimated_at));
    let seq = world.next_seq();
    let n = item.mutation.n;
    let past = crate::world::Past {
        digest: item.digest,
        author: item.person.clone(),
        record: item.mutation.id,
        verdict: verdict.clone(),
    };
    world.effects.log.push(LogWrite {
        seq,
        device: device.clone(),
        n,
        digest: item.digest,
        content,
        verdict: verdict.clone(),
        record: item.mutation.id,
        kind: item.kind.map_or(0, Kind::number),
        op: item.mutation.op as i64,
        author: item.person.clone(),
        unit: item.mutation.unit.clone(),
        received_at: item.received_at,
        packs,
        key: if device.starts_with(FINAL) {
            None
        } else {
            item.key.clone()
        },
    });
    world.by_number.insert((device, n), past);
}

/// A record the server writes on behalf of an item.
pub fn server_record(item: &Admitted, kind: Kind, id: RecordId, body: Value) -> Record {
    Record {
        id,
        kind,
        rev: 1,
        author: item.person.clone(),
        unit: item.mutation.unit.clone(),
        village: None,
        occurred_at: item.occurred_at,
        received_at: item.received_at,
        estimated_at: item.estimated_at,
        quality: match item.quality {
            TimeQuality::Impossible => TimeQuality::Claimed,
            quality => quality,
        },
        body,
        field_revs: Default::default(),
        placed: Default::default(),
        void: false,
        seq: 0,
    }
}

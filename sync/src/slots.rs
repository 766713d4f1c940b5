//! Slots: places of an activity and quantities of a resource, arbitrated under the lock.
//!
//! Always `confirmed + offered <= capacity`. Ranks are arrival numbers and never renumbered. A
//! freed place is offered by rank to the first without a clash, with a time to accept by.

use serde_json::Value;
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Merge};
use xiangyi_proto::limits::{OFFER_MINUTES_MIN, OFFER_WAKING_HOURS};
use xiangyi_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis, UTC_PLUS_8_MS};
use xiangyi_proto::verdict::{Notice, Verdict};

use crate::decide::{self, Stop};
use crate::world::{Admitted, Claim, ClaimState, Env, Record, Slot, World};
use crate::{hold, kinds, merge, words};

/// Quiet hours of the day in UTC+8, in which no accept-by clock runs: 22:00 to 07:00.
const WAKES_AT_MS: i64 = 7 * HOUR_MS;
const SLEEPS_AT_MS: i64 = 22 * HOUR_MS;

/// A sign-up or a link: the first intent, or a later step of the same record.
pub fn request(
    world: &mut World,
    item: &mut Admitted,
    kind: Kind,
    env: &Env<'_>,
    reviewed: bool,
) -> Verdict {
    let body = item.mutation.body.clone().unwrap_or(Value::Null);
    let want = body.get("want").and_then(Value::as_str).unwrap_or("");
    if want == "join" {
        return join(world, item, kind, &body, env, reviewed);
    }
    step(world, item, kind, want, &body, env)
}

fn join(
    world: &mut World,
    item: &mut Admitted,
    kind: Kind,
    body: &Value,
    env: &Env<'_>,
    reviewed: bool,
) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    if world.records.contains_key(&id) || world.claims.contains_key(&id) {
        return words::rejected(n, id, "already-signed-up");
    }
    let Some((slot, name)) = kinds::slot_of(kind, |name| body.get(name)) else {
        return words::rejected(n, id, "no-such-place");
    };
    if let Some(rule) = unfit(world, item, kind, slot, &name) {
        return words::rejected(n, id, rule);
    }
    let asked = kinds::question(item, kind, body);
    let mut gate = decide::gate(world, item, &asked, None, env, reviewed);
    match gate.refusal.take() {
        Some(Stop::Reject(hit)) => return decide::refuse(world, item, kind, &hit, env),
        Some(Stop::Hold(hit)) => {
            let cited = decide::cited(item, &hit);
            return hold::for_review(world, item, cited, env);
        }
        None => {}
    }
    let quantity = body.get("quantity").and_then(Value::as_i64).unwrap_or(1);
    let kept = gate.amended.take().unwrap_or_else(|| body.clone());
    let claim = place_or_line(world, item, slot, name, quantity);
    let mut record = decide::fresh_record(item, kind, kept, &gate.class);
    show(world, &mut record, &claim);
    link_need(world, &record, claim.promised(), env);
    let line = (claim.slot, claim.name.clone());
    put_claim(world, claim);
    let verdict = decide::kept(world, item, record, gate.notices, env);
    // Those before may have a clash or want more than is left; this one may not.
    pass_on(world, &line.0, &line.1, env);
    verdict
}

/// Why a first intent cannot even join the line.
fn unfit(
    world: &World,
    item: &Admitted,
    kind: Kind,
    slot_id: RecordId,
    name: &str,
) -> Option<&'static str> {
    let slot = world.slots.get(&(slot_id, name.to_owned()));
    let Some(slot) = slot.filter(|slot| slot.capacity > 0) else {
        return Some("no-such-place");
    };
    if world
        .live(slot_id)
        .is_none_or(|record| record.text("/state") == Some("cancelled"))
    {
        return Some("activity-cancelled");
    }
    let over = if kind == Kind::Link {
        slot.ends_at
    } else {
        slot.starts_at
    };
    if item.received_at >= over {
        return Some("session-started");
    }
    if kind == Kind::Link {
        return None;
    }
    let mine = |claim: &&Claim| {
        claim.slot == slot_id && claim.person == item.person && claim.state.is_live()
    };
    if world
        .claims
        .values()
        .filter(mine)
        .any(|claim| claim.name == name)
    {
        return Some("already-signed-up");
    }
    is_busy(world, &item.person, slot.starts_at, slot.ends_at).then_some("time-clash")
}

fn is_busy(world: &World, person: &str, from: Millis, to: Millis) -> bool {
    let key = kinds::busy_of(person);
    world
        .facts
        .iter()
        .any(|f| f.is_under(&key) && f.from_ms < to && from < f.to_ms)
}

/// Confirms when there is room and nobody waits; else the end of the line.
fn place_or_line(
    world: &mut World,
    item: &Admitted,
    slot_id: RecordId,
    name: String,
    quantity: i64,
) -> Claim {
    let key = (slot_id, name.clone());
    let mut slot = world.slots.get(&key).cloned().unwrap_or_default();
    let free = slot.capacity - slot.confirmed - slot.offered;
    let waits = world.claims.values().any(|claim| {
        claim.slot == slot_id && claim.name == name && claim.state == ClaimState::Waiting
    });
    let state = if free >= quantity && !waits {
        ClaimState::Confirmed
    } else {
        ClaimState::Waiting
    };
    let mut rank = 0;
    if state == ClaimState::Confirmed {
        slot.confirmed += quantity;
    } else {
        rank = slot.next_rank;
        slot.next_rank += 1;
    }
    put_slot(world, key, slot);
    Claim {
        record: item.mutation.id,
        slot: slot_id,
        name,
        person: item.person.clone(),
        state,
        rank,
        quantity,
        offer: 0,
        accept_by: 0,
    }
}

fn step(
    world: &mut World,
    item: &mut Admitted,
    kind: Kind,
    want: &str,
    body: &Value,
    env: &Env<'_>,
) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let record = world
        .live(id)
        .filter(|r| r.kind == kind && r.author == item.person)
        .cloned();
    let claim = world.claims.get(&id).cloned();
    let (Some(mut record), Some(mut claim)) = (record, claim) else {
        return hold::until_here(world, item, env);
    };
    let before = claim.promised();
    if let Err(rule) = advance(world, &mut claim, want, body, item.received_at) {
        return words::rejected(n, id, rule);
    }
    let notices = told(world, item, &record, body, env);
    record.rev += 1;
    record.body = stepped(&record, body, true);
    shortage(&mut record, &claim);
    show(world, &mut record, &claim);
    link_need(world, &record, claim.promised() - before, env);
    let line = (claim.slot, claim.name.clone());
    put_claim(world, claim);
    let verdict = decide::kept(world, item, record, notices, env);
    pass_on(world, &line.0, &line.1, env);
    verdict
}

/// What the rules have to say about a step. It was let in when it joined, and what happened since
/// has happened: a step is never stopped.
fn told(
    world: &World,
    item: &Admitted,
    record: &Record,
    sent: &Value,
    env: &Env<'_>,
) -> Vec<Notice> {
    let body = stepped(record, sent, false);
    let asked = kinds::question(item, record.kind, &body);
    decide::gate(world, item, &asked, Some(&record.body), env, true).notices
}

/// A record with what a step sends; what was agreed on at the first stays as it was.
fn stepped(record: &Record, sent: &Value, agreed: bool) -> Value {
    let mut body = record.body.clone();
    if let (Value::Object(stored), Value::Object(sent)) = (&mut body, sent) {
        for (name, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
            let is_fixed = || merge::policy_at(record.kind, &format!("/{name}")) == Merge::Fixed;
            if !(agreed && stored.contains_key(name) && is_fixed()) {
                stored.insert(name.clone(), value.clone());
            }
        }
    }
    body
}

/// Moves a claim by what its owner wants; judged at receipt.
fn advance(
    world: &mut World,
    claim: &mut Claim,
    want: &str,
    body: &Value,
    received_at: Millis,
) -> Result<(), &'static str> {
    let key = (claim.slot, claim.name.clone());
    let mut slot = world.slots.get(&key).cloned().ok_or("no-such-place")?;
    let offer = body.get("offer").and_then(Value::as_i64).unwrap_or(0);
    let offered = claim.state == ClaimState::Offered && claim.offer == offer;
    let clash = || {
        let is_lot = claim.name == kinds::LOT;
        !is_lot && is_busy(world, &claim.person, slot.starts_at, slot.ends_at)
    };
    match (want, claim.state) {
        ("accept", ClaimState::Offered) if offered && received_at <= claim.accept_by => {
            if clash() {
                return Err("time-clash");
            }
            slot.offered -= claim.quantity;
            slot.confirmed += claim.quantity;
            claim.state = ClaimState::Confirmed;
        }
        ("accept", ClaimState::Offered | ClaimState::Lapsed) => return Err("offer-passed"),
        ("decline", ClaimState::Offered) if offered => {
            slot.offered -= claim.quantity;
            claim.state = ClaimState::Declined;
        }
        ("leave", ClaimState::Confirmed) => {
            slot.confirmed -= claim.quantity;
            claim.state = ClaimState::Left;
        }
        ("leave", ClaimState::Offered) => {
            slot.offered -= claim.quantity;
            claim.state = ClaimState::Left;
        }
        ("leave", ClaimState::Waiting) => claim.state = ClaimState::Left,
        // What was handed over offline is never refused.
        ("deliver", _) => delivered(claim, &mut slot),
        ("confirm", ClaimState::Delivered) => claim.state = ClaimState::Closed,
        _ => return Err("not-in-line"),
    }
    put_slot(world, key, slot);
    Ok(())
}

/// What was handed over counts as promised as far as there was any; the claim keeps that part.
fn delivered(claim: &mut Claim, slot: &mut Slot) {
    match claim.state {
        ClaimState::Confirmed | ClaimState::Delivered | ClaimState::Closed => {}
        ClaimState::Offered => {
            slot.offered -= claim.quantity;
            slot.confirmed += claim.quantity;
        }
        ClaimState::Waiting | ClaimState::Declined | ClaimState::Lapsed | ClaimState::Left => {
            let free = (slot.capacity - slot.confirmed - slot.offered).max(0);
            claim.quantity = claim.quantity.min(free);
            slot.confirmed += claim.quantity;
        }
    }
    claim.state = ClaimState::Delivered;
}

/// More handed over than was promised is recorded, never refused.
fn shortage(record: &mut Record, claim: &Claim) {
    if claim.state == ClaimState::Delivered {
        let asked = record.int("/quantity").unwrap_or(claim.quantity);
        let delivered = record.int("/delivered_quantity").unwrap_or(asked);
        record.derive("shortage", (delivered - claim.quantity).max(0));
    }
}

/// Places that a patch has added go to those who wait.
pub fn reopened(world: &mut World, slot_id: RecordId, env: &Env<'_>) {
    let own = world.slots.keys().filter(|(owner, _)| *owner == slot_id);
    let mut names: Vec<String> = own.map(|(_, name)| name.clone()).collect();
    names.sort_unstable();
    for name in names {
        pass_on(world, &slot_id, &name, env);
    }
}

/// Offers what is free to those who wait, by rank, skipping who has a clash.
pub fn pass_on(world: &mut World, slot_id: &RecordId, name: &str, env: &Env<'_>) {
    let key = (*slot_id, name.to_owned());
    let open = world.live(*slot_id).is_some();
    let Some(mut slot) = world.slots.get(&key).filter(|_| open).cloned() else {
        return;
    };
    let mut line: Vec<(i64, RecordId)> = world
        .claims
        .values()
        .filter(|c| c.slot == *slot_id && c.name == name && c.state == ClaimState::Waiting)
        .map(|claim| (claim.rank, claim.record))
        .collect();
    line.sort_unstable();
    for (_, record_id) in line {
        let free = slot.capacity - slot.confirmed - slot.offered;
        if free <= 0 || env.now >= slot.starts_at {
            break;
        }
        let Some(mut claim) = world.claims.get(&record_id).cloned() else {
            continue;
        };
        let clash = is_busy(world, &claim.person, slot.starts_at, slot.ends_at);
        if claim.quantity > free || (name != kinds::LOT && clash) {
            continue;
        }
        slot.offered += claim.quantity;
        claim.state = ClaimState::Offered;
        claim.offer = slot.next_offer;
        slot.next_offer += 1;
        claim.accept_by = accept_by(env.now, slot.starts_at);
        put_slot(world, key.clone(), slot.clone());
        retell(world, claim, env);
    }
}

/// An offer whose time is over goes to the next in line.
pub fn lapse(world: &mut World, record: RecordId, env: &Env<'_>) {
    let Some(mut claim) = world.claims.get(&record).cloned() else {
        return;
    };
    if claim.state != ClaimState::Offered || env.now <= claim.accept_by {
        return;
    }
    let key = (claim.slot, claim.name.clone());
    if let Some(mut slot) = world.slots.get(&key).cloned() {
        slot.offered -= claim.quantity;
        put_slot(world, key.clone(), slot);
    }
    claim.state = ClaimState::Lapsed;
    retell(world, claim, env);
    pass_on(world, &key.0, &key.1, env);
}

/// Gives a claim that is not over to another who is the same human being; says false where it was
/// left instead, because that one has as good a place there already, or is elsewhere then, and
/// nothing where there was no such claim or its session is over. Of two claims the other's holds
/// the better afterwards.
pub fn take_over(world: &mut World, id: RecordId, to: &str, env: &Env<'_>) -> Option<bool> {
    let mut claim = world.claims.get(&id).cloned()?;
    let lives = claim.state.is_live() || claim.state == ClaimState::Delivered;
    let mut record = world.live(id).filter(|_| lives)?.clone();
    let key = (claim.slot, claim.name.clone());
    let slot = world.slots.get(&key).cloned()?;
    let is_place = claim.name != kinds::LOT;
    if is_place && slot.ends_at <= env.now {
        return None;
    }
    let twin = |other: &&Claim| {
        let same = other.slot == claim.slot && other.name == claim.name;
        same && other.person == to && other.state.is_live()
    };
    let twin = world.claims.values().find(twin).filter(|_| is_place);
    let as_good = |twin: &Claim| firmness(twin.state) >= firmness(claim.state);
    let worse = twin.filter(|twin| !as_good(twin)).cloned();
    let busy = is_busy(world, to, slot.starts_at, slot.ends_at);
    let taken = is_place && claim.state == ClaimState::Confirmed && busy;
    if taken || twin.is_some_and(as_good) {
        leave(world, claim, env)?;
        pass_on(world, &key.0, &key.1, env);
        return Some(false);
    }
    if let Some(mut twin) = worse {
        exchange(&mut claim, &mut twin);
        retell(world, twin, env);
        leave(world, claim, env)?;
        pass_on(world, &key.0, &key.1, env);
        return Some(false);
    }
    to.clone_into(&mut claim.person);
    to.clone_into(&mut record.author);
    record.rev += 1;
    world.keep(record, env);
    put_claim(world, claim);
    Some(true)
}

/// Leaves like by the owner. The only reasons why that could fail are that the slot or the claim
/// are not there.
fn leave(world: &mut World, mut claim: Claim, env: &Env<'_>) -> Option<()> {
    advance(world, &mut claim, "leave", &Value::Null, env.now).ok()?;
    retell(world, claim, env);
    Some(())
}

/// Each claim holds what the other held; ranks are arrival numbers and stay.
const fn exchange(one: &mut Claim, other: &mut Claim) {
    std::mem::swap(&mut one.state, &mut other.state);
    std::mem::swap(&mut one.quantity, &mut other.quantity);
    std::mem::swap(&mut one.offer, &mut other.offer);
    std::mem::swap(&mut one.accept_by, &mut other.accept_by);
}

/// Which of two claims of one place holds more.
const fn firmness(state: ClaimState) -> u8 {
    match state {
        ClaimState::Confirmed => 2,
        ClaimState::Offered => 1,
        _ => 0,
    }
}

/// Writes a claim and the row its owner reads.
fn retell(world: &mut World, claim: Claim, env: &Env<'_>) {
    if let Some(mut record) = world.live(claim.record).cloned() {
        record.rev += 1;
        show(world, &mut record, &claim);
        world.keep(record, env);
    }
    put_claim(world, claim);
}

fn show(world: &World, record: &mut Record, claim: &Claim) {
    record.derive("state", claim.state.name());
    if claim.rank > 0 {
        record.derive("rank", claim.rank);
    }
    if claim.offer > 0 {
        record.derive("offer", claim.offer);
        record.derive("accept_by", claim.accept_by);
    }
    if record.kind == Kind::SignUp
        && let Some(slot) = world.slots.get(&(claim.slot, claim.name.clone()))
    {
        record.derive("starts_at", slot.starts_at);
        record.derive("ends_at", slot.ends_at);
    }
}

fn put_claim(world: &mut World, claim: Claim) {
    let due = (claim.state == ClaimState::Offered).then_some(claim.accept_by + 1);
    if claim.offer > 0 {
        world
            .effects
            .timers
            .insert(("offer".to_owned(), claim.record.to_string()), due);
    }
    world.stale_slots.insert(claim.slot);
    world.effects.claims.insert(claim.record, claim.clone());
    world.claims.insert(claim.record, claim);
}

fn put_slot(world: &mut World, key: (RecordId, String), slot: Slot) {
    debug_assert!(
        slot.confirmed >= 0 && slot.offered >= 0,
        "a slot never owes places"
    );
    world.effects.slots.insert(key.clone(), slot.clone());
    world.slots.insert(key, slot);
}

/// A need counts what links have promised it; who only waits has promised nothing.
fn link_need(world: &mut World, link: &Record, more: i64, env: &Env<'_>) {
    let need = crate::wants::id_at(link.body.get("need"));
    let need = need.and_then(|id| world.live(id)).cloned();
    if let Some(mut need) = need.filter(|_| more != 0) {
        need.rev += 1;
        let linked = need.int("/derived/linked").unwrap_or(0) + more;
        need.derive("linked", linked);
        world.keep(need, env);
    }
}

/// When an offer ends: six waking hours, at most a quarter of the time left, at least half an hour.
pub fn accept_by(now: Millis, starts_at: Millis) -> Millis {
    let left = (starts_at - now).max(0);
    let waking = (OFFER_WAKING_HOURS * HOUR_MS)
        .min(left / 4)
        .max(OFFER_MINUTES_MIN * MINUTE_MS);
    let mut at = now;
    let mut remaining = waking;
    while remaining > 0 {
        let in_day = (at + UTC_PLUS_8_MS).rem_euclid(DAY_MS);
        if in_day < WAKES_AT_MS {
            at += WAKES_AT_MS - in_day;
        } else if in_day >= SLEEPS_AT_MS {
            at += DAY_MS - in_day + WAKES_AT_MS;
        } else {
            let step = remaining.min(SLEEPS_AT_MS - in_day);
            at += step;
            remaining -= step;
        }
    }
    at.min(starts_at.max(now + OFFER_MINUTES_MIN * MINUTE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xiangyi_proto::time::{day_of_text, day_start};

    fn at(day: &str, hour: i64) -> Millis {
        day_start(day_of_text(day).expect("a day")) + hour * HOUR_MS
    }

    #[test]
    fn an_offer_sleeps_at_night() {
        let starts = at("2026-11-30", 9);
        assert_eq!(accept_by(at("2026-11-23", 9), starts), at("2026-11-23", 15));
        assert_eq!(
            accept_by(at("2026-11-23", 20), starts),
            at("2026-11-24", 11)
        );
        assert_eq!(
            accept_by(at("2026-11-23", 23), starts),
            at("2026-11-24", 13)
        );
    }

    #[test]
    fn a_short_time_left_gives_a_quarter_but_half_an_hour_at_least() {
        let now = at("2026-11-23", 9);
        assert_eq!(accept_by(now, now + 8 * HOUR_MS), now + 2 * HOUR_MS);
        assert_eq!(accept_by(now, now + HOUR_MS), now + 30 * MINUTE_MS);
    }
}

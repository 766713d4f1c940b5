//! Held items: stored, numbered, not final. They move when what they wait for comes or goes.

use std::collections::BTreeSet;

use serde_json::json;
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::limits::{HELD_MISSING_DAYS, HELD_PER_DEVICE_MAX, HELD_REVIEW_ESCALATES_DAYS};
use xiangyi_proto::time::{DAY_MS, Millis};
use xiangyi_proto::verdict::{HeldFor, Verdict, VerdictName};

use crate::effects::FINAL;
use crate::world::{Admitted, Env, Held, World};
use crate::{admit, apply, digest, restore, words};

/// Whether one more item of this device may be held. What speaks of danger always may, and so may
/// what was held before.
pub fn has_room(world: &World, item: &Admitted) -> bool {
    let held = world.held_by.get(&item.device).copied().unwrap_or(0);
    item.waited || !item.danger.is_empty() || held < HELD_PER_DEVICE_MAX
}

/// What an item gets for which there is no room: no verdict, so that the phone keeps it and sends
/// it again. Known by the number that every stored answer has.
pub fn no_room(item: &Admitted) -> Verdict {
    Verdict::bare(item.mutation.n, item.mutation.id, VerdictName::Held)
}

/// Says whether an answer is `no_room`.
pub fn is_no_room(verdict: &Verdict) -> bool {
    verdict.verdict == VerdictName::Held && verdict.seq.is_none()
}

/// Holds an item until a person decides; it never expires against the worker.
pub fn for_review(
    world: &mut World,
    item: &mut Admitted,
    cited: Verdict,
    env: &Env<'_>,
) -> Verdict {
    if !has_room(world, item) {
        return no_room(item);
    }
    let rule = cited.rule.as_ref().map(|rule| rule.id.clone());
    let mut verdict = store(
        world,
        item,
        HeldFor::Review,
        rule,
        BTreeSet::new(),
        None,
        env,
    );
    verdict.rule = cited.rule;
    verdict.at = cited.at;
    verdict.message = cited.message;
    verdict.message_en = cited.message_en;
    reviews_move(world, item);
    verdict
}

/// After a restore the decision about an item may be here before the item, which need not have a
/// proof: its answer may never have reached the phone. Decisions name the held item or its record.
pub fn reviews_move(world: &mut World, item: &Admitted) {
    let about = [held_id(item), item.mutation.id];
    let decides = |held: &Held| {
        let is_review = held.item.kind == Some(Kind::Review) && held.item.proof.is_some();
        is_review && about.iter().any(|id| held.needs.contains(id))
    };
    if world.held.values().any(decides) {
        world.arrived.extend(about);
    }
}

/// Stores an item that is not final, with a row for its author and, for review, the reviewers.
pub fn store(
    world: &mut World,
    item: &Admitted,
    reason: HeldFor,
    rule: Option<String>,
    needs: BTreeSet<RecordId>,
    until_at: Option<Millis>,
    env: &Env<'_>,
) -> Verdict {
    let mutation = &item.mutation;
    let id = held_id(item);
    let missing: Vec<String> = needs.iter().map(RecordId::to_string).collect();
    let body = json!({
        "record": mutation.id.to_string(),
        "record_kind": mutation.kind,
        "for": reason.name(),
        "rule": rule,
        "missing": missing,
        "mutation": mutation,
        "until": until_at,
        "escalated": false,
    });
    let mut record = apply::server_record(item, Kind::Held, id, body);
    // An item that is held once more goes on from the row that was taken away.
    record.rev = world.records.get(&id).map_or(1, |old| old.rev + 1);
    let seq = world.keep(record, env);
    let held = Held {
        id,
        item: item.clone(),
        reason,
        rule,
        until_at,
        escalated: false,
        needs,
    };
    let due = match reason {
        HeldFor::Missing => until_at,
        HeldFor::Review => Some(item.received_at + HELD_REVIEW_ESCALATES_DAYS * DAY_MS),
    };
    world
        .effects
        .timers
        .insert((timer_kind(reason).to_owned(), id.to_string()), due);
    *world.held_by.entry(item.device.clone()).or_default() += 1;
    world.effects.held.insert(id, Some(held.clone()));
    world.held.insert(id, held);
    let mut verdict = Verdict::bare(mutation.n, mutation.id, VerdictName::Held);
    verdict.held_for = Some(reason);
    verdict.seq = Some(seq);
    verdict
}

fn timer_kind(reason: HeldFor) -> &'static str {
    match reason {
        HeldFor::Missing => "hold-expires",
        HeldFor::Review => "hold-escalates",
    }
}

/// The id of the held row of an item.
pub fn held_id(item: &Admitted) -> RecordId {
    digest::derived_id(
        "held",
        &[item.device.as_bytes(), &item.mutation.n.to_be_bytes()],
    )
}

/// Takes a held item out of storage and off the screens.
pub fn take(world: &mut World, id: RecordId, env: &Env<'_>) -> Option<Held> {
    let held = world.held.remove(&id)?;
    if let Some(count) = world.held_by.get_mut(&held.item.device) {
        *count = count.saturating_sub(1);
    }
    world.effects.held.insert(id, None);
    world
        .effects
        .timers
        .insert((timer_kind(held.reason).to_owned(), id.to_string()), None);
    if let Some(mut record) = world.live(id).cloned() {
        record.rev += 1;
        record.void = true;
        world.keep(record, env);
    }
    Some(held)
}

/// Moves the waiters of records that arrived or were refused, until nothing moves any more.
pub fn settle(world: &mut World, env: &Env<'_>) {
    loop {
        if let Some(id) = world.arrived.pop() {
            for waiter in waiters(world, id) {
                release_from(world, waiter, id, env);
            }
        } else if let Some((id, whose)) = world.refused.pop() {
            for waiter in waiters(world, id) {
                if world.live(id).is_some() || stands_alone(world, waiter, id) {
                    release_from(world, waiter, id, env);
                } else if is_theirs(world, waiter, &whose) {
                    end(world, waiter, "dependency-refused", env);
                }
            }
        } else {
            return;
        }
    }
}

fn waiters(world: &World, id: RecordId) -> Vec<RecordId> {
    let mut list: Vec<&Held> = world
        .held
        .values()
        .filter(|held| held.needs.contains(&id))
        .collect();
    list.sort_by(|a, b| a.item.arrival().cmp(&b.item.arrival()));
    list.iter().map(|held| held.id).collect()
}

/// Whether an item makes the record it is about, such as a cleaned one behind a refused one.
pub fn makes_record(item: &Admitted) -> bool {
    match item.mutation.op {
        Op::Create | Op::Appeal => true,
        Op::Request => {
            let want = item
                .mutation
                .body
                .as_ref()
                .and_then(|body| body.get("want"));
            want.is_none_or(|want| want == "join")
        }
        Op::Patch | Op::Void => false,
    }
}

/// Whether a waiter waits for something of its own sender. Others go on waiting: that it was here,
/// and came to nothing, is not for them to learn.
fn is_theirs(world: &World, waiter: RecordId, whose: &str) -> bool {
    let held = world.held.get(&waiter);
    held.is_some_and(|held| held.item.person == whose)
}

fn stands_alone(world: &World, waiter: RecordId, id: RecordId) -> bool {
    world
        .held
        .get(&waiter)
        .is_some_and(|held| held.item.mutation.id == id && makes_record(&held.item))
}

/// A record that is not here, or not theirs, is waited for: the same answer, so that nothing is
/// disclosed. What the author knows to be refused is not waited for.
pub fn until_here(world: &mut World, item: &Admitted, env: &Env<'_>) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let gone = !world.records.contains_key(&id)
        && world
            .refusals_of(id)
            .last()
            .is_some_and(|last| last.state != "appealed" && last.author == item.person);
    if gone {
        return words::rejected(n, id, "dependency-refused");
    }
    for_missing(world, item, BTreeSet::from([id]), env)
}

/// Holds an item until records arrive.
pub fn for_missing(
    world: &mut World,
    item: &Admitted,
    needs: BTreeSet<RecordId>,
    env: &Env<'_>,
) -> Verdict {
    if !has_room(world, item) {
        return no_room(item);
    }
    let wait = HELD_MISSING_DAYS * DAY_MS;
    // Days that passed before a reviewer, not the sender, let it go on do not count.
    let until = match item.received_at + wait {
        past if past <= env.now => env.now + wait,
        until => until,
    };
    let verdict = store(world, item, HeldFor::Missing, None, needs, Some(until), env);
    words::tell(verdict, "waits-for-record")
}

fn release_from(world: &mut World, waiter: RecordId, arrived: RecordId, env: &Env<'_>) {
    let Some(held) = world.held.get_mut(&waiter) else {
        return;
    };
    held.needs.remove(&arrived);
    if !held.needs.is_empty() {
        world.effects.held.insert(waiter, Some(held.clone()));
        return;
    }
    if let Some(held) = take(world, waiter, env) {
        rejudge(world, held, env, None);
    }
}

/// What a reviewer lets through: the words of the decision, and why.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    pub rule: &'static str,
    pub reason: &'a str,
}

/// Judges a held item again and tells its author what became of it.
pub fn rejudge(
    world: &mut World,
    held: Held,
    env: &Env<'_>,
    release: Option<Release<'_>>,
) -> Verdict {
    let reviewed = release.is_some();
    let mut item = held.item;
    item.waited = true;
    item.released |= reviewed;
    admit::judge(&mut item, env.packs);
    let mut verdict = match apply::stored_meanwhile(world, &item) {
        Some(verdict) => verdict,
        None if item.released => restore::released(world, &mut item, env),
        None => restore::decide(world, &mut item, env),
    };
    if let Some(Release { rule, reason }) = release.filter(|_| verdict.verdict.is_stored()) {
        verdict = words::because(verdict, rule, reason);
    }
    if verdict.is_final() {
        finalise(world, &item, &verdict, env);
    } else if reviewed {
        // It waits for something else now, and perhaps stands in nobody's way any more.
        world.arrived.push(item.mutation.id);
    }
    verdict
}

/// Ends a held item by a rule, without judging it.
pub fn end(world: &mut World, id: RecordId, rule: &str, env: &Env<'_>) {
    let Some(held) = take(world, id, env) else {
        return;
    };
    if held.item.proof.is_some() {
        return restore::review_instead(world, held, rule, env);
    }
    let verdict = words::rejected(held.item.mutation.n, held.item.mutation.id, rule);
    apply::forget(world, held.item.mutation.id, held.item.content);
    finalise(world, &held.item, &verdict, env);
}

/// Logs a final verdict, puts it into the author's mailbox, and moves who waited behind it.
pub fn finalise(world: &mut World, item: &Admitted, verdict: &Verdict, env: &Env<'_>) {
    // A voided record ends whoever waited for it too.
    if world.records.contains_key(&item.mutation.id) {
        world.arrived.push(item.mutation.id);
    } else if makes_record(item) && !verdict.verdict.is_stored() {
        let refused = (item.mutation.id, item.person.clone());
        world.refused.push(refused);
    }
    let mut twin = item.clone();
    for (device, n) in std::mem::take(&mut twin.also) {
        (twin.device, twin.mutation.n, twin.key) = (device, n, None);
        let mut same = Verdict::bare(n, item.mutation.id, VerdictName::Duplicate);
        same.was = Some(Box::new(verdict.clone()));
        tell_final(world, &twin, &same, env);
    }
    tell_final(world, item, verdict, env);
}

fn tell_final(world: &mut World, item: &Admitted, verdict: &Verdict, env: &Env<'_>) {
    let device = format!("{FINAL}{}", item.device);
    // What an appeal brought in is the answer to its content from now on.
    let key = (item.mutation.id, item.content);
    let speaks = verdict.verdict.is_stored() && !world.by_content.contains_key(&key);
    if speaks {
        world
            .by_content
            .insert(key, (device.clone(), item.mutation.n));
    }
    let content = speaks.then_some(item.content);
    apply::write_log(world, item, device, content, verdict, env);
    let n = item.mutation.n.to_be_bytes();
    let id = digest::derived_id("verdict", &[item.device.as_bytes(), &n]);
    let body = json!({
        "n": item.mutation.n,
        "device": item.device,
        "record": item.mutation.id.to_string(),
        "verdict": verdict,
    });
    world.keep(apply::server_record(item, Kind::Verdict, id, body), env);
}

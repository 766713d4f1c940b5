//! Held items: stored, numbered, not final. They move when what they wait for comes or goes.

use std::collections::BTreeSet;

use serde_json::json;
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::HELD_REVIEW_ESCALATES_DAYS;
use xiangyi_proto::time::{DAY_MS, Millis};
use xiangyi_proto::verdict::{HeldFor, Verdict, VerdictName};

use crate::effects::FINAL;
use crate::world::{Admitted, Env, Held, World};
use crate::{admit, apply, digest, words};

/// Holds an item until a person decides; it never expires against the worker.
pub fn for_review(
    world: &mut World,
    item: &mut Admitted,
    cited: Verdict,
    env: &Env<'_>,
) -> Verdict {
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
    verdict
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
    let seq = world.keep(apply::server_record(item, Kind::Held, id, body), env);
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
        } else if let Some(id) = world.refused.pop() {
            for waiter in waiters(world, id) {
                end(world, waiter, "dependency-refused", env);
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
    list.sort_by_key(|held| {
        (
            held.item.received_at,
            held.item.device.clone(),
            held.item.mutation.n,
        )
    });
    list.iter().map(|held| held.id).collect()
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
        rejudge(world, held, env, false);
    }
}

/// Judges a held item again and tells its author what became of it.
pub fn rejudge(world: &mut World, held: Held, env: &Env<'_>, reviewed: bool) -> Verdict {
    let mut item = held.item;
    admit::judge(&mut item, env.packs);
    let verdict = apply::decide(world, &mut item, env, reviewed);
    if verdict.is_final() {
        finalise(world, &item, &verdict, env);
    }
    verdict
}

/// Ends a held item by a rule, without judging it.
pub fn end(world: &mut World, id: RecordId, rule: &str, env: &Env<'_>) {
    let Some(held) = take(world, id, env) else {
        return;
    };
    let verdict = words::rejected(held.item.mutation.n, held.item.mutation.id, rule);
    world
        .effects
        .forgotten
        .push((held.item.mutation.id, held.item.content));
    world
        .by_content
        .remove(&(held.item.mutation.id, held.item.content));
    world.refused.push(held.item.mutation.id);
    finalise(world, &held.item, &verdict, env);
}

/// Logs a final verdict and puts it into the author's mailbox.
pub fn finalise(world: &mut World, item: &Admitted, verdict: &Verdict, env: &Env<'_>) {
    apply::write_log(
        world,
        item,
        format!("{FINAL}{}", item.device),
        None,
        verdict,
    );
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

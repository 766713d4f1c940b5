//! What an earlier epoch answered and the backup did not hold: let in again, by its proof.
//!
//! What was stored is stored unjudged; what waited waits. Where scope, base or places forbid it
//! now, it goes before a reviewer: an acknowledged item is never refused. Its old number is not
//! used again: others may stand there by now, and readers have passed it. It gets the next one.

use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Life, Op};
use xiangyi_proto::pack::RuleVerdict;
use xiangyi_proto::verdict::{HeldFor, Verdict, VerdictName};

use crate::apply::{self, Scope};
use crate::effects::FINAL;
use crate::wants::id_at;
use crate::world::{Admitted, Env, Held, World};
use crate::{decide as gate, hold, kinds, merge, words};

/// The rule under which a reviewer gets what cannot simply come back.
pub const RULE: &str = "restored";

/// Decides an item that was answered before.
pub fn decide(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Verdict {
    let Some(proved) = item.proof.clone() else {
        return apply::decide(world, item, env, false);
    };
    if let Some(verdict) = apply::stored_meanwhile(world, item) {
        return verdict;
    }
    let mut verdict = match (proved.verdict, proved.held_for) {
        _ if is_stray(item) => {
            item.faults.clear();
            let why = Verdict::bare(item.mutation.n, item.mutation.id, VerdictName::Held);
            to_review(world, item, &why, env)
        }
        // An appeal's first answer is always a hold.
        (VerdictName::Held, Some(HeldFor::Review)) => held(world, item, env),
        _ if item.mutation.op == Op::Appeal => held(world, item, env),
        (VerdictName::Held, _) => waited(world, item, env),
        _ => stored(world, item, &proved.state, env),
    };
    verdict.restored = verdict.verdict.is_stored() || verdict.verdict == VerdictName::Held;
    verdict
}

/// What was answered afresh before its proof came: a request that was under way for long may reach
/// the new epoch first. What was turned away there comes back all the same; what is held there is
/// known now, and is not turned away any more.
pub fn over(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Option<Verdict> {
    item.proof.as_ref()?;
    let (n, id, held_id) = (item.mutation.n, item.mutation.id, hold::held_id(item));
    if let Some(held) = world.held.get_mut(&held_id) {
        if held.item.proof.is_none() {
            held.item.proof.clone_from(&item.proof);
            let held = held.clone();
            world.effects.held.insert(held_id, Some(held));
            hold::reviews_move(world, item);
        }
        return None;
    }
    let last = (format!("{FINAL}{}", item.device), n);
    let first = &world.by_number.get(&(item.device.clone(), n))?.verdict;
    let said = first.was.as_deref().unwrap_or(first);
    // What only waited then is refused by the list with its proof as without.
    let waited = (VerdictName::Held, Some(HeldFor::Missing));
    let proved = item
        .proof
        .as_ref()
        .map(|proof| (proof.verdict, proof.held_for));
    let by_list = said.refusal.is_some() && proved == Some(waited);
    let here = said.verdict.is_stored() || said.verdict == VerdictName::Held;
    if here || by_list || world.by_number.contains_key(&last) || !item.faults.is_empty() {
        return None;
    }
    if let Some(verdict) = apply::by_content(world, item) {
        return Some(verdict);
    }
    let verdict = decide(world, item, env);
    if hold::is_no_room(&verdict) {
        return None;
    }
    if verdict.is_final() {
        hold::finalise(world, item, &verdict, env);
    }
    debug_assert_eq!(verdict.id, id, "one record");
    Some(verdict)
}

/// Whether nothing is wrong with an item but that its unit is not known any more: it was told to
/// the server after the backup.
pub fn is_stray(item: &Admitted) -> bool {
    let unit = item.faults.iter().all(|fault| fault.code == "unit-unknown");
    item.proof.is_some() && item.kind.is_some() && !item.faults.is_empty() && unit
}

/// Goes before a reviewer in place of an end by a rule.
pub fn review_instead(world: &mut World, held: Held, rule: &str, env: &Env<'_>) {
    let mut item = held.item;
    item.waited = true;
    let (n, id) = (item.mutation.n, item.mutation.id);
    to_review(world, &mut item, &words::rejected(n, id, rule), env);
}

/// What a reviewer lets through. Of what was answered before, only a person turns anything away:
/// where something is in its way still, it stays before the reviewer.
pub fn released(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Verdict {
    let verdict = apply::decide(world, item, env, true);
    let by_rule = verdict.verdict == VerdictName::Rejected && verdict.refusal.is_none();
    match item.proof.is_some() && by_rule {
        true => to_review(world, item, &verdict, env),
        false => verdict,
    }
}

fn to_review(world: &mut World, item: &mut Admitted, why: &Verdict, env: &Env<'_>) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let (zh, en) = words::of(RULE);
    let mut cited = words::rejected(n, id, RULE);
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    cited.message = Some(format!("{zh}{}", said(&why.message)));
    cited.message_en = Some(format!("{en} {}", said(&why.message_en)).trim().to_owned());
    hold::for_review(world, item, cited, env)
}

/// What was stored: as a reviewer's release does, every rule that stops is only told.
fn stored(world: &mut World, item: &mut Admitted, state: &str, env: &Env<'_>) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let Some(kind) = item.kind else {
        return apply::decide(world, item, env, true);
    };
    let scope = match apply::scope(world, item, kind) {
        Scope::Open if item.revoked => Some("device-revoked"),
        Scope::Open => None,
        Scope::Ended => Some("grant-ended"),
        Scope::Closed => Some("scope"),
    };
    let full = || (state == "confirmed" && is_full(world, item, kind)).then_some(RULE);
    if let Some(rule) = scope.or_else(full) {
        let why = match rule {
            RULE => Verdict::bare(n, id, VerdictName::Held),
            rule => words::rejected(n, id, rule),
        };
        return to_review(world, item, &why, env);
    }
    if let Some(verdict) = voided(world, item, kind) {
        return verdict;
    }
    let verdict = apply::decide(world, item, env, true);
    if let Some(target) = reviewed_nothing(world, item, kind, &verdict) {
        return hold::for_missing(world, item, [target].into(), env);
    }
    match verdict.verdict {
        VerdictName::Rejected | VerdictName::Conflict | VerdictName::Invalid => {
            to_review(world, item, &verdict, env)
        }
        _ => verdict,
    }
}

/// What waited for a record was never let in: the rules still have their say, once it is there.
/// Whatever else forbids it now goes before a reviewer.
fn waited(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Verdict {
    let verdict = apply::decide(world, item, env, false);
    let by_pack = verdict.refusal.is_some();
    match verdict.verdict {
        VerdictName::Rejected if !by_pack => to_review(world, item, &verdict, env),
        VerdictName::Conflict | VerdictName::Invalid => to_review(world, item, &verdict, env),
        _ => verdict,
    }
}

/// What a reviewer had before them comes before a reviewer again.
fn held(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    if item.mutation.op == Op::Appeal {
        let verdict = crate::review::appeal(world, item, env, false);
        return match verdict.verdict {
            VerdictName::Held => verdict,
            _ => hold::for_review(world, item, words::rejected(n, id, "appeal"), env),
        };
    }
    let hits = item.judgement.iter().flat_map(|found| &found.hits);
    let mut hits = hits.filter(|hit| hit.verdict == RuleVerdict::Hold);
    match hits.next().map(|hit| gate::cited(item, hit)) {
        Some(cited) => hold::for_review(world, item, cited, env),
        None => to_review(world, item, &Verdict::bare(n, id, VerdictName::Held), env),
    }
}

/// Whether a place that was confirmed is given to others by now, or others stand in line for it.
fn is_full(world: &World, item: &Admitted, kind: Kind) -> bool {
    let body = item.mutation.body.as_ref();
    let joins = body.and_then(|body| body.get("want")?.as_str()) == Some("join");
    if kind.spec().life != Life::Slot || !joins {
        return false;
    }
    let Some(key) = kinds::slot_of(kind, |name| body.and_then(|body| body.get(name))) else {
        return false;
    };
    let quantity = body.and_then(|body| body.get("quantity")?.as_i64());
    let line = world.claims.values();
    let waits = |claim: &crate::world::Claim| {
        let here = (claim.slot, claim.name.as_str()) == (key.0, key.1.as_str());
        here && claim.state == crate::world::ClaimState::Waiting
    };
    let waits = line.into_iter().any(waits);
    world.slots.get(&key).is_some_and(|slot| {
        waits || slot.capacity - slot.confirmed - slot.offered < quantity.unwrap_or(1)
    })
}

/// What was voided and is void has happened.
fn voided(world: &World, item: &Admitted, kind: Kind) -> Option<Verdict> {
    let (n, id) = (item.mutation.n, item.mutation.id);
    let record = world.records.get(&id).filter(|record| {
        let same = item.mutation.op == Op::Void && record.void;
        same && record.kind == kind && merge::knew(item, record)
    })?;
    let mut verdict = Verdict::bare(n, id, VerdictName::Accepted);
    verdict.rev = Some(record.rev);
    verdict.seq = Some(record.seq);
    Some(verdict)
}

/// What a reviewer decided about and is not here yet: it is on its author's phone.
fn reviewed_nothing(
    world: &World,
    item: &Admitted,
    kind: Kind,
    verdict: &Verdict,
) -> Option<RecordId> {
    let not_found = verdict
        .rule
        .as_ref()
        .is_some_and(|rule| rule.id == "not-found");
    let target = id_at(item.mutation.body.as_ref()?.get("record"))?;
    let is_away = world.live(target).is_none() && !world.records.contains_key(&item.mutation.id);
    let is_one = kind == Kind::Review && verdict.verdict == VerdictName::Rejected;
    (is_one && not_found && is_away).then_some(target)
}

//! Reviews, appeals and splits: how a hold or a refusal ends, and who may end it.

use serde_json::{Value, json};
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::verdict::{HeldFor, Verdict};

use crate::hold::Release;
use crate::wants::id_at;
use crate::world::{Admitted, Env, Held, Record, World};
use crate::{decide as gate, hold, merge, words};

/// A reviewer's decision. Nobody decides about their own record or twice about the same.
pub fn decide(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    if world.records.contains_key(&id) {
        return words::rejected(n, id, "not-found");
    }
    let mut body = item.mutation.body.clone().unwrap_or(Value::Null);
    let decision = body
        .get("decision")
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned();
    let Some(target) = id_at(body.get("record")) else {
        return words::rejected(n, id, "not-found");
    };
    let reason = body.get("reason").and_then(Value::as_str);
    let decided = Decided {
        decision: &decision,
        reason: reason.unwrap_or_default(),
    };
    let done = match decision.as_str() {
        "approve" | "return" => visit(world, item, target, decided, env).map(|()| target),
        _ => held(world, item, target, decided, env),
    };
    let about = match done {
        Ok(about) => about,
        Err(rule) => return words::rejected(n, id, rule),
    };
    let deciders = world.deciders.entry(about).or_default();
    deciders.insert(item.person.clone());
    if let Value::Object(members) = &mut body {
        // Whoever looks for earlier deciders looks under the record, not under its held row.
        members.insert("record".to_owned(), about.to_string().into());
    }
    let record = gate::fresh_record(item, Kind::Review, body, "administrative");
    gate::kept(world, item, record, Vec::new(), env)
}

/// What was decided, and the reviewer's words for it: they reach whoever is concerned.
#[derive(Clone, Copy)]
struct Decided<'a> {
    decision: &'a str,
    reason: &'a str,
}

/// Decides a held item; gives the record it is about.
fn held(
    world: &mut World,
    item: &Admitted,
    target: RecordId,
    Decided { decision, reason }: Decided<'_>,
    env: &Env<'_>,
) -> Result<RecordId, &'static str> {
    let fits = |held: &&Held| {
        let named = held.id == target || held.item.mutation.id == target;
        let appeal = held.item.mutation.op == Op::Appeal;
        let decides = match decision {
            "release" | "refuse" => !appeal,
            "upheld" | "changed" | "list_wrong" => appeal,
            _ => false,
        };
        held.reason == HeldFor::Review && named && decides
    };
    let waiting = world.held.values().filter(fits);
    let waiting = waiting.min_by(|a, b| a.item.arrival().cmp(&b.item.arrival()));
    let Some(waiting) = waiting else {
        return Err("not-found");
    };
    let about = waiting.item.mutation.id;
    // An appeal is about what was decided; a new hold of the same record is another matter.
    let earlier = waiting.item.mutation.op == Op::Appeal
        && world
            .deciders
            .get(&about)
            .is_some_and(|who| who.iter().any(|one| world.is_same(&item.person, one)));
    let stored = world.records.get(&about);
    let changed = [&waiting.item.mutation.set, &waiting.item.mutation.add];
    let own = |list: &Value| lists(world, list, &item.person);
    let body = waiting.item.mutation.body.as_ref();
    let took_part = world.is_same(&item.person, &waiting.item.person)
        || stored.is_some_and(|record| took_part(world, record, &item.person))
        || body
            .and_then(|body| body.get("co_workers"))
            .is_some_and(own)
        || changed.iter().any(|part| {
            let added = part.get("/co_workers");
            added.is_some_and(own)
        });
    if took_part || earlier {
        return Err("second-reviewer");
    }
    let id = waiting.id;
    let Some(held) = hold::take(world, id, env) else {
        return Err("not-found");
    };
    match decision {
        "release" => {
            let rule = "released-by-review";
            hold::rejudge(world, held, env, Some(Release { rule, reason }));
        }
        "refuse" => refuse(world, &held, reason, env),
        "upheld" => uphold(world, &held, reason, env),
        _ => grant(world, held, reason, env),
    }
    Ok(about)
}

/// Whether a record is somebody's own: its author's, or that of a colleague who was there; under
/// whichever entry they were.
pub fn took_part(world: &World, record: &Record, person: &str) -> bool {
    let colleagues = record.body.get("co_workers");
    world.is_same(person, &record.author)
        || colleagues.is_some_and(|list| lists(world, list, person))
}

fn lists(world: &World, list: &Value, person: &str) -> bool {
    let people = list.as_array().into_iter().flatten();
    let mut people = people.filter_map(Value::as_str);
    people.any(|one| world.is_same(person, one))
}

fn refuse(world: &mut World, held: &Held, reason: &str, env: &Env<'_>) {
    let item = &held.item;
    let kind = item.kind.expect("only items of a known kind are held");
    let mut verdict = words::rejected(item.mutation.n, item.mutation.id, "refused-by-review");
    verdict = words::because(verdict, "refused-by-review", reason);
    verdict.instead = vec!["work_time".to_owned(), "appeal".to_owned()];
    if let Some(rule) = &mut verdict.rule {
        // The receipt counts under the rule that held the record, in the ledger of the list.
        rule.pack = "review".to_owned();
        let by = held.rule.as_deref().unwrap_or_default();
        rule.clause = env.packs.clause(by).unwrap_or(by).to_owned();
    }
    let verdict = gate::refused(world, item, kind, verdict, env);
    hold::finalise(world, item, &verdict, env);
}

fn uphold(world: &mut World, held: &Held, reason: &str, env: &Env<'_>) {
    let item = &held.item;
    if let Some(refusal) = item.mutation.refusal {
        gate::restate(world, refusal, "upheld", None, env);
    }
    let mut verdict = words::rejected(item.mutation.n, item.mutation.id, "appeal-upheld");
    verdict = words::because(verdict, "appeal-upheld", reason);
    let open = item
        .mutation
        .refusal
        .and_then(|id| world.refusals.get(&id))
        .is_some_and(|refusal| refusal.refiled.is_none());
    if open {
        verdict.instead = vec!["work_time".to_owned()];
    }
    hold::finalise(world, item, &verdict, env);
}

/// A granted appeal stores the record and voids the working time it was re-filed as.
fn grant(world: &mut World, held: Held, reason: &str, env: &Env<'_>) {
    let refusal = held.item.mutation.refusal;
    // The working time goes first: counted beside the whole record it would be one too many.
    let refiled = refusal
        .and_then(|id| world.refusals.get(&id))
        .and_then(|r| r.refiled);
    if let Some(work_time) = refiled {
        merge::void_by_id(world, work_time, env);
    }
    let rule = "appeal-granted";
    hold::rejudge(world, held, env, Some(Release { rule, reason }));
    if let Some(id) = refusal {
        gate::restate(world, id, "overturned", None, env);
    }
}

fn visit(
    world: &mut World,
    item: &Admitted,
    target: RecordId,
    Decided { decision, reason }: Decided<'_>,
    env: &Env<'_>,
) -> Result<(), &'static str> {
    let Some(mut record) = world
        .live(target)
        .filter(|r| r.kind == Kind::Visit)
        .cloned()
    else {
        return Err("not-found");
    };
    if took_part(world, &record, &item.person) {
        return Err("second-reviewer");
    }
    if record.text("/state") == Some("approved") {
        return Err("locked");
    }
    record.rev += 1;
    let state = if decision == "approve" {
        "approved"
    } else {
        "returned"
    };
    if let Value::Object(body) = &mut record.body {
        body.insert("state".to_owned(), json!(state));
    }
    record.derive("review_reason", reason);
    world.keep(record, env);
    Ok(())
}

/// An appeal: the same content once more, with a reason, before a second reviewer.
pub fn appeal(world: &mut World, item: &mut Admitted, env: &Env<'_>, reviewed: bool) -> Verdict {
    let (n, id) = (item.mutation.n, item.mutation.id);
    if reviewed {
        return granted(world, item, env);
    }
    let refusal = item
        .mutation
        .refusal
        .and_then(|refusal| world.refusals.get(&refusal));
    let Some(refusal) = refusal.filter(|refusal| refusal.author == item.person) else {
        return words::rejected(n, id, "not-found");
    };
    let open = matches!(refusal.state.as_str(), "open" | "refiled");
    if !open || refusal.record != id || refusal.content != item.content {
        return words::rejected(n, id, "appeal-once");
    }
    let refusal = refusal.id;
    if !hold::has_room(world, item) {
        return hold::no_room(item);
    }
    gate::restate(world, refusal, "appealed", None, env);
    hold::for_review(world, item, words::rejected(n, id, "appeal"), env)
}

/// What was appealed is done as it was first asked.
fn granted(world: &mut World, item: &mut Admitted, env: &Env<'_>) -> Verdict {
    let kind = item.kind.expect("only items of a known kind are held");
    item.mutation.op = match kind {
        _ if item.mutation.body.is_none() => Op::Patch,
        Kind::SignUp | Kind::Link => Op::Request,
        _ => Op::Create,
    };
    let verdict = crate::apply::decide(world, item, env, true);
    if verdict.verdict.is_stored() {
        crate::apply::forget(world, item.mutation.id, item.content);
    }
    verdict
}

/// Why the parts of a split do not fit: the cleaned record and the working time together are at
/// most as long as what was refused.
pub fn split_fault(world: &World, item: &Admitted, kind: Kind) -> Option<&'static str> {
    let body = item.mutation.body.as_ref()?;
    if kind != Kind::WorkTime {
        let refusal = world
            .refusals_of(item.mutation.id)
            .into_iter()
            .rfind(|refusal| refusal.author == item.person)?;
        let refiled = refusal.refiled.and_then(|id| world.live(id))?;
        let (begun, ended) = crate::kinds::rules(kind).span(body, item.occurred_at);
        let minutes = (ended - begun) / xiangyi_proto::time::MINUTE_MS;
        let together = minutes + refiled.int("/minutes").unwrap_or(0);
        return (together > refusal.minutes).then_some("split-minutes");
    }
    let named = id_at(body.get("refusal"))?;
    let refusal = world
        .refusals
        .get(&named)
        .filter(|refusal| refusal.author == item.person);
    let Some(refusal) = refusal else {
        return Some("not-found");
    };
    // The parts may come in either order, and the minutes count whatever became of an appeal.
    // Working time that was voided again took nothing.
    let taken = refusal.refiled.is_some_and(|id| world.live(id).is_some());
    let open = match refusal.state.as_str() {
        "open" | "split" | "upheld" => true,
        "refiled" => !taken,
        _ => false,
    };
    if taken || !open {
        return Some("refusal-used");
    }
    let cleaned = world
        .live(refusal.record)
        .and_then(|r| r.int("/derived/minutes"))
        .unwrap_or(0);
    let minutes = body.get("minutes").and_then(Value::as_i64).unwrap_or(0);
    (refusal.minutes > 0 && cleaned + minutes > refusal.minutes).then_some("split-minutes")
}

/// Why a cleaned record may not change so: with the working time that its rest was re-filed as it
/// would be longer than what was refused. What is no longer than before may be as it is.
pub fn cleaned_fault(world: &World, record: &Record, body: &Value) -> Option<&'static str> {
    if record.kind == Kind::WorkTime {
        return None;
    }
    let refusal = world
        .refusals_of(record.id)
        .into_iter()
        .rfind(|refusal| refusal.author == record.author && refusal.state == "split")?;
    let refiled = refusal.refiled.and_then(|id| world.live(id))?;
    let minutes = |body: &Value| {
        let (begun, ended) = crate::kinds::rules(record.kind).span(body, record.occurred_at);
        (ended - begun) / xiangyi_proto::time::MINUTE_MS
    };
    let together = minutes(body) + refiled.int("/minutes").unwrap_or(0);
    let grows = minutes(body) > minutes(&record.body);
    (grows && together > refusal.minutes).then_some("split-minutes")
}

/// Marks the refusal that a stored record answers.
pub fn note_refiling(world: &mut World, record: &Record, env: &Env<'_>) {
    if record.kind == Kind::WorkTime {
        if let Some(id) = id_at(record.body.get("refusal")) {
            let state = match world.refusals.get(&id).map(|r| r.state.as_str()) {
                Some("split") => "split",
                Some("upheld") => "upheld",
                _ => "refiled",
            };
            gate::restate(world, id, state, Some(record.id), env);
        }
        return;
    }
    let refusal = world
        .refusals_of(record.id)
        .into_iter()
        .rfind(|refusal| refusal.author == record.author)
        .map(|refusal| refusal.id);
    if let Some(refusal) = refusal {
        gate::restate(world, refusal, "split", None, env);
    }
}

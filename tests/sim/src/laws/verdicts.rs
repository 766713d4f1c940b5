//! Laws about answers: one effect, one answer, both or neither.

use xiangyi_proto::ids::Seq;
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_sync::apply::Outcome;
use xiangyi_sync::effects::FINAL;
use xiangyi_sync::world::Admitted;

use super::{Commit, Ledger};
use crate::core::Told;
use crate::model::County;
use crate::story::{Check, broken, holds};

/// 2: no double effect of one content of a record.
pub fn law_2_no_double_effect(ledger: &mut Ledger, commit: &Commit) -> Check {
    for row in commit
        .log
        .iter()
        .filter(|row| row.verdict.verdict.is_stored())
    {
        let device = row.device.strip_prefix(FINAL).unwrap_or(&row.device);
        let number = (commit.shard, device.to_owned(), row.n);
        let Some((record, content)) = ledger.said.get(&number).copied() else {
            continue;
        };
        let key = (commit.shard, record, content);
        let first = ledger
            .stored
            .entry(key)
            .or_insert((device.to_owned(), row.n));
        let same = (first.0.as_str(), first.1) == (device, row.n);
        holds("2", same, || {
            format!(
                "{record} took one content from {first:?} and from {device} {}",
                row.n
            )
        })?;
    }
    Ok(())
}

/// 23: what is stored names the packs that judged it; what a pack refused names pack, version, rule
/// and clause.
pub fn law_23_what_judged(commit: &Commit) -> Check {
    for row in &commit.log {
        let verdict = row.verdict.was.as_deref().unwrap_or(&row.verdict);
        let stored = row.verdict.verdict.is_stored();
        // A calm world has no packs at all.
        let whole = |packs: &str| packs.is_empty() || packs.contains('@');
        let named = row.packs.as_deref().is_some_and(whole);
        holds("23", named || !stored, || {
            format!("{} {} is stored and names no pack", row.device, row.n)
        })?;
        let rule = verdict.rule.as_ref().filter(|rule| !rule.pack.is_empty());
        if let Some(rule) = rule.filter(|_| verdict.verdict == VerdictName::Rejected) {
            let whole = !rule.id.is_empty() && !rule.clause.is_empty();
            let counted = rule.version > 0 || rule.pack == "review";
            holds("23", whole && counted && verdict.refusal.is_some(), || {
                format!("{} {} is refused by {rule:?}", row.device, row.n)
            })?;
        }
    }
    Ok(())
}

/// 3: the same mutation always gets the same answer, or the final one since.
pub fn law_3_same_verdict(
    ledger: &mut Ledger,
    shard: i64,
    item: &Admitted,
    outcome: &Outcome,
    head: Seq,
) -> Check {
    let Outcome::Verdict(verdict) = outcome else {
        return Ok(());
    };
    if item.key.is_some() {
        return Ok(());
    }
    let key = (shard, item.device.clone(), item.mutation.n);
    if verdict.restored {
        // Whatever came of it in this epoch before its proof was seen.
        ledger.first.remove(&key);
    }
    let Some(first) = ledger.first.get(&key) else {
        let rule = verdict.rule.as_ref().map_or("", |rule| rule.id.as_str());
        let (op, kind) = (item.mutation.op, item.kind.map_or("?", |kind| kind.name()));
        let told = format!("{} {rule} {op:?} {kind}", name(verdict.verdict));
        *ledger.told.entry(told).or_default() += 1;
        ledger.first.insert(key, (**verdict).clone());
        return Ok(());
    };
    let last = ledger.last.get(&key);
    let known = last.map_or(first, |(last, _)| last);
    let expected = known.was.as_deref().unwrap_or(known);
    let repeated = verdict.verdict == VerdictName::Duplicate;
    let was = |is: &Verdict| {
        verdict
            .was
            .as_deref()
            .is_some_and(|was| same_answer(was, is))
    };
    // What became final in this very commit was not so yet when this item was answered.
    let just = last.is_some_and(|(_, seq)| *seq > head);
    let same = was(expected) || just && was(first.was.as_deref().unwrap_or(first));
    holds("3", repeated && same, || {
        format!("{key:?} was answered {expected:?} and is answered {verdict:?} now")
    })
}

/// 2: only what was answered before comes back unjudged, and only for whom it was answered.
pub fn law_2_restored_for_its_own(ledger: &Ledger, item: &Admitted, outcome: &Outcome) -> Check {
    let Outcome::Verdict(verdict) = outcome else {
        return Ok(());
    };
    let (person, device) = (item.person.clone(), item.device.clone());
    let key = (person, device, item.mutation.n, item.digest);
    let own = !verdict.restored || ledger.given.contains(&key);
    holds("2", own, || {
        format!("{} was let in by what others were answered", verdict.id)
    })
}

/// Whether two verdicts say the same.
pub fn same_answer(a: &Verdict, b: &Verdict) -> bool {
    let core = |verdict: &Verdict| {
        let mut verdict = verdict.clone();
        verdict.n = 0;
        verdict
    };
    core(a) == core(b)
}

/// The name of an answer.
pub const fn name(verdict: VerdictName) -> &'static str {
    match verdict {
        VerdictName::Accepted => "accepted",
        VerdictName::Merged => "merged",
        VerdictName::Duplicate => "duplicate",
        VerdictName::Conflict => "conflict",
        VerdictName::Rejected => "rejected",
        VerdictName::Invalid => "invalid",
        VerdictName::Held => "held",
    }
}

/// 4: an answer and its effect exist together.
pub fn law_4_together(county: &County, commit: &Commit) -> Check {
    for row in &commit.log {
        let what = |what: &str| format!("{} {} has {what}", row.device, row.n);
        let verdict = &row.verdict;
        if verdict.verdict.is_stored() {
            let record = county.record(verdict.id);
            let rev = record.as_ref().map(|record| record.rev);
            holds("4", rev >= verdict.rev && rev.is_some(), || {
                what("a verdict and no record")
            })?;
        }
        if let Some(refusal) = verdict.refusal {
            let receipt =
                county.record(refusal).is_some() && county.refusals.contains_key(&refusal);
            holds("4", receipt, || what("a refusal and no receipt"))?;
        }
        if verdict.verdict == VerdictName::Held && !row.device.starts_with(FINAL) {
            let held = |row_: &crate::model::HeldRow| {
                row_.record == verdict.id && row_.item.contains(&format!("\"n\":{}", row.n))
            };
            let waits = county.held.values().any(held);
            let ended = (format!("{FINAL}{}", row.device), row.n);
            holds("4", waits || county.log.contains_key(&ended), || {
                what("an item that is held nowhere")
            })?;
        }
    }
    for id in &commit.touched {
        let made = county.record(*id).is_some();
        let was = commit.before.contains_key(id);
        holds("4", made || !was, || format!("{id} lost its home row"))?;
    }
    client_records_are_answered(county, commit)
}

/// A new record of a phone has an answer in the log.
fn client_records_are_answered(county: &County, commit: &Commit) -> Check {
    let sent = |id: &uuid::Uuid| {
        let record = county.record(*id)?;
        let may = record.kind.spec().may;
        (!may.is_empty() && !commit.before.contains_key(id)).then_some(record)
    };
    for record in commit.touched.iter().filter_map(sent) {
        let answered = |row: &&xiangyi_sync::effects::LogWrite| {
            row.record == record.id && row.verdict.verdict.is_stored()
        };
        if !commit.log.iter().any(|row| answered(&row)) {
            return broken("4", format!("{} came to be without a verdict", record.id));
        }
    }
    Ok(())
}

/// 3: the same key gets the same answer.
pub fn law_3_same_key(first: &[Told], again: &[Told]) -> Check {
    let of = |told: &[Told]| match told.first() {
        Some(Told::Verdicts(list)) => list.first().cloned(),
        _ => None,
    };
    let (first, again) = (of(first), of(again));
    let (Some(Outcome::Verdict(first)), Some(Outcome::Verdict(again))) = (&first, &again) else {
        return broken("3", format!("a key was answered {first:?}, then {again:?}"));
    };
    let expected = first.was.as_deref().unwrap_or(first);
    let same = again
        .was
        .as_deref()
        .is_some_and(|was| same_answer(was, expected));
    holds("3", same, || {
        format!("a key was answered {first:?}, then {again:?}")
    })
}

/// 3: a key that was used for another body is told so.
pub fn law_3_key_is_taken(told: &[Told]) -> Check {
    let taken = matches!(told.first(), Some(Told::Verdicts(list))
        if matches!(list.first(), Some(Outcome::KeyReused)));
    holds("3", taken, || format!("a used key was answered {told:?}"))
}

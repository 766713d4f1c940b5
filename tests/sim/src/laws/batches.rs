//! Laws about batches: how items travel together changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use xiangyi_proto::kinds::{Kind, Merge, Op};
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_sync::apply::Outcome;
use xiangyi_sync::world::{Admitted, Record};

use super::Ledger;
use super::records::said;
use crate::core::{Core, Told, Work};
use crate::model::County;
use crate::story::{Check, broken, holds};

/// A batch with its answers.
pub struct Batch<'a> {
    pub shard: i64,
    pub now: i64,
    pub works: &'a [Work],
    pub told: &'a [Told],
}

impl Batch<'_> {
    /// Whether it corrects what a restore has lost: its base is a revision that is not here. Such a
    /// correction is asked about or, where others have raised the revision by then, is not; how
    /// often counts are rewritten between depends on the batch.
    fn is_on_lost_ground(&self, old: &Core) -> bool {
        let county = &old.store.counties[&self.shard];
        let pushed = self.works.iter().filter_map(|work| match work {
            Work::Push(items) => Some(items),
            _ => None,
        });
        pushed.flatten().any(|item| {
            let base = item.mutation.base.filter(|_| item.mutation.op == Op::Patch);
            let record = county.record(item.mutation.id);
            let rev = record.map_or(1, |record| record.rev);
            base.is_some_and(|base| base > rev)
        })
    }
}

/// 6: one by one, the items get the verdicts and leave the state that the batch gave; 22 on the
/// way: each patch alone alters exactly its taken paths.
pub fn law_6_batching(old: &Core, new: &Core, batch: &Batch<'_>, ledger: &Ledger) -> Check {
    if batch.is_on_lost_ground(old) {
        return Ok(());
    }
    let mut alone = old.clone();
    for (work, told) in batch.works.iter().zip(batch.told) {
        match (work, told) {
            (Work::Push(push), Told::Verdicts(outcomes)) => {
                for (item, outcome) in push.iter().zip(outcomes) {
                    one_alone(&mut alone, batch, ledger, item, outcome)?;
                }
            }
            (Work::Push(_), _) => {}
            (work, _) => {
                let works = std::slice::from_ref(work);
                let (world, ..) = alone.run(batch.shard, batch.now, works)?;
                alone.commit(batch.shard, world)?;
            }
        }
    }
    let (a, b) = (
        state(&new.store.counties[&batch.shard]),
        state(&alone.store.counties[&batch.shard]),
    );
    let differ = a.iter().zip(&b).find(|(a, b)| a != b);
    holds("6", differ.is_none() && a.len() == b.len(), || {
        format!("in a batch and alone differ: {differ:?}")
    })
}

fn one_alone(
    alone: &mut Core,
    batch: &Batch<'_>,
    ledger: &Ledger,
    item: &Admitted,
    outcome: &Outcome,
) -> Check {
    let id = item.mutation.id;
    let single = [Work::Push(vec![item.clone()])];
    let before = alone.store.counties[&batch.shard].record(id);
    let (world, told, _) = alone.run(batch.shard, batch.now, &single)?;
    alone.commit(batch.shard, world)?;
    let Some(Told::Verdicts(single)) = told.first() else {
        return broken("6", format!("{} alone is forked", item.mutation.n));
    };
    let (a, b) = (plain(outcome), plain(&single[0]));
    holds("6", a == b, || {
        let sent = &item.mutation;
        format!(
            "{} {sent:?}\n in a batch: {a:?}\n alone:      {b:?}",
            item.device
        )
    })?;
    let after = alone.store.counties[&batch.shard].record(id);
    if let (Some(before), Some(after)) = (before, after) {
        let bodies = ledger.bodies.get(&(batch.shard, id));
        law_22_exactly_its_paths(item, &single[0], &before, &after, bodies)?;
    }
    Ok(())
}

/// 6: a neighbour that makes no sense changes nothing for the others.
pub fn law_6_neighbours(old: &Core, batch: &Batch<'_>) -> Check {
    let Some(Work::Push(first)) = batch.works.first() else {
        return Ok(());
    };
    let Some(mut odd) = first.first().cloned() else {
        return Ok(());
    };
    odd.device = "d-odd".to_owned();
    odd.person = "p-odd".to_owned();
    odd.mutation.id = uuid::Uuid::from_u128(7);
    odd.content = [7; 32];
    let mut faults = xiangyi_sync::check::Faults::default();
    faults.add("/body", "wrong-type");
    odd.faults = faults.list;
    odd.key = None;
    let mut works = batch.works.to_vec();
    works.insert(0, Work::Push(vec![odd]));
    let (_, told, _) = old.run(batch.shard, batch.now, &works)?;
    for (a, b) in batch.told.iter().zip(&told[1..]) {
        let (a, b) = (plain_told(a), plain_told(b));
        holds("6", a == b, || {
            format!("beside a bad item: {b:?}, without it: {a:?}")
        })?;
    }
    Ok(())
}

/// 12: the same pushes again change nothing.
pub fn law_12_again(new: &Core, batch: &Batch<'_>) -> Check {
    let pushed = |work: &&Work| matches!(work, Work::Push(_));
    let works: Vec<Work> = batch.works.iter().filter(pushed).cloned().collect();
    let (world, ..) = new.run(batch.shard, batch.now, &works)?;
    let effects = &world.effects;
    let none = effects.rows.is_empty()
        && effects.log.is_empty()
        && effects.held.is_empty()
        && effects.claims.is_empty()
        && effects.timers.is_empty();
    holds("12", none, || {
        format!("a batch sent again wrote {effects:?}")
    })
}

fn plain_told(told: &Told) -> Vec<Option<Verdict>> {
    match told {
        Told::Forked | Told::Nothing => Vec::new(),
        Told::Verdicts(outcomes) => outcomes.iter().map(plain).collect(),
    }
}

/// A verdict without what tells where in the order it stood.
fn plain(outcome: &Outcome) -> Option<Verdict> {
    let Outcome::Verdict(verdict) = outcome else {
        return None;
    };
    let mut verdict = (**verdict).clone();
    strip(&mut verdict);
    Some(verdict)
}

fn strip(verdict: &mut Verdict) {
    verdict.seq = None;
    verdict.rev = None;
    if let Some(Value::Object(derived)) = &mut verdict.derived {
        derived.remove("slots");
        derived.remove("promised");
    }
    if let Some(Value::Object(current)) = &mut verdict.current {
        current.remove("derived");
    }
    if let Some(was) = &mut verdict.was {
        strip(was);
    }
}

/// What a county comes to, without numbers of the order and revisions.
fn state(county: &County) -> Vec<String> {
    let mut lines = Vec::new();
    for record in county.records() {
        let mut body = record.body.clone();
        if matches!(record.kind, Kind::Verdict | Kind::Held) {
            body = Value::Null;
        }
        let streams: Vec<&String> = record.placed.keys().collect();
        let (id, kind, void) = (record.id, record.kind.name(), record.void);
        lines.push(format!("{id} {kind} {void} {streams:?} {body}"));
    }
    lines.extend(county.claims.values().map(|claim| format!("{claim:?}")));
    lines.extend(county.slots.iter().map(|slot| format!("{slot:?}")));
    for (id, held) in &county.held {
        lines.push(format!("{id} {:?} {:?}", held.reason, held.needs));
    }
    for refusal in county.refusals.values() {
        lines.push(format!(
            "{} {} {:?}",
            refusal.id, refusal.state, refusal.refiled
        ));
    }
    lines.extend(county.timers.iter().map(|timer| format!("{timer:?}")));
    lines.extend(county.rollups.iter().map(|count| format!("{count:?}")));
    lines
}

/// 22: a patch alters exactly its taken paths, and takes nothing that changed since its base.
fn law_22_exactly_its_paths(
    item: &Admitted,
    outcome: &Outcome,
    before: &Record,
    after: &Record,
    bodies: Option<&BTreeMap<i64, Value>>,
) -> Check {
    let Outcome::Verdict(verdict) = outcome else {
        return Ok(());
    };
    // What a restored correction was made of may be lost with its epoch.
    if item.mutation.op != Op::Patch || before.void || after.void || verdict.restored {
        return Ok(());
    }
    let stored = verdict.verdict.is_stored();
    let mutation = &item.mutation;
    let paths = mutation
        .set
        .keys()
        .chain(mutation.add.keys())
        .chain(&mutation.unset);
    let mut expected = said(&before.body);
    for path in paths.filter(|_| stored) {
        let taken = after.body.pointer(path).cloned().unwrap_or(Value::Null);
        xiangyi_sync::merge::put(&mut expected, path, taken);
    }
    let amended = verdict
        .notices
        .iter()
        .any(|notice| notice.verdict == "amend");
    let (mut a, mut b) = (expected, said(&after.body));
    for body in [&mut a, &mut b] {
        if let Value::Object(members) = body {
            members.remove("state");
        }
    }
    let what = || {
        format!(
            "{mutation:?} got {verdict:?}\n {} became\n {}",
            before.body, after.body
        )
    };
    // What waited behind this patch may have moved in the same commit.
    let others = after.rev > before.rev + 1;
    holds("22", a == b || amended || others, || {
        format!("other paths: {}", what())
    })?;
    let base = mutation.base.and_then(|base| bodies?.get(&base));
    let Some(base) = base.filter(|_| !others) else {
        return Ok(());
    };
    let null = Value::Null;
    let mut asks = false;
    for (path, value) in &mutation.set {
        let [was, current] = [base, &before.body].map(|body| body.pointer(path).unwrap_or(&null));
        if policy(before.kind, path) == Some(Merge::Ask) && was != current && current != value {
            asks = true;
        }
    }
    holds("22", !(asks && stored), || {
        format!("overwritten: {}", what())
    })?;
    let conflict = verdict.verdict == VerdictName::Conflict;
    let fields = conflict && verdict.fields.is_empty();
    holds("22", !fields, || {
        format!("a conflict about nothing: {}", what())
    })
}

fn policy(kind: Kind, path: &str) -> Option<Merge> {
    let field = kind.spec().fields.iter().find(|field| field.path == path);
    field.map(|field| field.merge)
}

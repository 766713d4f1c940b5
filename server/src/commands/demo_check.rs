//! What must hold when a recorded day is over: all is final, all is where the day says, and every
//! phone holds exactly what the server would show to an empty one.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use xiangyi_proto::exchange::Row;
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_sync::phone::{Phone, Place};

use super::demo_day::{AT_ONCE, Day, derived_of};
use crate::app::StartError;
use crate::phone::{Handset, ROUNDS_MAX, Trouble};

/// Looks at the server until its photographs are ready: 20 s, a hundred times what it takes.
const LOOKS: usize = 40;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Comparisons of a phone that others still write to.
const COMPARISONS: usize = 5;
/// Differences of one phone that are worth listing.
const LISTED: usize = 5;

/// Checks the day and prints what it came to; true when nothing differs.
pub async fn check(day: &mut Day) -> Result<bool, StartError> {
    photographs_arrive(day).await;
    let mut wrong = std::mem::take(&mut day.wrong);
    wrong.extend(not_as_expected(day));
    wrong.extend(
        pending(day)
            .into_iter()
            .map(|id| format!("the photographs of {id} are missing")),
    );
    let compared = day.phones.iter_mut().map(|(name, phone)| async move {
        match compare(phone).await {
            Ok(found) => found
                .into_iter()
                .map(|line| format!("{name}: {line}"))
                .collect(),
            Err(trouble) => vec![format!("{name}: {trouble}")],
        }
    });
    let compared: Vec<Vec<String>> = stream::iter(compared)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    wrong.extend(compared.into_iter().flatten());
    wrong.extend(not_final(day));
    print_counts(day);
    if wrong.is_empty() {
        println!("每条记录都有结果，手机与服务器一致 all is final, phones equal server");
        return Ok(true);
    }
    println!("有 {} 处不符 differences:", wrong.len());
    wrong.iter().for_each(|line| println!("  {line}"));
    Ok(false)
}

/// Syncs until no visit of the day waits for its photographs.
async fn photographs_arrive(day: &mut Day) {
    for _ in 0..LOOKS {
        if pending(day).is_empty() {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        day.sync_all().await;
    }
}

/// Visits of this day whose photographs are not on the server.
fn pending(day: &Day) -> Vec<uuid::Uuid> {
    let mut waiting = Vec::new();
    for phone in day.phones.values() {
        let entries = phone.state().entries.values();
        let visits = entries.filter(|e| e.kind == "visit" && e.place == Place::Committed);
        for entry in visits {
            let derived = derived_of(phone.state(), entry.record);
            if derived.get("evidence").and_then(|v| v.as_str()) == Some("pending") {
                waiting.push(entry.record);
            }
        }
    }
    waiting
}

fn not_as_expected(day: &Day) -> Vec<String> {
    let mut wrong = Vec::new();
    for expected in &day.expected {
        let (line, name, n) = (expected.line, &expected.phone, expected.n);
        let phone = day.phones.get(name).map(Handset::state);
        let Some(entry) = phone.and_then(|phone| phone.entries.get(&n)) else {
            wrong.push(format!("line {line}: {name} #{n} is gone"));
            continue;
        };
        let verdict = entry.verdict.as_ref().map(said);
        let rule = verdict.and_then(|verdict| verdict.rule.as_ref());
        let rule = rule.map_or("", |rule| rule.id.as_str());
        let wanted = expected.rule.as_deref().unwrap_or("");
        if entry.place != expected.want || !rule.starts_with(wanted) {
            let (place, want) = (entry.place, expected.want);
            let errors = verdict.map_or(&[][..], |verdict| verdict.errors.as_slice());
            wrong.push(format!(
                "line {line}: {name} #{n} {} is {place:?} {rule}, not {want:?} {wanted} {errors:?}",
                entry.kind
            ));
        }
    }
    wrong
}

/// The verdict that counts: a duplicate's is the one it repeats.
fn said(verdict: &Verdict) -> &Verdict {
    match (&verdict.was, verdict.verdict) {
        (Some(was), VerdictName::Duplicate) => was,
        _ => verdict,
    }
}

fn not_final(day: &Day) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, phone) in &day.phones {
        for entry in phone.state().entries.values() {
            let is_final = entry.verdict.as_ref().is_some_and(Verdict::is_final);
            if !is_final || matches!(entry.place, Place::Outbox | Place::Held) {
                let (n, kind) = (entry.n, &entry.kind);
                wrong.push(format!(
                    "{name} #{n} {kind} is not final: {:?}",
                    entry.place
                ));
            }
        }
    }
    wrong
}

/// What differs between a phone and a full pull into an empty one, once the phone has synced.
async fn compare(phone: &mut Handset) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    for _ in 0..COMPARISONS {
        phone.sync(ROUNDS_MAX).await?;
        let fresh = phone.fresh().await?;
        found = differences(phone.state(), &fresh);
        if found.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn differences(own: &Phone, fresh: &Phone) -> Vec<String> {
    let mut found = Vec::new();
    if own.mismatches + fresh.mismatches > 0 {
        let (own, fresh) = (own.mismatches, fresh.mismatches);
        found.push(format!(
            "sums differed {own} times here, {fresh} on a fresh phone"
        ));
    }
    if own.streams != fresh.streams {
        let (own, fresh) = (&own.streams, &fresh.streams);
        found.push(format!("streams are {own:?}, not {fresh:?}"));
    }
    for (key, held) in &own.rows {
        let (_, stream, id) = key;
        let (kind, rev) = (&held.row.kind, held.row.rev);
        match fresh.rows.get(key) {
            None => found.push(format!("{stream} {id} {kind} should be gone")),
            Some(there) if !is_same(&held.row, &there.row) => {
                let there = there.row.rev;
                found.push(format!(
                    "{stream} {id} {kind} is rev {rev}, there rev {there}"
                ));
            }
            Some(_) => {}
        }
    }
    for (key, held) in &fresh.rows {
        if !own.rows.contains_key(key) {
            let kind = &held.row.kind;
            found.push(format!("{} {} {kind} is missing", key.1, key.2));
        }
    }
    found.truncate(LISTED);
    found
}

/// Members may stand in another order on a phone that put an echo together again.
fn is_same(own: &Row, there: &Row) -> bool {
    let body = |row: &Row| -> Option<serde_json::Value> {
        serde_json::from_str(row.body.as_ref()?.get()).ok()
    };
    (own.rev, own.seq) == (there.rev, there.seq) && body(own) == body(there)
}

fn print_counts(day: &Day) {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for phone in day.phones.values() {
        for entry in phone.state().entries.values() {
            let Some(verdict) = entry.verdict.as_ref().map(said) else {
                continue;
            };
            let mut name = format!("{:?}", verdict.verdict).to_lowercase();
            if verdict.verdict.is_stored() && !verdict.notices.is_empty() {
                name.push_str(", with a notice");
            }
            *counts.entry((entry.kind.clone(), name)).or_default() += 1;
        }
    }
    println!("结果 verdicts:");
    for ((kind, name), count) in counts {
        println!("{count:>6}  {kind:<10} {name}");
    }
}

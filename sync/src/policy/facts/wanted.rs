//! Which facts a question needs.

use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::{HOUR_MS, Millis, day_of_text, day_start};

use super::{Fact, FactKey, FactKind, account, day_of, fix_note, states_a_record, text, texts};
use crate::kinds::photos_in;
use crate::policy::Question;

/// Hours around a fix in which another fix can contradict it: Hunan is crossed in eight.
const TRAVEL_HOURS: i64 = 12;

/// The facts a question needs.
pub fn facts_wanted(q: &Question) -> Vec<FactKey> {
    if !states_a_record(q.op) {
        return Vec::new();
    }
    match q.kind {
        Kind::Visit => of_visit(q),
        Kind::CheckIn => of_check_in(q),
        Kind::WorkTime => of_work_time(q),
        _ => Vec::new(),
    }
}

/// Those of some facts that a question needs, never the record's own.
pub fn facts_chosen(facts: &[Fact], q: &Question, own: RecordId) -> Vec<Fact> {
    let keys = facts_wanted(q);
    let fits = |fact: &&Fact| fact.record != own && keys.iter().any(|key| fact.is_under(key));
    facts.iter().filter(fits).cloned().collect()
}

/// A key over all times.
pub const fn whole_time(kind: FactKind, key: String) -> FactKey {
    span(kind, key, (i64::MIN / 4, i64::MAX / 4))
}

const fn span(kind: FactKind, key: String, (from_ms, to_ms): (Millis, Millis)) -> FactKey {
    FactKey {
        kind,
        key,
        from_ms,
        to_ms,
    }
}

fn of_visit(q: &Question) -> Vec<FactKey> {
    let (begins, ends) = day_of(q.estimated_at);
    let day = (begins, ends.max(q.ended_at));
    let author = q.author.to_owned();
    let mut wanted = vec![
        span(FactKind::Presence, author.clone(), day),
        span(FactKind::Worked, author, (begins, ends)),
    ];
    let others = texts(q.record, "co_workers").into_iter();
    wanted.extend(others.map(|other| {
        let there = (q.estimated_at, q.ended_at);
        span(FactKind::Presence, other.to_owned(), there)
    }));
    let photos = photos_in(q.record.get("photos"));
    wanted.extend(
        photos
            .into_iter()
            .map(|sha| whole_time(FactKind::Photo, sha)),
    );
    let account = account(q.record);
    let keys = account.into_iter().flat_map(|account| account.keys);
    wanted.extend(keys.map(|key| whole_time(FactKind::Account, format!("{}:{key}", q.author))));
    wanted
}

fn of_check_in(q: &Question) -> Vec<FactKey> {
    let mut wanted = Vec::new();
    if fix_note(q.record).is_some() {
        let around = TRAVEL_HOURS * HOUR_MS;
        let around = (q.estimated_at - around, q.estimated_at + around);
        wanted.push(span(FactKind::Fix, q.author.to_owned(), around));
    }
    let pair = text(q.record, "pair").filter(|_| text(q.record, "phase") == Some("out"));
    if let Some(pair) = pair {
        let always = (0, i64::MAX);
        wanted.push(span(FactKind::Arrival, pair.to_ascii_lowercase(), always));
    }
    if let (Some("in"), Some(activity)) = (text(q.record, "phase"), text(q.record, "activity")) {
        let key = sign_in_key(activity, q.author);
        wanted.push(span(FactKind::SignIn, key, day_of(q.estimated_at)));
    }
    wanted
}

/// The key of a person's arrivals at an activity.
pub fn sign_in_key(activity: &str, person: &str) -> String {
    format!("{}:{person}", activity.to_ascii_lowercase())
}

fn of_work_time(q: &Question) -> Vec<FactKey> {
    let day = text(q.record, "day").and_then(day_of_text);
    let day = day.map(|day| day_of(day_start(day)));
    let hours = |day| {
        [FactKind::Presence, FactKind::Worked].map(|kind| span(kind, q.author.to_owned(), day))
    };
    day.into_iter().flat_map(hours).collect()
}

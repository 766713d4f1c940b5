//! The hours of a day: visits as they lie in it, counted once where they overlap, and working time.

use serde_json::Value;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::{MINUTE_MS, Millis, day_of_text, day_start};

use super::Params;
use crate::policy::Question;
use crate::policy::facts::{Fact, FactKind, day_of, text};

/// Whether the author's day comes to more than the rule allows.
pub fn beyond(params: &Params, q: &Question, facts: &[Fact]) -> bool {
    let own = |kind| {
        let all = facts.iter();
        all.filter(move |fact| fact.kind == kind && fact.key == q.author)
    };
    let Some((begins, ends)) = day(q) else {
        return false;
    };
    let mut spans: Vec<(Millis, Millis)> = own(FactKind::Presence)
        .map(|fact| (fact.from_ms, fact.to_ms))
        .collect();
    let mut minutes: i64 = own(FactKind::Worked)
        .filter(|fact| fact.from_ms == begins)
        .filter_map(|fact| fact.note.parse::<i64>().ok())
        .sum();
    match q.kind {
        Kind::Visit => spans.push((q.estimated_at, q.ended_at)),
        _ => minutes += q.record.get("minutes").and_then(Value::as_i64).unwrap_or(0),
    }
    let inside = |(from, to): &(Millis, Millis)| ((*from).max(begins), (*to).min(ends + 1));
    let visits = together(spans.iter().map(inside).collect());
    visits / MINUTE_MS + minutes > params.minutes_max
}

/// The day that is asked about; leave is no working day.
fn day(q: &Question) -> Option<(Millis, Millis)> {
    if q.kind == Kind::Visit {
        return Some(day_of(q.estimated_at));
    }
    let works = text(q.record, "class") != Some("leave");
    let day = text(q.record, "day").and_then(day_of_text);
    day.filter(|_| works).map(|day| day_of(day_start(day)))
}

/// How long it takes to go through spans of which some lie over each other.
fn together(mut spans: Vec<(Millis, Millis)>) -> Millis {
    spans.sort_unstable();
    let mut until = Millis::MIN;
    let mut sum = 0;
    for (from, to) in spans {
        let from = from.max(until);
        if to > from {
            sum += to - from;
            until = to;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn what_overlaps_counts_once() {
        assert_eq!(together(vec![(0, 10), (5, 12), (20, 25), (21, 22)]), 17);
        assert_eq!(together(vec![(5, 3), (1, 1)]), 0);
    }
}

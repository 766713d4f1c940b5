//! Handing over: a client goes from one worker to another, and what belongs to the client follows.
//!
//! Done by the server on behalf of whoever may move people; the card's author stays who it was.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use xiangyi_proto::ids::{PersonId, RecordId};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::Millis;

use crate::wants::Wants;
use crate::world::{Env, World};
use crate::{hold, kinds};

/// Assignments that a card may list, see its table.
const WORKERS_MAX: usize = 12;

/// A client that changes hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    pub client: RecordId,
    pub from: PersonId,
    pub to: PersonId,
    /// From when on; at once, or later.
    pub at: Millis,
    pub reason: String,
}

/// What must be loaded before a client can change hands; ask again until it is empty.
pub fn wants(world: &World, handovers: &[Handover]) -> Wants {
    let mut wants = world.wants(&[]);
    for handover in handovers {
        wants.records.insert(handover.client);
        wants.held.insert(handover.client);
        world.wants_of_visits(handover.client, &mut wants);
    }
    wants.beyond(&world.seen)
}

/// Hands a client over; gives how many of its visits are there to follow, or nothing where the
/// first person is not assigned to it.
pub fn hand_over(world: &mut World, handover: &Handover, env: &Env<'_>) -> Option<usize> {
    let mut record = world.live(handover.client)?.clone();
    if record.kind != Kind::Client {
        return None;
    }
    let list = record.body.get("workers").and_then(Value::as_array);
    let mut list: Vec<Value> = list.cloned().unwrap_or_default();
    if !end(&mut list, &handover.from, handover.at) {
        return None;
    }
    begin(&mut list, handover);
    record.rev += 1;
    let rev = record.rev;
    record.field_revs.insert("/workers".to_owned(), rev);
    if let Value::Object(body) = &mut record.body {
        body.insert("workers".to_owned(), Value::Array(list));
    }
    world.keep(record, env);
    hold::settle(world, env);
    Some(visits(world, handover.client))
}

fn visits(world: &World, client: RecordId) -> usize {
    let key = kinds::visits_of_client(client);
    let visits = world.facts.iter().filter(|fact| fact.is_under(&key));
    let visits: BTreeSet<RecordId> = visits.map(|fact| fact.record).collect();
    visits.len()
}

/// Gives what is assigned to a person to another who is the same human being, with its bounds;
/// gives how many visits follow, or nothing where nothing was theirs.
pub fn take_over(world: &mut World, handover: &Handover, env: &Env<'_>) -> Option<usize> {
    let mut record = world.live(handover.client)?.clone();
    if record.kind != Kind::Client || !renamed(&mut record.body, handover) {
        return None;
    }
    record.rev += 1;
    let rev = record.rev;
    record.field_revs.insert("/workers".to_owned(), rev);
    world.keep(record, env);
    hold::settle(world, env);
    Some(visits(world, handover.client))
}

/// What runs ends, and goes on as the other's until it would have ended; what begins later is the
/// other's. False where there is neither.
fn renamed(card: &mut Value, handover: &Handover) -> bool {
    let Some(list) = card.get_mut("workers").and_then(Value::as_array_mut) else {
        return false;
    };
    let (mut goes_on, mut changed) = (Vec::new(), false);
    for entry in list.iter_mut() {
        let time = |name: &str| entry.get(name).and_then(Value::as_i64);
        let is_theirs = entry.get("person").and_then(Value::as_str) == Some(&handover.from);
        if !is_theirs || time("to").is_some_and(|to| to <= handover.at) {
            continue;
        }
        changed = true;
        if time("from").is_some_and(|from| from >= handover.at) {
            entry["person"] = handover.to.as_str().into();
            continue;
        }
        let mut next = entry.clone();
        next["person"] = handover.to.as_str().into();
        next["from"] = handover.at.into();
        next["reason"] = handover.reason.as_str().into();
        goes_on.push(next);
        entry["to"] = handover.at.into();
    }
    for next in goes_on {
        let until = |entry: &Value| {
            entry
                .get("to")
                .and_then(Value::as_i64)
                .unwrap_or(Millis::MAX)
        };
        let covers = |entry: &Value| {
            let from = entry.get("from").and_then(Value::as_i64);
            entry["person"] == next["person"]
                && from.is_some_and(|from| from <= handover.at)
                && until(entry) >= until(&next)
        };
        if !list.iter().any(covers) {
            make_room(list, handover.at);
            list.push(next);
        }
    }
    changed
}

/// Ends what is assigned to a person at a moment, and takes away what would begin later.
fn end(list: &mut Vec<Value>, person: &str, at: Millis) -> bool {
    let is_theirs = |entry: &Value| entry.get("person").and_then(Value::as_str) == Some(person);
    let time = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_i64);
    let mut ended = false;
    for entry in list.iter_mut().filter(|entry| is_theirs(entry)) {
        let begun = time(entry, "from").is_some_and(|from| from < at);
        if begun && time(entry, "to").is_none_or(|to| to > at) {
            entry["to"] = at.into();
            ended = true;
        }
    }
    list.retain(|entry| {
        let later = is_theirs(entry) && time(entry, "from").is_some_and(|from| from >= at);
        ended |= later;
        !later
    });
    ended
}

/// Begins the other person's, unless it runs already.
fn begin(list: &mut Vec<Value>, handover: &Handover) {
    let runs = list.iter().any(|entry| {
        let theirs = entry.get("person").and_then(Value::as_str) == Some(&handover.to);
        let from = entry.get("from").and_then(Value::as_i64);
        theirs && from.is_some_and(|from| from <= handover.at) && entry.get("to").is_none()
    });
    if runs {
        return;
    }
    make_room(list, handover.at);
    let mut entry = json!({ "person": handover.to, "from": handover.at });
    if !handover.reason.is_empty() {
        entry["reason"] = handover.reason.as_str().into();
    }
    list.push(entry);
}

/// The oldest that is over makes room: a card lists so many and no more.
fn make_room(list: &mut Vec<Value>, at: Millis) {
    while list.len() >= WORKERS_MAX {
        let over = |entry: &Value| {
            let to = entry.get("to").and_then(Value::as_i64);
            to.filter(|to| *to <= at)
        };
        let ends = list.iter().enumerate();
        let ends = ends.filter_map(|(index, entry)| Some((over(entry)?, index)));
        let Some((_, index)) = ends.min() else { break };
        list.remove(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handover(at: Millis) -> Handover {
        Handover {
            client: RecordId::nil(),
            from: "p-a".to_owned(),
            to: "p-b".to_owned(),
            at,
            reason: String::new(),
        }
    }

    #[test]
    fn a_running_assignment_ends_where_the_next_begins() {
        let mut list = vec![json!({ "person": "p-a", "from": 1 })];
        assert!(end(&mut list, "p-a", 5));
        begin(&mut list, &handover(5));
        let want = json!([{ "person": "p-a", "from": 1, "to": 5 }, { "person": "p-b", "from": 5 }]);
        assert_eq!(Value::Array(list), want);
    }

    #[test]
    fn who_is_not_assigned_hands_nothing_over() {
        let mut list = vec![json!({ "person": "p-c", "from": 1 })];
        assert!(!end(&mut list, "p-a", 5));
        let mut over = vec![json!({ "person": "p-a", "from": 1, "to": 4 })];
        assert!(!end(&mut over, "p-a", 5));
    }

    #[test]
    fn what_would_begin_later_never_does() {
        let mut list = vec![json!({ "person": "p-a", "from": 9, "to": 12 })];
        assert!(end(&mut list, "p-a", 5));
        assert!(list.is_empty());
    }

    #[test]
    fn what_is_taken_over_keeps_its_bounds() {
        let over = json!({ "person": "p-a", "from": 1, "to": 3 });
        let later = |who: &str| json!({ "person": who, "from": 20, "to": 30 });
        let runs = json!({ "person": "p-a", "from": 4, "to": 12, "reason": "代班" });
        let mut card = json!({ "workers": [over, runs, later("p-a")] });
        assert!(renamed(&mut card, &handover(5)));
        let want = json!([over, { "person": "p-a", "from": 4, "to": 5, "reason": "代班" },
            later("p-b"), { "person": "p-b", "from": 5, "to": 12, "reason": "" }]);
        assert_eq!(card["workers"], want);
        assert!(!renamed(&mut card, &handover(5)), "again finds nothing");
    }

    #[test]
    fn who_has_the_client_already_gets_it_once() {
        let mut card = json!({ "workers": [{ "person": "p-a", "from": 1 },
            { "person": "p-b", "from": 2 }] });
        assert!(renamed(&mut card, &handover(5)));
        assert_eq!(card["workers"].as_array().map(Vec::len), Some(2));
        assert_eq!(card["workers"][0]["to"], 5);
    }

    #[test]
    fn a_full_card_forgets_the_oldest_that_is_over() {
        let over = |n: i64| json!({ "person": "p-x", "from": n, "to": n + 1 });
        let mut list: Vec<Value> = (0..12).map(over).collect();
        begin(&mut list, &handover(50));
        assert_eq!(list.len(), 12);
        assert_eq!(list[0]["from"], 1);
        assert_eq!(list[11]["person"], "p-b");
    }
}

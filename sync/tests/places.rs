//! Places and lots: who gets one, who is offered one, what a need counts.

mod bench;

use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::verdict::VerdictName::{Accepted, Rejected};
use xiangyi_sync::merging::{self, Merged, Merging};
use xiangyi_sync::world::ClaimState;

use bench::{Bench, HOUR, told};

fn sessions(bench: &Bench, places: &[i64]) -> Value {
    let session = |(index, capacity): (usize, &i64)| {
        let starts = bench.now + 48 * HOUR;
        json!({"session": index + 1, "starts_at": starts, "ends_at": starts + HOUR,
            "roles": [{"role": "helper", "capacity": capacity}]})
    };
    places.iter().enumerate().map(session).collect()
}

fn activity(bench: &mut Bench, places: &[i64]) -> Uuid {
    let id = bench.id();
    let body =
        json!({"title": "敬老", "type": "elder_company", "sessions": sessions(bench, places)});
    let said =
        json!({"op": "create", "kind": "activity", "unit": "430121", "id": id, "body": body});
    assert_eq!(bench.say("off", said).verdict, Accepted);
    id
}

fn step(bench: &mut Bench, person: &str, id: Uuid, body: Value) -> xiangyi_proto::verdict::Verdict {
    let said =
        json!({"op": "request", "kind": "sign_up", "unit": "430121", "id": id, "body": body});
    bench.say(person, said)
}

fn join(bench: &mut Bench, person: &str, activity: Uuid, session: i64) -> Uuid {
    let id = bench.id();
    let body = json!({"activity": activity, "session": session, "role": "helper", "want": "join"});
    assert_eq!(step(bench, person, id, body).verdict, Accepted);
    id
}

fn state(bench: &Bench, id: Uuid) -> ClaimState {
    bench.world.claims[&id].state
}

fn accept(bench: &mut Bench, person: &str, id: Uuid) -> xiangyi_proto::verdict::Verdict {
    let offer = bench.world.claims[&id].offer;
    step(bench, person, id, json!({"want": "accept", "offer": offer}))
}

/// Somebody who was entered twice becomes one; these are their claims.
fn merge(bench: &mut Bench, from: &str, to: &str, claims: &[Uuid]) -> Merged {
    let merging = Merging {
        from: from.to_owned(),
        to: to.to_owned(),
        at: bench.now,
        claims: claims.to_vec(),
        ..Merging::default()
    };
    bench.commit(|world, env| merging::merge(world, &merging, env))
}

#[test]
fn places_that_are_added_are_offered() {
    let mut bench = Bench::new();
    let activity = activity(&mut bench, &[1]);
    let first = join(&mut bench, "vo1", activity, 1);
    let second = join(&mut bench, "vo2", activity, 1);
    assert_eq!(state(&bench, first), ClaimState::Confirmed);
    assert_eq!(state(&bench, second), ClaimState::Waiting);
    let sessions = sessions(&bench, &[2]);
    let patch = json!({"op": "patch", "kind": "activity", "unit": "430121", "id": activity,
        "base": 1, "set": {"/sessions": sessions}});
    assert_eq!(bench.say("off", patch).verdict, Accepted);
    assert_eq!(state(&bench, second), ClaimState::Offered);
}

#[test]
fn a_session_that_is_taken_out_takes_nobody() {
    let mut bench = Bench::new();
    let activity = activity(&mut bench, &[1, 1]);
    let sessions = sessions(&bench, &[1]);
    let patch = json!({"op": "patch", "kind": "activity", "unit": "430121", "id": activity,
        "base": 1, "set": {"/sessions": sessions}});
    assert_eq!(bench.say("off", patch).verdict, Accepted);
    let id = bench.id();
    let body = json!({"activity": activity, "session": 2, "role": "helper", "want": "join"});
    assert_eq!(
        told(&step(&mut bench, "vo1", id, body)),
        (Rejected, "no-such-place")
    );
}

#[test]
fn an_offer_is_not_accepted_beside_another_place() {
    let mut bench = Bench::new();
    let (one, other) = (activity(&mut bench, &[1]), activity(&mut bench, &[1]));
    let mine = join(&mut bench, "vo1", one, 1);
    let (a, b) = (
        join(&mut bench, "vo2", one, 1),
        join(&mut bench, "vo3", other, 1),
    );
    let c = join(&mut bench, "vo2", other, 1);
    for (person, id) in [("vo1", mine), ("vo3", b)] {
        let left = step(
            &mut bench,
            person,
            id,
            json!({"want": "leave", "reason": "有事"}),
        );
        assert_eq!(left.verdict, Accepted);
    }
    assert_eq!(
        (state(&bench, a), state(&bench, c)),
        (ClaimState::Offered, ClaimState::Offered)
    );
    assert_eq!(accept(&mut bench, "vo2", a).verdict, Accepted);
    assert_eq!(
        told(&accept(&mut bench, "vo2", c)),
        (Rejected, "time-clash")
    );
}

#[test]
fn who_comes_behind_somebody_with_a_clash_is_offered_the_place() {
    let mut bench = Bench::new();
    let (one, other) = (activity(&mut bench, &[1]), activity(&mut bench, &[1]));
    let first = join(&mut bench, "vo1", one, 1);
    let clashing = join(&mut bench, "vo2", one, 1);
    join(&mut bench, "vo2", other, 1);
    step(
        &mut bench,
        "vo1",
        first,
        json!({"want": "leave", "reason": "有事"}),
    );
    assert_eq!(state(&bench, clashing), ClaimState::Waiting);
    let third = join(&mut bench, "vo3", one, 1);
    assert_eq!(state(&bench, third), ClaimState::Offered);
}

fn lot(bench: &mut Bench, quantity: i64) -> (Uuid, Uuid) {
    let (need, resource) = (bench.id(), bench.id());
    let body = json!({"title": "棉被", "category": "goods", "quantity": 5});
    let said = json!({"op": "create", "kind": "need", "id": need, "body": body});
    assert_eq!(bench.say("wang", said).verdict, Accepted);
    let body = json!({"title": "一批", "kind": "goods", "provider": "某厂", "quantity": quantity});
    let said = json!({"op": "create", "kind": "resource", "id": resource, "body": body});
    assert_eq!(bench.say("wang", said).verdict, Accepted);
    (need, resource)
}

fn link(bench: &mut Bench, id: Uuid, body: Value) {
    let said = json!({"op": "request", "kind": "link", "id": id, "body": body});
    assert_eq!(bench.say("wang", said).verdict, Accepted);
}

fn promise(bench: &mut Bench, need: Uuid, resource: Uuid, quantity: i64) -> Uuid {
    let id = bench.id();
    let body = json!({"need": need, "resource": resource, "quantity": quantity, "purpose": "冬衣",
        "want": "join"});
    link(bench, id, body);
    id
}

fn linked(bench: &Bench, need: Uuid) -> i64 {
    bench.world.records[&need]
        .int("/derived/linked")
        .unwrap_or(0)
}

#[test]
fn a_need_counts_promises_only() {
    let mut bench = Bench::new();
    let (need, resource) = lot(&mut bench, 4);
    let first = promise(&mut bench, need, resource, 3);
    assert_eq!(linked(&bench, need), 3);
    promise(&mut bench, need, resource, 2);
    assert_eq!(linked(&bench, need), 3, "who waits has promised nothing");
    link(
        &mut bench,
        first,
        json!({"want": "leave", "reason": "不够"}),
    );
    assert_eq!(linked(&bench, need), 0);
}

#[test]
fn what_was_handed_over_counts_as_far_as_there_was_any() {
    let mut bench = Bench::new();
    let (need, resource) = lot(&mut bench, 4);
    let first = promise(&mut bench, need, resource, 3);
    let second = promise(&mut bench, need, resource, 2);
    link(
        &mut bench,
        second,
        json!({"want": "deliver", "delivered_quantity": 2}),
    );
    let slot = &bench.world.slots[&(resource, "lot".to_owned())];
    assert_eq!((slot.confirmed, slot.offered), (4, 0));
    assert_eq!(
        bench.world.records[&second].int("/derived/shortage"),
        Some(1)
    );
    link(
        &mut bench,
        first,
        json!({"want": "leave", "reason": "不够"}),
    );
    let slot = &bench.world.slots[&(resource, "lot".to_owned())];
    assert_eq!((slot.confirmed, linked(&bench, need)), (1, 1));
}

#[test]
fn a_worker_of_one_station_signs_up_for_what_the_county_offers() {
    let mut bench = Bench::new();
    let activity = activity(&mut bench, &[1]);
    let id = join(&mut bench, "wang", activity, 1);
    assert_eq!(state(&bench, id), ClaimState::Confirmed);
}

#[test]
fn of_two_claims_of_one_person_the_better_is_kept() {
    let mut bench = Bench::new();
    let activity = activity(&mut bench, &[1]);
    let twice = join(&mut bench, "vo1", activity, 1);
    let third = join(&mut bench, "vo3", activity, 1);
    let own = join(&mut bench, "vo2", activity, 1);
    let merged = merge(&mut bench, "vo1", "vo2", &[twice]);
    assert_eq!((merged.claims, merged.left), (0, 1));
    assert_eq!(state(&bench, twice), ClaimState::Left);
    assert_eq!(state(&bench, own), ClaimState::Confirmed);
    assert_eq!(state(&bench, third), ClaimState::Waiting);
    // It is theirs to leave, and goes on by rank; an offer goes over with its number.
    step(
        &mut bench,
        "vo2",
        own,
        json!({"want": "leave", "reason": "有事"}),
    );
    assert_eq!(state(&bench, third), ClaimState::Offered);
    let later = join(&mut bench, "vo2", activity, 1);
    assert_eq!(state(&bench, later), ClaimState::Waiting);
    merge(&mut bench, "vo3", "vo2", &[third]);
    assert_eq!(state(&bench, later), ClaimState::Offered);
    assert_eq!(accept(&mut bench, "vo2", later).verdict, Accepted);
    assert_eq!(state(&bench, later), ClaimState::Confirmed);
}

#[test]
fn a_place_of_a_session_that_is_over_stays_as_it_was() {
    let mut bench = Bench::new();
    let activity = activity(&mut bench, &[1]);
    let there = join(&mut bench, "vo1", activity, 1);
    bench.now += 49 * HOUR;
    let merged = merge(&mut bench, "vo1", "vo2", &[there]);
    assert_eq!((merged.claims, merged.left), (0, 0));
    assert_eq!(state(&bench, there), ClaimState::Confirmed);
    assert_eq!(bench.world.claims[&there].person, "vo1");
}

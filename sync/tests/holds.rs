//! What is held moves on, in order, and its author hears of it.

mod bench;

use serde_json::json;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::HELD_PER_DEVICE_MAX;
use xiangyi_proto::time::TimeQuality;
use xiangyi_proto::verdict::VerdictName::{Accepted, Duplicate, Held, Invalid, Rejected};
use xiangyi_sync::apply::Outcome;
use xiangyi_sync::kinds;
use xiangyi_sync::world::Record;

use bench::{Bench, HOUR, STATION, patch, told, visit};

#[test]
fn patches_behind_a_hold_all_move_when_it_is_released() {
    let mut bench = Bench::new();
    let (id, held) = bench.visit("wang", "screening");
    assert_eq!(told(&held), (Held, "T-HOLD"));
    let plain = json!({"/result": "一", "/work_category": "service"});
    let first = bench.say("wang", patch(id, 1, plain));
    let second = bench.say("wang", patch(id, 1, json!({"/client_response": "二"})));
    assert_eq!((first.verdict, second.verdict), (Held, Held));
    assert_eq!(bench.review("shen", id, "release").verdict, Accepted);
    let body = &bench.world.live(id).expect("it is stored").body;
    assert_eq!(
        (&body["result"], &body["client_response"]),
        (&json!("一"), &json!("二"))
    );
    assert!(bench.world.held.is_empty());
    assert!(
        bench
            .last("wang", second.n)
            .is_some_and(|last| last.verdict.is_stored())
    );
}

#[test]
fn a_patch_behind_a_refused_patch_is_judged_by_itself() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    let held = bench.say("wang", patch(id, 1, json!({"/work_category": "screening"})));
    let behind = bench.say("wang", patch(id, 1, json!({"/result": "好"})));
    assert_eq!((held.verdict, behind.verdict), (Held, Held));
    assert_eq!(bench.review("shen", id, "refuse").verdict, Accepted);
    let last = bench.last("wang", behind.n).expect("it is final");
    assert_eq!(last.verdict, Accepted);
}

#[test]
fn what_waits_for_a_refused_record_is_refused_at_once() {
    let mut bench = Bench::new();
    let (id, refused) = bench.visit("wang", "land_demolition");
    assert_eq!(told(&refused), (Rejected, "T-REJECT"));
    let late = bench.say("wang", patch(id, 1, json!({"/result": "好"})));
    assert_eq!(told(&late), (Rejected, "dependency-refused"));
    let strange = bench.say("li", patch(id, 1, json!({"/result": "好"})));
    assert_eq!(told(&strange), (Held, "waits-for-record"));
}

#[test]
fn who_sends_again_what_is_held_hears_how_it_ends() {
    let mut bench = Bench::new();
    let (id, held) = bench.visit("wang", "screening");
    let again = bench.say("wang", visit(id, "screening", bench.now));
    assert_eq!(again.verdict, Duplicate);
    bench.review("shen", id, "release");
    let last = bench
        .last("wang", again.n)
        .expect("the second number ends too");
    let was = last.was.as_ref().expect("it names the first answer");
    assert_eq!(
        (last.verdict, was.verdict, was.n),
        (Duplicate, Accepted, held.n)
    );
}

#[test]
fn the_row_of_an_item_that_is_held_again_goes_on() {
    let mut bench = Bench::new();
    let (need, other) = (bench.id(), bench.id());
    let id = bench.id();
    let mut said = visit(id, "screening", bench.now);
    said["needs"] = json!([need]);
    let held = bench.say("wang", said);
    assert_eq!(told(&held), (Held, "waits-for-record"));
    let row = *bench.world.held.keys().next().expect("one is held");
    bench.say("wang", visit(need, "service", bench.now));
    bench.say("wang", visit(other, "service", bench.now));
    let record = bench.world.live(row).expect("its row lives on");
    assert!(record.rev > 1, "revisions never go back: {}", record.rev);
    assert_eq!(record.text("/for"), Some("review"));
}

#[test]
fn who_decided_a_hold_does_not_decide_its_appeal() {
    let mut bench = Bench::new();
    let (id, held) = bench.visit("wang", "screening");
    let row = *bench.world.held.keys().next().expect("one is held");
    assert_eq!(bench.review("shen", row, "refuse").verdict, Accepted);
    let refusal = bench.last("wang", held.n).and_then(|last| last.refusal);
    let mut appeal = visit(id, "screening", bench.now);
    appeal["op"] = json!("appeal");
    appeal["refusal"] = json!(refusal);
    appeal["reason"] = json!("请再看");
    assert_eq!(bench.say("wang", appeal).verdict, Held);
    let row = *bench.world.held.keys().next().expect("the appeal is held");
    assert_eq!(
        told(&bench.review("shen", row, "list_wrong")),
        (Rejected, "second-reviewer")
    );
    assert_eq!(bench.review("shan", row, "list_wrong").verdict, Accepted);
    assert!(bench.world.live(id).is_some());
    let again = bench.say("wang", visit(id, "screening", bench.now));
    assert_eq!(
        again.was.map(|was| was.verdict),
        Some(Accepted),
        "the appeal answers from now on"
    );
}

#[test]
fn a_visit_waits_until_its_worker_is_assigned() {
    let mut bench = Bench::new();
    let (card, id) = (bench.id(), bench.id());
    let workers = json!([{"person": "wang", "from": 0}]);
    bench.say(
        "wang",
        json!({"op": "create", "kind": "client", "id": card, "body": {
        "name": "某甲", "village": "430121101001", "workers": workers}}),
    );
    let mut said = visit(id, "service", bench.now);
    said["body"]["client"] = json!(card);
    assert_eq!(told(&bench.say("li", said)), (Held, "waits-for-record"));
    let assigned = bench.say(
        "wang",
        json!({"op": "patch", "kind": "client", "id": card,
        "base": 1, "add": {"/workers": [{"person": "li", "from": 0}]}}),
    );
    assert_eq!(assigned.verdict, Accepted);
    assert!(
        bench.world.live(id).is_some(),
        "it came in with the assignment"
    );
}

#[test]
fn a_patch_that_waits_for_its_right_moves_with_the_record() {
    let mut bench = Bench::new();
    let (card, id) = (bench.id(), bench.id());
    bench.say(
        "wang",
        json!({"op": "create", "kind": "client", "id": card, "body": {
            "name": "某甲", "village": "430121101001"}}),
    );
    let mut said = visit(id, "service", bench.now);
    said["body"]["client"] = json!(card);
    bench.say("wang", said);
    let early = bench.say("li", patch(id, 1, json!({"/result": "好"})));
    assert_eq!(told(&early), (Held, "waits-for-record"));
    bench.say(
        "wang",
        json!({"op": "patch", "kind": "client", "id": card, "base": 1,
            "add": {"/workers": [{"person": "li", "from": 0}]}}),
    );
    let last = bench
        .last("li", early.n)
        .expect("the assignment lets it in");
    assert_eq!(last.verdict, Accepted);
    let (other, _) = bench.visit("wang", "service");
    let strange = bench.say("li", patch(other, 1, json!({"/result": "好"})));
    let void = json!({"op": "void", "kind": "visit", "id": other, "reason": "记错了"});
    bench.say("wang", void);
    let last = bench.last("li", strange.n).expect("the void ends it");
    assert_eq!(told(last), (Rejected, "void-gone"));
}

#[test]
fn a_stranger_with_the_same_words_does_not_stand_in_the_way() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    let said = patch(id, 1, json!({"/result": "好"}));
    assert_eq!(bench.say("li", said.clone()).verdict, Held);
    assert_eq!(bench.say("wang", said.clone()).verdict, Accepted);
    assert_eq!(bench.say("wang", said).verdict, Duplicate);
}

#[test]
fn a_number_used_twice_in_one_push_is_a_fork() {
    let mut bench = Bench::new();
    let (a, b) = (bench.id(), bench.id());
    let mut first = visit(a, "service", bench.now);
    let mut second = visit(b, "service", bench.now);
    (first["n"], second["n"]) = (json!(900), json!(900));
    let items = [bench.item("wang", first), bench.item("wang", second)];
    assert!(xiangyi_sync::apply::is_forked(&bench.world, &items));
    assert!(!xiangyi_sync::apply::is_forked(&bench.world, &items[..1]));
}

#[test]
fn danger_is_heard_in_patches_and_in_records_of_no_county() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    bench.say("wang", patch(id, 1, json!({"/result": "孩子说被打了"})));
    bench.say(
        "wang",
        json!({"op": "create", "kind": "visit", "unit": "乡", "id": bench_id(),
        "body": {"purpose": "孩子说被打了"}}),
    );
    // Whatever else is wrong with it: a patch without a base, a record with nothing but its risk.
    let mut broken = patch(id, 1, json!({"/result": "孩子说被打了"}));
    broken["base"] = json!(null);
    assert_eq!(bench.say("wang", broken).verdict, Invalid);
    let void = json!({"op": "void", "kind": "visit", "id": id, "reason": "孩子说被打了"});
    bench.say("wang", void);
    let incidents = bench.world.records.values();
    let incidents: Vec<_> = incidents
        .filter(|record| record.kind == xiangyi_proto::kinds::Kind::Incident)
        .collect();
    // The patch, the broken patch and the reason of the void are about one record.
    assert_eq!(incidents.len(), 2);
    let further = |record: &&xiangyi_sync::world::Record| {
        let sources = record.body["sources"].as_array();
        sources.map_or(0, Vec::len)
    };
    assert_eq!(incidents.iter().map(further).sum::<usize>(), 2);
    let seen =
        |record: &&xiangyi_sync::world::Record| record.placed.contains_key("restricted:430121");
    assert!(incidents.iter().all(seen));
}

fn bench_id() -> uuid::Uuid {
    uuid::Uuid::from_u128(99)
}

#[test]
fn voided_records_keep_nothing() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    let void = json!({"op": "void", "kind": "visit", "id": id, "reason": "记错了"});
    assert_eq!(bench.say("wang", void).verdict, Accepted);
    assert_eq!(bench.world.records[&id].body, json!({}));
    let late = bench.say("li", patch(id, 1, json!({"/result": "好"})));
    assert_eq!(
        told(&late),
        (Rejected, "void-gone"),
        "the station knew it at {STATION}"
    );
}

#[test]
fn a_patch_moves_only_the_times_it_sets() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    let before = bench.world.records[&id].estimated_at;
    let mut said = patch(id, 1, json!({"/result": "好"}));
    said["occurred_at"] = json!(1);
    bench.say("wang", said);
    assert_eq!(bench.world.records[&id].estimated_at, before);
    let earlier = before - 600_000;
    bench.say("wang", patch(id, 2, json!({"/started_at": earlier})));
    let record = &bench.world.records[&id];
    assert_eq!(record.estimated_at, earlier);
    let from: Vec<i64> = kinds::rules(record.kind)
        .facts(record)
        .iter()
        .map(|f| f.from_ms)
        .collect();
    assert!(from.iter().all(|from| *from == earlier));
}

#[test]
fn a_visit_does_not_overlap_itself() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    let patched = bench.say("wang", patch(id, 1, json!({"/result": "好"})));
    assert!(patched.notices.is_empty(), "{:?}", patched.notices);
    let (_, other) = bench.visit("wang", "service");
    assert_eq!(
        other.notices.len(),
        1,
        "another visit at the same time does"
    );
}

#[test]
fn null_says_nothing() {
    let mut bench = Bench::new();
    let id = bench.id();
    let mut said = visit(id, "service", bench.now);
    said["body"]["derived"] = json!(null);
    said["body"]["state"] = json!(null);
    assert_eq!(bench.say("wang", said).verdict, Accepted);
    let record = &bench.world.records[&id];
    assert_eq!(record.int("/derived/minutes"), Some(60));
    assert_eq!(record.text("/state"), Some("submitted"));
}

#[test]
fn a_conflict_shows_a_lead_no_more_than_the_card() {
    let mut bench = Bench::new();
    let card = bench.id();
    bench.say(
        "wang",
        json!({"op": "create", "kind": "client", "id": card, "body": {
        "name": "某甲", "village": "430121101001", "background": "隐情"}}),
    );
    let patch = |address: &str| {
        json!({"op": "patch", "kind": "client", "id": card, "base": 1,
            "set": {"/address": address}})
    };
    assert_eq!(bench.say("wang", patch("一组")).verdict, Accepted);
    let conflict = bench.say("zhao", patch("二组"));
    let shown = conflict.current.expect("a lead reads the card");
    assert_eq!(
        (&shown["address"], shown.get("background")),
        (&json!("一组"), None)
    );
}

#[test]
fn what_is_refused_keeps_its_id_for_its_author() {
    let mut bench = Bench::new();
    let (id, refused) = bench.visit("wang", "land_demolition");
    assert_eq!(told(&refused), (Rejected, "T-REJECT"));
    let taken = bench.say("li", visit(id, "service", bench.now));
    assert_eq!(
        (taken.verdict, taken.errors[0].code.as_str()),
        (Invalid, "id-taken")
    );
    let cleaned = bench.say("wang", visit(id, "service", bench.now));
    assert_eq!(cleaned.verdict, Accepted);
}

#[test]
fn nobody_waits_for_what_was_voided() {
    let mut bench = Bench::new();
    let (other, _) = bench.visit("wang", "service");
    let void = json!({"op": "void", "kind": "visit", "id": other, "reason": "记错了"});
    let (needs, late) = (bench.id(), bench.id());
    let waits = |id, needed: uuid::Uuid, now| {
        let mut said = visit(id, "service", now);
        said["needs"] = json!([needed]);
        said
    };
    bench.say("wang", void);
    let refused = bench.say("wang", waits(late, other, bench.now));
    assert_eq!(told(&refused), (Rejected, "dependency-refused"));
    // Who cannot know that it was there gets the answer of one that never was.
    let mut far = waits(needs, other, bench.now);
    (far["unit"], far["body"]["village"]) = (json!("430121102"), json!("430121102001"));
    let stranger = bench.say("sun", far);
    assert_eq!(told(&stranger), (Held, "waits-for-record"));
}

#[test]
fn a_time_nobody_can_correct_counts_at_its_receipt() {
    let mut bench = Bench::new();
    let id = bench.id();
    let far = 4_100_000_000_000;
    let mut said = visit(id, "service", bench.now);
    (said["body"]["started_at"], said["body"]["ended_at"]) = (json!(far), json!(far + HOUR));
    assert_eq!(bench.say("wang", said).verdict, Accepted);
    let record = &bench.world.records[&id];
    assert_eq!(record.estimated_at, bench.now);
    assert_eq!(record.quality, TimeQuality::Impossible);
}

#[test]
fn an_appeal_after_a_split_comes_too_late() {
    let mut bench = Bench::new();
    let (id, refused) = bench.visit("wang", "land_demolition");
    let work = bench.id();
    let body = json!({"day": "2026-03-02", "class": "administrative", "minutes": 30,
        "refusal": refused.refusal});
    let mut cleaned = visit(id, "service", bench.now);
    cleaned["body"]["started_at"] = json!(bench.now - HOUR / 2);
    let refiled = json!({"op": "create", "kind": "work_time", "id": work, "body": body});
    assert_eq!(bench.say("wang", refiled).verdict, Accepted);
    assert_eq!(bench.say("wang", cleaned).verdict, Accepted);
    let mut appeal = visit(id, "land_demolition", bench.now);
    appeal["op"] = json!("appeal");
    (appeal["refusal"], appeal["reason"]) = (json!(refused.refusal), json!("请再看"));
    let late = bench.say("wang", appeal);
    assert_eq!(told(&late), (Rejected, "appeal-once"));
}

#[test]
fn a_cleaned_visit_grows_no_more_beside_its_working_time() {
    let mut bench = Bench::new();
    let (id, refused) = bench.visit("wang", "land_demolition");
    let now = bench.now;
    let refiled = json!({"op": "create", "kind": "work_time", "id": bench.id(), "body": {
        "class": "administrative", "minutes": 30, "day": "2026-03-02",
        "refusal": refused.refusal}});
    assert_eq!(bench.say("wang", refiled).verdict, Accepted);
    let mut cleaned = visit(id, "service", now);
    cleaned["body"]["started_at"] = json!(now - HOUR / 3);
    assert_eq!(bench.say("wang", cleaned).verdict, Accepted);
    // Twenty minutes and thirty leave ten of the hour.
    let longer = patch(id, 1, json!({"/started_at": now - HOUR / 2 - 60_000}));
    assert_eq!(
        told(&bench.say("wang", longer)),
        (Rejected, "split-minutes")
    );
    let to_the_full = patch(id, 1, json!({"/started_at": now - HOUR / 2}));
    assert_eq!(bench.say("wang", to_the_full).verdict, Accepted);
    let other = patch(id, 2, json!({"/result": "好"}));
    assert_eq!(bench.say("wang", other).verdict, Accepted);
}

#[test]
fn a_device_with_a_thousand_held_items_keeps_the_next_one() {
    let mut bench = Bench::new();
    bench
        .world
        .held_by
        .insert("d-wang".to_owned(), HELD_PER_DEVICE_MAX);
    let waits = |bench: &mut Bench, text: &str| {
        let (id, need) = (bench.id(), bench.id());
        let mut said = visit(id, "service", bench.now);
        (said["needs"], said["body"]["purpose"]) = (json!([need]), json!(text));
        bench.item("wang", said)
    };
    let item = waits(&mut bench, "看望");
    let n = item.mutation.n;
    assert_eq!(bench.outcome(item.clone()), Outcome::NoRoom(n));
    assert!(bench.world.held.is_empty() && bench.world.by_number.is_empty());
    let danger = waits(&mut bench, "孩子说被打了");
    assert_eq!(bench.apply(danger).verdict, Held, "danger always has room");
    let plain = bench.visit("wang", "service").1;
    assert_eq!(plain.verdict, Accepted, "what is not held goes on");
    bench.world.held_by.insert("d-wang".to_owned(), 3);
    assert_eq!(bench.apply(item).verdict, Held, "the same bytes later");
    assert_eq!(bench.world.held_by["d-wang"], 4);
}

#[test]
fn what_a_revoked_device_sends_goes_before_a_reviewer() {
    let mut bench = Bench::new();
    let id = bench.id();
    let mut item = bench.item("wang", visit(id, "service", bench.now));
    item.revoked = true;
    assert_eq!(told(&bench.apply(item)), (Held, "device-revoked"));
    assert_eq!(bench.review("shen", id, "release").verdict, Accepted);
    assert!(bench.world.live(id).is_some());
}

#[test]
fn what_is_stored_names_the_packs_that_judged_it() {
    let mut bench = Bench::new();
    bench.visit("wang", "service");
    bench.visit("wang", "land_demolition");
    let packs: Vec<_> = bench
        .world
        .effects
        .log
        .iter()
        .map(|row| &row.packs)
        .collect();
    assert_eq!(packs, [&Some("430121@1".to_owned()), &None]);
}

#[test]
fn a_grant_has_a_timer_for_its_next_bound() {
    let mut bench = Bench::new();
    let id = bench.id();
    let grant = |rev| Record {
        rev,
        ..grant_record(id, bench.now + HOUR, bench.now + 2 * HOUR)
    };
    let key = ("grant".to_owned(), id.to_string());
    let due = |bench: &Bench| bench.world.effects.timers[&key];
    let (now, record) = (bench.now, grant(1));
    bench.keep(record);
    assert_eq!(due(&bench), Some(now + HOUR));
    let head = bench.world.head;
    bench.now += HOUR;
    bench.fire("grant", id);
    assert_eq!(due(&bench), Some(now + 2 * HOUR), "then its end");
    assert!(bench.world.head > head, "phones see that something moved");
    bench.now += HOUR;
    bench.fire("grant", id);
    assert_eq!(due(&bench), None);
}

fn grant_record(id: uuid::Uuid, from_at: i64, to_at: i64) -> Record {
    Record {
        id,
        kind: Kind::Grant,
        rev: 1,
        author: "wang".to_owned(),
        unit: STATION.to_owned(),
        village: None,
        occurred_at: 0,
        received_at: 0,
        estimated_at: 0,
        quality: TimeQuality::Offset,
        body: json!({"role": "worker", "unit": STATION, "from_at": from_at, "to_at": to_at}),
        field_revs: Default::default(),
        placed: Default::default(),
        void: false,
        seq: 0,
    }
}

#[test]
fn a_visit_without_a_village_counts_where_its_client_lives() {
    let mut bench = Bench::new();
    let (card, id) = (bench.id(), bench.id());
    let body = json!({"name": "某甲", "village": "430121101003"});
    bench.say(
        "wang",
        json!({"op": "create", "kind": "client", "id": card, "body": body}),
    );
    let mut said = visit(id, "service", bench.now);
    said["body"]["client"] = json!(card);
    said["body"]
        .as_object_mut()
        .expect("a body")
        .remove("village");
    assert_eq!(bench.say("wang", said).verdict, Accepted);
    let village = bench.world.records[&id].village.as_deref();
    assert_eq!(village, Some("430121101003"));
    let counted = bench.world.effects.rollups.keys();
    let mut villages = counted.map(|key| key.village.as_str());
    assert!(villages.any(|village| village == "430121101003"));
}

#[test]
fn that_something_was_refused_is_for_its_author_to_know() {
    let mut bench = Bench::new();
    let (early, late, id) = (bench.id(), bench.id(), bench.id());
    let waits = |own, needed: uuid::Uuid, now| {
        let mut said = visit(own, "service", now);
        said["needs"] = json!([needed]);
        said
    };
    let before = bench.say("li", waits(early, id, bench.now));
    assert_eq!(told(&before), (Held, "waits-for-record"));
    let refused = bench.say("wang", visit(id, "land_demolition", bench.now));
    assert_eq!(refused.verdict, Rejected);
    assert!(bench.last("li", before.n).is_none(), "nothing is told");
    let after = bench.say("li", waits(late, id, bench.now));
    assert_eq!(told(&after), (Held, "waits-for-record"));
    let own = bench.id();
    let own = bench.say("wang", waits(own, id, bench.now));
    assert_eq!(told(&own), (Rejected, "dependency-refused"));
}

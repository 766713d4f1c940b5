//! What `amend` takes out, and what a later step may say: the rest of the record stands.

mod bench;

use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::pack::STARTER;
use xiangyi_proto::verdict::Verdict;
use xiangyi_proto::verdict::VerdictName::{Accepted, Rejected};

use bench::{Bench, HOUR, told, visit};

fn photo(digit: &str, consent: bool) -> Value {
    json!({"sha256": digit.repeat(64), "bytes": 1_000, "mime": "image/jpeg", "consent": consent})
}

fn visited(bench: &mut Bench, photos: &[Value]) -> (Uuid, Verdict) {
    let id = bench.id();
    let mut said = visit(id, "service", bench.now);
    said["body"]["photos"] = photos.into();
    (id, bench.say("wang", said))
}

fn hashes(bench: &Bench, id: Uuid) -> Vec<String> {
    let body = &bench.world.live(id).expect("it is stored").body;
    let photos = body["photos"].as_array();
    let photos = photos.into_iter().flatten();
    photos
        .map(|photo| photo["sha256"].as_str().expect("a hash")[..1].to_owned())
        .collect()
}

fn notices(verdict: &Verdict) -> Vec<(&str, &str, Vec<&str>)> {
    let notices = verdict.notices.iter();
    notices
        .map(|notice| {
            let at = notice.at.iter().map(String::as_str).collect();
            (notice.rule.id.as_str(), notice.verdict.as_str(), at)
        })
        .collect()
}

#[test]
fn photographs_without_consent_are_left_out_and_the_others_stay() {
    let mut bench = Bench::with(STARTER);
    let mut shown = photo("d", false);
    shown["visibility"] = "public".into();
    let photos = [
        photo("a", false),
        photo("b", true),
        photo("c", false),
        shown,
    ];
    let (id, verdict) = visited(&mut bench, &photos);
    assert_eq!(verdict.verdict, Accepted);
    let said = [
        (
            "NL-C05",
            "amend",
            vec!["/photos/0", "/photos/2", "/photos/3"],
        ),
        ("NL-D13.photo", "amend", vec!["/photos/3"]),
    ];
    assert_eq!(notices(&verdict), said);
    assert_eq!(hashes(&bench, id), ["b"]);
    assert_eq!(verdict.derived.expect("derived")["photo_count"], 1);
    assert_eq!(bench.world.photo_refs.len(), 1);
}

#[test]
fn where_no_photograph_is_left_none_was_declared() {
    let mut bench = Bench::with(STARTER);
    let (id, verdict) = visited(&mut bench, &[photo("a", false)]);
    assert_eq!(verdict.derived.expect("derived")["evidence"], "none");
    assert!(
        bench
            .world
            .live(id)
            .expect("stored")
            .body
            .get("photos")
            .is_none()
    );
}

#[test]
fn a_patch_that_adds_one_without_consent_keeps_what_was_there() {
    let mut bench = Bench::with(STARTER);
    let (id, _) = visited(&mut bench, &[photo("a", true)]);
    let added = json!({"/photos": [photo("b", false), photo("c", true)]});
    let verdict = bench.say(
        "wang",
        json!({"op": "patch", "kind": "visit", "id": id, "base": 1, "add": added}),
    );
    assert_eq!(notices(&verdict), [("NL-C05", "amend", vec!["/photos/1"])]);
    assert_eq!(hashes(&bench, id), ["a", "c"]);
}

/// A link with a resource of ten.
fn linked(bench: &mut Bench) -> Uuid {
    let (need, resource, link) = (bench.id(), bench.id(), bench.id());
    let needs = json!({"title": "一床被子", "category": "bedding", "quantity": 2});
    let offers = json!({"title": "被子", "kind": "goods", "provider": "某企业", "quantity": 10});
    let joins = json!({"need": need, "resource": resource, "quantity": 2, "purpose": "过冬",
        "want": "join"});
    for (op, kind, id, body) in [
        ("create", "need", need, needs),
        ("create", "resource", resource, offers),
        ("request", "link", link, joins),
    ] {
        let said = json!({"op": op, "kind": kind, "id": id, "body": body});
        assert_eq!(bench.say("wang", said).verdict, Accepted);
    }
    link
}

#[test]
fn a_step_never_changes_what_was_agreed_on_and_says_so() {
    let mut bench = Bench::with(STARTER);
    let link = linked(&mut bench);
    bench.now += HOUR;
    let body = json!({"want": "deliver", "delivered_quantity": 2, "purpose": "装修", "quantity": 9,
        "received_from_client_fen": 500});
    let said = json!({"op": "request", "kind": "link", "id": link, "body": body});
    let verdict = bench.say("wang", said);
    // What was handed over is never refused: a fee that would refuse a new link is told.
    assert_eq!(verdict.verdict, Accepted);
    let said = [
        ("NL-D01.link", "warn", vec!["/received_from_client_fen"]),
        ("NL-D09", "amend", vec!["/purpose"]),
    ];
    assert_eq!(notices(&verdict), said);
    let body = &bench.world.live(link).expect("stored").body;
    assert_eq!(
        (&body["purpose"], &body["quantity"]),
        (&json!("过冬"), &json!(2))
    );
    assert_eq!(body["derived"]["state"], "delivered");
}

#[test]
fn working_time_that_answers_a_refusal_may_shrink_and_never_grows() {
    let mut bench = Bench::new();
    let (_, refused) = bench.visit("wang", "land_demolition");
    let id = bench.id();
    let body = json!({"class": "administrative", "minutes": 40, "day": "2026-10-20",
        "refusal": refused.refusal.expect("a receipt")});
    let filed = json!({"op": "create", "kind": "work_time", "id": id, "body": body});
    assert_eq!(bench.say("wang", filed).verdict, Accepted);
    for (base, minutes, want) in [
        (1, 500, (Rejected, "split-minutes")),
        (1, 30, (Accepted, "")),
    ] {
        let said = json!({"op": "patch", "kind": "work_time", "id": id, "base": base,
            "set": {"/minutes": minutes}});
        assert_eq!(told(&bench.say("wang", said)), want, "{minutes}");
    }
}

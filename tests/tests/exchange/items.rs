//! Bad input for one item: each fault has its code and its place, the neighbours in the same
//! batch are accepted, and the server goes on.

use serde_json::{Value, json};
use xiangyi_tests::actor::Phone;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{HOUR, UNIT, check_in, id, names, patch, visit, with, without};

/// What it is, the mutation, and a fault that is told: pointer and code.
type Case = (&'static str, Value, &'static str, &'static str);

/// Numbers of records: 1 is the phone's own visit, 2 a colleague's check-in, 3 the phone's need.
const BAD: u32 = 50;

fn bad_check_in(pointer: &str, value: Value) -> Value {
    with(check_in(2, BAD), pointer, value)
}

fn bad_visit(pointer: &str, value: Value) -> Value {
    with(visit(2, BAD), pointer, value)
}

fn fix(lat_e7: i64, lng_e7: i64) -> Value {
    json!({ "lat_e7": lat_e7, "lng_e7": lng_e7, "accuracy_m": 20, "system": "gcj02" })
}

fn void(reason: Value) -> Value {
    json!({ "n": 2, "op": "void", "kind": "visit", "unit": UNIT, "id": id(1), "reason": reason })
}

#[rustfmt::skip]
fn frames() -> Vec<Case> {
    let c = || check_in(2, BAD);
    let long = "长".repeat(501);
    vec![
        ("unknown kind", with(c(), "/kind", json!("dance")), "/kind", "unknown-kind"),
        ("no kind", without(c(), "/kind"), "/kind", "required"),
        ("a kind of the server", with(c(), "/kind", json!("refusal")), "/op", "op-not-allowed"),
        ("unknown op", with(c(), "/op", json!("delete")), "/op", "unknown-code"),
        ("op of another kind", with(c(), "/op", json!("patch")), "/op", "op-not-allowed"),
        ("no unit", without(c(), "/unit"), "/unit", "required"),
        ("unit that is none", with(c(), "/unit", json!("abc")), "/unit", "bad-region"),
        ("unit that is not there", with(c(), "/unit", json!("430121099")), "/unit", "unit-unknown"),
        ("county that is not there", with(c(), "/unit", json!("439999")), "/unit", "unit-unknown"),
        ("no id", without(c(), "/id"), "/id", "required"),
        ("id that is none", with(c(), "/id", json!("x")), "/id", "bad-id"),
        ("id in braces", with(c(), "/id", json!(format!("{{{}}}", id(90)))), "/id", "bad-id"),
        ("id without dashes", with(c(), "/id", json!(id(90).replace('-', ""))), "/id", "bad-id"),
        ("time before all phones", with(c(), "/occurred_at", json!(-1)),
         "/occurred_at", "time-range"),
        ("needs in braces", with(c(), "/needs", json!([format!("{{{}}}", id(90))])),
         "", "wrong-type"),
        ("nil id", with(c(), "/id", json!("00000000-0000-0000-0000-000000000000")),
         "/id", "bad-id"),
        ("id of a colleague's", with(c(), "/id", json!(id(2))), "/id", "id-taken"),
        ("id of one's own", with(c(), "/id", json!(id(1))), "/id", "id-taken"),
        ("no body", without(c(), "/body"), "/body", "required"),
        ("body that is a list", with(c(), "/body", json!([])), "/body", "wrong-type"),
        ("time in words", with(c(), "/occurred_at", json!("yesterday")), "", "wrong-type"),
        ("needs that are none", with(c(), "/needs", json!(["x"])), "", "wrong-type"),
        ("zero in a text", with(c(), "/body/note", json!("a\u{0}b")), "/note", "bad-text"),
        ("zero in a name", with(c(), "/body/x\u{0}", json!(1)), "", "bad-text"),
        ("void without reason", without(void(json!("x")), "/reason"), "/reason", "required"),
        ("void with an empty one", void(json!("")), "/reason", "required"),
        ("void with a long one", void(json!(long)), "/reason", "too-long"),
    ]
}

#[rustfmt::skip]
fn bodies() -> Vec<Case> {
    let photo = |sha: &str| json!({ "sha256": sha, "bytes": 9, "mime": "image/jpeg" });
    let ten = json!(vec![photo(&"a".repeat(64)); 10]);
    let late = START - 2 * HOUR;
    vec![
        ("text for an object", bad_check_in("/body/place", json!("home")), "/place", "wrong-type"),
        ("number for a text", bad_visit("/body/result", json!(7)), "/result", "wrong-type"),
        ("text for a number", bad_visit("/body/headcount", json!("many")),
         "/headcount", "wrong-type"),
        ("part of a number", bad_visit("/body/headcount", json!(1.5)), "/headcount", "wrong-type"),
        ("object for a list", bad_visit("/body/services", json!({})), "/services", "wrong-type"),
        ("nothing in a list", bad_visit("/body/services", json!([null])),
         "/services/0", "wrong-type"),
        ("too many heads", bad_visit("/body/headcount", json!(2_001)),
         "/headcount", "out-of-range"),
        ("fewer than none", bad_visit("/body/headcount", json!(-1)), "/headcount", "out-of-range"),
        ("unknown code", bad_check_in("/body/purpose", json!("dance")), "/purpose", "unknown-code"),
        ("no outcome", without(visit(2, BAD), "/body/outcome/kind"), "/outcome/kind", "required"),
        ("what the server writes", bad_visit("/body/derived", json!({ "class": "x" })),
         "/derived", "read-only-field"),
        ("a state", bad_visit("/body/state", json!("approved")), "/state", "read-only-field"),
        ("a time beyond 2100", bad_visit("/body/ended_at", json!(9_000_000_000_000_i64)),
         "/ended_at", "time-range"),
        ("a visit of two days", bad_visit("/body/started_at", json!(START - 149 * HOUR)),
         "/ended_at", "time-range"),
        ("ends before it begins", bad_visit("/body/started_at", json!(START)),
         "/ended_at", "ends-before-start"),
        ("a day of no calendar", bad_visit("/body/follow_up", json!({ "due_on": "2026-02-30" })),
         "/follow_up/due_on", "bad-date"),
        ("a village of no length", bad_visit("/body/village", json!("430121001")),
         "/village", "bad-region"),
        ("a village elsewhere", bad_visit("/body/village", json!("430121002001")),
         "/village", "village-outside-unit"),
        ("a check-in elsewhere", bad_check_in("/body/place/village", json!("430181001001")),
         "/place/village", "village-outside-unit"),
        ("a client that is none", bad_visit("/body/client", json!("x")), "/client", "bad-id"),
        ("a client in braces", bad_visit("/body/client", json!(format!("{{{}}}", id(90)))),
         "/client", "bad-id"),
        ("long text", bad_check_in("/body/note", json!("字".repeat(501))), "/note", "too-long"),
        ("text with a NUL", bad_check_in("/body/note", json!("a\u{0}b")), "/note", "wrong-type"),
        ("many services", bad_visit("/body/services", json!(vec!["ec_visit"; 13])),
         "/services", "list-too-long"),
        ("ten photographs", bad_visit("/body/photos", ten), "/photos", "list-too-long"),
        ("a photograph by another name", bad_visit("/body/photos", json!([photo("AB")])),
         "/photos/0/sha256", "bad-id"),
        ("a photograph without type",
         bad_visit("/body/photos", json!([{ "sha256": "a".repeat(64), "bytes": 1 }])),
         "/photos/0/mime", "required"),
        ("no time", without(with(visit(2, BAD), "/body/ended_at", json!(late)), "/body/started_at"),
         "/started_at", "required"),
    ]
}

#[rustfmt::skip]
fn fixes() -> Vec<Case> {
    let fixed = |fix: Value| with(check_in(2, BAD), "/body/fix", fix);
    let here = || fix(282_468_013, 1_130_802_467);
    vec![
        ("no system", fixed(without(json!({ "fix": here() }), "/fix/system")["fix"].clone()),
         "/fix/system", "required"),
        ("another system",
         fixed(with(json!({ "fix": here() }), "/fix/system", json!("bd09"))["fix"].clone()),
         "/fix/system", "unknown-code"),
        ("no accuracy", fixed(without(json!({ "fix": here() }), "/fix/accuracy_m")["fix"].clone()),
         "/fix/accuracy_m", "required"),
        ("swapped", fixed(fix(1_130_802_467, 282_468_013)), "/fix", "fix-swapped"),
        ("zero", fixed(fix(0, 0)), "/fix", "fix-zero"),
        ("abroad", fixed(fix(488_000_000, 23_000_000)), "/fix", "fix-outside"),
        ("beyond the pole", fixed(fix(900_000_001, 1_130_000_000)), "/fix", "fix-outside"),
        ("beyond the globe", fixed(fix(1_800_000_001, 1_130_000_000)),
         "/fix/lat_e7", "out-of-range"),
    ]
}

#[rustfmt::skip]
fn patches() -> Vec<Case> {
    let p = |set: Value| patch(2, 1, 1, set);
    let add = |pointer: &str, value: Value| {
        let mut mutation = without(p(json!({})), "/set");
        mutation["add"] = json!({ pointer: value });
        mutation
    };
    vec![
        ("no base", without(p(json!({ "/result": "x" })), "/base"), "/base", "required"),
        ("nothing", p(json!({})), "/set", "required"),
        ("no such field", p(json!({ "/nothing": 1 })), "/nothing", "unknown-field"),
        ("no pointer", p(json!({ "result": "x" })), "result", "unknown-field"),
        ("the server's field", p(json!({ "/derived/class": "x" })),
         "/derived/class", "read-only-field"),
        ("a fixed field", p(json!({ "/client": id(1) })), "/client", "fixed-field"),
        ("wrong type", p(json!({ "/headcount": "x" })), "/headcount", "wrong-type"),
        ("what must be there", p(json!({ "/started_at": null })), "/started_at", "required"),
        ("times that cross", p(json!({ "/ended_at": START - 90 * HOUR })),
         "/ended_at", "ends-before-start"),
        ("added, no list", add("/services", json!("ec_visit")), "/services", "wrong-type"),
        ("added, too many", add("/services", json!(vec!["ec_visit"; 13])),
         "/services", "list-too-long"),
    ]
}

on_both!(each_fault_of_an_item_has_its_code_and_its_place, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let colleague = harness.worker(2).await.phone().await;
    assert_eq!(phone.push_one(visit(1, 1)).await["verdict"], "accepted");
    assert_eq!(
        colleague.push_one(check_in(1, 2)).await["verdict"],
        "accepted"
    );
    let cases = [frames(), bodies(), fixes(), patches()].concat();
    assert!(cases.len() > 60);
    for (index, (what, bad, pointer, code)) in cases.into_iter().enumerate() {
        told(
            &phone,
            u32::try_from(index).expect("few cases"),
            what,
            bad,
            pointer,
            code,
        )
        .await;
    }
    // Nothing of the bad ones is there, and what it names is as it was.
    let stored = phone
        .actor
        .get(&format!("/v1/visits/{}?unit={UNIT}", id(1)))
        .await
        .good();
    assert_eq!(stored["rev"], 1);
    let path = format!("/v1/visits/{}?unit={UNIT}", id(BAD));
    phone.actor.get(&path).await.problem(404, "not-found");
});

/// Sends a bad item between two good ones under fresh numbers.
async fn told(phone: &Phone, index: u32, what: &str, bad: Value, pointer: &str, code: &str) {
    let n = 10 + index * 3;
    let batch = [
        check_in(n, 1_000 + n),
        with(bad, "/n", json!(n + 1)),
        check_in(n + 2, 1_002 + n),
    ];
    let verdicts = phone.push(&batch).await;
    assert_eq!(
        names(&verdicts),
        ["accepted", "invalid", "accepted"],
        "{what}: {verdicts:?}"
    );
    let told = |error: &Value| error["pointer"] == pointer && error["code"] == code;
    let errors = verdicts[1]["errors"].as_array().expect("errors");
    assert!(errors.iter().any(told), "{what}: {}", verdicts[1]);
    assert!(verdicts[1].get("rev").is_none() && verdicts[1].get("seq").is_none());
}

on_both!(what_a_newer_phone_knows_more_is_kept, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let newer = with(visit(1, 1), "/body/weather", json!({ "sky": "雨" }));
    let newer = with(newer, "/colour", json!("green"));
    assert_eq!(phone.push_one(newer).await["verdict"], "accepted");
    let path = format!("/v1/visits/{}?unit={UNIT}", id(1));
    let stored = phone.actor.get(&path).await.good();
    assert_eq!(stored["body"]["weather"]["sky"], "雨");
    // It is confidential: the station does not get it.
    let lead = harness.lead().await.get(&path).await.good();
    assert!(lead["body"].get("weather").is_none(), "{lead}");
});

on_both!(a_time_that_is_still_ahead_is_refused, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    // The phone's clock is right by its last measure, and the act lies in two hours.
    let clock = json!({ "wall_ms": START, "offset_ms": 0 });
    let ahead = with(check_in(2, 2), "/occurred_at", json!(START + 2 * HOUR));
    let push = json!({ "mutations": [check_in(1, 1), ahead, check_in(3, 3)] });
    let answer = phone
        .exchange(json!({ "clock": clock, "push": push }))
        .await
        .good();
    let verdicts = answer["push"]["verdicts"].as_array().expect("verdicts");
    assert_eq!(
        names(verdicts),
        ["accepted", "rejected", "accepted"],
        "{verdicts:?}"
    );
    assert_eq!(verdicts[1]["rule"]["id"], "NL-C04.future");
    assert!(
        verdicts[1]["refusal"].is_string(),
        "a receipt: {}",
        verdicts[1]
    );
    // A clock that nobody corrected is judged at receipt and warned.
    let claimed = with(check_in(4, 4), "/occurred_at", json!(START + 2 * HOUR));
    let verdict = phone.push_one(claimed).await;
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
    assert_eq!(
        verdict["notices"][0]["rule"]["id"], "NL-C04.clock",
        "{verdict}"
    );
});

on_both!(half_an_emoji_is_its_items_own_trouble, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let odd = |n: u32, from: &str, to: &str| {
        let item = with(check_in(n, n), "/body/note", json!("好X"));
        item.to_string().replace(from, to)
    };
    let items = [
        check_in(1, 1).to_string(),
        odd(2, "好X", "好\\ud83d"),
        odd(3, "\"好X\"", "1e400"),
        odd(4, "\"n\"", "\"later\":1e400,\"n\""),
        check_in(5, 5).to_string(),
    ];
    let body = format!(
        "{{\"protocol\":1,\"device\":\"{}\",\"push\":{{\"mutations\":[{}]}}}}",
        phone.device,
        items.join(",")
    );
    let headers = [("content-type", "application/json")];
    let reply = phone.actor.post_raw("/v1/sync", &headers, body).await;
    let answer = reply.good();
    let verdicts = answer["push"]["verdicts"].as_array().expect("verdicts");
    // What nobody looks at may be as odd as it likes.
    let expected = ["accepted", "invalid", "invalid", "accepted", "accepted"];
    assert_eq!(names(verdicts), expected, "{verdicts:?}");
    let first = &verdicts[1]["errors"][0];
    assert_eq!(
        (&first["pointer"], &first["code"]),
        (&json!("/body"), &json!("bad-text"))
    );
    assert_eq!(verdicts[1]["id"], id(2), "it is answered by its own id");
});

//! The verdicts a phone acts on: each comes over HTTP with the members it needs.

use serde_json::{Value, json};
use xiangyi_proto::time::DAY_MS;
use xiangyi_tests::actor::{Actor, Phone};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{COUNTY, UNIT, VILLAGE, check_in, id, names, patch, visit, with};

/// A client of worker 1 whom worker 2 serves as well, and a visit of worker 1 to it.
async fn shared_visit(harness: &Harness) -> (Phone, Phone) {
    let (one, two) = (
        harness.worker(1).await.phone().await,
        harness.worker(2).await.phone().await,
    );
    let workers = json!([{ "person": "p-worker-01", "from": START - DAY_MS },
                         { "person": "p-worker-02", "from": START - DAY_MS }]);
    let card = json!({ "n": 1, "op": "create", "kind": "client", "unit": UNIT, "id": id(1),
        "body": { "name": "谭某", "village": VILLAGE, "categories": ["独居老人"],
                  "workers": workers } });
    let visit = with(visit(2, 2), "/body/client", json!(id(1)));
    let verdicts = one.push(&[card, visit]).await;
    assert_eq!(names(&verdicts), ["accepted", "accepted"], "{verdicts:?}");
    (one, two)
}

on_both!(
    other_fields_merge_and_the_same_field_is_asked_about,
    |engine| {
        let harness = Harness::start(engine).await;
        let (one, two) = shared_visit(&harness).await;
        let first = one
            .push_one(patch(3, 2, 1, json!({ "/result": "约好周三再来" })))
            .await;
        assert_eq!(
            (&first["verdict"], &first["rev"]),
            (&json!("accepted"), &json!(2)),
            "{first}"
        );

        // Another field, from the same old base: both changes stand.
        let merged = two
            .push_one(patch(
                1,
                2,
                1,
                json!({ "/client_response": "说身体好多了" }),
            ))
            .await;
        assert_eq!(
            (&merged["verdict"], &merged["rev"]),
            (&json!("merged"), &json!(3)),
            "{merged}"
        );
        assert_eq!(merged["kept"], json!(["/client_response"]));
        assert!(
            merged["seq"].is_i64() && merged["derived"].is_object(),
            "{merged}"
        );

        // The same field: nothing is taken, and both sides can be shown.
        let set = json!({ "/result": "不用再来", "/purpose": "看望" });
        let asked = two.push_one(patch(2, 2, 1, set)).await;
        assert_eq!(
            (&asked["verdict"], &asked["rev"]),
            (&json!("conflict"), &json!(3)),
            "{asked}"
        );
        assert_eq!(asked["fields"], json!(["/result"]));
        assert_eq!(asked["current"]["result"], "约好周三再来", "{asked}");
        let stored = one
            .actor
            .get(&format!("/v1/visits/{}?unit={UNIT}", id(2)))
            .await
            .good();
        assert_eq!(
            (&stored["rev"], &stored["body"]["purpose"]),
            (&json!(3), &Value::Null)
        );

        // A new patch with the base that was told ends it.
        let settled = two
            .push_one(patch(3, 2, 3, json!({ "/result": "不用再来" })))
            .await;
        assert_eq!(
            (&settled["verdict"], &settled["rev"]),
            (&json!("accepted"), &json!(4)),
            "{settled}"
        );

        // What only the author decides stays the author's.
        let begun = stored["body"]["started_at"].as_i64().expect("a time");
        let own = patch(4, 2, 4, json!({ "/ended_at": begun + 30 * 60_000 }));
        assert_eq!(one.push_one(own).await["verdict"], "accepted");
        let theirs = patch(
            4,
            2,
            4,
            json!({ "/ended_at": begun + 50 * 60_000, "/mode": "home" }),
        );
        let theirs = two.push_one(theirs).await;
        assert_eq!(theirs["verdict"], "merged", "{theirs}");
        assert_eq!(
            (&theirs["kept"], &theirs["theirs"]),
            (&json!(["/mode"]), &json!(["/ended_at"]))
        );
    }
);

on_both!(a_conflict_shows_nothing_that_is_not_in_view, |engine| {
    let harness = Harness::start(engine).await;
    let (one, _) = shared_visit(&harness).await;
    // A colleague who does not serve the client waits, like for a record that is not there.
    let other = harness.lead().await.phone().await;
    assert_eq!(
        one.push_one(patch(3, 2, 1, json!({ "/result": "约好" })))
            .await["rev"],
        2
    );
    let there = other
        .push_one(patch(1, 2, 1, json!({ "/result": "改" })))
        .await;
    let nowhere = other
        .push_one(patch(2, 99, 1, json!({ "/result": "改" })))
        .await;
    for verdict in [&there, &nowhere] {
        assert_eq!(
            (&verdict["verdict"], &verdict["for"]),
            (&json!("held"), &json!("missing"))
        );
    }
    let strip = |verdict: &Value| {
        let mut verdict = verdict.clone();
        for name in ["n", "id", "seq", "mac"] {
            verdict[name] = Value::Null;
        }
        verdict
    };
    assert_eq!(strip(&there), strip(&nowhere));
});

on_both!(what_came_before_is_a_duplicate_with_its_answer, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let batch = [
        check_in(1, 1),
        with(check_in(2, 2), "/unit", json!("430121099")),
    ];
    let mut first = phone.push(&batch).await;
    assert_eq!(names(&first), ["accepted", "invalid"], "{first:?}");
    let mac = |verdict: &mut Value| verdict.as_object_mut()?.remove("mac");
    // What left nothing behind needs no proof.
    let macs: Vec<bool> = first
        .iter_mut()
        .map(|verdict| mac(verdict).is_some())
        .collect();
    assert_eq!(macs, [true, false]);
    // The same numbers and bytes: the reply was lost.
    let again = phone.push(&batch).await;
    assert_eq!(names(&again), ["duplicate", "duplicate"]);
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(again["was"], *first);
    }
    // The same content under another number, and from the person's other phone.
    let renumbered = with(check_in(3, 1), "/occurred_at", json!(1));
    let third = phone.push_one(renumbered).await;
    assert_eq!(
        (&third["verdict"], &third["was"]),
        (&json!("duplicate"), &first[0]),
        "{third}"
    );
    let other = phone.actor.phone().await;
    let fourth = other.push_one(check_in(1, 1)).await;
    assert_eq!(
        (&fourth["verdict"], &fourth["was"]),
        (&json!("duplicate"), &first[0]),
        "{fourth}"
    );
    let list = phone
        .actor
        .get(&format!("/v1/check-ins?unit={UNIT}"))
        .await
        .good();
    assert_eq!(
        list["records"].as_array().map(Vec::len),
        Some(1),
        "no second effect"
    );
});

on_both!(what_is_not_understood_is_told_field_by_field, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let bad = with(check_in(1, 1), "/body/purpose", json!("dancing"));
    let bad = with(bad, "/body/place/village", json!(7));
    let verdict = phone.push_one(with(bad, "/body/phase", Value::Null)).await;
    assert_eq!(verdict["verdict"], "invalid");
    let errors = verdict["errors"].as_array().expect("errors");
    let told: Vec<(&str, &str)> = errors
        .iter()
        .map(|error| (text(&error["pointer"]), text(&error["code"])))
        .collect();
    let mut sorted = told.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            ("/phase", "required"),
            ("/place/village", "wrong-type"),
            ("/purpose", "unknown-code"),
        ]
    );
    for error in errors {
        assert!(!text(&error["detail"]).is_empty() && !text(&error["detail_en"]).is_empty());
    }
    // At most sixteen are listed.
    let mut many = visit(2, 2);
    many["body"]["services"] = json!((0..12).map(|_| 7).collect::<Vec<_>>());
    many["body"]["referrals"] = json!((0..6).map(|_| 7).collect::<Vec<_>>());
    let verdict = phone.push_one(many).await;
    assert_eq!(verdict["errors"].as_array().map(Vec::len), Some(16));
});

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The rows of a kind in the caller's own mailbox, by a whole pull.
async fn mailbox(phone: &Phone, kind: &str) -> Vec<Value> {
    let page = phone
        .pull(json!({ "cursor": null, "max_bytes": 500_000 }))
        .await;
    let changes = page["changes"].as_array().cloned().unwrap_or_default();
    let own = changes
        .into_iter()
        .filter(|part| part["shard"] == COUNTY && text(&part["stream"]).starts_with("person:"));
    own.flat_map(|part| part["rows"].as_array().cloned().unwrap_or_default())
        .filter(|row| row["kind"] == kind)
        .collect()
}

async fn released(reviewer: &Actor, record: &str) {
    let body = json!({ "record": record, "decision": "release", "reason": "两次都属实" });
    let review = json!({ "n": 1, "op": "request", "kind": "review", "unit": "430121",
                         "id": id(900), "body": body });
    let verdict = reviewer.phone().await.push_one(review).await;
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
}

on_both!(a_hold_ends_with_a_final_verdict_in_the_mailbox, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let overlapping = with(visit(2, 102), "/body/result", json!("平稳"));
    let verdicts = phone.push(&[visit(1, 2), overlapping.clone()]).await;
    assert_eq!(names(&verdicts), ["accepted", "held"], "{verdicts:?}");
    assert_eq!(verdicts[1]["for"], "review");
    assert_eq!(
        verdicts[1]["rule"]["id"], "NL-C04.overlap",
        "{}",
        verdicts[1]
    );
    assert!(!text(&verdicts[1]["message"]).is_empty());
    let held = mailbox(&phone, "held").await;
    assert_eq!(held.len(), 1);
    assert_eq!(
        (&held[0]["body"]["record"], &held[0]["body"]["for"]),
        (&json!(id(102)), &json!("review"))
    );
    assert!(mailbox(&phone, "verdict").await.is_empty());

    released(&harness.reviewer(1).await, &id(102)).await;
    assert!(mailbox(&phone, "held").await.is_empty(), "the row goes");
    let finals = mailbox(&phone, "verdict").await;
    assert_eq!(finals.len(), 1);
    let body = &finals[0]["body"];
    assert_eq!(
        (&body["n"], &body["device"]),
        (&json!(2), &json!(phone.device))
    );
    assert_eq!(
        (&body["record"], &body["verdict"]["verdict"]),
        (&json!(id(102)), &json!("accepted"))
    );
    // Whoever sends it again hears the end, not the hold.
    let again = phone.push_one(overlapping).await;
    assert_eq!(
        (&again["verdict"], &again["was"]["verdict"]),
        (&json!("duplicate"), &json!("accepted"))
    );
});

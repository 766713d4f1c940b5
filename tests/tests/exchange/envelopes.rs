//! Faults of a whole request: nothing of it is applied, and what the phone does next works.

use serde_json::{Value, json};
use xiangyi_tests::actor::Phone;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{UNIT, check_in, id, names, with, without};

/// The numbers of records among 1 to 9 that are stored, as their author sees them.
async fn stored(phone: &Phone) -> Vec<u32> {
    let mut there = Vec::new();
    for number in 1..=9 {
        let path = format!("/v1/check-ins/{}?unit={UNIT}", id(number));
        if phone.actor.get(&path).await.status == 200 {
            there.push(number);
        }
    }
    there
}

#[rustfmt::skip]
fn faults() -> Vec<(&'static str, Vec<Value>, u16, &'static str, &'static str)> {
    let good = || check_in(1, 1);
    let tiny = |count: usize| vec![json!({ "n": 1 }); count];
    let wide = |n: u32| with(check_in(n, n), "/body/extra", json!("x".repeat(10_000)));
    let number = |n: Value| vec![good(), with(check_in(2, 2), "/n", n)];
    vec![
        ("10,000 items", tiny(10_000), 413, "too-many-items", "/push/mutations"),
        ("201 items", tiny(201), 413, "too-many-items", "/push/mutations"),
        ("more than 256 KiB", (1..=30).map(wide).collect(), 413, "too-large", "/push/mutations"),
        ("no n", vec![good(), without(check_in(2, 2), "/n")], 422,
         "invalid-envelope", "/push/mutations/1/n"),
        ("n of zero", number(json!(0)), 422, "invalid-envelope", "/push/mutations/1/n"),
        ("n in words", number(json!("two")), 422, "invalid-envelope", "/push/mutations/1/n"),
        ("n below zero", number(json!(-2)), 422, "invalid-envelope", "/push/mutations/1/n"),
        ("no object", vec![good(), json!("check in")], 422,
         "invalid-envelope", "/push/mutations/1/n"),
        ("the same n twice", vec![good(), check_in(1, 2)], 422,
         "invalid-envelope", "/push/mutations/1/n"),
    ]
}

on_both!(a_push_that_cannot_be_answered_changes_nothing, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    for (what, mutations, status, code, pointer) in faults() {
        let reply = phone.try_push(&mutations).await;
        assert_eq!(reply.code(), code, "{what}: {}", reply.text);
        let body = reply.problem(status, code);
        assert_eq!(body["errors"][0]["pointer"], pointer, "{what}");
    }
    let good = check_in(1, 1);
    for (members, code, pointer) in [
        (
            json!({ "protocol": 2 }),
            "unsupported-protocol",
            "/protocol",
        ),
        (json!({ "protocol": "1" }), "invalid-envelope", "/protocol"),
        (
            json!({ "push": { "mutations": {} } }),
            "invalid-envelope",
            "/push/mutations",
        ),
        (
            json!({ "pull": { "max_bytes": -1 } }),
            "invalid-envelope",
            "/pull/max_bytes",
        ),
        (
            json!({ "pull": { "max_bytes": 0 } }),
            "invalid-envelope",
            "/pull/max_bytes",
        ),
        (
            json!({ "push": { "mutations": [good] }, "pull": { "max_bytes": 524_289 } }),
            "invalid-envelope",
            "/pull/max_bytes",
        ),
        (
            json!({ "clock": { "wall_ms": "now" } }),
            "invalid-envelope",
            "/clock/wall_ms",
        ),
    ] {
        let reply = phone.exchange(members).await;
        let body = reply.problem(reply.status.as_u16(), code);
        assert_eq!(body["errors"][0]["pointer"], pointer);
    }
    assert_eq!(stored(&phone).await, [0_u32; 0]);
    // The numbers are not used up.
    assert_eq!(phone.push_one(check_in(1, 1)).await["verdict"], "accepted");
});

on_both!(two_hundred_items_and_a_long_one_are_answered, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let mut batch: Vec<Value> = (1..=200).map(|n| check_in(n, n)).collect();
    batch[99] = with(check_in(100, 100), "/body/extra", json!("x".repeat(17_000)));
    let verdicts = phone.push(&batch).await;
    let accepted = names(&verdicts)
        .iter()
        .filter(|name| **name == "accepted")
        .count();
    assert_eq!(accepted, 199, "{:?}", names(&verdicts));
    assert_eq!(verdicts[99]["verdict"], "invalid", "{}", verdicts[99]);
    let error = &verdicts[99]["errors"][0];
    assert_eq!(
        (&error["pointer"], &error["code"]),
        (&json!(""), &json!("too-long"))
    );
    let order: Vec<i64> = verdicts.iter().filter_map(|v| v["n"].as_i64()).collect();
    assert_eq!(
        order,
        (1..=200).collect::<Vec<i64>>(),
        "in the order of the request"
    );
});

on_both!(a_cursor_is_its_persons_and_whole, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    phone.push_one(check_in(1, 1)).await;
    let cursor = phone.pull(json!({ "cursor": null })).await["cursor"].clone();
    let cursor = cursor.as_str().expect("a cursor").to_owned();
    let other = harness.worker(2).await.phone().await;
    let others = other.pull(json!({ "cursor": null })).await["cursor"].clone();
    let mut altered = cursor.clone().into_bytes();
    altered[6] = if altered[6] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).expect("ASCII");
    let huge = "A".repeat(20_000);
    for (what, bad) in [
        ("empty", ""),
        ("no base64", "*****"),
        ("forged", "AYlAAAAAAAAAAAAAAA"),
        ("cut short", &cursor[..cursor.len() - 4]),
        ("one letter altered", &altered),
        ("longer than any", &huge),
        ("another person's", others.as_str().expect("a cursor")),
    ] {
        let reply = phone.exchange(json!({ "pull": { "cursor": bad } })).await;
        assert_eq!(reply.code(), "cursor-invalid", "{what}: {}", reply.text);
        reply.problem(400, "cursor-invalid");
    }
    // The person's other phone may go on from it.
    let second = phone.actor.phone().await;
    let page = second.pull(json!({ "cursor": cursor })).await;
    assert!(
        page.get("enter").is_none() && page.get("leave").is_none(),
        "{page}"
    );
    // A bad cursor beside a push: the push stands, and is a duplicate when it comes again.
    let push = json!({ "mutations": [check_in(2, 2)] });
    let both = json!({ "push": push, "pull": { "cursor": "x" } });
    phone.exchange(both).await.problem(400, "cursor-invalid");
    let again = phone.push_one(check_in(2, 2)).await;
    assert_eq!(
        (&again["verdict"], &again["was"]["verdict"]),
        (&json!("duplicate"), &json!("accepted"))
    );
});

on_both!(a_forked_phone_registers_again_and_renumbers, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    assert_eq!(phone.push_one(check_in(1, 1)).await["verdict"], "accepted");
    // A copy of the phone's storage gave number 1 to something else.
    let reply = phone.try_push(&[check_in(2, 2), check_in(1, 3)]).await;
    reply.problem(409, "device-forked");
    assert_eq!(stored(&phone).await, [1], "nothing of it was applied");
    let renewed = phone.actor.phone().await;
    let verdicts = renewed
        .push(&[check_in(1, 2), check_in(2, 3), check_in(3, 1)])
        .await;
    assert_eq!(
        names(&verdicts),
        ["accepted", "accepted", "duplicate"],
        "{verdicts:?}"
    );
    assert_eq!(stored(&phone).await, [1, 2, 3]);
    // The old registration is no worse for it.
    assert_eq!(phone.push_one(check_in(4, 4)).await["verdict"], "accepted");
});

on_both!(only_a_phone_of_the_person_may_speak, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let others = harness.worker(2).await.phone().await.device;
    let sessions = phone.actor.signed_in().device.clone();
    for device in [others.as_str(), sessions.as_str(), "d-00000000", ""] {
        let posing = Phone {
            device: device.to_owned(),
            ..phone.clone()
        };
        let reply = posing.try_push(&[check_in(1, 1)]).await;
        reply.problem(403, "device-unknown");
    }
    assert_eq!(stored(&phone).await, [0_u32; 0]);
});

on_both!(
    what_phones_say_of_themselves_never_breaks_the_board,
    |engine| {
        let mut harness = Harness::start(engine).await;
        let worker = harness.worker(1).await;
        for unsent in [
            json!({ "records": i64::MAX, "photos": i64::MAX, "oldest_ms": i64::MAX }),
            json!({ "records": i64::MAX, "photos": 1, "oldest_ms": 1 }),
            json!({ "records": -5, "photos": i64::MIN, "oldest_ms": -1 }),
        ] {
            let phone = worker.phone().await;
            phone
                .exchange(json!({ "unsent": unsent, "pull": {} }))
                .await
                .good();
        }
        harness
            .app
            .heard
            .write(&harness.app.db)
            .await
            .expect("written");
        let today = harness
            .hub()
            .await
            .get("/v1/today?unit=430121")
            .await
            .good();
        let waiting = today.to_string().contains("2000000");
        assert!(waiting, "a million is believed of each: {today}");
        harness.stop().await;
    }
);

//! Merging: does somebody who was entered twice become one, with rights, clients, places and what
//! still waits on a phone, and can nobody use it to get what is not theirs?

mod after;

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_proto::role::Role;
use xiangyi_server::clock::Clock;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::phone::{Handset, ROUNDS_MAX};
use xiangyi_server::store::people::{self, NewGrant};
use xiangyi_server::store::webhooks::{self, Webhook};
use xiangyi_server::whole;
use xiangyi_tests::actor::{Actor, PASSWORD, send};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

const UNIT: &str = "430121001";
const COUNTY: &str = "430121";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const CLIENT: &str = "01920000-0000-7000-8000-00000000e101";
const VISIT: &str = "01920000-0000-7000-8000-00000000e102";
const ACTIVITY: &str = "01920000-0000-7000-8000-00000000e103";

async fn post(who: &Actor, path: &str, key: &str, body: Value) -> Value {
    let request = who.request(Method::POST, path);
    send(request.header("idempotency-key", key).json(&body))
        .await
        .good()
}

fn merge(from: &str, into: &str) -> Value {
    json!({ "what": "person", "person": from, "into": into, "reason": "登记了两次" })
}

/// Worker 1 has a client with a visit.
async fn served(harness: &Harness) {
    let worker = harness.worker(1).await;
    let card = json!({ "unit": UNIT, "id": CLIENT, "body": {
        "name": "谭某", "village": "430121001001", "categories": ["独居老人"] } });
    post(&worker, "/v1/clients", "a", card).await;
    let visit = json!({ "unit": UNIT, "id": VISIT, "body": { "client": CLIENT,
        "started_at": START - 2 * HOUR, "ended_at": START - HOUR, "services": ["ec_visit"],
        "process": "陪老人说话，叮嘱按时吃药。", "result": "情绪平稳",
        "outcome": { "kind": "served" } } });
    post(&worker, "/v1/visits", "b", visit).await;
}

/// An activity of the leader with a place in each of so many sessions.
async fn activity(harness: &Harness, sessions: i64) {
    let session = |n: i64| {
        json!({ "session": n, "starts_at": START + 48 * n * HOUR,
            "ends_at": START + (48 * n + 2) * HOUR,
            "roles": [{ "role": "helper", "capacity": 1 }] })
    };
    let sessions: Vec<Value> = (1..=sessions).map(session).collect();
    let body = json!({ "unit": COUNTY, "id": ACTIVITY, "body": { "title": "陪老人过节",
        "type": "elder_company", "insured": true, "sessions": sessions } });
    post(&harness.organiser().await, "/v1/activities", "a", body).await;
}

/// Signs a volunteer up; the sign-up's id.
async fn joined(harness: &Harness, volunteer: u32, session: i64) -> String {
    let who = harness.volunteer(volunteer).await;
    let body = json!({ "unit": COUNTY, "body": { "activity": ACTIVITY, "session": session,
        "role": "helper", "want": "join" } });
    let made = post(&who, "/v1/sign-ups", &format!("s{session}"), body).await;
    made["id"].as_str().expect("an id").to_owned()
}

async fn sign_up(who: &Actor, id: &str) -> Value {
    let row = who.get(&format!("/v1/sign-ups/{id}?unit={COUNTY}")).await;
    row.json()["body"]["derived"]["state"].clone()
}

on_both!(a_duplicate_becomes_the_person, |engine| {
    let harness = Harness::start(engine).await;
    served(&harness).await;
    let duplicate = harness.worker(1).await;
    let worker = harness.worker(3).await;
    let phone = worker.phone().await;
    let first = phone.pull(json!({ "cursor": null })).await;
    harness.clock.set(START + 10_000);
    let hub = harness.hub().await;
    let mut ask = merge("p-worker-01", "p-worker-03");
    ask["dry_run"] = json!(true);
    let trial = hub.post("/v1/moves", &ask).await.good();
    let counts = [
        ("grants_ended", 1),
        ("grants_given", 1),
        ("clients", 1),
        ("visits", 1),
        ("merged_already", 0),
    ];
    for (what, count) in counts {
        assert_eq!(trial["moved"][what], count, "{what}: {trial}");
    }
    duplicate.get("/v1/me").await.good();
    let card = format!("/v1/clients/{CLIENT}?unit={UNIT}");
    worker.get(&card).await.problem(404, "not-found");

    ask["dry_run"] = json!(false);
    let done = hub.post("/v1/moves", &ask).await.good();
    assert_eq!(done["moved"], trial["moved"], "a trial tells what comes");
    duplicate.get("/v1/me").await.problem(401, "unauthorized");
    let card = worker.get(&card).await.good();
    assert_eq!(card["author"], "p-worker-01", "what was written stays");
    let workers = &card["body"]["workers"];
    assert_eq!(workers[0]["to"], workers[1]["from"], "{workers}");
    assert_eq!(workers[1]["reason"], "登记了两次");
    let visit = worker.get(&format!("/v1/visits/{VISIT}?unit={UNIT}")).await;
    assert_eq!(visit.good()["author"], "p-worker-01");
    assert!(visit.text.contains("叮嘱"), "{}", visit.text);
    let pulled = phone.pull(json!({ "cursor": first["cursor"] })).await;
    let text = pulled.to_string();
    assert!(text.contains("station:430121001"), "it enters: {text}");
    assert!(text.contains(CLIENT) && text.contains(VISIT), "{text}");

    // The old number is another way in to the same person, and to no other.
    let again = harness.worker(1).await;
    assert_eq!(again.signed_in().person.id, "p-worker-03");
    assert_eq!(again.signed_in().person.formerly, ["p-worker-01"]);
    assert!(worker.signed_in().person.formerly.is_empty());
    let again = hub.post("/v1/moves", &ask).await.good();
    assert_eq!(again["moved"]["merged_already"], 1, "{again}");
    for (what, _) in &counts[..4] {
        assert_eq!(again["moved"][what], 0, "{what}: {again}");
    }
    let after = phone.pull(json!({ "cursor": pulled["cursor"] })).await;
    assert!(after.get("changes").is_none(), "{after}");
});

on_both!(places_of_a_duplicate_follow_or_are_left, |engine| {
    let harness = Harness::start(engine).await;
    activity(&harness, 3).await;
    // Both are there; only the duplicate; both wait behind a third.
    let twice = joined(&harness, 1, 1).await;
    let own = joined(&harness, 2, 1).await;
    let alone = joined(&harness, 1, 2).await;
    let third = joined(&harness, 3, 3).await;
    let waits = joined(&harness, 1, 3).await;
    let behind = joined(&harness, 4, 2).await;
    let hub = harness.hub().await;
    let ask = merge("p-volunteer-01", "p-volunteer-02");
    let moved = hub.post("/v1/moves", &ask).await.good()["moved"].clone();
    assert_eq!(
        (&moved["places"], &moved["places_left"]),
        (&json!(2), &json!(1)),
        "{moved}"
    );
    let person = harness.volunteer(2).await;
    assert_eq!(
        sign_up(&person, &own).await,
        "confirmed",
        "the place is one of theirs"
    );
    assert_eq!(sign_up(&person, &twice).await, Value::Null);
    assert_eq!(sign_up(&person, &alone).await, "confirmed");
    assert_eq!(sign_up(&person, &waits).await, "waiting");
    let leader = harness.organiser().await;
    let row = leader
        .get(&format!("/v1/sign-ups/{alone}?unit={COUNTY}"))
        .await;
    assert_eq!(row.good()["author"], "p-volunteer-02");
    let row = leader
        .get(&format!("/v1/activities/{ACTIVITY}?unit={COUNTY}"))
        .await;
    let slots = row.good()["body"]["derived"]["slots"].clone();
    let confirmed = |n: usize| slots[n]["confirmed"].clone();
    assert_eq!(
        [confirmed(0), confirmed(1), confirmed(2)],
        [json!(1), json!(1), json!(1)]
    );
    // The place is theirs to leave, once, and goes on by rank; so does the line's.
    let leave = |id: &str| {
        json!({ "unit": COUNTY, "id": id,
        "body": { "want": "leave", "reason": "临时有事" } })
    };
    post(&person, "/v1/sign-ups", "l", leave(&alone)).await;
    assert_eq!(
        sign_up(&harness.volunteer(4).await, &behind).await,
        "offered"
    );
    post(
        &harness.volunteer(3).await,
        "/v1/sign-ups",
        "l",
        leave(&third),
    )
    .await;
    assert_eq!(sign_up(&person, &waits).await, "offered");
    // A second place of the same session is one too many.
    let join = json!({ "unit": COUNTY, "body": { "activity": ACTIVITY, "session": 3,
        "role": "helper", "want": "join" } });
    let request = person.request(Method::POST, "/v1/sign-ups");
    let reply = send(request.header("idempotency-key", "x").json(&join)).await;
    assert!(reply.text.contains("already-signed-up"), "{}", reply.text);
});

on_both!(a_place_at_a_time_that_is_taken_is_left, |engine| {
    let harness = Harness::start(engine).await;
    activity(&harness, 1).await;
    let there = joined(&harness, 1, 1).await;
    let other = "01920000-0000-7000-8000-00000000e104";
    let sessions = json!([{ "session": 1, "starts_at": START + 49 * HOUR,
        "ends_at": START + 51 * HOUR, "roles": [{ "role": "helper", "capacity": 5 }] }]);
    let body = json!({ "unit": COUNTY, "id": other, "body": { "title": "理发",
        "type": "elder_company", "insured": true, "sessions": sessions } });
    post(&harness.organiser().await, "/v1/activities", "b", body).await;
    let person = harness.volunteer(2).await;
    let join = json!({ "unit": COUNTY, "body": { "activity": other, "session": 1,
        "role": "helper", "want": "join" } });
    post(&person, "/v1/sign-ups", "o", join).await;
    let waits = joined(&harness, 3, 1).await;
    let ask = merge("p-volunteer-01", "p-volunteer-02");
    let moved = harness.hub().await.post("/v1/moves", &ask).await.good();
    assert_eq!(moved["moved"]["places_left"], 1, "{moved}");
    assert_eq!(sign_up(&person, &there).await, Value::Null);
    assert_eq!(
        sign_up(&harness.volunteer(3).await, &waits).await,
        "offered"
    );
});

on_both!(what_a_duplicate_leads_is_led_on, |engine| {
    let harness = Harness::start(engine).await;
    activity(&harness, 1).await;
    let place = joined(&harness, 1, 1).await;
    let worker = harness.worker(1).await;
    assert_eq!(sign_up(&worker, &place).await, Value::Null);
    let ask = merge("p-leader-1", "p-worker-01");
    let moved = harness.hub().await.post("/v1/moves", &ask).await.good();
    assert_eq!(moved["moved"]["led"], 1, "{moved}");
    assert_eq!(
        sign_up(&worker, &place).await,
        "confirmed",
        "who comes is seen"
    );
    let path = format!("/v1/activities/{ACTIVITY}?unit={COUNTY}");
    let row = worker.get(&path).await.good();
    let patch = json!({ "unit": COUNTY, "base": row["rev"], "set": { "/title": "重阳节" } });
    let request = worker.request(Method::PATCH, &format!("/v1/activities/{ACTIVITY}"));
    send(request.header("idempotency-key", "p").json(&patch))
        .await
        .good();
    let later = joined(&harness, 2, 1).await;
    assert_eq!(sign_up(&worker, &later).await, "waiting");
});

on_both!(what_waits_on_a_duplicates_phone_is_not_lost, |engine| {
    let harness = Harness::start(engine).await;
    let check_in = |n: i64| {
        json!({ "n": n, "op": "create", "kind": "check_in", "unit": UNIT,
            "id": format!("01920000-0000-7000-8000-00000000e2{n:02}"), "occurred_at": START - n * HOUR,
            "body": { "purpose": "visit", "phase": "in", "no_fix_reason": "屋里没有信号",
                "place": { "kind": "home", "village": "430121001001" } } })
    };
    let mut phone = harness.worker(1).await.phone().await;
    assert_eq!(phone.push_one(check_in(1)).await["verdict"], "accepted");
    let ask = merge("p-worker-01", "p-worker-02");
    let moved = harness.hub().await.post("/v1/moves", &ask).await.good();
    assert_eq!(moved["moved"]["phones"], 1, "{moved}");
    let sent = json!({ "mutations": [check_in(2), check_in(1)], "saved_below": 0 });
    phone
        .exchange(json!({ "push": sent }))
        .await
        .problem(401, "unauthorized");
    // Nobody else speaks for it, and it pulls nothing.
    phone.actor = harness.worker(3).await;
    phone
        .exchange(json!({ "push": sent }))
        .await
        .problem(403, "device-unknown");
    phone.actor = harness.worker(1).await;
    let pull = json!({ "pull": { "cursor": null } });
    phone.exchange(pull).await.problem(403, "device-revoked");
    let answer = phone.exchange(json!({ "push": sent })).await.good();
    let verdicts = &answer["push"]["verdicts"];
    assert_eq!(verdicts[0]["verdict"], "held", "{verdicts}");
    assert_eq!(verdicts[0]["rule"]["id"], "device-revoked");
    assert_eq!(verdicts[1]["verdict"], "duplicate");
    let held = "01920000-0000-7000-8000-00000000e202";
    let release = json!({ "unit": COUNTY, "body": { "record": held, "decision": "release",
        "reason": "本人" } });
    let items = harness
        .reviewer(1)
        .await
        .get("/v1/held?unit=430121001")
        .await
        .good();
    let item = items["records"][0]["id"].as_str().expect("held").to_owned();
    let mut release = release;
    release["body"]["record"] = json!(item);
    post(&harness.reviewer(1).await, "/v1/reviews", "r", release).await;
    let row = harness
        .worker(2)
        .await
        .get(&format!("/v1/check-ins/{held}?unit={UNIT}"))
        .await;
    assert_eq!(row.good()["author"], "p-worker-02");
});

on_both!(the_phone_of_a_duplicate_hands_over_and_goes_on, |engine| {
    let harness = Harness::with_clock(engine, Clock::system()).await;
    let folder = Scratch::new("phone");
    let open = Handset::open(
        folder.path(),
        Some(harness.base()),
        Clock::system(),
        Entropy::system(),
    );
    let mut phone = open.await.expect("opens");
    phone
        .sign_in("13800000001", PASSWORD, None)
        .await
        .expect("signs in");
    phone.sync(ROUNDS_MAX).await.expect("syncs");
    let action = json!({ "do": "check-in", "village": "430121001001" });
    let action = serde_json::from_value(action).expect("an action");
    phone.act(&action, phone.now()).await.expect("is kept");
    let ask = merge("p-worker-01", "p-worker-02");
    harness.hub().await.post("/v1/moves", &ask).await.good();
    assert!(phone.sync(ROUNDS_MAX).await.is_err(), "it has to sign in");
    assert_eq!(phone.waiting(), 1);
    let device = phone.state().device.clone();
    phone
        .sign_in("13800000001", PASSWORD, None)
        .await
        .expect("as who they are");
    assert_eq!(
        phone.person().map(|own| own.id.as_str()),
        Some("p-worker-02")
    );
    assert_eq!(
        phone.state().device,
        device,
        "what waits goes by its old name"
    );
    phone.sync(ROUNDS_MAX).await.expect("hands over");
    assert_eq!(phone.waiting(), 0);
    assert_eq!(phone.state().device, device, "it went by its old name");
    phone.sync(ROUNDS_MAX).await.expect("goes on");
    assert_ne!(phone.state().device, device);
    assert!(phone.state().cursor.is_some(), "it pulls again");
});

on_both!(a_merge_that_does_not_fit_is_refused, |engine| {
    let harness = Harness::start(engine).await;
    let hub = harness.hub().await;
    let refused = async |ask: Value, pointer: &str, code: &str| {
        let reply = hub.post("/v1/moves", &ask).await;
        reply.problem(422, "invalid-envelope");
        let fits = reply.text.contains(pointer) && reply.text.contains(code);
        assert!(fits, "{ask}: {}", reply.text);
    };
    refused(merge("p-worker-01", "p-worker-01"), "/into", "same-person").await;
    let mut silent = merge("p-worker-01", "p-worker-02");
    silent["reason"] = json!("  ");
    refused(silent, "/reason", "required").await;
    let hidden = [
        ("p-nobody", "p-worker-01"),
        ("p-worker-01", "p-nobody"),
        ("p-liuyang-worker", "p-worker-01"),
        ("p-worker-01", "p-liuyang-worker"),
        // Whoever could merge a reviewer could become one.
        ("p-reviewer-1", "p-worker-01"),
        ("p-worker-01", "p-reviewer-1"),
        ("p-worker-01", "p-officer-1"),
    ];
    for (from, into) in hidden {
        hub.post("/v1/moves", &merge(from, into))
            .await
            .problem(404, "not-found");
    }
    let ask = merge("p-worker-01", "p-worker-02");
    for who in [
        harness.stranger_hub().await,
        harness.lead().await,
        harness.worker(1).await,
    ] {
        who.post("/v1/moves", &ask).await.problem(404, "not-found");
    }
    hub.post("/v1/moves", &ask).await.good();
    refused(
        merge("p-worker-01", "p-worker-03"),
        "/person",
        "merged-already",
    )
    .await;
    refused(
        merge("p-worker-02", "p-worker-01"),
        "/into",
        "merged-already",
    )
    .await;
    // Whom others were merged into may be merged too, and they go with them.
    hub.post("/v1/moves", &merge("p-worker-02", "p-worker-03"))
        .await
        .good();
    let now = harness.worker(1).await;
    assert_eq!(now.signed_in().person.id, "p-worker-03");
    assert_eq!(now.signed_in().person.formerly.len(), 2);
    refused(
        merge("p-worker-03", "p-worker-01"),
        "/into",
        "merged-already",
    )
    .await;
});

on_both!(a_merge_writes_into_no_county_without_a_right, |engine| {
    let harness = Harness::start(engine).await;
    let hub = harness.hub().await;
    let grant = |person: &str, to_at: Option<i64>| NewGrant {
        id: format!("g-{person}"),
        person: person.to_owned(),
        role: Role::Worker,
        unit: "430181001".to_owned(),
        from_at: 0,
        to_at,
    };
    // One had a role elsewhere once, the other has nothing but a mailbox there.
    let mut tx = harness.app.db.write().await.expect("begin");
    let once = grant("p-worker-01", Some(START - DAY));
    people::grant(&mut tx, &once).await.expect("given");
    tx.commit().await.expect("commit");
    whole::tell_give(&harness.app, &grant("p-worker-02", Some(START - DAY))).await;
    for from in ["p-worker-01", "p-worker-02"] {
        let ask = merge(from, "p-worker-03");
        hub.post("/v1/moves", &ask).await.problem(404, "not-found");
    }
    assert_eq!(harness.worker(1).await.signed_in().person.id, "p-worker-01");
    // Where the person they become was, nothing is written.
    let ask = merge("p-worker-03", "p-worker-01");
    hub.post("/v1/moves", &ask).await.good();
});

on_both!(a_confirmed_place_is_not_lost_to_the_line, |engine| {
    let harness = Harness::start(engine).await;
    activity(&harness, 1).await;
    let confirmed = joined(&harness, 1, 1).await;
    let first = joined(&harness, 3, 1).await;
    let behind = joined(&harness, 2, 1).await;
    let ask = merge("p-volunteer-01", "p-volunteer-02");
    let moved = harness.hub().await.post("/v1/moves", &ask).await.good();
    assert_eq!(moved["moved"]["places_left"], 1, "{moved}");
    let person = harness.volunteer(2).await;
    assert_eq!(sign_up(&person, &confirmed).await, Value::Null);
    assert_eq!(sign_up(&person, &behind).await, "confirmed");
    let third = harness.volunteer(3).await;
    assert_eq!(sign_up(&third, &first).await, "waiting");
});

on_both!(what_is_over_stays_as_it_was, |engine| {
    let harness = Harness::start(engine).await;
    activity(&harness, 2).await;
    let was_there = joined(&harness, 1, 1).await;
    let comes = joined(&harness, 1, 2).await;
    let waited = joined(&harness, 2, 1).await;
    harness.clock.set(START + 50 * HOUR);
    let leader = harness.organiser().await;
    let read = async |id: &str| {
        let path = format!("/v1/sign-ups/{id}?unit={COUNTY}");
        leader.get(&path).await.good()
    };
    let before = (read(&was_there).await, read(&waited).await);
    let ask = merge("p-volunteer-01", "p-volunteer-02");
    let moved = harness.hub().await.post("/v1/moves", &ask).await.good();
    assert_eq!(moved["moved"]["places"], 1, "{moved}");
    assert_eq!((read(&was_there).await, read(&waited).await), before);
    assert_eq!(read(&comes).await["author"], "p-volunteer-02");
});

on_both!(webhooks_go_on_and_what_stays_is_counted, |engine| {
    let harness = Harness::start(engine).await;
    let hook = Webhook {
        id: "w-1".to_owned(),
        shard: 430_121,
        stream: "vault:430121".to_owned(),
        url: "https://example.org/".to_owned(),
        secret: vec![1],
        made_by: "p-worker-01".to_owned(),
        made_at: START,
        state: "active".to_owned(),
        position: 0,
        tries: 0,
        due_at: i64::MAX,
        fault: None,
        head: 0,
    };
    let mut tx = harness.app.db.write().await.expect("begin");
    webhooks::add(&mut tx, &hook).await.expect("added");
    tx.commit().await.expect("commit");
    let phone = harness.worker(1).await.phone().await;
    let visit = json!({ "n": 1, "op": "create", "kind": "visit", "unit": UNIT, "id": VISIT,
        "body": { "client": CLIENT, "started_at": START - 2 * HOUR, "ended_at": START - HOUR,
        "services": ["ec_visit"], "process": "陪老人说话", "result": "平稳",
        "outcome": { "kind": "served" } } });
    assert_eq!(phone.push_one(visit).await["verdict"], "held");
    let ask = merge("p-worker-01", "p-worker-03");
    let moved = harness.hub().await.post("/v1/moves", &ask).await.good();
    assert_eq!(moved["moved"]["webhooks"], 1, "{moved}");
    assert_eq!(moved["moved"]["held_stay"], 1, "{moved}");
    let mut tx = harness.app.db.read().await.expect("begin");
    let hook = webhooks::by_id(&mut tx, "w-1").await.expect("read");
    assert_eq!(hook.expect("it is there").made_by, "p-worker-03");
});

//! WeChat against the fake that was made from its documentation: signing in, binding, the token,
//! and one message a consent, whatever goes wrong on the way.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::query_scalar;
use xiangyi_proto::account::SignedIn;
use xiangyi_server::clock::Clock;
use xiangyi_server::config::Config;
use xiangyi_server::on;
use xiangyi_server::store::wechat::{again, parked};
use xiangyi_server::wechat::messages::send_due;
use xiangyi_tests::actor::{Actor, PASSWORD, Reply};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;
use xiangyi_tests::wechat::{
    APP_ID, CODE2SESSION, Delivered, Fault, PHONE, SECRET, SEND, STABLE_TOKEN, Wechat,
};

const WORKER: &str = "13800000001";
const TEMPLATE: &str = "tmpl-offer-0001";
const HOUR: i64 = 3_600_000;

/// A server with a mini-program, both by one clock.
async fn station(engine: Engine) -> (Harness, Wechat) {
    let clock = Clock::fixed(START);
    let wechat = Wechat::with_clock(clock.clone()).await;
    wechat.template(TEMPLATE, &["thing1", "time2", "time3", "thing4"]);
    wechat.publish("pages/places/index");
    let base = wechat.base().to_owned();
    let set = move |config: &mut Config| {
        config.wechat.app_id = Some(APP_ID.to_owned());
        config.wechat.app_secret = Some(SECRET.to_owned());
        config.wechat.base_url = base;
        let offer = json!({ "id": TEMPLATE, "page": "pages/places/index", "fields": {
            "thing1": "activity", "time2": "starts_at", "time3": "accept_by",
            "thing4": "next" } });
        config.wechat.offer = serde_json::from_value(offer).expect("a template");
    };
    (Harness::with_settings_at(engine, clock, set).await, wechat)
}

async fn sign_in(harness: &Harness, ask: Value) -> Reply {
    harness.nobody().post("/v1/sessions/wechat", &ask).await
}

on_both!(a_merged_entry_takes_its_user_along, |engine| {
    let (harness, wechat) = station(engine).await;
    let bind = async |openid: &str, telephone: &str| {
        let phone = wechat.issue_phone_code(telephone);
        let ask = json!({ "code": wechat.issue_code(openid), "phone_code": phone });
        sign_in(&harness, ask).await.good()
    };
    let bare = |openid: &str| json!({ "code": wechat.issue_code(openid) });
    bind("o-one", WORKER).await;
    bind("o-three", "13800000003").await;
    let hub = harness.hub().await;
    let merge = |from: &str, into: &str| {
        json!({ "what": "person", "person": from, "into": into,
            "reason": "登记了两次" })
    };
    let ask = merge("p-worker-01", "p-worker-02");
    let moved = hub.post("/v1/moves", &ask).await.good();
    assert_eq!(moved["moved"]["wechat"], 1, "{moved}");
    let person = sign_in(&harness, bare("o-one")).await.good()["person"].clone();
    assert_eq!(person["id"], "p-worker-02");
    // Who has one already keeps it; the other is nobody's.
    let ask = merge("p-worker-03", "p-worker-02");
    let moved = hub.post("/v1/moves", &ask).await.good();
    assert_eq!(moved["moved"]["wechat"], 0, "{moved}");
    let other = sign_in(&harness, bare("o-three")).await;
    other.problem(403, "wechat-unbound");
    let person = sign_in(&harness, bare("o-one")).await.good()["person"].clone();
    assert_eq!(person["id"], "p-worker-02");
});

on_both!(a_user_is_bound_once_and_signs_in_by_one_tap, |engine| {
    let (harness, wechat) = station(engine).await;
    let bare = json!({ "code": wechat.issue_code("o-one") });
    sign_in(&harness, bare).await.problem(403, "wechat-unbound");
    let phone = wechat.issue_phone_code(WORKER);
    let ask = json!({ "code": wechat.issue_code("o-one"), "phone_code": phone });
    let first = sign_in(&harness, ask).await.good();
    assert_eq!(first["person"]["id"], "p-worker-01");
    let code = wechat.issue_code("o-one");
    let second = sign_in(&harness, json!({ "code": code })).await.good();
    assert_eq!(second["person"]["id"], "p-worker-01");
    let session: SignedIn = serde_json::from_value(second).expect("a session");
    let worker = harness.nobody().with(session);
    worker.get("/v1/me").await.good();
    // A code is good once.
    sign_in(&harness, json!({ "code": code }))
        .await
        .problem(401, "wechat-code");
    sign_in(&harness, json!({ "code": "made-up" }))
        .await
        .problem(401, "wechat-code");
    // Another's WeChat does not become this person by the same telephone.
    let phone = wechat.issue_phone_code(WORKER);
    let other = json!({ "code": wechat.issue_code("o-two"), "phone_code": phone });
    sign_in(&harness, other).await.problem(409, "wechat-bound");
    assert_eq!(
        worker.call(Method::DELETE, "/v1/me/wechat").await.status,
        204
    );
    let bare = json!({ "code": wechat.issue_code("o-one") });
    sign_in(&harness, bare).await.problem(403, "wechat-unbound");
});

on_both!(who_is_signed_in_binds_their_own_wechat, |engine| {
    let (harness, wechat) = station(engine).await;
    let (one, two) = (harness.worker(1).await, harness.worker(2).await);
    let code = |openid: &str| json!({ "code": wechat.issue_code(openid) });
    let bind = |openid: &str| json!({ "code": wechat.issue_code(openid), "password": PASSWORD });
    let bound = one.post("/v1/me/wechat", &bind("o-one")).await;
    assert_eq!(bound.status, 204, "{}", bound.text);
    assert_eq!(
        one.post("/v1/me/wechat", &bind("o-one")).await.status,
        204,
        "again"
    );
    two.post("/v1/me/wechat", &bind("o-one"))
        .await
        .problem(409, "wechat-bound");
    one.post("/v1/me/wechat", &bind("o-new"))
        .await
        .problem(409, "wechat-bound");
    let stolen = json!({ "code": wechat.issue_code("o-six"), "password": "wrong" });
    two.post("/v1/me/wechat", &stolen)
        .await
        .problem(401, "sign-in-failed");
    let signed = sign_in(&harness, code("o-one")).await.good();
    assert_eq!(signed["person"]["id"], "p-worker-01");
    // Another password ends it: whoever bound it may not have been the person.
    let change = json!({ "password": PASSWORD, "new_password": "tulip-wagon-42" });
    assert_eq!(one.post("/v1/me/password", &change).await.status, 204);
    sign_in(&harness, code("o-one"))
        .await
        .problem(403, "wechat-unbound");
    two.call(Method::DELETE, "/v1/me/wechat")
        .await
        .problem(404, "not-found");
    let abroad = wechat.issue_phone_code_abroad("852", "51234567");
    let ask = json!({ "code": wechat.issue_code("o-three"), "phone_code": abroad });
    sign_in(&harness, ask).await.problem(401, "wechat-code");
    let nobody = wechat.issue_phone_code("13811112222");
    let ask = json!({ "code": wechat.issue_code("o-three"), "phone_code": nobody });
    sign_in(&harness, ask).await.problem(403, "wechat-unbound");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_wechat_does_wrong_is_told_and_passes() {
    let (harness, wechat) = station(Engine::Sqlite).await;
    let bound = json!({ "code": wechat.issue_code("o-one"), "password": PASSWORD });
    harness.worker(1).await.post("/v1/me/wechat", &bound).await;
    for (fault, status, code) in [
        (Fault::Html(200), 503, "wechat-silent"),
        (Fault::Html(502), 503, "wechat-silent"),
        (Fault::Hangup, 503, "wechat-silent"),
        (Fault::BusyCode, 503, "wechat-silent"),
        (Fault::Limit(45_011), 503, "wechat-silent"),
        (Fault::NotJson, 503, "wechat-silent"),
        (Fault::Truncated, 503, "wechat-silent"),
        (Fault::Blocked, 403, "wechat-blocked"),
        (Fault::Component, 500, "server-fault"),
        (Fault::NotListed, 500, "server-fault"),
    ] {
        let told = format!("{fault:?}");
        wechat.misbehave(CODE2SESSION, fault, 1);
        let reply = sign_in(&harness, json!({ "code": wechat.issue_code("o-one") })).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (status, code),
            "{told}"
        );
        for secret in [SECRET, "o-one", APP_ID] {
            assert!(!reply.text.contains(secret), "{told}: {}", reply.text);
        }
        let reply = sign_in(&harness, json!({ "code": wechat.issue_code("o-one") })).await;
        reply.good();
    }
    for fault in [Fault::PlainText, Fault::Bare] {
        wechat.misbehave(CODE2SESSION, fault, 1);
        sign_in(&harness, json!({ "code": wechat.issue_code("o-one") }))
            .await
            .good();
    }
}

/// Asks for the number behind a fresh code.
async fn by_number(harness: &Harness, wechat: &Wechat, openid: &str) -> Reply {
    let phone = wechat.issue_phone_code("13811112222");
    let ask = json!({ "code": wechat.issue_code(openid), "phone_code": phone });
    sign_in(harness, ask).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_has_one_owner_and_never_makes_a_loop() {
    let (harness, wechat) = station(Engine::Sqlite).await;
    let names: Vec<String> = (0..10).map(|n| format!("o-{n}")).collect();
    let asked = names.iter().map(|name| by_number(&harness, &wechat, name));
    for reply in futures::future::join_all(asked).await {
        reply.problem(403, "wechat-unbound");
    }
    assert_eq!(wechat.calls(STABLE_TOKEN), 1, "ten at once ask for it once");
    // Renewed before it ends.
    harness.clock.advance(114 * 60_000);
    by_number(&harness, &wechat, "o-1")
        .await
        .problem(403, "wechat-unbound");
    assert_eq!(wechat.calls(STABLE_TOKEN), 1);
    harness.clock.advance(2 * 60_000);
    by_number(&harness, &wechat, "o-1")
        .await
        .problem(403, "wechat-unbound");
    assert_eq!((wechat.calls(STABLE_TOKEN), wechat.tokens_made()), (2, 2));
    // Somebody else made the token worthless: what WeChat gives now is taken.
    wechat.take_over();
    by_number(&harness, &wechat, "o-1")
        .await
        .problem(403, "wechat-unbound");
    assert_eq!(wechat.calls(STABLE_TOKEN), 3);
    // WeChat refuses whatever it gives.
    wechat.misbehave(PHONE, Fault::TokenInvalid, 1_000);
    let (tokens, calls) = (wechat.calls(STABLE_TOKEN), wechat.calls(PHONE));
    for _ in 0..20 {
        by_number(&harness, &wechat, "o-1")
            .await
            .problem(503, "wechat-silent");
        harness.clock.advance(6_000);
    }
    let (tokens, calls) = (
        wechat.calls(STABLE_TOKEN) - tokens,
        wechat.calls(PHONE) - calls,
    );
    assert!(
        tokens <= 21 && calls <= 40,
        "{tokens} tokens for {calls} calls"
    );
    let forced = wechat.seen(STABLE_TOKEN);
    let forced = forced
        .iter()
        .filter(|seen| seen.body["force_refresh"] == true);
    assert!(forced.count() <= 1, "twenty a day are allowed");
    wechat.calm(PHONE);
    harness.clock.advance(HOUR);
    by_number(&harness, &wechat, "o-1")
        .await
        .problem(403, "wechat-unbound");
}

async fn write(actor: &Actor, path: &str, key: &str, body: &Value) -> Value {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    actor
        .post_raw(path, &headers, body.to_string())
        .await
        .good()
}

/// An activity with one place, taken by the first volunteer; the second waits, bound as `o-two`.
async fn full(harness: &Harness, wechat: &Wechat) -> (Actor, Actor, String) {
    let activity = "01920000-0000-7000-8000-00000000d006";
    let body = json!({ "unit": "430121", "id": activity, "body": {
        "title": "重阳节陪伴老人吃团圆饭、理发和量血压的一天", "type": "elder_company",
        "insured": true, "sessions": [
            { "session": 1, "starts_at": START + 48 * HOUR, "ends_at": START + 50 * HOUR,
              "roles": [{ "role": "helper", "capacity": 1 }] } ] } });
    write(&harness.organiser().await, "/v1/activities", "a", &body).await;
    let (one, two) = (harness.volunteer(1).await, harness.volunteer(2).await);
    let code = json!({ "code": wechat.issue_code("o-two"), "password": PASSWORD });
    assert_eq!(two.post("/v1/me/wechat", &code).await.status, 204);
    let join = json!({ "unit": "430121", "body": {
        "activity": activity, "session": 1, "role": "helper", "want": "join" } });
    let first = write(&one, "/v1/sign-ups", "a", &join).await;
    write(&two, "/v1/sign-ups", "a", &join).await;
    (one, two, first["id"].as_str().expect("an id").to_owned())
}

async fn leave(one: &Actor, id: &str) {
    let leave = json!({ "unit": "430121", "id": id,
                        "body": { "want": "leave", "reason": "临时有事" } });
    write(one, "/v1/sign-ups", "b", &leave).await;
}

/// The volunteer taps "allow once", in WeChat and then here.
async fn allow(wechat: &Wechat, two: &Actor) -> Value {
    wechat.give_credit("o-two", TEMPLATE);
    let consent = json!({ "what": "offer" });
    two.post("/v1/me/messages", &consent).await.good()["credits"].clone()
}

/// Waits until so many messages were delivered: a call that came in is not carried out yet.
async fn delivered(wechat: &Wechat, count: usize) -> Vec<Delivered> {
    loop {
        let told = wechat.delivered();
        if told.len() >= count {
            return told;
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until the outbox is empty.
async fn none_left(harness: &Harness) {
    loop {
        let mut tx = harness.app.db.read().await.expect("begin");
        let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM message";
        let count: i64 = on!(&mut tx, |c| query_scalar(sql).fetch_one(c).await).expect("counted");
        if count == 0 {
            return;
        }
        drop(tx);
        tokio::task::yield_now().await;
    }
}

/// Sends until nothing is left to be done now.
async fn settle(harness: &Harness) {
    while send_due(&harness.app).await.expect("the outbox is read") > 0 {}
}

/// Waits until the outbox says that its one message is to be tried again in so long.
async fn again_in(harness: &Harness, ms: i64) {
    let due = harness.clock.now() + ms;
    loop {
        let mut tx = harness.app.db.read().await.expect("begin");
        let sql = "SELECT due_at FROM message WHERE fault IS NOT NULL";
        let at: Option<i64> = on!(&mut tx, |c| query_scalar(sql).fetch_optional(c).await)
            .expect("the outbox is read");
        if at == Some(due) {
            return;
        }
        drop(tx);
        tokio::task::yield_now().await;
    }
}

on_both!(an_offered_place_is_told_once_for_one_consent, |engine| {
    let (harness, wechat) = station(engine).await;
    let (one, two, id) = full(&harness, &wechat).await;
    assert_eq!(allow(&wechat, &two).await, 1);
    leave(&one, &id).await;
    wechat.called(SEND, 1).await;
    settle(&harness).await;
    let told = delivered(&wechat, 1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].openid.as_str(), told[0].template.as_str()),
        ("o-two", TEMPLATE)
    );
    assert_eq!(told[0].data["time2"], "2026年1月17日 10:00");
    assert!(
        told[0].data["thing1"].starts_with("重阳节陪伴老人"),
        "{told:?}"
    );
    assert_eq!(wechat.credit("o-two", TEMPLATE), 0);
    let unknown = two
        .post("/v1/me/messages", &json!({ "what": "advert" }))
        .await;
    unknown.problem(422, "invalid-envelope");
});

on_both!(nobody_is_told_who_did_not_ask, |engine| {
    let (harness, wechat) = station(engine).await;
    let (one, two, id) = full(&harness, &wechat).await;
    leave(&one, &id).await;
    settle(&harness).await;
    assert_eq!(wechat.calls(SEND), 0);
    // The place is offered all the same.
    let list = two.get("/v1/sign-ups?unit=430121").await.good();
    assert_eq!(
        list["records"][0]["body"]["derived"]["state"], "offered",
        "{list}"
    );
});

on_both!(
    what_goes_wrong_on_the_way_is_tried_again_and_told_once,
    |engine| {
        let (harness, wechat) = station(engine).await;
        let (one, two, id) = full(&harness, &wechat).await;
        allow(&wechat, &two).await;
        wechat.misbehave(SEND, Fault::Html(502), 1);
        wechat.misbehave(SEND, Fault::BusyCode, 1);
        leave(&one, &id).await;
        wechat.called(SEND, 1).await;
        again_in(&harness, 10_000).await;
        settle(&harness).await;
        assert_eq!(wechat.delivered().len(), 0);
        harness.clock.advance(11_000);
        settle(&harness).await;
        wechat.called(SEND, 2).await;
        again_in(&harness, 40_000).await;
        settle(&harness).await;
        assert_eq!(wechat.calls(SEND), 2, "not before its time");
        harness.clock.advance(41_000);
        settle(&harness).await;
        wechat.called(SEND, 3).await;
        settle(&harness).await;
        assert_eq!(delivered(&wechat, 1).await.len(), 1);
        harness.clock.advance(24 * HOUR);
        settle(&harness).await;
        assert_eq!(wechat.calls(SEND), 3);
    }
);

on_both!(a_withdrawn_consent_ends_it, |engine| {
    let (harness, wechat) = station(engine).await;
    let (one, two, id) = full(&harness, &wechat).await;
    // Here a consent is counted that WeChat does not know: 43101.
    let consent = json!({ "what": "offer" });
    two.post("/v1/me/messages", &consent).await.good();
    two.post("/v1/me/messages", &consent).await.good();
    leave(&one, &id).await;
    wechat.called(SEND, 1).await;
    none_left(&harness).await;
    let left = two.post("/v1/me/messages", &consent).await.good();
    assert_eq!(left["credits"], 1, "all were taken away, then one came");
    let mut tx = harness.app.db.read().await.expect("begin");
    assert_eq!(parked(&mut tx, 9).await.expect("read").len(), 0);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_delivered_is_parked_in_sight() {
    let (harness, wechat) = station(Engine::Sqlite).await;
    let (one, two, id) = full(&harness, &wechat).await;
    allow(&wechat, &two).await;
    wechat.misbehave(SEND, Fault::Unauthorised, 1);
    leave(&one, &id).await;
    wechat.called(SEND, 1).await;
    // Only the operator can mend it: it is not tried again by itself.
    let given_up = loop {
        let mut tx = harness.app.db.read().await.expect("begin");
        let given_up = parked(&mut tx, 9).await.expect("read");
        if !given_up.is_empty() {
            break given_up;
        }
        drop(tx);
        tokio::task::yield_now().await;
    };
    let fault = given_up[0].fault.as_deref().unwrap_or_default();
    assert!(fault.contains("48001"), "{fault}");
    harness.clock.advance(60_000);
    settle(&harness).await;
    assert_eq!(wechat.calls(SEND), 1);
    // Mended, and given another chance.
    let mut tx = harness.app.db.write().await.expect("begin");
    let count = again(&mut tx, harness.clock.now()).await.expect("again");
    tx.commit().await.expect("commit");
    assert_eq!(count, 1);
    settle(&harness).await;
    wechat.called(SEND, 2).await;
    settle(&harness).await;
    assert_eq!(delivered(&wechat, 1).await.len(), 1);
}

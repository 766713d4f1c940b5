//! Activities for whoever has not signed in: what is told of them, to whom, how often, and what
//! WeChat has to say first.

mod bounds;

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_proto::account::SignedIn;
use xiangyi_server::cards::check::{check_due, read_again};
use xiangyi_server::clock::Clock;
use xiangyi_server::config::Config;
use xiangyi_server::on;
use xiangyi_server::store::{audit, cards};
use xiangyi_tests::actor::{Actor, Reply, send};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;
use xiangyi_tests::wechat::{APP_ID, Fault, SEC_CHECK, SECRET, Wechat};

const HOUR: i64 = 3_600_000;
const UNIT: &str = "430121001";
const ORGANISER: &str = "13800000401";

fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-00000000e{number:03}")
}

async fn open(engine: Engine) -> Harness {
    Harness::with_settings(engine, |config| config.public.activities = true).await
}

/// A server with a mini-program, both by one clock.
async fn checked(engine: Engine) -> (Harness, Wechat) {
    let clock = Clock::fixed(START);
    let wechat = Wechat::with_clock(clock.clone()).await;
    let base = wechat.base().to_owned();
    let set = move |config: &mut Config| {
        config.public.activities = true;
        config.wechat.app_id = Some(APP_ID.to_owned());
        config.wechat.app_secret = Some(SECRET.to_owned());
        config.wechat.base_url = base;
    };
    (Harness::with_settings_at(engine, clock, set).await, wechat)
}

fn activity(title: &str, in_hours: i64) -> Value {
    json!({
        "title": title, "type": "elder_company", "insured": true,
        "summary": "陪老人吃饭。电话 13800000401 找周老师", "place_name": "开元路社区活动室",
        "contact": "周小芳 13800000401", "village": "430121001001",
        "sessions": [{ "session": 1, "starts_at": START + in_hours * HOUR,
            "ends_at": START + (in_hours + 2) * HOUR,
            "roles": [{ "role": "helper", "capacity": 2 }] }],
    })
}

async fn write(actor: &Actor, method: Method, path: &str, key: &str, body: &Value) -> Reply {
    let request = actor.request(method, path).json(body);
    send(request.header("idempotency-key", key)).await
}

async fn make(harness: &Harness, number: u32, body: Value) {
    let ask = json!({ "unit": UNIT, "id": id(number), "body": body });
    let who = harness.organiser().await;
    let key = format!("make-{number}");
    write(&who, Method::POST, "/v1/activities", &key, &ask)
        .await
        .good();
}

async fn shown(harness: &Harness) -> Vec<String> {
    // What was read is kept for half a minute.
    harness.clock.advance(30_000);
    let page = harness.nobody().get("/v1/activities").await.good();
    let cards = page["activities"].as_array().expect("a list");
    let title = |card: &Value| card["title"].as_str().expect("a title").to_owned();
    cards.iter().map(title).collect()
}

on_both!(a_card_tells_of_the_activity_and_of_nobody, |engine| {
    let harness = open(engine).await;
    make(&harness, 1, activity("陪伴老人 0731-84012345", 48)).await;
    let mut at_home = activity("上门理发", 24);
    at_home["type"] = json!("home_help");
    at_home["place_name"] = json!("彭奶奶家");
    make(&harness, 2, at_home).await;
    let join = json!({ "unit": UNIT, "body": {
        "activity": id(1), "session": 1, "role": "helper", "want": "join" } });
    let volunteer = harness.volunteer(1).await;
    write(&volunteer, Method::POST, "/v1/sign-ups", "a", &join)
        .await
        .good();
    let reply = harness.nobody().get("/v1/activities").await;
    let page = reply.good();
    let titles = ["上门理发", "陪伴老人 ＊＊＊"];
    let cards = page["activities"].as_array().expect("a list");
    assert_eq!(
        cards.iter().map(|card| &card["title"]).collect::<Vec<_>>(),
        titles
    );
    let want = json!({
        "id": id(1), "unit": UNIT, "unit_name": "星沙街道社工站", "title": "陪伴老人 ＊＊＊",
        "type": "elder_company", "summary": "陪老人吃饭。电话 ＊＊＊找周老师",
        "place_name": "开元路社区活动室", "requires_cert": null, "age_min": null,
        "fee_fen": null, "subsidy_fen": null, "insured": true, "starts_at": START + 48 * HOUR,
        "sessions": [{ "session": 1, "starts_at": START + 48 * HOUR,
            "ends_at": START + 50 * HOUR,
            "roles": [{ "role": "helper", "capacity": 2, "left": 1 }] }],
    });
    assert_eq!(cards[1], want);
    assert_eq!(cards[0]["place_name"], Value::Null);
    assert!(
        page["sign_up"]
            .as_str()
            .is_some_and(|words| words.contains("报名")),
        "{page}"
    );
    for secret in ["周小芳", "13800000401", "彭奶奶", "p-", "author"] {
        assert!(!reply.text.contains(secret), "{secret}: {}", reply.text);
    }
    // Who is signed in has the collection as before.
    let list = volunteer.get("/v1/activities?unit=430121").await.good();
    assert_eq!(list["records"].as_array().map(Vec::len), Some(2), "{list}");
    assert_eq!(reply.header("cache-control"), "public, max-age=30");
    let signed = volunteer.get("/v1/activities?unit=430121").await;
    assert_eq!(signed.header("cache-control"), "no-store");
    assert!(
        signed.header("vary").contains("authorization"),
        "{:?}",
        signed.headers
    );
});

on_both!(what_is_over_void_or_not_accepted_is_not_shown, |engine| {
    let harness = open(engine).await;
    make(&harness, 1, activity("一", 1)).await;
    make(&harness, 2, activity("二", 24)).await;
    let mut forced = activity("三", 24);
    forced["compulsory"] = json!(true);
    let ask = json!({ "unit": UNIT, "id": id(3), "body": forced });
    let who = harness.organiser().await;
    let refused = write(&who, Method::POST, "/v1/activities", "forced", &ask).await;
    assert_ne!(refused.status, 201, "{}", refused.text);
    assert_eq!(shown(&harness).await, ["一", "二"]);
    harness.clock.advance(HOUR);
    assert_eq!(shown(&harness).await, ["二"], "it has begun");
    let who = harness.organiser().await;
    let void = json!({ "unit": UNIT, "reason": "下雨" });
    let path = format!("/v1/activities/{}", id(2));
    write(&who, Method::DELETE, &path, "void", &void)
        .await
        .good();
    assert_eq!(shown(&harness).await, [""; 0]);
});

on_both!(pages_and_filters_of_cards, |engine| {
    let harness = open(engine).await;
    for number in 1..=5 {
        make(
            &harness,
            number,
            activity(&format!("第{number}场"), 24 + i64::from(number) / 2),
        )
        .await;
    }
    let nobody = harness.nobody();
    let (mut after, mut got) = (String::new(), Vec::new());
    loop {
        let page = nobody
            .get(&format!("/v1/activities?limit=2{after}"))
            .await
            .good();
        let cards = page["activities"].as_array().expect("a list").clone();
        got.extend(
            cards
                .iter()
                .map(|card| card["id"].as_str().expect("an id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(got, (1..=5).map(id).collect::<Vec<_>>());
    for (query, count) in [
        ("unit=430121", 5),
        ("unit=430181", 0),
        ("station=430121001", 5),
        ("unit=430121&station=430121002", 0),
    ] {
        let page = nobody.get(&format!("/v1/activities?{query}")).await.good();
        assert_eq!(
            page["activities"].as_array().map(Vec::len),
            Some(count),
            "{query}"
        );
    }
    for (query, pointer, code) in [
        ("unit=x", "/unit", "bad-region"),
        ("station=1", "/station", "bad-region"),
        ("after=1", "/after", "bad-id"),
        ("after=1_x", "/after", "bad-id"),
        ("limit=201", "/limit", "out-of-range"),
        ("author=p-1", "/author", "unknown-field"),
    ] {
        let reply = nobody.get(&format!("/v1/activities?{query}")).await;
        let error = &reply.problem(400, "invalid-parameter")["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code)),
            "{query}"
        );
    }
    let long = vec![b' '; 2 << 20];
    let big = [
        ("content-type", "application/json"),
        ("idempotency-key", "big"),
    ];
    let who = harness.organiser().await;
    who.post_raw("/v1/activities", &big, long)
        .await
        .problem(413, "too-large");
});

#[tokio::test]
async fn without_the_setting_there_is_nothing() {
    let harness = Harness::start(Engine::Sqlite).await;
    make(&harness, 1, activity("一", 24)).await;
    let strip = |reply: Reply| {
        let mut body = reply.problem(404, "not-found");
        body["request_id"] = Value::Null;
        body
    };
    let nobody = harness.nobody();
    let off = strip(nobody.get("/v1/activities?limit=x").await);
    assert_eq!(off, strip(nobody.get("/no/such/route").await));
    let who = harness.organiser().await.with_token("none");
    who.get("/v1/activities?unit=430121")
        .await
        .problem(401, "unauthorized");
    nobody
        .post("/v1/activities", &json!({}))
        .await
        .problem(401, "unauthorized");
}

#[tokio::test]
async fn the_same_page_again_is_not_sent_again() {
    let harness = open(Engine::Sqlite).await;
    make(&harness, 1, activity("一", 24)).await;
    let nobody = harness.nobody();
    let first = nobody.get("/v1/activities").await;
    let tag = first.header("etag").to_owned();
    assert_eq!(first.header("access-control-allow-origin"), "*");
    let again = |tag: String| {
        let request = nobody.request(Method::GET, "/v1/activities");
        send(request.header("if-none-match", tag))
    };
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let reply = again(known).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (304, ""));
        assert_eq!(reply.header("etag"), tag);
    }
    // What changed meanwhile is shown half a minute later.
    make(&harness, 2, activity("二", 25)).await;
    assert_eq!(again(tag.clone()).await.status, 304);
    harness.clock.advance(30_000);
    let reply = again(tag).await;
    assert_eq!(reply.good()["activities"].as_array().map(Vec::len), Some(2));
    let signed = harness
        .organiser()
        .await
        .get("/v1/activities?unit=430121")
        .await;
    assert_eq!(signed.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn an_address_that_asks_too_often_waits() {
    let harness = open(Engine::Sqlite).await;
    let nobody = harness.nobody();
    let ask = |address: &'static str| {
        let request = nobody.request(Method::GET, "/v1/activities?limit=x");
        send(request.header("x-forwarded-for", address))
    };
    for _ in 0..600 {
        ask("203.0.113.7").await.problem(400, "invalid-parameter");
    }
    ask("203.0.113.7").await.problem(429, "throttled");
    ask("203.0.113.8").await.problem(400, "invalid-parameter");
    harness.clock.advance(1_000);
    ask("203.0.113.7").await.problem(400, "invalid-parameter");
}

/// The organiser opens the mini-program and signs in by it.
async fn come(harness: &Harness, wechat: &Wechat) {
    let phone = wechat.issue_phone_code(ORGANISER);
    let ask = json!({ "code": wechat.issue_code("o-organiser"), "phone_code": phone });
    let session = harness
        .nobody()
        .post("/v1/sessions/wechat", &ask)
        .await
        .good();
    let _: SignedIn = serde_json::from_value(session).expect("a session");
}

/// Waits until the one card is in a state that fits.
async fn until(harness: &Harness, number: u32, fits: impl Fn(&cards::Card) -> bool) {
    loop {
        check_due(&harness.app).await.expect("checked");
        let mut tx = harness.app.db.read().await.expect("begin");
        let id = id(number).parse().expect("an id");
        let card = cards::one(&mut tx, 430_121, id).await.expect("read");
        if card.is_some_and(|card| fits(&card)) {
            return;
        }
        drop(tx);
        tokio::task::yield_now().await;
    }
}

async fn standing(harness: &Harness, number: u32) -> String {
    let path = format!("/v1/activities/{}/card?unit={UNIT}", id(number));
    let told = harness.organiser().await.get(&path).await.good();
    for words in ["detail", "detail_en"] {
        assert!(
            told[words].as_str().is_some_and(|words| words.len() > 20),
            "{told}"
        );
    }
    told["state"].as_str().expect("a state").to_owned()
}

on_both!(what_wechat_has_not_passed_is_not_shown, |engine| {
    let (harness, wechat) = checked(engine).await;
    wechat.judge("赌", "risky", 20_001);
    wechat.judge("药", "review", 21_000);
    come(&harness, &wechat).await;
    make(&harness, 1, activity("陪伴老人", 48)).await;
    until(&harness, 1, |card| card.state == "pass").await;
    assert_eq!(shown(&harness).await, ["陪伴老人"]);
    assert_eq!(standing(&harness, 1).await, "shown");
    let asked = wechat.seen(SEC_CHECK);
    let content = asked[0].body["content"].as_str().expect("a text");
    assert!(
        content.contains("陪伴老人") && content.contains("＊＊＊"),
        "{content}"
    );
    assert!(
        !content.contains("周小芳"),
        "what is not shown is not sent: {content}"
    );
    assert_eq!(asked[0].body["openid"], "o-organiser");
    for (number, title, state) in [(2, "赌一把", "risky"), (3, "送药上门", "review")] {
        make(&harness, number, activity(title, 24)).await;
        until(&harness, number, |card| card.state == state).await;
        assert_eq!(standing(&harness, number).await, state);
        // On the organiser's phone, and on nobody else's.
        let path = format!("/v1/activities/{}?unit={UNIT}", id(number));
        let own = harness.organiser().await.get(&path).await.good();
        assert_eq!(own["body"]["derived"]["public"], state, "{own}");
        let other = harness.volunteer(1).await.get(&path).await.good();
        assert_eq!(other["body"]["derived"]["public"], Value::Null, "{other}");
    }
    assert_eq!(shown(&harness).await, ["陪伴老人"]);
    // Said in other words, it is checked again and shown.
    let who = harness.organiser().await;
    let path = format!("/v1/activities/{}", id(2));
    let set = json!({ "unit": UNIT, "base": 2, "set": { "/title": "下一盘棋" } });
    write(&who, Method::PATCH, &path, "words", &set)
        .await
        .good();
    until(&harness, 2, |card| card.state == "pass").await;
    assert_eq!(shown(&harness).await, ["下一盘棋", "陪伴老人"]);
    let own = who.get(&format!("{path}?unit={UNIT}")).await.good();
    assert_eq!(own["body"]["derived"]["public"], "pass", "{own}");
    // A place that is taken is no other text.
    let calls = wechat.calls(SEC_CHECK);
    let join = json!({ "unit": UNIT, "body": {
        "activity": id(1), "session": 1, "role": "helper", "want": "join" } });
    let volunteer = harness.volunteer(1).await;
    write(&volunteer, Method::POST, "/v1/sign-ups", "a", &join)
        .await
        .good();
    assert_eq!(check_due(&harness.app).await.expect("checked"), 0);
    assert_eq!(wechat.calls(SEC_CHECK), calls);
});

on_both!(a_check_waits_until_the_organiser_was_there, |engine| {
    let (harness, wechat) = checked(engine).await;
    // Nobody's WeChat is known: nobody else's is taken.
    wechat.visit("o-other");
    make(&harness, 1, activity("一", 48)).await;
    until(&harness, 1, |card| card.fault.is_some()).await;
    assert_eq!(standing(&harness, 1).await, "waiting");
    assert_eq!(
        (wechat.calls(SEC_CHECK), shown(&harness).await.len()),
        (0, 0)
    );
    come(&harness, &wechat).await;
    until(&harness, 1, |card| card.state == "pass").await;
    // Three hours later they were not there lately: 61010.
    harness.clock.advance(3 * HOUR);
    make(&harness, 2, activity("二", 49)).await;
    until(&harness, 2, |card| card.fault.is_some()).await;
    assert_eq!(standing(&harness, 2).await, "waiting");
    assert_eq!(wechat.calls(SEC_CHECK), 2);
    assert_eq!(shown(&harness).await, ["一"]);
    come(&harness, &wechat).await;
    until(&harness, 2, |card| card.state == "pass").await;
    assert_eq!(shown(&harness).await, ["一", "二"]);
});

on_both!(
    a_check_that_fails_is_tried_again_and_parked_in_sight,
    |engine| {
        let (harness, wechat) = checked(engine).await;
        come(&harness, &wechat).await;
        wechat.misbehave(SEC_CHECK, Fault::Html(502), 1);
        wechat.misbehave(SEC_CHECK, Fault::BusyCode, 1);
        make(&harness, 1, activity("一", 48)).await;
        until(&harness, 1, |card| card.fault.is_some()).await;
        assert_eq!(standing(&harness, 1).await, "unchecked");
        assert_eq!(
            check_due(&harness.app).await.expect("checked"),
            0,
            "not before its time"
        );
        harness.clock.advance(10_000);
        until(&harness, 1, |card| {
            card.tries == 2 && card.due_at > harness.clock.now()
        })
        .await;
        until(&harness, 1, |card| {
            card.due_at == harness.clock.now() + 40_000
        })
        .await;
        harness.clock.advance(40_000);
        until(&harness, 1, |card| card.state == "pass").await;
        assert_eq!(wechat.calls(SEC_CHECK), 3);
        // Only the operator can mend this.
        wechat.misbehave(SEC_CHECK, Fault::Unauthorised, 1);
        make(&harness, 2, activity("二", 48)).await;
        until(&harness, 2, |card| card.state == "parked").await;
        assert_eq!(standing(&harness, 2).await, "parked");
        let mut tx = harness.app.db.write().await.expect("begin");
        let parked = cards::parked(&mut tx, 9).await.expect("read");
        assert!(
            parked[0]
                .fault
                .as_deref()
                .is_some_and(|fault| fault.contains("48001")),
            "{parked:?}"
        );
        // It is among what an operator is warned of.
        assert_eq!(audit::parked(&mut tx).await.expect("counted"), 1);
        assert_eq!(
            cards::again(&mut tx, harness.clock.now())
                .await
                .expect("again"),
            1
        );
        tx.commit().await.expect("commit");
        until(&harness, 2, |card| card.state == "pass").await;
        // A stranger, and a volunteer of the county, are told nothing of it.
        let path = format!("/v1/activities/{}/card?unit={UNIT}", id(2));
        for who in [harness.stranger_hub().await, harness.volunteer(1).await] {
            who.get(&path).await.problem(404, "not-found");
        }
        harness.hub().await.get(&path).await.good();
    }
);

on_both!(
    activities_from_before_there_were_cards_are_shown,
    |engine| {
        let harness = open(engine).await;
        make(&harness, 1, activity("一", 48)).await;
        make(&harness, 2, activity("二", 1)).await;
        // As the migration leaves them.
        let mut tx = harness.app.db.write().await.expect("begin");
        let sql = "UPDATE card SET until_at = 9223372036854775807";
        on!(&mut tx, |c| sqlx::query(sql).execute(c).await.map(drop)).expect("written");
        tx.commit().await.expect("commit");
        harness.clock.advance(2 * HOUR);
        assert_eq!(shown(&harness).await, ["一"]);
        read_again(&harness.app).await.expect("read");
        let mut tx = harness.app.db.read().await.expect("begin");
        assert_eq!(cards::unread(&mut tx, 9).await.expect("read").len(), 0);
        drop(tx);
        assert_eq!(shown(&harness).await, ["一"]);
    }
);

#[tokio::test]
async fn an_expired_token_is_no_stranger() {
    let harness = open(Engine::Sqlite).await;
    let who = harness.nobody().sign_in(ORGANISER).await;
    harness.clock.advance(20 * 60_000);
    who.get("/v1/activities?unit=430121")
        .await
        .problem(401, "token-expired");
}

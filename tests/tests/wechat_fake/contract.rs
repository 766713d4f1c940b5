//! What the five interfaces answer to good calls and to wrong ones.

use serde_json::{Value, json};
use xiangyi_tests::wechat::{APP_ID, CODE2SESSION, PHONE, SEC_CHECK, SECRET, SEND, STABLE_TOKEN};

use crate::{MINUTE, OPENID, TEMPLATE, World, credentials, login, message, text, with, without};

#[tokio::test]
async fn a_login_code_serves_once_and_for_five_minutes() {
    let world = World::new().await;
    let code = world.fake.issue_code(OPENID);
    let first = world.login(&code).await;
    assert_eq!(first["openid"], OPENID, "{first}");
    assert_eq!(first["session_key"].as_str().map(str::len), Some(24));
    assert_eq!(first.get("unionid"), None);
    assert_eq!(world.login(&code).await["errcode"], 40163);
    let old = world.fake.issue_code(OPENID);
    world.fake.clock.advance(5 * MINUTE);
    world.fake.bind(OPENID, "union");
    let fresh = world.fake.issue_code(OPENID);
    let rows = [
        (login(APP_ID, SECRET, &old), 40029),
        (login(APP_ID, SECRET, "made-up"), 40029),
        (login("wx0", SECRET, &fresh), 40013),
        (login(APP_ID, "wrong", &fresh), 40125),
        (login("", SECRET, &fresh), 41002),
        (login(APP_ID, "", &fresh), 41004),
        (login(APP_ID, SECRET, ""), 41008),
        (CODE2SESSION.to_owned(), 41002),
        ("/sns/nothing".to_owned(), 40066),
    ];
    for (path, want) in rows {
        assert_eq!(world.get(&path).await["errcode"], want, "{path}");
    }
    let last = world.login(&fresh).await;
    assert_eq!(last["unionid"], "union", "a refusal spends no code: {last}");
}

#[tokio::test]
async fn a_user_logs_in_a_hundred_times_a_minute() {
    let world = World::new().await;
    for _ in 0..100 {
        let code = world.fake.issue_code(OPENID);
        assert_eq!(world.login(&code).await["errcode"], 0);
    }
    let code = world.fake.issue_code(OPENID);
    assert_eq!(world.login(&code).await["errcode"], 45011);
    let other = world.fake.issue_code("oSomebody-else");
    assert_eq!(world.login(&other).await["errcode"], 0);
    world.fake.clock.advance(MINUTE);
    assert_eq!(world.login(&code).await["errcode"], 0);
}

#[tokio::test]
async fn a_token_is_given_again_until_it_is_forced() {
    let world = World::new().await;
    let first = world.refresh(false).await;
    assert_eq!(first["expires_in"], 7200, "{first}");
    assert_eq!(first.get("errcode"), None);
    assert_eq!(world.refresh(false).await, first);
    let second = world.refresh(true).await;
    assert_ne!(second["access_token"], first["access_token"]);
    assert_eq!(world.fake.tokens_made(), 2);
    let good = credentials(false);
    let rows = [
        (with(good.clone(), "/appid", json!("wx0")), 40013),
        (with(good.clone(), "/secret", json!("wrong")), 40125),
        (with(good.clone(), "/grant_type", json!("password")), 40002),
        (with(good.clone(), "/force_refresh", json!("true")), 47001),
        (without(good.clone(), "appid"), 41002),
        (without(good.clone(), "secret"), 41004),
        (json!([]), 47001),
    ];
    for (body, want) in rows {
        let answer = world.post(STABLE_TOKEN, body.clone()).await;
        assert_eq!(answer["errcode"], want, "{body}");
    }
    assert_eq!(world.get(STABLE_TOKEN).await["errcode"], 43002);
    world.fake.limit(STABLE_TOKEN, 12);
    assert_eq!(world.refresh(false).await["errcode"], Value::Null);
    assert_eq!(world.refresh(false).await["errcode"], 45009);
    assert_eq!(world.fake.calls(STABLE_TOKEN), 13);
}

#[tokio::test]
async fn a_call_needs_a_token_that_is_good() {
    let world = World::new().await;
    world.fake.visit(OPENID);
    let token = world.token().await;
    let with_token = |token: &str| format!("{SEC_CHECK}?access_token={token}");
    let code = async |path: &str| world.post(path, text("好")).await["errcode"].clone();
    assert_eq!(code(SEC_CHECK).await, 41001);
    assert_eq!(code(&with_token("")).await, 41001);
    assert_eq!(code(&with_token("made-up")).await, 40001);
    assert_eq!(code(&with_token(&token)).await, 0);
    world.fake.take_over();
    assert_eq!(code(&with_token(&token)).await, 40001);
    let token = world.token().await;
    world.fake.clock.advance(120 * MINUTE);
    world.fake.visit(OPENID);
    assert_eq!(code(&with_token(&token)).await, 42001);
}

#[tokio::test]
async fn one_consent_is_one_message() {
    let world = World::new().await;
    assert_eq!(world.ask(SEND, message()).await["errcode"], 40003);
    world.fake.visit(OPENID);
    assert_eq!(world.ask(SEND, message()).await["errcode"], 43101);
    world.fake.give_credit(OPENID, TEMPLATE);
    let answer = world.ask(SEND, message()).await;
    assert_eq!(answer["errcode"], 0, "{answer}");
    assert!(answer["msgid"].is_u64());
    assert_eq!(world.ask(SEND, message()).await["errcode"], 43101);
    let delivered = world.fake.delivered();
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].openid, OPENID);
    assert_eq!(delivered[0].data["phrase3"], "待确认");
    assert_eq!(delivered[0].page.as_deref(), Some("pages/offer/index?id=7"));
}

/// Messages that are not sent, with the code and what its words hold.
fn misfits() -> Vec<(Value, i32, &'static str)> {
    let mut more = message();
    more["data"]["thing9"] = json!({"value": "x"});
    let field = |name: &str, value: &str| {
        let pointer = format!("/data/{name}/value");
        with(message(), &pointer, json!(value))
    };
    let long = "长".repeat(21);
    vec![
        (with(message(), "/touser", json!("")), 40003, ""),
        (with(message(), "/touser", json!("oNobody")), 40003, ""),
        (with(message(), "/template_id", json!("other")), 40037, ""),
        (without(message(), "template_id"), 40037, ""),
        (without(message(), "data"), 47001, ""),
        (field("thing1", &long), 47003, "data.thing1.value invalid"),
        (field("time2", "明天"), 47003, "data.time2.value invalid"),
        (field("phrase3", ""), 47003, "data.phrase3.value is empty"),
        (more, 47003, "data.thing9.value"),
        (with(message(), "/page", json!("pages/gone")), 41030, ""),
        (with(message(), "/lang", json!("hunan")), 40035, ""),
        (
            with(message(), "/miniprogram_state", json!("beta")),
            40035,
            "",
        ),
    ]
}

#[tokio::test]
async fn a_message_that_does_not_fit_costs_no_consent() {
    let world = World::new().await;
    world.fake.give_credit(OPENID, TEMPLATE);
    world.fake.publish("pages/offer/index");
    for (body, want, words) in misfits() {
        let answer = world.ask(SEND, body.clone()).await;
        assert_eq!(answer["errcode"], want, "{body}");
        let said = answer["errmsg"].as_str().expect("words");
        assert!(said.contains(words) && said.contains(" rid: "), "{said}");
    }
    assert_eq!(world.fake.credit(OPENID, TEMPLATE), 1);
    assert_eq!(world.ask(SEND, message()).await["errcode"], 0);
    assert_eq!(world.fake.credit(OPENID, TEMPLATE), 0);
}

#[tokio::test]
async fn a_text_is_judged_for_who_was_here_lately() {
    let world = World::new().await;
    world.fake.judge("赌", "risky", 20006);
    world.fake.judge("加微信", "review", 10001);
    world.fake.visit(OPENID);
    for (content, suggest, label) in [
        ("上门看望", "pass", 100),
        ("去赌一把", "risky", 20006),
        ("请加微信", "review", 10001),
    ] {
        let answer = world.ask(SEC_CHECK, text(content)).await;
        let want = json!({"suggest": suggest, "label": label});
        assert_eq!((&answer["errcode"], &answer["result"]), (&json!(0), &want));
        assert_eq!(answer["detail"][0]["strategy"], "content_model");
        assert!(answer["trace_id"].is_string());
    }
    let first = |content: &str| without(text(content), "version");
    let rows = [
        (first("去赌一把"), 87014),
        (first("上门看望"), 0),
        (with(text("好"), "/version", json!(3)), 47001),
        (with(text("好"), "/scene", json!(0)), 40129),
        (with(text("好"), "/scene", json!(5)), 40129),
        (without(text("好"), "scene"), 40129),
        (with(text("好"), "/openid", json!("oNobody")), 40003),
        (text(""), 44002),
        (text(&"好".repeat(2_500)), 0),
        (text(&"好".repeat(2_501)), 45002),
    ];
    for (body, want) in rows {
        let answer = world.ask(SEC_CHECK, body).await;
        assert_eq!(answer["errcode"], want, "{answer}");
    }
    world.fake.clock.advance(121 * MINUTE);
    let late = world.ask(SEC_CHECK, text("好")).await;
    assert_eq!(late["errcode"], 61010, "{late}");
}

#[tokio::test]
async fn a_telephone_code_serves_once_and_for_five_minutes() {
    let world = World::new().await;
    let code = world.fake.issue_phone_code("13800000301");
    let answer = world.ask(PHONE, json!({"code": code})).await;
    let moment = world.fake.clock.now() / 1_000;
    let want = json!({
        "phoneNumber": "13800000301", "purePhoneNumber": "13800000301", "countryCode": "86",
        "watermark": {"timestamp": moment, "appid": APP_ID},
    });
    assert_eq!(answer["phone_info"], want, "{answer}");
    let abroad = world.fake.issue_phone_code_abroad("852", "51234567");
    let old = world.fake.issue_phone_code("13800000302");
    let elsewhere = world.fake.issue_phone_code_elsewhere("13800000303");
    world.fake.country_as_number();
    let answer = world.ask(PHONE, json!({"code": abroad})).await;
    assert_eq!(answer["phone_info"]["phoneNumber"], "+85251234567");
    assert_eq!(answer["phone_info"]["countryCode"], 852);
    assert_eq!(
        world.ask(PHONE, json!({"code": elsewhere})).await["errcode"],
        40013
    );
    world.fake.clock.advance(5 * MINUTE);
    let login = world.fake.issue_code(OPENID);
    for code in [code, old, login, "made-up".to_owned(), String::new()] {
        let answer = world.ask(PHONE, json!({"code": code})).await;
        assert_eq!(answer["errcode"], 40029, "{code}: {answer}");
    }
}

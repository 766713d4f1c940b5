//! What goes wrong to order, and what it leaves behind.

use std::time::Duration;

use xiangyi_tests::wechat::{APP_ID, CODE2SESSION, Fault, SECRET, STABLE_TOKEN};

use crate::{OPENID, World, login};

#[tokio::test]
async fn faults_that_are_codes_do_nothing() {
    let world = World::new().await;
    let code = world.fake.issue_code(OPENID);
    let rows = [
        (Fault::BusyCode, -1),
        (Fault::Limit(45009), 45009),
        (Fault::Limit(45011), 45011),
        (Fault::Blocked, 40226),
        (Fault::Unauthorised, 48001),
        (Fault::TokenInvalid, 40001),
        (Fault::Component, 61024),
        (Fault::NotListed, 40164),
    ];
    for (fault, want) in rows {
        world.fake.misbehave(CODE2SESSION, fault, 2);
        for _ in 0..2 {
            assert_eq!(world.login(&code).await["errcode"], want, "{fault:?}");
        }
    }
    world.fake.misbehave(CODE2SESSION, Fault::BusyCode, 5);
    world.fake.calm(CODE2SESSION);
    assert_eq!(world.login(&code).await["openid"], OPENID);
    assert_eq!(world.fake.calls(CODE2SESSION), 17);
    assert_eq!(world.fake.seen(CODE2SESSION)[16].query["js_code"], code);
}

#[tokio::test]
async fn faults_of_the_answer_look_as_ordered() {
    let world = World::new().await;
    let order = |fault| world.fake.misbehave(STABLE_TOKEN, fault, 1);
    order(Fault::WrongTypes);
    assert_eq!(world.refresh(false).await["expires_in"], "7200");
    order(Fault::ClockSkew(-600_000));
    assert_eq!(world.refresh(false).await["expires_in"], 6600);
    order(Fault::Slow(5));
    assert_eq!(world.refresh(false).await["expires_in"], 7200);
    world.fake.misbehave(CODE2SESSION, Fault::Bare, 1);
    let bare = world.login(&world.fake.issue_code(OPENID)).await;
    assert!(bare.get("errcode").is_none() && bare["openid"] == OPENID);
    let other = login("wx0", SECRET, "made-up");
    let rows = [
        (None, 200, "application/json; encoding=utf-8", "{"),
        (Some(Fault::PlainText), 200, "text/plain", "{"),
        (Some(Fault::Html(200)), 200, "text/html", "<html>"),
        (Some(Fault::Html(502)), 502, "text/html", "<html>"),
        (
            Some(Fault::NotJson),
            200,
            "application/json; encoding=utf-8",
            "success",
        ),
    ];
    for (fault, status, kind, begins) in rows {
        if let Some(fault) = fault {
            world.fake.misbehave(CODE2SESSION, fault, 1);
        }
        let answer = world.try_get(&other).await.expect("answered");
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], kind);
        let text = answer.text().await.expect("text");
        assert!(text.starts_with(begins), "{fault:?}: {text}");
    }
}

#[tokio::test]
async fn a_lost_answer_has_its_effect_and_a_lost_call_has_none() {
    let world = World::new().await;
    let kept = world.fake.issue_code(OPENID);
    world.fake.misbehave(CODE2SESSION, Fault::Hangup, 1);
    let path = login(APP_ID, SECRET, &kept);
    world.try_get(&path).await.expect_err("the line is closed");
    assert_eq!(world.login(&kept).await["errcode"], 0);
    let spent = world.fake.issue_code(OPENID);
    world
        .fake
        .misbehave(CODE2SESSION, Fault::DuplicateDelivery, 1);
    let path = login(APP_ID, SECRET, &spent);
    world.try_get(&path).await.expect_err("the line is closed");
    assert_eq!(world.login(&spent).await["errcode"], 40163);
    let half = world.fake.issue_code(OPENID);
    world.fake.misbehave(CODE2SESSION, Fault::Truncated, 1);
    let path = login(APP_ID, SECRET, &half);
    let body = match world.try_get(&path).await {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    body.expect_err("half of it");
    assert_eq!(world.login(&half).await["errcode"], 40163);
}

#[tokio::test]
async fn no_answer_comes_until_the_client_hangs_up() {
    let world = World::new().await;
    let code = world.fake.issue_code(OPENID);
    world.fake.misbehave(CODE2SESSION, Fault::Timeout, 1);
    let path = world.at(&login(APP_ID, SECRET, &code));
    let patient = world.http.get(path).timeout(Duration::from_secs(60)).send();
    tokio::select! {
        answer = patient => panic!("there is no answer: {answer:?}"),
        () = world.fake.called(CODE2SESSION, 1) => {}
    }
    assert_eq!(world.login(&code).await["errcode"], 0);
}

//! Tokens that are not ours, not theirs, or not valid any more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};
use xiangyi_server::accounts::roots::Roots;
use xiangyi_server::accounts::tokens::{Claims, Tokens};
use xiangyi_server::entropy::Entropy;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

fn part(token: &str, index: usize) -> Value {
    let raw = B64
        .decode(token.split('.').nth(index).expect("a part"))
        .expect("base64");
    serde_json::from_slice(&raw).expect("JSON")
}

fn coded(value: &Value) -> String {
    B64.encode(value.to_string())
}

on_both!(an_expired_token_says_so, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    harness.clock.advance(15 * 60_000 - 1);
    worker.get("/v1/me").await.good();
    harness.clock.advance(1);
    worker.get("/v1/me").await.problem(401, "token-expired");
});

#[tokio::test]
async fn a_token_says_who_which_session_which_device_and_until_when() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    let session = worker.signed_in();
    let (head, claims) = (
        part(&session.access_token, 0),
        part(&session.access_token, 1),
    );
    assert_eq!(head["alg"], "EdDSA");
    assert!(
        head["kid"].as_str().is_some_and(|kid| !kid.is_empty()),
        "{head}"
    );
    assert_eq!(claims["sub"], "p-worker-01");
    assert_eq!(claims["dev"], session.device);
    assert_eq!(claims["exp"], (START + 15 * 60_000) / 1_000);
    assert_eq!(claims["iat"], START / 1_000);
    assert!(!claims["sid"].as_str().unwrap_or_default().is_empty());
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    let good = worker.signed_in().access_token.clone();
    let [head, body, signature]: [&str; 3] = good
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .expect("three parts");
    let claims: Claims = serde_json::from_value(part(&good, 1)).expect("claims");
    let mut hub = part(&good, 1);
    hub["sub"] = json!("p-officer-1");
    let none = coded(&json!({ "alg": "none", "typ": "JWT" }));
    let hmac = coded(&json!({ "alg": "HS256", "typ": "JWT" }));
    let foreign = Tokens::new(&Roots::fresh(&Entropy::seeded(9))).sign(&claims);
    let forged = [
        String::new(),
        "x".into(),
        "..".into(),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{}.{body}.", coded(&json!({ "alg": "NONE" }))),
        format!("{hmac}.{body}.{signature}"),
        format!("{head}.{}.{signature}", coded(&hub)),
        format!("{head}.{body}."),
        format!("{head}.{body}.{}", &signature[1..]),
        format!("{head}.{body}"),
        format!("{good}.x"),
        worker.signed_in().refresh_token.clone(),
    ];
    // A key that has ended here, for all that can be known: whoever is ours refreshes.
    let reply = worker.with_token(&foreign).get("/v1/me").await;
    reply.problem(401, "token-expired");
    for token in forged {
        let reply = worker.with_token(&token).get("/v1/me").await;
        assert_eq!(reply.code(), "unauthorized", "{token}");
        reply.problem(401, "unauthorized");
    }
    worker.get("/v1/me").await.good();
    harness
        .nobody()
        .get("/v1/me")
        .await
        .problem(401, "unauthorized");
}

on_both!(an_ended_grant_is_gone_from_the_next_request_on, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let unit = worker.signed_in().person.roles[0].unit.clone();
    let before = worker.get("/v1/me").await.good();
    assert!(
        before["streams"]
            .to_string()
            .contains(&format!("station:{unit}"))
    );
    harness.revoke("p-worker-01", "worker", &unit).await;
    let after = worker.get("/v1/me").await.good();
    assert!(
        !after["streams"].to_string().contains("station:"),
        "{after}"
    );
});

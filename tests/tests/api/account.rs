//! One's own account: sessions, phones, password, second factor.

use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Secret, TOTP};
use xiangyi_proto::account::SignedIn;
use xiangyi_tests::actor::{Actor, PASSWORD, Reply, send};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const WORKER: &str = "13800000001";
const HUB: &str = "13800000201";

async fn sign_in(harness: &Harness, ask: &Value) -> Reply {
    harness.nobody().post("/v1/sessions", ask).await
}

fn signed(harness: &Harness, reply: &Reply) -> Actor {
    let session: SignedIn = serde_json::from_value(reply.good()).expect("a session");
    harness.nobody().with(session)
}

async fn delete(actor: &Actor, path: &str, body: &Value) -> Reply {
    send(actor.request(Method::DELETE, path).json(body)).await
}

on_both!(a_person_ends_what_is_signed_in_elsewhere, |engine| {
    let harness = Harness::start(engine).await;
    let (here, there) = (harness.worker(1).await, harness.worker(1).await);
    let list = here.get("/v1/me/sessions").await.good();
    let list = list["sessions"].as_array().expect("a list");
    assert_eq!(list.len(), 2, "{list:?}");
    let other = list.iter().find(|one| one["current"] == false);
    let other = other.expect("the other")["id"].as_str().expect("an id");
    let path = format!("/v1/me/sessions/{other}");
    // Nobody else may end it, nor learn that it is there.
    harness
        .worker(2)
        .await
        .call(Method::DELETE, &path)
        .await
        .problem(404, "not-found");
    assert_eq!(here.call(Method::DELETE, &path).await.status, 204);
    here.call(Method::DELETE, &path)
        .await
        .problem(404, "not-found");
    there.get("/v1/me").await.problem(401, "unauthorized");
    here.get("/v1/me").await.good();
});

on_both!(a_lost_phone_is_ended_by_its_person, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let thief = harness.worker(1).await;
    let phone = worker.phone().await;
    let list = worker.get("/v1/me/devices").await.good();
    assert_eq!(list["devices"][0]["id"], phone.device.as_str(), "{list}");
    let path = format!("/v1/me/devices/{}", phone.device);
    harness
        .worker(2)
        .await
        .call(Method::DELETE, &path)
        .await
        .problem(404, "not-found");
    phone.exchange(json!({ "pull": {} })).await.good();
    assert_eq!(worker.call(Method::DELETE, &path).await.status, 204);
    let pull = phone.exchange(json!({ "pull": {} })).await;
    pull.problem(403, "device-revoked");
    // Whoever holds it had a session on it: that could have registered another phone.
    thief.get("/v1/me").await.problem(401, "unauthorized");
    worker
        .call(Method::DELETE, &path)
        .await
        .problem(404, "not-found");
});

on_both!(a_password_is_changed_by_the_old_one, |engine| {
    let harness = Harness::start(engine).await;
    let (here, there) = (harness.worker(1).await, harness.worker(1).await);
    let change = |old: &str, new: &str| json!({ "password": old, "new_password": new });
    let path = "/v1/me/password";
    here.post(path, &change("wrong", "tulip-wagon-42"))
        .await
        .problem(401, "sign-in-failed");
    for (new, code) in [
        ("short", "password-short"),
        ("1234567890", "password-guessable"),
    ] {
        let told = here
            .post(path, &change(PASSWORD, new))
            .await
            .problem(422, "invalid-envelope");
        assert_eq!(told["errors"][0]["pointer"], "/new_password");
        assert_eq!(told["errors"][0]["code"], code);
    }
    let changed = here.post(path, &change(PASSWORD, "tulip-wagon-42")).await;
    assert_eq!(changed.status, 204, "{}", changed.text);
    there.get("/v1/me").await.problem(401, "unauthorized");
    here.get("/v1/me").await.good();
    let old = json!({ "telephone": WORKER, "password": PASSWORD });
    sign_in(&harness, &old).await.problem(401, "sign-in-failed");
    let new = json!({ "telephone": WORKER, "password": "tulip-wagon-42" });
    sign_in(&harness, &new).await.good();
});

on_both!(guesses_at_the_old_password_are_slowed_down, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let guess = json!({ "password": "wrong", "new_password": "tulip-wagon-42" });
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(worker.post("/v1/me/password", &guess).await.code());
    }
    assert_eq!(
        codes.last().map(String::as_str),
        Some("throttled"),
        "{codes:?}"
    );
});

/// The code that an app shows at the harness's time.
fn code(secret: &str, at_ms: i64) -> String {
    let secret = Secret::Encoded(secret.to_owned())
        .to_bytes()
        .expect("Base32");
    let totp = TOTP::new(Algorithm::SHA1, 6, 0, 30, secret, None, String::new());
    let seconds = u64::try_from(at_ms / 1_000).expect("after 1970");
    totp.expect("a secret of 20 bytes").generate(seconds)
}

on_both!(a_second_factor_guards_the_sign_in, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let made = worker
        .post("/v1/me/second-factor", &json!({ "password": PASSWORD }))
        .await
        .good();
    let secret = made["secret"].as_str().expect("a secret");
    assert!(
        made["uri"]
            .as_str()
            .is_some_and(|uri| uri.starts_with("otpauth://totp/"))
    );
    let plain = json!({ "telephone": WORKER, "password": PASSWORD });
    let stolen = worker
        .post("/v1/me/second-factor", &json!({ "password": "wrong" }))
        .await;
    stolen.problem(401, "sign-in-failed");
    // It guards nothing before it is confirmed.
    sign_in(&harness, &plain).await.good();
    let confirm = "/v1/me/second-factor/confirm";
    let wrong = worker.post(confirm, &json!({ "code": "12345" })).await;
    wrong.problem(401, "second-factor");
    let now = code(secret, START);
    let confirmed = worker.post(confirm, &json!({ "code": now })).await;
    assert_eq!(confirmed.status, 204, "{}", confirmed.text);
    worker
        .post("/v1/me/second-factor", &json!({ "password": PASSWORD }))
        .await
        .problem(409, "second-factor-set");

    sign_in(&harness, &plain)
        .await
        .problem(401, "second-factor");
    let with =
        |code: &str| json!({ "telephone": WORKER, "password": PASSWORD, "second_factor": code });
    // A code that was used is worth nothing.
    sign_in(&harness, &with(&now))
        .await
        .problem(401, "second-factor");
    harness.clock.advance(30_000);
    let next = code(secret, START + 30_000);
    let bad = json!({ "telephone": WORKER, "password": "wrong", "second_factor": next });
    sign_in(&harness, &bad).await.problem(401, "sign-in-failed");
    sign_in(&harness, &with(&next)).await.good();
    harness.clock.advance(30_000);
    let last = json!({ "code": code(secret, START + 60_000) });
    let path = "/v1/me/second-factor";
    delete(&worker, path, &json!({ "code": "000000" }))
        .await
        .problem(401, "second-factor");
    assert_eq!(delete(&worker, path, &last).await.status, 204);
    sign_in(&harness, &plain).await.good();
});

on_both!(
    wide_roles_set_a_second_factor_up_first_where_it_is_required,
    |engine| {
        let settings = |config: &mut xiangyi_server::config::Config| {
            config.accounts.second_factor_required = true;
        };
        let harness = Harness::with_settings(engine, settings).await;
        harness
            .worker(1)
            .await
            .get("/v1/visits?unit=430121001")
            .await
            .good();
        let hub = sign_in(&harness, &json!({ "telephone": HUB, "password": PASSWORD })).await;
        let hub = signed(&harness, &hub);
        for path in [
            "/v1/today?unit=430121",
            "/v1/visits?unit=430121",
            "/v1/live",
        ] {
            hub.get(path).await.problem(403, "second-factor-needed");
        }
        let device = hub.post("/v1/devices", &json!({})).await;
        device.problem(403, "second-factor-needed");
        hub.get("/v1/me").await.good();
        let made = hub
            .post("/v1/me/second-factor", &json!({ "password": PASSWORD }))
            .await
            .good();
        let secret = made["secret"].as_str().expect("a secret");
        let confirm = json!({ "code": code(secret, START) });
        let confirmed = hub.post("/v1/me/second-factor/confirm", &confirm).await;
        assert_eq!(confirmed.status, 204, "{}", confirmed.text);
        let refresh = json!({ "refresh_token": hub.signed_in().refresh_token });
        let refreshed = harness
            .nobody()
            .post("/v1/sessions/refresh", &refresh)
            .await;
        signed(&harness, &refreshed)
            .get("/v1/today?unit=430121")
            .await
            .good();
    }
);

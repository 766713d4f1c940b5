//! Refreshing: a lost reply signs nobody out, a stolen token ends the session.

use serde_json::json;
use xiangyi_proto::account::SignedIn;
use xiangyi_tests::actor::{Actor, Reply};
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

async fn ask(nobody: &Actor, token: &str) -> Reply {
    nobody
        .post("/v1/sessions/refresh", &json!({ "refresh_token": token }))
        .await
}

async fn refreshed(nobody: &Actor, token: &str) -> SignedIn {
    serde_json::from_value(ask(nobody, token).await.good()).expect("a session")
}

on_both!(a_chain_of_refreshes_keeps_the_session_alive, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let nobody = harness.nobody();
    let mut token = worker.signed_in().refresh_token.clone();
    for _ in 0..4 {
        harness.clock.advance(14 * 60_000);
        let session = refreshed(&nobody, &token).await;
        assert_ne!(session.refresh_token, token);
        assert_eq!(session.device, worker.signed_in().device);
        worker.with(session.clone()).get("/v1/me").await.good();
        token = session.refresh_token;
    }
});

on_both!(a_lost_reply_does_not_sign_out, |engine| {
    let harness = Harness::start(engine).await;
    let nobody = harness.nobody();
    let first = harness.worker(1).await.signed_in().refresh_token.clone();
    // Three replies are lost on the way; the phone knows only its first token.
    let mut lost = Vec::new();
    for _ in 0..3 {
        lost.push(refreshed(&nobody, &first).await.refresh_token);
    }
    // The last one arrives late, or an earlier one did after all: each must do.
    for late in lost {
        refreshed(&nobody, &late).await;
    }
});

on_both!(two_tabs_refresh_at_the_same_moment, |engine| {
    let harness = Harness::start(engine).await;
    let nobody = harness.nobody();
    let first = harness.worker(1).await.signed_in().refresh_token.clone();
    let both = futures::future::join_all((0..8).map(|_| refreshed(&nobody, &first))).await;
    for session in both {
        refreshed(&nobody, &session.refresh_token).await;
    }
});

on_both!(
    a_token_from_before_the_last_ends_the_whole_session,
    |engine| {
        let harness = Harness::start(engine).await;
        let nobody = harness.nobody();
        let worker = harness.worker(1).await;
        let stolen = worker.signed_in().refresh_token.clone();
        let second = refreshed(&nobody, &stolen).await;
        let third = refreshed(&nobody, &second.refresh_token).await;
        let after = worker.with(third.clone());
        after.get("/v1/me").await.good();

        ask(&nobody, &stolen).await.problem(401, "refresh-reused");
        after.get("/v1/me").await.problem(401, "unauthorized");
        ask(&nobody, &third.refresh_token)
            .await
            .problem(401, "unauthorized");
        harness.worker(1).await.get("/v1/me").await.good();
    }
);

on_both!(what_is_no_refresh_token_is_refused, |engine| {
    let harness = Harness::start(engine).await;
    let nobody = harness.nobody();
    let worker = harness.worker(1).await;
    let session = worker.signed_in();
    for token in [
        "",
        ".",
        "x",
        "no-such-session.abc",
        session.access_token.as_str(),
    ] {
        ask(&nobody, token).await.problem(401, "unauthorized");
    }
    worker.get("/v1/me").await.good();
});

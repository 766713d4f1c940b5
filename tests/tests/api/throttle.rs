//! Guessing is slowed down, account by account, and nobody is ever locked out.

use serde_json::json;
use xiangyi_server::accounts::addresses::FAILURES_MAX;
use xiangyi_server::rates::Rates;
use xiangyi_tests::actor::{Actor, PASSWORD, Reply, send};
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

async fn try_in(nobody: &Actor, telephone: &str, password: &str) -> Reply {
    let ask = json!({ "telephone": telephone, "password": password });
    nobody.post("/v1/sessions", &ask).await
}

/// Guesses until the answer is a delay; gives how long it is.
async fn guess_until_delayed(nobody: &Actor, telephone: &str) -> i64 {
    for _ in 0..20 {
        let reply = try_in(nobody, telephone, "wrong").await;
        if reply.status == 429 {
            let body = reply.problem(429, "throttled");
            let ms = body["retry_ms"].as_i64().expect("a delay");
            assert_eq!(
                reply.header("retry-after"),
                ((ms + 999) / 1_000).to_string()
            );
            return ms;
        }
        reply.problem(401, "sign-in-failed");
    }
    panic!("twenty guesses were free");
}

on_both!(delays_grow_and_end, |engine| {
    let harness = Harness::start(engine).await;
    let nobody = harness.nobody();
    let telephone = "13800000001";
    let mut delays = Vec::new();
    for _ in 0..12 {
        let ms = guess_until_delayed(&nobody, telephone).await;
        delays.push(ms);
        // The right password waits as well, or guessing would go on meanwhile.
        try_in(&nobody, telephone, PASSWORD)
            .await
            .problem(429, "throttled");
        harness.clock.advance(ms);
    }
    assert!(delays.is_sorted() && delays[0] < delays[5], "{delays:?}");
    assert!(
        delays.iter().all(|ms| (1..=300_000).contains(ms)),
        "{delays:?}"
    );
    // Others are not concerned, and when the delay is over the door is open.
    try_in(&nobody, "13800000002", PASSWORD).await.good();
    try_in(&nobody, telephone, PASSWORD).await.good();
    // Success forgets the failures.
    try_in(&nobody, telephone, "wrong")
        .await
        .problem(401, "sign-in-failed");
    try_in(&nobody, telephone, PASSWORD).await.good();
});

on_both!(who_asks_too_often_waits_and_nobody_else, |engine| {
    let harness = Harness::with_settings(engine, |config| {
        config.rates = Rates {
            session_burst: 5,
            session_per_second: 1,
            person_burst: 8,
            person_per_second: 1,
        };
    });
    let harness = harness.await;
    let worker = harness.worker(1).await;
    for _ in 0..5 {
        worker.get("/v1/me").await.good();
    }
    let push = worker.post("/v1/sync", &json!({})).await;
    let wait = push.problem(429, "throttled")["retry_ms"].as_i64();
    assert_eq!(wait, Some(1_000), "{push:?}");
    assert_eq!(push.header("retry-after"), "1");
    harness.worker(2).await.get("/v1/me").await.good();
    // The same person elsewhere has what is left of what is theirs over all.
    let page = harness.worker(1).await;
    for _ in 0..3 {
        page.get("/v1/me").await.good();
    }
    page.get("/v1/me").await.problem(429, "throttled");
    harness.clock.advance(1_000);
    page.get("/v1/me").await.good();
    worker.get("/v1/me").await.problem(429, "throttled");
    harness.clock.advance(60_000);
    worker.get("/v1/me").await.good();
});

async fn try_from(nobody: &Actor, address: &str, telephone: &str, password: &str) -> Reply {
    let ask = json!({ "telephone": telephone, "password": password });
    let request = nobody
        .request(reqwest::Method::POST, "/v1/sessions")
        .header("x-forwarded-for", address);
    send(request.json(&ask)).await
}

on_both!(
    an_address_has_many_failures_and_others_none_of_them,
    |engine| {
        let harness = Harness::start(engine).await;
        let nobody = harness.nobody();
        let carrier = "198.51.100.1, 203.0.113.7";
        // Each guess at another account, so that no account delays them.
        for number in 0..FAILURES_MAX {
            let telephone = format!("1390000{number:04}");
            let reply = try_from(&nobody, carrier, &telephone, "wrong").await;
            reply.problem(401, "sign-in-failed");
            if number % 50 == 0 {
                // Who signs in does not count.
                try_from(&nobody, carrier, "13800000005", PASSWORD)
                    .await
                    .good();
            }
        }
        let refused = try_from(&nobody, carrier, "13800000001", PASSWORD).await;
        assert_eq!(refused.problem(429, "throttled")["retry_ms"], 2_000);
        // What a client claims before the proxy's own word changes nothing.
        let claimed = "192.0.2.99, 203.0.113.7";
        try_from(&nobody, claimed, "13800000001", PASSWORD)
            .await
            .problem(429, "throttled");
        try_from(&nobody, "203.0.113.8", "13800000001", PASSWORD)
            .await
            .good();
        try_in(&nobody, "13800000001", PASSWORD).await.good();
        harness.clock.advance(2_000);
        try_from(&nobody, carrier, "13800000001", PASSWORD)
            .await
            .good();
    }
);

on_both!(
    who_is_sent_away_unheard_costs_the_address_nothing,
    |engine| {
        let harness = Harness::start(engine).await;
        let nobody = harness.nobody();
        let carrier = "203.0.113.7";
        guess_until_delayed(&nobody, "13800000001").await;
        // Nobody looks at these passwords while the account is delayed.
        for _ in 0..FAILURES_MAX {
            let reply = try_from(&nobody, carrier, "13800000001", PASSWORD).await;
            reply.problem(429, "throttled");
        }
        try_from(&nobody, carrier, "13800000002", PASSWORD)
            .await
            .good();
    }
);

on_both!(an_unknown_telephone_is_delayed_like_a_known_one, |engine| {
    let harness = Harness::start(engine).await;
    let nobody = harness.nobody();
    let known = guess_until_delayed(&nobody, "13800000001").await;
    assert_eq!(known, guess_until_delayed(&nobody, "13877776666").await);
});

on_both!(forty_guesses_at_once_are_not_forty_tries, |engine| {
    let harness = Harness::start(engine).await;
    let nobody = harness.nobody();
    let guesses = (0..40).map(|_| try_in(&nobody, "13800000001", "wrong"));
    let replies = futures::future::join_all(guesses).await;
    let tried = replies.iter().filter(|reply| reply.status == 401).count();
    assert!(tried <= 6, "{tried} guesses were tried");
    assert!(
        replies
            .iter()
            .all(|reply| [401, 429].contains(&reply.status.as_u16()))
    );
});

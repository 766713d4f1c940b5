//! Signing in and out, and what a session may see of itself.

use reqwest::Method;
use serde_json::json;
use xiangyi_tests::actor::{PASSWORD, send};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

on_both!(a_worker_signs_in_and_is_known, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(3).await;
    let session = worker.signed_in();
    assert_eq!(session.person.id, "p-worker-03");
    assert_eq!(session.access_expires_at, START + 15 * 60_000);
    let me = worker.get("/v1/me").await.good();
    assert_eq!(me["person"]["id"], "p-worker-03");
    assert_eq!(me["person"]["name"], session.person.name);
    let unit = me["grants"][0]["unit"].as_str().expect("a unit").to_owned();
    assert_eq!(me["grants"][0]["role"], "worker");
    assert_eq!(me["units"][0]["code"], unit);
    let streams: Vec<&str> = me["streams"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|s| s["stream"].as_str())
        .collect();
    assert!(streams.contains(&"person:p-worker-03"), "{streams:?}");
    assert!(
        streams.contains(&format!("station:{unit}").as_str()),
        "{streams:?}"
    );
    assert!(
        streams.iter().all(|stream| !stream.starts_with("hub:")),
        "{streams:?}"
    );
});

on_both!(
    a_wrong_password_and_an_unknown_telephone_read_the_same,
    |engine| {
        let harness = Harness::start(engine).await;
        let mut seen = Vec::new();
        for (telephone, password) in [
            ("13800000001", "wrong"),
            ("13811112222", PASSWORD),
            ("", ""),
        ] {
            let ask = json!({ "telephone": telephone, "password": password });
            let mut body = harness
                .nobody()
                .post("/v1/sessions", &ask)
                .await
                .problem(401, "sign-in-failed");
            body["request_id"] = json!("");
            seen.push(body);
        }
        assert!(seen.iter().all(|body| *body == seen[0]), "{seen:?}");
    }
);

on_both!(
    signing_out_ends_the_session_at_once_and_no_other,
    |engine| {
        let harness = Harness::start(engine).await;
        let (here, there) = (harness.worker(1).await, harness.worker(1).await);
        let out = here.call(Method::DELETE, "/v1/sessions").await;
        assert_eq!(out.status, 204);
        here.get("/v1/me").await.problem(401, "unauthorized");
        let refresh = json!({ "refresh_token": here.signed_in().refresh_token });
        harness
            .nobody()
            .post("/v1/sessions/refresh", &refresh)
            .await
            .problem(401, "unauthorized");
        there.get("/v1/me").await.good();
    }
);

on_both!(a_cookie_reads_and_writes_only_with_the_header, |engine| {
    let harness = Harness::start(engine).await;
    let ask = json!({ "telephone": "13800000201", "password": PASSWORD, "cookie": true });
    let reply = harness.nobody().post("/v1/sessions", &ask).await;
    reply.good();
    let set = reply.header("set-cookie").to_owned();
    for part in ["xiangyi_session=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(
        !set.contains("Secure"),
        "plain HTTP on loopback would not send it back: {set}"
    );
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let with = |method: Method, path: &str| {
        harness
            .nobody()
            .request(method, path)
            .header("cookie", &cookie)
    };
    assert_eq!(
        send(with(Method::GET, "/v1/me")).await.good()["person"]["id"],
        "p-officer-1"
    );
    send(with(Method::POST, "/v1/devices"))
        .await
        .problem(403, "csrf-required");
    let odd = with(Method::POST, "/v1/devices").header("x-xiangyi-csrf", "0");
    send(odd).await.problem(403, "csrf-required");
    let meant = with(Method::POST, "/v1/devices").header("x-xiangyi-csrf", "1");
    send(meant).await.good();
    let out = with(Method::DELETE, "/v1/sessions").header("x-xiangyi-csrf", "1");
    let out = send(out).await;
    assert!(
        out.header("set-cookie").contains("Max-Age=0"),
        "{:?}",
        out.headers
    );
    send(with(Method::GET, "/v1/me"))
        .await
        .problem(401, "unauthorized");
    let plain = harness.hub().await;
    assert!(plain.session.is_some());
});

on_both!(a_session_that_nobody_refreshes_ends, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(2).await;
    harness.clock.advance(91 * 86_400_000);
    let refresh = json!({ "refresh_token": worker.signed_in().refresh_token });
    harness
        .nobody()
        .post("/v1/sessions/refresh", &refresh)
        .await
        .problem(401, "unauthorized");
});

on_both!(
    a_cookie_is_for_tls_only_behind_a_proxy_that_speaks_it,
    |engine| {
        let harness = Harness::start(engine).await;
        let ask = json!({ "telephone": "13800000001", "password": PASSWORD, "cookie": true });
        for (scheme, is_secure) in [("https", true), ("http", false)] {
            let request = harness.nobody().request(Method::POST, "/v1/sessions");
            let reply = send(request.header("x-forwarded-proto", scheme).json(&ask)).await;
            let cookie = reply.header("set-cookie");
            assert_eq!(cookie.contains("; Secure"), is_secure, "{scheme}");
        }
    }
);

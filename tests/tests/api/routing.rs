//! Routes, methods, strangers: what is not there is not there for anybody.

use reqwest::Method;
use serde_json::json;
use xiangyi_server::router::{ROUTES, Who};
use xiangyi_tests::actor::send;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;

/// A path of the table with something in its variable places.
fn filled(path: &str) -> String {
    let part = |part: &str| {
        if part.starts_with('{') {
            "x".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn a_stranger_is_refused_on_every_route_that_asks_who() {
    let harness = Harness::start(Engine::Sqlite).await;
    let nobody = harness.nobody();
    assert!(ROUTES.len() >= 9);
    for route in ROUTES.iter().filter(|route| route.who == Who::SignedIn) {
        let method = Method::from_bytes(route.method.as_bytes()).expect("a method");
        let request = nobody.request(method, &filled(route.path)).json(&json!({}));
        let reply = send(request).await;
        assert_eq!(
            reply.code(),
            "unauthorized",
            "{} {}",
            route.method,
            route.path
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let harness = Harness::start(Engine::Sqlite).await;
    let nobody = harness.nobody();
    for path in ["/nothing", "/v1/a/b/c", "/v1/", "/%E7%AB%99"] {
        nobody.get(path).await.problem(404, "not-found");
    }
    // Who is not signed in learns nothing of what there is; who is, finds nothing.
    let worker = harness.worker(1).await;
    let id = "019b7a50-0000-7000-8000-000000000001";
    let paths = [
        "/v1/nothing?unit=430121001".to_owned(),
        format!("/v1/nothing/{id}?unit=430121001"),
        format!("/v1/visits/{id}?unit=430121001"),
    ];
    for path in &paths {
        nobody.get(path).await.problem(401, "unauthorized");
        worker.get(path).await.problem(404, "not-found");
    }
    worker
        .get("/v1/visits?unit=1&limit=many")
        .await
        .problem(400, "invalid-parameter");
    let reply = nobody.get("/v1/sessions").await;
    reply.problem(405, "method-not-allowed");
    let allowed = reply.header("allow").to_owned();
    assert!(
        allowed.contains("POST") && allowed.contains("DELETE"),
        "{allowed}"
    );
    assert_eq!(nobody.get("/healthz").await.status, 200);
    assert_eq!(nobody.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn what_a_collection_does_not_take_is_no_method_of_it() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    let one = "019b7a50-0000-7000-8000-000000000001?unit=430121001";
    for (method, path, allowed) in [
        (Method::POST, "/v1/refusals".to_owned(), "GET, HEAD"),
        (Method::POST, "/v1/verdicts".to_owned(), "GET, HEAD"),
        (
            Method::PATCH,
            format!("/v1/check-ins/{one}"),
            "GET, HEAD, DELETE",
        ),
        (
            Method::DELETE,
            format!("/v1/sign-ups/{one}"),
            "GET, HEAD, PATCH",
        ),
        (Method::PATCH, format!("/v1/incidents/{one}"), "GET, HEAD"),
    ] {
        let reply = worker.call(method.clone(), &path).await;
        assert_eq!(
            reply.code(),
            "method-not-allowed",
            "{method} {path}: {}",
            reply.text
        );
        reply.problem(405, "method-not-allowed");
        assert_eq!(reply.header("allow"), allowed, "{method} {path}");
    }
    // What can be read goes before the gate, which listens to it, and refuses the operation.
    let path = format!("/v1/check-ins/{one}");
    let write = json!({ "unit": "430121001", "set": { "/note": "x" } });
    let request = worker.request(Method::PATCH, &path).json(&write);
    let reply = send(request.header("idempotency-key", "gate")).await;
    let body = reply.problem(422, "record-invalid");
    assert_eq!(body["errors"][0]["code"], "op-not-allowed", "{body}");
    // What it takes is asked for its body.
    let path = format!("/v1/visits/{one}");
    let reply = worker.call(Method::PATCH, &path).await;
    reply.problem(415, "unsupported-media-type");
    worker
        .call(Method::POST, "/v1/nothing")
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn who_has_to_sign_in_is_told_how() {
    let harness = Harness::start(Engine::Sqlite).await;
    let nobody = harness.nobody();
    let bare = nobody.get("/v1/me").await;
    bare.problem(401, "unauthorized");
    assert_eq!(bare.header("www-authenticate"), "Bearer");
    let wrong = json!({ "telephone": "13800000001", "password": "wrong" });
    let wrong = nobody.post("/v1/sessions", &wrong).await;
    wrong.problem(401, "sign-in-failed");
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    let worker = harness.worker(1).await;
    harness.clock.advance(16 * 60_000);
    let old = worker.get("/v1/me").await;
    old.problem(401, "token-expired");
    let told = "Bearer error=\"invalid_token\"";
    assert_eq!(old.header("www-authenticate"), told);
    assert_eq!(nobody.get("/v1/a/b/c").await.header("www-authenticate"), "");
}

#[tokio::test]
async fn a_post_may_mean_delete_and_nothing_else_may_mean_anything() {
    let harness = Harness::start(Engine::Sqlite).await;
    let over = |actor: &xiangyi_tests::actor::Actor, method: Method, meant: &str| {
        actor
            .request(method, "/v1/sessions")
            .header("x-http-method-override", meant)
    };
    let worker = harness.worker(1).await;
    send(over(&worker, Method::GET, "DELETE"))
        .await
        .problem(405, "method-not-allowed");
    // A POST that says GET or PUT is a POST: no JSON, so a refused body.
    for meant in ["GET", "PUT", "delete now"] {
        let reply = send(over(&worker, Method::POST, meant).json(&json!({}))).await;
        assert_eq!(reply.code(), "invalid-envelope", "{meant}: {}", reply.text);
    }
    worker.get("/v1/me").await.good();
    assert_eq!(
        send(over(&worker, Method::POST, "DELETE")).await.status,
        204
    );
    worker.get("/v1/me").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let harness = Harness::start(Engine::Sqlite).await;
    let (one, other) = (
        harness.nobody().get("/healthz").await,
        harness.nobody().get("/x").await,
    );
    assert!(!one.header("x-request-id").is_empty());
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_take_nothing_from_elsewhere_and_stand_in_no_frame() {
    let harness = Harness::start(Engine::Sqlite).await;
    for page in [
        "/hub/",
        "/hub/hub.js",
        "/reference/",
        "/reference/reference.js",
    ] {
        let reply = harness.nobody().get(page).await;
        assert_eq!(reply.status, 200, "{page}");
        let policy = reply.header("content-security-policy");
        for part in [
            "default-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{page}: {policy}");
        }
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{page}");
        for far in ["http://", "https://", "<script>", "javascript:"] {
            let named = reply.text.replace("http://www.w3.org/", "");
            assert!(
                page.ends_with(".js") || !named.contains(far),
                "{page} holds {far}"
            );
        }
    }
}

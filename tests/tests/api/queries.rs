//! Queries and paths that do not fit: each fault names its parameter and repeats nothing.

use serde_json::json;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;

#[rustfmt::skip]
const FAULTS: &[(&str, &str, &str)] = &[
    ("/v1/visits", "/unit", "required"),
    ("/v1/visits?unit=430121&limit=abc", "/limit", "wrong-type"),
    ("/v1/visits?unit=430121&limit=", "/limit", "wrong-type"),
    ("/v1/visits?unit=430121&limit=1.5", "/limit", "wrong-type"),
    ("/v1/visits?unit=430121&limit=99999999999999999999", "/limit", "wrong-type"),
    ("/v1/visits?unit=430121&limit=0", "/limit", "out-of-range"),
    ("/v1/visits?unit=430121&limit=201", "/limit", "out-of-range"),
    ("/v1/visits?unit=430121&from=yesterday", "/from", "wrong-type"),
    ("/v1/visits?unit=430121&after=x", "/after", "wrong-type"),
    ("/v1/visits?unit=430121&colour=green", "/colour", "unknown-field"),
    ("/v1/visits?unit=430121&unit=430181", "/unit", "wrong-type"),
    ("/v1/visits/019b7a50-0000-7000-8000-000000000001", "/unit", "required"),
    ("/v1/visits/none?unit=430121", "/id", "bad-id"),
    ("/v1/visits/%7B019b7a50-0000-7000-8000-000000000001%7D?unit=430121", "/id", "bad-id"),
    ("/v1/visits/019b7a50000070008000000000000001?unit=430121", "/id", "bad-id"),
    ("/v1/visits/%FF?unit=430121", "/path", "bad-text"),
    ("/v1/%FF%FE?unit=430121", "/path", "bad-text"),
    ("/v1/visits?unit=abc", "/unit", "bad-region"),
    ("/v1/visits?unit=43012", "/unit", "bad-region"),
    ("/v1/visits/019b7a50-0000-7000-8000-000000000001?unit=4301210", "/unit", "bad-region"),
    ("/v1/clients/019b7a50-0000-7000-8000-000000000001/timeline?unit=x", "/unit", "bad-region"),
    ("/v1/activities/019b7a50-0000-7000-8000-000000000001/card?unit=x", "/unit", "bad-region"),
    ("/v1/today?unit=43012a", "/unit", "bad-region"),
    ("/v1/today?unit=430121001", "/unit", "bad-region"),
    ("/v1/kpi?unit=4301&year=2026", "/unit", "bad-region"),
    ("/v1/reports/2026-01?unit=430121001001", "/unit", "bad-region"),
    ("/v1/escalated?unit=430121001", "/unit", "bad-region"),
    ("/v1/refusals/ledger?unit=43&from=2026-01&to=2026-01", "/unit", "bad-region"),
    ("/v1/visits?unit=430121&author=%00", "/author", "bad-text"),
    ("/v1/today", "/unit", "required"),
    ("/v1/today?unit=430121&x=1", "/x", "unknown-field"),
    ("/v1/live?x=1", "/x", "unknown-field"),
    ("/v1/photos/0000000000000000000000000000000000000000000000000000000000000000\
     ?unit=430121001&as=thumb&reason=a%00b", "/reason", "bad-text"),
    ("/v1/photos/0000000000000000000000000000000000000000000000000000000000000000/about\
     ?unit=430121001&reason=a%00b", "/reason", "bad-text"),
    ("/v1/photos/0000000000000000000000000000000000000000000000000000000000000000",
     "/unit", "required"),
];

#[tokio::test]
async fn each_fault_of_a_query_names_its_parameter() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    for (path, pointer, code) in FAULTS {
        let reply = worker.get(path).await;
        assert_eq!(reply.code(), "invalid-parameter", "{path}: {}", reply.text);
        let error = &reply.problem(400, "invalid-parameter")["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code)),
            "{path}"
        );
        for sent in ["abc", "99999", "yesterday", "green", "none"] {
            assert!(!reply.text.contains(sent), "{path}: {}", reply.text);
        }
    }
    for method in [reqwest::Method::PATCH, reqwest::Method::DELETE] {
        let request = worker
            .request(method, "/v1/visits/none")
            .json(&json!({ "unit": "430121" }));
        let reply = xiangyi_tests::actor::send(request).await;
        let body = reply.problem(400, "invalid-parameter");
        assert_eq!(body["errors"][0]["pointer"], "/id");
    }
    let hub = harness.hub().await;
    for (path, pointer, code) in [
        (
            "/v1/refusals/ledger?unit=430121&from=0000-01&to=0000-02",
            "/from",
            "out-of-range",
        ),
        (
            "/v1/refusals/ledger?unit=430121&from=9999-12&to=9999-12",
            "/from",
            "out-of-range",
        ),
        (
            "/v1/refusals/ledger?unit=430121&from=2026-01&to=2100-01",
            "/to",
            "out-of-range",
        ),
        (
            "/v1/refusals/ledger?unit=430121&from=2026-13&to=2026-13",
            "/from",
            "bad-date",
        ),
        ("/v1/reports/2026-Q+1?unit=430121", "/period", "bad-date"),
    ] {
        let error = &hub.get(path).await.problem(400, "invalid-parameter")["errors"][0];
        let told = (&error["pointer"], &error["code"]);
        assert_eq!(told, (&json!(pointer), &json!(code)), "{path}");
    }
    // Long names are cut, and what is no collection is not there, whatever else is wrong.
    let long = format!("/v1/visits?unit=430121&{}=1", "x".repeat(500));
    let body = worker.get(&long).await.problem(400, "invalid-parameter");
    assert_eq!(body["errors"][0]["pointer"], format!("/{}", "x".repeat(32)));
    worker
        .get("/v1/nothing/none?unit=430121")
        .await
        .problem(404, "not-found");
    let list = worker
        .get("/v1/visits?unit=430121&limit=200&from=0&to=1&after=0&state=")
        .await;
    assert_eq!(list.good()["records"], json!([]));
}

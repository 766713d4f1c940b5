//! Bodies that no honest phone sends, each with its code; the server stays up.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use xiangyi_tests::actor::{Actor, PASSWORD, Reply};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(plain).expect("memory");
    out.finish().expect("memory")
}

const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// What it is, the status and code it gets, its headers, its bytes.
type Case = (
    &'static str,
    u16,
    &'static str,
    Vec<(&'static str, &'static str)>,
    Vec<u8>,
);

async fn sync(worker: &Actor, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Reply {
    worker.post_raw("/v1/sync", headers, body).await
}

/// What is sent, the status and code that come, the headers, the bytes.
#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let zstd = || vec![JSON, ("content-encoding", "zstd")];
    let br = ("content-encoding", "br");
    let text = ("content-type", "text/plain");
    let packed = || vec![JSON, GZIP];
    let cut = gzip(b"{\"a\":1}")[..12].to_vec();
    vec![
        ("nothing", 400, "malformed-json", vec![JSON], vec![]),
        ("half", 400, "malformed-json", vec![JSON], b"{\"protocol\":1,".to_vec()),
        ("not utf-8", 400, "not-utf8", vec![JSON], b"{\"device\":\"\xff\xfe\"}".to_vec()),
        ("deep", 400, "too-deep", vec![JSON], deep.into_bytes()),
        ("large", 413, "too-large", vec![JSON], vec![b' '; 3 << 20]),
        ("bomb", 413, "too-large", packed(), gzip(&vec![b' '; 64 << 20])),
        ("ratio", 413, "inflate-ratio", packed(), gzip(&vec![b' '; 900_000])),
        ("no gzip", 400, "malformed-json", packed(), b"plain".to_vec()),
        ("cut gzip", 400, "malformed-json", packed(), cut),
        ("no zstd", 400, "malformed-json", zstd(), b"plain".to_vec()),
        ("brotli", 415, "unsupported-encoding", vec![JSON, br], vec![1]),
        ("form", 415, "unsupported-media-type", vec![text], b"{}".to_vec()),
    ]
}

#[tokio::test]
async fn bad_bodies_get_their_codes_and_the_server_lives() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    for (what, status, code, headers, body) in cases() {
        let reply = sync(&worker, &headers, body).await;
        assert_eq!(reply.code(), code, "{what}: {}", reply.text);
        reply.problem(status, code);
    }
    let plain = json!({ "protocol": 1, "device": worker.register().await }).to_string();
    sync(&worker, &[JSON], plain.clone()).await.good();
    sync(&worker, &[JSON, GZIP], gzip(plain.as_bytes()))
        .await
        .good();
    sync(
        &worker,
        &[("content-type", "application/json; charset=utf-8")],
        plain,
    )
    .await
    .good();
}

#[tokio::test]
async fn a_wrong_shape_points_at_its_place() {
    let harness = Harness::start(Engine::Sqlite).await;
    let ask = json!({ "telephone": 13800000001_i64, "password": PASSWORD });
    let reply = harness.nobody().post("/v1/sessions", &ask).await;
    let body = reply.problem(reply.status.as_u16(), "invalid-envelope");
    assert!([400, 422].contains(&reply.status.as_u16()));
    assert_eq!(body["errors"][0]["pointer"], "/telephone");
    assert!(
        !reply.text.contains("13800000001"),
        "what was sent is not repeated"
    );
}

#[tokio::test]
async fn answers_are_compressed_when_asked() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    for encoding in ["gzip", "br", "zstd"] {
        let request = worker
            .request(reqwest::Method::GET, "/v1/openapi.json")
            .header("accept-encoding", encoding);
        let reply = request.send().await.expect("answered");
        assert_eq!(reply.headers()["content-encoding"], encoding);
    }
    // What fits one packet goes as it is.
    let request = worker.request(reqwest::Method::GET, "/healthz");
    let reply = request.header("accept-encoding", "gzip").send().await;
    let headers = reply.expect("answered").headers().clone();
    assert!(!headers.contains_key("content-encoding"));
}

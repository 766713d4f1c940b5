//! What tus promises beside the offsets: its extensions, told and held.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use sha2::{Digest, Sha256};
use xiangyi_tests::actor::{Actor, Reply, send};
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{ROADSIDE, UNIT, offset};

/// Appends with a checksum of what should have come.
async fn append(actor: &Actor, location: &str, at: usize, bytes: &[u8], sum: &str) -> Reply {
    let request = actor
        .request(Method::PATCH, location)
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", at)
        .header("upload-checksum", sum)
        .header("content-type", "application/offset+octet-stream")
        .body(bytes.to_vec());
    send(request).await
}

fn sum(bytes: &[u8]) -> String {
    format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)))
}

on_both!(a_garbled_chunk_is_told_and_changes_nothing, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let made = worker
        .announce(ROADSIDE, "image/jpeg", &[("unit", UNIT)])
        .await;
    let location = made.header("location");
    // Longer than the step in which chunks become durable.
    let half = 140 * 1024;
    let (first, last) = ROADSIDE.split_at(half);
    let mut garbled = first.to_vec();
    garbled[half / 2] ^= 1;
    for _ in 0..2 {
        let reply = append(&worker, location, 0, &garbled, &sum(first)).await;
        reply.problem(460, "upload-checksum");
        assert_eq!(offset(&worker, location).await, 0);
    }
    let reply = append(&worker, location, 0, first, "md5 AAAA").await;
    let fault = reply.problem(400, "invalid-parameter");
    assert_eq!(fault["errors"][0]["pointer"], "/upload-checksum");
    let reply = append(&worker, location, 0, first, &sum(first)).await;
    assert_eq!(
        (reply.status.as_u16(), offset(&worker, location).await),
        (204, half)
    );
    let reply = append(&worker, location, half, last, &sum(first)).await;
    reply.problem(460, "upload-checksum");
    assert_eq!(
        offset(&worker, location).await,
        half,
        "also at the last byte"
    );
    let reply = append(&worker, location, half, last, &sum(last)).await;
    assert_eq!(reply.status, 204, "{}", reply.text);
    assert_eq!(offset(&worker, location).await, ROADSIDE.len());
});

#[tokio::test]
async fn what_is_told_of_tus_is_there() {
    let harness = Harness::start(xiangyi_tests::engine::Engine::Sqlite).await;
    let told = harness.nobody().call(Method::OPTIONS, "/v1/photos").await;
    assert_eq!(told.status, 204);
    assert_eq!(told.header("tus-version"), "1.0.0");
    assert_eq!(told.header("tus-max-size"), "8388608");
    assert_eq!(told.header("tus-checksum-algorithm"), "sha1,sha256");
    let extensions = told.header("tus-extension");
    assert_eq!(extensions, "creation,expiration,termination,checksum");
    let worker = harness.worker(1).await;
    let made = worker
        .announce(ROADSIDE, "image/jpeg", &[("unit", UNIT)])
        .await;
    assert_eq!(
        made.header("upload-expires"),
        "Thu, 22 Jan 2026 02:00:00 GMT"
    );
}

//! Photographs by tus, on both engines and both stores: cut and resumed, checked, shown to those
//! who may see them, and never with what the camera wrote beside the picture.

mod about;
mod chunks;
mod client;
mod evidence;
mod nodes;
mod outage;
mod small;
mod swept;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xiangyi_tests::actor::{Actor, Reply, send};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const UNIT: &str = "430121001";
const VISIT: &str = "01920000-0000-7000-8000-0000000000e1";
const ROADSIDE: &[u8] = include_bytes!("../../data/photos/exif-roadside.jpg");
/// How long a rendition may take; a loaded machine needs a tenth of it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// What `make.py` hides in the EXIF of the honest photographs.
const CANARY: &[u8] = b"CANARY-ARTIST-7731";

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn announce(actor: &Actor, sha: &str, length: usize) -> Reply {
    let pair = |name: &str, value: &str| format!("{name} {}", STANDARD.encode(value));
    let metadata = [
        pair("sha256", sha),
        pair("unit", UNIT),
        pair("record", VISIT),
        pair("mime", "image/jpeg"),
    ];
    let request = actor
        .request(Method::POST, "/v1/photos")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", length)
        .header("upload-metadata", metadata.join(","));
    send(request).await
}

async fn append(actor: &Actor, location: &str, offset: usize, bytes: &[u8]) -> Reply {
    // As a mini-program does it, which has no PATCH.
    let request = actor
        .request(Method::POST, location)
        .header("x-http-method-override", "PATCH")
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream")
        .body(bytes.to_vec());
    send(request).await
}

async fn offset(actor: &Actor, location: &str) -> usize {
    let request = actor
        .request(Method::HEAD, location)
        .header("tus-resumable", "1.0.0");
    let reply = send(request).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.header("upload-offset").parse().expect("an offset")
}

async fn visit(worker: &Actor, sha: &str, length: usize) -> Value {
    let body = json!({
        "no_client_reason": "集中走访", "services": ["ec_visit"], "process": "看望老人",
        "started_at": START - 3_600_000, "ended_at": START - 60_000, "result": "平稳",
        "outcome": { "kind": "served" },
        "photos": [{ "sha256": sha, "bytes": length, "mime": "image/jpeg", "source": "camera" }],
    });
    let device = worker.register().await;
    let envelope = json!({ "protocol": 1, "device": device, "push": { "mutations": [
        { "n": 1, "op": "create", "kind": "visit", "unit": UNIT, "id": VISIT, "body": body } ]}});
    worker.post("/v1/sync", &envelope).await.good()["push"]["verdicts"][0].clone()
}

/// Asks until the rendition is made: 202 says that it is not yet.
async fn once_made(actor: &Actor, path: &str) -> reqwest::Response {
    loop {
        let shown = actor
            .request(Method::GET, path)
            .send()
            .await
            .expect("an answer");
        if shown.status() != StatusCode::ACCEPTED {
            return shown;
        }
        assert_eq!(shown.headers()["retry-after"], "1");
    }
}

async fn whole_way(harness: &Harness) {
    let (worker, colleague) = (harness.worker(1).await, harness.worker(2).await);
    let sha = hash(ROADSIDE);
    let verdict = visit(&worker, &sha, ROADSIDE.len()).await;
    assert_eq!(verdict["derived"]["evidence"], "pending", "{verdict}");

    let made = announce(&worker, &sha, ROADSIDE.len()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let location = made.header("location").to_owned();
    let half = ROADSIDE.len() / 2;
    let first = append(&worker, &location, 0, &ROADSIDE[..half]).await;
    assert_eq!(first.status, StatusCode::NO_CONTENT, "{}", first.text);
    append(&worker, &location, 0, b"again")
        .await
        .problem(409, "upload-offset");
    assert_eq!(offset(&worker, &location).await, half);
    let again = announce(&worker, &sha, ROADSIDE.len()).await;
    assert_eq!(
        again.header("location"),
        location,
        "the same photograph resumes"
    );
    let colleagues = append(&colleague, &location, half, &ROADSIDE[half..]).await;
    colleagues.problem(404, "not-found");
    let last = append(&worker, &location, half, &ROADSIDE[half..]).await;
    assert_eq!(last.status, StatusCode::NO_CONTENT, "{}", last.text);

    let stored = worker
        .get(&format!("/v1/visits/{VISIT}?unit={UNIT}"))
        .await
        .good();
    assert_eq!(
        stored["body"]["derived"]["evidence"], "complete",
        "{stored}"
    );
    assert_eq!(stored["rev"], 2, "the row travels again");
    for form in ["thumb", "view"] {
        let path = format!("/v1/photos/{sha}?as={form}&unit={UNIT}");
        let made = tokio::time::timeout(PATIENCE, once_made(&worker, &path)).await;
        let shown = made.expect("renditions are made in time");
        assert_eq!(shown.status(), StatusCode::OK);
        assert_eq!(shown.headers()["content-type"], "image/jpeg");
        let bytes = shown.bytes().await.expect("bytes");
        let size = image::load_from_memory(&bytes).expect("a picture");
        assert!(size.height() > size.width(), "upright: {form}");
        assert!(
            !bytes.windows(CANARY.len()).any(|part| part == CANARY),
            "{form} tells"
        );
        for stranger in [&colleague, &harness.stranger().await, &harness.hub().await] {
            stranger.get(&path).await.problem(404, "not-found");
        }
    }
}

on_both!(a_photograph_is_cut_resumed_and_shown, |engine| {
    whole_way(&Harness::start(engine).await).await;
});

on_both!(and_the_same_on_an_s3_server, |engine| {
    whole_way(&Harness::with_s3(engine).await).await;
});

#[tokio::test]
async fn what_is_no_photograph_is_told_so() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    let text: &[u8] = include_bytes!("../../data/photos/not-a-photo.jpg");
    let cut: &[u8] = include_bytes!("../../data/photos/truncated.jpg");
    for (bytes, sha, status, code) in [
        (text, hash(text), 415, "photo-type"),
        (cut, hash(cut), 422, "photo-undecodable"),
        (
            ROADSIDE,
            hash(b"something else"),
            460,
            "photo-hash-mismatch",
        ),
    ] {
        let made = announce(&worker, &sha, bytes.len()).await;
        let location = made.header("location").to_owned();
        append(&worker, &location, 0, bytes)
            .await
            .problem(status, code);
        assert_eq!(
            offset(&worker, &location).await,
            0,
            "{code}: it can be sent again"
        );
    }
    let large = announce(&worker, &hash(b"large"), 9 << 20).await;
    large.problem(413, "photo-too-large");
    let stranger = harness.stranger().await;
    let foreign = announce(&stranger, &hash(ROADSIDE), ROADSIDE.len()).await;
    assert!(
        foreign.status.is_client_error(),
        "no grant at this unit: {}",
        foreign.text
    );
}

#[tokio::test]
async fn a_photograph_that_came_first_is_found() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    let sha = hash(ROADSIDE);
    let made = announce(&worker, &sha, ROADSIDE.len()).await;
    let location = made.header("location").to_owned();
    append(&worker, &location, 0, ROADSIDE).await;
    let verdict = visit(&worker, &sha, ROADSIDE.len()).await;
    assert_eq!(verdict["derived"]["evidence"], "complete", "{verdict}");
}

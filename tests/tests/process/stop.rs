//! A stop finishes what is under way, and does not wait for those who only listen.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use xiangyi_tests::actor::{Actor, send};
use xiangyi_tests::program::until;
use xiangyi_tests::scratch::Scratch;

use crate::{STATION, WORKER, data, demo};

const UPLOADED: &str = "01920000-0000-7000-8000-0000000000f1";

pub type Piece = Result<Vec<u8>, std::io::Error>;

/// A body that is sent piece by piece.
pub fn in_pieces() -> (UnboundedSender<Piece>, reqwest::Body) {
    let (pieces, body) = unbounded();
    (pieces, reqwest::Body::wrap_stream(body))
}

/// An upload of these bytes by the worker; gives its address.
pub async fn announced(worker: &Actor, bytes: &[u8], mime: &str, record: &str) -> String {
    let sha = hex::encode(Sha256::digest(bytes));
    let told = [
        ("sha256", sha.as_str()),
        ("unit", STATION),
        ("record", record),
        ("mime", mime),
    ];
    let told = told.map(|(name, value)| format!("{name} {}", STANDARD.encode(value)));
    let request = worker
        .request(Method::POST, "/v1/photos")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", bytes.len())
        .header("upload-metadata", told.join(","));
    let reply = send(request).await;
    assert_eq!(reply.status.as_u16(), 201, "{}", reply.text);
    reply.header("location").to_owned()
}

/// The rest of an upload, to be sent.
pub fn rest(
    worker: &Actor,
    location: &str,
    offset: usize,
    body: impl Into<reqwest::Body>,
) -> reqwest::RequestBuilder {
    let request = worker.request(Method::PATCH, location);
    request
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream")
        .body(body)
}

/// Where an upload stands.
pub async fn offset(worker: &Actor, location: &str) -> usize {
    let request = worker.request(Method::HEAD, location);
    let reply = send(request.header("tus-resumable", "1.0.0")).await;
    reply.header("upload-offset").parse().expect("an offset")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_is_under_way() {
    let scratch = Scratch::new("process");
    let mut serving = demo(scratch.path(), &[]).await;
    let worker = serving.nobody().sign_in(WORKER).await;
    let device = worker.register().await;
    let photo = fs::read(data("photos/terrace.webp")).expect("the file");
    let location = announced(&worker, &photo, "image/webp", UPLOADED).await;

    let half = photo.len() / 2;
    let (photo_pieces, body) = in_pieces();
    let upload = send(rest(&worker, &location, 0, body));
    let push = json!({ "protocol": 1, "device": device, "push": { "mutations": [
        { "n": 1, "op": "create", "kind": "check_in", "unit": STATION,
          "id": "01920000-0000-7000-8000-0000000000f2",
          "body": { "purpose": "visit", "phase": "in", "place": { "kind": "station" } } } ] } });
    let push = push.to_string().into_bytes();
    let (push_pieces, body) = in_pieces();
    let request = worker.request(Method::POST, "/v1/sync").body(body);
    let exchange = send(request.header("content-type", "application/json"));
    let story = async {
        photo_pieces
            .unbounded_send(Ok(photo[..half].to_vec()))
            .expect("it is read");
        push_pieces
            .unbounded_send(Ok(push[..40].to_vec()))
            .expect("it is read");
        let staged = scratch.path().join("data/uploads");
        until("half of the photograph is there", || {
            let files = fs::read_dir(&staged).into_iter().flatten().flatten();
            let mut sizes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
            sizes.find(|size| *size >= half as u64)
        })
        .await;
        serving.ask_to_stop().await;
        let address = serving.base.strip_prefix("http://").expect("an address");
        until("nobody new is let in", || {
            std::net::TcpStream::connect(address).err()
        })
        .await;
        photo_pieces
            .unbounded_send(Ok(photo[half..].to_vec()))
            .expect("it is read");
        push_pieces
            .unbounded_send(Ok(push[40..].to_vec()))
            .expect("it is read");
        drop((photo_pieces, push_pieces));
    };
    let (uploaded, exchanged, ()) = futures::join!(upload, exchange, story);
    assert_eq!(uploaded.status.as_u16(), 204, "{}", uploaded.text);
    let verdict = exchanged.good()["push"]["verdicts"][0].clone();
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
    let status = serving.ended().await;
    assert!(status.success(), "{status}");

    let again = demo(scratch.path(), &[]).await;
    let worker = again.nobody().with(worker.signed_in().clone());
    assert_eq!(
        offset(&worker, &location).await,
        photo.len(),
        "it was stored"
    );
    let path = format!("/v1/check-ins/01920000-0000-7000-8000-0000000000f2?unit={STATION}");
    worker.get(&path).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_listens_does_not_keep_it_from_stopping() {
    let scratch = Scratch::new("process");
    let mut serving = demo(scratch.path(), &[]).await;
    let officer = serving.nobody().sign_in("13800000201").await;
    let live = officer.request(Method::GET, "/v1/live").send().await;
    let mut live = live.expect("a stream");
    assert_eq!(live.status().as_u16(), 200);
    let wait = officer.request(Method::POST, "/v1/sync/wait").send();
    let story = async {
        serving.ask_to_stop().await;
        let ended = tokio::time::timeout(Duration::from_secs(10), serving.ended()).await;
        ended.expect("well before the service manager loses its patience")
    };
    // Whether the long poll still gets its answer is open; the phone asks again.
    let (_, status) = futures::join!(wait, story);
    assert!(status.success(), "{status}");
    while let Ok(Some(_)) = live.chunk().await {}
}

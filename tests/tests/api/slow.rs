//! Slow lines: an honest one is waited for, one that says nothing is let go, and no number of
//! them keeps others out for ever. The server's bounds are shorter here than in the field.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xiangyi_server::lines::Lines;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;

/// How long anything here may take; a loaded machine needs a tenth of it.
const PATIENCE: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(300);

async fn server(set: impl FnOnce(&mut Lines)) -> Harness {
    let mut lines = Lines {
        head: NEVER,
        silence: NEVER,
        body: NEVER,
        unread: NEVER,
        ..Lines::default()
    };
    set(&mut lines);
    Harness::with_settings(Engine::Sqlite, |config| config.lines = lines).await
}

async fn connect(harness: &Harness) -> TcpStream {
    let address = harness.base().trim_start_matches("http://");
    TcpStream::connect(address).await.expect("connected")
}

/// What comes until the line ends.
async fn rest(line: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let all = tokio::time::timeout(PATIENCE, line.read_to_end(&mut read)).await;
    // A line that was cut while it still sent is reset.
    let _ = all.expect("the line ends in time");
    String::from_utf8(read).expect("text")
}

fn head(harness: &Harness, token: &str, bytes: usize) -> String {
    let host = harness.base().trim_start_matches("http://");
    format!(
        "POST /v1/sync HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

#[track_caller]
fn is_timeout(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("\"code\":\"timeout\""), "{answer}");
    assert!(answer.contains("\"retry_ms\":"), "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_that_falls_silent_is_told_so() {
    let harness = server(|lines| lines.silence = SOON).await;
    let worker = harness.worker(1).await;
    let mut line = connect(&harness).await;
    let head = head(&harness, &worker.signed_in().access_token, 1_000);
    line.write_all(head.as_bytes()).await.expect("sent");
    line.write_all(b"{\"protocol\":1,").await.expect("sent");
    is_timeout(&rest(&mut line).await);
    worker.get("/v1/me").await.good();
}

#[tokio::test]
async fn a_body_that_trickles_without_end_is_told_so() {
    let harness = server(|lines| lines.body = SOON).await;
    let worker = harness.worker(1).await;
    let mut line = connect(&harness).await;
    let head = head(&harness, &worker.signed_in().access_token, 1_000_000);
    line.write_all(head.as_bytes()).await.expect("sent");
    let (mut reader, mut writer) = line.split();
    let mut drip = tokio::time::interval(Duration::from_millis(5));
    let trickle = async {
        // Until the server has cut the line.
        while writer.write_all(b" ").await.is_ok() {
            drip.tick().await;
        }
    };
    let mut answer = [0; 4_096];
    let read = async {
        let bytes = reader.read(&mut answer).await.expect("an answer");
        String::from_utf8_lossy(&answer[..bytes]).into_owned()
    };
    let answered = async {
        tokio::select! {
            answer = read => answer,
            () = trickle => panic!("cut without a word"),
        }
    };
    is_timeout(
        &tokio::time::timeout(PATIENCE, answered)
            .await
            .expect("in time"),
    );
}

#[tokio::test]
async fn a_slow_honest_push_is_waited_for() {
    let harness = server(|lines| lines.silence = Duration::from_secs(20)).await;
    let worker = harness.worker(1).await;
    let device = worker.register().await;
    let body = json!({ "protocol": 1, "device": device, "pull": { "cursor": null } }).to_string();
    let mut line = connect(&harness).await;
    let head = head(&harness, &worker.signed_in().access_token, body.len());
    line.set_nodelay(true).expect("set");
    for byte in head.bytes().chain(body.bytes()) {
        line.write_all(&[byte]).await.expect("sent");
        tokio::task::yield_now().await;
    }
    let mut answer = vec![0; 15];
    line.read_exact(&mut answer).await.expect("answered");
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_line_without_a_whole_head_is_let_go() {
    let harness = server(|lines| lines.head = SOON).await;
    // Nothing; what may still become HTTP/2; half a head; silence after an answer.
    let whole = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for (said, answered) in [
        ("", ""),
        ("P", ""),
        ("GET /healthz HT", ""),
        (whole, "200 OK"),
    ] {
        let mut line = connect(&harness).await;
        line.write_all(said.as_bytes()).await.expect("sent");
        let answer = rest(&mut line).await;
        assert!(answer.contains(answered), "{said:?}: {answer}");
        assert!(
            !answered.is_empty() || !answer.contains(" 200 "),
            "{said:?}: {answer}"
        );
    }
    harness.nobody().get("/healthz").await;
}

/// Asks without end and reads nothing; returns when the server cuts the line.
async fn ask_and_never_read(harness: &Harness) {
    let mut line = connect(harness).await;
    let many = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let asked = async { while line.write_all(many.as_bytes()).await.is_ok() {} };
    let cut = tokio::time::timeout(PATIENCE, asked).await;
    cut.expect("a line whose answers nobody takes is cut");
}

#[tokio::test]
async fn a_line_whose_answers_nobody_takes_is_cut() {
    let harness = server(|lines| {
        lines.unread = SOON;
        lines.at_once = 1;
    })
    .await;
    ask_and_never_read(&harness).await;
    // Its place is free again.
    let mut next = connect(&harness).await;
    let whole = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    next.write_all(whole).await.expect("sent");
    assert!(rest(&mut next).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn further_lines_wait_until_there_is_room() {
    let harness = server(|lines| lines.at_once = 2).await;
    let whole = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (first, second) = (connect(&harness).await, connect(&harness).await);
    let mut third = connect(&harness).await;
    third.write_all(whole).await.expect("sent");
    let mut byte = [0; 1];
    let early = tokio::time::timeout(SOON, third.peek(&mut byte)).await;
    assert!(early.is_err(), "two lines are all that is served");
    drop(first);
    assert!(rest(&mut third).await.starts_with("HTTP/1.1 200 OK"));
    drop(second);
}

#[tokio::test]
async fn a_stop_lets_requests_end_and_cuts_what_never_does() {
    let mut harness = server(|lines| lines.stop = SOON).await;
    let hub = harness.hub().await;
    let mut live = hub
        .request(reqwest::Method::GET, "/v1/live")
        .send()
        .await
        .expect("answered");
    assert_eq!(live.status(), 200);
    let idle = connect(&harness).await;
    tokio::time::timeout(PATIENCE, harness.stop())
        .await
        .expect("the server stops");
    drop((idle, live.chunk().await.is_ok()));
}

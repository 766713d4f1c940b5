//! SIGKILL in the middle of a photograph; `tests/tests/crash` kills in the middle of pushes.

use std::fs;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use xiangyi_server::clock::Clock;
use xiangyi_server::entropy::Entropy;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

use crate::stop::{announced, in_pieces, offset, rest};
use crate::{STATION, WORKER, data, demo};

/// A visit with one photograph; gives its id.
async fn visit(worker: &Actor, photo: &[u8]) -> String {
    let device = worker.register().await;
    let now = Clock::system().now();
    let id = Entropy::system().record_id(now).to_string();
    let body = json!({
        "no_client_reason": "集中走访", "services": ["ec_visit"], "process": "看望老人",
        "started_at": now - 3_600_000, "ended_at": now - 60_000, "outcome": { "kind": "served" },
        "photos": [{ "sha256": hex::encode(Sha256::digest(photo)), "bytes": photo.len(),
                     "mime": "image/jpeg", "source": "camera" }],
    });
    let envelope = json!({ "protocol": 1, "device": device, "push": { "mutations": [
        { "n": 1, "op": "create", "kind": "visit", "unit": STATION, "id": id, "body": body } ]}});
    let answer = worker.post("/v1/sync", &envelope).await.good();
    let verdict = &answer["push"]["verdicts"][0];
    assert_eq!(verdict["derived"]["evidence"], "pending", "{answer}");
    id
}

on_both!(a_killed_upload_goes_on_where_the_server_says, |engine| {
    let scratch = Scratch::new("process");
    let database = engine.address(&scratch).await;
    let serving = demo(scratch.path(), &["--database", &database]).await;
    let worker = serving.nobody().sign_in(WORKER).await;
    let photo = fs::read(data("photos/exif-roadside.jpg")).expect("the file");
    let id = visit(&worker, &photo).await;
    let location = announced(&worker, &photo, "image/jpeg", &id).await;
    let sent = 150_000;
    let (pieces, body) = in_pieces();
    let upload = rest(&worker, &location, 0, body).send();
    let story = async {
        pieces
            .unbounded_send(Ok(photo[..sent].to_vec()))
            .expect("it is read");
        let mut durable = 0;
        // The server makes every 128 KiB durable and says so.
        while durable < 128 * 1024 {
            durable = offset(&worker, &location).await;
        }
        serving.kill().await;
        durable
    };
    let (cut, durable) = futures::join!(upload, story);
    assert!(cut.is_err(), "nobody answered");

    let serving = demo(scratch.path(), &["--database", &database]).await;
    let worker = serving.nobody().with(worker.signed_in().clone());
    let stands = offset(&worker, &location).await;
    assert!(
        (durable..=sent).contains(&stands),
        "{durable} <= {stands} <= {sent}"
    );
    let done = rest(&worker, &location, stands, photo[stands..].to_vec())
        .send()
        .await;
    assert_eq!(done.expect("an answer").status().as_u16(), 204);
    let visit = crate::config::once_complete(&worker, &id).await;
    assert_eq!(visit["body"]["derived"]["photos_here"], 1, "{visit}");
});

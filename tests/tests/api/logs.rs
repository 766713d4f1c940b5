//! Logs tell what happened and never to whom: canaries planted everywhere appear nowhere.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use xiangyi_server::commands::{demo, log};
use xiangyi_server::config::{Log, LogFormat, LogLevel};
use xiangyi_tests::actor::{Actor, PASSWORD, hash};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no writer panics")
            .extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}

/// One log of the whole process at its most talkative; other tests write into it as well.
fn started() -> Lines {
    static LINES: Mutex<Option<Lines>> = Mutex::new(None);
    let mut lines = LINES.lock().expect("no starter panics");
    let lines = lines.get_or_insert_with(|| {
        let lines = Lines::default();
        let writer = lines.clone();
        let settings = Log {
            format: LogFormat::Json,
            level: LogLevel::Trace,
        };
        log::start_to(&settings, move || writer.clone());
        lines
    });
    lines.clone()
}

const PHOTOGRAPH: &[u8] = include_bytes!("../../data/photos/exif-roadside.jpg");
/// What the camera wrote into the photograph: `tests/data/photos/README.md`.
const ARTIST: &str = "CANARY-ARTIST-7731";
const FILE_NAME: &str = "金丝雀奶奶家门口.jpg";
const NARRATIVE: &str = "金丝雀叙述：老人独居";
const LATITUDE: i64 = 282_468_013;

/// Sends the photograph whole, cut, and as what it is not; then reads it as everybody would.
async fn photographed(worker: &Actor, reviewer: &Actor, unit: &str) {
    let more = [("unit", unit), ("filename", FILE_NAME), ("name", NARRATIVE)];
    let made = worker.announce(PHOTOGRAPH, "image/png", &more).await;
    let place = made.header("location").to_owned();
    worker
        .append(&place, 0, PHOTOGRAPH)
        .await
        .problem(415, "photo-type");
    let made = worker.announce(PHOTOGRAPH, "image/jpeg", &more).await;
    let place = made.header("location").to_owned();
    let half = PHOTOGRAPH.len() / 2;
    worker.append(&place, 0, &PHOTOGRAPH[..half]).await;
    worker
        .append(&place, 7, PHOTOGRAPH)
        .await
        .problem(409, "upload-offset");
    let last = worker.append(&place, half, &PHOTOGRAPH[half..]).await;
    assert_eq!(last.status, 204, "{}", last.text);
    let bad = [("unit", NARRATIVE), ("record", NARRATIVE)];
    worker.announce(PHOTOGRAPH, NARRATIVE, &bad).await;
    let path = format!(
        "/v1/photos/{}?unit={unit}&reason={NARRATIVE}",
        hash(PHOTOGRAPH)
    );
    for form in ["thumb", "view", "original", NARRATIVE] {
        worker.get(&format!("{path}&as={form}")).await;
        reviewer.get(&format!("{path}&as={form}")).await;
    }
}

on_both!(canaries_appear_in_no_line, |engine| {
    let lines = started();
    let harness = Harness::start(engine).await;
    let nobody = harness.nobody();
    let volunteer = harness.volunteer(40).await;
    assert_eq!(volunteer.signed_in().person.name, demo::CANARY_NAME);
    let worker = harness.worker(1).await;
    let device = worker.register().await;
    let unit = worker.signed_in().person.roles[0].unit.clone();
    let push = json!({ "protocol": 1, "device": device, "push": { "mutations": [
        { "n": 1, "op": "create", "kind": "check_in", "unit": unit, "occurred_at": START,
          "id": "019b7a50-0000-7000-8000-000000000001",
          "body": { "work_category": "elderly", "purpose": "visit", "phase": "in",
                    "note": NARRATIVE, "place": { "kind": "home", "village": format!("{unit}001") },
                    "fix": { "lat_e7": LATITUDE, "lng_e7": 1_130_000_000, "accuracy_m": 20,
                             "system": "wgs84", "fixed_at": START } } },
        { "n": 2, "op": "create", "kind": "no_such", "unit": unit, "note": NARRATIVE } ] },
        "pull": { "cursor": null } });
    worker.post("/v1/sync", &push).await.good();
    worker
        .post("/v1/sync", &json!({ "protocol": NARRATIVE }))
        .await;
    nobody
        .post(
            "/v1/sessions",
            &json!({ "telephone": "13800000340", "password": NARRATIVE }),
        )
        .await;
    nobody
        .post_raw(
            "/v1/sessions",
            &[("content-type", "application/json")],
            NARRATIVE,
        )
        .await;
    worker
        .with_token(NARRATIVE.trim_start_matches(char::is_alphabetic))
        .get("/v1/me")
        .await;
    worker
        .get(&format!("/v1/visits?unit={unit}&author={NARRATIVE}"))
        .await;
    nobody.get(&format!("/{NARRATIVE}")).await;
    photographed(&worker, &harness.reviewer(1).await, &unit).await;
    let refresh = volunteer.signed_in().refresh_token.clone();
    nobody
        .post("/v1/sessions/refresh", &json!({ "refresh_token": refresh }))
        .await
        .good();

    let reviewer = harness.reviewer(1).await.signed_in().person.name.clone();
    let text = lines.text();
    assert!(text.contains("answered"), "the log is listened to");
    let latitude = LATITUDE.to_string();
    for canary in [
        demo::CANARY_NAME,
        &worker.signed_in().person.name,
        &reviewer,
        "金丝雀",
        "%E9%87%91",
        ARTIST,
        FILE_NAME,
        "13800000340",
        "13800000001",
        "13800000202",
        PASSWORD,
        &latitude,
        &refresh,
        &worker.signed_in().access_token,
        "Bearer",
    ] {
        let line = text.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} is in the log");
    }
});

//! Quotas of photographs: what one person may have under way, and announce in a day.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use xiangyi_proto::limits::{PHOTO_BYTES_MAX, UPLOAD_DAY_BYTES_MAX, UPLOADS_OPEN_MAX};
use xiangyi_server::photos::sweep;
use xiangyi_server::store::uploads;
use xiangyi_tests::actor::{Actor, Reply, hash, send};
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

const UNIT: &str = "430121001";
const DAY_MS: i64 = 86_400_000;
const ROOM: &[u8] = include_bytes!("../../data/photos/village-room.jpg");

/// Announces the photograph of a number, which never comes.
async fn announce(actor: &Actor, number: i64, length: usize) -> Reply {
    let sha = hash(&number.to_be_bytes());
    let pair = |(name, value): (&str, &str)| format!("{name} {}", STANDARD.encode(value));
    let pairs = [
        ("sha256", sha.as_str()),
        ("unit", UNIT),
        ("mime", "image/jpeg"),
    ]
    .map(pair);
    let request = actor
        .request(Method::POST, "/v1/photos")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", length)
        .header("upload-metadata", pairs.join(","));
    send(request).await
}

on_both!(unfinished_uploads_have_a_number, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    for number in 0..UPLOADS_OPEN_MAX {
        let made = announce(&worker, number, 1_000).await;
        assert_eq!(made.status, 201, "{number}: {}", made.text);
    }
    let reply = announce(&worker, UPLOADS_OPEN_MAX, 1_000).await;
    let body = reply.problem(429, "upload-quota");
    assert_eq!(
        (reply.header("retry-after"), &body["retry_ms"]),
        ("600", &600_000.into())
    );
    assert_eq!(reply.header("tus-resumable"), "1.0.0");
    // One that is under way goes on, another person has room, and one given up makes some.
    let again = announce(&worker, 7, 1_000).await;
    assert_eq!(again.status, 201);
    assert_eq!(
        announce(&harness.worker(2).await, 0, 1_000).await.status,
        201
    );
    let given = worker.request(Method::DELETE, again.header("location"));
    assert_eq!(
        send(given.header("tus-resumable", "1.0.0")).await.status,
        204
    );
    assert_eq!(announce(&worker, UPLOADS_OPEN_MAX, 1_000).await.status, 201);
    announce(&worker, 7, 1_000)
        .await
        .problem(429, "upload-quota");
    // What was never sent is swept when its time is over.
    harness.clock.advance(7 * DAY_MS + 1);
    let swept = sweep::expired(&harness.app).await.expect("swept");
    assert_eq!(swept as i64, UPLOADS_OPEN_MAX + 1);
    let worker = harness.worker(1).await;
    assert_eq!(announce(&worker, 7, 1_000).await.status, 201);
});

on_both!(
    announcements_of_one_moment_are_counted_one_by_one,
    |engine| {
        let harness = Harness::start(engine).await;
        let worker = harness.worker(1).await;
        let full = UPLOAD_DAY_BYTES_MAX / PHOTO_BYTES_MAX as i64;
        let all = (0..full + 16).map(|number| announce(&worker, number, PHOTO_BYTES_MAX));
        let told = futures::future::join_all(all).await;
        let count = |status: u16| told.iter().filter(|reply| reply.status == status).count();
        // Under load a line may be told to come again; never is there one too many.
        assert_eq!(count(201) + count(429) + count(503), told.len());
        assert!(count(201) as i64 <= full, "{} of {full}", count(201));
        for number in 0..full + 16 {
            announce(&worker, number, PHOTO_BYTES_MAX).await;
        }
        let mut tx = harness.app.db.read().await.expect("begin");
        let (open, bytes) = uploads::under_way(&mut tx, "p-worker-01", harness.clock.now())
            .await
            .expect("read");
        assert_eq!((open, bytes), (full, UPLOAD_DAY_BYTES_MAX));
    }
);

on_both!(a_day_has_so_many_bytes, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let sent = worker.upload(ROOM, "image/jpeg", UNIT).await;
    assert_eq!(sent.status, 204, "{}", sent.text);
    let full = UPLOAD_DAY_BYTES_MAX / PHOTO_BYTES_MAX as i64;
    for number in 1..full {
        let made = announce(&worker, number, PHOTO_BYTES_MAX).await;
        assert_eq!(made.status, 201, "{number}: {}", made.text);
    }
    // Together with what was sent there is room for less than a whole one.
    let last = announce(&worker, full, PHOTO_BYTES_MAX).await;
    last.problem(429, "upload-quota");
    let room = PHOTO_BYTES_MAX - ROOM.len();
    announce(&worker, full, room + 1)
        .await
        .problem(429, "upload-quota");
    assert_eq!(announce(&worker, full, room).await.status, 201);
    // What was sent before is no announcement, and a day later what was sent is forgotten.
    assert_eq!(
        worker
            .announce(ROOM, "image/jpeg", &[("unit", UNIT)])
            .await
            .status,
        201
    );
    harness.clock.advance(DAY_MS + 1);
    let worker = harness.worker(1).await;
    let later = announce(&worker, full + 1, ROOM.len()).await;
    assert_eq!(later.status, 201, "{}", later.text);
    // What is under way counts however old it is, until it is given up.
    announce(&worker, full + 2, PHOTO_BYTES_MAX)
        .await
        .problem(429, "upload-quota");
    let old = announce(&worker, 1, PHOTO_BYTES_MAX).await;
    let given = worker.request(Method::DELETE, old.header("location"));
    assert_eq!(
        send(given.header("tus-resumable", "1.0.0")).await.status,
        204
    );
    let room = announce(&worker, full + 2, PHOTO_BYTES_MAX).await;
    assert_eq!(room.status, 201, "{}", room.text);
});

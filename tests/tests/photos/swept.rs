//! What nobody will ask for is swept, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use xiangyi_proto::photo::Rendition;
use xiangyi_server::blobs::Key;
use xiangyi_server::photos::sweep;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{ROADSIDE, UNIT, hash, once_made};

const DAY_MS: i64 = 86_400_000;
const SHARD: i64 = 430_121;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

on_both!(staged_files_without_an_upload_are_swept, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let made = worker
        .announce(ROADSIDE, "image/jpeg", &[("unit", UNIT)])
        .await;
    worker
        .append(made.header("location"), 0, &ROADSIDE[..1_000])
        .await;
    let staging = harness.config.data.join("uploads");
    let mine = files(&staging);
    assert_eq!(mine.len(), 1);
    fs::write(staging.join("0123456789abcdef0123456789abcdef"), b"left").expect("written");
    assert_eq!(sweep::staged(&harness.app).await.expect("swept"), 1);
    assert_eq!(files(&staging), mine, "what is under way stays");
    assert_eq!(sweep::staged(&harness.app).await.expect("swept"), 0);
});

async fn blobs(harness: &Harness) {
    let worker = harness.worker(1).await;
    assert_eq!(
        worker.upload(ROADSIDE, "image/jpeg", UNIT).await.status,
        204
    );
    let view = format!("/v1/photos/{}?as=view&unit={UNIT}", hash(ROADSIDE));
    assert_eq!(once_made(&worker, &view).await.status(), 200);
    // As after a kill between the blob and its row; of one the sender has not given up yet.
    let (orphan, known) = (hash(b"orphan"), hash(b"known"));
    let keys = [
        Key::original(SHARD, &orphan),
        Key::rendition(SHARD, &orphan, Rendition::Thumb),
        Key::original(SHARD, &known),
    ];
    for key in &keys {
        harness
            .app
            .blobs
            .put(key, vec![7].into())
            .await
            .expect("stored");
    }
    let written = harness
        .app
        .blobs
        .written_at(&keys[0])
        .await
        .expect("told")
        .expect("there");
    harness.clock.set(written + 14 * DAY_MS);
    assert_eq!(
        sweep::blobs(&harness.app).await.expect("swept"),
        0,
        "too young"
    );
    harness.clock.set(written + 16 * DAY_MS);
    let worker = harness.worker(1).await;
    let made = worker
        .announce(b"known", "image/jpeg", &[("unit", UNIT)])
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(sweep::blobs(&harness.app).await.expect("swept"), 2);
    let mut there = Vec::new();
    for key in &keys {
        there.push(
            harness
                .app
                .blobs
                .written_at(key)
                .await
                .expect("told")
                .is_some(),
        );
    }
    assert_eq!(there, [false, false, true]);
    assert_eq!(
        once_made(&worker, &view).await.status(),
        200,
        "what has a row stays"
    );
    assert_eq!(sweep::blobs(&harness.app).await.expect("swept"), 0);
}

on_both!(blobs_whose_row_never_came_are_swept, |engine| {
    blobs(&Harness::start(engine).await).await;
});

on_both!(an_s3_server_is_swept_alike, |engine| {
    blobs(&Harness::with_s3(engine).await).await;
});

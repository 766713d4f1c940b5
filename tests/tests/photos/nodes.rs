//! Two nodes on one database and one store of photographs, each with a staging folder of its own.

use std::fs;

use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::objects;
use xiangyi_tests::scratch::Scratch;

use super::{ROADSIDE, UNIT, hash, offset};

/// The second node of a first: its keys, its database, its store, another folder.
async fn beside(first: &Harness, scratch: &Scratch) -> Harness {
    let mut config = first.config.clone();
    config.data = scratch.path().join("second");
    let keys = config.data.join("keys");
    fs::create_dir_all(&keys).expect("a folder");
    for entry in fs::read_dir(first.config.data.join("keys")).expect("keys") {
        let entry = entry.expect("a key");
        fs::copy(entry.path(), keys.join(entry.file_name())).expect("copied");
    }
    Harness::over(config, first.clock.clone()).await
}

#[tokio::test]
async fn an_upload_goes_on_at_another_node_and_two_never_mix() {
    let scratch = Scratch::new("objects");
    let photos = objects::serve(&scratch.path().join("store")).await;
    let set = |config: &mut xiangyi_server::config::Config| config.photos = photos;
    let one = Harness::with_settings(Engine::Postgres, set).await;
    let two = beside(&one, &scratch).await;
    let (here, there) = (one.worker(1).await, two.worker(1).await);

    let half = 140 * 1024;
    let made = here
        .announce(ROADSIDE, "image/jpeg", &[("unit", UNIT)])
        .await;
    let location = made.header("location");
    assert_eq!(
        here.append(location, 0, &ROADSIDE[..half]).await.status,
        204
    );
    // The bytes lie in the first node's folder; the other says what it has of them.
    assert_eq!(offset(&here, location).await, half);
    assert_eq!(offset(&there, location).await, 0);
    there
        .append(location, half, &ROADSIDE[half..])
        .await
        .problem(409, "upload-offset");
    // Both at once: whoever comes last wins, or finds it done; no byte of one stands in the other.
    let (a, b) = tokio::join!(
        here.append(location, half, &ROADSIDE[half..]),
        there.append(location, 0, ROADSIDE),
    );
    let told = [a.status.as_u16(), b.status.as_u16()];
    assert!(told.contains(&204), "{told:?} {} {}", a.text, b.text);
    assert!(
        told.iter().all(|status| [204, 409, 423].contains(status)),
        "{told:?}"
    );
    for actor in [&here, &there] {
        assert_eq!(offset(actor, location).await, ROADSIDE.len());
        let path = format!("/v1/photos/{}?as=original&unit={UNIT}", hash(ROADSIDE));
        let read = actor.request(reqwest::Method::GET, &path).send().await;
        let bytes = read.expect("answered").bytes().await.expect("bytes");
        assert_eq!(bytes, ROADSIDE);
    }
}

//! `xiangyi keys`: a key is changed while a phone works, and a leaked one at once.

use std::fs;
use std::path::Path;

use xiangyi_tests::program::{Said, Serving};
use xiangyi_tests::scratch::Scratch;

use crate::{PASSWORD, STATION, VILLAGE, WORKER, XIANGYI, demo};

async fn keys(room: &Path, words: &[&str]) -> Said {
    let folder = room.join("data").display().to_string();
    let all: Vec<&str> = ["keys"].iter().chain(words).copied().collect();
    XIANGYI
        .run(&[&all[..], &["--data", &folder]].concat())
        .await
}

/// Which keys the server publishes, by name.
async fn published(serving: &Serving) -> Vec<String> {
    let told = serving.nobody().get("/.well-known/jwks.json").await.good();
    let keys = told["keys"].as_array().expect("a list");
    let name = |key: &serde_json::Value| key["kid"].as_str().expect("a name").to_owned();
    keys.iter().map(name).collect()
}

/// The former key took its leave a day before.
fn a_day_later(room: &Path, which: &str) {
    let path = room.join(format!("data/keys/{which}.former"));
    let text = fs::read_to_string(&path).expect("a former key");
    let (key, until) = text.trim().split_once(' ').expect("a key and a moment");
    let until: i64 = until.parse().expect("a number");
    fs::write(&path, format!("{key} {}\n", until - 86_400_000)).expect("written");
}

#[tokio::test]
async fn keys_turn_in_three_calls_and_nobody_is_signed_out() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let mut serving = demo(room, &[]).await;
    let address = serving.base.replace("http://", "");
    let phone = XIANGYI.hand(&room.join("phone"), &serving.base);
    phone.does(&["sign-in", WORKER, PASSWORD]).await;
    let mut ids = Vec::new();
    let mut names = vec![published(&serving).await];
    let worker = serving.nobody().sign_in(WORKER).await;
    let token = worker.signed_in().access_token.clone();
    for step in 0..3 {
        for which in ["token", "root", "pack"] {
            if step == 2 {
                let said = keys(room, &["rotate", which]).await;
                assert!(said.bad().contains("--at-once"), "{said:?}");
                a_day_later(room, which);
            }
            keys(room, &["rotate", which]).await.good();
        }
        // The server that runs knows nothing of it yet, and works on.
        ids.push(phone.records(&["check-in", "--village", VILLAGE]).await);
        phone.does(&["sync"]).await;
        serving.kill().await;
        serving = demo(room, &["--listen", &address]).await;
        phone.does(&["sync"]).await;
        names.push(published(&serving).await);
        let again = serving.nobody().sign_in(WORKER).await;
        let old = again.with_token(&token).get("/v1/me").await;
        assert_eq!(old.status, if step < 2 { 200 } else { 401 }, "step {step}");
    }
    let [before, announced, turned, ended] = &names[..] else {
        panic!("{names:?}");
    };
    assert_eq!(announced[0], before[0], "it signs on");
    assert_eq!(turned[..], [announced[1].clone(), before[0].clone()]);
    assert_eq!(ended[..], turned[..1]);
    let worker = serving.nobody().sign_in(WORKER).await;
    for id in ids {
        worker
            .get(&format!("/v1/check-ins/{id}?unit={STATION}"))
            .await
            .good();
    }
    phone.does(&["show", "streams"]).await;
}

#[tokio::test]
async fn a_key_that_others_know_is_changed_at_once() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let serving = demo(room, &[]).await;
    let worker = serving.nobody().sign_in(WORKER).await;
    serving.kill().await;
    let before = keys(room, &["list"]).await.good().to_owned();
    for which in ["token", "root", "pack"] {
        keys(room, &["rotate", which, "--at-once"]).await.good();
    }
    let after = keys(room, &["list"]).await.good().to_owned();
    let kept: Vec<&str> = before.lines().filter(|line| after.contains(line)).collect();
    assert_eq!(kept.len(), 1, "only the index stays: {before}{after}");
    assert!(kept[0].starts_with("index.key"), "{kept:?}");
    let serving = demo(room, &[]).await;
    let old = worker.signed_in().access_token.clone();
    // Names and narratives open under the new root key, and the pack is still believed.
    let worker = serving.nobody().sign_in(WORKER).await;
    let old = worker.with_token(&old).get("/v1/me").await;
    old.problem(401, "token-expired");
    let me = worker.get("/v1/me").await.good();
    assert!(
        me["person"]["name"]
            .as_str()
            .is_some_and(|name| !name.is_empty()),
        "{me}"
    );
}

#[tokio::test]
async fn a_take_over_that_was_cut_is_done_again() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let serving = demo(room, &[]).await;
    keys(room, &["rotate", "root"]).await.good();
    serving.kill().await;
    // Cut between the two files: the former key is written and still in use.
    let folder = room.join("data/keys");
    let key = fs::read_to_string(folder.join("root.key")).expect("a key");
    let former = folder.join("root.former");
    fs::write(&former, format!("{} 5\n", key.trim())).expect("written");
    let mode = fs::metadata(folder.join("root.key"))
        .expect("there")
        .permissions();
    fs::set_permissions(&former, mode).expect("for its owner");
    let said = keys(room, &["rotate", "root"]).await;
    assert!(said.good().contains("wrapped anew"), "{said:?}");
    a_day_later(room, "root");
    keys(room, &["rotate", "root"]).await.good();
    assert!(!former.exists());
    let serving = demo(room, &[]).await;
    serving.nobody().sign_in(WORKER).await;
    let said = keys(&room.join("phone"), &["rotate", "root"]).await;
    assert!(
        said.bad().contains("keys"),
        "nothing is made elsewhere: {said:?}"
    );
}

#[tokio::test]
async fn a_backup_comes_back_with_the_keys_of_its_day() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let text = |name: &str| room.join(name).display().to_string();
    let (data, backups, stick) = (text("data"), text("backups"), text("stick"));
    let serving = demo(room, &[]).await;
    let back_up = [
        "backup",
        "--data",
        &data,
        "--to",
        &backups,
        "--keys-to",
        &stick,
    ];
    XIANGYI.run(&back_up).await.good();
    serving.kill().await;
    keys(room, &["rotate", "root", "--at-once"]).await.good();
    keys(room, &["rotate", "pack"]).await.good();
    // A backup is named by its second.
    loop {
        let said = XIANGYI.run(&back_up).await;
        if said.code == Some(0) {
            break;
        }
        assert!(said.bad().contains("is there already"), "{said:?}");
    }
    let here = fs::read(Path::new(&data).join("keys/pack.next")).expect("it turns");
    let kept = fs::read(Path::new(&stick).join("pack.next")).expect("copied too");
    assert_eq!(here, kept);

    let mut made = xiangyi_server::backup::list(Path::new(&backups)).expect("a list");
    made.sort();
    let [first, second] = &made[..] else {
        panic!("{made:?}");
    };
    let before = format!(
        "{stick}/before-{}",
        second.file_name().expect("a name").display()
    );
    let restore = async |from: &Path, keys: &str, to: &str| {
        let from = from.display().to_string();
        let words = ["restore", "--from", &from, "--keys", keys, "--data", to];
        XIANGYI.run(&words).await
    };
    let other = restore(first, &stick, &text("a")).await;
    assert!(
        other.bad().contains("do not open with these keys"),
        "{other:?}"
    );
    restore(first, &before, &text("a")).await.good();
    restore(second, &stick, &text("b")).await.good();
}

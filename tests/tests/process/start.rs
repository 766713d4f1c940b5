//! From nothing to a county at work, and the same people at the next start.

use std::fs;

use xiangyi_tests::scratch::Scratch;

use crate::{WORKER, XIANGYI, demo};

#[tokio::test]
async fn an_empty_folder_becomes_a_county() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(scratch.path().join(folder)).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
            .iter()
            .map(|n| n.to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(
        names("data/keys"),
        ["index.key", "pack.key", "root.key", "token.key"]
    );
    let databases: Vec<String> = names("data")
        .into_iter()
        .filter(|name| name.ends_with(".sqlite"))
        .collect();
    assert_eq!(databases, ["xiangyi.sqlite"]);
    let page = serving.nobody().get("/hub/").await;
    assert_eq!(
        (page.status.as_u16(), page.text.contains("乡驿")),
        (200, true)
    );

    let worker = serving.nobody().sign_in(WORKER).await;
    let me = worker.get("/v1/me").await.good();
    serving.stop().await;

    let again = demo(scratch.path(), &[]).await;
    let still = again.nobody().with(worker.signed_in().clone());
    assert_eq!(
        still.get("/v1/me").await.good(),
        me,
        "keys and people are those of before"
    );
    again.nobody().sign_in(WORKER).await;
    again.stop().await;
}

#[tokio::test]
async fn the_demo_refuses_to_be_reached_from_elsewhere() {
    let scratch = Scratch::new("process");
    let data = scratch.path().join("data").display().to_string();
    let args = ["serve", "--demo", "--listen", "0.0.0.0:0", "--data", &data];
    let said = XIANGYI.serve(scratch.path(), &args).await.err();
    let said = said.expect("it does not listen");
    assert!(said.bad().contains("loopback only"), "{said:?}");
    assert!(!scratch.path().join("data").exists(), "nothing was made");
}

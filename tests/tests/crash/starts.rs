//! A first start that is cut anywhere is made up for by the next one.

use std::time::Duration;

use xiangyi_server::entropy::Entropy;
use xiangyi_server::failpoint;
use xiangyi_tests::cluster;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::field::{below, seed};
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

use crate::{XIANGYI, adds_up, serving, started};

/// Starts that are cut at a random moment.
const CUT: u32 = 4;
/// A whole start takes about a second.
const START_US: u64 = 800_000;

async fn empty(engine: Engine, scratch: &Scratch) -> String {
    match engine {
        Engine::Sqlite => engine.address(scratch).await,
        Engine::Postgres => cluster::empty_database().await,
    }
}

on_both!(a_start_that_was_cut_is_made_up_for, |engine| {
    let moments = Entropy::seeded(seed());
    let scratch = Scratch::new("start");
    let database = empty(engine, &scratch).await;
    let more = ["--database", database.as_str()];
    let places = failpoint::PLACES
        .iter()
        .filter(|place| place.starts_with("start-"));
    for place in places {
        let dead = started(scratch.path(), &more, Some(&format!("{place}:1"))).await;
        let said = dead.expect_err("it dies on its way");
        assert_eq!(
            said.code, None,
            "{place} is on the way of a first start: {said:?}"
        );
    }
    serving(scratch.path(), &more).await.stop().await;
    adds_up(scratch.path(), &database).await;

    for _ in 0..CUT {
        let scratch = Scratch::new("start");
        let database = empty(engine, &scratch).await;
        let data = scratch.path().join("data").display().to_string();
        let fixed = [
            "serve",
            "--demo",
            "--listen",
            "127.0.0.1:0",
            "--data",
            &data,
        ];
        let args = [&fixed[..], &["--database", &database]].concat();
        let mut child = XIANGYI.command(&args).spawn().expect("it starts");
        tokio::time::sleep(Duration::from_micros(below(&moments, START_US))).await;
        child.kill().await.expect("it is ours");
        let more = ["--database", database.as_str()];
        let server = serving(scratch.path(), &more).await;
        server.nobody().sign_in("13800000001").await;
        server.stop().await;
        adds_up(scratch.path(), &database).await;
    }
});

//! What the server stands on gives way under load, and comes back.

use std::time::Duration;

use tokio::process::Command;
use xiangyi_server::entropy::Entropy;
use xiangyi_tests::cluster::Own;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::field::{Field, below, seed};
use xiangyi_tests::objects;
use xiangyi_tests::on_both;
use xiangyi_tests::program::until;
use xiangyi_tests::proxy::Proxy;
use xiangyi_tests::scratch::Scratch;

use crate::{XIANGYI, adds_up, everybody, serving, worked};

/// Waits until so many more items are answered.
async fn answered(field: &Field, more: u64) {
    let goal = field.acknowledged() + more;
    until("so much more is answered", || {
        (field.acknowledged() >= goal).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stops_at_once_costs_time_and_nothing_else() {
    let moments = Entropy::seeded(seed());
    let (scratch, cluster) = (Scratch::new("crash"), Own::start().await);
    let database = cluster.database();
    let server = serving(scratch.path(), &["--database", &database]).await;
    let field = Field::new(server.nobody());
    let people = everybody(&server.nobody(), below(&moments, 1_000)).await;
    let story = async {
        for _ in 0..3 {
            answered(&field, 20 + below(&moments, 60)).await;
            cluster.stop_at_once();
            cluster.start_again().await;
        }
        answered(&field, 40).await;
    };
    worked(people, &field, story).await;
    server.stop().await;
    adds_up(scratch.path(), &database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_to_the_database_may_be_cut_at_any_byte() {
    let moments = Entropy::seeded(seed());
    let scratch = Scratch::new("crash");
    let direct = Engine::Postgres.address(&scratch).await;
    let proxy = Proxy::before(&direct, scratch.path());
    let database = proxy.address(&direct);
    let server = serving(scratch.path(), &["--database", &database]).await;
    let field = Field::new(server.nobody());
    let people = everybody(&server.nobody(), below(&moments, 1_000)).await;
    let story = async {
        for _ in 0..25 {
            answered(&field, 1 + below(&moments, 20)).await;
            let moment = Duration::from_micros(below(&moments, 20_000));
            tokio::time::sleep(moment).await;
            let before = proxy.lines();
            proxy.cut();
            until("the server comes again", || {
                (proxy.lines() > before).then_some(())
            })
            .await;
        }
        answered(&field, 40).await;
    };
    worked(people, &field, story).await;
    server.stop().await;
    adds_up(scratch.path(), &direct).await;
}

on_both!(
    a_store_of_photographs_that_is_away_holds_nothing_else_up,
    |engine| {
        let scratch = Scratch::new("crash");
        let (photos, door) = objects::serve_behind(&scratch.path().join("objects")).await;
        let database = engine.address(&scratch).await;
        let s3 = photos.s3;
        let config = scratch.path().join("xiangyi.toml");
        let text = |value: &Option<String>| value.clone().expect("it is set");
        let written = format!(
            "[photos]\nstore = \"s3\"\n[photos.s3]\nendpoint = \"{}\"\nbucket = \"{}\"\n\
         access_key_id = \"{}\"\nsecret_access_key = \"{}\"\n",
            text(&s3.endpoint),
            text(&s3.bucket),
            text(&s3.access_key_id),
            text(&s3.secret_access_key),
        );
        std::fs::write(&config, written).expect("written");
        let config = config.display().to_string();
        let more = ["--database", database.as_str(), "--config", &config];
        let server = serving(scratch.path(), &more).await;
        let field = Field::new(server.nobody());
        let people = everybody(&server.nobody(), seed()).await;
        let story = async {
            for _ in 0..3 {
                answered(&field, 40).await;
                door.shut().await;
                answered(&field, 40).await;
                door.open();
            }
            answered(&field, 40).await;
        };
        worked(people, &field, story).await;
        server.stop().await;
        adds_up(scratch.path(), &database).await;
    }
);

/// Sets how long a file of this process may become: a disk without room.
async fn room_for(pid: u32, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let done = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &limit])
        .status();
    assert!(done.await.expect("prlimit is there").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_and_has_room_again_loses_nothing() {
    let scratch = Scratch::new("crash");
    let database = Engine::Sqlite.address(&scratch).await;
    let data = scratch.path().join("data").display().to_string();
    let (listen, demo) = ("127.0.0.1:0", "--demo");
    let args = [
        "serve",
        demo,
        "--listen",
        listen,
        "--data",
        &data,
        "--database",
        &database,
    ];
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "bash", "-c"]);
    command
        .args(["trap '' XFSZ; exec \"$@\"", "bash", XIANGYI.0])
        .args(args);
    command.kill_on_drop(true);
    let server = XIANGYI
        .serve_by(command, scratch.path())
        .await
        .expect("it starts");
    let field = Field::new(server.nobody());
    let people = everybody(&server.nobody(), seed()).await;
    let pid = server.pid().expect("it runs");
    let story = async {
        for _ in 0..3 {
            answered(&field, 40).await;
            room_for(pid, "65536").await;
            let nobody = server.nobody();
            loop {
                if nobody.get("/readyz").await.status == 503 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            room_for(pid, "unlimited").await;
        }
        answered(&field, 40).await;
    };
    worked(people, &field, story).await;
    server.stop().await;
    adds_up(scratch.path(), &database).await;
}

//! The real server cut anywhere, under real phones: killed at random moments and at named places,
//! its database stopped at once or its lines cut, its disk full, its photographs' store away.
//!
//! Afterwards what phones were answered is there, once, with the same verdict; `xiangyi verify`
//! finds nothing; no place was given twice. `make crash KILLS=200 SEED=17` plays more of it.

mod faults;
mod kills;
mod power;
mod starts;

use std::path::Path;

use serde_json::json;
use sqlx::query_scalar;
use xiangyi_server::clock::Clock;
use xiangyi_server::on;
use xiangyi_server::store::Db;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::field::{Field, Pusher, Trade};
use xiangyi_tests::program::{Program, Said, Serving};

/// The server's binary, built by cargo for this suite out of the same `main.rs`.
const XIANGYI: Program = Program(env!("CARGO_BIN_EXE_xiangyi-under-test"));
/// Places of the activity for which everybody signs up and which everybody leaves.
const CAPACITY: i64 = 2;

/// A demo in `room`, on a database, with more settings, that dies at a place.
async fn started(room: &Path, more: &[&str], dies_at: Option<&str>) -> Result<Serving, Said> {
    let data = room.join("data").display().to_string();
    let fixed = [
        "serve",
        "--demo",
        "--data",
        &data,
        "--listen",
        "127.0.0.1:0",
    ];
    let args = [&fixed[..], more].concat();
    let mut command = XIANGYI.command(&args);
    if let Some(place) = dies_at {
        command.env("FAILPOINT", place);
    }
    XIANGYI.serve_by(command, room).await
}

/// The same when it must start.
async fn serving(room: &Path, more: &[&str]) -> Serving {
    let started = started(room, more, None).await;
    started.unwrap_or_else(|said| panic!("the server did not start: {said:?}"))
}

/// An activity of two places.
async fn activity(nobody: &Actor) -> String {
    let leader = nobody.sign_in("13800000401").await;
    let soon = Clock::system().now() + 48 * 3_600_000;
    let body = json!({ "title": "陪老人过节", "type": "elder_company", "insured": true,
        "sessions": [{ "session": 1, "starts_at": soon, "ends_at": soon + 7_200_000,
            "roles": [{ "role": "helper", "capacity": CAPACITY }] }] });
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "activity"),
    ];
    let body = json!({ "unit": "430121", "body": body }).to_string();
    let made = leader.post_raw("/v1/activities", &headers, body).await;
    let made = made.good();
    made["id"].as_str().expect("an id").to_owned()
}

/// Two workers who visit, one who only checks in, and four volunteers.
async fn everybody(nobody: &Actor, seed: u64) -> Vec<Pusher> {
    let activity = activity(nobody).await;
    let mut trades = vec![
        ("13800000001".to_owned(), Trade::Visits),
        ("13800000003".to_owned(), Trade::Visits),
        ("13800000005".to_owned(), Trade::Checks),
    ];
    let volunteers = (301..=304).map(|n| {
        let trade = Trade::SignUps(activity.clone());
        (format!("13800000{n}"), trade)
    });
    trades.extend(volunteers);
    let mut people = Vec::new();
    for (telephone, trade) in trades {
        people.push(Pusher::new(nobody, &telephone, trade, seed).await);
    }
    people
}

/// Lets everybody work until `story` has ended the field; then everything is to agree.
async fn worked<T>(people: Vec<Pusher>, field: &Field, story: impl Future<Output = T>) -> T {
    let work = futures::future::join_all(people.into_iter().map(|one| one.work(field)));
    let story = async {
        let told = story.await;
        field.end();
        told
    };
    let (people, told) = futures::join!(work, story);
    for one in &people {
        one.agrees(field).await;
    }
    told
}

/// `xiangyi verify` finds nothing, and no more places are taken than there are.
async fn adds_up(room: &Path, database: &str) {
    let data = room.join("data").display().to_string();
    let args = [
        "verify",
        "--data",
        &data,
        "--database",
        database,
        "--without-photos",
    ];
    let said = XIANGYI.run(&args).await;
    assert!(said.good().contains("everything adds up"), "{said:?}");
    places_hold(database).await;
}

const TAKEN: &str = "SELECT COUNT(*) FROM claim WHERE state IN ('confirmed', 'offered')";
const SAME_RANK: &str = "SELECT COUNT(*) FROM (SELECT slot, name, rank FROM claim WHERE rank > 0 \
    GROUP BY slot, name, rank HAVING COUNT(*) > 1) AS twice";

async fn places_hold(database: &str) {
    let db = Db::open(database).await.expect("the database opens");
    let mut tx = db.read().await.expect("begin");
    let taken: i64 = on!(&mut tx, |c| query_scalar(TAKEN).fetch_one(c).await).expect("counted");
    let twice: i64 = on!(&mut tx, |c| query_scalar(SAME_RANK).fetch_one(c).await).expect("counted");
    drop(tx);
    db.close().await;
    assert!(taken <= CAPACITY, "{taken} of {CAPACITY} places are taken");
    assert_eq!(twice, 0, "no rank is given twice");
}

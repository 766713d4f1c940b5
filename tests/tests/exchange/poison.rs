//! An item on which the database itself fails: it alone stays without an answer.

use serde_json::Value;
use sqlx::query;
use xiangyi_server::on;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{check_in, id, names};

/// The number on which the engine gives up.
const POISON: u32 = 13;
const SQLITE: &[&str] = &[
    "CREATE TRIGGER poison BEFORE INSERT ON log WHEN NEW.n = 13 \
     BEGIN SELECT RAISE(ABORT, 'poison'); END",
];
const POSTGRES: &[&str] = &[
    "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN RAISE EXCEPTION 'poison'; END $$",
    "CREATE TRIGGER poison BEFORE INSERT ON log FOR EACH ROW WHEN (NEW.n = 13) \
     EXECUTE FUNCTION poison()",
];
const CURE: [&str; 2] = ["DROP TRIGGER poison", "DROP TRIGGER poison ON log"];

async fn plant(harness: &Harness, texts: &[&'static str]) {
    let mut tx = harness.app.db.write().await.expect("begin");
    for text in texts {
        let done = on!(&mut tx, |c| query(*text).execute(c).await.map(drop));
        done.expect("the trigger is set or taken away");
    }
    tx.commit().await.expect("commit");
}

on_both!(poison_alone_stays_unanswered, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let (poison, cure) = match engine {
        Engine::Sqlite => (SQLITE, CURE[0]),
        Engine::Postgres => (POSTGRES, CURE[1]),
    };
    plant(&harness, poison).await;
    let mutations: Vec<Value> = (10..17).map(|n| check_in(n, n)).collect();
    let answer = phone.try_push(&mutations).await.good();
    let push = &answer["push"];
    let verdicts = push["verdicts"].as_array().expect("verdicts");
    assert_eq!(names(verdicts), ["accepted"; 6], "{push}");
    let numbers: Vec<_> = verdicts.iter().map(|verdict| &verdict["n"]).collect();
    assert_eq!(
        numbers,
        [10, 11, 12, 14, 15, 16],
        "in the order of the request"
    );
    let left = &push["unanswered"];
    assert_eq!(left[0]["n"], POISON, "{left}");
    assert_eq!(left[0]["code"], "server-fault");
    assert!(
        left[0]["retry_ms"].as_i64() > Some(0) && left[1].is_null(),
        "{left}"
    );
    // Somebody else's push beside it is none the worse.
    let other = harness.worker(2).await.phone().await;
    let beside = [check_in(1, 40)];
    let (mine, theirs) = tokio::join!(phone.try_push(&mutations[3..4]), other.try_push(&beside));
    assert_eq!(mine.good()["push"]["unanswered"][0]["n"], POISON);
    assert_eq!(theirs.good()["push"]["verdicts"][0]["verdict"], "accepted");
    // Once the fault is repaired the same bytes are taken, and the rest is a repeat.
    plant(&harness, &[cure]).await;
    let answer = phone.try_push(&mutations).await.good();
    let verdicts = answer["push"]["verdicts"]
        .as_array()
        .expect("verdicts")
        .clone();
    let expected = ["duplicate", "duplicate", "duplicate", "accepted"];
    assert_eq!(names(&verdicts)[..4], expected, "{verdicts:?}");
    assert_eq!(verdicts[3]["id"], id(POISON));
});

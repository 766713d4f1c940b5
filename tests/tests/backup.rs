//! Backups: made beside work, checked, brought back into either engine, and faults noticed.

use std::fs;
use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use xiangyi_server::backup::restore::Faults;
use xiangyi_server::backup::{self, make, restore, verify};
use xiangyi_server::clock::Clock;
use xiangyi_server::config::Config;
use xiangyi_server::on;
use xiangyi_tests::actor::{Actor, Phone, hash};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

const UNIT: &str = "430121001";
const VILLAGE: &str = "430121001001";
const ROADSIDE: &[u8] = include_bytes!("../data/photos/exif-roadside.jpg");

fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-{number:012x}")
}

fn check_in(n: u32) -> Value {
    json!({ "n": n, "op": "create", "kind": "check_in", "unit": UNIT, "id": id(n),
            "occurred_at": START - i64::from(n) * 3_600_000,
            "body": { "purpose": "visit", "phase": "in", "no_fix_reason": "屋里没有信号",
                      "place": { "kind": "home", "village": VILLAGE } } })
}

fn visit(n: u32, process: &str) -> Value {
    let begun = START - i64::from(n) * 7_200_000;
    json!({ "n": n, "op": "create", "kind": "visit", "unit": UNIT, "id": id(n),
            "body": { "no_client_reason": "集中走访", "services": ["ec_visit"],
                      "process": process, "result": "平稳", "started_at": begun,
                      "ended_at": begun + 2_400_000, "outcome": { "kind": "served" },
                      "photos": [{ "sha256": hash(ROADSIDE), "bytes": ROADSIDE.len(),
                                   "mime": "image/jpeg", "source": "camera" }] } })
}

/// A morning's work: check-ins, a visit with its photograph, a refusal.
async fn morning(worker: &Actor) -> Phone {
    let phone = worker.phone().await;
    let refused = json!({ "n": 4, "op": "create", "kind": "check_in", "unit": UNIT, "id": id(4),
        "occurred_at": START - 9_000_000,
        "body": { "purpose": "office_duty", "phase": "in", "no_fix_reason": "屋里没有信号",
                  "place": { "kind": "office" } } });
    phone
        .push(&[check_in(1), check_in(2), visit(3, "看望老人"), refused])
        .await;
    let sent = worker.upload(ROADSIDE, "image/jpeg", UNIT).await;
    assert_eq!(sent.status, StatusCode::NO_CONTENT, "{}", sent.text);
    phone
}

/// Settings of another server: a folder and a database of its own.
async fn elsewhere(engine: Engine, scratch: &Scratch) -> Config {
    let mut config = Config {
        data: scratch.path().join("data"),
        demo: true,
        ..Config::default()
    };
    config.database.url = Some(engine.address(scratch).await);
    config
}

const fn other(engine: Engine) -> Engine {
    match engine {
        Engine::Sqlite => Engine::Postgres,
        Engine::Postgres => Engine::Sqlite,
    }
}

async fn visits(actor: &Actor) -> Value {
    let path = format!("/v1/visits?unit={UNIT}");
    let list = actor.get(&path).await.good()["records"].clone();
    assert!(
        list.as_array().is_some_and(|list| !list.is_empty()),
        "{list}"
    );
    list
}

on_both!(everything_comes_back_on_the_other_engine, |engine| {
    let (harness, scratch) = (Harness::start(engine).await, Scratch::new("backup"));
    let worker = harness.worker(1).await;
    let phone = morning(&worker).await;
    let cursor = phone.pull(json!({})).await["cursor"].clone();
    let before = visits(&worker).await;
    let made = make::make(&harness.app, scratch.path(), None).await;
    let made = made.expect("a backup");
    assert_eq!((made.manifest.photos, made.copied), (1, 1));
    // What comes after the backup is not in it.
    phone.push(&[check_in(5)]).await;

    let keys = harness.config.data.join("keys");
    let config = elsewhere(other(engine), &scratch).await;
    let done = restore::restore(&config, &made.folder, Some(&keys), Faults::Refused, START).await;
    let done = done.expect("restored");
    assert_eq!((done.photos, done.missing), (1, 0));
    let restored = Harness::over(config, Clock::fixed(START)).await;
    let worker = restored.worker(1).await;
    assert_eq!(visits(&worker).await, before);
    let photo = format!("/v1/photos/{}?unit={UNIT}&as=original", hash(ROADSIDE));
    let photo = worker.get(&photo).await;
    assert_eq!(photo.status, StatusCode::OK, "{}", photo.text);
    // The old registration goes on: what was acknowledged before is known with its answer.
    let phone = Phone {
        actor: worker.clone(),
        device: phone.device,
    };
    let again = phone.push(&[check_in(1), check_in(5)]).await;
    assert_eq!(again[0]["verdict"], "duplicate", "{again:?}");
    assert_eq!(again[1]["verdict"], "accepted", "{again:?}");
    // Its cursor is of another epoch: everything is read anew.
    let page = phone.pull(json!({ "cursor": cursor })).await;
    let resets = page["reset"].as_array().map_or(0, Vec::len);
    assert!(resets > 0, "streams are read anew");
    let faults = verify::database(&restored.app.db, &restored.app.sealer).await;
    assert_eq!(faults.expect("read"), Vec::<String>::new());
});

on_both!(a_backup_beside_work_is_whole, |engine| {
    let (harness, scratch) = (Harness::start(engine).await, Scratch::new("backup"));
    let worker = harness.worker(1).await;
    let phone = morning(&worker).await;
    let pushing = async {
        for n in 5..60 {
            phone.push(&[check_in(n)]).await;
        }
    };
    let backing_up = async {
        for _ in 0..3 {
            harness.clock.advance(1_000);
            let made = make::make(&harness.app, scratch.path(), Some(2)).await;
            made.expect("the copy adds up");
        }
    };
    futures::join!(pushing, backing_up);
    let left = backup::list(scratch.path()).expect("a list");
    assert_eq!(left.len(), 2, "{left:?}");
    let newest = backup::Manifest::read(left.last().expect("two")).expect("a manifest");
    assert_eq!(newest.made_at, START + 3_000);
    let photo = scratch.path().join(backup::PHOTOS).join("photos/430121");
    assert!(photo.join(hash(ROADSIDE)).is_file(), "photographs stay");
});

fn step(n: u32, link: u32, body: Value) -> Value {
    json!({ "n": n, "op": "request", "kind": "link", "unit": UNIT, "id": id(link), "body": body })
}

on_both!(what_was_handed_over_still_adds_up, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let phone = worker.phone().await;
    let need = json!({ "n": 1, "op": "create", "kind": "need", "unit": UNIT, "id": id(1),
        "body": { "title": "几户老人要厚被", "category": "bedding", "quantity": 9,
                  "village": VILLAGE, "visibility": "public" } });
    let quilts = json!({ "n": 2, "op": "create", "kind": "resource", "unit": UNIT, "id": id(2),
        "body": { "title": "棉被三床", "kind": "goods", "provider": "商会", "quantity": 3,
                  "channel": "direct", "payee": "none" } });
    let join = json!({ "need": id(1), "resource": id(2), "quantity": 2, "purpose": "过冬",
        "want": "join", "item_kind": "goods" });
    let steps = [
        need,
        quilts,
        step(3, 3, join.clone()),
        step(4, 4, join),
        // Two of three, then two where one is left: what was handed over is never refused.
        step(5, 3, json!({ "want": "deliver", "delivered_quantity": 2 })),
        step(6, 4, json!({ "want": "deliver", "delivered_quantity": 2 })),
        step(7, 3, json!({ "want": "confirm" })),
    ];
    for mutation in steps {
        let said = phone.push_one(mutation).await;
        assert!(
            said["status"] != "rejected" && said["status"] != "invalid",
            "{said}"
        );
        let faults = verify::database(&harness.app.db, &harness.app.sealer).await;
        assert_eq!(faults.expect("read"), Vec::<String>::new(), "{said}");
    }
});

/// Changes rows as nobody may.
async fn meddle(harness: &Harness, sql: &str) {
    let mut tx = harness.app.db.write().await.expect("begin");
    let done = on!(&mut tx, |c| sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(c)
        .await
        .map(|done| done.rows_affected()));
    assert!(done.expect("a statement") > 0, "{sql}");
    tx.commit().await.expect("commit");
}

on_both!(what_was_changed_is_noticed, |engine| {
    for (sql, table) in [
        (
            "UPDATE log SET answer = answer || ' ' WHERE n = 2",
            "log 430121",
        ),
        (
            "DELETE FROM log WHERE n = 1 AND shard = 430121",
            "log 430121",
        ),
        (
            "UPDATE feed SET rev = rev + 1 WHERE kind = 1",
            "stream_sum 430121",
        ),
        ("UPDATE stream_sum SET live = live + 1", "stream_sum"),
        (
            "UPDATE rollup SET minutes = minutes + 1 WHERE day > 0",
            "rollup 430121",
        ),
        ("UPDATE rollup SET count = 0 WHERE day > 0", "rollup 430121"),
    ] {
        let harness = Harness::start(engine).await;
        morning(&harness.worker(1).await).await;
        let faults = verify::database(&harness.app.db, &harness.app.sealer).await;
        assert_eq!(faults.expect("read"), Vec::<String>::new());
        meddle(&harness, sql).await;
        let faults = verify::database(&harness.app.db, &harness.app.sealer).await;
        let faults = faults.expect("read");
        let told = faults.iter().any(|fault| fault.starts_with(table));
        assert!(told, "{sql}: {faults:?}");
        let scratch = Scratch::new("backup");
        let made = make::make(&harness.app, scratch.path(), None).await;
        assert!(made.is_err(), "what does not add up is no backup");
        assert_eq!(backup::list(scratch.path()).expect("a list").len(), 0);
    }
});

on_both!(
    a_faulty_copy_is_kept_and_comes_back_when_asked_for,
    |engine| {
        let (harness, scratch) = (Harness::start(engine).await, Scratch::new("backup"));
        morning(&harness.worker(1).await).await;
        meddle(&harness, "UPDATE stream_sum SET live = live + 1").await;
        for _ in 0..2 {
            harness.clock.advance(1_000);
            let made = make::make(&harness.app, scratch.path(), None).await;
            let why = made.expect_err("it does not add up").to_string();
            assert!(why.contains("kept as"), "{why}");
        }
        let kept: Vec<_> = fs::read_dir(scratch.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|end| end == "faulty"))
            .collect();
        let [kept] = &kept[..] else {
            panic!("the newest and no other: {kept:?}");
        };
        let keys = harness.config.data.join("keys");
        for (faults, is_fine) in [(Faults::Refused, false), (Faults::Kept, true)] {
            let room = Scratch::new("backup");
            let config = elsewhere(engine, &room).await;
            let done = restore::restore(&config, kept, Some(&keys), faults, START).await;
            assert_eq!(done.is_ok(), is_fine, "{faults:?}: {done:?}");
        }
    }
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photograph_that_is_not_itself_is_noticed() {
    let (harness, scratch) = (Harness::start(Engine::Sqlite).await, Scratch::new("backup"));
    morning(&harness.worker(1).await).await;
    let file = harness
        .config
        .data
        .join("photos/photos/430121")
        .join(hash(ROADSIDE));
    for (bytes, fault) in [(Some(b"other"), "other bytes"), (None, "is gone")] {
        match bytes {
            Some(bytes) => fs::write(&file, bytes).expect("written"),
            None => fs::remove_file(&file).expect("removed"),
        }
        let mut faults = Vec::new();
        let count = verify::photographs(&harness.app, &mut faults).await;
        assert_eq!(count.expect("read"), 1);
        assert!(faults[0].contains(fault), "{faults:?}");
        assert!(
            make::make(&harness.app, scratch.path(), None)
                .await
                .is_err()
        );
    }
}

/// Why a restore is refused.
async fn refused(config: &Config, from: &Path, keys: Option<&Path>) -> String {
    let done = restore::restore(config, from, keys, Faults::Refused, START).await;
    done.expect_err("it must be refused").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_overwrites_nothing_and_takes_no_half_backup() {
    let (harness, scratch) = (Harness::start(Engine::Sqlite).await, Scratch::new("backup"));
    morning(&harness.worker(1).await).await;
    let keys = harness.config.data.join("keys");
    let made = make::make(&harness.app, &scratch.path().join("b"), None).await;
    let folder = made.expect("a backup").folder;
    let config = elsewhere(Engine::Sqlite, &scratch).await;
    let why = refused(&config, &folder, None).await;
    assert!(why.contains("--keys"), "{why}");
    let why = refused(&config, &scratch.path().join("b"), Some(&keys)).await;
    assert!(why.contains("no whole backup"), "{why}");

    // Over a county that is there.
    let why = refused(&harness.config, &folder, None).await;
    assert!(why.contains("not empty"), "{why}");
    // Other keys than those the rows were sealed with.
    let strangers = Harness::start(Engine::Sqlite).await;
    let foreign = strangers.config.data.join("keys");
    let other = Scratch::new("backup");
    let config = elsewhere(Engine::Sqlite, &other).await;
    let done = restore::restore(&config, &folder, Some(&foreign), Faults::Refused, START).await;
    assert!(done.is_err(), "rows do not open with other keys");

    let database = folder.join(backup::DATABASE);
    let mut bytes = fs::read(&database).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&database, bytes).expect("written");
    let third = Scratch::new("backup");
    let config = elsewhere(Engine::Sqlite, &third).await;
    let why = refused(&config, &folder, Some(&keys)).await;
    assert!(why.contains("not the one that was written"), "{why}");
}

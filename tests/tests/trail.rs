//! The trail: is it told who signed in, who moved whom and what was ordered at the machine, in
//! order, to those who watch and to nobody else, with nothing personal in it, and is it forgotten
//! in the end? And keys: they end a day after they were followed, and never while a row needs them.

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_proto::role::Role;
use xiangyi_server::accounts::roots::Roots;
use xiangyi_server::accounts::seal::{DataKey, Root, Sealer};
use xiangyi_server::accounts::turn::Which;
use xiangyi_server::commands::keys::turned;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::on;
use xiangyi_server::store::Db;
use xiangyi_server::store::people::{self, NewGrant};
use xiangyi_server::trail;
use xiangyi_tests::actor::{Actor, PASSWORD};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;
use xiangyi_tests::program::{Program, Said};

const XIANGYI: Program = Program(env!("CARGO_BIN_EXE_xiangyi-under-test"));
const LIST: &str = "/v1/audit?unit=430121";
const REASON: &str = "谭桂花照看母亲";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 86_400_000;

async fn grant(harness: &Harness, person: &str, role: Role, unit: &str) {
    let grant = NewGrant {
        id: format!("g-{person}"),
        person: person.to_owned(),
        role,
        unit: unit.to_owned(),
        from_at: 0,
        to_at: None,
    };
    let mut tx = harness.app.db.write().await.expect("begin");
    people::grant(&mut tx, &grant).await.expect("given");
    tx.commit().await.expect("commit");
}

/// Somebody who watches the county, and somebody who watches the province.
async fn watchers(harness: &Harness) -> (Actor, Actor) {
    grant(harness, "p-lead-1", Role::Auditor, "430121").await;
    (
        harness.lead().await,
        harness.nobody().sign_in("13800000601").await,
    )
}

async fn entries(who: &Actor, path: &str) -> Vec<Value> {
    let told = who.get(path).await.good();
    told["entries"].as_array().cloned().expect("entries")
}

fn what(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .filter_map(|entry| entry["what"].as_str())
        .collect()
}

on_both!(what_is_done_to_accounts_and_people_is_told, |engine| {
    let harness = Harness::start(engine).await;
    let (county, province) = watchers(&harness).await;
    let wrong = json!({ "telephone": "13800000001", "password": "tulip-wagon-42" });
    let nobody = harness.nobody();
    nobody
        .post("/v1/sessions", &wrong)
        .await
        .problem(401, "sign-in-failed");
    let unknown = json!({ "telephone": "13899999999", "password": "tulip-wagon-42" });
    nobody
        .post("/v1/sessions", &unknown)
        .await
        .problem(401, "sign-in-failed");
    harness.clock.advance(1);
    let worker = harness.worker(1).await;
    harness.clock.advance(1);
    let device = worker.register().await;
    harness.clock.advance(1);
    worker
        .call(Method::DELETE, &format!("/v1/me/devices/{device}"))
        .await
        .good();
    harness.clock.advance(1);
    let change = json!({ "password": PASSWORD, "new_password": "tulip-wagon-42" });
    worker.post("/v1/me/password", &change).await.good();
    harness.clock.advance(1);
    worker.call(Method::DELETE, "/v1/sessions").await.good();
    harness.clock.advance(1);
    let hub = harness.hub().await;
    let ask = json!({ "what": "worker", "person": "p-worker-01", "from": "430121001",
        "to": "430121002", "reason": REASON });
    let mut trial = ask.clone();
    trial["dry_run"] = json!(true);
    hub.post("/v1/moves", &trial).await.good();
    hub.post("/v1/moves", &ask).await.good();

    let told = loop {
        let told = entries(&province, "/v1/audit?unit=43&person=p-worker-01").await;
        // It is written beside the answer.
        if what(&told).contains(&"sign-in-failed") {
            break told;
        }
    };
    assert_eq!(
        what(&told),
        [
            "sign-in-failed",
            "sign-in",
            "device-ended",
            "password-changed",
            "sign-out",
            "move-worker"
        ],
        "each once, in order, and no trial"
    );
    assert_eq!(told[2]["target"], device);
    let moved = &told[5];
    assert_eq!(
        (
            &moved["actor"],
            &moved["person"],
            &moved["unit"],
            &moved["target"],
            &moved["reason"]
        ),
        (
            &json!("p-officer-1"),
            &json!("p-worker-01"),
            &json!("430121001"),
            &json!("430121002"),
            &json!(REASON)
        )
    );
    // The county hears of its own, and not of what belongs to no unit.
    let own = entries(&county, LIST).await;
    assert!(
        what(&own).contains(&"move-worker") && what(&own).contains(&"sign-in"),
        "{own:?}"
    );
    assert!(!what(&own).contains(&"sign-out"), "{own:?}");
    assert!(
        entries(&county, "/v1/audit?unit=430121002")
            .await
            .is_empty()
    );
    let later = format!("{LIST}&since={}", START + HOUR);
    assert!(entries(&county, &later).await.is_empty());
    let all = province.get("/v1/audit?unit=43").await.text;
    for word in ["13800000001", "13899999999", "tulip", PASSWORD, "谭某"] {
        assert!(!all.contains(word), "{word}: {all}");
    }
    let count = "SELECT CAST(COUNT(*) AS BIGINT) FROM trail WHERE reason IS NOT NULL AND \
        (target LIKE '%谭%' OR CAST(reason AS TEXT) LIKE '%谭%')";
    if engine == Engine::Sqlite {
        let mut tx = harness.app.db.read().await.expect("begin");
        let open: i64 =
            on!(&mut tx, |c| sqlx::query_scalar(count).fetch_one(c).await).expect("counted");
        assert_eq!(open, 0, "a reason is sealed");
    }
});

on_both!(only_who_watches_there_reads_the_trail, |engine| {
    let harness = Harness::start(engine).await;
    let (county, province) = watchers(&harness).await;
    for who in [
        harness.hub().await,
        harness.reviewer(1).await,
        harness.worker(1).await,
        harness.stranger_hub().await,
        harness.nobody().sign_in("13800000501").await,
    ] {
        who.get(LIST).await.problem(404, "not-found");
    }
    county
        .get("/v1/audit?unit=430181")
        .await
        .problem(404, "not-found");
    county
        .get("/v1/audit?unit=43")
        .await
        .problem(404, "not-found");
    for (query, pointer) in [
        ("unit=4301211", "/unit"),
        ("unit=430121&limit=0", "/limit"),
        ("unit=430121&limit=100000", "/limit"),
        ("unit=430121&since=x", "/since"),
        ("unit=430121&more=1", "/more"),
    ] {
        let told = county.get(&format!("/v1/audit?{query}")).await;
        let problem = told.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    // Pages come to the same as the whole, each line once.
    let whole = entries(&province, "/v1/audit?unit=43").await;
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/audit?unit=43&limit=2&after={after}");
        let told = province.get(&path).await.good();
        paged.extend(told["entries"].as_array().cloned().expect("entries"));
        match told["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(paged, whole);
    assert!(whole.len() > 5, "{whole:?}");
});

on_both!(what_is_old_is_forgotten, |engine| {
    let harness = Harness::start(engine).await;
    harness.worker(1).await;
    harness.clock.set(START + DAY);
    harness.worker(2).await;
    harness.clock.set(START + trail::TRAIL_DAYS * DAY);
    assert_eq!(trail::sweep(&harness.app).await.expect("swept"), 0);
    harness.clock.set(START + trail::TRAIL_DAYS * DAY + 1);
    assert_eq!(trail::sweep(&harness.app).await.expect("swept"), 1);
    let left = trail::page(&harness.app, ("", "", ""), 10)
        .await
        .expect("read");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0.person, "p-worker-02");
});

async fn command(harness: &Harness, args: &[&str]) -> Said {
    let data = harness.config.data.display().to_string();
    let url = harness.config.database.url.clone().expect("an address");
    let mut all: Vec<&str> = args.to_vec();
    all.extend(["--data", &data, "--database", &url]);
    XIANGYI.run(&all).await
}

on_both!(what_is_ordered_at_the_machine_is_told, |engine| {
    let harness = Harness::start(engine).await;
    let number = "13612345678";
    command(&harness, &["people", "add", number, "谭桂花"])
        .await
        .good();
    command(
        &harness,
        &["people", "grant", number, "worker", "430121001"],
    )
    .await
    .good();
    command(
        &harness,
        &["people", "revoke", number, "worker", "430121001"],
    )
    .await
    .good();
    command(&harness, &["people", "password", number])
        .await
        .good();
    let said = command(&harness, &["audit", "--person", number]).await;
    let told = said.good();
    let order = [
        "people-add",
        "people-grant",
        "people-revoke",
        "people-password",
    ];
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), order.len(), "{told}");
    for (line, what) in lines.iter().zip(order) {
        assert!(line.contains(what) && line.contains("command"), "{line}");
    }
    assert!(!told.contains(number) && !told.contains("谭桂花"), "{told}");
    assert!(
        lines[1].contains("430121001") && lines[1].contains("worker"),
        "{told}"
    );
    let none = command(&harness, &["audit", "--since", "2030-01-01"]).await;
    assert_eq!(none.good(), "");
    command(&harness, &["audit", "--since", "yesterday"])
        .await
        .bad();
});

/// Nothing can be told any more.
async fn silence(harness: &Harness) {
    let mut tx = harness.app.db.write().await.expect("begin");
    on!(&mut tx, |c| sqlx::query("DROP TABLE trail")
        .execute(c)
        .await
        .map(drop))
    .expect("gone");
    tx.commit().await.expect("commit");
}

on_both!(what_is_done_stays_done_where_it_cannot_be_told, |engine| {
    let harness = Harness::start(engine).await;
    silence(&harness).await;
    let table = "代码,名称\n430121098,好\n";
    let file = harness.config.data.join("regions.csv");
    std::fs::write(&file, table).expect("written");
    let file = file.display().to_string();
    let said = command(&harness, &["import", "regions", &file]).await;
    said.good();
    assert!(said.err.contains("the trail does not tell"), "{}", said.err);
    let again = command(&harness, &["import", "regions", &file]).await;
    assert!(again.good().contains("unchanged"), "{}", again.out);
});

on_both!(a_failed_sign_in_is_answered_alike_for_everybody, |engine| {
    let harness = Harness::start(engine).await;
    silence(&harness).await;
    for telephone in ["13800000001", "13899999999"] {
        let wrong = json!({ "telephone": telephone, "password": "tulip-wagon-42" });
        let answer = harness.nobody().post("/v1/sessions", &wrong).await;
        answer.problem(401, "sign-in-failed");
    }
});

on_both!(a_former_key_ends_after_a_day_and_not_before, |engine| {
    let mut harness = Harness::start(engine).await;
    harness.stop().await;
    let config = harness.config.clone();
    let root = async |at: i64| turned(&config, Which::Root, false, at).await;
    root(START).await.expect("announced");
    root(START + 1).await.expect("took over");
    let former = config.data.join("keys/root.former");
    let told = root(START + DAY).await.expect_err("a day has not passed");
    assert!(told.to_string().contains("--at-once"), "{told}");
    assert!(former.is_file(), "nothing was ended");
    root(START - DAY)
        .await
        .expect_err("a clock that went back ends nothing");
    root(START + 1 + DAY).await.expect("a day after");
    assert!(!former.is_file());
    let worker = Harness::over(config.clone(), harness.clock.clone()).await;
    worker.worker(1).await;
});

on_both!(a_key_that_a_row_needs_does_not_end, |engine| {
    let mut harness = Harness::start(engine).await;
    harness.stop().await;
    let config = harness.config.clone();
    let root = async |at: i64| turned(&config, Which::Root, false, at).await;
    // A row of another place's: its key is not known here.
    let foreign = Sealer::new(&Roots::fresh(&Entropy::system()));
    let entropy = Entropy::system();
    root(START).await.expect("announced");
    root(START + 1).await.expect("took over");
    let key = DataKey::random(&entropy);
    let wrapped = foreign.wrap(&entropy, Root::IN_USE, (0, "p-elsewhere"), &key);
    let db = Db::open(&config.database_url()).await.expect("opens");
    let spoil = "INSERT INTO seal_key (shard, owner, wrapped) VALUES (0, 'p-elsewhere', $1)";
    let mut tx = db.write().await.expect("begin");
    let spoilt = on!(&mut tx, |c| sqlx::query(spoil)
        .bind(&wrapped)
        .execute(c)
        .await
        .map(drop));
    spoilt.expect("spoilt");
    tx.commit().await.expect("commit");
    root(START + 1 + DAY)
        .await
        .expect_err("that row would be lost");
    assert!(config.data.join("keys/root.former").is_file());
    let mend = "DELETE FROM seal_key WHERE owner = 'p-elsewhere'";
    let mut tx = db.write().await.expect("begin");
    on!(&mut tx, |c| sqlx::query(mend).execute(c).await.map(drop)).expect("mended");
    tx.commit().await.expect("commit");
    root(START + 1 + DAY).await.expect("nothing needs it");
});

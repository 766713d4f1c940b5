//! A county comes back from a backup: what phones were answered since comes back from them.
//!
//! A phone of another make, written from PROTOCOL: it keeps what it sent and what it was answered,
//! and hands both back.

use reqwest::StatusCode;
use serde_json::{Value, json};
use xiangyi_server::accounts::roots::{NAMES, put};
use xiangyi_server::backup::restore::Faults;
use xiangyi_server::backup::{make, restore, verify};
use xiangyi_server::clock::Clock;
use xiangyi_server::config::Config;
use xiangyi_server::{private, ticker};
use xiangyi_tests::actor::{Actor, Phone};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

const UNIT: &str = "430121001";
const COUNTY: &str = "430121";
const VILLAGE: &str = "430121001001";
const HOUR: i64 = 3_600_000;

fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-{number:012x}")
}

fn check_in(n: u32, number: u32) -> Value {
    json!({ "n": n, "op": "create", "kind": "check_in", "unit": UNIT, "id": id(number),
            "occurred_at": START - i64::from(number % 400) * HOUR,
            "body": { "purpose": "visit", "phase": "in", "no_fix_reason": "屋里没有信号",
                      "place": { "kind": "home", "village": VILLAGE } } })
}

fn visit(n: u32, number: u32) -> Value {
    let begun = START - i64::from(number % 100 + 1) * 2 * HOUR;
    json!({ "n": n, "op": "create", "kind": "visit", "unit": UNIT, "id": id(number),
            "body": { "no_client_reason": "集中走访", "services": ["ec_visit"],
                      "process": "上门看望，量了血压。", "result": "情绪平稳",
                      "started_at": begun, "ended_at": begun + 40 * 60_000,
                      "outcome": { "kind": "served" } } })
}

fn patch(n: u32, number: u32, base: i64, set: Value) -> Value {
    json!({ "n": n, "op": "patch", "kind": "visit", "unit": UNIT, "id": id(number),
            "base": base, "set": set })
}

/// Refused by the negative list: a decision that is an office's.
fn refused(n: u32, number: u32) -> Value {
    let mut item = visit(n, number);
    item["body"]["outcome"]["decision"] = json!("approved");
    item["body"]["assigned_by"] = json!({ "office": "社会事务办" });
    item
}

/// What a phone keeps of one answer.
#[derive(Debug, Clone)]
struct Kept {
    said: Value,
    proof: Value,
}

/// Pushes and keeps: the answers, and the journal.
async fn push(phone: &Phone, said: &[Value]) -> (Vec<Value>, Vec<Kept>) {
    let answer = phone.try_push(said).await.good();
    let verdicts = answer["push"]["verdicts"].as_array().cloned();
    let verdicts = verdicts.expect("verdicts");
    let stamp = &answer["push"]["stamps"][COUNTY];
    assert!(stamp["epoch"].is_i64() && stamp["seq"].is_i64(), "{answer}");
    let keep = |(said, verdict): (&Value, &Value)| {
        let first = verdict.get("was").unwrap_or(verdict);
        let mut proof = json!({ "n": said["n"], "verdict": first["verdict"],
            "epoch": stamp["epoch"], "seq": stamp["seq"], "at": answer["server_time"],
            "mac": verdict.get("mac")? });
        for (name, value) in [
            ("for", &first["for"]),
            ("state", &first["derived"]["state"]),
        ] {
            if value.is_string() {
                proof[name] = value.clone();
            }
        }
        Some(Kept {
            said: said.clone(),
            proof,
        })
    };
    let kept = said.iter().zip(&verdicts).filter_map(keep).collect();
    (verdicts, kept)
}

/// Sends a journal once more.
async fn again(phone: &Phone, journal: &[Kept]) -> Vec<Value> {
    let said: Vec<&Value> = journal.iter().map(|kept| &kept.said).collect();
    let proofs: Vec<&Value> = journal.iter().map(|kept| &kept.proof).collect();
    let push = json!({ "mutations": said, "proofs": proofs });
    let answer = phone.exchange(json!({ "push": push })).await.good();
    let verdicts = answer["push"]["verdicts"].as_array().cloned();
    verdicts.unwrap_or_else(|| panic!("verdicts: {answer}"))
}

/// What the server says of a journal.
async fn durable(phone: &Phone, epoch: &Value, seq: i64) -> Value {
    let journal = json!({ COUNTY: { "epoch": epoch, "seq": seq } });
    let answer = phone.exchange(json!({ "journal": journal })).await.good();
    answer["durable"][COUNTY].clone()
}

/// A county with a backup of itself.
struct County {
    engine: Engine,
    harness: Harness,
    /// Backups, and the places of servers that were.
    scratch: Vec<Scratch>,
    backup: std::path::PathBuf,
    keys: std::path::PathBuf,
}

impl County {
    /// A county of today.
    async fn start(engine: Engine) -> Self {
        Self {
            engine,
            harness: Harness::start(engine).await,
            scratch: vec![Scratch::new("restores")],
            backup: Default::default(),
            keys: Default::default(),
        }
    }

    async fn back_up(&mut self) {
        self.harness.clock.advance(1_000);
        let made = make::make(&self.harness.app, &self.scratch[0].path().join("b"), None).await;
        self.backup = made.expect("a backup").folder;
        let keys = self.scratch[0].path().join("keys");
        private::folder(&keys).expect("a folder");
        let own = self.harness.config.data.join("keys");
        for key in NAMES {
            let key_file = std::fs::read(own.join(key)).expect("a key");
            put(&keys, key, &key_file).expect("the keys are elsewhere too");
        }
        self.keys = keys;
    }

    /// It burns, and comes back on an empty place.
    async fn lose(&mut self) {
        self.harness.stop().await;
        let scratch = Scratch::new("restores");
        let mut config = Config {
            data: scratch.path().join("data"),
            demo: true,
            ..Config::default()
        };
        config.database.url = Some(self.engine.address(&scratch).await);
        let now = self.harness.clock.now() + 5_000;
        let done = restore::restore(
            &config,
            &self.backup,
            Some(&self.keys),
            Faults::Refused,
            now,
        )
        .await;
        done.expect("restored");
        self.harness = Harness::over(config, Clock::fixed(now)).await;
        self.scratch.push(scratch);
    }

    async fn adds_up(&self) {
        let faults = verify::database(&self.harness.app.db, &self.harness.app.sealer).await;
        assert_eq!(faults.expect("read"), Vec::<String>::new());
    }
}

/// The same phone, whose person signs in once more.
fn of(actor: &Actor, phone: &Phone) -> Phone {
    Phone {
        actor: actor.clone(),
        device: phone.device.clone(),
    }
}

fn names(verdicts: &[Value]) -> Vec<&str> {
    verdicts
        .iter()
        .map(|verdict| verdict["verdict"].as_str().unwrap_or("?"))
        .collect()
}

async fn stored(actor: &Actor, number: u32) -> Value {
    let collection = if number < 50 { "visits" } else { "check-ins" };
    let path = format!("/v1/{collection}/{}?unit={UNIT}", id(number));
    let reply = actor.get(&path).await;
    assert_eq!(reply.status, StatusCode::OK, "{number}: {}", reply.text);
    reply.json()
}

on_both!(what_was_answered_after_the_backup_comes_back, |engine| {
    let mut county = County::start(engine).await;
    let worker = county.harness.worker(1).await;
    let phone = worker.phone().await;
    let (_, before) = push(&phone, &[visit(1, 1), check_in(2, 52)]).await;
    county.back_up().await;
    let void = json!({ "n": 7, "op": "void", "kind": "check_in", "unit": UNIT, "id": id(54),
                       "reason": "记错了" });
    let said = [
        visit(3, 3),
        check_in(4, 54),
        patch(5, 1, 1, json!({ "/result": "约好下周三" })),
        patch(6, 3, 1, json!({ "/result": "约好下周四" })),
        void,
        refused(8, 8),
    ];
    let (first, journal) = push(&phone, &said).await;
    let all = [
        "accepted", "accepted", "accepted", "accepted", "accepted", "rejected",
    ];
    assert_eq!(names(&first), all, "{first:?}");
    assert_eq!(journal.len(), 6, "each has its mac: {first:?}");
    let mac = first[0]["mac"].as_str().expect("a text");
    assert_eq!(mac.len(), 22);
    county.lose().await;

    let worker = county.harness.worker(1).await;
    let phone = of(&worker, &phone);
    let epoch = &journal[0].proof["epoch"];
    let told = durable(&phone, epoch, 1).await;
    assert!(
        told["epoch"].as_i64() > epoch.as_i64(),
        "another epoch: {told}"
    );
    // What the backup holds is a duplicate with its answer.
    let known = again(&phone, &before).await;
    assert_eq!(names(&known), ["duplicate", "duplicate"], "{known:?}");
    let back = again(&phone, &journal).await;
    assert_eq!(names(&back), all, "{back:?}");
    for (verdict, first) in back.iter().zip(&first).take(5) {
        assert_eq!(verdict["restored"], true, "{verdict}");
        assert_eq!(verdict["rev"], first["rev"], "{verdict} was {first}");
        assert_eq!(
            verdict["derived"], first["derived"],
            "{verdict} was {first}"
        );
    }
    assert_eq!(back[5]["refusal"], first[5]["refusal"], "the same receipt");
    let twice = again(&phone, &journal).await;
    assert_eq!(names(&twice), ["duplicate"; 6], "{twice:?}");
    let read = stored(&worker, 3).await;
    assert_eq!(read["body"]["result"], "约好下周四", "{read}");
    assert_eq!(
        read["received_at"], journal[0].proof["at"],
        "as of its first answer"
    );
    assert_eq!(stored(&worker, 1).await["body"]["result"], "约好下周三");
    county.adds_up().await;
});

on_both!(a_proof_is_good_for_whom_it_was_given, |engine| {
    let mut county = County::start(engine).await;
    let worker = county.harness.worker(1).await;
    let phone = worker.phone().await;
    county.harness.worker(2).await.phone().await;
    county.back_up().await;
    let (_, journal) = push(&phone, &[refused(1, 1), visit(2, 2)]).await;
    county.lose().await;

    // Another takes the whole journal, or says that what was refused was accepted.
    let thief = county.harness.worker(2).await.phone().await;
    let stolen = again(&thief, &journal).await;
    assert_eq!(names(&stolen), ["rejected", "accepted"], "{stolen:?}");
    assert!(
        stolen[1]["restored"].is_null(),
        "judged as their own: {stolen:?}"
    );
    let own = of(&county.harness.worker(1).await, &phone);
    let mut forged = journal[0].clone();
    forged.proof["verdict"] = json!("accepted");
    for mac in [
        journal[0].proof["mac"].clone(),
        json!(""),
        json!("A".repeat(22)),
        json!("长"),
    ] {
        let mut forged = forged.clone();
        forged.proof["mac"] = mac;
        forged.said["n"] = json!(90 + forged.proof["mac"].as_str().map_or(0, str::len));
        forged.proof["n"] = forged.said["n"].clone();
        let told = again(&own, &[forged]).await;
        assert!(told[0]["restored"].is_null(), "{told:?}");
        assert_ne!(told[0]["verdict"], "accepted", "{told:?}");
    }
    county.adds_up().await;
});

on_both!(a_correction_waits_for_what_is_on_another_phone, |engine| {
    let mut county = County::start(engine).await;
    let worker = county.harness.worker(1).await;
    let (one, two) = (worker.phone().await, worker.phone().await);
    county.back_up().await;
    let (_, made) = push(&one, &[visit(1, 1)]).await;
    let (_, corrected) = push(&two, &[patch(1, 1, 1, json!({ "/result": "约好下周三" }))]).await;
    county.lose().await;

    let worker = county.harness.worker(1).await;
    let (one, two) = (of(&worker, &one), of(&worker, &two));
    let told = again(&two, &corrected).await;
    assert_eq!(told[0]["verdict"], "held", "{told:?}");
    assert_eq!(told[0]["for"], "missing", "{told:?}");
    let told = again(&one, &made).await;
    assert_eq!(told[0]["verdict"], "accepted", "{told:?}");
    assert_eq!(stored(&worker, 1).await["body"]["result"], "约好下周三");
    county.adds_up().await;
});

on_both!(what_never_comes_goes_before_a_reviewer, |engine| {
    let mut county = County::start(engine).await;
    let worker = county.harness.worker(1).await;
    let (one, two) = (worker.phone().await, worker.phone().await);
    county.back_up().await;
    push(&one, &[visit(1, 1)]).await;
    let (_, corrected) = push(&two, &[patch(1, 1, 1, json!({ "/result": "约好下周三" }))]).await;
    county.lose().await;

    let two = of(&county.harness.worker(1).await, &two);
    assert_eq!(again(&two, &corrected).await[0]["for"], "missing");
    county.harness.clock.advance(15 * 24 * HOUR);
    ticker::fire_due(&county.harness.app).await.expect("timers");
    let two = of(&county.harness.worker(1).await, &two);
    let told = again(&two, &corrected).await;
    assert_eq!(told[0]["was"]["verdict"], "held", "never refused: {told:?}");
    let page = two.pull(json!({ "max_bytes": 524_288 })).await;
    let rows = page["changes"].as_array().expect("changes").iter();
    let rows = rows.flat_map(|changes| changes["rows"].as_array().cloned().unwrap_or_default());
    let held: Vec<Value> = rows.filter(|row| row["kind"] == "held").collect();
    assert!(
        held.iter().any(|row| row["body"]["for"] == "review"),
        "{held:?}"
    );
    county.adds_up().await;
});

on_both!(what_is_in_the_way_goes_before_a_reviewer, |engine| {
    let mut county = County::start(engine).await;
    let worker = county.harness.worker(1).await;
    let phone = worker.phone().await;
    push(&phone, &[visit(1, 1)]).await;
    county.back_up().await;
    let mine = patch(2, 1, 1, json!({ "/result": "约好下周三" }));
    let (_, journal) = push(&phone, &[mine, visit(3, 3)]).await;
    county.lose().await;

    // Meanwhile another phone has changed the same field; the worker's grant is no more.
    let worker = county.harness.worker(1).await;
    let other = worker.phone().await;
    push(&other, &[patch(1, 1, 1, json!({ "/result": "改约周五" }))]).await;
    let granted = "DELETE FROM granted WHERE person IN (SELECT person FROM device WHERE id = $1)";
    let phone = of(&worker, &phone);
    let told = again(&phone, &journal[..1]).await;
    assert_eq!(
        (&told[0]["verdict"], &told[0]["for"]),
        (&json!("held"), &json!("review")),
        "{told:?}"
    );
    assert_eq!(told[0]["rule"]["id"], "restored", "{told:?}");
    let mut tx = county.harness.app.db.write().await.expect("begin");
    let device = phone.device.as_str();
    let done = xiangyi_server::on!(&mut tx, |c| sqlx::query(granted)
        .bind(device)
        .execute(c)
        .await
        .map(|done| done.rows_affected()));
    assert!(done.expect("deleted") > 0);
    tx.commit().await.expect("commit");
    let told = again(&phone, &journal[1..]).await;
    assert_eq!(
        (&told[0]["verdict"], &told[0]["for"]),
        (&json!("held"), &json!("review")),
        "{told:?}"
    );
    county.adds_up().await;
});

on_both!(places_are_not_given_twice_after_a_restore, |engine| {
    let mut county = County::start(engine).await;
    let leader = county.harness.organiser().await.phone().await;
    let activity = json!({ "n": 1, "op": "create", "kind": "activity", "unit": COUNTY, "id": id(1),
        "body": { "title": "重阳节助老", "type": "elder_company", "insured": true, "place": { "text": "敬老院" },
            "sessions": [{ "session": 1, "starts_at": START + 48 * HOUR, "ends_at": START + 50 * HOUR,
                           "roles": [{ "role": "helper", "capacity": 1 }] }] } });
    let made = leader.push_one(activity).await;
    assert_eq!(made["verdict"], "accepted", "{made}");
    let join = |number: u32| {
        json!({ "n": 1, "op": "request", "kind": "sign_up", "unit": COUNTY, "id": id(number),
                "body": { "activity": id(1), "session": 1, "role": "helper", "want": "join" } })
    };
    let first = county.harness.volunteer(1).await.phone().await;
    let second = county.harness.volunteer(2).await.phone().await;
    county.back_up().await;
    let (told, journal) = push(&first, &[join(11)]).await;
    assert_eq!(told[0]["derived"]["state"], "confirmed", "{told:?}");
    county.lose().await;

    // The place is given to another before the first phone comes back.
    let second = of(&county.harness.volunteer(2).await, &second);
    let (told, _) = push(&second, &[join(12)]).await;
    assert_eq!(told[0]["derived"]["state"], "confirmed", "{told:?}");
    let first = of(&county.harness.volunteer(1).await, &first);
    let told = again(&first, &journal).await;
    assert_eq!(
        (&told[0]["verdict"], &told[0]["for"]),
        (&json!("held"), &json!("review")),
        "{told:?}"
    );
    county.adds_up().await;
});

on_both!(a_registration_comes_back_by_its_proof, |engine| {
    let mut county = County::start(engine).await;
    let worker = county.harness.worker(1).await;
    county.back_up().await;
    let phone = worker.phone().await;
    let (_, journal) = push(&phone, &[visit(1, 1)]).await;
    county.lose().await;

    let worker = county.harness.worker(1).await;
    let gone = of(&worker, &phone).try_push(&[check_in(2, 52)]).await;
    assert_eq!(gone.json()["code"], "device-unknown", "{}", gone.text);
    let digest = xiangyi_tests::actor::hash(journal[0].said.to_string().as_bytes());
    let ask = json!({ "device": phone.device, "shard": 430_121, "digest": digest,
                      "proof": journal[0].proof });
    // Nobody else gets it by the same proof.
    let thief = county.harness.worker(2).await;
    let other = thief.post("/v1/devices", &ask).await.json();
    assert_ne!(other["device"], json!(phone.device), "{other}");
    let back = worker.post("/v1/devices", &ask).await;
    assert_eq!(back.status, StatusCode::CREATED, "{}", back.text);
    assert_eq!(back.json()["device"], json!(phone.device));
    let phone = of(&worker, &phone);
    let told = again(&phone, &journal).await;
    assert_eq!(told[0]["restored"], true, "{told:?}");
    // A second time it is there already.
    let twice = worker.post("/v1/devices", &ask).await.json();
    assert_ne!(twice["device"], json!(phone.device), "{twice}");
});

on_both!(a_backup_tells_phones_how_far_it_holds, |engine| {
    let mut county = County::start(engine).await;
    let worker = county.harness.worker(1).await;
    let phone = worker.phone().await;
    let (_, kept) = push(&phone, &[visit(1, 1)]).await;
    let (epoch, seq) = (
        kept[0].proof["epoch"].clone(),
        kept[0].proof["seq"].as_i64(),
    );
    let seq = seq.expect("a number");
    assert!(
        durable(&phone, &epoch, seq).await.is_null(),
        "no backup yet"
    );
    county.back_up().await;
    ticker::look_for_others(&county.harness.app)
        .await
        .expect("heads");
    let told = durable(&phone, &epoch, seq).await;
    assert_eq!(told, json!({ "epoch": epoch, "seq": seq }));
    assert!(
        durable(&phone, &epoch, seq + 1).await.is_null(),
        "nothing new"
    );
    let (_, after) = push(&phone, &[visit(2, 2)]).await;
    county.lose().await;

    // Others work on, and the next backup passes the numbers of the lost epoch.
    let other = county.harness.worker(2).await.phone().await;
    push(&other, &[check_in(1, 61), check_in(2, 62), check_in(3, 63)]).await;
    county.back_up().await;
    ticker::look_for_others(&county.harness.app)
        .await
        .expect("heads");
    let phone = of(&county.harness.worker(1).await, &phone);
    let told = durable(&phone, &after[0].proof["epoch"], 1).await;
    assert!(
        told["seq"].as_i64() >= after[0].proof["seq"].as_i64(),
        "{told}"
    );
    assert_ne!(
        told["epoch"], after[0].proof["epoch"],
        "it says nothing of the lost epoch"
    );
    assert_eq!(again(&phone, &after).await[0]["restored"], true);
});

on_both!(a_phone_sleeps_over_two_restores, |engine| {
    let mut county = County::start(engine).await;
    let worker = county.harness.worker(1).await;
    let (sleeps, wakes) = (worker.phone().await, worker.phone().await);
    county.back_up().await;
    let (_, first) = push(&sleeps, &[visit(1, 1)]).await;
    let (_, second) = push(&wakes, &[visit(1, 2)]).await;
    county.lose().await;
    let wakes = of(&county.harness.worker(1).await, &wakes);
    let back = again(&wakes, &second).await;
    assert_eq!(back[0]["restored"], true);
    // The stamp of the new epoch, of the same answer.
    let (_, second) = push(&wakes, &[visit(1, 2)]).await;
    // The same backup once more: what the first restore brought back is lost again.
    county.lose().await;
    let worker = county.harness.worker(1).await;
    let (sleeps, wakes) = (of(&worker, &sleeps), of(&worker, &wakes));
    assert_eq!(again(&wakes, &second).await[0]["restored"], true);
    assert_eq!(again(&sleeps, &first).await[0]["restored"], true);
    let twice = [again(&wakes, &second).await, again(&sleeps, &first).await].concat();
    assert_eq!(names(&twice), ["duplicate", "duplicate"], "{twice:?}");
    county.adds_up().await;
});

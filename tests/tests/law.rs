//! Packs as law, over HTTP and on both engines: proposed by one person, published by another,
//! signed, verified at the start, judged by their days; old verdicts stand.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use xiangyi_proto::role::Role;
use xiangyi_server::app::App;
use xiangyi_server::clock::Clock;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::store::people::{self, NewGrant};
use xiangyi_server::{law, on};
use xiangyi_sync::policy;
use xiangyi_tests::actor::{Actor, Reply};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const UNIT: &str = "430121001";
const COUNTY: &str = "430121";
const DAY: i64 = 86_400_000;

/// A county's pack that answers every need in one way.
fn county(version: i64, from: &str, verdict: &str) -> Value {
    json!({ "pack": COUNTY, "version": version, "effective": { "from": from, "to": null },
        "rules": [{ "id": "430121-1", "title": { "zh": "县里的规定", "en": "the county's rule" },
            "clause": "县规 一", "basis": { "practice": "试行" }, "kinds": ["need"],
            "when": "true", "verdict": verdict, "instead": ["appeal"],
            "message": { "zh": "这里不收。", "en": "Not here." } }] })
}

async fn propose(who: &Actor, document: Value) -> Reply {
    who.post("/v1/packs", &json!({ "document": document }))
        .await
}

async fn publish(who: &Actor, region: &str, version: i64) -> Reply {
    let path = format!("/v1/packs/{region}/{version}/publish");
    who.post(&path, &json!({})).await
}

/// Proposed by the officer, published by a reviewer.
async fn enact(harness: &Harness, document: Value) {
    let (region, version) = (document["pack"].clone(), document["version"].clone());
    propose(&harness.hub().await, document).await.good();
    let (region, version) = (region.as_str().expect("a region"), version.as_i64());
    let done = publish(
        &harness.reviewer(1).await,
        region,
        version.expect("a version"),
    )
    .await;
    done.good();
}

fn need(n: u32, number: u32, at: i64) -> Value {
    json!({ "n": n, "op": "create", "kind": "need", "unit": UNIT, "occurred_at": at,
        "id": format!("01920000-0000-7000-8000-{number:012x}"),
        "body": { "title": "一床棉被", "category": "goods", "quantity": 1 } })
}

on_both!(a_pack_takes_two_persons, |engine| {
    let harness = Harness::start(engine).await;
    let (officer, reviewer) = (harness.hub().await, harness.reviewer(1).await);
    let made = propose(&reviewer, county(1, "2026-01-01", "hold")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    // Not whoever proposed it, and not somebody who may only propose.
    publish(&reviewer, COUNTY, 1)
        .await
        .problem(409, "second-person");
    publish(&officer, COUNTY, 1).await.problem(404, "not-found");
    // A draft does not change under whoever reads it.
    let other = propose(&officer, county(1, "2026-01-01", "warn")).await;
    other.problem(409, "pack-version");
    let read = officer.get("/v1/packs/430121/1").await.good();
    assert_eq!(
        (&read["state"], &read["document"]["rules"][0]["verdict"]),
        (&json!("draft"), &json!("hold"))
    );
    let second = harness.reviewer(2).await;
    publish(&second, COUNTY, 1).await.good();
    // Its answer was lost: the same as the first time, to whoever published it.
    publish(&second, COUNTY, 1).await.good();
    publish(&reviewer, COUNTY, 1)
        .await
        .problem(404, "not-found");
    for version in [0, 1] {
        let reply = propose(&officer, county(version, "2026-01-01", "warn")).await;
        assert!(
            ["pack-version", "pack-unsound"].contains(&reply.code().as_str()),
            "{}",
            reply.text
        );
    }
    let list = officer.get("/v1/packs?region=430121").await.good();
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list[0]["proposed_by"], "p-reviewer-1", "{list}");
    assert_eq!(list[0]["published_by"], "p-reviewer-2", "{list}");
    // Many drafts push out the lowest, and none goes below those that wait.
    for version in 10..10 + xiangyi_proto::limits::PACK_DRAFTS_MAX as i64 + 1 {
        propose(&officer, county(version, "2026-01-01", "warn"))
            .await
            .good();
    }
    officer
        .get("/v1/packs/430121/10")
        .await
        .problem(404, "not-found");
    officer.get("/v1/packs/430121/11").await.good();
    let again = propose(&officer, county(10, "2026-01-01", "warn")).await;
    again.problem(409, "pack-version");
    // Versions grow: a draft that fell behind is gone.
    propose(&officer, county(102, "2026-01-01", "warn"))
        .await
        .good();
    enact(&harness, county(103, "2026-01-01", "warn")).await;
    publish(&second, COUNTY, 102)
        .await
        .problem(404, "not-found");
});

on_both!(
    a_countys_people_make_no_law_of_the_province_and_loosen_nothing,
    |engine| {
        let harness = Harness::start(engine).await;
        let (officer, reviewer) = (harness.hub().await, harness.reviewer(1).await);
        let mut whole =
            serde_json::to_value(policy::read(xiangyi_proto::pack::STARTER).expect("reads"))
                .expect("JSON");
        let version = whole["version"].as_i64().expect("a version") + 1;
        whole["version"] = json!(version);
        for who in [&officer, &reviewer, &harness.worker(1).await] {
            propose(who, whole.clone()).await.problem(404, "not-found");
        }
        for (member, value, place) in [
            ("danger", json!("suspected"), "/rules/430121-1/danger"),
            ("id", json!("NL-A03"), "/rules/NL-A03/id"),
            ("when", json!("record.nothing"), "/rules/430121-1/when"),
        ] {
            let mut pack = county(1, "2026-01-01", "hold");
            pack["rules"][0][member] = value;
            if member == "danger" {
                pack["rules"][0]
                    .as_object_mut()
                    .expect("a rule")
                    .remove("verdict");
            }
            let told = propose(&officer, pack).await.problem(422, "pack-unsound");
            let at = |error: &Value| error["pointer"] == place;
            assert!(
                told["errors"].as_array().expect("errors").iter().any(at),
                "{told}"
            );
        }
        // The province's own people: two of them.
        let mut tx = harness.app.db.write().await.expect("begin");
        for (id, person) in [("g-a", "p-worker-01"), ("g-b", "p-worker-02")] {
            let grant = NewGrant {
                id: id.to_owned(),
                person: person.to_owned(),
                role: Role::ProvinceAdmin,
                unit: "43".to_owned(),
                from_at: 0,
                to_at: None,
            };
            people::grant(&mut tx, &grant).await.expect("granted");
        }
        tx.commit().await.expect("commit");
        let (one, two) = (harness.worker(1).await, harness.worker(2).await);
        propose(&one, whole).await.good();
        publish(&one, "43", version)
            .await
            .problem(409, "second-person");
        publish(&two, "43", version).await.good();
    }
);

on_both!(
    a_published_pack_judges_at_once_and_old_verdicts_stand,
    |engine| {
        let harness = Harness::start(engine).await;
        let phone = harness.worker(1).await.phone().await;
        let verdicts = phone.push(&[need(1, 1, START - 1_000)]).await;
        assert_eq!(verdicts[0]["verdict"], "accepted", "{verdicts:?}");
        let path = format!("/v1/needs/01920000-0000-7000-8000-000000000001?unit={UNIT}");
        let before = phone.actor.get(&path).await.good();
        enact(&harness, county(1, "2026-01-01", "reject")).await;
        let verdicts = phone.push(&[need(2, 2, START - 1_000)]).await;
        assert_eq!(verdicts[0]["verdict"], "rejected", "{verdicts:?}");
        let rule = &verdicts[0]["rule"];
        assert_eq!(
            (&rule["id"], &rule["pack"]),
            (&json!("430121-1"), &json!(COUNTY)),
            "{rule}"
        );
        // What was stored before stands as it was judged, and a repeat gets its first answer.
        assert_eq!(phone.actor.get(&path).await.good(), before);
        let again = phone.push(&[need(1, 1, START - 1_000)]).await;
        assert_eq!(again[0]["was"]["verdict"], "accepted", "{again:?}");
        // The phone hears of it: signed, in the county's stream of rules.
        let pull = phone
            .exchange(json!({ "pull": { "max_bytes": 500_000 } }))
            .await
            .good();
        let text = pull.to_string();
        assert!(
            text.contains("rules:430121") && text.contains("signature"),
            "{text}"
        );
    }
);

on_both!(the_version_of_the_act_or_of_the_receipt_judges, |engine| {
    let harness = Harness::start(engine).await;
    let lenient = county(1, "2025-01-01", "warn");
    enact(&harness, lenient).await;
    enact(&harness, county(2, "2026-01-01", "reject")).await;
    let phone = harness.worker(1).await.phone().await;
    // Recorded offline last month, sent today: last month's version judges.
    let (last_month, today) = (START - 30 * DAY, START - 1_000);
    let said = phone
        .push(&[need(1, 1, last_month), need(2, 2, today)])
        .await;
    assert_eq!(said[0]["verdict"], "accepted", "{said:?}");
    assert_eq!(said[0]["notices"][0]["rule"]["version"], 1, "{said:?}");
    assert_eq!(said[1]["verdict"], "rejected", "{said:?}");
    assert_eq!(said[1]["rule"]["version"], 2, "{said:?}");
    // A rule of the receipt clock is today's, whenever the act was.
    let mut strict = county(3, "2026-01-01", "reject");
    strict["rules"][0]["clock"] = json!("receipt");
    enact(&harness, strict).await;
    let said = phone.push(&[need(3, 3, last_month)]).await;
    assert_eq!(said[0]["rule"]["version"], 3, "{said:?}");
});

async fn change(harness: &Harness, sql: &str) {
    let mut tx = harness.app.db.write().await.expect("begin");
    let sql = AssertSqlSafe(sql.to_owned());
    let done = on!(&mut tx, |c| sqlx::query(sql)
        .execute(c)
        .await
        .map(|done| done.rows_affected()));
    assert!(done.expect("changed") > 0, "there was such a row");
    tx.commit().await.expect("commit");
}

on_both!(
    a_tampered_pack_stops_the_start_and_is_never_judged_with,
    |engine| {
        let harness = Harness::start(engine).await;
        enact(&harness, county(1, "2026-01-01", "hold")).await;
        let open = || App::open(&harness.config, Clock::fixed(START), Entropy::system());
        open().await.expect("as it was signed");
        for (sql, back, why) in [
            (
                "UPDATE pack SET document = REPLACE(document, '\"hold\"', '\"warn\"') \
             WHERE region = '430121'",
                "UPDATE pack SET document = REPLACE(document, '\"warn\"', '\"hold\"') \
             WHERE region = '430121'",
                "altered",
            ),
            (
                "UPDATE pack SET signer = 'ffffffffffffffff' WHERE region = '430121'",
                "UPDATE pack SET signer = (SELECT p.signer FROM pack p WHERE p.region = '43' LIMIT 1) \
             WHERE region = '430121'",
                "ffffffffffffffff",
            ),
            (
                "UPDATE pack SET version = 9 WHERE region = '430121'",
                "UPDATE pack SET version = 1 WHERE region = '430121'",
                "another version",
            ),
        ] {
            change(&harness, sql).await;
            let error = open().await.err().expect("refused").to_string();
            assert!(error.contains(why) && error.contains("430121"), "{error}");
            // A running server that looks again keeps the former packs.
            law::load(&harness.app).await.expect_err("not put in force");
            let phone = harness.worker(1).await.phone().await;
            let number = u32::try_from(why.len()).expect("short") + 100;
            let said = phone.push(&[need(1, number, START - 1_000)]).await;
            assert_eq!(said[0]["verdict"], "held", "{said:?}");
            change(&harness, back).await;
        }
        open().await.expect("as it was");
        let unsigned = "UPDATE pack SET signature = NULL WHERE region = '430121'";
        change(&harness, unsigned).await;
        let error = open().await.err().expect("refused").to_string();
        assert!(error.contains("not signed"), "{error}");
        // Those from before packs were signed are signed where the tables are brought up to date.
        harness
            .app
            .law
            .adopt(&harness.app.db)
            .await
            .expect("signed");
        open().await.expect("believed again");
    }
);

on_both!(another_node_takes_over_what_one_published, |engine| {
    let harness = Harness::start(engine).await;
    let other = App::open(&harness.config, harness.clock.clone(), Entropy::system()).await;
    let other = other.expect("a second node");
    let versions = |app: &App| app.writer.packs().versions(UNIT, START);
    enact(&harness, county(1, "2026-01-01", "hold")).await;
    assert!(versions(&harness.app).ends_with("430121@1"));
    assert!(!versions(&other).contains("430121@"));
    xiangyi_server::ticker::look_for_others(&other)
        .await
        .expect("looked");
    assert_eq!(versions(&other), versions(&harness.app));
});

on_both!(a_pack_signed_by_a_trusted_key_is_believed, |engine| {
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let public = hex::encode(key.verifying_key().to_bytes());
    let harness = Harness::with_settings(engine, |config| {
        config
            .packs
            .trusted
            .insert(COUNTY.to_owned(), vec![public.clone()]);
    })
    .await;
    let officer = harness.hub().await;
    let known = xiangyi_sync::signed::pack_key(Some(COUNTY), &public).expect("a key");
    let sent = |document: Value, signer: &str| {
        // Every default is written out, as the server understands it.
        let doc: xiangyi_proto::pack::PackDoc =
            serde_json::from_value(document.clone()).expect("a pack");
        let whole = serde_json::to_value(doc).expect("JSON");
        let signature = xiangyi_sync::signed::sign(&key, &whole);
        json!({ "document": document, "signature": signature, "signer": signer })
    };
    let mut altered = sent(county(1, "2026-01-01", "hold"), &known.id);
    altered["document"] = county(1, "2026-01-01", "warn");
    officer
        .post("/v1/packs", &altered)
        .await
        .problem(422, "pack-signature");
    let stranger = sent(county(1, "2026-01-01", "hold"), "ffffffffffffffff");
    officer
        .post("/v1/packs", &stranger)
        .await
        .problem(422, "pack-signature");
    let good = sent(county(1, "2026-01-01", "hold"), &known.id);
    officer.post("/v1/packs", &good).await.good();
    publish(&harness.reviewer(1).await, COUNTY, 1).await.good();
    let read = officer.get("/v1/packs/430121/1").await.good();
    assert_eq!(
        (&read["signer"], &read["signature"]),
        (&json!(known.id), &good["signature"])
    );
    // A phone is told both keys when it registers.
    let made = officer.post("/v1/devices", &json!({})).await.good();
    let keys = made["pack_keys"].as_array().expect("keys");
    assert!(
        keys.iter()
            .any(|key| key["id"] == known.id && key["region"] == COUNTY),
        "{made}"
    );
    assert!(keys.iter().any(|key| key.get("region").is_none()), "{made}");
});

async fn withdraw(who: &Actor, region: &str, version: i64) -> Reply {
    let path = format!("/v1/packs/{region}/{version}");
    who.call(reqwest::Method::DELETE, &path).await
}

on_both!(
    a_draft_is_withdrawn_and_its_number_is_free_again,
    |engine| {
        let harness = Harness::start(engine).await;
        let (officer, reviewer) = (harness.hub().await, harness.reviewer(1).await);
        let draft = |version, verdict| county(version, "2026-01-01", verdict);
        propose(&officer, draft(1_000, "hold")).await.good();
        // A slip stands before everybody.
        propose(&reviewer, draft(2, "hold"))
            .await
            .problem(409, "pack-version");
        withdraw(&harness.worker(1).await, COUNTY, 1_000)
            .await
            .problem(404, "not-found");
        assert_eq!(withdraw(&reviewer, COUNTY, 1_000).await.status, 204);
        withdraw(&reviewer, COUNTY, 1_000)
            .await
            .problem(404, "not-found");
        let list = officer.get("/v1/packs?region=430121").await.good();
        assert_eq!(
            (
                &list[0]["state"],
                &list[0]["version"],
                &list[0]["withdrawn_by"]
            ),
            (&json!("withdrawn"), &json!(1_000), &json!("p-reviewer-1")),
            "{list}"
        );
        // What was read under this number is not what stands there now: who publishes says which.
        propose(&officer, draft(2, "hold")).await.good();
        let read = reviewer.get("/v1/packs/430121/2").await.good();
        withdraw(&officer, COUNTY, 2).await;
        propose(&officer, draft(2, "warn")).await.good();
        publish(&reviewer, COUNTY, 2)
            .await
            .problem(409, "pack-version");
        let path = "/v1/packs/430121/2/publish";
        let named = |read: &Value| json!({ "digest": read["digest"] });
        reviewer
            .post(path, &named(&read))
            .await
            .problem(409, "pack-version");
        let read = reviewer.get("/v1/packs/430121/2").await.good();
        reviewer.post(path, &named(&read)).await.good();
        // What is published stays.
        withdraw(&reviewer, COUNTY, 2)
            .await
            .problem(404, "not-found");
        propose(&officer, draft(3, "hold")).await.good();
    }
);

on_both!(a_path_that_names_no_pack_is_told_as_elsewhere, |engine| {
    let harness = Harness::start(engine).await;
    let reviewer = harness.reviewer(1).await;
    for path in ["430121/x", "43zz/1", "430121/99999999999999999999", "%00/1"] {
        let path = format!("/v1/packs/{path}");
        let wrong = |reply: Reply| reply.problem(400, "invalid-parameter");
        wrong(reviewer.get(&path).await);
        wrong(reviewer.call(reqwest::Method::DELETE, &path).await);
        let path = format!("{path}/publish");
        wrong(reviewer.post(&path, &json!({})).await);
    }
});

on_both!(what_is_cheap_is_asked_before_a_pack_is_compiled, |engine| {
    let harness = Harness::start(engine).await;
    let officer = harness.hub().await;
    let at = |told: &Value| told["errors"][0]["pointer"].clone();
    // Too large, and in a rule too slow.
    let mut large = county(1, "2026-01-01", "hold");
    large["rules"][0]["clause"] = json!("长".repeat(100_000));
    let told = propose(&officer, large).await.problem(422, "pack-unsound");
    assert_eq!(at(&told), "/document", "{told}");
    let mut slow = county(1, "2026-01-01", "hold");
    let numbers = vec!["1"; 900].join(",");
    slow["rules"][0]["kinds"] = json!(["activity"]);
    slow["rules"][0]["when"] = json!(format!(
        "[{numbers}].exists(n, record.sessions.exists(s, s.starts_at == n))"
    ));
    let told = propose(&officer, slow).await.problem(422, "pack-unsound");
    assert_eq!(at(&told), "/rules/430121-1/when", "{told}");
    // A version that cannot be is told although the pack is not sound either.
    propose(&officer, county(1, "2026-01-01", "hold"))
        .await
        .good();
    let mut bad = county(1, "2026-01-01", "hold");
    bad["rules"][0]["when"] = json!("record.nothing");
    propose(&officer, bad).await.problem(409, "pack-version");
});

on_both!(two_who_publish_at_once_do_so_in_order, |engine| {
    let harness = Harness::start(engine).await;
    let officer = harness.hub().await;
    for version in [1, 2] {
        propose(&officer, county(version, "2026-01-01", "warn"))
            .await
            .good();
    }
    let reviewer = harness.reviewer(1).await;
    // The second version is being published: written, and not yet there.
    let mut tx = harness.app.db.write().await.expect("begin");
    for sql in [
        "DELETE FROM pack_draft WHERE region = '430121' AND version <= 2",
        "INSERT INTO pack (region, version, document, told, published_at) \
         VALUES ('430121', 2, '{}', TRUE, 1)",
    ] {
        let done = on!(&mut tx, |c| sqlx::query(sql)
            .execute(c)
            .await
            .map(|done| done.rows_affected()));
        assert!(done.expect("written") > 0);
    }
    let mut first = Box::pin(publish(&reviewer, COUNTY, 1));
    if engine == xiangyi_tests::engine::Engine::Postgres {
        // Until it stands before what the other has locked.
        let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                     AND datname = current_database()";
        loop {
            if let std::task::Poll::Ready(reply) = futures::poll!(&mut first) {
                panic!("it went past the other: {}", reply.text);
            }
            let mut look = harness.app.db.glance().await.expect("a line");
            let count = on!(&mut look, |c| sqlx::query_scalar(waits).fetch_one(c).await);
            let count: i64 = count.expect("a count");
            if count > 0 {
                break;
            }
        }
    }
    tx.commit().await.expect("commit");
    first.await.problem(404, "not-found");
});

#[tokio::test]
async fn packs_are_compiled_apart_and_one_at_a_time() {
    let harness = Harness::start(xiangyi_tests::engine::Engine::Sqlite).await;
    let law = &harness.app.law;
    let doc = || policy::read(xiangyi_proto::pack::STARTER).expect("reads");
    let (mut first, mut second) = (Box::pin(law.sound(doc())), Box::pin(law.sound(doc())));
    // This thread goes on at once, and the second waits for its turn whatever it is asked.
    assert!(futures::poll!(&mut first).is_pending());
    assert!(futures::poll!(&mut second).is_pending());
    first.await.expect("sound");
    second.await.expect("sound");
}

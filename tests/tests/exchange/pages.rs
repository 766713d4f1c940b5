//! Pages: a phone that follows the protocol has every row of its view and nothing else.

use serde_json::{Value, json};
use sqlx::query;
use xiangyi_server::on;
use xiangyi_tests::actor::Phone;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::shelf::{Shelf, list};
use super::{COUNTY, HOUR, STATION, UNIT, check_in, id, names, patch, visit, with};

fn whole() -> Value {
    json!({ "max_bytes": 500_000, "sums": true })
}

/// A worker's phone that has sent twelve records.
async fn busy_phone(harness: &Harness) -> Phone {
    let phone = harness.worker(1).await.phone().await;
    let mut batch: Vec<Value> = (1..=8).map(|n| check_in(n, n)).collect();
    batch.extend((9..=12).map(|n| visit(n, n)));
    batch.push(patch(13, 9, 1, json!({ "/result": "改过" })));
    let verdicts = phone.push(&batch).await;
    assert!(
        names(&verdicts).iter().all(|name| *name == "accepted"),
        "{verdicts:?}"
    );
    phone
}

on_both!(
    a_second_phone_gets_everything_by_small_pages_too,
    |engine| {
        let harness = Harness::start(engine).await;
        let first = busy_phone(&harness).await;
        let second = first.actor.phone().await;
        let mut large = Shelf::default();
        large.read(&second, &whole()).await;
        assert_eq!(large.pages.len(), 1);
        let page = &large.pages[0];
        assert!(
            page.get("more").is_none() && page.get("leave").is_none(),
            "{page}"
        );
        let entered: Vec<Value> = list(&page["enter"]);
        for stream in ["person:p-worker-01", STATION] {
            assert!(
                entered.contains(&json!({ "shard": COUNTY, "stream": stream })),
                "{entered:?}"
            );
            assert_eq!(large.ids(stream).len(), 12, "{stream}");
        }
        // Page by page, with a row at least on each and the same rows in the end.
        for bytes in [1, 900, 3_000] {
            let mut small = Shelf::default();
            small
                .read(&second, &json!({ "max_bytes": bytes, "sums": true }))
                .await;
            assert!(
                small.pages.len() > 3,
                "{bytes}: {} pages",
                small.pages.len()
            );
            let (last, before) = small.pages.split_last().expect("pages");
            for page in before {
                assert_eq!(page["more"], true);
                assert!(page["cursor"].is_string());
                assert!(
                    page.get("changes").is_some(),
                    "each page makes progress: {page}"
                );
                assert!(page.get("sums").is_none(), "sums come at the end");
            }
            assert!(last["sums"].is_array());
            assert_eq!(small.rows, large.rows);
        }
    }
);

on_both!(sums_are_a_recount_of_the_rows, |engine| {
    let harness = Harness::start(engine).await;
    let phone = busy_phone(&harness).await;
    let mut shelf = Shelf::default();
    shelf.read(&phone, &whole()).await;
    assert_eq!(shelf.sums(), shelf.told_sums());
    // What is patched, voided, and sent by a colleague is in them as well.
    let void = json!({ "n": 15, "op": "void", "kind": "visit", "unit": UNIT, "id": id(10),
                       "reason": "重复登记" });
    let verdicts = phone
        .push(&[patch(14, 11, 1, json!({ "/result": "好" })), void])
        .await;
    assert_eq!(names(&verdicts), ["accepted", "accepted"], "{verdicts:?}");
    let colleague = harness.worker(2).await.phone().await;
    colleague.push_one(check_in(1, 20)).await;
    shelf.read(&phone, &whole()).await;
    assert_eq!(shelf.ids("person:p-worker-01").len(), 11);
    assert!(shelf.ids(STATION).contains(&id(20)) && !shelf.ids(STATION).contains(&id(10)));
    assert_eq!(shelf.sums(), shelf.told_sums());
    // A pull that moves nothing tells none.
    shelf.read(&phone, &whole()).await;
    assert!(shelf.pages[0].get("sums").is_none() && shelf.pages[0].get("cursor").is_none());
});

on_both!(a_stream_enters_when_it_first_holds_something, |engine| {
    let harness = Harness::start(engine).await;
    let phone = busy_phone(&harness).await;
    let mut shelf = Shelf::default();
    shelf.read(&phone, &whole()).await;
    assert!(!shelf.streams().contains("county:430121"));
    let leader = harness.organiser().await.phone().await;
    let activity = json!({ "n": 1, "op": "create", "kind": "activity", "unit": "430121",
        "id": id(30), "body": { "title": "陪老人过节", "type": "elder_company", "insured": true,
            "sessions": [{ "session": 1, "starts_at": START + 48 * HOUR,
                           "ends_at": START + 50 * HOUR,
                           "roles": [{ "role": "helper", "capacity": 1 }] }] } });
    assert_eq!(leader.push_one(activity).await["verdict"], "accepted");
    shelf.read(&phone, &whole()).await;
    let county = json!({ "shard": COUNTY, "stream": "county:430121" });
    assert_eq!(list(&shelf.pages[0]["enter"]), [county]);
    assert_eq!(shelf.ids("county:430121"), [id(30)].into());
    assert_eq!(
        shelf.ids(STATION).len(),
        12,
        "the others go on where they were"
    );
});

on_both!(a_lost_grant_takes_its_streams_from_the_phone, |engine| {
    let harness = Harness::start(engine).await;
    let phone = busy_phone(&harness).await;
    let colleague = harness.worker(2).await.phone().await;
    colleague.push_one(check_in(1, 40)).await;
    let mut shelf = Shelf::default();
    shelf.read(&colleague, &whole()).await;
    assert_eq!(shelf.ids(STATION).len(), 13);

    harness.revoke("p-worker-02", "worker", UNIT).await;
    let secret = with(visit(16, 16), "/body/headcount", json!(1_777));
    assert_eq!(phone.push_one(secret).await["verdict"], "accepted");
    shelf.read(&colleague, &whole()).await;
    let left = list(&shelf.pages[0]["leave"]);
    assert!(
        left.contains(&json!({ "shard": COUNTY, "stream": STATION })),
        "{left:?}"
    );
    let text = json!(shelf.pages).to_string();
    assert!(!text.contains("1777") && !text.contains(&id(16)), "{text}");
    assert!(shelf.ids(STATION).is_empty());
    assert_eq!(
        shelf.ids("person:p-worker-02"),
        [id(40)].into(),
        "one's own stays"
    );
    assert_eq!(shelf.sums(), shelf.told_sums());
    // The old position gives no rights, whoever sends it, and neither does beginning anew.
    for cursor in [json!(shelf.cursor), Value::Null] {
        let page = colleague
            .pull(json!({ "cursor": cursor, "max_bytes": 500_000 }))
            .await;
        assert!(!page.to_string().contains("station:"), "{page}");
    }
});

on_both!(another_epoch_resets_and_sweeps, |engine| {
    let harness = Harness::start(engine).await;
    let phone = busy_phone(&harness).await;
    let mut shelf = Shelf::default();
    shelf.read(&phone, &whole()).await;
    let before = shelf.clone();

    // As after a restore: another epoch, and the last check-in was in no backup.
    let mut tx = harness.app.db.write().await.expect("begin");
    let lost = id(8).replace('-', "");
    let lost = hex::decode(lost).expect("an id");
    on!(&mut tx, |c| query(
        "UPDATE shard SET epoch = epoch + 1 WHERE id = $1"
    )
    .bind(COUNTY)
    .execute(c)
    .await
    .map(drop))
    .expect("raised");
    on!(&mut tx, |c| query(
        "DELETE FROM feed WHERE shard = $1 AND id = $2"
    )
    .bind(COUNTY)
    .bind(lost.as_slice())
    .execute(c)
    .await
    .map(drop))
    .expect("lost");
    tx.commit().await.expect("commit");

    shelf.read(&phone, &json!({ "max_bytes": 3_000 })).await;
    assert!(shelf.pages.len() > 1, "over several pages");
    let named = |member: &str| -> Vec<Value> {
        shelf
            .pages
            .iter()
            .flat_map(|page| list(&page[member]))
            .collect()
    };
    let (reset, swept) = (named("reset"), named("swept"));
    for stream in ["person:p-worker-01", STATION] {
        let stream = json!({ "shard": COUNTY, "stream": stream });
        let times = |list: &[Value]| list.iter().filter(|one| **one == stream).count();
        assert_eq!((times(&reset), times(&swept)), (1, 1), "{stream}");
    }
    assert!(named("leave").is_empty() && named("enter").is_empty());
    assert_eq!(
        before.rows.len() - shelf.rows.len(),
        2,
        "in the mailbox and at the station"
    );
    assert!(!shelf.ids(STATION).contains(&id(8)));
    let kept = before
        .rows
        .iter()
        .filter(|((_, record), _)| *record != id(8));
    assert!(
        kept.eq(shelf.rows.iter()),
        "what came again is what was there"
    );
    // The new cursor knows the epoch.
    shelf.read(&phone, &whole()).await;
    assert!(shelf.pages[0].get("reset").is_none() && shelf.pages[0].get("changes").is_none());
});

on_both!(kinds_that_a_client_does_not_know_are_not_sent, |engine| {
    let harness = Harness::start(engine).await;
    let phone = busy_phone(&harness).await;
    let kinds = |shelf: &Shelf| -> std::collections::BTreeSet<String> {
        let kind = |row: &Value| row["kind"].as_str().unwrap_or_default().to_owned();
        shelf.rows.values().map(kind).collect()
    };
    // A kind that this server never heard of is no reason to refuse, nor to send everything.
    let mut shelf = Shelf::default();
    shelf
        .read_knowing(&phone, &whole(), &json!({ "drone_flight": 3 }))
        .await;
    assert_eq!(shelf.rows.len(), 0, "{:?}", kinds(&shelf));
    assert_eq!(shelf.sums(), shelf.told_sums());
    // The client learns one kind, then another: each is sent from its beginning, once.
    let known = json!({ "drone_flight": 3, "check_in": 1 });
    shelf.read_knowing(&phone, &whole(), &known).await;
    assert_eq!(kinds(&shelf), ["check_in".to_owned()].into());
    assert_eq!(shelf.ids(STATION).len(), 8);
    assert_eq!(shelf.sums(), shelf.told_sums());
    let known = json!({ "check_in": 1, "visit": 1 });
    shelf
        .read_knowing(&phone, &json!({ "max_bytes": 2_000, "sums": true }), &known)
        .await;
    assert_eq!(shelf.ids(STATION).len(), 12);
    let parts = shelf.pages.iter().flat_map(|page| list(&page["changes"]));
    let came: Vec<Value> = parts.flat_map(|part| list(&part["rows"])).collect();
    assert!(
        came.iter().all(|row| row["kind"] == "visit"),
        "check-ins do not come again"
    );
    assert_eq!(shelf.sums(), shelf.told_sums());
    // Without a list everything comes.
    let mut all = Shelf::default();
    all.read(&phone, &whole()).await;
    assert!(kinds(&all).contains("rule_pack"), "{:?}", kinds(&all));
});

//! Reports of a period in persons and person-times, and the timeline of a client.

use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const UNIT: &str = "430121001";
const VILLAGE: &str = "430121001001";
const HOUR: i64 = 3_600_000;

fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-{number:012x}")
}

fn client(n: u32, sex: &str, born: &str, categories: &[&str], me: &str) -> Value {
    json!({ "n": n, "op": "create", "kind": "client", "unit": UNIT, "id": id(n), "body": {
        "name": "某某", "sex": sex, "born_on": born, "categories": categories,
        "village": VILLAGE, "no_id_reason": "证件在儿子处",
        "workers": [{ "person": me, "from": START - 1_000 * HOUR }],
        "consents": [{ "purpose": "service", "channel": "oral", "given_at": START - HOUR }] } })
}

fn visit(n: u32, client: u32, hours_ago: i64) -> Value {
    let begun = START - hours_ago * HOUR;
    json!({ "n": n, "op": "create", "kind": "visit", "unit": UNIT, "id": id(n), "body": {
        "client": id(client), "services": ["ec_visit"], "process": "陪老人说话，量血压。",
        "result": "平稳", "started_at": begun, "ended_at": begun + 40 * 60_000,
        "outcome": { "kind": "served" } } })
}

/// Three clients, four visits this month and one of last year.
async fn month(harness: &Harness) -> Actor {
    let worker = harness.worker(1).await;
    let me = worker.signed_in().person.id.clone();
    let phone = worker.phone().await;
    let all = [
        client(1, "female", "1940-03-01", &["elder_alone", "disabled"], &me),
        client(2, "male", "2016-05-01", &["child_left_behind"], &me),
        client(3, "male", "1970-05-01", &["drug_rehab"], &me),
        visit(4, 1, 50),
        visit(5, 1, 26),
        visit(6, 2, 30),
        visit(7, 3, 34),
        visit(8, 1, 24 * 30),
    ];
    let verdicts = phone.push(&all).await;
    let held = verdicts
        .iter()
        .filter(|verdict| verdict["verdict"] == "held");
    assert_eq!(
        held.count(),
        2,
        "the sensitive card and its visit: {verdicts:?}"
    );
    let release = json!({ "unit": "430121", "body": {
        "record": id(3), "decision": "release", "reason": "由本人负责服务" } });
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "r"),
    ];
    let reviewer = harness.reviewer(1).await;
    let done = reviewer
        .post_raw("/v1/reviews", &headers, release.to_string())
        .await;
    assert_eq!(done.status, 201, "{}", done.text);
    worker
}

on_both!(persons_and_person_times_are_counted_by_period, |engine| {
    let harness = Harness::start(engine).await;
    month(&harness).await;
    let hub = harness.hub().await;
    let told = hub.get("/v1/reports/2026-01?unit=430121").await.good();
    let count = |persons: i64, times: i64| json!({ "persons": persons, "person_times": times });
    assert_eq!(told["total"], count(3, 4), "{told}");
    assert_eq!(told["by_category"]["elder_alone"], count(1, 2), "{told}");
    assert_eq!(told["by_category"]["disabled"], count(1, 2));
    assert_eq!(
        told["by_category"]["restricted"],
        count(1, 1),
        "named to nobody"
    );
    assert_eq!(told["by_age"]["80+"], count(1, 2));
    assert_eq!(told["by_age"]["6-13"], count(1, 1));
    assert_eq!(told["by_sex"]["male"], count(2, 2));
    for (period, persons, times) in [("2025-12", 1, 1), ("2026-Q1", 3, 4), ("2025", 1, 1)] {
        let path = format!("/v1/reports/{period}?unit={UNIT}");
        let told = hub.get(&path).await.good();
        assert_eq!(told["total"], count(persons, times), "{period}");
    }
    let other = hub.get("/v1/reports/2026-01?unit=430121002").await.good();
    assert_eq!(other["total"], count(0, 0));
    harness
        .lead()
        .await
        .get(&format!("/v1/reports/2026-01?unit={UNIT}"))
        .await
        .good();
    for (who, path) in [
        (
            harness.worker(1).await,
            format!("/v1/reports/2026-01?unit={UNIT}"),
        ),
        (
            harness.lead().await,
            "/v1/reports/2026-01?unit=430121".to_owned(),
        ),
        (
            harness.stranger_hub().await,
            "/v1/reports/2026-01?unit=430121".to_owned(),
        ),
    ] {
        who.get(&path).await.problem(404, "not-found");
    }
    let wrong = hub.get("/v1/reports/2026-13?unit=430121").await;
    wrong.problem(400, "invalid-parameter");
});

on_both!(a_report_opens_in_a_spreadsheet, |engine| {
    let harness = Harness::start(engine).await;
    month(&harness).await;
    let hub = harness.hub().await;
    let csv = hub.get("/v1/reports/2026-01?unit=430121&format=csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        csv.header("content-disposition")
            .contains("430121-2026-01.csv")
    );
    // reqwest takes the byte-order mark off a text.
    let text = csv.text.trim_start_matches('\u{feff}');
    assert!(
        text.starts_with("分类,项目,人数,人次\r\n合计,合计,3,4\r\n"),
        "{text}"
    );
    assert!(text.contains("对象类别,独居老人,1,2\r\n"), "{text}");
    assert!(text.contains("对象类别,不公开的类别,1,1\r\n"), "{text}");
    assert!(!text.contains("戒毒"), "{text}");
    let path = "/v1/reports/2026-01?unit=430121&format=xlsx";
    let book = hub
        .request(reqwest::Method::GET, path)
        .send()
        .await
        .expect("an answer");
    let book = book.bytes().await.expect("bytes");
    assert!(book.starts_with(b"PK\x03\x04"), "a workbook is a zip");
});

on_both!(a_clients_timeline_is_for_who_sees_the_client, |engine| {
    let harness = Harness::start(engine).await;
    let worker = month(&harness).await;
    let path = format!("/v1/clients/{}/timeline?unit={UNIT}", id(1));
    let told = worker.get(&format!("{path}&limit=2")).await.good();
    let ids = |told: &Value| -> Vec<String> {
        let visits = told["visits"].as_array().expect("a list");
        visits
            .iter()
            .map(|visit| visit["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(ids(&told), [id(5), id(4)], "newest first: {told}");
    let next = told["next"].as_str().expect("more");
    let next = format!("{path}&limit=2&before={next}");
    let told = worker.get(&next).await.good();
    assert_eq!((ids(&told), &told["next"]), (vec![id(8)], &Value::Null));
    for stranger in [harness.worker(2).await, harness.stranger().await] {
        stranger.get(&path).await.problem(404, "not-found");
    }
    let nobody = format!("/v1/clients/{}/timeline?unit={UNIT}", id(99));
    worker.get(&nobody).await.problem(404, "not-found");
});

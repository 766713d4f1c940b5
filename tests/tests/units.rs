//! Units: does a list show what somebody's roles reach, what imports told, and where villages are?

use serde_json::{Value, json};
use xiangyi_server::import::{self, Options, What};
use xiangyi_tests::actor::{Actor, send};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

async fn import(harness: &Harness, file: &str) {
    let report = import::run(
        &harness.app,
        What::Units,
        file.as_bytes(),
        &Options::default(),
    )
    .await;
    assert!(report.as_ref().expect("a table").is_written, "{report:?}");
}

async fn codes(who: &Actor, query: &str) -> Vec<String> {
    let page = who.get(&format!("/v1/units?{query}")).await.good();
    let units = page["units"].as_array().expect("a list");
    let code = |unit: &Value| unit["code"].as_str().expect("a code").to_owned();
    units.iter().map(code).collect()
}

on_both!(a_list_shows_what_imports_told, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let before = worker.get("/v1/units/430121001").await.good();
    assert_eq!(before["name"], "星沙街道社工站");
    assert_eq!(
        (&before["address"], &before["opened_on"]),
        (&Value::Null, &Value::Null)
    );
    let file = "代码,名称,地址,成立日期,村代码,纬度,经度,坐标系\n\
                430121001,星沙站,开元路1号,2021-09-01,430121001001,28.25,113.1,WGS-84\n";
    import(&harness, file).await;
    let unit = worker.get("/v1/units/430121001").await.good();
    let want = json!({ "code": "430121001", "kind": "station", "name": "星沙站",
        "parent": "430121", "parent_name": "长沙县社工总站", "address": "开元路1号",
        "opened_on": "2021-09-01", "closed_on": null, "successor": null, "point": null });
    assert_eq!(unit, want);
    let again = worker.get("/v1/units/430121001").await.good();
    assert_eq!(again, want, "read again");
    let village = worker.get("/v1/units/430121001001").await.good();
    let point = json!({ "lat_e7": 282_500_000, "lng_e7": 1_131_000_000_i64, "system": "wgs84",
                        "invented": false });
    assert_eq!(village["point"], point);
    let made_up = worker.get("/v1/units/430121001002").await.good();
    assert_eq!(made_up["point"]["invented"], true);
    let moved = worker
        .get("/v1/units/430121001001?system=gcj02")
        .await
        .good();
    assert_eq!(moved["point"]["system"], "gcj02");
    let off = moved["point"]["lat_e7"].as_i64().expect("a number") - 282_500_000;
    assert!((-60_000..0).contains(&off), "{moved}");
});

on_both!(a_list_reaches_as_far_as_the_roles, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let all = codes(&worker, "").await;
    assert_eq!(all.len(), 19, "the county and its stations: {all:?}");
    assert_eq!(all[0], "430121");
    assert!(all.iter().all(|code| code.starts_with("430121")), "{all:?}");
    assert_eq!(codes(&worker, "kind=county").await, ["430121"]);
    assert_eq!(codes(&worker, "kind=station").await.len(), 18);
    assert_eq!(codes(&worker, "county=430181").await, [""; 0]);
    assert_eq!(codes(&worker, "region=43&kind=county").await, ["430121"]);
    assert_eq!(codes(&worker, "region=430121002").await, ["430121002"]);
    assert_eq!(codes(&worker, "parent=4301").await, ["430121"]);
    let villages = codes(&worker, "parent=430121001&kind=village").await;
    assert_eq!(villages.len(), 25);
    assert_eq!(codes(&worker, "q=%E6%98%9F%E6%B2%99").await, ["430121001"]);
    worker
        .get("/v1/units/430181")
        .await
        .problem(404, "not-found");
    worker
        .get("/v1/units/430121999")
        .await
        .problem(404, "not-found");
    let stranger = harness.stranger_hub().await;
    assert_eq!(codes(&stranger, "county=430121").await, [""; 0]);
    assert_eq!(codes(&stranger, "kind=county").await, ["430181"]);
    // Whose last role has ended reaches nothing.
    harness.revoke("p-worker-01", "worker", "430121001").await;
    assert_eq!(codes(&worker, "").await, [""; 0]);
});

on_both!(pages_follow_each_other_without_gap_or_repeat, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let whole = codes(&worker, "kind=village&limit=200").await;
    let (mut after, mut got) = (String::new(), Vec::new());
    loop {
        let path = format!("/v1/units?kind=village&limit=37{after}");
        let page = worker.get(&path).await.good();
        let units = page["units"].as_array().expect("a list");
        got.extend(
            units
                .iter()
                .map(|unit| unit["code"].as_str().expect("a code").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(got.len(), 225);
    assert_eq!(got[..200], whole);
    let mut sorted = got.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted, got);
});

on_both!(villages_come_as_geojson, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let path = "/v1/units?parent=430121001&limit=2";
    let asked = worker.request(reqwest::Method::GET, path);
    let reply = send(asked.header("accept", "text/html, application/geo+json;q=0.9")).await;
    assert_eq!(reply.header("content-type"), "application/geo+json");
    assert!(
        reply.header("vary").contains("accept"),
        "{:?}",
        reply.headers
    );
    let by_header = reply.good();
    let by_query = worker.get(&format!("{path}&as=geojson")).await.good();
    assert_eq!(by_header, by_query);
    assert_eq!(by_query["type"], "FeatureCollection");
    assert_eq!(by_query["next"], "430121001002");
    let feature = &by_query["features"][0];
    assert_eq!(
        (&feature["type"], &feature["id"]),
        (&json!("Feature"), &json!("430121001001"))
    );
    // Longitude first.
    let at = json!({ "type": "Point", "coordinates": [113.084_715_5, 28.225_106_2] });
    assert_eq!(feature["geometry"], at);
    assert_eq!(feature["properties"]["name"], "开元路社区居委会");
    let moved = worker
        .get(&format!("{path}&as=geojson&system=gcj02"))
        .await
        .good();
    assert_eq!(moved["system"], "gcj02");
    assert_ne!(moved["features"][0]["geometry"], at);
    let asked = worker.request(
        reqwest::Method::GET,
        &format!("{path}&as=json&kind=village"),
    );
    let plain = send(asked.header("accept", "application/geo+json"))
        .await
        .good();
    assert_eq!(plain["units"][0]["code"], "430121001001");
});

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let harness = Harness::start(Engine::Sqlite).await;
    let worker = harness.worker(1).await;
    let long = format!("/v1/units?q={}", "a".repeat(41));
    for (path, pointer, code) in [
        ("/v1/units?county=43", "/county", "bad-region"),
        ("/v1/units?parent=x", "/parent", "bad-region"),
        ("/v1/units?region=43012", "/region", "bad-region"),
        ("/v1/units?after=1", "/after", "bad-region"),
        ("/v1/units?limit=201", "/limit", "out-of-range"),
        ("/v1/units?kind=city", "/kind", "wrong-type"),
        ("/v1/units?as=xml", "/as", "wrong-type"),
        ("/v1/units?system=bd09", "/system", "wrong-type"),
        ("/v1/units?as=geojson&kind=station", "/kind", "unknown-code"),
        ("/v1/units?colour=red", "/colour", "unknown-field"),
        ("/v1/units/abc", "/id", "bad-region"),
        (long.as_str(), "/q", "too-long"),
    ] {
        let problem = worker.get(path).await.problem(400, "invalid-parameter");
        let error = &problem["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code)),
            "{path}"
        );
    }
    let posted = worker.post("/v1/units", &json!({})).await;
    posted.problem(405, "method-not-allowed");
    harness
        .nobody()
        .get("/v1/units")
        .await
        .problem(401, "unauthorized");
}

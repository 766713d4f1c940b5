//! The refusal ledger: exact for reviewers, merged and late for others.

use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{HOUR, list, post, pulled, visit};

const DAY: i64 = 24 * HOUR;

/// A refused visit of a worker, ordered by an office.
async fn refused(harness: &Harness, worker: u32, key: &str, office: &str) {
    let more = json!({ "outcome": { "kind": "served", "decision": "approved" },
                       "assigned_by": { "office": office } });
    let unit = format!("430121{:03}", worker.div_ceil(2));
    let body = visit(START - 5 * HOUR, 60, &more);
    let ask = json!({ "unit": unit, "body": body });
    let actor = harness.worker(worker).await;
    let (status, verdict) = post(&actor, "/v1/visits", key, ask).await;
    assert_eq!(
        (status, verdict["refusal"].is_string()),
        (422, true),
        "{verdict}"
    );
}

async fn cells(actor: &Actor, month: &str) -> Vec<Value> {
    let path = format!("/v1/refusals/ledger?unit=430121&from={month}&to={month}");
    let months = actor.get(&path).await.good()["months"].clone();
    months[0]["cells"].as_array().cloned().expect("cells")
}

fn counts(cells: &[Value]) -> Vec<(Option<&str>, Option<&str>, i64)> {
    let mut list = Vec::new();
    for cell in cells {
        let (office, station) = (&cell["ordering_office"], &cell["station"]);
        let count = cell["count"].as_i64().expect("a number");
        list.push((office.as_str(), station.as_str(), count));
    }
    list
}

on_both!(small_cells_are_merged_and_reviewers_see_them, |engine| {
    let harness = Harness::start(engine).await;
    for worker in 1..=3 {
        refused(&harness, worker, "a", "民政办").await;
    }
    // One person: nobody but a reviewer may see this office.
    refused(&harness, 4, "b", "综治办").await;
    let reviewer = harness.reviewer(1).await;
    let exact = cells(&reviewer, "2026-01").await;
    assert_eq!(
        counts(&exact),
        [
            (Some("民政办"), Some("430121001"), 2),
            (Some("民政办"), Some("430121002"), 1),
            (Some("综治办"), Some("430121002"), 1),
        ],
        "{exact:?}"
    );
    // The month is not over: to watch it grow would tell who was refused today.
    assert!(cells(&harness.hub().await, "2026-01").await.is_empty());
    harness.clock.set(START + 20 * DAY);
    let city = harness.nobody().sign_in("13800000501").await;
    for (name, who) in [("officer", harness.hub().await), ("city", city)] {
        let merged = cells(&who, "2026-01").await;
        assert_eq!(counts(&merged), [(None, None, 4)], "{name}: {merged:?}");
        assert!(merged[0].get("ordering_office").is_none(), "{name}");
        let text = who
            .get("/v1/refusals/ledger?unit=430121&from=2025-12&to=2026-02")
            .await
            .text;
        for secret in ["综治办", "p-worker", "430121002"] {
            assert!(!text.contains(secret), "{name} is told {secret}: {text}");
        }
    }
});

on_both!(two_people_are_no_statistic, |engine| {
    let harness = Harness::start(engine).await;
    refused(&harness, 1, "a", "民政办").await;
    refused(&harness, 3, "a", "民政办").await;
    harness.clock.set(START + 20 * DAY);
    assert!(cells(&harness.hub().await, "2026-01").await.is_empty());
    assert_eq!(cells(&harness.reviewer(1).await, "2026-01").await.len(), 2);
    for (path, pointer) in [
        ("unit=430121&from=2026-13&to=2026-01", "/from"),
        ("unit=430121&from=2026-01&to=2026-1", "/to"),
        ("unit=430121&from=2026-02&to=2026-01", "/to"),
        ("unit=430121&from=2024-01&to=2026-01", "/to"),
    ] {
        let reply = harness
            .hub()
            .await
            .get(&format!("/v1/refusals/ledger?{path}"))
            .await;
        let problem = reply.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}");
    }
    for who in [
        harness.worker(1).await,
        harness.lead().await,
        harness.volunteer(1).await,
    ] {
        let path = "/v1/refusals/ledger?unit=430121&from=2026-01&to=2026-01";
        who.get(path).await.problem(404, "not-found");
    }
});

/// A visit that a reviewer has to decide on; gives its record.
async fn held(harness: &Harness, worker: u32) -> String {
    let record = format!("01920000-0000-7000-8000-{worker:012x}");
    let more = json!({ "handed_over": [{ "kind": "bank_card", "what": "社保卡" }] });
    let unit = format!("430121{:03}", worker.div_ceil(2));
    let ask = json!({ "unit": unit, "id": record, "body": visit(START - 5 * HOUR, 60, &more) });
    let actor = harness.worker(worker).await;
    let (status, verdict) = post(&actor, "/v1/visits", "held", ask).await;
    assert_eq!(status, 202, "{verdict}");
    record
}

on_both!(a_published_month_stays_as_it_was, |engine| {
    let harness = Harness::start(engine).await;
    for worker in 1..=3 {
        refused(&harness, worker, "a", "民政办").await;
    }
    let record = held(&harness, 4).await;
    harness.clock.set(START + 20 * DAY);
    let hub = harness.hub().await;
    let before = cells(&hub, "2026-01").await;
    assert_eq!(before.len(), 1, "{before:?}");
    let reviewer = harness.reviewer(1).await;
    let body = json!({ "record": record, "decision": "refuse", "reason": "卡在站里过夜" });
    let ask = json!({ "unit": "430121", "body": body });
    assert_eq!(post(&reviewer, "/v1/reviews", "late", ask).await.0, 201);
    assert_eq!(cells(&hub, "2026-01").await, before);
    // It counts in the month in which it was refused.
    let exact = cells(&reviewer, "2026-01").await;
    assert_eq!(
        exact
            .iter()
            .filter_map(|cell| cell["count"].as_i64())
            .sum::<i64>(),
        3
    );
    assert_eq!(cells(&reviewer, "2026-02").await.len(), 1);
});

on_both!(a_month_is_over_when_its_last_commits_are, |engine| {
    let harness = Harness::start(engine).await;
    for worker in 1..=3 {
        refused(&harness, worker, "a", "民政办").await;
    }
    let over = xiangyi_proto::time::day_of_text("2026-02-01").expect("a day");
    let over = xiangyi_proto::time::day_start(over);
    harness.clock.set(over + 60_000);
    assert!(cells(&harness.hub().await, "2026-01").await.is_empty());
    harness.clock.set(over + 600_000);
    assert_eq!(cells(&harness.hub().await, "2026-01").await.len(), 1);
});

on_both!(receipts_are_for_their_author_and_for_reviewers, |engine| {
    let harness = Harness::start(engine).await;
    refused(&harness, 1, "a", "塘坡综治中心").await;
    let officer = harness.hub().await;
    assert!(list(&officer, "refusals").await.is_empty());
    assert!(!pulled(&officer).await.contains("塘坡综治中心"));
    let seen = list(&harness.reviewer(1).await, "refusals").await;
    assert_eq!(
        (seen.len(), &seen[0]["author"]),
        (1, &json!("")),
        "{seen:?}"
    );
    let own = list(&harness.worker(1).await, "refusals").await;
    assert_eq!(own[0]["author"], "p-worker-01", "{own:?}");
});

on_both!(the_day_shows_no_small_cell_either, |engine| {
    let harness = Harness::start(engine).await;
    let of_day = |who: Actor| async move {
        let board = who.get("/v1/today?unit=430121").await.good();
        board["refusals"].as_array().cloned().expect("a list")
    };
    refused(&harness, 1, "a", "民政办").await;
    refused(&harness, 2, "a", "综治办").await;
    assert!(
        of_day(harness.hub().await).await.is_empty(),
        "two are no statistic"
    );
    assert_eq!(of_day(harness.reviewer(1).await).await.len(), 2);
    for worker in 3..=5 {
        refused(&harness, worker, "a", "民政办").await;
    }
    let merged = of_day(harness.hub().await).await;
    assert_eq!(merged.len(), 1, "{merged:?}");
    assert_eq!(
        (&merged[0]["ordering_office"], &merged[0]["count"]),
        (&json!(""), &json!(5))
    );
    assert!(
        merged[0]["rule"].is_string() && merged[0]["title_zh"].is_string(),
        "{merged:?}"
    );
});

//! The refusal ledger: exact for reviewers, merged and late for others.

use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{HOUR, post, visit};

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

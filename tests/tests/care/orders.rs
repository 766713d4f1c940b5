//! Order reports: accepted whatever they say, and out of reach of whoever gave the order.

use serde_json::json;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{UNIT, list, post, pulled};

const REPORT: &str = "01920000-0000-7000-8000-00000000e101";

on_both!(an_order_is_reported_past_whoever_gave_it, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    // A text full of what a visit would be refused or warned for.
    let body = json!({ "office": "社会事务办", "person": "谭主任", "what": "approval",
        "when": "2026-01-14", "how": "meeting", "refused": true,
        "text": "会上要我直接审批低保，初审通过、予以批准，还要我去拆迁现场。" });
    let report = json!({ "unit": UNIT, "id": REPORT, "body": body });
    let (status, verdict) = post(&worker, "/v1/order-reports", "a", report).await;
    assert_eq!(status, 201, "{verdict}");
    assert!(verdict["notices"].as_array().is_none_or(Vec::is_empty));
    let own = worker
        .get(&format!("/v1/order-reports/{REPORT}?unit={UNIT}"))
        .await
        .good();
    for (name, value) in body.as_object().expect("members") {
        assert_eq!(&own["body"][name], value, "as sent: {own}");
    }
    assert!(pulled(&worker).await.contains("谭主任"));
    let reviewer = harness.reviewer(1).await;
    let seen = list(&reviewer, "order-reports").await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["body"]["person"], "谭主任", "{seen:?}");
    for (name, who) in [
        ("colleague", harness.worker(2).await),
        ("lead", harness.lead().await),
        ("officer", harness.hub().await),
        ("volunteer", harness.volunteer(1).await),
        ("stranger", harness.stranger().await),
        ("other hub", harness.stranger_hub().await),
    ] {
        assert!(list(&who, "order-reports").await.is_empty(), "{name}");
        let path = format!("/v1/order-reports/{REPORT}?unit={UNIT}");
        who.get(&path).await.problem(404, "not-found");
        let all = pulled(&who).await;
        for secret in [REPORT, "order_report", "谭主任"] {
            assert!(!all.contains(secret), "{name} pulls {secret}");
        }
    }
});

on_both!(
    no_report_is_hidden_from_the_county_or_taken_back,
    |engine| {
        let harness = Harness::start(engine).await;
        let volunteer = harness.volunteer(1).await;
        // Members that the table does not know are kept, and decide nothing.
        let body = json!({ "office": "综治办", "what": "patrol", "for": "missing" });
        let report = json!({ "unit": "430121", "id": REPORT, "body": body });
        let (status, verdict) = post(&volunteer, "/v1/order-reports", "a", report).await;
        assert_eq!(status, 201, "{verdict}");
        let reviewer = harness.reviewer(2).await;
        assert_eq!(list(&reviewer, "order-reports").await.len(), 1);
        let void = json!({ "unit": "430121", "reason": "领导要我撤回" });
        let request = volunteer.request(
            reqwest::Method::DELETE,
            &format!("/v1/order-reports/{REPORT}"),
        );
        let reply =
            xiangyi_tests::actor::send(request.header("idempotency-key", "b").json(&void)).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        assert_eq!(list(&reviewer, "order-reports").await.len(), 1);
        // Whoever does no field work has nothing to report here.
        let officer = harness.hub().await;
        let own = json!({ "unit": "430121", "body": { "office": "综治办", "what": "patrol" } });
        assert_eq!(post(&officer, "/v1/order-reports", "c", own).await.0, 422);
    }
);

//! KPI 5 over every path a minute can take, beside a recount of what is stored.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xiangyi_tests::actor::{Actor, send};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{HOUR, UNIT, list, post, visit};

/// A worker, a reviewer and the hub, and what was sent so far.
struct Table {
    worker: Actor,
    reviewer: Actor,
    hub: Actor,
    sent: u32,
}

impl Table {
    async fn new(harness: &Harness) -> Self {
        Self {
            worker: harness.worker(1).await,
            reviewer: harness.reviewer(1).await,
            hub: harness.hub().await,
            sent: 0,
        }
    }

    fn key(&mut self) -> String {
        self.sent += 1;
        format!("k{}", self.sent)
    }

    /// Sends a record and gives its id and the verdict; each visit has a day of its own.
    async fn send(&mut self, collection: &str, ask: Value) -> (String, Value) {
        let key = self.key();
        let (_, verdict) = post(&self.worker, &format!("/v1/{collection}"), &key, ask).await;
        let id = verdict["id"].as_str().unwrap_or_default().to_owned();
        (id, verdict)
    }

    fn visit(&self, day: i64, minutes: i64, more: &Value) -> Value {
        let begun = START - day * 24 * HOUR - 5 * HOUR;
        let mut body = visit(begun, minutes, more);
        body["process"] = json!(format!("第{day}次上门，陪老人说话。"));
        json!({ "unit": UNIT, "body": body })
    }

    async fn work_time(&mut self, class: &str, minutes: i64, more: &Value) -> (String, Value) {
        let mut body = json!({ "class": class, "minutes": minutes, "day": "2026-01-15" });
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        self.send("work-times", json!({ "unit": UNIT, "body": body }))
            .await
    }

    async fn review(&mut self, record: &str, decision: &str) {
        let key = self.key();
        let body = json!({ "record": record, "decision": decision, "reason": "看过" });
        let ask = json!({ "unit": "430121", "body": body });
        let (status, verdict) = post(&self.reviewer, "/v1/reviews", &key, ask).await;
        assert_eq!(status, 201, "{decision}: {verdict}");
    }

    async fn change(&mut self, method: reqwest::Method, path: &str, ask: Value) {
        let key = self.key();
        let request = self.worker.request(method, path);
        send(request.header("idempotency-key", key).json(&ask))
            .await
            .good();
    }

    async fn kpi(&self, query: &str) -> Value {
        self.hub.get(&format!("/v1/kpi?unit={query}")).await.good()
    }

    /// The month by the hub, by the station and by a recount of the worker's own records.
    async fn is(&self, path: &str, professional: i64, working: i64) {
        let month = self.kpi("430121&year=2026&month=1").await;
        let told = (&month["professional_minutes"], &month["logged"]["minutes"]);
        let meant = (&json!(professional), &json!(working));
        assert_eq!(told, meant, "{path}: {month}");
        let station = self.kpi(&format!("{UNIT}&year=2026&month=1")).await;
        assert_eq!(station["logged"], month["logged"], "{path}");
        let rollups: BTreeMap<String, i64> =
            serde_json::from_value(month["logged"]["by_class"].clone()).expect("numbers");
        let rollups: BTreeMap<_, _> = rollups.into_iter().filter(|row| row.1 != 0).collect();
        assert_eq!(rollups, recount(&self.worker).await, "{path}");
    }
}

/// Minutes by class of the stored records that belong to the month.
async fn recount(worker: &Actor) -> BTreeMap<String, i64> {
    let mut all: BTreeMap<String, i64> = BTreeMap::new();
    for collection in ["visits", "work-times"] {
        for record in list(worker, collection).await {
            let body = &record["body"];
            let day = body["day"].as_str().unwrap_or("2026-01");
            if day.starts_with("2026-01") {
                let class = body["derived"]["class"].as_str().expect("a class");
                let minutes = body["derived"]["minutes"].as_i64().expect("minutes");
                *all.entry(class.to_owned()).or_default() += minutes;
            }
        }
    }
    all
}

fn approved() -> Value {
    json!({ "outcome": { "kind": "served", "decision": "approved" },
            "assigned_by": { "office": "社会事务办" } })
}

on_both!(every_minute_counts_once_and_where_it_belongs, |engine| {
    let harness = Harness::start(engine).await;
    let mut table = Table::new(&harness).await;
    let none = json!({});
    table.is("nothing", 0, 0).await;
    let ask = table.visit(0, 60, &none);
    let (plain, _) = table.send("visits", ask).await;
    table.is("an accepted visit", 60, 60).await;
    let ask = table.visit(1, 30, &json!({ "work_category": "party_building" }));
    table.send("visits", ask).await;
    table.is("a tagged visit", 60, 90).await;
    for (class, minutes) in [("working_travel", 20), ("supervision_training", 15)] {
        table.work_time(class, minutes, &none).await;
    }
    table.is("travel and supervision", 60, 125).await;
    table.work_time("leave", 480, &none).await;
    table.is("leave", 60, 125).await;
    let (own, _) = table.work_time("administrative", 25, &none).await;
    let patch = json!({ "unit": UNIT, "base": 1, "set": { "/minutes": 35 } });
    let path = format!("/v1/work-times/{own}");
    table.change(reqwest::Method::PATCH, &path, patch).await;
    table.is("amended working time", 60, 160).await;
    let ended = START - 5 * HOUR + 45 * 60_000;
    let patch = json!({ "unit": UNIT, "base": 1, "set": { "/ended_at": ended } });
    let path = format!("/v1/visits/{plain}");
    table.change(reqwest::Method::PATCH, &path, patch).await;
    table.is("an amended visit", 45, 145).await;
    table.review(&plain, "approve").await;
    table.is("an approved visit", 45, 145).await;
    // Written down now, worked in December.
    table
        .work_time("professional", 50, &json!({ "day": "2025-12-31" }))
        .await;
    table.is("working time of another month", 45, 145).await;
    let december = table.kpi("430121&year=2025&month=12").await;
    assert_eq!(december["professional_minutes"], 50);
    let void = json!({ "unit": UNIT, "reason": "记错" });
    let path = format!("/v1/work-times/{own}");
    table.change(reqwest::Method::DELETE, &path, void).await;
    table.is("voided working time", 45, 110).await;
});

on_both!(
    what_is_refused_or_held_counts_when_it_is_decided,
    |engine| {
        let harness = Harness::start(engine).await;
        let mut table = Table::new(&harness).await;
        let none = json!({});
        let mut ask = table.visit(0, 90, &approved());
        let (record, verdict) = table.send("visits", ask.clone()).await;
        table.is("refused", 0, 0).await;
        let refusal = json!({ "refusal": verdict["refusal"] });
        let (wrong, _) = table.work_time("administrative", 80, &refusal).await;
        table.is("re-filed", 0, 80).await;
        let void = json!({ "unit": UNIT, "reason": "分钟记错" });
        let path = format!("/v1/work-times/{wrong}");
        table.change(reqwest::Method::DELETE, &path, void).await;
        table.is("re-filed and voided", 0, 0).await;
        let (_, again) = table.work_time("administrative", 40, &refusal).await;
        assert_eq!(again["verdict"], "accepted", "{again}");
        table.is("re-filed once more", 0, 40).await;
        let (_, twice) = table.work_time("administrative", 40, &refusal).await;
        assert_eq!(twice["rule"]["id"], "refusal-used", "{twice}");
        (ask["id"], ask["refusal"], ask["reason"]) =
            (json!(record), verdict["refusal"].clone(), json!("只是转告"));
        table.send("visits", ask).await;
        table.is("appealed", 0, 40).await;
        table.review(&record, "changed").await;
        table
            .is("granted: the part that was re-filed is void", 90, 90)
            .await;

        let ask = table.visit(1, 90, &approved());
        let (record, verdict) = table.send("visits", ask).await;
        let refusal = json!({ "refusal": verdict["refusal"] });
        table.work_time("administrative", 30, &refusal).await;
        let mut cleaned = table.visit(1, 60, &none);
        cleaned["id"] = json!(record);
        table.send("visits", cleaned).await;
        table.is("split", 150, 180).await;

        let card = json!({ "handed_over": [{ "kind": "bank_card", "what": "社保卡" }] });
        let ask = table.visit(2, 20, &card);
        let (released, _) = table.send("visits", ask).await;
        let ask = table.visit(3, 25, &card);
        let (turned_down, _) = table.send("visits", ask).await;
        table.is("held", 150, 180).await;
        table.review(&released, "release").await;
        table.is("released", 170, 200).await;
        table.review(&turned_down, "refuse").await;
        table.is("turned down", 170, 200).await;
    }
);

on_both!(both_denominators_stand_beside_the_numerator, |engine| {
    let harness = Harness::start(engine).await;
    let mut table = Table::new(&harness).await;
    let ask = table.visit(0, 60, &json!({}));
    table.send("visits", ask).await;
    table.work_time("administrative", 20, &json!({})).await;
    let lead = harness.lead().await;
    let month = lead
        .get(&format!("/v1/kpi?unit={UNIT}&year=2026&month=1"))
        .await
        .good();
    assert_eq!(month["logged"]["share"], 0.75, "{month}");
    // Two workers and a lead, the first fifteen days of the year.
    let planned = &month["planned"];
    assert_eq!(
        (&planned["workers"], &planned["worker_days"]),
        (&json!(3), &json!(45))
    );
    assert_eq!(planned["minutes"], 120_000 * 45 / 365, "{planned}");
    assert_eq!(planned["share"], 0.0041, "{planned}");
    assert_eq!(
        (&month["from"], &month["to"], &month["target_percent"]),
        (&json!("2026-01-01"), &json!("2026-01-15"), &json!(50))
    );
    let later = lead
        .get(&format!("/v1/kpi?unit={UNIT}&year=2027"))
        .await
        .good();
    assert_eq!(
        later["logged"]["share"],
        Value::Null,
        "not known is not zero"
    );
    assert_eq!(later["planned"]["share"], Value::Null);
    let county = table.kpi("430121&year=2026").await;
    let stations = county["stations"].as_array().expect("stations");
    let own = stations.iter().find(|station| station["unit"] == UNIT);
    assert_eq!(
        own.map(|station| &station["logged"]),
        Some(&month["logged"])
    );
    for query in ["430121&year=2026", "430121002&year=2026"] {
        lead.get(&format!("/v1/kpi?unit={query}"))
            .await
            .problem(404, "not-found");
    }
    let worker = harness.worker(1).await;
    worker
        .get(&format!("/v1/kpi?unit={UNIT}&year=2026"))
        .await
        .problem(404, "not-found");
    for (query, pointer) in [("year=1999", "/year"), ("year=2026&month=13", "/month")] {
        let reply = lead.get(&format!("/v1/kpi?unit={UNIT}&{query}")).await;
        let problem = reply.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
});

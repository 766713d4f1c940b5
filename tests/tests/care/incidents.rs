//! Incidents: opened by danger, worked through by reviewers, unknown to everybody else.

use serde_json::{Value, json};
use xiangyi_server::on;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{HOUR, UNIT, list, post, pulled, visit};

const VISIT: &str = "01920000-0000-7000-8000-00000000e001";

/// A visit that names danger; gives the incident's id as the reviewer finds it.
async fn danger(harness: &Harness, reviewer: &Actor, risk: &str) -> String {
    let worker = harness.worker(1).await;
    let body = visit(START - 5 * HOUR, 60, &json!({ "risk": risk }));
    let ask = json!({ "unit": UNIT, "id": VISIT, "body": body });
    let (status, verdict) = post(&worker, "/v1/visits", "danger", ask).await;
    assert!(matches!(status, 201 | 202), "{verdict}");
    let incidents = list(reviewer, "incidents").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    incidents[0]["id"].as_str().expect("an id").to_owned()
}

fn step(incident: &str, more: &Value) -> Value {
    let mut body = json!({ "incident": incident });
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    json!({ "unit": "430121", "body": body })
}

/// A step that is taken, or the rule that stops it.
async fn take(actor: &Actor, key: &str, incident: &str, more: Value) -> Value {
    let (status, verdict) = post(actor, "/v1/incident-steps", key, step(incident, &more)).await;
    match status {
        201 => json!("taken"),
        422 if verdict["rule"].is_object() => verdict["rule"]["id"].clone(),
        _ => verdict,
    }
}

async fn shown(actor: &Actor, incident: &str) -> Value {
    let path = format!("/v1/incidents/{incident}?unit=430121");
    actor.get(&path).await.good()["body"].clone()
}

async fn open(actor: &Actor) -> Value {
    let board = actor.get("/v1/today?unit=430121").await.good();
    board["totals"]["incidents_open"].clone()
}

on_both!(an_incident_is_confirmed_and_told, |engine| {
    let harness = Harness::start(engine).await;
    let reviewer = harness.reviewer(1).await;
    let id = danger(&harness, &reviewer, "minor_harm").await;
    assert_eq!(shown(&reviewer, &id).await["state"], "reported");
    let bare = step(&id, &json!({ "step": "confirm" }));
    let (_, bare) = post(&reviewer, "/v1/incident-steps", "a", bare).await;
    assert_eq!(bare["errors"][0]["pointer"], "/reason", "{bare}");
    let confirm = json!({ "step": "confirm", "reason": "电话核实属实" });
    assert_eq!(take(&reviewer, "b", &id, confirm).await, "taken");
    let mut told = json!({ "step": "told", "who": "police", "told_at": START - 60_000,
        "note": "派出所值班民警" });
    assert_eq!(
        take(&reviewer, "c", &id, told.clone()).await,
        "consent-needed"
    );
    // A minor is not asked, and the step may say so itself.
    (told["consent"], told["why"]) = (json!("not_asked"), json!("minor"));
    assert_eq!(take(&reviewer, "d", &id, told).await, "taken");
    let school = json!({ "step": "told", "who": "education", "told_at": START });
    assert_eq!(take(&reviewer, "e", &id, school).await, "taken");
    let row = shown(&reviewer, &id).await;
    for (name, said) in [
        ("state", "confirmed"),
        ("reason", "电话核实属实"),
        ("consent", "not_asked"),
        ("why", "minor"),
        ("decided_by", "p-reviewer-1"),
    ] {
        assert_eq!(row[name], said, "{row}");
    }
    let police = json!({ "by": "p-reviewer-1", "who": "police", "told_at": START - 60_000,
        "note": "派出所值班民警" });
    let school = json!({ "by": "p-reviewer-1", "who": "education", "told_at": START });
    assert_eq!(row["told"], json!([police, school]));
    assert_eq!(list(&reviewer, "incident-steps").await.len(), 3);
});

on_both!(
    an_incident_is_closed_in_one_step_and_opened_again,
    |engine| {
        let harness = Harness::start(engine).await;
        let reviewer = harness.reviewer(1).await;
        let id = danger(&harness, &reviewer, "danger").await;
        assert_eq!(open(&reviewer).await, 1);
        let close = json!({ "step": "close", "reason": "说的是电视剧" });
        assert_eq!(take(&reviewer, "a", &id, close).await, "taken");
        let row = shown(&reviewer, &id).await;
        assert_eq!(
            (&row["state"], &row["reason"]),
            (&json!("closed"), &json!("说的是电视剧"))
        );
        assert_eq!(open(&reviewer).await, 0);
        let late = json!({ "step": "told", "who": "civil_affairs", "told_at": START,
        "consent": "given" });
        assert_eq!(
            take(&reviewer, "b", &id, late.clone()).await,
            "incident-closed"
        );
        let again = json!({ "step": "confirm", "reason": "又来电话" });
        assert_eq!(take(&reviewer, "c", &id, again).await, "taken");
        assert_eq!(take(&reviewer, "d", &id, late).await, "taken");
        assert_eq!(open(&reviewer).await, 1);
    }
);

on_both!(an_adult_who_refuses_is_heard, |engine| {
    let harness = Harness::start(engine).await;
    let reviewer = harness.reviewer(1).await;
    let id = danger(&harness, &reviewer, "violence").await;
    let told = |who: &str, more: &Value| {
        let mut body = json!({ "step": "told", "who": who, "told_at": START });
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        body
    };
    let none = json!({});
    let consent = json!({ "step": "consent", "consent": "refused", "note": "本人怕报复" });
    assert_eq!(take(&reviewer, "a", &id, consent).await, "taken");
    assert_eq!(shown(&reviewer, &id).await["consent"], "refused");
    let acute = json!({ "acute": true });
    for (key, who, more, comes) in [
        ("b", "civil_affairs", &none, "consent-refused"),
        ("c", "civil_affairs", &acute, "consent-refused"),
        ("d", "police", &none, "consent-refused"),
        ("e", "police", &acute, "taken"),
    ] {
        assert_eq!(
            take(&reviewer, key, &id, told(who, more)).await,
            comes,
            "{who} {more}"
        );
    }
    let round = json!({ "consent": "not_asked", "why": "acute_danger" });
    assert_eq!(
        take(&reviewer, "f", &id, told("civil_affairs", &round)).await,
        "consent-refused"
    );
    // Family may be where the harm comes from: why they may know must be said.
    let family = post(
        &reviewer,
        "/v1/incident-steps",
        "g",
        step(&id, &told("family", &none)),
    )
    .await;
    assert_eq!(family.1["errors"][0]["pointer"], "/note", "{}", family.1);
    let tomorrow = json!({ "step": "told", "who": "police", "told_at": START + 24 * HOUR });
    let ahead = post(&reviewer, "/v1/incident-steps", "h", step(&id, &tomorrow)).await;
    assert_eq!(ahead.1["errors"][0]["pointer"], "/told_at", "{}", ahead.1);
    let agrees = json!({ "step": "consent", "consent": "given", "note": "第二天同意" });
    assert_eq!(take(&reviewer, "i", &id, agrees).await, "taken");
    assert_eq!(
        take(&reviewer, "j", &id, told("civil_affairs", &none)).await,
        "taken"
    );
    let row = shown(&reviewer, &id).await;
    assert_eq!(row["told"].as_array().map(Vec::len), Some(2), "{row}");
    assert_eq!(row["told"][0]["acute"], true);
});

on_both!(steps_come_by_sync_and_every_reading_is_noted, |engine| {
    let harness = Harness::start(engine).await;
    let reviewer = harness.reviewer(1).await;
    let id = danger(&harness, &reviewer, "self_harm").await;
    let device = reviewer.register().await;
    let step_id = "01920000-0000-7000-8000-00000000e0f1";
    let push = json!({ "mutations": [{ "n": 1, "op": "request", "kind": "incident_step",
        "unit": "430121", "id": step_id, "body": { "incident": id, "step": "confirm",
        "reason": "已回拨" } }] });
    let pull = json!({ "cursor": null, "max_bytes": 500_000 });
    let ask = json!({ "protocol": 1, "device": device, "push": push, "pull": pull });
    let answer = reviewer.post("/v1/sync", &ask).await.good();
    assert_eq!(answer["push"]["verdicts"][0]["verdict"], "accepted");
    let text = answer["pull"].to_string();
    assert!(text.contains("restricted:430121") && text.contains(&id));
    shown(&reviewer, &id).await;
    let mut tx = harness.app.db.read().await.expect("begin");
    // By the list of `danger`, by the pull, by the read.
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM read_log WHERE record = $1 AND person = $2";
    let record = uuid::Uuid::parse_str(&id).expect("an id");
    let noted: i64 = on!(&mut tx, |c| sqlx::query_scalar(sql)
        .bind(record.as_bytes().as_slice())
        .bind("p-reviewer-1")
        .fetch_one(c)
        .await)
    .expect("the log is there");
    assert_eq!(noted, 3);
});

on_both!(nobody_else_learns_that_an_incident_exists, |engine| {
    let harness = Harness::start(engine).await;
    let reviewer = harness.reviewer(1).await;
    let id = danger(&harness, &reviewer, "violence").await;
    let confirm = json!({ "step": "confirm", "reason": "邻居证实" });
    assert_eq!(take(&reviewer, "a", &id, confirm).await, "taken");
    let none = id.replace(|c: char| c.is_ascii_digit(), "7");
    for (name, who) in [
        ("author", harness.worker(1).await),
        ("colleague", harness.worker(2).await),
        ("lead", harness.lead().await),
        ("officer", harness.hub().await),
        ("volunteer", harness.volunteer(1).await),
        ("stranger", harness.stranger().await),
        ("other hub", harness.stranger_hub().await),
    ] {
        assert!(list(&who, "incidents").await.is_empty(), "{name}");
        assert!(list(&who, "incident-steps").await.is_empty(), "{name}");
        let path = format!("/v1/incidents/{id}?unit=430121");
        who.get(&path).await.problem(404, "not-found");
        // A step on what is there and on what is not reads the same.
        let body = json!({ "step": "close", "reason": "没事" });
        let there = take(&who, "x", &id, body.clone()).await;
        assert_eq!(there, "scope", "{name}");
        assert_eq!(take(&who, "y", &none, body).await, there, "{name}");
        let all = pulled(&who).await;
        for secret in [id.as_str(), "incident", "邻居证实"] {
            assert!(!all.contains(secret), "{name} pulls {secret}");
        }
        assert!(!all.contains("restricted:"), "{name}");
        let live = who.get("/v1/live?streams=restricted:430121").await;
        assert!(!live.text.contains(&id), "{name}");
    }
    // The board of the officer says that it does not say.
    assert_eq!(open(&harness.hub().await).await, Value::Null);
    assert_eq!(open(&reviewer).await, 1);
});

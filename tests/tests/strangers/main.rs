//! Strangers: every route, asked by nobody, by a volunteer, and by the other county's people.
//! A route of the router that has no row here fails the build.

mod matrix;

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_server::api::records::COLLECTIONS;
use xiangyi_server::router::{ROUTES, Who};
use xiangyi_tests::actor::{Actor, send};
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

const RECORD: &str = "01920000-0000-7000-8000-0000000000a1";
const UNIT: &str = "430121001";

/// What a stranger may get of a route.
enum Told {
    /// The route is for everybody.
    Open,
    /// Refused with this status and code.
    Refused(u16, &'static str),
    /// Answered, and the body names nothing of Changsha County.
    Nothing,
}

type RouteRow = (&'static str, &'static str, String, Option<Value>, Told);

/// One row per route: method, path as the router spells it, path to ask, body, what comes.
fn rows() -> Vec<RouteRow> {
    let mut rows = plain_rows();
    rows.extend(record_rows());
    rows.extend(photo_rows());
    rows.extend(pack_rows());
    rows
}

#[rustfmt::skip]
fn plain_rows() -> Vec<RouteRow> {
    let pull = json!({ "protocol": 1, "device": "d-00000000", "pull": {} });
    let none = || Told::Refused(404, "not-found");
    vec![
        ("GET", "/healthz", "/healthz".into(), None, Told::Open),
        ("GET", "/readyz", "/readyz".into(), None, Told::Open),
        ("POST", "/v1/sessions", "/v1/sessions".into(), None, Told::Open),
        ("POST", "/v1/sessions/refresh", "/v1/sessions/refresh".into(), None, Told::Open),
        ("GET", "/.well-known/jwks.json", "/.well-known/jwks.json".into(), None, Told::Open),
        ("GET", "/v1/openapi.json", "/v1/openapi.json".into(), None, Told::Open),
        ("GET", "/", "/".into(), None, Told::Open),
        ("GET", "/reference/", "/reference/".into(), None, Told::Open),
        ("GET", "/reference/{*file}", "/reference/reference.js".into(), None, Told::Open),
        ("GET", "/hub", "/hub".into(), None, Told::Open),
        ("GET", "/hub/", "/hub/".into(), None, Told::Open),
        ("GET", "/hub/{*file}", "/hub/hub.js".into(), None, Told::Open),
        ("DELETE", "/v1/sessions", "/v1/sessions".into(), None, Told::Nothing),
        ("POST", "/v1/devices", "/v1/devices".into(), None, Told::Nothing),
        ("GET", "/v1/me", "/v1/me".into(), None, Told::Nothing),
        ("GET", "/v1/me/sessions", "/v1/me/sessions".into(), None, Told::Nothing),
        ("DELETE", "/v1/me/sessions/{id}", "/v1/me/sessions/none".into(), None, none()),
        ("GET", "/v1/me/devices", "/v1/me/devices".into(), None, Told::Nothing),
        ("DELETE", "/v1/me/devices/{id}", "/v1/me/devices/d-none".into(), None, none()),
        ("POST", "/v1/me/password", "/v1/me/password".into(),
            Some(json!({ "password": "none", "new_password": "tulip-wagon-42" })),
            Told::Refused(401, "sign-in-failed")),
        ("POST", "/v1/me/second-factor", "/v1/me/second-factor".into(),
            Some(json!({ "password": "none" })), Told::Refused(401, "sign-in-failed")),
        ("POST", "/v1/me/second-factor/confirm", "/v1/me/second-factor/confirm".into(),
            Some(json!({ "code": "000000" })), Told::Refused(401, "second-factor")),
        ("DELETE", "/v1/me/second-factor", "/v1/me/second-factor".into(),
            Some(json!({ "code": "000000" })), Told::Refused(401, "second-factor")),
        ("POST", "/v1/sessions/wechat", "/v1/sessions/wechat".into(),
            Some(json!({ "code": "none" })), Told::Open),
        ("POST", "/v1/me/wechat", "/v1/me/wechat".into(),
            Some(json!({ "code": "none", "password": "none" })), none()),
        ("DELETE", "/v1/me/wechat", "/v1/me/wechat".into(), None, none()),
        ("POST", "/v1/me/messages", "/v1/me/messages".into(), Some(json!({ "what": "offer" })),
            none()),
        ("POST", "/v1/sync", "/v1/sync".into(), Some(pull), Told::Refused(403, "device-unknown")),
        ("POST", "/v1/sync/wait", "/v1/sync/wait".into(), None, Told::Open),
        ("GET", "/v1/today", "/v1/today?unit=430121".into(), None, none()),
        ("GET", "/v1/reports/{period}", "/v1/reports/2026-01?unit=430121".into(), None, none()),
        ("GET", "/v1/clients/{id}/timeline",
            format!("/v1/clients/{RECORD}/timeline?unit={UNIT}"), None, none()),
        ("GET", "/v1/units", "/v1/units?county=430121".into(), None, Told::Nothing),
        ("GET", "/v1/units/{id}", format!("/v1/units/{UNIT}"), None, none()),
        ("GET", "/v1/live", "/v1/live".into(), None, Told::Open),
        ("GET", "/v1/escalated", "/v1/escalated?unit=430121".into(), None, none()),
        ("GET", "/v1/audit", "/v1/audit?unit=430121".into(), None, none()),
        ("GET", "/v1/webhooks", "/v1/webhooks?unit=430121".into(), None, none()),
        ("POST", "/v1/webhooks", "/v1/webhooks".into(),
            Some(json!({ "unit": "430121", "url": "https://example.org/" })), none()),
        ("DELETE", "/v1/webhooks/{id}", "/v1/webhooks/w-none".into(), None, none()),
        ("POST", "/v1/webhooks/{id}/resume", "/v1/webhooks/w-none/resume".into(), None, none()),
        ("POST", "/v1/moves", "/v1/moves".into(), Some(json!({ "what": "worker",
            "person": "p-worker-01", "from": UNIT, "to": "430121002" })), none()),
        ("GET", "/v1/kpi", format!("/v1/kpi?unit={UNIT}&year=2026"), None, none()),
        ("GET", "/v1/refusals/ledger",
            "/v1/refusals/ledger?unit=430121&from=2026-01&to=2026-01".into(), None, none()),
    ]
}

#[rustfmt::skip]
fn record_rows() -> Vec<RouteRow> {
    let record = format!("/v1/visits/{RECORD}?unit={UNIT}");
    let write = json!({ "unit": UNIT, "base": 1, "set": { "/result": "x" }, "reason": "x" });
    let visit = json!({ "unit": UNIT, "body": {
        "started_at": START - 60_000, "ended_at": START, "no_client_reason": "x",
        "result": "x", "process": "x", "outcome": { "kind": "served" } } });
    let refused = || Told::Refused(422, "record-rejected");
    let (one, all) = ("/v1/{collection}/{id}", "/v1/{collection}");
    let activity = json!({ "unit": UNIT, "body": {
        "title": "x", "type": "elder_company", "sessions": [{ "session": 1, "starts_at": START,
            "ends_at": START + 60_000, "roles": [{ "role": "x", "capacity": 1 }] }] } });
    let card = format!("/v1/activities/{RECORD}/card?unit={UNIT}");
    vec![
        ("GET", "/v1/activities", "/v1/activities?unit=430121".into(), None, Told::Nothing),
        ("POST", "/v1/activities", "/v1/activities".into(), Some(activity), refused()),
        ("GET", "/v1/activities/{id}/card", card, None, Told::Refused(404, "not-found")),
        ("GET", all, format!("/v1/visits?unit={UNIT}"), None, Told::Nothing),
        ("POST", all, "/v1/visits".into(), Some(visit), refused()),
        ("GET", one, record.clone(), None, Told::Refused(404, "not-found")),
        ("PATCH", one, record.clone(), Some(write.clone()), refused()),
        ("DELETE", one, record, Some(write), refused()),
    ]
}

/// A county's pack that the other county's people would like to see in force.
fn pack() -> Value {
    json!({ "pack": "430121", "version": 1, "effective": { "from": "2026-01-01", "to": null },
        "rules": [{ "id": "430121-1", "title": { "zh": "题", "en": "t" }, "clause": "条",
            "basis": { "plan": "三" }, "kinds": ["need"], "when": "true", "verdict": "reject",
            "message": { "zh": "话", "en": "words" } }] })
}

#[rustfmt::skip]
fn pack_rows() -> Vec<RouteRow> {
    let none = || Told::Refused(404, "not-found");
    let trial = "/v1/packs/what-if/{id}";
    let (one, publish) = ("/v1/packs/{region}/{version}", "/v1/packs/{region}/{version}/publish");
    vec![
        ("GET", "/v1/packs", "/v1/packs?region=430121".into(), None, none()),
        ("POST", "/v1/packs", "/v1/packs".into(), Some(json!({ "document": pack() })), none()),
        ("GET", one, "/v1/packs/430121/1".into(), None, none()),
        ("POST", "/v1/packs/what-if", "/v1/packs/what-if".into(),
            Some(json!({ "document": pack(), "from": "2026-01-01", "to": "2026-01-31" })), none()),
        ("GET", trial, "/v1/packs/what-if/w-none".into(), None, none()),
        ("DELETE", trial, "/v1/packs/what-if/w-none".into(), None, none()),
        ("DELETE", one, "/v1/packs/430121/1".into(), None, none()),
        ("POST", publish, "/v1/packs/430121/1/publish".into(), None, none()),
    ]
}

#[rustfmt::skip]
fn photo_rows() -> Vec<RouteRow> {
    let photo = format!("/v1/photos/{}?as=thumb&unit={UNIT}", "0".repeat(64));
    let check = format!(
        "/v1/photos/{}/check?unit={UNIT}&record={RECORD}&code=x",
        "0".repeat(64)
    );
    let about = format!("/v1/photos/{}/about?unit={UNIT}&reason=x", "0".repeat(64));
    let (upload, asked) = ("/v1/photos/uploads/{id}", "/v1/photos/uploads/u-none");
    vec![
        ("POST", "/v1/photos", "/v1/photos".into(), None, Told::Open),
        ("POST", "/v1/photos/small", "/v1/photos/small".into(), None, Told::Open),
        (
            "GET",
            "/v1/photos/{sha256}/check",
            check,
            None,
            Told::Refused(404, "not-found"),
        ),
        (
            "GET",
            "/v1/photos/{sha256}/about",
            about,
            None,
            Told::Refused(404, "not-found"),
        ),
        ("OPTIONS", "/v1/photos", "/v1/photos".into(), None, Told::Open),
        ("GET", upload, asked.into(), None, Told::Open),
        ("PATCH", upload, asked.into(), None, Told::Open),
        ("DELETE", upload, asked.into(), None, Told::Open),
        ("GET", "/v1/photos/{sha256}", photo, None, Told::Refused(404, "not-found")),
    ]
}

#[test]
fn every_route_has_a_row() {
    let rows = rows();
    for route in ROUTES {
        let named = |row: &&RouteRow| row.0 == route.method && row.1 == route.path;
        assert!(
            rows.iter().any(|row| named(&row)),
            "{} {}",
            route.method,
            route.path
        );
    }
}

async fn ask(actor: &Actor, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = actor
        .request(method, path)
        .header("idempotency-key", "stranger");
    if let Some(body) = body {
        request = request.json(body);
    }
    let reply = send(request).await;
    (reply.status.as_u16(), reply.text)
}

on_both!(strangers_get_nothing, |engine| {
    let harness = Harness::start(engine).await;
    seed(&harness).await;
    for row in rows() {
        let route = ROUTES
            .iter()
            .find(|route| route.method == row.0 && route.path == row.1);
        let Some(route) = route else { continue };
        if route.who == Who::SignedIn {
            let (status, text) = ask(&harness.nobody(), row.0, &row.2, row.3.as_ref()).await;
            assert_eq!(status, 401, "{} {} by nobody: {text}", row.0, row.2);
        }
        for who in [harness.stranger().await, harness.stranger_hub().await] {
            let (want, code) = match row.4 {
                Told::Open => continue,
                Told::Refused(status, code) => (Some(status), code),
                Told::Nothing => (None, ""),
            };
            let (status, text) = ask(&who, row.0, &row.2, row.3.as_ref()).await;
            assert_eq!(
                status,
                want.unwrap_or(status),
                "{} {}: {text}",
                row.0,
                row.2
            );
            assert!(text.contains(code), "{} {}: {text}", row.0, row.2);
            // The answer may repeat what was asked, so only what was never sent is looked for.
            for secret in ["叮嘱按时吃药", "p-worker-01", "周小芳"] {
                assert!(
                    !text.contains(secret),
                    "{} {} tells {secret}: {text}",
                    row.0,
                    row.2
                );
            }
        }
    }
});

on_both!(no_list_of_the_other_county_shows_anything, |engine| {
    let harness = Harness::start(engine).await;
    seed(&harness).await;
    let who = harness.stranger_hub().await;
    let volunteer = harness.volunteer(1).await;
    for (collection, _) in COLLECTIONS {
        let list = who
            .get(&format!("/v1/{collection}?unit=430121"))
            .await
            .good();
        assert_eq!(list["records"], json!([]), "{collection}");
        if !matches!(*collection, "activities" | "resources") {
            let list = volunteer
                .get(&format!("/v1/{collection}?unit=430121"))
                .await
                .good();
            assert_eq!(list["records"], json!([]), "{collection} to a volunteer");
        }
    }
    // Not theirs and not there read the same.
    let theirs = who.get(&format!("/v1/visits/{RECORD}?unit={UNIT}")).await;
    let none = RECORD.replace("a1", "b2");
    let nobody = who.get(&format!("/v1/visits/{none}?unit={UNIT}")).await;
    let strip = |reply: &Value| {
        let mut reply = reply.clone();
        reply["request_id"] = Value::Null;
        reply
    };
    assert_eq!(strip(&theirs.json()), strip(&nobody.json()));
});

on_both!(
    a_phone_of_the_other_county_pulls_nothing_of_this_one,
    |engine| {
        let harness = Harness::start(engine).await;
        seed(&harness).await;
        let who = harness.stranger_hub().await;
        let device = who.register().await;
        let ask = whole_pull(&device);
        let answer = who.post("/v1/sync", &ask).await;
        let text = answer.text.clone();
        let shown = text
            .find("430121")
            .map(|at| &text[at.saturating_sub(60)..at + 6]);
        assert_eq!(shown, None);
        answer.good();
        // A worker's own mailbox of another person is no stream of theirs, whatever they ask.
        let worker = harness.worker(2).await;
        let device = worker.register().await;
        let ask = whole_pull(&device);
        let text = worker.post("/v1/sync", &ask).await.text;
        assert!(
            !text.contains("叮嘱按时吃药"),
            "a colleague sees no narrative"
        );
        assert!(
            text.contains(RECORD),
            "but sees that there was a visit: {text}"
        );
    }
);

fn whole_pull(device: &str) -> Value {
    let pull = json!({ "cursor": null, "sums": true, "max_bytes": 500_000 });
    json!({ "protocol": 1, "device": device, "pull": pull })
}

async fn seed(harness: &Harness) {
    let worker = harness.worker(1).await;
    let device = worker.register().await;
    let body = json!({
        "no_client_reason": "集中走访", "started_at": START - 3_600_000, "ended_at": START - 60_000,
        "services": ["ec_visit"], "process": "陪老人说话，叮嘱按时吃药。", "result": "情绪平稳",
        "outcome": { "kind": "served" },
    });
    let envelope = json!({ "protocol": 1, "device": device, "push": { "mutations": [
        { "n": 1, "op": "create", "kind": "visit", "unit": UNIT, "id": RECORD, "body": body } ]}});
    let answer = worker.post("/v1/sync", &envelope).await.good();
    assert_eq!(
        answer["push"]["verdicts"][0]["verdict"], "accepted",
        "{answer}"
    );
}

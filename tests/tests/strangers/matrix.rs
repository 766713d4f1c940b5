//! Every route that names something × every role × every unit around it: what is not theirs and
//! what does not exist get the same status and the same body, but for the names that were asked
//! for.
//!
//! `SEEN` says who is told a difference. Whoever is not in it is told none; whoever is in it must
//! be, so that the table stays true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_proto::role::Role;
use xiangyi_server::accounts::password;
use xiangyi_server::router::ROUTES;
use xiangyi_server::store::keys;
use xiangyi_server::store::people::{self, NewGrant, PersonRow};
use xiangyi_server::webhooks::Inside;
use xiangyi_tests::actor::{Actor, hash, send};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};

use crate::{RECORD, UNIT};

/// Around the station where everything happened: another county, its station, a sibling, above.
const UNITS: &[&str] = &[
    "430181",
    "430181001",
    "430121002",
    "430121",
    "4301",
    "43",
    UNIT,
];
const NONE: &str = "01920000-0000-7000-8000-0000000000ff";
const HOUR: i64 = 3_600_000;

/// One thing with a name: method, the router's path, the real path, one like it of what is not
/// there, a body.
struct Pair {
    method: &'static str,
    route: &'static str,
    real: String,
    none: String,
    body: Option<Value>,
}

/// Names of what was made.
struct Made {
    photo: String,
    upload: String,
    session: String,
    device: String,
    webhook: String,
    activity: String,
    client: String,
}

fn pair(method: &'static str, route: &'static str, path: &str, names: [&str; 2]) -> Pair {
    let body = matches!(method, "PATCH" | "DELETE")
        .then(|| json!({ "unit": UNIT, "base": 1, "set": { "/result": "x" }, "reason": "x" }));
    let path = path.replace("UNIT", UNIT).replace("RECORD", RECORD);
    Pair {
        method,
        route,
        real: path.replace('@', names[0]),
        none: path.replace('@', names[1]),
        body,
    }
}

fn pairs(made: &Made) -> Vec<Pair> {
    let no_photo = "e".repeat(64);
    let photo = [made.photo.as_str(), no_photo.as_str()];
    let one = "/v1/{collection}/{id}";
    let visit = "/v1/visits/@?unit=UNIT";
    let mut pairs = vec![
        pair("GET", one, visit, [RECORD, NONE]),
        pair("GET", one, "/v1/clients/@?unit=UNIT", [&made.client, NONE]),
        pair(
            "GET",
            "/v1/clients/{id}/timeline",
            "/v1/clients/@/timeline?unit=UNIT",
            [&made.client, NONE],
        ),
        pair(
            "GET",
            "/v1/activities/{id}/card",
            "/v1/activities/@/card?unit=430121",
            [&made.activity, NONE],
        ),
        pair(
            "GET",
            "/v1/photos/{sha256}",
            "/v1/photos/@?as=original&unit=UNIT",
            photo,
        ),
        pair(
            "GET",
            "/v1/photos/{sha256}/about",
            "/v1/photos/@/about?unit=UNIT&reason=x",
            photo,
        ),
        pair(
            "GET",
            "/v1/photos/{sha256}/check",
            "/v1/photos/@/check?unit=UNIT&record=RECORD&code=x",
            photo,
        ),
    ];
    pairs.extend(more_pairs(made));
    pairs
}

/// What is one's own, and what alters something: last, because it may go.
fn more_pairs(made: &Made) -> Vec<Pair> {
    let (one, upload) = ("/v1/{collection}/{id}", "/v1/photos/uploads/{id}");
    let (session, device) = ("/v1/me/sessions/{id}", "/v1/me/devices/{id}");
    let visit = "/v1/visits/@?unit=UNIT";
    let no_upload = "u-0000000000000000";
    vec![
        pair(
            "GET",
            upload,
            "/v1/photos/uploads/@",
            [&made.upload, no_upload],
        ),
        pair(
            "PATCH",
            upload,
            "/v1/photos/uploads/@",
            [&made.upload, no_upload],
        ),
        pair(
            "DELETE",
            upload,
            "/v1/photos/uploads/@",
            [&made.upload, no_upload],
        ),
        pair(
            "DELETE",
            session,
            "/v1/me/sessions/@",
            [&made.session, "S00000000000000000000"],
        ),
        pair(
            "DELETE",
            device,
            "/v1/me/devices/@",
            [&made.device, "d-00000000"],
        ),
        pair(
            "POST",
            "/v1/webhooks/{id}/resume",
            "/v1/webhooks/@/resume",
            [&made.webhook, "w-00000000"],
        ),
        pair("PATCH", one, visit, [RECORD, NONE]),
        pair(
            "DELETE",
            "/v1/webhooks/{id}",
            "/v1/webhooks/@",
            [&made.webhook, "w-00000000"],
        ),
        pair("DELETE", one, visit, [RECORD, NONE]),
    ]
}

/// Routes with names that tell nobody anything of this kind, and why.
const OTHERS: &[(&str, &str)] = &[
    ("/v1/reports/{period}", "a month is no secret"),
    (
        "/v1/units/{id}",
        "codes of units are public; who reads one is in `units.rs`",
    ),
    (
        "/v1/packs/{region}/{version}",
        "packs are told apart in `law.rs`",
    ),
    (
        "/v1/packs/{region}/{version}/publish",
        "packs are told apart in `law.rs`",
    ),
    (
        "/v1/packs/what-if/{id}",
        "trials are told apart in `what_if.rs`",
    ),
    (
        "/v1/{collection}",
        "lists are in `no_list_of_the_other_county_shows_anything`",
    ),
    ("/reference/{*file}", "files of the program"),
    ("/hub/{*file}", "files of the program"),
];

/// Who is told a difference, as role@unit, by method, route and collection. The author and the
/// activity's leader, whose they are, are not among those who ask.
const SEEN: &[(&str, &[&str])] = &[
    (
        "GET /v1/{collection}/{id} visits",
        &[
            "hub_officer@430121",
            "hub_reviewer@430121",
            "county_bureau@430121",
            "worker@430121001",
            "station_lead@430121001",
        ],
    ),
    (
        "GET /v1/{collection}/{id} clients",
        &["station_lead@430121001"],
    ),
    (
        "GET /v1/clients/{id}/timeline clients",
        &["station_lead@430121001"],
    ),
    (
        "GET /v1/activities/{id}/card activities",
        &[
            "hub_officer@430121",
            "hub_reviewer@430121",
            "county_bureau@430121",
        ],
    ),
    (
        "POST /v1/webhooks/{id}/resume webhooks",
        &[
            "hub_officer@430121",
            "system_admin@430121",
            "system_admin@4301",
            "system_admin@43",
        ],
    ),
    // The first who may takes it away for those who come after.
    ("DELETE /v1/webhooks/{id} webhooks", &["hub_officer@430121"]),
    (
        "GET /v1/photos/{sha256}/about photos",
        &["hub_reviewer@430121"],
    ),
    (
        "GET /v1/photos/{sha256}/check photos",
        &["hub_reviewer@430121"],
    ),
];

#[test]
fn every_route_with_a_name_is_asked_for() {
    let made = Made::nothing();
    let asked: BTreeSet<(&str, &str)> = pairs(&made)
        .iter()
        .map(|pair| (pair.method, pair.route))
        .collect();
    for route in ROUTES.iter().filter(|route| route.path.contains('{')) {
        let is_other = OTHERS.iter().any(|(path, _)| *path == route.path);
        let is_asked = asked.contains(&(route.method, route.path));
        assert!(is_other || is_asked, "{} {}", route.method, route.path);
    }
}

impl Made {
    fn nothing() -> Self {
        let empty = String::new;
        Self {
            photo: empty(),
            upload: empty(),
            session: empty(),
            device: empty(),
            webhook: empty(),
            activity: empty(),
            client: empty(),
        }
    }

    /// A client, a visit with a photograph, an upload under way, an activity, a webhook.
    async fn by(harness: &Harness) -> Self {
        let worker = harness.worker(1).await;
        let phone = worker.phone().await;
        let photo = fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/data/photos/village-room.jpg"
        ));
        let photo = photo.expect("the file");
        let client = "01920000-0000-7000-8000-0000000000c1";
        let card = json!({ "n": 1, "op": "create", "kind": "client", "unit": UNIT, "id": client,
            "body": { "name": "彭奶奶", "village": "430121001001" } });
        let visit = json!({ "n": 2, "op": "create", "kind": "visit", "unit": UNIT, "id": RECORD,
            "body": { "no_client_reason": "集中走访", "services": ["ec_visit"], "process": "叮嘱按时吃药",
                "started_at": START - 2 * HOUR, "ended_at": START - HOUR,
                "outcome": { "kind": "served" }, "photos": [{ "sha256": hash(&photo),
                    "bytes": photo.len(), "mime": "image/jpeg", "source": "camera" }] } });
        for verdict in phone.push(&[card, visit]).await {
            assert_eq!(verdict["verdict"], "accepted", "{verdict}");
        }
        assert_eq!(worker.upload(&photo, "image/jpeg", UNIT).await.status, 204);
        let other = worker
            .announce(b"another", "image/jpeg", &[("unit", UNIT)])
            .await;
        let upload = other
            .header("location")
            .rsplit('/')
            .next()
            .expect("an id")
            .to_owned();
        let leader = harness.organiser().await.phone().await;
        let activity = "01920000-0000-7000-8000-0000000000d1";
        let made = json!({ "n": 1, "op": "create", "kind": "activity", "unit": "430121",
            "id": activity, "body": { "title": "陪老人", "type": "elder_company", "sessions": [
                { "session": 1, "starts_at": START + 48 * HOUR, "ends_at": START + 50 * HOUR,
                  "roles": [{ "role": "helper", "capacity": 2 }] }] } });
        assert_eq!(leader.push_one(made).await["verdict"], "accepted");
        let hook = json!({ "unit": "430121", "url": "http://127.0.0.1:9/" });
        let hook = harness.hub().await.post("/v1/webhooks", &hook).await;
        let sessions = worker.get("/v1/me/sessions").await.good();
        let session = sessions.pointer("/sessions/0/id").and_then(Value::as_str);
        Self {
            photo: hash(&photo),
            upload,
            session: session.expect("a session").to_owned(),
            device: phone.device,
            webhook: hook.good()["id"].as_str().expect("a webhook").to_owned(),
            activity: activity.to_owned(),
            client: client.to_owned(),
        }
    }
}

/// Whether a role is given at units of this kind: stations, counties, the city, the province.
fn is_of(role: Role, unit: &str) -> bool {
    match role {
        Role::Worker | Role::StationLead => unit.len() == 9,
        Role::CityViewer => unit.len() == 4,
        Role::ProvinceAdmin => unit.len() == 2,
        Role::Auditor | Role::SystemAdmin | Role::SecurityAdmin => unit.len() <= 6,
        _ => unit.len() == 6,
    }
}

/// Somebody in each role at each unit, signed in.
async fn everybody(harness: &Harness) -> Vec<(String, Actor)> {
    let app = &harness.app;
    let hash = password::hash(xiangyi_tests::actor::PASSWORD, &app.entropy);
    let mut list = Vec::new();
    for (at, unit) in UNITS.iter().enumerate() {
        for (number, role) in Role::ALL.into_iter().enumerate() {
            if !is_of(role, unit) {
                continue;
            }
            let telephone = format!("137{at:04}{number:04}");
            list.push((format!("p-{}-{unit}", role.name()), telephone, role, *unit));
        }
    }
    let mut tx = app.db.write().await.expect("begin");
    let ids = list.iter().map(|(id, ..)| id.as_str());
    let ring = keys::of(&mut tx, &app.sealer, keys::PEOPLE, ids, &app.entropy)
        .await
        .expect("keys");
    for (id, telephone, role, unit) in &list {
        let key = ring.key(id).expect("a key");
        let row = PersonRow {
            id: id.clone(),
            name: key.seal(&app.entropy, id.as_bytes(), "某人".as_bytes()),
            password: Some(hash.clone()),
            state: "active".to_owned(),
        };
        let index = app.sealer.index("telephone", telephone);
        people::add(&mut tx, &row, &index, START)
            .await
            .expect("added");
        let grant = NewGrant {
            id: format!("g-{id}"),
            person: id.clone(),
            role: *role,
            unit: (*unit).to_owned(),
            from_at: START - 1_000,
            to_at: None,
        };
        people::grant(&mut tx, &grant).await.expect("granted");
    }
    tx.commit().await.expect("commit");
    ring.keep(&app.sealer);
    let signed = stream::iter(list).map(|(_, telephone, role, unit)| {
        let nobody = harness.nobody();
        async move {
            (
                format!("{}@{unit}", role.name()),
                nobody.sign_in(&telephone).await,
            )
        }
    });
    signed.buffered(4).collect().await
}

/// Status and body, without the names that were asked for.
async fn told(actor: &Actor, pair: &Pair, path: &str) -> (u16, String) {
    let method = Method::from_bytes(pair.method.as_bytes()).expect("a method");
    let key = format!("k{}", hash(format!("{}{path}", pair.method).as_bytes()));
    let mut request = actor
        .request(method, path)
        .header("idempotency-key", &key[..40]);
    if pair.route.contains("uploads") {
        request = request.header("tus-resumable", "1.0.0");
        if pair.method == "PATCH" {
            request = request.header("upload-offset", 0);
            request = request.header("content-type", "application/offset+octet-stream");
        }
    } else if let Some(body) = &pair.body {
        request = request.json(body);
    }
    let reply = send(request).await;
    let mut text = reply.text.clone();
    let names = path
        .split(['/', '?', '&', '='])
        .filter(|name| name.len() > 9);
    for name in names {
        text = text.replace(name, "NAME");
    }
    let body = serde_json::from_str::<Value>(&text).map(|mut body| {
        body["request_id"] = Value::Null;
        // A verdict is of the asker's own making, and so are its ids.
        for own in ["n", "seq", "mac", "refusal"] {
            for place in ["", "/verdict"] {
                let verdict = body.pointer_mut(place).and_then(Value::as_object_mut);
                verdict.and_then(|verdict| verdict.remove(own));
            }
        }
        body.to_string()
    });
    (reply.status.as_u16(), body.unwrap_or(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_theirs_and_not_there_read_the_same() {
    let harness = Harness::with_settings(Engine::Sqlite, |config| {
        config.webhooks.enabled = true;
        config.webhooks.inside = vec![Inside {
            county: "430121".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 9,
        }];
    })
    .await;
    let made = Made::by(&harness).await;
    let people = everybody(&harness).await;
    let mut seen = BTreeMap::<String, Vec<String>>::new();
    for pair in pairs(&made) {
        let what = pair.real.split('/').nth(2).unwrap_or_default();
        let row = format!("{} {} {what}", pair.method, pair.route);
        let entry = seen.entry(row).or_default();
        for (who, actor) in &people {
            let real = told(actor, &pair, &pair.real).await;
            if real != told(actor, &pair, &pair.none).await {
                entry.push(who.clone());
            }
        }
    }
    let mut wrong = Vec::new();
    for (row, seen) in &seen {
        let known = SEEN.iter().find(|(known, _)| known == row);
        let known = known.map_or(&[][..], |(_, who)| who);
        for who in seen.iter().filter(|who| !known.contains(&who.as_str())) {
            wrong.push(format!("{row} tells {who}"));
        }
        for who in known
            .iter()
            .filter(|who| !seen.iter().any(|seen| seen == *who))
        {
            wrong.push(format!("{row} no longer tells {who}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

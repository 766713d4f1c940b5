//! The acceptance table: every kind × four answers, by sync and by REST, on both engines. Each row
//! of `proto/vectors/gate.json` is sent as its author would, and what is stored, or the receipt of
//! what is not, is read back.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

/// Just before the activities of the table begin.
const NOW: i64 = 1_793_059_200_000;
/// Records that others of the table name, with the row that makes each.
const NAMED: &[(&str, &str)] = &[
    ("client", "01920000-0000-7000-8000-000000000c01"),
    ("activity", "01920000-0000-7000-8000-00000000ac01"),
    ("need", "01920000-0000-7000-8000-00000000ae01"),
    ("resource", "01920000-0000-7000-8000-00000000e501"),
];

/// Every kind that people file.
const KINDS: &[&str] = &[
    "check_in",
    "visit",
    "work_time",
    "client",
    "activity",
    "sign_up",
    "need",
    "resource",
    "link",
];

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Sync,
    Rest,
}

on_both!(the_table_holds_by_sync, |engine| table(engine, Way::Sync)
    .await);
on_both!(the_table_holds_by_rest, |engine| table(engine, Way::Rest)
    .await);

async fn table(engine: Engine, way: Way) {
    let harness = Harness::start(engine).await;
    harness.clock.set(NOW);
    let mut people = People::new(&harness).await;
    let rows: Vec<Value> =
        serde_json::from_str(include_str!("../../proto/vectors/gate.json")).expect("the table");
    for (kind, id) in NAMED {
        let accepted = |row: &&Value| row["kind"] == **kind && row["want"] == "accepted";
        let row = rows
            .iter()
            .find(accepted)
            .expect("an accepted row of the kind");
        let verdict = people.send(row, Some(id), way).await;
        assert_eq!(verdict["verdict"], "accepted", "{kind}: {verdict}");
    }
    let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
    for row in &rows {
        for before in row["before"].as_array().into_iter().flatten() {
            let verdict = people.send(before, None, way).await;
            assert_eq!(verdict["verdict"], "accepted", "{before}: {verdict}");
        }
        let verdict = people.send(row, None, way).await;
        check(row, &verdict);
        people.read_back(row, &verdict).await;
        let kind = row["kind"].as_str().expect("a kind").to_owned();
        let want = row["want"].as_str().expect("an answer").to_owned();
        *seen.entry((kind, want)).or_default() += 1;
    }
    for kind in KINDS {
        for want in ["accepted", "warned", "held", "rejected"] {
            let key = ((*kind).to_owned(), want.to_owned());
            assert!(seen.contains_key(&key), "no row for {kind} {want}");
        }
    }
}

fn check(row: &Value, verdict: &Value) {
    let wanted = match row["want"].as_str().expect("an answer") {
        "warned" => "accepted",
        other => other,
    };
    assert_eq!(verdict["verdict"], wanted, "{row}\n{verdict}");
    let Some(rule) = row["rule"].as_str() else {
        return;
    };
    if wanted == "accepted" {
        let notices = verdict["notices"].as_array().cloned().unwrap_or_default();
        assert!(
            notices.iter().any(|n| n["rule"]["id"] == rule),
            "{row}\n{verdict}"
        );
    } else {
        assert_eq!(verdict["rule"]["id"], rule, "{row}\n{verdict}");
        let clause = verdict["rule"]["clause"].as_str().unwrap_or_default();
        assert!(!clause.is_empty(), "a clause is cited: {verdict}");
        assert!(
            verdict["message"]
                .as_str()
                .is_some_and(|words| !words.is_empty())
        );
    }
}

/// Who sends what, each with a device and a number.
struct People {
    worker: (Actor, String, i64),
    leader: (Actor, String, i64),
    volunteers: Vec<(Actor, String, i64)>,
    next_volunteer: usize,
    rest: u32,
}

impl People {
    async fn new(harness: &Harness) -> Self {
        let mut volunteers = Vec::new();
        for number in 1..=6 {
            volunteers.push(equipped(harness.volunteer(number).await).await);
        }
        Self {
            worker: equipped(harness.worker(11).await).await,
            leader: equipped(harness.organiser().await).await,
            volunteers,
            next_volunteer: 0,
            rest: 0,
        }
    }

    fn author(&mut self, kind: &str) -> &mut (Actor, String, i64) {
        match kind {
            "activity" => &mut self.leader,
            "sign_up" => {
                self.next_volunteer += 1;
                &mut self.volunteers[self.next_volunteer - 1]
            }
            _ => &mut self.worker,
        }
    }

    async fn send(&mut self, row: &Value, id: Option<&str>, way: Way) -> Value {
        let kind = row["kind"].as_str().expect("a kind").to_owned();
        self.rest += 1;
        let fresh = format!("01920000-0000-7000-8000-{:012x}", 0xf000 + self.rest);
        let id = id.unwrap_or(&fresh).to_owned();
        let author = self.author(&kind);
        match way {
            Way::Sync => by_sync(author, row, &kind, &id).await,
            Way::Rest => by_rest(&author.0, row, &kind, &id).await,
        }
    }

    /// What was accepted can be read; what was not is in no list, but its receipt is.
    async fn read_back(&self, row: &Value, verdict: &Value) {
        let kind = row["kind"].as_str().expect("a kind");
        let author = match kind {
            "activity" => &self.leader.0,
            "sign_up" => &self.volunteers[self.next_volunteer - 1].0,
            _ => &self.worker.0,
        };
        let unit = row["unit"].as_str().expect("a unit");
        let id = verdict["id"].as_str().expect("an id");
        let path = format!("/v1/{}/{id}?unit={unit}", collection(kind));
        let stored = author.get(&path).await;
        match row["want"].as_str() {
            Some("accepted" | "warned") => {
                let shown = stored.good();
                assert_eq!(shown["rev"], verdict["rev"]);
                let class = &shown["body"]["derived"]["class"];
                assert!(class.is_string(), "a class is derived: {shown}");
            }
            Some("held") => {
                stored.problem(404, "not-found");
                let held = author
                    .get(&format!("/v1/held?unit={unit}&limit=200"))
                    .await
                    .good();
                let mine = |row: &Value| row["body"]["record"] == *id;
                assert!(
                    held["records"].as_array().expect("a list").iter().any(mine),
                    "{held}"
                );
            }
            _ => {
                stored.problem(404, "not-found");
                if let Some(refusal) = verdict["refusal"].as_str() {
                    let path = format!("/v1/refusals/{refusal}?unit={unit}");
                    let receipt = author.get(&path).await.good();
                    assert_eq!(receipt["body"]["rule"], verdict["rule"]["id"]);
                    assert_eq!(receipt["body"]["record"], *id);
                    assert!(receipt["body"].get("process").is_none());
                }
            }
        }
    }
}

async fn equipped(actor: Actor) -> (Actor, String, i64) {
    let device = actor.register().await;
    (actor, device, 0)
}

async fn by_sync(author: &mut (Actor, String, i64), row: &Value, kind: &str, id: &str) -> Value {
    author.2 += 1;
    let envelope = json!({
        "protocol": 1,
        "device": author.1,
        "push": { "mutations": [{
            "n": author.2,
            "op": if matches!(kind, "sign_up" | "link") { "request" } else { "create" },
            "kind": kind,
            "unit": row["unit"],
            "id": id,
            "occurred_at": row["occurred_at"],
            "body": row["body"],
        }]},
    });
    let answer = author.0.post("/v1/sync", &envelope).await.good();
    answer["push"]["verdicts"][0].clone()
}

async fn by_rest(author: &Actor, row: &Value, kind: &str, id: &str) -> Value {
    let body = json!({
        "unit": row["unit"], "id": id, "occurred_at": row["occurred_at"], "body": row["body"],
    });
    let path = format!("/v1/{}", collection(kind));
    let key = format!("key-{id}");
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
    ];
    let reply = author.post_raw(&path, &headers, body.to_string()).await;
    let answer = reply.json();
    match reply.status.as_u16() {
        201 => assert_eq!(answer["verdict"], "accepted"),
        202 => assert_eq!(answer["verdict"], "held"),
        422 => {}
        status => panic!("{status} {}", reply.text),
    }
    if answer["verdict"].is_object() {
        answer["verdict"].clone()
    } else {
        answer
    }
}

fn collection(kind: &str) -> &'static str {
    match kind {
        "check_in" => "check-ins",
        "visit" => "visits",
        "work_time" => "work-times",
        "client" => "clients",
        "activity" => "activities",
        "sign_up" => "sign-ups",
        "need" => "needs",
        "resource" => "resources",
        "link" => "links",
        other => panic!("no collection of {other}"),
    }
}

//! SIGKILL in the middle of work: what was acknowledged is there, once, with the same verdict.
//!
//! Phones push without a pause, each with a ledger of what it was answered. `SEED=17 cargo test
//! -p xiangyi-tests --test process kill` draws the same moments again.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use xiangyi_proto::account::SignedIn;
use xiangyi_server::clock::Clock;
use xiangyi_server::entropy::Entropy;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::on_both;
use xiangyi_tests::program::until;
use xiangyi_tests::scratch::Scratch;

use crate::stop::{announced, in_pieces, offset, rest};
use crate::{STATION, WORKER, data, demo};

const KILLS: u32 = 5;
const PHONES: u32 = 4;
/// Mutations of one push, at most.
const BATCH_MAX: u64 = 6;

/// A number below `bound`.
fn below(entropy: &Entropy, bound: u64) -> u64 {
    u64::from_be_bytes(entropy.bytes()) % bound
}

/// The seed that was asked for, or a new one; printed, which shows when the test fails.
#[expect(clippy::disallowed_methods, reason = "the suite's only setting")]
fn seed() -> u64 {
    let asked = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = asked.unwrap_or_else(|| u64::from(u32::from_be_bytes(Entropy::system().bytes())));
    println!("play it again with SEED={seed}");
    seed
}

/// A phone that pushes on and on.
struct Pusher {
    session: SignedIn,
    device: String,
    unit: String,
    entropy: Entropy,
    /// By number: what was sent, and its first verdict.
    ledger: BTreeMap<u64, (Value, Value)>,
}

/// Where the server is, and how far all phones are.
struct Field {
    server: watch::Receiver<Actor>,
    acknowledged: AtomicU64,
    is_over: AtomicBool,
}

impl Pusher {
    async fn new(nobody: &Actor, number: u32, seed: u64) -> Self {
        let worker = nobody.sign_in(&format!("138000000{number:02}")).await;
        let session = worker.signed_in().clone();
        Self {
            device: worker.register().await,
            unit: session.person.roles[0].unit.clone(),
            session,
            entropy: Entropy::seeded(seed + u64::from(number)),
            ledger: BTreeMap::new(),
        }
    }

    /// Pushes until the field work is over; the last batch is answered too.
    async fn work(mut self, field: &Field) -> Self {
        while !field.is_over.load(Ordering::SeqCst) {
            let first = self.ledger.len() as u64 + 1;
            let count = 1 + below(&self.entropy, BATCH_MAX);
            let batch: Vec<Value> = (first..first + count).map(|n| self.check_in(n)).collect();
            for verdict in self.pushed(field, &batch).await {
                let n = verdict["n"].as_u64().expect("a number");
                let sent = batch[usize::try_from(n - first).expect("its place")].clone();
                self.ledger.insert(n, (sent, first_of(verdict)));
                field.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }
        self
    }

    fn check_in(&self, n: u64) -> Value {
        let id = self.entropy.record_id(Clock::system().now());
        let words = "巡".repeat(usize::try_from(below(&self.entropy, 400)).expect("small"));
        json!({ "n": n, "op": "create", "kind": "check_in", "unit": self.unit, "id": id,
            "body": { "purpose": "visit", "phase": "in", "note": words,
                      "place": { "kind": "home", "village": format!("{}001", self.unit) } } })
    }

    /// Sends the same bytes, to whichever server runs, until each item has its verdict.
    async fn pushed(&self, field: &Field, batch: &[Value]) -> Vec<Value> {
        let envelope = json!({ "protocol": 1, "device": self.device,
            "push": { "mutations": batch } });
        let mut server = field.server.clone();
        loop {
            let worker = server.borrow_and_update().with(self.session.clone());
            let sent = worker.request(Method::POST, "/v1/sync").json(&envelope);
            let answer = async { sent.send().await.ok()?.json::<Value>().await.ok() };
            let Some(answer) = answer.await else {
                server.changed().await.expect("the server comes back");
                continue;
            };
            let verdicts = answer["push"]["verdicts"].as_array().cloned();
            let verdicts = verdicts.unwrap_or_default();
            if verdicts.len() == batch.len() {
                return verdicts;
            }
            assert!(
                answer["push"]["unanswered"].is_array() || answer["status"] == 503,
                "no item may be lost: {answer}"
            );
        }
    }

    /// Everything once more: the same verdicts, as duplicates.
    async fn repeats(&self, field: &Field) {
        let all: Vec<&(Value, Value)> = self.ledger.values().collect();
        for part in all.chunks(100) {
            let batch: Vec<Value> = part.iter().map(|(sent, _)| sent.clone()).collect();
            for (verdict, (sent, first)) in self.pushed(field, &batch).await.iter().zip(part) {
                assert_eq!(verdict["verdict"], "duplicate", "of {sent}: {verdict}");
                // The proof stands beside the first answer, over the same number.
                let mut first = first.clone();
                first.as_object_mut().expect("a verdict").remove("mac");
                assert_eq!(verdict["was"], first, "of {sent}");
                assert!(verdict["mac"].is_string(), "of {sent}: {verdict}");
            }
        }
    }

    /// A new phone of the same person gets each record exactly once.
    async fn reads(&self, field: &Field) {
        let worker = field.server.borrow().with(self.session.clone());
        let device = worker.register().await;
        let mailbox = format!("person:{}", self.session.person.id);
        let (mut seen, mut cursor) = (BTreeMap::<String, u64>::new(), Value::Null);
        loop {
            let ask = json!({ "protocol": 1, "device": device,
                "pull": { "cursor": cursor, "max_bytes": 524_288, "sums": true } });
            let pull = worker.post("/v1/sync", &ask).await.good()["pull"].clone();
            let changes = pull["changes"].as_array().cloned().unwrap_or_default();
            for row in changes
                .iter()
                .filter(|stream| stream["stream"] == mailbox.as_str())
                .flat_map(|stream| stream["rows"].as_array().expect("rows"))
                .filter(|row| row["kind"] == "check_in")
            {
                let id = row["id"].as_str().expect("an id").to_owned();
                *seen.entry(id).or_default() += 1;
                assert_eq!(row["rev"], 1, "written once: {row}");
            }
            cursor = pull["cursor"].clone();
            if pull["more"] != true {
                self.counts(&pull["sums"], &mailbox);
                break;
            }
        }
        let sent = self.ledger.values().map(|(sent, _)| sent["id"].as_str());
        let wanted = sent.map(|id| (id.expect("an id").to_owned(), 1)).collect();
        assert_eq!(seen, wanted, "each exactly once");
    }

    fn counts(&self, sums: &Value, mailbox: &str) {
        let mut sums = sums.as_array().expect("sums").iter();
        let own = sums.find(|sum| sum["stream"] == mailbox && sum["kind"] == "check_in");
        let live = own.map_or(&Value::Null, |sum| &sum["live"]);
        assert_eq!(*live, self.ledger.len(), "the server's own count");
    }
}

/// The verdict that counts: of a duplicate the one it repeats.
fn first_of(verdict: Value) -> Value {
    match verdict["verdict"].as_str() {
        Some("duplicate") => verdict["was"].clone(),
        _ => verdict,
    }
}

on_both!(killed_servers_keep_what_they_acknowledged, |engine| {
    let seed = seed();
    let moments = Entropy::seeded(seed);
    let scratch = Scratch::new("process");
    let database = engine.address(&scratch).await;
    let place = ["--database", &database];
    let start = || demo(scratch.path(), &place);
    let mut serving = start().await;
    let (tell, server) = watch::channel(serving.nobody());
    let field = Field {
        server,
        acknowledged: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    let mut phones = Vec::new();
    for number in 1..=PHONES {
        phones.push(Pusher::new(&serving.nobody(), number, seed).await);
    }
    let killer = async {
        for _ in 0..KILLS {
            let done = || field.acknowledged.load(Ordering::SeqCst);
            let goal = done() + 4 + below(&moments, 60);
            until("so much is acknowledged", || (done() >= goal).then_some(())).await;
            serving.kill().await;
            serving = start().await;
            tell.send(serving.nobody()).expect("phones listen");
        }
        field.is_over.store(true, Ordering::SeqCst);
        serving
    };
    let work = futures::future::join_all(phones.into_iter().map(|phone| phone.work(&field)));
    let (phones, _serving) = futures::join!(work, killer);
    for phone in &phones {
        assert!(!phone.ledger.is_empty(), "everybody was heard");
        phone.repeats(&field).await;
        phone.reads(&field).await;
    }
});

/// A visit with one photograph; gives its id.
async fn visit(worker: &Actor, photo: &[u8]) -> String {
    let device = worker.register().await;
    let now = Clock::system().now();
    let id = Entropy::system().record_id(now).to_string();
    let body = json!({
        "no_client_reason": "集中走访", "services": ["ec_visit"], "process": "看望老人",
        "started_at": now - 3_600_000, "ended_at": now - 60_000, "outcome": { "kind": "served" },
        "photos": [{ "sha256": hex::encode(Sha256::digest(photo)), "bytes": photo.len(),
                     "mime": "image/jpeg", "source": "camera" }],
    });
    let envelope = json!({ "protocol": 1, "device": device, "push": { "mutations": [
        { "n": 1, "op": "create", "kind": "visit", "unit": STATION, "id": id, "body": body } ]}});
    let answer = worker.post("/v1/sync", &envelope).await.good();
    let verdict = &answer["push"]["verdicts"][0];
    assert_eq!(verdict["derived"]["evidence"], "pending", "{answer}");
    id
}

on_both!(a_killed_upload_goes_on_where_the_server_says, |engine| {
    let scratch = Scratch::new("process");
    let database = engine.address(&scratch).await;
    let serving = demo(scratch.path(), &["--database", &database]).await;
    let worker = serving.nobody().sign_in(WORKER).await;
    let photo = fs::read(data("photos/exif-roadside.jpg")).expect("the file");
    let id = visit(&worker, &photo).await;
    let location = announced(&worker, &photo, "image/jpeg", &id).await;
    let sent = 150_000;
    let (pieces, body) = in_pieces();
    let upload = rest(&worker, &location, 0, body).send();
    let story = async {
        pieces
            .unbounded_send(Ok(photo[..sent].to_vec()))
            .expect("it is read");
        let mut durable = 0;
        // The server makes every 128 KiB durable and says so.
        while durable < 128 * 1024 {
            durable = offset(&worker, &location).await;
        }
        serving.kill().await;
        durable
    };
    let (cut, durable) = futures::join!(upload, story);
    assert!(cut.is_err(), "nobody answered");

    let serving = demo(scratch.path(), &["--database", &database]).await;
    let worker = serving.nobody().with(worker.signed_in().clone());
    let stands = offset(&worker, &location).await;
    assert!(
        (durable..=sent).contains(&stands),
        "{durable} <= {stands} <= {sent}"
    );
    let done = rest(&worker, &location, stands, photo[stands..].to_vec())
        .send()
        .await;
    assert_eq!(done.expect("an answer").status().as_u16(), 204);
    let visit = crate::config::once_complete(&worker, &id).await;
    assert_eq!(visit["body"]["derived"]["photos_here"], 1, "{visit}");
});

//! People in the field, whatever happens to the server: each pushes without a pause and keeps a
//! ledger of what it was answered, to be held against what the server has.
//!
//! A worker checks in, takes check-ins back, visits, corrects visits and sends photographs; a
//! volunteer signs up and leaves again. All choices come from a seed.

mod ledger;
mod photo;
mod plan;

pub use ledger::{Entry, Ledger};
pub use plan::Trade;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use xiangyi_proto::account::SignedIn;
use xiangyi_server::entropy::Entropy;

use crate::actor::Actor;

/// How long a phone without an answer leaves the server alone, unless it hears of another.
const BACK_OFF: Duration = Duration::from_millis(20);
/// Tries without an answer after which a phone gives up: two minutes or more.
const TRIES: u32 = 6_000;
/// Entries of the ledger that are compared again after each cut.
const RECENT: usize = 20;
/// How long anybody waits for one answer: longer than the server waits for its database.
const ANSWER: Duration = Duration::from_secs(20);

/// Where the server is now, and how far everybody is.
#[derive(Debug)]
pub struct Field {
    tell: watch::Sender<Actor>,
    server: watch::Receiver<Actor>,
    acknowledged: AtomicU64,
    is_over: AtomicBool,
}

/// Somebody with a phone who pushes on and on.
#[derive(Debug)]
pub struct Pusher {
    pub session: SignedIn,
    device: String,
    pub ledger: Ledger,
    plan: plan::Plan,
}

/// A number below `bound`.
pub fn below(entropy: &Entropy, bound: u64) -> u64 {
    u64::from_be_bytes(entropy.bytes()) % bound
}

/// A whole number that was asked for by a variable.
#[expect(clippy::disallowed_methods, reason = "settings of suites")]
pub fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed that was asked for, or a new one; printed, which shows when the test fails.
pub fn seed() -> u64 {
    let new = || u64::from(u32::from_be_bytes(Entropy::system().bytes()));
    let seed = asked("SEED").unwrap_or_else(new);
    println!("play it again with SEED={seed}");
    seed
}

impl Field {
    /// A field whose server is this one.
    pub fn new(server: Actor) -> Self {
        let (tell, server) = watch::channel(server);
        Self {
            tell,
            server,
            acknowledged: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// Tells everybody where the server is from now on.
    pub fn is_at(&self, server: Actor) {
        self.tell.send_replace(server);
    }

    /// The server, as somebody without a session.
    pub fn server(&self) -> Actor {
        self.server.borrow().clone()
    }

    /// How many items were answered.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Lets everybody finish what they are at.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

impl Pusher {
    /// Somebody of the demo with a new phone.
    pub async fn new(nobody: &Actor, telephone: &str, trade: Trade, seed: u64) -> Self {
        let actor = nobody.sign_in(telephone).await;
        let session = actor.signed_in().clone();
        let unit = session.person.roles[0].unit.clone();
        let own = telephone.parse::<u64>().expect("a telephone");
        Self {
            device: actor.register().await,
            session,
            ledger: Ledger::default(),
            plan: plan::Plan::new(trade, unit, Entropy::seeded(seed ^ own)),
        }
    }

    /// Pushes until the field is over; the last batch is answered too.
    pub async fn work(mut self, field: &Field) -> Self {
        let mut server = field.server.clone();
        while !field.is_over() {
            if server.has_changed().unwrap_or(false) {
                server.mark_unchanged();
                self.repeats(field, RECENT).await;
            }
            let (batch, photo) = self.plan.next(&self.ledger);
            for verdict in self.pushed(field, &batch).await {
                self.ledger.keep(&batch, verdict);
                field.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            if let Some(photo) = photo {
                photo::send(self.actor(field), field, &photo).await;
                self.ledger.photos.push(photo);
            }
        }
        self
    }

    /// The person, at whichever server there is now.
    pub fn actor(&self, field: &Field) -> Actor {
        field.server().with(self.session.clone())
    }

    /// Sends the same bytes, to whichever server runs, until each item has its verdict.
    pub async fn pushed(&self, field: &Field, batch: &[Value]) -> Vec<Value> {
        let envelope = json!({ "protocol": 1, "device": self.device,
            "push": { "mutations": batch } });
        let mut last = Value::Null;
        for _ in 0..TRIES {
            let sent = self.actor(field).request(Method::POST, "/v1/sync");
            let sent = sent.timeout(ANSWER).json(&envelope);
            let answer = async { sent.send().await.ok()?.json::<Value>().await.ok() };
            if let Some(answer) = answer.await {
                let verdicts = answer["push"]["verdicts"].as_array().cloned();
                let verdicts = verdicts.unwrap_or_default();
                if verdicts.len() == batch.len() {
                    return verdicts;
                }
                assert!(
                    answer["push"]["unanswered"].is_array() || answer["status"] == 503,
                    "no item may be lost: {answer}"
                );
                last = answer;
            }
            moment(field).await;
        }
        panic!("never answered: {last}");
    }

    /// The last entries once more: the same verdicts, as duplicates.
    pub async fn repeats(&self, field: &Field, last: usize) {
        let entries: Vec<&Entry> = self.ledger.entries.values().rev().take(last).collect();
        for part in entries.chunks(100) {
            let batch: Vec<Value> = part.iter().map(|entry| entry.sent.clone()).collect();
            for (verdict, entry) in self.pushed(field, &batch).await.iter().zip(part) {
                entry.is_same(verdict);
            }
        }
    }

    /// Everything: verdicts repeat, and a new phone of the same person gets each record once.
    pub async fn agrees(&self, field: &Field) {
        assert!(!self.ledger.entries.is_empty(), "everybody was heard");
        self.repeats(field, usize::MAX).await;
        let actor = self.actor(field);
        self.ledger.is_read_by(&actor).await;
        for photo in &self.ledger.photos {
            photo::is_here(&actor, photo).await;
        }
    }
}

/// Waits until the server has moved, or a moment.
pub(crate) async fn moment(field: &Field) {
    let mut server = field.server.clone();
    server.mark_unchanged();
    let _ = tokio::time::timeout(BACK_OFF, server.changed()).await;
}

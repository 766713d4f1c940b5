//! What one phone was answered, and whether the server still says so.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::photo::Photo;
use crate::actor::Actor;

/// What was sent, and its first verdict.
#[derive(Debug, Clone)]
pub struct Entry {
    pub sent: Value,
    pub first: Value,
}

/// By number, with the photographs that arrived.
#[derive(Debug, Default)]
pub struct Ledger {
    pub entries: BTreeMap<u64, Entry>,
    pub photos: Vec<Photo>,
}

/// A record as the ledger knows it: its revision, or that it is gone.
type Known = BTreeMap<String, (String, u64, bool)>;

impl Entry {
    /// Compares what a repetition got.
    pub fn is_same(&self, verdict: &Value) {
        let sent = &self.sent;
        assert_eq!(verdict["verdict"], "duplicate", "of {sent}: {verdict}");
        // The proof stands beside the first answer, over the same number.
        let mut first = self.first.clone();
        first.as_object_mut().expect("a verdict").remove("mac");
        assert_eq!(verdict["was"], first, "of {sent}");
        assert!(verdict["mac"].is_string(), "of {sent}: {verdict}");
    }

    /// Whether it has taken effect.
    pub fn is_in(&self) -> bool {
        matches!(self.first["verdict"].as_str(), Some("accepted" | "merged"))
    }

    /// The record it is about.
    pub fn id(&self) -> &str {
        self.sent["id"].as_str().expect("an id")
    }
}

impl Ledger {
    /// The number of what is sent next.
    pub fn next(&self) -> u64 {
        self.entries.last_key_value().map_or(1, |(n, _)| n + 1)
    }

    /// Keeps a verdict over one of a batch; of a duplicate the one it repeats.
    pub fn keep(&mut self, batch: &[Value], verdict: Value) {
        let n = verdict["n"].as_u64().expect("a number");
        let sent = batch.iter().find(|sent| sent["n"] == n);
        let sent = sent.expect("an item that was sent").clone();
        let first = match verdict["verdict"].as_str() {
            Some("duplicate") => verdict["was"].clone(),
            _ => verdict,
        };
        self.entries.insert(n, Entry { sent, first });
    }

    fn known(&self) -> Known {
        let mut known = Known::new();
        for entry in self.entries.values().filter(|entry| entry.is_in()) {
            let kind = entry.sent["kind"].as_str().expect("a kind").to_owned();
            let rev = entry.first["rev"].as_u64().expect("a revision");
            let gone = entry.sent["op"] == "void";
            known.insert(entry.id().to_owned(), (kind, rev, gone));
        }
        known
    }

    /// A new phone gets each record exactly once, and no other of these kinds.
    pub async fn is_read_by(&self, actor: &Actor) {
        let mailbox = format!("person:{}", actor.signed_in().person.id);
        let (rows, sums) = pulled(actor, &mailbox).await;
        let mut seen = BTreeMap::<&str, u64>::new();
        for row in &rows {
            let id = row["id"].as_str().expect("an id");
            assert!(seen.insert(id, 1).is_none(), "twice: {row}");
        }
        let known = self.known();
        for (id, (kind, rev, gone)) in &known {
            let found = rows.iter().find(|row| row["id"] == id.as_str());
            match found {
                None => assert!(gone, "{kind} {id} is lost at revision {rev}"),
                Some(row) => {
                    assert!(!gone, "{kind} {id} was voided: {row}");
                    let has = row["rev"].as_u64().unwrap_or(0);
                    // The server rewrites what it derives of visits and sign-ups.
                    let fits = has == *rev || (kind != "check_in" && has > *rev);
                    assert!(fits, "{kind} {id} at {has} instead of {rev}");
                }
            }
        }
        for kind in ["check_in", "visit", "sign_up"] {
            let of_kind = rows.iter().filter(|row| row["kind"] == kind);
            for row in of_kind.clone() {
                let id = row["id"].as_str().expect("an id");
                assert!(known.contains_key(id), "nobody acknowledged {row}");
            }
            let own = |sum: &&Value| sum["stream"] == mailbox.as_str() && sum["kind"] == kind;
            let live = sums.iter().find(own).map_or(0, |sum| {
                let live = sum["live"].as_u64();
                live.expect("a count")
            });
            assert_eq!(
                live,
                of_kind.count() as u64,
                "the server's own count: {kind}"
            );
        }
    }
}

/// Everything in a mailbox, read from its beginning, and the sums at the end.
async fn pulled(actor: &Actor, mailbox: &str) -> (Vec<Value>, Vec<Value>) {
    let device = actor.register().await;
    let (mut rows, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let ask = json!({ "protocol": 1, "device": device,
            "pull": { "cursor": cursor, "max_bytes": 524_288, "sums": true } });
        let pull = actor.post("/v1/sync", &ask).await.good()["pull"].clone();
        let changes = pull["changes"].as_array().cloned().unwrap_or_default();
        let own = changes.iter().filter(|part| part["stream"] == mailbox);
        rows.extend(own.flat_map(|part| part["rows"].as_array().cloned().unwrap_or_default()));
        cursor = pull["cursor"].clone();
        if pull["more"] != true {
            return (rows, pull["sums"].as_array().cloned().expect("sums"));
        }
    }
}

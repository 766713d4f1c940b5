//! Writers through both nodes while others read without a pause: what a reader has passed stays as
//! it was, and what it has is all there is. No two commits may show in another order than they
//! are numbered.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xiangyi_server::entropy::Entropy;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::field::{Field, Pusher, Trade, below, seed};
use xiangyi_tests::program::until;

use crate::Pair;

/// Answered items through each node before readers compare for the last time.
const ITEMS: u64 = 250;

/// A phone that reads on and on, now here, now there.
struct Reader {
    actors: [Actor; 2],
    device: String,
    /// The kinds it knows; all when absent.
    schemas: Value,
    cursor: Value,
    /// By stream and id: number and revision.
    rows: BTreeMap<(String, String), (u64, Value)>,
    /// By stream: the number up to which everything had been read.
    passed: BTreeMap<String, u64>,
    pages: u64,
}

impl Reader {
    async fn new(pair: &Pair, telephone: &str, schemas: Value) -> Self {
        let one = pair.one.nobody().sign_in(telephone).await;
        let two = pair.two.nobody().with(one.signed_in().clone());
        Self {
            device: one.register().await,
            actors: [one, two],
            schemas,
            cursor: Value::Null,
            rows: BTreeMap::new(),
            passed: BTreeMap::new(),
            pages: 0,
        }
    }

    /// One page from the node of this number; whether there is more.
    async fn page(&mut self, node: usize) -> bool {
        let ask = json!({ "protocol": 1, "device": self.device,
            "client": { "app": "old", "build": 1, "schemas": self.schemas },
            "pull": { "cursor": self.cursor, "max_bytes": 16_384, "sums": true } });
        let pull = self.actors[node].post("/v1/sync", &ask).await.good()["pull"].clone();
        self.pages += 1;
        for part in pull["changes"].as_array().into_iter().flatten() {
            let stream = part["stream"].as_str().expect("a stream").to_owned();
            for row in part["rows"].as_array().into_iter().flatten() {
                self.takes(&stream, row);
            }
        }
        if pull["cursor"].is_string() {
            self.cursor = pull["cursor"].clone();
        }
        let more = pull["more"] == true;
        if !more {
            self.passes();
            self.adds_up(&pull["sums"]);
        }
        more
    }

    fn takes(&mut self, stream: &str, row: &Value) {
        let (id, seq) = (row["id"].as_str().expect("an id"), row["seq"].as_u64());
        let seq = seq.expect("a number");
        let passed = self.passed.get(stream).copied().unwrap_or(0);
        assert!(
            seq > passed,
            "{stream} {id}: number {seq} came after {passed} had been passed"
        );
        let key = (stream.to_owned(), id.to_owned());
        if row["rm"] == true {
            self.rows.remove(&key);
            return;
        }
        self.rows.insert(key, (seq, row["kind"].clone()));
    }

    /// All of every stream up to its highest number has been read.
    fn passes(&mut self) {
        for ((stream, _), (seq, _)) in &self.rows {
            let passed = self.passed.entry(stream.clone()).or_default();
            *passed = (*passed).max(*seq);
        }
    }

    /// The server's counts of this moment are what is here: no row was skipped.
    fn adds_up(&self, sums: &Value) {
        for sum in sums.as_array().into_iter().flatten() {
            let own = self.rows.iter().filter(|((stream, _), (_, kind))| {
                sum["stream"] == stream.as_str() && sum["kind"] == *kind
            });
            let (live, here) = (sum["live"].as_u64(), own.count() as u64);
            assert_eq!(live, Some(here), "of {sum} after {} pages", self.pages);
        }
    }

    async fn reads_until(mut self, is_over: impl Fn() -> bool, dice: &Entropy) -> Self {
        while !is_over() {
            self.page(usize::try_from(below(dice, 2)).expect("small"))
                .await;
        }
        while self.page(0).await {}
        self
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_skips_a_row_that_shows_later() {
    let seed = seed();
    let pair = Pair::start(&[]).await;
    let fields = [Field::new(pair.one.nobody()), Field::new(pair.two.nobody())];
    let mut people = Vec::new();
    for (index, telephone) in (1..=6).map(|n| format!("138000000{n:02}")).enumerate() {
        let nobody = fields[index % 2].server();
        people.push((
            index % 2,
            Pusher::new(&nobody, &telephone, Trade::Checks, seed).await,
        ));
    }
    let done = || fields.iter().all(|field| field.acknowledged() >= ITEMS);
    // Everything, and a client of an earlier make that knows one kind.
    let hub = Reader::new(&pair, "13800000201", json!({})).await;
    let lead = Reader::new(&pair, "13800000101", json!({})).await;
    let old = Reader::new(&pair, "13800000101", json!({ "check_in": 1 })).await;
    let work = people
        .into_iter()
        .map(|(node, one)| one.work(&fields[node]));
    let work = futures::future::join_all(work);
    let dice = [seed, seed + 1, seed + 2].map(Entropy::seeded);
    let reading = async {
        let (hub, lead, old) = futures::join!(
            hub.reads_until(done, &dice[0]),
            lead.reads_until(done, &dice[1]),
            old.reads_until(done, &dice[2]),
        );
        fields.iter().for_each(Field::end);
        [hub, lead, old]
    };
    let (people, readers) = futures::join!(work, reading);
    for (index, one) in people.iter().enumerate() {
        // Through the node it did not write to.
        one.agrees(&fields[(index + 1) % 2]).await;
    }
    for (reader, telephone) in
        readers
            .into_iter()
            .zip(["13800000201", "13800000101", "13800000101"])
    {
        let mut reader = reader;
        while reader.page(1).await {}
        let mut fresh = Reader::new(&pair, telephone, reader.schemas.clone()).await;
        while fresh.page(0).await {}
        assert_eq!(
            reader.rows, fresh.rows,
            "{telephone} after {} pages",
            reader.pages
        );
        println!(
            "{telephone}: {} rows in {} pages",
            reader.rows.len(),
            reader.pages
        );
    }
    until("both nodes wrote", || done().then_some(())).await;
    pair.end().await;
}

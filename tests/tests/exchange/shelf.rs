//! The rows of a phone, kept as section 11 of the protocol says and by nothing else of ours; and
//! a recount of its sums as section 12 says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use xiangyi_tests::actor::Phone;

/// A stream: shard and name.
pub type Stream = (i64, String);

/// What a phone holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shelf {
    pub cursor: Option<String>,
    /// Rows by stream and record.
    pub rows: BTreeMap<(Stream, String), Value>,
    /// Rows that a reset made doubtful.
    doubtful: BTreeSet<(Stream, String)>,
    /// The pages of the last `read`.
    pub pages: Vec<Value>,
}

fn streams(page: &Value, member: &str) -> BTreeSet<Stream> {
    list(&page[member]).iter().map(stream).collect()
}

fn stream(value: &Value) -> Stream {
    let shard = value["shard"].as_i64().expect("a shard");
    (
        shard,
        value["stream"].as_str().expect("a stream").to_owned(),
    )
}

/// The elements of a list; none when it is absent.
pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

impl Shelf {
    /// Pulls until there is no more; `ask` may name `max_bytes` and `sums`.
    pub async fn read(&mut self, phone: &Phone, ask: &Value) {
        self.read_knowing(phone, ask, &Value::Null).await;
    }

    /// The same for a client that knows only these schemas; null says nothing of them.
    pub async fn read_knowing(&mut self, phone: &Phone, ask: &Value, schemas: &Value) {
        self.pages.clear();
        loop {
            let mut ask = ask.clone();
            ask["cursor"] = json!(self.cursor);
            let mut members = json!({ "pull": ask });
            if !schemas.is_null() {
                members["client"] = json!({ "app": "test", "build": 1, "schemas": schemas });
            }
            let page = phone.exchange(members).await.good()["pull"].clone();
            self.apply(&page);
            let more = page["more"] == true;
            self.pages.push(page);
            assert!(self.pages.len() < 500, "pages come to an end");
            if !more {
                return;
            }
        }
    }

    fn apply(&mut self, page: &Value) {
        let (leave, enter) = (streams(page, "leave"), streams(page, "enter"));
        let first = self.cursor.is_none();
        self.rows
            .retain(|(stream, _), _| !leave.contains(stream) && !enter.contains(stream));
        if first {
            self.rows.clear();
        }
        let reset = streams(page, "reset");
        let doubtful = self
            .rows
            .keys()
            .filter(|(stream, _)| reset.contains(stream));
        self.doubtful.extend(doubtful.cloned());
        for part in list(&page["changes"]) {
            self.take(&stream(&part), &list(&part["rows"]));
        }
        let swept = streams(page, "swept");
        let gone: Vec<_> = self
            .doubtful
            .iter()
            .filter(|(s, _)| swept.contains(s))
            .cloned()
            .collect();
        for key in gone {
            self.doubtful.remove(&key);
            self.rows.remove(&key);
        }
        if let Some(cursor) = page["cursor"].as_str() {
            self.cursor = Some(cursor.to_owned());
        }
    }

    fn take(&mut self, stream: &Stream, rows: &[Value]) {
        let seqs: Vec<i64> = rows.iter().filter_map(|row| row["seq"].as_i64()).collect();
        assert!(seqs.is_sorted(), "in order of seq: {seqs:?}");
        for row in rows {
            let key = (
                stream.clone(),
                row["id"].as_str().expect("an id").to_owned(),
            );
            self.doubtful.remove(&key);
            if row["rm"] == true {
                self.rows.remove(&key);
            } else {
                self.rows.insert(key, row.clone());
            }
        }
    }

    /// The streams that hold rows.
    pub fn streams(&self) -> BTreeSet<&str> {
        self.rows
            .keys()
            .map(|((_, name), _)| name.as_str())
            .collect()
    }

    /// The ids in a stream.
    pub fn ids(&self, stream: &str) -> BTreeSet<String> {
        let here = self.rows.keys().filter(|((_, name), _)| name == stream);
        here.map(|(_, id)| id.clone()).collect()
    }

    /// The sums by shard, stream and kind, counted from the rows.
    pub fn sums(&self) -> BTreeSet<String> {
        let mut sums: BTreeMap<(Stream, String), (u64, u32, u32)> = BTreeMap::new();
        for ((stream, id), row) in &self.rows {
            let kind = row["kind"].as_str().expect("a kind").to_owned();
            let bytes = hashed(id, row["rev"].as_i64().expect("a rev"));
            let sum = sums.entry((stream.clone(), kind)).or_default();
            sum.0 += 1;
            sum.1 = sum.1.wrapping_add(crc32(&bytes));
            sum.2 = sum.2.wrapping_add(fnv(&bytes));
        }
        let told = |(((shard, stream), kind), (live, one, two))| {
            format!("{shard} {stream} {kind}: {live} {one} {two}")
        };
        sums.into_iter().map(told).collect()
    }

    /// The sums that the last page told, of kinds with rows.
    pub fn told_sums(&self) -> BTreeSet<String> {
        let told = self
            .pages
            .last()
            .map(|page| list(&page["sums"]))
            .unwrap_or_default();
        let alive = told.iter().filter(|sum| sum["live"] != 0);
        let text = |sum: &Value| {
            let word = |name: &str| sum[name].as_str().unwrap_or_default().to_owned();
            let (stream, kind) = (word("stream"), word("kind"));
            let (live, one, two) = (&sum["live"], &sum["sum1"], &sum["sum2"]);
            format!("{} {stream} {kind}: {live} {one} {two}", sum["shard"])
        };
        alive.map(text).collect()
    }
}

fn hashed(id: &str, rev: i64) -> Vec<u8> {
    let mut bytes = hex::decode(id.replace('-', "")).expect("an id");
    bytes.extend(rev.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(2_166_136_261, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(16_777_619)
    })
}

#[test]
fn the_recount_gives_the_printed_vector() {
    let bytes = hashed("019b7a50-31c5-7c1e-8d0a-6b1f9e2a4c01", 1);
    assert_eq!((crc32(&bytes), fnv(&bytes)), (256_479_185, 454_313_850));
}

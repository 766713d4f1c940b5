//! The floor: what the database does when nobody judges, parses or answers.
//!
//! One connection writes the tables of accepted visits, with the columns and the batches of the
//! server's own save, each batch a synced commit. Reads, rules, sealing and HTTP are left out, so
//! nothing that stores these rows record by record can be faster; group commit can. Preparing the
//! rows is not on the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::{Kind, Op, See};
use xiangyi_proto::time::{self, MINUTE_MS, Millis, TimeQuality};
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_server::bulk;
use xiangyi_server::clock::Clock;
use xiangyi_server::store::bulk::Bulk;
use xiangyi_server::store::{Db, Tx, shards};
use xiangyi_sync::effects::{RollupDelta, RollupKey};
use xiangyi_sync::policy::FactKind;
use xiangyi_sync::project;
use xiangyi_sync::sums::Sum;

use super::Fault;
use super::visits::{Visit, Visits, WORKERS};
use crate::engine::Engine;

const SHARD: Shard = Shard(430_121);
/// Commits before the clock starts: statements are prepared, files have grown.
const WARM_UP: usize = 16;
/// Bytes that sealing adds: a version, a nonce, a tag.
const SEAL_BYTES: usize = 1 + 12 + 16;
/// Stations' streams are numbered behind the mailboxes.
const STATIONS: i64 = 100;
const CLASS: &str = "professional";

/// Records a second in commits of `batch` records, measured for `span`.
///
/// # Errors
/// When the database does not take them.
pub async fn per_second(engine: Engine, batch: usize, span: Duration) -> Result<f64, Fault> {
    let fresh = engine.fresh().await;
    let mut writer = Writer::new(fresh.db.clone())?;
    for _ in 0..WARM_UP {
        writer.commit(batch).await?;
    }
    let (mut took, mut records) = (Duration::ZERO, 0_usize);
    while took < span {
        took += writer.commit(batch).await?;
        records += batch;
    }
    fresh.db.close().await;
    Ok(records as f64 / took.as_secs_f64())
}

/// A visit as the tables hold it.
struct Written {
    visit: Visit,
    person: String,
    device: String,
    mailbox: i64,
    station: i64,
    /// Of the rows; the log's is the one behind.
    seq: i64,
    n: i64,
    digest: [u8; 32],
    whole: String,
    sealed: Vec<u8>,
    shared: String,
    answer: String,
    received_at: Millis,
}

struct Writer {
    db: Db,
    visits: Visits,
    head: i64,
    n: i64,
    turn: usize,
}

impl Writer {
    fn new(db: Db) -> Result<Self, Fault> {
        Ok(Self {
            db,
            visits: Visits::new()?,
            head: 0,
            n: 0,
            turn: 0,
        })
    }

    /// One synced commit of so many visits of one worker; gives the time it took.
    async fn commit(&mut self, batch: usize) -> Result<Duration, Fault> {
        let worker = self.turn % WORKERS;
        self.turn += 1;
        let mut rows = Vec::with_capacity(batch);
        for _ in 0..batch {
            rows.push(self.prepare(worker)?);
        }
        let chain = rows.last().map_or([0; 32], |row| row.digest);
        let began = super::now();
        let mut tx = self.db.write().await?;
        shards::lock(&mut tx, SHARD).await?;
        feed(&mut tx, &rows).await?;
        log(&mut tx, &rows).await?;
        facts(&mut tx, &rows).await?;
        sums(&mut tx, &rows).await?;
        rollups(&mut tx, &rows).await?;
        shards::advance(&mut tx, SHARD, self.head, &chain).await?;
        tx.commit().await?;
        Ok(began.elapsed())
    }

    fn prepare(&mut self, worker: usize) -> Result<Written, Fault> {
        let mut visit = self.visits.next(worker);
        let minutes = (visit.ended_at - visit.started_at) / MINUTE_MS;
        let derived = json!({
            "class": CLASS, "minutes": minutes, "photo_count": 0, "photos_here": 0,
            "evidence": "none",
        });
        visit.body["derived"] = derived.clone();
        visit.body["state"] = "submitted".into();
        let whole = project::copy(Kind::Visit, &visit.body, See::Whole);
        let shared = project::copy(Kind::Visit, &visit.body, See::Station);
        let seq = self.head + 1;
        self.head += 2;
        self.n += 1;
        let mut verdict = Verdict::bare(self.n, visit.id, VerdictName::Accepted);
        verdict.rev = Some(1);
        verdict.seq = Some(seq);
        verdict.derived = Some(derived);
        let mut sealed = whole.sealed.unwrap_or_default().into_bytes();
        sealed.resize(sealed.len() + SEAL_BYTES, 0);
        let number = i64::try_from(worker)?;
        Ok(Written {
            person: format!("p-worker-{:02}", worker + 1),
            device: format!("d-FLOOR{worker:03}"),
            mailbox: number,
            station: STATIONS + number / 2,
            seq,
            n: self.n,
            digest: Sha256::digest(whole.open.as_bytes()).into(),
            whole: whole.open,
            sealed,
            shared: shared.open,
            answer: serde_json::to_string(&verdict)?,
            received_at: Clock::system().now(),
            visit,
        })
    }
}

static FEED: Bulk = Bulk::new(
    "INSERT INTO feed (shard, stream, seq, op, id, kind, schema, rev, home, author, unit, \
     village, state, occurred_at, received_at, estimated_at, quality, body, sealed, sealed_for, \
     field_revs) VALUES",
    "iiiibiiiottttiiiitbtt",
    "",
);

/// A visit's row in one stream.
struct Placed<'a> {
    row: &'a Written,
    stream: i64,
    home: bool,
    body: &'a str,
}

async fn feed(tx: &mut Tx, rows: &[Written]) -> Result<(), Fault> {
    let placed: Vec<Placed<'_>> = rows
        .iter()
        .flat_map(|row| [row.mailbox_row(), row.station_row()])
        .collect();
    bulk!(tx, FEED, &placed, |query, place| {
        let row = place.row;
        query
            .bind(SHARD.0)
            .bind(place.stream)
            .bind(row.seq)
            .bind(0_i64)
            .bind(row.visit.id.as_bytes().as_slice())
            .bind(Kind::Visit.number())
            .bind(i64::from(Kind::Visit.spec().schema))
            .bind(1_i64)
            .bind(place.home)
            .bind(row.person.as_str())
            .bind(row.visit.unit.as_str())
            .bind(Some(row.visit.village.as_str()))
            .bind(Some("submitted"))
            .bind(row.visit.started_at)
            .bind(row.received_at)
            .bind(row.visit.started_at)
            .bind(TimeQuality::Offset.number())
            .bind(place.body)
            .bind(place.home.then_some(row.sealed.as_slice()))
            .bind(place.home.then_some(row.person.as_str()))
            .bind(place.home.then_some("{}"))
    });
    Ok(())
}

impl Written {
    fn mailbox_row(&self) -> Placed<'_> {
        Placed {
            row: self,
            stream: self.mailbox,
            home: true,
            body: &self.whole,
        }
    }

    fn station_row(&self) -> Placed<'_> {
        Placed {
            row: self,
            stream: self.station,
            home: false,
            body: &self.shared,
        }
    }
}

static LOG: Bulk = Bulk::new(
    "INSERT INTO log (shard, seq, device, n, digest, content, verdict, answer, record, kind, op, \
     author, unit, rule, received_at, packs, key, body_digest) VALUES",
    "iitibbitbiitttittb",
    "",
);

async fn log(tx: &mut Tx, rows: &[Written]) -> Result<(), Fault> {
    bulk!(tx, LOG, rows, |query, row| query
        .bind(SHARD.0)
        .bind(row.seq + 1)
        .bind(row.device.as_str())
        .bind(row.n)
        .bind(row.digest.as_slice())
        .bind(Some(row.digest.as_slice()))
        .bind(VerdictName::Accepted.number())
        .bind(row.answer.as_str())
        .bind(row.visit.id.as_bytes().as_slice())
        .bind(Kind::Visit.number())
        .bind(Op::Create as i64)
        .bind(row.person.as_str())
        .bind(row.visit.unit.as_str())
        .bind(None::<&str>)
        .bind(row.received_at)
        .bind(Some("43@1"))
        .bind(None::<&str>)
        .bind(None::<&[u8]>));
    Ok(())
}

static FACTS: Bulk = Bulk::new(
    "INSERT INTO fact (shard, kind, key, from_ms, to_ms, person, record, note) VALUES",
    "iitiitbt",
    "",
);

async fn facts(tx: &mut Tx, rows: &[Written]) -> Result<(), Fault> {
    bulk!(tx, FACTS, rows, |query, row| query
        .bind(SHARD.0)
        .bind(FactKind::Presence.number())
        .bind(row.person.as_str())
        .bind(row.visit.started_at)
        .bind(row.visit.ended_at)
        .bind(row.person.as_str())
        .bind(row.visit.id.as_bytes().as_slice())
        .bind("home"));
    Ok(())
}

static SUMS: Bulk = Bulk::new(
    "INSERT INTO stream_sum (shard, stream, kind, live, sum1, sum2) VALUES",
    "iiiiii",
    "ON CONFLICT (shard, stream, kind) DO UPDATE SET live = stream_sum.live + excluded.live, \
     sum1 = (stream_sum.sum1 + excluded.sum1) % 4294967296, \
     sum2 = (stream_sum.sum2 + excluded.sum2) % 4294967296",
);

async fn sums(tx: &mut Tx, rows: &[Written]) -> Result<(), Fault> {
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    for row in rows {
        for stream in [row.mailbox, row.station] {
            sums.entry(stream).or_default().add(row.visit.id, 1);
        }
    }
    let writes: Vec<(i64, Sum)> = sums.into_iter().collect();
    bulk!(tx, SUMS, &writes, |query, write| query
        .bind(SHARD.0)
        .bind(write.0)
        .bind(Kind::Visit.number())
        .bind(write.1.live)
        .bind(write.1.sum1)
        .bind(write.1.sum2));
    Ok(())
}

static ROLLUPS: Bulk = Bulk::new(
    "INSERT INTO rollup (shard, day, unit, village, class, kind, count, minutes, missing) VALUES",
    "iitttiiii",
    "ON CONFLICT (shard, day, unit, village, class, kind) DO UPDATE SET \
     count = rollup.count + excluded.count, minutes = rollup.minutes + excluded.minutes, \
     missing = rollup.missing + excluded.missing",
);

async fn rollups(tx: &mut Tx, rows: &[Written]) -> Result<(), Fault> {
    let mut counts: BTreeMap<RollupKey, RollupDelta> = BTreeMap::new();
    for row in rows {
        let key = RollupKey {
            day: time::day_number(row.visit.started_at),
            unit: row.visit.unit.clone(),
            village: row.visit.village.clone(),
            class: CLASS.to_owned(),
            kind: Kind::Visit.number(),
        };
        let one = RollupDelta {
            count: 1,
            minutes: (row.visit.ended_at - row.visit.started_at) / MINUTE_MS,
            missing: 0,
        };
        counts.entry(key).or_default().shift(one, 1);
    }
    let writes: Vec<(RollupKey, RollupDelta)> = counts.into_iter().collect();
    bulk!(tx, ROLLUPS, &writes, |query, write| {
        let (key, delta) = write;
        query
            .bind(SHARD.0)
            .bind(key.day)
            .bind(key.unit.as_str())
            .bind(key.village.as_str())
            .bind(key.class.as_str())
            .bind(key.kind)
            .bind(delta.count)
            .bind(delta.minutes)
            .bind(delta.missing)
    });
    Ok(())
}

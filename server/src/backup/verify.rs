//! Checking that what is stored adds up: the log's chain, the sums, the counts, the places, that
//! what is sealed opens, and that each photograph has its bytes.
//!
//! A fault is told with the table, the county and numbers; never with anything that a record says.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_sync::effects::{RollupDelta, RollupKey};
use xiangyi_sync::kinds;
use xiangyi_sync::sums::Sum;
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::World;

use super::PhotoPages;
use crate::accounts::seal::Sealer;
use crate::app::{App, StartError};
use crate::blobs::Key;
use crate::store::chain::{Link, link};
use crate::store::{Db, StoreError, Tx, audit, keys, load, shards};

/// Rows of a page.
const PAGE: i64 = 500;
/// Faults that are told; a table that was lost must not fill the screen.
const FAULTS_MAX: usize = 100;

/// Checks a database whole, in one snapshot; gives the faults.
///
/// # Errors
/// When the database cannot be read.
pub async fn database(db: &Db, sealer: &Sealer) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let mut tx = db.read().await?;
    // First: with other keys nothing else can be said, and rows that are not sealed would pass.
    match keys::unopened(&mut tx, sealer).await? {
        0 => {}
        count => faults.push(format!(
            "seal_key: {count} keys do not open with these keys"
        )),
    }
    for shard in shards::heads(&mut tx).await? {
        let place = Place { shard: shard.id };
        place.chain(&mut tx, &shard, &mut faults).await?;
        let homes = place.sums(&mut tx, &mut faults).await?;
        place.counts(&mut tx, sealer, homes, &mut faults).await?;
        for (id, kept, taken) in audit::places(&mut tx, shard.id).await? {
            if kept != taken {
                let id = load::id(&id)?;
                let shard = shard.id;
                faults.push(format!(
                    "slot {shard} {id}: {kept} taken, claims say {taken}"
                ));
            }
        }
        if faults.len() >= FAULTS_MAX {
            faults.truncate(FAULTS_MAX);
            break;
        }
    }
    Ok(faults)
}

/// Checks that every photograph has the bytes of its name; gives how many there are.
///
/// # Errors
/// When the database or the store of photographs does not answer.
pub async fn photographs(app: &App, faults: &mut Vec<String>) -> Result<i64, StartError> {
    let mut count = 0;
    let mut pages = PhotoPages::new();
    while let Some(page) = pages.next(&app.db).await? {
        for (shard, sha256) in page {
            count += 1;
            let name = hex::encode(&sha256);
            let fault = match app.blobs.get(&Key::original(shard, &name)).await? {
                Some(bytes) if Sha256::digest(&bytes)[..] == sha256[..] => continue,
                Some(_) => "has other bytes",
                None => "is gone",
            };
            if faults.len() < FAULTS_MAX {
                faults.push(format!("photograph {shard} {name}: {fault}"));
            }
        }
    }
    Ok(count)
}

/// One county, under check.
struct Place {
    shard: i64,
}

impl Place {
    async fn chain(
        &self,
        tx: &mut Tx,
        head: &shards::ShardRow,
        faults: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let mut after = audit::chained_from(tx, self.shard).await?;
        let mut chain = Vec::new();
        loop {
            let lines = audit::log(tx, self.shard, after, PAGE).await?;
            let Some(last) = lines.last() else { break };
            after = last.seq;
            for line in &lines {
                let line = Link {
                    seq: line.seq,
                    device: &line.device,
                    n: line.n,
                    digest: &line.digest,
                    record: &line.record,
                    author: &line.author,
                    unit: &line.unit,
                    received_at: line.received_at,
                    answer: &line.answer,
                };
                chain = link(&chain, &line);
            }
        }
        if chain != head.chain {
            let shard = self.shard;
            faults.push(format!(
                "log {shard}: the chain of its lines is another than the one that was kept"
            ));
        }
        Ok(())
    }

    /// Counts every stream again; gives the records that are at home in this county.
    async fn sums(&self, tx: &mut Tx, faults: &mut Vec<String>) -> Result<Vec<Uuid>, StoreError> {
        let mut homes = Vec::new();
        for stream in shards::all_streams(tx, Shard(self.shard)).await? {
            let mut counted: BTreeMap<i64, Sum> = BTreeMap::new();
            let mut after = i64::MIN;
            loop {
                let rows = audit::feed(tx, (self.shard, stream.id), after, PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = last.seq;
                for row in rows.iter().filter(|row| row.is_live) {
                    counted.entry(row.kind).or_default().add(row.id, row.rev);
                    if row.home {
                        homes.push(row.id);
                    }
                }
            }
            for (_, kind, live, sum1, sum2) in audit::sums(tx, self.shard, stream.id).await? {
                let kept = Sum { live, sum1, sum2 };
                let now = counted.remove(&kind).unwrap_or_default();
                self.same_sum(&stream.name, kind, (kept, now), faults);
            }
            for (kind, now) in counted {
                self.same_sum(&stream.name, kind, (Sum::default(), now), faults);
            }
        }
        Ok(homes)
    }

    fn same_sum(&self, stream: &str, kind: i64, (kept, now): (Sum, Sum), faults: &mut Vec<String>) {
        if kept != now {
            let shard = self.shard;
            // A mailbox is named after its owner; what stands before the colon says enough.
            let family = stream.split(':').next().unwrap_or_default();
            faults.push(format!(
                "stream_sum {shard} {family}: {} rows of kind {kind} are kept, {} are there, \
                 or their sums differ",
                kept.live, now.live
            ));
        }
    }

    /// Opens every record and counts the days again.
    async fn counts(
        &self,
        tx: &mut Tx,
        sealer: &Sealer,
        homes: Vec<Uuid>,
        faults: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let mut counted: BTreeMap<RollupKey, RollupDelta> = BTreeMap::new();
        for page in homes.chunks(usize::try_from(PAGE).unwrap_or(1)) {
            let records: BTreeSet<Uuid> = page.iter().copied().collect();
            let wants = Wants {
                records,
                ..Wants::default()
            };
            let mut world = World::new(Shard(self.shard), 0);
            load::load(tx, sealer, &mut world, wants).await?;
            for record in world.records.values().filter(|record| !record.void) {
                for (key, delta) in kinds::rules(record.kind).measure(record) {
                    counted.entry(key).or_default().shift(delta, 1);
                }
            }
        }
        for row in audit::counts(tx, self.shard).await? {
            let kept = RollupDelta {
                count: row.count,
                minutes: row.minutes,
                missing: row.missing,
            };
            let key = RollupKey {
                day: row.day,
                unit: row.unit,
                village: row.village,
                class: row.class,
                kind: row.kind,
            };
            let now = counted.remove(&key).unwrap_or_default();
            self.same_count(&key, (kept, now), faults);
        }
        for (key, now) in counted {
            self.same_count(&key, (RollupDelta::default(), now), faults);
        }
        Ok(())
    }

    fn same_count(
        &self,
        key: &RollupKey,
        (kept, now): (RollupDelta, RollupDelta),
        faults: &mut Vec<String>,
    ) {
        if kept != now {
            let kind = Kind::of_number(key.kind).map_or("?", Kind::name);
            faults.push(format!(
                "rollup {} day {} unit {} {kind} {}: {} and {} minutes are kept, {} and {} are there",
                self.shard, key.day, key.unit, key.class, kept.count, kept.minutes, now.count,
                now.minutes
            ));
        }
    }
}

//! What is read to check that nothing stored was lost or changed: the log, the feed, the sums, the
//! counts and the names of photographs, in pages along their keys.

use sqlx::FromRow;
use uuid::Uuid;

use super::{StoreError, Tx, load};
use crate::on;

/// A line of the log as its chain covers it.
#[derive(Debug, Clone, FromRow)]
pub struct LogLine {
    pub seq: i64,
    pub device: String,
    pub n: i64,
    pub digest: Vec<u8>,
    pub record: Vec<u8>,
    pub author: String,
    pub unit: String,
    pub received_at: i64,
    pub answer: String,
}

/// Index: the primary key of `log`.
const LOG: &str = "SELECT seq, device, n, digest, record, author, unit, received_at, answer \
     FROM log WHERE shard = $1 AND seq > $2 ORDER BY seq LIMIT $3";

/// Lines of a shard's log after a number.
pub async fn log(
    tx: &mut Tx,
    shard: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<LogLine>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(LOG)
        .bind(shard)
        .bind(after)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `shard`.
const CHAINED: &str = "SELECT chained_from FROM shard WHERE id = $1";

/// The last number of a shard's log that its chain does not cover: what was written before a log
/// was chained line by line.
pub async fn chained_from(tx: &mut Tx, shard: i64) -> Result<i64, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(CHAINED)
        .bind(shard)
        .fetch_one(c)
        .await)?)
}

/// A row of the feed without its body.
#[derive(Debug, Clone)]
pub struct FeedLine {
    pub stream: i64,
    pub seq: i64,
    pub id: Uuid,
    pub kind: i64,
    pub rev: i64,
    pub is_live: bool,
    pub home: bool,
}

type StoredFeed = (i64, i64, Vec<u8>, i64, i64, i64, bool);

/// Index: the primary key of `feed`.
const FEED: &str = "SELECT stream, seq, id, kind, rev, op, home FROM feed WHERE shard = $1 \
     AND stream = $2 AND seq > $3 ORDER BY seq LIMIT $4";

/// Rows of a stream after a number.
pub async fn feed(
    tx: &mut Tx,
    (shard, stream): (i64, i64),
    after: i64,
    limit: i64,
) -> Result<Vec<FeedLine>, StoreError> {
    let rows: Vec<StoredFeed> = on!(tx, |c| sqlx::query_as(FEED)
        .bind(shard)
        .bind(stream)
        .bind(after)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    let line = |(stream, seq, id, kind, rev, op, home): StoredFeed| {
        Ok(FeedLine {
            stream,
            seq,
            id: load::id(&id)?,
            kind,
            rev,
            is_live: op == 0,
            home,
        })
    };
    rows.into_iter().map(line).collect()
}

/// Index: the primary key of `stream_sum`.
const SUMS: &str = "SELECT stream, kind, live, sum1, sum2 FROM stream_sum \
     WHERE shard = $1 AND stream = $2 ORDER BY kind";

/// The sums that are kept of a stream: stream, kind, live, first, second.
pub async fn sums(
    tx: &mut Tx,
    shard: i64,
    stream: i64,
) -> Result<Vec<(i64, i64, i64, i64, i64)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(SUMS)
        .bind(shard)
        .bind(stream)
        .fetch_all(c)
        .await)?)
}

/// A count that is kept.
#[derive(Debug, Clone, FromRow)]
pub struct Kept {
    pub day: i64,
    pub unit: String,
    pub village: String,
    pub class: String,
    pub kind: i64,
    pub count: i64,
    pub minutes: i64,
    pub missing: i64,
}

/// Index: the primary key of `rollup`.
const COUNTS: &str = "SELECT day, unit, village, class, kind, count, minutes, missing \
     FROM rollup WHERE shard = $1 ORDER BY day, unit, village, class, kind";

/// Every count of a shard: some dozens a day.
pub async fn counts(tx: &mut Tx, shard: i64) -> Result<Vec<Kept>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(COUNTS)
        .bind(shard)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `slot`, and `claim_line`.
const PLACES: &str = "SELECT s.id, s.confirmed, CAST(COALESCE((SELECT SUM(c.quantity) \
     FROM claim c WHERE c.shard = s.shard AND c.slot = s.id AND c.name = s.name \
     AND c.state IN ('confirmed', 'delivered', 'closed')), 0) AS BIGINT) \
     FROM slot s WHERE s.shard = $1";

/// Slots of a shard: whose, places that are kept as taken, places that claims take.
pub async fn places(tx: &mut Tx, shard: i64) -> Result<Vec<(Vec<u8>, i64, i64)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(PLACES)
        .bind(shard)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `photo`.
const PHOTOS: &str = "SELECT DISTINCT shard, sha256 FROM photo WHERE state = 'complete' \
     AND (shard > $1 OR (shard = $1 AND sha256 > $2)) ORDER BY shard, sha256 LIMIT $3";

/// Photographs whose bytes must be there, after one of them.
pub async fn photos(
    tx: &mut Tx,
    (shard, sha256): (i64, &[u8]),
    limit: i64,
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(PHOTOS)
        .bind(shard)
        .bind(sha256)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Tables that hold what is left to do and what was given up.
const PARKED: &str = "SELECT CAST((SELECT COUNT(*) FROM photo_job WHERE state = 'parked') \
     + (SELECT COUNT(*) FROM message WHERE state = 'parked') \
     + (SELECT COUNT(*) FROM card WHERE state = 'parked' AND due_at >= 0) AS BIGINT)";

/// What was given up: pictures, messages, checks of public texts.
pub async fn parked(tx: &mut Tx) -> Result<i64, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(PARKED).fetch_one(c).await)?)
}

const MADE: &str = "INSERT INTO backup (made_at, bytes, records, photos) VALUES ($1, $2, $3, $4)";

/// Notes a backup that was made and verified.
pub async fn note_backup(
    tx: &mut Tx,
    made_at: i64,
    [bytes, records, photos]: [i64; 3],
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(MADE)
        .bind(made_at)
        .bind(bytes)
        .bind(records)
        .bind(photos)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `backup`.
const LAST: &str = "SELECT made_at FROM backup ORDER BY made_at DESC LIMIT 1";

/// When the last verified backup was made.
pub async fn last_backup(tx: &mut Tx) -> Result<Option<i64>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(LAST)
        .fetch_optional(c)
        .await)?)
}

/// One statement over a table of 137 rows at most.
const NEW_EPOCH: &str = "UPDATE shard SET epoch = CASE WHEN epoch < $1 THEN $1 ELSE epoch + 1 END, \
     durable_seq = head_seq WHERE id >= $2";

/// Begins a new epoch everywhere, so that every phone reads its streams anew and sends once more
/// what it was answered since. The backup this comes from holds all that is here.
pub async fn new_epoch(tx: &mut Tx, at_least: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(NEW_EPOCH)
        .bind(at_least)
        .bind(i64::MIN)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

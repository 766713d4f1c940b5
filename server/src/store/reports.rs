//! What the county sees: counts from rollups, the ledger of refusals, who was heard when.
//!
//! Counts from rollups cost the same at ten thousand and at ten million records; refusals of months
//! and office days grow with what was refused and with the days on duty that are stored.

use std::collections::BTreeSet;

use sqlx::FromRow;
use xiangyi_proto::ids::Shard;
use xiangyi_sync::policy::FactKind;

use super::batch::{self, in_texts};
use super::dialect::Dual;
use super::{StoreError, Tx, shards};
use crate::on;

/// A day's count of one unit, village, class and kind.
#[derive(Debug, Clone, FromRow)]
pub struct DayCount {
    pub unit: String,
    pub village: String,
    pub class: String,
    pub kind: i64,
    pub count: i64,
    pub minutes: i64,
    pub missing: i64,
}

/// Index: the primary key of `rollup`.
const DAY: &str = "SELECT unit, village, class, kind, count, minutes, missing FROM rollup \
     WHERE shard = $1 AND day = $2 ORDER BY unit, village, class, kind";

/// Counts of a day.
pub async fn day(tx: &mut Tx, shard: Shard, day: i64) -> Result<Vec<DayCount>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(DAY)
        .bind(shard.0)
        .bind(day)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `rollup`.
const MISSING: &str = "SELECT unit, CAST(SUM(missing) AS BIGINT) FROM rollup \
     WHERE shard = $1 AND day >= $2 GROUP BY unit HAVING SUM(missing) > 0 ORDER BY unit";

/// Photographs still missing per unit since a day.
pub async fn missing(
    tx: &mut Tx,
    shard: Shard,
    since: i64,
) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(MISSING)
        .bind(shard.0)
        .bind(since)
        .fetch_all(c)
        .await)?)
}

/// Refusals of one author by rule and office.
#[derive(Debug, Clone, FromRow)]
pub struct RefusedToday {
    pub rule: String,
    pub clause: String,
    pub office: Option<String>,
    pub author: String,
    pub count: i64,
}

/// Index: `refusal(shard, refused_at)`.
const REFUSALS: &str = "SELECT rule, clause, office, author, CAST(COUNT(*) AS BIGINT) AS count \
     FROM refusal WHERE shard = $1 AND refused_at >= $2 \
     GROUP BY rule, clause, office, author ORDER BY rule, office, author";

/// Refusals since a moment; the authors are for merging, never for showing.
pub async fn refusals(
    tx: &mut Tx,
    shard: Shard,
    since: i64,
) -> Result<Vec<RefusedToday>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(REFUSALS)
        .bind(shard.0)
        .bind(since)
        .fetch_all(c)
        .await)?)
}

/// When a station's phones were last heard, and what they said still waits.
#[derive(Debug, Clone, FromRow)]
pub struct Heard {
    pub unit: String,
    pub last_seen_at: Option<i64>,
    pub waiting_records: Option<i64>,
    pub waiting_photos: Option<i64>,
    pub oldest_waiting_ms: Option<i64>,
}

/// Index: `granted(role, unit)` and `device(person)`.
const HEARD: &str = "SELECT g.unit AS unit, CAST(MAX(d.last_seen_at) AS BIGINT) AS last_seen_at, \
     CAST(SUM(d.waiting_records) AS BIGINT) AS waiting_records, \
     CAST(SUM(d.waiting_photos) AS BIGINT) AS waiting_photos, \
     CAST(MAX(d.oldest_waiting_ms) AS BIGINT) AS oldest_waiting_ms \
     FROM granted g LEFT JOIN device d ON d.person = g.person AND d.kind = 'phone' \
     AND d.state = 'active' \
     WHERE g.role IN ('worker', 'station_lead') AND g.unit >= $1 AND g.unit < $3 \
     AND g.from_at <= $2 AND (g.to_at IS NULL OR g.to_at > $2) GROUP BY g.unit ORDER BY g.unit";

/// Freshness of every station of a county.
pub async fn heard(tx: &mut Tx, county: &str, now: i64) -> Result<Vec<Heard>, StoreError> {
    // The first text after every code that begins with the county's: ':' follows '9'.
    let after = format!("{county}:");
    Ok(on!(tx, |c| sqlx::query_as(HEARD)
        .bind(county)
        .bind(now)
        .bind(after)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `held`.
const HELD: &str =
    "SELECT CAST(COUNT(*) AS BIGINT) FROM held WHERE shard = $1 AND reason = 'review'";

/// Items that wait for a reviewer.
pub async fn held(tx: &mut Tx, shard: Shard) -> Result<i64, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(HELD)
        .bind(shard.0)
        .fetch_one(c)
        .await)?)
}

/// Index: the primary key of `rollup`.
const INCIDENTS: &str = "SELECT count FROM rollup WHERE shard = $1 AND day = 0 AND unit = $2 \
     AND village = '' AND class = $3 AND kind = $4";

/// Incidents that are not closed.
pub async fn incidents(tx: &mut Tx, shard: Shard) -> Result<i64, StoreError> {
    let open: Option<i64> = on!(tx, |c| sqlx::query_scalar(INCIDENTS)
        .bind(shard.0)
        .bind(shard.to_string())
        .bind(xiangyi_sync::kinds::OPEN)
        .bind(xiangyi_proto::kinds::Kind::Incident.number())
        .fetch_optional(c)
        .await)?;
    Ok(open.unwrap_or(0))
}

/// A held item that nobody has decided in time.
#[derive(Debug, Clone, FromRow)]
pub struct Escalated {
    pub id: Vec<u8>,
    pub record: Vec<u8>,
    pub kind: i64,
    pub unit: String,
    pub rule: Option<String>,
    pub received_at: i64,
}

/// Index: `held(shard, reason)`.
const ESCALATED: &str = "SELECT id, record, kind, unit, rule, received_at FROM held \
     WHERE shard = $1 AND reason = 'review' AND escalated AND received_at >= $3 \
     ORDER BY received_at, id LIMIT $2";

/// What was escalated in a county and came since a moment, oldest first.
pub async fn escalated(
    tx: &mut Tx,
    shard: Shard,
    since: i64,
    limit: i64,
) -> Result<Vec<Escalated>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(ESCALATED)
        .bind(shard.0)
        .bind(limit)
        .bind(since)
        .fetch_all(c)
        .await)?)
}

/// Refusals of one author by clause, office and station.
#[derive(Debug, Clone, FromRow)]
pub struct RefusedRow {
    pub clause: String,
    pub office: Option<String>,
    pub unit: String,
    pub author: String,
    pub count: i64,
    pub minutes: i64,
}

/// Index: `refusal(shard, refused_at)`.
const REFUSED_IN: &str = "SELECT clause, office, unit, author, \
     CAST(COUNT(*) AS BIGINT) AS count, CAST(SUM(minutes) AS BIGINT) AS minutes FROM refusal \
     WHERE shard = $1 AND refused_at >= $2 AND refused_at < $3 \
     GROUP BY clause, office, unit, author ORDER BY clause, office, unit, author";

/// Refusals between two moments; the authors are for merging, never for showing.
pub async fn refused_in(
    tx: &mut Tx,
    shard: Shard,
    (from, to): (i64, i64),
) -> Result<Vec<RefusedRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(REFUSED_IN)
        .bind(shard.0)
        .bind(from)
        .bind(to)
        .fetch_all(c)
        .await)?)
}

/// Minutes of a unit by class.
#[derive(Debug, Clone, FromRow)]
pub struct UnitMinutes {
    pub unit: String,
    pub class: String,
    pub kind: i64,
    pub minutes: i64,
}

/// Index: the primary key of `rollup`.
const MINUTES: &str = "SELECT unit, class, kind, CAST(SUM(minutes) AS BIGINT) AS minutes \
     FROM rollup WHERE shard = $1 AND day >= $2 AND day < $3 \
     GROUP BY unit, class, kind ORDER BY unit, class, kind";

/// Minutes of the days from and to, by unit and class.
pub async fn minutes(
    tx: &mut Tx,
    shard: Shard,
    (from, to): (i64, i64),
) -> Result<Vec<UnitMinutes>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(MINUTES)
        .bind(shard.0)
        .bind(from)
        .bind(to)
        .fetch_all(c)
        .await)?)
}

/// Index: `granted(role, unit)`.
const POSTS: &str = "SELECT person, unit, from_at, to_at FROM granted \
     WHERE role IN ('worker', 'station_lead') AND unit >= $1 AND unit < $2 \
     AND from_at < $4 AND (to_at IS NULL OR to_at > $3) ORDER BY unit, person, from_at";

/// A post of field staff: whose, where, and while it holds.
pub type Post = (String, String, i64, Option<i64>);

/// Posts at a unit and below that hold for a part of the time from and to.
pub async fn posts(
    tx: &mut Tx,
    unit: &str,
    (from, to): (i64, i64),
) -> Result<Vec<Post>, StoreError> {
    // The first text after every code that begins with the unit's: ':' follows '9'.
    let after = format!("{unit}:");
    Ok(on!(tx, |c| sqlx::query_as(POSTS)
        .bind(unit)
        .bind(after)
        .bind(from)
        .bind(to)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `fact`, by unit and day: what it costs does not grow with the years.
const OFFICE_DAYS: Dual = in_texts!(
    "SELECT key, CAST(COUNT(DISTINCT from_ms) AS BIGINT) AS days",
    "fact WHERE shard = $1 AND kind = $3 AND key = k0 AND from_ms >= $4 \
     GROUP BY key, person HAVING COUNT(DISTINCT from_ms) >= $5"
);

/// Units whose people were on duty in an office for so many days since a moment, one row each; who
/// they are is not asked. A unit with a day has a stream of its own.
pub async fn office_days(
    tx: &mut Tx,
    shard: Shard,
    since: i64,
    days: i64,
) -> Result<Vec<(String, i64)>, StoreError> {
    let streams = shards::all_streams(tx, shard).await?;
    let names = streams.iter().map(|row| row.name.as_str());
    let units: BTreeSet<&str> = names
        .filter_map(|name| name.strip_prefix("station:"))
        .collect();
    let units: Vec<&str> = units.into_iter().collect();
    let (sql, keys) = (tx.text(&OFFICE_DAYS), batch::list(&units));
    Ok(on!(tx, |c| sqlx::query_as(sql)
        .bind(shard.0)
        .bind(keys)
        .bind(FactKind::OfficeDay.number())
        .bind(since)
        .bind(days)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `fact` up to its kind, so every visit of the county is looked at, and
/// `feed_record`. An index by time would cost each push more than a report is worth.
const VISITS_BY_CLIENT: &str = "SELECT f.key, CAST(COUNT(*) AS BIGINT) FROM fact f JOIN feed r \
     ON r.shard = f.shard AND r.id = f.record AND r.home AND r.op = 0 WHERE f.shard = $1 \
     AND f.kind = $2 AND f.from_ms >= $3 AND f.from_ms < $4 AND r.unit >= $5 AND r.unit < $6 \
     GROUP BY f.key ORDER BY f.key";

/// Clients who were visited in a unit in a span, and how often.
pub async fn visits_by_client(
    tx: &mut Tx,
    shard: Shard,
    unit: &str,
    (from, to): (i64, i64),
) -> Result<Vec<(String, i64)>, StoreError> {
    // The first text after every code that begins with the unit's: ':' follows '9'.
    let after = format!("{unit}:");
    Ok(on!(tx, |c| sqlx::query_as(VISITS_BY_CLIENT)
        .bind(shard.0)
        .bind(FactKind::ClientVisit.number())
        .bind(from)
        .bind(to)
        .bind(unit)
        .bind(after)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `fact`.
const VISITS_OF: &str = "SELECT record, from_ms FROM fact WHERE shard = $1 AND kind = $2 \
     AND key = $3 AND (from_ms < $4 OR (from_ms = $4 AND record < $5)) \
     ORDER BY from_ms DESC, record DESC LIMIT $6";

/// Visits to a client before one of them, newest first, with their beginning.
pub async fn visits_of(
    tx: &mut Tx,
    shard: Shard,
    client: &str,
    (before, visit): (i64, uuid::Uuid),
    limit: i64,
) -> Result<Vec<(uuid::Uuid, i64)>, StoreError> {
    let rows: Vec<(Vec<u8>, i64)> = on!(tx, |c| sqlx::query_as(VISITS_OF)
        .bind(shard.0)
        .bind(FactKind::ClientVisit.number())
        .bind(client)
        .bind(before)
        .bind(visit.as_bytes().as_slice())
        .bind(limit)
        .fetch_all(c)
        .await)?;
    rows.into_iter()
        .map(|(record, began)| Ok((super::load::id(&record)?, began)))
        .collect()
}

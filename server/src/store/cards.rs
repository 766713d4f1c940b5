//! Public cards of activities: which there are, and what WeChat said of their texts.

use sqlx::FromRow;
use uuid::Uuid;

use super::bulk::Bulk;
use super::{StoreError, Tx};
use crate::{bulk, on};

/// Until when a card is that nobody has read yet: it was there before there were cards.
pub const UNREAD: i64 = i64::MAX;

/// A card that is written with its activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    pub record: Uuid,
    pub author: String,
    pub until_at: i64,
    pub digest: Vec<u8>,
}

// Other texts are to be checked again; what was said of the same texts stands.
static PUT: Bulk = Bulk::new(
    "INSERT INTO card (shard, record, author, until_at, digest, state, tries, due_at) VALUES",
    "ibtibtii",
    "ON CONFLICT (shard, record) DO UPDATE SET author = excluded.author, \
     until_at = excluded.until_at, digest = excluded.digest, \
     state = CASE WHEN card.digest = excluded.digest THEN card.state ELSE excluded.state END, \
     tries = CASE WHEN card.digest = excluded.digest THEN card.tries ELSE 0 END, \
     due_at = CASE WHEN card.digest = excluded.digest THEN card.due_at ELSE excluded.due_at END, \
     fault = CASE WHEN card.digest = excluded.digest THEN card.fault ELSE NULL END",
);

/// Writes cards in the transaction of their activities.
pub async fn put(tx: &mut Tx, shard: i64, rows: &[New], now: i64) -> Result<(), StoreError> {
    bulk!(tx, PUT, rows, |query, row| query
        .bind(shard)
        .bind(row.record.as_bytes().as_slice())
        .bind(row.author.as_str())
        .bind(row.until_at)
        .bind(row.digest.as_slice())
        .bind("due")
        .bind(0_i64)
        .bind(now));
    Ok(())
}

/// A card with its activity as the county sees it.
#[derive(Debug, Clone, FromRow)]
pub struct Open {
    pub record: Vec<u8>,
    pub state: String,
    pub digest: Vec<u8>,
    pub unit: String,
    pub body: String,
}

// CROSS JOIN: from the cards on, whatever the planner thinks of it.
/// Index: `card_until(until_at)`, then `feed_record(shard, id, stream)` of each.
const OPEN: &str = "SELECT ranked.record, ranked.state, ranked.digest, feed.unit, feed.body FROM \
     (SELECT shard, record, state, digest, until_at, ROW_NUMBER() OVER (PARTITION BY author \
     ORDER BY until_at, record) AS nth FROM card WHERE until_at > $1) AS ranked \
     CROSS JOIN stream CROSS JOIN feed WHERE ranked.nth <= $3 AND stream.shard = ranked.shard \
     AND stream.name = 'county:' || CAST(ranked.shard AS TEXT) AND feed.shard = ranked.shard \
     AND feed.id = ranked.record AND feed.stream = stream.id AND feed.op = 0 \
     ORDER BY ranked.until_at LIMIT $2";

/// Activities with a session that has not begun, those that end soonest first: so many, and so
/// many of one leader.
pub async fn open(
    tx: &mut Tx,
    now: i64,
    (limit, of_leader): (i64, i64),
) -> Result<Vec<Open>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(OPEN)
        .bind(now)
        .bind(limit)
        .bind(of_leader)
        .fetch_all(c)
        .await)?)
}

/// How full one session and role of an activity is.
#[derive(Debug, Clone, FromRow)]
pub struct Places {
    pub id: Vec<u8>,
    pub name: String,
    pub capacity: i64,
    pub taken: i64,
}

/// Index: `card_until(until_at)`, then the primary key of `slot`.
const PLACES: &str = "SELECT id, name, capacity, taken FROM (SELECT slot.id, slot.name, \
     slot.capacity, slot.confirmed + slot.offered AS taken, card.until_at, ROW_NUMBER() OVER \
     (PARTITION BY card.author ORDER BY card.until_at, card.record, slot.starts_at, slot.name) \
     AS nth FROM card CROSS JOIN slot WHERE card.until_at > $1 AND slot.shard = card.shard \
     AND slot.id = card.record AND slot.starts_at > $1) AS ranked \
     WHERE nth <= $3 ORDER BY until_at, id LIMIT $2";

/// Places of sessions that have not begun: so many, and so many of one leader's activities.
pub async fn places(
    tx: &mut Tx,
    now: i64,
    (limit, of_leader): (i64, i64),
) -> Result<Vec<Places>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(PLACES)
        .bind(now)
        .bind(limit)
        .bind(of_leader)
        .fetch_all(c)
        .await)?)
}

/// What is known of a card.
#[derive(Debug, Clone, FromRow)]
pub struct Card {
    pub shard: i64,
    pub record: Vec<u8>,
    pub author: String,
    pub until_at: i64,
    pub digest: Vec<u8>,
    pub state: String,
    pub tries: i64,
    pub due_at: i64,
    pub fault: Option<String>,
}

/// Index: the primary key of `card`.
const ONE: &str = "SELECT shard, record, author, until_at, digest, state, tries, due_at, fault \
     FROM card WHERE shard = $1 AND record = $2";

/// The card of an activity.
pub async fn one(tx: &mut Tx, shard: i64, record: Uuid) -> Result<Option<Card>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(ONE)
        .bind(shard)
        .bind(record.as_bytes().as_slice())
        .fetch_optional(c)
        .await)?)
}

/// Index: `card_due(due_at)` where due.
const DUE: &str = "SELECT shard, record, author, until_at, digest, state, tries, due_at, fault \
     FROM card WHERE state = 'due' AND due_at <= $1 ORDER BY due_at LIMIT $2";

/// Cards whose texts are to be checked now.
pub async fn due(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<Card>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(DUE)
        .bind(now)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Index: `card_until(until_at)`.
const UNREAD_CARDS: &str = "SELECT shard, record, author, until_at, digest, state, tries, due_at, \
     fault FROM card WHERE until_at = $1 LIMIT $2";

/// Cards that were there before there were cards.
pub async fn unread(tx: &mut Tx, limit: i64) -> Result<Vec<Card>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(UNREAD_CARDS)
        .bind(UNREAD)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

const CLAIM: &str = "UPDATE card SET tries = tries + 1, due_at = $4 WHERE shard = $1 \
     AND record = $2 AND state = 'due' AND due_at = $3";

/// Claims a check until a moment; false when another node was faster.
pub async fn claim(tx: &mut Tx, card: &Card, until: i64) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(CLAIM)
        .bind(card.shard)
        .bind(card.record.as_slice())
        .bind(card.due_at)
        .bind(until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// What came of a check.
#[derive(Debug, Clone, Default)]
pub struct Came<'a> {
    pub state: &'a str,
    pub tries: i64,
    pub due_at: i64,
    pub fault: Option<&'a str>,
}

// Of the texts that were checked: others that came meanwhile stay due.
const SET: &str = "UPDATE card SET state = $4, tries = $5, due_at = $6, fault = $7 \
     WHERE shard = $1 AND record = $2 AND digest = $3";

/// Notes what came of a check of these texts; false when others took their place.
pub async fn set(tx: &mut Tx, card: &Card, came: &Came<'_>) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(SET)
        .bind(card.shard)
        .bind(card.record.as_slice())
        .bind(card.digest.as_slice())
        .bind(came.state)
        .bind(came.tries)
        .bind(came.due_at)
        .bind(came.fault)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const DROP: &str = "DELETE FROM card WHERE shard = $1 AND record = $2";

/// Takes a card away: there is no such activity any more.
pub async fn drop(tx: &mut Tx, card: &Card) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(DROP)
        .bind(card.shard)
        .bind(card.record.as_slice())
        .execute(c)
        .await
        .map(std::mem::drop))?;
    Ok(())
}

/// Index: `card_until(until_at)`.
const BEFORE: &str = "SELECT 1 FROM card WHERE until_at < $1 LIMIT 1";

/// Whether there is a card whose last session began before a moment.
pub async fn is_before(tx: &mut Tx, before: i64) -> Result<bool, StoreError> {
    let one: Option<i32> = on!(tx, |c| sqlx::query_scalar(BEFORE)
        .bind(before)
        .fetch_optional(c)
        .await)?;
    Ok(one.is_some())
}

/// Index: `card_until(until_at)`.
const SWEEP: &str = "DELETE FROM card WHERE until_at < $1";

/// Takes away cards whose last session began before a moment.
pub async fn sweep(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(SWEEP)
        .bind(before)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Index: `card_author(author)` where due.
const WAKE: &str = "UPDATE card SET due_at = $2 WHERE author = $1 AND state = 'due' \
     AND due_at > $2 AND fault IS NOT NULL";

/// Somebody is in the mini-program now: what waits for them is checked at once.
pub async fn wake(tx: &mut Tx, author: &str, now: i64) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(WAKE)
        .bind(author)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Index: `card_author(author)` where due.
const WAITS: &str = "SELECT 1 FROM card WHERE author = $1 AND state = 'due' LIMIT 1";

/// Whether anything of somebody waits for a check.
pub async fn waits(tx: &mut Tx, author: &str) -> Result<bool, StoreError> {
    let one: Option<i32> = on!(tx, |c| sqlx::query_scalar(WAITS)
        .bind(author)
        .fetch_optional(c)
        .await)?;
    Ok(one.is_some())
}

/// Index: `card_parked(due_at)` where parked.
const PARKED: &str = "SELECT shard, record, author, until_at, digest, state, tries, due_at, fault \
     FROM card WHERE state = 'parked' AND due_at >= 0 ORDER BY due_at LIMIT $1";

/// Cards whose check was given up.
pub async fn parked(tx: &mut Tx, limit: i64) -> Result<Vec<Card>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(PARKED)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Index: `card_parked(due_at)` where parked.
const AGAIN: &str = "UPDATE card SET state = 'due', tries = 0, due_at = $1 \
     WHERE state = 'parked' AND due_at >= 0";

/// Gives every check that was given up another chance; gives how many.
pub async fn again(tx: &mut Tx, now: i64) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(AGAIN)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

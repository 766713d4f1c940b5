//! Who is who in the mini-program, consents to messages, and the messages on their way.

use sqlx::FromRow;
use uuid::Uuid;

use super::bulk::Bulk;
use super::{StoreError, Tx};
use crate::{bulk, on};

/// Index: the primary key of `wechat_user`.
const BY_OPENID: &str = "SELECT person FROM wechat_user WHERE openid = $1";

/// Whose openid this is, by its keyed hash.
pub async fn person_of(tx: &mut Tx, openid: &[u8]) -> Result<Option<String>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(BY_OPENID)
        .bind(openid)
        .fetch_optional(c)
        .await)?)
}

const UNBIND: &str = "DELETE FROM wechat_user WHERE person = $1";

/// Forgets who a person is in the mini-program; false when that was not known.
pub async fn unbind(tx: &mut Tx, person: &str) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(UNBIND)
        .bind(person)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const BIND: &str = "INSERT INTO wechat_user (openid, person, sealed, bound_at) \
     VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

/// Binds an openid to a person; false when either is bound already.
pub async fn bind(
    tx: &mut Tx,
    openid: &[u8],
    person: &str,
    sealed: &[u8],
    now: i64,
) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(BIND)
        .bind(openid)
        .bind(person)
        .bind(sealed)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Index: the unique one on `person`.
const SEALED: &str = "SELECT sealed FROM wechat_user WHERE person = $1";

/// The sealed openid of a person.
pub async fn openid_of(tx: &mut Tx, person: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(SEALED)
        .bind(person)
        .fetch_optional(c)
        .await)?)
}

const EARN: &str = "INSERT INTO message_credit (person, what, credits) VALUES ($1, $2, 1) \
     ON CONFLICT (person, what) DO UPDATE SET credits = \
     CASE WHEN message_credit.credits < $3 THEN message_credit.credits + 1 ELSE $3 END";

/// Counts a consent, up to the most that are kept.
pub async fn earn(tx: &mut Tx, person: &str, what: &str, most: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(EARN)
        .bind(person)
        .bind(what)
        .bind(most)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `message_credit`.
const CREDITS: &str = "SELECT credits FROM message_credit WHERE person = $1 AND what = $2";

/// Consents that are left.
pub async fn credits(tx: &mut Tx, person: &str, what: &str) -> Result<i64, StoreError> {
    let credits: Option<i64> = on!(tx, |c| sqlx::query_scalar(CREDITS)
        .bind(person)
        .bind(what)
        .fetch_optional(c)
        .await)?;
    Ok(credits.unwrap_or(0))
}

const SPEND: &str = "UPDATE message_credit SET credits = CASE WHEN $3 OR credits < 1 THEN 0 \
     ELSE credits - 1 END WHERE person = $1 AND what = $2";

/// Takes a consent back, or all of them when the person withdrew it.
pub async fn spend(tx: &mut Tx, person: &str, what: &str, all: bool) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SPEND)
        .bind(person)
        .bind(what)
        .bind(all)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct New<'a> {
    pub what: &'static str,
    pub record: Uuid,
    /// Tells messages of one record apart, such as the number of an offer.
    pub number: i64,
    pub person: &'a str,
    pub due_at: i64,
}

static ADD: Bulk = Bulk::new(
    "INSERT INTO message (shard, what, record, number, person, state, tries, due_at) VALUES",
    "itbittii",
    "ON CONFLICT (shard, what, record, number) DO NOTHING",
);

/// Puts messages into the outbox, in the transaction of what they tell.
pub async fn add(tx: &mut Tx, shard: i64, rows: &[New<'_>]) -> Result<(), StoreError> {
    bulk!(tx, ADD, rows, |query, row| query
        .bind(shard)
        .bind(row.what)
        .bind(row.record.as_bytes().as_slice())
        .bind(row.number)
        .bind(row.person)
        .bind("due")
        .bind(0_i64)
        .bind(row.due_at));
    Ok(())
}

/// A message that is due.
#[derive(Debug, Clone, FromRow)]
pub struct Message {
    pub shard: i64,
    pub what: String,
    pub record: Vec<u8>,
    pub number: i64,
    pub person: String,
    pub tries: i64,
    pub due_at: i64,
}

/// Index: `message_due(due_at)` where due.
const DUE: &str = "SELECT shard, what, record, number, person, tries, due_at FROM message \
     WHERE state = 'due' AND due_at <= $1 ORDER BY due_at LIMIT $2";

/// Messages whose moment has come.
pub async fn due(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<Message>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(DUE)
        .bind(now)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

const CLAIM: &str = "UPDATE message SET tries = tries + 1, due_at = $6 WHERE shard = $1 \
     AND what = $2 AND record = $3 AND number = $4 AND state = 'due' AND due_at = $5";

/// Claims a message until a moment; false when another node was faster.
pub async fn claim(tx: &mut Tx, message: &Message, until: i64) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(CLAIM)
        .bind(message.shard)
        .bind(message.what.as_str())
        .bind(message.record.as_slice())
        .bind(message.number)
        .bind(message.due_at)
        .bind(until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const SET: &str = "UPDATE message SET state = $5, due_at = $6, fault = $7 \
     WHERE shard = $1 AND what = $2 AND record = $3 AND number = $4";

/// What becomes of a message: `due` again, or `parked` with the fault.
pub async fn set(
    tx: &mut Tx,
    message: &Message,
    (state, due_at): (&str, i64),
    fault: &str,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET)
        .bind(message.shard)
        .bind(message.what.as_str())
        .bind(message.record.as_slice())
        .bind(message.number)
        .bind(state)
        .bind(due_at)
        .bind(fault)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const DONE: &str = "DELETE FROM message WHERE shard = $1 AND what = $2 AND record = $3 \
     AND number = $4";

/// A message was sent, or is no longer wanted.
pub async fn done(tx: &mut Tx, message: &Message) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(DONE)
        .bind(message.shard)
        .bind(message.what.as_str())
        .bind(message.record.as_slice())
        .bind(message.number)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const GIVE_MESSAGES: &str = "UPDATE message SET person = $2 WHERE person = $1";

/// Messages on their way to an entry that was merged go to the other person.
pub async fn give_messages(tx: &mut Tx, from: &str, to: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(GIVE_MESSAGES)
        .bind(from)
        .bind(to)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `message_credit`.
const GIVE_CREDITS: &str = "INSERT INTO message_credit (person, what, credits) \
     SELECT $2, what, credits FROM message_credit AS old WHERE person = $1 \
     ON CONFLICT (person, what) DO NOTHING";

/// Consents go with the openid that gave them.
pub async fn give_credits(tx: &mut Tx, from: &str, to: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(GIVE_CREDITS)
        .bind(from)
        .bind(to)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// A message that was given up, as an operator sees it.
#[derive(Debug, Clone, FromRow)]
pub struct Parked {
    pub shard: i64,
    pub what: String,
    pub person: String,
    pub tries: i64,
    pub fault: Option<String>,
}

/// A table that holds only what is on its way and what was given up.
const PARKED: &str = "SELECT shard, what, person, tries, fault FROM message \
     WHERE state = 'parked' ORDER BY due_at LIMIT $1";

/// Messages that were given up.
pub async fn parked(tx: &mut Tx, limit: i64) -> Result<Vec<Parked>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(PARKED)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

const AGAIN: &str = "UPDATE message SET state = 'due', tries = 0, due_at = $1 \
     WHERE state = 'parked'";

/// Gives every message that was given up another chance; gives how many.
pub async fn again(tx: &mut Tx, now: i64) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(AGAIN)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

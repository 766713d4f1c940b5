//! What a person may change of their own account: password, second factor, sessions, devices.

use sqlx::FromRow;

use super::{StoreError, Tx};
use crate::on;

const SET_PASSWORD: &str = "UPDATE person SET password = $2 WHERE id = $1";

/// Sets the hash of a password.
pub async fn set_password(tx: &mut Tx, person: &str, hash: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_PASSWORD)
        .bind(person)
        .bind(hash)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// A person's second factor.
#[derive(Debug, Clone, FromRow)]
pub struct Factor {
    /// The secret, sealed.
    pub second_factor: Option<Vec<u8>>,
    /// When it was confirmed; until then it guards nothing.
    pub second_factor_at: Option<i64>,
    /// The last step of time that was used.
    pub second_factor_step: i64,
}

const FACTOR: &str = "SELECT second_factor, second_factor_at, second_factor_step FROM person \
     WHERE id = $1";

/// The second factor of a person.
pub async fn factor(tx: &mut Tx, person: &str) -> Result<Option<Factor>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(FACTOR)
        .bind(person)
        .fetch_optional(c)
        .await)?)
}

const SET_FACTOR: &str = "UPDATE person SET second_factor = $2, second_factor_at = NULL, \
     second_factor_step = 0 WHERE id = $1";

/// Sets a secret that is still to be confirmed, or takes the second factor away.
pub async fn set_factor(
    tx: &mut Tx,
    person: &str,
    sealed: Option<&[u8]>,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_FACTOR)
        .bind(person)
        .bind(sealed)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const USE_STEP: &str = "UPDATE person SET second_factor_step = $2, \
     second_factor_at = COALESCE(second_factor_at, $3) \
     WHERE id = $1 AND second_factor_step < $2";

/// Uses a step, and confirms the factor by it; false when the step was used meanwhile.
pub async fn use_step(tx: &mut Tx, person: &str, step: i64, now: i64) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(USE_STEP)
        .bind(person)
        .bind(step)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// A session as its person sees it.
#[derive(Debug, Clone, FromRow)]
pub struct Session {
    pub id: String,
    pub created_at: i64,
    pub expires_at: i64,
}

/// Index: `session(person)`.
const SESSIONS: &str = "SELECT id, created_at, expires_at FROM session \
     WHERE person = $1 AND state = 'active' AND expires_at > $2 ORDER BY created_at, id";

/// A person's sessions that hold.
pub async fn sessions(tx: &mut Tx, person: &str, now: i64) -> Result<Vec<Session>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(SESSIONS)
        .bind(person)
        .bind(now)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `session`.
const END_ONE: &str = "UPDATE session SET state = 'revoked' \
     WHERE id = $1 AND person = $2 AND state = 'active'";

/// Ends one session of a person; false when there is none.
pub async fn end_session(tx: &mut Tx, person: &str, id: &str) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(END_ONE)
        .bind(id)
        .bind(person)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Index: `session(person)`.
const END_OTHERS: &str = "UPDATE session SET state = 'revoked' \
     WHERE person = $1 AND id <> $2 AND state = 'active'";

/// Ends every session of a person but one; gives how many.
pub async fn end_others(tx: &mut Tx, person: &str, but: &str) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(END_OTHERS)
        .bind(person)
        .bind(but)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// A phone as its person sees it.
#[derive(Debug, Clone, FromRow)]
pub struct Phone {
    pub id: String,
    pub state: String,
    pub registered_at: i64,
    pub last_seen_at: Option<i64>,
    pub waiting_records: Option<i64>,
    pub waiting_photos: Option<i64>,
}

/// Index: `device(person)`.
const PHONES: &str = "SELECT id, state, registered_at, last_seen_at, waiting_records, \
     waiting_photos FROM device WHERE person = $1 AND kind = 'phone' ORDER BY registered_at, id";

/// Every phone that a person registered.
pub async fn phones(tx: &mut Tx, person: &str) -> Result<Vec<Phone>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(PHONES)
        .bind(person)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `device`.
const END_PHONE: &str = "UPDATE device SET state = 'revoked' \
     WHERE id = $1 AND person = $2 AND kind = 'phone' AND state = 'active'";

/// Ends the registration of a phone: what it still hands over goes before a reviewer, and it
/// pulls nothing; false when there is none.
pub async fn end_phone(tx: &mut Tx, person: &str, id: &str) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(END_PHONE)
        .bind(id)
        .bind(person)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Index: `device(person)`.
const GIVE_PHONES: &str = "UPDATE device SET person = $2, state = 'revoked' \
     WHERE person = $1 AND kind = 'phone'";

/// Ends the phones of an entry that was merged, and lets the other person hand over what is on
/// them; gives how many.
pub async fn give_phones(tx: &mut Tx, from: &str, to: &str) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(GIVE_PHONES)
        .bind(from)
        .bind(to)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Index: the primary key of `device`.
const OWNER: &str = "SELECT person FROM device WHERE id = $1 AND kind = 'phone'";

/// Whose phone this is.
pub async fn owner_of(tx: &mut Tx, phone: &str) -> Result<Option<String>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(OWNER)
        .bind(phone)
        .fetch_optional(c)
        .await)?)
}

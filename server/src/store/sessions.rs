//! Sessions, devices and the throttle of signing in.

use super::{StoreError, Tx};
use crate::on;

/// A session's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SessionRow {
    pub id: String,
    pub person: String,
    pub device: String,
    pub refresh: Vec<u8>,
    pub successor: Option<Vec<u8>>,
    pub state: String,
    pub expires_at: i64,
}

const BY_ID: &str = "SELECT id, person, device, refresh, successor, state, expires_at \
     FROM session WHERE id = $1";

/// A session by id.
pub async fn by_id(tx: &mut Tx, id: &str) -> Result<Option<SessionRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(BY_ID)
        .bind(id)
        .fetch_optional(c)
        .await)?)
}

const ADD: &str = "INSERT INTO session (id, person, device, refresh, successor, state, \
     created_at, expires_at) VALUES ($1, $2, $3, $4, NULL, 'active', $5, $6)";

/// A new session.
pub async fn add(
    tx: &mut Tx,
    id: &str,
    person: &str,
    device: &str,
    refresh: &[u8],
    now: i64,
    expires_at: i64,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD)
        .bind(id)
        .bind(person)
        .bind(device)
        .bind(refresh)
        .bind(now)
        .bind(expires_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const ROTATE: &str = "UPDATE session SET refresh = $2, successor = $3 WHERE id = $1";

/// Sets the token in use and the one that may follow it.
pub async fn rotate(
    tx: &mut Tx,
    id: &str,
    refresh: &[u8],
    successor: &[u8],
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ROTATE)
        .bind(id)
        .bind(refresh)
        .bind(successor)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const END: &str = "UPDATE session SET state = $2 WHERE id = $1";

/// Ends a session: `signed-out` or `revoked`.
pub async fn end(tx: &mut Tx, id: &str, state: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(END)
        .bind(id)
        .bind(state)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// A device's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeviceRow {
    pub id: String,
    pub person: String,
    pub kind: String,
    pub state: String,
    pub last_seen_at: Option<i64>,
}

const DEVICE: &str = "SELECT id, person, kind, state, last_seen_at FROM device WHERE id = $1";

/// A device by id.
pub async fn device(tx: &mut Tx, id: &str) -> Result<Option<DeviceRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(DEVICE)
        .bind(id)
        .fetch_optional(c)
        .await)?)
}

const ADD_DEVICE: &str = "INSERT INTO device (id, person, kind, session, state, registered_at, \
     saved_below, next_n) VALUES ($1, $2, $3, $4, 'active', $5, 0, 1)";

/// Registers a device: `phone`, or `rest` for a session's own writes.
pub async fn add_device(
    tx: &mut Tx,
    id: &str,
    person: &str,
    kind: &str,
    session: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD_DEVICE)
        .bind(id)
        .bind(person)
        .bind(kind)
        .bind(session)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const SEEN: &str = "UPDATE device SET last_seen_at = $2, saved_below = $3, \
     waiting_records = $4, waiting_photos = $5, oldest_waiting_ms = $6 WHERE id = $1";

/// What a phone said of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    pub at: i64,
    pub saved_below: i64,
    pub records: Option<i64>,
    pub photos: Option<i64>,
    pub oldest_ms: Option<i64>,
}

/// Notes that a device was heard; outside the feed, at most once a minute.
pub async fn seen(tx: &mut Tx, device: &str, seen: Seen) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SEEN)
        .bind(device)
        .bind(seen.at)
        .bind(seen.saved_below)
        .bind(seen.records)
        .bind(seen.photos)
        .bind(seen.oldest_ms)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const THROTTLE: &str = "SELECT failures, next_at FROM throttle WHERE key = $1";

/// Failures of an account and the moment of its next try.
pub async fn throttle(tx: &mut Tx, key: &[u8]) -> Result<Option<(i64, i64)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(THROTTLE)
        .bind(key)
        .fetch_optional(c)
        .await)?)
}

const DELAY: &str = "INSERT INTO throttle (key, failures, next_at) VALUES ($1, $2, $3) \
     ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, next_at = excluded.next_at";

/// Delays an account's next try; never locks it.
pub async fn delay(tx: &mut Tx, key: &[u8], failures: i64, next_at: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(DELAY)
        .bind(key)
        .bind(failures)
        .bind(next_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

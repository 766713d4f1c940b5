//! Sessions and devices. The throttle of signing in has a module of its own.

use xiangyi_sync::world::Granted;

use super::{StoreError, Tx, views};
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
    // One engine knows no text with a zero in it, and no session has such an id.
    if id.contains('\0') {
        return Ok(None);
    }
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

const ROTATE: &str = "UPDATE session SET refresh = $4, successor = $5, expires_at = $6 \
     WHERE id = $1 AND state = 'active' AND refresh = $2 AND successor IS NOT DISTINCT FROM $3";

/// Sets the token in use and the one that may follow it, unless somebody else was first.
pub async fn rotate(
    tx: &mut Tx,
    was: &SessionRow,
    refresh: &[u8],
    successor: &[u8],
    expires_at: i64,
) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(ROTATE)
        .bind(was.id.as_str())
        .bind(was.refresh.as_slice())
        .bind(was.successor.as_deref())
        .bind(refresh)
        .bind(successor)
        .bind(expires_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Indexes: the primary keys of `session`, `person` and `device`.
const STANDING: &str = "SELECT s.person, d.id, d.kind, d.state, d.last_seen_at, \
     d.waiting_records, d.waiting_photos FROM session s JOIN person p ON p.id = s.person \
     LEFT JOIN device d ON d.id = $3 AND d.person = s.person \
     WHERE s.id = $1 AND s.state = 'active' AND s.expires_at > $2 AND p.state = 'active'";

#[derive(sqlx::FromRow)]
struct StandingRow {
    person: String,
    id: Option<String>,
    kind: Option<String>,
    state: Option<String>,
    last_seen_at: Option<i64>,
    waiting_records: Option<i64>,
    waiting_photos: Option<i64>,
}

/// Whose session this is, if it holds now, and the device of that name if it is theirs.
pub async fn standing(
    tx: &mut Tx,
    session: &str,
    device: &str,
    now: i64,
) -> Result<Option<(String, Option<DeviceRow>)>, StoreError> {
    // One engine knows no text with a zero in it, and no device has such a name.
    let device = if device.contains('\0') { "" } else { device };
    let row: Option<StandingRow> = on!(tx, |c| sqlx::query_as(STANDING)
        .bind(session)
        .bind(now)
        .bind(device)
        .fetch_optional(c)
        .await)?;
    Ok(row.map(|row| {
        let named = row.id.zip(row.kind).zip(row.state);
        let device = named.map(|((id, kind), state)| DeviceRow {
            id,
            person: row.person.clone(),
            kind,
            state,
            last_seen_at: row.last_seen_at,
            waiting_records: row.waiting_records,
            waiting_photos: row.waiting_photos,
        });
        (row.person, device)
    }))
}

/// Indexes: the primary keys of `session` and `person`, `granted(person)`.
const GRANTED: &str = "SELECT s.person, g.role, g.unit, g.from_at, g.to_at FROM session s \
     JOIN person p ON p.id = s.person LEFT JOIN granted g ON g.person = s.person \
     WHERE s.id = $1 AND s.state = 'active' AND s.expires_at > $2 AND p.state = 'active'";

type GrantedRow = (
    String,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

/// Whose session this is, if it holds now, and every grant they have or had; one statement.
pub async fn granted(
    tx: &mut Tx,
    session: &str,
    now: i64,
) -> Result<Option<(String, Vec<Granted>)>, StoreError> {
    let rows: Vec<GrantedRow> = on!(tx, |c| sqlx::query_as(GRANTED)
        .bind(session)
        .bind(now)
        .fetch_all(c)
        .await)?;
    let Some(person) = rows.first().map(|row| row.0.clone()) else {
        return Ok(None);
    };
    let mut grants = Vec::with_capacity(rows.len());
    for (_, role, unit, from_at, to_at) in rows {
        let (Some(role), Some(unit), Some(from_at)) = (role, unit, from_at) else {
            continue;
        };
        grants.push(views::granted(&role, unit, from_at, to_at)?);
    }
    Ok(Some((person, grants)))
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
    pub waiting_records: Option<i64>,
    pub waiting_photos: Option<i64>,
}

const ADD_DEVICE: &str = "INSERT INTO device (id, person, kind, session, state, registered_at, \
     saved_below, next_n) VALUES ($1, $2, $3, $4, 'active', $5, 0, 1) \
     ON CONFLICT (id) DO NOTHING";

/// Registers a device: `phone`, or `rest` for a session's own writes; false when the id is taken.
pub async fn add_device(
    tx: &mut Tx,
    id: &str,
    person: &str,
    kind: &str,
    session: Option<&str>,
    now: i64,
) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(ADD_DEVICE)
        .bind(id)
        .bind(person)
        .bind(kind)
        .bind(session)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const SEEN: &str = "UPDATE device SET last_seen_at = $2, \
     saved_below = CASE WHEN saved_below < $3 THEN $3 ELSE saved_below END, \
     waiting_records = $4, waiting_photos = $5, oldest_waiting_ms = $6 \
     WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at <= $2)";

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

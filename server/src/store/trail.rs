//! The trail: who did what to whom at the server, in the order of the moments.

use sqlx::FromRow;

use super::{StoreError, Tx};
use crate::on;

/// A line of the trail.
#[derive(Debug, Clone, FromRow)]
pub struct Line {
    /// Begins with the moment.
    pub id: String,
    pub at: i64,
    /// A person, or `command`.
    pub actor: String,
    pub what: String,
    /// Whom it is about, or nothing.
    pub person: String,
    /// Where, or nothing.
    pub unit: String,
    /// Ids and codes, or nothing.
    pub target: String,
    /// Sealed for the person.
    pub reason: Option<Vec<u8>>,
}

const ADD: &str = "INSERT INTO trail (id, at, actor, what, person, unit, target, reason) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// A new line.
pub async fn add(tx: &mut Tx, line: &Line) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD)
        .bind(&line.id)
        .bind(line.at)
        .bind(&line.actor)
        .bind(&line.what)
        .bind(&line.person)
        .bind(&line.unit)
        .bind(&line.target)
        .bind(&line.reason)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `trail`.
const ALL: &str = "SELECT id, at, actor, what, person, unit, target, reason FROM trail \
     WHERE id > $1 ORDER BY id LIMIT $2";

/// Index: `trail_unit(unit, id)`. The order is that of `id`, written so that no engine follows it
/// through everybody's lines instead.
const OF_UNIT: &str = "SELECT id, at, actor, what, person, unit, target, reason FROM trail \
     WHERE id > $1 AND unit >= $3 AND unit < $4 ORDER BY id || '' LIMIT $2";

/// Indexes: `trail_person(person, id)` and `trail_actor(actor, id)`; units are looked through. The
/// order as above.
const OF_PERSON: &str = "SELECT id, at, actor, what, person, unit, target, reason FROM trail \
     WHERE ((person = $5 AND id > $1) OR (actor = $5 AND id > $1)) \
     AND unit || '' >= $3 AND unit || '' < $4 ORDER BY id || '' LIMIT $2";

/// Lines behind an id, of units that begin with digits, about or by a person if one is named.
pub async fn list(
    tx: &mut Tx,
    after: &str,
    unit: &str,
    person: &str,
    limit: i64,
) -> Result<Vec<Line>, StoreError> {
    if unit.is_empty() && person.is_empty() {
        return Ok(on!(tx, |c| sqlx::query_as(ALL)
            .bind(after)
            .bind(limit)
            .fetch_all(c)
            .await)?);
    }
    // Units are digits; what follows a digit in both engines' order ends those that begin alike.
    let end = format!("{unit}:");
    if person.is_empty() {
        return Ok(on!(tx, |c| sqlx::query_as(OF_UNIT)
            .bind(after)
            .bind(limit)
            .bind(unit)
            .bind(&end)
            .fetch_all(c)
            .await)?);
    }
    Ok(on!(tx, |c| sqlx::query_as(OF_PERSON)
        .bind(after)
        .bind(limit)
        .bind(unit)
        .bind(&end)
        .bind(person)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `trail`.
const SWEEP: &str = "DELETE FROM trail WHERE id < $1";

/// Forgets what is older; gives how many lines.
pub async fn sweep(tx: &mut Tx, before: &str) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(SWEEP)
        .bind(before)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

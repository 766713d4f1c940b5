//! People and grants: names are sealed, telephones are found by a keyed hash.

use xiangyi_proto::role::Role;

use super::{StoreError, Tx};
use crate::on;

/// A person's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PersonRow {
    pub id: String,
    pub name: Vec<u8>,
    pub password: Option<String>,
    pub state: String,
}

/// Indexes: the primary key, and the unique one on `telephone`.
const BY_TELEPHONE: &str = "SELECT id, name, password, state FROM person \
     WHERE id = (SELECT COALESCE(merged_into, id) FROM person WHERE telephone = $1)";

/// The person of a telephone's keyed hash: of an entry that was merged, whom it was merged into.
pub async fn by_telephone(tx: &mut Tx, hash: &[u8]) -> Result<Option<PersonRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(BY_TELEPHONE)
        .bind(hash)
        .fetch_optional(c)
        .await)?)
}

const BY_ID: &str = "SELECT id, name, password, state FROM person WHERE id = $1";

/// A person by id.
pub async fn by_id(tx: &mut Tx, id: &str) -> Result<Option<PersonRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(BY_ID)
        .bind(id)
        .fetch_optional(c)
        .await)?)
}

/// Index: the unique one on `telephone`.
const ENTRY: &str = "SELECT id FROM person WHERE telephone = $1";

/// The entry of a telephone's keyed hash, merged or not.
pub async fn entry(tx: &mut Tx, hash: &[u8]) -> Result<Option<String>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(ENTRY)
        .bind(hash)
        .fetch_optional(c)
        .await)?)
}

const MERGED_INTO: &str = "SELECT merged_into FROM person WHERE id = $1";

/// Whom an entry was merged into, if it was; nothing where there is no such entry.
pub async fn merged_into(tx: &mut Tx, id: &str) -> Result<Option<Option<String>>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(MERGED_INTO)
        .bind(id)
        .fetch_optional(c)
        .await)?)
}

const LED_ON: super::dialect::Dual = super::batch::in_texts!(
    "SELECT id, merged_into",
    "person WHERE $1 = $1 AND id = k0 AND merged_into IS NOT NULL"
);

/// Of these entries those that were merged, with whom they were merged into.
pub async fn led_on(tx: &mut Tx, ids: &[&str]) -> Result<Vec<(String, String)>, StoreError> {
    let (sql, keys) = (tx.text(&LED_ON), super::batch::list(ids));
    Ok(on!(tx, |c| sqlx::query_as(sql)
        .bind(0_i64)
        .bind(keys)
        .fetch_all(c)
        .await)?)
}

/// Index: `person_merged(merged_into)`.
const FORMERLY: &str = "SELECT id FROM person WHERE merged_into = $1 ORDER BY id";

/// Entries that were merged into a person.
pub async fn formerly(tx: &mut Tx, id: &str) -> Result<Vec<String>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(FORMERLY)
        .bind(id)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key, `person_merged(merged_into)`.
const OTHERS: &str = "SELECT COALESCE(me.merged_into, me.id) FROM person me WHERE me.id = $1 \
     UNION SELECT e.id FROM person me JOIN person e \
     ON e.merged_into = COALESCE(me.merged_into, me.id) WHERE me.id = $1";

/// Every entry of the human being that an entry stands for.
pub async fn others(tx: &mut Tx, id: &str) -> Result<Vec<String>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(OTHERS)
        .bind(id)
        .fetch_all(c)
        .await)?)
}

/// Indexes: the primary key, and `person_merged(merged_into)`.
const MERGE: &str = "UPDATE person SET merged_into = $2, state = 'merged' \
     WHERE (id = $1 AND merged_into IS NULL) OR merged_into = $1";

/// Merges an entry into another, and with it those that were merged into it before.
pub async fn merge(tx: &mut Tx, from: &str, into: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(MERGE)
        .bind(from)
        .bind(into)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Changes nothing; the row is this transaction's until it ends, on either engine.
const IN_TURN: &str = "UPDATE person SET id = id WHERE id = $1";

/// Waits until no other transaction has this person's turn, and takes it.
pub async fn in_turn(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(IN_TURN)
        .bind(id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const NAMES: super::dialect::Dual =
    super::batch::in_texts!("SELECT id, name", "person WHERE $1 = $1 AND id = k0");

/// Sealed names of these people.
pub async fn names(tx: &mut Tx, people: &[&str]) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let (sql, keys) = (tx.text(&NAMES), super::batch::list(people));
    Ok(on!(tx, |c| sqlx::query_as(sql)
        .bind(0_i64)
        .bind(keys)
        .fetch_all(c)
        .await)?)
}

/// Index: the primary key of `person`.
const ANY: &str = "SELECT id FROM person WHERE id > $1 LIMIT 1";

/// Says whether there is anybody.
pub async fn is_anybody(tx: &mut Tx) -> Result<bool, StoreError> {
    let one: Option<String> = on!(tx, |c| sqlx::query_scalar(ANY)
        .bind("")
        .fetch_optional(c)
        .await)?;
    Ok(one.is_some())
}

const ADD: &str = "INSERT INTO person (id, name, telephone, password, created_at, state) \
     VALUES ($1, $2, $3, $4, $5, 'active') ON CONFLICT DO NOTHING";

/// A new person; false when the id or the telephone is taken.
pub async fn add(
    tx: &mut Tx,
    person: &PersonRow,
    telephone: &[u8],
    now: i64,
) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(ADD)
        .bind(person.id.as_str())
        .bind(person.name.as_slice())
        .bind(telephone)
        .bind(person.password.as_deref())
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const GRANT: &str = "INSERT INTO granted (id, person, role, unit, from_at, to_at) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING";

/// A grant to give.
#[derive(Debug, Clone)]
pub struct NewGrant {
    pub id: String,
    pub person: String,
    pub role: Role,
    pub unit: String,
    pub from_at: i64,
    pub to_at: Option<i64>,
}

/// Gives a grant; false when this id was given before.
pub async fn grant(tx: &mut Tx, grant: &NewGrant) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(GRANT)
        .bind(grant.id.as_str())
        .bind(grant.person.as_str())
        .bind(grant.role.name())
        .bind(grant.unit.as_str())
        .bind(grant.from_at)
        .bind(grant.to_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Index: `granted(person)`.
const REVOKE: &str = "UPDATE granted SET to_at = $4 WHERE person = $1 AND role = $2 \
     AND unit = $3 AND (to_at IS NULL OR to_at > $4)";

/// Ends grants of a role at a unit; gives how many ended.
pub async fn revoke(
    tx: &mut Tx,
    person: &str,
    role: Role,
    unit: &str,
    at: i64,
) -> Result<u64, StoreError> {
    Ok(on!(tx, |c| sqlx::query(REVOKE)
        .bind(person)
        .bind(role.name())
        .bind(unit)
        .bind(at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Index: `granted(role, unit)`.
const HOLDERS: &str = "SELECT person, MIN(from_at) FROM granted WHERE role = $1 AND unit = $2 \
     AND (to_at IS NULL OR to_at > $3) GROUP BY person ORDER BY person";

/// Who has a role at a unit beyond a moment, and since when.
pub async fn holders(
    tx: &mut Tx,
    role: Role,
    unit: &str,
    at: i64,
) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(HOLDERS)
        .bind(role.name())
        .bind(unit)
        .bind(at)
        .fetch_all(c)
        .await)?)
}

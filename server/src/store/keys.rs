//! Data keys: one row per (shard, owner), wrapped under the root key.
//!
//! A writer asks for all owners of its batch at once; missing rows are made in the same
//! transaction. What comes back is cached by `KeySet::keep`, called after the commit: a key of a
//! transaction that was rolled back must never seal anything.

use std::collections::{BTreeSet, HashMap};

use super::batch::{self, in_texts};
use super::bulk::Bulk;
use super::dialect::Dual;
use super::{StoreError, Tx};
use crate::accounts::seal::{DataKey, Sealer, Unsealable};
use crate::entropy::Entropy;
use crate::{bulk, on};

/// The shard of identities: people belong to no county.
pub const PEOPLE: i64 = 0;

/// Keys of some owners in one shard.
#[derive(Debug)]
pub struct KeySet {
    shard: i64,
    keys: HashMap<String, DataKey>,
}

impl KeySet {
    /// The key of an owner that was asked for.
    pub fn key(&self, owner: &str) -> Option<&DataKey> {
        self.keys.get(owner)
    }

    /// Opens a value of an owner.
    ///
    /// # Errors
    /// When the owner has no key here, or the value does not open at this place.
    pub fn open(&self, owner: &str, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        self.key(owner).ok_or(Unsealable)?.open(aad, sealed)
    }

    /// Caches the keys; call it after the commit and never before.
    pub fn keep(&self, sealer: &Sealer) {
        sealer.keep(self.shard, &self.keys);
    }
}

/// Index: the primary key of `seal_key`.
const FIND: Dual = in_texts!(
    "SELECT owner, wrapped",
    "seal_key WHERE shard = $1 AND owner = k0"
);

static ADD: Bulk = Bulk::new(
    "INSERT INTO seal_key (shard, owner, wrapped) VALUES",
    "itb",
    "ON CONFLICT (shard, owner) DO NOTHING",
);

/// Index: the primary key of `seal_key`.
const ANY: &str = "SELECT owner FROM seal_key WHERE shard >= $1 LIMIT 1";

/// Whether anything is sealed.
///
/// # Errors
/// When the engine fails.
pub async fn is_any(tx: &mut Tx) -> Result<bool, StoreError> {
    let one: Option<String> = on!(tx, |c| sqlx::query_scalar(ANY)
        .bind(PEOPLE)
        .fetch_optional(c)
        .await)?;
    Ok(one.is_some())
}

/// The keys of owners, made where there are none. Needs a writing transaction.
///
/// # Errors
/// When the engine fails or a row was wrapped under other roots.
pub async fn of(
    tx: &mut Tx,
    sealer: &Sealer,
    shard: i64,
    owners: impl IntoIterator<Item = &str>,
    entropy: &Entropy,
) -> Result<KeySet, StoreError> {
    let (mut set, unknown) = from_cache(sealer, shard, owners);
    find(tx, sealer, &mut set, &unknown).await?;
    let missing = absent(&set, unknown);
    if missing.is_empty() {
        return Ok(set);
    }
    let wrap = |owner: &String| sealer.wrap(entropy, shard, owner, &DataKey::random(entropy));
    let rows: Vec<(String, Vec<u8>)> = missing
        .iter()
        .map(|owner| (owner.clone(), wrap(owner)))
        .collect();
    add(tx, shard, &rows).await?;
    // Read back: another writer's row wins over ours.
    find(tx, sealer, &mut set, &missing).await?;
    Ok(set)
}

/// The keys of owners as far as they exist. Serves reading transactions.
///
/// # Errors
/// When the engine fails or a row was wrapped under other roots.
pub async fn known(
    tx: &mut Tx,
    sealer: &Sealer,
    shard: i64,
    owners: impl IntoIterator<Item = &str>,
) -> Result<KeySet, StoreError> {
    let (mut set, unknown) = from_cache(sealer, shard, owners);
    find(tx, sealer, &mut set, &unknown).await?;
    Ok(set)
}

fn from_cache<'a>(
    sealer: &Sealer,
    shard: i64,
    owners: impl IntoIterator<Item = &'a str>,
) -> (KeySet, Vec<String>) {
    let mut keys = HashMap::new();
    let mut unknown = Vec::new();
    for owner in owners.into_iter().collect::<BTreeSet<_>>() {
        match sealer.cached(shard, owner) {
            Some(key) => drop(keys.insert(owner.to_owned(), key)),
            None => unknown.push(owner.to_owned()),
        }
    }
    (KeySet { shard, keys }, unknown)
}

fn absent(set: &KeySet, owners: Vec<String>) -> Vec<String> {
    owners
        .into_iter()
        .filter(|owner| !set.keys.contains_key(owner))
        .collect()
}

async fn find(
    tx: &mut Tx,
    sealer: &Sealer,
    set: &mut KeySet,
    owners: &[String],
) -> Result<(), StoreError> {
    let shard = set.shard;
    if owners.is_empty() {
        return Ok(());
    }
    let (sql, keys) = (tx.text(&FIND), batch::list(owners));
    let found: Vec<(String, Vec<u8>)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    for (owner, wrapped) in found {
        let foreign = StoreError::Broken {
            table: "seal_key",
            what: "wrapped under other roots",
        };
        let key = sealer
            .unwrap(shard, &owner, &wrapped)
            .map_err(|_| foreign)?;
        set.keys.insert(owner, key);
    }
    Ok(())
}

async fn add(tx: &mut Tx, shard: i64, rows: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
    bulk!(tx, ADD, rows, |query, row| query
        .bind(shard)
        .bind(&row.0)
        .bind(&row.1));
    Ok(())
}

//! Data keys: one row per (shard, owner), wrapped under the root key.
//!
//! A writer asks for all owners of its batch at once; missing rows are made in the same
//! transaction. What comes back is cached by `KeySet::keep`, called after the commit: a key of a
//! transaction that was rolled back must never seal anything.

use std::collections::{BTreeSet, HashMap};

use super::batch::{self, in_texts};
use super::bulk::Bulk;
use super::dialect::Dual;
use super::{Db, StoreError, Tx};
use crate::accounts::seal::{DataKey, Root, Sealer, Unsealable};
use crate::entropy::Entropy;
use crate::{bulk, on};

/// The shard of identities: people belong to no county.
pub const PEOPLE: i64 = 0;

/// Owner of a data key that seals nothing and shows which root key is in use.
pub const CHECK: &str = "root-key-check";

const FOREIGN: StoreError = StoreError::Broken {
    table: "seal_key",
    what: "wrapped under other roots",
};

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
    let root = in_use(tx, sealer).await?;
    let key = || DataKey::random(entropy);
    let wrap = |owner: &String| sealer.wrap(entropy, root, (shard, owner), &key());
    let rows: Vec<(String, Vec<u8>)> = missing
        .iter()
        .map(|owner| (owner.clone(), wrap(owner)))
        .collect();
    add(tx, shard, &rows).await?;
    // Read back: another writer's row wins over ours.
    find(tx, sealer, &mut set, &missing).await?;
    Ok(set)
}

/// Index: the primary key of `seal_key`.
const WRAPPED: &str = "SELECT wrapped FROM seal_key WHERE shard = $1 AND owner = $2";

/// The root key in use by what the database says: on a server that was not started again since
/// the keys turned it is the one that the server knew as the next.
async fn in_use(tx: &mut Tx, sealer: &Sealer) -> Result<Root, StoreError> {
    let root = |wrapped: Vec<u8>| sealer.root_of(PEOPLE, CHECK, &wrapped);
    let root = check(tx).await?.map_or(Ok(Root::IN_USE), root);
    root.map_err(|_| FOREIGN)
}

async fn check(tx: &mut Tx) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_scalar(WRAPPED)
        .bind(PEOPLE)
        .bind(CHECK)
        .fetch_optional(c)
        .await)?)
}

/// Rows of a transaction that wraps anew.
const REWRAPPED: i64 = 1_000;

/// Index: the primary key of `seal_key`.
const FURTHER: &str = "SELECT shard, owner, wrapped FROM seal_key \
     WHERE (shard, owner) > ($1, $2) ORDER BY shard, owner LIMIT $3";
/// Index: the primary key of `seal_key`.
const REWRAP: &str = "UPDATE seal_key SET wrapped = $3 WHERE shard = $1 AND owner = $2";

/// Wraps under the root key in use what was wrapped under another; gives how many rows that were.
/// Cut off, it is done again.
///
/// # Errors
/// When the engine fails or a row was wrapped under roots that are not known here.
pub async fn rewrap(db: &Db, sealer: &Sealer, entropy: &Entropy) -> Result<u64, StoreError> {
    // The row that shows which key is in use comes first, and with it all that is wrapped from now
    // on; what was wrapped in between is met by the walk, or by the next one.
    let mut tx = db.write().await?;
    let wrapped = check(&mut tx).await?.ok_or(StoreError::Broken {
        table: "seal_key",
        what: "no server has sealed anything in this database",
    })?;
    let row = (PEOPLE, CHECK.to_owned(), wrapped);
    let mut changed = again(&mut tx, sealer, entropy, &[row]).await?;
    tx.commit().await?;
    let mut after = (i64::MIN, String::new());
    loop {
        let mut tx = db.write().await?;
        let rows = further(&mut tx, &after).await?;
        changed += again(&mut tx, sealer, entropy, &rows).await?;
        tx.commit().await?;
        match rows.into_iter().last() {
            Some((shard, owner, _)) => after = (shard, owner),
            None => return Ok(changed),
        }
    }
}

/// How many keys do not open with the roots that are known here.
///
/// # Errors
/// When the engine fails.
pub async fn unopened(tx: &mut Tx, sealer: &Sealer) -> Result<usize, StoreError> {
    let (mut after, mut count) = ((i64::MIN, String::new()), 0);
    loop {
        let rows = further(tx, &after).await?;
        let is_foreign = |row: &&Wrapped| sealer.root_of(row.0, &row.1, &row.2).is_err();
        count += rows.iter().filter(is_foreign).count();
        match rows.into_iter().last() {
            Some((shard, owner, _)) => after = (shard, owner),
            None => return Ok(count),
        }
    }
}

/// How many keys are wrapped under another root than the one in use.
///
/// # Errors
/// When the engine fails.
pub async fn former(tx: &mut Tx, sealer: &Sealer) -> Result<usize, StoreError> {
    let (mut after, mut count) = ((i64::MIN, String::new()), 0);
    loop {
        let rows = further(tx, &after).await?;
        let is_other = |row: &&Wrapped| {
            let root = sealer.root_of(row.0, &row.1, &row.2);
            !matches!(root, Ok(root) if root == Root::IN_USE)
        };
        count += rows.iter().filter(is_other).count();
        match rows.into_iter().last() {
            Some((shard, owner, _)) => after = (shard, owner),
            None => return Ok(count),
        }
    }
}

/// Shard, owner and wrapped key.
type Wrapped = (i64, String, Vec<u8>);

async fn further(tx: &mut Tx, after: &(i64, String)) -> Result<Vec<Wrapped>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(FURTHER)
        .bind(after.0)
        .bind(&after.1)
        .bind(REWRAPPED)
        .fetch_all(c)
        .await)?)
}

async fn again(
    tx: &mut Tx,
    sealer: &Sealer,
    entropy: &Entropy,
    rows: &[Wrapped],
) -> Result<u64, StoreError> {
    let mut changed = 0;
    for (shard, owner, wrapped) in rows {
        let root = sealer.root_of(*shard, owner, wrapped);
        if root.map_err(|_| FOREIGN)? == Root::IN_USE {
            continue;
        }
        let key = sealer.unwrap(*shard, owner, wrapped).map_err(|_| FOREIGN)?;
        let wrapped = sealer.wrap(entropy, Root::IN_USE, (*shard, owner), &key);
        on!(tx, |c| sqlx::query(REWRAP)
            .bind(shard)
            .bind(owner)
            .bind(&wrapped)
            .execute(c)
            .await
            .map(drop))?;
        changed += 1;
    }
    Ok(changed)
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
        let key = sealer
            .unwrap(shard, &owner, &wrapped)
            .map_err(|_| FOREIGN)?;
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

//! Data keys: one row per (shard, owner), wrapped under the root key.
//!
//! A `Sealer` belongs to one transaction. It fetches the keys of all owners of a batch at once, or
//! makes them, and then seals and opens without waiting. What it learnt goes into the vault's
//! cache by `keep`, called after the commit: a key of a transaction that was rolled back must
//! never seal anything later.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use xiangyi_proto::ids::Shard;

use super::bulk::Bulk;
use super::{StoreError, Tx, broken};
use crate::accounts::seal::{DataKey, Keys, Vault};
use crate::entropy::Entropy;
use crate::{bulk, many};

/// The shard of identities: people belong to no county.
pub const PEOPLE: Shard = Shard(0);

/// The keys that one transaction uses.
#[derive(Debug)]
pub struct Sealer {
    vault: Vault,
    entropy: Entropy,
    learnt: Mutex<Keys>,
}

// Served by the primary key.
static FIND: Bulk = Bulk::new(
    "SELECT owner, wrapped FROM seal_key WHERE (shard, owner) IN (VALUES",
    "it",
    ")",
);

static ADD: Bulk = Bulk::new(
    "INSERT INTO seal_key (shard, owner, wrapped) VALUES",
    "itb",
    "ON CONFLICT (shard, owner) DO NOTHING",
);

impl Sealer {
    /// A sealer for one transaction.
    pub fn new(vault: &Vault, entropy: &Entropy) -> Self {
        Self {
            vault: vault.clone(),
            entropy: entropy.clone(),
            learnt: Mutex::default(),
        }
    }

    /// Fetches the keys of owners as far as they exist.
    ///
    /// # Errors
    /// When the engine fails or a row was wrapped under other roots.
    pub async fn fetch(
        &self,
        tx: &mut Tx,
        shard: Shard,
        owners: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let unknown = self.unknown(shard, owners);
        for (owner, wrapped) in find(tx, shard, &unknown).await? {
            let key = self.vault.unwrap(shard.0, &owner, &wrapped);
            let key = key.map_err(|_| broken("seal_key", "wrapped under other roots"))?;
            self.learn(shard, owner, key);
        }
        Ok(())
    }

    /// Fetches the keys of owners and makes those that do not exist. Needs a writing transaction.
    ///
    /// # Errors
    /// When the engine fails or a row was wrapped under other roots.
    pub async fn make(
        &self,
        tx: &mut Tx,
        shard: Shard,
        owners: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        self.fetch(tx, shard, owners).await?;
        let missing = self.unknown(shard, owners);
        if missing.is_empty() {
            return Ok(());
        }
        let fresh = |owner: &String| {
            let key = DataKey::random(&self.entropy);
            (
                owner.clone(),
                self.vault.wrap(&self.entropy, shard.0, owner, &key),
            )
        };
        add(tx, shard, &missing.iter().map(fresh).collect::<Vec<_>>()).await?;
        // Read back: the row of another writer wins over ours.
        self.fetch(tx, shard, owners).await
    }

    /// Seals a value under a key that `make` or `fetch` brought, for the place that `aad` names.
    ///
    /// # Errors
    /// When the owner has no key here.
    pub fn seal(
        &self,
        shard: Shard,
        owner: &str,
        aad: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let key = self
            .key(shard, owner)
            .ok_or(broken("seal_key", "no key of this owner"))?;
        Ok(key.seal(&self.entropy, aad, plain))
    }

    /// Opens a value that was sealed for this owner and place.
    ///
    /// # Errors
    /// When the owner has no key here, or the value was changed or belongs elsewhere.
    pub fn open(
        &self,
        shard: Shard,
        owner: &str,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let key = self
            .key(shard, owner)
            .ok_or(broken("seal_key", "no key of this owner"))?;
        key.open(aad, sealed)
            .map_err(|_| broken("sealed", "does not open at this place"))
    }

    /// Puts what was learnt into the vault's cache; call it after the commit, never before.
    pub fn keep(self) {
        self.vault.keep(
            self.learnt
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn key(&self, shard: Shard, owner: &str) -> Option<DataKey> {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.get(&(shard.0, owner.to_owned())).cloned()
    }

    fn learn(&self, shard: Shard, owner: String, key: DataKey) {
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.insert((shard.0, owner), key);
    }

    /// The owners whose keys must be read. Cached ones are taken over at once: the cache may be
    /// emptied before they are used.
    fn unknown(&self, shard: Shard, owners: &BTreeSet<String>) -> Vec<String> {
        let mut unknown = Vec::new();
        for owner in owners {
            if self.key(shard, owner).is_some() {
                continue;
            }
            match self.vault.cached(shard.0, owner) {
                Some(key) => self.learn(shard, owner.clone(), key),
                None => unknown.push(owner.clone()),
            }
        }
        unknown
    }
}

async fn find(
    tx: &mut Tx,
    shard: Shard,
    owners: &[String],
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    Ok(many!(tx, FIND, (String, Vec<u8>), owners, |q, owner| q
        .bind(shard.0)
        .bind(owner)))
}

async fn add(tx: &mut Tx, shard: Shard, rows: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
    bulk!(tx, ADD, rows, |q, row| q
        .bind(shard.0)
        .bind(&row.0)
        .bind(&row.1));
    Ok(())
}

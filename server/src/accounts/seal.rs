//! Sealing at rest: AES-256-GCM under a data key per (shard, owner), wrapped under the root key.
//!
//! A sealed value is a format byte, a random nonce of 12 bytes, and the ciphertext with its tag.
//! The caller's `aad` binds it to its place, so a value moved to another row does not open. A data
//! key enters the cache only after the transaction that made or read it has been committed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::roots::Roots;
use super::turn;
use crate::entropy::Entropy;

/// Format of sealed values; a later one gets another number.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;
/// Cached data keys: all workers of a province and a day's clients at about 100 bytes each; the
/// cache starts anew when it is full.
const CACHED_KEYS_MAX: usize = 20_000;

/// A value does not open: wrong key, wrong place, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsealable;

impl std::fmt::Display for Unsealable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a sealed value does not open with this key at this place")
    }
}

impl std::error::Error for Unsealable {}

/// The key under which one owner's values in one shard are sealed.
#[derive(Clone)]
pub struct DataKey([u8; 32]);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl DataKey {
    /// A new random key.
    pub fn random(entropy: &Entropy) -> Self {
        Self(entropy.bytes())
    }

    /// Seals `plain` for the place that `aad` names.
    pub fn seal(&self, entropy: &Entropy, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = entropy.bytes::<NONCE_BYTES>();
        let cipher = Aes256Gcm::new(&self.0.into());
        let sealed = cipher
            .encrypt((&nonce).into(), Payload { msg: plain, aad })
            .expect("values are far below the 64 GiB that the cipher allows");
        let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens what `seal` made for the same place.
    ///
    /// # Errors
    /// When the value was sealed elsewhere, by another key, or changed since.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (&format, rest) = sealed.split_first().ok_or(Unsealable)?;
        if format != FORMAT {
            return Err(Unsealable);
        }
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Unsealable)?;
        let cipher = Aes256Gcm::new(&self.0.into());
        let payload = Payload { msg: text, aad };
        cipher
            .decrypt(nonce.into(), payload)
            .map_err(|_| Unsealable)
    }
}

/// One of the root keys that a sealer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root(usize);

impl Root {
    /// The one in use.
    pub const IN_USE: Self = Self(0);
}

/// Wraps data keys, caches them, and keys the telephone index. Clones share the cache.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    /// The one in use first, then the next and the former one.
    roots: Vec<DataKey>,
    index: [u8; 32],
    cache: RwLock<HashMap<(i64, String), DataKey>>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// A sealer on the given roots.
    pub fn new(roots: &Roots) -> Self {
        Self(Arc::new(Inner {
            roots: turn::all(roots.root, &roots.root_turn)
                .map(DataKey)
                .collect(),
            index: roots.index,
            cache: RwLock::default(),
        }))
    }

    /// Wraps a data key for its row.
    pub fn wrap(
        &self,
        entropy: &Entropy,
        root: Root,
        (shard, owner): (i64, &str),
        key: &DataKey,
    ) -> Vec<u8> {
        self.0.roots[root.0].seal(entropy, &place(shard, owner), &key.0)
    }

    /// Under which of the roots a row is wrapped.
    ///
    /// # Errors
    /// When it is none that is known here.
    pub fn root_of(&self, shard: i64, owner: &str, wrapped: &[u8]) -> Result<Root, Unsealable> {
        let place = place(shard, owner);
        let opens = |root: &DataKey| root.open(&place, wrapped).is_ok();
        let at = self.0.roots.iter().position(opens);
        at.map(Root).ok_or(Unsealable)
    }

    /// Unwraps a data key from its row.
    ///
    /// # Errors
    /// When the row was wrapped under other roots or for another owner.
    pub fn unwrap(&self, shard: i64, owner: &str, wrapped: &[u8]) -> Result<DataKey, Unsealable> {
        let place = place(shard, owner);
        let opened = |root: &DataKey| root.open(&place, wrapped).ok();
        let plain = self.0.roots.iter().find_map(opened).ok_or(Unsealable)?;
        Ok(DataKey(plain.try_into().map_err(|_| Unsealable)?))
    }

    /// A cached data key.
    pub fn cached(&self, shard: i64, owner: &str) -> Option<DataKey> {
        let cache = self.0.cache.read().unwrap_or_else(PoisonError::into_inner);
        cache.get(&(shard, owner.to_owned())).cloned()
    }

    /// Caches keys whose transaction has been committed.
    pub fn keep(&self, shard: i64, keys: &HashMap<String, DataKey>) {
        let mut cache = self.0.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() + keys.len() > CACHED_KEYS_MAX {
            cache.clear();
        }
        for (owner, key) in keys {
            cache.insert((shard, owner.clone()), key.clone());
        }
    }

    /// A key of its own for one use, which follows from the root that is never changed.
    ///
    /// # Panics
    /// Never: the hash has 32 bytes.
    pub fn derived(&self, what: &str) -> [u8; 32] {
        let key = self.index("key", what);
        key.try_into().expect("SHA-256 has 32 bytes")
    }

    /// The keyed hash under which something secret is found again, such as a telephone.
    pub fn index(&self, what: &str, value: &str) -> Vec<u8> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0.index)
            .expect("an HMAC key may have any length");
        mac.update(what.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

fn place(shard: i64, owner: &str) -> Vec<u8> {
    [b"key\0", shard.to_be_bytes().as_slice(), owner.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::{DataKey, Root, Sealer, Unsealable};
    use crate::accounts::roots::Roots;
    use crate::entropy::Entropy;

    #[test]
    fn a_value_opens_only_with_its_key_at_its_place() {
        let entropy = Entropy::seeded(1);
        let key = DataKey::random(&entropy);
        let sealed = key.seal(&entropy, b"visit/1", "入户".as_bytes());
        assert_eq!(key.open(b"visit/1", &sealed), Ok("入户".into()));
        assert_eq!(key.open(b"visit/2", &sealed), Err(Unsealable));
        assert_eq!(
            DataKey::random(&entropy).open(b"visit/1", &sealed),
            Err(Unsealable)
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(b"visit/1", &changed), Err(Unsealable), "byte {at}");
        }
        assert_eq!(key.open(b"visit/1", &[]), Err(Unsealable));
        assert_ne!(sealed, key.seal(&entropy, b"visit/1", "入户".as_bytes()));
    }

    #[test]
    fn a_wrapped_key_serves_its_owner_only() {
        let entropy = Entropy::seeded(2);
        let sealer = Sealer::new(&Roots::fresh(&entropy));
        let key = DataKey::random(&entropy);
        let wrapped = sealer.wrap(&entropy, Root::IN_USE, (430_121, "p-1"), &key);
        let again = sealer.unwrap(430_121, "p-1", &wrapped).expect("own key");
        assert_eq!(again.0, key.0);
        assert!(sealer.unwrap(430_121, "p-2", &wrapped).is_err());
        assert!(sealer.unwrap(430_181, "p-1", &wrapped).is_err());
        assert!(
            Sealer::new(&Roots::fresh(&entropy))
                .unwrap(430_121, "p-1", &wrapped)
                .is_err()
        );
    }
}

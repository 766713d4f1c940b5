//! Passwords: Argon2id, off the runtime's threads and never more at once than cores.
//!
//! Each check needs 19 MiB. They are taken once and used again, because what many threads take
//! and give back in such pieces stays with the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::{Output, PasswordHash, PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

use crate::entropy::Entropy;

/// 19 MiB, two passes, one lane: the lower bound that OWASP names; 15 ms a try.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// Hashes at once: 2 × 19 MiB.
const AT_ONCE: usize = 2;
/// Bytes of a salt beyond what PHC strings allow.
const SALT_MAX: usize = 64;
/// A hash nobody's password has, so that an unknown telephone costs the same time.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5\
                      $VWJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI";

/// The working memory of one check.
type Memory = Vec<Block>;

/// Hashes and checks passwords; clones share the gate and the memory behind it.
#[derive(Debug, Clone)]
pub struct Passwords {
    gate: Arc<Semaphore>,
    spare: Arc<Mutex<Vec<Memory>>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(AT_ONCE)),
            spare: Arc::default(),
        }
    }
}

impl Passwords {
    /// Says whether a password fits a hash; without a hash it takes as long and says no.
    pub async fn fits(&self, password: String, hash: Option<String>) -> bool {
        let Ok(permit) = Arc::clone(&self.gate).acquire_owned().await else {
            return false;
        };
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let spare = Arc::clone(&self.spare);
        // Whoever asked may be gone before the check ends: what the check took it gives back.
        let checked = tokio::task::spawn_blocking(move || {
            let mut memory = held(&spare).pop().unwrap_or_default();
            let fits = verify(&password, &hash, &mut memory);
            held(&spare).push(memory);
            drop(permit);
            fits.unwrap_or(false)
        });
        // First the check, then whether anybody is known: both take as long.
        let fits = checked.await.unwrap_or(false);
        known && fits
    }
}

impl Passwords {
    /// The stored form of a password, off the runtime's threads.
    pub async fn hash(&self, password: String, entropy: Entropy) -> Option<String> {
        let permit = Arc::clone(&self.gate).acquire_owned().await.ok()?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            hash(&password, &entropy)
        });
        hashed.await.ok()
    }
}

fn held(spare: &Mutex<Vec<Memory>>) -> MutexGuard<'_, Vec<Memory>> {
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a password gives the stored hash; nothing when the hash is none of ours.
fn verify(password: &str, hash: &str, memory: &mut Memory) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm).ok()?;
    let version = Version::try_from(hash.version?).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let (wanted, mut salt) = (hash.hash?, [0; SALT_MAX]);
    let salt = hash.salt?.decode_b64(&mut salt).ok()?;
    memory.resize(params.block_count(), Block::default());
    let mut out = vec![0; wanted.len()];
    Argon2::new(algorithm, version, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut out, memory.as_mut_slice())
        .ok()?;
    // Compared in constant time.
    Some(Output::new(&out).ok()? == wanted)
}

/// Characters of a password, at least: with the delays between tries, more than are ever guessed.
const CHARS_MIN: usize = 10;
/// Different characters, at least.
const DIFFERENT_MIN: usize = 5;
/// Beginnings and runs of the keyboard that are guessed first.
const GUESSED: [&str; 8] = [
    "1234567890",
    "0123456789",
    "qwertyuiop",
    "password",
    "abcdefghij",
    "iloveyou",
    "shegong",
    "woaini",
];

/// The code of what is wrong with a new password, if anything is. No rule asks for kinds of
/// characters: they are answered with `Aa1!`.
pub fn fault(password: &str) -> Option<&'static str> {
    if password.chars().count() < CHARS_MIN {
        return Some("password-short");
    }
    let lower = password.to_lowercase();
    let mut different: Vec<char> = lower.chars().collect();
    different.sort_unstable();
    different.dedup();
    let is_number = lower.chars().all(|c| c.is_ascii_digit());
    let telephone = is_number && lower.len() == 11;
    let guessed = GUESSED.iter().any(|run| {
        // What is left beside the run must still be worth something.
        lower.contains(run) && lower.chars().count() < run.len() + CHARS_MIN / 2
    });
    let guessable = different.len() < DIFFERENT_MIN || telephone || guessed;
    guessable.then_some("password-guessable")
}

/// The stored form of a password.
pub fn hash(password: &str, entropy: &Entropy) -> String {
    let salt = SaltString::encode_b64(&entropy.bytes::<16>()).expect("16 bytes are a salt");
    let hash = argon2().hash_password(password.as_bytes(), &salt);
    hash.expect("the parameters are within their bounds")
        .to_string()
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("constants within bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn what_is_guessed_first_is_no_password() {
        for (password, code) in [
            ("", Some("password-short")),
            ("短的密码", Some("password-short")),
            ("123456789", Some("password-short")),
            ("1234567890", Some("password-guessable")),
            ("a1234567890", Some("password-guessable")),
            ("13800000001", Some("password-guessable")),
            ("aaaaaaaaaaaa", Some("password-guessable")),
            ("ababababab", Some("password-guessable")),
            ("Password2026", Some("password-guessable")),
            ("qwertyuiop1", Some("password-guessable")),
            ("松雅湖边的晚饭很好吃", None),
            ("tulip-wagon-42", None),
            ("1234567890 with a tail", None),
        ] {
            assert_eq!(fault(password), code, "{password}");
        }
    }

    #[tokio::test]
    async fn many_checks_share_a_little_memory() {
        let passwords = Passwords::default();
        let stored = hash("right", &Entropy::system());
        let checks = (0..24).map(|n| {
            let password = if n % 2 == 0 { "right" } else { "wrong" };
            let hash = (n % 3 != 0).then(|| stored.clone());
            passwords.fits(password.to_owned(), hash)
        });
        let fits = futures::future::join_all(checks).await;
        let wanted: Vec<bool> = (0..24).map(|n| n % 2 == 0 && n % 3 != 0).collect();
        assert_eq!(fits, wanted);
        let spare = held(&passwords.spare);
        assert!((1..=AT_ONCE).contains(&spare.len()), "{}", spare.len());
        let bytes: usize = spare.iter().map(|memory| memory.len() * Block::SIZE).sum();
        assert!(bytes <= AT_ONCE * MEMORY_KIB as usize * 1_024, "{bytes}");
    }

    #[tokio::test]
    async fn checks_whose_asker_is_gone_are_still_counted() {
        let passwords = Passwords::default();
        // While this is held no check gets further than its first step.
        let spare = held(&passwords.spare);
        for number in 0..20 {
            // Asked for, and dropped before the answer.
            let asked = passwords.fits("wrong".to_owned(), None).now_or_never();
            assert_eq!(asked, None, "{number}");
            let left = AT_ONCE.saturating_sub(number + 1);
            assert_eq!(passwords.gate.available_permits(), left, "{number}");
        }
        drop(spare);
        let all = passwords.gate.acquire_many(AT_ONCE as u32).await;
        drop(all.expect("the gate is open"));
        let spare = held(&passwords.spare).len();
        assert!((1..=AT_ONCE).contains(&spare), "{spare} are given back");
    }

    #[tokio::test]
    async fn a_hash_that_is_none_fits_nothing() {
        let passwords = Passwords::default();
        for hash in [
            "",
            "xiangyi",
            "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5",
        ] {
            assert!(!passwords.fits(String::new(), Some(hash.to_owned())).await);
        }
    }
}

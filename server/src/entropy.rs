//! The one home of randomness: ids, nonces, keys and tokens draw from an `Entropy` passed in.
//!
//! A seeded source serves tests; no configuration leads to it.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use uuid::Uuid;
use xiangyi_proto::time::Millis;

/// Crockford's base32, without I, L, O and U: readable over a telephone.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A source of random bytes; clones share it.
#[derive(Debug, Clone)]
pub struct Entropy(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Entropy {
    /// The operating system's source, through the thread's generator.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The same bytes again for the same seed; for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(
            seed,
        )))))
    }

    /// Fills `out` with random bytes.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one home of the random source"
    )]
    pub fn fill(&self, out: &mut [u8]) {
        match &self.0 {
            Source::System => rand::rng().fill_bytes(out),
            Source::Seeded(rng) => {
                rng.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .fill_bytes(out);
            }
        }
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A UUIDv7 of the moment `at`, for records that the server mints.
    pub fn record_id(&self, at: Millis) -> Uuid {
        let ms = u64::try_from(at).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &self.bytes::<10>()).into_uuid()
    }

    /// `length` characters of Crockford's base32: 5 bits each.
    pub fn crockford(&self, length: usize) -> String {
        let mut raw = vec![0; length];
        self.fill(&mut raw);
        raw.iter()
            .map(|byte| char::from(CROCKFORD[usize::from(byte & 31)]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Entropy;

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        assert_eq!(
            Entropy::seeded(7).bytes::<16>(),
            Entropy::seeded(7).bytes::<16>()
        );
        assert_ne!(
            Entropy::seeded(7).bytes::<16>(),
            Entropy::seeded(8).bytes::<16>()
        );
        assert_ne!(
            Entropy::system().bytes::<16>(),
            Entropy::system().bytes::<16>()
        );
    }

    #[test]
    fn ids_are_version_seven_of_their_moment() {
        let id = Entropy::seeded(1).record_id(1_767_312_345_678);
        assert_eq!(id.get_version_num(), 7);
        let (seconds, nanos) = id.get_timestamp().expect("version 7").to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_767_312_345, 678));
    }
}

//! Named places at which a test may have the process die, as if the current were cut there.
//!
//! `FAILPOINT=commit-before:3` ends the process without a word when it comes to that place
//! for the third time. Builds for use have none of it: without `debug_assertions` nothing is read
//! and nothing is left of a call. `tests/tests/crash` is the only one who asks.

/// The places, in the order of the work; the suite `crash` draws from them.
pub const PLACES: &[&str] = &[
    "start-keys",
    "start-migrated",
    "start-confirmed",
    "start-seeded",
    "commit-before",
    "commit-after",
    "photo-staged",
    "photo-stored",
    "photo-noted",
    "photo-shown",
    "timers-read",
    "timers-fired",
];

/// Ends the process here if that is what was asked for.
#[cfg(debug_assertions)]
pub fn reach(place: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "no setting: only tests know of it"
        )]
        let asked = std::env::var("FAILPOINT").ok()?;
        let (place, count) = asked.split_once(':')?;
        Some((place.to_owned(), count.parse().ok()?))
    });
    debug_assert!(PLACES.contains(&place), "{place} is not in the list");
    if let Some((_, count)) = wanted.as_ref().filter(|(wanted, _)| wanted == place)
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *count
    {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub const fn reach(_: &str) {}

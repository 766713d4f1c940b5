//! The one home of time: every moment in the server comes from a `Clock` that was passed in.
//!
//! A fixed clock serves tests and replays. Durations for logs and metrics come from `Stopwatch`;
//! nothing decides by them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use xiangyi_proto::time::Millis;

/// Tells the time in Unix milliseconds; clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `at` until it is moved.
    pub fn fixed(at: Millis) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(at))))
    }

    /// The moment now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one home of the machine's clock"
    )]
    pub fn now(&self) -> Millis {
        match &self.0 {
            Source::Fixed(at) => at.load(Ordering::SeqCst),
            Source::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }

    /// Moves a fixed clock by `ms`, also backwards; the machine's clock stays.
    pub fn advance(&self, ms: i64) {
        if let Source::Fixed(at) = &self.0 {
            at.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// Sets a fixed clock; the machine's clock stays.
    pub fn set(&self, at: Millis) {
        if let Source::Fixed(now) = &self.0 {
            now.store(at, Ordering::SeqCst);
        }
    }
}

/// Measures how long something took, for logs and metrics only.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one home of the monotonic clock"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Whole milliseconds since the start.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = Clock::fixed(1_000);
        let copy = clock.clone();
        assert_eq!(clock.now(), 1_000);
        copy.advance(-400);
        assert_eq!(clock.now(), 600);
        clock.set(5);
        assert_eq!(copy.now(), 5);
    }
}

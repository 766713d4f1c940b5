//! The simulator: whole small worlds from one seed, over the production rules and phone code.
//!
//! What lives here: a model of the store, phones that are killed, links that break, people who
//! act, and the laws that must hold throughout. Nothing of it is shipped, waits, or reads a clock.

pub mod acts;
pub mod cast;
pub mod core;
pub mod dice;
pub mod fault;
pub mod handset;
pub mod laws;
pub mod model;
pub mod packs;
pub mod play;
pub mod server;
pub mod story;
mod tamper;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use fault::Fault;
pub use play::{Options, Play, Tally};
use story::Broken;

/// A world in which a law did not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    pub seed: u64,
    pub step: usize,
    pub broken: Broken,
    pub story: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seed, step) = (self.seed, self.step);
        for line in &self.story {
            writeln!(f, "  {line}")?;
        }
        writeln!(
            f,
            "law {} is broken at step {step} of seed {seed}:",
            self.broken.law
        )?;
        writeln!(f, "  {}", self.broken.words)?;
        write!(f, "SEED={seed} tells it again, TRACE=1 from the beginning")
    }
}

/// Plays a world to its end.
pub fn run(seed: u64, options: Options) -> Result<Tally, Box<Failure>> {
    played(seed, options).map(|play| play.tally())
}

/// 25: two calm worlds of one seed in which the phones have each other's clocks. Gives the
/// exchanges of both.
pub fn run_with_other_clocks(seed: u64, options: Options) -> Result<usize, Box<Failure>> {
    let turned = |turn: usize| {
        let options = Options {
            calm: true,
            turn,
            ..options
        };
        played(seed, options)
    };
    let (one, other) = (turned(0)?, turned(1)?);
    laws::clocks::law_25_clocks_change_nothing(one.store(), other.store())
        .map_err(|broken| failure(seed, &other, broken))?;
    Ok(one.tally().exchanges + other.tally().exchanges)
}

fn played(seed: u64, options: Options) -> Result<Play, Box<Failure>> {
    let mut play = Play::new(seed, options).map_err(|broken| {
        Box::new(Failure {
            seed,
            step: 0,
            broken,
            story: Vec::new(),
        })
    })?;
    let ran = catch_unwind(AssertUnwindSafe(|| play.run()));
    let ran = ran.unwrap_or_else(|_| story::broken("panic", "the rules panicked"));
    match ran {
        Ok(()) => Ok(play),
        Err(broken) => Err(failure(seed, &play, broken)),
    }
}

fn failure(seed: u64, play: &Play, broken: Broken) -> Box<Failure> {
    Box::new(Failure {
        seed,
        step: play.step,
        broken,
        story: play.story.last(),
    })
}

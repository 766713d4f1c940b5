//! What happened, in words, and what must never happen.

use std::collections::VecDeque;

/// Lines that a failure shows.
const SHOWN: usize = 24;

/// A law that does not hold, by its number, and what was seen.
#[derive(Debug, Clone)]
pub struct Broken {
    pub law: &'static str,
    pub words: String,
}

/// Nothing, or a broken law.
pub type Check = Result<(), Broken>;

/// A broken law.
pub fn broken<T>(law: &'static str, words: impl Into<String>) -> Result<T, Broken> {
    let words = words.into();
    Err(Broken { law, words })
}

/// Fails when a law does not hold; the words are made only then.
pub fn holds(law: &'static str, is_so: bool, words: impl FnOnce() -> String) -> Check {
    if is_so { Ok(()) } else { broken(law, words()) }
}

/// The last actions of a world.
pub struct Story {
    lines: VecDeque<String>,
    traced: bool,
    print: u64,
}

impl Story {
    /// A story that is also printed as it is told when `traced`.
    pub fn new(traced: bool) -> Self {
        let lines = VecDeque::new();
        let print = 0xcbf2_9ce4_8422_2325;
        Self {
            lines,
            traced,
            print,
        }
    }

    /// Adds a line.
    pub fn tell(&mut self, line: String) {
        if self.traced {
            println!("{line}");
        }
        for byte in line.bytes() {
            self.print = (self.print ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.lines.push_back(line);
        if self.lines.len() > SHOWN {
            self.lines.pop_front();
        }
    }

    /// The last lines.
    pub fn last(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    /// A number that two equal stories share.
    pub const fn print(&self) -> u64 {
        self.print
    }
}

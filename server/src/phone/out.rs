//! Printing: whoever reads it may be gone before the last line, as in `sync | head -1`.

use std::io::Write as _;

/// A line on standard output; one that nobody reads any more is not missed.
pub fn line(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Lines beside it, for the person and not for a script.
pub fn aside(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

//! What can be wrong with a pack, said with the rule and the place.
//!
//! A fault never carries anything of a record.

use std::fmt;

/// Characters of a reader's words that are passed on: they repeat what they could not read.
const UNREAD_CHARS: usize = 300;

/// One fault of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFault {
    /// Id of the rule, or of nothing when the document itself is at fault.
    pub rule: Option<String>,
    /// Member of the rule or of the document, such as `when` or `lexicons/approve`.
    pub place: String,
    /// Line of the document, from 1, when the document was text.
    pub line: Option<usize>,
    /// Column of the condition, in characters from 1, when the fault is inside one.
    pub column: Option<usize>,
    pub message: String,
}

impl PackFault {
    /// A fault of the document.
    pub fn of_pack(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule: None,
            place: place.into(),
            line: None,
            column: None,
            message: message.into(),
        }
    }

    /// A document that does not read; what was found in its place is told in a few words, and no
    /// text of it: a wrong file may hold people's names.
    pub fn unread(error: &impl fmt::Display) -> Self {
        let mut told = error.to_string();
        if let (Some(first), Some(last)) = (told.find('"'), told.rfind('"')) {
            told.replace_range(first..=last, "…");
        }
        let told = told.chars().take(UNREAD_CHARS).collect::<String>();
        Self::of_pack("document", told)
    }

    /// A fault of a rule.
    pub fn of_rule(rule: &str, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule: Some(rule.to_owned()),
            ..Self::of_pack(place, message)
        }
    }

    /// The same fault at a column of its condition.
    pub fn at_column(mut self, column: Option<usize>) -> Self {
        self.column = column;
        self
    }
}

impl fmt::Display for PackFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "rule {rule}: ")?;
        }
        write!(f, "{}", self.place)?;
        if let Some(column) = self.column {
            write!(f, " (column {column})")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for PackFault {}

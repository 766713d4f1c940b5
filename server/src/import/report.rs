//! What became of each line, for whoever brought the file: number, what, why.

use std::fmt;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    New,
    Changed,
    Unchanged,
    /// Kept for a reviewer.
    Held,
    Refused,
}

impl Word {
    const ALL: [Self; 5] = [
        Self::New,
        Self::Changed,
        Self::Unchanged,
        Self::Held,
        Self::Refused,
    ];

    const fn told(self) -> &'static str {
        match self {
            Self::New => "新增 new",
            Self::Changed => "改动 changed",
            Self::Unchanged => "不变 unchanged",
            Self::Held => "待审 held",
            Self::Refused => "不收 refused",
        }
    }
}

/// A line of the report.
#[derive(Debug, Clone)]
pub struct Line {
    pub line: usize,
    pub word: Word,
    /// The code, the end of a telephone number, a record's id.
    pub what: String,
    pub zh: String,
    pub en: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, word) = (self.line, self.word.told());
        write!(f, "{line}\t{word}\t{}", self.what)?;
        if !self.zh.is_empty() || !self.en.is_empty() {
            write!(f, "\t{} {}", self.zh, self.en)?;
        }
        Ok(())
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Report {
    pub lines: Vec<Line>,
    unused: Vec<String>,
    /// Whether something was written.
    pub is_written: bool,
}

impl Report {
    pub(super) const fn new(unused: Vec<String>) -> Self {
        Self {
            lines: Vec::new(),
            unused,
            is_written: false,
        }
    }

    pub(super) fn add(&mut self, line: usize, word: Word, what: impl Into<String>) {
        self.add_told(line, word, what, Why::default());
    }

    /// Adds a line with what there is to say of it.
    pub(super) fn add_told(
        &mut self,
        line: usize,
        word: Word,
        what: impl Into<String>,
        (zh, en): Why,
    ) {
        let what = what.into();
        self.lines.push(Line {
            line,
            word,
            what,
            zh,
            en,
        });
    }

    pub(super) fn refuse(
        &mut self,
        line: usize,
        what: impl Into<String>,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) {
        self.lines.push(Line {
            line,
            word: Word::Refused,
            what: what.into(),
            zh: zh.into(),
            en: en.into(),
        });
    }

    /// Takes a reason as it comes.
    pub(super) fn refuse_why(&mut self, line: usize, what: impl Into<String>, why: Why) {
        self.refuse(line, what, why.0, why.1);
    }

    pub(super) fn sort(&mut self) {
        self.lines.sort_by_key(|line| line.line);
    }

    /// How many lines ended so.
    pub fn count(&self, word: Word) -> usize {
        self.lines.iter().filter(|line| line.word == word).count()
    }

    /// Whether the rest may be written.
    pub(super) fn may_go_on(&self, skip_refused: bool) -> bool {
        skip_refused || self.count(Word::Refused) == 0
    }

    /// Whether there is anything to write.
    pub(super) fn has_news(&self) -> bool {
        self.lines
            .iter()
            .any(|line| !matches!(line.word, Word::Unchanged | Word::Refused))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for header in &self.unused {
            writeln!(f, "1\t没有用到这一列 this column is not used\t{header}")?;
        }
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        write!(f, "共 {} 行 lines:", self.lines.len())?;
        for word in Word::ALL {
            write!(f, "  {} {}", word.told(), self.count(word))?;
        }
        Ok(())
    }
}

/// Why something is refused: Chinese, English.
pub(super) type Why = (String, String);

/// A reason in both languages.
pub(super) fn why(zh: impl Into<String>, en: impl Into<String>) -> Why {
    (zh.into(), en.into())
}

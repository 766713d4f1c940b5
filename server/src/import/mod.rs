//! Tables in: regions, units, agencies, people and clients from files that somebody already has.
//!
//! Everything is checked first and then written together; a line that is refused stops the whole
//! import unless it is told to leave such lines out. The same file twice changes nothing. A trial
//! goes the same way to its end and keeps nothing.

mod agencies;
mod clients;
pub mod columns;
mod people;
mod places;
mod regions;
mod report;
pub mod table;
mod units;

use std::path::PathBuf;

pub use columns::Column;
pub use report::{Line, Report, Word};
pub use table::Row;

use crate::app::{App, StartError};

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Regions,
    Units,
    Agencies,
    People,
    Clients,
}

impl What {
    /// Every table.
    pub const ALL: [Self; 5] = [
        Self::Regions,
        Self::Units,
        Self::Agencies,
        Self::People,
        Self::Clients,
    ];

    /// The word of the command.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regions => "regions",
            Self::Units => "units",
            Self::Agencies => "agencies",
            Self::People => "people",
            Self::Clients => "clients",
        }
    }

    /// Its columns.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Regions => columns::REGIONS,
            Self::Units => columns::UNITS,
            Self::Agencies => columns::AGENCIES,
            Self::People => columns::PEOPLE,
            Self::Clients => columns::CLIENTS,
        }
    }
}

/// How a table is imported.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Check and report, and write nothing.
    pub dry_run: bool,
    /// Leave out what is refused and write the rest.
    pub skip_refused: bool,
    /// Nothing outside this unit.
    pub unit: Option<String>,
    /// A new file for first passwords.
    pub passwords: Option<PathBuf>,
}

/// Imports a table; the report says line by line what became of it.
///
/// # Errors
/// When the file is no such table, or the database fails. A refused line is no error: the report
/// says whether anything was written.
pub async fn run(
    app: &App,
    what: What,
    bytes: &[u8],
    options: &Options,
) -> Result<Report, StartError> {
    let table = table::read(bytes, what.columns())?;
    let mut report = Report::new(table.unused);
    let mut rows = Vec::with_capacity(table.rows.len());
    for row in table.rows {
        if row.has_zero() {
            report.refuse(
                row.line,
                "",
                "有不能保存的字符",
                "a character cannot be kept",
            );
        } else if row.is_shifted {
            let (zh, en) = (
                "多出了格子，可能少了引号",
                "more cells than columns: quotes missing?",
            );
            report.refuse(row.line, "", zh, en);
        } else {
            rows.push(row);
        }
    }
    match what {
        What::Regions => regions::import(app, &rows, options, &mut report).await?,
        What::Units => units::import(app, &rows, options, &mut report).await?,
        What::Agencies => agencies::import(app, &rows, options, &mut report).await?,
        What::People => people::import(app, &rows, options, &mut report).await?,
        What::Clients => clients::import(app, &rows, options, &mut report).await?,
    }
    report.sort();
    Ok(report)
}

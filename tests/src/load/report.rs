//! The report: one row a figure, as a table for people and as JSON for machines.
//!
//! What does not apply is null, never zero. Aims are compared with the rows and told, not
//! enforced: a shared machine decides about the figures too.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::{Fault, name_of};
use crate::engine::Engine;

/// At ×100, this part of the floor, with rules, log, facts and rollups on.
const HUNDRED_AIM: f64 = 0.5;
/// At ×1 from 200 phones, so many times one connection that commits one record at a time.
const ONE_AIM: f64 = 3.0;
/// CPU milliseconds of both renditions of 12 megapixels; more than the second is a fault.
const DEVELOP_AIM: (f64, f64) = (60.0, 130.0);
/// Photographs of 200 KB a second, and CPU milliseconds of one.
const UPLOAD_AIM: (f64, f64) = (500.0, 1.5);
/// Memory at rest.
const REST_MB_AIM: f64 = 40.0;

/// One figure with what belongs to it.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub work: &'static str,
    pub engine: &'static str,
    /// Records a request.
    pub batch: Option<usize>,
    pub phones: Option<usize>,
    /// Records, rows or requests a second.
    pub per_s: Option<f64>,
    pub floor_per_s: Option<f64>,
    pub ratio: Option<f64>,
    /// Of one request; of the whole sync for `sync`.
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// CPU of server and database for 1,000 records, rows or requests.
    pub cpu_ms_per_1000: Option<f64>,
    /// Bodies of one request; of the whole sync for `sync`.
    pub bytes_up: Option<f64>,
    pub bytes_down: Option<f64>,
    /// The server's own, at the end of the work.
    pub rss_mb: Option<f64>,
}

impl Row {
    /// A row to which nothing applies yet.
    pub const fn new(work: &'static str, engine: Engine) -> Self {
        Self {
            work,
            engine: name_of(engine),
            batch: None,
            phones: None,
            per_s: None,
            floor_per_s: None,
            ratio: None,
            p50_ms: None,
            p99_ms: None,
            cpu_ms_per_1000: None,
            bytes_up: None,
            bytes_down: None,
            rss_mb: None,
        }
    }

    /// Sets the floor beside the figure.
    pub fn beside(&mut self, floor: Option<f64>) {
        self.floor_per_s = floor.and_then(short);
        self.ratio = match (self.per_s, floor) {
            (Some(per_s), Some(floor)) if floor > 0.0 => short(per_s / floor),
            _ => None,
        };
    }

    /// What the row is about, in a few words.
    pub fn title(&self) -> String {
        let batch = self
            .batch
            .map(|batch| format!(" ×{batch}"))
            .unwrap_or_default();
        let phones = self
            .phones
            .map(|phones| format!(" by {phones}"))
            .unwrap_or_default();
        format!("{} {}{batch}{phones}", self.engine, self.work)
    }
}

/// Three decimals are more than such figures hold.
pub fn short(figure: f64) -> Option<f64> {
    figure
        .is_finite()
        .then(|| (figure * 1_000.0).round() / 1_000.0)
}

/// Prints the table and how the rows stand to the aims.
pub fn print(rows: &[Row]) {
    println!(
        "{:<28}{:>11}{:>11}{:>8}{:>10}{:>10}{:>11}{:>10}{:>11}{:>9}",
        "work",
        "per s",
        "floor",
        "ratio",
        "p50 ms",
        "p99 ms",
        "cpu/1000",
        "up B",
        "down B",
        "rss MB"
    );
    for row in rows {
        println!(
            "{:<28}{:>11}{:>11}{:>8}{:>10}{:>10}{:>11}{:>10}{:>11}{:>9}",
            row.title(),
            cell(row.per_s, 0),
            cell(row.floor_per_s, 0),
            cell(row.ratio, 2),
            cell(row.p50_ms, 2),
            cell(row.p99_ms, 2),
            cell(row.cpu_ms_per_1000, 1),
            cell(row.bytes_up, 0),
            cell(row.bytes_down, 0),
            cell(row.rss_mb, 1)
        );
    }
    for line in rows.iter().filter_map(aim) {
        println!("{line}");
    }
}

fn cell(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

/// How a row stands to its aim, if it has one.
fn aim(row: &Row) -> Option<String> {
    let (met, figure, aim) = match (row.work, row.batch, row.phones) {
        ("push", Some(100), _) => {
            let ratio = row.ratio?;
            let aim = format!("at least {HUNDRED_AIM} of the floor");
            (ratio >= HUNDRED_AIM, ratio, aim)
        }
        ("push", Some(1), Some(200)) => {
            let ratio = row.ratio?;
            let aim = format!("at least {ONE_AIM} times one record a commit");
            (ratio >= ONE_AIM, ratio, aim)
        }
        ("develop 12 MP", ..) => {
            let ms = short(row.cpu_ms_per_1000? / 1_000.0)?;
            let (aim, most) = DEVELOP_AIM;
            let aim = format!("at most {aim} ms a picture, {most} as the bound");
            (ms <= DEVELOP_AIM.0, ms, aim)
        }
        ("upload", ..) => {
            let (per_s, ms) = (row.per_s?, row.cpu_ms_per_1000? / 1_000.0);
            let (rate, most) = UPLOAD_AIM;
            let aim = format!("at least {rate} a second at {most} ms; one took {ms:.1} ms");
            (per_s >= rate && ms <= most, per_s, aim)
        }
        ("rest", ..) => {
            let mb = row.rss_mb?;
            (mb <= REST_MB_AIM, mb, format!("at most {REST_MB_AIM} MB"))
        }
        _ => return None,
    };
    let how = if met { "meets" } else { "falls short of" };
    Some(format!("{}: {figure} {how} the aim, {aim}", row.title()))
}

/// Writes the rows as a JSON list.
///
/// # Errors
/// When the file cannot be written.
pub fn write(rows: &[Row], file: &Path) -> Result<(), Fault> {
    let mut text = serde_json::to_string_pretty(rows)?;
    text.push('\n');
    fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Engine, Row, aim, short};

    #[test]
    fn a_ratio_needs_a_floor_and_an_aim_a_ratio() {
        let mut row = Row::new("push", Engine::Sqlite);
        (row.batch, row.phones, row.per_s) = (Some(100), Some(16), short(900.0));
        row.beside(None);
        assert_eq!((row.ratio, aim(&row)), (None, None));
        row.beside(Some(2_000.0));
        assert_eq!(row.ratio, Some(0.45));
        assert!(aim(&row).is_some_and(|line| line.contains("falls short")));
        row.beside(Some(1_000.0));
        assert!(aim(&row).is_some_and(|line| line.contains("meets")));
        row.beside(Some(0.0));
        assert_eq!(row.ratio, None);
    }

    #[test]
    fn what_does_not_apply_is_null() {
        let row = serde_json::to_value(Row::new("rest", Engine::Postgres)).expect("JSON");
        assert_eq!(row["engine"], "postgres");
        assert!(row["per_s"].is_null() && row["batch"].is_null());
        assert_eq!(row.as_object().map(serde_json::Map::len), Some(13));
    }
}

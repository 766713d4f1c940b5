//! The refusal ledger as it is published: who orders what, and never who refused.
//!
//! A month's refusals are a tree: county, clause, ordering office, station. A branch with fewer
//! than three authors is merged with its like into "the others" of the level above, and "the
//! others" takes in the smallest published branch until three authors are behind it. What comes out
//! is a partition: every refusal stands in exactly one cell and there are no totals beside them, so
//! no difference of two numbers of one answer gives a small cell back. A month with fewer than
//! three authors in the whole county is not published at all.

use std::collections::{BTreeMap, BTreeSet};

/// Authors below which a cell would point at somebody.
pub const AUTHORS_MIN: usize = 3;
/// Levels below the county: clause, office, station.
const LEVELS: usize = 3;

/// Refusals of one author in one place of the tree.
#[derive(Debug, Clone)]
pub struct Refused {
    pub clause: String,
    /// Empty where no office was named.
    pub office: String,
    pub station: String,
    pub author: String,
    pub count: i64,
    pub minutes: i64,
}

impl Refused {
    fn name(&self, level: usize) -> &str {
        match level {
            0 => &self.clause,
            1 => &self.office,
            _ => &self.station,
        }
    }
}

/// A cell that may be shown. `None` stands for the others of that level, and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub clause: Option<String>,
    pub office: Option<String>,
    pub station: Option<String>,
    pub count: i64,
    pub minutes: i64,
}

/// The cells of a month, none with fewer than `AUTHORS_MIN` authors; nothing where there are not
/// as many.
pub fn published(rows: &[Refused]) -> Vec<Cell> {
    let all: Vec<&Refused> = rows.iter().collect();
    let mut cells = Vec::new();
    if authors(&all) >= AUTHORS_MIN {
        branch(&all, 0, &mut cells);
    }
    cells
}

/// The cells as they are, for those who may read the refusals themselves.
pub fn exact(rows: &[Refused]) -> Vec<Cell> {
    let mut leaves: BTreeMap<[&str; LEVELS], Vec<&Refused>> = BTreeMap::new();
    for row in rows {
        let key = [0, 1, 2].map(|level| row.name(level));
        leaves.entry(key).or_default().push(row);
    }
    leaves.values().map(|rows| cell(rows, LEVELS)).collect()
}

fn authors(rows: &[&Refused]) -> usize {
    let all: BTreeSet<&str> = rows.iter().map(|row| row.author.as_str()).collect();
    all.len()
}

fn counted(rows: &[&Refused]) -> i64 {
    rows.iter().map(|row| row.count).sum()
}

/// One cell of rows that are alike down to `known` levels.
fn cell(rows: &[&Refused], known: usize) -> Cell {
    let name = |level: usize| (level < known).then(|| rows[0].name(level).to_owned());
    Cell {
        clause: name(0),
        office: name(1),
        station: name(2),
        count: counted(rows),
        minutes: rows.iter().map(|row| row.minutes).sum(),
    }
}

/// Publishes the rows of one branch, which has authors enough, `known` levels below the county.
fn branch(rows: &[&Refused], known: usize, cells: &mut Vec<Cell>) {
    if known == LEVELS {
        return cells.push(cell(rows, known));
    }
    let mut below: BTreeMap<&str, Vec<&Refused>> = BTreeMap::new();
    for row in rows {
        below.entry(row.name(known)).or_default().push(row);
    }
    let (mut large, small): (Vec<_>, Vec<_>) = below
        .into_values()
        .partition(|rows| authors(rows) >= AUTHORS_MIN);
    let mut others: Vec<&Refused> = small.into_iter().flatten().collect();
    if !others.is_empty() && authors(&others) < AUTHORS_MIN {
        // The first of the smallest, by name, joins them; there is one, or this branch were small.
        let smallest = (0..large.len()).min_by_key(|at| counted(&large[*at]));
        if let Some(at) = smallest {
            others.extend(large.remove(at));
        }
    }
    for rows in &large {
        branch(rows, known + 1, cells);
    }
    if !others.is_empty() {
        cells.push(cell(&others, known));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(clause: u8, office: u8, station: u8, author: u8, count: i64) -> Refused {
        Refused {
            clause: format!("c{clause}"),
            office: format!("o{office}"),
            station: format!("s{station}"),
            author: format!("a{author}"),
            count,
            minutes: count,
        }
    }

    /// Rows of which each counts for another power of two: a sum says which rows are in it.
    fn rows() -> impl Strategy<Value = Vec<Refused>> {
        let one = (0..4_u8, 0..4_u8, 0..3_u8, 0..7_u8);
        prop::collection::vec(one, 0..60).prop_map(|list| {
            let rows = list.into_iter().enumerate();
            rows.map(|(at, (c, o, s, a))| row(c, o, s, a, 1 << at))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn no_cell_is_small_and_nothing_is_counted_twice_or_lost(rows in rows()) {
            let cells = published(&rows);
            let every: BTreeSet<&str> = rows.iter().map(|row| row.author.as_str()).collect();
            let total: i64 = rows.iter().map(|row| row.count).sum();
            let shown: i64 = cells.iter().map(|cell| cell.count).sum();
            prop_assert_eq!(shown, if every.len() < AUTHORS_MIN { 0 } else { total });
            let mut seen = 0_i64;
            for cell in &cells {
                // Disjoint: whatever is added or taken away comes to whole cells.
                prop_assert_eq!(seen & cell.count, 0);
                seen |= cell.count;
                let within: Vec<&Refused> =
                    rows.iter().filter(|row| row.count & cell.count != 0).collect();
                prop_assert!(authors(&within) >= AUTHORS_MIN, "{:?}", cell);
                for row in within {
                    let named = [&cell.clause, &cell.office, &cell.station];
                    for (level, name) in named.into_iter().enumerate() {
                        prop_assert!(name.as_deref().is_none_or(|name| name == row.name(level)));
                    }
                }
            }
            let whole: i64 = exact(&rows).iter().map(|cell| cell.count).sum();
            prop_assert_eq!(whole, total);
        }
    }

    #[test]
    fn small_offices_become_the_others_and_take_the_smallest_with_them() {
        let mut rows = Vec::new();
        for author in 0..3 {
            rows.push(row(1, 1, 1, author, 10));
            rows.push(row(1, 2, 1, author, 2));
        }
        rows.push(row(1, 3, 1, 5, 1));
        let cells = published(&rows);
        let shown: Vec<_> = cells
            .iter()
            .map(|cell| (cell.office.as_deref(), cell.count))
            .collect();
        assert_eq!(shown, [(Some("o1"), 30), (None, 7)]);
        assert_eq!(cells[0].station.as_deref(), Some("s1"));
    }
}

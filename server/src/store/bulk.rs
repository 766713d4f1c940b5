//! Many rows in one statement, with one text for both engines.
//!
//! A `Bulk` is a text with a list of VALUES in the middle, and the type of each of its columns.
//! Rows go out in powers of two, so that a connection prepares at most eight texts of each and
//! then only binds. What is bound, and in which order, is the caller's.

use std::sync::{Arc, OnceLock};

/// Most rows of one statement: 128 × 30 columns stays below the 32,766 parameters of the engine
/// that allows fewer.
pub const BULK_ROWS_MAX: usize = 128;
/// Powers of two up to `BULK_ROWS_MAX`.
const SIZES: usize = 8;

/// A statement with rows of VALUES in it.
#[derive(Debug)]
pub struct Bulk {
    head: &'static str,
    /// A letter a column: `i` BIGINT, `t` TEXT, `b` bytes, `o` BOOLEAN.
    pub columns: &'static str,
    tail: &'static str,
    texts: [[OnceLock<Arc<str>>; SIZES]; 2],
}

/// How an engine wants the parameters of a bulk text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// `$1, $2, …`.
    Numbered,
    /// `?` each. Where a numbered parameter is a name, binding the last of 2,688 looks through all
    /// the others; that took longer than the insert.
    Plain,
}

impl Bulk {
    /// `head (…),(…) tail`, with one letter in `columns` for each bound column.
    pub const fn new(head: &'static str, columns: &'static str, tail: &'static str) -> Self {
        assert!(
            columns.len() * BULK_ROWS_MAX <= 32_766,
            "too many parameters"
        );
        Self {
            head,
            columns,
            tail,
            texts: [const { [const { OnceLock::new() }; SIZES] }; 2],
        }
    }

    /// The text for `rows` rows, a power of two; made once.
    pub fn text(&self, rows: usize, marks: Marks) -> Arc<str> {
        debug_assert!(rows.is_power_of_two() && rows <= BULK_ROWS_MAX);
        let size = usize::try_from(rows.trailing_zeros()).unwrap_or(0);
        let text = &self.texts[marks as usize][size];
        Arc::clone(text.get_or_init(|| self.write(rows, marks).into()))
    }

    fn write(&self, rows: usize, marks: Marks) -> String {
        let width = self.columns.len();
        let mut text = String::with_capacity(self.head.len() + rows * width * 6);
        text.push_str(self.head);
        values(&mut text, rows, width, marks);
        text.push(' ');
        text.push_str(self.tail);
        text
    }
}

/// Writes ` (…),(…)` with a mark for each column of each row.
pub(super) fn values(text: &mut String, rows: usize, width: usize, marks: Marks) {
    use std::fmt::Write;
    for row in 0..rows {
        text.push(if row == 0 { ' ' } else { ',' });
        for column in 0..width {
            let open = if column == 0 { '(' } else { ',' };
            // Writing to a String cannot fail.
            let _ = match marks {
                Marks::Numbered => write!(text, "{open}${}", row * width + column + 1),
                Marks::Plain => write!(text, "{open}?"),
            };
        }
        text.push(')');
    }
}

/// Splits rows into runs whose lengths are powers of two, longest first.
pub fn runs<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = (1 << rest.len().checked_ilog2()?).min(BULK_ROWS_MAX);
        let (run, after) = rest.split_at(size);
        rest = after;
        Some(run)
    })
}

/// Writes many rows: `bulk!(tx, &BULK, rows, |q, row| q.bind(row.a).bind(&row.b))`.
///
/// Gives the number of rows that the engine counts as changed, or the engine's error. `$rows` is
/// a slice; the caller's function must be async.
#[macro_export]
macro_rules! bulk {
    ($tx:expr, $bulk:expr, $rows:expr, |$query:ident, $row:ident| $bind:expr) => {{
        let mut changed = 0_u64;
        for run in $crate::store::bulk::runs($rows) {
            let text = sqlx::AssertSqlSafe($bulk.text(run.len(), $tx.marks()));
            changed += $crate::on!($tx, |conn| {
                let mut $query = sqlx::query(text);
                for $row in run {
                    $query = $bind;
                }
                $query.execute(conn).await?.rows_affected()
            });
        }
        changed
    }};
}

#[cfg(test)]
mod tests {
    use super::{Bulk, Marks, runs};

    #[test]
    fn a_text_numbers_its_parameters_row_by_row() {
        let bulk = Bulk::new(
            "INSERT INTO t (a, b) VALUES",
            "it",
            "ON CONFLICT DO NOTHING",
        );
        let text = "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4) ON CONFLICT DO NOTHING";
        assert_eq!(&*bulk.text(2, Marks::Numbered), text);
        assert_eq!(
            &*bulk.text(1, Marks::Numbered),
            "INSERT INTO t (a, b) VALUES ($1,$2) ON CONFLICT DO NOTHING"
        );
        let plain = "INSERT INTO t (a, b) VALUES (?,?),(?,?) ON CONFLICT DO NOTHING";
        assert_eq!(&*bulk.text(2, Marks::Plain), plain);
    }

    #[test]
    fn rows_go_out_in_powers_of_two_and_none_is_lost() {
        let rows: Vec<usize> = (0..300).collect();
        let sizes: Vec<usize> = runs(&rows).map(<[usize]>::len).collect();
        assert_eq!(sizes, [128, 128, 32, 8, 4]);
        assert_eq!(runs(&rows).flatten().count(), 300);
        assert_eq!(runs::<usize>(&[]).count(), 0);
    }
}

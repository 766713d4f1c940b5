//! Every table, row by row, from one database into another of either engine.
//!
//! Tables and columns are read from the empty target, which a migration of this build has made,
//! so a table that is added needs no line here. Cells keep their type: BIGINT, BOOLEAN, TEXT or
//! bytes; nothing else is in any table. What an engine keeps for itself is not copied.

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Row};

use super::bulk::{self, BULK_ROWS_MAX, Marks};
use super::dialect::COLUMNS;
use super::{StoreError, Tx};
use crate::on;

/// A table with its columns in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    columns: Vec<(String, Type)>,
}

impl Table {
    fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|(name, _)| name.as_str()).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Int,
    Bool,
    Text,
    Bytes,
}

impl Type {
    /// By the engines' own words for it.
    fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "bigint" => Some(Self::Int),
            "boolean" => Some(Self::Bool),
            "text" => Some(Self::Text),
            "blob" | "bytea" => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// A value on its way.
#[derive(Debug, Clone)]
enum Cell {
    Int(Option<i64>),
    Bool(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// Every table of a database, by name.
///
/// # Errors
/// When the engine fails, or a column has a type that no migration of ours makes.
pub async fn tables(tx: &mut Tx) -> Result<Vec<Table>, StoreError> {
    let sql = tx.text(&COLUMNS);
    let columns: Vec<(String, String, String)> =
        on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)?;
    let mut tables: Vec<Table> = Vec::new();
    for (table, column, word) in columns {
        let kind = Type::parse(&word).ok_or(super::broken("schema", "type of a column"))?;
        if tables.last().is_none_or(|last| last.name != table) {
            tables.push(Table {
                name: table,
                columns: Vec::new(),
            });
        }
        let last = tables.last_mut().expect("one was pushed");
        last.columns.push((column, kind));
    }
    Ok(tables)
}

/// Rows of a table.
///
/// # Errors
/// When the engine fails.
pub async fn count(tx: &mut Tx, table: &Table) -> Result<i64, StoreError> {
    let sql = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {}", table.name);
    Ok(on!(tx, |c| sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(c)
        .await)?)
}

/// Copies a table into one that is empty; gives its rows. What a migration put there goes first.
///
/// # Errors
/// When an engine fails or a cell has another type than its column.
pub async fn table(from: &mut Tx, to: &mut Tx, table: &Table) -> Result<u64, StoreError> {
    let empty = format!("DELETE FROM {}", table.name);
    on!(to, |c| sqlx::query(AssertSqlSafe(empty))
        .execute(c)
        .await
        .map(drop))?;
    let names = table.names();
    let select = format!("SELECT {} FROM {}", names.join(", "), table.name);
    let mut waiting: Vec<Vec<Cell>> = Vec::with_capacity(BULK_ROWS_MAX);
    let mut rows = 0;
    on!(from, |c| {
        let mut found = sqlx::query(AssertSqlSafe(select)).fetch(c);
        while let Some(row) = found.try_next().await? {
            let mut cells = Vec::with_capacity(names.len());
            for (place, (_, kind)) in table.columns.iter().enumerate() {
                cells.push(match kind {
                    Type::Int => Cell::Int(row.try_get(place)?),
                    Type::Bool => Cell::Bool(row.try_get(place)?),
                    Type::Text => Cell::Text(row.try_get(place)?),
                    Type::Bytes => Cell::Bytes(row.try_get(place)?),
                });
            }
            waiting.push(cells);
            rows += 1;
            if waiting.len() == BULK_ROWS_MAX {
                put(to, table, &waiting).await?;
                waiting.clear();
            }
        }
    });
    put(to, table, &waiting).await?;
    Ok(rows)
}

async fn put(to: &mut Tx, table: &Table, rows: &[Vec<Cell>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = AssertSqlSafe(insert(table, rows.len(), to.marks()));
    on!(to, |c| {
        let mut query = sqlx::query(sql).persistent(rows.len() == BULK_ROWS_MAX);
        for cell in rows.iter().flatten() {
            query = match cell {
                Cell::Int(value) => query.bind(*value),
                Cell::Bool(value) => query.bind(*value),
                Cell::Text(value) => query.bind(value.as_deref()),
                Cell::Bytes(value) => query.bind(value.as_deref()),
            };
        }
        query.execute(c).await.map(drop)
    })?;
    Ok(())
}

fn insert(table: &Table, rows: usize, marks: Marks) -> String {
    let (name, columns) = (&table.name, table.names());
    let mut text = format!("INSERT INTO {name} ({}) VALUES", columns.join(", "));
    bulk::values(&mut text, rows, columns.len(), marks);
    text
}

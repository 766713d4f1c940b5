//! The only module that knows which engines there are.
//!
//! One SQL text serves both: `$n` placeholders; BIGINT, BOOLEAN, TEXT and bytes; milliseconds
//! instead of dates; `ON CONFLICT` and counted rows instead of caught errors; `CAST(SUM(x) AS
//! BIGINT)`. Each SQL constant is bound with the same types always, because statements are
//! cached by their text. A write transaction is the only writer of the file on one engine, and
//! of whatever rows it locked on the other; a read transaction sees one snapshot on both.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Database, SqliteConnection, Transaction, query_scalar};

use super::StoreError;
use super::bulk::Marks;
use crate::private;

/// Readers beside the one writer: two cores and room for slow exports.
const READERS: u32 = 4;
/// Connections to a database server: its default of 100 shared by five nodes and the operator.
const CONNECTIONS: u32 = 16;
/// A write waits for at most this long for a lock; phones repeat.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// A transaction that says nothing for so long is ended by the database: its node is frozen or cut
/// off. One that writes says something every few milliseconds; what is decided whole between two
/// statements, thousands of items long, says before that it will be silent (`Tx::be_patient`).
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for a connection before the answer is `busy`.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements a connection keeps: 100 plain ones and 8 sizes of 25 bulk texts.
const STATEMENTS: usize = 320;

/// The writing connection's cache of pages in KiB, negative as the engine wants it: the upper
/// levels of every index and what a busy hour writes. It grows with use; at rest it is empty.
const WRITER_CACHE: &str = "-32768";
/// Pages after which the journal is folded in: 16 MiB, a few seconds of the busiest hour, so that
/// a page that changes with every commit is not written twice each time.
const CHECKPOINT_PAGES: &str = "4000";

/// What the address of a server begins with, and that of a file.
const SERVER: [&str; 2] = ["postgres://", "postgresql://"];
const FILE: &str = "sqlite:";

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// An open database.
#[derive(Debug, Clone)]
pub enum Db {
    /// One file: a single writing connection and several readers.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    /// A database server.
    Postgres(PgPool),
}

/// An open transaction; dropped without `commit` it is rolled back.
#[derive(Debug)]
pub enum Tx {
    Sqlite(Line<Sqlite>),
    Postgres(Line<Postgres>),
}

/// A connection of one engine, in a transaction or for one statement that needs none.
#[derive(Debug)]
pub enum Line<D: Database> {
    Whole(Transaction<'static, D>),
    Single(PoolConnection<D>),
}

impl<D: Database> Line<D> {
    /// The connection itself.
    pub fn connection(&mut self) -> &mut D::Connection {
        match self {
            Self::Whole(tx) => tx,
            Self::Single(connection) => connection,
        }
    }

    async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Whole(tx) => tx.commit().await,
            Self::Single(_) => Ok(()),
        }
    }
}

/// How a database's tables stand to this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing to do.
    Current,
    /// Migrations wait.
    Behind,
    /// A later build was here.
    Newer,
}

/// Runs one sqlx expression on whichever engine is behind a `&mut Tx`.
///
/// `on!(tx, |c| sqlx::query(TEXT).bind(x).execute(c).await)`: the body is compiled once per
/// engine, so what does not compile on one of them is a build error.
#[macro_export]
macro_rules! on {
    ($tx:expr, |$conn:ident| $run:expr) => {
        match $tx {
            $crate::store::dialect::Tx::Sqlite(tx) => {
                let $conn = tx.connection();
                $run
            }
            $crate::store::dialect::Tx::Postgres(tx) => {
                let $conn = tx.connection();
                $run
            }
        }
    };
}

impl Db {
    /// Opens `sqlite:PATH` (made if absent) or `postgres://…`; no table is touched.
    ///
    /// # Errors
    /// When the address names no engine or the engine does not answer.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if SERVER.iter().any(|scheme| url.starts_with(scheme)) {
            return open_server(url).await;
        }
        if url.starts_with(FILE) {
            return open_file(url).await;
        }
        Err(StoreError::Address)
    }

    /// Whether an address is one of an engine's, whatever is there.
    pub fn knows(url: &str) -> bool {
        url.starts_with(FILE) || SERVER.iter().any(|scheme| url.starts_with(scheme))
    }

    /// Opens a database in one file, whatever the engine of the others; made if absent.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub async fn file(path: &std::path::Path) -> Result<Self, StoreError> {
        open_file(&format!("sqlite:{}", path.display())).await
    }

    /// Begins the transaction of a writer.
    ///
    /// # Errors
    /// When no connection came free in time.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                Tx::Sqlite(Line::Whole(writer.begin_with("BEGIN IMMEDIATE").await?))
            }
            Self::Postgres(pool) => Tx::Postgres(Line::Whole(pool.begin().await?)),
        })
    }

    /// Begins a transaction that sees one snapshot and may not write.
    ///
    /// # Errors
    /// When no connection came free in time.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(Line::Whole(readers.begin().await?)),
            Self::Postgres(pool) => {
                // It holds nobody up, and a backup reads photographs in the middle of one.
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                    SET LOCAL idle_in_transaction_session_timeout = 0";
                Tx::Postgres(Line::Whole(pool.begin_with(begin).await?))
            }
        })
    }

    /// A connection for one reading statement, which is its own snapshot: two round trips less
    /// than a transaction.
    ///
    /// # Errors
    /// When no connection came free in time.
    pub async fn glance(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(Line::Single(readers.acquire().await?)),
            Self::Postgres(pool) => Tx::Postgres(Line::Single(pool.acquire().await?)),
        })
    }

    /// Says whether one process owns the database: it may migrate by itself, and one writer
    /// serves all shards.
    pub const fn is_own_file(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    /// Applies the migrations that are missing.
    ///
    /// # Errors
    /// When the schema is newer than this build or a migration fails.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { writer, .. } => SQLITE.run(writer).await?,
            Self::Postgres(pool) => POSTGRES.run(pool).await?,
        }
        Ok(())
    }

    /// Compares the tables with what this build expects.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn shape(&self) -> Result<Shape, StoreError> {
        let (known, applied) = match self {
            Self::Sqlite { writer, .. } => {
                let there = "SELECT name FROM sqlite_master WHERE name = '_sqlx_migrations'";
                let there: Option<String> = query_scalar(there).fetch_optional(writer).await?;
                let applied = match there {
                    Some(_) => query_scalar(APPLIED).fetch_one(writer).await?,
                    None => None,
                };
                (newest(&SQLITE), applied)
            }
            Self::Postgres(pool) => {
                let there = "SELECT to_regclass('_sqlx_migrations')::text";
                let there: Option<String> = query_scalar(there).fetch_one(pool).await?;
                let applied: Option<i64> = match there {
                    Some(_) => query_scalar(APPLIED).fetch_one(pool).await?,
                    None => None,
                };
                (newest(&POSTGRES), applied)
            }
        };
        Ok(match applied.unwrap_or(0).cmp(&known) {
            std::cmp::Ordering::Less => Shape::Behind,
            std::cmp::Ordering::Equal => Shape::Current,
            std::cmp::Ordering::Greater => Shape::Newer,
        })
    }

    /// Connections that are in use now.
    pub fn in_use(&self) -> usize {
        let busy = |size: u32, idle: usize| (size as usize).saturating_sub(idle);
        match self {
            Self::Sqlite { writer, readers } => {
                let reading = busy(readers.size(), readers.num_idle());
                busy(writer.size(), writer.num_idle()) + reading
            }
            Self::Postgres(pool) => busy(pool.size(), pool.num_idle()),
        }
    }

    /// Closes every connection; a file's journal is folded in.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// One statement in the two engines' words, with the same parameters of the same types.
pub struct Dual {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

/// Every column of every table in its order, for `copy`. The migrations' own table is each
/// engine's, and so are statistics.
pub(super) const COLUMNS: Dual = Dual {
    sqlite: "SELECT m.name, p.name, p.type FROM sqlite_master m, pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '_sqlx%' \
             ORDER BY m.name, p.cid",
    postgres: "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), \
               CAST(data_type AS TEXT) FROM information_schema.columns \
               WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%' \
               ORDER BY table_name, ordinal_position",
};

impl Tx {
    /// The words of a statement on this engine.
    pub const fn text(&self, dual: &Dual) -> &'static str {
        match self {
            Self::Sqlite(_) => dual.sqlite,
            Self::Postgres(_) => dual.postgres,
        }
    }

    /// How this engine takes the parameters of many rows.
    pub const fn marks(&self) -> Marks {
        match self {
            Self::Sqlite(_) => Marks::Plain,
            Self::Postgres(_) => Marks::Numbered,
        }
    }

    /// Lets the transaction be silent for as long as it takes to decide what it writes.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn be_patient(&mut self) -> Result<(), StoreError> {
        if let Self::Postgres(tx) = self {
            sqlx::query(PATIENT).execute(tx.connection()).await?;
        }
        Ok(())
    }

    /// Makes the transaction durable.
    ///
    /// # Errors
    /// When the engine cannot; nothing of it remains then.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

const PATIENT: &str = "SET LOCAL idle_in_transaction_session_timeout = 0";
const APPLIED: &str = "SELECT MAX(version) FROM _sqlx_migrations WHERE success";

fn newest(migrator: &Migrator) -> i64 {
    migrator
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

async fn open_file(url: &str) -> Result<Db, StoreError> {
    let options = SqliteConnectOptions::from_str(url)?;
    if !url.contains(":memory:") {
        private::database_file(options.get_filename()).map_err(sqlx::Error::Io)?;
    }
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(LOCK_TIMEOUT)
        .statement_cache_capacity(STATEMENTS)
        .pragma("temp_store", "MEMORY")
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .disable_statement_logging();
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .before_acquire(|conn, _| Box::pin(is_outside(conn)))
    };
    let writer = pool()
        .max_connections(1)
        .connect_with(options.clone().pragma("cache_size", WRITER_CACHE))
        .await?;
    let readers = pool()
        .max_connections(READERS)
        .connect_lazy_with(options.pragma("query_only", "1"));
    Ok(Db::Sqlite { writer, readers })
}

/// Whether a connection is in no transaction. A full disk makes the engine roll back by itself; the
/// driver's own rollback fails then, and it would believe for ever that it is inside one.
async fn is_outside(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if !conn.is_in_transaction() {
        return Ok(true);
    }
    // A rollback may only be on its way; what is asked after it is answered after it.
    conn.ping().await?;
    Ok(!conn.is_in_transaction())
}

async fn open_server(url: &str) -> Result<Db, StoreError> {
    let lock_ms = LOCK_TIMEOUT.as_millis().to_string();
    let idle_ms = IDLE_TIMEOUT.as_millis().to_string();
    let options = PgConnectOptions::from_str(url)?
        .application_name("xiangyi")
        .options([
            ("lock_timeout", lock_ms.as_str()),
            ("synchronous_commit", "on"),
            // A node that stands still with a county's lock must not hold the other nodes up.
            ("idle_in_transaction_session_timeout", idle_ms.as_str()),
            // Every read goes along an index. A plan that was made while a table was small, and
            // is kept, must not read the whole of it a year later.
            ("enable_seqscan", "off"),
        ])
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    // The pool would try until its time is over and then not say why.
    options.connect().await?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    Ok(Db::Postgres(pool))
}

/// Says whether the disk is full.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    let fault = match error {
        sqlx::Error::Database(fault) => fault,
        sqlx::Error::Io(error) => return error.kind() == std::io::ErrorKind::StorageFull,
        _ => return false,
    };
    // SQLite: FULL, and IOERR with WRITE or SHMSIZE, where a file may not grow. PostgreSQL:
    // disk_full.
    let code = fault.code().unwrap_or_default();
    matches!(code.as_ref(), "13" | "778" | "4874" | "53100")
}

/// Says whether a migration found the disk full.
pub(super) fn is_full_migrating(error: &MigrateError) -> bool {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => is_full(error),
        _ => false,
    }
}

/// What failed, where the engine itself said nothing; never anything that somebody sent.
pub(super) const fn named(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) => "the line was cut",
        sqlx::Error::Protocol(_) => "an answer out of turn",
        sqlx::Error::BeginFailed => "no transaction",
        sqlx::Error::PoolTimedOut => "no connection in time",
        sqlx::Error::PoolClosed => "closed",
        sqlx::Error::WorkerCrashed => "its thread ended",
        sqlx::Error::RowNotFound => "no row",
        _ => "no answer of its own",
    }
}

/// Says whether repeating may help: a lock, a connection or a serialisation that did not come.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        // A line that was cut in the middle of an answer is out of turn from then on.
        sqlx::Error::PoolTimedOut
        | sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(fault) => {
            // SQLite: BUSY, LOCKED, IOERR, FULL and CANTOPEN with their extensions in the high
            // bytes. A disk that is full is nobody's record's fault.
            let code = fault.code().unwrap_or_default().into_owned();
            let low = code
                .parse::<i64>()
                .ok()
                .filter(|_| code.len() < 5)
                .map(|n| n & 0xff);
            // PostgreSQL: serialization_failure, deadlock_detected, lock_not_available, and a
            // transaction that was idle for too long; what it lacks (53), what it was told (57P)
            // and how it is reached (08).
            matches!(low, Some(5 | 6 | 10 | 13 | 14))
                || matches!(code.as_str(), "40001" | "40P01" | "55P03" | "25P03")
                || ["53", "57P", "08"]
                    .iter()
                    .any(|class| code.starts_with(class))
        }
        _ => false,
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) => Self::Newer,
            other => Self::Migration(Box::new(other)),
        }
    }
}

//! The store: functions over an open transaction, one module a table or two.
//!
//! Each SQL text is a named constant above the one function that runs it. Functions take a
//! `&mut Tx` and never commit; whoever opened the transaction does. No decision is made here
//! beyond what a condition in SQL can say, and no engine is named outside `dialect`.

pub mod accounts;
pub mod audit;
pub mod batch;
pub mod bulk;
pub mod cards;
pub mod chain;
pub mod copy;
pub mod dialect;
pub mod evidence;
pub mod feed;
pub mod keys;
pub mod lists;
pub mod load;
pub mod packs;
pub mod people;
pub mod photo_jobs;
pub mod photos;
pub mod places;
pub mod reads;
pub mod reports;
pub mod save;
pub mod sealed;
pub mod sessions;
pub mod shards;
pub mod single;
pub mod throttle;
pub mod trail;
pub mod trials;
pub mod uploads;
pub mod views;
pub mod webhooks;
pub mod wechat;

pub use dialect::{Db, Tx};

/// What can go wrong in the store.
#[derive(Debug)]
pub enum StoreError {
    /// The engine failed or was too busy.
    Engine(sqlx::Error),
    /// A migration failed.
    Migration(Box<sqlx::migrate::MigrateError>),
    /// The tables were made by a later build.
    Newer,
    /// The address names no engine.
    Address,
    /// A row breaks an invariant: table and what is wrong with it, never its content.
    Broken {
        table: &'static str,
        what: &'static str,
    },
}

impl StoreError {
    /// The fault as a log may hold it: an engine's words can quote what somebody sent.
    pub fn told(&self) -> String {
        match self {
            Self::Engine(sqlx::Error::Database(fault)) => {
                format!("{self} ({})", fault.code().unwrap_or_default())
            }
            Self::Engine(error) => format!("{self} ({})", dialect::named(error)),
            other => other.to_string(),
        }
    }

    /// The fault with the engine's own words, for whoever starts the program; nothing that anybody
    /// sent is in play then.
    pub fn to_the_operator(&self) -> String {
        match self {
            Self::Engine(sqlx::Error::Database(fault)) => format!("{self}: {}", fault.message()),
            Self::Engine(other) => format!("{self}: {other}"),
            other => other.to_string(),
        }
    }

    /// Says whether the disk is full, or takes no more.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Engine(error) => dialect::is_full(error),
            Self::Migration(error) => dialect::is_full_migrating(error),
            _ => false,
        }
    }

    /// Says whether the same call may succeed in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Engine(error) if dialect::is_passing(error))
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            full if full.is_full() => f.write_str(
                "磁盘满了（或写不进），请腾出空间再来。the disk of the database is full, or cannot be \
                 written: free some room",
            ),
            Self::Engine(_) => f.write_str("the database failed"),
            Self::Migration(_) => f.write_str("the tables could not be migrated"),
            Self::Newer => f.write_str("the tables were made by a later build of xiangyi"),
            Self::Address => f.write_str("a database address starts with sqlite: or postgres://"),
            Self::Broken { table, what } => write!(f, "broken row in {table}: {what}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Engine(error) => Some(error),
            Self::Migration(error) => Some(error),
            Self::Newer | Self::Address | Self::Broken { .. } => None,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

/// A row that breaks an invariant.
pub(crate) const fn broken(table: &'static str, what: &'static str) -> StoreError {
    StoreError::Broken { table, what }
}

//! One test, both engines.

use xiangyi_server::store::Db;

use crate::cluster;
use crate::scratch::Scratch;

/// An engine to run a test on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A migrated database of one test; its folder goes with it.
#[derive(Debug)]
pub struct Fresh {
    pub db: Db,
    pub url: String,
    /// Where files may be put; holds the database file too, if there is one.
    pub scratch: Scratch,
}

impl Engine {
    /// The address of a fresh database; its tables may or may not be there.
    pub async fn address(self, scratch: &Scratch) -> String {
        match self {
            Self::Sqlite => format!("sqlite:{}", scratch.path().join("xiangyi.db").display()),
            Self::Postgres => cluster::database().await,
        }
    }

    /// A fresh database with all tables.
    pub async fn fresh(self) -> Fresh {
        let scratch = Scratch::new("db");
        let url = self.address(&scratch).await;
        let db = Db::open(&url).await.expect("a fresh database opens");
        db.migrate().await.expect("the migrations apply");
        Fresh { db, url, scratch }
    }
}

/// Makes one async test into two: `on_both!(name, |engine| async move { … });`.
#[macro_export]
macro_rules! on_both {
    ($(#[$doc:meta])* $name:ident, |$engine:ident| $body:expr) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn run($engine: $crate::engine::Engine) {
                $body
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run($crate::engine::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run($crate::engine::Engine::Postgres).await;
            }
        }
    };
}

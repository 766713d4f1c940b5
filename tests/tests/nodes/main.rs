//! Two server processes on one database: no reader misses a row, no place is given twice, events
//! cross, a frozen node holds nobody up for long; and clients of an earlier make erase nothing.

mod frozen;
mod old;
mod readers;
mod rush;

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, query_scalar};
use xiangyi_server::on;
use xiangyi_server::store::Db;
use xiangyi_tests::cluster;
use xiangyi_tests::program::{Program, Serving};
use xiangyi_tests::scratch::Scratch;

/// The server's binary, built by cargo for this suite out of the same `main.rs`.
const XIANGYI: Program = Program(env!("CARGO_BIN_EXE_xiangyi-under-test"));

/// Two nodes; the second has the first's keys and a folder of its own.
struct Pair {
    one: Serving,
    two: Serving,
    database: String,
    scratch: Scratch,
}

impl Pair {
    async fn start(more: &[&str]) -> Self {
        let scratch = Scratch::new("nodes");
        let database = cluster::database().await;
        let one = node(&scratch.path().join("one"), &database, more).await;
        let (from, to) = (
            scratch.path().join("one/data/keys"),
            keys_of(&scratch.path().join("two")),
        );
        for entry in fs::read_dir(from).expect("keys") {
            let entry = entry.expect("a key");
            fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
        let two = node(&scratch.path().join("two"), &database, more).await;
        Self {
            one,
            two,
            database,
            scratch,
        }
    }

    /// One number out of the database, by a connection of the test's own.
    async fn count(&self, sql: &str) -> i64 {
        let db = Db::open(&self.database).await.expect("the database opens");
        let mut tx = db.glance().await.expect("a connection");
        let sql = AssertSqlSafe(sql.to_owned());
        let count = on!(&mut tx, |c| query_scalar(sql).fetch_one(c).await);
        drop(tx);
        db.close().await;
        count.expect("counted")
    }

    /// Both stop, and everything adds up.
    async fn end(self) {
        self.one.stop().await;
        self.two.stop().await;
        let data = self.scratch.path().join("one/data").display().to_string();
        let args = ["verify", "--data", &data, "--database", &self.database];
        let said = XIANGYI.run(&args).await;
        assert!(said.good().contains("everything adds up"), "{said:?}");
    }
}

fn keys_of(room: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let keys = room.join("data/keys");
    fs::create_dir_all(&keys).expect("a folder");
    for folder in [room.join("data"), keys.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("set");
    }
    keys
}

async fn node(room: &Path, database: &str, more: &[&str]) -> Serving {
    fs::create_dir_all(room).expect("a folder");
    let data = room.join("data").display().to_string();
    let fixed = [
        "serve",
        "--demo",
        "--data",
        &data,
        "--listen",
        "127.0.0.1:0",
    ];
    let args = [&fixed[..], &["--database", database], more].concat();
    let started = XIANGYI.serve(room, &args).await;
    started.unwrap_or_else(|said| panic!("the node did not start: {said:?}"))
}

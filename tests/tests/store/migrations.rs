//! Both engines get tables of one shape, and a newer shape is refused.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, query_as, query_scalar};
use xiangyi_server::on;
use xiangyi_server::store::dialect::Shape;
use xiangyi_server::store::{Db, StoreError, Tx};
use xiangyi_tests::cluster;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

/// Table, column, type, may be null.
type Column = (String, String, String, bool);
/// Table, columns in order.
type Unique = (String, Vec<String>);

const PG_COLUMNS: &str = "SELECT table_name::text, column_name::text, \
     CASE data_type WHEN 'bytea' THEN 'BLOB' ELSE upper(data_type) END, is_nullable = 'YES' \
     FROM information_schema.columns WHERE table_schema = 'public'";
const PG_UNIQUE: &str = "SELECT t.relname::text, array_to_string(array(\
     SELECT a.attname FROM unnest(i.indkey) WITH ORDINALITY AS k(n, o) \
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.n ORDER BY k.o), ','), \
     i.indisunique \
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
     JOIN pg_namespace s ON s.oid = t.relnamespace WHERE s.nspname = 'public'";

async fn columns(tx: &mut Tx, engine: Engine) -> BTreeSet<Column> {
    let sql = match engine {
        Engine::Postgres => PG_COLUMNS,
        Engine::Sqlite => {
            "SELECT m.name, c.name, c.type, NOT c.\"notnull\" FROM sqlite_master m \
             JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        }
    };
    let rows: Vec<Column> = on!(tx, |c| query_as(sql).fetch_all(c).await).expect("columns");
    rows.into_iter()
        .filter(|row| row.0 != "_sqlx_migrations" && !row.0.starts_with("sqlite_"))
        .collect()
}

async fn indexes(tx: &mut Tx, engine: Engine) -> BTreeSet<(Unique, bool)> {
    let sql = match engine {
        Engine::Postgres => PG_UNIQUE,
        Engine::Sqlite => {
            "SELECT m.name, (SELECT group_concat(name, ',') FROM \
             (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)), i.\"unique\" = 1 \
             FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table'"
        }
    };
    let rows: Vec<(String, String, bool)> =
        on!(tx, |c| query_as(sql).fetch_all(c).await).expect("indexes");
    rows.into_iter()
        .filter(|row| row.0 != "_sqlx_migrations")
        .map(|(table, list, unique)| {
            (
                (table, list.split(',').map(str::to_owned).collect()),
                unique,
            )
        })
        .collect()
}

#[tokio::test]
async fn both_engines_have_one_shape() {
    let (one, other) = (Engine::Sqlite.fresh().await, Engine::Postgres.fresh().await);
    let mut one = one.db.read().await.expect("begin");
    let mut other = other.db.read().await.expect("begin");
    let left = columns(&mut one, Engine::Sqlite).await;
    let right = columns(&mut other, Engine::Postgres).await;
    assert!(left.len() > 150, "the tables are there");
    assert_eq!(left, right);
    let types: BTreeSet<&str> = left.iter().map(|column| column.2.as_str()).collect();
    assert_eq!(types, BTreeSet::from(["BIGINT", "BLOB", "BOOLEAN", "TEXT"]));
    let left = indexes(&mut one, Engine::Sqlite).await;
    assert_eq!(left, indexes(&mut other, Engine::Postgres).await);
}

on_both!(a_newer_schema_is_refused, |engine| {
    let fresh = engine.fresh().await;
    assert_eq!(fresh.db.shape().await.expect("shape"), Shape::Current);
    fresh.db.migrate().await.expect("again is nothing");
    let mut tx = fresh.db.write().await.expect("begin");
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
         execution_time) SELECT 9999, description, success, checksum, execution_time \
         FROM _sqlx_migrations WHERE version = 1";
    on!(&mut tx, |c| sqlx::query(later)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .expect("insert");
    tx.commit().await.expect("commit");
    assert_eq!(fresh.db.shape().await.expect("shape"), Shape::Newer);
    assert!(matches!(fresh.db.migrate().await, Err(StoreError::Newer)));
});

#[tokio::test]
async fn an_empty_database_is_behind() {
    let scratch = Scratch::new("empty");
    let file = format!("sqlite:{}", scratch.path().join("empty.db").display());
    for url in [file, cluster::empty_database().await] {
        let db = Db::open(&url).await.expect("opens");
        assert_eq!(db.shape().await.expect("shape"), Shape::Behind);
        db.migrate().await.expect("migrates");
        assert_eq!(db.shape().await.expect("shape"), Shape::Current);
    }
    assert!(matches!(
        Db::open("mysql://x").await,
        Err(StoreError::Address)
    ));
}

on_both!(a_lot_may_be_claimed_twice_and_a_place_once, |engine| {
    let fresh = engine.fresh().await;
    let claim = |record: u8, name: &str, state: &str| {
        format!(
            "INSERT INTO claim VALUES (1, {}, {}, '{name}', 'p', '{state}', 1, 1, 0, 0)",
            bytes(engine, record),
            bytes(engine, 9)
        )
    };
    let mut tx = fresh.db.write().await.expect("begin");
    for sql in [
        claim(1, "lot", "confirmed"),
        claim(2, "lot", "confirmed"),
        claim(3, "helper", "confirmed"),
        claim(4, "helper", "left"),
    ] {
        on!(&mut tx, |c| sqlx::query(AssertSqlSafe(sql))
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
        .expect("insert");
    }
    let second = claim(5, "helper", "waiting");
    let refused = on!(&mut tx, |c| sqlx::query(AssertSqlSafe(second))
        .execute(c)
        .await
        .map(|done| done.rows_affected()));
    let fault = refused.expect_err("one live claim per person and place");
    assert!(
        fault
            .as_database_error()
            .is_some_and(|fault| fault.is_unique_violation())
    );
});

fn bytes(engine: Engine, byte: u8) -> String {
    match engine {
        Engine::Sqlite => format!("x'{byte:02x}'"),
        Engine::Postgres => format!("'\\x{byte:02x}'::bytea"),
    }
}

#[tokio::test]
async fn texts_sort_by_bytes_on_both() {
    let sql = "SELECT id FROM (SELECT id FROM photo_upload UNION ALL SELECT 'Z' UNION ALL \
               SELECT 'a' UNION ALL SELECT 'é' UNION ALL SELECT 'b') AS t ORDER BY id";
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let fresh = engine.fresh().await;
        let mut tx = fresh.db.read().await.expect("begin");
        let sorted: Vec<String> =
            on!(&mut tx, |c| query_scalar(sql).fetch_all(c).await).expect("sorted");
        assert_eq!(sorted, ["Z", "a", "b", "é"], "{engine:?}");
    }
}

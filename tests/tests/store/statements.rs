//! Every SQL text of the store is understood by both engines, and reads along an index.

use std::collections::BTreeSet;

use sqlx::postgres::PgTypeInfo;
use sqlx::{AssertSqlSafe, Executor, Row, SqlSafeStr, SqliteConnection};
use xiangyi_server::store::Tx;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::texts::{self, Text};

/// Lists of keys, and tables so small that reading all of them is meant.
const FINE: [&str; 18] = [
    "webhook",
    "message",
    "photo_job",
    "photo_upload",
    "throttle",
    "json_each",
    "2-ROW",
    "CONSTANT",
    "backup",
    "pack",
    "shard",
    "stream",
    "region",
    "unit",
    "village_point",
    "agency",
    "agency_station",
    // What a text has numbered itself; what that is made from has steps of its own.
    "ranked",
];

#[tokio::test]
async fn every_text_can_be_prepared_on_both_engines() {
    let all = texts::of_the_store();
    assert!(all.len() > 20, "the texts are found: {}", all.len());
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let fresh = engine.fresh().await;
        let mut tx = fresh.db.write().await.expect("begin");
        let faults = faults(&mut tx, &all).await;
        assert!(faults.is_empty(), "{engine:?}\n{}", faults.join("\n"));
    }
}

async fn faults(tx: &mut Tx, all: &[Text]) -> Vec<String> {
    let mut faults = Vec::new();
    for text in all {
        let done = match tx {
            Tx::Sqlite(tx) => {
                let sql = AssertSqlSafe(text.sqlite.clone()).into_sql_str();
                tx.connection().prepare(sql).await.map(drop)
            }
            Tx::Postgres(tx) => {
                let sql = AssertSqlSafe(text.postgres.clone()).into_sql_str();
                let types: Vec<PgTypeInfo> = text.columns.chars().map(kind).collect();
                tx.connection().prepare_with(sql, &types).await.map(drop)
            }
        };
        if let Err(error) = done {
            faults.push(format!("{}: {error}", text.name));
            break;
        }
    }
    faults
}

fn kind(letter: char) -> PgTypeInfo {
    PgTypeInfo::with_name(match letter {
        'i' => "INT8",
        't' => "TEXT",
        'b' => "BYTEA",
        'o' => "BOOL",
        other => panic!("no type has the letter {other}"),
    })
}

#[tokio::test]
async fn no_text_scans_a_table_that_grows() {
    let fresh = Engine::Sqlite.fresh().await;
    let mut tx = fresh.db.write().await.expect("begin");
    let Tx::Sqlite(tx) = &mut tx else {
        panic!("it is a file")
    };
    let mut scans = BTreeSet::new();
    // Who checks everything reads everything, and only by a command.
    let all = texts::of_the_store().into_iter();
    for text in all.filter(|text| !["audit.rs COUNTS", "audit.rs PLACES"].contains(&&*text.name)) {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", text.sqlite));
        for row in sqlx::query(sql)
            .fetch_all(tx.connection())
            .await
            .expect("a plan")
        {
            let step: String = row.get("detail");
            // `SCAN t`, with an index or without: the whole of it is read.
            let scanned = step
                .strip_prefix("SCAN ")
                .and_then(|rest| rest.split(' ').next());
            // A search by nothing but the shard reads a county's whole table.
            let searched = step.strip_prefix("SEARCH ");
            let searched = searched.filter(|rest| rest.ends_with("(shard=?)"));
            let searched = searched.and_then(|rest| rest.split(' ').next());
            let is_fine = |table: &str| FINE.contains(&table) || table.starts_with('(');
            let grows = |table: Option<&str>| table.is_some_and(|table| !is_fine(table));
            if grows(scanned) || grows(searched) {
                scans.insert(format!("{}: {step}", text.name));
            }
        }
    }
    assert!(scans.is_empty(), "{scans:#?}");
}

/// The steps of the plan of one text.
async fn plan_of(conn: &mut SqliteConnection, name: &str) -> Vec<String> {
    let all = texts::of_the_store();
    let text = all.iter().find(|text| text.name == name);
    let text = text.expect("the text is there");
    let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", text.sqlite));
    let plan = sqlx::query(sql).fetch_all(conn).await;
    let rows = plan.expect("a plan");
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn days_on_duty_are_read_by_unit_and_day_not_by_years() {
    let fresh = Engine::Sqlite.fresh().await;
    let mut tx = fresh.db.write().await.expect("begin");
    let Tx::Sqlite(tx) = &mut tx else {
        panic!("it is a file")
    };
    let steps = plan_of(tx.connection(), "reports.rs OFFICE_DAYS").await;
    let by_day = "(shard=? AND kind=? AND key=? AND from_ms>?)";
    assert!(
        steps.iter().any(|step| step.ends_with(by_day)),
        "{steps:#?}"
    );
}

#[tokio::test]
async fn the_trail_is_read_along_whom_and_where_it_is_about() {
    let fresh = Engine::Sqlite.fresh().await;
    let mut tx = fresh.db.write().await.expect("begin");
    let Tx::Sqlite(tx) = &mut tx else {
        panic!("it is a file")
    };
    let plans: [(&str, &[&str]); 2] = [
        ("trail.rs OF_UNIT", &["trail_unit (unit>? AND unit<?)"]),
        (
            "trail.rs OF_PERSON",
            &[
                "trail_person (person=? AND id>?)",
                "trail_actor (actor=? AND id>?)",
            ],
        ),
    ];
    for (name, indexes) in plans {
        let steps = plan_of(tx.connection(), name).await;
        for index in indexes {
            let goes = steps.iter().any(|step| step.ends_with(index));
            assert!(goes, "{name} by {index}: {steps:#?}");
        }
    }
}

#[tokio::test]
async fn reads_by_keys_go_along_an_index_on_the_server_too() {
    let fresh = Engine::Postgres.fresh().await;
    let mut tx = fresh.db.write().await.expect("begin");
    let Tx::Postgres(tx) = &mut tx else {
        panic!("it is a server")
    };
    let mut scans = BTreeSet::new();
    for text in texts::of_the_store() {
        // A list of REST filters as it likes; it goes along the streams once there are many.
        if !text.postgres.contains("jsonb_array_elements") || text.name == "lists.rs LIST" {
            continue;
        }
        // `$10` before `$1`, and keys of every shape that is read out of the list.
        let mut sql = text.postgres.clone();
        for number in (3..=12).rev() {
            sql = sql.replace(&format!("${number}"), "'1'");
        }
        let keys = r#"'[["00", "00", "00"]]'"#;
        let sql = sql.replace("$2", keys).replace("$1", "430121");
        let sql = AssertSqlSafe(format!("EXPLAIN {sql}"));
        let plan = sqlx::query(sql).fetch_all(tx.connection()).await;
        for row in plan.expect("a plan") {
            let step: String = row.get(0);
            let by_shard = step.contains("Index Cond: (shard = ") && !step.contains(" AND ");
            if step.contains("Seq Scan") || by_shard {
                scans.insert(format!("{}: {step}", text.name));
            }
        }
    }
    assert!(scans.is_empty(), "{scans:#?}");
}

//! What is confidential stands in no table as it was written: not in a row, not in the log, not
//! among the held items or the jobs.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, query_scalar};
use xiangyi_server::on;
use xiangyi_server::store::Tx;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{UNIT, VILLAGE, id, names, visit, with};

/// Words that only this test writes: a name, a number, a narrative, one that is held, one that a
/// rule refuses, one in a field nobody knows, one in an item that is not well formed.
const SECRETS: [&str; 7] = [
    "覃桂香金丝雀",
    "430121195001010022",
    "金丝雀叙事甲",
    "金丝雀叙事乙",
    "金丝雀叙事丙",
    "金丝雀叙事丁",
    "金丝雀叙事戊",
];

/// What all of them hold.
const TRACES: [&str; 2] = ["金丝雀", SECRETS[1]];

async fn tables(tx: &mut Tx, engine: Engine) -> Vec<(String, String)> {
    let sql = match engine {
        Engine::Sqlite => {
            "SELECT m.name || ' ' || c.name FROM sqlite_master m \
             JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        }
        Engine::Postgres => {
            "SELECT table_name || ' ' || column_name FROM information_schema.columns \
             WHERE table_schema = 'public'"
        }
    };
    let names: Vec<String> = on!(tx, |c| query_scalar(sql).fetch_all(c).await).expect("columns");
    let pair = |name: String| {
        let (table, column) = name.split_once(' ').expect("two names");
        (table.to_owned(), column.to_owned())
    };
    names.into_iter().map(pair).collect()
}

on_both!(nothing_confidential_stands_in_a_table, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let card = json!({ "n": 1, "op": "create", "kind": "client", "unit": UNIT, "id": id(1),
        "body": { "name": SECRETS[0], "id_number": SECRETS[1], "village": VILLAGE } });
    let mut kept = with(visit(2, 2), "/body/process", json!(SECRETS[2]));
    kept["body"]["later_field"] = json!(SECRETS[5]);
    let bank_card = json!([{ "kind": "bank_card", "quantity": 1, "source": "client" }]);
    let held = with(visit(3, 3), "/body/process", json!(SECRETS[3]));
    let held = with(held, "/body/handed_over", bank_card);
    let refused = with(visit(4, 4), "/body/process", json!(SECRETS[4]));
    let decided = json!({ "kind": "served", "decision": "approved" });
    let refused = with(refused, "/body/outcome", decided);
    let broken = with(visit(5, 5), "/body/process", json!(SECRETS[6]));
    let broken = with(broken, "/body/started_at", json!("gestern"));
    let verdicts = phone.push(&[card, kept, held, refused, broken]).await;
    let expected = ["accepted", "accepted", "held", "rejected", "invalid"];
    assert_eq!(names(&verdicts), expected, "{verdicts:?}");
    let whole = phone
        .actor
        .get(&format!("/v1/visits/{}?unit={UNIT}", id(2)))
        .await;
    assert_eq!(
        whole.good()["body"]["process"],
        SECRETS[2],
        "it is there to be read"
    );

    let mut tx = harness.app.db.read().await.expect("a snapshot");
    let mut searched = 0;
    for (table, column) in tables(&mut tx, engine).await {
        let text = match engine {
            Engine::Sqlite => format!("instr(CAST(\"{column}\" AS BLOB), CAST($1 AS BLOB)) > 0"),
            Engine::Postgres => format!(
                "position(convert_to($1, 'UTF8') IN CASE WHEN pg_typeof(\"{column}\")::text = \
                 'bytea' THEN \"{column}\"::text::bytea ELSE \
                 convert_to(\"{column}\"::text, 'UTF8') END) > 0"
            ),
        };
        let sql = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM \"{table}\" WHERE {text}");
        for secret in TRACES {
            let sql = AssertSqlSafe(sql.clone());
            let found: Result<i64, sqlx::Error> = on!(&mut tx, |c| query_scalar(sql)
                .bind(secret)
                .fetch_one(c)
                .await);
            let found = found.unwrap_or_else(|fault| panic!("{table}.{column}: {fault}"));
            assert_eq!(found, 0, "{secret} stands in {table}.{column}");
            searched += 1;
        }
    }
    assert!(searched > 200, "the columns are found: {searched}");
    let seen: Value = json!(harness.config.data.join("keys").exists());
    assert_eq!(seen, json!(true), "the root key lies beside, not inside");
});

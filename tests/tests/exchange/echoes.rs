//! What a phone has just sent comes back short; what only reviewers may read is accounted for; an
//! ended registration still hands over what it has.

use serde_json::{Value, json};
use sqlx::{query, query_scalar};
use xiangyi_server::on;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{UNIT, check_in, id, names, visit, with};

/// The row of a record in the phone's own mailbox.
fn own_row(page: &Value, number: u32) -> &Value {
    let changes = page["changes"].as_array().expect("changes");
    let mailbox = |changes: &&Value| {
        changes["stream"]
            .as_str()
            .unwrap_or("")
            .starts_with("person:")
    };
    let mut rows = changes
        .iter()
        .filter(mailbox)
        .flat_map(|changes| changes["rows"].as_array().expect("rows"));
    rows.find(|row| row["id"] == id(number)).expect("the row")
}

on_both!(what_was_just_sent_comes_back_short, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let push = json!({ "saved_below": 0, "mutations": [visit(1, 1)] });
    let both =
        json!({ "push": push, "pull": { "cursor": null, "max_bytes": 524_288, "sums": true } });
    let answer = phone.exchange(both.clone()).await.good();
    let row = own_row(&answer["pull"], 1);
    assert_eq!(row["same"], json!(true));
    let members = row["body"].as_object().expect("a body");
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(names, ["derived", "state"], "only what was not sent");
    // The same bytes again say nothing new: the row comes whole, on a page of the same length.
    let again = phone.exchange(both).await.good();
    let whole = own_row(&again["pull"], 1);
    assert_eq!(whole.get("same"), None);
    assert_eq!(whole["body"]["process"], visit(1, 1)["body"]["process"]);
    assert_eq!(whole["body"]["derived"], row["body"]["derived"]);
    // What the rules took something out of, or another change came over, comes whole at once.
    let patched = json!({ "n": 3, "op": "patch", "kind": "visit", "unit": UNIT, "id": id(2),
        "base": 1, "set": { "/result": "改好了" } });
    let push = json!({ "saved_below": 0, "mutations": [visit(2, 2), patched] });
    let both = json!({ "push": push, "pull": { "cursor": again["pull"]["cursor"] } });
    let answer = phone.exchange(both).await.good();
    let row = own_row(&answer["pull"], 2);
    assert_eq!(row.get("same"), None);
    assert_eq!(row["body"]["result"], "改好了");
});

const READS: &str =
    "SELECT CAST(COUNT(*) AS BIGINT) FROM read_log WHERE person = $1 AND reason = $2";

async fn reads(harness: &Harness, person: &str) -> i64 {
    let mut tx = harness.app.db.read().await.expect("a snapshot");
    let count: Result<i64, sqlx::Error> = on!(&mut tx, |c| query_scalar(READS)
        .bind(person)
        .bind("delivered")
        .fetch_one(c)
        .await);
    count.expect("a count")
}

on_both!(what_only_reviewers_read_is_noted_each_time, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let bank_card = json!([{ "kind": "bank_card", "quantity": 1, "source": "client" }]);
    let held = with(visit(1, 1), "/body/handed_over", bank_card);
    assert_eq!(names(&phone.push(&[held]).await), ["held"]);
    let reviewer = harness.reviewer(1).await;
    let device = reviewer.phone().await;
    assert_eq!(reads(&harness, "p-reviewer-1").await, 0);
    let page = device
        .pull(json!({ "cursor": null, "max_bytes": 524_288 }))
        .await;
    assert_eq!(reads(&harness, "p-reviewer-1").await, 1, "by a pull");
    device.pull(json!({ "cursor": page["cursor"] })).await;
    assert_eq!(reads(&harness, "p-reviewer-1").await, 1, "nothing came");
    let list = reviewer.get(&format!("/v1/held?unit={UNIT}")).await.good();
    assert_eq!(list["records"].as_array().map(Vec::len), Some(1));
    assert_eq!(reads(&harness, "p-reviewer-1").await, 2, "by a list");
    let row = list["records"][0]["id"].as_str().expect("an id");
    let one = format!("/v1/held/{row}?unit={UNIT}");
    assert_eq!(reviewer.get(&one).await.good()["kind"], "held");
    assert_eq!(reads(&harness, "p-reviewer-1").await, 3, "by itself");
    // The author reads their own.
    phone
        .actor
        .get(&format!("/v1/held?unit={UNIT}"))
        .await
        .good();
    assert_eq!(reads(&harness, "p-worker-01").await, 0);
});

const END: &str = "UPDATE device SET state = 'revoked' WHERE id = $1";

on_both!(
    an_ended_registration_hands_over_and_pulls_nothing,
    |engine| {
        let harness = Harness::start(engine).await;
        let phone = harness.worker(1).await.phone().await;
        phone.push_one(check_in(1, 1)).await;
        let mut tx = harness.app.db.write().await.expect("begin");
        let ended = on!(&mut tx, |c| query(END)
            .bind(phone.device.as_str())
            .execute(c)
            .await
            .map(drop));
        ended.expect("revoked");
        tx.commit().await.expect("commit");
        let pull = json!({ "pull": { "cursor": null } });
        phone.exchange(pull).await.problem(403, "device-revoked");
        let push = json!({ "saved_below": 0, "mutations": [check_in(2, 2), check_in(1, 1)] });
        let both = json!({ "push": push, "pull": { "cursor": null } });
        let answer = phone.exchange(both).await.good();
        let verdicts = &answer["push"]["verdicts"];
        assert_eq!(verdicts[0]["verdict"], "held", "{verdicts}");
        assert_eq!(verdicts[0]["rule"]["id"], "device-revoked");
        assert_eq!(
            verdicts[1]["verdict"], "duplicate",
            "what came before stands"
        );
        assert_eq!(answer.get("pull"), None);
    }
);

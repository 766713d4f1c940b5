//! Danger over the wire: heard in every text, and no answer, number or id tells an outsider of it.

use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{HOUR, UNIT, list, post, visit};

const SAID: &str = "他喝了农药，人昏迷不醒";

fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-{number:012x}")
}

/// A visit of a day of its own.
fn on_day(number: u32, more: &Value) -> Value {
    let begun = START - i64::from(number) * 24 * HOUR - 5 * HOUR;
    json!({ "unit": UNIT, "id": id(number), "body": visit(begun, 60, more) })
}

/// The numbers that the lead of a station sees of its visits.
async fn numbers(harness: &Harness) -> Vec<i64> {
    let rows = list(&harness.lead().await, "visits").await;
    let mut numbers: Vec<i64> = rows.iter().filter_map(|row| row["seq"].as_i64()).collect();
    numbers.sort_unstable();
    numbers
}

on_both!(no_gap_in_the_numbers_tells_of_an_incident, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    for number in 1..=6 {
        // The third and the fifth speak of danger, by code and by words.
        let more = match number {
            3 => json!({ "risk": "violence" }),
            5 => json!({ "process": SAID }),
            _ => json!({}),
        };
        let key = format!("v{number}");
        let (status, verdict) = post(&worker, "/v1/visits", &key, on_day(number, &more)).await;
        assert_eq!(status, 201, "{verdict}");
    }
    assert_eq!(list(&harness.reviewer(1).await, "incidents").await.len(), 2);
    let seen = numbers(&harness).await;
    let steps: Vec<i64> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps, vec![steps[0]; 5], "{seen:?}");
});

on_both!(danger_is_heard_in_every_text_that_was_sent, |engine| {
    let harness = Harness::start(engine).await;
    let (worker, reviewer) = (harness.worker(1).await, harness.reviewer(1).await);
    let mut known = 0;
    let report = json!({ "unit": UNIT, "id": id(1),
        "body": { "office": "综治办", "what": "approval", "text": SAID } });
    post(&worker, "/v1/order-reports", "a", report).await;
    opened(&reviewer, &mut known, "an order report").await;
    let refused = json!({ "outcome": { "kind": "served", "decision": "approved" } });
    let mut appeal = on_day(2, &refused);
    let (_, verdict) = post(&worker, "/v1/visits", "b", appeal.clone()).await;
    (appeal["refusal"], appeal["reason"]) = (verdict["refusal"].clone(), json!(SAID));
    let (status, verdict) = post(&worker, "/v1/visits", "c", appeal).await;
    assert_eq!(status, 202, "{verdict}");
    opened(&reviewer, &mut known, "an appeal's reason").await;
    let unknown = on_day(3, &json!({ "memo": SAID }));
    post(&worker, "/v1/visits", "d", unknown).await;
    opened(&reviewer, &mut known, "a member nobody knows").await;
    let twice = on_day(4, &json!({ "process": "PLACE" })).to_string();
    let both = format!("\"process\":\"{SAID}\",\"process\":\"平安\"");
    let twice = twice.replace("\"process\":\"PLACE\"", &both);
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "e"),
    ];
    let reply = worker.post_raw("/v1/visits", &headers, twice.clone()).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    opened(&reviewer, &mut known, "the first of two members").await;
    let long = format!("{SAID}{}", "，".repeat(600));
    let push = json!([
        { "n": 1, "op": "void", "kind": "visit", "unit": UNIT, "id": id(5), "reason": long },
        { "n": 2, "op": "appeal", "kind": "visit", "unit": UNIT, "id": id(6), "refusal": id(9),
          "body": {}, "reason": [SAID] },
        { "n": 3, "op": "create", "kind": "visit", "unit": UNIT, "id": id(7),
          "body": { "risk": ["minor_harm"] } },
        { "n": 4, "op": "create", "kind": "work_time", "unit": UNIT, "id": id(8),
          "body": { "class": "office_duty", "minutes": "480", "day": "2026-02-30" } },
    ]);
    let ask = json!({ "protocol": 1, "device": worker.register().await,
        "push": { "mutations": push } });
    worker.post("/v1/sync", &ask).await.good();
    let all = list(&reviewer, "incidents").await;
    let about = |number: u32| {
        all.iter()
            .filter(move |row| row["body"]["record"] == id(number))
    };
    for (number, count) in [(5, 1), (6, 1), (7, 1), (8, 0)] {
        assert_eq!(about(number).count(), count, "{number}: {all:?}");
    }
});

/// One more incident than were known.
async fn opened(reviewer: &Actor, known: &mut usize, name: &str) {
    let all = list(reviewer, "incidents").await;
    *known += 1;
    assert_eq!(all.len(), *known, "{name}: {all:?}");
}

on_both!(
    an_incidents_id_gets_the_answer_of_one_that_is_not,
    |engine| {
        let harness = Harness::start(engine).await;
        let (worker, reviewer) = (harness.worker(1).await, harness.reviewer(1).await);
        let ask = on_day(1, &json!({ "risk": "violence" }));
        post(&worker, "/v1/visits", "a", ask).await;
        let incidents = list(&reviewer, "incidents").await;
        let there = incidents[0]["id"].as_str().expect("an id").to_owned();
        let last = there.chars().last().expect("letters");
        let other = if last == '0' { '1' } else { '0' };
        let not = format!("{}{other}", &there[..there.len() - 1]);
        let mut answers = Vec::new();
        for (at, named) in [there, not].iter().enumerate() {
            let mut needs = on_day(10 + at as u32, &json!({}));
            needs["needs"] = json!([named]);
            let client = on_day(
                20 + at as u32,
                &json!({ "client": named, "no_client_reason": null }),
            );
            let mut own = on_day(30 + at as u32, &json!({}));
            own["id"] = json!(named);
            let mut heard = Vec::new();
            for (name, ask) in [("needs", needs), ("client", client), ("id", own)] {
                let key = format!("{name}-{at}");
                let (status, verdict) = post(&worker, "/v1/visits", &key, ask).await;
                let rest = json!([
                    status,
                    verdict["verdict"],
                    verdict["errors"],
                    verdict["for"]
                ]);
                heard.push(rest);
            }
            let path = format!("/v1/visits/{named}?unit={UNIT}");
            heard.push(json!(worker.get(&path).await.status.as_u16()));
            answers.push(heard);
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0][0], json!([202, "held", null, "missing"]));
    }
);

on_both!(a_push_of_a_stranger_opens_few_incidents, |engine| {
    let harness = Harness::start(engine).await;
    let stranger = harness.volunteer(1).await;
    let item = |n: u32| {
        json!({ "n": n, "op": "create", "kind": "visit", "unit": UNIT, "id": id(n),
        "body": { "purpose": format!("{SAID}{n}") } })
    };
    let push: Vec<Value> = (1..=200).map(item).collect();
    let ask = json!({ "protocol": 1, "device": stranger.register().await,
        "push": { "mutations": push } });
    stranger.post("/v1/sync", &ask).await.good();
    let reviewer = harness.reviewer(1).await;
    let few = list(&reviewer, "incidents").await;
    assert_eq!(few.len(), 10);
    let all: String = few.iter().map(Value::to_string).collect();
    for n in 1..=200 {
        assert!(all.contains(&id(n)), "{n} is lost");
    }
    // The next push finds them in the store.
    let more: Vec<Value> = (201..=220).map(item).collect();
    let ask = json!({ "protocol": 1, "device": stranger.register().await,
        "push": { "mutations": more } });
    stranger.post("/v1/sync", &ask).await.good();
    let few = list(&reviewer, "incidents").await;
    assert_eq!(few.len(), 10);
    let all: String = few.iter().map(Value::to_string).collect();
    assert!((201..=220).all(|n| all.contains(&id(n))));
});

on_both!(a_reviewer_who_was_there_does_not_close_it, |engine| {
    let harness = Harness::start(engine).await;
    let (worker, reviewer) = (harness.worker(1).await, harness.reviewer(1).await);
    let more = json!({ "risk": "violence", "co_workers": ["p-reviewer-1"] });
    let (status, verdict) = post(&worker, "/v1/visits", "a", on_day(1, &more)).await;
    assert_eq!(status, 201, "{verdict}");
    let incident = list(&reviewer, "incidents").await[0]["id"].clone();
    let body = json!({ "incident": incident, "step": "close", "reason": "是电视里的" });
    let ask = json!({ "unit": "430121", "body": body });
    let (_, own) = post(&reviewer, "/v1/incident-steps", "b", ask.clone()).await;
    assert_eq!(own["rule"]["id"], "second-reviewer", "{own}");
    let other = harness.reviewer(2).await;
    let (status, verdict) = post(&other, "/v1/incident-steps", "c", ask).await;
    assert_eq!(status, 201, "{verdict}");
    let review = json!({ "record": id(1), "decision": "approve", "reason": "核实无误" });
    let ask = json!({ "unit": "430121", "body": review });
    let (_, own) = post(&reviewer, "/v1/reviews", "d", ask.clone()).await;
    assert_eq!(own["rule"]["id"], "second-reviewer", "{own}");
    assert_eq!(post(&other, "/v1/reviews", "e", ask).await.0, 201);
});

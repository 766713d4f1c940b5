//! Appeals and holds to their end: the reviewer's reason, and what nobody decides.

use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{HOUR, UNIT, list, post, pulled, visit};

fn id(number: u32) -> String {
    format!("01920000-0000-7000-8000-{number:012x}")
}

/// A visit that is held, or refused and appealed; gives what was sent last.
async fn waiting(worker: &Actor, number: u32, appealed: bool) -> Value {
    let begun = START - i64::from(number) * 24 * HOUR - 5 * HOUR;
    let more = match appealed {
        true => json!({ "outcome": { "kind": "served", "decision": "approved" } }),
        false => json!({ "handed_over": [{ "kind": "bank_card", "what": "社保卡" }] }),
    };
    let mut ask = json!({ "unit": UNIT, "id": id(number), "body": visit(begun, 60, &more) });
    let key = format!("sent-{number}");
    let (status, verdict) = post(worker, "/v1/visits", &key, ask.clone()).await;
    if appealed {
        (ask["refusal"], ask["reason"]) = (verdict["refusal"].clone(), json!("只是转告"));
        let key = format!("appeal-{number}");
        assert_eq!(post(worker, "/v1/visits", &key, ask.clone()).await.0, 202);
    } else {
        assert_eq!(status, 202, "{verdict}");
    }
    ask
}

async fn review(reviewer: &Actor, number: u32, decision: &str, reason: &str) {
    let body = json!({ "record": id(number), "decision": decision, "reason": reason });
    let ask = json!({ "unit": "430121", "body": body });
    let key = format!("review-{number}");
    let (status, verdict) = post(reviewer, "/v1/reviews", &key, ask).await;
    assert_eq!(status, 201, "{decision}: {verdict}");
}

on_both!(the_reviewers_reason_reaches_the_worker, |engine| {
    let harness = Harness::start(engine).await;
    let (worker, reviewer) = (harness.worker(1).await, harness.reviewer(1).await);
    let rows = [
        (1, "release", "当场归还本人", "照常收下", "it stands"),
        (
            2,
            "refuse",
            "卡在站里过夜",
            "不能作为服务记录",
            "cannot stand",
        ),
        (3, "upheld", "写明由本人审批", "未获支持", "not granted"),
        (4, "changed", "确系转告", "申诉成立", "was granted"),
        (5, "list_wrong", "清单写得太宽", "申诉成立", "was granted"),
    ];
    for (number, decision, reason, zh, en) in rows {
        let appealed = number > 2;
        let sent = waiting(&worker, number, appealed).await;
        review(&reviewer, number, decision, reason).await;
        let told = |verdict: &Value, way: &str| {
            let words = ["message", "message_en"].map(|name| verdict[name].to_string());
            for (words, own) in words.iter().zip([zh, en]) {
                assert!(words.contains(own), "{decision} {way}: {verdict}");
                assert!(words.contains(reason), "{decision} {way}: {verdict}");
            }
        };
        // By REST in the list of what came later, and when the same write is repeated.
        let rows = list(&worker, "verdicts").await;
        let last = rows.last().expect("a verdict came");
        assert_eq!(last["body"]["record"], json!(id(number)));
        told(&last["body"]["verdict"], "in its row");
        let key = match appealed {
            true => format!("appeal-{number}"),
            false => format!("sent-{number}"),
        };
        let (_, again) = post(&worker, "/v1/visits", &key, sent).await;
        told(&again["was"], "repeated");
        assert!(pulled(&worker).await.contains(reason), "{decision} by sync");
        assert!(list(&harness.worker(2).await, "verdicts").await.is_empty());
    }
});

on_both!(the_reason_of_a_return_stands_in_the_visit, |engine| {
    let harness = Harness::start(engine).await;
    let (worker, reviewer) = (harness.worker(1).await, harness.reviewer(1).await);
    let body = visit(START - 5 * HOUR, 60, &json!({}));
    let ask = json!({ "unit": UNIT, "id": id(1), "body": body });
    assert_eq!(post(&worker, "/v1/visits", "a", ask).await.0, 201);
    review(&reviewer, 1, "return", "请补写结果").await;
    let path = format!("/v1/visits/{}?unit={UNIT}", id(1));
    let shown = worker.get(&path).await.good();
    assert_eq!(shown["body"]["derived"]["review_reason"], "请补写结果");
    // A colleague of the station sees the visit, and not what the reviewer wrote.
    let colleague = harness.worker(2).await.get(&path).await;
    assert!(!colleague.text.contains("请补写结果"), "{}", colleague.text);
});

on_both!(what_nobody_decides_is_escalated_on_day_ten, |engine| {
    let harness = Harness::start(engine).await;
    waiting(&harness.worker(1).await, 1, false).await;
    waiting(&harness.worker(1).await, 2, true).await;
    let path = "/v1/escalated?unit=430121";
    let early = harness.reviewer(1).await.get(path).await.good();
    assert_eq!(early["items"], json!([]));
    harness.clock.set(START + 240 * HOUR + 1);
    xiangyi_server::ticker::fire_due(&harness.app)
        .await
        .expect("timers fire");
    let reviewer = harness.reviewer(1).await;
    let items = reviewer.get(path).await.good()["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(2), "{items}");
    let of = |number: u32| {
        let all = items.as_array().into_iter().flatten();
        all.clone()
            .find(|item| item["record"] == json!(id(number)))
            .cloned()
            .expect("it is listed")
    };
    assert_eq!(
        (&of(1)["appeal"], &of(2)["appeal"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&of(1)["days"], &of(1)["kind"]),
        (&json!(10), &json!("visit"))
    );
    // The city sees that somebody must act, in its own view and in the county's, and not on whom.
    let city = harness.nobody().sign_in("13800000501").await;
    for path in [path, "/v1/escalated?unit=4301"] {
        let seen = city.get(path).await.good();
        assert_eq!(seen["items"].as_array().map(Vec::len), Some(2), "{seen}");
        for secret in ["record", "held", "rule", "p-worker-01"] {
            assert!(
                !seen.to_string().contains(&format!("\"{secret}\"")),
                "{seen}"
            );
        }
    }
    for (name, who) in [
        ("author", harness.worker(1).await),
        ("lead", harness.lead().await),
        ("officer", harness.hub().await),
        ("other hub", harness.stranger_hub().await),
    ] {
        let reply = who.get(path).await;
        assert_eq!(reply.status, 404, "{name}: {}", reply.text);
    }
    review(&reviewer, 1, "release", "补办了交接").await;
    let left = reviewer.get(path).await.good();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
});

on_both!(what_is_escalated_comes_in_pages, |engine| {
    let harness = Harness::start(engine).await;
    for number in 1..=5 {
        waiting(&harness.worker(1).await, number, false).await;
        // Three came in one moment.
        let later = if number < 3 { 1 } else { 0 };
        harness.clock.set(harness.clock.now() + later);
    }
    harness.clock.set(START + 240 * HOUR + 10);
    xiangyi_server::ticker::fire_due(&harness.app)
        .await
        .expect("timers fire");
    let reviewer = harness.reviewer(1).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = reviewer
            .get(&format!("/v1/escalated?unit=430121&limit=2{after}"))
            .await
            .good();
        let items = page["items"].as_array().expect("a list");
        assert!((1..=2).contains(&items.len()), "{page}");
        seen.extend(items.iter().map(|item| item["record"].clone()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    let whole = reviewer.get("/v1/escalated?unit=430121").await.good();
    let items = whole["items"].as_array().expect("a list").iter();
    assert_eq!(
        seen,
        items.map(|item| item["record"].clone()).collect::<Vec<_>>()
    );
    assert_eq!((seen.len(), &whole["next"]), (5, &Value::Null));
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("after=x", "/after"),
        ("after=1.2.-3", "/after"),
    ] {
        let reply = reviewer
            .get(&format!("/v1/escalated?unit=430121&{query}"))
            .await;
        let problem = reply.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
});

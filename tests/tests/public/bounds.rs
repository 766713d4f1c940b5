//! What nobody can use up for the others: the board, its places, and the rate of all.

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_tests::actor::{Actor, send};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::on_both;

use super::{HOUR, START, UNIT, activity, id, open};

#[tokio::test]
async fn a_block_of_addresses_uses_up_its_own_part() {
    let harness = open(Engine::Sqlite).await;
    let nobody = harness.nobody();
    let ask = |address: String| {
        let request = nobody.request(Method::GET, "/v1/activities?limit=x");
        send(request.header("x-forwarded-for", address))
    };
    // Each from a network of its own, as one site has 65,536 of them.
    for number in 0..500 {
        let reply = ask(format!("2001:db8:7:{number:x}::1")).await;
        reply.problem(400, "invalid-parameter");
    }
    ask("2001:db8:7:ffff::1".to_owned())
        .await
        .problem(429, "throttled");
    for other in ["2001:db8:8::1", "203.0.113.8"] {
        ask(other.to_owned())
            .await
            .problem(400, "invalid-parameter");
    }
    harness.clock.advance(1_000);
    ask("2001:db8:7:ffff::1".to_owned())
        .await
        .problem(400, "invalid-parameter");
}

/// Writes so many activities of one person, each a minute after the other.
async fn make_many(who: &Actor, first: u32, count: u32, body: impl Fn(u32) -> Value) {
    let phone = who.phone().await;
    let all: Vec<u32> = (0..count).collect();
    for (round, some) in all.chunks(100).enumerate() {
        let one = |n: &u32| {
            json!({ "n": n + 1, "op": "create", "kind": "activity", "unit": UNIT,
                "id": id(first + n), "body": body(*n) })
        };
        let mutations: Vec<Value> = some.iter().map(one).collect();
        let answer = phone
            .exchange(json!({ "push": { "mutations": mutations } }))
            .await
            .good();
        let verdicts = answer["push"]["verdicts"].as_array().expect("verdicts");
        let fits = |verdict: &&Value| verdict["verdict"] == "accepted";
        assert_eq!(
            verdicts.iter().filter(fits).count(),
            some.len(),
            "{round}: {answer}"
        );
    }
}

on_both!(one_leader_does_not_fill_the_board, |engine| {
    let harness = open(engine).await;
    let many = |n: u32| activity(&format!("第{n}场"), 24);
    make_many(&harness.organiser().await, 100, 64, many).await;
    make_many(&harness.lead().await, 300, 1, |_| activity("别人的", 48)).await;
    let page = harness
        .nobody()
        .get("/v1/activities?limit=200")
        .await
        .good();
    let cards = page["activities"].as_array().expect("a list");
    assert_eq!(cards.len(), 61, "{page}");
    assert_eq!(cards[60]["title"], "别人的");
});

on_both!(a_place_that_was_not_read_is_not_shown_as_free, |engine| {
    let harness = open(engine).await;
    let session = |n: i64| {
        let roles: Vec<Value> = (0..8)
            .map(|role| json!({ "role": format!("岗位{role}"), "capacity": 1 }))
            .collect();
        json!({ "session": n, "starts_at": START + (24 + n) * HOUR,
            "ends_at": START + (25 + n) * HOUR, "roles": roles })
    };
    let wide = |n: u32| {
        let mut body = activity(&format!("第{n}场"), 24);
        let sessions: Vec<Value> = (1..=9).map(session).collect();
        body["sessions"] = json!(sessions);
        body
    };
    // Four of 72 places: 48 more than are read of one leader's.
    make_many(&harness.organiser().await, 100, 4, wide).await;
    make_many(&harness.lead().await, 300, 1, |_| activity("别人的", 48)).await;
    let page = harness
        .nobody()
        .get("/v1/activities?limit=200")
        .await
        .good();
    let cards = page["activities"].as_array().expect("a list");
    let roles = |card: &Value| {
        let sessions = card["sessions"].as_array().expect("sessions").iter();
        sessions
            .map(|one| one["roles"].as_array().expect("roles").len())
            .sum::<usize>()
    };
    let mut counts: Vec<usize> = cards.iter().map(roles).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 24, 72, 72, 72], "{page}");
});

//! A rush for places through both nodes at once.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use xiangyi_server::clock::Clock;
use xiangyi_server::entropy::Entropy;
use xiangyi_tests::actor::Phone;

use crate::Pair;

const VOLUNTEERS: usize = 80;
const PLACES: usize = 50;

async fn volunteer(pair: &Pair, number: usize) -> Phone {
    let telephone = match number {
        1..=40 => format!("13800000{:03}", 300 + number),
        _ => (13_810_000_000 + number as u64).to_string(),
    };
    let node = if number.is_multiple_of(2) {
        &pair.one
    } else {
        &pair.two
    };
    node.nobody().sign_in(&telephone).await.phone().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_places_go_to_fifty_through_two_nodes() {
    let pair = Pair::start(&["--demo-volunteers", &VOLUNTEERS.to_string()]).await;
    let now = Clock::system().now();
    let id = || Entropy::system().record_id(now).to_string();
    let leader = pair.one.nobody().sign_in("13800000401").await.phone().await;
    let activity = id();
    let starts = now + 72 * 3_600_000;
    let made = json!({ "n": 1, "op": "create", "kind": "activity", "unit": "430121",
        "id": activity, "body": { "title": "重阳节陪老人", "type": "elder_company",
            "sessions": [{ "session": 1, "starts_at": starts, "ends_at": starts + 7_200_000,
                "roles": [{ "role": "helper", "capacity": PLACES }] }] } });
    assert_eq!(leader.push_one(made).await["verdict"], "accepted");
    let phones: Vec<Phone> = stream::iter(1..=VOLUNTEERS)
        .map(|number| volunteer(&pair, number))
        .buffer_unordered(8)
        .collect()
        .await;
    let join = |phone: Phone| {
        let body = json!({ "activity": activity, "session": 1, "role": "helper", "want": "join" });
        let join = json!({ "n": 1, "op": "request", "kind": "sign_up", "unit": "430121",
            "id": id(), "body": body });
        async move {
            loop {
                let answer = phone.try_push(std::slice::from_ref(&join)).await;
                let verdict = answer.json()["push"]["verdicts"][0].clone();
                if verdict.is_object() {
                    return verdict;
                }
                // The other node has the county's lock for longer than one waits.
                assert!(
                    [200, 503].contains(&answer.status.as_u16()),
                    "{}",
                    answer.text
                );
            }
        }
    };
    let verdicts: Vec<Value> = futures::future::join_all(phones.into_iter().map(join)).await;
    let in_state = |state: &str| {
        let own = verdicts
            .iter()
            .filter(|verdict| verdict["derived"]["state"] == state);
        own.cloned().collect::<Vec<_>>()
    };
    assert_eq!(in_state("confirmed").len(), PLACES, "exactly");
    let waiting = in_state("waiting");
    let ranks = waiting.iter().map(|one| one["derived"]["rank"].as_u64());
    let ranks: BTreeSet<Option<u64>> = ranks.collect();
    let line = (1..=(VOLUNTEERS - PLACES) as u64).map(Some);
    assert_eq!(ranks, line.collect(), "one line without a gap");
    let taken = "SELECT COUNT(*) FROM claim WHERE state = 'confirmed'";
    assert_eq!(pair.count(taken).await, PLACES as i64);
    pair.end().await;
}

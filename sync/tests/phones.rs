//! What a phone does with answers and with its own clock.

use serde_json::json;
use xiangyi_proto::exchange::{Answer, ClientBuild, PROTOCOL, PhoneClock, PullAnswer, StreamRef};
use xiangyi_sync::phone::{Entry, Phone, Place, Write};

const NOW: i64 = 1_772_409_600_000;

fn entry(n: i64, retry_at: i64) -> Entry {
    let raw = json!({"n": n, "op": "create", "kind": "check_in", "unit": "430121101"});
    Entry {
        n,
        record: uuid::Uuid::from_u128(n as u128),
        kind: "check_in".to_owned(),
        raw: raw.to_string(),
        created_at: NOW,
        place: Place::Outbox,
        verdict: None,
        unanswered: 1,
        retry_at,
        kept: None,
    }
}

fn sends(phone: &Phone, wall_ms: i64) -> bool {
    let clock = PhoneClock {
        wall_ms,
        ..PhoneClock::default()
    };
    let request = phone.request(clock, ClientBuild::default(), 10);
    request.push.is_some()
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_the_outbox() {
    let mut phone = Phone::new("d-1");
    phone.write(&Write::Entry(Box::new(entry(1, NOW + 60_000))));
    assert!(!sends(&phone, NOW), "it was asked to wait a minute");
    assert!(sends(&phone, NOW + 60_001));
    let years = 20 * 365 * 86_400_000;
    assert!(
        sends(&phone, NOW - years),
        "the clock says that the minute is years away"
    );
}

#[test]
fn without_a_cursor_what_is_not_entered_has_left() {
    let stream = |name: &str| StreamRef {
        shard: 430_121,
        stream: name.to_owned(),
    };
    let mut phone = Phone::new("d-1");
    for name in ["station:430121101", "person:wang"] {
        phone.write(&Write::Enter(stream(name)));
    }
    let answer = Answer {
        protocol: PROTOCOL,
        server_time: NOW,
        push: None,
        pull: Some(PullAnswer {
            cursor: Some("c".to_owned()),
            enter: vec![stream("person:wang")],
            ..PullAnswer::default()
        }),
        durable: Default::default(),
        limits: None,
        next: None,
    };
    for write in phone.absorb(answer, NOW) {
        phone.write(&write);
    }
    let left: Vec<&str> = phone
        .streams
        .iter()
        .map(|(_, name)| name.as_str())
        .collect();
    assert_eq!(left, ["person:wang"]);
}

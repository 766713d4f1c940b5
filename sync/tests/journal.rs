//! What a phone keeps of answers, lets go, and sends once more.

use serde_json::json;
use xiangyi_proto::exchange::{
    Answer, ClientBuild, Exchange, PROTOCOL, PhoneClock, Position, PushAnswer,
};
use xiangyi_proto::limits::{JOURNAL_DAYS, PUSH_ITEMS_MAX};
use xiangyi_proto::time::DAY_MS;
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_sync::phone::{Entry, Phone, Place, Write};

const NOW: i64 = 1_772_409_600_000;
const SHARD: &str = "430121";

fn write_down(phone: &mut Phone, n: i64) {
    let raw = json!({"n": n, "op": "create", "kind": "check_in", "unit": "430121101"});
    phone.write(&Write::Entry(Box::new(Entry {
        n,
        record: uuid::Uuid::from_u128(n as u128),
        kind: "check_in".to_owned(),
        raw: raw.to_string(),
        created_at: NOW,
        place: Place::Outbox,
        verdict: None,
        unanswered: 0,
        retry_at: 0,
        kept: None,
    })));
}

fn answer(at: i64, push: Option<PushAnswer>, durable: Option<Position>) -> Answer {
    Answer {
        protocol: PROTOCOL,
        server_time: at,
        push,
        pull: None,
        durable: durable
            .map(|at| (SHARD.to_owned(), at))
            .into_iter()
            .collect(),
        limits: None,
        next: None,
    }
}

/// Everything that a request carries is accepted.
fn accepted(request: &Exchange, stamp: Position) -> PushAnswer {
    let mutations = request.push.iter().flat_map(|push| &push.mutations);
    let verdicts = mutations.map(|raw| {
        let said: serde_json::Value = serde_json::from_str(raw.get()).expect("JSON");
        let n = said["n"].as_i64().expect("a number");
        let id = uuid::Uuid::from_u128(n as u128);
        let mut verdict = Verdict::bare(n, id, VerdictName::Accepted);
        verdict.mac = Some("A".repeat(22));
        verdict
    });
    PushAnswer {
        verdicts: verdicts.collect(),
        unanswered: Vec::new(),
        stamps: [(SHARD.to_owned(), stamp)].into(),
    }
}

fn absorb(phone: &mut Phone, answer: Answer) {
    for write in phone.absorb(answer, NOW) {
        phone.write(&write);
    }
}

fn request(phone: &Phone) -> Exchange {
    let clock = PhoneClock {
        wall_ms: NOW,
        ..PhoneClock::default()
    };
    phone.request(clock, ClientBuild::default(), PUSH_ITEMS_MAX)
}

/// How many mutations and proofs a request carries.
fn carries(request: &Exchange) -> (usize, usize) {
    let push = request.push.as_ref();
    push.map_or((0, 0), |push| (push.mutations.len(), push.proofs.len()))
}

/// A phone whose numbers up to `last` were accepted at number 50 of epoch 1.
fn settled(last: i64) -> Phone {
    let mut phone = Phone::new("d-1");
    (1..=last).for_each(|n| write_down(&mut phone, n));
    while phone.is_due(NOW) {
        let stamp = Position { epoch: 1, seq: 50 };
        let push = accepted(&request(&phone), stamp);
        absorb(&mut phone, answer(NOW, Some(push), None));
    }
    phone
}

fn kept(phone: &Phone) -> usize {
    let entries = phone.entries.values();
    entries.filter(|entry| entry.kept.is_some()).count()
}

#[test]
fn only_a_backup_of_the_same_epoch_lets_an_entry_go() {
    let mut phone = settled(3);
    let said = request(&phone).journal;
    assert_eq!((said[SHARD].epoch, said[SHARD].seq), (1, Some(50)));
    absorb(
        &mut phone,
        answer(NOW, None, Some(Position { epoch: 1, seq: 49 })),
    );
    assert_eq!(kept(&phone), 3, "the backup does not hold them");
    let mut other = phone.clone();
    absorb(
        &mut other,
        answer(NOW, None, Some(Position { epoch: 2, seq: 90 })),
    );
    assert_eq!(kept(&other), 3, "90 of another epoch says nothing of 50");
    assert_eq!(carries(&request(&other)), (3, 3), "they are lost");
    absorb(
        &mut phone,
        answer(NOW, None, Some(Position { epoch: 1, seq: 50 })),
    );
    assert_eq!(kept(&phone), 0);
    assert_eq!(
        request(&phone).journal[SHARD].seq,
        None,
        "the epoch is told all the same"
    );
}

#[test]
fn what_is_old_goes_unless_it_is_lost() {
    let late = NOW + (JOURNAL_DAYS + 1) * DAY_MS;
    let mut phone = settled(2);
    let mut lost = phone.clone();
    absorb(&mut phone, answer(late, None, None));
    assert_eq!(kept(&phone), 0);
    absorb(
        &mut lost,
        answer(late, None, Some(Position { epoch: 2, seq: 9 })),
    );
    assert_eq!(carries(&request(&lost)), (2, 2), "however long it slept");
}

#[test]
fn lost_work_goes_beside_new_work_until_none_is_left() {
    let mut phone = settled(300);
    absorb(
        &mut phone,
        answer(NOW, None, Some(Position { epoch: 7, seq: 9 })),
    );
    (301..=600).for_each(|n| write_down(&mut phone, n));
    let mut proofs = 0;
    let mut pushes = 0;
    while phone.is_due(NOW) {
        let ask = request(&phone);
        let (items, shown) = carries(&ask);
        assert!(items <= PUSH_ITEMS_MAX, "{items}");
        assert!(
            items == shown || shown <= PUSH_ITEMS_MAX / 2,
            "{shown} of {items}"
        );
        (proofs, pushes) = (proofs + shown, pushes + 1);
        let push = accepted(&ask, Position { epoch: 7, seq: 80 });
        absorb(&mut phone, answer(NOW, Some(push), None));
    }
    assert_eq!((proofs, pushes), (300, 3), "each once");
    assert_eq!(kept(&phone), 600, "with its new stamp");
}

#[test]
fn what_a_former_registration_was_answered_goes_in_its_name() {
    let mut phone = settled(2);
    "d-2".clone_into(&mut phone.device);
    absorb(
        &mut phone,
        answer(NOW, None, Some(Position { epoch: 2, seq: 9 })),
    );
    assert_eq!(carries(&request(&phone)), (0, 0), "not as d-2");
    assert_eq!(phone.former(NOW), Some("d-1"));
    let ask = phone.request_as("d-1", PhoneClock::default(), ClientBuild::default());
    assert_eq!((ask.device.as_str(), carries(&ask)), ("d-1", (2, 2)));
    let push = accepted(&ask, Position { epoch: 2, seq: 12 });
    absorb(&mut phone, answer(NOW, Some(push), None));
    assert_eq!(phone.former(NOW), None);
}

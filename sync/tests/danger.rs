//! Danger on the bench: heard wherever it was said, in one place a record, and known to nobody
//! outside, not even by a number that is missing.

mod bench;

use std::sync::LazyLock;

use bench::{Bench, HOUR, told, visit};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::INCIDENTS_PER_PERSON_DAY;
use xiangyi_proto::verdict::VerdictName::{Accepted, Held, Invalid, Rejected};
use xiangyi_sync::admit::{Sender, admit};
use xiangyi_sync::policy::{PackSet, compile, read};
use xiangyi_sync::world::{Admitted, Record};

const ID: &str = "01920000-0000-7000-8000-00000000d001";
/// The packs that ship: what they hear is what counts.
static PACKS: LazyLock<PackSet> = LazyLock::new(|| {
    let doc = read(xiangyi_proto::pack::STARTER).expect("the pack is well-formed");
    PackSet::new(vec![compile(&doc).expect("the pack compiles")])
});

fn incidents(bench: &Bench) -> Vec<Record> {
    let all = bench.world.records.values();
    let mut found: Vec<Record> = all
        .filter(|record| record.kind == Kind::Incident)
        .cloned()
        .collect();
    found.sort_by_key(|record| record.seq);
    found
}

/// Records that incidents speak of, further sources included.
fn sources(bench: &Bench) -> usize {
    let found = incidents(bench);
    let further = found
        .iter()
        .map(|one| one.body["sources"].as_array().map_or(0, Vec::len));
    found.len() + further.sum::<usize>()
}

fn admitted(raw: &str, packs: &PackSet) -> Admitted {
    let sender = Sender {
        person: "wang".to_owned(),
        device: "d-wang".to_owned(),
        clock: None,
        received_at: bench::NOW,
    };
    let raw: Box<RawValue> = serde_json::from_str(raw).expect("JSON");
    admit(&raw, &sender, packs).expect("it has a number")
}

/// What the packs that ship hear in an item.
fn heard(raw: &str) -> Vec<String> {
    let danger = admitted(raw, &PACKS).danger.into_iter();
    danger.map(|danger| danger.rule.id.clone()).collect()
}

fn item(kind: &str, body: &Value) -> Value {
    json!({"n": 7, "op": "create", "kind": kind, "unit": bench::STATION, "id": ID,
        "occurred_at": bench::NOW - HOUR, "body": body})
}

#[test]
fn danger_is_heard_in_whatever_was_sent() {
    const SAID: &str = "他喝了农药，人昏迷不醒";
    let good = visit(Uuid::from_u128(1), "service", bench::NOW)["body"].clone();
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let mut appeal = item("visit", &good);
    appeal["op"] = json!("appeal");
    appeal["refusal"] = json!(ID);
    appeal["reason"] = json!(SAID);
    let mut odd_appeal = appeal.clone();
    odd_appeal["reason"] = json!([SAID]);
    let mut void = item("visit", &json!(null));
    void["op"] = json!("void");
    void["reason"] = json!(format!("{SAID}{}", "，".repeat(600)));
    let mut beside = item("visit", &good);
    beside["remark"] = json!(SAID);
    let report = json!({"office": "综治办", "what": "approval", "text": SAID});
    let step = json!({"incident": ID, "step": "confirm", "reason": SAID});
    let twice = item("visit", &with("process", json!("PLACE"))).to_string();
    let both = format!("\"process\":\"{SAID}\",\"process\":\"平安\"");
    let twice = twice.replace("\"process\":\"PLACE\"", &both);
    assert!(twice.contains(SAID));
    let half = item("visit", &with("process", json!(SAID))).to_string();
    let half = half.replace(SAID, &format!("\\ud83d{SAID}"));
    for (name, raw) in [
        ("an appeal's reason", appeal.to_string()),
        ("a reason that is a list", odd_appeal.to_string()),
        ("a reason too long", void.to_string()),
        ("a member beside the body", beside.to_string()),
        (
            "a member nobody knows",
            item("visit", &with("memo", json!(SAID))).to_string(),
        ),
        ("an order report", item("order_report", &report).to_string()),
        (
            "a kind that is for reviewers",
            item("incident_step", &step).to_string(),
        ),
        (
            "a kind that nobody knows",
            item("vist", &json!({"x": SAID})).to_string(),
        ),
        ("the first of two members", twice),
        ("half an emoji", half),
        (
            "a patch",
            json!({"n": 7, "op": "patch", "kind": "visit", "unit": bench::STATION,
            "id": ID, "base": 1, "set": {"/result": SAID}})
            .to_string(),
        ),
    ] {
        assert!(
            heard(&raw).contains(&"OV-3.text".to_owned()),
            "{name}: {raw}"
        );
    }
}

#[test]
fn a_code_of_danger_is_known_however_it_is_written() {
    let good = visit(Uuid::from_u128(1), "service", bench::NOW)["body"].clone();
    for risk in [
        json!("minor_harm"),
        json!("minor_harm "),
        json!(["minor_harm"]),
        json!("Minor_Harm"),
        json!({"code": "minor_harm"}),
    ] {
        let mut body = good.clone();
        body["risk"] = risk;
        let raw = item("visit", &body).to_string();
        assert_eq!(heard(&raw), ["OV-1"], "{raw}");
        let patch = json!({"n": 7, "op": "patch", "kind": "visit", "unit": bench::STATION,
            "id": ID, "base": 1, "set": {"/risk": body["risk"]}});
        assert_eq!(heard(&patch.to_string()), ["OV-1"], "{patch}");
    }
    let first = item("visit", &good).to_string();
    let first = first.replace(
        "\"purpose\"",
        "\"risk\":\"violence\",\"risk\":\"none\",\"purpose\"",
    );
    assert_eq!(heard(&first), ["OV-2"], "{first}");
}

#[test]
fn codes_days_and_ids_are_no_danger() {
    let broken = json!({"class": "administrative", "minutes": "480", "day": "2026-02-30",
        "category": "office_duty", "assigned_by": {"office": 7}, "refusal": ID});
    let mut patch = item("work_time", &json!(null));
    patch["op"] = json!("patch");
    patch["set"] = broken.clone();
    let codes = json!({"services": ["ec_visit", "el_meal", "mh_follow", "jd_mediate"],
        "started_at": "2026-02-01", "ended_at": "2026-02-02 12:00", "village": "430121101001",
        "outcome": "served", "risk": "none", "no_client_reason": 5});
    let unread = item("visit", &codes).to_string();
    let unread = unread.replace("\"no_client_reason\":5", "\"no_client_reason\":1e999");
    for raw in [
        item("work_time", &broken).to_string(),
        patch.to_string(),
        item("visit", &codes).to_string(),
        unread,
    ] {
        let item = admitted(&raw, &PACKS);
        assert!(!item.faults.is_empty(), "{raw}");
        assert!(item.danger.is_empty(), "{:?} in {raw}", item.danger);
    }
}

/// What one person sends in a row, each once with a plain word and once with danger.
fn story(word: &str) -> Vec<(&'static str, Value)> {
    let id = |n: u128| Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + n);
    let with = |n: u128, word: &str| {
        let mut said = visit(id(n), "service", bench::NOW);
        said["body"]["process"] = json!(word);
        said
    };
    let mut broken = with(3, word);
    broken["body"]["mode"] = json!(7);
    vec![
        ("wang", with(1, word)),
        ("wang", with(2, "陪老人说话")),
        ("wang", bench::patch(id(2), 1, json!({"/result": word}))),
        ("wang", broken),
        (
            "li",
            json!({"op": "create", "kind": "order_report", "id": id(4),
            "body": {"office": "综治办", "what": "approval", "text": word}}),
        ),
        (
            "wang",
            json!({"op": "void", "kind": "visit", "id": id(2), "reason": word}),
        ),
        ("wang", with(5, "陪老人说话")),
    ]
}

#[test]
fn no_number_tells_that_an_incident_was_opened() {
    let numbers = |word: &str| {
        let mut bench = Bench::new();
        let mut seen = Vec::new();
        for (person, said) in story(word) {
            let verdict = bench.say(person, said);
            seen.push((verdict.verdict, verdict.seq, bench.world.head));
        }
        (seen, sources(&bench))
    };
    let (plain, none) = numbers("孩子说过得好");
    let (danger, some) = numbers("孩子说被打了");
    assert_eq!((none, some), (0, 5), "five of seven speak of danger");
    assert_eq!(plain, danger);
}

#[test]
fn no_number_tells_that_an_incident_was_worked_on() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    bench.say(
        "wang",
        bench::patch(id, 1, json!({"/result": "孩子说被打了"})),
    );
    let incident = incidents(&bench)[0].id;
    let before = bench.world.head;
    bench.visit("li", "service");
    let ordinary = bench.world.head - before;
    let step = json!({"op": "request", "kind": "incident_step", "unit": "430121",
        "id": Uuid::from_u128(8), "body": {"incident": incident, "step": "confirm",
        "reason": "属实"}});
    let before = bench.world.head;
    assert_eq!(bench.say("shen", step).verdict, Accepted);
    assert_eq!(bench.world.head - before, ordinary);
}

#[test]
fn an_incident_is_nothing_that_its_author_can_name() {
    let answers = |named: fn(&Bench) -> Uuid| {
        let mut bench = Bench::new();
        let (id, _) = bench.visit("wang", "service");
        bench.say(
            "wang",
            bench::patch(id, 1, json!({"/result": "孩子说被打了"})),
        );
        let named = named(&bench);
        let mut needs = visit(Uuid::from_u128(21), "service", bench.now);
        needs["needs"] = json!([named]);
        let mut client = visit(Uuid::from_u128(22), "service", bench.now);
        client["body"]["client"] = json!(named);
        let steps = [
            needs,
            client,
            visit(named, "service", bench.now),
            bench::patch(named, 1, json!({"/result": "好"})),
            json!({"op": "void", "kind": "visit", "id": named, "reason": "记错了"}),
            json!({"op": "request", "kind": "incident_step", "unit": "430121",
                "id": Uuid::from_u128(23), "body": {"incident": named, "step": "close",
                "reason": "没事"}}),
        ];
        let mut heard = Vec::new();
        for step in steps {
            let verdict = bench.say("wang", step);
            let missing = verdict.errors.iter().map(|fault| fault.code.clone());
            heard.push((
                verdict.verdict,
                told(&verdict).1.to_owned(),
                missing.collect::<Vec<_>>(),
            ));
        }
        heard
    };
    let there = answers(|bench| incidents(bench)[0].id);
    // The same form, and nothing behind it.
    let not = answers(|bench| {
        let mut id = incidents(bench)[0].id.into_bytes();
        id[15] ^= 1;
        Uuid::from_bytes(id)
    });
    assert_eq!(there, not);
    let names: Vec<_> = there.iter().map(|(verdict, ..)| *verdict).collect();
    assert_eq!(names, [Held, Held, Invalid, Invalid, Invalid, Rejected]);
}

#[test]
fn the_id_of_an_incident_follows_from_a_secret() {
    let id_under = |secret: u8| {
        let mut bench = Bench::new();
        bench.secret = [secret; 32];
        let (id, _) = bench.visit("wang", "service");
        bench.say(
            "wang",
            bench::patch(id, 1, json!({"/result": "孩子说被打了"})),
        );
        incidents(&bench)[0].id
    };
    assert_ne!(id_under(1), id_under(2));
}

#[test]
fn one_person_opens_few_incidents_a_day_and_nothing_is_lost() {
    let mut bench = Bench::new();
    let said = |n: u128| {
        json!({"op": "create", "kind": "visit", "unit": "430121", "id": Uuid::from_u128(n),
            "body": {"purpose": format!("孩子说被打了{n}")}})
    };
    for n in 1..=205 {
        assert_eq!(bench.say("vo1", said(n)).verdict, Invalid);
    }
    let found = incidents(&bench);
    // A hundred and one sources in the first that was full, and the rest in another.
    assert_eq!(found.len(), INCIDENTS_PER_PERSON_DAY);
    assert_eq!(sources(&bench), 205);
    let all: String = found.iter().map(|one| one.body.to_string()).collect();
    for n in 1..=205 {
        assert!(all.contains(&format!("孩子说被打了{n}\\\"")), "{n} is lost");
    }
    // Another person's words, and another day's, have incidents of their own.
    bench.say("vo2", said(301));
    assert_eq!(incidents(&bench).len(), INCIDENTS_PER_PERSON_DAY + 1);
    bench.now += 24 * HOUR;
    bench.say("vo1", said(302));
    assert_eq!(incidents(&bench).len(), INCIDENTS_PER_PERSON_DAY + 2);
}

#[test]
fn further_words_about_a_record_join_its_incident_until_it_is_closed() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    bench.say(
        "wang",
        bench::patch(id, 1, json!({"/result": "孩子说被打了"})),
    );
    bench.say(
        "wang",
        bench::patch(id, 2, json!({"/result": "孩子又说被打了"})),
    );
    let found = incidents(&bench);
    assert_eq!((found.len(), sources(&bench)), (1, 2));
    let line = &found[0].body["sources"][0];
    assert_eq!(line["rules"], json!(["T-DANGER"]));
    assert!(
        line["text"]
            .as_str()
            .is_some_and(|text| text.contains("又说")),
        "{line}"
    );
    let close = json!({"op": "request", "kind": "incident_step", "unit": "430121",
        "id": Uuid::from_u128(8), "body": {"incident": found[0].id, "step": "close",
        "reason": "是电视里的"}});
    assert_eq!(bench.say("shen", close).verdict, Accepted);
    bench.say(
        "wang",
        bench::patch(id, 3, json!({"/result": "孩子第三次说被打了"})),
    );
    assert_eq!(incidents(&bench).len(), 2);
}

#[test]
fn a_step_says_something_and_when() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    bench.say(
        "wang",
        bench::patch(id, 1, json!({"/result": "孩子说被打了"})),
    );
    let incident = incidents(&bench)[0].id;
    let now = bench.now;
    for (n, (step, at)) in [
        (json!({"step": "confirm", "reason": " 。\u{3000}"}), "/reason"),
        (json!({"step": "close", "reason": "\u{200b}"}), "/reason"),
        (json!({"step": "told", "who": "police", "consent": "given", "told_at": 0}), "/told_at"),
        (json!({"step": "told", "who": "family", "consent": "given", "told_at": now, "note": "  "}),
            "/note"),
        (json!({"step": "consent", "consent": "given", "note": "--"}), "/note"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = step;
        body["incident"] = json!(incident);
        let said = json!({"op": "request", "kind": "incident_step", "unit": "430121",
            "id": Uuid::from_u128(100 + n as u128), "body": body});
        let verdict = bench.say("shen", said);
        let places: Vec<&str> = verdict.errors.iter().map(|f| f.pointer.as_str()).collect();
        assert_eq!((verdict.verdict, places), (Invalid, vec![at]), "{body}");
    }
}

#[test]
fn whoever_took_part_does_not_decide() {
    let mut bench = Bench::new();
    let with = |id: Uuid, category: &str, now| {
        let mut said = visit(id, category, now);
        said["body"]["co_workers"] = json!(["shen"]);
        said
    };
    let (kept, waits) = (bench.id(), bench.id());
    let said = with(kept, "service", bench.now);
    assert_eq!(bench.say("wang", said).verdict, Accepted);
    let said = with(waits, "screening", bench.now - 3 * HOUR);
    assert_eq!(bench.say("wang", said).verdict, Held);
    let refused = bench.id();
    let said = with(refused, "land_demolition", bench.now - 6 * HOUR);
    let receipt = bench.say("wang", said.clone()).refusal;
    let mut appeal = said;
    (appeal["op"], appeal["refusal"], appeal["reason"]) =
        (json!("appeal"), json!(receipt), json!("只是转告"));
    assert_eq!(bench.say("wang", appeal).verdict, Held);
    for (record, decision) in [(kept, "approve"), (waits, "release"), (refused, "upheld")] {
        assert_eq!(
            told(&bench.review("shen", record, decision)),
            (Rejected, "second-reviewer"),
            "{decision}"
        );
        assert_eq!(
            bench.review("shan", record, decision).verdict,
            Accepted,
            "{decision}"
        );
    }
}

#[test]
fn whoever_was_there_does_not_close_the_incident() {
    let mut bench = Bench::new();
    let id = bench.id();
    let mut said = visit(id, "service", bench.now);
    said["body"]["co_workers"] = json!(["shen"]);
    said["body"]["process"] = json!("孩子说被打了");
    assert_eq!(bench.say("wang", said).verdict, Accepted);
    let incident = incidents(&bench)[0].id;
    let close = |n: u128| {
        json!({"op": "request", "kind": "incident_step", "unit": "430121",
            "id": Uuid::from_u128(n), "body": {"incident": incident, "step": "close",
            "reason": "是电视里的"}})
    };
    assert_eq!(
        told(&bench.say("shen", close(8))),
        (Rejected, "second-reviewer")
    );
    assert_eq!(bench.say("shan", close(9)).verdict, Accepted);
}

//! Order reports and incidents on the bench: what no pack can do to the one, what is told of the
//! other.

mod bench;

use bench::Bench;
use serde_json::json;
use uuid::Uuid;
use xiangyi_sync::kinds::OPEN;

const STRICT: &str = r#"
pack: "430121"
version: 1
effective: {from: 2020-01-01, to: null}
rules:
  - {id: T-NO, title: {zh: 拒, en: reject}, clause: 一, basis: {practice: test},
     kinds: [order_report], when: "record.what == 'approval'", verdict: reject,
     message: {zh: 拒, en: reject}, instead: [appeal]}
  - {id: T-TAG, title: {zh: 记, en: tag}, clause: 二, basis: {practice: test},
     kinds: [order_report], when: "record.what == 'approval'", verdict: tag,
     message: {zh: 记, en: tag}}
"#;

#[test]
fn no_pack_refuses_or_tags_an_order_report() {
    let mut bench = Bench::with(STRICT);
    let report = json!({"op": "create", "kind": "order_report", "id": Uuid::from_u128(7),
        "body": {"office": "民政办", "what": "approval", "text": "要我审批"}});
    let verdict = bench.say("wang", report);
    assert!(verdict.verdict.is_stored(), "{verdict:?}");
    assert!(verdict.notices.is_empty(), "{verdict:?}");
    let placed = bench.world.records[&Uuid::from_u128(7)].placed.keys();
    let placed: Vec<&str> = placed.map(String::as_str).collect();
    assert_eq!(placed, ["person:wang", "restricted:430121"]);
}

#[test]
fn an_incident_lives_in_one_stream_and_one_counter() {
    let mut bench = Bench::new();
    let (id, _) = bench.visit("wang", "service");
    let said = json!({"op": "patch", "kind": "visit", "id": id, "base": 1,
        "set": {"/result": "孩子说被打了"}});
    bench.say("wang", said);
    let incidents = bench.world.records.values();
    let incidents = incidents.filter(|record| record.kind.name() == "incident");
    let incident = incidents
        .map(|record| record.id)
        .next()
        .expect("it is open");
    let open = |bench: &Bench| {
        let counted = bench.world.effects.rollups.iter();
        let open = counted.filter(|(key, _)| key.class == OPEN);
        open.map(|(_, delta)| delta.count).sum::<i64>()
    };
    assert_eq!(open(&bench), 1);
    let step = json!({"op": "request", "kind": "incident_step", "unit": "430121",
        "id": Uuid::from_u128(8), "body": {"incident": incident, "step": "close",
        "reason": "孩子说被打了，是电视里的"}});
    assert!(bench.say("shen", step).verdict.is_stored());
    assert_eq!(open(&bench), 0);
    for id in [incident, Uuid::from_u128(8)] {
        let placed = bench.world.records[&id].placed.keys();
        let placed: Vec<&str> = placed.map(String::as_str).collect();
        assert_eq!(placed, ["restricted:430121"]);
    }
    // What is said about danger in a step is no new danger, however broken the step is.
    let broken = json!({"op": "request", "kind": "incident_step", "unit": "430121",
        "id": Uuid::from_u128(9), "body": {"step": "told", "note": "孩子说被打了"}});
    bench.say("shen", broken);
    assert_eq!(open(&bench), 0);
}

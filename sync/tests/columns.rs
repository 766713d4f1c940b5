//! Pages as columns: whatever rows go in come out again, and what are no columns does no harm.

use proptest::prelude::*;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use xiangyi_proto::exchange::{PullAnswer, Row, StreamChanges};
use xiangyi_sync::columns::{fold, unfold};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1.0e9..1.0e9_f64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        any::<[u8; 16]>().prop_map(|id| Uuid::from_bytes(id).to_string().into()),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner).prop_map(Value::Object),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof!["[a-d]{0,2}", "[~/]{1,2}"];
    let members = prop::collection::vec((name, inner), 0..4);
    members.prop_map(|members| members.into_iter().collect())
}

prop_compose! {
    fn row()(
        id in any::<[u8; 16]>(),
        (seq, rev) in (0..i64::MAX, 0..5_i64),
        kind in prop::sample::select(vec!["visit", "check_in"]),
        (rm, same) in any::<(bool, bool)>(),
        author in "[a-b]{0,1}",
        village in prop::option::of("[0-9]{2}"),
        (occurred_at, received_at) in any::<(i64, i64)>(),
        quality in 0..4_i64,
        body in prop::option::of(object(value())),
    ) -> Row {
        Row {
            id: Uuid::from_bytes(id),
            seq,
            kind: kind.to_owned(),
            rev,
            rm,
            same,
            author,
            unit: "430121101".to_owned(),
            village,
            occurred_at,
            received_at,
            estimated_at: occurred_at,
            quality,
            body: body.map(|body| to_raw_value(&body).expect("a value can be written")),
        }
    }
}

fn page(streams: Vec<Vec<Row>>) -> PullAnswer {
    let stream = |(at, rows): (usize, Vec<Row>)| StreamChanges {
        shard: 430_121,
        stream: format!("station:{at}"),
        rows,
    };
    PullAnswer {
        changes: streams.into_iter().enumerate().map(stream).collect(),
        ..PullAnswer::default()
    }
}

fn written(page: &PullAnswer) -> Value {
    serde_json::to_value(page).expect("a page can be written")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_back_as_they_went(
        streams in prop::collection::vec(prop::collection::vec(row(), 1..20), 1..4)
    ) {
        let mut sent = page(streams);
        let before = written(&sent);
        let rows: usize = sent.changes.iter().map(|changes| changes.rows.len()).sum();
        fold(&mut sent);
        prop_assert_eq!(sent.changes.is_empty(), rows >= 12);
        let text = serde_json::to_string(&sent).expect("columns can be written");
        let mut got: PullAnswer = serde_json::from_str(&text).expect("columns can be read");
        prop_assert!(unfold(&mut got).is_ok());
        prop_assert_eq!(written(&got), before);
    }

    #[test]
    fn what_are_no_columns_makes_no_panic(
        streams in prop::collection::vec(prop::collection::vec(row(), 12..20), 1..2),
        place in 0..10_000_usize,
        other in 0..40_u8,
    ) {
        let mut sent = page(streams);
        fold(&mut sent);
        let mut text = serde_json::to_vec(&sent).expect("columns can be written");
        let place = place % text.len();
        text[place] = b"0123456789,[]{}:\"/-ab \\ntruelsxyz~."[usize::from(other) % 34];
        if let Ok(mut got) = serde_json::from_slice::<PullAnswer>(&text) {
            let _ = unfold(&mut got);
        }
    }
}

#[test]
fn a_column_is_written_as_short_as_it_can_be() {
    let one = |n: i64| Row {
        id: Uuid::from_u128(n as u128),
        seq: 100 + 2 * n,
        kind: "visit".to_owned(),
        rev: 1,
        rm: false,
        same: false,
        author: "p-1".to_owned(),
        unit: "430121101".to_owned(),
        village: None,
        occurred_at: 1_772_409_600_000 + n * n * 60_000,
        received_at: 1_772_409_600_000 + n * n * 60_000,
        estimated_at: 0,
        quality: 0,
        body: to_raw_value(&json!({"mode": "home", "minutes": 30})).ok(),
    };
    let mut page = page(vec![(1..=12).map(one).collect()]);
    fold(&mut page);
    let columns = &page.columns[0];
    let of = |at: &str| {
        let column = columns.columns.iter().find(|column| column.at == at);
        serde_json::to_value(column).expect("a column can be written")
    };
    assert_eq!(of("/seq")["steps"][0], 102);
    assert_eq!(of("/seq")["steps"][1], 2);
    let beside = of("/received_at")["beside"].clone();
    assert_eq!(beside["by"], json!(vec![0; 12]), "as long as the other");
    assert_eq!(of("/body/mode")["texts"], json!(vec![1; 12]));
    assert_eq!(columns.texts, ["430121101", "home", "p-1", "visit"]);
    assert!(of("/id")["ids"].is_string());
    assert_eq!(columns.rows, vec![0; 12]);
}

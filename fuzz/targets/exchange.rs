//! An exchange as somebody may send it: whatever can be read is admitted or has its faults named,
//! before rules that need no other record were asked.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use xiangyi_proto::exchange::Exchange;
use xiangyi_sync::admit::{Sender, admit};
use xiangyi_sync::policy::{self, PackSet};

static PACKS: LazyLock<PackSet> = LazyLock::new(|| {
    let doc = policy::read(include_str!("../../proto/packs/43.yaml"));
    let pack = policy::compile(&doc.expect("the starter pack can be read"));
    PackSet::new(vec![pack.expect("and compiled")])
});

fuzz_target!(|text: &str| {
    let Ok(exchange) = serde_json::from_str::<Exchange>(text) else {
        return;
    };
    let sender = Sender {
        person: "p-worker-01".into(),
        device: "d-00000000".into(),
        clock: exchange.clock.as_ref(),
        received_at: 1_768_442_400_000,
    };
    for raw in exchange.push.iter().flat_map(|push| &push.mutations) {
        let _ = admit(raw, &sender, &PACKS);
    }
});

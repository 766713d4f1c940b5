//! Registering devices: minted by the server, one person's each.

use std::collections::BTreeSet;

use serde_json::json;
use xiangyi_proto::account::Registered;
use xiangyi_proto::limits::LIMITS;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

fn is_device(id: &str) -> bool {
    let alphabet = |c: char| "0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(c);
    id.strip_prefix("d-")
        .is_some_and(|rest| rest.len() == 8 && rest.chars().all(alphabet))
}

on_both!(
    each_registration_is_a_new_device_with_the_limits,
    |engine| {
        let harness = Harness::start(engine).await;
        let worker = harness.worker(1).await;
        let mut ids = BTreeSet::new();
        for _ in 0..3 {
            let reply = worker.post("/v1/devices", &json!({})).await;
            assert_eq!(reply.status, 201);
            let made: Registered = serde_json::from_value(reply.json()).expect("a device");
            assert!(is_device(&made.device), "{}", made.device);
            assert_eq!((made.limits, made.server_time), (LIMITS, START));
            ids.insert(made.device);
        }
        ids.insert(worker.signed_in().device.clone());
        assert_eq!(ids.len(), 4);
        assert!(
            ids.iter().all(|id| is_device(id)),
            "the session's own device too: {ids:?}"
        );
    }
);

on_both!(a_stranger_cannot_speak_for_a_device, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let made: Registered =
        serde_json::from_value(worker.post("/v1/devices", &json!({})).await.good()).expect("made");
    let exchange = |device: &str| json!({ "protocol": 1, "device": device });
    worker
        .post("/v1/sync", &exchange(&made.device))
        .await
        .good();
    for device in [made.device.as_str(), "d-00000000", ""] {
        let reply = harness
            .stranger()
            .await
            .post("/v1/sync", &exchange(device))
            .await;
        reply.problem(403, "device-unknown");
    }
    harness
        .nobody()
        .post("/v1/devices", &json!({}))
        .await
        .problem(401, "unauthorized");
});

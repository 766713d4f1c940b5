//! Another maker's client: tus-js-client, as npm has it, cut in the middle and taken up again.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{ROADSIDE, UNIT, hash, once_made};

on_both!(tus_js_client_is_cut_and_goes_on, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = Command::new("node")
        .arg(tests.join("node/tus.mjs"))
        .arg(harness.base())
        .arg(&worker.signed_in().access_token)
        .arg(tests.join("data/photos/exif-roadside.jpg"))
        .args([UNIT, "image/jpeg"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("Node runs: make install-deps brings it and its packages");
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}");
    let said: Value = serde_json::from_slice(&run.stdout).expect("a line of JSON");
    let (accepted, sent) = (said["accepted"].as_u64(), said["sent"].as_u64());
    let (accepted, sent) = accepted.zip(sent).expect("numbers");
    assert_eq!(accepted, 96 * 1024, "{said}");
    // The cut may have met a third chunk on its way; nothing that was accepted is sent again.
    assert!(sent + accepted <= ROADSIDE.len() as u64, "{said}");
    let statuses = said["statuses"].as_array().expect("statuses");
    assert!(statuses.contains(&"HEAD 200".into()), "{said}");
    let view = format!("/v1/photos/{}?as=view&unit={UNIT}", hash(ROADSIDE));
    assert_eq!(once_made(&worker, &view).await.status(), 200);
});

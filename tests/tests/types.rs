//! The OpenAPI document is enough for a client: types generated from it check a small client in
//! TypeScript that signs in, lists, writes, reads and pulls, and what it gets wrong is told.
//!
//! `tests/node/types.mjs` generates and checks, `tests/node/client.ts` is the client.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use xiangyi_server::api::openapi;
use xiangyi_tests::scratch::Scratch;

/// The check's exit and what it said of a client under a document.
fn checked(document: &Value, client: &str) -> (bool, String) {
    let folder = Scratch::new("types");
    let paths = ["openapi.json", "client.ts"].map(|name| folder.path().join(name));
    for (path, text) in paths.iter().zip([&document.to_string(), client]) {
        fs::write(path, text).expect("the temporary folder can be written");
    }
    let programme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/node");
    assert!(
        programme.join("node_modules/typescript").exists(),
        "the check's packages are not there: run `make install-deps`"
    );
    let output = Command::new("node")
        .arg(programme.join("types.mjs"))
        .args(&paths)
        .output()
        .expect("node runs: `make install-deps` installs it");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

const CLIENT: &str = include_str!("../node/client.ts");

#[test]
fn a_client_needs_only_the_document() {
    let (sound, said) = checked(&openapi::document(), CLIENT);
    assert!(sound, "{said}");
}

#[test]
fn what_a_client_gets_wrong_is_told() {
    let document = openapi::document();
    for (right, wrong, told) in [
        ("mode: 'home'", "mode: 'homely'", "\"homely\""),
        ("unit, limit: 50, after", "limit: 50, after", "'unit'"),
        ("{ 'Idempotency-Key': key }", "{}", "Idempotency-Key"),
        (
            "day.totals.incidents_open",
            "day.totals.incidents",
            "'incidents'",
        ),
        ("case 'held':\n", "", "never"),
    ] {
        let spoilt = CLIENT.replacen(right, wrong, 1);
        assert_ne!(spoilt, CLIENT, "the client has no {right}");
        let (sound, said) = checked(&document, &spoilt);
        assert!(!sound && said.contains(told), "{wrong}: {said}");
    }
}

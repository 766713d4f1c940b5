//! A rule pack with its conditions as somebody may propose it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xiangyi_sync::policy;

fuzz_target!(|text: &str| {
    if let Ok(doc) = policy::read(text) {
        let _ = policy::compile(&doc);
    }
});

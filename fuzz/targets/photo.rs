//! Bytes that claim to be a photograph: its kind, what the camera wrote, its pixels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xiangyi_server::photos::{camera, rendition, sniff};

fuzz_target!(|bytes: &[u8]| {
    let _ = camera::read(bytes);
    if let Ok(mime) = sniff::whole(bytes) {
        let _ = rendition::decoded(bytes, mime);
    }
});

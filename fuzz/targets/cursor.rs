//! A cursor as somebody may send it: it is one, and then says the same when written again, or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xiangyi_sync::cursor::Cursor;

fuzz_target!(|text: &str| {
    if let Ok(cursor) = Cursor::decode(text, "p-worker-01") {
        let again = Cursor::decode(&cursor.encode(), "p-worker-01");
        assert_eq!(again.as_ref(), Ok(&cursor));
    }
});

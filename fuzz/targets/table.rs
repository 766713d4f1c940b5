//! A table of people as somebody may hand it over: CSV in UTF-8 or GBK, or a spreadsheet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xiangyi_server::import::columns::Column;
use xiangyi_server::import::table;

const COLUMNS: &[Column] = &[
    Column::new("telephone", "手机号", &["电话"]),
    Column::new("name", "姓名", &[]),
];

fuzz_target!(|bytes: &[u8]| {
    if let Ok(table) = table::read(bytes, COLUMNS) {
        for row in &table.rows {
            let _ = table::day(row.text("telephone"));
        }
    }
});

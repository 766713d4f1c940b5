//! A table out of a file: CSV as spreadsheets in China write it, or XLSX.
//!
//! The encoding is found by what is valid, the separator by the header. Cells come trimmed, with
//! the number of their line, under the names of `columns`, whatever the header calls them.

use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use encoding_rs::{Encoding, GB18030};
use xiangyi_proto::time::{day_of_text, day_start, day_text};

use super::columns::Column;
use crate::app::StartError;

/// How an XLSX file begins.
const ZIP: &[u8] = b"PK\x03\x04";
const SEPARATORS: [char; 3] = [',', ';', '\t'];
/// The number that spreadsheets give 1970-01-01.
const DAY_ZERO: f64 = 25_569.0;
/// Lines of one file: the province's villages, and as many again.
const LINES_MAX: usize = 100_000;

/// Rows under known names.
#[derive(Debug, Default)]
pub struct Table {
    pub rows: Vec<Row>,
    /// Headers that name no column.
    pub unused: Vec<String>,
}

/// One line.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub line: usize,
    cells: BTreeMap<&'static str, String>,
    /// It has more cells than the header: an unquoted separator has shifted them.
    pub is_shifted: bool,
}

impl Row {
    /// A cell, or nothing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.cells.get(name).map(String::as_str)
    }

    /// Whether a cell has a character that no database of ours can keep.
    pub(super) fn has_zero(&self) -> bool {
        self.cells.values().any(|cell| cell.contains('\0'))
    }

    /// A cell, or an empty text.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// Reads a file.
///
/// # Errors
/// When it is in no encoding that is known, or lacks a column, in words for whoever brought it.
pub fn read(bytes: &[u8], columns: &[Column]) -> Result<Table, StartError> {
    let lines = if bytes.starts_with(ZIP) {
        sheet(bytes)?
    } else {
        separated(&decoded(bytes)?)?
    };
    if lines.len() > LINES_MAX {
        return Err(format!("一个文件最多 {LINES_MAX} 行。at most {LINES_MAX} lines").into());
    }
    named(lines, columns)
}

fn decoded(bytes: &[u8]) -> Result<String, StartError> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        let (text, _, faulty) = encoding.decode(bytes);
        return if faulty {
            Err(unread())
        } else {
            Ok(text.into_owned())
        };
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    // GB18030 reads all of GBK and of GB 2312.
    let text = GB18030.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(std::borrow::Cow::into_owned).ok_or_else(unread)
}

fn unread() -> StartError {
    "这个文件既不是 UTF-8 也不是 GBK。请另存为“CSV UTF-8”或 XLSX。\
     the file is neither UTF-8 nor GBK: save it as CSV UTF-8 or as XLSX"
        .into()
}

type Lines = Vec<(usize, Vec<String>)>;

fn separated(text: &str) -> Result<Lines, StartError> {
    // The reader counts a line that ends in two characters before it has read the second.
    let text = text.replace("\r\n", "\n");
    let header = text.lines().find(|line| !line.trim().is_empty());
    let header = header.unwrap_or_default();
    let count = |separator: &char| header.matches(*separator).count();
    // Of equals the first wins.
    let separator = SEPARATORS.iter().rev().max_by_key(|one| count(one));
    let separator = separator.copied().unwrap_or(',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator as u8)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("不是表格。it is no table: {error}"))?;
        let line = record.position().map_or(0, |at| line_of(&text, at));
        let cells = record.iter().map(|cell| cell.trim().to_owned()).collect();
        lines.push((line, cells));
    }
    Ok(lines)
}

/// The line in which a record begins: the reader gives that of the empty lines before it.
fn line_of(text: &str, at: &csv::Position) -> usize {
    let number = |n: u64| usize::try_from(n).unwrap_or(0);
    let rest = text.as_bytes().get(number(at.byte())..).unwrap_or_default();
    let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    number(at.line()) + ends.filter(|byte| **byte == b'\n').count()
}

fn sheet(bytes: &[u8]) -> Result<Lines, StartError> {
    let fault = |error: calamine::XlsxError| format!("读不出 XLSX。the XLSX is not read: {error}");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(fault)?;
    let range = book.worksheet_range_at(0);
    let range = range.ok_or("文件里没有工作表。there is no sheet in it")?;
    let range = range.map_err(fault)?;
    let first = range.start().map_or(1, |(row, _)| row as usize + 1);
    let rows = range.rows().enumerate();
    let cells = |(index, row): (usize, &[Data])| (first + index, row.iter().map(cell).collect());
    Ok(rows.map(cells).collect())
}

/// A cell as a person would have typed it: whole numbers without a point, dates as days.
fn cell(data: &Data) -> String {
    match data {
        Data::Float(number) if number.fract() == 0.0 => format!("{number:.0}"),
        Data::DateTime(at) => day_text(day_start((at.as_f64() - DAY_ZERO).floor() as i64)),
        Data::DateTimeIso(text) => text.get(..10).unwrap_or(text).to_owned(),
        Data::Empty | Data::Error(_) => String::new(),
        other => other.to_string().trim().to_owned(),
    }
}

fn named(lines: Lines, columns: &[Column]) -> Result<Table, StartError> {
    let mut lines = lines.into_iter();
    let header = lines.find(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
    let (_, header) = header.ok_or("文件是空的。the file is empty")?;
    let mut names: Vec<Option<&'static str>> = Vec::with_capacity(header.len());
    let mut unused = Vec::new();
    for cell in &header {
        let column = columns.iter().find(|column| column.is_called(cell));
        let name = column.map(|column| column.name);
        if name.is_some() && names.contains(&name) {
            return Err(format!("这一列有两次。the column {cell} is there twice").into());
        }
        if name.is_none() && !cell.is_empty() {
            unused.push(cell.clone());
        }
        names.push(name);
    }
    let there = |column: &&Column| names.contains(&Some(column.name));
    if let Some(lacking) = columns
        .iter()
        .find(|column| column.required && !there(column))
    {
        let (name, zh) = (lacking.name, lacking.zh);
        return Err(format!("缺少“{zh}”一列。the column {name} is not there").into());
    }
    let filled = lines.filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
    let rows = filled
        .map(|(line, cells)| row(line, cells, &names))
        .collect();
    Ok(Table { rows, unused })
}

fn row(line: usize, cells: Vec<String>, names: &[Option<&'static str>]) -> Row {
    let is_shifted = cells.iter().skip(names.len()).any(|cell| !cell.is_empty());
    let named = names.iter().zip(cells);
    let filled = named.filter(|(_, cell)| !cell.is_empty());
    Row {
        line,
        cells: filled
            .filter_map(|(name, cell)| Some(((*name)?, cell)))
            .collect(),
        is_shifted,
    }
}

/// The number of a day however it is written: 2026-01-05, 2026/1/5, 2026.1.5, 2026年1月5日.
pub fn day(text: &str) -> Option<i64> {
    let plain = text.replace(['/', '.', '年', '月'], "-").replace('日', "");
    let mut parts = plain.split('-').map(str::trim);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let rest = parts.next();
    let written = format!("{year}-{month:0>2}-{day:0>2}");
    rest.is_none().then(|| day_of_text(&written))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column::needed("code", "代码", &["区划代码"]),
        Column::new("name", "名称", &[]),
    ];

    fn cells(bytes: &[u8]) -> Vec<(usize, String, String)> {
        let table = read(bytes, COLUMNS).expect("it is read");
        let rows = table.rows.iter();
        rows.map(|row| (row.line, row.text("code").into(), row.text("name").into()))
            .collect()
    }

    #[test]
    fn encodings_and_separators_are_found() {
        let want = [(2, "4301".to_owned(), "长沙市".to_owned())];
        let plain = "代码,名称\n4301,长沙市\n";
        assert_eq!(cells(plain.as_bytes()), want);
        assert_eq!(cells(format!("\u{feff}{plain}").as_bytes()), want);
        assert_eq!(cells(&GB18030.encode(plain).0), want);
        assert_eq!(cells(plain.replace(',', ";").as_bytes()), want);
        assert_eq!(cells(plain.replace(',', "\t").as_bytes()), want);
        assert_eq!(cells(plain.replace('\n', "\r\n").as_bytes()), want);
        assert_eq!(cells("Code,NAME\n4301,长沙市".as_bytes()), want);
    }

    #[test]
    fn quoted_fields_keep_their_separators_and_lines() {
        let rows = cells("区划代码,名称\n43,\"湖南, 省\n(二)\"\n,\n44,b\n\n\n45,c\n".as_bytes());
        assert_eq!(rows[0], (2, "43".into(), "湖南, 省\n(二)".into()));
        let lines: Vec<usize> = rows.iter().map(|row| row.0).collect();
        assert_eq!(lines, [2, 5, 8], "{rows:?}");
    }

    #[test]
    fn what_is_no_table_says_why() {
        let why = |bytes: &[u8]| read(bytes, COLUMNS).expect_err("refused").to_string();
        assert!(why(&[0xff, 0x20, 0xff]).contains("GBK"));
        assert!(why("名称\nx".as_bytes()).contains("代码"));
        assert!(why(b"").contains("empty"));
        assert!(why("代码,code\n1,2".as_bytes()).contains("twice"));
        assert!(why(b"PK\x03\x04 and no more").contains("XLSX"));
    }

    #[test]
    fn days_are_read_as_people_write_them() {
        let want = day_of_text("2026-01-05");
        for text in ["2026-01-05", "2026/1/5", "2026.1.5", "2026年1月5日"] {
            assert_eq!(day(text), want, "{text}");
        }
        for text in ["2026-13-01", "5.1.2026", "2026-01", "今天", "2026-1-5-1"] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}

//! Sizes: what fits on a screen can be read.

use crate::{files, none, text};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

#[test]
fn files_are_short() {
    let long = |path: &String| {
        let lines = text(path).lines().count();
        (lines > FILE_LINES).then(|| format!("{path}: {lines} lines"))
    };
    let found: Vec<String> = files("", ".rs").iter().filter_map(long).collect();
    none(&found, "files have at most 600 lines");
}

#[test]
fn lines_are_short() {
    let mut found = Vec::new();
    for path in files("", ".rs") {
        for (index, line) in text(&path).lines().enumerate() {
            let columns = line.chars().count();
            // A sentence for people stands on one line, so that it can be searched for.
            let is_words = line.trim_start().starts_with('"');
            if columns > COLUMNS && !is_words {
                found.push(format!("{path}:{}: {columns} columns", index + 1));
            }
        }
    }
    none(&found, "lines have at most 100 columns");
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for path in files("", ".rs") {
        for (name, line, length) in functions(&text(&path)) {
            if length > FUNCTION_LINES {
                found.push(format!("{path}:{line}: {name} has {length} lines"));
            }
        }
    }
    none(&found, "functions have at most 70 lines");
}

/// Functions of a formatted file: name, first line, number of lines. The closing brace stands in
/// the column of the signature.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let (close, none) = (format!("{indent}}}"), format!("{indent});"));
        let ends = |other: &str| {
            other == close || other == none || other.ends_with(';') && !other.contains('{')
        };
        let is_one_line = line.ends_with('}') || line.ends_with(';');
        let body = lines[index..].iter().position(|other| {
            let rest = other.strip_prefix(indent).unwrap_or("");
            let at_indent = !rest.is_empty() && !rest.starts_with(' ');
            at_indent && ends(other)
        });
        let length = if is_one_line {
            1
        } else {
            body.map_or(1, |last| last + 1)
        };
        found.push((name, index + 1, length));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().peekable();
    while words.next_if(|word| is_qualifier(word)).is_some() {}
    words.next().filter(|word| *word == "fn")?;
    let name = words.next()?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    Some(name[..end].to_owned())
}

fn is_qualifier(word: &str) -> bool {
    matches!(word, "const" | "async" | "extern") || word == "pub" || word.starts_with("pub(")
}

#[test]
fn a_function_is_measured_from_signature_to_brace() {
    let text = "impl A {\n    pub(crate) async fn b(\n        c: u8,\n    ) -> u8 {\n\
                \x20       c\n    }\n\n    fn d() {}\n}\n";
    let found = functions(text);
    assert_eq!(found, [("b".to_owned(), 2, 5), ("d".to_owned(), 8, 1)]);
}

//! The SQL texts of the store, read from its sources.
//!
//! Every text is a constant: a plain one, a `Bulk` with the types of its columns, or a `Dual`
//! written by one of the macros in `store/batch.rs`. Reading the sources sees those that nobody
//! remembered to register; a text in any other form is an error here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One text as each engine gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// File and constant.
    pub name: String,
    pub sqlite: String,
    pub postgres: String,
    /// Letters of the bound columns of one row; empty for plain texts.
    pub columns: String,
}

/// A macro that writes both forms: the pieces of each, of which some are its head and its tail.
type Forms = BTreeMap<String, (Vec<Piece>, Vec<Piece>)>;

/// A piece of what a macro writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Head,
    Tail,
    Text(String),
}

/// Every text under `server/src/store`.
pub fn of_the_store() -> Vec<Text> {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/store");
    let read = |name: &str| fs::read_to_string(store.join(name)).expect("the source is there");
    let forms = forms(&read("batch.rs"));
    let mut names = Vec::new();
    for folder in ["", "load/"] {
        let files = fs::read_dir(store.join(folder)).expect("the folder is there");
        let files = files.flatten().map(|file| file.file_name());
        let sources = files.filter_map(|name| name.into_string().ok());
        let sources = sources.filter(|name| name.ends_with(".rs"));
        names.extend(sources.map(|name| format!("{folder}{name}")));
    }
    names.retain(|name| !["dialect.rs", "bulk.rs", "batch.rs"].contains(&name.as_str()));
    names.sort();
    names
        .iter()
        .flat_map(|name| of_source(name, &read(name), &forms))
        .collect()
}

/// Texts of one source, and a check that nothing else is handed to the engine.
pub fn of_source(file: &str, source: &str, forms: &Forms) -> Vec<Text> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let inline = [
        "query(\"",
        "query_as(\"",
        "query_scalar(\"",
        "format!(\"SELECT",
    ];
    // What copies whole tables makes its texts from the tables themselves.
    let known = inline.iter().filter(|_| file != "copy.rs");
    for inline in known {
        assert!(
            !source.contains(inline),
            "{file}: {inline} is not a named constant"
        );
    }
    let mut texts = Vec::new();
    for (at, _) in source
        .match_indices("const ")
        .chain(source.match_indices("static "))
    {
        let Some((declared, value)) = source[at..].split_once('=') else {
            continue;
        };
        let Some((name, kind)) = declared.split_once(':') else {
            continue;
        };
        let name = format!(
            "{file} {}",
            name.split_whitespace().last().unwrap_or_default()
        );
        let value = value.trim_start();
        match kind.trim().rsplit("::").next() {
            Some("&str") => {
                let text = literal(value).0;
                if is_sql(&text) {
                    texts.push(plain(name, text));
                }
            }
            Some("Bulk") => texts.push(bulk(name, &literals::<3>(value))),
            Some("Dual") => {
                let (sqlite, postgres) = dual(value, forms);
                texts.push(Text {
                    name,
                    sqlite,
                    postgres,
                    columns: String::new(),
                });
            }
            _ => {}
        }
    }
    texts
}

fn dual(value: &str, forms: &Forms) -> (String, String) {
    if value.starts_with("Dual {") {
        let member = |name: &str| {
            let at = value.find(name).expect("a dual text names both engines");
            joined(value[at + name.len()..].trim_start())
        };
        return (member("sqlite:"), member("postgres:"));
    }
    let (by, _) = value
        .split_once('!')
        .expect("a dual text is written out or by a macro");
    let (sqlite, postgres) = forms
        .get(by.rsplit("::").next().unwrap_or_default())
        .expect("a macro of batch.rs");
    let [head, tail] = literals::<2>(value);
    let whole = |form: &[Piece]| -> String {
        let pieces = form.iter().map(|piece| match piece {
            Piece::Head => head.as_str(),
            Piece::Tail => tail.as_str(),
            Piece::Text(text) => text.as_str(),
        });
        pieces.collect()
    };
    (whole(sqlite), whole(postgres))
}

/// A literal, or the literals of a `concat!`.
fn joined(source: &str) -> String {
    let Some(mut rest) = source.strip_prefix("concat!(") else {
        return literal(source).0;
    };
    let mut text = String::new();
    while !rest.trim_start_matches([',', ' ', '\n']).starts_with(')') {
        let (part, end) = literal(rest);
        text.push_str(&part);
        rest = &rest[end..];
    }
    text
}

fn plain(name: String, text: String) -> Text {
    Text {
        name,
        sqlite: text.clone(),
        postgres: text,
        columns: String::new(),
    }
}

fn bulk(name: String, [head, columns, tail]: &[String; 3]) -> Text {
    let row = |from: usize| {
        let numbers: Vec<String> = (from..from + columns.len())
            .map(|number| format!("${number}"))
            .collect();
        format!("({})", numbers.join(","))
    };
    let text = format!("{head} {},{} {tail}", row(1), row(1 + columns.len()));
    Text {
        name,
        sqlite: text.clone(),
        postgres: text,
        columns: columns.repeat(2),
    }
}

fn is_sql(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "]
        .iter()
        .any(|word| text.starts_with(word))
}

fn forms(source: &str) -> Forms {
    let mut found = Forms::new();
    for part in source.split("macro_rules! ").skip(1) {
        let name = part.split(' ').next().unwrap_or_default().to_owned();
        let form = |engine: &str| {
            let at = part
                .find(engine)
                .expect("a macro of batch.rs names both engines");
            pieces(&part[at + engine.len()..])
        };
        found.insert(name, (form("sqlite: concat!("), form("postgres: concat!(")));
    }
    found
}

/// The pieces of a `concat!` up to its end.
fn pieces(source: &str) -> Vec<Piece> {
    let mut rest = source.trim_start_matches([',', ' ', '\n']);
    let mut list = Vec::new();
    while !rest.starts_with(')') {
        let (piece, end) = match rest.get(..5) {
            Some("$head") => (Piece::Head, 5),
            Some("$tail") => (Piece::Tail, 5),
            _ => {
                let (text, end) = literal(rest);
                (Piece::Text(text), end)
            }
        };
        list.push(piece);
        rest = rest[end..].trim_start_matches([',', ' ', '\n']);
    }
    list
}

fn literals<const N: usize>(source: &str) -> [String; N] {
    let mut rest = source;
    std::array::from_fn(|_| {
        let (text, end) = literal(rest);
        rest = &rest[end..];
        text
    })
}

/// The first string literal of a source, and where it ends.
fn literal(source: &str) -> (String, usize) {
    let start = source.find('"').expect("a literal follows") + 1;
    let mut text = String::new();
    let mut letters = source[start..].char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, start + at + 1),
            '\\' => match letters.next() {
                Some((_, '\n')) => {
                    while letters.peek().is_some_and(|(_, next)| next.is_whitespace()) {
                        letters.next();
                    }
                }
                Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                other => panic!("an escape that is not known here: {other:?}"),
            },
            _ => text.push(letter),
        }
    }
    panic!("a literal without an end");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(middle: &str) -> Vec<Piece> {
        vec![Piece::Head, Piece::Text(middle.to_owned()), Piece::Tail]
    }

    #[test]
    fn a_source_gives_its_texts() {
        let source = r#"
            const ONE: &str = "SELECT a \
                 FROM b WHERE c = $1";
            const LENGTH: usize = 3;
            const WORD: &str = "active";
            static MANY: Bulk = Bulk::new("INSERT INTO t (a, b) VALUES", "it", "");
            const BOTH: Dual = in_ids!("SELECT a FROM b WHERE id", " ORDER BY a");
            const LONG: Dual = Dual {
                sqlite: concat!("SELECT a", " FROM b"),
                postgres: "SELECT a FROM c",
            };
        "#;
        let forms = Forms::from([("in_ids".into(), (form(" IN (1)"), form(" IN (2)")))]);
        let texts = of_source("x.rs", source, &forms);
        let found: Vec<(&str, &str, &str)> = texts
            .iter()
            .map(|t| (t.name.as_str(), t.sqlite.as_str(), t.columns.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("x.rs ONE", "SELECT a FROM b WHERE c = $1", ""),
                (
                    "x.rs BOTH",
                    "SELECT a FROM b WHERE id IN (1) ORDER BY a",
                    ""
                ),
                ("x.rs LONG", "SELECT a FROM b", ""),
                (
                    "x.rs MANY",
                    "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4) ",
                    "itit"
                ),
            ]
        );
        assert_eq!(
            texts[1].postgres,
            "SELECT a FROM b WHERE id IN (2) ORDER BY a"
        );
    }

    #[test]
    #[should_panic(expected = "not a named constant")]
    fn an_inline_text_is_found() {
        of_source("x.rs", "sqlx::query(\"DELETE FROM t\")", &Forms::new());
    }
}

//! Settings from the environment: `XIANGYI_DATABASE__URL` is `url` under `[database]`.
//!
//! They stand over the file's and below the flags'. One after another is put in place and tried, so
//! that the one that is none is named.

use std::ffi::OsString;

use toml::{Table, Value};

use super::{Config, ConfigError};

/// What the name of a setting begins with.
const PREFIX: &str = "XIANGYI_";
/// What stands between a section and its key: keys themselves hold single underscores.
const BELOW: &str = "__";

/// The settings of a file with those of the environment over them.
///
/// # Errors
/// When a variable names no setting, or its value does not fit; with the name, without the value.
pub fn over(
    mut table: Table,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    let mut config = fitting(&table).map_err(ConfigError)?;
    for (name, value) in variables {
        let Some(path) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let wrong = |why: &str| ConfigError(format!("{}: {why}", name.display()));
        let text = value.to_str().ok_or_else(|| wrong("no UTF-8"))?;
        // Composers of containers pass what nobody set as nothing.
        if text.is_empty() {
            continue;
        }
        match with(&table, &path.to_lowercase(), text) {
            Ok(both) => (config, table) = both,
            Err(_) if is_of_a_service(path) => {}
            Err(why) => return Err(wrong(&why)),
        }
    }
    Ok(config)
}

/// What Kubernetes puts beside every container of a service whose name begins like ours:
/// `*_SERVICE_HOST`, `*_SERVICE_PORT*`, `*_PORT`, `*_PORT_*`. Settings in sections are never such.
fn is_of_a_service(path: &str) -> bool {
    let name = format!("_{path}");
    let shapes = name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.contains("_PORT_");
    shapes && !path.contains(BELOW)
}

/// The settings with one more: as text, or where none is wanted, as in a file. A secret that looks
/// like a number stays text.
fn with(table: &Table, path: &str, text: &str) -> Result<(Config, Table), String> {
    let read = format!("value = {text}").parse::<Table>().ok();
    let read = read.and_then(|mut table| table.remove("value"));
    let mut why = "no setting".to_owned();
    for value in [Some(Value::String(text.to_owned())), read]
        .into_iter()
        .flatten()
    {
        let mut table = table.clone();
        put(&mut table, path, value).ok_or("no setting")?;
        match fitting(&table) {
            Ok(config) => return Ok((config, table)),
            Err(error) => why = error,
        }
    }
    Err(why)
}

fn fitting(table: &Table) -> Result<Config, String> {
    let read = serde_path_to_error::deserialize(table.clone());
    // Which key and what kind it should be, never what stands there: it may be a secret.
    read.map_err(|error| {
        let why = error.inner().message();
        match why.starts_with("unknown field") {
            true => why.lines().next().unwrap_or_default().to_owned(),
            false => format!("{} does not fit", error.path()),
        }
    })
}

/// Where a text is wrong and why, without the line: it may hold a secret.
pub fn told(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    let why = error.message().lines().next().unwrap_or_default();
    let holds_value = why.starts_with("invalid type") || why.starts_with("invalid value");
    let why = if holds_value { "does not fit" } else { why };
    format!("line {line}: {why}")
}

/// Nothing when the way leads through something that has no keys.
fn put(table: &mut Table, path: &str, value: Value) -> Option<()> {
    match path.split_once(BELOW) {
        None => drop(table.insert(path.to_owned(), value)),
        Some((section, rest)) => {
            let empty = || Value::Table(Table::new());
            let inner = table.entry(section).or_insert_with(empty);
            return put(inner.as_table_mut()?, rest, value);
        }
    }
    Some(())
}

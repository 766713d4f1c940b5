//! Pages member by member: what rows have in common is said once, numbers by their differences.
//!
//! A first sync is thousands of rows of few kinds. `fold` writes them as columns, `unfold` makes
//! the same rows of columns; a phone that asked for columns takes in either.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;
use xiangyi_proto::exchange::{
    Beside, Column, PullAnswer, Row, StreamChanges, StreamColumns, Values,
};
use xiangyi_proto::ids::record_id;

/// Fewer rows are shorter as rows: a column costs its name, and each member is one.
const ROWS_MIN: usize = 12;
/// Rows of one stream in a page that a phone believes: twice what a page of empty rows can hold.
const ROWS_MAX: usize = 16_384;
/// A text that occurs less often stands where it is used.
const OFTEN: usize = 2;
/// Nesting of members that become columns of their own.
const DEPTH_MAX: usize = 4;
const ID_BYTES: usize = 16;

/// What claims to be columns and gives no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotColumns;

/// Writes the rows of a page as columns, if there are enough of them.
pub fn fold(page: &mut PullAnswer) {
    let rows: usize = page.changes.iter().map(|changes| changes.rows.len()).sum();
    if rows < ROWS_MIN {
        return;
    }
    let folded: Option<Vec<StreamColumns>> = page.changes.iter().map(stream).collect();
    if let Some(folded) = folded {
        page.columns = folded;
        page.changes.clear();
    }
}

/// Makes the rows of a page again.
///
/// # Errors
/// When columns do not fit together; the page is of no use then.
pub fn unfold(page: &mut PullAnswer) -> Result<(), NotColumns> {
    for columns in std::mem::take(&mut page.columns) {
        page.changes.push(rows(&columns)?);
    }
    Ok(())
}

/// The members of one row by their pointers.
type Members = Vec<(String, Value)>;

fn stream(changes: &StreamChanges) -> Option<StreamColumns> {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut lists: Vec<Vec<Value>> = Vec::new();
    let mut owners: Vec<Vec<usize>> = Vec::new();
    let mut shapes: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut list = StreamColumns {
        shard: changes.shard,
        stream: changes.stream.clone(),
        texts: Vec::new(),
        columns: Vec::new(),
        shapes: Vec::new(),
        rows: Vec::with_capacity(changes.rows.len()),
    };
    for (row, one) in changes.rows.iter().enumerate() {
        let mut shape = Vec::new();
        for (name, value) in members(one)? {
            let column = *names.entry(name).or_insert_with(|| {
                lists.push(Vec::new());
                owners.push(Vec::new());
                lists.len() - 1
            });
            lists[column].push(value);
            owners[column].push(row);
            shape.push(column);
        }
        let next = list.shapes.len();
        let place = *shapes.entry(shape).or_insert_with_key(|shape| {
            list.shapes.push(shape.clone());
            next
        });
        list.rows.push(place);
    }
    let mut writer = Writer::of(&lists);
    for (column, values) in lists.into_iter().enumerate() {
        let values = writer.column(column, values, &owners);
        list.columns.push(Column {
            at: String::new(),
            values,
        });
    }
    for (name, column) in names {
        list.columns[column].at = name;
    }
    list.texts = writer.texts;
    Some(list)
}

fn members(row: &Row) -> Option<Members> {
    let Value::Object(mut outer) = serde_json::to_value(row).ok()? else {
        return None;
    };
    let body = outer.remove("body");
    let mut members = Members::new();
    split(outer, "", 1, &mut members);
    match body {
        Some(Value::Object(body)) if !body.is_empty() => split(body, "/body", 1, &mut members),
        Some(body) => members.push(("/body".to_owned(), body)),
        None => {}
    }
    Some(members)
}

fn split(object: Map<String, Value>, under: &str, depth: usize, members: &mut Members) {
    for (name, value) in object {
        let at = format!("{under}/{}", name.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(inner) if !inner.is_empty() && depth < DEPTH_MAX => {
                split(inner, &at, depth + 1, members);
            }
            value => members.push((at, value)),
        }
    }
}

/// Chooses for each column how it is written.
struct Writer {
    places: HashMap<String, usize>,
    texts: Vec<String>,
    numbers: Vec<Option<Vec<i64>>>,
}

impl Writer {
    fn of(lists: &[Vec<Value>]) -> Self {
        let mut met: HashMap<&str, usize> = HashMap::new();
        for value in lists.iter().flatten() {
            if let Value::String(text) = value {
                *met.entry(text).or_default() += 1;
            }
        }
        let often = met.into_iter().filter(|(_, times)| *times >= OFTEN);
        // The most frequent have the shortest places; equal ones in order, so that a page is
        // written the same each time.
        let mut often: Vec<(&str, usize)> = often.collect();
        often.sort_unstable_by_key(|(text, times)| (usize::MAX - times, *text));
        let texts: Vec<String> = often.iter().map(|(text, _)| (*text).to_owned()).collect();
        let places = texts.iter().cloned().zip(0..).collect();
        let numbers = Vec::with_capacity(lists.len());
        Self {
            places,
            texts,
            numbers,
        }
    }

    fn column(&mut self, at: usize, values: Vec<Value>, owners: &[Vec<usize>]) -> Values {
        let numbers: Option<Vec<i64>> = values.iter().map(Value::as_i64).collect();
        let written = match &numbers {
            Some(numbers) => self.numbers(at, numbers, owners),
            None => self.others(values),
        };
        self.numbers.push(numbers);
        written
    }

    fn numbers(&self, at: usize, numbers: &[i64], owners: &[Vec<usize>]) -> Values {
        let mut best = Values::Steps(steps(numbers));
        let mut least = match &best {
            Values::Steps(steps) => length(steps),
            _ => usize::MAX,
        };
        for (column, others) in self.numbers.iter().enumerate() {
            let same = owners[column] == owners[at];
            let Some(others) = others.as_ref().filter(|_| same) else {
                continue;
            };
            let by = numbers.iter().zip(others);
            let by: Vec<i64> = by.map(|(own, other)| own.wrapping_sub(*other)).collect();
            let takes = length(&by);
            if takes < least {
                least = takes;
                best = Values::Beside(Beside { column, by });
            }
        }
        best
    }

    fn others(&self, values: Vec<Value>) -> Values {
        let places = values.iter().map(|value| self.places.get(value.as_str()?));
        let places: Option<Vec<usize>> = places.map(Option::<&usize>::cloned).collect();
        if let Some(places) = places {
            return Values::Texts(places);
        }
        let ids = values.iter().map(|value| record_id(value.as_str()?));
        let ids: Option<Vec<Uuid>> = ids.collect();
        match ids {
            Some(ids) => {
                let bytes: Vec<u8> = ids.iter().flat_map(Uuid::as_bytes).copied().collect();
                Values::Ids(URL_SAFE_NO_PAD.encode(bytes))
            }
            None => Values::Plain(values),
        }
    }
}

fn steps(numbers: &[i64]) -> Vec<i64> {
    let before = std::iter::once(&0).chain(numbers);
    let pairs = numbers.iter().zip(before);
    pairs
        .map(|(own, before)| own.wrapping_sub(*before))
        .collect()
}

/// Characters that numbers take.
fn length(numbers: &[i64]) -> usize {
    let one =
        |n: &i64| usize::from(*n < 0) + n.unsigned_abs().checked_ilog10().unwrap_or(0) as usize;
    numbers.iter().map(one).sum()
}

fn rows(columns: &StreamColumns) -> Result<StreamChanges, NotColumns> {
    if columns.rows.len() > ROWS_MAX {
        return Err(NotColumns);
    }
    let mut lists = Vec::with_capacity(columns.columns.len());
    // By row, what each column of whole numbers holds: others are written beside them.
    let mut numbers: Vec<Option<Vec<i64>>> = Vec::with_capacity(columns.columns.len());
    for column in &columns.columns {
        let (values, whole) = read(&column.values, &numbers, &columns.texts)?;
        lists.push(values.into_iter());
        numbers.push(whole);
    }
    let mut made = StreamChanges {
        shard: columns.shard,
        stream: columns.stream.clone(),
        rows: Vec::with_capacity(columns.rows.len()),
    };
    for shape in &columns.rows {
        let shape = columns.shapes.get(*shape).ok_or(NotColumns)?;
        let mut row = Value::Object(Map::new());
        for column in shape {
            let at = &columns.columns.get(*column).ok_or(NotColumns)?.at;
            let value = lists.get_mut(*column).and_then(Iterator::next);
            put(&mut row, at, value.ok_or(NotColumns)?)?;
        }
        made.rows.push(row_of(row)?);
    }
    let is_used = lists.iter_mut().all(|list| list.next().is_none());
    is_used.then_some(made).ok_or(NotColumns)
}

fn read(
    values: &Values,
    before: &[Option<Vec<i64>>],
    texts: &[String],
) -> Result<(Vec<Value>, Option<Vec<i64>>), NotColumns> {
    let whole = match values {
        Values::Steps(steps) => {
            let sum = |all: &mut i64, step: &i64| {
                *all = all.wrapping_add(*step);
                Some(*all)
            };
            steps.iter().scan(0, sum).collect()
        }
        Values::Beside(Beside { column, by }) => {
            let others = before.get(*column).and_then(Option::as_ref);
            let others = others.filter(|others| others.len() == by.len());
            let pairs = others.ok_or(NotColumns)?.iter().zip(by);
            pairs.map(|(other, by)| other.wrapping_add(*by)).collect()
        }
        Values::Texts(places) => {
            let text = |place: &usize| texts.get(*place).cloned().map(Value::String);
            let texts: Option<Vec<Value>> = places.iter().map(text).collect();
            return Ok((texts.ok_or(NotColumns)?, None));
        }
        Values::Ids(text) => {
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotColumns)?;
            let (ids, rest) = bytes.as_chunks::<ID_BYTES>();
            if !rest.is_empty() {
                return Err(NotColumns);
            }
            let id = |id: &[u8; ID_BYTES]| Value::String(Uuid::from_bytes(*id).to_string());
            return Ok((ids.iter().map(id).collect(), None));
        }
        Values::Plain(list) => return Ok((list.clone(), None)),
    };
    let whole: Vec<i64> = whole;
    let list = whole.iter().map(|n| Value::from(*n)).collect();
    Ok((list, Some(whole)))
}

/// Puts a value at its pointer, with the objects on the way.
fn put(row: &mut Value, at: &str, value: Value) -> Result<(), NotColumns> {
    let mut place = row;
    for name in at.strip_prefix('/').ok_or(NotColumns)?.split('/') {
        let name = name.replace("~1", "/").replace("~0", "~");
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else {
            return Err(NotColumns);
        };
        place = members.entry(name).or_insert(Value::Null);
    }
    if !place.is_null() {
        return Err(NotColumns);
    }
    *place = value;
    Ok(())
}

/// A row is read from its text: its body stays unparsed.
fn row_of(mut row: Value) -> Result<Row, NotColumns> {
    let body = row.as_object_mut().and_then(|row| row.remove("body"));
    let raw = body.map(|body| {
        let text = serde_json::to_string(&body).map_err(|_| NotColumns)?;
        RawValue::from_string(text).map_err(|_| NotColumns)
    });
    let mut row: Row = serde_json::from_value(row).map_err(|_| NotColumns)?;
    row.body = raw.transpose()?;
    Ok(row)
}

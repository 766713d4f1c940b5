//! Structure: does a body have the shape its kind's table describes.
//!
//! Every fault gets a code and a JSON pointer; nothing stops at the first. Members the table does
//! not describe are kept, because a newer phone may know more than this build.

use serde_json::{Map, Value};
use xiangyi_proto::ids::record_id;
use xiangyi_proto::kinds::{Kind, Type};
use xiangyi_proto::verdict::FieldError;
use xiangyi_proto::{problem, region, time};

use crate::tree::{self, Node};

/// Faults of one item after which the rest is not worth listing.
const FAULTS_MAX: usize = 16;
/// Characters of a code word.
const WORD_CHARS_MAX: usize = 64;
/// Earliest believable moment: 2000-01-01; clocks that lost power start at 1970.
const TIME_MIN: i64 = 0;
/// Latest storable moment: year 2100.
const TIME_MAX: i64 = 4_102_444_800_000;

/// Collects faults of one item.
#[derive(Debug, Default)]
pub struct Faults {
    pub list: Vec<FieldError>,
}

impl Faults {
    /// Adds a fault; words come from the closed list of codes.
    pub fn add(&mut self, pointer: &str, code: &str) {
        if self.list.len() < FAULTS_MAX {
            let (zh, en) = problem::field_words(code);
            self.list.push(FieldError {
                pointer: pointer.to_owned(),
                code: code.to_owned(),
                detail: zh.to_owned(),
                detail_en: en.to_owned(),
            });
        }
    }

    /// Says whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Checks a whole body.
pub fn body(kind: Kind, body: &Map<String, Value>, faults: &mut Faults) {
    members(tree::of(kind), body, "", true, faults);
}

/// Checks one value that a patch writes at `pointer`; unknown and derived places are faults.
pub fn patched(kind: Kind, pointer: &str, value: &Value, faults: &mut Faults) {
    let mut node = tree::of(kind);
    for name in pointer.split('/').skip(1) {
        let next = if name == "-" || name.bytes().all(|b| b.is_ascii_digit()) {
            node.element.as_deref()
        } else {
            node.members.get(name)
        };
        match next {
            Some(next) => node = next,
            None => return faults.add(pointer, "unknown-field"),
        }
    }
    if pointer.is_empty() || !pointer.starts_with('/') {
        return faults.add(pointer, "unknown-field");
    }
    if node.field.is_some_and(|field| field.derived) {
        return faults.add(pointer, "read-only-field");
    }
    one(node, value, pointer, faults);
}

fn members(
    node: &Node,
    body: &Map<String, Value>,
    at: &str,
    may_derive: bool,
    faults: &mut Faults,
) {
    for (name, child) in &node.members {
        let value = body.get(*name).filter(|value| !value.is_null());
        let Some(field) = child.field else { continue };
        match value {
            None if field.required => faults.add(&format!("{at}/{name}"), "required"),
            None => {}
            Some(_) if field.derived && may_derive => {
                faults.add(&format!("{at}/{name}"), "read-only-field");
            }
            Some(value) => one(child, value, &format!("{at}/{name}"), faults),
        }
    }
}

fn one(node: &Node, value: &Value, at: &str, faults: &mut Faults) {
    if value.is_null() {
        return;
    }
    match (node.ty(), value) {
        (Type::Map, Value::Object(map)) => members(node, map, at, true, faults),
        (Type::List(max), Value::Array(list)) => {
            if list.len() > max as usize {
                return faults.add(at, "list-too-long");
            }
            if let Some(element) = &node.element {
                for (index, value) in list.iter().enumerate() {
                    let at = format!("{at}/{index}");
                    if value.is_null() {
                        faults.add(&at, "wrong-type");
                    }
                    one(element, value, &at, faults);
                }
            }
        }
        (Type::Flag, Value::Bool(_)) => {}
        (Type::Int(min, max), Value::Number(number)) => match number.as_i64() {
            Some(n) if (min..=max).contains(&n) => {}
            Some(_) => faults.add(at, "out-of-range"),
            None => faults.add(at, "wrong-type"),
        },
        (Type::Time, Value::Number(number)) => match number.as_i64() {
            Some(n) if (TIME_MIN..TIME_MAX).contains(&n) => {}
            Some(_) => faults.add(at, "time-range"),
            None => faults.add(at, "wrong-type"),
        },
        (ty, Value::String(text)) => {
            if let Some(code) = text_fault(ty, text) {
                faults.add(at, code);
            }
        }
        _ => faults.add(at, "wrong-type"),
    }
}

fn text_fault(ty: Type, text: &str) -> Option<&'static str> {
    match ty {
        // No form has a NUL in it, and not every database can keep one.
        Type::Text(_) if text.contains('\0') => Some("wrong-type"),
        Type::Text(max) => (text.chars().count() > max as usize).then_some("too-long"),
        Type::Word | Type::Person => (!is_word(text)).then_some("unknown-code"),
        Type::Code(codes) => (!codes.contains(&text)).then_some("unknown-code"),
        Type::Day => time::day_of_text(text).is_none().then_some("bad-date"),
        Type::Ref => record_id(text).is_none().then_some("bad-id"),
        Type::Region => (!region::is_code(text)).then_some("bad-region"),
        Type::Sha256 => {
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            (text.len() != 64 || !text.bytes().all(hex)).then_some("bad-id")
        }
        Type::Int(..) | Type::Flag | Type::Time | Type::List(_) | Type::Map => Some("wrong-type"),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= WORD_CHARS_MAX
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '-'))
}

/// Whether a text that people are to read says anything: a letter or a number at least.
pub fn says_something(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

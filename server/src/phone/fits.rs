//! Whether a text fits its field: said when it is recorded, not days later by the server.

use serde_json::{Map, Value};
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::kinds::{Kind, Type};
use xiangyi_sync::check::{self, Faults};
use xiangyi_sync::shape;

use super::Trouble;

/// Letters of the reason of a void or an appeal.
const REASON_CHARS_MAX: usize = 500;

/// Refuses a text that is longer than its field takes.
pub fn check(drafts: &[Mutation]) -> Result<(), Trouble> {
    drafts.iter().try_for_each(one)
}

fn one(draft: &Mutation) -> Result<(), Trouble> {
    let letters = draft.reason.as_ref().map_or(0, |text| text.chars().count());
    if letters > REASON_CHARS_MAX {
        return Err(too_long("reason", letters, REASON_CHARS_MAX));
    }
    let Some(kind) = Kind::parse(&draft.kind) else {
        return Ok(());
    };
    if let Some(Value::Object(members)) = &draft.body {
        let mut faults = Faults::default();
        check::body(kind, members, &mut faults);
        let whole = Value::Object(members.clone());
        said(kind, &faults, |pointer| whole.pointer(pointer))?;
    }
    let mut faults = Faults::default();
    for (pointer, value) in &draft.set {
        check::patched(kind, pointer, value, &mut faults);
    }
    said(kind, &faults, |pointer| set(&draft.set, pointer))
}

fn set<'a>(all: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    all.get(pointer)
}

fn said<'a>(
    kind: Kind,
    faults: &Faults,
    text: impl Fn(&str) -> Option<&'a Value>,
) -> Result<(), Trouble> {
    let mut long = faults.list.iter().filter(|fault| fault.code == "too-long");
    let Some(fault) = long.next() else {
        return Ok(());
    };
    let pointer = &fault.pointer;
    let letters = text(pointer).and_then(Value::as_str);
    let letters = letters.map_or(0, |text| text.chars().count());
    let name = pointer.rsplit('/').find(|name| !is_index(name));
    Err(too_long(
        name.unwrap_or(pointer),
        letters,
        max_of(kind, pointer),
    ))
}

fn is_index(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_digit())
}

fn max_of(kind: Kind, pointer: &str) -> usize {
    let names = pointer.split('/').skip(1);
    let pattern: String = names
        .map(|name| {
            if is_index(name) {
                "/-".to_owned()
            } else {
                format!("/{name}")
            }
        })
        .collect();
    match shape::of(kind).at(&pattern).map(|shape| shape.ty) {
        Some(Type::Text(max)) => max as usize,
        _ => 0,
    }
}

fn too_long(name: &str, letters: usize, max: usize) -> Trouble {
    let field = field(name);
    Trouble::Words(
        format!(
            "“{field}”太长：写了 {letters} 字，最多 {max} 字。这一条没有记下，请写短些，\
             或分成几条来记。"
        ),
        format!(
            "{name} is too long: {letters} letters, at most {max}. Nothing was written down; make \
             it shorter, or record it in several parts."
        ),
    )
}

/// A field in the words of whoever filled it in.
fn field(name: &str) -> &str {
    match name {
        "process" => "过程",
        "result" => "结果",
        "plan" => "下一步",
        "note" => "备注",
        "reason" | "no_client_reason" => "原因",
        "title" => "标题",
        "summary" => "简介",
        "story" => "情况",
        "name" => "姓名",
        "address" => "地址",
        "telephone" => "电话",
        "office" => "交办单位",
        "provider" => "提供方",
        "purpose" => "用途",
        other => other,
    }
}

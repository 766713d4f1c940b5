//! Running conditions: the functions they may call, the variables they see, what failing means.
//!
//! One base context per pack, one inner scope per condition. A condition that gives anything but
//! true or false has failed; errors are named without the values that led to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::common::ast::IdedExpr as Expression;
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
};
use cel::common::value::Val;
use cel::{Context, ExecutionError, FunctionContext, Program, Value as CelValue};
use serde_json::Value;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::region;

use super::filler;
use super::lexicon::Lexicons;
use super::view::{At, Names, View};
use crate::shape;

/// The functions of conditions over the lexicons of one pack.
pub fn base_context(lexicons: &Arc<Lexicons>) -> Context<'static, 'static> {
    let mut base = Context::default();
    let lexicons = Arc::clone(lexicons);
    let mentions = move |call: &FunctionContext| match (text(call, 0), text(call, 1)) {
        (Some(text), Some(lexicon)) => lexicons.mentions(text, lexicon),
        _ => false,
    };
    let within = |call: &FunctionContext| match (text(call, 0), text(call, 1)) {
        (Some(code), Some(prefix)) => region::within(code, prefix),
        _ => false,
    };
    let repeats = |call: &FunctionContext| text(call, 0).map_or(0, filler::repeats);
    base.add_function("repeats", repeats)
        .expect("no overload has this name");
    base.add_function("mentions", mentions)
        .expect("no overload has this name");
    base.add_function("region_within", within)
        .expect("no overload has this name");
    base
}

fn text<'a>(call: &'a FunctionContext, at: usize) -> Option<&'a str> {
    let argument = call.args.get(at)?;
    argument.downcast_ref::<CelString>().map(CelString::inner)
}

/// The answer of a condition, or the name of what went wrong.
pub fn holds(
    base: &Context<'static, 'static>,
    program: &Program,
    names: &Names,
) -> Result<bool, &'static str> {
    answer(base, program.expression(), names)
}

fn answer(
    base: &Context<'static, 'static>,
    expression: &Expression,
    names: &Names,
) -> Result<bool, &'static str> {
    let mut scope = inner(base);
    scope.set_variable_resolver(names);
    let answer = CelValue::resolve_val(expression, &scope).map_err(|e| name_of(&e))?;
    let answer = answer
        .downcast_ref::<CelBool>()
        .map(|answer| *answer.inner());
    answer.ok_or("the answer is not boolean")
}

/// A scope whose values live shorter than the base's.
fn inner<'p, 'v>(base: &'p Context<'p, 'v>) -> Context<'p, 'v> {
    base.new_inner_scope()
}

const fn name_of(error: &ExecutionError) -> &'static str {
    match error {
        ExecutionError::NoSuchKey(_) => "unknown member",
        ExecutionError::NoSuchOverload(_) => "values of these types do not go together",
        ExecutionError::ValuesNotComparable(..) => "these values cannot be compared",
        ExecutionError::UnexpectedType { .. } => "a value has the wrong type",
        ExecutionError::UndeclaredReference(_) => "unknown name",
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than that",
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero"
        }
        ExecutionError::Overflow(..) => "a number is too large",
        _ => "the condition failed",
    }
}

/// The answer about a record of which nothing was said.
pub fn on_an_absent_record(
    base: &Context<'static, 'static>,
    program: &Program,
    kind: Kind,
    params: &CelMap<'static>,
) -> Result<bool, &'static str> {
    let at = At {
        estimated: 0,
        received: 0,
        ended: 0,
        quality: "claimed",
        day: "1970-01-01".to_owned(),
        received_day: "1970-01-01".to_owned(),
    };
    let mut names = nothing(kind, params);
    names.unit = Some("43");
    names.op = Some(Op::Create);
    names.at = Some(&at);
    holds(base, program, &names)
}

/// Says whether the answer about a record of which nothing was said is no at any time and place:
/// time and place are not defined here, so an answer that needs them fails instead.
pub fn answers_no_whenever(
    base: &Context<'static, 'static>,
    expression: &Expression,
    kind: Kind,
    params: &CelMap<'static>,
) -> bool {
    answer(base, expression, &nothing(kind, params)) == Ok(false)
}

fn nothing<'a>(kind: Kind, params: &'a CelMap<'static>) -> Names<'a> {
    let record = View {
        shape: Some(shape::of(kind)),
        members: None,
    };
    Names {
        record,
        before: record,
        kind: kind.name(),
        op: None,
        unit: None,
        at: None,
        params,
    }
}

/// The parameters of a rule as conditions see them.
pub fn params(params: &BTreeMap<String, Value>) -> CelMap<'static> {
    let entry = |(name, value): (&String, &Value)| {
        let name = CelMapKey::from(name.clone());
        (name, owned(value))
    };
    CelMap::from(params.iter().map(entry).collect::<HashMap<_, _>>())
}

fn owned(value: &Value) -> Box<dyn Val> {
    match value {
        Value::Bool(flag) => Box::new(CelBool::from(*flag)),
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Box::new(CelInt::from(whole)),
            (None, Some(real)) => Box::new(CelDouble::from(real)),
            (None, None) => Box::new(CelNull),
        },
        Value::Array(list) => Box::new(CelList::from(list.iter().map(owned).collect::<Vec<_>>())),
        Value::Null | Value::Object(_) => Box::new(CelNull),
    }
}

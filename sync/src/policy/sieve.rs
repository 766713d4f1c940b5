//! A cheap look at a record before a condition runs: can its answer be yes at all?
//!
//! A sieve is drawn from the parsed condition and only ever errs towards yes: comparisons of a
//! field with quoted words are checked, everything else may hold. Where the sieve says no, the
//! condition itself would answer no, because no failing part outweighs a false one in `&&`.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};
use serde_json::Value;
use xiangyi_proto::kinds::Type;

use crate::shape::Shape;

/// What must be found for a condition to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sieve {
    /// Nothing is known.
    May,
    All(Vec<Sieve>),
    Any(Vec<Sieve>),
    /// The member at these steps is one of the words.
    Is(Vec<String>, Vec<String>),
    /// An element of the list at these steps passes.
    Some(Vec<String>, Box<Sieve>),
}

impl Sieve {
    /// The sieve of a condition.
    pub fn of(condition: &IdedExpr) -> Self {
        drawn(condition, "record")
    }

    /// Whether some field that is no free text has to have a certain value.
    pub fn asks_a_field(&self, shape: &Shape) -> bool {
        let at = |steps: &[String]| steps.iter().try_fold(shape, |at, step| at.member(step));
        match self {
            Self::May => false,
            Self::All(parts) => parts.iter().any(|part| part.asks_a_field(shape)),
            Self::Any(parts) => parts.iter().all(|part| part.asks_a_field(shape)),
            Self::Is(steps, _) => at(steps).is_some_and(|at| !matches!(at.ty, Type::Text(_))),
            Self::Some(steps, part) => {
                let element = at(steps).and_then(|list| list.element.as_deref());
                element.is_some_and(|element| part.asks_a_field(element))
            }
        }
    }

    /// Says whether the condition may hold for a raw record.
    pub fn lets_through(&self, record: &Value) -> bool {
        match self {
            Self::May => true,
            Self::All(parts) => parts.iter().all(|part| part.lets_through(record)),
            Self::Any(parts) => parts.iter().any(|part| part.lets_through(record)),
            Self::Is(steps, words) => {
                let text = at(record, steps).and_then(Value::as_str);
                text.is_some_and(|text| words.iter().any(|word| word == text))
            }
            Self::Some(steps, part) => {
                let list = at(record, steps).and_then(Value::as_array);
                let mut elements = list.into_iter().flatten();
                elements.any(|element| part.lets_through(element))
            }
        }
    }
}

fn at<'a>(record: &'a Value, steps: &[String]) -> Option<&'a Value> {
    steps.iter().try_fold(record, |value, step| value.get(step))
}

fn drawn(at: &IdedExpr, root: &str) -> Sieve {
    match &at.expr {
        Expr::Call(call) => of_call(call, root),
        Expr::Comprehension(over) => of_each(over, root),
        _ => Sieve::May,
    }
}

fn of_call(call: &CallExpr, root: &str) -> Sieve {
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_AND, parts) => {
            let parts = parts.iter().map(|part| drawn(part, root));
            let known: Vec<Sieve> = parts.filter(|part| *part != Sieve::May).collect();
            if known.is_empty() {
                Sieve::May
            } else {
                Sieve::All(known)
            }
        }
        (operators::LOGICAL_OR, parts) => {
            let parts: Vec<Sieve> = parts.iter().map(|part| drawn(part, root)).collect();
            if parts.contains(&Sieve::May) {
                Sieve::May
            } else {
                Sieve::Any(parts)
            }
        }
        (operators::EQUALS, [a, b]) => is(a, b, root)
            .or_else(|| is(b, a, root))
            .unwrap_or(Sieve::May),
        (operators::IN, [field, list]) => within(field, list, root).unwrap_or(Sieve::May),
        _ => Sieve::May,
    }
}

fn is(field: &IdedExpr, word: &IdedExpr, root: &str) -> Option<Sieve> {
    Some(Sieve::Is(steps(field, root)?, vec![word_of(word)?]))
}

fn within(field: &IdedExpr, list: &IdedExpr, root: &str) -> Option<Sieve> {
    let Expr::List(list) = &list.expr else {
        return None;
    };
    let words = list
        .elements
        .iter()
        .map(word_of)
        .collect::<Option<Vec<_>>>()?;
    Some(Sieve::Is(steps(field, root)?, words))
}

/// `list.exists(x, …)` expands to a loop that starts at false and ends in what the loop says.
fn of_each(over: &ComprehensionExpr, root: &str) -> Sieve {
    let starts_false = matches!(
        &over.accu_init.expr,
        Expr::Literal(LiteralValue::Boolean(flag)) if !flag.inner()
    );
    let Expr::Call(step) = &over.loop_step.expr else {
        return Sieve::May;
    };
    let ends_in_it = matches!(&over.result.expr, Expr::Ident(name) if *name == over.accu_var);
    let adds = matches!(
        step.args.first().map(|first| &first.expr),
        Some(Expr::Ident(name)) if *name == over.accu_var
    );
    match (
        step.func_name.as_str(),
        step.args.get(1),
        steps(&over.iter_range, root),
    ) {
        (operators::LOGICAL_OR, Some(part), Some(steps))
            if starts_false && ends_in_it && adds && over.iter_var != over.accu_var =>
        {
            Sieve::Some(steps, Box::new(drawn(part, &over.iter_var)))
        }
        _ => Sieve::May,
    }
}

/// The members selected from `root`, which must be what the innermost loop or the record names.
fn steps(at: &IdedExpr, root: &str) -> Option<Vec<String>> {
    match &at.expr {
        Expr::Ident(name) => (name == root).then(Vec::new),
        Expr::Select(select) if !select.test => {
            let mut steps = steps(&select.operand, root)?;
            steps.push(select.field.clone());
            Some(steps)
        }
        _ => None,
    }
}

fn word_of(at: &IdedExpr) -> Option<String> {
    match &at.expr {
        Expr::Literal(LiteralValue::String(word)) => Some(word.inner().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sieve(condition: &str) -> Sieve {
        let program = cel::Program::compile(condition).expect("it parses");
        Sieve::of(program.expression())
    }

    #[test]
    fn words_are_looked_for_and_the_rest_may_hold() {
        let table = [
            (r#"record.a.b == "x""#, json!({"a": {"b": "x"}}), true),
            (r#"record.a.b == "x""#, json!({"a": {"b": "y"}}), false),
            (r#""x" == record.a.b"#, json!({}), false),
            (r#"record.a in ["x", "y"]"#, json!({"a": "y"}), true),
            (r#"record.a in ["x", null]"#, json!({}), true),
            (r#"!(record.a in ["x"])"#, json!({}), true),
            (r#"record.a != "x""#, json!({}), true),
            (r#"record.a == "x" || record.n > 1"#, json!({}), true),
            (r#"record.a == "x" && record.n > 1"#, json!({"n": 2}), false),
            (
                r#"record.l.exists(s, s.r == "x")"#,
                json!({"l": [{"r": "y"}, {"r": "x"}]}),
                true,
            ),
            (
                r#"record.l.exists(s, s.r == "x")"#,
                json!({"l": [{"r": "y"}]}),
                false,
            ),
            (
                r#"record.l.exists(s, record.a == "x")"#,
                json!({"l": [{}]}),
                true,
            ),
            (
                r#"record.l.exists(s, record.a == "x")"#,
                json!({"a": "x"}),
                false,
            ),
            (r#"record.l.all(s, s.r == "x")"#, json!({}), true),
            (r#"record.l.exists_one(s, s.r == "x")"#, json!({}), true),
            (r#"unit == "43""#, json!({}), true),
        ];
        for (condition, record, through) in table {
            assert_eq!(
                sieve(condition).lets_through(&record),
                through,
                "{condition} {record}"
            );
        }
    }
}

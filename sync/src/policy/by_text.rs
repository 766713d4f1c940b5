//! What a condition may do by free text: alone it warns, beside a field it may hold or refuse.
//!
//! Mentioning an act is not doing it. A condition that asks what a text says stands beside a field
//! when it cannot hold unless some other field of the record is compared with a value: one part of
//! an `&&`, every part of an `||`. That a text is there, or how long it is, is its form and may be
//! asked by any rule.

use std::collections::BTreeSet;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::depth::parts;
use super::sieve::Sieve;
use crate::shape::Shape;

/// Whether a condition can hold only where a field has a value, whatever its texts say. `says_no`
/// tells that a part is no of a record of which nothing was said.
pub fn stands_beside_a_field(
    condition: &IdedExpr,
    texts: &BTreeSet<u64>,
    shape: &'static Shape,
    says_no: &impl Fn(&IdedExpr) -> bool,
) -> bool {
    let stands = |part: &IdedExpr| stands_beside_a_field(part, texts, shape, says_no);
    let has_text = touches(condition, texts);
    match &condition.expr {
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, both) => both.iter().any(stands),
            (operators::LOGICAL_OR, both) => both.iter().all(stands),
            (operators::CONDITIONAL, [_, yes, no]) => stands(yes) && stands(no),
            (
                operators::EQUALS
                | operators::IN
                | operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                sides,
            ) => !has_text && !sides.iter().any(is_null) && says_no(condition),
            _ => false,
        },
        Expr::Comprehension(_) if has_text => Sieve::of(condition).asks_a_field(shape),
        Expr::Comprehension(_) => says_no(condition),
        _ => false,
    }
}

fn touches(at: &IdedExpr, texts: &BTreeSet<u64>) -> bool {
    texts.contains(&at.id) || parts(at).into_iter().any(|part| touches(part, texts))
}

/// Whether nothing is named: that a field has any value at all proves nothing.
pub fn is_null(at: &IdedExpr) -> bool {
    matches!(at.expr, Expr::Literal(LiteralValue::Null))
}

//! How deep a condition is, before anything walks through it by recursion.
//!
//! The parser pays for each open bracket with some 100 KB of stack in a build without optimisation,
//! and a walk with some 30 KB for each operation within another; threads have 2 MB.

use cel::common::ast::{Expr, IdedExpr};

/// Brackets within each other: 8 are 800 KB of stack; the shipped list has 3.
pub const BRACKETS_MAX: usize = 8;
/// Operations within each other: 24 are 700 KB of stack; the shipped list has 12.
pub const OPERATIONS_MAX: usize = 24;

/// What is wrong with the brackets of a condition that was not parsed yet.
pub fn fault_of_text(condition: &str) -> Option<&'static str> {
    // Without these, quotes are told from brackets as the parser tells them.
    if condition.contains('\\') || condition.contains("'''") || condition.contains("\"\"\"") {
        return Some("has a backslash or a triple quote");
    }
    let (mut open, mut quote, mut before) = (0_usize, None, ' ');
    // A condition within a condition (`a ? b : c`) is as deep for the parser as a bracket.
    let mut choices = 0_usize;
    for c in condition.chars() {
        match (quote, c) {
            (Some(own), _) if own == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') => open = open.saturating_sub(1),
            (None, '?') => choices += 1,
            (None, '/') if before == '/' => return Some("has a comment"),
            (None, _) => {}
        }
        if open + choices > BRACKETS_MAX {
            return Some("has more than 8 brackets or choices within each other");
        }
        before = c;
    }
    None
}

/// Whether operations lie too deep within each other; asked without recursion.
pub fn is_too_deep(condition: &IdedExpr) -> bool {
    let mut open = vec![(condition, 1)];
    while let Some((at, depth)) = open.pop() {
        if depth > OPERATIONS_MAX {
            return true;
        }
        open.extend(parts(at).into_iter().map(|part| (part, depth + 1)));
    }
    false
}

/// The parts of an expression. Maps and structures are no part of conditions.
pub fn parts(at: &IdedExpr) -> Vec<&IdedExpr> {
    match &at.expr {
        Expr::Call(call) => call
            .target
            .iter()
            .map(AsRef::as_ref)
            .chain(&call.args)
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Comprehension(over) => vec![
            &over.iter_range,
            &over.accu_init,
            &over.loop_cond,
            &over.loop_step,
            &over.result,
        ],
        _ => Vec::new(),
    }
}

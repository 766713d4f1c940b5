//! What a condition reads, found out before it ever runs.
//!
//! Walks the parsed condition once per kind: unknown names, fields, functions and lexicons and
//! operands that are not boolean are refused here, and the paths a condition depends on are
//! collected, so that it can be skipped for records that have none of them.

use std::collections::BTreeSet;

/// Lists within each other that a condition may go through: 60 participants by 60 are 3,600 steps.
const LOOPS_MAX: usize = 2;
/// What a loop names: its sum and its element.
const NAMES_A_LOOP: usize = 2;

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};
use xiangyi_proto::kinds::Type;

use super::by_text::is_null;
use super::lexicon::{LexiconSet, Lexicons};
use super::view::AT_NAMES;
use crate::shape::Shape;

/// A fault inside a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// Id of the expression, for its position.
    pub expression: u64,
    pub message: String,
}

/// What one condition reads of a record of one kind.
#[derive(Debug, Default)]
pub struct Reads {
    /// Pointers whose absence fixes the answer; texts that are only looked through for phrases
    /// are not among them.
    pub paths: BTreeSet<String>,
    pub lexicons: LexiconSet,
    /// Expressions that are a text, or rest on one.
    pub texts: BTreeSet<u64>,
    /// It asks what a text says, and not only whether it is there or how long it is.
    pub asks_words: bool,
    /// It asks what the record was before: that a record has nothing of it proves nothing.
    pub before: bool,
    pub faults: Vec<Misread>,
}

/// What is known about the value of an expression.
#[derive(Debug, Clone)]
enum Known {
    Boolean,
    /// A place in the record; no pointer inside a loop, whose list is already counted.
    Place(&'static Shape, Option<String>),
    At,
    Params,
    /// Made of what a text says.
    Said,
    Other,
}

/// Where a condition is read.
pub struct Reader<'a> {
    shape: &'static Shape,
    lexicons: &'a Lexicons,
    /// Names of the rule's parameters, and whether each is boolean.
    params: &'a [(&'a str, bool)],
    loops: Vec<(String, Known)>,
    reads: Reads,
}

impl<'a> Reader<'a> {
    /// Reads a condition for one kind.
    pub fn read(
        condition: &IdedExpr,
        shape: &'static Shape,
        lexicons: &'a Lexicons,
        params: &'a [(&'a str, bool)],
    ) -> Reads {
        let (loops, reads) = (Vec::new(), Reads::default());
        let mut reader = Self {
            shape,
            lexicons,
            params,
            loops,
            reads,
        };
        reader.boolean(condition);
        reader.reads
    }

    fn fault(&mut self, at: &IdedExpr, message: impl Into<String>) -> Known {
        let (expression, message) = (at.id, message.into());
        self.reads.faults.push(Misread {
            expression,
            message,
        });
        Known::Other
    }

    fn boolean(&mut self, at: &IdedExpr) {
        let faults = self.reads.faults.len();
        let known = self.value(at);
        if !matches!(known, Known::Boolean) && self.reads.faults.len() == faults {
            self.fault(at, "is not boolean; compare flags with == true");
        }
    }

    /// Reads an expression whose value matters.
    fn value(&mut self, at: &IdedExpr) -> Known {
        let known = self.known(at);
        if speaks(&known) {
            self.reads.texts.insert(at.id);
        }
        if let Known::Place(_, Some(pointer)) = &known {
            self.reads.paths.insert(pointer.clone());
        }
        known
    }

    fn known(&mut self, at: &IdedExpr) -> Known {
        match &at.expr {
            Expr::Literal(LiteralValue::Boolean(_)) => Known::Boolean,
            Expr::Literal(_) => Known::Other,
            Expr::Ident(name) => self.name(at, name),
            Expr::Select(select) => {
                let of = self.known(&select.operand);
                let member = self.member(at, of, &select.field);
                if !select.test {
                    return member;
                }
                if speaks(&member) {
                    self.reads.texts.insert(at.id);
                }
                if let Known::Place(_, Some(pointer)) = member {
                    self.reads.paths.insert(pointer);
                }
                Known::Boolean
            }
            Expr::Call(call) => self.call(at, call),
            Expr::List(list) => {
                let elements = list.elements.iter().map(|element| self.value(element));
                made_of(elements.fold(false, |said, own| said | speaks(&own)))
            }
            Expr::Comprehension(over) => self.each(at, over),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.fault(at, "maps and structures are not part of conditions")
            }
        }
    }

    fn name(&mut self, at: &IdedExpr, name: &str) -> Known {
        let inner = self.loops.iter().rev().find(|(own, _)| own == name);
        match (inner, name) {
            (Some((_, known)), _) => known.clone(),
            (None, "record") => Known::Place(self.shape, Some(String::new())),
            (None, "before") => {
                self.reads.before = true;
                Known::Place(self.shape, None)
            }
            (None, "at") => Known::At,
            (None, "params") => Known::Params,
            (None, "kind" | "op" | "unit") => Known::Other,
            _ => self.fault(at, format!("unknown name {name}")),
        }
    }

    fn member(&mut self, at: &IdedExpr, of: Known, name: &str) -> Known {
        match of {
            Known::Place(shape, pointer) => match shape.member(name) {
                Some(shape) => Known::Place(shape, pointer.map(|to| format!("{to}/{name}"))),
                None => self.fault(at, format!("unknown field {name}")),
            },
            Known::At if AT_NAMES.contains(&name) => Known::Other,
            Known::Params => match self.params.iter().find(|(own, _)| *own == name) {
                Some((_, true)) => Known::Boolean,
                Some((_, false)) => Known::Other,
                None => self.fault(at, format!("unknown parameter {name}")),
            },
            _ => self.fault(at, format!("nothing has a member {name} here")),
        }
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Known {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, args)
            | (operators::LOGICAL_NOT, args) => {
                args.iter().for_each(|arg| self.boolean(arg));
                Known::Boolean
            }
            (operators::CONDITIONAL, [condition, yes, no]) => {
                self.boolean(condition);
                match (self.value(yes), self.value(no)) {
                    (Known::Boolean, Known::Boolean) => Known::Boolean,
                    (yes, no) => made_of(speaks(&yes) || speaks(&no)),
                }
            }
            ("mentions", [text, lexicon]) if call.target.is_none() => self.mentions(text, lexicon),
            (name, args) => {
                let parts = call.target.iter().map(AsRef::as_ref).chain(args);
                let parts: Vec<Known> = parts.map(|part| self.value(part)).collect();
                let said = parts.iter().any(speaks);
                // Whether a text is there, how long it is, whether two fields say the same.
                let is_field = |known: &Known| matches!(known, Known::Place(..));
                let compared = matches!(name, operators::EQUALS | operators::NOT_EQUALS);
                let of_form = matches!(name, "size" | "repeats")
                    || args.iter().any(is_null)
                    || (compared && parts.iter().all(is_field));
                match result(name, call.target.is_some(), args.len()) {
                    Some(Known::Boolean) => {
                        self.reads.asks_words |= said && !of_form;
                        Known::Boolean
                    }
                    Some(_) => made_of(said && !of_form),
                    None => self.fault(at, format!("unknown function {name}")),
                }
            }
        }
    }

    fn mentions(&mut self, text: &IdedExpr, lexicon: &IdedExpr) -> Known {
        if !matches!(self.known(text), Known::Place(shape, _) if is_text(shape)) {
            self.fault(text, "mentions looks through a text of the record");
        }
        self.reads.texts.insert(text.id);
        self.reads.asks_words = true;
        let name = match &lexicon.expr {
            Expr::Literal(LiteralValue::String(name)) => name.inner(),
            _ => {
                self.fault(lexicon, "a lexicon is named in quotes");
                return Known::Boolean;
            }
        };
        match self.lexicons.index(name) {
            Some(index) => self.reads.lexicons |= 1 << index,
            None => {
                self.fault(lexicon, format!("unknown lexicon {name}"));
            }
        }
        Known::Boolean
    }

    fn each(&mut self, at: &IdedExpr, over: &ComprehensionExpr) -> Known {
        let element = match self.value(&over.iter_range) {
            Known::Place(shape, _) => match (shape.ty, shape.element.as_deref()) {
                (Type::List(_), Some(element)) => Known::Place(element, None),
                _ => return self.fault(at, "only lists can be gone through"),
            },
            // Lists of its own within each other would let a condition count for ever.
            list if self.loops.is_empty() => made_of(speaks(&list)),
            _ => {
                return self.fault(
                    at,
                    "within another list only the record's can be gone through",
                );
            }
        };
        if self.loops.len() >= LOOPS_MAX * NAMES_A_LOOP {
            return self.fault(
                at,
                "at most two lists can be gone through within each other",
            );
        }
        if over.iter_var2.is_some() {
            return self.fault(at, "only lists can be gone through");
        }
        let result = self.value(&over.accu_init);
        let depth = self.loops.len();
        self.loops.push((over.accu_var.clone(), result));
        self.loops.push((over.iter_var.clone(), element));
        self.value(&over.loop_cond);
        let step = self.value(&over.loop_step);
        self.loops[depth].1 = match &self.loops[depth].1 {
            Known::Other => made_of(speaks(&step)),
            known => known.clone(),
        };
        let known = self.value(&over.result);
        self.loops.truncate(depth);
        known
    }
}

/// Free text, a list of it, or what was made of it. Codes and the words of open lists are none.
fn speaks(known: &Known) -> bool {
    let free = |shape: &Shape| matches!(shape.ty, Type::Text(_));
    match known {
        Known::Said => true,
        Known::Place(shape, _) => free(shape) || shape.element.as_deref().is_some_and(free),
        _ => false,
    }
}

const fn made_of(said: bool) -> Known {
    if said { Known::Said } else { Known::Other }
}

fn is_text(shape: &Shape) -> bool {
    matches!(shape.ty, Type::Text(_) | Type::Word)
}

/// What a function gives; none when it is not part of conditions.
fn result(name: &str, on_target: bool, args: usize) -> Option<Known> {
    match (name, on_target, args) {
        (
            operators::EQUALS
            | operators::NOT_EQUALS
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS
            | operators::IN
            | operators::NOT_STRICTLY_FALSE,
            ..,
        )
        | ("region_within", false, 2)
        | ("startsWith" | "endsWith" | "contains", true, 1) => Some(Known::Boolean),
        (
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE
            | operators::INDEX,
            ..,
        )
        | ("repeats", false, 1)
        | ("size", false, 1)
        | ("size", true, 0) => Some(Known::Other),
        _ => None,
    }
}

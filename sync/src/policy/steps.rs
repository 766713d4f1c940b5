//! How many steps a condition can take at the most, whatever record it meets.
//!
//! Counted from the parsed condition and the limits of the lists that it goes through, never from a
//! clock and never from a record: every build counts the same, and a pack whose conditions could
//! hold up a county is refused before it judges anything.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};
use serde_json::Value;
use xiangyi_proto::kinds::Type;

use crate::shape::Shape;

/// Letters that are compared or copied in a step.
const LETTERS_A_STEP: u64 = 64;
/// Steps for each letter of a text in which phrases are looked for: it is folded first.
const STEPS_A_HEARD_LETTER: u64 = 4;
/// Steps of copying a record, to try an element of a list alone.
const STEPS_A_COPY: u64 = 500;

/// The steps of a condition with the pointers of its rule: each element of a list that is named
/// with `/-` is tried alone afterwards.
pub fn of(
    condition: &IdedExpr,
    shape: &'static Shape,
    params: &BTreeMap<String, Value>,
    at: &[String],
) -> u64 {
    let whole = |alone| {
        let loops = Vec::new();
        let mut counter = Counter {
            shape,
            params,
            loops,
            alone,
        };
        counter.walk(condition).0
    };
    let lists = at.iter().filter_map(|at| at.strip_suffix("/-"));
    let each = lists.map(|list| {
        let elements = shape.at(list).map_or(0, length);
        let once = whole(Some(list)).saturating_add(STEPS_A_COPY);
        elements.saturating_mul(once)
    });
    each.fold(whole(None), u64::saturating_add)
}

const fn length(shape: &Shape) -> u64 {
    match shape.ty {
        Type::List(limit) => limit as u64,
        _ => 1,
    }
}

/// What is known of a value: where it stands, or how large it can be.
#[derive(Debug, Clone)]
enum Seen {
    Place(&'static Shape, Option<String>),
    Params,
    Made(Size),
}

/// Of a value: what copying it takes, its elements, and the largest of them.
#[derive(Debug, Clone, Copy)]
struct Size {
    whole: u64,
    count: u64,
    element: u64,
}

const ONE: Size = Size {
    whole: 1,
    count: 1,
    element: 1,
};

impl Size {
    const fn of_text(letters: u64) -> Self {
        let whole = 1 + letters / LETTERS_A_STEP;
        Self { whole, ..ONE }
    }

    fn of_list(elements: impl Iterator<Item = u64>) -> Self {
        let (mut whole, mut count, mut element) = (1_u64, 0, 1);
        for own in elements {
            whole = whole.saturating_add(own);
            count += 1;
            element = own.max(element);
        }
        Self {
            whole,
            count,
            element,
        }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::of_text(text.len() as u64),
            Value::Array(list) => Self::of_list(list.iter().map(|own| Self::of_value(own).whole)),
            _ => ONE,
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            whole: self.whole.saturating_add(other.whole),
            count: self.count.saturating_add(other.count),
            element: self.element.max(other.element),
        }
    }
}

struct Counter<'a> {
    shape: &'static Shape,
    params: &'a BTreeMap<String, Value>,
    loops: Vec<(String, Seen)>,
    /// The list of which one element is left.
    alone: Option<&'a str>,
}

impl Counter<'_> {
    fn size(&self, seen: &Seen) -> Size {
        match seen {
            Seen::Made(size) => *size,
            Seen::Params => ONE,
            Seen::Place(shape, at) => {
                let is_alone = at.is_some() && at.as_deref() == self.alone;
                self.place(shape, is_alone)
            }
        }
    }

    fn place(&self, shape: &Shape, is_alone: bool) -> Size {
        match shape.ty {
            Type::Text(letters) => Size::of_text(u64::from(letters)),
            Type::List(limit) => {
                let count = if is_alone { 1 } else { u64::from(limit) };
                let element = shape.element.as_deref();
                let element = element.map_or(1, |own| self.place(own, false).whole);
                let whole = count.saturating_mul(element).saturating_add(1);
                Size {
                    whole,
                    count,
                    element,
                }
            }
            _ => ONE,
        }
    }

    /// The steps of an expression, and what it gives.
    fn walk(&mut self, at: &IdedExpr) -> (u64, Seen) {
        match &at.expr {
            Expr::Literal(LiteralValue::String(text)) => {
                (1, Seen::Made(Size::of_text(text.inner().len() as u64)))
            }
            Expr::Ident(name) => (1, self.name(name)),
            Expr::Select(select) => {
                let (steps, of) = self.walk(&select.operand);
                let member = self.member(&of, &select.field);
                // A list of the record is made anew each time it is named.
                let size = self.size(&member).whole;
                (steps.saturating_add(size), member)
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let (mut steps, mut sizes) = (1_u64, Vec::new());
                for element in &list.elements {
                    let (own, seen) = self.walk(element);
                    steps = steps.saturating_add(own);
                    sizes.push(self.size(&seen).whole);
                }
                (steps, Seen::Made(Size::of_list(sizes.into_iter())))
            }
            Expr::Comprehension(over) => self.each(over),
            _ => (1, Seen::Made(ONE)),
        }
    }

    fn name(&self, name: &str) -> Seen {
        let inner = self.loops.iter().rev().find(|(own, _)| own == name);
        match (inner, name) {
            (Some((_, seen)), _) => seen.clone(),
            (None, "record") => Seen::Place(self.shape, Some(String::new())),
            (None, "before") => Seen::Place(self.shape, None),
            (None, "params") => Seen::Params,
            _ => Seen::Made(ONE),
        }
    }

    fn member(&self, of: &Seen, name: &str) -> Seen {
        match of {
            Seen::Place(shape, at) => {
                let at = at.as_ref().map(|at| format!("{at}/{name}"));
                let member = shape.member(name);
                member.map_or(Seen::Made(ONE), |shape| Seen::Place(shape, at))
            }
            Seen::Params => Seen::Made(self.params.get(name).map_or(ONE, Size::of_value)),
            Seen::Made(_) => Seen::Made(ONE),
        }
    }

    fn call(&mut self, call: &CallExpr) -> (u64, Seen) {
        let (mut steps, mut parts) = (1_u64, Vec::new());
        for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            let (own, seen) = self.walk(part);
            steps = steps.saturating_add(own);
            parts.push(seen);
        }
        let sizes: Vec<Size> = parts.iter().map(|seen| self.size(seen)).collect();
        let whole = sizes
            .iter()
            .fold(0, |all: u64, own| all.saturating_add(own.whole));
        let joined = || sizes.iter().copied().reduce(Size::with).unwrap_or(ONE);
        let (more, made) = match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => (0, ONE),
            "mentions" | "repeats" => (letters(parts.first()), ONE),
            operators::ADD | operators::CONDITIONAL => (whole, joined()),
            operators::INDEX => {
                let element = sizes.first().map_or(1, |own| own.element);
                let size = Size {
                    whole: element,
                    count: element,
                    element,
                };
                (0, size)
            }
            _ => (whole, ONE),
        };
        (steps.saturating_add(more), Seen::Made(made))
    }

    fn each(&mut self, over: &ComprehensionExpr) -> (u64, Seen) {
        let (range, list) = self.walk(&over.iter_range);
        let size = self.size(&list);
        let element = match &list {
            Seen::Place(shape, _) => {
                let element = shape.element.as_deref();
                element.map_or(Seen::Made(ONE), |own| Seen::Place(own, None))
            }
            _ => {
                let whole = size.element;
                Seen::Made(Size {
                    whole,
                    count: whole,
                    element: whole,
                })
            }
        };
        let (init, start) = self.walk(&over.accu_init);
        let depth = self.loops.len();
        self.loops.push((over.accu_var.clone(), Seen::Made(ONE)));
        self.loops.push((over.iter_var.clone(), element));
        let (condition, _) = self.walk(&over.loop_cond);
        let (step, grown) = self.walk(&over.loop_step);
        let grown = self.size(&grown).whole;
        let gathers = !matches!(over.accu_init.expr, Expr::Literal(_));
        let made = if gathers {
            let whole = size.count.saturating_mul(grown);
            let whole = whole.saturating_add(self.size(&start).whole);
            Size {
                whole,
                count: size.count,
                element: grown,
            }
        } else {
            ONE
        };
        // What has been gathered is copied with each round.
        let round = [condition, step, made.whole, 1];
        let round = round.into_iter().fold(0, u64::saturating_add);
        self.loops[depth].1 = Seen::Made(made);
        let (result, _) = self.walk(&over.result);
        self.loops.truncate(depth);
        let rounds = size.count.saturating_mul(round);
        let steps = [range, init, rounds, result];
        let steps = steps.into_iter().fold(0, u64::saturating_add);
        (steps, Seen::Made(made))
    }
}

/// What listening to a text takes.
fn letters(text: Option<&Seen>) -> u64 {
    let letters = match text {
        Some(Seen::Place(shape, _)) => match shape.ty {
            Type::Text(letters) => u64::from(letters),
            _ => LETTERS_A_STEP,
        },
        Some(Seen::Made(size)) => size.whole.saturating_mul(LETTERS_A_STEP),
        _ => 1,
    };
    letters.saturating_mul(STEPS_A_HEARD_LETTER)
}

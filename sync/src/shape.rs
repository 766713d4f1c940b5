//! Completing a record from its field table, so that a rule never meets an absent member.
//!
//! Absent scalars become null, absent lists [], absent maps {} completed in turn; members the
//! table does not know stay as they are. Shapes are built once per kind from `proto::kinds`; no
//! rule, no limit and no visibility lives here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};
use xiangyi_proto::kinds::{Kind, KindSpec, Type};

/// The form of a value: its type, its members by name in order, its element.
#[derive(Debug)]
pub struct Shape {
    pub ty: Type,
    /// Sorted by name.
    pub members: Vec<(&'static str, Shape)>,
    pub element: Option<Box<Shape>>,
}

impl Shape {
    /// The shape of a member.
    pub fn member(&self, name: &str) -> Option<&Shape> {
        self.place(name).map(|place| &self.members[place].1)
    }

    /// The shape at a JSON pointer in which `-` stands for each element of a list.
    pub fn at(&self, pointer: &str) -> Option<&Shape> {
        pointer
            .split('/')
            .skip(1)
            .try_fold(self, |shape, name| match name {
                "-" => shape.element.as_deref(),
                name => shape.member(name),
            })
    }

    /// What stands for a value that is not there.
    fn absent(&self) -> Value {
        match self.ty {
            Type::List(_) => Value::Array(Vec::new()),
            Type::Map => Value::Object(self.completed(&Map::new())),
            _ => Value::Null,
        }
    }

    fn complete(&self, value: &Value) -> Value {
        match (self.ty, value) {
            (_, Value::Null) => self.absent(),
            (Type::Map, Value::Object(members)) => Value::Object(self.completed(members)),
            (Type::List(_), Value::Array(list)) => match &self.element {
                Some(shape) => list.iter().map(|value| shape.complete(value)).collect(),
                None => value.clone(),
            },
            _ => value.clone(),
        }
    }

    fn completed(&self, members: &Map<String, Value>) -> Map<String, Value> {
        let mut known: Vec<Option<&Value>> = vec![None; self.members.len()];
        let mut unknown = Vec::new();
        for (name, value) in members {
            match self.place(name) {
                Some(place) => known[place] = Some(value),
                None => unknown.push((name.clone(), value.clone())),
            }
        }
        let places = self.members.iter().zip(known);
        let described = places.map(|((name, shape), value)| {
            let value = value.map_or_else(|| shape.absent(), |value| shape.complete(value));
            ((*name).to_owned(), value)
        });
        described.chain(unknown).collect()
    }

    fn place(&self, name: &str) -> Option<usize> {
        let found = self.members.binary_search_by(|(own, _)| (*own).cmp(name));
        found.ok()
    }
}

/// A tree under construction; members sort themselves.
#[derive(Default)]
struct Draft {
    ty: Option<Type>,
    members: BTreeMap<&'static str, Draft>,
    element: Option<Box<Draft>>,
}

impl Draft {
    fn insert(&mut self, path: &'static str, ty: Type) {
        let mut draft = self;
        for name in path.split('/').skip(1) {
            draft = match name {
                "-" => draft.element.get_or_insert_default(),
                name => draft.members.entry(name).or_default(),
            };
        }
        draft.ty = Some(ty);
    }

    fn finish(self) -> Shape {
        let members = self.members.into_iter();
        Shape {
            ty: self.ty.unwrap_or(Type::Map),
            members: members
                .map(|(name, draft)| (name, draft.finish()))
                .collect(),
            element: self.element.map(|draft| Box::new(draft.finish())),
        }
    }
}

fn build(spec: &KindSpec) -> Shape {
    let mut draft = Draft::default();
    for field in spec.fields {
        draft.insert(field.path, field.ty);
    }
    draft.finish()
}

static SHAPES: LazyLock<Vec<(Kind, Shape)>> = LazyLock::new(|| {
    let shape = |kind: &Kind| (*kind, build(kind.spec()));
    Kind::ALL.iter().map(shape).collect()
});

/// The shape of a kind.
pub fn of(kind: Kind) -> &'static Shape {
    let found = SHAPES.iter().find(|(own, _)| *own == kind);
    &found.expect("every kind has a shape").1
}

/// The record completed from the field table of its kind.
pub fn complete(spec: &KindSpec, body: &Value) -> Value {
    match body {
        Value::Object(members) => Value::Object(of(spec.kind).completed(members)),
        _ => absent(spec),
    }
}

/// The completed record of which nothing was said.
pub fn absent(spec: &KindSpec) -> Value {
    of(spec.kind).absent()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_members_become_null_lists_and_completed_maps() {
        let whole = absent(Kind::Visit.spec());
        assert_eq!(whole["client"], Value::Null);
        assert_eq!(whole["signatures"], json!([]));
        assert_eq!(whole["outcome"], json!({"kind": null, "decision": null}));
        assert_eq!(whole["follow_up"], json!({"plan": null, "due_on": null}));
    }

    #[test]
    fn elements_are_completed_and_unknown_members_stay() {
        let body = json!({"signatures": [{"role": "worker", "x": 1}], "new": {"a": 2},
            "outcome": null});
        let whole = complete(Kind::Visit.spec(), &body);
        let signature = &whole["signatures"][0];
        assert_eq!(signature["role"], "worker");
        assert_eq!(signature["signed_by"], Value::Null);
        assert_eq!(signature["x"], 1);
        assert_eq!(whole["new"], json!({"a": 2}));
        assert_eq!(whole["outcome"]["decision"], Value::Null);
    }

    #[test]
    fn completing_twice_changes_nothing() {
        let body = json!({"handed_over": [{"kind": "goods"}], "zz": 1});
        for kind in Kind::ALL {
            let once = complete(kind.spec(), &body);
            assert_eq!(complete(kind.spec(), &once), once, "{}", kind.name());
        }
    }

    #[test]
    fn every_field_of_every_table_is_found_at_its_pointer() {
        for kind in Kind::ALL {
            for field in kind.spec().fields {
                let shape = of(*kind).at(field.path);
                assert_eq!(
                    shape.map(|shape| shape.ty),
                    Some(field.ty),
                    "{}",
                    field.path
                );
            }
        }
    }
}

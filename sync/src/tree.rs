//! The field table of a kind as a tree, built once: what checks, projections and merges walk.

use std::collections::HashMap;
use std::sync::LazyLock;

use xiangyi_proto::kinds::{Field, Kind, See, Type};

/// A field with what lies under it.
#[derive(Debug, Default)]
pub struct Node {
    /// None for the body itself and for members the table does not describe.
    pub field: Option<&'static Field>,
    pub members: HashMap<&'static str, Node>,
    pub element: Option<Box<Node>>,
    /// Something at or below this node is confidential.
    pub starred: bool,
    /// The widest reader of anything at or below this node.
    pub widest: Option<See>,
}

impl Node {
    /// The type of the field, a map for the body itself.
    pub fn ty(&self) -> Type {
        self.field.map_or(Type::Map, |field| field.ty)
    }

    fn insert(&mut self, path: &'static str, field: &'static Field) {
        let mut node = self;
        for name in path.split('/').skip(1) {
            node.note(field);
            node = if name == "-" {
                node.element.get_or_insert_default()
            } else {
                node.members.entry(name).or_default()
            };
        }
        node.note(field);
        node.field = Some(field);
    }

    fn note(&mut self, field: &Field) {
        self.starred |= field.starred;
        self.widest = Some(self.widest.map_or(field.see, |see| see.min(field.see)));
    }
}

static TREES: LazyLock<HashMap<Kind, Node>> = LazyLock::new(|| {
    let build = |kind: &Kind| {
        let mut root = Node::default();
        for field in kind.spec().fields {
            root.insert(field.path, field);
        }
        (*kind, root)
    };
    Kind::ALL.iter().map(build).collect()
});

/// The tree of a kind.
pub fn of(kind: Kind) -> &'static Node {
    TREES.get(&kind).expect("every kind has a tree")
}

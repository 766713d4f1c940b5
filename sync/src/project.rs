//! Projections: which part of a record a stream shows, and which part is sealed at rest.
//!
//! Splitting is by top-level member, so that a whole copy is the two parts written one behind the
//! other. A member of which anything is confidential is sealed entirely. Members the table does
//! not know are treated as confidential.

use serde_json::{Map, Value};
use xiangyi_proto::kinds::{Kind, See};

use crate::tree::{self, Node};

/// A copy of a record for one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// JSON object of the open members.
    pub open: String,
    /// JSON object of the sealed members, if there are any.
    pub sealed: Option<String>,
}

/// The copy that a placement with this reader shows.
pub fn copy(kind: Kind, body: &Value, shows: See) -> Copy {
    let root = tree::of(kind);
    let (mut open, mut sealed) = (Map::new(), Map::new());
    let Value::Object(members) = body else {
        return Copy {
            open: "{}".to_owned(),
            sealed: None,
        };
    };
    for (name, value) in members {
        let Some(node) = root.members.get(name.as_str()) else {
            if shows == See::Whole && !value.is_null() {
                sealed.insert(name.clone(), value.clone());
            }
            continue;
        };
        if let Some(value) = shown(node, value, shows) {
            let part = if seals(node, shows) {
                &mut sealed
            } else {
                &mut open
            };
            part.insert(name.clone(), value);
        }
    }
    let text = |map: &Map<String, Value>| {
        serde_json::to_string(map).expect("a JSON value can always be written")
    };
    Copy {
        open: text(&open),
        sealed: (!sealed.is_empty()).then(|| text(&sealed)),
    }
}

/// The two parts of a copy written as one JSON object.
pub fn join(open: &str, sealed: Option<&str>) -> String {
    match sealed {
        None => open.to_owned(),
        Some(sealed) if open == "{}" => sealed.to_owned(),
        Some(sealed) => {
            let mut whole = String::with_capacity(open.len() + sealed.len());
            whole.push_str(&open[..open.len() - 1]);
            whole.push(',');
            whole.push_str(&sealed[1..]);
            whole
        }
    }
}

fn seals(node: &Node, shows: See) -> bool {
    // A shared copy holds no starred field except on cards, where the whole member is sealed.
    match shows {
        See::Whole | See::Card => node.starred,
        See::County | See::Station => false,
    }
}

fn shown(node: &Node, value: &Value, shows: See) -> Option<Value> {
    if value.is_null() || node.widest.is_none_or(|widest| widest > shows) {
        return None;
    }
    if shows == See::Whole {
        return Some(value.clone());
    }
    if node.field.is_some_and(|field| field.see > shows) {
        return None;
    }
    Some(match value {
        Value::Object(members) => {
            let inner = |(name, value): (&String, &Value)| {
                let node = node.members.get(name.as_str())?;
                Some((name.clone(), shown(node, value, shows)?))
            };
            Value::Object(members.iter().filter_map(inner).collect())
        }
        Value::Array(list) => {
            let node = node.element.as_deref()?;
            Value::Array(
                list.iter()
                    .filter_map(|value| shown(node, value, shows))
                    .collect(),
            )
        }
        other => other.clone(),
    })
}

//! Batched reads: many keys in one statement, the same code for both engines.
//!
//! Keys are handed over as one JSON text, so that each read has one SQL text and one plan however
//! many keys there are.

use uuid::Uuid;

/// A read `… IN (ids)`: `$2` is a JSON list of hexadecimal ids.
macro_rules! in_ids {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!($head, " IN (SELECT unhex(value) FROM json_each($2))", $tail),
            postgres: concat!(
                $head,
                " IN (SELECT decode(x #>> '{}', 'hex') \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x))",
                $tail
            ),
        }
    };
}

/// A read `… IN (texts)`: `$2` is a JSON list of texts.
macro_rules! in_texts {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!($head, " IN (SELECT value FROM json_each($2))", $tail),
            postgres: concat!(
                $head,
                " IN (SELECT x #>> '{}' \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x))",
                $tail
            ),
        }
    };
}

/// A read `(text, number) IN (…)`: `$2` is a JSON list of pairs.
macro_rules! in_numbers {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " IN (SELECT value ->> 0, value ->> 1 FROM json_each($2))",
                $tail
            ),
            postgres: concat!(
                $head,
                " IN (SELECT x ->> 0, CAST(x ->> 1 AS BIGINT) \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x))",
                $tail
            ),
        }
    };
}

/// A read `(text, text) IN (…)`: `$2` is a JSON list of pairs.
macro_rules! in_pairs {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " IN (SELECT value ->> 0, value ->> 1 FROM json_each($2))",
                $tail
            ),
            postgres: concat!(
                $head,
                " IN (SELECT x ->> 0, x ->> 1 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x))",
                $tail
            ),
        }
    };
}

/// A read `(id, id) IN (…)`: `$2` is a JSON list of pairs of hexadecimal bytes.
macro_rules! in_id_pairs {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " IN (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each($2))",
                $tail
            ),
            postgres: concat!(
                $head,
                " IN (SELECT decode(x ->> 0, 'hex'), decode(x ->> 1, 'hex') \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x))",
                $tail
            ),
        }
    };
}

pub(crate) use {in_id_pairs, in_ids, in_numbers, in_pairs, in_texts};

/// Ids as the JSON list that `in_ids` reads.
pub fn ids<'a>(list: impl IntoIterator<Item = &'a Uuid>) -> String {
    let hex: Vec<String> = list
        .into_iter()
        .map(|id| hex::encode(id.as_bytes()))
        .collect();
    serde_json::to_string(&hex).expect("texts can be written as JSON")
}

/// Anything as a JSON list.
pub fn list<T: serde::Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).expect("keys can be written as JSON")
}

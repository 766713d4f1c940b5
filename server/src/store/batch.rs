//! Batched reads: many keys in one statement, the same code for both engines.
//!
//! Keys are handed over as one JSON text, so that each read has one SQL text and one plan however
//! many keys there are. The keys come first and each is looked up along an index: `(a, b) IN
//! (SELECT …)` would read the whole shard on one of the engines. A read is written as what it
//! selects, and the table with its condition, in which the keys are `k0` and `k1`. A table
//! that knows no shard says `$1 = $1`, because every read binds the shard first. `OFFSET 0` keeps
//! the other engine from joining the keys with everything the shard has.

use uuid::Uuid;

/// Reads by ids: `$2` is a JSON list of hexadecimal ids, each of which is `k0`.
macro_rules! in_ids {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " FROM (SELECT unhex(value) AS k0 FROM json_each($2)) CROSS JOIN ",
                $tail
            ),
            postgres: concat!(
                "SELECT r.* FROM (SELECT decode(x #>> '{}', 'hex') AS k0 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x)) AS k CROSS JOIN LATERAL (",
                $head,
                " FROM ",
                $tail,
                " OFFSET 0) AS r"
            ),
        }
    };
}

/// Reads by texts: `$2` is a JSON list of texts, each of which is `k0`.
macro_rules! in_texts {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " FROM (SELECT value AS k0 FROM json_each($2)) CROSS JOIN ",
                $tail
            ),
            postgres: concat!(
                "SELECT r.* FROM (SELECT x #>> '{}' AS k0 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x)) AS k CROSS JOIN LATERAL (",
                $head,
                " FROM ",
                $tail,
                " OFFSET 0) AS r"
            ),
        }
    };
}

/// Reads by numbers: `$2` is a JSON list of integers, each of which is `k0`.
macro_rules! in_integers {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " FROM (SELECT value AS k0 FROM json_each($2)) CROSS JOIN ",
                $tail
            ),
            postgres: concat!(
                "SELECT r.* FROM (SELECT CAST(x AS BIGINT) AS k0 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x)) AS k CROSS JOIN LATERAL (",
                $head,
                " FROM ",
                $tail,
                " OFFSET 0) AS r"
            ),
        }
    };
}

/// Reads by pairs of a text and a number: `$2` is a JSON list of pairs, `k0` and `k1`.
macro_rules! in_numbers {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " FROM (SELECT value ->> 0 AS k0, value ->> 1 AS k1 FROM json_each($2)) CROSS \
                 JOIN ",
                $tail
            ),
            postgres: concat!(
                "SELECT r.* FROM (SELECT x ->> 0 AS k0, CAST(x ->> 1 AS BIGINT) AS k1 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x)) AS k CROSS JOIN LATERAL (",
                $head,
                " FROM ",
                $tail,
                " OFFSET 0) AS r"
            ),
        }
    };
}

/// Reads by pairs of texts: `$2` is a JSON list of pairs, `k0` and `k1`.
macro_rules! in_pairs {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " FROM (SELECT value ->> 0 AS k0, value ->> 1 AS k1 FROM json_each($2)) CROSS \
                 JOIN ",
                $tail
            ),
            postgres: concat!(
                "SELECT r.* FROM (SELECT x ->> 0 AS k0, x ->> 1 AS k1 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x)) AS k CROSS JOIN LATERAL (",
                $head,
                " FROM ",
                $tail,
                " OFFSET 0) AS r"
            ),
        }
    };
}

/// Reads by a hexadecimal id and two texts: `$2` is a JSON list of threes, `k0` to `k2`.
macro_rules! in_places {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " FROM (SELECT unhex(value ->> 0) AS k0, value ->> 1 AS k1, value ->> 2 AS k2 \
                 FROM json_each($2)) CROSS JOIN ",
                $tail
            ),
            postgres: concat!(
                "SELECT r.* FROM (SELECT decode(x ->> 0, 'hex') AS k0, x ->> 1 AS k1, x ->> 2 AS k2 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x)) AS k CROSS JOIN LATERAL (",
                $head,
                " FROM ",
                $tail,
                " OFFSET 0) AS r"
            ),
        }
    };
}

/// Reads by a text, a span and a kind: `$2` is a JSON list of fours, `k0` and the numbers `k1` to
/// `k3`.
macro_rules! in_spans {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " FROM (SELECT value ->> 0 AS k0, value ->> 1 AS k1, value ->> 2 AS k2, \
                 value ->> 3 AS k3 FROM json_each($2)) CROSS JOIN ",
                $tail
            ),
            postgres: concat!(
                "SELECT r.* FROM (SELECT x ->> 0 AS k0, CAST(x ->> 1 AS BIGINT) AS k1, \
                 CAST(x ->> 2 AS BIGINT) AS k2, CAST(x ->> 3 AS BIGINT) AS k3 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x)) AS k CROSS JOIN LATERAL (",
                $head,
                " FROM ",
                $tail,
                " OFFSET 0) AS r"
            ),
        }
    };
}

/// Reads by pairs of hexadecimal bytes: `$2` is a JSON list of pairs, `k0` and `k1`.
macro_rules! in_id_pairs {
    ($head:literal, $tail:literal) => {
        $crate::store::dialect::Dual {
            sqlite: concat!(
                $head,
                " FROM (SELECT unhex(value ->> 0) AS k0, unhex(value ->> 1) AS k1 FROM \
                 json_each($2)) CROSS JOIN ",
                $tail
            ),
            postgres: concat!(
                "SELECT r.* FROM (SELECT decode(x ->> 0, 'hex') AS k0, decode(x ->> 1, 'hex') AS k1 \
                 FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x)) AS k CROSS JOIN LATERAL (",
                $head,
                " FROM ",
                $tail,
                " OFFSET 0) AS r"
            ),
        }
    };
}

pub(crate) use {
    in_id_pairs, in_ids, in_integers, in_numbers, in_pairs, in_places, in_spans, in_texts,
};

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

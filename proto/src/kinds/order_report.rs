//! order_report 受命报告: "I was ordered to do this". Accepted whatever it says.
//!
//! Whole to its author and to the county's named reviewers, and to nobody else: neither the office
//! that gave the order nor the station's lead learns of it. Nobody can take it back under pressure.

use super::check_in::WORK_CATEGORIES;
use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

const FIELDS: &[Field] = &[
    f("/office", Type::Text(60)).required(),
    f("/person", Type::Text(40)).starred(),
    f("/what", Type::Code(WORK_CATEGORIES)).required(),
    f("/when", Type::Day),
    f(
        "/how",
        Type::Code(&["meeting", "telephone", "message", "paper"]),
    ),
    f("/text", Type::Text(2_000)).starred(),
    f("/refused", Type::Flag),
    f("/record", Type::Ref),
];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::OrderReport,
    schema: 1,
    home: Home::Author,
    placements: &[Placement {
        to: Target::Restricted,
        shows: See::Whole,
    }],
    may: &[May {
        op: Op::Create,
        roles: &[
            Role::Worker,
            Role::StationLead,
            Role::Volunteer,
            Role::ActivityLeader,
        ],
    }],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::Author,
    life: Life::AppendOnly,
};

//! need 需求: what a client lacks, with an anonymised title for the public side.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

const FIELDS: &[Field] = &[
    f("/title", Type::Text(60)).required().county(),
    f("/category", Type::Word).required().county(),
    f("/quantity", Type::Int(1, 100_000)).required().county(),
    f("/village", Type::Region).station(),
    f("/client", Type::Ref).fixed(),
    f("/visibility", Type::Code(&["station", "county", "public"])).station(),
    f("/names_client", Type::Flag).station(),
    f("/wanted_by", Type::Day).county(),
    f(
        "/work_category",
        Type::Code(super::check_in::WORK_CATEGORIES),
    )
    .station(),
    f("/assigned_by", Type::Map),
    f("/assigned_by/office", Type::Text(60)),
    f("/story", Type::Text(1_000)).starred(),
    f("/state", Type::Code(&["open", "met"])).derived().county(),
    f("/derived", Type::Map).derived().station(),
    f("/derived/class", Type::Word).derived().station(),
    f("/derived/linked", Type::Int(0, 100_000))
        .derived()
        .station(),
];

const FIELD_STAFF: &[Role] = &[Role::Worker, Role::StationLead, Role::HubOfficer];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::Need,
    schema: 1,
    home: Home::Author,
    placements: &[Placement {
        to: Target::Station,
        shows: See::Station,
    }],
    may: &[
        May {
            op: Op::Create,
            roles: FIELD_STAFF,
        },
        May {
            op: Op::Patch,
            roles: FIELD_STAFF,
        },
        May {
            op: Op::Void,
            roles: FIELD_STAFF,
        },
        May {
            op: Op::Appeal,
            roles: FIELD_STAFF,
        },
    ],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::ClientIn("/client"),
    life: Life::Merged,
};

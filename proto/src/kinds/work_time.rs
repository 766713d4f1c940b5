//! work_time 工时: minutes by class; where refused work is re-filed so that KPI 5 stays honest.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

/// Classes of working time.
pub const CLASSES: &[&str] = &[
    "professional",
    "assistive",
    "administrative",
    "supervision_training",
    "working_travel",
    "leave",
];

const FIELDS: &[Field] = &[
    f("/class", Type::Code(CLASSES)).required().station(),
    f("/minutes", Type::Int(1, 1_440)).required().station(),
    f("/day", Type::Day).required().station(),
    f("/refusal", Type::Ref).station().fixed(),
    f("/office", Type::Text(60)),
    f("/note", Type::Text(500)).starred(),
    f("/derived", Type::Map).derived().station(),
    f("/derived/class", Type::Word).derived().station(),
    f("/derived/minutes", Type::Int(0, 1_440))
        .derived()
        .station(),
];

const FIELD_STAFF: &[Role] = &[Role::Worker, Role::StationLead];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::WorkTime,
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
    sealed_for: SealedFor::Author,
    life: Life::Merged,
};

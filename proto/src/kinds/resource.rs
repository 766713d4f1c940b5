//! resource 资源: goods, service, venue or charity money that somebody offers; a slot of a quantity.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

/// What is offered.
pub const RESOURCE_KINDS: &[&str] = &[
    "goods",
    "food",
    "medicine",
    "service",
    "venue",
    "charity_money",
    "benefit_money",
];
/// Through which channel it is raised.
pub const CHANNELS: &[&str] = &["direct", "charity", "public_appeal", "government"];

const FIELDS: &[Field] = &[
    f("/title", Type::Text(60)).required().county(),
    f("/kind", Type::Code(RESOURCE_KINDS)).required().county(),
    f("/category", Type::Word).county(),
    f("/provider", Type::Text(80)).required().county(),
    f("/quantity", Type::Int(1, 100_000)).required().county(),
    f("/valid_until", Type::Day).county(),
    f("/expires_on", Type::Day).county(),
    f("/channel", Type::Code(CHANNELS)).county(),
    f("/payee", Type::Code(&["none", "charity", "agency", "own"])).county(),
    f("/payee_code_shown", Type::Flag).county(),
    f("/quota_per_person", Type::Int(0, 1_000_000)).county(),
    f("/donor_relation", Type::Code(&["none", "related"])),
    f("/for_sale", Type::Flag).county(),
    f("/price_fen", Type::Int(0, 1_000_000_000)).county(),
    f(
        "/work_category",
        Type::Code(super::check_in::WORK_CATEGORIES),
    )
    .county(),
    f("/contact", Type::Text(60)),
    f("/note", Type::Text(500)).starred(),
    f("/state", Type::Code(&["open", "closed"]))
        .derived()
        .county(),
    f("/derived", Type::Map).derived().county(),
    f("/derived/class", Type::Word).derived().county(),
    f("/derived/promised", Type::Int(0, 100_000))
        .derived()
        .county(),
];

const OFFERERS: &[Role] = &[
    Role::Worker,
    Role::StationLead,
    Role::HubOfficer,
    Role::ActivityLeader,
];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::Resource,
    schema: 1,
    home: Home::Author,
    placements: &[Placement {
        to: Target::County,
        shows: See::County,
    }],
    may: &[
        May {
            op: Op::Create,
            roles: OFFERERS,
        },
        May {
            op: Op::Patch,
            roles: OFFERERS,
        },
        May {
            op: Op::Void,
            roles: OFFERERS,
        },
        May {
            op: Op::Appeal,
            roles: OFFERERS,
        },
    ],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::Author,
    life: Life::Merged,
};

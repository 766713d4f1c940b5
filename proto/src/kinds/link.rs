//! link 资源链接: a need joined to a resource; quantities are arbitrated like places.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

/// What a link asks for: the steps of its life.
pub const WANTS: &[&str] = &["join", "accept", "decline", "leave", "deliver", "confirm"];

const FIELDS: &[Field] = &[
    f("/need", Type::Ref).fixed().station(),
    f("/resource", Type::Ref).fixed().station(),
    f("/quantity", Type::Int(1, 100_000)).fixed().station(),
    f("/purpose", Type::Text(120)).fixed().station(),
    f("/want", Type::Code(WANTS)).required().station(),
    f("/offer", Type::Int(1, 1_000_000)),
    f("/reason", Type::Text(200)),
    f("/delivered_quantity", Type::Int(0, 100_000)).station(),
    f("/donor_relation", Type::Code(&["none", "related"])),
    f(
        "/payment_to",
        Type::Code(&["none", "client", "agency", "worker"]),
    ),
    f("/received_from_client_fen", Type::Int(0, 1_000_000_000)),
    f("/expires_on", Type::Day).station(),
    f("/item_kind", Type::Code(super::resource::RESOURCE_KINDS)).station(),
    f("/note", Type::Text(500)).starred(),
    f("/derived", Type::Map).derived().station(),
    f("/derived/class", Type::Word).derived().station(),
    f("/derived/state", Type::Word).derived().station(),
    f("/derived/rank", Type::Int(1, 1_000_000))
        .derived()
        .station(),
    f("/derived/offer", Type::Int(1, 1_000_000)).derived(),
    f("/derived/accept_by", Type::Time).derived(),
    f("/derived/shortage", Type::Int(0, 100_000))
        .derived()
        .station(),
];

const LINKERS: &[Role] = &[Role::Worker, Role::StationLead, Role::HubOfficer];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::Link,
    schema: 1,
    home: Home::Author,
    placements: &[
        Placement {
            to: Target::Station,
            shows: See::Station,
        },
        Placement {
            to: Target::AuthorOf("/resource"),
            shows: See::Whole,
        },
        Placement {
            to: Target::AuthorOf("/need"),
            shows: See::Whole,
        },
    ],
    may: &[
        May {
            op: Op::Request,
            roles: LINKERS,
        },
        May {
            op: Op::Appeal,
            roles: LINKERS,
        },
    ],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::Author,
    life: Life::Slot,
};

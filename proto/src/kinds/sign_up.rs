//! sign_up 报名: a volunteer's intent on a place, arbitrated by the server.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

/// What a sign-up asks for.
pub const WANTS: &[&str] = &["join", "accept", "decline", "leave"];

const FIELDS: &[Field] = &[
    f("/activity", Type::Ref).fixed(),
    f("/session", Type::Int(1, 1_000)).fixed(),
    f("/role", Type::Word).fixed(),
    f("/want", Type::Code(WANTS)).required(),
    f("/offer", Type::Int(1, 1_000_000)),
    f("/reason", Type::Text(200)),
    f("/age", Type::Int(0, 120)),
    f("/guardian_consent", Type::Flag),
    f("/certificate", Type::Text(60)),
    f("/pays_fen", Type::Int(0, 100_000_000)),
    f("/paid_time", Type::Flag),
    f("/note", Type::Text(200)).starred(),
    f("/derived", Type::Map).derived(),
    f("/derived/class", Type::Word).derived(),
    f("/derived/state", Type::Word).derived(),
    f("/derived/rank", Type::Int(1, 1_000_000)).derived(),
    f("/derived/offer", Type::Int(1, 1_000_000)).derived(),
    f("/derived/accept_by", Type::Time).derived(),
    f("/derived/starts_at", Type::Time).derived(),
    f("/derived/ends_at", Type::Time).derived(),
];

const VOLUNTEERS: &[Role] = &[
    Role::Volunteer,
    Role::ActivityLeader,
    Role::Worker,
    Role::StationLead,
];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::SignUp,
    schema: 1,
    home: Home::Author,
    placements: &[Placement {
        to: Target::AuthorOf("/activity"),
        shows: See::Whole,
    }],
    may: &[
        May {
            op: Op::Request,
            roles: VOLUNTEERS,
        },
        May {
            op: Op::Appeal,
            roles: VOLUNTEERS,
        },
    ],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::Author,
    life: Life::Slot,
};

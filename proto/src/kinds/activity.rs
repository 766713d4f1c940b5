//! activity 活动: a volunteer activity with sessions and roles; each is a slot with places.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

/// What an activity is.
pub const ACTIVITY_TYPES: &[&str] = &[
    "home_help",
    "elder_company",
    "child_tutoring",
    "environment",
    "community_service",
    "venue_guide",
    "volunteer_training",
    "charity_performance",
    "emergency_support",
    "meeting",
    "lecture",
    "office_duty",
    "dinner",
    "team_building",
    "rehearsal",
    "religious",
    "commerce",
    "internship",
    "film_viewing",
    "site_visit",
    "democratic_review",
    "other",
];

const FIELDS: &[Field] = &[
    f("/title", Type::Text(60)).required().county(),
    f("/type", Type::Code(ACTIVITY_TYPES)).required().county(),
    f(
        "/work_category",
        Type::Code(super::check_in::WORK_CATEGORIES),
    )
    .county(),
    f("/summary", Type::Text(1_000)).county(),
    f("/village", Type::Region).county(),
    f("/place_name", Type::Text(60)).county(),
    f("/sessions", Type::List(30)).required().county(),
    f("/sessions/-", Type::Map).county(),
    f("/sessions/-/session", Type::Int(1, 1_000))
        .required()
        .county(),
    f("/sessions/-/starts_at", Type::Time).required().county(),
    f("/sessions/-/ends_at", Type::Time).required().county(),
    f("/sessions/-/roles", Type::List(8)).required().county(),
    f("/sessions/-/roles/-", Type::Map).county(),
    f("/sessions/-/roles/-/role", Type::Word)
        .required()
        .county(),
    f("/sessions/-/roles/-/capacity", Type::Int(1, 10_000))
        .required()
        .county(),
    f("/compulsory", Type::Flag).county(),
    f("/fee_fen", Type::Int(0, 100_000_000)).county(),
    f("/subsidy_fen", Type::Int(0, 100_000_000)).county(),
    f("/risk_level", Type::Code(&["low", "medium", "high"])).county(),
    f("/insured", Type::Flag).county(),
    f("/risk_notice", Type::Flag).county(),
    f("/age_min", Type::Int(0, 120)).county(),
    f("/requires_cert", Type::Text(60)).county(),
    f("/names_people", Type::Flag).county(),
    f("/sales", Type::Flag).county(),
    f("/contact", Type::Text(60)),
    f("/state", Type::Code(&["open", "cancelled"]))
        .derived()
        .county(),
    f("/derived", Type::Map).derived().county(),
    f("/derived/class", Type::Word).derived().county(),
    f("/derived/public", Type::Code(&["pass", "review", "risky"])).derived(),
    f("/derived/slots", Type::List(240)).derived().county(),
    f("/derived/slots/-", Type::Map).derived().county(),
    f("/derived/slots/-/session", Type::Int(1, 1_000))
        .derived()
        .county(),
    f("/derived/slots/-/role", Type::Word).derived().county(),
    f("/derived/slots/-/capacity", Type::Int(0, 10_000))
        .derived()
        .county(),
    f("/derived/slots/-/confirmed", Type::Int(0, 10_000))
        .derived()
        .county(),
    f("/derived/slots/-/offered_through", Type::Int(0, 1_000_000))
        .derived()
        .county(),
];

const ORGANISERS: &[Role] = &[
    Role::Worker,
    Role::StationLead,
    Role::ActivityLeader,
    Role::HubOfficer,
];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::Activity,
    schema: 1,
    home: Home::Author,
    placements: &[Placement {
        to: Target::County,
        shows: See::County,
    }],
    may: &[
        May {
            op: Op::Create,
            roles: ORGANISERS,
        },
        May {
            op: Op::Patch,
            roles: ORGANISERS,
        },
        May {
            op: Op::Void,
            roles: ORGANISERS,
        },
        May {
            op: Op::Appeal,
            roles: ORGANISERS,
        },
    ],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::Author,
    life: Life::Merged,
};

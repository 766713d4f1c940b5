//! check_in 签到: proof that a service took place, never attendance. Append-only.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

/// Kinds of place a worker or volunteer can be at.
pub const PLACES: &[&str] = &[
    "home",
    "village_room",
    "station",
    "school",
    "gov_office",
    "outdoors",
    "other",
];

/// What the work is, for every kind that carries `work_category`.
pub const WORK_CATEGORIES: &[&str] = &[
    "service",
    "screening",
    "paperwork_help",
    "party_building",
    "joint_service",
    "emergency_duty",
    "licensing",
    "recognition",
    "approval",
    "payment",
    "democratic_review",
    "publicity_posting",
    "economic_check",
    "household_verification",
    "life_proof",
    "data_entry",
    "enforcement",
    "seal_keeping",
    "office_duty",
    "meeting_service",
    "reception",
    "report_writing",
    "petition_control",
    "land_demolition",
    "premium_collection",
    "patrol",
    "checkpoint",
    "census_election",
    "errand",
    "supervision",
    "training",
    "travel",
];

/// Coordinate systems; a fix without one does not validate.
pub const SYSTEMS: &[&str] = &["wgs84", "gcj02"];

const FIELDS: &[Field] = &[
    f("/work_category", Type::Code(WORK_CATEGORIES)).station(),
    f(
        "/purpose",
        Type::Code(&[
            "visit",
            "activity",
            "duty",
            "supervision",
            "training",
            "travel",
        ]),
    )
    .required()
    .station(),
    f("/phase", Type::Code(&["in", "out"])).required().station(),
    f("/pair", Type::Ref).station(),
    f("/place", Type::Map).required().station(),
    f("/place/kind", Type::Code(PLACES)).required().station(),
    f("/place/village", Type::Region).station(),
    f("/place/name", Type::Text(60)),
    f("/fix", Type::Map).starred(),
    // As wide as a longitude: Hunan lies beyond 90° east, and a swapped pair must be told as such.
    f("/fix/lat_e7", Type::Int(-1_800_000_000, 1_800_000_000))
        .required()
        .starred(),
    f("/fix/lng_e7", Type::Int(-1_800_000_000, 1_800_000_000))
        .required()
        .starred(),
    f("/fix/accuracy_m", Type::Int(0, 100_000))
        .required()
        .starred(),
    f("/fix/system", Type::Code(SYSTEMS)).required().starred(),
    f("/fix/fixed_at", Type::Time).starred(),
    f("/no_fix_reason", Type::Text(120)),
    f("/assigned_by", Type::Map),
    f("/assigned_by/office", Type::Text(60)),
    f("/assigned_by/person", Type::Text(40)).starred(),
    f("/activity", Type::Ref).station(),
    f("/late_reason", Type::Text(200)),
    f("/note", Type::Text(500)).starred(),
    f("/derived", Type::Map).derived().station(),
    f("/derived/class", Type::Word).derived().station(),
    f("/derived/fence", Type::Word).derived(),
    f("/derived/distance_m", Type::Int(0, i64::MAX)).derived(),
    f("/derived/claim", Type::Word).derived().station(),
    f("/derived/plausibility", Type::Int(0, 100)).derived(),
    f("/derived/reasons", Type::List(8)).derived(),
    f("/derived/reasons/-", Type::Word).derived(),
];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::CheckIn,
    schema: 1,
    home: Home::Author,
    placements: &[Placement {
        to: Target::Station,
        shows: See::Station,
    }],
    may: &[
        May {
            op: Op::Create,
            roles: &[
                Role::Worker,
                Role::StationLead,
                Role::Volunteer,
                Role::ActivityLeader,
            ],
        },
        May {
            op: Op::Void,
            roles: &[Role::Worker, Role::StationLead, Role::Volunteer],
        },
        May {
            op: Op::Appeal,
            roles: &[Role::Worker, Role::StationLead, Role::Volunteer],
        },
    ],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::Author,
    life: Life::AppendOnly,
};

//! visit 走访 / 服务记录: a service to a client, a group or a village, with photographs.

use super::check_in::WORK_CATEGORIES;
use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::limits;
use crate::role::Role;

/// What came of a visit.
pub const OUTCOMES: &[&str] = &[
    "served",
    "not_home",
    "declined",
    "moved",
    "hospital",
    "deceased",
    "referred",
    "official_reply",
    "promise",
    "other",
];
/// Decisions a record may state; those beyond `none` and `advised` are officials' decisions.
pub const DECISIONS: &[&str] = &[
    "none",
    "advised",
    "licence_granted",
    "licence_refused",
    "eligible",
    "not_eligible",
    "first_review_pass",
    "first_review_fail",
    "approved",
    "rejected",
    "payment_granted",
];
/// Roles in which somebody can sign.
pub const SIGNER_ROLES: &[&str] = &[
    "client",
    "guardian",
    "witness",
    "worker",
    "investigator",
    "reviewer",
    "approver",
    "recogniser",
    "licensor",
    "payer",
    "host",
    "observer",
    "recorder",
    "certifier",
];
/// Relations in which somebody may lawfully sign for another.
pub const RELATIONS: &[&str] = &[
    "self", "guardian", "spouse", "child", "parent", "relative", "witness", "none",
];
/// What can be handed over.
pub const HANDED_OVER: &[&str] = &[
    "goods",
    "charity_money",
    "cash_benefit",
    "bank_card",
    "passbook",
    "medicine",
    "document",
    "other",
];

const FIELDS: &[Field] = &[
    f("/client", Type::Ref).fixed(),
    f("/participants", Type::List(60)).add_wins(),
    f("/participants/-", Type::Ref),
    f("/headcount", Type::Int(0, 2_000)).station(),
    f("/no_client_reason", Type::Text(120)),
    f("/co_workers", Type::List(6)).add_wins(),
    f("/co_workers/-", Type::Person),
    f("/services", Type::List(12)).station(),
    f("/services/-", Type::Word).station(),
    f("/case_stage", Type::Word).station(),
    f("/work_category", Type::Code(WORK_CATEGORIES)).station(),
    f("/method", Type::Code(&["case", "group", "community"])).station(),
    f(
        "/mode",
        Type::Code(&["home", "telephone", "video", "station", "outdoors"]),
    )
    .station(),
    f("/village", Type::Region).station().mine(),
    f("/started_at", Type::Time).required().station().mine(),
    f("/ended_at", Type::Time).required().station().mine(),
    f("/check_in", Type::Ref),
    f("/purpose", Type::Text(1_000)).starred(),
    f("/process", Type::Text(4_000)).starred(),
    f("/needs_found", Type::List(12)).add_wins(),
    f("/needs_found/-", Type::Word),
    f("/handed_over", Type::List(12)).add_wins(),
    f("/handed_over/-", Type::Map),
    f("/handed_over/-/kind", Type::Code(HANDED_OVER)).required(),
    f("/handed_over/-/what", Type::Text(80)),
    f("/handed_over/-/quantity", Type::Int(0, 1_000_000)),
    f("/handed_over/-/value_fen", Type::Int(0, 1_000_000_000)),
    f("/handed_over/-/source", Type::Text(80)),
    f("/referrals", Type::List(6)).add_wins(),
    f("/referrals/-", Type::Text(80)),
    f("/outcome", Type::Map).station(),
    f("/outcome/kind", Type::Code(OUTCOMES))
        .required()
        .station(),
    f("/outcome/decision", Type::Code(DECISIONS)),
    f("/signatures", Type::List(8)).add_wins(),
    f("/signatures/-", Type::Map),
    f("/signatures/-/role", Type::Code(SIGNER_ROLES)).required(),
    f("/signatures/-/signer", Type::Text(40))
        .required()
        .starred(),
    f("/signatures/-/signed_by", Type::Text(40)).starred(),
    f("/signatures/-/relation", Type::Code(RELATIONS)),
    f(
        "/signatures/-/seal_owner",
        Type::Code(&["none", "agency", "village", "government"]),
    ),
    f("/client_response", Type::Text(1_000)).starred(),
    f("/result", Type::Text(1_000)).starred(),
    f("/follow_up", Type::Map),
    f("/follow_up/plan", Type::Text(500)).starred(),
    f("/follow_up/due_on", Type::Day),
    f("/photos", Type::List(limits::PHOTOS_PER_VISIT_MAX)).add_wins(),
    f("/photos/-", Type::Map),
    f("/photos/-/sha256", Type::Sha256).required(),
    f(
        "/photos/-/bytes",
        Type::Int(1, limits::PHOTO_BYTES_MAX as i64),
    )
    .required(),
    f(
        "/photos/-/mime",
        Type::Code(&["image/jpeg", "image/png", "image/webp"]),
    )
    .required(),
    f("/photos/-/purpose", Type::Word),
    f(
        "/photos/-/source",
        Type::Code(&["camera", "album", "unknown"]),
    ),
    f("/photos/-/captured_at", Type::Time),
    f("/photos/-/consent", Type::Flag),
    f("/photos/-/visibility", Type::Code(&["record", "public"])),
    f("/photos_declined", Type::Flag),
    f("/received_from_client", Type::List(6)).add_wins(),
    f("/received_from_client/-", Type::Map),
    f(
        "/received_from_client/-/kind",
        Type::Code(&["gift", "fee", "errand_money"]),
    )
    .required(),
    f(
        "/received_from_client/-/value_fen",
        Type::Int(0, 1_000_000_000),
    ),
    f("/assigned_by", Type::Map),
    f("/assigned_by/office", Type::Text(60)),
    f("/assigned_by/person", Type::Text(40)).starred(),
    f(
        "/risk",
        Type::Code(&["none", "minor_harm", "violence", "self_harm", "danger"]),
    )
    .starred(),
    f("/state", Type::Code(&["submitted", "returned", "approved"]))
        .derived()
        .station(),
    f("/derived", Type::Map).derived().station(),
    f("/derived/class", Type::Word).derived().station(),
    f("/derived/field", Type::Word).derived().station(),
    f("/derived/minutes", Type::Int(0, 100_000))
        .derived()
        .station(),
    f("/derived/evidence", Type::Word).derived().station(),
    f("/derived/review_reason", Type::Text(500)).derived(),
    f("/derived/photo_count", Type::Int(0, 9))
        .derived()
        .station(),
    f("/derived/photos_here", Type::Int(0, 9))
        .derived()
        .station(),
];

const FIELD_STAFF: &[Role] = &[Role::Worker, Role::StationLead];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::Visit,
    schema: 1,
    home: Home::Author,
    placements: &[
        Placement {
            to: Target::Station,
            shows: See::Station,
        },
        Placement {
            to: Target::WorkersOf("/client"),
            shows: See::Whole,
        },
    ],
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
    act_time: Some("/started_at"),
    sealed_for: SealedFor::ClientIn("/client"),
    life: Life::Merged,
};

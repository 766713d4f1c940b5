//! client 服务对象: the card of a person served, with the workers assigned to them.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

const FIELDS: &[Field] = &[
    f("/number", Type::Word).card(),
    f("/name", Type::Text(40)).required().sealed_card(),
    f("/sex", Type::Code(&["female", "male", "unknown"])).card(),
    f("/born_on", Type::Day).sealed_card(),
    f("/categories", Type::List(8)).add_wins().card(),
    f("/categories/-", Type::Word).card(),
    f("/village", Type::Region).required().card(),
    f("/address", Type::Text(120)).sealed_card(),
    f("/contacts", Type::List(4)).sealed_card(),
    f("/contacts/-", Type::Map).sealed_card(),
    f("/contacts/-/relation", Type::Word)
        .required()
        .sealed_card(),
    f("/contacts/-/telephone", Type::Text(20))
        .required()
        .sealed_card(),
    f("/guardian", Type::Text(40)).sealed_card(),
    f("/id_number", Type::Text(18)).starred(),
    f("/no_id_reason", Type::Text(120)),
    f("/tier", Type::Code(&["high_risk", "key", "general"])).card(),
    f("/next_due_on", Type::Day).card(),
    f("/workers", Type::List(12)).add_wins().card(),
    f("/workers/-", Type::Map).card(),
    f("/workers/-/person", Type::Person).required().card(),
    f("/workers/-/from", Type::Time).required().card(),
    f("/workers/-/to", Type::Time).card(),
    f("/workers/-/reason", Type::Text(120)).card(),
    f("/consents", Type::List(12)).add_wins(),
    f("/consents/-", Type::Map),
    f("/consents/-/purpose", Type::Word).required(),
    f("/consents/-/channel", Type::Word).required(),
    f("/consents/-/by", Type::Text(40)).starred(),
    f("/consents/-/given_at", Type::Time).required(),
    f("/consents/-/withdrawn_at", Type::Time),
    f(
        "/work_category",
        Type::Code(super::check_in::WORK_CATEGORIES),
    ),
    f("/eligibility", Type::Map),
    f("/eligibility/programme", Type::Word),
    f("/eligibility/decision", Type::Code(super::visit::DECISIONS)),
    f("/background", Type::Text(2_000)).starred(),
    f("/derived", Type::Map).derived().card(),
    f("/derived/class", Type::Word).derived().card(),
];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::Client,
    schema: 1,
    home: Home::Vault,
    placements: &[
        Placement {
            to: Target::Workers,
            shows: See::Whole,
        },
        Placement {
            to: Target::Cards,
            shows: See::Card,
        },
    ],
    may: &[
        May {
            op: Op::Create,
            roles: &[Role::Worker, Role::StationLead],
        },
        May {
            op: Op::Patch,
            roles: &[Role::Worker, Role::StationLead],
        },
        May {
            op: Op::Void,
            roles: &[Role::StationLead],
        },
        May {
            op: Op::Appeal,
            roles: &[Role::Worker, Role::StationLead],
        },
    ],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::Record,
    life: Life::Merged,
};

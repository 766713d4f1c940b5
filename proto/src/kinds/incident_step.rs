//! incident_step 危情处置: what a reviewer does about an incident, one record a step.
//!
//! A row of its own in `restricted:`, never in `hub:`: that an incident exists is told to nobody
//! who is no named reviewer.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, SealedFor, Type};
use crate::role::Role;

/// What can be done about an incident.
pub const STEPS: &[&str] = &["confirm", "close", "consent", "told"];
/// Who can be told.
pub const TOLD: &[&str] = &["police", "civil_affairs", "education", "family", "guardian"];
/// Whether a competent adult agrees that others are told.
pub const CONSENTS: &[&str] = &["given", "refused", "not_asked"];
/// Why nobody was asked.
pub const UNASKED: &[&str] = &["minor", "acute_danger", "no_capacity"];

const FIELDS: &[Field] = &[
    f("/incident", Type::Ref).required(),
    f("/step", Type::Code(STEPS)).required(),
    f("/reason", Type::Text(500)).starred(),
    f("/who", Type::Code(TOLD)),
    f("/told_at", Type::Time),
    f("/consent", Type::Code(CONSENTS)),
    f("/why", Type::Code(UNASKED)),
    f("/acute", Type::Flag),
    f("/note", Type::Text(500)).starred(),
];

/// The table of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: Kind::IncidentStep,
    schema: 1,
    home: Home::Restricted,
    placements: &[],
    may: &[May {
        op: Op::Request,
        roles: &[Role::HubReviewer, Role::CountyBureau],
    }],
    fields: FIELDS,
    act_time: None,
    sealed_for: SealedFor::Author,
    life: Life::AppendOnly,
};

//! Kinds that only the server writes, and the reviewer's request.

use super::field::f;
use super::{Field, Home, Kind, KindSpec, Life, May, Op, Placement, SealedFor, See, Target, Type};
use crate::role::Role;

const fn server_only(
    kind: Kind,
    home: Home,
    placements: &'static [Placement],
    fields: &'static [Field],
) -> KindSpec {
    KindSpec {
        kind,
        schema: 1,
        home,
        placements,
        may: &[],
        fields,
        act_time: None,
        sealed_for: SealedFor::Author,
        life: Life::ServerOnly,
    }
}

/// What a reviewer can decide.
pub const DECISIONS: &[&str] = &[
    "release",
    "refuse",
    "upheld",
    "changed",
    "list_wrong",
    "approve",
    "return",
];

/// review 审核: a reviewer's decision about a held record, an appeal or a visit.
pub static REVIEW: KindSpec = KindSpec {
    kind: Kind::Review,
    schema: 1,
    home: Home::Hub,
    placements: &[],
    may: &[May {
        op: Op::Request,
        roles: &[Role::HubReviewer, Role::CountyBureau],
    }],
    fields: &[
        f("/record", Type::Ref).required().station(),
        f("/decision", Type::Code(DECISIONS)).required().station(),
        f("/reason", Type::Text(500)).required().station(),
    ],
    act_time: None,
    sealed_for: SealedFor::Author,
    life: Life::AppendOnly,
};

/// refusal 拒收回执: rule, clause, paths, hash, time, station, ordering office; no narrative.
pub static REFUSAL: KindSpec = server_only(
    Kind::Refusal,
    Home::Author,
    &[Placement {
        to: Target::Restricted,
        shows: See::Station,
    }],
    &[
        f("/record", Type::Ref).station(),
        f("/record_kind", Type::Word).station(),
        f("/rule", Type::Word).station(),
        f("/pack", Type::Word).station(),
        f("/version", Type::Int(0, i64::MAX)).station(),
        f("/clause", Type::Text(200)).station(),
        f("/basis", Type::Text(400)).station(),
        f("/at", Type::List(16)).station(),
        f("/at/-", Type::Text(120)).station(),
        f("/content", Type::Sha256).station(),
        f("/unit", Type::Region).station(),
        f("/ordering_office", Type::Text(60)).station(),
        f("/minutes", Type::Int(0, 100_000)).station(),
        f("/occurred_at", Type::Time).station(),
        f("/state", Type::Word).station(),
        f("/refiled_as", Type::Ref).station(),
    ],
);

/// verdict 裁定: a final verdict that came after the answer, in the person's mailbox.
pub static VERDICT: KindSpec = server_only(
    Kind::Verdict,
    Home::Author,
    &[],
    &[
        f("/n", Type::Int(0, i64::MAX)),
        f("/device", Type::Word),
        f("/record", Type::Ref),
        f("/verdict", Type::Map),
    ],
);

/// held 待审: a stored item that is not final; whole to its author and to named reviewers.
pub static HELD: KindSpec = server_only(
    Kind::Held,
    Home::Author,
    &[Placement {
        to: Target::Restricted,
        shows: See::Whole,
    }],
    &[
        f("/record", Type::Ref),
        f("/record_kind", Type::Word),
        f("/for", Type::Word),
        f("/rule", Type::Word),
        f("/missing", Type::List(32)),
        f("/missing/-", Type::Ref),
        f("/mutation", Type::Map).starred(),
        f("/until", Type::Time),
        f("/escalated", Type::Flag),
    ],
);

/// incident 紧急事件: suspected danger; seen by named reviewers only.
pub static INCIDENT: KindSpec = server_only(
    Kind::Incident,
    Home::Restricted,
    &[],
    &[
        f("/record", Type::Ref),
        f("/record_kind", Type::Word),
        f("/rule", Type::Word),
        f("/state", Type::Word),
        f("/text", Type::Text(4_000)).starred(),
        f("/reported_by", Type::Person),
        f("/defects", Type::List(16)),
        f("/defects/-", Type::Text(120)),
        f("/rules", Type::List(16)),
        f("/rules/-", Type::Word),
        f("/sources", Type::List(100)),
        f("/sources/-", Type::Map),
        f("/sources/-/record", Type::Ref),
        f("/sources/-/record_kind", Type::Word),
        f("/sources/-/rules", Type::List(16)),
        f("/sources/-/rules/-", Type::Word),
        f("/sources/-/defects", Type::List(16)),
        f("/sources/-/defects/-", Type::Text(120)),
        f("/sources/-/received_at", Type::Time),
        f("/sources/-/text", Type::Text(4_000)).starred(),
        f("/decided_by", Type::Person),
        f("/reason", Type::Text(500)).starred(),
        f("/consent", Type::Code(super::incident_step::CONSENTS)),
        f("/why", Type::Code(super::incident_step::UNASKED)),
        f("/told", Type::List(64)),
        f("/told/-", Type::Map),
        f("/told/-/who", Type::Code(super::incident_step::TOLD)),
        f("/told/-/told_at", Type::Time),
        f("/told/-/by", Type::Person),
        f("/told/-/acute", Type::Flag),
        f("/told/-/note", Type::Text(500)).starred(),
    ],
);

/// grant 授权: a role at a unit from and to, in the person's mailbox.
pub static GRANT: KindSpec = server_only(
    Kind::Grant,
    Home::Author,
    &[],
    &[
        f("/role", Type::Word),
        f("/unit", Type::Region),
        f("/from_at", Type::Time),
        f("/to_at", Type::Time),
    ],
);

/// rule_pack 规则包: a published pack.
pub static RULE_PACK: KindSpec = server_only(
    Kind::RulePack,
    Home::Rules,
    &[],
    &[
        f("/pack", Type::Word),
        f("/version", Type::Int(0, i64::MAX)),
        f("/document", Type::Map),
        f("/signature", Type::Text(128)),
        f("/signer", Type::Word),
    ],
);

//! Record kinds: one table per kind says its fields, home, placements, and who may do what.
//!
//! Everything that depends on a kind is read from these tables: the structure check, the completed
//! shape that rules see, the projections, the merge policy per field. Visibility is deny by
//! default: a field without `.station()` or `.county()` is only ever in a whole copy.

pub mod activity;
pub mod check_in;
pub mod client;
pub mod field;
pub mod incident_step;
pub mod link;
pub mod need;
pub mod order_report;
pub mod resource;
pub mod server_side;
pub mod sign_up;
pub mod visit;
pub mod work_time;

use crate::role::Role;
pub use field::{Field, Merge, See, Type};

macro_rules! kinds {
    ($($kind:ident $name:literal $number:literal $spec:path;)*) => {
        /// What a record is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($kind,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The number in the store and in cursors; never reused.
            pub const fn number(self) -> i64 {
                match self { $(Self::$kind => $number,)* }
            }

            /// The kind's table.
            pub const fn spec(self) -> &'static KindSpec {
                match self { $(Self::$kind => &$spec,)* }
            }
        }
    };
}

kinds! {
    CheckIn "check_in" 1 check_in::SPEC;
    Visit "visit" 2 visit::SPEC;
    WorkTime "work_time" 3 work_time::SPEC;
    Client "client" 4 client::SPEC;
    Activity "activity" 5 activity::SPEC;
    SignUp "sign_up" 6 sign_up::SPEC;
    Need "need" 7 need::SPEC;
    Resource "resource" 8 resource::SPEC;
    Link "link" 9 link::SPEC;
    OrderReport "order_report" 10 order_report::SPEC;
    Review "review" 20 server_side::REVIEW;
    Refusal "refusal" 21 server_side::REFUSAL;
    Verdict "verdict" 22 server_side::VERDICT;
    Held "held" 23 server_side::HELD;
    Incident "incident" 24 server_side::INCIDENT;
    Grant "grant" 25 server_side::GRANT;
    RulePack "rule_pack" 26 server_side::RULE_PACK;
    IncidentStep "incident_step" 27 incident_step::SPEC;
}

impl Kind {
    /// The kind of a wire name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind of a stored number.
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.number() == number)
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom("unknown kind"))
    }
}

/// Everything the engine knows about a kind.
#[derive(Debug)]
pub struct KindSpec {
    pub kind: Kind,
    /// Version of the field table.
    pub schema: u32,
    /// Stream that keeps the canonical, whole row.
    pub home: Home,
    /// Further streams, each with what it shows; rewritten at every rev.
    pub placements: &'static [Placement],
    /// Operations and the roles that may do them at the record's unit.
    pub may: &'static [May],
    pub fields: &'static [Field],
    /// Pointer to the act time inside the body; the mutation's `occurred_at` when absent.
    pub act_time: Option<&'static str>,
    /// Under whose key confidential fields are sealed.
    pub sealed_for: SealedFor,
    /// How records of this kind change after creation.
    pub life: Life,
}

/// The stream that keeps a record whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// `person:<author>`.
    Author,
    /// `vault:<county>`, which nobody reads; copies go out by placements.
    Vault,
    /// `hub:<county>`.
    Hub,
    /// `restricted:<county>`.
    Restricted,
    /// `rules:<region>`.
    Rules,
}

/// One further stream of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    pub to: Target,
    pub shows: See,
}

/// Which stream a placement goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `station:<unit>`.
    Station,
    /// `cards:<unit>`: client cards for the station's lead.
    Cards,
    /// `county:<county>`.
    County,
    /// `hub:<county>`.
    Hub,
    /// `restricted:<county>`.
    Restricted,
    /// `person:<p>` for the person named by a field of this record.
    Person(&'static str),
    /// `person:<p>` for the workers assigned now in this record's `/workers`.
    Workers,
    /// `person:<p>` for the workers assigned now to the client that this field names.
    WorkersOf(&'static str),
    /// `person:<p>` for the author of the record that this field names.
    AuthorOf(&'static str),
}

/// What can be done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Create,
    Patch,
    Void,
    Request,
    Appeal,
}

impl Op {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Void => "void",
            Self::Request => "request",
            Self::Appeal => "appeal",
        }
    }
}

/// Who may do an operation.
#[derive(Debug, Clone, Copy)]
pub struct May {
    pub op: Op,
    pub roles: &'static [Role],
}

/// Whose key seals the confidential part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedFor {
    Author,
    /// The client that this field names, else the author.
    ClientIn(&'static str),
    /// The record is itself the person concerned.
    Record,
}

/// How a record changes after creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Never; corrections are void and a new record.
    AppendOnly,
    /// Patches with `base`, merged per field.
    Merged,
    /// Intents arbitrated on a slot.
    Slot,
    /// Only the server writes.
    ServerOnly,
}

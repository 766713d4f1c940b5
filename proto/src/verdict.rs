//! Verdicts: what became of a mutation, in words a phone can act on and a person can read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{RecordId, Seq};

/// The seven answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictName {
    Accepted,
    Merged,
    Duplicate,
    Conflict,
    Rejected,
    Invalid,
    Held,
}

impl VerdictName {
    /// The stored number.
    pub const fn number(self) -> i64 {
        match self {
            Self::Accepted => 1,
            Self::Merged => 2,
            Self::Duplicate => 3,
            Self::Conflict => 4,
            Self::Rejected => 5,
            Self::Invalid => 6,
            Self::Held => 7,
        }
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Merged => "merged",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Invalid => "invalid",
            Self::Held => "held",
        }
    }

    /// Says whether a record now holds what was sent.
    pub const fn is_stored(self) -> bool {
        matches!(self, Self::Accepted | Self::Merged)
    }
}

/// Why an item is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldFor {
    /// Something it names has not arrived.
    Missing,
    /// A person decides.
    Review,
}

impl HeldFor {
    /// The stored word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Review => "review",
        }
    }
}

/// One answer to one mutation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub n: i64,
    pub id: RecordId,
    pub verdict: VerdictName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// For `duplicate`: the first verdict, or the final one since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Box<Verdict>>,
    /// For `merged`: pointers where this patch was taken and where the stored value stayed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub theirs: Vec<String>,
    /// For `conflict`: pointers that changed since `base`, and the stored record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_en: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instead: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub held_for: Option<HeldFor>,
    /// It was answered in an earlier epoch and let in by its proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restored: bool,
    /// Binds the answer to whom it was given; never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

impl Verdict {
    /// A verdict with nothing but its name.
    pub fn bare(n: i64, id: RecordId, verdict: VerdictName) -> Self {
        Self {
            n,
            id,
            verdict,
            rev: None,
            seq: None,
            derived: None,
            notices: Vec::new(),
            was: None,
            kept: Vec::new(),
            theirs: Vec::new(),
            fields: Vec::new(),
            current: None,
            rule: None,
            at: Vec::new(),
            message: None,
            message_en: None,
            refusal: None,
            instead: Vec::new(),
            errors: Vec::new(),
            held_for: None,
            restored: false,
            mac: None,
        }
    }

    /// Says whether nothing can change this verdict any more.
    pub fn is_final(&self) -> bool {
        match (&self.was, self.verdict) {
            (Some(was), VerdictName::Duplicate) => was.is_final(),
            (_, name) => name != VerdictName::Held,
        }
    }
}

/// The rule behind a verdict, as cited to the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRef {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pack: String,
    #[serde(default)]
    pub version: i64,
    pub id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub clause: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub basis: String,
}

/// A rule that was met without refusing: a warning, a tag, an amendment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub rule: RuleRef,
    /// `warn`, `tag` or `amend`.
    pub verdict: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    pub message: String,
    pub message_en: String,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer into the mutation's body, or into the mutation itself.
    pub pointer: String,
    pub code: String,
    pub detail: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail_en: String,
}

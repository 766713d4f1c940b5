//! The rule pack as its authors write it: lexicons and rules of one region, with their bases.
//!
//! YAML for authors, canonical JSON on the wire, the same shape for phone and server. Unknown
//! members are refused, so that a misspelt word never silently switches a rule off. What a pack
//! means (conditions, mentions, facts) is the business of the engine, not of this file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kinds::Kind;

/// The pack of derived rules that ships with the programme.
pub const STARTER: &str = include_str!("../packs/43.yaml");
/// The weights of the text signals that ship with the programme; `make train` learns them.
pub const SIGNALS: &[u8] = include_bytes!("../packs/signals.bin");
/// The catalogue of services that ships with the programme.
pub const CATALOGUE: &str = include_str!("../packs/catalogue.yaml");

/// One version of one region's rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackDoc {
    /// Region code: `43` for the province, six digits for a county that tightens.
    pub pack: String,
    pub version: i64,
    pub effective: Effective,
    /// Words that end the messages of a verdict, of `danger`, and of rules that are `derived`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub closings: BTreeMap<String, Words>,
    /// Messages that several rules share, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub messages: BTreeMap<String, Words>,
    /// SHA-256 in hex of the learned weights that decide its lexicons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<String>,
    #[serde(default)]
    pub lexicons: BTreeMap<String, LexiconDoc>,
    pub rules: Vec<RuleDoc>,
    /// Dated loosenings; only the province's pack may hold any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exemptions: Vec<ExemptionDoc>,
}

/// A dated loosening: these rules say nothing about these units from one day to another, both
/// inclusive, UTC+8. Which day of a record counts is said by each rule's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExemptionDoc {
    pub id: String,
    /// Rules of the same document.
    pub rules: Vec<String>,
    /// Codes of units; what lies in them is meant too.
    pub units: Vec<String>,
    pub from: String,
    pub to: String,
    /// Why, for whoever reads the judgement.
    pub reason: Words,
    /// The order or notice it rests on.
    pub basis: String,
}

/// The days a pack is in force, both inclusive, UTC+8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effective {
    pub from: String,
    pub to: Option<String>,
}

/// Phrases that name an act, and markers that make it somebody else's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LexiconDoc {
    /// The weights of the pack decide, under the lexicon's name, beside its phrases.
    #[serde(default, skip_serializing_if = "is_false")]
    pub learned: bool,
    #[serde(default)]
    pub acts: Vec<String>,
    /// Words which, standing before the act in its clause, say that the act is not the writer's.
    #[serde(default)]
    pub not_when: Vec<String>,
}

/// A public key by which packs are believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PackKey {
    /// First 16 hexadecimal digits of the key's SHA-256.
    pub id: String,
    /// Ed25519, 64 hexadecimal digits.
    pub key: String,
    /// The one region whose packs it may sign; any region when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands in a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub zh: String,
    pub en: String,
}

/// A rule's message: its own words, or the name of a shared one. `{title}` stands for the title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MessageDoc {
    Shared(String),
    Own(Words),
}

impl<'de> Deserialize<'de> for MessageDoc {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = MessageDoc;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("words in zh and en, or the name of a shared message")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<MessageDoc, E> {
                Ok(MessageDoc::Shared(name.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<MessageDoc, A::Error> {
                let members = serde::de::value::MapAccessDeserializer::new(map);
                Words::deserialize(members).map(MessageDoc::Own)
            }
        }
        from.deserialize_any(Either)
    }
}

/// What a rule rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub practice: Option<String>,
    /// The text of the province's list was not at hand when this rule was written.
    #[serde(default)]
    pub derived: bool,
}

/// One rule: exactly one of `when`, `mentions` and `stateful` says when it applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDoc {
    pub id: String,
    pub title: Words,
    /// What is cited to the worker.
    pub clause: String,
    pub basis: Basis,
    pub kinds: Vec<Kind>,
    /// A condition in the Common Expression Language over the completed record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// A lexicon: the rule applies to any text of the record that mentions it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<String>,
    /// A built-in over facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stateful: Option<StatefulRule>,
    /// Opens an incident instead of giving a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub danger: Option<DangerState>,
    /// Shows on somebody's board and is said to nobody else; never held against a worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertTo>,
    /// Absent only where `danger` or `alert` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<RuleVerdict>,
    /// JSON pointers shown to the worker; those the record lacks are left out of a hit.
    #[serde(default)]
    pub at: Vec<String>,
    #[serde(default)]
    pub clock: RuleClock,
    pub message: MessageDoc,
    #[serde(default)]
    pub instead: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
}

/// What a rule does to a record, from the mildest to the severest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleVerdict {
    /// Counts as working time, not as professional service.
    Tag,
    /// Accepted; the worker acknowledges.
    Warn,
    /// Accepted without the part that was refused.
    Amend,
    /// A person decides.
    Hold,
    /// Refused as a service record.
    Reject,
}

impl RuleVerdict {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Warn => "warn",
            Self::Amend => "amend",
            Self::Hold => "hold",
            Self::Reject => "reject",
        }
    }
}

/// Which time chooses the pack's version for a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleClock {
    #[default]
    Act,
    Receipt,
}

/// How a danger became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DangerState {
    /// A text sounds like it; a reviewer confirms or closes.
    Suspected,
    /// The worker said so in the record.
    Reported,
}

impl DangerState {
    /// The stored word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Reported => "reported",
        }
    }
}

/// Whose board an alert shows on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertTo {
    County,
}

/// Built-in rules over facts of other records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatefulRule {
    /// A worker at two visits at once. Params: `tolerance_minutes`, `except_modes`.
    OverlappingVisits,
    /// Two fixes too far apart for the time between. Params: `kmh_max`, `metres_min`.
    ImpossibleTravel,
    /// A check-out earlier than the check-in it closes. Params: `tolerance_minutes`.
    CheckOutBeforeIn,
    /// A co-worker who was at another visit. Params: `tolerance_minutes`, `except_modes`.
    CoWorkerElsewhere,
    /// A photograph that another visit declares.
    PhotoReuse,
    /// An account that was told of other people. Params: `letters`, `percent`, `days`, `times`.
    CopiedNarrative,
    /// A day with more visiting and working time. Params: `minutes`.
    HoursLimit,
    /// One more arrival at an activity than a day allows. Params: `pairs`.
    SignInPairs,
    /// Younger than the activity asks for, without a guardian.
    BelowAge,
    /// The activity asks for a certificate and none is named.
    WithoutCertificate,
    /// Somebody on duty in a government office day after day; only for alerts. Params: `days` of
    /// the last `within_days`.
    SameOfficeDays,
}

/// The catalogue of services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueDoc {
    pub version: i64,
    /// The four fields of the programme, by code.
    pub fields: BTreeMap<String, Words>,
    pub services: Vec<ServiceDoc>,
    #[serde(default)]
    pub methods: Vec<MethodDoc>,
    #[serde(default)]
    pub work_categories: Vec<WorkCategoryDoc>,
    #[serde(default)]
    pub client_categories: Vec<ClientCategoryDoc>,
    #[serde(default)]
    pub visit_tiers: Vec<VisitTierDoc>,
}

/// A method of social work with the stages it goes through, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodDoc {
    pub code: String,
    pub zh: String,
    pub en: String,
    pub stages: Vec<StageDoc>,
}

/// One stage of a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageDoc {
    pub code: String,
    pub zh: String,
    pub en: String,
}

/// What a record's work is, and what its minutes count as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkCategoryDoc {
    pub code: String,
    pub zh: String,
    pub en: String,
    pub class: Class,
}

/// Whom a station serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCategoryDoc {
    pub code: String,
    pub zh: String,
    pub en: String,
    /// Who reads such a card is settled by a reviewer first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
}

/// How often somebody is visited at the least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitTierDoc {
    pub code: String,
    pub zh: String,
    pub en: String,
    pub every_days: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_change_hours: Option<i64>,
}

/// One service of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceDoc {
    pub code: String,
    pub zh: String,
    pub en: String,
    pub field: String,
    pub class: Class,
}

/// What work counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Working time only.
    Administrative,
    /// Allowed, not professional: screening surveys, help with papers.
    Assistive,
    Professional,
}

impl Class {
    /// The stored word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrative => "administrative",
            Self::Assistive => "assistive",
            Self::Professional => "professional",
        }
    }
}

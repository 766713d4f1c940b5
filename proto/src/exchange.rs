//! The exchange: what a phone sends to `POST /v1/sync` and what comes back.
//!
//! Absent members mean default or unchanged. Mutations stay raw JSON here, because their digest is
//! taken over the bytes as sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::ids::{DeviceId, RecordId, Seq, spelled};
use crate::kinds::Op;
use crate::limits::Limits;
use crate::verdict::{HeldFor, Verdict, VerdictName};

/// The protocol version this build speaks.
pub const PROTOCOL: u32 = 1;

/// One request to `POST /v1/sync`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exchange {
    pub protocol: u32,
    pub device: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientBuild>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<PhoneClock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Push>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullAsk>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsent: Option<Unsent>,
    /// Where the journal of each shard stands, as text; what is durable is told for these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub journal: BTreeMap<String, JournalAt>,
}

/// A place in the order of a shard. Numbers compare only within one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub epoch: i64,
    pub seq: Seq,
}

/// What a phone keeps of a shard: the epoch it knows, and the first number it still keeps of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalAt {
    pub epoch: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

/// What shows that a mutation was answered before: the answer as far as it is bound, and its MAC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub n: i64,
    /// The answer, of a duplicate what it was.
    pub verdict: VerdictName,
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub held_for: Option<HeldFor>,
    /// `derived.state` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    pub epoch: i64,
    pub seq: Seq,
    /// `server_time` of the answer.
    pub at: i64,
    pub mac: String,
}

/// Which client speaks, and the schemas it knows per kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClientBuild {
    #[serde(default)]
    pub app: String,
    #[serde(default)]
    pub build: i64,
    #[serde(default)]
    pub schemas: BTreeMap<String, u32>,
}

/// The phone's clocks at the moment of sending.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PhoneClock {
    pub wall_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic_ms: Option<i64>,
    /// Names the boot session; monotonic times compare only within one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Server time less phone time, as last measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_age_ms: Option<i64>,
}

/// The push half.
#[derive(Debug, Serialize, Deserialize)]
pub struct Push {
    /// Verdicts below this number are safe on the phone.
    #[serde(default)]
    pub saved_below: i64,
    pub mutations: Vec<Box<RawValue>>,
    /// Of those mutations that an earlier epoch has answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
}

/// One mutation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mutation {
    /// Counts per device, persisted before the first send.
    pub n: i64,
    pub op: Op,
    pub kind: String,
    /// A station, or a county; its first six digits are the shard.
    pub unit: String,
    #[serde(deserialize_with = "spelled::one")]
    pub id: RecordId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Ids that must exist before this one counts.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "spelled::list"
    )]
    pub needs: Vec<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Pointers and values that a patch sets.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub set: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
    /// Pointers of lists and the elements a patch adds.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub add: Map<String, Value>,
    /// Why something is voided or appealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The refusal an appeal answers.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "spelled::maybe"
    )]
    pub refusal: Option<RecordId>,
}

/// The pull half.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PullAsk {
    #[serde(default)]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    #[serde(default)]
    pub sums: bool,
}

/// How rows are written. `columns` is a wish: where few rows come they come as rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    Rows,
    Columns,
}

/// What still waits on the phone beside this request.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Unsent {
    #[serde(default)]
    pub records: i64,
    #[serde(default)]
    pub photos: i64,
    #[serde(default)]
    pub oldest_ms: i64,
}

/// The answer of `POST /v1/sync`; 200 whenever the envelope was understood.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    pub protocol: u32,
    pub server_time: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<PushAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullAnswer>,
    /// Of shards in `journal`: the epoch now, and up to where a verified backup holds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub durable: BTreeMap<String, Position>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// When the phone should come again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Next {
    pub min_ms: i64,
    pub poll_ms: i64,
}

/// Verdicts, and the items that got none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PushAnswer {
    #[serde(default)]
    pub verdicts: Vec<Verdict>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<Unanswered>,
    /// Per shard that answered, as text: its epoch, and where it stood after the commit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stamps: BTreeMap<String, Position>,
}

/// An item that could not be judged now; the phone keeps it and sends it alone later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unanswered {
    pub n: i64,
    pub code: String,
    pub retry_ms: i64,
}

/// One page.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PullAnswer {
    /// Absent when nothing moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enter: Vec<StreamRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave: Vec<StreamRef>,
    /// Shards that answer in another epoch: all their streams that are in neither `enter` nor
    /// `reset` have left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anew: Vec<i64>,
    /// Mark every row of the stream; rows that do not come again by `swept` go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reset: Vec<StreamRef>,
    /// Streams whose reset is complete with this page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub swept: Vec<StreamRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<StreamChanges>,
    /// The same in the other form; one of both is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<StreamColumns>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<StreamSum>,
}

/// A stream in a shard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamRef {
    pub shard: i64,
    pub stream: String,
}

/// Rows of one stream, in order of `seq`.
#[derive(Debug, Serialize, Deserialize)]
pub struct StreamChanges {
    pub shard: i64,
    pub stream: String,
    pub rows: Vec<Row>,
}

/// Rows of one stream, member by member instead of row by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamColumns {
    pub shard: i64,
    pub stream: String,
    /// Texts that occur more than once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    pub columns: Vec<Column>,
    /// Which columns a row has, each combination once.
    pub shapes: Vec<Vec<usize>>,
    /// The combination of each row, by its place in `shapes`.
    pub rows: Vec<usize>,
}

/// The values of one member, of those rows that have it, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The pointer of the member in a row: `/seq`, `/body/started_at`.
    pub at: String,
    #[serde(flatten)]
    pub values: Values,
}

/// How the values of a column are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Whole numbers: the difference to the one before, the first to 0.
    Steps(Vec<i64>),
    /// Whole numbers: the difference to the value of another column in the same row, which comes
    /// before this one.
    Beside(Beside),
    /// Places in `texts`.
    Texts(Vec<usize>),
    /// Ids, 16 bytes each, one behind the other in base64 (URL alphabet, no padding).
    Ids(String),
    /// As they are.
    Plain(Vec<Value>),
}

/// Whole numbers that follow those of another column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    pub column: usize,
    pub by: Vec<i64>,
}

/// One row of a stream. A row that left carries `rm` and no body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub id: RecordId,
    pub seq: Seq,
    pub kind: String,
    pub rev: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rm: bool,
    /// The body is what this phone has just sent, and what is given here beside it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub village: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub occurred_at: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub received_at: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub estimated_at: i64,
    /// 0 monotonic, 1 offset, 2 claimed, 3 impossible.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quality: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<RawValue>>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// What the server counts in one (stream, kind): live rows and two sums of hashes of (id, rev).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSum {
    pub shard: i64,
    pub stream: String,
    pub kind: String,
    pub live: i64,
    pub sum1: i64,
    pub sum2: i64,
}

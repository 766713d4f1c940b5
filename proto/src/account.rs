//! Accounts on the wire: signing in, refreshing, devices, who am I.

use serde::{Deserialize, Serialize};

use crate::exchange::{Proof, StreamRef};
use crate::limits::Limits;
use crate::pack::PackKey;
use crate::role::Role;

/// `POST /v1/sessions`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SignIn {
    pub telephone: String,
    pub password: String,
    /// Six digits of the authenticator app, where the person has set one up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<String>,
    /// Also set an HttpOnly cookie, for a browser.
    #[serde(default)]
    pub cookie: bool,
}

/// The answer to signing in and to refreshing.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SignedIn {
    pub person: PersonCard,
    pub access_token: String,
    pub access_expires_at: i64,
    pub refresh_token: String,
    /// The device under which this session's REST writes are numbered.
    pub device: String,
}

/// `POST /v1/sessions/refresh`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Refresh {
    pub refresh_token: String,
}

/// A person, as the person may see it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonCard {
    pub id: String,
    pub name: String,
    pub roles: Vec<RoleAt>,
    /// Ids of entries that were merged into this person: a phone of one of them is theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<String>,
}

/// A role at a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RoleAt {
    pub role: Role,
    pub unit: String,
}

/// `POST /v1/me/password`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    pub password: String,
    pub new_password: String,
}

/// `POST /v1/me/second-factor`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Password {
    pub password: String,
}

/// A session, as its person sees it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionCard {
    pub id: String,
    pub created_at: i64,
    pub expires_at: i64,
    /// The one that asks.
    pub current: bool,
}

/// `GET /v1/me/sessions`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Sessions {
    pub sessions: Vec<SessionCard>,
}

/// A registered phone, as its person sees it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeviceCard {
    pub id: String,
    /// `active` or `revoked`.
    pub state: String,
    pub registered_at: i64,
    pub last_seen_at: Option<i64>,
    pub waiting_records: Option<i64>,
    pub waiting_photos: Option<i64>,
}

/// `GET /v1/me/devices`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Devices {
    pub devices: Vec<DeviceCard>,
}

/// `POST /v1/sessions/wechat`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeChatSignIn {
    /// From `wx.login`.
    pub code: String,
    /// From the button that lets out the telephone number; only where nobody is bound yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<String>,
}

/// `POST /v1/me/wechat`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeChatCode {
    /// From `wx.login`.
    pub code: String,
    pub password: String,
}

/// `POST /v1/me/messages`, and its answer.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// A kind of message: `offer`.
    pub what: String,
    /// Consents that are kept; in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<i64>,
}

/// `POST /v1/me/second-factor`: what the authenticator app takes; shown once.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SecondFactor {
    /// Base32.
    pub secret: String,
    /// `otpauth://…`, for a picture of squares.
    pub uri: String,
}

/// `POST /v1/me/second-factor/confirm` and `DELETE /v1/me/second-factor`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    pub code: String,
}

/// `POST /v1/devices`, where a registration was lost with a restore: any answer that it was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reregister {
    pub device: String,
    /// Where the proof's mutation was answered.
    pub shard: i64,
    /// SHA-256 of the mutation as sent, in hexadecimal.
    pub digest: String,
    pub proof: Proof,
}

/// `POST /v1/devices`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Registered {
    pub device: String,
    pub limits: Limits,
    pub server_time: i64,
    /// Whose rule packs this phone believes, until it registers again.
    #[serde(default)]
    pub pack_keys: Vec<PackKey>,
}

/// `GET /v1/me`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Me {
    pub person: MyCard,
    pub grants: Vec<GrantCard>,
    pub units: Vec<UnitCard>,
    #[schema(value_type = Vec<Object>)]
    pub streams: Vec<StreamRef>,
}

/// Id and name.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MyCard {
    pub id: String,
    pub name: String,
}

/// A grant with its dates.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantCard {
    pub role: Role,
    pub unit: String,
    pub from_at: i64,
    pub to_at: Option<i64>,
}

/// A unit's code and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UnitCard {
    pub code: String,
    pub name: String,
}

//! Accounts on the wire: signing in, refreshing, devices, who am I.
//!
//! A telephone goes in and never comes out. Tokens are opaque to clients.

use serde::{Deserialize, Serialize};

use crate::exchange::StreamRef;
use crate::ids::{DeviceId, PersonId};
use crate::limits::Limits;
use crate::role::Role;
use crate::time::Millis;

/// Body of `POST /v1/sessions`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Eleven digits.
    pub telephone: String,
    pub password: String,
    /// Also sets an HttpOnly cookie, for pages in a browser.
    #[serde(default)]
    pub cookie: bool,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignIn(…)")
    }
}

/// Answer of `POST /v1/sessions` and of `POST /v1/sessions/refresh`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SignedIn {
    pub person: PersonCard,
    /// Sent as `Authorization: Bearer`.
    pub access_token: String,
    /// Unix milliseconds.
    pub access_expires_at: Millis,
    /// Valid until the one that replaces it is first used.
    pub refresh_token: String,
    /// The session's own device, for REST writes.
    pub device: DeviceId,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedIn(…)")
    }
}

/// Body of `POST /v1/sessions/refresh`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    pub refresh_token: String,
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refresh(…)")
    }
}

/// A person as shown to that person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonCard {
    pub id: PersonId,
    pub name: String,
    /// What the person may be now.
    pub roles: Vec<RoleAt>,
}

impl std::fmt::Debug for PersonCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonCard({})", self.id)
    }
}

/// A role at a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RoleAt {
    pub role: Role,
    /// Region code.
    pub unit: String,
}

/// Answer of `POST /v1/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Registered {
    pub device: DeviceId,
    pub limits: Limits,
    /// Unix milliseconds.
    pub server_time: Millis,
}

/// Answer of `GET /v1/me`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Me {
    pub person: PersonCard,
    pub grants: Vec<GrantCard>,
    /// Names of the units that the grants name, and of the regions above them.
    pub units: Vec<UnitName>,
    /// What the person may read now.
    pub streams: Vec<StreamRef>,
}

/// A grant with its dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantCard {
    pub role: Role,
    pub unit: String,
    /// Unix milliseconds.
    pub from_at: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_at: Option<Millis>,
}

/// A region code and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UnitName {
    pub code: String,
    pub name: String,
}

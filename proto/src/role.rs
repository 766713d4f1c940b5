//! Roles a grant can give.

use serde::{Deserialize, Serialize};

/// What a person may be at a unit for a time.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Worker,
    StationLead,
    HubOfficer,
    HubReviewer,
    CountyBureau,
    AgencyManager,
    Supervisor,
    Volunteer,
    ActivityLeader,
    CityViewer,
    ProvinceAdmin,
    Auditor,
    SystemAdmin,
    SecurityAdmin,
}

impl Role {
    /// Every role, in the order of the table above.
    pub const ALL: [Self; 14] = [
        Self::Worker,
        Self::StationLead,
        Self::HubOfficer,
        Self::HubReviewer,
        Self::CountyBureau,
        Self::AgencyManager,
        Self::Supervisor,
        Self::Volunteer,
        Self::ActivityLeader,
        Self::CityViewer,
        Self::ProvinceAdmin,
        Self::Auditor,
        Self::SystemAdmin,
        Self::SecurityAdmin,
    ];

    /// The name on the wire and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::StationLead => "station_lead",
            Self::HubOfficer => "hub_officer",
            Self::HubReviewer => "hub_reviewer",
            Self::CountyBureau => "county_bureau",
            Self::AgencyManager => "agency_manager",
            Self::Supervisor => "supervisor",
            Self::Volunteer => "volunteer",
            Self::ActivityLeader => "activity_leader",
            Self::CityViewer => "city_viewer",
            Self::ProvinceAdmin => "province_admin",
            Self::Auditor => "auditor",
            Self::SystemAdmin => "system_admin",
            Self::SecurityAdmin => "security_admin",
        }
    }

    /// The role of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

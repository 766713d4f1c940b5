//! Views: which streams a person may read now. Computed from grants at every request.
//!
//! Deny by default: a role that is not named here reads its own mailbox and the rules, no more.

use std::collections::BTreeSet;

use xiangyi_proto::exchange::StreamRef;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::limits::VIEW_STREAMS_MAX;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::Millis;

use crate::world::Granted;

/// The province whose rules and reference everybody reads.
pub const PROVINCE: Shard = Shard(43);

/// Streams of a view in the order in which a page is filled.
///
/// `stations` lists the station units of a county that exist in the store, for hub roles.
pub fn view(
    person: &str,
    grants: &[Granted],
    mailboxes: &[Shard],
    stations: impl Fn(Shard) -> Vec<String>,
    now: Millis,
) -> Vec<StreamRef> {
    let held: Vec<&Granted> = grants.iter().filter(|grant| grant.holds_at(now)).collect();
    let mut shards: BTreeSet<Shard> = mailboxes.iter().copied().collect();
    shards.extend(
        held.iter()
            .filter_map(|grant| region::shard_of(&grant.unit)),
    );
    let mut list = List::default();
    for shard in &shards {
        list.add(*shard, format!("person:{person}"));
    }
    list.add(PROVINCE, format!("rules:{PROVINCE}"));
    for grant in &held {
        if let Some(shard) = region::shard_of(&grant.unit) {
            list.add(shard, format!("rules:{shard}"));
        }
    }
    for grant in &held {
        own_units(&mut list, grant);
    }
    for grant in &held {
        let Some(shard) = region::shard_of(&grant.unit) else {
            continue;
        };
        if reads_hub(grant.role) {
            for unit in stations(shard) {
                list.add(shard, format!("station:{unit}"));
            }
        }
    }
    list.add(PROVINCE, format!("reference:{PROVINCE}"));
    list.streams.truncate(VIEW_STREAMS_MAX);
    list.streams
}

fn own_units(list: &mut List, grant: &Granted) {
    let Some(shard) = region::shard_of(&grant.unit) else {
        return;
    };
    let unit = &grant.unit;
    let station = &unit[..unit.len().min(region::TOWNSHIP_DIGITS)];
    match grant.role {
        Role::Worker => {
            list.add(shard, format!("station:{station}"));
            list.add(shard, format!("county:{shard}"));
        }
        Role::StationLead => {
            list.add(shard, format!("station:{station}"));
            list.add(shard, format!("cards:{station}"));
            list.add(shard, format!("county:{shard}"));
        }
        Role::HubOfficer => {
            list.add(shard, format!("hub:{shard}"));
            list.add(shard, format!("county:{shard}"));
        }
        Role::HubReviewer | Role::CountyBureau => {
            list.add(shard, format!("restricted:{shard}"));
            list.add(shard, format!("hub:{shard}"));
            list.add(shard, format!("county:{shard}"));
        }
        Role::Volunteer | Role::ActivityLeader => list.add(shard, format!("county:{shard}")),
        Role::AgencyManager
        | Role::Supervisor
        | Role::CityViewer
        | Role::ProvinceAdmin
        | Role::Auditor
        | Role::SystemAdmin
        | Role::SecurityAdmin => {}
    }
}

const fn reads_hub(role: Role) -> bool {
    matches!(
        role,
        Role::HubOfficer | Role::HubReviewer | Role::CountyBureau
    )
}

#[derive(Default)]
struct List {
    streams: Vec<StreamRef>,
    seen: BTreeSet<(Shard, String)>,
}

impl List {
    fn add(&mut self, shard: Shard, stream: String) {
        if self.seen.insert((shard, stream.clone())) {
            self.streams.push(StreamRef {
                shard: shard.0,
                stream,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(role: Role, unit: &str, to_at: Option<i64>) -> Granted {
        Granted {
            role,
            unit: unit.to_owned(),
            from_at: 0,
            to_at,
        }
    }

    fn names(grants: &[Granted], now: i64) -> Vec<String> {
        let stations = |_| vec!["430121101".to_owned(), "430121102".to_owned()];
        view("p-1", grants, &[], stations, now)
            .into_iter()
            .map(|s| s.stream)
            .collect()
    }

    #[test]
    fn each_role_sees_its_streams_and_no_other() {
        let worker = names(&[granted(Role::Worker, "430121101", None)], 1);
        assert!(worker.contains(&"station:430121101".to_owned()));
        assert!(
            !worker
                .iter()
                .any(|s| s.contains("hub") || s.contains("102")),
            "{worker:?}"
        );
        let officer = names(&[granted(Role::HubOfficer, "430121", None)], 1);
        assert!(officer.contains(&"station:430121102".to_owned()));
        assert!(
            !officer.iter().any(|s| s.contains("restricted")),
            "{officer:?}"
        );
        let city = names(&[granted(Role::CityViewer, "4301", None)], 1);
        assert!(
            city.iter()
                .all(|s| !s.contains("station") && !s.contains("county")),
            "{city:?}"
        );
    }

    #[test]
    fn an_ended_grant_shows_nothing() {
        let ended = names(&[granted(Role::Worker, "430121101", Some(5))], 5);
        assert!(ended.iter().all(|s| !s.contains("station")), "{ended:?}");
    }
}

//! The people of a world: who they are, where they serve, what their phones know.

use std::collections::BTreeMap;

use xiangyi_proto::role::Role;
use xiangyi_sync::world::Granted;

use crate::dice::Dice;

/// Stations of the two counties.
pub const STATIONS: &[&str] = &["430121101", "430121102", "430181101"];
/// Phones of a world at most.
const PHONES_MAX: usize = 6;

/// Somebody who may appear.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    pub name: &'static str,
    pub roles: &'static [(Role, &'static str)],
}

impl Person {
    /// The unit of the first role.
    pub const fn unit(&self) -> &'static str {
        self.roles[0].1
    }
}

const fn person(name: &'static str, roles: &'static [(Role, &'static str)]) -> Person {
    Person { name, roles }
}

/// Who may appear; the first two and one of the reviewers always do.
const CAST: &[Person] = &[
    person("p-wang", &[(Role::Worker, "430121101")]),
    person("p-shen", &[(Role::HubReviewer, "430121")]),
    person("p-shan", &[(Role::HubReviewer, "430121")]),
    person("p-li", &[(Role::Worker, "430121102")]),
    person("p-zhao", &[(Role::StationLead, "430121101")]),
    person("p-chen", &[(Role::Worker, "430121101")]),
    person("p-vo1", &[(Role::Volunteer, "430121")]),
    person("p-vo2", &[(Role::Volunteer, "430121")]),
    person("p-hu", &[(Role::ActivityLeader, "430121")]),
    person("p-off", &[(Role::HubOfficer, "430121")]),
    person("p-liu", &[(Role::Worker, "430181101")]),
    person(
        "p-two",
        &[(Role::Worker, "430121102"), (Role::Volunteer, "430181")],
    ),
];

/// The people of one world, one for each phone; somebody may have two phones.
pub fn choose(dice: &mut Dice) -> Vec<Person> {
    let mut chosen = vec![CAST[0], CAST[1]];
    let mut rest: Vec<Person> = CAST[3..].to_vec();
    if dice.chance(60) {
        chosen.push(CAST[2]);
    }
    if dice.chance(25) {
        chosen.push(CAST[0]);
    }
    let phones = 3 + dice.below(PHONES_MAX - 2);
    while chosen.len() < phones.max(3) {
        let next = dice.below(rest.len());
        chosen.push(rest.remove(next));
    }
    chosen
}

/// The grants with which a world begins.
pub fn grants(people: &[Person], from_at: i64) -> BTreeMap<String, Vec<Granted>> {
    let grant = |(role, unit): &(Role, &str)| Granted {
        role: *role,
        unit: (*unit).to_owned(),
        from_at,
        to_at: None,
    };
    let of = |person: &Person| {
        let grants = person.roles.iter().map(grant).collect();
        (person.name.to_owned(), grants)
    };
    people.iter().map(of).collect()
}

/// A village of a station; some have a known place.
pub fn village(station: &str, dice: &mut Dice) -> String {
    let station = if station.len() < 9 {
        "430121101"
    } else {
        station
    };
    format!("{station}{:03}", 1 + dice.below(3))
}

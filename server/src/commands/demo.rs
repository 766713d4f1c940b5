//! The demo: real codes, invented people, one known password. On loopback only.

use xiangyi_proto::role::Role;
use xiangyi_proto::time::DAY_MS;

use crate::accounts::password;
use crate::app::{App, StartError};
use crate::store::keys;
use crate::store::people::{self, NewGrant, PersonRow};

/// The password of everybody in the demo.
pub const PASSWORD: &str = "xiangyi-demo";
/// Volunteers that are always there.
pub const VOLUNTEERS: usize = 40;
/// The telephone of volunteer `n` of a crowd is this plus `n`.
pub const CROWD_TELEPHONE: u64 = 13_810_000_000;
/// A volunteer whose name must never appear in a log.
pub const CANARY_NAME: &str = "金丝雀七七三一";

/// An invented person.
#[derive(Debug, Clone)]
pub struct DemoPerson {
    pub id: String,
    pub telephone: String,
    pub name: String,
    pub role: Role,
    pub unit: String,
}

const SURNAMES: [&str; 12] = [
    "周", "刘", "陈", "李", "王", "彭", "罗", "谭", "唐", "邓", "欧阳", "蒋",
];
const GIVEN: [&str; 10] = [
    "小芳", "建军", "秀英", "志强", "丽萍", "文斌", "桂兰", "俊杰", "春燕", "海波",
];

/// People of the demo of whom there is one: id, telephone, role, unit.
#[rustfmt::skip]
const SINGLE: &[(&str, &str, Role, &str)] = &[
    ("p-officer-1", "13800000201", Role::HubOfficer, "430121"),
    ("p-reviewer-1", "13800000202", Role::HubReviewer, "430121"),
    ("p-reviewer-2", "13800000203", Role::HubReviewer, "430121"),
    ("p-leader-1", "13800000401", Role::ActivityLeader, "430121"),
    ("p-city-1", "13800000501", Role::CityViewer, "4301"),
    ("p-province-1", "13800000601", Role::ProvinceAdmin, "43"),
    ("p-liuyang-officer", "13900000201", Role::HubOfficer, "430181"),
];

/// Everybody in the demo; stations are the first six townships of Changsha County.
pub fn people(app: &App) -> Vec<DemoPerson> {
    let stations: Vec<String> = app.regions.under("430121", 9).collect();
    let first = stations.first().map_or("430121", String::as_str);
    let liuyang = app.regions.under("430181", 9).next();
    let liuyang = liuyang.as_deref().unwrap_or("430181");
    let mut list = Vec::new();
    let mut add = |id: String, telephone: String, role: Role, unit: &str| {
        let index = list.len();
        let name = match id.as_str() {
            "p-volunteer-40" => CANARY_NAME.to_owned(),
            _ => invented(index),
        };
        list.push(DemoPerson {
            id,
            telephone,
            name,
            role,
            unit: unit.to_owned(),
        });
    };
    for n in 1..=12_usize {
        let unit = stations.get((n - 1) / 2).map_or("430121", String::as_str);
        let telephone = format!("138000000{n:02}");
        add(format!("p-worker-{n:02}"), telephone, Role::Worker, unit);
    }
    let lead = ("p-lead-1".to_owned(), "13800000101".to_owned());
    add(lead.0, lead.1, Role::StationLead, first);
    for n in 1..=VOLUNTEERS {
        let telephone = format!("13800000{:03}", 300 + n);
        add(
            format!("p-volunteer-{n:02}"),
            telephone,
            Role::Volunteer,
            "430121",
        );
    }
    for (id, telephone, role, unit) in SINGLE {
        add((*id).to_owned(), (*telephone).to_owned(), *role, unit);
    }
    let worker = ("p-liuyang-worker".to_owned(), "13900000001".to_owned());
    add(worker.0, worker.1, Role::Worker, liuyang);
    list
}

fn invented(index: usize) -> String {
    format!(
        "{}{}",
        SURNAMES[index % 12],
        GIVEN[(index * 7 + index / 12) % 10]
    )
}

/// Puts the demo's people into an empty database; a second start changes nothing.
///
/// # Errors
/// When the database does not take them.
pub async fn seed(app: &App) -> Result<(), StartError> {
    let mut tx = app.db.read().await?;
    let foreign = people::is_anybody(&mut tx).await?;
    drop(tx);
    if foreign && !is_here(app).await? {
        let why = "this database holds people of its own: the demo's known password must not come \
                   among them. Start the demo on an empty one";
        return Err(why.into());
    }
    put(app, &people(app)).await
}

/// Says whether the demo's people are in the database.
///
/// # Errors
/// When the database does not answer.
pub async fn is_here(app: &App) -> Result<bool, StartError> {
    let mut tx = app.db.read().await?;
    Ok(people::by_id(&mut tx, "p-worker-01").await?.is_some())
}

/// Adds volunteers of the county until there are `volunteers`; they are not printed.
///
/// # Errors
/// When the database does not take them.
pub async fn crowd(app: &App, volunteers: usize) -> Result<(), StartError> {
    let one = |n: usize| DemoPerson {
        id: format!("p-volunteer-{n:05}"),
        telephone: (CROWD_TELEPHONE + n as u64).to_string(),
        name: invented(n),
        role: Role::Volunteer,
        unit: "430121".to_owned(),
    };
    let list: Vec<DemoPerson> = (VOLUNTEERS + 1..=volunteers).map(one).collect();
    put(app, &list).await
}

/// Puts people in, unless the first of them is there already.
async fn put(app: &App, list: &[DemoPerson]) -> Result<(), StartError> {
    let Some(first) = list.first() else {
        return Ok(());
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if people::by_id(&mut tx, &first.id).await?.is_some() {
        return Ok(());
    }
    // One hash for all: the password is in the README anyway.
    let hash = password::hash(PASSWORD, &app.entropy);
    let ids = list.iter().map(|person| person.id.as_str());
    let keyring = keys::of(&mut tx, &app.sealer, keys::PEOPLE, ids, &app.entropy).await?;
    for person in list {
        let key = keyring
            .key(&person.id)
            .expect("keys of all people were fetched");
        let row = PersonRow {
            id: person.id.clone(),
            name: key.seal(&app.entropy, person.id.as_bytes(), person.name.as_bytes()),
            password: Some(hash.clone()),
            state: "active".to_owned(),
        };
        let telephone = app.sealer.index("telephone", &person.telephone);
        people::add(&mut tx, &row, &telephone, now).await?;
        let grant = NewGrant {
            id: format!("g-demo-{}", person.id),
            person: person.id.clone(),
            role: person.role,
            unit: person.unit.clone(),
            from_at: now - 30 * DAY_MS,
            to_at: None,
        };
        people::grant(&mut tx, &grant).await?;
    }
    tx.commit().await?;
    keyring.keep(&app.sealer);
    Ok(())
}

/// Prints who can sign in; only the demo's invented people are ever printed.
pub fn print_people(app: &App) {
    println!("demo people, password {PASSWORD} (invented; on this machine only)");
    for person in people(app) {
        let unit = app.regions.unit_name(&person.unit);
        println!(
            "  {}  {:<15} {} {unit}",
            person.telephone,
            person.role.name(),
            person.unit
        );
    }
}

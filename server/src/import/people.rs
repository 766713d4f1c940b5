//! People and their roles: a line is one role of one person; new people get first passwords.
//!
//! Who has the telephone number is who is meant. A role that has ended is not begun again by an
//! old file: that takes a day on which it begins.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use xiangyi_proto::role::Role;
use xiangyi_proto::time::day_text;
use xiangyi_sync::world::Granted;

use super::Options;
use super::places::{days, unit};
use super::report::{Report, Why, Word, why};
use super::table::Row;
use crate::accounts::password;
use crate::api::sessions::normal_telephone;
use crate::app::{App, StartError};
use crate::store::people::{self, NewGrant, PersonRow};
use crate::store::{Tx, keys, views};
use crate::whole::{self, GrantEnd};

const NAME_MAX: usize = 40;
/// Letters of a first password: 12 × 5 bits.
const PASSWORD_LETTERS: usize = 12;

/// Words for roles beside their names.
const ROLES: &[(&str, Role)] = &[
    ("社工", Role::Worker),
    ("站长", Role::StationLead),
    ("站点负责人", Role::StationLead),
    ("总站干事", Role::HubOfficer),
    ("审核员", Role::HubReviewer),
    ("县级主管", Role::CountyBureau),
    ("机构负责人", Role::AgencyManager),
    ("督导", Role::Supervisor),
    ("志愿者", Role::Volunteer),
    ("活动负责人", Role::ActivityLeader),
    ("市级查看", Role::CityViewer),
    ("省级管理员", Role::ProvinceAdmin),
    ("审计", Role::Auditor),
    ("系统管理员", Role::SystemAdmin),
    ("安全管理员", Role::SecurityAdmin),
];

/// The role of a name or of its word.
pub(super) fn role(text: &str) -> Option<Role> {
    let word = ROLES.iter().find(|(word, _)| *word == text);
    Role::parse(text).or(word.map(|(_, role)| *role))
}

/// The end of a telephone number, enough to find the line by.
pub(super) fn tail(telephone: &str) -> String {
    let from = telephone
        .char_indices()
        .rev()
        .nth(3)
        .map_or(0, |(at, _)| at);
    format!("…{}", &telephone[from..])
}

/// Somebody of the file.
struct Person {
    id: String,
    name: String,
    is_new: bool,
    /// Those stored, and those that lines before have given.
    grants: Vec<Granted>,
}

/// What is to be written.
#[derive(Default)]
struct Plan {
    people: BTreeMap<String, Person>,
    gives: Vec<NewGrant>,
    ends: Vec<GrantEnd>,
}

pub(super) async fn import(
    app: &App,
    rows: &[Row],
    options: &Options,
    report: &mut Report,
) -> Result<(), StartError> {
    let mut plan = Plan::default();
    let mut tx = app.db.read().await?;
    for row in rows {
        let telephone = normal_telephone(row.text("telephone"));
        let what = format!(
            "{} {} {}",
            tail(&telephone),
            row.text("role"),
            row.text("unit")
        );
        match line(app, &mut tx, row, &telephone, options, &mut plan).await? {
            Ok(word) => report.add(row.line, word, what),
            Err(why) => report.refuse_why(row.line, what, why),
        }
    }
    drop(tx);
    // Who has no line that was taken is not added either.
    let used = |id: &str, gives: &[NewGrant]| gives.iter().any(|give| give.person == id);
    let gives = &plan.gives;
    plan.people
        .retain(|_, person| person.is_new && used(&person.id, gives));
    let goes_on = report.may_go_on(options.skip_refused) && report.has_news();
    if options.dry_run || !goes_on {
        return Ok(());
    }
    write(app, &plan, options.passwords.as_deref()).await?;
    report.is_written = true;
    Ok(())
}

type Judged = Result<Word, Why>;

async fn line(
    app: &App,
    tx: &mut Tx,
    row: &Row,
    telephone: &str,
    options: &Options,
    plan: &mut Plan,
) -> Result<Judged, StartError> {
    let cells = match cells(app, row, telephone, options) {
        Ok(cells) => cells,
        Err(why) => return Ok(Err(why)),
    };
    if !plan.people.contains_key(telephone) {
        let person = person(app, tx, telephone, row.text("name")).await?;
        plan.people.insert(telephone.to_owned(), person);
    }
    let Some(person) = plan.people.get_mut(telephone) else {
        return Ok(Err(why("没有这个人", "there is no such person")));
    };
    if person.name != row.text("name") {
        return Ok(Err(why(
            "这个号码已属于另一个名字",
            "this telephone number belongs to another name",
        )));
    }
    let change = match change(person, &cells, app.clock.now()) {
        Ok(change) => change,
        Err(why) => return Ok(Err(why)),
    };
    let (id, is_new) = (person.id.clone(), person.is_new);
    Ok(Ok(noted(app, plan, &id, &cells, change, is_new)))
}

struct Cells {
    role: Role,
    unit: String,
    from_at: Option<i64>,
    to_at: Option<i64>,
}

fn cells(app: &App, row: &Row, telephone: &str, options: &Options) -> Result<Cells, Why> {
    if telephone.len() != 11 || !telephone.bytes().all(|b| b.is_ascii_digit()) {
        return Err(why(
            "电话号码应有十一位数字",
            "a telephone number has eleven digits",
        ));
    }
    let name = row.text("name");
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(why("姓名是空的或太长", "the name is empty or too long"));
    }
    let text = row.text("role");
    let role = role(text).ok_or_else(|| {
        why(
            format!("没有“{text}”这个角色"),
            format!("there is no role {text}"),
        )
    })?;
    unit(app, row.text("unit"), options)?;
    let (from_at, to_at) = days(row)?;
    if to_at.is_some_and(|to_at| to_at <= from_at.unwrap_or(app.clock.now())) {
        return Err(why(
            "这个角色已经结束",
            "the role would be over before it begins",
        ));
    }
    Ok(Cells {
        role,
        unit: row.text("unit").to_owned(),
        from_at,
        to_at,
    })
}

async fn person(app: &App, tx: &mut Tx, telephone: &str, name: &str) -> Result<Person, StartError> {
    let key = app.sealer.index("telephone", telephone);
    let Some(row) = people::by_telephone(tx, &key).await? else {
        return Ok(Person {
            id: format!("p-{}", app.entropy.crockford(8).to_lowercase()),
            name: name.to_owned(),
            is_new: true,
            grants: Vec::new(),
        });
    };
    let keyring = keys::known(tx, &app.sealer, keys::PEOPLE, [row.id.as_str()]).await?;
    let key = keyring.key(&row.id);
    let name = key.and_then(|key| key.open(row.id.as_bytes(), &row.name).ok());
    let name = name.and_then(|name| String::from_utf8(name).ok());
    Ok(Person {
        grants: views::grants(tx, &row.id).await?,
        name: name.unwrap_or_default(),
        id: row.id,
        is_new: false,
    })
}

/// What a line changes of a role that somebody has.
enum Change {
    Nothing,
    Give(i64, Option<i64>, Word),
    End(i64, i64),
}

fn change(person: &Person, cells: &Cells, now: i64) -> Result<Change, Why> {
    let same = |grant: &&Granted| grant.role == cells.role && grant.unit == cells.unit;
    let same: Vec<&Granted> = person.grants.iter().filter(same).collect();
    let start = cells.from_at.unwrap_or(now);
    let covers = |grant: &&&Granted, at: i64| {
        grant.from_at <= at && grant.to_at.is_none_or(|to_at| at < to_at)
    };
    let Some(first) = same.iter().find(|grant| covers(grant, start)) else {
        let ended = same.iter().filter_map(|grant| grant.to_at).max();
        if let Some(ended) = ended.filter(|_| cells.from_at.is_none()) {
            let day = day_text(ended - 1);
            return Err(why(
                format!("此人在那里的这个角色已于 {day} 结束；要重新开始请写开始日期"),
                format!("the role ended on {day}: give the day on which it begins again"),
            ));
        }
        return Ok(Change::Give(start, cells.to_at, Word::New));
    };
    // One that was extended is several in a row.
    let mut end = first.to_at;
    while let Some(at) = end {
        match same
            .iter()
            .find(|grant| grant.from_at <= at && grant.to_at.is_none_or(|to| to > at))
        {
            Some(next) => end = next.to_at,
            None => break,
        }
    }
    Ok(match (end, cells.to_at) {
        (end, to_at) if end == to_at => Change::Nothing,
        (Some(end), None) => Change::Give(end, None, Word::Changed),
        (Some(end), Some(to_at)) if end < to_at => Change::Give(end, Some(to_at), Word::Changed),
        (_, Some(to_at)) => Change::End(first.from_at, to_at),
        (None, None) => Change::Nothing,
    })
}

fn noted(
    app: &App,
    plan: &mut Plan,
    person: &str,
    cells: &Cells,
    change: Change,
    is_new: bool,
) -> Word {
    let mut remember = |from_at: i64, to_at: Option<i64>| {
        let mut all = plan.people.values_mut();
        if let Some(known) = all.find(|known| known.id == person) {
            known.grants.push(Granted {
                role: cells.role,
                unit: cells.unit.clone(),
                from_at,
                to_at,
            });
        }
    };
    match change {
        Change::Nothing => Word::Unchanged,
        Change::Give(from_at, to_at, word) => {
            remember(from_at, to_at);
            plan.gives.push(NewGrant {
                id: format!("g-{}", app.entropy.crockford(10)),
                person: person.to_owned(),
                role: cells.role,
                unit: cells.unit.clone(),
                from_at,
                to_at,
            });
            if is_new { Word::New } else { word }
        }
        Change::End(from_at, at) => {
            plan.ends.push(GrantEnd {
                person: person.to_owned(),
                role: cells.role,
                unit: cells.unit.clone(),
                from_at,
                at,
            });
            Word::Changed
        }
    }
}

async fn write(app: &App, plan: &Plan, passwords: Option<&Path>) -> Result<(), StartError> {
    let firsts: Vec<(&String, &Person, String)> = plan
        .people
        .iter()
        .map(|(telephone, person)| (telephone, person, app.entropy.crockford(PASSWORD_LETTERS)))
        .collect();
    let mut tx = app.db.write().await?;
    let ids = firsts.iter().map(|(_, person, _)| person.id.as_str());
    let keyring = keys::of(&mut tx, &app.sealer, keys::PEOPLE, ids, &app.entropy).await?;
    for (telephone, person, first) in &firsts {
        let key = keyring.key(&person.id).ok_or("no key")?;
        let row = PersonRow {
            id: person.id.clone(),
            name: key.seal(&app.entropy, person.id.as_bytes(), person.name.as_bytes()),
            password: Some(password::hash(first, &app.entropy)),
            state: "active".to_owned(),
        };
        let index = app.sealer.index("telephone", telephone);
        if !people::add(&mut tx, &row, &index, app.clock.now()).await? {
            return Err(
                "刚才有人用了其中一个号码，请再试。a number was taken meanwhile: again".into(),
            );
        }
    }
    for end in &plan.ends {
        people::revoke(&mut tx, &end.person, end.role, &end.unit, end.at).await?;
    }
    for give in &plan.gives {
        people::grant(&mut tx, give).await?;
    }
    // Before the commit: passwords that are nowhere are worse than passwords of nobody.
    if !firsts.is_empty() {
        keep_passwords(&firsts, passwords)?;
    }
    tx.commit().await?;
    keyring.keep(&app.sealer);
    for end in &plan.ends {
        whole::tell_end(app, end).await;
    }
    for give in &plan.gives {
        whole::tell_give(app, give).await;
    }
    Ok(())
}

fn keep_passwords(
    firsts: &[(&String, &Person, String)],
    file: Option<&Path>,
) -> Result<(), StartError> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = file.ok_or(
        "有新的人员：请用 --passwords FILE 指定存放初始密码的新文件。there are new people: name a \
         new file for their first passwords with --passwords FILE",
    )?;
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let mut opened = opened.map_err(|error| {
        let name = file.display();
        format!("密码文件不能写 the file for passwords {name} cannot be made: {error}")
    })?;
    let mut text = "\u{feff}电话,姓名,初始密码\n".to_owned();
    for (telephone, person, first) in firsts {
        text.push_str(&format!("{telephone},{},{first}\n", quoted(&person.name)));
    }
    opened.write_all(text.as_bytes())?;
    Ok(opened.sync_all()?)
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(grants: &[(i64, Option<i64>)]) -> Person {
        let granted = |(from_at, to_at): &(i64, Option<i64>)| Granted {
            role: Role::Worker,
            unit: "430121001".to_owned(),
            from_at: *from_at,
            to_at: *to_at,
        };
        Person {
            id: "p-1".to_owned(),
            name: "周".to_owned(),
            is_new: false,
            grants: grants.iter().map(granted).collect(),
        }
    }

    fn told(grants: &[(i64, Option<i64>)], from: Option<i64>, to: Option<i64>) -> String {
        let cells = Cells {
            role: Role::Worker,
            unit: "430121001".to_owned(),
            from_at: from,
            to_at: to,
        };
        match change(&person(grants), &cells, 100) {
            Ok(Change::Nothing) => "nothing".to_owned(),
            Ok(Change::Give(from, to, _)) => format!("give {from} {to:?}"),
            Ok(Change::End(_, at)) => format!("end {at}"),
            Err((_, en)) => en,
        }
    }

    #[test]
    fn a_line_changes_only_what_is_not_so_already() {
        assert_eq!(told(&[], None, None), "give 100 None");
        assert_eq!(told(&[(5, None)], None, None), "nothing");
        assert_eq!(told(&[(5, Some(200))], None, Some(200)), "nothing");
        assert_eq!(told(&[(5, None)], None, Some(200)), "end 200");
        assert_eq!(told(&[(5, Some(200))], None, None), "give 200 None");
        assert_eq!(told(&[(5, Some(200)), (200, None)], None, None), "nothing");
        assert_eq!(told(&[(5, Some(300))], None, Some(200)), "end 200");
        assert_eq!(told(&[(5, Some(50))], Some(120), None), "give 120 None");
        let over = told(&[(5, Some(50))], None, None);
        assert!(over.contains("begins again"), "{over}");
    }
}

//! `xiangyi people`: grants given and ended; phones follow at their next pull.

use clap::{Args, Subcommand};
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{day_of_text, day_start, day_text};
use xiangyi_sync::world::Granted;

use super::Place;
use crate::accounts::password;
use crate::api::sessions::normal_telephone;
use crate::app::{App, StartError};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::store::people::{self, NewGrant, PersonRow};
use crate::store::{accounts, keys, views, wechat};
use crate::trail::{self, COMMAND, Entry};
use crate::whole::{self, GrantEnd};

/// Letters of a first password: 12 × 5 bits.
const PASSWORD_LETTERS: usize = 12;

#[derive(Debug, Subcommand)]
pub enum People {
    /// Add a person and print the first password.
    Add {
        #[command(flatten)]
        place: Place,
        /// The person's telephone number.
        telephone: String,
        /// The person's name.
        name: String,
    },
    /// Give a person a role at a unit.
    Grant(GrantArgs),
    /// End a person's role at a unit.
    Revoke(GrantArgs),
    /// Give a new first password; whatever is signed in as the person is signed out.
    Password {
        #[command(flatten)]
        place: Place,
        /// The person's telephone number.
        telephone: String,
        /// Take the second factor away too, for somebody whose authenticator is lost.
        #[arg(long)]
        without_second_factor: bool,
    },
    /// List a person's grants.
    List {
        #[command(flatten)]
        place: Place,
        /// The person's telephone number.
        telephone: String,
    },
}

#[derive(Debug, Args)]
pub struct GrantArgs {
    #[command(flatten)]
    place: Place,
    /// The person's telephone number.
    telephone: String,
    /// Such as worker, station_lead, hub_officer.
    role: String,
    /// The unit's code, such as 430121101.
    unit: String,
    /// First day (YYYY-MM-DD, UTC+8); now when absent.
    #[arg(long)]
    from: Option<String>,
    /// Last moment is the end of this day; open when absent. Revoking ends at once.
    #[arg(long)]
    to: Option<String>,
}

/// Runs a command about people.
pub async fn run(command: People) -> Result<(), StartError> {
    match command {
        People::Add {
            place,
            telephone,
            name,
        } => add(&place, &telephone, &name).await,
        People::Grant(args) => change(&args, true).await,
        People::Revoke(args) => change(&args, false).await,
        People::Password {
            place,
            telephone,
            without_second_factor,
        } => new_password(&place, &telephone, without_second_factor).await,
        People::List { place, telephone } => list(&place, &telephone).await,
    }
}

async fn add(place: &Place, telephone: &str, name: &str) -> Result<(), StartError> {
    let telephone = normal_telephone(telephone);
    if telephone.len() != 11 {
        return Err("电话号码应有十一位数字。a telephone number has eleven digits".into());
    }
    let app = open(place).await?;
    let id = format!("p-{}", app.entropy.crockford(8).to_lowercase());
    let first = app.entropy.crockford(PASSWORD_LETTERS);
    let mut tx = app.db.write().await?;
    let owners = [id.as_str()];
    let keyring = keys::of(&mut tx, &app.sealer, keys::PEOPLE, owners, &app.entropy).await?;
    let key = keyring.key(&id).expect("the key was made above");
    let row = PersonRow {
        id: id.clone(),
        name: key.seal(&app.entropy, id.as_bytes(), name.as_bytes()),
        password: Some(password::hash(&first, &app.entropy)),
        state: "active".to_owned(),
    };
    let index = app.sealer.index("telephone", &telephone);
    if !people::add(&mut tx, &row, &index, app.clock.now()).await? {
        return Err("已有人用这个号码。somebody has this telephone number already".into());
    }
    let entry = Entry::of(COMMAND, "people-add").about(&id);
    trail::put(&app, &mut tx, &entry).await?;
    tx.commit().await?;
    println!("已添加 added {id}; 初始密码 first password {first}");
    Ok(())
}

async fn new_password(
    place: &Place,
    telephone: &str,
    without_factor: bool,
) -> Result<(), StartError> {
    let app = open(place).await?;
    let person = person_of(&app, telephone).await?;
    let first = app.entropy.crockford(PASSWORD_LETTERS);
    let hash = password::hash(&first, &app.entropy);
    let mut tx = app.db.write().await?;
    accounts::set_password(&mut tx, &person, &hash).await?;
    let ended = accounts::end_others(&mut tx, &person, "").await?;
    wechat::unbind(&mut tx, &person).await?;
    if without_factor {
        accounts::set_factor(&mut tx, &person, None).await?;
    }
    let what = if without_factor { "second-factor" } else { "" };
    let entry = Entry::of(COMMAND, "people-password").about(&person);
    trail::put(&app, &mut tx, &entry.target(what)).await?;
    tx.commit().await?;
    println!("新密码 new password {first}; 已退出 {ended} 处登录 sessions ended");
    Ok(())
}

/// Gives a grant or ends it, once role, unit and person are known.
async fn change(args: &GrantArgs, give: bool) -> Result<(), StartError> {
    let role = Role::parse(&args.role).ok_or_else(|| {
        let names: Vec<&str> = Role::ALL.into_iter().map(Role::name).collect();
        format!(
            "没有这个角色 no role {}; roles are {}",
            args.role,
            names.join(", ")
        )
    })?;
    if region::shard_of(&args.unit).is_none() {
        return Err(format!("这不是单位代码 {} is not a unit's code", args.unit).into());
    }
    let from_at = moment(args.from.as_deref(), 0)?;
    let to_at = moment(args.to.as_deref(), 1)?;
    let app = open(&args.place).await?;
    let person = person_of(&app, &args.telephone).await?;
    if !app.regions.knows(&args.unit) {
        return Err(format!("没有这个单位 there is no unit {}", args.unit).into());
    }
    if give && !app.regions.lists(&args.unit) {
        return Err(format!(
            "{0} 所在的县还没有导入乡镇（街道），无法核对这个代码，没有授权。请先运行 xiangyi import \
             regions。the townships of this county were not imported, so nobody knows whether {0} \
             is one: import regions first. Nothing was granted",
            args.unit
        )
        .into());
    }
    if !give {
        return take(&app, &person, role, &args.unit).await;
    }
    let grant = NewGrant {
        id: format!("g-{}", app.entropy.crockford(10)),
        person,
        role,
        unit: args.unit.clone(),
        from_at: from_at.unwrap_or(app.clock.now()),
        to_at,
    };
    put(&app, &grant).await
}

async fn put(app: &App, new: &NewGrant) -> Result<(), StartError> {
    if new.to_at.is_some_and(|to_at| to_at <= new.from_at) {
        return Err("结束早于开始。the grant ends before it begins".into());
    }
    let mut tx = app.db.write().await?;
    let grants = views::grants(&mut tx, &new.person).await?;
    let same = |grant: &&Granted| grant.role == new.role && grant.unit == new.unit;
    let mut same = grants.iter().filter(same);
    if same.any(|grant| grant.to_at.is_none() && grant.from_at <= new.from_at) {
        return Err(
            "此人在那里已有这个角色，没有期限。this person has the role there already".into(),
        );
    }
    people::grant(&mut tx, new).await?;
    let entry = Entry::of(COMMAND, "people-grant").about(&new.person);
    trail::put(app, &mut tx, &entry.at(&new.unit).target(new.role.name())).await?;
    tx.commit().await?;
    whole::tell_give(app, new).await;
    let name = app.regions.unit_name(&new.unit);
    println!("已授予 granted: {} at {name}", new.role.name());
    Ok(())
}

async fn take(app: &App, person: &str, role: Role, unit: &str) -> Result<(), StartError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let grants = views::grants(&mut tx, person).await?;
    let mut ending = grants.iter().filter(|grant| {
        let is_open = grant.to_at.is_none_or(|to_at| to_at > now);
        grant.role == role && grant.unit == unit && is_open
    });
    let from_at = ending
        .next()
        .ok_or("没有这样的有效授权。there is no such open grant")?
        .from_at;
    people::revoke(&mut tx, person, role, unit, now).await?;
    let entry = Entry::of(COMMAND, "people-revoke").about(person);
    trail::put(app, &mut tx, &entry.at(unit).target(role.name())).await?;
    tx.commit().await?;
    let end = GrantEnd {
        person: person.to_owned(),
        role,
        unit: unit.to_owned(),
        from_at,
        at: now,
    };
    whole::tell_end(app, &end).await;
    let name = app.regions.unit_name(unit);
    println!("已收回 revoked: {} at {name}", role.name());
    Ok(())
}

async fn list(place: &Place, telephone: &str) -> Result<(), StartError> {
    let app = open(place).await?;
    let person = person_of(&app, telephone).await?;
    let mut tx = app.db.read().await?;
    for grant in views::grants(&mut tx, &person).await? {
        let until = grant.to_at.map_or("open".to_owned(), |to| day_text(to - 1));
        let unit = app.regions.unit_name(&grant.unit);
        println!(
            "{}\t{}\t{unit}\t{} - {until}",
            grant.role.name(),
            grant.unit,
            day_text(grant.from_at)
        );
    }
    Ok(())
}

/// Opens what `serve` made; a misspelt folder must not become an empty county.
pub(super) async fn open(place: &Place) -> Result<App, StartError> {
    let config = place.config()?;
    if !config.data.join("keys").is_dir() {
        let data = config.data.display();
        return Err(format!(
            "这个文件夹还没有服务器用过。no server has been started on {data}: name it with --data"
        )
        .into());
    }
    // Whoever types this must see whose people they are.
    eprintln!("数据库 database: {}", config.database_told());
    App::open(&config, Clock::system(), Entropy::system()).await
}

pub(super) async fn person_of(app: &App, telephone: &str) -> Result<String, StartError> {
    let key = app.sealer.index("telephone", &normal_telephone(telephone));
    let mut tx = app.db.read().await?;
    let person = people::by_telephone(&mut tx, &key).await?;
    Ok(person
        .ok_or("这里没有人用这个号码。nobody has this telephone number here")?
        .id)
}

fn moment(day: Option<&str>, days_later: i64) -> Result<Option<i64>, StartError> {
    let Some(day) = day else { return Ok(None) };
    let number =
        day_of_text(day).ok_or_else(|| format!("日期写法不对 {day} is not a day (YYYY-MM-DD)"))?;
    Ok(Some(day_start(number + days_later)))
}

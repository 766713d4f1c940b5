//! `xiangyi move`: people and clients go elsewhere; what moved is listed.

use clap::{Args, Subcommand};
use uuid::Uuid;
use xiangyi_proto::problem;

use super::Place;
use super::people::{open, person_of};
use crate::api::sessions::normal_telephone;
use crate::app::{App, StartError};
use crate::moves::{self, By, Checklist, NotMoved};
use crate::store::people;

#[derive(Debug, Subcommand)]
pub enum Move {
    /// Somebody's roles at one station end and begin at another; phones follow.
    Worker {
        #[command(flatten)]
        how: How,
        /// The worker's telephone number.
        telephone: String,
        /// The station's code so far.
        from: String,
        /// The station's code from then on.
        to: String,
        /// Telephone number of the colleague who takes over the clients of the old station.
        #[arg(long)]
        clients_to: Option<String>,
    },
    /// A client goes to another worker, and the visits with it.
    Client {
        #[command(flatten)]
        how: How,
        /// The card's id.
        card: Uuid,
        /// The card's station.
        unit: String,
        /// Telephone number of who takes over.
        to: String,
        /// Telephone number of whose client it is; needed where several are.
        #[arg(long)]
        from: Option<String>,
    },
    /// A contract ends: the roles at its stations end on the day.
    Agency {
        #[command(flatten)]
        how: How,
        /// The agency's unified social credit code.
        licence: String,
    },
    /// Somebody was entered twice: what the second entry holds becomes the first one's.
    Person(Merge),
}

#[derive(Debug, Args)]
pub struct Merge {
    #[command(flatten)]
    place: Place,
    /// Telephone number, or id, of the entry that is given up.
    duplicate: String,
    /// Telephone number, or id, of the entry that stays.
    #[arg(long)]
    into: String,
    /// Why, as the clients' cards tell it.
    #[arg(long)]
    reason: String,
    /// List what would move, and move nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub struct How {
    #[command(flatten)]
    place: Place,
    /// The first day (YYYY-MM-DD, UTC+8) on which it is so; now when absent.
    #[arg(long)]
    on: Option<String>,
    /// Why, as the client's card tells it.
    #[arg(long, default_value = "")]
    reason: String,
    /// List what would move, and move nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs a move.
pub async fn run(command: Move) -> Result<(), StartError> {
    let (app, what) = match command {
        Move::Worker {
            how,
            telephone,
            from,
            to,
            clients_to,
        } => {
            let app = open(&how.place).await?;
            let what = moves::Move::Worker {
                person: person_of(&app, &telephone).await?,
                from,
                to,
                clients_to: person_if(&app, clients_to.as_deref()).await?,
                on: how.on,
                reason: how.reason,
                dry_run: how.dry_run,
            };
            (app, what)
        }
        Move::Client {
            how,
            card,
            unit,
            to,
            from,
        } => {
            let app = open(&how.place).await?;
            let what = moves::Move::Client {
                client: card,
                unit,
                from: person_if(&app, from.as_deref()).await?,
                to: person_of(&app, &to).await?,
                on: how.on,
                reason: how.reason,
                dry_run: how.dry_run,
            };
            (app, what)
        }
        Move::Agency { how, licence } => {
            let app = open(&how.place).await?;
            let what = moves::Move::Agency {
                licence,
                on: how.on,
                dry_run: how.dry_run,
            };
            (app, what)
        }
        Move::Person(merge) => {
            let app = open(&merge.place).await?;
            let what = moves::Move::Person {
                person: entry_of(&app, &merge.duplicate).await?,
                into: entry_of(&app, &merge.into).await?,
                reason: merge.reason,
                dry_run: merge.dry_run,
            };
            (app, what)
        }
    };
    let list = moves::run(&app, By::Operator, &what)
        .await
        .map_err(|why| told(&why))?;
    print(&list);
    Ok(())
}

/// An id as it is, or the entry of a telephone number, merged or not.
async fn entry_of(app: &App, named: &str) -> Result<String, StartError> {
    if named.starts_with("p-") {
        return Ok(named.to_owned());
    }
    let key = app.sealer.index("telephone", &normal_telephone(named));
    let mut tx = app.db.read().await?;
    let entry = people::entry(&mut tx, &key).await?;
    Ok(entry.ok_or("这里没有人用这个号码。nobody has this telephone number here")?)
}

async fn person_if(app: &App, telephone: Option<&str>) -> Result<Option<String>, StartError> {
    match telephone {
        Some(telephone) => Ok(Some(person_of(app, telephone).await?)),
        None => Ok(None),
    }
}

fn told(why: &NotMoved) -> String {
    match why {
        NotMoved::NotThere => {
            "那里没有可以移动的：请核对单位、岗位或档案。there is nothing to move there: check unit, \
             role or card"
                .to_owned()
        }
        NotMoved::Fault("/clients_to", "required") => {
            "此人在原站还有服务对象：请用 --clients-to 写明由谁接手。the worker has clients at the \
             old station: say with --clients-to who takes over"
                .to_owned()
        }
        NotMoved::Fault(pointer, code) => {
            let (zh, en) = problem::field_words(code);
            format!("{pointer}: {zh} {en}")
        }
        NotMoved::Meanwhile => {
            "刚才有人改过，什么也没有移动，请再试。somebody changed it meanwhile, nothing moved: \
             again"
                .to_owned()
        }
        NotMoved::Store(error) => error.to_string(),
    }
}

fn print(list: &Checklist) {
    if list.dry_run {
        println!("只是试算，什么也没有移动 a trial: nothing moved");
    }
    for (what, count) in &list.moved {
        let zh = match *what {
            "grants_ended" => "结束的角色",
            "grants_given" => "开始的角色",
            "clients" => "交接的服务对象",
            "visits" => "随之的走访",
            "phones" => "跟随的手机",
            "people" => "涉及的人",
            "stations" => "涉及的站点",
            "sessions" => "退出的登录",
            "wechat" => "转过去的微信",
            "places" => "转过去的名额和链接",
            "places_left" => "让出的重复名额",
            "led" => "转过去的活动、资源和需求",
            "webhooks" => "转过去的推送",
            "held_stay" => "留在原登记名下的待审记录",
            "refusals_stay" => "留在原登记名下未了结的退回",
            "merged_already" => "以前已合并",
            other => other,
        };
        println!("{zh} {what}: {count}");
    }
}

//! What a person can do on a phone: one list of words for the command line and recorded days.
//!
//! Each variant is a command of `xiangyi phone` and a value of `do` in a recorded file; its
//! members are the options of the one and the members of the other.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::Trouble;

#[derive(Debug, Clone, Subcommand, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// 签到 Check in where the work is.
    CheckIn(CheckIn),
    /// 服务对象 Open a client's card.
    Client(Client),
    /// 走访 Record a visit that has just ended.
    Visit(Visit),
    /// 补照片 Add photographs to a visit, in place of those that were refused.
    Photo(MorePhotos),
    /// 更正 Correct a visit that is there.
    Correct(Correct),
    /// 作废 Take back a record, with a reason; it stays readable as void.
    Void(Void),
    /// 活动 Publish a volunteer activity with one session.
    Activity(Activity),
    /// 报名 Ask for a place in an activity.
    SignUp(SignUp),
    /// 接受名额 Accept an offered place or quantity.
    Accept(OfRecord),
    /// 谢绝名额 Decline an offered place or quantity.
    Decline(OfRecord),
    /// 退出 Leave a place, a line or a link.
    Leave(Leave),
    /// 需求 Record what a client lacks.
    Need(Need),
    /// 资源 Record what somebody offers.
    Resource(Resource),
    /// 链接 Join a need to a resource.
    Link(Link),
    /// 送达 Say that a link was delivered.
    Deliver(Deliver),
    /// 确认收到 Confirm what was delivered.
    Confirm(OfRecord),
    /// 拆分 Re-file refused minutes as working time, and the service without them.
    Split(Split),
    /// 申诉 Appeal a refusal, once.
    Appeal(Appeal),
    /// 审核 Decide a held record, an appeal or a visit.
    Review(Review),
    /// 受命报告 Report that you were ordered to do something; only the county's reviewers see it.
    OrderReport(OrderReport),
    /// 代班 Let another worker see to a client for some days.
    Substitute(Substitute),
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckIn {
    /// Code of the village.
    #[arg(long)]
    pub village: Option<String>,
    /// Kind of place, such as home, village_room, station, gov_office.
    #[arg(long)]
    pub place: Option<String>,
    /// visit, activity, duty, supervision, training or travel.
    #[arg(long)]
    pub purpose: Option<String>,
    /// What the work is, such as service or office_duty.
    #[arg(long)]
    pub category: Option<String>,
    /// `in` or `out`.
    #[arg(long)]
    pub phase: Option<String>,
    /// The check-in that this one closes.
    #[arg(long)]
    pub pair: Option<Uuid>,
    /// Degrees.
    #[arg(long, allow_hyphen_values = true, requires = "lng")]
    pub lat: Option<f64>,
    #[arg(long, allow_hyphen_values = true, requires = "lat")]
    pub lng: Option<f64>,
    /// Metres.
    #[arg(long)]
    pub accuracy: Option<i64>,
    /// wgs84 or gcj02.
    #[arg(long)]
    pub system: Option<String>,
    #[arg(long)]
    pub note: Option<String>,
    /// The office that ordered it.
    #[arg(long)]
    pub office: Option<String>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    #[arg(long)]
    pub name: String,
    /// Code of the village.
    #[arg(long)]
    pub village: String,
    /// Another worker who sees to the client; you always do.
    #[arg(long)]
    pub worker: Option<String>,
    /// Such as 独居老人.
    #[arg(long = "category", num_args = 1..)]
    #[serde(default)]
    pub categories: Vec<String>,
    #[arg(long)]
    pub address: Option<String>,
    /// A relative's telephone number.
    #[arg(long)]
    pub telephone: Option<String>,
    /// high_risk, key or general.
    #[arg(long)]
    pub tier: Option<String>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// The client's card.
    #[arg(long, required_unless_present = "no_client")]
    pub client: Option<Uuid>,
    /// Why there is no client.
    #[arg(long)]
    pub no_client: Option<String>,
    /// How long it took, up to now.
    #[arg(long)]
    pub minutes: i64,
    /// Codes of the catalogue, such as ec_visit.
    #[arg(long = "service", num_args = 1..)]
    #[serde(default)]
    pub services: Vec<String>,
    /// What happened.
    #[arg(long)]
    pub process: Option<String>,
    #[arg(long)]
    pub result: Option<String>,
    /// served, not_home, declined, moved, hospital, referred and others.
    #[arg(long)]
    pub outcome: Option<String>,
    /// A decision that the record states, such as advised.
    #[arg(long)]
    pub decision: Option<String>,
    /// Photographs: JPEG, PNG or WebP.
    #[arg(long = "photo", num_args = 1..)]
    #[serde(default)]
    pub photos: Vec<PathBuf>,
    /// Somebody in the photographs has not agreed to them.
    #[arg(long)]
    #[serde(default)]
    pub without_consent: bool,
    /// The office that ordered it.
    #[arg(long)]
    pub office: Option<String>,
    #[arg(long)]
    pub village: Option<String>,
    /// home, telephone, video, station or outdoors.
    #[arg(long)]
    pub mode: Option<String>,
    /// What the work is, such as service or meeting_service.
    #[arg(long)]
    pub category: Option<String>,
    /// What was handed over: goods, medicine, document, bank_card and others.
    #[arg(long = "hand-over", num_args = 1..)]
    #[serde(default)]
    pub handed_over: Vec<String>,
    /// What is to be done next.
    #[arg(long)]
    pub follow_up: Option<String>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MorePhotos {
    /// The visit.
    pub visit: Uuid,
    /// Photographs; without any, those that were refused are only taken out.
    #[arg(long = "photo", num_args = 1..)]
    #[serde(default)]
    pub photos: Vec<PathBuf>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correct {
    /// The visit.
    pub visit: Uuid,
    /// What happened.
    #[arg(long, required_unless_present_any = ["result", "minutes"])]
    pub process: Option<String>,
    #[arg(long)]
    pub result: Option<String>,
    /// How long it took; the beginning stays.
    #[arg(long)]
    pub minutes: Option<i64>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Void {
    pub record: Uuid,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    #[arg(long)]
    pub title: String,
    /// Such as elder_company, environment, child_tutoring.
    #[arg(long = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    #[arg(long)]
    pub starts_in_hours: i64,
    /// How long the session lasts.
    #[arg(long, default_value_t = 2)]
    #[serde(default = "two")]
    pub hours: i64,
    #[arg(long)]
    pub capacity: i64,
    #[arg(long, default_value = "helper")]
    #[serde(default = "helper")]
    pub role: String,
    #[arg(long)]
    pub village: Option<String>,
    #[arg(long)]
    pub summary: Option<String>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    pub activity: Uuid,
    #[arg(long, default_value_t = 1)]
    #[serde(default = "one")]
    pub session: i64,
    #[arg(long, default_value = "helper")]
    #[serde(default = "helper")]
    pub role: String,
    #[arg(long)]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfRecord {
    /// The sign-up or the link.
    pub id: Uuid,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// The sign-up or the link.
    pub id: Uuid,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Without the client's name.
    #[arg(long)]
    pub title: String,
    /// Such as bedding, food, medicine.
    #[arg(long)]
    pub category: String,
    #[arg(long, default_value_t = 1)]
    #[serde(default = "one")]
    pub quantity: i64,
    #[arg(long)]
    pub village: Option<String>,
    #[arg(long)]
    pub client: Option<Uuid>,
    #[arg(long)]
    pub story: Option<String>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    #[arg(long)]
    pub title: String,
    /// goods, food, medicine, service, venue or charity_money.
    #[arg(long)]
    pub kind: String,
    #[arg(long)]
    pub provider: String,
    #[arg(long, default_value_t = 1)]
    #[serde(default = "one")]
    pub quantity: i64,
    /// direct, charity, public_appeal or government.
    #[arg(long)]
    pub channel: Option<String>,
    /// YYYY-MM-DD.
    #[arg(long)]
    pub expires_on: Option<String>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub need: Uuid,
    pub resource: Uuid,
    #[arg(long, default_value_t = 1)]
    #[serde(default = "one")]
    pub quantity: i64,
    /// What it is for; `日常帮扶` when absent.
    #[arg(long)]
    pub purpose: Option<String>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliver {
    /// The link.
    pub id: Uuid,
    /// How many were handed over, when it was not what was promised.
    #[arg(long)]
    pub quantity: Option<i64>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The refusal, or the record that was refused.
    pub refusal: Uuid,
    /// Minutes that were no service.
    #[arg(long)]
    pub minutes: i64,
    /// Class of these minutes.
    #[arg(long, default_value = "administrative")]
    #[serde(default = "administrative")]
    pub class: String,
    /// The body of the record without the refused part, as a JSON file.
    #[arg(long)]
    #[serde(skip)]
    pub cleaned: Option<PathBuf>,
    /// The same, in a recorded day.
    #[arg(skip)]
    #[serde(default, rename = "cleaned")]
    pub body: Option<Value>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appeal {
    /// The refusal, or the record that was refused.
    pub refusal: Uuid,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The held, appealed or visited record.
    pub record: Uuid,
    /// release, refuse; upheld, changed, list_wrong; approve, return.
    #[arg(long)]
    pub decision: String,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderReport {
    /// The office that gave the order.
    #[arg(long)]
    pub office: String,
    /// What was ordered, such as approval, land_demolition or office_duty.
    #[arg(long)]
    pub what: String,
    /// Who gave it.
    #[arg(long)]
    pub person: Option<String>,
    /// The day, such as 2026-01-14.
    #[arg(long)]
    pub when: Option<String>,
    /// meeting, telephone, message or paper.
    #[arg(long)]
    pub how: Option<String>,
    #[arg(long)]
    pub text: Option<String>,
    /// You did not do it.
    #[arg(long)]
    #[serde(default)]
    pub refused: bool,
    /// The record it is about.
    #[arg(long)]
    pub record: Option<Uuid>,
}

#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Substitute {
    /// The client's card.
    pub client: Uuid,
    /// The worker who steps in, such as p-worker-02.
    pub person: String,
    #[arg(long)]
    pub days: i64,
    #[arg(long)]
    pub reason: String,
}

impl Action {
    /// The photographs that belong to it.
    pub fn photos(&self) -> &[PathBuf] {
        match self {
            Self::Visit(visit) => &visit.photos,
            Self::Photo(more) => &more.photos,
            _ => &[],
        }
    }
}

fn helper() -> String {
    "helper".to_owned()
}

fn administrative() -> String {
    "administrative".to_owned()
}

const fn one() -> i64 {
    1
}

const fn two() -> i64 {
    2
}

/// The cleaned record of a split, from its file or from the recorded day.
pub(super) async fn cleaned(action: &Action) -> Result<Option<Value>, Trouble> {
    let Action::Split(split) = action else {
        return Ok(None);
    };
    let Some(file) = &split.cleaned else {
        return Ok(split.body.clone());
    };
    let read = tokio::fs::read(file).await;
    let bytes = read.map_err(|error| Trouble::file(file, &error))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(Trouble::damaged)
}

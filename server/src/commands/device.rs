//! `xiangyi device`: the phones of a person, and the end of one that was lost.

use clap::Subcommand;
use xiangyi_proto::time::day_text;

use super::Place;
use super::people::{open, person_of};
use crate::app::StartError;
use crate::store::accounts;
use crate::trail::{self, COMMAND, Entry};

#[derive(Debug, Subcommand)]
pub enum Device {
    /// List the phones that a person registered.
    List {
        #[command(flatten)]
        place: Place,
        /// The person's telephone number.
        telephone: String,
    },
    /// End a phone: it pulls nothing more, and what it still hands over goes before a reviewer.
    Revoke {
        #[command(flatten)]
        place: Place,
        /// The phone, such as d-7K2M9QX4.
        device: String,
    },
}

/// Runs a command about phones.
pub async fn run(command: Device) -> Result<(), StartError> {
    match command {
        Device::List { place, telephone } => list(&place, &telephone).await,
        Device::Revoke { place, device } => revoke(&place, &device).await,
    }
}

async fn list(place: &Place, telephone: &str) -> Result<(), StartError> {
    let app = open(place).await?;
    let person = person_of(&app, telephone).await?;
    let mut tx = app.db.read().await?;
    for phone in accounts::phones(&mut tx, &person).await? {
        let seen = phone.last_seen_at.map_or("-".to_owned(), day_text);
        println!(
            "{}\t{}\t登记 registered {}\t最近 last seen {seen}\t待传 waiting {}+{}",
            phone.id,
            phone.state,
            day_text(phone.registered_at),
            phone.waiting_records.unwrap_or(0),
            phone.waiting_photos.unwrap_or(0),
        );
    }
    Ok(())
}

async fn revoke(place: &Place, device: &str) -> Result<(), StartError> {
    let app = open(place).await?;
    let none = "没有这台手机，或已停用。there is no such phone, or it was ended before";
    let mut tx = app.db.write().await?;
    let owner = accounts::owner_of(&mut tx, device).await?.ok_or(none)?;
    if !accounts::end_phone(&mut tx, &owner, device).await? {
        return Err(none.into());
    }
    // Whoever has the phone has a session too, and could register another with it.
    let ended = accounts::end_others(&mut tx, &owner, "").await?;
    let entry = Entry::of(COMMAND, "device-revoke").about(&owner);
    trail::put(&app, &mut tx, &entry.target(device)).await?;
    tx.commit().await?;
    println!("已停用 ended {device}; 已退出 {ended} 处登录 sessions ended");
    println!("它交来的记录由审核员处理 a reviewer looks at what it hands over");
    Ok(())
}

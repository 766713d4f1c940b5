//! `xiangyi messages`: what could not be sent, and another try.

use clap::Subcommand;

use super::Place;
use super::people::open;
use crate::app::StartError;
use crate::store::wechat;

/// Messages of one list.
const LISTED: i64 = 200;

#[derive(Debug, Subcommand)]
pub enum Messages {
    /// List the messages that were given up.
    Parked(Place),
    /// Give all of them another chance.
    Again(Place),
}

/// Runs a command about messages.
pub async fn run(command: Messages) -> Result<(), StartError> {
    match command {
        Messages::Parked(place) => {
            let app = open(&place).await?;
            let mut tx = app.db.read().await?;
            for message in wechat::parked(&mut tx, LISTED).await? {
                let (shard, fault) = (message.shard, message.fault.unwrap_or_default());
                println!("{shard}\t{}\t{}\t{fault}", message.what, message.person);
            }
        }
        Messages::Again(place) => {
            let app = open(&place).await?;
            let mut tx = app.db.write().await?;
            let count = wechat::again(&mut tx, app.clock.now()).await?;
            tx.commit().await?;
            println!("{count} 条重新发送 messages are tried again");
        }
    }
    Ok(())
}

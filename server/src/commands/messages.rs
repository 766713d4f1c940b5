//! `xiangyi messages`: what could not be sent, or checked for the public, and another try.

use clap::Subcommand;

use super::Place;
use super::people::open;
use crate::app::StartError;
use crate::store::{cards, wechat};
use crate::trail::{self, COMMAND, Entry};

/// Messages of one list.
const LISTED: i64 = 200;

#[derive(Debug, Subcommand)]
pub enum Messages {
    /// List the messages and the checks of public texts that were given up.
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
            let messages = wechat::parked(&mut tx, LISTED).await?;
            let cards = cards::parked(&mut tx, LISTED).await?;
            if messages.is_empty() && cards.is_empty() {
                println!("没有搁下的 nothing is parked");
            }
            for message in messages {
                let (shard, fault) = (message.shard, message.fault.unwrap_or_default());
                println!("{shard}\t{}\t{}\t{fault}", message.what, message.person);
            }
            for card in cards {
                let (shard, fault) = (card.shard, card.fault.unwrap_or_default());
                println!("{shard}\tcheck\t{}\t{fault}", card.author);
            }
        }
        Messages::Again(place) => {
            let app = open(&place).await?;
            let mut tx = app.db.write().await?;
            let now = app.clock.now();
            let count = wechat::again(&mut tx, now).await? + cards::again(&mut tx, now).await?;
            let entry = Entry::of(COMMAND, "messages-again").target(count.to_string());
            trail::put(&app, &mut tx, &entry).await?;
            tx.commit().await?;
            println!("{count} 条重新发送 messages are tried again");
        }
    }
    Ok(())
}

//! A client changes worker: the card and the visits leave one phone and come to the other.

use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::region;
use xiangyi_sync::moves::Handover;
use xiangyi_sync::world::World;

use super::{By, Checklist, Move, NotMoved, moment, serves, write};
use crate::app::App;
use crate::store::{Tx, lists, shards, views};
use crate::trail::Entry;
use crate::whole::Whole;

pub(super) async fn run(app: &App, by: By<'_>, what: &Move) -> Result<Checklist, NotMoved> {
    let Move::Client {
        client,
        unit,
        from,
        to,
        on,
        reason,
        dry_run,
    } = what
    else {
        return Err(NotMoved::NotThere);
    };
    let shard = region::shard_of(unit).ok_or(NotMoved::NotThere)?;
    by.may(app, unit)?;
    let at = moment(app, on.as_deref())?;
    let mut tx = app.db.read().await?;
    let card = card(app, &mut tx, shard, *client, unit).await?;
    let assigned = World::assigned(&card, at);
    let from = match (from, assigned.first()) {
        (Some(from), _) => from.clone(),
        (None, Some(one)) if assigned.len() == 1 => one.clone(),
        (None, _) => return Err(NotMoved::Fault("/from", "required")),
    };
    let grants = views::grants(&mut tx, to).await?;
    if from == *to || !serves(&grants, unit, at) {
        return Err(NotMoved::Fault("/to", "not-serving"));
    }
    if !assigned.contains(&from) {
        return Err(NotMoved::Fault("/from", "not-in-charge"));
    }
    drop(tx);
    let whole = Whole {
        handovers: vec![Handover {
            client: *client,
            from,
            to: to.clone(),
            at,
            reason: reason.clone(),
        }],
        trail: Some(
            Entry::of(by.name(), "move-client")
                .about(to)
                .at(unit)
                .target(client.to_string())
                .because(reason),
        ),
        ..Whole::default()
    };
    let mut list = Checklist {
        dry_run: *dry_run,
        ..Checklist::default()
    };
    write(app, shard, &whole, *dry_run, &mut list).await?;
    Ok(list)
}

/// A card of a unit as it is kept.
async fn card(
    app: &App,
    tx: &mut Tx,
    shard: Shard,
    id: Uuid,
    unit: &str,
) -> Result<Value, NotMoved> {
    let vault = format!("vault:{shard}");
    let home = shards::streams(tx, shard, &[&vault]).await?.pop();
    let copies = lists::one(tx, &app.sealer, shard.0, id).await?;
    let fits = |copy: &lists::Listed| {
        let at_home = home.as_ref().is_some_and(|home| home.id == copy.stream);
        at_home && copy.kind == Kind::Client && copy.unit.starts_with(unit)
    };
    let card = copies.into_iter().find(fits).ok_or(NotMoved::NotThere)?;
    serde_json::from_str(&card.body).map_err(|_| NotMoved::NotThere)
}

//! A client changes worker: the card and the visits leave one phone and come to the other.

use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::region;
use xiangyi_sync::moves::Handover;

use super::{By, Checklist, Move, NotMoved, moment, serves, write};
use crate::app::App;
use crate::store::{Tx, lists, shards, views};
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
    let from = match (from, &assigned(&card, at)[..]) {
        (Some(from), _) => from.clone(),
        (None, [one]) => one.clone(),
        (None, _) => return Err(NotMoved::Fault("/from", "required")),
    };
    let grants = views::grants(&mut tx, to).await?;
    if from == *to || !serves(&grants, unit, at) {
        return Err(NotMoved::Fault("/to", "not-serving"));
    }
    if !assigned(&card, at).contains(&from) {
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

/// Whose client it is at a moment.
fn assigned(card: &Value, moment: i64) -> Vec<String> {
    let list = card.get("workers").and_then(Value::as_array);
    let holds = |entry: &&Value| {
        let at = |name: &str| entry.get(name).and_then(Value::as_i64);
        at("from").is_some_and(|from| from <= moment) && at("to").is_none_or(|to| moment < to)
    };
    let person = |entry: &Value| Some(entry.get("person")?.as_str()?.to_owned());
    list.into_iter()
        .flatten()
        .filter(holds)
        .filter_map(person)
        .collect()
}

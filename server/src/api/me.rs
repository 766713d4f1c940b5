//! Who am I, what may I be, and what may I read now.

use axum::Json;
use axum::extract::State;
use xiangyi_proto::account::{GrantCard, Me, MyCard, UnitCard};
use xiangyi_proto::problem;
use xiangyi_sync::world::Granted;

use super::sessions::name_of;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::{people, views};

/// `GET /v1/me`.
///
/// # Errors
/// When the database does not answer.
pub async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Me>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let person = people::by_id(&mut tx, &caller.person).await?;
    let person = person.ok_or(ApiError::new(problem::UNAUTHORIZED))?;
    let name = name_of(&app, &mut tx, &person).await?;
    let view = views::of(&mut tx, &caller.person, &caller.grants, now).await?;
    let held: Vec<&Granted> = caller.grants.iter().filter(|g| g.holds_at(now)).collect();
    let mut units: Vec<UnitCard> = Vec::new();
    for grant in &held {
        if !units.iter().any(|unit| unit.code == grant.unit) {
            let name = app.regions.unit_name(&grant.unit);
            units.push(UnitCard {
                code: grant.unit.clone(),
                name,
            });
        }
    }
    let card = |grant: &Granted| GrantCard {
        role: grant.role,
        unit: grant.unit.clone(),
        from_at: grant.from_at,
        to_at: grant.to_at,
    };
    Ok(Json(Me {
        person: MyCard {
            id: person.id,
            name,
        },
        grants: caller.grants.iter().map(card).collect(),
        units,
        streams: view.streams,
    }))
}

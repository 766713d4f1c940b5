//! `GET /v1/photos/{sha256}/about`: what the camera wrote, beside the records that show it.
//!
//! For whoever sent the photograph and for reviewers with a reason, which is noted: as for the
//! original. A finding is a reason to look; nothing is decided by it.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::photo::Form;
use xiangyi_proto::problem;
use xiangyi_sync::geo::Wgs84;

use super::photos::{Reading, Right, Wanted, noted, right, wanted};
use super::query;
use crate::app::App;
use crate::caller::Caller;
use crate::photos::camera::{self, Beside, Camera};
use crate::problem::ApiError;
use crate::store::photos::{self, PhotoRow};
use crate::store::{StoreError, Tx, keys, lists};

/// Senders and records that one answer tells of; more are counted.
const TOLD_MAX: i64 = 50;

/// `GET /v1/photos/{sha256}/about?unit=`.
///
/// # Errors
/// When the query is not understood, or there is no such photograph for the caller.
pub async fn about(
    State(app): State<App>,
    caller: Caller,
    Path(sha256): Path<String>,
    query::Asked(asked): query::Asked<Reading>,
) -> Result<Json<Value>, ApiError> {
    let mut wanted = wanted(sha256, asked)?;
    // What the camera wrote is told to whoever may read the original.
    wanted.form = Form::Original;
    let right = right(&app, &caller, &wanted).await?;
    let mut tx = app.db.read().await?;
    let mut sent = photos::sent_by(&mut tx, wanted.shard, &wanted.hash, TOLD_MAX).await?;
    if matches!(right, Right::Owner) {
        sent.retain(|row| row.owner == caller.person);
    }
    let records = photos::shown_in(&mut tx, wanted.shard, &wanted.hash, TOLD_MAX).await?;
    let mut told = Vec::new();
    for row in &sent {
        told.push(of(&app, &mut tx, &wanted, row, &records).await?);
    }
    drop(tx);
    match right {
        Right::Owner => {}
        Right::Mailbox => return Err(ApiError::new(problem::NOT_FOUND)),
        Right::Review { record, reason } => {
            noted(&app, &caller, &wanted, record, &reason).await?;
        }
    }
    Ok(Json(json!({ "sha256": wanted.sha256, "sent": told })))
}

/// One sender's photograph: what it is, what the camera wrote, what that is beside each record.
async fn of(
    app: &App,
    tx: &mut Tx,
    wanted: &Wanted,
    row: &PhotoRow,
    records: &[(Uuid, String)],
) -> Result<Value, StoreError> {
    let camera = opened(app, tx, wanted, row).await?;
    let own = records.iter().filter(|(_, author)| *author == row.owner);
    let own: Vec<Uuid> = own.map(|(record, _)| *record).collect();
    let mut told = Vec::new();
    for record in &own {
        let elsewhere = records.len() as u64 - 1;
        if let Some(beside) = beside(app, tx, wanted.shard, *record, elsewhere).await? {
            let findings = camera::findings(camera.as_ref(), &beside);
            told.push(json!({ "record": record, "findings": findings }));
        }
    }
    let wrote = camera.map(|camera| {
        // Where exactly is told to nobody: the distance is what is compared.
        json!({ "taken_at": camera.taken_at, "maker": camera.maker, "editor": camera.editor,
                "has_place": camera.place.is_some() })
    });
    Ok(
        json!({ "owner": row.owner, "bytes": row.bytes, "mime": row.mime, "width": row.width,
               "height": row.height, "camera": wrote, "records": told }),
    )
}

/// What the camera wrote; nothing when the key of its owner is gone.
async fn opened(
    app: &App,
    tx: &mut Tx,
    wanted: &Wanted,
    row: &PhotoRow,
) -> Result<Option<Camera>, StoreError> {
    let Some(sealed) = &row.camera else {
        return Ok(None);
    };
    let keys = keys::known(tx, &app.sealer, wanted.shard, [row.owner.as_str()]).await?;
    let plain = keys.open(&row.owner, &photos::place(&wanted.hash), sealed);
    Ok(plain
        .ok()
        .and_then(|plain| serde_json::from_slice(&plain).ok()))
}

/// What of a record is compared; nothing when it is gone.
async fn beside(
    app: &App,
    tx: &mut Tx,
    shard: i64,
    record: Uuid,
    elsewhere: u64,
) -> Result<Option<Beside>, StoreError> {
    let copies = lists::one(tx, &app.sealer, shard, record).await?;
    // The fullest copy: others leave parts out.
    let Some(row) = copies.into_iter().max_by_key(|row| row.body.len()) else {
        return Ok(None);
    };
    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
    let at = |name: &str, or: i64| body.get(name).and_then(Value::as_i64).unwrap_or(or);
    let from = at("started_at", row.occurred_at);
    let point = row.village.and_then(|code| app.writer.place_of(&code));
    Ok(Some(Beside {
        from,
        to: at("ended_at", from),
        village: point.map(|(lat, lng)| Wgs84 {
            lat: lat as f64 / 1e7,
            lng: lng as f64 / 1e7,
        }),
        elsewhere,
    }))
}

//! Trials of rule packs by REST: started, looked at, ended. For those who may publish there.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use xiangyi_proto::limits::RETRY_MS;
use xiangyi_proto::pack::PackDoc;
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_sync::policy::PackFault;

use super::body;
use crate::app::App;
use crate::caller::Caller;
use crate::law::jobs::{Job, Shown};
use crate::law::propose::{self, NotDone, PUBLISH};
use crate::law::what_if::{Period, WhatIf};
use crate::problem::ApiError;

/// Who reads whole narratives of a region.
const NARRATIVES: &[Role] = &[Role::HubReviewer, Role::CountyBureau];
/// Letters of a trial's id.
const ID_LETTERS: usize = 12;

/// What is tried, and on which days: a document, or a draft by region and version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TryAsk {
    #[serde(default)]
    document: Option<Value>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    version: Option<i64>,
    from: String,
    to: String,
}

/// `POST /v1/packs/what-if`: starts a trial in the background.
///
/// # Errors
/// When the pack is not sound or not the caller's to propose, or another trial runs.
pub async fn start(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let ask: TryAsk = body::json(&headers, &bytes)?;
    let period = Period::of(&ask.from, &ask.to);
    let period = period.ok_or(ApiError::new(problem::INVALID_ENVELOPE).at("/to", "time-range"))?;
    let doc = meant(&app, &caller, ask).await?;
    if app.law.jobs.is_busy() {
        return Err(ApiError::new(problem::WHAT_IF_BUSY).retry(RETRY_MS));
    }
    let draft = app.law.sound(doc.clone()).await;
    let draft = draft.map_err(NotDone::Unsound)?;
    let what = WhatIf::new(&app, &doc, draft, period);
    let id = format!("w-{}", app.entropy.crockford(ID_LETTERS));
    let job = app.law.jobs.start(id, doc.version, what);
    let job = job.ok_or(ApiError::new(problem::WHAT_IF_BUSY).retry(RETRY_MS))?;
    Ok((StatusCode::ACCEPTED, Json(job.shown(false))))
}

/// The document that is tried; whoever has no right there learns nothing of it.
async fn meant(app: &App, caller: &Caller, ask: TryAsk) -> Result<PackDoc, ApiError> {
    let faulty = |error: serde_json::Error| {
        let fault = PackFault::unread(&error);
        ApiError::from(NotDone::Unsound(vec![fault]))
    };
    let document = match (ask.document, ask.region, ask.version) {
        (Some(document), None, None) => document,
        (None, Some(region), Some(version)) => {
            if !region::is_code(&region) {
                return Err(ApiError::new(problem::INVALID_ENVELOPE).at("/region", "bad-region"));
            }
            may_try(app, caller, &region)?;
            let mut tx = app.db.read().await?;
            let draft = propose::draft(&mut tx, &region, version).await?;
            serde_json::from_str(&draft.document).map_err(faulty)?
        }
        _ => return Err(ApiError::new(problem::INVALID_ENVELOPE).at("/document", "required")),
    };
    let doc: PackDoc = serde_json::from_value(document).map_err(faulty)?;
    may_try(app, caller, &doc.pack)?;
    Ok(doc)
}

/// Only who may publish there tries drafts. A draft's conditions can ask anything of a narrative:
/// who may not read those is told numbers, and no record.
fn may_try(app: &App, caller: &Caller, region: &str) -> Result<(), ApiError> {
    if caller.is_one_of(PUBLISH, region, app.clock.now()) {
        return Ok(());
    }
    Err(ApiError::new(problem::NOT_FOUND))
}

fn job(app: &App, caller: &Caller, id: &str) -> Result<std::sync::Arc<Job>, ApiError> {
    let job = app.law.jobs.get(id);
    let job = job.ok_or(ApiError::new(problem::NOT_FOUND))?;
    may_try(app, caller, &job.region)?;
    Ok(job)
}

/// `GET /v1/packs/what-if/{id}`: how far a trial is, or its report.
///
/// # Errors
/// When there is none that the caller may see.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Shown>, ApiError> {
    let job = job(&app, &caller, &id)?;
    let reads = caller.is_one_of(NARRATIVES, &job.region, app.clock.now());
    Ok(Json(job.shown(reads)))
}

/// `DELETE /v1/packs/what-if/{id}`: ends a trial and forgets its report.
///
/// # Errors
/// When there is none that the caller may see.
pub async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    job(&app, &caller, &id)?;
    app.law.jobs.cancel(&id);
    Ok(StatusCode::NO_CONTENT)
}

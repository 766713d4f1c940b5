//! Rule packs by REST: read, propose, publish. Who has no right there learns nothing.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use xiangyi_proto::problem;
use xiangyi_proto::verdict::FieldError;
use xiangyi_sync::policy::PackFault;

use super::body;
use super::query::Asked;
use crate::app::App;
use crate::caller::Caller;
use crate::law::propose::{self, NotDone, PROPOSE, Person, Proposal};
use crate::problem::ApiError;
use crate::store::packs::{self, DraftRow, PackRow};

/// Faults that one answer lists.
const FAULTS_MAX: usize = 64;

/// The region that is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtRegion {
    region: String,
}

/// A pack or a draft as a list shows it.
#[derive(Debug, Serialize)]
pub struct Listed {
    region: String,
    version: i64,
    /// `draft` or `published`.
    state: &'static str,
    signer: Option<String>,
    proposed_by: Option<String>,
    proposed_at: Option<i64>,
    published_by: Option<String>,
    published_at: Option<i64>,
}

/// One with its document.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    listed: Listed,
    signature: Option<String>,
    document: Box<RawValue>,
}

/// What a proposal says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposeAsk {
    document: Value,
    #[serde(default)]
    signature: Option<String>,
    #[serde(default)]
    signer: Option<String>,
}

/// The region and version that were proposed or published.
#[derive(Debug, Serialize)]
pub struct Done {
    region: String,
    version: i64,
}

impl From<NotDone> for ApiError {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::NotThere => Self::new(problem::NOT_FOUND),
            NotDone::Unsound(faults) => unsound(&faults),
            NotDone::Version => Self::new(problem::PACK_VERSION),
            NotDone::Untrusted(_) => Self::new(problem::PACK_SIGNATURE),
            NotDone::SamePerson => Self::new(problem::SECOND_PERSON),
            NotDone::Store(error) => error.into(),
        }
    }
}

fn unsound(faults: &[PackFault]) -> ApiError {
    let mut error = ApiError::new(problem::PACK_UNSOUND);
    let told = |fault: &PackFault| FieldError {
        pointer: match &fault.rule {
            Some(rule) => format!("/rules/{rule}/{}", fault.place),
            None => format!("/{}", fault.place),
        },
        code: "pack-fault".to_owned(),
        detail: problem::field_words("pack-fault").0.to_owned(),
        detail_en: fault.to_string(),
    };
    error.errors = faults.iter().take(FAULTS_MAX).map(told).collect();
    error
}

fn published(row: &PackRow) -> Listed {
    Listed {
        region: row.region.clone(),
        version: row.version,
        state: "published",
        signer: row.signer.clone(),
        proposed_by: row.proposed_by.clone(),
        proposed_at: None,
        published_by: row.published_by.clone(),
        published_at: Some(row.published_at),
    }
}

fn drafted(row: &DraftRow) -> Listed {
    Listed {
        region: row.region.clone(),
        version: row.version,
        state: "draft",
        signer: row.signer.clone(),
        proposed_by: Some(row.proposed_by.clone()),
        proposed_at: Some(row.proposed_at),
        published_by: None,
        published_at: None,
    }
}

/// Whoever may propose here may read drafts and who made the law.
pub(super) fn may_read(app: &App, caller: &Caller, region: &str) -> Result<(), ApiError> {
    if caller.is_one_of(PROPOSE, region, app.clock.now()) {
        return Ok(());
    }
    Err(ApiError::new(problem::NOT_FOUND))
}

/// `GET /v1/packs?region=`: published versions and drafts, without their documents.
///
/// # Errors
/// When the caller has no right there.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(ask): Asked<AtRegion>,
) -> Result<Json<Vec<Listed>>, ApiError> {
    may_read(&app, &caller, &ask.region)?;
    let mut tx = app.db.read().await?;
    let rows = packs::all(&mut tx).await?;
    let own = rows.iter().filter(|row| row.region == ask.region);
    let mut all: Vec<Listed> = own.map(published).collect();
    let drafts = packs::drafts(&mut tx, &ask.region).await?;
    all.extend(drafts.iter().map(drafted));
    Ok(Json(all))
}

/// `GET /v1/packs/{region}/{version}`: one with its document and signature.
///
/// # Errors
/// When there is none, or the caller has no right there.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((region, version)): Path<(String, i64)>,
) -> Result<Json<Shown>, ApiError> {
    may_read(&app, &caller, &region)?;
    let mut tx = app.db.read().await?;
    let rows = packs::all(&mut tx).await?;
    let mut rows = rows.into_iter();
    let found = rows.find(|row| row.region == region && row.version == version);
    let (listed, signature, document) = match found {
        Some(row) => (published(&row), row.signature, row.document),
        None => {
            let draft = propose::draft(&mut tx, &region, version).await?;
            (drafted(&draft), draft.signature, draft.document)
        }
    };
    let document = RawValue::from_string(document).expect("a stored document is JSON");
    Ok(Json(Shown {
        listed,
        signature,
        document,
    }))
}

/// `POST /v1/packs`: proposes a pack.
///
/// # Errors
/// When it is not sound, not signed as it says, not above the newest version, or not the caller's.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    let ask: ProposeAsk = body::json(&headers, &bytes)?;
    let proposal = Proposal {
        document: ask.document,
        signature: ask.signature,
        signer: ask.signer,
    };
    let (region, version) = propose::propose(&app, person(&caller), proposal).await?;
    Ok((StatusCode::CREATED, Json(Done { region, version })))
}

/// `POST /v1/packs/{region}/{version}/publish`: puts a draft in force.
///
/// # Errors
/// When there is none, the caller proposed it, or a newer version was published meanwhile.
pub async fn publish(
    State(app): State<App>,
    caller: Caller,
    Path((region, version)): Path<(String, i64)>,
) -> Result<Json<Done>, ApiError> {
    propose::publish(&app, person(&caller), &region, version).await?;
    Ok(Json(Done { region, version }))
}

fn person(caller: &Caller) -> Person<'_> {
    Person {
        id: &caller.person,
        grants: &caller.grants,
    }
}

//! Rule packs by REST: read, propose, publish. Who has no right there learns nothing.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::verdict::FieldError;
use xiangyi_sync::policy::PackFault;

use super::body;
use super::query::Asked;
use crate::app::App;
use crate::caller::Caller;
use crate::law::propose::{self, NotDone, PROPOSE, Person, Proposal};
use crate::problem::ApiError;
use crate::store::packs::{self, DraftRow, PackRow, WithdrawnRow};

/// Faults that one answer lists.
const FAULTS_MAX: usize = 64;
/// Withdrawn drafts that a list shows; more are kept.
const WITHDRAWN_MAX: i64 = 100;

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
    /// `draft`, `published` or `withdrawn`.
    state: &'static str,
    /// SHA-256 of the document, to publish what was read.
    digest: String,
    signer: Option<String>,
    proposed_by: Option<String>,
    proposed_at: Option<i64>,
    published_by: Option<String>,
    published_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<i64>,
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

/// Which draft is to be published, where the version was another's before.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishAsk {
    #[serde(default)]
    digest: Option<String>,
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
        digest: propose::digest(&row.document),
        signer: row.signer.clone(),
        proposed_by: row.proposed_by.clone(),
        proposed_at: None,
        published_by: row.published_by.clone(),
        published_at: Some(row.published_at),
        withdrawn_by: None,
        withdrawn_at: None,
    }
}

fn drafted(row: &DraftRow) -> Listed {
    Listed {
        region: row.region.clone(),
        version: row.version,
        state: "draft",
        digest: propose::digest(&row.document),
        signer: row.signer.clone(),
        proposed_by: Some(row.proposed_by.clone()),
        proposed_at: Some(row.proposed_at),
        published_by: None,
        published_at: None,
        withdrawn_by: None,
        withdrawn_at: None,
    }
}

fn withdrawn(row: WithdrawnRow) -> Listed {
    Listed {
        region: row.region,
        version: row.version,
        state: "withdrawn",
        digest: row.digest,
        signer: None,
        proposed_by: Some(row.proposed_by),
        proposed_at: Some(row.proposed_at),
        published_by: None,
        published_at: None,
        withdrawn_by: Some(row.withdrawn_by),
        withdrawn_at: Some(row.withdrawn_at),
    }
}

/// A region and a version in a path.
type Named = Path<(String, String)>;

fn named(Path((region, version)): Named) -> Result<(String, i64), ApiError> {
    let wrong = |pointer, code| ApiError::new(problem::INVALID_PARAMETER).at(pointer, code);
    if !region::is_code(&region) {
        return Err(wrong("/region", "bad-region"));
    }
    let version = version.parse();
    let version = version.map_err(|_| wrong("/version", "wrong-type"))?;
    Ok((region, version))
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
    let rows = packs::of_region(&mut tx, &ask.region).await?;
    let mut all: Vec<Listed> = rows.iter().map(published).collect();
    let drafts = packs::drafts(&mut tx, &ask.region).await?;
    all.extend(drafts.iter().map(drafted));
    let gone = packs::withdrawn(&mut tx, &ask.region, WITHDRAWN_MAX).await?;
    all.extend(gone.into_iter().map(withdrawn));
    Ok(Json(all))
}

/// `GET /v1/packs/{region}/{version}`: one with its document and signature.
///
/// # Errors
/// When there is none, or the caller has no right there.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    path: Named,
) -> Result<Json<Shown>, ApiError> {
    let (region, version) = named(path)?;
    may_read(&app, &caller, &region)?;
    let mut tx = app.db.read().await?;
    let (listed, signature, document) = match packs::one(&mut tx, &region, version).await? {
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
    path: Named,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Done>, ApiError> {
    let (region, version) = named(path)?;
    let ask: PublishAsk = match bytes.is_empty() {
        true => PublishAsk::default(),
        false => body::json(&headers, &bytes)?,
    };
    let meant = (region.as_str(), version);
    propose::publish(&app, person(&caller), meant, ask.digest.as_deref()).await?;
    Ok(Json(Done { region, version }))
}

/// `DELETE /v1/packs/{region}/{version}`: takes a draft back.
///
/// # Errors
/// When there is none, or the caller may not propose there.
pub async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    path: Named,
) -> Result<StatusCode, ApiError> {
    let (region, version) = named(path)?;
    propose::withdraw(&app, person(&caller), &region, version).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn person(caller: &Caller) -> Person<'_> {
    Person {
        id: &caller.person,
        grants: &caller.grants,
    }
}

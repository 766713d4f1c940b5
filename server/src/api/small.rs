//! `POST /v1/photos/small`: a photograph in one form, for phones that can send nothing else.
//!
//! A mini-program's upload speaks `multipart/form-data` and no PATCH. The checks are those of an
//! upload in parts; the same form again is the same photograph.

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use xiangyi_proto::ids::record_id;
use xiangyi_proto::limits::PHOTO_FORM_BYTES_MAX;
use xiangyi_proto::photo::Announced;
use xiangyi_proto::problem;

use super::uploads::announced;
use crate::app::App;
use crate::caller::Caller;
use crate::photos::{receive, tus};
use crate::problem::ApiError;

/// Characters of a field that is no file: the longest is a hash.
const FIELD_MAX: usize = 128;

/// The parts of a form, as they came.
#[derive(Debug, Default)]
struct Form {
    sha256: Option<String>,
    unit: Option<String>,
    mime: Option<String>,
    record: Option<String>,
    file: Option<Bytes>,
}

/// `POST /v1/photos/small`: 201 with `{sha256, bytes}` when the photograph is stored.
///
/// # Errors
/// Those of an announcement and of a last byte; `photo-too-large` beyond 1 MiB.
pub async fn send(
    State(app): State<App>,
    caller: Caller,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let form = form.map_err(|_| ApiError::new(problem::UNSUPPORTED_MEDIA_TYPE))?;
    let (said, file) = sound(read(form).await?)?;
    let length = i64::try_from(file.len()).unwrap_or(i64::MAX);
    let asked = tus::sound(said, length)?;
    let upload = announced(&app, &caller, &asked).await?;
    if !upload.is_complete() {
        receive::at_once(&app, upload, file).await?;
    }
    let answer = json!({ "sha256": asked.said.sha256, "bytes": length });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn read(mut form: Multipart) -> Result<Form, ApiError> {
    let mut read = Form::default();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("sha256") => read.sha256 = Some(word(field, "/sha256").await?),
            Some("unit") => read.unit = Some(word(field, "/unit").await?),
            Some("mime") => read.mime = Some(word(field, "/mime").await?),
            Some("record") => read.record = Some(word(field, "/record").await?),
            Some("file") => {
                let mime = field.content_type().map(str::to_owned);
                read.mime = read.mime.or(mime);
                let file = field.bytes().await.map_err(broken)?;
                if file.len() > PHOTO_FORM_BYTES_MAX {
                    return Err(ApiError::new(problem::PHOTO_TOO_LARGE));
                }
                read.file = Some(file);
            }
            // Clients send more; nothing of it is kept.
            _ => {}
        }
    }
    Ok(read)
}

async fn word(field: Field<'_>, pointer: &str) -> Result<String, ApiError> {
    let bytes = field.bytes().await.map_err(broken)?;
    let wrong = |code| ApiError::new(problem::INVALID_PARAMETER).at(pointer, code);
    if bytes.len() > FIELD_MAX {
        return Err(wrong("too-long"));
    }
    let word = String::from_utf8(bytes.to_vec()).map_err(|_| wrong("wrong-type"))?;
    Ok(word.trim().to_owned())
}

fn sound(form: Form) -> Result<(Announced, Bytes), ApiError> {
    let wrong = |pointer, code| ApiError::new(problem::INVALID_PARAMETER).at(pointer, code);
    let given = |slot: Option<String>, pointer| slot.ok_or_else(|| wrong(pointer, "required"));
    let file = form.file.filter(|file| !file.is_empty());
    let file = file.ok_or_else(|| wrong("/file", "required"))?;
    let record = match form.record.as_deref() {
        None | Some("") => None,
        Some(id) => Some(record_id(id).ok_or_else(|| wrong("/record", "bad-id"))?),
    };
    let said = Announced {
        sha256: given(form.sha256, "/sha256")?,
        unit: given(form.unit, "/unit")?,
        mime: given(form.mime, "/mime")?,
        record,
    };
    Ok((said, file))
}

fn broken(error: MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(problem::PHOTO_TOO_LARGE),
        _ => ApiError::new(problem::INVALID_PARAMETER).at("/file", "wrong-type"),
    }
}

//! Queries: what does not fit is told with the name of the parameter, never with what was sent.

use std::error::Error;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use xiangyi_proto::ids::{Shard, record_id};
use xiangyi_proto::{problem, region};

use crate::problem::ApiError;

/// Characters of a parameter's name that are repeated to whoever sent it.
const NAME_CHARS_MAX: usize = 32;

/// How axum words what does not fit: the path of the fault around the fault.
type Told = serde_path_to_error::Error<serde::de::value::Error>;

/// A query of a known shape.
#[derive(Debug, Clone, Copy)]
pub struct Asked<T>(pub T);

impl<T, S> FromRequestParts<S> for Asked<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(name) = zero_in(parts.uri.query().unwrap_or_default()) {
            let pointer = format!("/{name}");
            return Err(ApiError::new(problem::INVALID_PARAMETER).at(&pointer, "bad-text"));
        }
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(asked) = query.map_err(|rejection| fault(&rejection))?;
        Ok(Self(asked))
    }
}

/// The parameter whose value holds the character that one of the databases cannot take.
fn zero_in(query: &str) -> Option<&str> {
    let mut pairs = query.split('&').filter(|pair| pair.contains("%00"));
    let name = pairs.next()?.split('=').next()?;
    name.chars()
        .all(|c| c.is_ascii_alphanumeric())
        .then_some(name)
        .or(Some(""))
}

/// The fault of a query, with its place where one can be told.
pub fn fault(rejection: &QueryRejection) -> ApiError {
    let mut cause = rejection.source();
    while let Some(error) = cause {
        if let Some(told) = error.downcast_ref::<Told>() {
            let (pointer, code) = place(told);
            return ApiError::new(problem::INVALID_PARAMETER).at(&pointer, code);
        }
        cause = error.source();
    }
    ApiError::new(problem::INVALID_PARAMETER)
}

fn place(told: &Told) -> (String, &'static str) {
    let words = told.inner().to_string();
    let quoted = words.split('`').nth(1).unwrap_or_default();
    let at = told.path().to_string();
    let (name, code) = if words.starts_with("missing field") {
        (quoted, "required")
    } else if words.starts_with("unknown field") {
        (quoted, "unknown-field")
    } else if words.starts_with("duplicate field") {
        (quoted, "wrong-type")
    } else {
        (at.as_str(), "wrong-type")
    };
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    (format!("/{name}"), code)
}

/// The county of a unit in a query.
///
/// # Errors
/// When it is no code.
pub fn unit(code: &str) -> Result<Shard, ApiError> {
    let shard = region::shard_of(code);
    shard.ok_or_else(|| ApiError::new(problem::INVALID_PARAMETER).at("/unit", "bad-region"))
}

/// The same where only codes of so many digits have what is asked for.
///
/// # Errors
/// When it is no such code.
pub fn unit_of(code: &str, digits: &[usize]) -> Result<Shard, ApiError> {
    let shard = unit(code)?;
    if digits.contains(&code.len()) {
        return Ok(shard);
    }
    Err(ApiError::new(problem::INVALID_PARAMETER).at("/unit", "bad-region"))
}

/// The id in a path.
///
/// # Errors
/// When it is none.
pub fn id(text: &str) -> Result<Uuid, ApiError> {
    record_id(text).ok_or_else(|| ApiError::new(problem::INVALID_PARAMETER).at("/id", "bad-id"))
}

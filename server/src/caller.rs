//! Who asks: an extractor that has already checked. A handler without it serves strangers.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, header};
use xiangyi_proto::problem;
use xiangyi_proto::role::Role;
use xiangyi_sync::world::Granted;

use crate::accounts::tokens::{Claims, NoToken};
use crate::app::App;
use crate::problem::ApiError;
use crate::store::sessions::{self, DeviceRow};

/// The cookie of a browser's session.
pub const COOKIE: &str = "xiangyi_session";
/// The header that a write by cookie carries; another site's form cannot set it.
pub const CSRF: &str = "x-xiangyi-csrf";

/// What a person may reach before the second factor that their role needs is set up.
const OWN: [&str; 2] = ["/v1/me", "/v1/sessions"];

/// A person with a valid session, and every grant they have or had.
#[derive(Debug, Clone)]
pub struct Caller {
    pub person: String,
    pub session: String,
    /// The session's own device, for REST writes.
    pub device: String,
    pub grants: Vec<Granted>,
    /// Unix milliseconds at which the token ends.
    pub expires_at: i64,
}

impl Caller {
    /// Whether one of these roles holds now at a unit, or above it.
    pub fn is_one_of(&self, roles: &[Role], unit: &str, now: i64) -> bool {
        is_one_of(&self.grants, roles, unit, now)
    }
}

/// Whether grants give one of these roles now at a unit, or above it.
pub fn is_one_of(grants: &[Granted], roles: &[Role], unit: &str, now: i64) -> bool {
    grants.iter().any(|grant| {
        roles.contains(&grant.role) && unit.starts_with(&grant.unit) && grant.holds_at(now)
    })
}

/// Somebody with a token of ours. Whether the session still holds is for the database to say;
/// a handler that takes this asks it together with what else it must know.
#[derive(Debug, Clone)]
pub struct Signed(Claims);

impl Signed {
    /// Who asks, and their registration of this name if it is a phone of theirs.
    ///
    /// # Errors
    /// When the session has ended or the database does not answer.
    pub async fn with_device(
        self,
        app: &App,
        device: &str,
    ) -> Result<(String, Option<DeviceRow>), ApiError> {
        let mut tx = app.db.glance().await?;
        let now = app.clock.now();
        let known = sessions::standing(&mut tx, &self.0.sid, device, now).await?;
        let (person, device) = known.ok_or(ApiError::new(problem::UNAUTHORIZED))?;
        if person != self.0.sub {
            return Err(ApiError::new(problem::UNAUTHORIZED));
        }
        app.asked.of_person(&person, now)?;
        Ok((person, device.filter(|device| device.kind == "phone")))
    }
}

impl FromRequestParts<App> for Signed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (token, by_cookie) = token(parts).ok_or(ApiError::new(problem::UNAUTHORIZED))?;
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        let meant = parts.headers.get(CSRF).is_some_and(|value| value == "1");
        if by_cookie && !reads && !meant {
            return Err(ApiError::new(problem::CSRF_REQUIRED));
        }
        let claims = app
            .tokens
            .check(&token, app.clock.now())
            .map_err(|why| match why {
                NoToken::Forged => ApiError::new(problem::UNAUTHORIZED),
                NoToken::Expired => ApiError::new(problem::TOKEN_EXPIRED),
            })?;
        if claims.cookie != by_cookie {
            return Err(ApiError::new(problem::UNAUTHORIZED));
        }
        let path = parts.uri.path();
        let is_own = OWN.iter().any(|own| path.starts_with(own));
        if claims.limited && !is_own {
            return Err(ApiError::new(problem::SECOND_FACTOR_NEEDED));
        }
        app.asked.of_session(&claims.sid, app.clock.now())?;
        Ok(Self(claims))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Signed(claims) = Signed::from_request_parts(parts, app).await?;
        let mut tx = app.db.glance().await?;
        let known = sessions::granted(&mut tx, &claims.sid, app.clock.now()).await?;
        let known = known.filter(|(person, _)| *person == claims.sub);
        let (_, grants) = known.ok_or(ApiError::new(problem::UNAUTHORIZED))?;
        app.asked.of_person(&claims.sub, app.clock.now())?;
        Ok(Self {
            person: claims.sub,
            session: claims.sid,
            device: claims.dev,
            grants,
            expires_at: claims.exp * 1_000,
        })
    }
}

/// Whether a request says who asks, rightly or not.
pub fn says_who(parts: &Parts) -> bool {
    parts.headers.contains_key(header::AUTHORIZATION) || token(parts).is_some()
}

/// The token of a request, and whether it came by cookie.
fn token(parts: &Parts) -> Option<(String, bool)> {
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if let Some(value) = header(header::AUTHORIZATION) {
        let token = value
            .strip_prefix("Bearer ")
            .or_else(|| value.strip_prefix("bearer "))?;
        return Some((token.trim().to_owned(), false));
    }
    let cookies = header(header::COOKIE)?;
    let named = |pair: &str| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    };
    cookies
        .split(';')
        .find_map(named)
        .map(|token| (token, true))
}

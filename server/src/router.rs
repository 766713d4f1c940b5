//! Every route on one screen: method, path, handler, size of body, who may ask.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, options, patch, post};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{
    DefaultPredicate, NotForContentType, Predicate, SizeAbove,
};
use xiangyi_proto::limits::{INFLATED_BYTES_MAX, PHOTO_BYTES_MAX, PHOTO_FORM_BYTES_MAX};
use xiangyi_proto::problem;

use crate::api::{
    about, account, devices, escalated, evidence, exchange, health, hub, kpis, ledger, live, me,
    moves, openapi, packs, photos, public, records, reports, sessions, small, timeline, today,
    trail, units, uploads, webhooks, wechat, what_if,
};
use crate::app::App;
use crate::lines;
use crate::problem::{self as problems, ApiError};

/// Who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody, signed in or not.
    Anybody,
    /// Whoever has a session; the handler narrows it further.
    SignedIn,
}

/// A route as tests list it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub who: Who,
}

macro_rules! routes {
    ($($method:literal $path:literal $who:ident $body:expr => $handler:expr;)*) => {
        /// Every route of the server.
        pub const ROUTES: &[Route] =
            &[$(Route { method: $method, path: $path, who: Who::$who },)*];

        fn table() -> Router<App> {
            Router::new()
                $(.route($path, limited($handler, $body)))*
        }
    };
}

/// Answers below this many bytes fit one packet anyway; compressing them costs more than it
/// saves.
const COMPRESSED_FROM: u64 = 700;
/// Bodies of requests that carry next to nothing.
const SMALL: usize = 16 * 1024;
/// Bodies that carry records; the inflated size has its own bound.
const RECORDS: usize = INFLATED_BYTES_MAX;
/// Bodies that carry a photograph or a part of one; what its upload announced is the bound.
const PHOTO: usize = PHOTO_BYTES_MAX + 1;
/// A small photograph with the words of its form.
const FORM: usize = PHOTO_FORM_BYTES_MAX + SMALL;

routes! {
    "GET"    "/healthz"               Anybody  0       => get(health::healthz);
    "GET"    "/readyz"                Anybody  0       => get(health::readyz);
    "GET"    "/.well-known/jwks.json" Anybody  0       => get(sessions::jwks);
    "POST"   "/v1/sessions"           Anybody  SMALL   => post(sessions::sign_in);
    "DELETE" "/v1/sessions"           SignedIn SMALL   => delete(sessions::sign_out);
    "POST"   "/v1/sessions/refresh"   Anybody  SMALL   => post(sessions::refresh);
    "POST"   "/v1/sessions/wechat"    Anybody  SMALL   => post(wechat::sign_in);
    "POST"   "/v1/devices"            SignedIn SMALL   => post(devices::register);
    "GET"    "/v1/me"                 SignedIn 0       => get(me::me);
    "GET"    "/v1/me/sessions"        SignedIn 0       => get(account::list_sessions);
    "DELETE" "/v1/me/sessions/{id}"   SignedIn SMALL   => delete(account::end_session);
    "GET"    "/v1/me/devices"         SignedIn 0       => get(account::list_devices);
    "DELETE" "/v1/me/devices/{id}"    SignedIn SMALL   => delete(account::end_device);
    "POST"   "/v1/me/password"        SignedIn SMALL   => post(account::set_password);
    "POST"   "/v1/me/second-factor"   SignedIn SMALL   => post(account::start_factor);
    "DELETE" "/v1/me/second-factor"   SignedIn SMALL   => delete(account::end_factor);
    "POST"   "/v1/me/second-factor/confirm" SignedIn SMALL => post(account::confirm_factor);
    "POST"   "/v1/me/wechat"          SignedIn SMALL   => post(wechat::bind);
    "DELETE" "/v1/me/wechat"          SignedIn SMALL   => delete(wechat::unbind);
    "POST"   "/v1/me/messages"        SignedIn SMALL   => post(wechat::consent);
    "POST"   "/v1/sync"               SignedIn RECORDS => post(exchange::exchange);
    "POST"   "/v1/sync/wait"          SignedIn SMALL   => post(exchange::wait);
    "GET"    "/v1/today"              SignedIn 0       => get(today::today);
    "GET"    "/v1/kpi"                SignedIn 0       => get(kpis::kpi);
    "GET"    "/v1/refusals/ledger"    SignedIn 0       => get(ledger::ledger);
    "GET"    "/v1/escalated"          SignedIn 0       => get(escalated::escalated);
    "GET"    "/v1/reports/{period}"   SignedIn 0       => get(reports::report);
    "GET"    "/v1/clients/{id}/timeline" SignedIn 0    => get(timeline::timeline);
    "GET"    "/v1/live"               SignedIn 0       => get(live::live);
    "GET"    "/v1/openapi.json"       Anybody  0       => get(openapi::openapi);
    "OPTIONS" "/v1/photos"            Anybody  0       => options(uploads::options);
    "POST"   "/v1/photos"             SignedIn SMALL   => post(uploads::create);
    "POST"   "/v1/photos/small"       SignedIn FORM    => post(small::send);
    "GET"    "/v1/photos/uploads/{id}" SignedIn 0      => get(uploads::standing); // and HEAD
    "PATCH"  "/v1/photos/uploads/{id}" SignedIn PHOTO  => patch(uploads::append);
    "DELETE" "/v1/photos/uploads/{id}" SignedIn SMALL  => delete(uploads::terminate);
    "GET"    "/v1/photos/{sha256}"    SignedIn 0       => get(photos::read);
    "GET"    "/v1/photos/{sha256}/about" SignedIn 0    => get(about::about);
    "GET"    "/v1/photos/{sha256}/check" SignedIn 0    => get(evidence::check);
    "GET"    "/v1/packs"              SignedIn 0       => get(packs::list);
    "POST"   "/v1/packs"              SignedIn RECORDS => post(packs::create);
    "POST"   "/v1/packs/what-if"      SignedIn RECORDS => post(what_if::start);
    "GET"    "/v1/packs/what-if/{id}" SignedIn 0       => get(what_if::read);
    "DELETE" "/v1/packs/what-if/{id}" SignedIn SMALL   => delete(what_if::cancel);
    "GET"    "/v1/packs/{region}/{version}" SignedIn 0 => get(packs::read);
    "DELETE" "/v1/packs/{region}/{version}" SignedIn SMALL => delete(packs::withdraw);
    "POST"   "/v1/packs/{region}/{version}/publish" SignedIn SMALL => post(packs::publish);
    "POST"   "/v1/moves"              SignedIn SMALL   => post(moves::run);
    "GET"    "/v1/audit"              SignedIn 0       => get(trail::list);
    "GET"    "/v1/units"              SignedIn 0       => get(units::list);
    "GET"    "/v1/units/{id}"         SignedIn 0       => get(units::read);
    "GET"    "/v1/webhooks"           SignedIn 0       => get(webhooks::list);
    "POST"   "/v1/webhooks"           SignedIn SMALL   => post(webhooks::create);
    "DELETE" "/v1/webhooks/{id}"      SignedIn SMALL   => delete(webhooks::remove);
    "POST"   "/v1/webhooks/{id}/resume" SignedIn SMALL => post(webhooks::resume);
    "GET"    "/v1/{collection}"       SignedIn 0       => get(records::list);
    "POST"   "/v1/{collection}"       SignedIn RECORDS => post(records::create);
    "GET"    "/v1/{collection}/{id}"  SignedIn 0       => get(records::read);
    "PATCH"  "/v1/{collection}/{id}"  SignedIn RECORDS => patch(records::patch);
    "DELETE" "/v1/{collection}/{id}"  SignedIn SMALL   => delete(records::void);
    "GET"    "/v1/activities"         Anybody  0       => get(public::list);
    "POST"   "/v1/activities"         SignedIn RECORDS => post(records::create_activity);
    "GET"    "/v1/activities/{id}/card" SignedIn 0     => get(public::card);
    "GET"    "/"                      Anybody  0       => get(hub::redirect);
    "GET"    "/hub"                   Anybody  0       => get(hub::redirect);
    "GET"    "/hub/"                  Anybody  0       => get(hub::index);
    "GET"    "/reference/"            Anybody  0       => get(hub::reference);
    "GET"    "/reference/{*file}"     Anybody  0       => get(hub::reference_asset);
    "GET"    "/hub/{*file}"           Anybody  0       => get(hub::asset);
}

fn limited(route: MethodRouter<App>, bytes: usize) -> MethodRouter<App> {
    let route = route.layer(DefaultBodyLimit::max(bytes.max(1)));
    if bytes == PHOTO {
        // Knows its own patience, and keeps what came before the line fell silent.
        return route;
    }
    route.layer(middleware::from_fn(lines::patient))
}

/// The whole service: routes, problems, compression, request ids.
pub fn service(app: App) -> Router {
    let plain = DefaultPredicate::new()
        .and(SizeAbove::new(COMPRESSED_FROM))
        .and(NotForContentType::new("text/event-stream"));
    table()
        .fallback(|| async { ApiError::new(problem::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { ApiError::new(problem::METHOD_NOT_ALLOWED) })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(plain),
        )
        .with_state(app)
}

/// What is served: the service behind the method override, which must come before routing.
pub fn overridden(app: App) -> Overridden {
    tower::util::MapRequest::new(service(app), override_method as Override)
}

type Override = fn(Request) -> Request;
/// The service with the method override in front.
pub type Overridden = tower::util::MapRequest<Router, Override>;

/// `wx.request` has no PATCH: a POST may say that it means PATCH or DELETE.
fn override_method(mut request: Request) -> Request {
    let meant = request
        .headers()
        .get("x-http-method-override")
        .map(HeaderValue::as_bytes);
    let meant = match meant {
        Some(b"PATCH" | b"patch") => Some(Method::PATCH),
        Some(b"DELETE" | b"delete") => Some(Method::DELETE),
        _ => None,
    };
    if let Some(method) = meant.filter(|_| *request.method() == Method::POST) {
        *request.method_mut() = method;
    }
    request
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    axum::response::IntoResponse::into_response(ApiError::new(problem::SERVER_FAULT))
}

/// Gives each request an id, writes problems, sets the headers every answer carries.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = app.entropy.crockford(12);
    let method = request.method().clone();
    let path = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or("unmatched", axum::extract::MatchedPath::as_str)
        .to_owned();
    let watch = crate::clock::Stopwatch::start();
    let response = next.run(request).await;
    let mut response = problems::written(worded(response), &id);
    let status = response.status().as_str().to_owned();
    ::metrics::counter!("xiangyi_requests_total", "route" => path.clone(), "status" => status)
        .increment(1);
    let took = watch.elapsed().as_secs_f64();
    ::metrics::histogram!("xiangyi_request_seconds", "route" => path.clone()).record(took);
    tracing::debug!(
        request = id,
        %method,
        path,
        status = response.status().as_u16(),
        took_ms = watch.elapsed_ms(),
        "answered"
    );
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", value);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refusals that the framework words itself get ours.
fn worded(response: Response) -> Response {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    let is_ours = response.extensions().get::<problem::Problem>().is_some();
    match response.status() {
        _ if is_ours => response,
        // A path that is no text; queries have their own words.
        StatusCode::BAD_REQUEST => {
            let error = ApiError::new(problem::INVALID_PARAMETER).at("/path", "bad-text");
            error.into_response()
        }
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(problem::TOO_LARGE).into_response(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ApiError::new(problem::UNSUPPORTED_MEDIA_TYPE).into_response()
        }
        _ => response,
    }
}

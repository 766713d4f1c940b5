//! What can be ordered to go wrong, and how a reply looks then.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use futures::{StreamExt, stream};
use serde_json::Value;

/// What `stable_token` was seen to answer with; the documentation names none.
const JSON: &str = "application/json; encoding=utf-8";

/// One call goes wrong in this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A page of HTML with this status, 200 or 502 for instance; nothing is done.
    Html(u16),
    /// No answer until the client hangs up; nothing is done.
    Timeout,
    /// The line is closed before anything is done.
    Hangup,
    /// The answer takes this many milliseconds of real time, and is good.
    Slow(u64),
    /// -1, the system is busy.
    BusyCode,
    /// A limit: 45009 for the day, 45011 for the minute.
    Limit(i64),
    /// 40226, a user of high risk may not log in.
    Blocked,
    /// 48001, the account has no such interface.
    Unauthorised,
    /// 40001 although the token was good, as when another owner refreshed it.
    TokenInvalid,
    /// 61024, tokens of a third-party platform are had elsewhere.
    Component,
    /// 40164, this server's address is not in the list of allowed ones.
    NotListed,
    /// Done, and answered with a word that is no JSON.
    NotJson,
    /// Done, and every number of the answer is a string.
    WrongTypes,
    /// Done, and half of the answer arrives.
    Truncated,
    /// Done, and the line is closed without an answer.
    DuplicateDelivery,
    /// Done, and the lives and moments in the answer are off by these milliseconds.
    ClockSkew(i64),
    /// Done, and answered as `text/plain`.
    PlainText,
    /// Done, and answered without `errcode` and `errmsg`, as logins are in fact.
    Bare,
}

impl Fault {
    /// The code that is answered instead of doing anything.
    pub(super) fn code(self) -> Option<i64> {
        match self {
            Self::BusyCode => Some(-1),
            Self::Limit(code) => Some(code),
            Self::Blocked => Some(40_226),
            Self::Unauthorised => Some(48_001),
            Self::TokenInvalid => Some(40_001),
            Self::Component => Some(61_024),
            Self::NotListed => Some(40_164),
            _ => None,
        }
    }

    /// By how much moments in the answer are off.
    pub(super) fn skew_ms(self) -> i64 {
        match self {
            Self::ClockSkew(ms) => ms,
            _ => 0,
        }
    }

    /// How long the answer is held back.
    pub(super) fn delay(self) -> Duration {
        match self {
            Self::Slow(ms) => Duration::from_millis(ms),
            _ => Duration::ZERO,
        }
    }
}

/// What a gateway in front of the interface shows.
pub(super) fn page(status: u16) -> Response {
    let text = "<html><head><title>502 Bad Gateway</title></head><body>502</body></html>";
    let page = Response::builder().status(status);
    let page = page.header(CONTENT_TYPE, "text/html");
    page.body(Body::from(text)).expect("a status of HTTP")
}

/// The answer on the wire; its status is 200 whatever it says.
pub(super) fn wire(mut reply: Value, fault: Option<Fault>) -> Response {
    match fault {
        Some(Fault::WrongTypes) => numbers_as_text(&mut reply),
        Some(Fault::Bare) => bare(&mut reply),
        _ => {}
    }
    let text = reply.to_string();
    let kind = match fault {
        Some(Fault::PlainText) => "text/plain",
        _ => JSON,
    };
    let answer = Response::builder().header(CONTENT_TYPE, kind);
    let answer = match fault {
        Some(Fault::Truncated) => {
            let answer = answer.header(CONTENT_LENGTH, text.len());
            answer.body(half(&text))
        }
        Some(Fault::NotJson) => answer.body(Body::from("success")),
        _ => answer.body(Body::from(text)),
    };
    answer.expect("headers of HTTP")
}

fn numbers_as_text(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::Array(list) => list.iter_mut().for_each(numbers_as_text),
        Value::Object(map) => map.values_mut().for_each(numbers_as_text),
        _ => {}
    }
}

/// A refusal keeps its code.
fn bare(reply: &mut Value) {
    if reply["errcode"] == 0
        && let Some(map) = reply.as_object_mut()
    {
        map.remove("errcode");
        map.remove("errmsg");
    }
}

/// Half of the text, then the end of the line. The pause in between lets the half go out first.
fn half(text: &str) -> Body {
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let first = stream::once(async move { Ok::<Bytes, io::Error>(half) });
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err::<Bytes, io::Error>(io::Error::other("the line is cut"))
    });
    Body::from_stream(first.chain(end))
}

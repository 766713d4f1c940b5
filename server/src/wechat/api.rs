//! Calls to WeChat's servers: time-outs, bounded answers, and codes sorted by who can mend them.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use crate::config::ConfigError;

/// A phone waits behind a sign-in; half a minute is what people bear.
const TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest documented answer is some hundred bytes; a proxy's page is cut here.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No answer, or none that WeChat would give, or it is busy: the same may succeed later.
    Passing(&'static str),
    /// The token has expired, or somebody else asked for another.
    Token,
    /// What was asked cannot be had: its code, 0 for a rule of ours.
    Refused(i64),
    /// The mini-program's registration does not allow it: its code, for the operator.
    Setup(i64),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passing(what) => write!(f, "WeChat did not answer as it does: {what}"),
            Self::Token => f.write_str("the access token was not accepted"),
            Self::Refused(code) => write!(f, "WeChat refused: {code}"),
            Self::Setup(code) => write!(f, "the mini-program is not set up for it: {code}"),
        }
    }
}

impl std::error::Error for Fault {}

/// The line to WeChat.
#[derive(Debug)]
pub struct Api {
    base: String,
    http: Client,
}

impl Api {
    /// A line to an address, without a slash at its end.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(base: &str) -> Result<Self, ConfigError> {
        // Whoever could redirect a call would get the secret in its query.
        let http = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let http = http.map_err(|error| ConfigError(format!("wechat: {error}")))?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { base, http })
    }

    /// A call by GET.
    ///
    /// # Errors
    /// As the codes say.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Fault> {
        let url = self.url(path, query);
        self.call(self.http.get(url)).await
    }

    /// A call by POST with JSON.
    ///
    /// # Errors
    /// As the codes say.
    pub async fn post(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> Result<Value, Fault> {
        let url = self.url(path, query);
        // Text as it is: one of the interfaces does not understand escapes.
        self.call(self.http.post(url).json(body)).await
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        written(&self.base, path, query)
    }

    async fn call(&self, request: RequestBuilder) -> Result<Value, Fault> {
        // The error of the client holds the address, and that the secret: it is not told.
        let silent = |error: reqwest::Error| {
            Fault::Passing(if error.is_timeout() {
                "time-out"
            } else {
                "no answer"
            })
        };
        let answer = request.send().await.map_err(silent)?;
        let status = answer.status();
        let mut parts = answer.bytes_stream();
        let mut body: Vec<u8> = Vec::new();
        while let Some(part) = parts.next().await {
            body.extend_from_slice(&part.map_err(silent)?);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(Fault::Passing("too long"));
            }
        }
        if !status.is_success() {
            return Err(Fault::Passing("status"));
        }
        // JSON also arrives as text/plain.
        let answer: Value = serde_json::from_slice(&body).map_err(|_| Fault::Passing("no JSON"))?;
        sorted(answer)
    }
}

/// An address with its query, every value written out.
fn written(base: &str, path: &str, query: &[(&str, &str)]) -> String {
    let mut url = format!("{base}{path}");
    for (number, (name, value)) in query.iter().enumerate() {
        url.push(if number == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    url.push(char::from(byte));
                }
                other => url.push_str(&format!("%{other:02X}")),
            }
        }
    }
    url
}

/// Sorts an answer by its code; none, or 0, is a success.
fn sorted(answer: Value) -> Result<Value, Fault> {
    if !answer.is_object() {
        return Err(Fault::Passing("no object"));
    }
    let code = match answer.get("errcode") {
        None => 0,
        Some(Value::String(text)) => text.parse().map_err(|_| Fault::Passing("no code"))?,
        Some(code) => code.as_i64().ok_or(Fault::Passing("no code"))?,
    };
    match code {
        0 => Ok(answer),
        // Busy; too many for this minute or this day.
        -1 | 45_009 | 45_011 => Err(Fault::Passing("busy")),
        40_001 | 40_014 | 41_001 | 42_001 => Err(Fault::Token),
        // Application, secret, address list, permission, third-party platform, template.
        40_013 | 40_125 | 40_164 | 41_002 | 41_004 | 48_001 | 61_024 | 40_037 | 47_003 => {
            Err(Fault::Setup(code))
        }
        other => Err(Fault::Refused(other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_sorted_by_who_can_mend_them() {
        for (answer, fault) in [
            (json!({ "errcode": -1 }), Fault::Passing("busy")),
            (json!({ "errcode": 45011 }), Fault::Passing("busy")),
            (json!({ "errcode": "42001" }), Fault::Token),
            (json!({ "errcode": 40001 }), Fault::Token),
            (json!({ "errcode": 40029 }), Fault::Refused(40_029)),
            (json!({ "errcode": 43101 }), Fault::Refused(43_101)),
            (json!({ "errcode": 48001 }), Fault::Setup(48_001)),
            (json!({ "errcode": [1] }), Fault::Passing("no code")),
            (json!([]), Fault::Passing("no object")),
        ] {
            assert_eq!(sorted(answer.clone()), Err(fault), "{answer}");
        }
        for answer in [json!({ "openid": "o" }), json!({ "errcode": 0 })] {
            assert_eq!(sorted(answer.clone()), Ok(answer));
        }
    }

    #[test]
    fn what_is_sent_in_an_address_is_written_out() {
        let url = written("http://h", "/p", &[("a", "x y&z"), ("b", "码")]);
        assert_eq!(url, "http://h/p?a=x%20y%26z&b=%E7%A0%81");
    }
}

//! The phone's side of the wire: time-outs, gzip both ways, problems in words, cuts on purpose.
//!
//! Repeating is the caller's business: a request that got no answer may have been carried out.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap};
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xiangyi_proto::problem::Problem;

use super::Trouble;

/// Bodies above this many bytes are sent as gzip; below, the header costs what it saves.
const GZIP_ABOVE: usize = 1024;
/// The longest a request may take: 512 KiB at 2G speed, below the 60 s at which carriers cut.
const TIMEOUT: Duration = Duration::from_secs(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An inflated answer is never larger than this; a page has 512 KiB and its envelope.
const ANSWER_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Where a request is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// It never leaves.
    BeforeSend,
    /// The server gets it, the answer is lost.
    AfterSend,
}

/// A request, ready to be sent and sent again.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Ask {
    /// A request without a body.
    pub fn bare(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// JSON bytes by POST, as gzip when that pays; no bytes mean no body.
    pub fn post(path: &str, json: Vec<u8>) -> Self {
        let mut ask = Self::bare(Method::POST, path);
        if json.is_empty() {
            return ask;
        }
        let kind = "application/json".to_owned();
        ask.headers.push(("content-type", kind));
        if json.len() > GZIP_ABOVE {
            ask.headers.push(("content-encoding", "gzip".to_owned()));
            ask.body = gzip(&json).into();
        } else {
            ask.body = json.into();
        }
        ask
    }

    /// JSON bytes by POST as they are: a server does not inflate what is packed too tightly.
    pub fn plain(path: &str, json: Vec<u8>) -> Self {
        let mut ask = Self::bare(Method::POST, path);
        let kind = "application/json".to_owned();
        ask.headers.push(("content-type", kind));
        ask.body = json.into();
        ask
    }

    /// Whether the body is sent packed.
    pub fn is_packed(&self) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(name, _)| *name == "content-encoding")
    }

    /// Something written as JSON.
    pub fn json(path: &str, what: &impl Serialize) -> Self {
        let json = serde_json::to_vec(what).expect("what is asked can be written as JSON");
        Self::post(path, json)
    }
}

/// An answer that was not a failure.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as a known shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        serde_json::from_slice(&self.body).map_err(Trouble::damaged)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A server as a phone reaches it.
pub struct Api {
    client: Client,
    server: String,
    /// Whether it ever answered as this server does.
    has_answered: bool,
    /// What happens to the next request.
    pub cut: Option<Cut>,
}

impl Api {
    /// A client for one server.
    pub fn new(server: &str) -> Result<Self, Trouble> {
        let mut builder = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy();
        if server.starts_with("http://") {
            // Without TLS no certificates are looked for; a bare machine may have none.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| offline(&error))?;
        Ok(Self {
            client,
            server: server.to_owned(),
            has_answered: false,
            cut: None,
        })
    }

    /// The path of an address that the server gave, absolute or not.
    pub fn path_of(&self, location: &str) -> String {
        let path = location.strip_prefix(&self.server).unwrap_or(location);
        path.to_owned()
    }

    /// The server's address, if anything came from there.
    pub fn answered(&self) -> Option<&str> {
        self.has_answered.then_some(self.server.as_str())
    }

    /// Sends once.
    pub async fn send(&mut self, ask: &Ask, token: Option<&str>) -> Result<Reply, Trouble> {
        let cut = self.cut.take();
        if cut == Some(Cut::BeforeSend) {
            return Err(Trouble::Offline("cut before it was sent".to_owned()));
        }
        let address = format!("{}{}", self.server, ask.path);
        let mut request = self.client.request(ask.method.clone(), address);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let request = request
            .header(ACCEPT_ENCODING, "gzip")
            .body(ask.body.clone());
        let response = request.send().await.map_err(|error| offline(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(|error| offline(&error))?;
        if cut == Some(Cut::AfterSend) {
            return Err(Trouble::Offline("the answer was cut".to_owned()));
        }
        let body = inflated(&headers, &body)?;
        if (200..300).contains(&status) {
            self.has_answered = true;
            return Ok(Reply {
                status,
                headers,
                body,
            });
        }
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => {
                self.has_answered = true;
                Trouble::Problem(Box::new(problem))
            }
            Err(_) => Trouble::Status(status),
        })
    }
}

fn offline(error: &reqwest::Error) -> Trouble {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        why = format!("{why}: {inner}");
        cause = inner.source();
    }
    Trouble::Offline(why)
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(plain).expect("memory takes every write");
    out.finish().expect("memory takes every write")
}

fn inflated(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Trouble> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes());
    if encoding != Some(b"gzip") || body.is_empty() {
        return Ok(body.to_vec());
    }
    let mut out = Vec::new();
    let mut bounded = MultiGzDecoder::new(body).take(ANSWER_BYTES_MAX);
    let read = bounded.read_to_end(&mut out);
    read.map_err(|error| Trouble::Offline(error.to_string()))?;
    Ok(out)
}

//! Somebody who talks to a server: a worker, a hub officer, a stranger, or nobody in particular.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xiangyi_proto::account::SignedIn;

/// The password of everybody in the demo.
pub const PASSWORD: &str = "xiangyi-demo";

/// A caller with the base address and perhaps a session.
#[derive(Debug, Clone)]
pub struct Actor {
    http: reqwest::Client,
    base: String,
    pub session: Option<SignedIn>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Reply {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The code of a problem; empty when it is none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header as text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Asserts that this is a well-formed problem of a code, and gives its body.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!(body["code"], code, "{} {}", self.status, self.text);
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(body["status"], status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("x-request-id"), body["request_id"]);
        for member in ["type", "title", "detail", "detail_en", "request_id"] {
            assert!(
                body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}"
            );
        }
        body
    }

    /// Asserts success and gives the body.
    #[track_caller]
    pub fn good(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.json()
    }
}

impl Actor {
    /// Somebody without a session.
    pub fn nobody(http: reqwest::Client, base: &str) -> Self {
        Self {
            http,
            base: base.to_owned(),
            session: None,
        }
    }

    /// The same caller with a session by telephone.
    pub async fn sign_in(&self, telephone: &str) -> Self {
        let ask = json!({ "telephone": telephone, "password": PASSWORD });
        let reply = self.post("/v1/sessions", &ask).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.with(serde_json::from_value(reply.json()).expect("a session"))
    }

    /// A new device of this caller.
    pub async fn register(&self) -> String {
        let made = self.post("/v1/devices", &json!({})).await.good();
        made["device"].as_str().expect("a device").to_owned()
    }

    /// The same caller with this session.
    pub fn with(&self, session: SignedIn) -> Self {
        Self {
            session: Some(session),
            ..self.clone()
        }
    }

    /// The same caller with another access token.
    pub fn with_token(&self, token: &str) -> Self {
        let mut session = self.session.clone().expect("a session to alter");
        token.clone_into(&mut session.access_token);
        self.with(session)
    }

    /// The session of a caller who is signed in.
    pub fn signed_in(&self) -> &SignedIn {
        self.session.as_ref().expect("signed in")
    }

    /// A request with the access token, to be completed.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.session {
            Some(session) => request.bearer_auth(&session.access_token),
            None => request,
        }
    }

    /// A plain read.
    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    /// A JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// Bytes as they are, with headers.
    pub async fn post_raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        let mut request = self.request(Method::POST, path).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request).await
    }

    /// A method without a body.
    pub async fn call(&self, method: Method, path: &str) -> Reply {
        send(self.request(method, path)).await
    }
}

impl Actor {
    /// Announces a photograph: its bytes' hash, the unit of its record, and more pairs of metadata.
    pub async fn announce(&self, bytes: &[u8], mime: &str, more: &[(&str, &str)]) -> Reply {
        let pair = |name: &str, value: &str| format!("{name} {}", STANDARD.encode(value));
        let mut pairs = vec![pair("sha256", &hash(bytes)), pair("mime", mime)];
        pairs.extend(more.iter().map(|(name, value)| pair(name, value)));
        let request = self
            .request(Method::POST, "/v1/photos")
            .header("tus-resumable", "1.0.0")
            .header("upload-length", bytes.len())
            .header("upload-metadata", pairs.join(","));
        send(request).await
    }

    /// Appends bytes to an upload at an offset.
    pub async fn append(&self, location: &str, offset: usize, bytes: &[u8]) -> Reply {
        let request = self
            .request(Method::PATCH, location)
            .header("tus-resumable", "1.0.0")
            .header("upload-offset", offset)
            .header("content-type", "application/offset+octet-stream")
            .body(bytes.to_vec());
        send(request).await
    }

    /// Uploads a whole photograph of a unit's record; the answer to its last byte.
    pub async fn upload(&self, bytes: &[u8], mime: &str, unit: &str) -> Reply {
        let made = self.announce(bytes, mime, &[("unit", unit)]).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        self.append(made.header("location"), 0, bytes).await
    }
}

/// The name of a photograph.
pub fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Sends a request and reads the whole answer.
pub async fn send(request: RequestBuilder) -> Reply {
    let reply = request.send().await.expect("the server answers");
    let (status, headers) = (reply.status(), reply.headers().clone());
    let text = reply.text().await.expect("the answer ends");
    Reply {
        status,
        headers,
        text,
    }
}

/// Somebody with a phone that the server knows.
#[derive(Debug, Clone)]
pub struct Phone {
    pub actor: Actor,
    pub device: String,
}

impl Actor {
    /// A new phone of this caller.
    pub async fn phone(&self) -> Phone {
        Phone {
            device: self.register().await,
            actor: self.clone(),
        }
    }
}

impl Phone {
    /// An exchange with these members beside protocol and device.
    pub async fn exchange(&self, members: Value) -> Reply {
        let mut envelope = json!({ "protocol": 1, "device": self.device });
        for (name, value) in members.as_object().expect("members") {
            envelope[name] = value.clone();
        }
        self.actor.post("/v1/sync", &envelope).await
    }

    /// Pushes; the whole answer.
    pub async fn try_push(&self, mutations: &[Value]) -> Reply {
        let push = json!({ "mutations": mutations });
        self.exchange(json!({ "push": push })).await
    }

    /// Pushes what the server understands; the verdicts, in the order of the mutations.
    pub async fn push(&self, mutations: &[Value]) -> Vec<Value> {
        let answer = self.try_push(mutations).await.good();
        let verdicts = answer["push"]["verdicts"].as_array().cloned();
        let verdicts = verdicts.expect("verdicts");
        assert_eq!(verdicts.len(), mutations.len(), "all answered: {answer}");
        verdicts
    }

    /// Pushes one mutation; its verdict.
    pub async fn push_one(&self, mutation: Value) -> Value {
        self.push(&[mutation]).await.remove(0)
    }

    /// One page.
    pub async fn pull(&self, ask: Value) -> Value {
        let answer = self.exchange(json!({ "pull": ask })).await.good();
        answer["pull"].clone()
    }
}

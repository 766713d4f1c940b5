//! Somebody who talks to a server: a worker, a hub officer, a stranger, or nobody in particular.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
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

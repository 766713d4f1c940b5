//! Phones as the server sees them: a session, a device, numbers that count, one exchange at a
//! time over a kept connection.
//!
//! Bodies go up plain, since a visit alone hardly shrinks, and come down as gzip, as every phone
//! asks for. Bytes are those of the bodies.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::Value;
use serde_json::value::to_raw_value;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use xiangyi_proto::account::{Registered, SignIn, SignedIn};
use xiangyi_proto::exchange::{
    Answer, Exchange, Form, Mutation, PROTOCOL, PhoneClock, PullAsk, Push, Row,
};
use xiangyi_proto::kinds::Op;
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_server::clock::Clock;
use xiangyi_server::commands::demo;
use xiangyi_sync::columns;

use super::Fault;
use super::visits::WORKERS;

/// An answer that takes longer counts as none.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a page that a phone on a good line asks for.
const PAGE_BYTES: usize = 524_288;

/// The way to a server; clones share its connections.
#[derive(Debug, Clone)]
pub struct Line {
    http: reqwest::Client,
    base: Arc<str>,
}

/// One phone.
#[derive(Debug)]
pub struct Phone {
    line: Line,
    token: Arc<str>,
    device: String,
    /// The worker who carries it, from 0.
    pub worker: usize,
    /// The last number used.
    n: i64,
}

/// What came back, and what it took.
#[derive(Debug)]
pub struct Reply {
    pub answer: Answer,
    pub bytes_up: usize,
    pub bytes_down: usize,
    pub took: Duration,
}

/// Everything a phone got in pages.
#[derive(Debug, Default)]
pub struct Pulled {
    pub rows: Vec<Row>,
    pub cursor: Option<String>,
    pub bytes_up: usize,
    pub bytes_down: usize,
}

impl Line {
    /// A way to the server at this address.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn to(base: &str) -> Result<Self, Fault> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            base: base.into(),
        })
    }

    /// Signs somebody of the demo in; gives the access token.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn sign_in(&self, telephone: &str) -> Result<Arc<str>, Fault> {
        let ask = SignIn {
            telephone: telephone.to_owned(),
            password: demo::PASSWORD.to_owned(),
            second_factor: None,
            cookie: false,
        };
        let ask = self
            .http
            .post(format!("{}/v1/sessions", self.base))
            .json(&ask);
        let session: SignedIn = serde_json::from_slice(&taken(ask.send().await?).await?)?;
        Ok(session.access_token.into())
    }

    /// Registers a new phone of whoever has this token.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn phone(&self, token: &Arc<str>, worker: usize) -> Result<Phone, Fault> {
        let ask = self.http.post(format!("{}/v1/devices", self.base));
        let reply = ask.bearer_auth(token).send().await?;
        let registered: Registered = serde_json::from_slice(&taken(reply).await?)?;
        Ok(Phone {
            line: self.clone(),
            token: Arc::clone(token),
            device: registered.device,
            worker,
            n: 0,
        })
    }

    /// As many phones, spread over the demo's workers.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn crew(&self, phones: usize) -> Result<Vec<Phone>, Fault> {
        let workers: Vec<String> = (0..WORKERS.min(phones)).map(telephone).collect();
        let tokens = workers.iter().map(|telephone| self.sign_in(telephone));
        let tokens = futures::future::try_join_all(tokens).await?;
        let phones = (0..phones).map(|index| {
            let worker = index % WORKERS;
            self.phone(&tokens[worker], worker)
        });
        futures::future::try_join_all(phones).await
    }
}

/// Somebody who sends photographs.
#[derive(Debug)]
pub struct Sender {
    line: Line,
    token: Arc<str>,
    unit: String,
}

impl Sender {
    /// A worker of the demo, two a station.
    pub fn new(line: &Line, token: &Arc<str>, worker: usize) -> Self {
        Self {
            line: line.clone(),
            token: Arc::clone(token),
            unit: super::visits::unit_of(worker),
        }
    }

    /// One photograph in one form; its bytes and what the answer took.
    ///
    /// # Errors
    /// When it is not taken.
    pub async fn send(&self, jpeg: &[u8]) -> Result<(usize, Duration), Fault> {
        const EDGE: &str = "----photograph";
        let sha = hex::encode(Sha256::digest(jpeg));
        let mut body = Vec::with_capacity(jpeg.len() + 1_024);
        for (name, value) in [("sha256", sha.as_str()), ("unit", self.unit.as_str())] {
            let part = format!(
                "--{EDGE}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        let head = format!(
            "--{EDGE}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"1.jpg\"\r\n\
             content-type: image/jpeg\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(jpeg);
        body.extend_from_slice(format!("\r\n--{EDGE}--\r\n").as_bytes());
        let bytes = body.len();
        let ask = self
            .line
            .http
            .post(format!("{}/v1/photos/small", self.line.base));
        let kind = format!("multipart/form-data; boundary={EDGE}");
        let ask = ask
            .bearer_auth(&self.token)
            .header(CONTENT_TYPE, kind)
            .body(body);
        let began = super::now();
        taken(ask.send().await?).await?;
        Ok((bytes, began.elapsed()))
    }
}

impl Phone {
    /// One exchange: numbers the mutations, sends, reads the whole answer.
    ///
    /// # Errors
    /// When the answer is no success, or not in time.
    pub async fn exchange(
        &mut self,
        mutations: Vec<Mutation>,
        pull: Option<PullAsk>,
    ) -> Result<Reply, Fault> {
        let body = self.written(mutations, pull)?;
        let bytes_up = body.len();
        let ask = self.line.http.post(format!("{}/v1/sync", self.line.base));
        let ask = ask
            .bearer_auth(&self.token)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT_ENCODING, "gzip")
            .body(body);
        let began = super::now();
        let reply = ask.send().await?;
        let encoding = reply.headers().get(CONTENT_ENCODING);
        let zipped = encoding.is_some_and(|value| value.as_bytes() == b"gzip");
        let bytes = taken(reply).await?;
        let took = began.elapsed();
        let bytes_down = bytes.len();
        let text = if zipped { inflated(&bytes)? } else { bytes };
        Ok(Reply {
            answer: serde_json::from_slice(&text)?,
            bytes_up,
            bytes_down,
            took,
        })
    }

    fn written(
        &mut self,
        mutations: Vec<Mutation>,
        pull: Option<PullAsk>,
    ) -> Result<Vec<u8>, Fault> {
        let saved_below = self.n + 1;
        let mut raw = Vec::with_capacity(mutations.len());
        for mut mutation in mutations {
            self.n += 1;
            mutation.n = self.n;
            raw.push(to_raw_value(&mutation)?);
        }
        let push = (!raw.is_empty()).then_some(Push {
            saved_below,
            mutations: raw,
            proofs: Vec::new(),
        });
        let clock = PhoneClock {
            wall_ms: Clock::system().now(),
            offset_ms: Some(0),
            offset_age_ms: Some(0),
            ..PhoneClock::default()
        };
        Ok(serde_json::to_vec(&Exchange {
            journal: Default::default(),
            protocol: PROTOCOL,
            device: self.device.clone(),
            client: None,
            clock: Some(clock),
            push,
            pull,
            unsent: None,
        })?)
    }

    /// Pulls page after page until nothing is left.
    ///
    /// # Errors
    /// When an answer is none.
    pub async fn pull_all(&mut self, form: Form) -> Result<Pulled, Fault> {
        let mut pulled = Pulled::default();
        loop {
            let ask = PullAsk {
                cursor: pulled.cursor.clone(),
                max_bytes: Some(PAGE_BYTES),
                form: Some(form),
                ..PullAsk::default()
            };
            let reply = self.exchange(Vec::new(), Some(ask)).await?;
            pulled.bytes_up += reply.bytes_up;
            pulled.bytes_down += reply.bytes_down;
            let mut page = reply.answer.pull.ok_or("the answer has no page")?;
            columns::unfold(&mut page).map_err(|_| "the columns do not fit together")?;
            let rows = page.changes.into_iter().flat_map(|changes| changes.rows);
            pulled.rows.extend(rows);
            if page.cursor.is_some() {
                pulled.cursor = page.cursor;
            } else if page.more {
                return Err("a page without a cursor says that there is more".into());
            }
            if !page.more {
                return Ok(pulled);
            }
        }
    }
}

impl Reply {
    /// The verdicts, of which there are `sent` and all accepted.
    ///
    /// # Errors
    /// When one is missing or another, with its words.
    pub fn accepted(&self, sent: usize) -> Result<&[Verdict], Fault> {
        let push = self.answer.push.as_ref().ok_or("there are no verdicts")?;
        let other = |verdict: &&Verdict| verdict.verdict != VerdictName::Accepted;
        if let Some(other) = push.verdicts.iter().find(other) {
            return Err(format!("not accepted: {}", serde_json::to_string(other)?).into());
        }
        if push.verdicts.len() != sent || !push.unanswered.is_empty() {
            let (got, left) = (push.verdicts.len(), push.unanswered.len());
            return Err(format!("{sent} sent, {got} answered, {left} left unanswered").into());
        }
        Ok(&push.verdicts)
    }
}

/// A mutation that says something new; its number comes when it is sent.
pub fn mutation(op: Op, kind: &str, unit: &str, id: Uuid, at: i64, body: Value) -> Mutation {
    Mutation {
        n: 0,
        op,
        kind: kind.to_owned(),
        unit: unit.to_owned(),
        id,
        base: None,
        occurred_at: Some(at),
        monotonic_ms: None,
        boot: None,
        needs: Vec::new(),
        body: Some(body),
        set: serde_json::Map::new(),
        unset: Vec::new(),
        add: serde_json::Map::new(),
        reason: None,
        refusal: None,
    }
}

/// The telephone of a worker of the demo, from 0.
pub fn telephone(worker: usize) -> String {
    format!("138000000{:02}", worker + 1)
}

async fn taken(reply: reqwest::Response) -> Result<Vec<u8>, Fault> {
    let status = reply.status();
    let bytes = reply.bytes().await?;
    if status.is_success() {
        return Ok(bytes.to_vec());
    }
    Err(format!("{status}: {}", String::from_utf8_lossy(&bytes)).into())
}

fn inflated(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::with_capacity(bytes.len() * 8);
    GzDecoder::new(bytes).read_to_end(&mut text)?;
    Ok(text)
}

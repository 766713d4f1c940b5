//! A fake of `api.weixin.qq.com` in this process, made from the official documentation alone.
//!
//! It answers the five interfaces that a mini-program's server needs, by a clock that stands until
//! it is moved, and goes wrong to order. `tests/data/wechat/README.md` names the pages and what no
//! page says. Nobody who writes a client for the real one should have to look in here.

mod book;
mod fault;
mod fields;
mod replies;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use xiangyi_server::clock::Clock;

use crate::harness::START;
use book::{Book, Code, Phone, Verdict};
use replies::{Call, error, refusal, serve};

pub use book::{Delivered, Seen};
pub use fault::Fault;

/// The mini-program that the fake knows, and its secret.
pub const APP_ID: &str = "wx0123456789abcdef";
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Paths, for counting calls and ordering faults.
pub const CODE2SESSION: &str = "/sns/jscode2session";
pub const STABLE_TOKEN: &str = "/cgi-bin/stable_token";
pub const SEND: &str = "/cgi-bin/message/subscribe/send";
pub const SEC_CHECK: &str = "/wxa/msg_sec_check";
pub const PHONE: &str = "/wxa/business/getuserphonenumber";

/// Bytes of a request's body.
const BODY: usize = 1 << 20;

#[derive(Debug)]
struct Shared {
    book: Mutex<Book>,
    /// How many calls came in.
    total: watch::Sender<u64>,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panics with the book open")
    }
}

/// The running fake; it and its lines end when this is dropped.
#[derive(Debug)]
pub struct Wechat {
    /// Moves codes, tokens and visits towards their end.
    pub clock: Clock,
    base: String,
    shared: Arc<Shared>,
    served: JoinHandle<()>,
}

impl Wechat {
    /// A fake whose clock stands at the harness's `START` until a test moves it.
    pub async fn start() -> Self {
        Self::with_clock(Clock::fixed(START)).await
    }

    /// A fake that tells the time of somebody else, of a harness for instance.
    pub async fn with_clock(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let shared = Arc::new(Shared {
            book: Mutex::new(Book::new(clock.clone())),
            total: watch::Sender::new(0),
        });
        let served = spawn(accept(listener, shared.clone()));
        Self {
            clock,
            base,
            shared,
            served,
        }
    }

    /// The address, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The user opens the mini-program now, and is known from now on.
    pub fn visit(&self, openid: &str) {
        let mut book = self.shared.book();
        let now = book.now();
        book.visits.insert(openid.to_owned(), now);
    }

    /// `wx.login` of this user: a code for one use within five minutes. It is a visit, too.
    pub fn issue_code(&self, openid: &str) -> String {
        self.visit(openid);
        let mut book = self.shared.book();
        let text = book.fresh_text(32);
        let code = Code::new(book.now(), openid.to_owned());
        book.logins.insert(text.clone(), code);
        text
    }

    /// The identity of this user across the account's applications, told at logins from now on.
    pub fn bind(&self, openid: &str, unionid: &str) {
        let unions = &mut self.shared.book().unions;
        unions.insert(openid.to_owned(), unionid.to_owned());
    }

    /// A user lets out a telephone number of China: a code for one use within five minutes.
    pub fn issue_phone_code(&self, number: &str) -> String {
        self.phone_code("86", number, true)
    }

    /// The same with a number of another country.
    pub fn issue_phone_code_abroad(&self, country: &str, number: &str) -> String {
        self.phone_code(country, number, true)
    }

    /// A code that another mini-program's user got: 40013.
    pub fn issue_phone_code_elsewhere(&self, number: &str) -> String {
        self.phone_code("86", number, false)
    }

    fn phone_code(&self, country: &str, number: &str, ours: bool) -> String {
        let mut book = self.shared.book();
        let text = book.fresh_text(64);
        let of = Phone {
            country: country.to_owned(),
            number: number.to_owned(),
            ours,
        };
        let code = Code::new(book.now(), of);
        book.phones.insert(text.clone(), code);
        text
    }

    /// From now on `countryCode` is a number: the documentation's table says text, its example not.
    pub fn country_as_number(&self) {
        self.shared.book().country_is_number = true;
    }

    /// A template and its fields, each named by its kind and a number: `thing1`, `time2`.
    pub fn template(&self, template: &str, fields: &[&str]) {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        let templates = &mut self.shared.book().templates;
        templates.insert(template.to_owned(), fields);
    }

    /// A page of the published mini-program. Before the first of these any page is taken.
    pub fn publish(&self, page: &str) {
        self.shared.book().pages.insert(page.to_owned());
    }

    /// The user consents once more to a message of this template.
    pub fn give_credit(&self, openid: &str, template: &str) {
        self.visit(openid);
        let key = (openid.to_owned(), template.to_owned());
        *self.shared.book().credits.entry(key).or_default() += 1;
    }

    /// How many messages of this template the user still takes.
    pub fn credit(&self, openid: &str, template: &str) -> u32 {
        let key = (openid.to_owned(), template.to_owned());
        let left = self.shared.book().credits.get(&key).copied();
        left.unwrap_or(0)
    }

    /// The messages that arrived, in order.
    pub fn delivered(&self) -> Vec<Delivered> {
        self.shared.book().delivered.clone()
    }

    /// Texts that hold `word` get `suggest` (`risky`, `review`) and this label.
    pub fn judge(&self, word: &str, suggest: &str, label: i64) {
        self.shared.book().verdicts.push(Verdict {
            word: word.to_owned(),
            suggest: suggest.to_owned(),
            label,
        });
    }

    /// The next calls of a path go wrong, behind those already ordered.
    pub fn misbehave(&self, path: &str, fault: Fault, times: usize) {
        self.shared.book().order(path, fault, times);
    }

    /// No more faults of a path.
    pub fn calm(&self, path: &str) {
        self.shared.book().calm(path);
    }

    /// Calls a day, beyond which 45009 is answered.
    pub fn limit(&self, path: &str, a_day: usize) {
        self.shared.book().limits.insert(path.to_owned(), a_day);
    }

    /// Another owner of the secret refreshes twice: no token given so far is good.
    pub fn take_over(&self) {
        let mut book = self.shared.book();
        let now = book.now();
        book.tokens.taken_over(now);
    }

    /// How many tokens were made, those of another owner included.
    pub fn tokens_made(&self) -> usize {
        self.shared.book().tokens.made()
    }

    /// How many calls of a path came in, whatever became of them.
    pub fn calls(&self, path: &str) -> usize {
        let seen = &self.shared.book().seen;
        seen.iter().filter(|call| call.path == path).count()
    }

    /// Waits until so many calls of a path came in.
    pub async fn called(&self, path: &str, times: usize) {
        let mut total = self.shared.total.subscribe();
        while self.calls(path) < times {
            total.changed().await.expect("the fake holds the sender");
        }
    }

    /// The calls of a path, in order.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let book = self.shared.book();
        let of_path = book.seen.iter().filter(|call| call.path == path);
        of_path.cloned().collect()
    }
}

impl Drop for Wechat {
    fn drop(&mut self) {
        self.served.abort();
    }
}

#[expect(clippy::disallowed_methods, reason = "the fake is the task's home")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

/// One connection: what the fake knows, and how to cut it.
#[derive(Clone)]
struct Line {
    shared: Arc<Shared>,
    cut: Arc<Notify>,
}

impl Line {
    /// Closes the line without another byte.
    async fn hang_up(&self) {
        self.cut.notify_one();
        std::future::pending::<()>().await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and its lines with it.
    let mut lines = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while lines.try_join_next().is_some() {}
        lines.spawn(hold(socket, shared.clone()));
    }
}

async fn hold(socket: TcpStream, shared: Arc<Shared>) {
    let cut = Arc::new(Notify::new());
    let line = Line {
        shared,
        cut: cut.clone(),
    };
    let router: Router = Router::new().fallback(answer).with_state(line);
    let http = Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(router);
    tokio::select! {
        // A client that hangs up is no fault of the server.
        _ = http.serve_connection(TokioIo::new(socket), service) => {}
        () = cut.notified() => {}
    }
}

async fn answer(State(line): State<Line>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY).await.unwrap_or_default();
    let query = Query::<HashMap<String, String>>::try_from_uri(&head.uri);
    let query = query.map(|Query(all)| all).unwrap_or_default();
    let fault = arrive(&line.shared, &head, &query, &body);
    match fault {
        Some(Fault::Html(status)) => return fault::page(status),
        Some(Fault::Timeout) => std::future::pending::<()>().await,
        Some(Fault::Hangup) => line.hang_up().await,
        Some(fault) => tokio::time::sleep(fault.delay()).await,
        None => {}
    }
    let reply = reply(&line.shared, &head, &query, &body, fault);
    if fault == Some(Fault::DuplicateDelivery) {
        line.hang_up().await;
    }
    fault::wire(reply, fault)
}

/// Writes the call down and draws what goes wrong with it.
fn arrive(
    shared: &Shared,
    head: &Parts,
    query: &HashMap<String, String>,
    body: &Bytes,
) -> Option<Fault> {
    let path = head.uri.path().to_owned();
    let mut book = shared.book();
    let fault = book.fault(&path);
    let at = book.now();
    book.seen.push(Seen {
        at,
        method: head.method.to_string(),
        path,
        query: query.clone(),
        body: serde_json::from_slice(body).unwrap_or(Value::Null),
    });
    drop(book);
    shared.total.send_modify(|total| *total += 1);
    fault
}

/// What the call is answered, after it was done.
fn reply(
    shared: &Shared,
    head: &Parts,
    query: &HashMap<String, String>,
    body: &Bytes,
    fault: Option<Fault>,
) -> Value {
    let mut book = shared.book();
    if let Some(code) = fault.and_then(Fault::code) {
        return error(&mut book, &refusal(code));
    }
    let call = Call {
        method: head.method.as_str(),
        path: head.uri.path(),
        query,
        body,
        skew_ms: fault.map_or(0, Fault::skew_ms),
    };
    serve(&mut book, &call)
}

//! The fake of WeChat's server interfaces, row by row against the documentation: what
//! `tests/data/wechat/README.md` says of the real one is what the fake does.

mod contract;
mod faults;

use reqwest::{Client, Response};
use serde_json::{Value, json};
use xiangyi_tests::wechat::{APP_ID, CODE2SESSION, SECRET, STABLE_TOKEN, Wechat};

const MINUTE: i64 = 60_000;
const OPENID: &str = "oUser-of-the-test";
const TEMPLATE: &str = "template-of-the-test";

/// A fake and a plain client of it.
struct World {
    fake: Wechat,
    http: Client,
}

impl World {
    async fn new() -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().pool_max_idle_per_host(0);
        let fake = Wechat::start().await;
        fake.template(TEMPLATE, &["thing1", "time2", "phrase3"]);
        Self {
            fake,
            http: http.build().expect("a client"),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.fake.base())
    }

    async fn try_get(&self, path: &str) -> reqwest::Result<Response> {
        self.http.get(self.at(path)).send().await
    }

    async fn get(&self, path: &str) -> Value {
        json_of(self.try_get(path).await.expect("answered")).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let sent = self.http.post(self.at(path)).json(&body).send().await;
        json_of(sent.expect("answered")).await
    }

    /// The code of a login.
    async fn login(&self, code: &str) -> Value {
        self.get(&login(APP_ID, SECRET, code)).await
    }

    async fn refresh(&self, force: bool) -> Value {
        self.post(STABLE_TOKEN, credentials(force)).await
    }

    async fn token(&self) -> String {
        let answer = self.refresh(false).await;
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// Posts with the present token.
    async fn ask(&self, path: &str, body: Value) -> Value {
        let token = self.token().await;
        self.post(&format!("{path}?access_token={token}"), body)
            .await
    }
}

/// The status is 200 whatever the answer says.
async fn json_of(answer: Response) -> Value {
    assert_eq!(answer.status(), 200);
    answer.json().await.expect("JSON")
}

fn login(app: &str, secret: &str, code: &str) -> String {
    format!(
        "{CODE2SESSION}?appid={app}&secret={secret}&js_code={code}&grant_type=authorization_code"
    )
}

fn credentials(force: bool) -> Value {
    json!({
        "grant_type": "client_credential", "appid": APP_ID, "secret": SECRET,
        "force_refresh": force,
    })
}

fn message() -> Value {
    json!({
        "touser": OPENID, "template_id": TEMPLATE, "page": "pages/offer/index?id=7",
        "miniprogram_state": "formal", "lang": "zh_CN",
        "data": {
            "thing1": {"value": "周六敬老院理发"},
            "time2": {"value": "2026年1月17日 09:00"},
            "phrase3": {"value": "待确认"},
        },
    })
}

fn text(content: &str) -> Value {
    json!({"version": 2, "openid": OPENID, "scene": 2, "content": content})
}

/// The same with one member put, by its pointer.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).expect("there is such a member") = value;
    body
}

/// The same without one of its members.
fn without(mut body: Value, name: &str) -> Value {
    body.as_object_mut().expect("an object").remove(name);
    body
}

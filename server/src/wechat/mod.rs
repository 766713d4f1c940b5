//! WeChat: signing in by a mini-program, telephone numbers, one-time messages.
//!
//! Every call goes through `api`, which sorts answers into what passes by itself, what the token is
//! to blame for, what the caller is, and what only the operator can mend. Nothing of WeChat is ever
//! in the way of a push: messages are rows of an outbox and are sent after the commit.
//! See `server/decisions/0018-wechat.md`.

mod api;
pub mod messages;
pub mod openid;
mod token;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::{ConfigError, WeChatSettings};
use api::Api;
pub use api::Fault;
use token::Token;

/// The mini-program of this server; clones share the line and the token.
#[derive(Debug, Clone)]
pub struct WeChat(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    settings: WeChatSettings,
    secret: String,
    api: Api,
    token: Token,
}

/// Who opened the mini-program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Opened {
    pub openid: String,
}

#[derive(Deserialize)]
struct PhoneAnswer {
    phone_info: PhoneInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhoneInfo {
    pure_phone_number: String,
    country_code: Value,
}

impl WeChat {
    /// The mini-program that the settings name; none without an `app_id`.
    ///
    /// # Errors
    /// When the secret is missing or cannot be read.
    pub fn open(settings: &WeChatSettings, clock: Clock) -> Result<Option<Self>, ConfigError> {
        if settings.app_id.is_none() {
            return Ok(None);
        }
        let secret = settings.secret()?;
        let api = Api::new(&settings.base_url)?;
        Ok(Some(Self(Arc::new(Parts {
            settings: settings.clone(),
            secret,
            api,
            token: Token::new(clock),
        }))))
    }

    /// The settings.
    pub fn settings(&self) -> &WeChatSettings {
        &self.0.settings
    }

    fn app_id(&self) -> &str {
        self.0.settings.app_id.as_deref().unwrap_or_default()
    }

    /// Who got this code from `wx.login`.
    ///
    /// # Errors
    /// When the code is none, was used or has expired, the user is blocked, or WeChat is silent.
    pub async fn opened_by(&self, code: &str) -> Result<Opened, Fault> {
        let ask = [
            ("appid", self.app_id()),
            ("secret", self.0.secret.as_str()),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ];
        // Not repeated: the code is good once, and a lost answer has used it.
        let answer = self.0.api.get("/sns/jscode2session", &ask).await?;
        serde_json::from_value(answer).map_err(|_| Fault::Passing("no openid"))
    }

    /// The mainland number that a user let out by this code.
    ///
    /// # Errors
    /// When the code is none or was used, the number is of another country, or WeChat is silent.
    pub async fn telephone_of(&self, code: &str) -> Result<String, Fault> {
        let path = "/wxa/business/getuserphonenumber";
        let answer = self.with_token(path, &json!({ "code": code })).await?;
        let answer: PhoneAnswer =
            serde_json::from_value(answer).map_err(|_| Fault::Passing("no number"))?;
        let info = answer.phone_info;
        // The table of the page says text, its example a number.
        let country = match &info.country_code {
            Value::String(text) => text.trim_start_matches('+').to_owned(),
            other => other.to_string(),
        };
        if country == "86" {
            Ok(info.pure_phone_number)
        } else {
            Err(Fault::Refused(0))
        }
    }

    /// Sends one subscribed message.
    ///
    /// # Errors
    /// When the user has given no consent or withdrawn it, the template does not fit, or WeChat is
    /// silent.
    async fn send(&self, message: &Value) -> Result<(), Fault> {
        let path = "/cgi-bin/message/subscribe/send";
        self.with_token(path, message).await.map(drop)
    }

    /// What is suggested for a public text of a user: `pass`, `review` or `risky`.
    ///
    /// # Errors
    /// When the user was not here lately, the text is too long, or WeChat is silent.
    pub async fn suggests(&self, openid: &str, text: &str) -> Result<&'static str, Fault> {
        let path = "/wxa/msg_sec_check";
        // 1 is what somebody says of themselves or of what they offer; the others are talk.
        let ask = json!({ "version": 2, "scene": 1, "openid": openid, "content": text });
        let answer = match self.with_token(path, &ask).await {
            Err(Fault::Refused(87_014)) => return Ok("risky"),
            answer => answer?,
        };
        let suggested = answer.pointer("/result/suggest").and_then(Value::as_str);
        let known = ["pass", "review", "risky"];
        let found = known.into_iter().find(|known| Some(*known) == suggested);
        found.ok_or(Fault::Passing("no suggestion"))
    }

    /// A call with the token; once more with a new one when that was to blame, and never again.
    async fn with_token(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        let token = self.0.token.get(self, None).await?;
        let ask = [("access_token", token.as_str())];
        match self.0.api.post(path, &ask, body).await {
            Err(Fault::Token) => {
                let token = self.0.token.get(self, Some(&token)).await?;
                let ask = [("access_token", token.as_str())];
                let answer = self.0.api.post(path, &ask, body).await;
                answer.map_err(|fault| match fault {
                    Fault::Token => Fault::Passing("the new token too"),
                    other => other,
                })
            }
            answer => answer,
        }
    }

    async fn fresh_token(&self, force: bool) -> Result<(String, i64), Fault> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            expires_in: i64,
        }
        let ask = json!({
            "grant_type": "client_credential", "appid": self.app_id(), "secret": self.0.secret,
            "force_refresh": force,
        });
        let answer = self.0.api.post("/cgi-bin/stable_token", &[], &ask).await?;
        let answer: Answer =
            serde_json::from_value(answer).map_err(|_| Fault::Passing("no token"))?;
        Ok((answer.access_token, answer.expires_in))
    }
}

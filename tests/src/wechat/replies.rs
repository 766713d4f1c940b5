//! The five interfaces as documented. `tests/data/wechat/README.md` says from which pages, and
//! which codes no page names.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::book::{Book, Delivered};
use super::fields::fits;
use super::{APP_ID, CODE2SESSION, PHONE, SEC_CHECK, SECRET, SEND, STABLE_TOKEN};

/// Characters of a text that is judged.
const TEXT: usize = 2_500;
const STATES: &[&str] = &["developer", "trial", "formal"];
const LANGUAGES: &[&str] = &["zh_CN", "en_US", "zh_HK", "zh_TW"];

/// Codes and what is said with them; the number of the call follows.
const WORDS: &[(i64, &str)] = &[
    (-1, "system error"),
    (
        40_001,
        "invalid credential, access_token is invalid or not latest",
    ),
    (40_002, "invalid grant_type"),
    (40_003, "invalid openid"),
    (40_013, "invalid appid"),
    (40_029, "invalid code"),
    (40_035, "invalid argument"),
    (40_037, "invalid template_id"),
    (40_066, "invalid url"),
    (40_125, "invalid appsecret"),
    (40_129, "invalid scene"),
    (40_163, "code been used"),
    (
        40_164,
        "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
    ),
    (40_226, "code blocked"),
    (41_001, "access_token missing"),
    (41_002, "appid missing"),
    (41_004, "appsecret missing"),
    (41_008, "missing code"),
    (41_030, "invalid page"),
    (42_001, "access_token expired"),
    (43_001, "require GET method"),
    (43_002, "require POST method"),
    (43_101, "user refuse to accept the msg"),
    (43_302, "require POST method"),
    (44_002, "empty post data"),
    (45_002, "content size out of limit"),
    (45_009, "reach max api daily quota limit"),
    (
        45_011,
        "api minute-quota reach limit, must slower, retry next minute",
    ),
    (47_001, "data format error"),
    (48_001, "api unauthorized"),
    (61_010, "code is expired"),
    (
        61_024,
        "must use api(api_component_token) to get token for component acct",
    ),
    (87_014, "risky content"),
];

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: i64,
    pub words: String,
}

/// A refusal in the words of its code.
pub(super) fn refusal(code: i64) -> Refusal {
    let row = WORDS.iter().find(|(known, _)| *known == code);
    let words = row.map_or("error", |(_, words)| *words);
    Refusal {
        code,
        words: words.to_owned(),
    }
}

/// The same as a result.
pub(super) fn refuse<T>(code: i64) -> Result<T, Refusal> {
    Err(refusal(code))
}

/// What was asked.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a HashMap<String, String>,
    pub body: &'a [u8],
    /// By how much moments in the answer are off.
    pub skew_ms: i64,
}

impl Call<'_> {
    fn asked(&self, name: &str, missing: i64) -> Result<&str, Refusal> {
        match self.query.get(name).map(String::as_str) {
            None | Some("") => refuse(missing),
            Some(text) => Ok(text),
        }
    }

    /// The object that was posted.
    fn posted(&self, wrong_method: i64) -> Result<Map<String, Value>, Refusal> {
        if self.method != "POST" {
            return refuse(wrong_method);
        }
        if self.body.is_empty() {
            return refuse(44_002);
        }
        serde_json::from_slice(self.body).or_else(|_| refuse(47_001))
    }
}

/// Does what is asked and says what is answered.
pub(super) fn serve(book: &mut Book, call: &Call) -> Value {
    let done = book.room(call.path).and_then(|()| match call.path {
        CODE2SESSION => code2session(book, call),
        STABLE_TOKEN => stable_token(book, call),
        SEND => send(book, call),
        SEC_CHECK => sec_check(book, call),
        PHONE => phone(book, call),
        _ => refuse(40_066),
    });
    done.unwrap_or_else(|refusal| error(book, &refusal))
}

/// The answer of a refusal.
pub(super) fn error(book: &mut Book, refusal: &Refusal) -> Value {
    let words = format!("{} rid: {}", refusal.words, book.rid());
    json!({"errcode": refusal.code, "errmsg": words})
}

fn credentials(app: &str, secret: &str) -> Result<(), Refusal> {
    if app != APP_ID {
        return refuse(40_013);
    }
    if secret != SECRET {
        return refuse(40_125);
    }
    Ok(())
}

/// GET /sns/jscode2session
fn code2session(book: &mut Book, call: &Call) -> Result<Value, Refusal> {
    if call.method != "GET" {
        return refuse(43_001);
    }
    let app = call.asked("appid", 41_002)?;
    let secret = call.asked("secret", 41_004)?;
    let code = call.asked("js_code", 41_008)?;
    if call.asked("grant_type", 40_002)? != "authorization_code" {
        return refuse(40_002);
    }
    credentials(app, secret)?;
    let now = book.now();
    let openid = match book.logins.get(code) {
        None => return refuse(40_029),
        Some(login) if login.used => return refuse(40_163),
        Some(login) if login.is_old(now) => return refuse(40_029),
        Some(login) => login.of.clone(),
    };
    book.enter(&openid)?;
    if let Some(login) = book.logins.get_mut(code) {
        login.used = true;
    }
    let key = STANDARD.encode(&book.fresh()[..16]);
    let mut answer = json!({
        "openid": openid, "session_key": key, "errcode": 0, "errmsg": "ok",
    });
    if let Some(union) = book.unions.get(&openid) {
        answer["unionid"] = json!(union);
    }
    Ok(answer)
}

/// POST /cgi-bin/stable_token
fn stable_token(book: &mut Book, call: &Call) -> Result<Value, Refusal> {
    let body = call.posted(43_002)?;
    if text(&body, "grant_type") != "client_credential" {
        return refuse(40_002);
    }
    let (app, secret) = (text(&body, "appid"), text(&body, "secret"));
    if app.is_empty() {
        return refuse(41_002);
    }
    if secret.is_empty() {
        return refuse(41_004);
    }
    let force = match body.get("force_refresh") {
        None => false,
        Some(Value::Bool(force)) => *force,
        Some(_) => return refuse(47_001),
    };
    credentials(app, secret)?;
    let now = book.now();
    let (token, seconds) = book.tokens.give(now, force)?;
    let seconds = seconds + call.skew_ms / 1_000;
    Ok(json!({"access_token": token, "expires_in": seconds}))
}

/// POST /cgi-bin/message/subscribe/send
fn send(book: &mut Book, call: &Call) -> Result<Value, Refusal> {
    book.token(call.query)?;
    let body = call.posted(43_002)?;
    let openid = text(&body, "touser");
    if !book.visits.contains_key(openid) {
        return refuse(40_003);
    }
    let template = text(&body, "template_id");
    let Some(fields) = book.templates.get(template) else {
        return refuse(40_037);
    };
    let data = filled(fields, &body)?;
    let page = body.get("page").map(|page| page.as_str().unwrap_or(""));
    let page = page.filter(|page| !page.is_empty());
    if !page.is_none_or(|page| is_published(book, page)) {
        return refuse(41_030);
    }
    among(&body, "miniprogram_state", STATES)?;
    among(&body, "lang", LANGUAGES)?;
    book.spend(openid, template)?;
    book.delivered.push(Delivered {
        at: book.now(),
        openid: openid.to_owned(),
        template: template.to_owned(),
        page: page.map(str::to_owned),
        data,
    });
    // Above what a double holds exactly, as real ones are.
    let number = 1_988_810_812_324_364_291_u64 + book.delivered.len() as u64;
    Ok(json!({"errcode": 0, "errmsg": "ok", "msgid": number}))
}

/// The fields of a message: each of the template, none besides, each within its limits.
fn filled(
    fields: &[String],
    body: &Map<String, Value>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let invalid = |name: &str, what: &str| Refusal {
        code: 47_003,
        words: format!("argument invalid! data.{name}.value {what}"),
    };
    let Some(Value::Object(data)) = body.get("data") else {
        return refuse(47_001);
    };
    if let Some(name) = data.keys().find(|name| !fields.contains(name)) {
        return Err(invalid(name, "invalid"));
    }
    let mut taken = BTreeMap::new();
    for name in fields {
        let value = match data.get(name).map(|field| &field["value"]) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        if value.is_empty() {
            return Err(invalid(name, "is empty"));
        }
        if !fits(name, &value) {
            return Err(invalid(name, "invalid"));
        }
        taken.insert(name.clone(), value);
    }
    Ok(taken)
}

fn is_published(book: &Book, page: &str) -> bool {
    let path = page.split('?').next().unwrap_or(page);
    book.pages.is_empty() || book.pages.contains(path.trim_start_matches('/'))
}

fn among(body: &Map<String, Value>, name: &str, known: &[&str]) -> Result<(), Refusal> {
    match body.get(name) {
        Some(Value::String(text)) if !known.contains(&text.as_str()) => refuse(40_035),
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => refuse(47_001),
    }
}

/// POST /wxa/msg_sec_check
fn sec_check(book: &mut Book, call: &Call) -> Result<Value, Refusal> {
    book.token(call.query)?;
    let body = call.posted(43_302)?;
    let content = text(&body, "content");
    if content.is_empty() {
        return refuse(44_002);
    }
    let (suggest, label) = book.judge(content);
    match body.get("version").map(Value::as_i64) {
        None | Some(Some(1)) if suggest == "risky" => return refuse(87_014),
        None | Some(Some(1)) => return Ok(json!({"errcode": 0, "errmsg": "ok"})),
        Some(Some(2)) => {}
        Some(_) => return refuse(47_001),
    }
    if !matches!(body.get("scene").and_then(Value::as_i64), Some(1..=4)) {
        return refuse(40_129);
    }
    book.visited(text(&body, "openid"))?;
    if content.chars().count() > TEXT {
        return refuse(45_002);
    }
    Ok(json!({
        "errcode": 0,
        "errmsg": "ok",
        "detail": [
            {
                "strategy": "content_model", "errcode": 0,
                "suggest": suggest, "label": label, "prob": 90,
            },
            {"strategy": "keyword", "errcode": 0},
        ],
        "trace_id": book.rid(),
        "result": {"suggest": suggest, "label": label},
    }))
}

/// POST /wxa/business/getuserphonenumber
fn phone(book: &mut Book, call: &Call) -> Result<Value, Refusal> {
    book.token(call.query)?;
    let body = call.posted(43_002)?;
    let now = book.now();
    let country_is_number = book.country_is_number;
    let Some(code) = book.phones.get_mut(text(&body, "code")) else {
        return refuse(40_029);
    };
    if code.used || code.is_old(now) {
        return refuse(40_029);
    }
    if !code.of.ours {
        return refuse(40_013);
    }
    code.used = true;
    let (country, pure) = (&code.of.country, &code.of.number);
    let whole = if country == "86" {
        pure.clone()
    } else {
        format!("+{country}{pure}")
    };
    let country = match country.parse::<i64>() {
        Ok(number) if country_is_number => json!(number),
        _ => json!(country),
    };
    let moment = (code.made + call.skew_ms) / 1_000;
    Ok(json!({
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": whole,
            "purePhoneNumber": pure,
            "countryCode": country,
            "watermark": {"timestamp": moment, "appid": APP_ID},
        },
    }))
}

/// The text of a member; nothing where it is missing or no text.
fn text<'a>(body: &'a Map<String, Value>, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or("")
}

//! A real Chromium, spoken to by WebDriver: open a page, type, click, wait for what a person sees.
//!
//! Waiting is done inside the page, on conditions; nothing here sleeps.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// Milliseconds that a condition may take; a loaded machine needs a tenth of it.
const PATIENCE_MS: u64 = 20_000;

/// A headless Chromium with one page; it ends when this is dropped.
pub struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
}

impl Browser {
    /// Starts Debian's chromedriver and Chromium.
    pub async fn start() -> Self {
        let mut driver = Command::new("/usr/bin/chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium-driver is installed: make test does that");
        let out = driver.stdout.take().expect("it is piped");
        let port = BufReader::new(out)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver names its port");
        let http = reqwest::Client::new();
        let options = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "timeouts": { "script": PATIENCE_MS * 2 },
            "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--window-size=1440,900",
            ]},
        }}});
        let base = format!("http://127.0.0.1:{port}/session");
        let made: Value = http
            .post(&base)
            .json(&options)
            .send()
            .await
            .expect("chromedriver answers")
            .json()
            .await
            .expect("a session");
        let id = made["value"]["sessionId"].as_str();
        let id = id.unwrap_or_else(|| panic!("Chromium starts: {made}"));
        let session = format!("{base}/{id}");
        Self {
            driver,
            http,
            session,
        }
    }

    async fn call(&self, path: &str, body: Value) -> Value {
        let reply = self
            .http
            .post(format!("{}{path}", self.session))
            .json(&body)
            .send()
            .await;
        let reply = reply.expect("chromedriver answers");
        let answer: Value = reply.json().await.expect("an answer");
        assert!(answer["value"].get("error").is_none(), "{path}: {answer}");
        answer["value"].clone()
    }

    /// Opens an address.
    pub async fn open(&self, address: &str) {
        self.call("/url", json!({ "url": address })).await;
    }

    /// Types into the element with this `data-test`.
    pub async fn type_into(&self, test: &str, text: &str) {
        let element = self.element(test).await;
        self.call(
            &format!("/element/{element}/value"),
            json!({ "text": text }),
        )
        .await;
    }

    /// Clicks the element with this `data-test`.
    pub async fn click(&self, test: &str) {
        let element = self.element(test).await;
        self.call(&format!("/element/{element}/click"), json!({}))
            .await;
    }

    async fn element(&self, test: &str) -> String {
        self.wait(&format!(
            "document.querySelector('[data-test=\"{test}\"]') !== null"
        ))
        .await;
        let using = json!({ "using": "css selector", "value": format!("[data-test=\"{test}\"]") });
        let found = self.call("/element", using).await;
        let id = found.as_object().and_then(|object| object.values().next());
        id.and_then(Value::as_str).expect("an element").to_owned()
    }

    /// The text that a person reads in the elements with this `data-test`.
    pub async fn text(&self, test: &str) -> String {
        let script = format!(
            "return [...document.querySelectorAll('[data-test=\"{test}\"]')]\
             .map(e => e.innerText).join('\\n')"
        );
        let value = self
            .call("/execute/sync", json!({ "script": script, "args": [] }))
            .await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a condition of the page holds; fails with what the page shows.
    pub async fn wait(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0]; const end = Date.now() + {PATIENCE_MS};\
             const look = () => {{ let holds = false; try {{ holds = {condition} }} catch (e) {{}}\
             if (holds) done(true); else if (Date.now() > end) done(document.body.innerText);\
             else setTimeout(look, 50); }}; look();"
        );
        let value = self
            .call("/execute/async", json!({ "script": script, "args": [] }))
            .await;
        assert_eq!(
            value, true,
            "never came: {condition}\nthe page shows:\n{value}"
        );
    }

    /// Waits until an element with this `data-test` contains a text.
    pub async fn wait_for(&self, test: &str, text: &str) {
        let text = serde_json::to_string(text).expect("a text");
        self.wait(&format!(
            "[...document.querySelectorAll('[data-test=\"{test}\"]')]\
             .some(e => e.innerText.includes({text}))"
        ))
        .await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its driver.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

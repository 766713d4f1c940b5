//! Settings: a file, the environment over it, flags over both.
//!
//! Unknown keys are refused, so that a misspelt setting is noticed at start and not at night.

mod environment;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use xiangyi_proto::pack::PackKey;
use xiangyi_proto::region;
use xiangyi_sync::signed::pack_key;

use crate::lines::Lines;
use crate::rates::Rates;
use crate::webhooks::Webhooks;

/// Where the server listens unless told otherwise.
pub const LISTEN: &str = "127.0.0.1:8080";

/// The settings of a server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub listen: SocketAddr,
    pub data: PathBuf,
    pub database: Database,
    pub photos: Photos,
    pub packs: Packs,
    pub accounts: Accounts,
    pub metrics: Metrics,
    pub rates: Rates,
    pub webhooks: Webhooks,
    pub wechat: WeChatSettings,
    pub public: Public,
    pub log: Log,
    /// Demo people and codes; loopback only, never in a file.
    #[serde(skip)]
    pub demo: bool,
    /// Volunteers of the demo; more than forty only for load tests.
    #[serde(skip)]
    pub demo_volunteers: usize,
    /// Judge by no pack; with the demo only, to measure what judging costs.
    #[serde(skip)]
    pub without_packs: bool,
    /// The bounds of connections; shorter ones only in tests.
    #[serde(skip)]
    pub lines: Lines,
}

/// Which database.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://…`; a file in the data folder when absent.
    pub url: Option<String>,
}

/// Whose rule packs are believed, beside this server's own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Packs {
    /// Region code → Ed25519 public keys in hexadecimal.
    pub trusted: BTreeMap<String, Vec<String>>,
}

/// How people sign in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    /// Roles that read beyond one station sign in with a second factor.
    pub second_factor_required: bool,
}

/// Numbers for Prometheus.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Address and port of a listener of its own; none when absent.
    pub listen: Option<SocketAddr>,
}

/// What is shown to whoever has not signed in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Public {
    /// Activities that volunteers can join.
    pub activities: bool,
    /// How to sign up for one, in words of the county's own.
    pub sign_up: Option<String>,
}

/// The mini-program, if there is one.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeChatSettings {
    pub app_id: Option<String>,
    pub app_secret: Option<String>,
    pub app_secret_file: Option<PathBuf>,
    /// Without a slash at its end.
    pub base_url: String,
    /// Which state of the mini-program a message opens.
    pub state: MiniProgram,
    /// The message of an offered place.
    pub offer: Option<Template>,
}

impl Default for WeChatSettings {
    fn default() -> Self {
        Self {
            app_id: None,
            app_secret: None,
            app_secret_file: None,
            base_url: "https://api.weixin.qq.com".to_owned(),
            state: MiniProgram::Formal,
            offer: None,
        }
    }
}

impl std::fmt::Debug for WeChatSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeChatSettings")
            .field("app_id", &self.app_id)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl WeChatSettings {
    /// The secret of the mini-program.
    ///
    /// # Errors
    /// When it is missing or cannot be read.
    pub fn secret(&self) -> Result<String, ConfigError> {
        let (value, file) = (self.app_secret.as_ref(), self.app_secret_file.as_ref());
        let secret = secret(value, file, "wechat.app_secret")?;
        let missing = || ConfigError("wechat.app_id needs wechat.app_secret".to_owned());
        secret.ok_or_else(missing)
    }
}

/// States of a mini-program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MiniProgram {
    #[default]
    Formal,
    Trial,
    Developer,
}

/// A template of a subscribed message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub id: String,
    /// The page that it opens.
    #[serde(default)]
    pub page: Option<String>,
    /// The template's fields, such as `thing1`, and what stands in each.
    pub fields: BTreeMap<String, Told>,
}

/// What a message may tell: nothing of a client, a worker or a record's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The activity's title.
    Activity,
    /// When it begins.
    StartsAt,
    /// Until when the place may be taken.
    AcceptBy,
    /// What to do, in a few words.
    Next,
}

/// Where photographs are kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Photos {
    pub store: PhotoStore,
    pub s3: S3,
}

/// The kind of photograph store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhotoStore {
    #[default]
    Folder,
    S3,
}

/// An S3 server.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    pub endpoint: Option<String>,
    pub bucket: Option<String>,
    pub region: Option<String>,
    pub access_key_id: Option<String>,
    pub access_key_id_file: Option<PathBuf>,
    pub secret_access_key: Option<String>,
    pub secret_access_key_file: Option<PathBuf>,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (endpoint, bucket) = (&self.endpoint, &self.bucket);
        f.debug_struct("S3")
            .field("endpoint", endpoint)
            .field("bucket", bucket)
            .finish()
    }
}

/// What is logged and how.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub format: LogFormat,
    pub level: LogLevel,
}

/// How much of its own doing the server tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The word of a filter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: LISTEN.parse().expect("the default address is one"),
            data: PathBuf::from("data"),
            database: Database::default(),
            photos: Photos::default(),
            packs: Packs::default(),
            accounts: Accounts::default(),
            metrics: Metrics::default(),
            rates: Rates::default(),
            webhooks: Webhooks::default(),
            wechat: WeChatSettings::default(),
            public: Public::default(),
            log: Log::default(),
            demo: false,
            demo_volunteers: 0,
            without_packs: false,
            lines: Lines::default(),
        }
    }
}

/// A setting that cannot be used, in words for whoever starts the server.
#[derive(Debug)]
pub struct ConfigError(pub String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a file; without one, the defaults.
    ///
    /// # Errors
    /// When the file cannot be read or a key is unknown, with its name and line.
    pub fn read(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::read_over(file, std::iter::empty())
    }

    /// Reads a file and puts over it what the environment says: `XIANGYI_DATABASE__URL` and so on.
    ///
    /// # Errors
    /// When the file cannot be read, a key is unknown, with its name and line, or a variable is no
    /// setting.
    pub fn read_over(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut table = toml::Table::new();
        if let Some(file) = file {
            let wrong = |why: String| ConfigError(format!("{}: {why}", file.display()));
            let text = std::fs::read_to_string(file)
                .map_err(|error| wrong(format!("cannot be read: {error}")))?;
            // Read by itself first: only a text can say in which line it is wrong.
            toml::from_str::<Self>(&text)
                .map_err(|error| wrong(environment::told(&text, &error)))?;
            let told = |error| wrong(environment::told(&text, &error));
            table = toml::from_str(&text).map_err(told)?;
        }
        environment::over(table, environment)
    }

    /// Checks what belongs together.
    ///
    /// # Errors
    /// When the demo would be reachable from elsewhere, or a setting is missing.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.demo && !self.listen.ip().is_loopback() {
            let why = "--demo holds a known password and listens on loopback only";
            return Err(ConfigError(why.to_owned()));
        }
        if !self.rates.are_some() {
            return Err(ConfigError("rates: each is at least 1".to_owned()));
        }
        if self.photos.store == PhotoStore::S3 && self.photos.s3.bucket.is_none() {
            let why = "photos.store = \"s3\" needs photos.s3.bucket";
            return Err(ConfigError(why.to_owned()));
        }
        if self.photos.store == PhotoStore::S3 && self.photos.s3.endpoint.is_none() {
            // A default would be a store abroad, and faces must not leave the country unseen.
            let why = "photos.store = \"s3\" needs photos.s3.endpoint";
            return Err(ConfigError(why.to_owned()));
        }
        if self.wechat.app_id.is_some() {
            self.wechat.secret()?;
        }
        self.trusted_keys().map(drop)
    }

    /// The keys by which packs are believed, beside this server's own.
    ///
    /// # Errors
    /// When a key is none, or its region is none.
    pub fn trusted_keys(&self) -> Result<Vec<PackKey>, ConfigError> {
        let trusted = self.packs.trusted.iter();
        let pairs = trusted.flat_map(|(region, keys)| keys.iter().map(move |key| (region, key)));
        let read = |(region, key): (&String, &String)| {
            let known = pack_key(Some(region), key).filter(|_| region::is_code(region));
            let why =
                || format!("packs.trusted: {region} = {key:?} is no region with an Ed25519 key");
            known.ok_or_else(|| ConfigError(why()))
        };
        pairs.map(read).collect()
    }

    /// The address of the database.
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite:{}", self.data.join("xiangyi.sqlite").display());
        self.database.url.clone().unwrap_or_else(file)
    }

    /// The database as it may be shown: without who signs in to it and how.
    pub fn database_told(&self) -> String {
        let url = self.database_url();
        match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
            _ => url,
        }
    }
}

/// A secret given as a value or in a file, never both.
///
/// # Errors
/// When both are given, the file cannot be read, or the secret is empty.
pub fn secret(
    value: Option<&String>,
    file: Option<&PathBuf>,
    name: &str,
) -> Result<Option<String>, ConfigError> {
    let (text, of) = match (value, file) {
        (Some(_), Some(_)) => {
            let why = format!("{name} and {name}_file are given both; keep one");
            return Err(ConfigError(why));
        }
        (Some(value), None) => (value.clone(), name.to_owned()),
        (None, Some(file)) => {
            let read = std::fs::read_to_string(file);
            let unread = |error| ConfigError(format!("cannot read {name}_file: {error}"));
            (read.map_err(unread)?, format!("{name}_file"))
        }
        (None, None) => return Ok(None),
    };
    let secret = if file.is_some() { text.trim() } else { &text };
    if secret.trim().is_empty() {
        return Err(ConfigError(format!("{of} is empty")));
    }
    Ok(Some(secret.to_owned()))
}

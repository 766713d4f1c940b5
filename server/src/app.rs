//! The application: what every handler reaches. Cloned per request, shared inside.

use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::TimeQuality;
use xiangyi_sync::policy::PackSet;
use xiangyi_sync::stamp::Stamps;
use xiangyi_sync::world::Record;

use crate::accounts::addresses::Addresses;
use crate::accounts::password::Passwords;
use crate::accounts::roots::{NAMES, Roots};
use crate::accounts::seal::Sealer;
use crate::accounts::tokens::Tokens;
use crate::blobs::Blobs;
use crate::cards::board::Board;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Public};
use crate::durable::Durable;
use crate::entropy::Entropy;
use crate::failpoint;
use crate::heard::Heard;
use crate::law::{self, Law};
use crate::lines::Lines;
use crate::live::Live;
use crate::photos::Darkroom;
use crate::photos::staging::Staging;
use crate::private;
use crate::rates::Tally;
use crate::regions::{self, Regions};
use crate::store::dialect::Shape;
use crate::store::shards::StreamIds;
use crate::store::{Db, StoreError, keys, shards};
use crate::webhooks::Webhooks;
use crate::wechat::WeChat;
use crate::writer::{Shared, Writer};

/// What every handler reaches.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an application.
pub struct Parts {
    pub db: Db,
    pub sealer: Sealer,
    pub entropy: Entropy,
    pub clock: Clock,
    pub writer: Writer,
    pub live: Live,
    pub heard: Heard,
    pub durable: Durable,
    pub stamps: Stamps,
    pub law: Law,
    pub tokens: Tokens,
    pub passwords: Passwords,
    pub asked: Tally,
    pub addresses: Addresses,
    pub regions: Regions,
    pub blobs: Blobs,
    pub staging: Staging,
    pub darkroom: Darkroom,
    /// The bounds of connections.
    pub lines: Lines,
    /// Cookies are for TLS only, except on loopback.
    pub secure_cookies: bool,
    /// Whether the last commit failed for want of a disk or a database.
    pub cannot_write: Arc<AtomicBool>,
    pub webhooks: Webhooks,
    /// The mini-program, if there is one.
    pub wechat: Option<WeChat>,
    /// What strangers are shown.
    pub public: Public,
    pub board: Board,
    /// Roles beyond a station need a second factor.
    pub second_factor_required: bool,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Why an application does not start, in words for whoever starts it.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

impl App {
    /// Opens everything a server needs.
    ///
    /// # Errors
    /// When keys, tables, photographs or packs cannot be used.
    pub async fn open(config: &Config, clock: Clock, entropy: Entropy) -> Result<Self, StartError> {
        config.check()?;
        private::data_folder(&config.data)?;
        let db = Db::open(&config.database_url()).await;
        let db = db.map_err(|error| ConfigError(error.to_the_operator()))?;
        // Before any key is made: a start that comes to nothing must leave nothing.
        is_current(&db, config).await?;
        keys_are_not_lost(&db, config).await?;
        let roots = Roots::open(&config.data, &entropy)?;
        failpoint::reach("start-keys");
        let law = Law::new(&roots, config.trusted_keys()?);
        prepare(&db, &law).await?;
        let sealer = Sealer::new(&roots);
        confirm_keys(&db, &sealer, &entropy).await?;
        failpoint::reach("start-confirmed");
        let stamps = Stamps::new(&sealer.derived("stamps"));
        let wechat = WeChat::open(&config.wechat, clock.clone())?;
        let cannot_write = Arc::new(AtomicBool::new(false));
        let live = Live::default();
        let shared = Shared {
            db: db.clone(),
            sealer: sealer.clone(),
            entropy: entropy.clone(),
            clock: clock.clone(),
            packs: Arc::new(RwLock::new(Arc::new(PackSet::default()))),
            places: Arc::new(RwLock::new(Arc::new(regions::places(Vec::new())))),
            live: live.clone(),
            stream_ids: Arc::new(StreamIds::default()),
            cannot_write: Arc::clone(&cannot_write),
            messages: wechat.is_some(),
        };
        let app = Self(Arc::new(Parts {
            db,
            sealer,
            entropy,
            clock,
            writer: Writer::new(shared),
            live,
            heard: Heard::default(),
            durable: Durable::default(),
            stamps,
            law,
            tokens: Tokens::new(&roots),
            passwords: Passwords::default(),
            asked: Tally::new(config.rates),
            addresses: Addresses::default(),
            regions: Regions::default(),
            blobs: Blobs::open(config)?,
            staging: Staging::open(&config.data)?,
            darkroom: Darkroom::default(),
            lines: config.lines,
            public: config.public.clone(),
            board: Board::default(),
            second_factor_required: config.accounts.second_factor_required,
            wechat,
            webhooks: config.webhooks.clone(),
            cannot_write,
            secure_cookies: !config.listen.ip().is_loopback(),
        }));
        app.durable
            .keep(&shards::heads(&mut app.db.glance().await?).await?);
        regions::load(&app).await?;
        if !(config.demo && config.without_packs) {
            law::start(&app).await?;
        }
        Ok(app)
    }
}

/// A record the server writes by itself.
pub fn own_record(
    kind: Kind,
    id: uuid::Uuid,
    unit: &str,
    author: &str,
    body: serde_json::Value,
    now: i64,
) -> Record {
    Record {
        id,
        kind,
        rev: 1,
        author: author.to_owned(),
        unit: unit.to_owned(),
        village: None,
        occurred_at: now,
        received_at: now,
        estimated_at: now,
        quality: TimeQuality::Offset,
        body,
        field_revs: Default::default(),
        placed: Default::default(),
        void: false,
        seq: 0,
    }
}

/// Refuses to make keys for a database that was sealed with others: they would lie in the way of
/// the right ones.
async fn keys_are_not_lost(db: &Db, config: &Config) -> Result<(), StartError> {
    let folder = config.data.join("keys");
    let is_one_here = NAMES.iter().any(|name| folder.join(name).is_file());
    if is_one_here || db.shape().await? == Shape::Behind {
        return Ok(());
    }
    let mut tx = db.read().await?;
    if keys::is_any(&mut tx).await? {
        let folder = folder.display();
        let why =
            format!("the database is sealed, and its keys are not in {folder}: put them back");
        return Err(Box::new(ConfigError(why)));
    }
    Ok(())
}

/// Refuses to start with other keys than those the database was sealed with.
async fn confirm_keys(db: &Db, sealer: &Sealer, entropy: &Entropy) -> Result<(), StartError> {
    let mut tx = db.write().await?;
    let key = keys::of(&mut tx, sealer, keys::PEOPLE, [keys::CHECK], entropy).await;
    key.map_err(|error| match error {
        StoreError::Broken { .. } => StartError::from(ConfigError(
            "the database was sealed with other keys than those in the data folder: restore \
             the folder `keys` from the backup"
                .to_owned(),
        )),
        other => other.into(),
    })?;
    Ok(tx.commit().await?)
}

/// Whether the tables fit this build, or may be brought up to date by the start itself.
async fn is_current(db: &Db, config: &Config) -> Result<(), StartError> {
    match db.shape().await? {
        Shape::Newer => Err(Box::new(StoreError::Newer)),
        Shape::Behind if !db.is_own_file() && !config.demo => Err(Box::new(ConfigError(
            "the tables are not up to date: run `xiangyi migrate` first, with the same --config, \
             --data or --database"
                .to_owned(),
        ))),
        Shape::Current | Shape::Behind => Ok(()),
    }
}

async fn prepare(db: &Db, law: &Law) -> Result<(), StartError> {
    if db.shape().await? == Shape::Behind {
        db.migrate().await?;
        failpoint::reach("start-migrated");
        law.adopt(db).await?;
    }
    Ok(())
}

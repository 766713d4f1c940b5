//! Packs as law: signed when published, verified before they are judged with, told by sync.
//!
//! A pack in the database that is not believed or not sound stops a start, with its region,
//! version and reason; on a running server the former packs stay in force. See
//! `server/decisions/0014-packs-as-living-law.md`.

pub mod jobs;
pub mod propose;
pub mod report;
pub mod what_if;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use ed25519_dalek::SigningKey;
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::pack::{PackDoc, PackKey, STARTER};
use xiangyi_proto::region;
use xiangyi_sync::digest::derived_id;
use xiangyi_sync::policy::{self, CompiledPack, PackFault, PackSet};
use xiangyi_sync::signed::{self, Untrusted};

use self::jobs::Jobs;
use crate::accounts::roots::{self, Roots};
use crate::accounts::turn;
use crate::app::{App, StartError, own_record};
use crate::config::ConfigError;
use crate::store::packs::{self, PackRow};
use crate::store::{Db, StoreError};
use crate::writer::Work;

/// The key of this server's own packs, and whose packs it believes.
pub struct Law {
    key: SigningKey,
    /// The own key first, then its next and its former ones.
    keys: Vec<PackKey>,
    /// How many packs were there when they were last read.
    known: AtomicI64,
    /// One reads at a time, so that an older reading never comes in force after a newer one.
    loading: Mutex<()>,
    /// Compiling takes a core for a while: one pack at a time, beside the judging of pushes.
    compiling: Semaphore,
    /// What was compiled, by region and version, with the row it was compiled from: a row that
    /// changed is read anew.
    compiled: std::sync::Mutex<BTreeMap<(String, i64), Known>>,
    /// Trials that run here.
    pub jobs: Jobs,
}

/// A stored pack that was verified and compiled.
struct Known {
    document: String,
    signature: Option<String>,
    signer: Option<String>,
    pack: Arc<CompiledPack>,
}

impl Known {
    fn is_of(&self, row: &PackRow) -> bool {
        self.document == row.document
            && self.signature == row.signature
            && self.signer == row.signer
    }
}

impl Law {
    /// The law of these keys.
    pub fn new(roots: &Roots, trusted: Vec<PackKey>) -> Self {
        let key = SigningKey::from_bytes(&roots.pack);
        let turning = turn::all(roots.pack, &roots.pack_turn).map(|seed| roots::public(&seed));
        let own = turning.chain(roots.believed.iter().copied());
        let own = own.filter_map(|public| signed::pack_key(None, &hex::encode(public)));
        Self {
            keys: own.chain(trusted).collect(),
            key,
            known: AtomicI64::new(0),
            loading: Mutex::new(()),
            compiling: Semaphore::new(1),
            compiled: std::sync::Mutex::default(),
            jobs: Jobs::default(),
        }
    }

    /// Whose packs are believed; the own key first.
    pub fn keys(&self) -> &[PackKey] {
        &self.keys
    }

    /// Signs what is not signed yet.
    fn sign(&self, row: &mut PackRow) -> Result<(), serde_json::Error> {
        if row.signature.is_none() {
            let document: Value = serde_json::from_str(&row.document)?;
            row.signature = Some(signed::sign(&self.key, &document));
            row.signer = self.keys.first().map(|own| own.id.clone());
        }
        Ok(())
    }

    /// Signs the packs from before packs were signed; only where tables are brought up to date.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn adopt(&self, db: &Db) -> Result<(), StoreError> {
        let mut tx = db.write().await?;
        for mut row in packs::all(&mut tx).await? {
            if row.signature.is_none() {
                let broken = |_| crate::store::broken("pack", "document");
                self.sign(&mut row).map_err(broken)?;
                packs::sign(&mut tx, &row).await?;
                tracing::warn!(
                    pack = row.region,
                    version = row.version,
                    "signed at migration"
                );
            }
        }
        tx.commit().await
    }

    /// Compiles what may be put in force, away from the threads that serve requests.
    ///
    /// # Errors
    /// When it is not sound.
    pub async fn sound(&self, doc: PackDoc) -> Result<CompiledPack, Vec<PackFault>> {
        let broke = |_| vec![PackFault::of_pack("document", "could not be compiled")];
        self.alone(move || policy::sound(&doc))
            .await
            .unwrap_or_else(|why| Err(broke(why)))
    }

    /// Runs on a blocking thread, one at a time.
    async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let _turn = self.compiling.acquire().await;
        tokio::task::spawn_blocking(work).await
    }

    fn known(&self, row: &PackRow) -> Option<Arc<CompiledPack>> {
        let kept = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.get(&(row.region.clone(), row.version))?;
        known.is_of(row).then(|| Arc::clone(&known.pack))
    }

    /// A stored pack as it may be judged with; compiled once.
    async fn read(&self, row: &PackRow) -> Result<Arc<CompiledPack>, ConfigError> {
        if let Some(pack) = self.known(row) {
            return Ok(pack);
        }
        let (own, keys) = (row.clone(), self.keys.clone());
        let pack = self.alone(move || read(&own, &keys)).await;
        let pack = pack.map_err(|why| ConfigError(format!("rule pack: {why}")))??;
        let pack = Arc::new(pack);
        let known = Known {
            document: row.document.clone(),
            signature: row.signature.clone(),
            signer: row.signer.clone(),
            pack: Arc::clone(&pack),
        };
        let mut kept = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((row.region.clone(), row.version), known);
        drop(kept);
        Ok(pack)
    }
}

/// Verifies and compiles a stored pack.
fn read(row: &PackRow, keys: &[PackKey]) -> Result<CompiledPack, ConfigError> {
    let of = |why: String| {
        let (pack, version) = (&row.region, row.version);
        ConfigError(format!("规则包 rule pack {pack} version {version}: {why}"))
    };
    let document: Value = serde_json::from_str(&row.document)
        .map_err(|_| of("不是完整的文件。the stored document is not JSON".to_owned()))?;
    let (signature, signer) = (row.signature.as_deref(), row.signer.as_deref());
    signed::verify(&document, &row.region, signature, signer, keys)
        .map_err(|why| of(untrusted(why, signer)))?;
    let mut doc: PackDoc = serde_json::from_value(document).map_err(|why| of(why.to_string()))?;
    if policy::with_weights_that_are_here(&mut doc) {
        let (pack, version) = (row.region.as_str(), row.version);
        tracing::warn!(
            pack,
            version,
            "judged with the weights of this build: its own are gone"
        );
    }
    if doc.pack != row.region || doc.version != row.version {
        return Err(of(
            "签名属于另一版。the document is another version's".to_owned()
        ));
    }
    policy::sound(&doc).map_err(|faults| of(told(&faults)))
}

fn untrusted(why: Untrusted, signer: Option<&str>) -> String {
    match why {
        Untrusted::Unsigned => "没有签名。it is not signed".to_owned(),
        Untrusted::Altered => {
            "内容与签名不符，被改动过。the document was altered after it was signed; restore the \
             database from a backup"
                .to_owned()
        }
        Untrusted::Stranger => format!(
            "签名人不在信任名单。it was signed by key {}, which is neither this server's \
             keys/pack.key nor in [packs.trusted] for this region",
            signer.unwrap_or_default()
        ),
    }
}

fn told(faults: &[PackFault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    format!("不可用。it is not sound:\n{}", lines.join("\n"))
}

/// Puts the stored packs in force; the first start publishes the shipped one.
///
/// # Errors
/// When a pack is not believed or not sound, or the database fails.
pub async fn start(app: &App) -> Result<(), StartError> {
    let shipped = policy::read(STARTER).map_err(|faults| ConfigError(told(&faults)))?;
    let mut tx = app.db.read().await?;
    let stored = packs::all(&mut tx).await?;
    drop(tx);
    let mut same = stored.iter().filter(|row| row.region == shipped.pack);
    // Once a person has published the region's list, no build replaces it.
    if same.all(|row| row.version < shipped.version && row.published_by.is_none()) {
        ship(app, &shipped).await?;
    }
    load(app).await
}

async fn ship(app: &App, doc: &PackDoc) -> Result<(), StartError> {
    let mut row = PackRow {
        region: doc.pack.clone(),
        version: doc.version,
        document: signed::canonical(&serde_json::to_value(doc)?),
        signature: None,
        signer: None,
        told: false,
        proposed_by: None,
        published_by: None,
        published_at: app.clock.now(),
    };
    app.law.sign(&mut row)?;
    let mut tx = app.db.write().await?;
    packs::add(&mut tx, &row).await?;
    Ok(tx.commit().await?)
}

/// Reads the packs of the database, puts them in force, and tells those that were not told.
///
/// # Errors
/// When one is not believed or not sound: the former ones stay in force then.
pub async fn load(app: &App) -> Result<(), StartError> {
    let _one_at_a_time = app.law.loading.lock().await;
    let mut tx = app.db.read().await?;
    let rows = packs::all(&mut tx).await?;
    drop(tx);
    let mut compiled = Vec::with_capacity(rows.len());
    for row in &rows {
        compiled.push(app.law.read(row).await?);
    }
    app.writer.put_packs(PackSet::of(compiled));
    for row in rows.iter().filter(|row| !row.told) {
        tell(app, row).await?;
    }
    // Last, so that whatever failed before is tried again at the ticker's next look.
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    app.law.known.store(count, Ordering::Relaxed);
    Ok(())
}

/// Packs that another node published come in force here too.
///
/// # Errors
/// When the database does not answer.
pub async fn look(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.glance().await?;
    let count = packs::count(&mut tx).await?;
    drop(tx);
    if count != app.law.known.load(Ordering::Relaxed)
        && let Err(error) = load(app).await
    {
        tracing::error!(%error, "a published pack is not put in force; the former ones stay");
    }
    Ok(())
}

/// Writes a pack's row into its stream.
async fn tell(app: &App, row: &PackRow) -> Result<(), StartError> {
    let shard = region::shard_of(&row.region).unwrap_or(Shard(43));
    let version = row.version.to_be_bytes();
    let id = derived_id("rule_pack", &[row.region.as_bytes(), &version]);
    let document: Value = serde_json::from_str(&row.document)?;
    let body = serde_json::json!({
        "pack": row.region, "version": row.version, "document": document,
        "signature": row.signature, "signer": row.signer,
    });
    let record = own_record(Kind::RulePack, id, &row.region, "", body, app.clock.now());
    let work = Work::Record(Box::new(record));
    let written = app.writer.write(shard, work).await;
    if written.iter().any(Result::is_err) {
        return Err(format!(
            "pack {}@{} did not reach its stream",
            row.region, row.version
        )
        .into());
    }
    let mut tx = app.db.write().await?;
    packs::told(&mut tx, &row.region, row.version).await?;
    Ok(tx.commit().await?)
}

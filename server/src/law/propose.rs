//! Two persons make a law: one proposes a pack, another publishes it.
//!
//! Versions of a region strictly grow. A draft never changes once it is proposed, so whoever
//! publishes it publishes what they have read. Publishing changes no stored record.

use serde_json::Value;
use sha2::{Digest, Sha256};
use xiangyi_proto::limits::{PACK_DRAFTS_MAX, VERSIONS_AHEAD_MAX};
use xiangyi_proto::pack::PackDoc;
use xiangyi_proto::role::Role;
use xiangyi_sync::policy::{self, PackFault};
use xiangyi_sync::signed::{self, Untrusted};
use xiangyi_sync::world::Granted;

use super::load;
use crate::app::App;
use crate::caller::is_one_of;
use crate::store::packs::{self, DraftRow, PackRow, WithdrawnRow};
use crate::store::{StoreError, Tx, people};
use crate::trail::{self, Entry};

/// Who may propose a pack of a region, and read its drafts.
pub const PROPOSE: &[Role] = &[
    Role::HubOfficer,
    Role::HubReviewer,
    Role::CountyBureau,
    Role::ProvinceAdmin,
];
/// Who may publish one.
pub const PUBLISH: &[Role] = &[Role::HubReviewer, Role::CountyBureau, Role::ProvinceAdmin];

/// Somebody who acts on the law.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    pub id: &'a str,
    pub grants: &'a [Granted],
}

impl Person<'_> {
    /// Whether one of these roles holds now at a region, or above it. A county's people are
    /// nobody in the province's law.
    pub fn may(&self, roles: &[Role], region: &str, now: i64) -> bool {
        is_one_of(self.grants, roles, region, now)
    }
}

/// Why nothing was proposed or published.
#[derive(Debug)]
pub enum NotDone {
    /// No right there, or no such draft: the same to whoever asks.
    NotThere,
    Unsound(Vec<PackFault>),
    /// Versions grow, and this one is not above the newest, or is proposed already.
    Version,
    Untrusted(Untrusted),
    /// Whoever proposed it cannot publish it.
    SamePerson,
    Store(StoreError),
}

impl From<StoreError> for NotDone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What is proposed.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub document: Value,
    /// Of the region's own key; without it this server signs when it is published.
    pub signature: Option<String>,
    pub signer: Option<String>,
}

/// Keeps a sound pack for a second person; gives its region and version.
///
/// # Errors
/// When it may not be proposed by this person, or not as it is.
pub async fn propose(
    app: &App,
    person: Person<'_>,
    proposal: Proposal,
) -> Result<(String, i64), NotDone> {
    let doc: PackDoc = serde_json::from_value(proposal.document)
        .map_err(|error| NotDone::Unsound(vec![PackFault::unread(&error)]))?;
    let now = app.clock.now();
    if !person.may(PROPOSE, &doc.pack, now) {
        return Err(NotDone::NotThere);
    }
    // What is cheap comes first: a pack is compiled only for a version that could be kept.
    let large = policy::out_of_bounds(&doc);
    if !large.is_empty() {
        return Err(NotDone::Unsound(large));
    }
    if !app.regions.knows(&doc.pack) {
        let fault = PackFault::of_pack("pack", "is no region that is known here");
        return Err(NotDone::Unsound(vec![fault]));
    }
    // As it is understood, not as it was sent: defaults are written out, and that is signed.
    let document = serde_json::to_value(&doc).expect("a pack is JSON");
    if proposal.signature.is_some() {
        let (signature, signer) = (proposal.signature.as_deref(), proposal.signer.as_deref());
        signed::verify(&document, &doc.pack, signature, signer, app.law.keys())
            .map_err(NotDone::Untrusted)?;
    }
    let draft = DraftRow {
        region: doc.pack.clone(),
        version: doc.version,
        document: signed::canonical(&document),
        signature: proposal.signature,
        signer: proposal.signer,
        proposed_by: person.id.to_owned(),
        proposed_at: now,
    };
    let mut tx = app.db.read().await?;
    grows(&mut tx, &draft).await?;
    drop(tx);
    app.law.sound(doc).await.map_err(NotDone::Unsound)?;
    let mut tx = app.db.write().await?;
    let others = grows(&mut tx, &draft).await?;
    if !packs::draft(&mut tx, &draft).await? {
        return Err(NotDone::Version);
    }
    // No draft goes below one that waits, so the lowest may go when there are many.
    if let Some(lowest) = others.first().filter(|_| others.len() >= PACK_DRAFTS_MAX) {
        packs::drop_drafts(&mut tx, &draft.region, lowest.version).await?;
    }
    noted(
        app,
        &mut tx,
        person,
        "pack-propose",
        (&draft.region, draft.version),
    )
    .await?;
    tx.commit().await?;
    Ok((draft.region, draft.version))
}

/// The drafts that wait, where this one is above them and above what is published.
async fn grows(tx: &mut Tx, draft: &DraftRow) -> Result<Vec<DraftRow>, NotDone> {
    let others = packs::drafts(tx, &draft.region).await?;
    let published = packs::newest(tx, &draft.region).await?;
    let above = |version: i64| version < draft.version;
    let near = draft.version <= published.saturating_add(VERSIONS_AHEAD_MAX);
    let grows = near && above(published) && others.iter().all(|other| above(other.version));
    if grows {
        Ok(others)
    } else {
        Err(NotDone::Version)
    }
}

/// SHA-256 of a document as it is stored, in hexadecimal.
pub fn digest(document: &str) -> String {
    hex::encode(Sha256::digest(document.as_bytes()))
}

/// Takes a draft back: whoever may propose there, not only who did. It is noted, and the number may
/// be proposed again.
///
/// # Errors
/// When there is none, or it is not this person's to take back.
pub async fn withdraw(
    app: &App,
    person: Person<'_>,
    region: &str,
    version: i64,
) -> Result<(), NotDone> {
    let now = app.clock.now();
    if !person.may(PROPOSE, region, now) {
        return Err(NotDone::NotThere);
    }
    let mut tx = app.db.write().await?;
    let draft = draft(&mut tx, region, version).await?;
    if !packs::take_draft(&mut tx, &draft).await? {
        return Err(NotDone::NotThere);
    }
    let row = WithdrawnRow {
        digest: digest(&draft.document),
        region: draft.region,
        version,
        proposed_by: draft.proposed_by,
        proposed_at: draft.proposed_at,
        withdrawn_by: person.id.to_owned(),
        withdrawn_at: now,
    };
    packs::note_withdrawn(&mut tx, &row).await?;
    noted(app, &mut tx, person, "pack-withdraw", (region, version)).await?;
    Ok(tx.commit().await?)
}

/// What the trail tells of a pack.
async fn noted(
    app: &App,
    tx: &mut Tx,
    person: Person<'_>,
    what: &'static str,
    (region, version): (&str, i64),
) -> Result<(), StoreError> {
    let entry = Entry::of(person.id, what).at(region);
    trail::put(app, tx, &entry.target(format!("{region}@{version}"))).await
}

/// A draft of a region.
///
/// # Errors
/// When there is none, or the database fails.
pub async fn draft(tx: &mut Tx, region: &str, version: i64) -> Result<DraftRow, NotDone> {
    let drafts = packs::drafts(tx, region).await?.into_iter();
    let mut drafts = drafts.filter(|draft| draft.version == version);
    drafts.next().ok_or(NotDone::NotThere)
}

/// Puts a draft in force, here at once, on other nodes and phones within seconds. To whoever did so
/// before the answer is the same again.
///
/// # Errors
/// When it is not this person's to publish, not the one they read, or no longer above the newest
/// version.
pub async fn publish(
    app: &App,
    person: Person<'_>,
    (region, version): (&str, i64),
    read: Option<&str>,
) -> Result<(), NotDone> {
    let now = app.clock.now();
    if !person.may(PUBLISH, region, now) {
        return Err(NotDone::NotThere);
    }
    let mut tx = app.db.read().await?;
    if is_done(&mut tx, person, region, version).await? {
        return Ok(());
    }
    let draft = draft(&mut tx, region, version).await?;
    let was_another = packs::was_withdrawn(&mut tx, region, version).await?;
    let entries = people::others(&mut tx, person.id).await?;
    drop(tx);
    // Whoever was entered twice is still one of two.
    if draft.proposed_by == person.id || entries.contains(&draft.proposed_by) {
        return Err(NotDone::SamePerson);
    }
    // What is published is what was read, also where a number stood for something else before.
    let meant = read.map_or(!was_another, |read| read == digest(&draft.document));
    if !meant {
        return Err(NotDone::Version);
    }
    let mut row = published(&draft, person, now);
    let unread = |_| crate::store::broken("pack_draft", "document");
    app.law.sign(&mut row).map_err(unread)?;
    // This build may be stricter than the one it was proposed to; then it stops nobody's start.
    app.law.read(&row).await.map_err(|error| {
        NotDone::Unsound(vec![PackFault::of_pack("document", error.to_string())])
    })?;
    enact(app, person, &draft, &row).await?;
    if let Err(error) = load(app).await {
        // It is published; the ticker looks again.
        tracing::error!(%error, "a published pack is not put in force yet");
    }
    Ok(())
}

fn published(draft: &DraftRow, person: Person<'_>, now: i64) -> PackRow {
    let draft = draft.clone();
    PackRow {
        region: draft.region,
        version: draft.version,
        document: draft.document,
        signature: draft.signature,
        signer: draft.signer,
        told: false,
        proposed_by: Some(draft.proposed_by),
        published_by: Some(person.id.to_owned()),
        published_at: now,
    }
}

/// Whether this person published it before.
async fn is_done(
    tx: &mut Tx,
    person: Person<'_>,
    region: &str,
    version: i64,
) -> Result<bool, StoreError> {
    let row = packs::one(tx, region, version).await?;
    Ok(row.is_some_and(|row| row.published_by.as_deref() == Some(person.id)))
}

/// Writes a published pack in place of its draft. The drafts up to it go first: who publishes a
/// lower version at the same time has one of them locked or waits for it, so that versions are
/// committed in order.
async fn enact(
    app: &App,
    person: Person<'_>,
    draft: &DraftRow,
    row: &PackRow,
) -> Result<(), NotDone> {
    let (region, version) = (row.region.as_str(), row.version);
    let mut tx = app.db.write().await?;
    if !packs::take_draft(&mut tx, draft).await? {
        // The same was asked for twice at once, or it was taken back meanwhile.
        let done = is_done(&mut tx, person, region, version).await?;
        return if done { Ok(()) } else { Err(NotDone::NotThere) };
    }
    packs::drop_drafts(&mut tx, region, version).await?;
    if packs::newest(&mut tx, region).await? >= version || !packs::add(&mut tx, row).await? {
        return Err(NotDone::Version);
    }
    noted(app, &mut tx, person, "pack-publish", (region, version)).await?;
    Ok(tx.commit().await?)
}

//! The command-line phone: the phone's half of the exchange with a durable file and real HTTP.
//!
//! One folder is one phone: `phone.sqlite` and its photographs. What a person does is numbered and
//! on disk before anything is sent; an answer changes the file in one transaction or not at all.
//! The rules of the exchange are in `xiangyi_sync::phone`; none is repeated here.

mod act;
mod aside;
mod bodies;
mod danger;
mod decide;
mod desk;
mod fits;
mod follow;
mod http;
mod law;
mod mint;
pub mod out;
mod photo;
mod places;
pub mod replay;
pub mod show;
mod store;
mod sync;
mod trouble;
mod turn;
pub mod words;

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xiangyi_proto::account::{
    PersonCard, Refresh, Registered, Reregister, RoleAt, SignIn, SignedIn,
};
use xiangyi_proto::exchange::{Mutation, PhoneClock};
use xiangyi_proto::problem;
use xiangyi_sync::phone::{Entry, Phone, Place, Write};

use crate::clock::Clock;
use crate::entropy::Entropy;

pub use act::Action;
pub use http::Cut;
pub use store::Refused;
pub use sync::{ROUNDS_MAX, Told};
pub use trouble::Trouble;

use desk::{Desk, Material};
use http::{Api, Ask, Reply};
use law::Law;
use mint::Mint;
use photo::Photo;
use store::Store;

/// Key of the note that the registration is that of an entry that was merged.
const MERGED: &str = "merged";

/// A phone of one person in one folder.
pub struct Handset {
    home: PathBuf,
    /// Held while the phone is worked on; no other window changes it meanwhile.
    turn: Option<File>,
    store: Store,
    /// The file's version that `state` was read from.
    version: i64,
    api: Api,
    clock: Clock,
    mint: Mint,
    session: Option<Session>,
    state: Phone,
    law: Law,
    /// Milliseconds by which this phone's clock is wrong.
    lie_ms: i64,
    /// Stands in for the measured offset: a phone that measured badly.
    claimed_offset_ms: Option<i64>,
    /// The last request of an exchange, to be sent once more.
    last_sent: Option<Vec<u8>>,
}

/// Who is signed in, and with what.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Session {
    person: PersonCard,
    access_token: String,
    refresh_token: String,
}

/// A moment as a phone knows it.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// What the phone's clock says, or said.
    pub wall_ms: i64,
    /// The time now, corrected by the measured offset; for plans, not for acts.
    pub true_ms: i64,
    /// What to add to the phone's clock.
    pub offset_ms: i64,
}

impl Handset {
    /// Opens the phone in a folder, made if absent. A server that is named is remembered once
    /// it has answered.
    ///
    /// # Errors
    /// When the folder or its file cannot be used, or no server was ever named.
    pub async fn open(
        home: &Path,
        server: Option<&str>,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Trouble> {
        let turn = Some(turn::take(home, turn::WRITE).await?);
        let store = Store::open(home).await?;
        let server = match server {
            Some(server) => address(server)?,
            None => store.get("server").await?.ok_or_else(|| {
                Trouble::words(
                    "还不知道服务器地址，请加上 --server。",
                    "The server is not known yet; name it with --server.",
                )
            })?,
        };
        let version = store.version().await?;
        let session = kept_session(&store).await?;
        let state = store.load().await?;
        let law = Law::of(&store, &state).await?;
        Ok(Self {
            version,
            home: home.to_owned(),
            turn,
            api: Api::new(&server)?,
            mint: Mint::new(&state.device, entropy),
            store,
            clock,
            session,
            state,
            law,
            lie_ms: 0,
            claimed_offset_ms: None,
            last_sent: None,
        })
    }

    /// What the phone holds.
    pub const fn state(&self) -> &Phone {
        &self.state
    }

    /// Who is signed in.
    pub fn person(&self) -> Option<&PersonCard> {
        self.session.as_ref().map(|session| &session.person)
    }

    /// Makes the phone's clock wrong by so many milliseconds from now on.
    pub const fn lie(&mut self, ms: i64) {
        self.lie_ms = ms;
    }

    /// Names an offset in place of the measured one.
    pub const fn claim_offset(&mut self, ms: Option<i64>) {
        self.claimed_offset_ms = ms;
    }

    /// Cuts the next request, before it is sent or after.
    pub const fn cut(&mut self, cut: Option<Cut>) {
        self.api.cut = cut;
    }

    /// Lets other windows work on this phone until `resume`.
    pub fn pause(&mut self) {
        self.turn = None;
    }

    /// Goes on with what other windows left.
    ///
    /// # Errors
    /// When another window does not end or gave the phone to somebody else, or the phone's file
    /// cannot be read.
    pub async fn resume(&mut self) -> Result<(), Trouble> {
        self.turn = Some(turn::take(&self.home, turn::WRITE).await?);
        let version = self.store.version().await?;
        if std::mem::replace(&mut self.version, version) == version {
            return Ok(());
        }
        self.session = kept_session(&self.store).await?;
        let device = std::mem::take(&mut self.state.device);
        self.state = self.store.load().await?;
        self.law = Law::of(&self.store, &self.state).await?;
        if device != self.state.device {
            // What is under way belongs to the former person and must not be kept here.
            return Err(given_away());
        }
        self.mint.rename(&self.state.device);
        Ok(())
    }

    /// Folds the phone's file together; nothing more is done with it.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Forgets what was measured of the clock, as a phone whose battery ran out does.
    ///
    /// # Errors
    /// When the phone's file does not take it.
    pub async fn forget_offset(&mut self) -> Result<(), Trouble> {
        self.store.remove("offset_ms").await?;
        self.state.offset_ms = None;
        Ok(())
    }

    /// Now.
    pub fn now(&self) -> Moment {
        self.at(self.clock.now())
    }

    /// A moment of the true time, as this phone's clock would have shown it.
    pub fn at(&self, at_ms: i64) -> Moment {
        let offset_ms = self.state.offset_ms.unwrap_or(0);
        Moment {
            wall_ms: at_ms + self.lie_ms,
            true_ms: self.clock.now() + self.lie_ms + offset_ms,
            offset_ms,
        }
    }

    fn wall_ms(&self) -> i64 {
        self.clock.now() + self.lie_ms
    }

    fn phone_clock(&self) -> PhoneClock {
        PhoneClock {
            wall_ms: self.wall_ms(),
            monotonic_ms: None,
            boot: None,
            offset_ms: self.claimed_offset_ms.or(self.state.offset_ms),
            offset_age_ms: None,
        }
    }

    /// Keeps the server's address for commands that name none, once it has answered.
    ///
    /// # Errors
    /// When the phone's file does not take it.
    pub async fn remember_server(&self) -> Result<(), Trouble> {
        match self.api.answered() {
            Some(server) => self.store.put("server", server).await,
            None => Ok(()),
        }
    }

    /// Signs in and registers the phone. Nothing of another person may wait on it.
    ///
    /// # Errors
    /// When the server does not know telephone and password, or something of another waits here.
    pub async fn sign_in(
        &mut self,
        telephone: &str,
        password: &str,
        code: Option<String>,
    ) -> Result<(), Trouble> {
        let ask = SignIn {
            telephone: telephone.to_owned(),
            password: password.to_owned(),
            second_factor: code,
            cookie: false,
        };
        let reply = self
            .api
            .send(&Ask::json("/v1/sessions", &ask), None)
            .await?;
        let signed: SignedIn = reply.json()?;
        let same = self.person().is_some_and(|own| own.id == signed.person.id);
        let formerly = &signed.person.formerly;
        let was = self.person().is_some_and(|own| formerly.contains(&own.id));
        if was {
            // The entry of before was merged: its registration ended, and still takes what waits.
            self.store.put(MERGED, "1").await?;
        } else if !same {
            self.hand_over().await?;
        }
        self.keep_session(signed).await?;
        if self.state.device.is_empty() {
            self.register().await?;
        }
        Ok(())
    }

    /// Places that are offered to this person or that they wait for, in words.
    pub fn places(&self) -> Vec<String> {
        let person = self.person().map_or("", |person| person.id.as_str());
        places::told(&self.state, person)
    }

    /// Says at once what of the new entries speaks of danger to a person.
    pub fn warn(&self, entries: &[Entry]) {
        let person = self.person().map_or("", |person| person.id.as_str());
        danger::warn(&self.law.packs(), &self.state, person, entries);
    }

    /// Records that are not answered yet.
    pub fn waiting(&self) -> usize {
        let entries = self.state.entries.values();
        entries.filter(|entry| entry.place == Place::Outbox).count()
    }

    async fn keep_session(&mut self, signed: SignedIn) -> Result<(), Trouble> {
        let session = Session {
            person: signed.person,
            access_token: signed.access_token,
            refresh_token: signed.refresh_token,
        };
        let text = serde_json::to_string(&session).expect("a session is JSON");
        self.store.put("session", &text).await?;
        self.session = Some(session);
        Ok(())
    }

    async fn keep_roles(&mut self, roles: Vec<RoleAt>) -> Result<(), Trouble> {
        let mut session = self.session()?.clone();
        session.person.roles = roles;
        let text = serde_json::to_string(&session).expect("a session is JSON");
        self.store.put("session", &text).await?;
        self.session = Some(session);
        Ok(())
    }

    fn session(&self) -> Result<&Session, Trouble> {
        self.session
            .as_ref()
            .ok_or_else(|| Trouble::words("请先登录。", "Sign in first."))
    }

    /// Asks as the person who is signed in; an access token that ended is renewed once.
    async fn call(&mut self, ask: &Ask) -> Result<Reply, Trouble> {
        let token = self.session()?.access_token.clone();
        match self.api.send(ask, Some(&token)).await {
            Err(Trouble::Problem(problem)) if problem.code == problem::TOKEN_EXPIRED.name => {}
            // An answer to HEAD has no words.
            Err(Trouble::Status(401)) => {}
            other => return other,
        }
        self.refresh().await?;
        let token = self.session()?.access_token.clone();
        self.api.send(ask, Some(&token)).await
    }

    /// Renews the tokens; the old refresh token stays good until the new one is used. The new ones
    /// are kept only where the old ones still are: other windows may have the phone meanwhile.
    async fn refresh(&mut self) -> Result<(), Trouble> {
        let own = self.session()?.clone();
        let ask = Refresh {
            refresh_token: own.refresh_token.clone(),
        };
        let ask = Ask::json("/v1/sessions/refresh", &ask);
        let reply = self.api.send(&ask, None).await?;
        let _turn = match self.turn {
            Some(_) => None,
            None => Some(turn::take(&self.home, turn::WRITE).await?),
        };
        match kept_session(&self.store).await? {
            Some(kept) if kept.refresh_token == own.refresh_token => {
                self.keep_session(reply.json()?).await
            }
            // Another window of the same person was first.
            Some(kept) if kept.person.id == own.person.id => {
                self.session = Some(kept);
                Ok(())
            }
            _ => Err(given_away()),
        }
    }

    /// Asks for a registration back that the server lost with a restore, by any answer it was
    /// given; says whether it is there again.
    async fn revive(&mut self, device: &str) -> Result<bool, Trouble> {
        let entries = self.state.entries.values();
        let of = |entry: &&Entry| {
            let kept = entry.kept.as_ref();
            kept.is_some_and(|kept| kept.device == device)
        };
        let ask = entries.rev().find(of).and_then(|entry| {
            let kept = entry.kept.as_ref()?;
            Some(Reregister {
                device: device.to_owned(),
                shard: kept.shard,
                digest: hex::encode(xiangyi_sync::digest::as_sent(&entry.raw)),
                proof: kept.proof.clone(),
            })
        });
        let Some(ask) = ask else {
            return Ok(false);
        };
        let reply = self.call(&Ask::json("/v1/devices", &ask)).await?;
        let registered: Registered = reply.json()?;
        Ok(registered.device == device)
    }

    /// Registers this phone anew; what still waits gets new numbers.
    async fn register(&mut self) -> Result<(), Trouble> {
        let reply = self.call(&Ask::post("/v1/devices", Vec::new())).await?;
        let registered: Registered = reply.json()?;
        let offset_ms = registered.server_time - self.wall_ms();
        self.pin(registered.pack_keys).await?;
        let mut after = self.state.clone();
        after.device.clone_from(&registered.device);
        after.offset_ms = Some(offset_ms);
        let waiting: Vec<Entry> = after
            .entries
            .values()
            .filter(|entry| entry.place == Place::Outbox)
            .cloned()
            .collect();
        let mut renamed = Vec::with_capacity(waiting.len());
        for mut entry in waiting {
            after.entries.remove(&entry.n);
            let was = std::mem::replace(&mut entry.n, after.number());
            entry.raw = renumbered(&entry)?;
            renamed.push((was, entry));
        }
        self.store
            .rename(&registered.device, offset_ms, after.next_n, &renamed)
            .await?;
        for (_, entry) in renamed {
            after.write(&Write::Entry(Box::new(entry)));
        }
        self.state = after;
        self.mint.rename(&registered.device);
        Ok(())
    }

    /// Does what a person did: numbered, written down, not sent. Gives the new entries.
    ///
    /// # Errors
    /// When it names something this phone does not know, or the file does not take it.
    pub async fn act(&mut self, action: &Action, at: Moment) -> Result<Vec<Entry>, Trouble> {
        let person = self.session()?.person.clone();
        let mut material = Material {
            cleaned: act::cleaned(action).await?,
            ..Material::default()
        };
        if matches!(action, Action::Visit(_)) && !action.photos().is_empty() {
            // What does not fit is found before its photographs are copied.
            self.drafts(&person, action, &material, at)?;
        }
        for file in action.photos() {
            material.photos.push(photo::take(&self.home, file).await?);
        }
        let replaced = match action {
            Action::Photo(ask) => Some(ask.visit),
            _ => None,
        };
        if let Some(record) = replaced {
            let refused = self.store.photos_refused().await?.into_iter();
            let here = refused.filter(|photo| photo.record == record.to_string());
            material.refused = here.map(|photo| photo.sha256).collect();
        }
        let drafts = self.drafts(&person, action, &material, at)?;
        let photos = &material.photos;
        self.append(drafts, photos, at.wall_ms, replaced).await
    }

    /// The mutations of an action, if every text fits its field.
    fn drafts(
        &mut self,
        person: &PersonCard,
        action: &Action,
        material: &Material,
        at: Moment,
    ) -> Result<Vec<Mutation>, Trouble> {
        let mut desk = Desk {
            person,
            at,
            state: &self.state,
            mint: &mut self.mint,
        };
        let drafts = desk.drafts(action, material)?;
        fits::check(&drafts)?;
        Ok(drafts)
    }

    async fn append(
        &mut self,
        drafts: Vec<Mutation>,
        photos: &[Photo],
        created_at: i64,
        replaced: Option<Uuid>,
    ) -> Result<Vec<Entry>, Trouble> {
        let about = drafts.first().map(|first| (first.id, first.unit.clone()));
        let mut entries = Vec::with_capacity(drafts.len());
        for mut mutation in drafts {
            mutation.n = self.state.number();
            entries.push(Entry {
                n: mutation.n,
                record: mutation.id,
                kind: mutation.kind.clone(),
                raw: serde_json::to_string(&mutation).expect("a mutation is JSON"),
                created_at,
                place: Place::Outbox,
                verdict: None,
                unanswered: 0,
                retry_at: 0,
                kept: None,
            });
        }
        if let Some((record, unit)) = about {
            let append = self.store.append(&entries, photos, record, &unit, replaced);
            append.await?;
        }
        for entry in &entries {
            self.state.write(&Write::Entry(Box::new(entry.clone())));
        }
        Ok(entries)
    }
}

/// A server's address as it is kept.
fn address(server: &str) -> Result<String, Trouble> {
    let server = server.trim_end_matches('/');
    if server.starts_with("http://") || server.starts_with("https://") {
        return Ok(server.to_owned());
    }
    Err(Trouble::Words(
        format!("服务器地址要以 http:// 或 https:// 开头，例如 http://{server}。"),
        format!("The server's address begins with http:// or https://, such as http://{server}."),
    ))
}

async fn kept_session(store: &Store) -> Result<Option<Session>, Trouble> {
    match store.get("session").await? {
        Some(text) => serde_json::from_str(&text).map_err(Trouble::damaged),
        None => Ok(None),
    }
}

/// The phone is another person's, or another device, since this window last looked.
fn given_away() -> Trouble {
    Trouble::words(
        "这台手机刚刚在另一个窗口里重新登记过，请再做一次。",
        "Another window has just registered this phone anew; do it again.",
    )
}

/// The bytes of an entry under its new number.
fn renumbered(entry: &Entry) -> Result<String, Trouble> {
    let mut mutation: Mutation = serde_json::from_str(&entry.raw).map_err(Trouble::damaged)?;
    mutation.n = entry.n;
    Ok(serde_json::to_string(&mutation).expect("a mutation is JSON"))
}

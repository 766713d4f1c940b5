//! Syncing: exchanges until nothing is left to say, photographs between them.
//!
//! A reply that was lost is asked for again with the same bytes. A phone whose storage was copied
//! registers anew. What the server cannot answer now stays and is tried later.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;
use xiangyi_proto::exchange::{Answer, ClientBuild, Exchange};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::{PAGE_BYTES_MAX, PUSH_ITEMS_MAX};
use xiangyi_proto::problem::{self, Problem};
use xiangyi_sync::phone::{Entry, Phone, Write};

use super::http::Ask;
use super::{Handset, MERGED, Trouble, turn};

/// Exchanges of one sync: 200 full pages are 100 MB, more than any phone holds.
pub const ROUNDS_MAX: usize = 200;
/// How often a request without an answer is sent.
const TRIES: u32 = 3;
/// Resets after which a sync gives up and says that the sums differ.
const RESETS_MAX: usize = 2;
/// Times that one sync registers anew or starts from the beginning.
const MENDS_MAX: usize = 2;

/// What a sync did.
#[derive(Debug, Default)]
pub struct Told {
    /// Entries that got a verdict, in order.
    pub entries: Vec<Entry>,
    /// Rows that came or went: kind, id, whether it went.
    pub rows: Vec<(String, Uuid, bool)>,
    /// Photographs that arrived at the server.
    pub photos: usize,
    pub rounds: usize,
    /// The person's posts, in words, when they are others than before.
    pub posts: Option<Vec<String>>,
    /// What did not work, in words.
    pub troubles: Vec<String>,
    /// How many of these are photographs that the server will never take.
    pub refused_photos: usize,
    /// How many of these are rule packs whose signature this phone cannot check.
    pub unchecked_packs: usize,
    resets: usize,
    mends: usize,
}

impl Told {
    fn note(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Entry(entry) if entry.verdict.is_some() => {
                    self.entries.push((**entry).clone());
                }
                Write::Put(_, _, row) => self.rows.push((row.kind.clone(), row.id, false)),
                Write::Remove(_, _, id) => self.rows.push((String::new(), *id, true)),
                Write::Mismatch => self.resets += 1,
                _ => {}
            }
        }
    }
}

impl Handset {
    /// Exchanges until the outbox is empty and nothing more is to be pulled, at most `rounds`
    /// times, and sends the photographs that wait.
    ///
    /// # Errors
    /// When no answer comes or the server refuses the whole request; the outbox stays as it is.
    pub async fn sync(&mut self, rounds: usize) -> Result<Told, Trouble> {
        self.pause();
        let _turn = turn::take(&self.home, turn::SYNC).await?;
        self.resume().await?;
        let mut told = Told::default();
        self.exchanges(rounds, &mut told).await?;
        if self.send_photos(&mut told).await? {
            self.exchanges(rounds, &mut told).await?;
        }
        self.follow(&mut told).await?;
        Ok(told)
    }

    async fn exchanges(&mut self, rounds: usize, told: &mut Told) -> Result<(), Trouble> {
        for _ in 0..rounds.max(1) {
            told.rounds += 1;
            if !self.round(told).await? {
                return Ok(());
            }
            if told.resets > RESETS_MAX {
                let words = "手机与服务器的数目对不上。\n  Phone and server count differently.";
                told.troubles.push(words.to_owned());
                return Ok(());
            }
        }
        Ok(())
    }

    /// One exchange; says whether another is due.
    async fn round(&mut self, told: &mut Told) -> Result<bool, Trouble> {
        if self.for_former(told).await? {
            return Ok(true);
        }
        let photos = self.photos_waiting().await?;
        let ask = asked(self.state(), self.phone_clock(), photos);
        let json = serde_json::to_vec(&ask).expect("an exchange is JSON");
        let answer = match self.exchange(&json).await {
            Ok(answer) => answer,
            Err(Trouble::Problem(problem)) if told.mends < MENDS_MAX => {
                told.mends += 1;
                self.mend(problem).await?;
                return Ok(true);
            }
            Err(trouble) => return Err(trouble),
        };
        self.last_sent = Some(json);
        self.take(answer, told).await
    }

    /// Sends what a former registration of this phone was answered and a restore has lost, in its
    /// name; says whether there was any.
    async fn for_former(&mut self, told: &mut Told) -> Result<bool, Trouble> {
        let Some(former) = self.state.former(self.wall_ms()).map(str::to_owned) else {
            return Ok(false);
        };
        let clock = self.phone_clock();
        let ask = self.state.request_as(&former, clock, build());
        let json = serde_json::to_vec(&ask).expect("an exchange is JSON");
        match self.exchange(&json).await {
            Ok(answer) => self.take(answer, told).await?,
            Err(Trouble::Problem(problem)) if is_gone(&problem) && told.mends < MENDS_MAX => {
                told.mends += 1;
                self.revive(&former).await?
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(true)
    }

    /// Does what an answer says, on disk first; says whether another exchange is due.
    async fn take(&mut self, answer: Answer, told: &mut Told) -> Result<bool, Trouble> {
        let more = answer.pull.as_ref().is_some_and(|pull| pull.more);
        let writes = self.state.absorb(answer, self.wall_ms());
        self.store.keep(&writes, moves(&writes)).await?;
        for write in &writes {
            self.state.write(write);
        }
        told.note(&writes);
        self.learn(&writes, told).await?;
        let reset = writes.iter().any(|write| matches!(write, Write::Mismatch));
        Ok(more || reset || self.state.is_due(self.wall_ms()))
    }

    /// Sends the last request once more, as a phone does that never saw the answer.
    ///
    /// # Errors
    /// As for a sync.
    pub async fn repeat(&mut self) -> Result<Told, Trouble> {
        let mut told = Told::default();
        if let Some(json) = self.last_sent.clone() {
            let answer = self.exchange(&json).await?;
            self.take(answer, &mut told).await?;
        }
        Ok(told)
    }

    /// Sends the same bytes until an answer comes, a few times.
    async fn exchange(&mut self, json: &[u8]) -> Result<Answer, Trouble> {
        let mut ask = Ask::post("/v1/sync", json.to_vec());
        let mut tries = 1;
        loop {
            self.pause();
            let called = self.call(&ask).await;
            self.resume().await?;
            let trouble = match called {
                Ok(reply) => return reply.json(),
                Err(trouble) => trouble,
            };
            if ask.is_packed() && trouble.code() == Some(problem::INFLATE_RATIO.name) {
                ask = Ask::plain("/v1/sync", json.to_vec());
                continue;
            }
            let retry_ms = match &trouble {
                Trouble::Offline(_) => None,
                Trouble::Problem(problem) if problem.retry_ms.is_some() => problem.retry_ms,
                _ => return Err(trouble),
            };
            if tries == TRIES {
                return Err(trouble);
            }
            pause(tries as usize, retry_ms).await;
            tries += 1;
        }
    }

    /// What can be set right without a person: a copied storage, a cursor that is none.
    async fn mend(&mut self, problem: Box<Problem>) -> Result<(), Trouble> {
        let code = problem.code.as_str();
        let device = self.state.device.clone();
        if is_gone(&problem) && self.revive(&device).await? {
            return Ok(());
        }
        if code == problem::DEVICE_FORKED.name || code == problem::DEVICE_UNKNOWN.name {
            return self.register().await;
        }
        if code == problem::DEVICE_REVOKED.name && self.store.get(MERGED).await?.is_some() {
            self.register().await?;
            return self.store.remove(MERGED).await;
        }
        if code == problem::CURSOR_INVALID.name && self.state.cursor.is_some() {
            let write = Write::Cursor(None);
            self.store.keep(std::slice::from_ref(&write), false).await?;
            self.state.write(&write);
            return Ok(());
        }
        Err(Trouble::Problem(problem))
    }

    /// Waits until something changes in what this person reads; false after 25 quiet seconds.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn wait(&mut self) -> Result<bool, Trouble> {
        // With the cursor, what came since the last pull rings at once.
        let ask = match &self.state.cursor {
            Some(cursor) => Ask::json("/v1/sync/wait", &json!({ "cursor": cursor })),
            None => Ask::bare(Method::POST, "/v1/sync/wait"),
        };
        let reply = self.call(&ask).await?;
        Ok(reply.status == 200)
    }

    /// Pulls everything anew into an empty phone that is thrown away: what the server would show.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn fresh(&mut self) -> Result<Phone, Trouble> {
        let mut phone = Phone::new(&self.state.device);
        for _ in 0..ROUNDS_MAX {
            let ask = asked(&phone, self.phone_clock(), 0);
            let json = serde_json::to_vec(&ask).expect("an exchange is JSON");
            let answer = self.exchange(&json).await?;
            let more = answer.pull.as_ref().is_some_and(|pull| pull.more);
            let writes = phone.absorb(answer, self.wall_ms());
            writes.iter().for_each(|write| phone.write(write));
            if !more {
                break;
            }
        }
        Ok(phone)
    }
}

/// Whether the server does not know the registration that spoke.
fn is_gone(problem: &Problem) -> bool {
    problem.code == problem::DEVICE_UNKNOWN.name
}

/// Whether the view changed, or a grant was given or ended: the person may be at another station.
fn moves(writes: &[Write]) -> bool {
    writes.iter().any(|write| match write {
        Write::Enter(_) | Write::Leave(_) => true,
        Write::Put(_, _, row) => row.kind == Kind::Grant.name(),
        _ => false,
    })
}

fn asked(phone: &Phone, clock: xiangyi_proto::exchange::PhoneClock, photos: usize) -> Exchange {
    let mut ask = phone.request(clock, build(), PUSH_ITEMS_MAX);
    if let Some(pull) = &mut ask.pull {
        pull.max_bytes = Some(PAGE_BYTES_MAX);
    }
    if let Some(unsent) = &mut ask.unsent {
        unsent.photos = photos as i64;
    }
    ask
}

/// This phone knows every kind of this build.
fn build() -> ClientBuild {
    let schemas = Kind::ALL.iter();
    ClientBuild {
        app: "xiangyi-phone".to_owned(),
        build: 1,
        schemas: schemas
            .map(|kind| (kind.name().to_owned(), kind.spec().schema))
            .collect(),
    }
}

/// Waits before another try: as long as the server asked for, at most five seconds.
pub(super) async fn pause(tries: usize, retry_ms: Option<i64>) {
    let own = 200 * tries as u64;
    let asked = retry_ms.and_then(|ms| u64::try_from(ms).ok());
    let ms = asked.unwrap_or(own).clamp(50, 5_000);
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

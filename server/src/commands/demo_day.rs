//! `xiangyi demo-day`: a recorded day of many phones, played against a running demo.
//!
//! Lines are those of `phone::replay`, each with the `phone` it happens on, and two more: `rush`
//! (every volunteer asks for a place at once) and `sync-all`. The day is laid before whatever these
//! people did earlier, so that it can be played again and again: nobody is at two visits at once,
//! no session meets an earlier one. Ids are new every time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::time::{HOUR_MS, MINUTE_MS};
use xiangyi_sync::phone::{Phone, Place};

use super::demo_album::Album;
use super::{demo, demo_check};
use crate::app::StartError;
use crate::clock::{Clock, Stopwatch};
use crate::entropy::Entropy;
use crate::phone::replay::{self, Line, Names};
use crate::phone::{Action, Handset, ROUNDS_MAX, Told, Trouble};

/// Phones that speak at once outside the rush, as an afternoon has them.
pub const AT_ONCE: usize = 8;
/// A rushed activity begins three days from now, or after the last one that is known.
const AHEAD_HOURS: i64 = 72;

#[derive(Debug, Args)]
pub struct DayArgs {
    /// A server started with `serve --demo`.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    server: String,
    /// Where the phones are kept; a folder that is removed at the end when absent.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The recorded day; its photographs are in `photos` beside it.
    #[arg(long, default_value = "tests/data/day.jsonl")]
    script: PathBuf,
}

/// Where an entry must be at the end.
#[derive(Debug)]
pub struct Expected {
    pub line: usize,
    pub phone: String,
    pub n: i64,
    pub want: Place,
    pub rule: Option<String>,
}

/// A day under way.
pub struct Day {
    pub phones: BTreeMap<String, Handset>,
    pub expected: Vec<Expected>,
    /// What went wrong on the way; the day goes on.
    pub wrong: Vec<String>,
    names: Names,
    base_ms: i64,
    album: Album,
    clock: Clock,
}

/// Plays the day, then checks that all is final and phones equal server.
pub async fn run(args: &DayArgs) -> Result<(), StartError> {
    let watch = Stopwatch::start();
    let lines = replay::read(&args.script).await?;
    let entropy = Entropy::system();
    let tag = entropy.crockford(8);
    let folder = match &args.folder {
        Some(folder) => folder.join(&tag),
        None => std::env::temp_dir().join(format!("xiangyi-day-{tag}")),
    };
    let beside = args.script.parent().unwrap_or(Path::new("."));
    let mut day = Day {
        phones: opened(&lines, &args.server, &folder, &entropy).await?,
        expected: Vec::new(),
        wrong: Vec::new(),
        names: Names::new(),
        base_ms: 0,
        album: Album::new(beside.join("photos"), folder.clone(), tag),
        clock: Clock::system(),
    };
    println!(
        "{} 部手机已登录 phones signed in after {} ms",
        day.phones.len(),
        watch.elapsed_ms()
    );
    day.find_room(&lines);
    for line in &lines {
        day.play(line).await?;
    }
    day.sync_all().await;
    let sound = demo_check::check(&mut day).await?;
    for phone in day.phones.values() {
        phone.close().await;
    }
    println!("用时 took {} ms", watch.elapsed_ms());
    if !sound {
        return Err(format!(
            "the day does not add up; phones are in {}",
            folder.display()
        )
        .into());
    }
    if args.folder.is_none() {
        tokio::fs::remove_dir_all(&folder).await?;
    }
    Ok(())
}

/// Opens, signs in and fills every phone that the day names, and the volunteers of a rush.
async fn opened(
    lines: &[Line],
    server: &str,
    folder: &Path,
    entropy: &Entropy,
) -> Result<BTreeMap<String, Handset>, StartError> {
    let named = lines.iter().map(|line| line.head.phone.clone());
    let mut names: BTreeSet<String> = named
        .filter(|name| !name.is_empty() && !name.starts_with('$'))
        .collect();
    if lines.iter().any(|line| line.verb == "rush") {
        names.extend((1..=40).map(|n| format!("volunteer-{n:02}")));
    }
    let opening = names.into_iter().map(|name| async move {
        let home = folder.join(&name);
        let mut phone =
            Handset::open(&home, Some(server), Clock::system(), entropy.clone()).await?;
        let telephone = telephone(&name).ok_or_else(|| {
            Trouble::words("日程里有不认识的手机。", "The day names an unknown phone.")
        })?;
        phone.sign_in(&telephone, demo::PASSWORD, None).await?;
        phone.sync(ROUNDS_MAX).await?;
        Ok::<_, Trouble>((name, phone))
    });
    let phones = stream::iter(opening).buffer_unordered(AT_ONCE);
    Ok(phones.try_collect().await?)
}

/// The demo's telephone number of a phone's name.
fn telephone(name: &str) -> Option<String> {
    let (role, n) = name.rsplit_once('-')?;
    let n: u32 = n.parse().ok()?;
    let tail = match role {
        "worker" => n,
        "lead" => 100 + n,
        "officer" => 200 + n,
        "reviewer" => 201 + n,
        "volunteer" => 300 + n,
        "leader" => 400 + n,
        _ => return None,
    };
    Some(format!("13800000{tail:03}"))
}

impl Day {
    /// Lays the day before the earliest act of these people, and the activity after the last one.
    fn find_room(&mut self, lines: &[Line]) {
        let now = self.clock.now();
        let span = lines.iter().map(|line| line.head.at_ms).max().unwrap_or(0);
        let earliest = self.phones.values().filter_map(earliest_act).min();
        let end = match earliest {
            Some(at) => (at - HOUR_MS).min(now - MINUTE_MS),
            None => now - MINUTE_MS,
        };
        self.base_ms = end - span;
        let last = self.phones.values().filter_map(|p| last_session(p.state()));
        let after = last.max().map_or(0, |at| (at - now) / HOUR_MS + 2);
        let hours = after.max(AHEAD_HOURS);
        self.names.insert("free_hours".to_owned(), hours.into());
    }

    async fn play(&mut self, line: &Line) -> Result<(), StartError> {
        match line.verb.as_str() {
            "sync-all" => self.sync_all().await,
            "rush" => self.rush(line).await?,
            _ => self.play_one(line).await?,
        }
        Ok(())
    }

    async fn play_one(&mut self, line: &Line) -> Result<(), StartError> {
        let mut line = line.clone();
        if let Some(name) = line.head.phone.strip_prefix('$') {
            let stands_for = self.names.get(name).and_then(Value::as_str);
            line.head.phone = stands_for.unwrap_or_default().to_owned();
        }
        self.album.take_pictures(&mut line).await?;
        let name = line.head.phone.clone();
        let Some(phone) = self.phones.get_mut(&name) else {
            return Err(format!("line {} names no phone of this day", line.number).into());
        };
        let played = replay::play(phone, &line, &mut self.names, self.base_ms).await;
        let played = played.map_err(|trouble| format!("line {}: {trouble}", line.number))?;
        for entry in &played.entries {
            self.expected.push(Expected {
                line: line.number,
                phone: name.clone(),
                n: entry.n,
                want: line.head.want.unwrap_or(Place::Committed),
                rule: line.head.rule.clone(),
            });
        }
        if let Some(told) = &played.told {
            self.note(&name, told);
        }
        Ok(())
    }

    /// Prints what is not simply accepted, and keeps what went wrong.
    fn note(&mut self, name: &str, told: &Told) {
        for entry in &told.entries {
            let rule = entry.verdict.as_ref().and_then(|v| v.rule.as_ref());
            if let Some(rule) = rule {
                let place = crate::phone::show::place_words(entry.place);
                println!("  {name}  {}  {place}  {}", entry.kind, rule.id);
            }
        }
        let troubles = told.troubles.iter();
        self.wrong
            .extend(troubles.map(|trouble| format!("{name}: {trouble}")));
    }

    /// Every phone syncs.
    pub async fn sync_all(&mut self) {
        let syncs = self.phones.iter_mut().map(|(name, phone)| async move {
            let told = phone.sync(ROUNDS_MAX).await;
            (name.clone(), told)
        });
        let all: Vec<_> = stream::iter(syncs)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (name, told) in all {
            match told {
                Ok(told) => self.note(&name, &told),
                Err(trouble) => self.wrong.push(format!("{name}: {trouble}")),
            }
        }
    }

    /// Every volunteer asks for a place and all send at once. Afterwards `$first_in` and
    /// `$first_waiting` name phones, and with `_id` their sign-ups.
    async fn rush(&mut self, line: &Line) -> Result<(), StartError> {
        let mut members = line.filled(&self.names)?;
        let places = members.remove("places").and_then(|v| v.as_u64());
        members.insert("do".to_owned(), "sign-up".into());
        let action: Action = serde_json::from_value(Value::Object(members))?;
        // Everybody has the page open before it opens.
        let ready = volunteers(&mut self.phones).map(|(_, phone)| phone.sync(ROUNDS_MAX));
        let ready: Vec<_> = stream::iter(ready)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        ready.into_iter().collect::<Result<Vec<Told>, Trouble>>()?;
        let mut asked: Vec<(String, Uuid)> = Vec::new();
        for (name, phone) in volunteers(&mut self.phones) {
            let at = phone.now();
            for entry in phone.act(&action, at).await? {
                asked.push((name.clone(), entry.record));
                self.expected.push(Expected {
                    line: line.number,
                    phone: name.clone(),
                    n: entry.n,
                    want: Place::Committed,
                    rule: None,
                });
            }
        }
        let watch = Stopwatch::start();
        let syncs = volunteers(&mut self.phones).map(|(_, phone)| phone.sync(ROUNDS_MAX));
        for told in futures::future::join_all(syncs).await {
            told?;
        }
        println!(
            "  {} 人同时报名 signed up at once in {} ms",
            asked.len(),
            watch.elapsed_ms()
        );
        self.ranked(line, asked, places)
    }

    /// Who got a place and who waits; names the first of each.
    fn ranked(
        &mut self,
        line: &Line,
        asked: Vec<(String, Uuid)>,
        places: Option<u64>,
    ) -> Result<(), StartError> {
        let mut confirmed = Vec::new();
        let mut waiting = BTreeMap::new();
        for (name, id) in asked {
            let Some(phone) = self.phones.get(&name) else {
                continue;
            };
            let derived = derived_of(phone.state(), id);
            let rank = derived.get("rank").and_then(Value::as_i64).unwrap_or(0);
            match derived.get("state").and_then(Value::as_str) {
                Some("confirmed") => confirmed.push((name, id)),
                Some("waiting") => drop(waiting.insert(rank, (name, id))),
                _ => self
                    .wrong
                    .push(format!("{name} has no answer to its sign-up")),
            }
        }
        let (inside, outside) = (confirmed.len(), waiting.len());
        println!("  {inside} 人确认 confirmed, {outside} 人候补 waiting");
        if places != Some(inside as u64) {
            self.wrong
                .push(format!("{inside} places were given, not {places:?}"));
        }
        let (Some(first_in), Some((_, first_waiting))) =
            (confirmed.first(), waiting.first_key_value())
        else {
            return Err(format!("line {}: nobody got in or nobody waits", line.number).into());
        };
        for (what, (name, id)) in [("first_in", first_in), ("first_waiting", first_waiting)] {
            self.names.insert(what.to_owned(), name.clone().into());
            self.names
                .insert(format!("{what}_id"), id.to_string().into());
        }
        Ok(())
    }
}

fn volunteers(
    phones: &mut BTreeMap<String, Handset>,
) -> impl Iterator<Item = (&String, &mut Handset)> {
    let all = phones.iter_mut();
    all.filter(|(name, _)| name.starts_with("volunteer-"))
}

/// What the server derived for a record, from the phone's own whole copy.
pub fn derived_of(phone: &Phone, id: Uuid) -> Value {
    let copies = phone.rows.iter();
    let mut whole =
        copies.filter(|((_, stream, row), _)| *row == id && stream.starts_with("person:"));
    let body = whole.next().and_then(|(_, held)| held.row.body.as_ref());
    let body: Option<Value> = body.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let derived = body.as_ref().and_then(|body| body.get("derived"));
    derived.cloned().unwrap_or_default()
}

/// When the person of a phone first was somewhere, as far as the phone knows.
fn earliest_act(phone: &Handset) -> Option<i64> {
    let person = phone.person()?;
    let rows = phone.state().rows.values();
    let own = rows.filter(|held| held.row.author == person.id);
    let acts = own.filter(|held| matches!(held.row.kind.as_str(), "visit" | "check_in"));
    acts.map(|held| held.row.estimated_at)
        .filter(|at| *at > 0)
        .min()
}

/// The end of the last session that a phone knows.
fn last_session(phone: &Phone) -> Option<i64> {
    let rows = phone.rows.values();
    let activities = rows.filter(|held| held.row.kind == "activity");
    let bodies = activities.filter_map(|held| held.row.body.as_ref());
    let bodies = bodies.filter_map(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let ends = |body: Value| {
        let sessions = body.get("sessions")?.as_array()?.iter();
        sessions.filter_map(|s| s.get("ends_at")?.as_i64()).max()
    };
    bodies.filter_map(ends).max()
}

#[cfg(test)]
mod tests {
    use super::telephone;

    #[test]
    fn phones_have_the_numbers_of_the_demo() {
        let number = |name| telephone(name).unwrap_or_default();
        assert_eq!(number("worker-07"), "13800000007");
        assert_eq!(number("reviewer-2"), "13800000203");
        assert_eq!(number("volunteer-40"), "13800000340");
        assert_eq!(telephone("stranger-1"), None);
    }
}

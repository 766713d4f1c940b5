//! The board: every public card of this server, read at most twice a minute whoever asks.
//!
//! One reading serves all, so strangers cost the database 2 queries in 30 seconds, however many
//! they are and whatever they ask; a page is cut from memory.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;
use xiangyi_proto::time::Millis;

use super::{Texts, digest, int, list, sessions, starts_at, text};
use crate::app::App;
use crate::rates::{Rates, Tally};
use crate::store::cards::{self, Open, Places};
use crate::store::{StoreError, load};

/// How long a reading is shown: places change by the minute, and who signs up is told at once.
pub const KEPT_MS: i64 = 30_000;
/// Cards that are shown, those first that can be joined for the shortest time: 122 counties with 40
/// activities to come each. 2 KB a card, so 10 MB at most.
const CARDS_MAX: i64 = 5_000;
/// Cards of one leader: two activities a day for a month. Whoever would fill the board needs 84
/// leaders, two thirds of a province's counties with one each.
pub const OF_LEADER_MAX: i64 = 60;
/// Rows of places that are read for a card, on the average: four sessions and roles. Of a place
/// that is not read nobody knows whether it is free, so it is not shown.
const PLACES_OF_CARD: i64 = 4;
/// Answers of an address at once, and then each second. A carrier's address has thousands of phones
/// behind it: 2,000 who look within ten minutes of a call are 3.3 a second. All addresses together
/// get 500 a second: at 0.2 ms for a page of 50, a tenth of a core.
pub const RATES: Rates = Rates {
    session_burst: 600,
    session_per_second: 5,
    person_burst: 5_000,
    person_per_second: 500,
};

/// Answers of an IPv6 /48, whose holder has 65,536 networks of an address each: a tenth of all, at
/// once and each second, so that the others have nine.
pub const BLOCK_RATES: Rates = Rates {
    session_burst: RATES.person_burst / 10,
    session_per_second: RATES.person_per_second / 10,
    person_burst: RATES.person_burst / 10,
    person_per_second: RATES.person_per_second / 10,
};

/// What anybody may read of an activity.
#[derive(Debug, Clone, Serialize)]
pub struct Card {
    pub id: Uuid,
    pub unit: String,
    pub unit_name: String,
    pub title: String,
    /// What kind of service it is.
    #[serde(rename = "type")]
    pub kind: String,
    pub summary: Option<String>,
    pub place_name: Option<String>,
    pub requires_cert: Option<String>,
    pub age_min: Option<i64>,
    pub fee_fen: Option<i64>,
    pub subsidy_fen: Option<i64>,
    pub insured: bool,
    pub starts_at: Millis,
    pub sessions: Vec<Session>,
}

/// A session that has not begun.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    pub session: i64,
    pub starts_at: Millis,
    pub ends_at: Millis,
    pub roles: Vec<Role>,
}

/// Places of one role.
#[derive(Debug, Clone, Serialize)]
pub struct Role {
    pub role: String,
    pub capacity: i64,
    pub left: i64,
}

impl Card {
    /// Where it stands in the list.
    pub fn place(&self) -> (Millis, Uuid) {
        (self.starts_at, self.id)
    }
}

type Kept = Option<(Millis, Arc<Vec<Card>>)>;

/// The cards as they were read last.
#[derive(Debug)]
pub struct Board {
    kept: Mutex<Kept>,
    /// How often addresses, and all of them, asked.
    pub asked: Tally,
    /// How often the blocks of IPv6 asked; in a table of their own, which one of them cannot fill.
    pub blocks: Tally,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            asked: Tally::new(RATES),
            blocks: Tally::new(BLOCK_RATES),
        }
    }
}

/// The cards that are shown now, the next first.
///
/// # Errors
/// When the database does not answer.
pub async fn cards(app: &App) -> Result<Arc<Vec<Card>>, StoreError> {
    // Held while reading: those who wait find what the first one read.
    let mut kept = app.board.kept.lock().await;
    let now = app.clock.now();
    if let Some((at, cards)) = &*kept
        && (*at..*at + KEPT_MS).contains(&now)
    {
        return Ok(Arc::clone(cards));
    }
    let cards = Arc::new(read(app, now).await?);
    *kept = Some((now, Arc::clone(&cards)));
    Ok(cards)
}

async fn read(app: &App, now: Millis) -> Result<Vec<Card>, StoreError> {
    let mut tx = app.db.read().await?;
    let bounds = (CARDS_MAX, OF_LEADER_MAX);
    let open = cards::open(&mut tx, now, bounds).await?;
    let bounds = (PLACES_OF_CARD * CARDS_MAX, PLACES_OF_CARD * OF_LEADER_MAX);
    let places = cards::places(&mut tx, now, bounds).await?;
    drop(tx);
    let mut full: HashMap<(Uuid, String), Places> = HashMap::with_capacity(places.len());
    for place in places {
        full.insert((load::id(&place.id)?, place.name.clone()), place);
    }
    let mut shown = Vec::with_capacity(open.len());
    for row in open {
        let id = load::id(&row.record)?;
        shown.extend(card(app, id, row, &full, now));
    }
    shown.sort_unstable_by_key(Card::place);
    Ok(shown)
}

/// Whether these texts may be shown: they were found good, or nobody is there to check them.
pub fn may_show(app: &App, state: &str, checked: &[u8], texts: &Texts) -> bool {
    app.wechat.is_none() || (state == "pass" && checked == digest(texts))
}

fn card(
    app: &App,
    id: Uuid,
    row: Open,
    full: &HashMap<(Uuid, String), Places>,
    now: Millis,
) -> Option<Card> {
    let body: Value = serde_json::from_str(&row.body).ok()?;
    let is_open = text(&body, "state") == Some("open");
    let is_free = body.get("compulsory") != Some(&Value::Bool(true));
    let texts = Texts::of(&body);
    if !is_open || !is_free || !may_show(app, &row.state, &row.digest, &texts) {
        return None;
    }
    let to_come = sessions(&body).filter(|session| starts_at(session) > now);
    let mut to_come: Vec<Session> = to_come.filter_map(|one| session(one, id, full)).collect();
    to_come.sort_unstable_by_key(|session| (session.starts_at, session.session));
    Some(Card {
        id,
        unit_name: app.regions.unit_name(&row.unit),
        unit: row.unit,
        kind: text(&body, "type").unwrap_or_default().to_owned(),
        title: texts.title,
        summary: texts.summary,
        place_name: texts.place_name,
        requires_cert: texts.requires_cert,
        age_min: int(&body, "age_min"),
        fee_fen: int(&body, "fee_fen"),
        subsidy_fen: int(&body, "subsidy_fen"),
        insured: body.get("insured") == Some(&Value::Bool(true)),
        starts_at: to_come.first()?.starts_at,
        sessions: to_come,
    })
}

/// A session with the roles whose places are known; nothing where none are.
fn session(value: &Value, id: Uuid, full: &HashMap<(Uuid, String), Places>) -> Option<Session> {
    let number = int(value, "session").unwrap_or(0);
    let role = |role: &Value| {
        let name = text(role, "role").unwrap_or_default().to_owned();
        let capacity = int(role, "capacity").unwrap_or(0);
        let slot = full.get(&(id, xiangyi_sync::kinds::slot_name(number, &name)))?;
        Some(Role {
            role: super::without_numbers(&name),
            capacity,
            left: (slot.capacity - slot.taken).max(0),
        })
    };
    let roles: Vec<Role> = list(value, "roles").filter_map(role).collect();
    (!roles.is_empty()).then(|| Session {
        session: number,
        starts_at: starts_at(value),
        ends_at: int(value, "ends_at").unwrap_or(0),
        roles,
    })
}

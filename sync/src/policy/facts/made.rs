//! Which facts a record leaves when it is committed.

use serde_json::Value;
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::{Millis, day_of_text, day_start};

use super::wanted::sign_in_key;
use super::{Fact, FactKind, account, day_of, fix_note, occasion, states_a_record, text, texts};
use crate::kinds::photos_in;
use crate::policy::Question;

/// The facts a record makes when it is committed.
pub fn facts_made(q: &Question, record: RecordId) -> Vec<Fact> {
    if !states_a_record(q.op) {
        return Vec::new();
    }
    let maker = Maker { q, record };
    match q.kind {
        Kind::Visit => maker.of_visit(),
        Kind::CheckIn => maker.of_check_in(),
        Kind::WorkTime => maker.of_work_time().into_iter().collect(),
        _ => Vec::new(),
    }
}

struct Maker<'a> {
    q: &'a Question<'a>,
    record: RecordId,
}

impl Maker<'_> {
    fn fact(&self, kind: FactKind, key: String, to_ms: Millis, note: String) -> Fact {
        Fact {
            kind,
            key,
            from_ms: self.q.estimated_at,
            to_ms,
            person: self.q.author.to_owned(),
            record: self.record,
            note,
        }
    }

    fn moment(&self, kind: FactKind, key: String, note: String) -> Fact {
        self.fact(kind, key, self.q.estimated_at, note)
    }

    fn of_visit(&self) -> Vec<Fact> {
        let (q, with) = (self.q, occasion(self.q.record));
        let mode = text(q.record, "mode").unwrap_or_default();
        let mut there = vec![q.author];
        there.extend(texts(q.record, "co_workers"));
        there.sort_unstable();
        there.dedup();
        let present = |person: &str| {
            let note = format!("{mode}|{with}");
            self.fact(FactKind::Presence, person.to_owned(), q.ended_at, note)
        };
        let mut made: Vec<Fact> = there.into_iter().map(present).collect();
        let mut photos = photos_in(q.record.get("photos"));
        photos.sort_unstable();
        photos.dedup();
        let photos = photos.into_iter();
        made.extend(photos.map(|sha| self.moment(FactKind::Photo, sha, with.clone())));
        // Only what is said of somebody can be said of many.
        let account = account(q.record).filter(|_| !with.is_empty());
        for key in account.iter().flat_map(|account| &account.keys) {
            let note = account.as_ref().map(|account| account.note());
            let note = format!("{with}|{}", note.unwrap_or_default());
            let key = format!("{}:{key}", q.author);
            made.push(self.moment(FactKind::Account, key, note));
        }
        made
    }

    fn of_check_in(&self) -> Vec<Fact> {
        let (q, mut made) = (self.q, Vec::new());
        if let Some(note) = fix_note(q.record) {
            made.push(self.moment(FactKind::Fix, q.author.to_owned(), note));
        }
        if text(q.record, "phase") == Some("in") {
            let key = self.record.to_string();
            made.push(self.moment(FactKind::Arrival, key, String::new()));
            made.extend(self.office_day());
            let activity = text(q.record, "activity").map(|id| sign_in_key(id, q.author));
            let at = |key| self.moment(FactKind::SignIn, key, String::new());
            made.extend(activity.map(at));
        }
        made
    }

    /// Duty in an office; who goes there for a visit or a training is not on duty.
    fn office_day(&self) -> Option<Fact> {
        let place = self.q.record.get("place");
        let office = place.and_then(|place| text(place, "kind")) == Some("gov_office");
        if !office || text(self.q.record, "purpose") != Some("duty") {
            return None;
        }
        let from_ms = day_of(self.q.estimated_at).0;
        let made = self.fact(
            FactKind::OfficeDay,
            self.q.unit.to_owned(),
            from_ms,
            String::new(),
        );
        Some(Fact { from_ms, ..made })
    }

    fn of_work_time(&self) -> Option<Fact> {
        let q = self.q;
        let day = text(q.record, "day").and_then(day_of_text)?;
        let minutes = q.record.get("minutes").and_then(Value::as_i64)?;
        if text(q.record, "class") == Some("leave") {
            return None;
        }
        let (from_ms, key) = (day_start(day), q.author.to_owned());
        let made = self.fact(FactKind::Worked, key, from_ms, minutes.to_string());
        Some(Fact { from_ms, ..made })
    }
}

/// What an activity asks of those who sign up for it.
pub fn terms_of(id: RecordId, activity: &Value, author: &str) -> Fact {
    let age = activity.get("age_min").and_then(Value::as_i64);
    let cert = text(activity, "requires_cert").is_some_and(|cert| !cert.trim().is_empty());
    Fact {
        kind: FactKind::Terms,
        key: id.to_string(),
        from_ms: 0,
        to_ms: 0,
        person: author.to_owned(),
        record: id,
        note: format!(
            "{}|{}",
            age.unwrap_or(0),
            if cert { "certificate" } else { "" }
        ),
    }
}

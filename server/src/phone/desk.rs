//! Mutations out of what a person did: which operation, on which record, at which unit.
//!
//! A step of a record that is there takes kind, unit and revision from the phone's own copy; what
//! answers a refusal starts from the refused mutation. The bodies themselves are in `bodies`.

use serde_json::{Map, Value, json};
use uuid::Uuid;
use xiangyi_proto::account::PersonCard;
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::time::{DAY_MS, MINUTE_MS, day_text};
use xiangyi_proto::verdict::Verdict;
use xiangyi_sync::phone::{Phone, Place};

use super::act::{Action, Appeal, Correct, Review, SignUp, Split, Substitute};
use super::bodies::{self, SAFELY_MS, said};
use super::mint::Mint;
use super::photo::Photo;
use super::{Moment, Trouble};

/// Where records are written: who, when, and what the phone knows.
pub struct Desk<'a> {
    pub person: &'a PersonCard,
    pub at: Moment,
    pub state: &'a Phone,
    pub mint: &'a mut Mint,
}

/// What an action brings beside its own members.
#[derive(Debug, Default)]
pub struct Material {
    pub photos: Vec<Photo>,
    /// The cleaned record of a split.
    pub cleaned: Option<Value>,
    /// Hashes of photographs of the record that were refused.
    pub refused: Vec<String>,
}

/// What the phone knows of a record.
struct Known {
    kind: Kind,
    unit: String,
    rev: i64,
    body: Value,
}

impl Desk<'_> {
    /// The mutations of an action, still without numbers; the first is the record it makes.
    pub fn drafts(
        &mut self,
        action: &Action,
        material: &Material,
    ) -> Result<Vec<Mutation>, Trouble> {
        let at = self.at;
        Ok(vec![match action {
            Action::CheckIn(ask) => {
                self.made(Op::Create, Kind::CheckIn, bodies::check_in(ask, at))?
            }
            Action::Client(ask) => {
                let body = bodies::client(ask, &self.person.id, at);
                self.made(Op::Create, Kind::Client, body)?
            }
            Action::Visit(ask) => {
                let body = bodies::visit(ask, &material.photos, at);
                self.made(Op::Create, Kind::Visit, body)?
            }
            Action::Activity(ask) => {
                self.made(Op::Create, Kind::Activity, bodies::activity(ask, at))?
            }
            Action::Correct(ask) => self.correct(ask)?,
            Action::Void(ask) => {
                let known = self.needed(ask.record)?;
                let mut mutation = self.bare(Op::Void, known.kind, known.unit, ask.record);
                mutation.reason = Some(ask.reason.clone());
                mutation
            }
            Action::Photo(ask) => self.photo(ask.visit, material)?,
            Action::Need(ask) => self.made(Op::Create, Kind::Need, bodies::need(ask))?,
            Action::Resource(ask) => {
                self.made(Op::Create, Kind::Resource, bodies::resource(ask))?
            }
            Action::SignUp(ask) => self.sign_up(ask)?,
            Action::Link(ask) => self.made(Op::Request, Kind::Link, bodies::link(ask))?,
            Action::Accept(ask) => self.answered(ask.id, "accept")?,
            Action::Decline(ask) => self.answered(ask.id, "decline")?,
            Action::Leave(ask) => {
                self.step(ask.id, json!({ "want": "leave", "reason": ask.reason }))?
            }
            Action::Deliver(ask) => {
                let body = json!({ "want": "deliver", "delivered_quantity": ask.quantity });
                self.step(ask.id, body)?
            }
            Action::Confirm(ask) => self.step(ask.id, json!({ "want": "confirm" }))?,
            Action::Split(ask) => return self.split(ask, material.cleaned.clone()),
            Action::Appeal(ask) => self.appeal(ask)?,
            Action::Review(ask) => self.review(ask)?,
            Action::OrderReport(ask) => {
                self.made(Op::Create, Kind::OrderReport, bodies::order_report(ask))?
            }
            Action::Substitute(ask) => self.substitute(ask)?,
        }])
    }

    /// Where a new record is filed: the person's unit that the village belongs to, else the
    /// first role's.
    fn unit(&self, body: &Value) -> Result<String, Trouble> {
        let village = body.pointer("/place/village").or(body.get("village"));
        let village = village.and_then(Value::as_str).unwrap_or_default();
        let units = || self.person.roles.iter().map(|role| role.unit.as_str());
        let around = units().filter(|unit| village.starts_with(unit));
        let unit = around.max_by_key(|unit| unit.len()).or(units().next());
        unit.map(str::to_owned).ok_or_else(|| {
            Trouble::words(
                "您现在没有岗位，这一条没有记下；请联系县级社工总站，同步后再记。",
                "You hold no post now, so this was not written down. Ask the county hub, sync, \
                 and record it then.",
            )
        })
    }

    fn bare(&self, op: Op, kind: Kind, unit: String, id: Uuid) -> Mutation {
        Mutation {
            n: 0,
            op,
            kind: kind.name().to_owned(),
            unit,
            id,
            base: None,
            occurred_at: Some(self.at.wall_ms),
            monotonic_ms: None,
            boot: None,
            needs: Vec::new(),
            body: None,
            set: Map::new(),
            unset: Vec::new(),
            add: Map::new(),
            reason: None,
            refusal: None,
        }
    }

    /// A new record at the person's own unit.
    fn made(&mut self, op: Op, kind: Kind, body: Value) -> Result<Mutation, Trouble> {
        let unit = self.unit(&body)?;
        let id = self.mint.id(self.at.wall_ms);
        let mut mutation = self.bare(op, kind, unit, id);
        mutation.body = Some(said(body));
        Ok(mutation)
    }

    /// A patch of the members that are said anew.
    fn correct(&self, ask: &Correct) -> Result<Mutation, Trouble> {
        let known = self.needed(ask.visit)?;
        let mut mutation = self.bare(Op::Patch, known.kind, known.unit, ask.visit);
        mutation.base = Some(known.rev);
        for (pointer, words) in [("/process", &ask.process), ("/result", &ask.result)] {
            if let Some(words) = words {
                mutation
                    .set
                    .insert(pointer.to_owned(), words.clone().into());
            }
        }
        if let Some(minutes) = ask.minutes {
            let begun = known.body.get("started_at").and_then(Value::as_i64);
            let begun = begun.ok_or_else(|| {
                Trouble::words(
                    "这条记录没有起止时间。",
                    "This record has no beginning and end.",
                )
            })?;
            let ended = begun + minutes * MINUTE_MS;
            mutation.set.insert("/ended_at".to_owned(), ended.into());
        }
        Ok(mutation)
    }

    /// Photographs for a visit that is there; those that were refused are taken out of it.
    fn photo(&self, visit: Uuid, material: &Material) -> Result<Mutation, Trouble> {
        let known = self.needed(visit)?;
        let new = bodies::photos(&material.photos, true, self.at);
        let mut mutation = self.bare(Op::Patch, known.kind, known.unit, visit);
        mutation.base = Some(known.rev);
        let pointer = "/photos".to_owned();
        if !material.refused.is_empty() {
            let was = known.body.get("photos").and_then(Value::as_array);
            let stays = |photo: &&Value| {
                let sha256 = photo["sha256"].as_str().unwrap_or_default();
                !material.refused.iter().any(|refused| refused == sha256)
            };
            let stay = was.into_iter().flatten().filter(stays).cloned();
            let list: Vec<Value> = stay.chain(new).collect();
            if list.is_empty() {
                mutation.unset.push(pointer);
            } else {
                mutation.set.insert(pointer, list.into());
            }
        } else if new.is_empty() {
            return Err(Trouble::words(
                "这次走访没有要撤下的照片；补照片请加 --photo。",
                "This visit has no photograph to be taken out; name new ones with --photo.",
            ));
        } else {
            mutation.add.insert(pointer, new.into());
        }
        Ok(mutation)
    }

    fn sign_up(&mut self, ask: &SignUp) -> Result<Mutation, Trouble> {
        let body = json!({
            "activity": ask.activity,
            "session": ask.session,
            "role": ask.role,
            "want": "join",
            "note": ask.note,
        });
        self.made(Op::Request, Kind::SignUp, body)
    }

    /// What the phone knows of a record: its whole copy, else any copy, else what waits here.
    fn known(&self, id: Uuid) -> Option<Known> {
        let copies = self.state.rows.iter().filter(|((_, _, row), _)| *row == id);
        let whole = |stream: &str| stream.starts_with("person:");
        if let Some((_, held)) = copies.max_by_key(|((_, stream, _), _)| whole(stream)) {
            let body = held.row.body.as_ref();
            let body = body.and_then(|raw| serde_json::from_str(raw.get()).ok());
            return Some(Known {
                kind: Kind::parse(&held.row.kind)?,
                unit: held.row.unit.clone(),
                rev: held.row.rev,
                body: body.unwrap_or_default(),
            });
        }
        let stands = |place: Place| matches!(place, Place::Outbox | Place::Held | Place::Committed);
        let mut entries = self.state.entries.values();
        let entry = entries.find(|entry| entry.record == id && stands(entry.place))?;
        let mutation: Mutation = serde_json::from_str(&entry.raw).ok()?;
        Some(Known {
            kind: Kind::parse(&mutation.kind)?,
            unit: mutation.unit,
            rev: 1,
            body: mutation.body.unwrap_or_default(),
        })
    }

    fn needed(&self, id: Uuid) -> Result<Known, Trouble> {
        self.known(id).ok_or_else(|| {
            Trouble::Words(
                format!("手机上没有这条记录：{id}。请先同步。"),
                "This record is not on the phone. Sync first.".to_owned(),
            )
        })
    }

    /// A later step of a sign-up or a link.
    fn step(&self, id: Uuid, body: Value) -> Result<Mutation, Trouble> {
        let known = self.needed(id)?;
        let mut mutation = self.bare(Op::Request, known.kind, known.unit, id);
        mutation.body = Some(said(body));
        Ok(mutation)
    }

    /// An answer to an offer names its number.
    fn answered(&self, id: Uuid, want: &str) -> Result<Mutation, Trouble> {
        let known = self.needed(id)?;
        let Some(offer) = known.body.pointer("/derived/offer").and_then(Value::as_i64) else {
            return Err(Trouble::words(
                "现在没有给您的名额。同步后再看。",
                "Nothing is offered to you now. Sync and look again.",
            ));
        };
        self.step(id, json!({ "want": want, "offer": offer }))
    }

    /// A refused mutation of this phone and the refusal's id, by either id.
    fn refused(&self, id: Uuid) -> Result<(Mutation, Uuid), Trouble> {
        let mut entries = self.state.entries.values().rev();
        let found = entries.find_map(|entry| {
            let refusal = refusal_of(entry.verdict.as_ref()?)?;
            (refusal == id || entry.record == id).then_some((entry, refusal))
        });
        let Some((entry, refusal)) = found else {
            return Err(Trouble::words(
                "这台手机上没有这次拒收。",
                "There is no such refusal on this phone.",
            ));
        };
        let mutation = serde_json::from_str(&entry.raw).map_err(Trouble::damaged)?;
        Ok((mutation, refusal))
    }

    /// Working time for the refused minutes first, then the record without them: the receipt is
    /// answered by the working time.
    fn split(&mut self, ask: &Split, cleaned: Option<Value>) -> Result<Vec<Mutation>, Trouble> {
        let (refused, refusal) = self.refused(ask.refusal)?;
        let body = refused.body.clone().unwrap_or_default();
        let occurred_at = refused.occurred_at.unwrap_or(self.at.wall_ms);
        let office = body.pointer("/assigned_by/office").and_then(Value::as_str);
        let id = self.mint.id(self.at.wall_ms);
        let mut minutes = self.bare(Op::Create, Kind::WorkTime, refused.unit.clone(), id);
        minutes.body = Some(said(json!({
            "class": ask.class,
            "minutes": ask.minutes,
            "day": day_text(occurred_at + self.at.offset_ms),
            "refusal": refusal,
            "office": office,
        })));
        let mut drafts = vec![minutes];
        if let Some(Value::Object(mut rest)) = cleaned {
            let time = |name: &str| body.get(name).and_then(Value::as_i64);
            if let (Some(begun), Some(ended)) = (time("started_at"), time("ended_at")) {
                let ended = (ended - ask.minutes * MINUTE_MS).max(begun);
                rest.entry("started_at").or_insert(begun.into());
                rest.entry("ended_at").or_insert(ended.into());
            }
            drafts.push(Mutation {
                body: Some(Value::Object(rest)),
                ..refused
            });
        }
        Ok(drafts)
    }

    /// The same content once more, with a reason.
    fn appeal(&self, ask: &Appeal) -> Result<Mutation, Trouble> {
        let (refused, refusal) = self.refused(ask.refusal)?;
        Ok(Mutation {
            op: Op::Appeal,
            refusal: Some(refusal),
            reason: Some(ask.reason.clone()),
            ..refused
        })
    }

    fn review(&mut self, ask: &Review) -> Result<Mutation, Trouble> {
        let body = json!({
            "record": ask.record,
            "decision": ask.decision,
            "reason": ask.reason,
        });
        let known = self.known(ask.record);
        let mut mutation = self.made(Op::Request, Kind::Review, body)?;
        if let Some(known) = known {
            mutation.unit = known.unit;
        }
        Ok(mutation)
    }

    /// An assignment for some days, added to the card.
    fn substitute(&self, ask: &Substitute) -> Result<Mutation, Trouble> {
        let known = self.needed(ask.client)?;
        let from = self.at.true_ms - SAFELY_MS;
        let mut mutation = self.bare(Op::Patch, Kind::Client, known.unit, ask.client);
        mutation.base = Some(known.rev);
        let worker = json!({
            "person": ask.person,
            "from": from,
            "to": from + ask.days * DAY_MS,
            "reason": ask.reason,
        });
        mutation.add.insert("/workers".to_owned(), json!([worker]));
        Ok(mutation)
    }
}

/// The refusal that a verdict names, its own or the first one's.
pub fn refusal_of(verdict: &Verdict) -> Option<Uuid> {
    verdict
        .refusal
        .or_else(|| verdict.was.as_ref().and_then(|was| was.refusal))
}

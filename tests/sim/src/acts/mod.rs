//! What people do on their phones, each from what the phone shows: mutations to be written down.

mod desk;
mod field;
mod places;
mod trouble;

use serde_json::{Map, Value, json};
use uuid::Uuid;
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::kinds::Op;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::Millis;

use crate::dice::Dice;
use crate::handset::Handset;

pub use trouble::{forged, malformed, same_again, stolen, taken};

/// A mutation without number and clocks.
#[derive(Debug, Clone)]
pub struct Draft {
    pub op: Op,
    pub kind: &'static str,
    pub unit: String,
    pub id: Uuid,
    pub base: Option<i64>,
    pub needs: Vec<Uuid>,
    pub body: Option<Value>,
    pub set: Map<String, Value>,
    pub add: Map<String, Value>,
    pub unset: Vec<String>,
    pub reason: Option<String>,
    pub refusal: Option<Uuid>,
}

impl Draft {
    fn new(op: Op, kind: &'static str, unit: &str, id: Uuid) -> Self {
        Self {
            op,
            kind,
            unit: unit.to_owned(),
            id,
            base: None,
            needs: Vec::new(),
            body: None,
            set: Map::new(),
            add: Map::new(),
            unset: Vec::new(),
            reason: None,
            refusal: None,
        }
    }

    fn create(kind: &'static str, unit: &str, id: Uuid, body: Value) -> Self {
        let mut draft = Self::new(Op::Create, kind, unit, id);
        draft.body = Some(body);
        draft
    }

    fn request(kind: &'static str, unit: &str, id: Uuid, body: Value) -> Self {
        let mut draft = Self::create(kind, unit, id, body);
        draft.op = Op::Request;
        draft
    }

    fn patch(kind: &'static str, unit: &str, id: Uuid, base: i64) -> Self {
        let mut draft = Self::new(Op::Patch, kind, unit, id);
        draft.base = Some(base);
        draft
    }

    fn set(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        self.set.insert(pointer.to_owned(), value.into());
        self
    }

    fn add(mut self, pointer: &str, value: Value) -> Self {
        self.add.insert(pointer.to_owned(), json!([value]));
        self
    }

    /// The mutation under a number, with what the phone's clocks say.
    pub fn mutation(self, n: i64, hand: &Handset, now: Millis) -> Mutation {
        let (monotonic_ms, boot) = hand.monotonic(now);
        let with_clock = n % 3 != 0;
        Mutation {
            n,
            op: self.op,
            kind: self.kind.to_owned(),
            unit: self.unit,
            id: self.id,
            base: self.base,
            occurred_at: Some(hand.wall(now)),
            monotonic_ms: with_clock.then_some(monotonic_ms),
            boot: with_clock.then_some(boot),
            needs: self.needs,
            body: self.body,
            set: self.set,
            unset: self.unset,
            add: self.add,
            reason: self.reason,
            refusal: self.refusal,
        }
    }
}

/// What a world tells those who act in it.
pub struct Scene<'a> {
    pub now: Millis,
    pub calm: bool,
    pub mood: Mood,
    pub people: &'a [String],
    pub dice: &'a mut Dice,
}

impl Scene<'_> {
    /// The time a person writes into a form: by the phone's clock, which may lie, unless the world
    /// is calm and everybody looks at the church clock.
    fn told(&self, hand: &Handset) -> Millis {
        if self.calm {
            self.now
        } else {
            hand.wall(self.now)
        }
    }

    fn base(&mut self, rev: i64) -> i64 {
        if self.dice.chance(35) {
            (rev - 1 - self.dice.below(2) as i64).max(1)
        } else {
            rev
        }
    }
}

/// What a world is mostly about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Mixed,
    Visits,
    Places,
    Lots,
}

impl Mood {
    /// Every mood.
    pub const ALL: &'static [Self] = &[Self::Mixed, Self::Visits, Self::Places, Self::Lots];
}

/// Something that this person does now; nothing when there is nothing to do it to.
pub fn act(hand: &Handset, scene: &mut Scene<'_>) -> Vec<Draft> {
    let (role, _) = hand.who.roles[scene.dice.below(hand.who.roles.len())];
    let stays = scene.dice.chance(40);
    match (role, scene.mood) {
        (Role::HubReviewer, _) => desk::review(hand, scene),
        (Role::Worker | Role::StationLead, Mood::Visits) if stays => field::work(hand, scene),
        (Role::Volunteer | Role::Worker | Role::ActivityLeader, Mood::Places) if stays => {
            places::sign_up(hand, scene)
        }
        (Role::Worker | Role::StationLead | Role::HubOfficer, Mood::Lots) if stays => {
            places::link(hand, scene)
        }
        (Role::Worker | Role::StationLead, _) => match scene.dice.below(10) {
            0..=5 => field::work(hand, scene),
            6 => desk::answer_refusal(hand, scene),
            7 => places::organise(hand, scene),
            8 => places::link(hand, scene),
            _ => places::sign_up(hand, scene),
        },
        (Role::Volunteer, _) => match scene.dice.below(5) {
            0 => field::check_in(hand, scene),
            _ => places::sign_up(hand, scene),
        },
        (Role::ActivityLeader, _) => match scene.dice.below(5) {
            0..=3 => places::organise(hand, scene),
            _ => places::sign_up(hand, scene),
        },
        _ => match scene.dice.below(3) {
            0 => places::organise(hand, scene),
            _ => places::link(hand, scene),
        },
    }
}

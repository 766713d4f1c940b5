//! A county on the bench: everything stays loaded, items are applied one after the other.

use std::collections::HashMap;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::role::Role;
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_sync::admit::{Sender, admit};
use xiangyi_sync::apply::{self, Outcome};
use xiangyi_sync::policy::{PackSet, compile, read};
use xiangyi_sync::timers::{self, Timer};
use xiangyi_sync::world::{Admitted, Env, Granted, Record, World};

/// The station of everybody.
pub const STATION: &str = "430121101";
/// A morning in Hunan.
pub const NOW: i64 = 1_772_409_600_000;
/// An hour.
pub const HOUR: i64 = 3_600_000;

const PACK: &str = r#"
pack: "430121"
version: 1
effective: {from: 2020-01-01, to: null}
lexicons:
  peril: {acts: [被打了]}
rules:
  - {id: T-REJECT, title: {zh: 拒, en: reject}, clause: 一, basis: {practice: test},
     kinds: [visit], when: "record.work_category == 'land_demolition'", verdict: reject,
     message: {zh: 拒, en: reject}, instead: [appeal]}
  - {id: T-HOLD, title: {zh: 审, en: hold}, clause: 二, basis: {practice: test},
     kinds: [visit], when: "record.work_category == 'screening'", verdict: hold,
     message: {zh: 审, en: hold}}
  - {id: T-OVERLAP, title: {zh: 叠, en: overlap}, clause: 三, basis: {practice: test},
     kinds: [visit], stateful: overlapping_visits, verdict: warn, message: {zh: 叠, en: overlap}}
  - {id: T-DANGER, title: {zh: 险, en: danger}, clause: 四, basis: {practice: test},
     kinds: [visit], mentions: peril, danger: suspected, message: {zh: 险, en: danger}}
"#;

/// A county, its rules and its clock.
pub struct Bench {
    pub world: World,
    pub packs: PackSet,
    pub now: i64,
    pub secret: [u8; 32],
    n: i64,
}

impl Bench {
    /// A county with a worker, a substitute, a lead, two reviewers, two volunteers and an officer.
    pub fn new() -> Self {
        Self::with(PACK)
    }

    /// The same county under another pack.
    pub fn with(pack: &str) -> Self {
        let doc = read(pack).expect("the pack is well-formed");
        let pack = compile(&doc).expect("the pack compiles");
        let mut bench = Self {
            world: World::new(Shard(430_121), 0),
            packs: PackSet::new(vec![pack]),
            now: NOW,
            secret: [7; 32],
            n: 0,
        };
        for (person, role, unit) in [
            ("wang", Role::Worker, STATION),
            ("li", Role::Worker, STATION),
            ("sun", Role::Worker, "430121102"),
            ("zhao", Role::StationLead, STATION),
            ("shen", Role::HubReviewer, "430121"),
            ("shan", Role::HubReviewer, "430121"),
            ("vo1", Role::Volunteer, "430121"),
            ("vo2", Role::Volunteer, "430121"),
            ("vo3", Role::Volunteer, "430121"),
            ("off", Role::HubOfficer, "430121"),
        ] {
            let grant = Granted {
                role,
                unit: unit.to_owned(),
                from_at: 0,
                to_at: None,
            };
            bench.world.grants.insert(person.to_owned(), vec![grant]);
        }
        bench
    }

    /// An item as a person's phone sends it; `op`, `kind`, `id` and the rest come in `said`.
    pub fn item(&mut self, person: &str, mut said: Value) -> Admitted {
        self.n += 1;
        let defaults = json!({"n": self.n, "unit": STATION, "occurred_at": self.now});
        for (name, value) in defaults.as_object().expect("an object") {
            if said.get(name).is_none() {
                said[name] = value.clone();
            }
        }
        let sender = Sender {
            person: person.to_owned(),
            device: format!("d-{person}"),
            clock: None,
            received_at: self.now,
        };
        let raw = to_raw_value(&said).expect("JSON can be written");
        admit(&raw, &sender, &self.packs).expect("the item has a number")
    }

    /// Applies an item in a commit of its own.
    pub fn apply(&mut self, item: Admitted) -> Verdict {
        match self.outcome(item) {
            Outcome::Verdict(verdict) => *verdict,
            other => panic!("{other:?}"),
        }
    }

    /// Applies an item in a commit of its own; whatever comes of it.
    pub fn outcome(&mut self, mut item: Admitted) -> Outcome {
        self.commit(|world, env| {
            let outcome = apply::apply(world, &mut item, env);
            apply::finish(world, env);
            outcome
        })
    }

    /// Keeps a record that the server writes by itself.
    pub fn keep(&mut self, record: Record) {
        self.commit(|world, env| world.keep(record, env));
    }

    /// Fires a timer that is due now.
    pub fn fire(&mut self, kind: &str, id: Uuid) {
        let timer = Timer {
            kind: kind.to_owned(),
            id: id.to_string(),
            due_at: self.now,
        };
        self.commit(|world, env| timers::fire(world, &timer, env));
    }

    /// Does something of the server's own.
    pub fn commit<T>(&mut self, work: impl FnOnce(&mut World, &Env<'_>) -> T) -> T {
        let places = HashMap::new();
        let env = Env {
            now: self.now,
            packs: &self.packs,
            places: &places,
            secret: self.secret,
        };
        work(&mut self.world, &env)
    }

    /// Says something and gives the answer.
    pub fn say(&mut self, person: &str, said: Value) -> Verdict {
        let item = self.item(person, said);
        self.apply(item)
    }

    /// Files a visit of a category; gives its id and the answer.
    pub fn visit(&mut self, person: &str, category: &str) -> (Uuid, Verdict) {
        let id = self.id();
        let verdict = self.say(person, visit(id, category, self.now));
        (id, verdict)
    }

    /// A fresh id.
    pub fn id(&mut self) -> Uuid {
        self.n += 1;
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + self.n as u128)
    }

    /// A reviewer decides.
    pub fn review(&mut self, person: &str, record: Uuid, decision: &str) -> Verdict {
        let id = self.id();
        let body = json!({"record": record, "decision": decision, "reason": "已核实"});
        self.say(
            person,
            json!({"op": "request", "kind": "review", "unit": "430121", "id": id,
            "body": body}),
        )
    }

    /// The later, final answer to a number, if there is one.
    pub fn last(&self, person: &str, n: i64) -> Option<&Verdict> {
        let key = (format!("final:d-{person}"), n);
        self.world.by_number.get(&key).map(|past| &past.verdict)
    }
}

/// A visit of an hour that ended now.
pub fn visit(id: Uuid, category: &str, now: i64) -> Value {
    json!({"op": "create", "kind": "visit", "id": id, "body": {
        "started_at": now - HOUR, "ended_at": now, "outcome": {"kind": "served"},
        "mode": "home", "village": "430121101001", "no_client_reason": "入村",
        "purpose": "看望", "work_category": category}})
}

/// A patch of a visit.
pub fn patch(id: Uuid, base: i64, set: Value) -> Value {
    json!({"op": "patch", "kind": "visit", "id": id, "base": base, "set": set})
}

/// The name of a verdict and its rule.
pub fn told(verdict: &Verdict) -> (VerdictName, &str) {
    let rule = verdict.rule.as_ref().map_or("", |rule| rule.id.as_str());
    (verdict.verdict, rule)
}

// Each suite that takes the bench uses a part of it.
const _: () = {
    let _ = (Bench::visit, Bench::review, Bench::last);
    let _ = (Bench::keep, Bench::fire, Bench::with, Bench::new);
    let _ = (visit, patch, told);
};

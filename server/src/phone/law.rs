//! The rule packs that this phone believes: signed by a key that came with its registration.
//!
//! A pack that does not verify stays a row and is never judged with; those believed before stay in
//! use. Before the first one, the shipped pack is asked.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xiangyi_proto::exchange::Row;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::pack::{PackDoc, PackKey, STARTER};
use xiangyi_sync::phone::{Phone, Write};
use xiangyi_sync::policy::{self, CompiledPack, PackSet};
use xiangyi_sync::signed;

use super::store::Store;
use super::words::body_of;
use super::{Handset, Told, Trouble};

/// Under which the law is kept.
const KEY: &str = "law";

/// Keys that were pinned, and the packs they signed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Law {
    keys: Vec<PackKey>,
    packs: Vec<PackDoc>,
}

/// What came of a row.
enum Learnt {
    Known,
    New(Box<PackDoc>),
    NotBelieved,
    /// Signed, and of a newer build's words.
    NotUnderstood,
}

impl Law {
    /// The law as it was kept, with what a stopped phone had not come to learn.
    pub async fn of(store: &Store, phone: &Phone) -> Result<Self, Trouble> {
        let kept = store.get(KEY).await?;
        let mut law: Self = match kept {
            Some(text) => serde_json::from_str(&text).map_err(Trouble::damaged)?,
            None => Self::default(),
        };
        let rows = phone.rows.values().map(|held| &held.row);
        law.learn(rows);
        Ok(law)
    }

    async fn keep(&self, store: &Store) -> Result<(), Trouble> {
        let text = serde_json::to_string(self).expect("packs are JSON");
        store.put(KEY, &text).await
    }

    /// Takes over the packs among rows that are believed; names those that are not.
    fn learn<'a>(&mut self, rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
        let mut strange = Vec::new();
        for row in rows.filter(|row| row.kind == Kind::RulePack.name() && !row.rm) {
            let body = body_of(row);
            match self.one(&body) {
                Learnt::New(doc) => self.packs.push(*doc),
                Learnt::NotBelieved => {
                    let pack = body["pack"].as_str().unwrap_or("?");
                    strange.push(format!("{pack} {}", body["version"]));
                }
                Learnt::Known | Learnt::NotUnderstood => {}
            }
        }
        strange
    }

    fn one(&self, body: &Value) -> Learnt {
        let document = &body["document"];
        let (region, version) = (document["pack"].as_str(), document["version"].as_i64());
        let (signature, signer) = (body["signature"].as_str(), body["signer"].as_str());
        let is_itself = body["pack"].as_str() == region && body["version"].as_i64() == version;
        let named = region.unwrap_or_default();
        let verified = signed::verify(document, named, signature, signer, &self.keys);
        if !is_itself || verified.is_err() {
            return Learnt::NotBelieved;
        }
        let same =
            |own: &PackDoc| Some(own.pack.as_str()) == region && Some(own.version) == version;
        if self.packs.iter().any(same) {
            return Learnt::Known;
        }
        match serde_json::from_value::<PackDoc>(document.clone()) {
            Ok(doc) if policy::sound(&doc).is_ok() => Learnt::New(Box::new(doc)),
            _ => Learnt::NotUnderstood,
        }
    }

    /// The packs to judge with.
    pub fn packs(&self) -> PackSet {
        let own = self.packs.iter();
        let mut compiled: Vec<CompiledPack> =
            own.filter_map(|doc| policy::compile(doc).ok()).collect();
        if compiled.is_empty() {
            let shipped = policy::read(STARTER).and_then(|doc| policy::compile(&doc));
            compiled.extend(shipped.ok());
        }
        PackSet::new(compiled)
    }
}

impl Handset {
    /// Pins the keys that came with a registration; only what they signed is believed.
    pub(super) async fn pin(&mut self, keys: Vec<PackKey>) -> Result<(), Trouble> {
        let packs = Vec::new();
        self.law = Law { keys, packs };
        let rows = self.state.rows.values().map(|held| &held.row);
        self.law.learn(rows);
        self.law.keep(&self.store).await
    }

    /// Takes over the packs that an answer brought, and says which are not believed.
    pub(super) async fn learn(&mut self, writes: &[Write], told: &mut Told) -> Result<(), Trouble> {
        let rows = writes.iter().filter_map(|write| match write {
            Write::Put(_, _, row) => Some(&**row),
            _ => None,
        });
        let before = self.law.packs.len();
        for name in self.law.learn(rows) {
            // The keys are not asked anew here: whoever altered a pack could answer that too.
            told.unchecked_packs += 1;
            told.troubles.push(format!(
                "规则包 {name} 的签名这台手机不认得，没有采用，仍用原来的规则。\n  This phone does \
                 not know who signed rule pack {name}; it is not used, the former rules are."
            ));
        }
        if self.law.packs.len() != before {
            self.law.keep(&self.store).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use serde_json::json;

    fn key(seed: u8) -> (SigningKey, PackKey) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = hex::encode(key.verifying_key().to_bytes());
        (key, signed::pack_key(None, &public).expect("a key"))
    }

    fn row(signer: &(SigningKey, PackKey), version: i64) -> Value {
        let mut doc = policy::read(STARTER).expect("the starter pack reads");
        doc.version = version;
        let document = serde_json::to_value(doc).expect("JSON");
        json!({ "pack": "43", "version": version, "signature": signed::sign(&signer.0, &document),
                "signer": signer.1.id, "document": document })
    }

    fn learnt(law: &mut Law, body: &Value) -> usize {
        let row = json!({ "id": uuid::Uuid::nil(), "seq": 1, "kind": "rule_pack", "rev": 1,
                          "body": body });
        let row: Row = serde_json::from_value(row).expect("a row");
        law.learn(std::iter::once(&row)).len()
    }

    #[test]
    fn a_pack_that_does_not_verify_leaves_the_former_one_in_use() {
        let (own, other) = (key(1), key(2));
        let mut law = Law {
            keys: vec![own.1.clone()],
            packs: Vec::new(),
        };
        assert_eq!(learnt(&mut law, &row(&own, 1)), 0);
        let held = |law: &Law| law.packs.iter().map(|doc| doc.version).collect::<Vec<_>>();
        assert_eq!(held(&law), [1]);
        // Another's, altered, unsigned, another version's: told, and never used.
        let mut altered = row(&own, 2);
        altered["document"]["rules"] = json!([]);
        let mut unsigned = row(&own, 2);
        unsigned["signature"] = Value::Null;
        let mut renamed = row(&own, 1);
        renamed["version"] = json!(2);
        for body in [row(&other, 2), altered, unsigned, renamed] {
            assert_eq!(learnt(&mut law, &body), 1);
            assert_eq!(held(&law), [1]);
        }
        // Even the version that is believed is not replaced by what comes in its place.
        let mut replaced = row(&own, 1);
        replaced["document"]["rules"] = json!([]);
        assert_eq!(learnt(&mut law, &replaced), 1);
        assert!(!law.packs[0].rules.is_empty());
        assert_eq!(learnt(&mut law, &row(&own, 2)), 0);
        assert_eq!(held(&law), [1, 2]);
    }
}

//! Digests: of a mutation as sent, and of its content without number and clocks.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::kinds::Op;

/// SHA-256.
pub type Digest = [u8; 32];

/// The digest of the bytes as sent.
pub fn as_sent(raw: &str) -> Digest {
    Sha256::digest(raw.as_bytes()).into()
}

/// The digest of what a mutation says, without `n` and clocks. An appeal says the same as the
/// item it repeats, so that it can be compared with the refusal's content.
pub fn content(mutation: &Mutation) -> Digest {
    let op = match mutation.op {
        Op::Appeal if mutation.body.is_none() => Op::Patch,
        Op::Appeal if mutation.kind == "sign_up" || mutation.kind == "link" => Op::Request,
        Op::Appeal => Op::Create,
        op => op,
    };
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(&[op as u8]);
    part(mutation.kind.as_bytes());
    part(mutation.id.as_bytes());
    part(&mutation.base.unwrap_or(0).to_be_bytes());
    part(&written(&mutation.body));
    part(&written(&mutation.set));
    part(&written(&mutation.add));
    part(mutation.unset.join("\n").as_bytes());
    if mutation.op == Op::Void {
        part(b"void");
    }
    hash.finalize().into()
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value can always be written")
}

/// What a person says: by this a repeat is known. Another's same words are no repeat, or what a
/// stranger sent about a record would stand in its author's way.
pub fn said_by(person: &str, mutation: &Mutation) -> Digest {
    let mut hash = Sha256::new();
    hash.update(content(mutation));
    hash.update(person.as_bytes());
    hash.finalize().into()
}

/// An id that follows from what it stands for: rows the server makes need no randomness.
pub fn derived_id(what: &str, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(what.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let bytes: Digest = hash.finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[..16]);
    uuid::Builder::from_custom_bytes(id).into_uuid()
}

/// An id that nobody can guess who does not know the secret, of a form that no mutation may bear.
pub fn secret_id(what: &str, secret: &Digest, parts: &[&[u8]]) -> Uuid {
    let mut all: Vec<&[u8]> = vec![secret];
    all.extend(parts);
    let mut id = derived_id(what, &all).into_bytes();
    id[6] = id[6] & 0x0f | SECRET_VERSION << 4;
    Uuid::from_bytes(id)
}

/// Says whether an id is of the form of `secret_id`: whoever names one gets the answer that
/// depends on the form alone, never on whether it exists.
pub fn is_secret(id: Uuid) -> bool {
    id.as_bytes()[6] >> 4 == SECRET_VERSION
}

/// The version of UUIDs that RFC 9562 keeps for the future: no phone makes it.
const SECRET_VERSION: u8 = 15;

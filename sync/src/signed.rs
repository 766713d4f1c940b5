//! Signed documents: what exactly is signed, and whether a signature is somebody's.
//!
//! A document is signed in its canonical form: members sorted by name, no spaces, texts escaped
//! as JSON must and no further, numbers as serde_json writes them (a real number keeps its `.0`).
//! Server and phone check with the same function; who is trusted is each one's own list.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use xiangyi_proto::pack::PackKey;

/// Hexadecimal digits of a key's id.
const KEY_ID_DIGITS: usize = 16;

/// The canonical form of a document.
pub fn canonical(document: &Value) -> String {
    let mut text = String::new();
    write(document, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            text.push('{');
            for (index, name) in names.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                write(&members[name], text);
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(value, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// Signs a document; the signature in hexadecimal.
pub fn sign(key: &SigningKey, document: &Value) -> String {
    hex::encode(key.sign(canonical(document).as_bytes()).to_bytes())
}

/// A public key as lists name it: the beginning of its SHA-256.
pub fn key_id(key: &[u8; 32]) -> String {
    let mut id = hex::encode(Sha256::digest(key));
    id.truncate(KEY_ID_DIGITS);
    id
}

/// A public key out of a list; none when it is no key.
pub fn pack_key(region: Option<&str>, key: &str) -> Option<PackKey> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(key.trim(), &mut bytes).ok()?;
    VerifyingKey::from_bytes(&bytes).ok()?;
    Some(PackKey {
        id: key_id(&bytes),
        key: hex::encode(bytes),
        region: region.map(str::to_owned),
    })
}

/// Why a document is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrusted {
    /// Nobody signed it.
    Unsigned,
    /// The signer is none of those trusted for this region.
    Stranger,
    /// The signature is not over this document.
    Altered,
}

/// Checks a region's document against those who are trusted.
pub fn verify(
    document: &Value,
    region: &str,
    signature: Option<&str>,
    signer: Option<&str>,
    trusted: &[PackKey],
) -> Result<(), Untrusted> {
    let (Some(signature), Some(signer)) = (signature, signer) else {
        return Err(Untrusted::Unsigned);
    };
    let is_for = |key: &&PackKey| key.region.as_deref().is_none_or(|own| own == region);
    let mut keys = trusted.iter().filter(is_for);
    let key = keys
        .find(|key| key.id == signer)
        .ok_or(Untrusted::Stranger)?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(&key.key, &mut bytes).map_err(|_| Untrusted::Stranger)?;
    // The id is worked out anew: whoever made the list may have mistyped it.
    if key_id(&bytes) != signer {
        return Err(Untrusted::Stranger);
    }
    let key = VerifyingKey::from_bytes(&bytes).map_err(|_| Untrusted::Stranger)?;
    let mut bytes = [0; 64];
    hex::decode_to_slice(signature, &mut bytes).map_err(|_| Untrusted::Altered)?;
    let signature = Signature::from_bytes(&bytes);
    key.verify_strict(canonical(document).as_bytes(), &signature)
        .map_err(|_| Untrusted::Altered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(seed: u8) -> (SigningKey, PackKey) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = hex::encode(key.verifying_key().to_bytes());
        let public = pack_key(Some("43"), &public).expect("a key");
        (key, public)
    }

    #[test]
    fn the_canonical_form_is_one_whatever_the_order() {
        let one: Value =
            serde_json::from_str(r#"{"b": [1, 2.5, null], "a": {"d": "题\n", "c": true}}"#)
                .expect("JSON");
        let other: Value =
            serde_json::from_str(r#"{"a":{"c":true,"d":"题\n"},"b":[1,2.5,null]}"#).expect("JSON");
        assert_eq!(canonical(&one), canonical(&other));
        assert_eq!(
            canonical(&one),
            r#"{"a":{"c":true,"d":"题\n"},"b":[1,2.5,null]}"#
        );
    }

    #[test]
    fn only_what_a_trusted_key_signed_is_believed() {
        let (signer, public) = key(1);
        let document = json!({"pack": "43", "version": 3});
        let signature = sign(&signer, &document);
        let ask = |document: &Value, region: &str, trusted: &[PackKey], id: &str| {
            verify(document, region, Some(&signature), Some(id), trusted)
        };
        let trusted = [public.clone()];
        assert_eq!(ask(&document, "43", &trusted, &public.id), Ok(()));
        let altered = json!({"pack": "43", "version": 4});
        assert_eq!(
            ask(&altered, "43", &trusted, &public.id),
            Err(Untrusted::Altered)
        );
        assert_eq!(
            ask(&document, "430121", &trusted, &public.id),
            Err(Untrusted::Stranger)
        );
        let (_, other) = key(2);
        assert_eq!(
            ask(&document, "43", std::slice::from_ref(&other), &public.id),
            Err(Untrusted::Stranger)
        );
        // Another's key under this one's name.
        let disguised = PackKey {
            id: public.id.clone(),
            ..other
        };
        assert_eq!(
            ask(&document, "43", &[disguised], &public.id),
            Err(Untrusted::Stranger)
        );
        let unsigned = verify(&document, "43", None, Some(&public.id), &trusted);
        assert_eq!(unsigned, Err(Untrusted::Unsigned));
    }
}

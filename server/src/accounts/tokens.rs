//! Access tokens: EdDSA-signed JWTs. Only this algorithm and this key are ever accepted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::roots::Roots;

/// An access token lives this long; revocation does not wait for it, sessions are looked up.
pub const ACCESS_MS: i64 = 15 * 60_000;
/// A browser's cookie lives a working day.
pub const COOKIE_MS: i64 = 12 * 3_600_000;

/// Tokens remembered: the one that each of 8,000 social workers of the province uses at a time, in
/// some 4 MB. Those whose time is over make room first.
const KNOWN_MAX: usize = 8_192;

/// What a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// Person.
    pub sub: String,
    /// Session.
    pub sid: String,
    /// The session's own device, for REST writes.
    pub dev: String,
    /// Says that this token came out as a cookie and is good as nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cookie: bool,
    /// Good for one's own account only, until a second factor is set up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    pub iat: i64,
    pub exp: i64,
}

impl Claims {
    const fn lives(&self, now: i64) -> bool {
        now < self.exp * 1_000
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoToken {
    Forged,
    Expired,
}

/// Signs and checks tokens.
pub struct Tokens {
    sign: EncodingKey,
    check: DecodingKey,
    /// Names the key, so that a later one can live beside it for a while.
    kid: String,
    validation: Validation,
    /// Tokens whose signature was checked.
    known: Mutex<HashMap<String, Claims>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// Tokens under the roots' key.
    pub fn new(roots: &Roots) -> Self {
        let key = SigningKey::from_bytes(&roots.token);
        let private = key
            .to_pkcs8_der()
            .expect("an Ed25519 key has a PKCS #8 form");
        let public = key.verifying_key();
        let kid = hex::encode(&Sha256::digest(public.as_bytes())[..8]);
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Expiry is compared with the injected clock, not with the machine's.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self {
            sign: EncodingKey::from_ed_der(private.as_bytes()),
            check: DecodingKey::from_ed_der(public.as_bytes()),
            kid,
            validation,
            known: Mutex::default(),
        }
    }

    /// A token for a session.
    pub fn sign(&self, claims: &Claims) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.sign).expect("claims can be signed")
    }

    /// What a token says, if it is ours and still valid at `now` (Unix milliseconds).
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, token: &str, now: i64) -> Result<Claims, NoToken> {
        let claims = match self.remembered(token) {
            Some(claims) => claims,
            None => self.verified(token, now)?,
        };
        if claims.lives(now) {
            Ok(claims)
        } else {
            Err(NoToken::Expired)
        }
    }

    fn remembered(&self, token: &str) -> Option<Claims> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(token).cloned()
    }

    /// Checks the signature, and remembers a token that is ours: a phone sends the same one for a
    /// quarter of an hour, and looking at the signature costs more than reading the body.
    fn verified(&self, token: &str, now: i64) -> Result<Claims, NoToken> {
        let read = jsonwebtoken::decode::<Claims>(token, &self.check, &self.validation)
            .map_err(|_| NoToken::Forged)?;
        if read.header.kid.as_deref() != Some(self.kid.as_str()) {
            return Err(NoToken::Forged);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, claims| claims.lives(now));
        }
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(token.to_owned(), read.claims.clone());
        Ok(read.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(number: usize, exp: i64) -> Claims {
        Claims {
            sub: format!("p-{number}"),
            sid: String::new(),
            dev: String::new(),
            cookie: false,
            limited: false,
            iat: 0,
            exp,
        }
    }

    #[test]
    fn those_whose_time_is_over_make_room_first() {
        let roots = Roots {
            root: [7; 32],
            index: [7; 32],
            token: [7; 32],
            pack: [7; 32],
        };
        let tokens = Tokens::new(&roots);
        let fill = |exp: fn(usize) -> i64| {
            let mut known = tokens.known.lock().expect("no panic");
            known.clear();
            known.extend((0..KNOWN_MAX).map(|n| (format!("t-{n}"), claims(n, exp(n)))));
        };
        let held = || tokens.known.lock().expect("no panic").len();
        fill(|number| if number % 4 == 0 { 60 } else { 5 });
        let new = tokens.sign(&claims(1, 60));
        tokens.check(&new, 10_000).expect("ours");
        assert_eq!(held(), KNOWN_MAX / 4 + 1, "the living stay");
        assert!(tokens.remembered("t-4").is_some());
        // Where all live there is still a bound.
        fill(|_| 60);
        tokens.check(&new, 10_000).expect("ours");
        assert_eq!(held(), 1);
    }
}

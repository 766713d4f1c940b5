//! Access tokens: EdDSA-signed JWTs. Only this algorithm and this key are ever accepted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::roots::{self, Roots};

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

/// A key whose tokens are believed.
struct Known {
    /// Names the key.
    kid: String,
    check: DecodingKey,
    public: [u8; 32],
    /// It has signed nothing after this moment, in Unix milliseconds.
    until: Option<i64>,
}

impl Known {
    fn of(seed: &[u8; 32], until: Option<i64>) -> Self {
        let public = roots::public(seed);
        Self {
            kid: hex::encode(&Sha256::digest(public)[..8]),
            check: DecodingKey::from_ed_der(&public),
            public,
            until,
        }
    }

    /// Whether it may have signed this. Who got hold of a former key can write any day into a
    /// token, but none that makes it live longer than half a day from when the key ended.
    fn may_have_signed(&self, claims: &Claims) -> bool {
        self.until.is_none_or(|until| {
            let lives = claims.exp.checked_sub(claims.iat);
            (0..=until / 1_000).contains(&claims.iat)
                && lives.is_some_and(|lives| lives <= COOKIE_MS / 1_000)
        })
    }
}

/// A public key as others read it: RFC 8037.
#[derive(Debug, Clone, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    kid: String,
    x: String,
}

/// Signs and checks tokens.
pub struct Tokens {
    sign: EncodingKey,
    /// The one that signs first, then the next and the former one.
    keys: Vec<Known>,
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
    /// Tokens under the roots' key; those under the next and the former one are believed.
    pub fn new(roots: &Roots) -> Self {
        let key = SigningKey::from_bytes(&roots.token);
        let private = key
            .to_pkcs8_der()
            .expect("an Ed25519 key has a PKCS #8 form");
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Expiry is compared with the injected clock, not with the machine's.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let turn = &roots.token_turn;
        let next = turn.next.iter().map(|key| Known::of(key, None));
        let former = turn.former.iter();
        let former = former.map(|former| Known::of(&former.key, Some(former.until)));
        let own = std::iter::once(Known::of(&roots.token, None));
        Self {
            sign: EncodingKey::from_ed_der(private.as_bytes()),
            keys: own.chain(next).chain(former).collect(),
            validation,
            known: Mutex::default(),
        }
    }

    /// The public halves, for whoever checks tokens elsewhere.
    pub fn published(&self) -> Vec<Jwk> {
        let told = |key: &Known| Jwk {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            purpose: "sig",
            kid: key.kid.clone(),
            x: URL_SAFE_NO_PAD.encode(key.public),
        };
        self.keys.iter().map(told).collect()
    }

    /// A token for a session.
    pub fn sign(&self, claims: &Claims) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = self.keys.first().map(|own| own.kid.clone());
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
        let head = jsonwebtoken::decode_header(token).map_err(|_| NoToken::Forged)?;
        let name = head.kid.ok_or(NoToken::Forged)?;
        let named = |key: &&Known| key.kid == name;
        // A key that ended: whoever signed in under it refreshes, as if the token's time were over.
        let key = self.keys.iter().find(named).ok_or(NoToken::Expired)?;
        let read = jsonwebtoken::decode::<Claims>(token, &key.check, &self.validation)
            .map_err(|_| NoToken::Forged)?;
        // A server that was not started again yet signs under the former key a little longer: who
        // has such a token refreshes.
        if !key.may_have_signed(&read.claims) {
            return Err(NoToken::Expired);
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
    use crate::accounts::turn::{Former, Turn};
    use crate::entropy::Entropy;

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
        let tokens = Tokens::new(&Roots::fresh(&Entropy::seeded(7)));
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

    #[test]
    fn tokens_of_three_keys_are_believed_while_a_key_turns() {
        let before = Roots::fresh(&Entropy::seeded(1));
        let announced = Roots {
            token_turn: Turn {
                next: Some([9; 32]),
                former: None,
            },
            ..before.clone()
        };
        let turned = Roots {
            token: [9; 32],
            token_turn: Turn {
                next: None,
                former: Some(Former {
                    key: before.token,
                    until: 5_000,
                }),
            },
            ..before.clone()
        };
        let ended = Roots {
            token_turn: Turn::default(),
            ..turned.clone()
        };
        let [before, announced, turned, ended] =
            [before, announced, turned, ended].map(|roots| Tokens::new(&roots));
        let (old, new) = (before.sign(&claims(1, 60)), turned.sign(&claims(1, 60)));
        let is_good = |tokens: &Tokens, token: &str| tokens.check(token, 6_000).is_ok();
        assert!(!is_good(&before, &new), "nobody told of the next key");
        assert!(is_good(&announced, &new) && is_good(&announced, &old));
        assert!(is_good(&turned, &new) && is_good(&turned, &old));
        assert!(is_good(&ended, &new) && !is_good(&ended, &old));
        // A former key in wrong hands: neither a later day nor a long life.
        let late = Claims {
            iat: 6,
            ..claims(1, 60)
        };
        let long = claims(1, COOKIE_MS / 1_000 + 1);
        let wrapped = Claims {
            iat: -9_223_368_036_854_776,
            ..claims(1, 4_000_000_000)
        };
        for token in [late, long, wrapped].map(|claims| before.sign(&claims)) {
            assert_eq!(turned.check(&token, 6_000).err(), Some(NoToken::Expired));
        }
        assert_eq!(turned.published().len(), 2);
    }
}

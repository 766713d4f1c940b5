//! The second factor: six digits of an authenticator app, as RFC 6238 has them (SHA-1, 30 seconds).
//!
//! A step of time is good once. The secret lies sealed under its person's key.

use totp_rs::{Algorithm, TOTP};
use xiangyi_proto::role::Role;

use crate::entropy::Entropy;

/// Digits of a code.
const DIGITS: usize = 6;
/// Seconds of a step.
const STEP_S: i64 = 30;
/// Steps before and after now that are taken: a telephone's clock may be half a minute off.
const STEPS_OFF: i64 = 1;
/// Bytes of a secret: the 160 bits that RFC 4226 names.
pub const SECRET_BYTES: usize = 20;
/// What the app shows above the person.
const ISSUER: &str = "Xiangyi";

/// Roles that read beyond one station, and so sign in with two factors where that is required.
const WIDE: [Role; 9] = [
    Role::HubOfficer,
    Role::HubReviewer,
    Role::CountyBureau,
    Role::CityViewer,
    Role::ProvinceAdmin,
    Role::Auditor,
    Role::SystemAdmin,
    Role::SecurityAdmin,
    Role::AgencyManager,
];

/// Whether a role reads beyond one station.
pub fn is_wide(role: Role) -> bool {
    WIDE.contains(&role)
}

/// A new secret.
pub fn secret(entropy: &Entropy) -> Vec<u8> {
    entropy.bytes::<SECRET_BYTES>().to_vec()
}

/// The secret as an app takes it: in Base32, and as an address for a picture of squares.
pub fn shown(secret: &[u8], person: &str) -> Option<(String, String)> {
    let totp = totp(secret, person)?;
    Some((totp.get_secret_base32(), totp.get_url()))
}

/// The step whose code this is, later than the last one that was used.
pub fn step(secret: &[u8], code: &str, now: i64, last: i64) -> Option<i64> {
    let totp = totp(secret, "")?;
    let step = now.div_euclid(1_000 * STEP_S);
    let near = (step - STEPS_OFF)..=(step + STEPS_OFF);
    near.filter(|step| *step > last).find(|step| {
        let seconds = u64::try_from(step * STEP_S).unwrap_or(0);
        is_same(&totp.generate(seconds), code)
    })
}

fn totp(secret: &[u8], person: &str) -> Option<TOTP> {
    let step = u64::try_from(STEP_S).ok()?;
    let account = person.replace(':', "-");
    let (issuer, secret) = (Some(ISSUER.to_owned()), secret.to_vec());
    TOTP::new(Algorithm::SHA1, DIGITS, 0, step, secret, issuer, account).ok()
}

/// Takes the same time wherever the digits differ.
fn is_same(one: &str, other: &str) -> bool {
    let differ = |(a, b): (u8, u8)| a ^ b;
    let bytes = one.bytes().zip(other.bytes());
    one.len() == other.len() && bytes.map(differ).fold(0, |all, one| all | one) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix B of RFC 6238, the last six digits.
    #[test]
    fn the_published_codes_come_out() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let found = step(secret, code, seconds * 1_000, 0);
            assert_eq!(found, Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_step_is_good_once_and_near_its_time_only() {
        let secret = b"12345678901234567890";
        let at = |seconds: i64, last: i64| step(secret, "287082", seconds * 1_000, last);
        assert_eq!(at(59, 0), Some(1));
        assert_eq!(at(59, 1), None, "used");
        assert_eq!(at(89, 0), Some(1), "a step late");
        assert_eq!(at(29, 0), Some(1), "a step early");
        assert_eq!(at(90, 0), None);
        assert_eq!(step(secret, "287083", 59_000, 0), None);
        assert_eq!(step(secret, "", 59_000, 0), None);
        assert_eq!(step(b"short", "287082", 59_000, 0), None);
    }
}

//! Addresses: failures to sign in are counted by where they come from, before anything is looked
//! up. Generous, because carriers let thousands of phones share an address; whoever guesses the
//! password of one account is delayed by that account (`store::throttle`).
//!
//! Kept in memory and per process: an address is nobody's record.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use xiangyi_proto::time::Millis;

/// Failures that an address may have at once: of 2,000 volunteers behind one, called on the same
/// evening, one in twenty mistypes three times.
pub const FAILURES_MAX: i64 = 300;
/// One failure is forgotten in so long: 1,800 guesses an hour, over all accounts.
const FORGET_MS: i64 = 2_000;
/// Addresses remembered: 100 bytes each. Beyond it new ones are not counted; so many addresses
/// are held up by the gate of the passwords only.
const ADDRESSES_MAX: usize = 10_000;

/// How many failures an address had lately.
#[derive(Debug, Default)]
pub struct Addresses(Mutex<HashMap<IpAddr, Level>>);

#[derive(Debug, Clone, Copy)]
struct Level {
    failures: i64,
    /// Up to when failures were forgotten.
    at: Millis,
}

impl Level {
    fn sink(&mut self, now: Millis) {
        let gone = ((now - self.at) / FORGET_MS).max(0);
        self.failures = (self.failures - gone).max(0);
        self.at = if self.failures == 0 {
            now
        } else {
            self.at + gone * FORGET_MS
        };
    }
}

impl Addresses {
    /// Counts a try as a failure until `forget`; gives the milliseconds to wait when there were
    /// too many.
    pub fn count(&self, address: IpAddr, now: Millis) -> Option<i64> {
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = net(address);
        if levels.len() >= ADDRESSES_MAX && !levels.contains_key(&address) {
            levels.retain(|_, level| {
                level.sink(now);
                level.failures > 0
            });
            if levels.len() >= ADDRESSES_MAX {
                return None;
            }
        }
        let fresh = Level {
            failures: 0,
            at: now,
        };
        let level = levels.entry(address).or_insert(fresh);
        level.sink(now);
        if level.failures >= FAILURES_MAX {
            return Some((level.at + FORGET_MS - now).max(1));
        }
        level.failures += 1;
        None
    }

    /// A try was none of the failures after all.
    pub fn forget(&self, address: IpAddr) {
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = net(address);
        if let Some(level) = levels.get_mut(&address) {
            level.failures -= 1;
            if level.failures <= 0 {
                levels.remove(&address);
            }
        }
    }
}

/// Of IPv6 a household or a phone has a whole /64.
pub fn net(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(prefix).into()
        }
        address => address,
    }
}

/// The /48 of an IPv6 address: what one site is given.
pub fn block(address: IpAddr) -> Option<Ipv6Addr> {
    match address.to_canonical() {
        IpAddr::V6(address) => Some((u128::from(address) & (u128::MAX << 80)).into()),
        IpAddr::V4(_) => None,
    }
}

/// The address that is to be counted: that of the line, or, when a proxy of one's own stands at
/// its other end, the one the proxy added to `X-Forwarded-For`. None on this machine itself.
pub fn counted(peer: IpAddr, forwarded: Option<&str>) -> Option<IpAddr> {
    let is_near = match peer {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    if !is_near {
        return Some(peer);
    }
    let last = forwarded.and_then(|list| list.rsplit(',').next());
    let said = last.and_then(|last| last.trim().parse::<IpAddr>().ok());
    said.or_else(|| (!peer.is_loopback()).then_some(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn failures_of_an_address_are_many_and_forgotten() {
        let addresses = Addresses::default();
        let carrier = at("203.0.113.7");
        assert!((0..FAILURES_MAX).all(|_| addresses.count(carrier, 0).is_none()));
        assert_eq!(addresses.count(carrier, 500), Some(1_500));
        assert_eq!(addresses.count(at("203.0.113.8"), 500), None);
        assert_eq!(addresses.count(carrier, 2_000), None);
        assert_eq!(addresses.count(carrier, 2_000), Some(2_000));
        // Those who signed in do not count.
        addresses.forget(carrier);
        assert_eq!(addresses.count(carrier, 2_000), None);
        let later = 2_000 * FAILURES_MAX + 2_000;
        assert!((0..FAILURES_MAX).all(|_| addresses.count(carrier, later).is_none()));
    }

    #[test]
    fn addresses_without_number_take_no_memory_without_end() {
        let addresses = Addresses::default();
        for number in 0..ADDRESSES_MAX as u32 + 50 {
            let address = IpAddr::from(number.to_be_bytes());
            assert_eq!(addresses.count(address, 0), None);
        }
        let held = addresses.0.lock().expect("no panic").len();
        assert_eq!(held, ADDRESSES_MAX);
        addresses.count(at("203.0.113.7"), 2_000);
        assert_eq!(addresses.0.lock().expect("no panic").len(), 1);
    }

    #[test]
    fn a_proxy_of_ones_own_is_believed_and_a_stranger_is_not() {
        let lied = Some("198.51.100.1, 203.0.113.7");
        assert_eq!(counted(at("192.0.2.1"), lied), Some(at("192.0.2.1")));
        for proxy in ["127.0.0.1", "::1", "10.0.0.2", "fd00::2"] {
            assert_eq!(counted(at(proxy), lied), Some(at("203.0.113.7")), "{proxy}");
        }
        assert_eq!(counted(at("10.0.0.2"), None), Some(at("10.0.0.2")));
        assert_eq!(counted(at("127.0.0.1"), None), None);
        assert_eq!(net(at("2001:db8::1:2")), net(at("2001:db8::3:4")));
    }
}

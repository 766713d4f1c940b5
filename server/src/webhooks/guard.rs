//! Where a webhook may go: to the open internet by TLS, and to those systems inside that the
//! operator named, each for its county.
//!
//! Whoever names an address makes this server ask it, from inside: so every address that a name
//! stands for is looked at, the line goes to one of those and to no other, and nothing is followed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::Url;

use super::Inside;

/// Blocks that are not the open internet: the registries of special addresses of IPv4 and IPv6
/// (RFC 6890 and after), with those that hold an address of IPv4 inside.
const CLOSED: [&str; 29] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];
/// How long a name may be looked up.
const LOOK_UP: Duration = Duration::from_secs(3);
/// Characters of an address.
const URL_MAX: usize = 500;

/// A target that may be asked.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: Url,
    pub host: String,
    pub addresses: Vec<SocketAddr>,
    /// A system that the operator named.
    pub is_inside: bool,
}

/// It may not, or leads nowhere; which of both is not told to whoever named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed;

/// The address, if it is one and may be asked now.
///
/// # Errors
/// When it is none, leads nowhere, or leads to where it may not.
pub async fn target(text: &str, inside: &[Inside]) -> Result<Target, NotAllowed> {
    let url = url(text).ok_or(NotAllowed)?;
    let host = url.host_str().ok_or(NotAllowed)?.to_owned();
    let port = url.port_or_known_default().ok_or(NotAllowed)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((bare, port))).await;
    let found = found.map_err(|_| NotAllowed)?.map_err(|_| NotAllowed)?;
    let addresses: Vec<SocketAddr> = found.collect();
    let is_named = |one: &Inside| one.host.eq_ignore_ascii_case(bare) && one.port == port;
    let is_inside = inside.iter().any(is_named);
    let is_tls = url.scheme() == "https";
    let may = |address: &SocketAddr| is_inside || (is_tls && is_open(address.ip()));
    // All of them: which one is taken is not ours to choose.
    if addresses.is_empty() || !addresses.iter().all(may) {
        return Err(NotAllowed);
    }
    Ok(Target {
        url,
        host,
        addresses,
        is_inside,
    })
}

fn url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_MAX)?;
    let is_web = matches!(url.scheme(), "https" | "http");
    let is_plain = url.username().is_empty() && url.password().is_none();
    (is_web && is_plain && url.fragment().is_none()).then_some(url)
}

/// Whether an address is of the open internet.
fn is_open(address: IpAddr) -> bool {
    let address = plain(address);
    let is_in = |block: &str| {
        block
            .parse::<IpNet>()
            .is_ok_and(|block| block.contains(&address))
    };
    !CLOSED.iter().any(|block| is_in(block))
}

/// An address of IPv4 in the dress of IPv6 is what it is.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => Ipv6Addr::to_ipv4_mapped(&six).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_one() {
        for block in CLOSED {
            block.parse::<IpNet>().expect(block);
        }
    }

    #[test]
    fn the_open_internet_only() {
        for (address, is_it) in [
            ("8.8.8.8", true),
            ("2400:3200::1", true),
            ("::ffff:8.8.8.8", true),
            ("10.3.4.5", false),
            ("::ffff:10.3.4.5", false),
            ("127.0.0.1", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("192.168.1.1", false),
            ("172.31.0.1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("fec0::1", false),
            ("::ffff:0:127.0.0.1", false),
            ("5f00::1", false),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
        ] {
            let parsed = address.parse().expect("an address");
            assert_eq!(is_open(parsed), is_it, "{address}");
        }
    }

    #[tokio::test]
    async fn what_is_no_address_of_the_web_is_refused() {
        let own = [Inside {
            county: "430121".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 9,
        }];
        for text in [
            "",
            "127.0.0.1",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "http://somebody@127.0.0.1:9/",
            "http://:word@127.0.0.1:9/",
            "http://127.0.0.1:9/#part",
            "http://127.0.0.1/",
            "http://127.0.0.1:10/",
            "https://localhost:9/",
            "https://[::1]/",
            "https://2130706433/?",
        ] {
            let found = target(text, &own).await;
            assert!(found.is_err(), "{text}: {found:?}");
        }
        let found = target("http://127.0.0.1:9/x", &own).await.expect("allowed");
        assert_eq!(
            found.addresses,
            ["127.0.0.1:9".parse().expect("an address")]
        );
        let long = format!("http://127.0.0.1:9/{}", "x".repeat(URL_MAX));
        assert!(target(&long, &own).await.is_err());
    }
}

//! Addresses of clients: networks of them, and which address a request is from if a proxy has passed it on.

use memchr::memrchr;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Entries of X-Forwarded-For that are looked at. Each is a proxy of ours; no real chain has so many.
const HOPS_MAX: usize = 32;

/// An address and the number of its first bits that count (CIDR, RFC 4632 section 3.1). The other bits are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of this address. `None`: the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Network> {
        let (address, bits) = match address.to_canonical() {
            // An IPv4 address in the form of IPv6 (RFC 4291 section 2.5.5.2) has its prefix counted there.
            IpAddr::V4(v4) if address.is_ipv6() => return Network::new(v4.into(), prefix.checked_sub(96)?),
            address @ IpAddr::V4(_) => (address, 32),
            address @ IpAddr::V6(_) => (address, 128),
        };
        (prefix <= bits).then(|| Network { address: masked(address, prefix), prefix })
    }

    /// Parses `ADDRESS/PREFIX`, or an address, which is a network of its own.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(prefix.parse().ok()?))
            }
            Some(_) => return None,
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        Network::new(address, prefix.unwrap_or(if address.is_ipv4() { 32 } else { 128 }))
    }

    /// Whether it has this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The address with all bits behind its first `prefix` set to 0.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            Ipv4Addr::from(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            Ipv6Addr::from(v6.to_bits() & mask).into()
        }
    }
}

/// The proxies in front of this server, whose word on a client's address counts (`--trusted-proxy`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Those in these networks.
    pub fn new(networks: Vec<Network>) -> TrustedProxies {
        TrustedProxies(networks)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The address of the client whose request came from `peer`, given the values of X-Forwarded-For from the last field
    /// of the head to its first one.
    ///
    /// Each proxy appends the address that it was asked from. So the walk begins at the right, and ends at the first
    /// address that is not of a trusted proxy: whatever is left of it was written by that client, and may be a lie.
    pub fn client<'v>(&self, peer: IpAddr, values: impl Iterator<Item = &'v [u8]>) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut hops = values.flat_map(entries_from_the_right).take(HOPS_MAX);
        while self.has(client) {
            match hops.next().and_then(parse_entry) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// The entries of a list (RFC 9110 section 5.6.1), the last one first. Empty ones do not count.
fn entries_from_the_right(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let list = rest?;
        let comma = memrchr(b',', list);
        rest = comma.map(|at| &list[..at]);
        Some(list[comma.map_or(0, |at| at + 1)..].trim_ascii())
    })
    .filter(|entry| !entry.is_empty())
}

/// An address, perhaps with a port; that of IPv6 perhaps in brackets.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?;
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let address = text.parse::<IpAddr>().ok().or_else(in_brackets);
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    Some(address?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).expect(text)
    }

    #[test]
    fn a_network_has_the_addresses_with_its_prefix() {
        for (text, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.1.2.3/8", "10.255.0.1", "11.1.2.3"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/64", "2001:db8::ffff", "2001:db8:0:1::"),
            ("::/0", "2001:db8::1", "10.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "::ffff:11.0.0.1"),
        ] {
            let network = network(text);
            assert!(network.contains(inside.parse().expect("an address")), "{text} {inside}");
            assert!(!network.contains(outside.parse().expect("an address")), "{text} {outside}");
        }
        assert_eq!(network("10.1.2.3/8").to_string(), "10.0.0.0/8");
        for text in ["", "bob", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "2001:db8::/129", "::ffff:1.2.3.4/95", "/8"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    /// The client of a request from `peer` behind proxies in 10.0.0.0/8 and fd00::/8.
    fn client(peer: &str, fields: &[&str]) -> String {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "fd00::/8"].map(network).into());
        let peer = peer.parse().expect("an address");
        proxies.client(peer, fields.iter().rev().map(|field| field.as_bytes())).to_string()
    }

    #[test]
    fn a_client_is_the_last_address_that_no_proxy_of_ours_has() {
        for (peer, fields, expected) in [
            // An untrusted peer is the client, whatever it writes.
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("192.0.2.1", &[], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // What the client has written itself is on the left.
            ("10.0.0.1", &["127.0.0.1, 10.0.0.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["127.0.0.1, 198.51.100.7, 10.0.0.2, fd00::1"], "198.51.100.7"),
            // All are trusted: the first of them.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Several fields are one list.
            ("10.0.0.1", &["203.0.113.1", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.1, 198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7", "", " , ,"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7 ,\t10.0.0.2 , "], "198.51.100.7"),
            // Forms of an address.
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]:4711, [fd00::2]:80"], "2001:db8::7"),
            ("10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ] {
            assert_eq!(client(peer, fields), expected, "{peer} {fields:?}");
        }
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        for wrong in [
            "unknown",
            "_hidden",
            "10.0.0",
            "10.0.0.256",
            "[198.51.100.7]",
            "[::1",
            "198.51.100.7:99999",
            "\"::1\"",
            "fe80::1%1",
        ] {
            let field = format!("198.51.100.7, {wrong}, 10.0.0.2");
            assert_eq!(client("10.0.0.1", &[&field]), "10.0.0.2", "{wrong}");
            assert_eq!(client("10.0.0.1", &[wrong]), "10.0.0.1", "{wrong}");
        }
        let proxies = TrustedProxies::new(vec![network("10.0.0.0/8")]);
        let values = [&b"198.51.100.7, \xff"[..]].into_iter();
        assert_eq!(proxies.client(Ipv4Addr::new(10, 0, 0, 1).into(), values).to_string(), "10.0.0.1");
    }

    #[test]
    fn a_walk_has_an_end() {
        let chain = |hops: usize| format!("198.51.100.7{}", ", 10.0.0.2".repeat(hops));
        assert_eq!(client("10.0.0.1", &[&chain(HOPS_MAX - 1)]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &[&chain(HOPS_MAX)]), "10.0.0.2");
    }
}

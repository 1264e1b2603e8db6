//! Which internet addresses are public.
//!
//! A redirect may lead a fetch into the network of squall itself. So the address of a foreign host is judged here, by
//! the special-purpose registries of IANA (RFC 6890). Addresses with another one inside (mapped, 6to4, NAT64) are
//! judged by that one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is one of the open internet: not private, loopback, link-local, shared, multicast, unspecified,
/// reserved, or for documentation and benchmarks.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !matches!(
        ip.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, benchmarks, ORCHID and the rest of the protocol assignments; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast is this eighth only.
        [first, ..] => first >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(ip: &str) -> bool {
        is_public(ip.parse().expect("an address"))
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for ip in ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1"] {
            assert!(public(ip), "{ip}");
        }
        for ip in ["223.255.255.255", "198.17.0.1", "198.20.0.1", "192.167.1.1", "11.0.0.1", "169.253.1.1"] {
            assert!(public(ip), "{ip}");
        }
        for ip in ["2606:4700:4700::1111", "2001:4860:4860::8888", "2400:3200::1", "2001:200::1", "3ffe::1"] {
            assert!(public(ip), "{ip}");
        }
    }

    #[test]
    fn special_ipv4_addresses_are_not_public() {
        for ip in ["0.0.0.0", "0.1.2.3", "10.0.0.1", "127.0.0.1", "127.255.255.255", "100.64.0.1", "100.127.255.255"] {
            assert!(!public(ip), "{ip}");
        }
        for ip in ["169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.0.0.8", "192.88.99.1"] {
            assert!(!public(ip), "{ip}");
        }
        for ip in ["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255"] {
            assert!(!public(ip), "{ip}");
        }
        for ip in ["224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"] {
            assert!(!public(ip), "{ip}");
        }
    }

    #[test]
    fn special_ipv6_addresses_are_not_public() {
        for ip in ["::", "::1", "::7f00:1", "fe80::1", "fec0::1", "fc00::1", "fdff::1", "ff02::1", "100::1"] {
            assert!(!public(ip), "{ip}");
        }
        for ip in ["2001::1", "2001:2::1", "2001:20::1", "2001:db8::1", "3fff::1", "5f00::1", "64:ff9b:1::808:808"] {
            assert!(!public(ip), "{ip}");
        }
    }

    #[test]
    fn an_address_inside_an_address_is_judged() {
        for ip in ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"] {
            assert!(public(ip), "{ip}");
        }
        for ip in ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::192.168.0.1", "2002:a9fe:a9fe::1", "2002:7f00:1::"]
        {
            assert!(!public(ip), "{ip}");
        }
    }
}

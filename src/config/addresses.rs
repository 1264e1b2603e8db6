//! Addresses to listen on, and networks.

use crate::address::Network;
use std::net::{SocketAddr, ToSocketAddrs};

/// Parses `ADDRESS:PORT`, or resolves `NAME:PORT` to its first address, blocking (getaddrinfo).
pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) =
        split(text).ok_or("expected ADDRESS:PORT, such as 127.0.0.1:8888, [::1]:8888 or localhost:8888")?;
    let mut addresses = (host, port).to_socket_addrs().map_err(|e| format!("the name {host} was not found: {e}"))?;
    addresses.next().ok_or_else(|| format!("the name {host} has no address"))
}

/// Parses an address, or a network of them.
pub(super) fn parse_network(text: &str) -> Result<Network, String> {
    Network::parse(text.trim())
        .ok_or_else(|| "expected an address or ADDRESS/PREFIX, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8".to_owned())
}

/// Splits host and port, if both are well-formed. `::1:8888` without brackets means `[::1]:8888`.
fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._:".contains(c));
    let is_address = host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err();
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    if is_host && !is_address && is_port { Some((host, port.parse().ok()?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is() {
        for (text, address) in [
            ("127.0.0.1:8888", "127.0.0.1:8888"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:80", "[::1]:80"),
            ("::1:80", "[::1]:80"),
        ] {
            assert_eq!(parse_address(text), Ok(address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn host_and_port_are_separated_or_refused() {
        assert_eq!(split("localhost:80"), Some(("localhost", 80)));
        assert_eq!(split("a_b-c.example:0"), Some(("a_b-c.example", 0)));
        assert_eq!(split("bücher.example:80"), Some(("bücher.example", 80)));
        for text in
            ["", ":", ":80", "a", "a:", "a:b", "a:80:80", "a:-1", "a:+1", "a:65536", "[a]:80", "a/b:80", "a b:80"]
        {
            assert_eq!(split(text), None, "{text}");
        }
    }
}

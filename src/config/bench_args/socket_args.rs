//! The flags of `squall bench` for its connections: where they go, and where they come from.

use crate::config::numbers::at_least_one;
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;

/// The sockets of a load.
#[derive(Args, Debug, Clone, Default)]
pub struct SocketArgs {
    /// Connect to this Unix socket; the URL gives only the request
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proxy", "from", "resolve"])]
    pub unix: Option<PathBuf>,
    /// Connect to this address for a host (* for any) and a port, instead of looking its name up; repeatable
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = parse_resolve)]
    pub resolve: Vec<Resolve>,
    /// Source address of connections; several, repeated or with commas, are used in turn
    #[arg(short = 'B', value_name = "ADDRESS", value_delimiter = ',')]
    pub from: Vec<IpAddr>,
    /// Bytes of the send and receive buffers of a connection's socket
    #[arg(short = 'b', value_name = "BYTES", value_parser = at_least_one())]
    pub buffer_bytes: Option<usize>,
}

/// The address of a host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// In lower case, an IPv6 address without brackets; or `*`.
    host: String,
    port: u16,
    /// Where connections to it go.
    pub address: IpAddr,
}

impl Resolve {
    /// Whether it is about this host and port.
    pub fn is_for(&self, host: &str, port: u16) -> bool {
        self.port == port && (self.host == "*" || self.host.eq_ignore_ascii_case(host))
    }
}

/// `HOST:PORT:ADDRESS`, as curl has it; IPv6 addresses in brackets or without.
fn parse_resolve(text: &str) -> Result<Resolve, String> {
    let expected = || "expected HOST:PORT:ADDRESS, such as a.test:443:127.0.0.1".to_owned();
    let is_bracketed = text.starts_with('[');
    let (host, rest) = match is_bracketed {
        true => text[1..].split_once("]:").ok_or_else(expected)?,
        false => text.split_once(':').ok_or_else(expected)?,
    };
    let (port, address) = rest.split_once(':').ok_or_else(expected)?;
    let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    let (port, address) = (port.parse().map_err(|_| expected())?, address.parse().map_err(|_| expected())?);
    if host.is_empty() || port == 0 {
        return Err(expected());
    }
    Ok(Resolve { host: host.to_ascii_lowercase(), port, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_for_its_host_and_port_only() {
        let resolve = parse_resolve("A.test:443:127.0.0.2").expect("it is sound");
        assert_eq!(resolve.address, IpAddr::from([127, 0, 0, 2]));
        assert!(resolve.is_for("a.test", 443) && !resolve.is_for("a.test", 80) && !resolve.is_for("b.test", 443));
        assert!(parse_resolve("*:80:::1").is_ok_and(|any| any.is_for("b.test", 80) && any.address.is_ipv6()));
        assert!(parse_resolve("[::1]:80:[::2]").is_ok_and(|any| any.is_for("::1", 80)));
    }

    #[test]
    fn what_is_no_host_port_and_address_is_refused() {
        for wrong in
            ["", "a", "a:80", "a:80:", "a:80:b.test", "a:0:127.0.0.1", "a:x:127.0.0.1", ":80:127.0.0.1", "[a:80"]
        {
            assert!(parse_resolve(wrong).is_err_and(|why| why.starts_with("expected HOST:PORT:ADDRESS")), "{wrong}");
        }
    }
}

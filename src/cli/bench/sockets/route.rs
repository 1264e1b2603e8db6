//! Where the connections of a load go: an address of `--resolve`, else the first one of the name, as with `ab`.

use crate::config::bench_args::SocketArgs;
use socket2::SockAddr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Where connections go, and where they come from.
#[derive(Debug, Clone)]
pub struct Route {
    /// With a Unix socket it is not looked at.
    pub address: SocketAddr,
    /// The Unix socket that all connections go to.
    pub unix: Option<SockAddr>,
    /// The addresses that connections come from, in turn.
    pub from: Vec<IpAddr>,
    /// Bytes of the kernel's buffers of a connection.
    pub buffer_bytes: Option<usize>,
    /// A line for people, if the name has further addresses.
    pub note: Option<String>,
}

impl Route {
    /// To this address, from any of ours.
    pub fn to(address: SocketAddr) -> Route {
        Route { address, unix: None, from: Vec::new(), buffer_bytes: None, note: None }
    }
}

/// Finds the way to a host and port. An address must be of the family of those that connections come from.
///
/// # Errors
/// A sentence: the name has no such address, addresses of both families are to be connected from, or the kernel has no
/// such path.
pub fn find(args: &SocketArgs, host: &str, port: u16) -> Result<Route, String> {
    let anywhere = Route::to((Ipv4Addr::UNSPECIFIED, 0).into());
    let mut route = Route { from: args.from.clone(), buffer_bytes: args.buffer_bytes, ..anywhere };
    if let Some(path) = &args.unix {
        route.unix = Some(SockAddr::unix(path).map_err(|e| format!("--unix {}: {e}", path.display()))?);
        return Ok(route);
    }
    let given = args.resolve.iter().find(|resolve| resolve.is_for(host, port));
    let found: Vec<IpAddr> = match given {
        Some(resolve) => vec![resolve.address],
        None => (host, port).to_socket_addrs().map_err(|e| format!("{host}: {e}"))?.map(|found| found.ip()).collect(),
    };
    let (ip, note) = choose(host, &found, &args.from)?;
    (route.address, route.note) = (SocketAddr::new(ip, port), note);
    Ok(route)
}

fn choose(host: &str, found: &[IpAddr], from: &[IpAddr]) -> Result<(IpAddr, Option<String>), String> {
    let is_v6 = from.first().map(IpAddr::is_ipv6);
    if from.iter().any(|ip| Some(ip.is_ipv6()) != is_v6) {
        return Err("-B has addresses of IPv4 and of IPv6: one connection can have one kind only".into());
    }
    let mut fitting: Vec<IpAddr> = Vec::new();
    for ip in found.iter().filter(|ip| is_v6.is_none_or(|is_v6| ip.is_ipv6() == is_v6)) {
        if !fitting.contains(ip) {
            fitting.push(*ip);
        }
    }
    match (fitting[..].first(), from.first()) {
        (Some(first), _) if fitting.len() > 1 => {
            Ok((*first, Some(format!("{host} has {} addresses: {first} is used", fitting.len()))))
        }
        (Some(first), _) => Ok((*first, None)),
        (None, Some(from)) => Err(format!("{host} has no address that can be reached from {from}")),
        (None, None) => Err(format!("{host} has no address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    fn chosen(found: &[&str], from: &[&str]) -> Result<(String, bool), String> {
        choose("a.test", &ips(found), &ips(from)).map(|(ip, note)| (ip.to_string(), note.is_some()))
    }

    #[test]
    fn the_first_address_of_the_right_family_is_used() {
        let used = |ip: &str, noted| Ok((ip.to_owned(), noted));
        assert_eq!(chosen(&["::1", "127.0.0.1"], &[]), used("::1", true));
        assert_eq!(chosen(&["::1", "127.0.0.1"], &["127.0.0.2", "127.0.0.3"]), used("127.0.0.1", false));
        assert_eq!(chosen(&["127.0.0.1", "127.0.0.1"], &[]), used("127.0.0.1", false));
    }

    #[test]
    fn no_address_or_two_families_are_refused() {
        assert_eq!(chosen(&[], &[]), Err("a.test has no address".into()));
        assert_eq!(
            chosen(&["::1"], &["127.0.0.2"]),
            Err("a.test has no address that can be reached from 127.0.0.2".into())
        );
        assert!(chosen(&["::1"], &["127.0.0.2", "::1"]).is_err_and(|why| why.starts_with("-B has addresses of ")));
    }
}

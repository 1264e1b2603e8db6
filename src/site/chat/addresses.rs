//! What the clients at one address may do, all of them together.
//!
//! The limits are wide, since a whole office may have one address. They are there for the one client that takes a
//! thousand names.

use super::allowance::Rate;
use super::allowances::Allowances;
use crate::config::Limits;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The allowances of each address.
pub struct Addresses {
    logins: Allowances<Key>,
    entrances: Allowances<Key>,
    messages: Allowances<Key>,
}

impl Addresses {
    /// With these limits; their time begins at `now`.
    pub fn new(limits: &Limits, now: Instant) -> Addresses {
        // A burst under 1 would allow nothing.
        let allowances = |rate, burst: f64| Allowances::new(Rate::new(rate, burst.max(1.0), now), now);
        let names = limits.address_names;
        Addresses {
            logins: allowances(limits.address_login_rate, limits.address_login_burst),
            entrances: allowances(limits.address_entrance_rate, limits.address_entrance_burst),
            messages: allowances(limits.message_rate * names, limits.message_burst * names),
        }
    }

    /// Takes one login.
    ///
    /// # Errors
    /// There were too many: the time until the next.
    pub fn take_login(&mut self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        if is_exempt(address) { Ok(()) } else { self.logins.take(key(address), now) }
    }

    /// Takes one entrance into a room: of a WebSocket, or of a response that follows the room.
    ///
    /// # Errors
    /// There were too many: the time until the next.
    pub fn take_entrance(&mut self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        if is_exempt(address) { Ok(()) } else { self.entrances.take(key(address), now) }
    }

    /// Takes one message.
    ///
    /// # Errors
    /// There were too many: the time until the next.
    pub fn take_message(&mut self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        if is_exempt(address) { Ok(()) } else { self.messages.take(key(address), now) }
    }

    /// The process stood still: what clients did meanwhile comes all at once.
    pub fn add_stall(&mut self, stall: Duration) {
        for allowances in [&mut self.logins, &mut self.entrances, &mut self.messages] {
            allowances.add_stall(stall);
        }
    }
}

/// Whether nothing is counted: load tests and scripts of the same machine come from its loopback address or from a Unix
/// socket, which has none, and so do all clients of a proxy there that `--trusted-proxy` does not name.
fn is_exempt(address: Option<IpAddr>) -> bool {
    address.is_none_or(|address| address.to_canonical().is_loopback())
}

/// What counts as one address: the whole of an IPv4 address, and the first 64 bits of an IPv6 address, since one network
/// has all addresses behind them (RFC 4291 section 2.5.4). The two do not meet: nothing is assigned in ::/32. 0 stands for
/// no address.
type Key = u64;

fn key(address: Option<IpAddr>) -> Key {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(v4)) => v4.to_bits().into(),
        Some(IpAddr::V6(v6)) => (v6.to_bits() >> 64) as u64,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(now: Instant) -> Addresses {
        let limits = Limits {
            address_login_rate: 1.0,
            address_login_burst: 2.0,
            address_entrance_rate: 1.0,
            address_entrance_burst: 3.0,
            message_rate: 1.0,
            message_burst: 2.0,
            address_names: 5.0,
            ..Limits::default()
        };
        Addresses::new(&limits, now)
    }

    /// How often this works, 20 times at most.
    fn count(mut take: impl FnMut() -> bool) -> usize {
        (0..20).take_while(|_| take()).count()
    }

    #[test]
    fn an_address_has_a_burst_of_each_kind() {
        let now = Instant::now();
        let mut all = addresses(now);
        for text in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"] {
            let address = text.parse().ok();
            assert_eq!(count(|| all.take_login(address, now).is_ok()), 2, "{text}");
            assert_eq!(count(|| all.take_entrance(address, now).is_ok()), 3, "{text}");
            assert_eq!(count(|| all.take_message(address, now).is_ok()), 10, "{text}");
            let wait = Duration::from_millis(200);
            assert_eq!(all.take_message(address, now), Err(wait), "{text}");
        }
        // The same addresses.
        for text in ["::ffff:192.0.2.1", "2001:db8::2:3:4:5"] {
            let address = text.parse().ok();
            assert_eq!(all.take_login(address, now), Err(Duration::from_secs(1)), "{text}");
            assert!(all.take_entrance(address, now).is_err() && all.take_message(address, now).is_err(), "{text}");
        }
    }

    #[test]
    fn the_machine_itself_has_no_limit() {
        let now = Instant::now();
        let mut all = addresses(now);
        for address in [Some("127.0.0.9"), Some("::1"), Some("::ffff:127.0.0.1"), None] {
            let parsed = address.and_then(|text| text.parse().ok());
            assert_eq!(parsed.is_some(), address.is_some());
            assert_eq!(count(|| all.take_login(parsed, now).is_ok()), 20, "{address:?}");
            assert_eq!(count(|| all.take_entrance(parsed, now).is_ok()), 20, "{address:?}");
            assert_eq!(count(|| all.take_message(parsed, now).is_ok()), 20, "{address:?}");
        }
    }

    #[test]
    fn a_factor_of_zero_is_no_limit() {
        let now = Instant::now();
        let limits =
            Limits { address_login_rate: 0.0, address_entrance_rate: 0.0, address_names: 0.0, ..Limits::default() };
        let (mut all, address) = (Addresses::new(&limits, now), "192.0.2.1".parse().ok());
        for _ in 0..1000 {
            assert_eq!((all.take_login(address, now), all.take_entrance(address, now)), (Ok(()), Ok(())));
            assert_eq!(all.take_message(address, now), Ok(()));
        }
    }
}

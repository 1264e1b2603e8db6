use super::*;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;

const STAGGER: Duration = Duration::from_millis(250);

/// A connect that ends as its test says.
#[derive(Clone, Default)]
struct Connect(Rc<RefCell<Option<Result<(), ErrorKind>>>>);

impl Connect {
    fn ends(&self, how: Result<(), ErrorKind>) {
        *self.0.borrow_mut() = Some(how);
    }
}

impl Read for Connect {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unreachable!("nobody reads while addresses race")
    }
}

impl Write for Connect {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        unreachable!("nobody writes while addresses race")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Connect {
    fn shutdown_write(&mut self) {}

    fn reset_on_drop(&self) {}

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.borrow().and_then(Result::err).map(Into::into))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match *self.0.borrow() {
            Some(Ok(())) => Ok(([192, 0, 2, 9], 80).into()),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }
}

fn addresses(of: &[&str]) -> Vec<SocketAddr> {
    of.iter().map(|address| address.parse().expect("an address")).collect()
}

/// A race over these addresses that has 5 s, and its begin.
fn race(of: &[&str]) -> (Race<Connect>, Instant) {
    let now = Instant::now();
    (Race::new(addresses(of), now, now + Duration::from_secs(5)), now)
}

/// Starts the next connect, which has to be the one to `address`.
#[track_caller]
fn start(race: &mut Race<Connect>, address: &str, now: Instant) -> Connect {
    let connect = Connect::default();
    let next = race.next(now).expect("somebody is due");
    assert_eq!(next.to_string(), address);
    race.started(next, connect.clone(), now, STAGGER);
    connect
}

#[test]
fn families_take_turns_and_each_keeps_its_order() {
    let order = |of: &[&str]| -> Vec<String> { in_turn(addresses(of)).iter().map(ToString::to_string).collect() };
    assert_eq!(
        order(&["[2001:db8::1]:80", "[2001:db8::2]:80", "[2001:db8::3]:80", "192.0.2.1:80", "192.0.2.2:80"]),
        ["[2001:db8::1]:80", "192.0.2.1:80", "[2001:db8::2]:80", "192.0.2.2:80", "[2001:db8::3]:80"]
    );
    assert_eq!(order(&["192.0.2.1:80", "[2001:db8::1]:80"]), ["192.0.2.1:80", "[2001:db8::1]:80"]);
    assert_eq!(order(&["192.0.2.1:80"]), ["192.0.2.1:80"]);
}

#[test]
fn a_slow_address_may_still_win() {
    let (mut race, now) = race(&["[2001:db8::1]:80", "192.0.2.1:80"]);
    let slow = start(&mut race, "[2001:db8::1]:80", now);
    assert!(race.winner().is_none() && race.next(now + STAGGER / 2).is_none());
    assert_eq!(race.due(), now + STAGGER);
    let other = start(&mut race, "192.0.2.1:80", now + STAGGER);
    assert_eq!(race.due(), now + Duration::from_secs(5), "nobody is left to start");
    slow.ends(Ok(()));
    let winner = race.winner().expect("the slow one");
    assert_eq!((winner.address, winner.alone), (addresses(&["[2001:db8::1]:80"])[0], false));
    drop((race, winner));
    assert_eq!(Rc::strong_count(&other.0), 1, "the loser is dropped with the race");
}

#[test]
fn a_refusal_starts_the_next_at_once() {
    let (mut race, now) = race(&["192.0.2.1:80", "192.0.2.2:80"]);
    start(&mut race, "192.0.2.1:80", now).ends(Err(ErrorKind::ConnectionRefused));
    assert!(race.winner().is_none() && race.is_nobody_running() && !race.is_lost());
    start(&mut race, "192.0.2.2:80", now).ends(Ok(()));
    assert!(race.winner().expect("the second").alone);
}

#[test]
fn a_lost_race_tells_what_the_last_address_said() {
    let (mut race, now) = race(&["192.0.2.1:80", "192.0.2.2:80"]);
    start(&mut race, "192.0.2.1:80", now).ends(Err(ErrorKind::ConnectionRefused));
    assert!(race.winner().is_none());
    let second = race.next(now).expect("the second");
    race.failed(second, ErrorKind::AddrNotAvailable.into());
    assert!(race.is_lost());
    let why = io::Error::from(ErrorKind::AddrNotAvailable).to_string();
    assert_eq!(race.failure("a.test"), FetchError::Connect { address: "192.0.2.2:80".into(), why });
    assert_eq!(race.failure("a.test"), FetchError::no_address("a.test".into()), "there is nothing more to tell");
}

#[test]
fn a_race_has_an_end() {
    let (mut race, now) = race(&["192.0.2.1:80"]);
    start(&mut race, "192.0.2.1:80", now);
    assert!(!race.is_late(now + Duration::from_secs(4)) && race.is_late(race.due()));
}

#[test]
fn whoever_wins_after_a_rival_has_failed_was_not_alone() {
    let (mut race, now) = race(&["[2001:db8::1]:80", "192.0.2.1:80"]);
    let slow = start(&mut race, "[2001:db8::1]:80", now);
    let other = start(&mut race, "192.0.2.1:80", now + STAGGER);
    slow.ends(Err(ErrorKind::ConnectionRefused));
    assert!(race.winner().is_none() && !race.is_nobody_running());
    other.ends(Ok(()));
    assert!(!race.winner().expect("the other").alone, "what the kernel said may have been about the one that failed");
}

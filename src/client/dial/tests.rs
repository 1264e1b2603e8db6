use super::*;
use crate::testing::network::{Connect, FakeStream, Pipe, PipeRef, Verdict};
use std::cell::RefCell;
use std::io::ErrorKind;

const STAGGER: Duration = Duration::from_millis(250);
const REFUSED: Connect = Connect::Failed(ErrorKind::ConnectionRefused);

fn addresses(of: &[&str]) -> Vec<SocketAddr> {
    of.iter().map(|address| address.parse().expect("an address")).collect()
}

/// A race over these addresses that has 5 s, and its begin.
fn race(of: &[&str]) -> (Race<FakeStream>, Instant) {
    let now = Instant::now();
    (Race::new(addresses(of), now, now + Duration::from_secs(5)), now)
}

/// Starts the next connect, which has to be the one to `address`; it is under way until the test says how it ends.
#[track_caller]
fn start(race: &mut Race<FakeStream>, address: &str, now: Instant) -> PipeRef {
    let next = race.next(now).expect("an address is due");
    assert_eq!(next.to_string(), address);
    let connect = Connect::Underway(0, Verdict::Nothing);
    let pipe = PipeRef::from(RefCell::new(Pipe { address: Some(next), connect, ..Pipe::default() }));
    race.started(next, FakeStream(pipe.clone()), now, STAGGER);
    pipe
}

fn end(pipe: &PipeRef, connect: Connect) {
    pipe.borrow_mut().connect = connect;
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
    end(&slow, Connect::Done);
    let winner = race.winner().expect("the slow one");
    assert_eq!((winner.address, winner.alone), (addresses(&["[2001:db8::1]:80"])[0], false));
    drop((race, winner));
    assert!(other.borrow().server_gone, "the loser is dropped with the race");
}

#[test]
fn a_refusal_starts_the_next_at_once() {
    let (mut race, now) = race(&["192.0.2.1:80", "192.0.2.2:80"]);
    end(&start(&mut race, "192.0.2.1:80", now), REFUSED);
    assert!(race.winner().is_none() && race.is_idle() && !race.is_lost());
    end(&start(&mut race, "192.0.2.2:80", now), Connect::Done);
    assert!(race.winner().expect("the second").alone);
}

#[test]
fn a_lost_race_tells_what_the_last_address_said() {
    let (mut race, now) = race(&["192.0.2.1:80", "192.0.2.2:80"]);
    end(&start(&mut race, "192.0.2.1:80", now), REFUSED);
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
    end(&slow, REFUSED);
    assert!(race.winner().is_none() && !race.is_idle());
    end(&other, Connect::Done);
    assert!(!race.winner().expect("the other").alone, "what the kernel said may have been about the one that failed");
}

//! When connections are accepted.
//!
//! Listeners are edge-triggered: a listener that was ready stays so until an accept says `WouldBlock`. Three things
//! end a round before that: the budget of the turn, the gate (`connections_max`), and a lack of descriptors (EMFILE).
//! In all three the clients stay in the backlog, and accepting goes on by itself: next turn, when the gate opens a
//! little below the limit, or on a timer and whenever a descriptor was given back.

use crate::config::Limits;
use crate::net::{Arrival, Network};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A listener, as it is described at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// With port 0, the kernel chooses one.
    pub address: SocketAddr,
    pub transport: Transport,
    pub service: Service,
}

/// What carries the bytes of the connections of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Tls,
}

/// What a listener is for. The network hands it on with each connection, and never looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Service {
    /// The application.
    #[default]
    Site,
    /// Redirects to https.
    Redirect,
    /// What the owner of the server asks it to do.
    Control,
}

/// The state of all listeners.
#[derive(Debug)]
pub struct Acceptor {
    ready: Vec<bool>,
    /// Which listener is asked first.
    turn: usize,
    gate_open: bool,
    retry_at: Option<Instant>,
    /// A shortage has been reported, and not all that waited have been accepted since.
    is_short: bool,
}

/// How one attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted<S> {
    /// One connection.
    One(Arrival<S>),
    /// Nothing more now.
    Nothing,
    /// No descriptor, or no memory of the kernel, is left; said once per shortage.
    Shortage,
}

impl Acceptor {
    /// For `listeners` listeners; all are tried at once, as what came before the first wait brings no edge.
    pub fn new(listeners: usize) -> Acceptor {
        Acceptor { ready: vec![true; listeners], turn: 0, gate_open: true, retry_at: None, is_short: false }
    }

    /// There is one more listener.
    pub fn add(&mut self) {
        self.ready.push(true);
    }

    /// Listener number `n` has a connection waiting.
    pub fn note(&mut self, n: usize) {
        if let Some(ready) = self.ready.get_mut(n) {
            *ready = true;
        }
    }

    /// A descriptor was given back, so it is worth trying at once.
    pub fn descriptor_freed(&mut self, now: Instant) {
        if self.retry_at.is_some() {
            self.retry_at = Some(now);
        }
    }

    /// Accepts one connection, given how many there are.
    pub fn next<N: Network>(
        &mut self,
        network: &mut N,
        living: usize,
        limits: &Limits,
        now: Instant,
    ) -> Accepted<N::Stream> {
        if !self.may_accept(living, limits) || self.retry_at.is_some_and(|at| at > now) {
            return Accepted::Nothing;
        }
        let mut failures = 0;
        while let Some(n) = self.next_ready() {
            match network.accept(n) {
                Ok(arrival) => {
                    self.retry_at = None;
                    // The next listener is asked first next time: one whose backlog is never empty does not starve the others.
                    self.turn = n + 1;
                    return Accepted::One(arrival);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.ready[n] = false;
                    self.is_short = false;
                }
                Err(e) if is_shortage(&e) => {
                    let first = !std::mem::replace(&mut self.is_short, true);
                    // No further edge will come for the clients in the backlog: a timer has to bring us back here.
                    self.retry_at = Some(now + limits.accept_retry);
                    return if first { Accepted::Shortage } else { Accepted::Nothing };
                }
                // One client gave up before it was accepted (ECONNABORTED): on to the next, but not for ever.
                Err(_) if failures < limits.accepts_per_turn => failures += 1,
                Err(e) => {
                    log::warn!("accept keeps failing: {e}");
                    self.retry_at = Some(now + limits.accept_retry);
                    return Accepted::Nothing;
                }
            }
        }
        self.retry_at = None;
        Accepted::Nothing
    }

    fn next_ready(&self) -> Option<usize> {
        let count = self.ready.len();
        (0..count).map(|n| (self.turn + n) % count).find(|&n| self.ready[n])
    }

    /// How soon accepting must go on without any event: zero when a budget ended the round.
    pub fn next_in(&self, living: usize, limits: &Limits, now: Instant) -> Option<Duration> {
        if !self.ready.contains(&true) || living >= self.gate(limits) {
            return None;
        }
        Some(self.retry_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now)))
    }

    fn may_accept(&mut self, living: usize, limits: &Limits) -> bool {
        self.gate_open = living < self.gate(limits);
        self.gate_open
    }

    /// Closed at the limit, it opens a sixty-fourth lower: at the limit itself it would flap with every departure. A
    /// small limit has no such gap, where a waiting client would notice the unused place.
    fn gate(&self, limits: &Limits) -> usize {
        let max = limits.connections_max;
        if self.gate_open { max } else { max - max / 64 }
    }
}

/// The clients in the backlog can be accepted later (accept(2)).
fn is_shortage(e: &io::Error) -> bool {
    const SHORTAGES: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    e.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Stream;
    use crate::testing::network::{FakeNetwork, Pipe, PipeRef};
    use std::cell::RefCell;
    use std::net::SocketAddr;
    use std::rc::Rc;

    /// An acceptor at a moment, with as many connections living as a test says. Clients differ by their port.
    struct Door {
        acceptor: Acceptor,
        network: FakeNetwork,
        limits: Limits,
        living: usize,
        now: Instant,
    }

    impl Door {
        /// What the accepts of each listener return: the port of a client, or an error. After that they would block.
        fn new(backlogs: Vec<Vec<io::Result<u16>>>) -> Door {
            let network = FakeNetwork::default();
            let acceptor = Acceptor::new(backlogs.len());
            let backlog = |ports: Vec<_>| ports.into_iter().map(|port: io::Result<u16>| port.map(client)).collect();
            network.0.borrow_mut().backlogs = backlogs.into_iter().map(backlog).collect();
            let limits = Limits { connections_max: 32, ..Limits::default() };
            Door { acceptor, network, limits, living: 0, now: Instant::now() }
        }

        /// The port of the accepted client.
        fn next(&mut self) -> Accepted<u16> {
            match self.acceptor.next(&mut self.network, self.living, &self.limits, self.now) {
                Accepted::One(Arrival { stream, .. }) => accepted(stream.peer_addr().expect("it is connected").port()),
                Accepted::Nothing => Accepted::Nothing,
                Accepted::Shortage => Accepted::Shortage,
            }
        }

        fn next_in(&self) -> Option<Duration> {
            self.acceptor.next_in(self.living, &self.limits, self.now)
        }
    }

    fn client(port: u16) -> PipeRef {
        let address = Some(SocketAddr::from(([127, 0, 0, 1], port)));
        Rc::new(RefCell::new(Pipe { address, ..Pipe::roomy() }))
    }

    fn accepted(port: u16) -> Accepted<u16> {
        let peer = Some([127, 0, 0, 1].into());
        Accepted::One(Arrival { stream: port, service: Service::Site, peer })
    }

    fn shortage() -> io::Result<u16> {
        Err(io::Error::from_raw_os_error(libc::EMFILE))
    }

    #[test]
    fn a_drained_listener_waits_for_its_edge() {
        let mut door = Door::new(vec![vec![Ok(1)], vec![], vec![Ok(2), Ok(3)]]);
        assert_eq!([door.next(), door.next(), door.next()], [accepted(1), accepted(2), accepted(3)]);
        assert_eq!((door.next(), door.next_in()), (Accepted::Nothing, None));
        door.network.0.borrow_mut().backlogs[1].push_back(Ok(client(4)));
        assert_eq!(door.next(), Accepted::Nothing, "no edge was noted");
        door.acceptor.note(1);
        door.acceptor.note(99);
        assert_eq!([door.next(), door.next()], [accepted(4), Accepted::Nothing]);
    }

    #[test]
    fn listeners_take_turns() {
        let mut door = Door::new(vec![(0..100).map(Ok).collect(), vec![Ok(1000), Ok(1001)], vec![Ok(2000)]]);
        let round: Vec<_> = (0..7).map(|_| door.next()).collect();
        assert_eq!(round, [0, 1000, 2000, 1, 1001, 2, 3].map(accepted));
    }

    #[test]
    fn a_connection_comes_with_the_service_of_its_listener() {
        let Door { mut acceptor, mut network, limits, living, now } = Door::new(vec![vec![Ok(1), Ok(2)], vec![Ok(3)]]);
        network.0.borrow_mut().services = vec![Service::Site, Service::Redirect];
        let mut services = || match acceptor.next(&mut network, living, &limits, now) {
            Accepted::One(Arrival { stream, service, .. }) => {
                (stream.peer_addr().expect("it is connected").port(), service)
            }
            _ => panic!("there are three clients"),
        };
        let wanted = [(1, Service::Site), (3, Service::Redirect), (2, Service::Site)];
        assert_eq!([services(), services(), services()], wanted);
    }

    #[test]
    fn a_round_that_a_budget_has_ended_goes_on_at_once() {
        let mut door = Door::new(vec![vec![Ok(1), Ok(2)]]);
        assert_eq!((door.next(), door.next_in()), (accepted(1), Some(Duration::ZERO)));
        assert_eq!((door.next(), door.next_in()), (accepted(2), Some(Duration::ZERO)));
        assert_eq!((door.next(), door.next_in()), (Accepted::Nothing, None));
    }

    #[test]
    fn the_gate_closes_at_the_limit_and_opens_a_sixty_fourth_lower() {
        let mut door = Door::new(vec![(1..9).map(Ok).collect()]);
        door.limits.connections_max = 128;
        door.living = 127;
        assert_eq!(door.next(), accepted(1));
        door.living = 128;
        assert_eq!((door.next(), door.next_in()), (Accepted::Nothing, None));
        for living in [127, 126] {
            door.living = living;
            assert_eq!((door.next(), door.next_in()), (Accepted::Nothing, None), "{living}");
        }
        door.living = 125;
        assert_eq!(door.next_in(), Some(Duration::ZERO), "no edge comes, so the loop must come by itself");
        assert_eq!(door.next(), accepted(2));
        door.living = 127;
        assert_eq!(door.next(), accepted(3), "open, it stays open up to the limit");
    }

    #[test]
    fn a_small_gate_reopens_for_each_departure() {
        let mut door = Door::new(vec![(1..9).map(Ok).collect()]);
        for (port, max) in (1..).zip([1, 2, 32, 63]) {
            door.limits.connections_max = max;
            door.living = max;
            assert_eq!((door.next(), door.next_in()), (Accepted::Nothing, None), "{max}");
            door.living = max - 1;
            assert_eq!((door.next_in(), door.next()), (Some(Duration::ZERO), accepted(port)), "{max}");
        }
    }

    #[test]
    fn a_lack_of_descriptors_is_retried_on_a_timer() {
        let mut door = Door::new(vec![vec![shortage(), shortage(), Ok(1), shortage()]]);
        let retry = door.limits.accept_retry;
        assert_eq!((door.next(), door.next_in()), (Accepted::Shortage, Some(retry)));
        door.now += retry - Duration::from_nanos(1);
        assert_eq!((door.next(), door.next_in()), (Accepted::Nothing, Some(Duration::from_nanos(1))));
        door.now += Duration::from_nanos(1);
        assert_eq!((door.next(), door.next_in()), (Accepted::Nothing, Some(retry)), "still short, and said before");
        door.now += retry;
        assert_eq!((door.next(), door.next_in()), (accepted(1), Some(Duration::ZERO)));
        assert_eq!(door.next(), Accepted::Nothing, "the same shortage, as not all that waited were accepted");
    }

    #[test]
    fn a_descriptor_that_was_given_back_is_worth_a_try_at_once() {
        let mut door = Door::new(vec![vec![shortage(), Ok(1)]]);
        door.acceptor.descriptor_freed(door.now);
        assert_eq!(door.next(), Accepted::Shortage);
        assert_eq!(door.next(), Accepted::Nothing);
        door.acceptor.descriptor_freed(door.now);
        assert_eq!((door.next_in(), door.next()), (Some(Duration::ZERO), accepted(1)));
    }

    #[test]
    fn a_shortage_keeps_clients_in_the_backlog() {
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            let mut door = Door::new(vec![vec![Err(io::Error::from_raw_os_error(code)), Ok(1)]]);
            assert_eq!(door.next(), Accepted::Shortage, "{code}");
            door.now += door.limits.accept_retry;
            assert_eq!(door.next(), accepted(1), "{code}");
        }
    }

    #[test]
    fn a_client_that_gave_up_does_not_end_the_round() {
        let gone = || Err(ErrorKind::ConnectionAborted.into());
        let mut door = Door::new(vec![vec![gone(), Err(ErrorKind::Interrupted.into()), gone(), Ok(1), gone()]]);
        assert_eq!([door.next(), door.next()], [accepted(1), Accepted::Nothing]);
    }

    #[test]
    fn a_listener_that_only_fails_does_not_hold_the_loop() {
        let gone = |_| Err(ErrorKind::ConnectionAborted.into());
        let mut door = Door::new(vec![(0..100).map(gone).chain([Ok(1)]).collect()]);
        door.limits.accepts_per_turn = 90;
        assert_eq!((door.next(), door.next_in()), (Accepted::Nothing, Some(door.limits.accept_retry)));
        door.now += door.limits.accept_retry;
        assert_eq!(door.next(), accepted(1));
    }
}

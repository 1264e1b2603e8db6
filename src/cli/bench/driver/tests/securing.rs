//! Connections that are not there at once: a TLS handshake of several steps, and a backlog that is full.

use super::*;
use crate::net::{Arrival, Stream};
use crate::testing::network::{FakeStream, READABLE};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::SocketAddr;

/// A network whose connects and handshakes end as a test says.
struct Slow {
    network: FakeNetwork,
    /// Connects that find the backlog full.
    full: usize,
    /// What the steps of each handshake lead to.
    steps: Vec<io::Result<bool>>,
}

struct Securing {
    stream: FakeStream,
    steps: VecDeque<io::Result<bool>>,
}

impl Read for Securing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }
}

impl Write for Securing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Stream for Securing {
    fn secure(&mut self) -> io::Result<bool> {
        self.steps.pop_front().expect("no step is left")
    }

    fn shutdown_write(&mut self) {
        self.stream.shutdown_write();
    }

    fn reset_on_drop(&self) {
        self.stream.reset_on_drop();
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.stream.take_error()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl Network for Slow {
    type Stream = Securing;

    fn accept(&mut self, _: usize) -> io::Result<Arrival<Securing>> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<Securing> {
        if self.full > 0 {
            self.full -= 1;
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Securing { stream: self.network.connect(to)?, steps: VecDeque::new() })
    }

    fn encrypt(&mut self, stream: Securing, host: &str) -> io::Result<Securing> {
        assert_eq!(host, "a.test");
        Ok(Securing { steps: self.steps.drain(..).collect(), ..stream })
    }

    fn watch(&mut self, stream: &mut Securing, id: ConnId) -> io::Result<()> {
        self.network.watch(&mut stream.stream, id)
    }

    fn listeners(&self) -> usize {
        0
    }

    fn stop_listening(&mut self) {}
}

fn start(plan: Plan, full: usize, steps: Vec<io::Result<bool>>) -> (Driver<Slow>, FakeNetwork, Instant) {
    let (network, now) = (FakeNetwork::default(), Instant::now());
    network.0.borrow_mut().dials = Dials::Connected(Pipe::roomy);
    let mut driver = Driver::new(plan, Slow { network: network.clone(), full, steps }, now);
    driver.start(now).expect("it begins");
    (driver, network, now)
}

fn https(goes_on: bool) -> Plan {
    Plan { tls: Some("a.test".into()), goes_on, ..plan(1, 1) }
}

#[test]
fn a_connection_is_there_when_its_handshake_is_done() {
    let (mut driver, network, now) = start(https(false), 0, vec![Ok(false), Ok(false), Ok(true)]);
    let (pipe, millis) = (network.pipe(0), Duration::from_millis);
    let id = pipe.borrow().id.expect("it is watched");
    driver.on_ready(id, WRITABLE, now + millis(3)).expect("it is connected");
    driver.on_ready(id, READABLE, now + millis(5)).expect("the handshake goes on");
    assert!(pipe.borrow().heard().is_empty(), "nothing is asked in the middle of a handshake");
    // The last of it may come with no word about room to write, and with the beginning of the response.
    pipe.borrow_mut().say(WHOLE);
    driver.on_ready(id, READABLE, now + millis(7)).expect("the handshake is done");
    assert_eq!(pipe.borrow().heard(), REQUEST);
    let [sample] = driver.tally.samples() else { panic!("one request is done") };
    assert!((7_000..8_000).contains(&sample.connect), "{sample:?}");
}

#[test]
fn a_handshake_that_fails_is_no_connection() {
    let refused = || io::Error::new(ErrorKind::InvalidData, "the peer does not speak TLS");
    let (mut driver, network, now) = start(https(false), 0, vec![Err(refused())]);
    let id = network.pipe(0).borrow().id.expect("it is watched");
    assert!(matches!(driver.on_ready(id, WRITABLE, now), Err(Aborted::Handshake(_))));
    let (mut driver, network, now) = start(https(true), 0, vec![Err(refused())]);
    let id = network.pipe(0).borrow().id.expect("it is watched");
    driver.on_ready(id, WRITABLE, now).expect("it goes on");
    assert_eq!((driver.tally.connect_failures, driver.tally.done()), (1, 0));
}

#[test]
fn a_full_backlog_is_tried_again_for_all_that_wait() {
    let (mut driver, network, now) = start(plan(2, 2), 2, Vec::new());
    for n in 1..=2 {
        assert!(network.0.borrow().pipes.is_empty() && !driver.is_over(now));
        let due = driver.due().expect("it is tried again");
        assert_eq!(due, now + n * RETRY_AFTER);
        driver.on_time(due).expect("it may be full again");
    }
    assert_eq!((network.0.borrow().pipes.len(), driver.tally.failures()), (2, 0));
    // The time to connect counts from the first try.
    let id = network.pipe(0).borrow().id.expect("it is watched");
    driver.on_ready(id, WRITABLE, now + Duration::from_millis(4)).expect("it is connected");
    network.pipe(0).borrow_mut().say(WHOLE);
    driver.on_ready(id, READABLE, now + Duration::from_millis(5)).expect("a response");
    assert_eq!(driver.tally.samples()[0].connect, 4_000);
}

//! Ten thousand sleepers: a connection that waits costs a timer, no thread and no CPU.

use crate::support::{Child, get, wait_for};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

const SECONDS: u64 = 4;

struct Sleeper {
    stream: TcpStream,
    asked: Option<Instant>,
    response: Vec<u8>,
    slept: Option<Duration>,
}

impl Sleeper {
    /// Asks as soon as it is connected, and reads what comes.
    fn go_on(&mut self, ask: &[u8]) {
        if self.asked.is_none() && self.stream.peer_addr().is_ok() {
            self.asked = Some(Instant::now());
            assert_eq!(self.stream.write(ask).expect("a small request fits"), ask.len());
        }
        let mut buf = [0; 4096];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => {
                    self.slept = self.asked.map(|asked| asked.elapsed());
                    return;
                }
                Ok(n) => self.response.extend_from_slice(&buf[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::NotConnected => return,
                Err(e) => panic!("{e}"),
            }
        }
    }
}

#[test]
fn ten_thousand_sleepers_cost_no_thread_and_no_cpu() {
    // A machine with a lower limit has fewer sleepers: each side needs a descriptor for every one.
    let open_files = rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let many = usize::try_from(open_files).unwrap_or(usize::MAX).saturating_sub(1000).min(10_000);
    let child = Child::start(&["--max-connections", "19000"], &[]);
    assert_eq!(get(child.address, "/plaintext").status, 200);
    let threads = child.status("Threads");

    let ask = format!("GET /sleep?seconds={SECONDS} HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n");
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(1024);
    let mut sleepers: Vec<Sleeper> = Vec::with_capacity(many);
    let begun = Instant::now();
    let mut go_on = |sleepers: &mut Vec<Sleeper>, poll: &mut Poll, wait: Duration| {
        poll.poll(&mut events, Some(wait)).expect("the poll works");
        for event in events.iter() {
            sleepers[event.token().0].go_on(ask.as_bytes());
        }
    };
    while sleepers.len() < many {
        // The backlog has 4096 places, so the newcomers come in small groups.
        for _ in 0..500.min(many - sleepers.len()) {
            let mut stream = TcpStream::connect(child.address).expect("a socket");
            let token = Token(sleepers.len());
            poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).expect("a poll");
            sleepers.push(Sleeper { stream, asked: None, response: Vec::new(), slept: None });
        }
        go_on(&mut sleepers, &mut poll, Duration::ZERO);
    }
    while sleepers.iter().any(|sleeper| sleeper.asked.is_none()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "not all are connected");
        go_on(&mut sleepers, &mut poll, Duration::from_millis(10));
    }

    // A later request is answered after all of theirs: now they sleep, unless the first are awake already.
    assert_eq!(get(child.address, "/plaintext").status, 200);
    let first_awake =
        sleepers.iter().filter_map(|s| s.asked).min().expect("there are some") + Duration::from_secs(SECONDS);
    let (ticks, from) = (child.cpu_ticks(), Instant::now());
    let rest = first_awake.saturating_duration_since(from).saturating_sub(Duration::from_millis(200));
    std::thread::sleep(rest);
    if rest > Duration::from_millis(500) {
        let share = (child.cpu_ticks() - ticks) as f64 * 0.01 / from.elapsed().as_secs_f64();
        assert!(share < 0.05, "{share:.3} of a CPU while all sleep");
    }
    assert_eq!(child.status("Threads"), threads);

    wait_for("all to be answered", || {
        go_on(&mut sleepers, &mut poll, Duration::from_millis(50));
        sleepers.iter().all(|sleeper| sleeper.slept.is_some()).then_some(())
    });
    for sleeper in &sleepers {
        assert!(sleeper.response.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(sleeper.slept >= Some(Duration::from_secs(SECONDS)), "a sleeper wakes early: {:?}", sleeper.slept);
    }
    drop(sleepers);
    assert_eq!(child.status("Threads"), threads);
}

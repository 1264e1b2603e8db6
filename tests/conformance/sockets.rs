//! Every case over a real socket, against any server: nothing here knows squall.
//!
//! A connection that must close is read to its end. One that may stay open gets one more request of our own: its response
//! shows that the connection was open and that nothing else was still to come.

use crate::case::{Case, Step};
use crate::response::{End, Transcript};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PROBE: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n";

/// Runs a case. A server that sends nothing is waited for until `patience` is over.
///
/// # Errors
/// What is wrong with the outcome.
pub fn run(case: &Case, server: SocketAddr, patience: Duration) -> Result<(), String> {
    let stream = TcpStream::connect(server).map_err(|e| format!("cannot connect: {e}"))?;
    let until = Instant::now() + patience;
    let mut client = Client { stream, got: vec![], end: End::Open, until };
    client.stream.set_nodelay(true).map_err(|e| e.to_string())?;
    client.stream.set_write_timeout(Some(patience)).map_err(|e| e.to_string())?;
    let mut finished = false;
    for step in &case.steps {
        match step {
            Step::Send(bytes) => client.send(bytes),
            Step::Finish => {
                finished = true;
                // The server may have closed before.
                let _ = client.stream.shutdown(Shutdown::Write);
            }
            Step::Await => while client.got.is_empty() && client.read() {},
        }
    }
    let parse = |client: &Client| Transcript::parse(&client.got, case.head_at, client.end);
    let mut so_far = parse(&client);
    while !(case.may_rest(&so_far) && !so_far.partial && !finished) && client.read() {
        so_far = parse(&client);
    }
    let is_switched = so_far.responses.last().is_some_and(|response| response.status == 101);
    if client.end == End::Open && case.may_rest(&so_far) && !is_switched {
        client.send(PROBE);
        while client.read() {}
        let mut both = parse(&client);
        if both.responses.len() == so_far.responses.len() + 1
            && both.responses.pop().is_some_and(|probe| probe.status == 200)
        {
            both.end = End::Open;
        }
        so_far = both;
    }
    case.judge(&so_far)
}

struct Client {
    stream: TcpStream,
    got: Vec<u8>,
    end: End,
    until: Instant,
}

impl Client {
    /// A server that refuses the first half need not read the other one.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads once; `false`: closed, or waited long enough.
    fn read(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if self.end == End::Closed || left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        let mut buf = [0; 16 << 10];
        match self.stream.read(&mut buf) {
            Ok(n) if n > 0 => self.got.extend_from_slice(&buf[..n]),
            // A socket with a timeout fails so when the process was stopped and goes on (signal(7)).
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                return false;
            }
            Ok(_) | Err(_) => self.end = End::Closed,
        }
        true
    }
}

//! WebSockets: echoes, and a room whose every message is to reach every member, its sender too.
//!
//! A message ends with its sender's number and its time, in digits; a room may put a name before it, and may send what
//! else it likes.

use crate::figures::Times;
use crate::fleet::{Client, Fleet};
use crate::{Flags, What};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The example of RFC 6455 section 1.3: the key, and what must be the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// `@`, six digits of a connection, fourteen of ns since the start.
const STAMP: usize = 21;
const LOGIN_WITHIN: Duration = Duration::from_secs(5);

pub struct Sockets {
    what: What,
    hello: Vec<u8>,
    other: Vec<u8>,
    active: usize,
    depth: usize,
    senders: usize,
    size: usize,
    open: Vec<bool>,
    opened: usize,
    began: Instant,
    running: bool,
    said: u64,
    /// Messages that came back, or that came to a member of the room.
    done: u64,
    times: Times,
}

impl Sockets {
    pub fn new(flags: &Flags) -> Result<Sockets, String> {
        if !(STAMP..65536).contains(&flags.size) {
            return Err(format!("--size is {STAMP} to 65535"));
        }
        let cookie = match &flags.login {
            Some(name) => format!("Cookie: {}\r\n", log_in(flags.address, name).map_err(|e| format!("login: {e}"))?),
            None => String::new(),
        };
        Ok(Sockets {
            what: flags.what,
            hello: handshake(flags.address, &flags.path, &cookie),
            other: handshake(flags.address, flags.others_path.as_ref().unwrap_or(&flags.path), &cookie),
            active: flags.connections,
            depth: flags.depth,
            senders: flags.senders,
            size: flags.size,
            open: Vec::new(),
            opened: 0,
            began: Instant::now(),
            running: false,
            said: 0,
            done: 0,
            times: Times::new(),
        })
    }

    /// Echoes begin everywhere, a room's senders are spread evenly over it.
    pub fn start(&mut self, fleet: &mut Fleet) -> Result<(), String> {
        self.running = true;
        let senders = if self.what == What::Room { self.senders } else { self.active };
        for n in 0..senders {
            let (id, mut out) = ((2 * n + 1) * self.active / (2 * senders), Vec::new());
            (0..self.depth).for_each(|_| self.say(id, &mut out));
            fleet.send(id, &out)?;
        }
        Ok(())
    }

    /// Nothing further is sent.
    pub fn stop(&mut self) {
        self.running = false;
    }

    pub fn said(&self) -> u64 {
        self.said
    }

    /// Deliveries that have not come.
    pub fn missing(&self) -> u64 {
        let each = if self.what == What::Room { self.active as u64 } else { 1 };
        (self.said * each).saturating_sub(self.done)
    }

    /// One masked text frame.
    fn say(&mut self, id: usize, out: &mut Vec<u8>) {
        out.push(0x81);
        match self.size {
            n @ 0..126 => out.push(0x80 | n as u8),
            n => {
                out.push(0x80 | 126);
                out.extend_from_slice(&(n as u16).to_be_bytes());
            }
        }
        out.extend_from_slice(&MASK);
        let begin = out.len();
        out.resize(begin + self.size - STAMP, b'-');
        let _ = write!(out, "@{id:06}{:014}", self.began.elapsed().as_nanos());
        out[begin..].iter_mut().zip(MASK.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        self.said += 1;
    }

    fn message(&mut self, id: usize, payload: &[u8], now: Instant, out: &mut Vec<u8>) {
        let Some((sender, at)) = stamp(payload) else { return };
        self.done += 1;
        self.times.add(((now - self.began).as_nanos() as u64).saturating_sub(at));
        if sender == id && self.running {
            self.say(id, out);
        }
    }
}

impl Client for Sockets {
    fn hello(&self, id: usize) -> &[u8] {
        if id < self.active { &self.hello } else { &self.other }
    }

    fn opened(&self) -> usize {
        self.opened
    }

    fn receive(&mut self, id: usize, bytes: &[u8], now: Instant, out: &mut Vec<u8>) -> Result<usize, String> {
        let mut used = 0;
        if !self.open.get(id).is_some_and(|&open| open) {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            let head = &bytes[..end];
            if !head.starts_with(b"HTTP/1.1 101 ") || memchr::memmem::find(head, ACCEPT).is_none() {
                let line = String::from_utf8_lossy(head);
                return Err(format!("no WebSocket: {}", line.lines().next().unwrap_or_default()));
            }
            self.open.resize(self.open.len().max(id + 1), false);
            self.open[id] = true;
            self.opened += 1;
            used = end + 4;
        }
        while let Some((opcode, payload)) = frame(&bytes[used..]) {
            match opcode {
                0x8 => return Err("the server closes".into()),
                0x9 => pong(payload, out),
                _ => self.message(id, payload, now, out),
            }
            used += payload.len() + if payload.len() < 126 { 2 } else { 4 };
        }
        Ok(used)
    }

    fn due(&mut self, _: Instant, _: &mut dyn FnMut(usize, &[u8])) -> Option<Instant> {
        None
    }

    fn done(&self) -> u64 {
        self.done
    }

    fn times(&mut self) -> &mut Times {
        &mut self.times
    }
}

/// The frame at the front, if it is whole: opcode and payload. None of a server's here is as long as 64 KiB.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (head, length) = match *bytes {
        [_, n @ 0..126, ..] => (2, n as usize),
        [_, 126, a, b, ..] => (4, u16::from_be_bytes([a, b]) as usize),
        _ => return None,
    };
    Some((bytes[0] & 0xf, bytes.get(head..head + length)?))
}

fn pong(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x8a, 0x80 | payload.len() as u8, 0, 0, 0, 0]);
    out.extend_from_slice(payload);
}

/// Its sender, and its time.
fn stamp(payload: &[u8]) -> Option<(usize, u64)> {
    let stamp = &payload[payload.len().checked_sub(STAMP)?..];
    let number = |digits: &[u8]| digits.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
    let is_stamp = stamp[0] == b'@' && stamp[1..].iter().all(u8::is_ascii_digit);
    is_stamp.then(|| (number(&stamp[1..7]) as usize, number(&stamp[7..])))
}

pub fn handshake(address: SocketAddr, path: &str, cookie: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{cookie}\r\n"
    )
    .into_bytes()
}

/// The cookie of a login.
fn log_in(address: SocketAddr, name: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LOGIN_WITHIN))?;
    let length = "username=".len() + name.len();
    write!(
        stream,
        "POST /login HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\nusername={name}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let cookie = answer.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")?.split(';').next());
    cookie.map(str::to_owned).ok_or_else(|| std::io::Error::other("it set no cookie"))
}

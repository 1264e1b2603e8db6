//! HTTP: each connection sends its requests in one write, and the next when all of them are answered.
//!
//! The first response of connection 0 is read; after that responses are only measured: each must be as long as that one.
//! All other connections begin with what the others ask for.

use crate::Flags;
use crate::figures::Times;
use crate::fleet::{Client, Fleet};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

pub struct Http {
    request: Vec<u8>,
    other: Vec<u8>,
    together: Vec<u8>,
    active: usize,
    depth: u64,
    pause: Duration,
    /// Pauses are of 0 to twice as long.
    varies: bool,
    /// Length of one answer, once it is known.
    answer: Option<usize>,
    waiting: Vec<Waiting>,
    /// The connections by the time of their next request.
    paused: BinaryHeap<Reverse<(Instant, usize)>>,
    opened: usize,
    done: u64,
    times: Times,
}

#[derive(Clone, Copy)]
struct Waiting {
    /// Bytes that must come still.
    bytes: usize,
    since: Instant,
}

impl Http {
    pub fn new(flags: &Flags, pause: Duration) -> Http {
        let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", flags.address).into_bytes();
        let one = request(&flags.path);
        Http {
            together: one.repeat(flags.depth),
            request: one,
            other: request(flags.others_path.as_ref().unwrap_or(&flags.path)),
            active: flags.connections,
            depth: flags.depth as u64,
            pause,
            varies: flags.vary,
            answer: None,
            waiting: vec![Waiting { bytes: 0, since: Instant::now() }; flags.connections],
            paused: BinaryHeap::new(),
            opened: 0,
            done: 0,
            times: Times::new(),
        }
    }

    /// All of the active ones begin, one after the other within `spread`.
    pub fn start(&mut self, fleet: &mut Fleet, spread: Duration) -> Result<(), String> {
        let bytes = self.answer.ok_or("nobody was answered")? * self.depth as usize;
        let (now, each) = (Instant::now(), spread / self.active.max(1) as u32);
        for id in 0..self.active {
            self.waiting[id] = Waiting { bytes, since: now };
            match each.is_zero() {
                true => fleet.send(id, &self.together)?,
                false => self.paused.push(Reverse((now + each * id as u32, id))),
            }
        }
        Ok(())
    }

    fn next_pause(&self) -> Duration {
        if !self.varies {
            return self.pause;
        }
        // Multiples of the golden ratio: spread evenly, and no two near each other follow one another.
        self.pause.mul_f64(2.0 * (self.done as f64 * 0.618_033_988_749_895).fract())
    }
}

impl Client for Http {
    fn hello(&self, id: usize) -> &[u8] {
        if id == 0 { &self.request } else { &self.other }
    }

    fn opened(&self) -> usize {
        self.opened
    }

    fn receive(&mut self, id: usize, bytes: &[u8], now: Instant, out: &mut Vec<u8>) -> Result<usize, String> {
        let Some(waiting) = self.waiting.get_mut(id).filter(|waiting| waiting.bytes > 0) else {
            let Some(length) = length_of(bytes)? else { return Ok(0) };
            if id == 0 {
                self.answer = Some(length);
            }
            self.opened += 1;
            return Ok(length);
        };
        let all = self.answer.unwrap_or(0) * self.depth as usize;
        if waiting.bytes == all && !bytes.starts_with(b"HTTP/1.1 200 ") {
            return Err(format!("not a 200: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)])));
        }
        waiting.bytes = waiting.bytes.checked_sub(bytes.len()).ok_or("two answers have different lengths")?;
        if waiting.bytes == 0 {
            self.times.add((now - waiting.since).as_nanos() as u64);
            self.done += self.depth;
            *waiting = Waiting { bytes: all, since: now };
            if self.pause.is_zero() {
                out.extend_from_slice(&self.together);
            } else {
                self.paused.push(Reverse((now + self.next_pause(), id)));
            }
        }
        Ok(bytes.len())
    }

    fn due(&mut self, now: Instant, say: &mut dyn FnMut(usize, &[u8])) -> Option<Instant> {
        while let Some(&Reverse((at, id))) = self.paused.peek() {
            if at > now {
                return Some(at);
            }
            self.paused.pop();
            self.waiting[id].since = Instant::now();
            say(id, &self.together);
        }
        None
    }

    fn done(&self) -> u64 {
        self.done
    }

    fn times(&mut self) -> &mut Times {
        &mut self.times
    }
}

/// Bytes of the answer at the front, if it is whole.
fn length_of(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        return Err(format!("not a 200: {}", head.lines().next().unwrap_or_default()));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let length = end + 4 + length.ok_or("the answer has no Content-Length")?;
    Ok((bytes.len() >= length).then_some(length))
}

//! The sites that the server fetches from. The response to a request follows from the seed and the number in the
//! request's target ([`Plan`]), so that its reader can check it; how it is sent is drawn ([`Line`]).
//!
//! A site also watches its client: one request at a time, none twice that may not be repeated, none on a connection
//! whose end was announced.

use crate::support::dice::Dice;
use crate::support::network::{ALL, Connect, PipeRef, Verdict};
use squall::http::url::Url;
use squall::site::base::base_element;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::io::ErrorKind;

/// Two of one host, two of others; the last one is public.
pub const ORIGINS: [&str; 4] = ["127.0.0.1:1001", "127.0.0.1:1002", "127.0.0.2:1001", "8.8.8.8:80"];
/// A request's number is that of a chain of redirects, times this, plus how many it has come through.
pub const HOPS: u64 = 8;

/// What may happen in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weather {
    /// Nothing bad: every fetch succeeds, and no deadline has to help.
    Calm,
    /// Kept connections die: whatever may be asked twice succeeds all the same.
    Stale,
    /// Everything.
    Wild,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// The response to one request.
pub struct Plan {
    pub status: u16,
    pub body: Vec<u8>,
    /// Where the next request of the chain goes.
    pub location: Option<String>,
    is_html: bool,
    framing: Framing,
    minor: u8,
    says_close: bool,
    interim: usize,
    dice: Dice,
}

/// How often a chain that browsers ask for is redirected.
fn redirects(seed: u64, number: u64) -> u64 {
    let mut dice = Dice::new(seed ^ (number / HOPS + 7) << 20);
    if dice.one_in(3) { 1 + dice.below(3) as u64 } else { 0 }
}

/// Where a request of a chain that browsers ask for goes.
pub fn url_of(seed: u64, number: u64) -> String {
    let mut dice = Dice::new(seed ^ (number + 3) << 21);
    let origin = if number.is_multiple_of(HOPS) { ORIGINS[0] } else { ORIGINS[dice.below(ORIGINS.len())] };
    format!("http://{origin}/s?wd={number}")
}

impl Plan {
    pub fn of(seed: u64, number: u64) -> Plan {
        let mut dice = Dice::new(seed ^ (number + 1) << 22);
        let goes_on = number % HOPS < redirects(seed, number);
        let location = goes_on.then(|| url_of(seed, number + 1));
        let status = if goes_on { 302 } else { [200, 200, 200, 200, 404, 204, 304][dice.below(7)] };
        let length = [0, 1, dice.below(40), dice.below(400), dice.below(4000), dice.below(20_000)][dice.below(6)];
        let mut body = String::new();
        while body.len() < length {
            write!(body, "{number}.{} ", body.len()).expect("a string grows");
        }
        body.truncate(length);
        if matches!(status, 204 | 304) {
            body.clear();
        }
        Plan {
            status,
            body: body.into_bytes(),
            location,
            is_html: dice.one_in(3),
            framing: [Framing::Length, Framing::Length, Framing::Chunked, Framing::Chunked, Framing::UntilClose]
                [dice.below(5)],
            minor: !dice.one_in(8) as u8,
            says_close: dice.one_in(6),
            interim: dice.below(5) / 3,
            dice,
        }
    }

    /// What a browser gets of it: a page that is not empty has a base element.
    pub fn relayed(&self, seed: u64, number: u64) -> Vec<u8> {
        if !self.is_html || self.body.is_empty() {
            return self.body.clone();
        }
        let url = Url::parse(&url_of(seed, number)).expect("a URL");
        [base_element(&url.to_string()).as_bytes(), &self.body].concat()
    }

    fn has_body(&self, is_head: bool) -> bool {
        !is_head && !matches!(self.status, 204 | 304)
    }

    fn ends_with_connection(&self, is_head: bool) -> bool {
        self.has_body(is_head) && (self.framing == Framing::UntilClose || self.minor == 0 && !self.is_length())
    }

    fn is_length(&self) -> bool {
        self.framing == Framing::Length
    }

    /// The bytes of the response.
    fn encode(&self, number: u64, is_head: bool, close: bool) -> Vec<u8> {
        let mut head = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(self.interim);
        let kind = if self.is_html { "text/html" } else { "text/plain" };
        let status = self.status;
        write!(head, "HTTP/1.{} {status} Fine\r\nX-Number: {number}\r\nContent-Type: {kind}\r\n", self.minor).unwrap();
        if let Some(location) = &self.location {
            write!(head, "Location: {location}\r\n").unwrap();
        }
        if close {
            head += "Connection: close\r\n";
        } else if self.minor == 0 {
            head += "Connection: keep-alive\r\n";
        }
        match self.framing {
            _ if status == 204 => {}
            Framing::Length => write!(head, "Content-Length: {}\r\n", self.body.len()).unwrap(),
            Framing::Chunked if self.minor == 1 => head += "Transfer-Encoding: chunked\r\n",
            _ => {}
        }
        let mut bytes = (head + "\r\n").into_bytes();
        if !self.has_body(is_head) {
            return bytes;
        }
        match self.framing {
            Framing::Chunked if self.minor == 1 => self.encode_chunks(&mut bytes),
            _ => bytes.extend_from_slice(&self.body),
        }
        bytes
    }

    fn encode_chunks(&self, bytes: &mut Vec<u8>) {
        let (mut dice, mut rest) = (self.dice.clone(), self.body.as_slice());
        while !rest.is_empty() {
            let size = [1 + dice.below(5), 1 + dice.below(2000)][dice.below(2)].min(rest.len());
            let (chunk, behind) = rest.split_at(size);
            let extension = if dice.one_in(4) { ";name=\"value\"" } else { "" };
            bytes.extend_from_slice(format!("{size:x}{extension}\r\n").as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
            rest = behind;
        }
        bytes.extend_from_slice(if dice.one_in(3) { b"0\r\nX-Trailer: yes\r\n\r\n" } else { b"0\r\n\r\n" });
    }
}

/// What all sites have seen.
pub struct Seen {
    seed: u64,
    weather: Weather,
    /// By number: how it came the last time, and how often it did.
    attempts: HashMap<u64, (Attempt, usize)>,
    /// Connections that a site has spoiled: each is a reason for one failure.
    pub spoiled: usize,
}

struct Attempt {
    pipe: PipeRef,
    reused: bool,
    /// Bytes that the server had read from this connection before.
    read: usize,
}

impl Seen {
    pub fn new(seed: u64, weather: Weather) -> Seen {
        Seen { seed, weather, attempts: HashMap::new(), spoiled: 0 }
    }

    fn note(&mut self, number: u64, method: &str, attempt: Attempt) {
        let times = match self.attempts.get(&number) {
            None => 1,
            Some((first, times)) => {
                assert_ne!(method, "POST", "{number} was asked twice");
                assert!(*times == 1, "{number} was asked {} times", times + 1);
                assert!(first.reused, "{number} was asked again, and not because of a kept connection");
                assert_eq!(first.pipe.borrow().read, first.read, "{number} was asked again behind a response");
                2
            }
        };
        self.attempts.insert(number, (attempt, times));
    }
}

/// A request that is being answered.
struct Asked {
    /// Bytes of its body that are not there yet.
    missing: usize,
    responds_early: bool,
    /// Looks until the response begins; never, if there is none.
    delay: Option<usize>,
    response: VecDeque<u8>,
    begun: bool,
    drips: bool,
    /// Comes together with the last byte of the response.
    behind: &'static [u8],
    ends_with_connection: bool,
    closes: bool,
}

/// The site's end of one connection.
pub struct Line {
    pub pipe: PipeRef,
    inbox: Vec<u8>,
    asked: Option<Asked>,
    requests: usize,
    /// It was announced that nothing more will be answered here.
    is_last: bool,
}

/// A response that was not asked for.
const EVIL: &[u8] = b"HTTP/1.1 200 OK\r\nX-Number: 0\r\nContent-Length: 4\r\n\r\nevil";

impl Line {
    pub fn new(pipe: PipeRef) -> Line {
        Line { pipe, inbox: vec![], asked: None, requests: 0, is_last: false }
    }

    /// Whether a request is under way, as far as this end can know.
    pub fn is_busy(&self) -> bool {
        let pipe = self.pipe.borrow();
        self.asked.is_some() && !pipe.server_gone && !pipe.peer_reset
    }

    /// Reads, responds, perhaps breaks the connection; returns whether it has more to do.
    pub fn act(&mut self, dice: &mut Dice, seen: &mut Seen) -> bool {
        if !self.is_connected() {
            let pipe = self.pipe.borrow();
            let decides = matches!(pipe.connect, Connect::Underway(_, Verdict::Connected | Verdict::Refused));
            return decides && !pipe.server_gone;
        }
        self.perhaps_spoil(dice, seen);
        self.read(dice, seen);
        let mut pipe = self.pipe.borrow_mut();
        if pipe.server_gone || pipe.peer_fin {
            return false;
        }
        let waits = pipe.blocked;
        let Some(asked) = &mut self.asked else {
            if self.is_last && dice.one_in(3) {
                pipe.fin();
            }
            return waits || self.is_last;
        };
        match &mut asked.delay {
            None => return waits,
            Some(0) if asked.missing == 0 || asked.responds_early => {}
            Some(looks) => {
                *looks = looks.saturating_sub(1);
                return true;
            }
        }
        if !asked.response.is_empty() && dice.one_in(2) {
            let most = if asked.drips { 3 } else { [20, 300, 5000][dice.below(3)] };
            let n = (1 + dice.below(most)).min(asked.response.len());
            asked.begun = true;
            pipe.put(asked.response.drain(..n));
            if asked.response.is_empty() {
                pipe.put(asked.behind.iter().copied());
                if asked.ends_with_connection || asked.closes && dice.one_in(2) {
                    pipe.fin();
                }
            }
        }
        drop(pipe);
        self.finish();
        true
    }

    /// The request and its response are whole: another one may come.
    fn finish(&mut self) {
        if let Some(asked) = self.asked.take_if(|asked| asked.response.is_empty() && asked.missing == 0) {
            self.is_last = asked.closes || !asked.behind.is_empty();
            let mut pipe = self.pipe.borrow_mut();
            pipe.idle = !self.is_last && !pipe.peer_fin && self.inbox.is_empty();
        }
    }

    fn is_connected(&mut self) -> bool {
        let mut pipe = self.pipe.borrow_mut();
        if pipe.server_gone {
            return pipe.connect == Connect::Done;
        }
        match pipe.connect {
            Connect::Done => return true,
            Connect::Failed(_) | Connect::Underway(_, Verdict::Nothing) => {}
            Connect::Underway(0, Verdict::Refused) => {
                (pipe.connect, pipe.edge) = (Connect::Failed(ErrorKind::ConnectionRefused), ALL);
            }
            Connect::Underway(0, Verdict::Connected) => {
                pipe.connect = Connect::Done;
                pipe.edge.writable = true;
            }
            Connect::Underway(looks, verdict) => pipe.connect = Connect::Underway(looks - 1, verdict),
        }
        false
    }

    /// The end, at a bad moment.
    fn perhaps_spoil(&mut self, dice: &mut Dice, seen: &mut Seen) {
        let mut pipe = self.pipe.borrow_mut();
        let silent = self.asked.as_ref().is_none_or(|asked| !asked.begun);
        let is_ripe = match seen.weather {
            Weather::Calm => false,
            Weather::Stale => self.requests > 0 && pipe.idle && dice.one_in(30),
            Weather::Wild => dice.one_in(if pipe.idle { 30 } else { 100 }),
        };
        if !is_ripe || pipe.peer_fin || pipe.server_gone || self.is_last {
            // After a FIN, the reset of a site that does not wait for the rest.
            if seen.weather == Weather::Wild && pipe.peer_fin && !pipe.peer_reset && dice.one_in(60) {
                seen.spoiled += 1;
                pipe.reset(dice.one_in(2));
            }
            return;
        }
        seen.spoiled += 1;
        pipe.useless = pipe.idle;
        match dice.below(3) {
            0 if pipe.idle && seen.weather == Weather::Wild => {
                pipe.put(b"unasked".iter().copied());
                self.is_last = true;
            }
            0 | 1 if silent || !self.asked.as_ref().is_some_and(|asked| asked.ends_with_connection) => pipe.fin(),
            _ => pipe.reset(seen.weather == Weather::Wild && dice.one_in(2)),
        }
    }

    fn read(&mut self, dice: &mut Dice, seen: &mut Seen) {
        let mut pipe = self.pipe.borrow_mut();
        self.inbox.extend(pipe.to_peer.drain(..));
        if dice.one_in(2) {
            let most = [0, 60, 3000][dice.below(3)];
            pipe.give_room(dice.below(most));
        }
        drop(pipe);
        if let Some(asked) = &mut self.asked {
            let n = asked.missing.min(self.inbox.len());
            asked.missing -= n;
            self.inbox.drain(..n);
        }
        self.finish();
        if self.asked.is_some() {
            assert!(self.inbox.is_empty(), "asked again before the response was whole");
        } else if let Some(end) = self.inbox.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(self.inbox.drain(..end + 4).collect()).expect("the requests are ASCII");
            self.begin(&head, dice, seen);
        }
    }

    fn begin(&mut self, head: &str, dice: &mut Dice, seen: &mut Seen) {
        assert!(!self.is_last || self.pipe.borrow().useless, "asked behind the last response");
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let (method, rest) = head.split_once(' ').expect("a method");
        let number = rest.strip_prefix("/s?wd=").and_then(|rest| rest.split(' ').next()).expect("our target");
        let number: u64 = number.parse().expect("a number");
        let length: usize = field("Content-Length").map_or(0, |length| length.parse().expect("a number"));
        let address = self.pipe.borrow().address.expect("it was connected to").to_string();
        assert_eq!(field("Host"), Some(address.trim_end_matches(":80")));
        let (reused, read) = (self.requests > 0, self.pipe.borrow().read);
        self.requests += 1;
        seen.note(number, method, Attempt { pipe: self.pipe.clone(), reused, read });

        let plan = Plan::of(seen.seed, number);
        let is_head = method == "HEAD";
        let wild = seen.weather == Weather::Wild;
        let closes = plan.says_close || field("Connection") == Some("close");
        let n = length.min(self.inbox.len());
        self.inbox.drain(..n);
        assert!(self.inbox.is_empty(), "asked twice at once");
        self.asked = Some(Asked {
            missing: length - n,
            responds_early: dice.one_in(3),
            delay: (!wild || !dice.one_in(12)).then(|| dice.below(2) * dice.below(12)),
            response: plan.encode(number, is_head, closes).into(),
            begun: false,
            drips: wild && dice.one_in(12),
            behind: if wild && dice.one_in(12) && !plan.ends_with_connection(is_head) { EVIL } else { b"" },
            ends_with_connection: plan.ends_with_connection(is_head),
            closes,
        });
        let mut pipe = self.pipe.borrow_mut();
        pipe.idle = false;
        if reused && !pipe.peer_fin && seen.weather != Weather::Calm && dice.one_in(6) {
            seen.spoiled += 1;
            if dice.one_in(2) { pipe.fin() } else { pipe.reset(false) }
        }
    }
}

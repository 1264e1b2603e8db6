//! Browsers that search: several searches in one go, slow readers, gone at any moment.

use super::owners::Book;
use super::sites::{HOPS, Plan};
use crate::support::dice::Dice;
use crate::support::network::PipeRef;
use squall::http::chunked::{Decoder, Piece};
use std::collections::VecDeque;

/// One client connection.
pub struct Browser {
    pub pipe: PipeRef,
    script: VecDeque<u8>,
    got: Vec<u8>,
    /// Number and whether HEAD was asked.
    asked: Vec<(u64, bool)>,
    /// It reads no more after this many bytes.
    patience: usize,
    pub gone: bool,
}

/// How a response ends that is the next in `got`.
enum End {
    /// After this many bytes.
    Whole(usize),
    /// It is not all there.
    Open,
}

impl Browser {
    pub fn new(book: &mut Book, is_wild: bool, dice: &mut Dice) -> Browser {
        let (mut script, mut asked) = (String::new(), vec![]);
        let count = [1, 1, 2, 3][dice.below(4)];
        for n in 0..count {
            let (number, is_head) = (book.next_number(), dice.one_in(6));
            let method = if is_head { "HEAD" } else { "GET" };
            let version = if n + 1 == count && dice.one_in(3) { 0 } else { 1 };
            script += &format!("{method} /search?wd={number} HTTP/1.{version}\r\nHost: sim\r\n\r\n");
            asked.push((number, is_head));
        }
        let patience = if is_wild && dice.one_in(5) { dice.below(3000) } else { usize::MAX };
        let (pipe, script) = (PipeRef::default(), script.into_bytes().into());
        Browser { pipe, script, got: vec![], asked, patience, gone: false }
    }

    /// Sends some bytes, reads some bytes, perhaps leaves; returns whether it has more to do.
    pub fn act(&mut self, dice: &mut Dice, mortal: bool) -> bool {
        let mut pipe = self.pipe.borrow_mut();
        if self.gone || pipe.server_gone {
            self.got.extend(pipe.to_peer.drain(..));
            return false;
        }
        let n = dice.below(100).min(self.script.len());
        if n > 0 {
            pipe.put(self.script.drain(..n));
        }
        let is_deaf = self.got.len() >= self.patience;
        if !is_deaf && dice.one_in(3) {
            let most = [200, 5000][dice.below(2)];
            let n = dice.below(most).min(pipe.to_peer.len());
            self.got.extend(pipe.to_peer.drain(..n));
            let room = dice.below(2) * dice.below(most);
            pipe.give_room(room);
        }
        if mortal && dice.one_in(150) {
            self.gone = true;
            if dice.one_in(2) { pipe.fin() } else { pipe.reset(dice.one_in(2)) }
        }
        !self.script.is_empty() || !is_deaf && (pipe.blocked || !pipe.to_peer.is_empty())
    }

    /// Reads whatever is left to be read.
    pub fn read_all(&mut self) {
        self.got.extend(self.pipe.borrow_mut().to_peer.drain(..));
    }

    /// What it was sent, and has read.
    pub fn got(&self) -> &[u8] {
        &self.got
    }

    /// It has seen all that it wanted.
    pub fn leave(&mut self) {
        if !std::mem::replace(&mut self.gone, true) {
            self.pipe.borrow_mut().fin();
        }
    }

    /// Compares what has come with what the sites have said. `all`: nothing may be missing, and nothing have failed.
    pub fn check(&self, seed: u64, all: bool) {
        let (mut rest, mut asked) = (self.got.as_slice(), self.asked.iter());
        while !rest.is_empty() {
            let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else { break };
            let head = String::from_utf8(rest[..end].to_vec()).expect("heads are ASCII");
            let &(first, is_head) = asked.next().unwrap_or_else(|| panic!("a response that was not asked for: {head}"));
            let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
            let (body, end) = self.body(&head, is_head, &rest[end + 4..]);
            match status {
                // Not relayed: no condition was sent.
                502 if last_plan(seed, first).1.status == 304 => {}
                408 | 502..=504 => assert!(!all, "{first}: {head}"),
                _ => check_response(seed, first, is_head, status, &body, matches!(end, End::Whole(_))),
            }
            match end {
                End::Whole(used) => rest = &rest[head.len() + 4 + used..],
                End::Open => {
                    assert!(!all, "{first}: the response is not whole");
                    return;
                }
            }
        }
        assert!(!all || asked.next().is_none() && rest.is_empty(), "responses are missing");
    }

    /// The body of a response as far as it is there.
    fn body(&self, head: &str, is_head: bool, rest: &[u8]) -> (Vec<u8>, End) {
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("Content-Length: ").map(|length| length.parse::<usize>().expect("a number"));
        if is_head || head.starts_with("HTTP/1.1 204") || head.starts_with("HTTP/1.1 304") {
            return (vec![], End::Whole(0));
        }
        if let Some(length) = length {
            let end = if rest.len() >= length { End::Whole(length) } else { End::Open };
            return (rest[..length.min(rest.len())].to_vec(), end);
        }
        if field("Transfer-Encoding: chunked").is_none() {
            let pipe = self.pipe.borrow();
            let is_whole = !self.gone && !pipe.server_reset && (pipe.server_gone || pipe.server_fin);
            return (rest.to_vec(), if is_whole { End::Whole(rest.len()) } else { End::Open });
        }
        let (mut decoder, mut at, mut body) = (Decoder::default(), 0, vec![]);
        loop {
            match decoder.decode(&rest[at..]).expect("sound chunks") {
                (used, Some(Piece::Data(data))) => {
                    body.extend_from_slice(data);
                    at += used;
                }
                (used, Some(Piece::End)) => return (body, End::Whole(at + used)),
                (0, None) => return (body, End::Open),
                (used, None) => at += used,
            }
        }
    }
}

/// The end of the chain of redirects, and its number.
fn last_plan(seed: u64, first: u64) -> (u64, Plan) {
    let mut plans = (first..first + HOPS).map(|number| (number, Plan::of(seed, number)));
    plans.find(|(_, plan)| plan.location.is_none()).expect("a chain ends")
}

/// Follows the chain of redirects to its end, and compares.
fn check_response(seed: u64, first: u64, is_head: bool, status: u16, body: &[u8], is_whole: bool) {
    let (last, plan) = last_plan(seed, first);
    assert_eq!(status, plan.status, "{first}");
    let expected = if is_head { vec![] } else { plan.relayed(seed, last) };
    assert!(expected.starts_with(body), "{first}: another body");
    assert!(!is_whole || body.len() == expected.len(), "{first}: {} of {} bytes", body.len(), expected.len());
}

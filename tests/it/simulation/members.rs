//! Members chat. What the application has published is the room's log, and what a member is sent is exactly a stretch
//! of it, from its own enter line on: to the end if it stays, and up to a border between two lines if it is closed. The
//! store may be slow, and may fail: no message is shown that is not stored, and they are shown in the order of the store.

use super::driver::{BEGUN_AT, Driver, ms};
use super::strangers::settings;
use super::talk;
use crate::support::dice::Dice;
use crate::support::network::{Dials, Manner, PipeRef, World};
use crate::support::slow_store::SlowStore;
use crate::support::watched::{Watch, Watched};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::Effect;
use squall::id::ConnId;
use squall::site::Site;
use squall::site::cookie::Signer;
use squall::ws::frame::{Opcode, encode_masked};
use squall::ws::session::WsEvent;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use std::time::Instant;

/// Steps in which members come.
const ACTIVE_STEPS: usize = 500;
const STEPS_MAX: usize = 10_000;
const MEMBERS_MAX: usize = 25;
/// Milliseconds: longer than any test waits.
const HOUR: usize = 3_600_000;

/// What the room has said.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    /// How many lines there were when a member joined, and what it was told alone.
    joined: HashMap<ConnId, (usize, Vec<String>)>,
    /// A store with a time of its own.
    slow: Option<SlowStore>,
    /// Messages that were published, of those that are stored.
    shown: usize,
}

impl Log {
    /// A line is published: of a slow store, the next message.
    fn publish(&mut self, line: String) {
        if let Some(slow) = self.slow.as_ref().filter(|_| line.contains(':')) {
            assert!(slow.has_stored(self.shown, &line), "it is shown and not stored, or out of order: {line}");
            self.shown += 1;
        }
        self.lines.push(line);
    }
}

impl Watch for Log {
    fn note(&mut self, effects: &[Effect], bytes: &[u8], _: Now) {
        let text = |range: &Range<usize>| String::from_utf8(bytes[range.clone()].to_vec()).expect("text");
        for effect in effects {
            match effect {
                Effect::Join(id, _) => drop(self.joined.insert(*id, (self.lines.len(), vec![]))),
                Effect::Publish(_, range) => self.publish(text(range)),
                Effect::Send(id, _, range) => self.joined.get_mut(id).expect("a member").1.push(text(range)),
                _ => {}
            }
        }
    }
}

/// What a simulated member does and has seen.
struct Member {
    pipe: PipeRef,
    name: String,
    /// Bytes it still wants to send.
    script: VecDeque<u8>,
    got: Vec<u8>,
    is_deaf: bool,
    gone: bool,
}

impl Member {
    fn new(name: String, signer: &Signer, is_wild: bool, dice: &mut Dice) -> Member {
        let cookie = signer.sign("username", name.as_bytes(), BEGUN_AT);
        let mut script = talk::handshake("/chat/", Some(&cookie), talk::offer(dice)).into_bytes();
        for n in 0..dice.below(12) {
            let text = format!("{n} {}", "x".repeat(dice.below(400)));
            if dice.one_in(4) {
                let payload = vec![b'p'; dice.below(126)];
                encode_masked(Opcode::Ping, true, [1, 2, 3, 4], &payload, &mut script);
            }
            let cut = dice.below(text.len());
            if dice.one_in(3) {
                encode_masked(Opcode::Text, false, [9, 8, 7, 6], &text.as_bytes()[..cut], &mut script);
                encode_masked(Opcode::Continuation, true, [5, 5, 5, 5], &text.as_bytes()[cut..], &mut script);
            } else {
                encode_masked(Opcode::Text, true, [4, 3, 2, 1], text.as_bytes(), &mut script);
            }
        }
        if is_wild && dice.one_in(4) {
            encode_masked(Opcode::Close, true, [4, 3, 2, 1], &1000_u16.to_be_bytes(), &mut script);
        }
        let is_deaf = is_wild && dice.one_in(8);
        Member { pipe: Rc::default(), name, script: script.into(), got: vec![], is_deaf, gone: false }
    }

    /// Sends some bytes, reads some bytes, perhaps vanishes; returns whether it has more to do.
    fn act(&mut self, dice: &mut Dice, mortal: bool) -> bool {
        let mut pipe = self.pipe.borrow_mut();
        if self.gone || pipe.server_gone {
            self.got.extend(pipe.to_peer.drain(..));
            return false;
        }
        let n = dice.below(200).min(self.script.len());
        if n > 0 {
            pipe.put(self.script.drain(..n));
        }
        if !self.is_deaf && dice.one_in(2) {
            let n = dice.below(3000).min(pipe.to_peer.len());
            self.got.extend(pipe.to_peer.drain(..n));
            let room = dice.below(1500);
            pipe.give_room(room);
        }
        if mortal && dice.one_in(400) {
            self.gone = true;
            if dice.one_in(2) { pipe.fin() } else { pipe.reset(dice.one_in(2)) }
        }
        !self.script.is_empty() || !self.is_deaf && (pipe.blocked || !pipe.to_peer.is_empty())
    }

    /// Compares what has come with the log; `all`: to its end.
    fn check(&self, log: &Log, all: bool) {
        let (seen, id) = (lines(&self.got), self.pipe.borrow().id);
        let Some((start, own)) = id.and_then(|id| log.joined.get(&id)) else {
            assert!(seen.is_empty() && !all, "{} was never a member", self.name);
            return;
        };
        assert!(own.len() <= 1);
        let due: Vec<_> = own.iter().chain(&log.lines[*start..]).collect();
        assert!(seen.iter().zip(&due).all(|(seen, due)| seen == *due), "{} saw something else", self.name);
        assert!(seen.len() <= due.len() && (!all || seen.len() == due.len()), "{} of {}", seen.len(), due.len());
        assert!(seen.is_empty() || seen[0] == format!("{} enter room", self.name));
    }
}

/// The text messages after the 101, in order.
fn lines(got: &[u8]) -> Vec<String> {
    let Some(end) = got.windows(4).position(|w| w == b"\r\n\r\n") else { return vec![] };
    if got.starts_with(b"HTTP/1.1 503 ") || got.starts_with(b"HTTP/1.1 408 ") {
        return vec![];
    }
    assert!(got.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&got[..end]));
    let (mut rest, mut at, mut lines) = (got[end + 4..].to_vec(), 0, vec![]);
    let (mut session, mut codec) = talk::session(std::str::from_utf8(&got[..end]).expect("heads are ASCII"));
    loop {
        match session.receive(&mut rest[at..], &mut codec).expect("the server breaks no rule") {
            (0, None) => return lines,
            (used, event) => {
                at += used;
                match event {
                    Some(WsEvent::Message(_, text)) => lines.push(String::from_utf8(text.to_vec()).expect("text")),
                    Some(WsEvent::Close(..)) => {
                        assert_eq!(at, rest.len(), "something follows the last frame");
                        return lines;
                    }
                    _ => {}
                }
            }
        }
    }
}

fn limits(is_wild: bool, dice: &mut Dice) -> Limits {
    let hour = ms(HOUR);
    let calm = Limits {
        message_rate: 0.0,
        high_water: 20 + [dice.below(150), dice.below(5000)][dice.below(2)],
        slice_steps_max: 1 + dice.below(6),
        slice_bytes_max: [50 + dice.below(400), 32 << 10][dice.below(2)],
        batch_max: 1 + dice.below(16),
        ping_every: hour,
        silent_for: hour,
        write_stall: hour,
        idle_for: hour,
        head_within: hour,
        ws: squall::ws::Limits { deflate_bytes_min: [1, 256][dice.below(2)], ..Default::default() },
        // A visit with a write costs 4 KiB: from now and then one member a turn to all of them.
        flush_bytes_max: [1 + dice.below(20_000), 1 << 20][dice.below(2)],
        said_bytes_max: [1 + dice.below(300), 64 << 10][dice.below(2)],
        ..Limits::default()
    };
    if !is_wild {
        return calm;
    }
    Limits {
        message_rate: [0.0, 20.0][dice.below(2)],
        ping_every: ms(200 + dice.below(2000)),
        silent_for: ms(500 + dice.below(5000)),
        close_within: ms(300),
        discard_for: ms(100),
        head_within: ms(1000),
        write_stall: ms(1000),
        drain_within: ms(dice.below(1000)),
        lag_bytes_max: [500, 5000, 1 << 20][dice.below(3)],
        buffer_bytes_max: [2000, 20_000, 1 << 30][dice.below(3)],
        connections_max: [4, 10, 1000][dice.below(3)],
        ..calm
    }
}

struct Run {
    is_wild: bool,
    dice: Dice,
    driver: Driver<Watched<Log>>,
    log: Rc<RefCell<Log>>,
    signer: Signer,
    members: Vec<Member>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let (mut dice, now) = (Dice::new(seed), Instant::now());
        let is_wild = dice.one_in(2);
        let limits = limits(is_wild, &mut dice);
        let settings = settings("http://127.0.0.1:1/{}".into());
        let (signer, log) = (Signer::new(&settings.secret), Rc::<RefCell<Log>>::default());
        let site = Site::new(settings, &limits, now).expect("a site");
        let app = Watched::new(site, &log);
        let slow = dice.one_in(2).then(|| SlowStore::new(seed));
        log.borrow_mut().slow = slow.clone();
        let world =
            World { dials: Dials::Drawn { dice: Dice::new(seed ^ 3 << 32), faulty: is_wild }, ..World::default() };
        let mut driver = Driver::new(world, app, limits, now);
        if let Some(slow) = slow {
            driver.server.keep_history(Box::new(slow));
        }
        Run { is_wild, dice, driver, log, signer, members: vec![] }
    }

    fn begin_something(&mut self) {
        let (dice, n) = (&mut self.dice, self.members.len());
        if n < MEMBERS_MAX && dice.one_in(20) {
            // Some names come from two places.
            let name = format!("member{}", if dice.one_in(5) { dice.below(n) } else { n });
            let member = Member::new(name, &self.signer, self.is_wild, dice);
            let mut world = self.driver.world.borrow_mut();
            world.arrive(&member.pipe);
            world.shortage += dice.one_in(5) as usize;
            self.members.push(member);
        }
        if self.is_wild && dice.one_in(400) {
            self.driver.now += ms(dice.below(2 * HOUR));
        }
    }

    /// All peers act, and the loop has its turn if there is a reason; returns whether anything goes on.
    fn step(&mut self, is_active: bool) -> bool {
        if is_active {
            self.begin_something();
        }
        let (dice, mut busy) = (&mut self.dice, is_active);
        for member in &mut self.members {
            busy |= member.act(dice, is_active);
        }
        let manner = if is_active { Manner::Whimsical } else { Manner::Prompt };
        let goes_on = self.driver.step(dice, ms(40), manner) || busy;
        self.store_something(is_active) || goes_on
    }

    /// The slow store may do some of its work, and wakes the loop; returns whether it has some.
    fn store_something(&mut self, is_active: bool) -> bool {
        let Some(slow) = self.log.borrow().slow.clone().filter(|slow| slow.waiting() > 0) else { return false };
        if is_active && !self.dice.one_in(3) || self.driver.server.is_over() {
            return !self.driver.server.is_over();
        }
        let count = 1 + self.dice.below(slow.waiting());
        match self.is_wild && self.dice.one_in(10) {
            true => slow.refuse(count),
            false => slow.release(count),
        }
        self.driver.wake();
        true
    }

    /// Goes on until nothing more will happen; unless `patient`, before any deadline.
    fn settle(&mut self, patient: bool) {
        for _ in 0..STEPS_MAX {
            let soon = patient || self.driver.wait.is_some_and(|wait| wait < ms(HOUR / 60));
            let goes_on = !self.driver.server.is_over() && (self.step(false) || soon && self.driver.wait());
            if !goes_on {
                return;
            }
        }
        panic!("the simulation does not come to rest: {:?}", self.driver.server.counts());
    }
}

/// One run.
pub fn simulate(seed: u64) -> u64 {
    let mut run = Run::new(seed);
    let drains_at = if run.is_wild && run.dice.one_in(3) { run.dice.below(ACTIVE_STEPS) } else { usize::MAX };
    for step in 0..ACTIVE_STEPS {
        if step == drains_at {
            run.driver.drain();
        }
        if run.driver.server.is_over() {
            break;
        }
        run.step(true);
    }
    run.settle(run.is_wild);
    let is_over = run.driver.server.is_over();
    if let Some(slow) = run.log.borrow().slow.as_ref().filter(|_| !is_over) {
        assert_eq!(slow.stored(), run.log.borrow().shown, "what is stored was shown");
    }
    for member in &run.members {
        member.check(&run.log.borrow(), !run.is_wild && !member.gone);
    }
    if !run.driver.server.is_over() {
        for member in run.members.iter_mut().filter(|member| !member.gone) {
            member.gone = true;
            member.pipe.borrow_mut().fin();
        }
        run.settle(true);
        run.driver.assert_empty();
    }
    run.driver.transcript(run.members.iter().map(|member| member.got.as_slice()))
}

//! Strangers: they pipeline, upgrade, drip, stop in the middle, break the rules, do not read, hang up. An honest one
//! hears exactly what is due to it, in order; one that is told less had a reason (time, memory, the end of the server).
//! In bad weather each one is gone by some deadline without being asked to leave.

use super::driver::{BEGUN_AT, Driver, ms};
use super::promises::Open;
use super::talk::{self, ECHO_BYTES_MAX, Expected, Talk};
use crate::support::dice::Dice;
use crate::support::network::{Dials, Manner, PipeRef, World};
use crate::support::watched::Watched;
use squall::config::Limits;
use squall::site::cookie::Signer;
use squall::site::{Settings, Site};
use squall::ws::session::WsEvent;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

const SECRET: &[u8] = b"simulated";
/// Steps in which strangers come.
const ACTIVE_STEPS: usize = 250;
const STEPS_MAX: usize = 10_000;
const STRANGERS_MAX: usize = 14;
/// Buffers in which there is room for the machines of compression.
const AMPLE: usize = 128 << 20;
/// What a connection that is told to go may hold above the budget, to be told so.
const LAST_WORD_BYTES: usize = 1000;
/// Milliseconds: longer than any test waits.
const HOUR: usize = 3_600_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Eagerly,
    Slowly,
    Never,
}

struct Stranger {
    pipe: PipeRef,
    talk: Talk,
    /// What is still to be said of it.
    script: VecDeque<u8>,
    got: Vec<u8>,
    /// Bytes that are said at once, at most.
    gulp: usize,
    reads: Reads,
    half_closes: bool,
    gone: bool,
}

/// Settings of a site that searches at one address.
pub fn settings(search_url: String) -> Settings {
    Settings {
        secret: SECRET.to_vec(),
        cookie_secure: false,
        allow_origin: vec![],
        www: None,
        search_url,
        allow_private: true,
        lab: false,
        rooms: None,
        operators_file: None,
        invite_file: None,
    }
}

/// Of the calm: no peer is late, and there is enough of everything.
fn calm_limits(dice: &mut Dice) -> Limits {
    let hour = ms(HOUR);
    Limits {
        head_within: hour,
        body_within: hour,
        idle_for: hour,
        write_stall: hour,
        discard_for: hour,
        ping_every: hour,
        silent_for: hour,
        echo_message_bytes_max: ECHO_BYTES_MAX,
        message_rate: 0.0,
        connections_max: [2, 5, 1000][dice.below(3)],
        accepts_per_turn: 1 + dice.below(4),
        high_water: 50 + dice.below(3000),
        slice_steps_max: 1 + dice.below(6),
        slice_bytes_max: [20 + dice.below(500), 32 << 10][dice.below(2)],
        batch_max: 1 + dice.below(16),
        fetches_max: 1 + dice.below(3),
        ws: squall::ws::Limits { deflate_bytes_min: [1, 256][dice.below(2)], ..Default::default() },
        deflate_windows_max: dice.below(4),
        flush_bytes_max: [1 + dice.below(10_000), 1 << 20][dice.below(2)],
        said_bytes_max: [1 + dice.below(100), 64 << 10][dice.below(2)],
        ..Limits::default()
    }
}

fn wild_limits(dice: &mut Dice) -> Limits {
    let within = ms(100 + dice.below(1000));
    Limits {
        head_within: within,
        body_within: within,
        idle_for: ms(100 + dice.below(1000)),
        response_within: within,
        write_stall: within,
        ping_every: ms(100 + dice.below(400)),
        silent_for: ms(300 + dice.below(500)),
        close_within: ms(100),
        discard_for: ms(100),
        discard_bytes_max: 1 + dice.below(2000),
        drain_within: ms(dice.below(800)),
        accept_retry: ms(50),
        connect_within: ms(200),
        search_within: ms(300),
        fetch_queue_within: ms(100),
        lag_bytes_max: 500 + dice.below(5000),
        buffer_bytes_max: [1500, 6000, 60_000, AMPLE][dice.below(4)],
        ..calm_limits(dice)
    }
}

struct Run {
    is_wild: bool,
    dice: Dice,
    driver: Driver<Watched<Open>>,
    open: Rc<RefCell<Open>>,
    signer: Signer,
    strangers: Vec<Stranger>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let (mut dice, now) = (Dice::new(seed), Instant::now());
        let is_wild = !dice.one_in(3);
        let limits = if is_wild { wild_limits(&mut dice) } else { calm_limits(&mut dice) };
        let site = Site::new(settings("http://127.0.0.1:1/{}".into()), &limits, now).expect("a site");
        let open = Rc::<RefCell<Open>>::default();
        let app = Watched::new(site, &open);
        let world = World {
            dials: if is_wild {
                Dials::Drawn { dice: Dice::new(seed ^ 3 << 32), faulty: true }
            } else {
                Dials::Refused
            },
            ..World::default()
        };
        let driver = Driver::new(world, app, limits, now);
        Run { is_wild, dice, driver, open, signer: Signer::new(SECRET), strangers: vec![] }
    }

    fn stranger(&mut self) {
        let (dice, n) = (&mut self.dice, self.strangers.len());
        let talk = Talk::new(
            &format!("member{}", n % 3),
            &self.signer,
            BEGUN_AT,
            self.driver.limits.buffer_bytes_max >= AMPLE,
            dice,
        );
        let mut script: VecDeque<u8> = talk.bytes.iter().copied().collect();
        if self.is_wild && dice.one_in(3) {
            // A head, a body or a frame that is never whole.
            script.truncate(dice.below(script.len()));
        }
        let reads = if self.is_wild { [Reads::Eagerly, Reads::Slowly, Reads::Never] } else { [Reads::Eagerly; 3] };
        let reads = if dice.one_in(2) { Reads::Slowly } else { reads[dice.below(3)] };
        let half_closes = dice.one_in(4) && (self.is_wild || !talk.must_stay);
        let (pipe, gulp) = (PipeRef::default(), [3, 40, 1000, 1 << 20][dice.below(4)].max(script.len() / 400));
        let mut world = self.driver.world.borrow_mut();
        world.arrive(&pipe);
        world.shortage += dice.one_in(5) as usize;
        self.strangers.push(Stranger { pipe, talk, script, got: vec![], gulp, reads, half_closes, gone: false });
    }

    /// All peers act, and the loop has its turn if there is a reason; returns whether anything goes on.
    fn step(&mut self, is_active: bool) -> bool {
        if is_active && self.strangers.len() < STRANGERS_MAX && self.dice.one_in(15) {
            self.stranger();
        }
        let (dice, mut busy) = (&mut self.dice, is_active);
        for stranger in &mut self.strangers {
            busy |= stranger.act(dice, is_active && self.is_wild);
        }
        if self.is_wild && dice.one_in(200) {
            self.driver.now += ms(dice.below(2 * HOUR));
        }
        let manner = match (is_active, self.is_wild) {
            (true, true) => Manner::Whimsical,
            (true, false) => Manner::Late,
            (false, _) => Manner::Prompt,
        };
        let has_turn = self.driver.step(dice, ms(if self.is_wild { 30 } else { 3 }), manner);
        let (counts, limits) = (self.driver.server.counts(), &self.driver.limits);
        let most = limits.buffer_bytes_max + limits.feed_bytes_max() + LAST_WORD_BYTES * counts.connections;
        // What was read and is not yet looked at is at most a read buffer, and goes in the next turns.
        let is_at_rest = self.driver.wait != Some(Duration::ZERO);
        assert!(!is_at_rest || counts.booked <= most, "{counts:?}, and {most} bytes may be held");
        has_turn || busy
    }

    /// Goes on until nothing more will happen; unless `patient`, before any deadline.
    fn settle(&mut self, patient: bool) {
        for _ in 0..STEPS_MAX {
            if self.driver.server.is_over() {
                return;
            }
            let soon = patient || self.driver.wait.is_some_and(|wait| wait < ms(HOUR / 60));
            let goes_on = self.step(false) || soon && self.driver.wait();
            if !goes_on {
                return;
            }
        }
        panic!("the simulation does not come to rest: {:?}", self.driver.server.counts());
    }

    /// In the calm, every client hears all that is due to it, and only then the next one may connect.
    fn leave_in_turn(&mut self) {
        while self.strangers.iter().any(|stranger| !stranger.gone) {
            self.settle(false);
            let mut inside = 0;
            for stranger in &mut self.strangers {
                if !stranger.gone && stranger.pipe.borrow().id.is_some() {
                    stranger.check(true);
                    stranger.gone = true;
                    stranger.pipe.borrow_mut().fin();
                    inside += 1;
                }
            }
            assert!(inside > 0, "no client is let in");
        }
        self.settle(true);
    }
}

impl Stranger {
    /// Sends something, reads something, perhaps hangs up; returns whether it has more to do.
    fn act(&mut self, dice: &mut Dice, mortal: bool) -> bool {
        let mut pipe = self.pipe.borrow_mut();
        if self.gone || pipe.server_gone || pipe.id.is_none() && dice.one_in(2) {
            self.got.extend(pipe.to_peer.drain(..));
            return false;
        }
        let n = dice.below(self.gulp + 1).min(self.script.len());
        if n > 0 {
            pipe.put(self.script.drain(..n));
        }
        if self.script.is_empty() && self.half_closes && !pipe.peer_fin {
            pipe.fin();
        }
        let most = match self.reads {
            Reads::Eagerly => 100_000,
            Reads::Slowly => [5, 300, 3000][dice.below(3)],
            Reads::Never => 0,
        };
        if dice.one_in(2) {
            let n = dice.below(most).min(pipe.to_peer.len());
            self.got.extend(pipe.to_peer.drain(..n));
            let room = dice.below(most);
            pipe.give_room(room);
        }
        if mortal && dice.one_in(300) {
            self.gone = true;
            if dice.one_in(2) { pipe.fin() } else { pipe.reset(dice.one_in(2)) }
        }
        !self.script.is_empty() || self.reads != Reads::Never && (pipe.blocked || !pipe.to_peer.is_empty())
    }

    /// Compares what has come with what is due; `all`: nothing may be missing.
    fn check(&self, all: bool) {
        if self.talk.is_mutated {
            let n = self.got.len().min(9);
            assert_eq!(&self.got[..n], &b"HTTP/1.1 "[..n]);
            return;
        }
        let (mut rest, mut expected) = (self.got.as_slice(), self.talk.expected.iter().peekable());
        while let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = std::str::from_utf8(&rest[..end]).expect("heads are ASCII");
            let status: u16 = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
            rest = &rest[end + 4..];
            let is_head = match expected.peek() {
                _ if status == 100 => continue,
                Some(Expected::Response(statuses, is_head)) if statuses.contains(&status) => *is_head,
                due => {
                    assert!(!all && matches!(status, 408 | 503), "{head}\nwhere {due:?} is due");
                    assert!(rest.len() <= length, "something follows the last word");
                    return;
                }
            };
            expected.next();
            if status == 101 {
                return check_frames(head, rest, expected, all);
            }
            let whole = if is_head { 0 } else { length };
            assert!(!all || rest.len() >= whole, "{} of {whole} bytes behind {head}", rest.len());
            rest = &rest[whole.min(rest.len())..];
        }
        assert!(!all || rest.is_empty() && expected.peek().is_none(), "{:?} is due", expected.next());
    }
}

/// The same for what comes after 101.
fn check_frames<'a>(head: &str, frames: &[u8], mut expected: impl Iterator<Item = &'a Expected>, all: bool) {
    let (mut frames, mut at, mut in_room) = (frames.to_vec(), 0, false);
    let (mut session, mut codec) = talk::session(head);
    let mut due = expected.next();
    loop {
        in_room |= matches!(due, Some(Expected::Room));
        let (used, event) = session.receive(&mut frames[at..], &mut codec).expect("the server breaks no rule");
        at += used;
        match event {
            None if used == 0 => break,
            None | Some(WsEvent::Ping(_) | WsEvent::Pong(_)) => {}
            Some(WsEvent::Message(..)) if in_room => {}
            Some(WsEvent::Message(kind, payload)) => {
                let bytes = payload.to_vec();
                let holds = matches!(due, Some(Expected::Message(k, b)) if *k == kind && *b == bytes);
                assert!(holds, "another message: {} bytes", bytes.len());
                due = expected.next();
            }
            Some(WsEvent::Close(code, _)) => {
                let holds = matches!((due, code), (Some(Expected::Close(due)), Some(code)) if *due == code);
                assert!(holds || in_room || !all && matches!(code, Some(1001 | 1013)), "{code:?} where {due:?} is due");
                assert_eq!(at, frames.len(), "something follows the last frame");
                return;
            }
        }
    }
    assert!(!all || in_room || due.is_none() && at == frames.len(), "{due:?} is due");
}

/// One run.
pub fn simulate(seed: u64) -> u64 {
    let mut run = Run::new(seed);
    let drains_at = if run.is_wild && run.dice.one_in(3) { run.dice.below(ACTIVE_STEPS) } else { usize::MAX };
    for step in 0..ACTIVE_STEPS {
        if step >= drains_at && (step == drains_at || run.dice.one_in(300)) {
            run.driver.drain();
        }
        if run.driver.server.is_over() {
            break;
        }
        run.step(true);
    }
    match run.is_wild {
        true => run.settle(true),
        false => run.leave_in_turn(),
    }
    if !run.driver.server.is_over() {
        run.driver.assert_empty();
        assert!(run.open.borrow().is_empty(), "the application was not told of every end");
    }
    for stranger in &mut run.strangers {
        stranger.got.extend(stranger.pipe.borrow_mut().to_peer.drain(..));
        stranger.check(false);
    }
    run.driver.transcript(run.strangers.iter().map(|stranger| stranger.got.as_slice()))
}

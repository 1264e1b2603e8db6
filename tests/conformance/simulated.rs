//! Every case against the real server over a network in memory: bytes arrive cut exactly where a split says, and
//! time stands still, so each outcome is what it is, without a socket and without waiting.
//!
//! A run is: a part arrives, the server takes turns until it rests, the next part arrives. Files are read on the
//! server's own threads; the harness knows from the effects how many reads are under way, and waits for them.

use crate::case::{Case, Step};
use crate::response::{End, Transcript};
use crate::support::network::{FakeNetwork, Pipe, PipeRef, READABLE};
use crate::support::watched::{Pass, Told, Watch, Watched};
use crate::support::{Dir, PATIENCE};
use squall::clock::{Now, UnixMillis};
use squall::config::Limits;
use squall::event::{Effect, Effects};
use squall::id::ConnId;
use squall::net::Source;
use squall::reactor::Server;
use squall::site::{Settings, Site};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A case of this length is split at every byte, a longer one at the borders of lines, fields and chunks.
const EVERY_BYTE_MAX: usize = 2 << 10;
/// What the wall clock shows in every run, in seconds since 1970: the same request has the same response.
const WALL: u64 = 1_800_000_000;

/// How many reads of the site are under way.
#[derive(Default)]
struct Reads(usize);

impl Watch for Reads {
    fn hear(&mut self, _: ConnId, told: &Told<'_>, _: Now, _: &mut Effects) -> Pass {
        self.0 -= matches!(told, Told::Finished) as usize;
        Pass::On
    }

    fn note(&mut self, effects: &[Effect], _: &[u8], _: Now) {
        self.0 += effects.iter().filter(|effect| matches!(effect, Effect::Run(..))).count();
    }
}

/// A server that is played with, case after case.
pub struct Stage {
    server: Server<FakeNetwork, Watched<Reads>>,
    network: FakeNetwork,
    reads: Rc<RefCell<Reads>>,
    woken: Arc<(Mutex<bool>, Condvar)>,
    now: Instant,
}

impl Stage {
    /// A server whose `--www` is this directory.
    pub fn new(www: &Dir) -> Stage {
        // Every case logs in under the same name.
        let (now, limits) = (Instant::now(), Limits { claims_max: 0, ..Limits::default() });
        let settings = Settings {
            secret: b"conformance".to_vec(),
            cookie_secure: false,
            allow_origin: vec![],
            www: Some(www.path().to_owned()),
            search_url: "http://127.0.0.1:9/?{}".into(),
            allow_private: false,
            lab: false,
            rooms: None,
            operators_file: None,
            invite_file: None,
        };
        let site = Site::new(settings, &limits, now).expect("the settings are sound");
        let (network, reads) = (FakeNetwork::default(), Rc::<RefCell<Reads>>::default());
        let woken = Arc::new((Mutex::new(false), Condvar::new()));
        let wake = Arc::new({
            let woken = woken.clone();
            move || {
                *woken.0.lock().expect("no thread panics with it") = true;
                woken.1.notify_one();
            }
        });
        let app = Watched::new(site, &reads);
        let server = Server::new(network.clone(), app, limits, wake, now);
        Stage { server, network, reads, woken, now }
    }

    /// Runs the case whole, byte by byte and in two parts at every split; returns the number of runs.
    ///
    /// # Errors
    /// What is wrong with the outcome, or with which split it is another one.
    pub fn play(&mut self, case: &Case) -> Result<usize, String> {
        let whole = self.run(case, &[])?;
        case.judge(&Transcript::parse(&whole.bytes, case.head_at, whole.end))?;
        let wire = case.wire();
        let splits: Vec<usize> = match wire.len() <= EVERY_BYTE_MAX {
            true => (1..wire.len()).collect(),
            false => (1..wire.len()).filter(|&at| is_border(&wire, at)).collect(),
        };
        for split in &splits {
            self.compare(case, &whole, std::slice::from_ref(split), &format!("split at byte {split}"))?;
        }
        self.compare(case, &whole, &splits, "in the smallest parts")?;
        Ok(splits.len() + 2)
    }

    fn compare(&mut self, case: &Case, whole: &Outcome, cuts: &[usize], how: &str) -> Result<(), String> {
        let outcome = self.run(case, cuts).map_err(|why| format!("{how}: {why}"))?;
        if outcome.without_continue() == whole.without_continue() && outcome.end == whole.end {
            return Ok(());
        }
        let [one, other] = [whole, &outcome].map(|outcome| String::from_utf8_lossy(&outcome.bytes).into_owned());
        Err(format!("{how} it ends {:?} with {other:?}, whole {:?} with {one:?}", outcome.end, whole.end))
    }

    /// One connection, from its accept to the last byte of the case.
    fn run(&mut self, case: &Case, cuts: &[usize]) -> Result<Outcome, String> {
        let pipe = PipeRef::new(RefCell::new(Pipe::roomy()));
        self.network.0.borrow_mut().pipes.clear();
        self.network.0.borrow_mut().arrive(&pipe);
        let mut at = 0;
        self.rest(&pipe);
        for step in &case.steps {
            match step {
                Step::Send(bytes) => {
                    for part in parts(bytes, at, cuts) {
                        pipe.borrow_mut().say(part);
                        self.rest(&pipe);
                    }
                    at += bytes.len();
                }
                Step::Finish => {
                    pipe.borrow_mut().fin();
                    self.rest(&pipe);
                }
                Step::Await if pipe.borrow().to_peer.is_empty() => return Err("no response was there in time".into()),
                Step::Await => {}
            }
        }
        let is_closed = pipe.borrow().server_fin || pipe.borrow().server_gone;
        let end = if is_closed { End::Closed } else { End::Open };
        let bytes = pipe.borrow().heard();
        // Then the client goes away, and nothing may be left of it.
        pipe.borrow_mut().reset(false);
        self.rest(&pipe);
        let counts = self.server.counts();
        match (counts.connections, counts.members, counts.booked) {
            (0, 0, 0) => Ok(Outcome { bytes, end }),
            _ => Err(format!("something was left: {counts:?}")),
        }
    }

    /// Tells what the kernel would, and lets the server take turns until it has nothing more to do.
    fn rest(&mut self, pipe: &PipeRef) {
        loop {
            let mut readiness = vec![(Source::Listener(0), READABLE)];
            readiness.extend(pipe.borrow_mut().report());
            if std::mem::take(&mut *self.woken.0.lock().expect("no thread panics with it")) {
                readiness.push((Source::Jobs, READABLE));
            }
            let now = Now { instant: self.now, wall: UnixMillis::from_millis(WALL * 1000) };
            let wait = self.server.turn(&readiness, now);
            if wait == Some(Duration::ZERO) {
                continue;
            }
            if self.reads.borrow().0 == 0 {
                return;
            }
            let woken = self.woken.0.lock().expect("no thread panics with it");
            let waited = self.woken.1.wait_timeout_while(woken, PATIENCE, |woken| !*woken);
            assert!(!waited.expect("no thread panics with it").1.timed_out(), "a file was never read");
        }
    }
}

/// What the client has.
struct Outcome {
    bytes: Vec<u8>,
    end: End,
}

impl Outcome {
    /// A server says 100 unless some of the body is there already (RFC 9110 section 10.1.1), so a split may bring one.
    fn without_continue(&self) -> Vec<u8> {
        let text = String::from_utf8_lossy(&self.bytes);
        text.replacen("HTTP/1.1 100 Continue\r\n\r\n", "", 1).into_bytes()
    }
}

/// The bytes, of which the first is number `at` of the case, cut before each of the bytes numbered in `cuts`.
fn parts<'a>(bytes: &'a [u8], at: usize, cuts: &[usize]) -> Vec<&'a [u8]> {
    let inside = cuts.iter().filter(|&&cut| cut > at && cut < at + bytes.len());
    let (mut parts, mut from) = (vec![], 0);
    for to in inside.map(|cut| cut - at).chain([bytes.len()]) {
        parts.push(&bytes[from..to]);
        from = to;
    }
    parts
}

/// Whether a line, a field's name or value, or a chunk begins or ends at `at`.
fn is_border(wire: &[u8], at: usize) -> bool {
    matches!(wire[at], b'\r' | b'\n' | b':') || matches!(wire[at - 1], b'\r' | b'\n' | b':')
}

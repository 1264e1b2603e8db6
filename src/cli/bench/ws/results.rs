//! What a run with `--ws` has shown: counts and times, as they stand when it is over.

use super::echo::EchoCounts;
use super::fanout::RoomResults;
use super::meter::ServerUse;
use super::opening::Trouble;
use super::resume::ResumeCounts;
use crate::cli::bench::summary::Schedule;
use crate::cli::bench::times::Times;
use std::collections::BTreeMap;
use std::time::Duration;

/// What has happened.
#[derive(Debug)]
pub struct Results {
    pub logins: usize,
    /// Connections that have opened, before anything was said.
    pub opened: usize,
    /// Handshakes that the server refused, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Connects, logins and handshakes that failed, by kind.
    pub failed: BTreeMap<&'static str, u64>,
    /// The first of them, or of the handshakes that the server refused.
    pub first_failure: Option<Trouble>,
    /// From the connect to the response, of each connection.
    pub handshakes: Times,
    /// From the first connect to the last response.
    pub opening: Duration,
    /// How connections have ended that were open.
    pub ends: Ends,
    /// How slow members have ended.
    pub slow_ends: Ends,
    /// Messages sent in the measured time.
    pub sent: u64,
    /// Bytes of frames in the measured time.
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// Reads in the measured time, and those of them that brought more than one frame.
    pub reads: u64,
    pub full_reads: u64,
    /// Pings that were answered.
    pub pings: u64,
    /// How long it took what has ended well in the measured time: round trips, deliveries, connections that are back.
    pub latency: Times,
    /// The measured time.
    pub took: Duration,
    pub server: Option<ServerUse>,
    pub echo: Option<EchoCounts>,
    pub room: Option<RoomResults>,
    /// Of a room with a schedule.
    pub schedule: Option<Schedule>,
    /// Connections that a storm has cut, and of those how many were back in time.
    pub cut: usize,
    pub back: usize,
    /// Of a storm whose members resume.
    pub resume: Option<ResumeCounts>,
    /// Slow members that were still there at the end.
    pub slow_open: usize,
}

/// How connections have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// By the code of the server's Close; 1005 is one without a code (RFC 6455 section 7.4.1).
    pub codes: BTreeMap<u16, u64>,
    /// The stream ended without a Close.
    pub without_close: u64,
    pub resets: u64,
    /// The server broke a rule of WebSocket.
    pub violations: u64,
}

/// How one connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Close(Option<u16>),
    WithoutClose,
    Reset,
    Violation,
}

impl Results {
    /// Nothing has happened yet.
    pub fn new() -> Results {
        Results {
            logins: 0,
            opened: 0,
            refused: BTreeMap::new(),
            failed: BTreeMap::new(),
            first_failure: None,
            handshakes: Times::default(),
            opening: Duration::ZERO,
            ends: Ends::default(),
            slow_ends: Ends::default(),
            sent: 0,
            sent_bytes: 0,
            received_bytes: 0,
            reads: 0,
            full_reads: 0,
            pings: 0,
            latency: Times::default(),
            took: Duration::ZERO,
            server: None,
            echo: None,
            room: None,
            schedule: None,
            cut: 0,
            back: 0,
            resume: None,
            slow_open: 0,
        }
    }

    /// A connection has not opened.
    pub fn not_opened(&mut self, trouble: Trouble) {
        match &trouble {
            Trouble::Refused(status) => *self.refused.entry(*status).or_default() += 1,
            Trouble::Failed(kind, _) => *self.failed.entry(kind).or_default() += 1,
        }
        self.login_failed(trouble);
    }

    /// A name has not logged in. The connections that need it will fail, and are counted then.
    pub fn login_failed(&mut self, trouble: Trouble) {
        self.first_failure.get_or_insert(trouble);
    }

    /// Handshakes that the server refused.
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Connects, logins and handshakes that failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

impl Ends {
    /// One more.
    pub fn note(&mut self, end: End) {
        match end {
            End::Close(code) => *self.codes.entry(code.unwrap_or(NO_CODE)).or_default() += 1,
            End::WithoutClose => self.without_close += 1,
            End::Reset => self.resets += 1,
            End::Violation => self.violations += 1,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.codes.values().sum::<u64>() + self.without_close + self.resets + self.violations
    }
}

/// Stands for a Close without a code.
const NO_CODE: u16 = 1005;

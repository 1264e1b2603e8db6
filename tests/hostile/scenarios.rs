//! The attacks.

mod deaf;
mod descriptors;
mod fragments;
mod greedy;
mod mutants;
mod resets;
mod searches;
mod slow;

use crate::stage::{Size, Stage};
use std::io;

/// What a server must have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing but HTTP.
    Http,
    /// `/echo` and `/chat/`.
    Sockets,
    /// `/search`, and a site behind it.
    Search,
    /// squall's own flags.
    Squall,
}

/// One scenario.
pub struct Scenario {
    pub name: &'static str,
    pub what: &'static str,
    pub needs: Needs,
    /// squall's.
    pub flags: &'static [&'static str],
    pub open_files: Option<u32>,
    /// Bytes by which memory may rise meanwhile.
    pub growth_max: u64,
    /// Attacks; returns its figures. Faults of the server are noted on the stage.
    pub attack: fn(&mut Stage, Size) -> io::Result<String>,
}

const MIB: u64 = 1 << 20;
/// The default of `--buffer-max`.
const BUFFERS: u64 = 256 * MIB;
/// Memory held for a few clients that read nothing.
const UNREAD: u64 = 32 * MIB;

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "heads",
        what: "2,000 clients that drip a head",
        needs: Needs::Http,
        flags: &[],
        open_files: None,
        growth_max: BUFFERS,
        attack: slow::heads,
    },
    Scenario {
        name: "bodies",
        what: "2,000 clients that drip a body",
        needs: Needs::Http,
        flags: &[],
        open_files: None,
        growth_max: BUFFERS,
        attack: slow::bodies,
    },
    Scenario {
        name: "deaf",
        what: "500 members that never read while 256 MiB are broadcast",
        needs: Needs::Sockets,
        flags: &["--message-rate", "0"],
        open_files: None,
        growth_max: BUFFERS,
        attack: deaf::attack,
    },
    Scenario {
        name: "fragments",
        what: "messages without an end: large, tiny and empty fragments",
        needs: Needs::Sockets,
        flags: &[],
        open_files: None,
        // The allocator holds more than it gives out.
        growth_max: BUFFERS + BUFFERS / 4,
        attack: fragments::attack,
    },
    Scenario {
        name: "pings",
        what: "pings from clients that do not read the pongs",
        needs: Needs::Sockets,
        flags: &[],
        open_files: None,
        growth_max: UNREAD,
        attack: greedy::pings,
    },
    Scenario {
        name: "searches",
        what: "1,000 searches abandoned",
        needs: Needs::Search,
        flags: &[],
        open_files: None,
        growth_max: BUFFERS,
        attack: searches::attack,
    },
    Scenario {
        name: "resets",
        what: "6,000 connections that end in a reset",
        needs: Needs::Http,
        flags: &[],
        open_files: None,
        growth_max: BUFFERS,
        attack: resets::attack,
    },
    Scenario {
        name: "mutants",
        what: "20,000 connections of mutated requests and frames",
        needs: Needs::Http,
        flags: &[],
        open_files: None,
        growth_max: BUFFERS,
        attack: mutants::attack,
    },
    Scenario {
        name: "pipeline",
        what: "one client that pipelines 400 MiB of requests and reads nothing",
        needs: Needs::Http,
        flags: &[],
        open_files: None,
        growth_max: UNREAD,
        attack: greedy::pipeline,
    },
    // More connections than descriptors: accept fails.
    Scenario {
        name: "descriptors",
        what: "64 descriptors, and more clients",
        needs: Needs::Http,
        flags: &["--max-connections", "1000"],
        open_files: Some(64),
        growth_max: BUFFERS,
        attack: descriptors::attack,
    },
    // squall's default keeps half of them for itself, so that accept does not fail.
    Scenario {
        name: "gate",
        what: "64 descriptors, and as many clients as squall lets in by itself",
        needs: Needs::Squall,
        flags: &[],
        open_files: Some(64),
        growth_max: BUFFERS,
        attack: descriptors::attack,
    },
];

//! Clients that ask without end and read nothing of what they are told.

use crate::stage::{Size, Stage};
use crate::swarm::Swarm;
use crate::wire::{self, PING, TEXT};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
const PIPELINED: u64 = 400 * MIB;
const PINGED: u64 = 256 * MIB;
const PINGERS: u64 = 20;
/// Longest attack: a server that reads nothing more has had the whole of it.
const AT_MOST: Duration = Duration::from_secs(5);
/// A client that got nothing through for this long connects anew.
const STUCK_FOR: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(5);

/// One client that pipelines requests. When the server takes no more of them, it resets and begins again.
pub fn pipeline(stage: &mut Stage, size: Size) -> io::Result<String> {
    let requests: Rc<[u8]> = wire::get("/plaintext").repeat(2000).into();
    let wanted = size.of(PIPELINED as usize) as u64;
    let at_most = if size == Size::Full { AT_MOST } else { 2 * STUCK_FOR };
    let mut swarm = Swarm::new()?;
    let (began, mut sent, mut connections) = (Instant::now(), 0, 0);
    while sent < wanted && began.elapsed() < at_most && stage.goes_on() {
        let key = swarm.connect(stage.address, &requests, wanted - sent)?;
        connections += 1;
        swarm.deafen(key)?;
        let (mut last, mut moved) = (0, Instant::now());
        while moved.elapsed() < STUCK_FOR && last < wanted - sent && began.elapsed() < at_most && stage.goes_on() {
            swarm.turn(PAUSE)?;
            let now = swarm.sent();
            if now > last {
                (last, moved) = (now, Instant::now());
            }
        }
        sent += last;
        swarm.reset(key);
    }
    Ok(format!("{} of {} MiB taken on {connections} connections", sent / MIB, wanted / MIB))
}

/// Pings of full size, half of them in a room.
pub fn pings(stage: &mut Stage, size: Size) -> io::Result<String> {
    let ping = wire::frame(PING, true, [b'p'; 125]);
    let alone: Rc<[u8]> = ping.repeat(500).into();
    let between: Rc<[u8]> = [wire::frame(TEXT, true, b"hi"), ping.repeat(500)].concat().into();
    let wanted = size.of(PINGED as usize) as u64;
    let at_most = if size == Size::Full { AT_MOST } else { STUCK_FOR };
    let cookie = if stage.is_squall { Some(wire::login(stage.address, "pinger")?) } else { None };
    let mut swarm = Swarm::new()?;
    for n in 0..PINGERS {
        let (stream, out) = match n % 2 {
            0 => (wire::open(stage.address, "/echo", None)?, if n % 4 == 0 { &alone } else { &between }),
            _ => (wire::open(stage.address, "/chat/", cookie.as_deref())?, &alone),
        };
        let key = swarm.adopt(stream, out, wanted / PINGERS)?;
        swarm.deafen(key)?;
        swarm.visit(key);
    }
    let began = Instant::now();
    while swarm.sent() < wanted && began.elapsed() < at_most && stage.goes_on() {
        swarm.turn(PAUSE)?;
    }
    let (sent, ended) = (swarm.sent(), swarm.ended());
    Ok(format!("{} of {} MiB of pings taken from {PINGERS} clients, {ended} of them cut", sent / MIB, wanted / MIB))
}

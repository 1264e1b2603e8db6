//! Members of a room that never read while others talk. Those that were cut hold on to their sockets.
//!
//! Two amounts are broadcast, one after the other: the second, four times as large, may not take more memory.

use crate::stage::{Size, Stage, mib};
use crate::swarm::Swarm;
use crate::wire::{self, TEXT};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
const DEAF: usize = 500;
const AMOUNTS: [u64; 2] = [64 * MIB, 256 * MIB];
const SENDERS: usize = 3;
const TEXT_BYTES: usize = 4000;
/// A sender is so far ahead of what it has heard, bytes: it must not be cut itself.
const WINDOW: u64 = MIB / 2;
const PAUSE: Duration = Duration::from_millis(5);
/// Bytes by which the second peak may be above the first.
const DIFFERENCE_MAX: u64 = 8 * MIB;

pub fn attack(stage: &mut Stage, size: Size) -> io::Result<String> {
    if size == Size::WarmUp {
        return broadcast(stage, size.of(DEAF), AMOUNTS[0]);
    }
    let first = broadcast(stage, DEAF, AMOUNTS[0])?;
    let first_peak = stage.server.memory_peak();
    let second = broadcast(stage, DEAF, AMOUNTS[1])?;
    let difference = stage.server.memory_peak().saturating_sub(first_peak);
    stage.check(difference <= DIFFERENCE_MAX, || format!("the larger amount took {} more", mib(difference)));
    Ok(format!("{first}; {second}"))
}

fn broadcast(stage: &mut Stage, deaf: usize, amount: u64) -> io::Result<String> {
    let cookie = |name| if stage.is_squall { wire::login(stage.address, name).map(Some) } else { Ok(None) };
    let (talker, silent) = (cookie("talker")?, cookie("silent")?);
    let mut swarm = Swarm::new()?;
    // They listen, or they would be cut: what each hears is what all have said.
    let message: Rc<[u8]> = wire::frame(TEXT, true, [b'x'; TEXT_BYTES]).into();
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        let stream = wire::open(stage.address, "/chat/", talker.as_deref())?;
        senders.push(swarm.adopt(stream, &message, 0)?);
    }
    let heard_bytes = TEXT_BYTES as u64 + 4 + if stage.is_squall { "talker:".len() as u64 } else { 0 };
    let messages = amount / TEXT_BYTES as u64;
    let heard_by_all = |swarm: &Swarm| senders.iter().map(|&key| swarm.peers[key].taken).min().unwrap_or(0);
    enter_deaf(stage, &mut swarm, deaf, silent.as_deref())?;
    let (began, mut said) = (Instant::now(), 0);
    while heard_by_all(&swarm) < messages * heard_bytes && stage.goes_on() {
        while said < messages && said * heard_bytes < heard_by_all(&swarm) + WINDOW {
            swarm.allow(senders[said as usize % SENDERS], message.len() as u64);
            said += 1;
        }
        swarm.turn(PAUSE)?;
        let cut = senders.iter().any(|&key| swarm.peers[key].end.is_some());
        stage.check(!cut, || "a member that reads was cut".into());
    }
    Ok(format!("{} MiB to {deaf} deaf members in {:.1} s", amount / MIB, began.elapsed().as_secs_f64()))
}

fn enter_deaf(stage: &Stage, swarm: &mut Swarm, count: usize, cookie: Option<&str>) -> io::Result<()> {
    let nothing: Rc<[u8]> = [0].as_slice().into();
    for _ in 0..count {
        let key = swarm.adopt(wire::open(stage.address, "/chat/", cookie)?, &nothing, 0)?;
        swarm.deafen(key)?;
        // Members that are there hear meanwhile of others that enter.
        swarm.turn(Duration::ZERO)?;
    }
    Ok(())
}

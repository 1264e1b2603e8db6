//! All descriptors in use, and clients that wait in the backlog.

use crate::stage::{Size, Stage};
use crate::swarm::Swarm;
use crate::wire;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

const CLIENTS: usize = 120;
/// CPU time is measured for this long; 2 % of it are 6 ticks.
const FULL_FOR: Duration = Duration::from_secs(3);
const CPU_PERCENT_MAX: f64 = 2.0;
/// Descriptors come free one after the other, this often.
const FREED: usize = 10;
const SERVED_WITHIN: Duration = Duration::from_millis(1500);
/// The server is full when no client was served for this long.
const QUIET_FOR: Duration = Duration::from_millis(300);
const OTHERS_FOR: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);

pub fn attack(stage: &mut Stage, size: Size) -> io::Result<String> {
    let request: Rc<[u8]> = wire::get("/plaintext").into();
    let mut swarm = Swarm::new()?;
    for _ in 0..CLIENTS {
        swarm.connect(stage.address, &request, request.len() as u64)?;
    }
    let served = fill_up(stage, &mut swarm)?;
    stage.check(served < CLIENTS, || "it was never full".into());
    if size == Size::WarmUp {
        return Ok(String::new());
    }
    // Connected clients go on.
    stage.begin();
    let others_until = Instant::now() + OTHERS_FOR;
    while Instant::now() < others_until && stage.goes_on() {
        swarm.turn(PAUSE)?;
    }
    stage.pause();
    let ticks = stage.server.cpu_ticks();
    std::thread::sleep(FULL_FOR);
    let cpu = (stage.server.cpu_ticks() - ticks) as f64 / FULL_FOR.as_secs_f64();
    stage.check(cpu < CPU_PERCENT_MAX, || format!("{cpu:.1} % CPU while full"));
    let mut slowest = Duration::ZERO;
    for _ in 0..FREED {
        swarm.turn(Duration::ZERO)?;
        let Some(in_it) = swarm.peers.iter().find(|(_, peer)| peer.taken > 0).map(|(key, _)| key) else { break };
        let before = count_served(&swarm) - 1;
        swarm.close(in_it);
        let freed = Instant::now();
        while count_served(&swarm) == before && freed.elapsed() < SERVED_WITHIN {
            swarm.turn(PAUSE)?;
        }
        slowest = slowest.max(freed.elapsed());
        let is_served = count_served(&swarm) > before;
        stage.check(is_served, || format!("who waits is not served within {} ms", SERVED_WITHIN.as_millis()));
        if !is_served {
            break;
        }
    }
    stage.resume();
    Ok(format!(
        "{served} of {CLIENTS} served at once, {cpu:.1} % CPU while full, the next one within {:.1} ms",
        slowest.as_secs_f64() * 1e3
    ))
}

fn count_served(swarm: &Swarm) -> usize {
    swarm.peers.iter().filter(|(_, peer)| peer.taken > 0).count()
}

/// Connects until no further client is served; returns how many were.
fn fill_up(stage: &mut Stage, swarm: &mut Swarm) -> io::Result<usize> {
    let (mut served, mut changed) = (0, Instant::now());
    while changed.elapsed() < QUIET_FOR && stage.goes_on() {
        swarm.turn(PAUSE)?;
        let now = count_served(swarm);
        if now > served {
            (served, changed) = (now, Instant::now());
        }
    }
    Ok(served)
}

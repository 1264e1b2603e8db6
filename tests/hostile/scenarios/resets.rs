//! A storm of resets, at every moment of a connection's life.

use crate::stage::{Size, Stage};
use crate::swarm::Swarm;
use crate::wire::{self, BINARY};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

const CLIENTS: usize = 6000;
/// Most connections at a time.
const WAVE: usize = 100;
/// Deadline for the first responses of a wave.
const WAVE_FOR: Duration = Duration::from_millis(20);

pub fn attack(stage: &mut Stage, size: Size) -> io::Result<String> {
    let mut swarm = Swarm::new()?;
    let request = wire::get("/plaintext");
    let many = wire::get("/").repeat(100);
    let form = b"POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 1000\r\n\r\nusername=".to_vec();
    let half_a_frame =
        [wire::handshake("/echo", None), wire::frame(BINARY, true, [0; 70_000])[..35_000].to_vec()].concat();
    // Nothing at all, half a head, a whole one, a crowd of them, half a body, half a frame.
    let lines = [vec![b'G'], request[..request.len() / 2].to_vec(), request, many, form, half_a_frame];
    let lines: Vec<Rc<[u8]>> = lines.into_iter().map(Rc::from).collect();
    let (clients, began) = (size.of(CLIENTS), Instant::now());
    let (mut connected, mut answered) = (0, 0);
    while connected < clients && stage.goes_on() {
        let wave = WAVE.min(clients - connected);
        connected += wave;
        for place in 0..wave {
            if place % 10 == 0 {
                swarm.turn(Duration::ZERO)?;
            }
            let n = stage.dice.below(lines.len());
            let allowed = if n == 0 { 0 } else { lines[n].len() as u64 };
            let key = swarm.connect(stage.address, &lines[n], allowed)?;
            if stage.dice.below(2) == 0 {
                swarm.deafen(key)?;
            }
            swarm.visit(key);
            // One in four goes before the server has looked at it.
            if stage.dice.below(4) == 0 {
                swarm.reset(key);
            }
        }
        let until = Instant::now() + WAVE_FOR;
        while swarm.peers.iter().any(|(_, peer)| peer.is_waiting()) && Instant::now() < until {
            swarm.turn(Duration::from_millis(1))?;
        }
        answered += swarm.peers.iter().filter(|(_, peer)| peer.taken > 0).count();
        let keys: Vec<usize> = swarm.peers.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| swarm.reset(key));
    }
    Ok(format!("{connected} reset in {:.1} s, {answered} of them with a response begun", began.elapsed().as_secs_f64()))
}

//! Slow heads and slow bodies: a byte every now and then, so that something is always about to come.

use crate::stage::{Size, Stage};
use crate::swarm::Swarm;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

const CLIENTS: usize = 2000;
const DRIP_EVERY: Duration = Duration::from_millis(500);
/// A client holds on for this long; one that the server still keeps then, it would keep for ever.
const HOLD_FOR: Duration = Duration::from_secs(13);
const WARM_UP_FOR: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(10);

pub fn heads(stage: &mut Stage, size: Size) -> io::Result<String> {
    let head = format!("GET /plaintext HTTP/1.1\r\nHost: squall\r\nX-Slow: {}\r\n\r\n", "slow ".repeat(100));
    drip(stage, size, &[head])
}

pub fn bodies(stage: &mut Stage, size: Size) -> io::Result<String> {
    let fields = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let body = format!("username={}", "s".repeat(1000));
    let whole = format!("{fields}Content-Length: {}\r\n\r\n{body}", body.len());
    let chunked = format!("{fields}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    drip(stage, size, &[whole, chunked])
}

fn drip(stage: &mut Stage, size: Size, requests: &[String]) -> io::Result<String> {
    let mut swarm = Swarm::new()?;
    let requests: Vec<Rc<[u8]>> = requests.iter().map(|request| request.as_bytes().into()).collect();
    // Of a slow body the head comes at once; of a slow head a part.
    let at_once = |request: &Rc<[u8]>| request.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0) as u64;
    let clients = size.of(CLIENTS);
    for _ in 0..clients {
        let request = stage.dice.pick(&requests);
        let first = match requests.len() {
            1 => 1 + stage.dice.below(40) as u64,
            _ => at_once(request) + 4 + stage.dice.below(40) as u64,
        };
        swarm.connect(stage.address, request, first)?;
    }
    let began = Instant::now();
    let (mut given_up, mut dripped) = (None, began);
    let hold_for = if size == Size::Full { HOLD_FOR } else { WARM_UP_FOR };
    while began.elapsed() < hold_for && swarm.ended() < clients && stage.goes_on() {
        swarm.turn(PAUSE)?;
        if swarm.ended() > 0 && given_up.is_none() {
            given_up = Some(began.elapsed());
        }
        if dripped.elapsed() > DRIP_EVERY {
            dripped = Instant::now();
            let held: Vec<usize> =
                swarm.peers.iter().filter(|(_, peer)| peer.end.is_none()).map(|(key, _)| key).collect();
            held.into_iter().for_each(|key| swarm.allow(key, 1));
        }
    }
    if size == Size::WarmUp {
        return Ok(String::new());
    }
    let (ended, after) = (swarm.ended(), began.elapsed().as_secs_f64());
    let told = swarm.peers.iter().filter(|(_, peer)| peer.status() == Some(408)).count();
    stage
        .check(ended == clients, || format!("{} of {clients} clients held on to it for {after:.0} s", clients - ended));
    // Not every server says so; squall does.
    stage.check(told == clients || !stage.is_squall, || format!("only {told} of {clients} were told 408"));
    let from = given_up.unwrap_or_default().as_secs_f64();
    Ok(format!("{clients} held, {told} of them told 408 after {from:.1} to {after:.1} s"))
}

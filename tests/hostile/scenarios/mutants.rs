//! Requests and frames that were valid once.

use crate::dice::Dice;
use crate::stage::{Size, Stage};
use crate::swarm::Swarm;
use crate::wire::{self, BINARY, CLOSE, CONTINUATION, PING, TEXT};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

const CLIENTS: usize = 20_000;
/// Most connections at a time.
const AT_ONCE: usize = 64;
/// Deadline for the end of a connection after our FIN.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
const MUTATIONS_MAX: usize = 4;
const PAUSE: Duration = Duration::from_millis(1);

/// What parsers stumble over.
const STONES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b"%",
    b"%00",
    b"../",
    b"\xff\xff",
    b"\x80\x80\x80\x80\x80",
    b"Content-Length: 18446744073709551616\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close, upgrade\r\n",
    b"Host: squall\r\n",
    b"Cookie: username=\"2|1:0|10:1|8:username|4:YQ==|\r\n",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
];

pub fn attack(stage: &mut Stage, size: Size) -> io::Result<String> {
    let cookie = if stage.is_squall { Some(wire::login(stage.address, "mutant")?) } else { None };
    let valid = samples(cookie.as_deref(), stage.has_sockets);
    let (clients, began) = (size.of(CLIENTS), Instant::now());
    let mut swarm = Swarm::new()?;
    let mut responses: HashMap<Option<u16>, usize> = HashMap::new();
    let mut open: HashMap<usize, Instant> = HashMap::new();
    let mut connected = 0;
    while (connected < clients || !open.is_empty()) && stage.goes_on() {
        while connected < clients && open.len() < AT_ONCE {
            connected += 1;
            let bytes: Rc<[u8]> = mutant(&valid, &mut stage.dice).into();
            let first = stage.dice.below(bytes.len() + 1) as u64;
            let key = swarm.connect(stage.address, &bytes, first)?;
            swarm.visit(key);
            // The second half comes as a packet of its own, and then FIN.
            swarm.peers[key].finishes = true;
            swarm.allow(key, bytes.len() as u64 - first);
            open.insert(key, Instant::now());
        }
        swarm.turn(PAUSE)?;
        for key in swarm.ended_keys() {
            let peer = &swarm.peers[key];
            let (status, got) =
                (peer.status(), String::from_utf8_lossy(&peer.got[..peer.got.len().min(40)]).into_owned());
            // Of the 5xx only: no such method, no such version.
            let good = match status {
                Some(status) => matches!(status, 100..=499 | 501 | 505),
                // Others answer HTTP/0.9.
                None => peer.got.is_empty() || !stage.is_squall,
            };
            stage.check(good, || format!("answered {got:?}"));
            *responses.entry(status.map(|status| status / 100)).or_default() += 1;
            open.remove(&key);
            swarm.close(key);
        }
        let late = open.values().filter(|since| since.elapsed() > ENDS_WITHIN).count();
        stage.check(late == 0, || format!("{late} connections did not end within {} s", ENDS_WITHIN.as_secs()));
    }
    let mut responses: Vec<_> = responses.into_iter().collect();
    responses.sort_unstable();
    let shown = responses.iter().map(|(class, n)| class.map_or(format!("{n} none"), |class| format!("{n} {class}xx")));
    let shown: Vec<String> = shown.collect();
    Ok(format!("{connected} in {:.1} s, responses: {}", began.elapsed().as_secs_f64(), shown.join(", ")))
}

/// Valid conversations: what may be changed, and in front of it what may not.
fn samples(cookie: Option<&str>, has_sockets: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let form = "username=mutant&next=%2Fchat%2F";
    let heads = [
        "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n".repeat(3),
        "GET / HTTP/1.1\r\nHost: squall\r\nAccept: text/html, */*;q=0.1\r\nAccept-Language: de-CH, en;q=0.5\r\n\
         Cookie: a=b; username=\"c\"\r\nIf-None-Match: \"abc\"\r\nRange: bytes=0-10\r\nConnection: keep-alive\r\n\r\n"
            .to_owned(),
        "HEAD /static/style.css HTTP/1.1\r\nHost: squall:8888\r\nIf-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT\r\n\r\n"
            .to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: squall\r\n\r\nGET http://squall/login?next=/chat/ HTTP/1.0\r\n\r\n".to_owned(),
        format!("POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: {}\r\n\r\n{form}", form.len()),
        format!(
            "POST /login HTTP/1.1\r\nHost: squall\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n\
             9;a=\"b\"\r\n{}\r\n{:x}\r\n{}\r\n0\r\nTrailer: t\r\n\r\n",
            &form[..9],
            form.len() - 9,
            &form[9..]
        ),
    ];
    let mut samples: Vec<_> = heads.into_iter().map(|head| (Vec::new(), head.into_bytes())).collect();
    if has_sockets {
        let frames = [
            wire::frame(TEXT, true, "grüße".as_bytes()),
            wire::frame(TEXT, false, b"hel"),
            wire::frame(PING, true, b"ping"),
            wire::frame(CONTINUATION, true, b"lo"),
            wire::frame(BINARY, true, [7; 300]),
            wire::frame(CLOSE, true, b"\x03\xe8bye"),
        ]
        .concat();
        let (echo, chat) = (wire::handshake("/echo", None), wire::handshake("/chat/", cookie));
        samples.push((Vec::new(), [echo.clone(), frames.clone()].concat()));
        samples.extend([(echo.clone(), frames.clone()), (echo, frames.repeat(3)), (chat, frames)]);
    }
    samples
}

fn mutant(valid: &[(Vec<u8>, Vec<u8>)], dice: &mut Dice) -> Vec<u8> {
    let (fixed, rest) = dice.pick(valid);
    let mut bytes = rest.clone();
    for _ in 0..1 + dice.below(MUTATIONS_MAX) {
        mutate(&mut bytes, valid, dice);
    }
    [fixed.clone(), bytes].concat()
}

/// One change somewhere.
fn mutate(bytes: &mut Vec<u8>, valid: &[(Vec<u8>, Vec<u8>)], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + 1 + dice.below(16)).min(bytes.len());
    match dice.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 if at < bytes.len() => bytes[at] = dice.byte(),
        2 => bytes.insert(at, dice.byte()),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.extend_from_within(at..end),
        5 => bytes.truncate(at),
        6 => {
            let (_, other) = dice.pick(valid);
            let from = dice.below(other.len());
            bytes.splice(at.., other[from..].iter().copied());
        }
        _ => {
            let stone = *dice.pick(STONES);
            bytes.splice(at..at, stone.iter().copied());
        }
    }
}

//! Messages that never end: large fragments until the limit of a message, many of them at once until that of all
//! buffers, fragments of one byte, and fragments of none.

use crate::stage::{Size, Stage};
use crate::swarm::Swarm;
use crate::wire::{self, BINARY, CONTINUATION, TEXT};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
/// A message on `/echo`, and one in a room.
const ECHO_BYTES_MAX: u64 = 16 * MIB;
const CHAT_BYTES_MAX: u64 = 64 << 10;
/// Clients of each kind.
const EACH: usize = 20;
/// Of those that stop just below the limit: together they want more than all buffers.
const HOLDERS: usize = 30;
/// Messages that are too long must have ended.
const ENDED_WITHIN: Duration = Duration::from_secs(10);
const EMPTY_FOR: Duration = Duration::from_secs(3);
const WARM_UP_FOR: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(5);

/// `count` clients whose message begins with `first` and goes on with `more`, over and over, for `allowed` bytes.
struct Kind {
    path: &'static str,
    first: Vec<u8>,
    more: Vec<u8>,
    count: usize,
    allowed: u64,
}

pub fn attack(stage: &mut Stage, size: Size) -> io::Result<String> {
    let full = size == Size::Full;
    let large = |path, opcode, count, allowed| Kind {
        path,
        first: wire::frame(opcode, false, []),
        more: wire::frame(CONTINUATION, false, vec![b'x'; 16 << 10]),
        count,
        allowed,
    };
    let tiny = |path, payload: &[u8], count, allowed| Kind {
        path,
        first: wire::frame(TEXT, false, b"x"),
        more: wire::frame(CONTINUATION, false, payload).repeat(4096),
        count,
        allowed,
    };
    // A frame of one byte is seven on the wire.
    let ended = [
        large("/echo", BINARY, 2, 2 * ECHO_BYTES_MAX),
        large("/chat/", TEXT, size.of(EACH), 2 * CHAT_BYTES_MAX),
        tiny("/echo", b"x", if full { 1 } else { 0 }, 8 * ECHO_BYTES_MAX),
        tiny("/chat/", b"x", size.of(EACH), 8 * CHAT_BYTES_MAX),
    ];
    let told = run(stage, &ended, true, ENDED_WITHIN)?;
    let clients: usize = ended.iter().map(|kind| kind.count).sum();
    // Others have one limit for all paths.
    stage.check(told == clients || !stage.is_squall, || {
        format!("only {told} of {clients} too long messages were ended with 1009")
    });
    let endless = [
        large("/echo", BINARY, size.of(HOLDERS), ECHO_BYTES_MAX - (64 << 10)),
        tiny("/echo", b"", size.of(EACH), u64::MAX),
        tiny("/chat/", b"", size.of(EACH), u64::MAX),
    ];
    run(stage, &endless, false, if full { EMPTY_FOR } else { WARM_UP_FOR })?;
    Ok(format!("{told} of {clients} ended with 1009; {HOLDERS} hold 16 MiB each, {} send empty ones", 2 * EACH))
}

/// Lets them send for a while, or until all were closed with 1009; returns how many were.
fn run(stage: &mut Stage, kinds: &[Kind], until_ended: bool, at_most: Duration) -> io::Result<usize> {
    let cookie = if stage.is_squall { Some(wire::login(stage.address, "endless")?) } else { None };
    let mut swarm = Swarm::new()?;
    for kind in kinds {
        let more: Rc<[u8]> = kind.more.as_slice().into();
        for _ in 0..kind.count {
            let mut stream = wire::open(stage.address, kind.path, cookie.as_deref())?;
            io::Write::write_all(&mut stream, &kind.first)?;
            let key = swarm.adopt(stream, &more, kind.allowed)?;
            swarm.visit(key);
        }
    }
    let began = Instant::now();
    while began.elapsed() < at_most && stage.goes_on() && !(until_ended && swarm.ended() == swarm.peers.len()) {
        swarm.turn(PAUSE)?;
    }
    // Behind lines of the room and pings, perhaps.
    let too_big = [0x88, 0x03, 0xf1];
    let is_told = |got: &[u8]| got.windows(4).any(|four| four[0] == too_big[0] && four[2..] == 1009u16.to_be_bytes());
    Ok(swarm.peers.iter().filter(|(_, peer)| is_told(&peer.got)).count())
}

//! Members chat and browsers load pages. What a member is sent is exactly a stretch of the room's log, and pipelined
//! answers are complete and in order.

use super::world::{Dice, Manner, PipeRef, SimNetwork, World, edges};
use squall::app::cookie::Signer;
use squall::app::{Settings, Site};
use squall::config::Limits;
use squall::proto::ws_frame::{Opcode, encode_masked};
use squall::proto::ws_session::{Session, WsEvent};
use squall::server::Server;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const SECRET: &[u8] = b"simulated";

/// What a simulated client does and has seen.
struct Client {
    pipe: PipeRef,
    name: String,
    /// Bytes it still wants to send.
    script: VecDeque<u8>,
    got: Vec<u8>,
    requests: usize,
    is_member: bool,
    gone: bool,
}

impl Client {
    fn member(name: String, signer: &Signer, now: u64, dice: &mut Dice) -> Client {
        let cookie = signer.sign("username", name.as_bytes(), now);
        let mut script = format!(
            "GET /chat/ HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: username={cookie}\r\n\r\n"
        )
        .into_bytes();
        for n in 0..dice.below(12) {
            let text = format!("{n} {}", "x".repeat(dice.below(400)));
            if dice.one_in(4) {
                encode_masked(Opcode::Ping, true, [1, 2, 3, 4], b"are you there", &mut script);
            }
            let cut = dice.below(text.len());
            if dice.one_in(3) {
                encode_masked(Opcode::Text, false, [9, 8, 7, 6], &text.as_bytes()[..cut], &mut script);
                encode_masked(Opcode::Continuation, true, [5, 5, 5, 5], &text.as_bytes()[cut..], &mut script);
            } else {
                encode_masked(Opcode::Text, true, [4, 3, 2, 1], text.as_bytes(), &mut script);
            }
        }
        Client::with(name, script, 0, true)
    }

    fn browser(dice: &mut Dice) -> Client {
        let requests = 1 + dice.below(40);
        Client::with(
            "browser".into(),
            b"GET /plaintext HTTP/1.1\r\nHost: sim\r\n\r\n".repeat(requests),
            requests,
            false,
        )
    }

    fn with(name: String, script: Vec<u8>, requests: usize, is_member: bool) -> Client {
        let (pipe, script, got) = (Rc::default(), script.into(), Vec::new());
        Client { pipe, name, script, got, requests, is_member, gone: false }
    }

    /// Sends some bytes, reads some bytes, perhaps leaves.
    fn act(&mut self, dice: &mut Dice, mortal: bool) {
        let mut pipe = self.pipe.borrow_mut();
        if self.gone {
            return;
        }
        let n = dice.below(200).min(self.script.len());
        if n > 0 {
            pipe.to_server.extend(self.script.drain(..n));
            pipe.edge.readable = true;
        }
        if dice.one_in(2) {
            let n = dice.below(3000).min(pipe.to_peer.len());
            self.got.extend(pipe.to_peer.drain(..n));
            pipe.room = dice.below(1500);
            if pipe.blocked && pipe.room > 0 {
                pipe.blocked = false;
                pipe.edge.writable = true;
            }
        }
        if mortal && dice.one_in(400) {
            self.gone = true;
            pipe.peer_fin = true;
            pipe.edge.read_closed = true;
            if dice.one_in(2) {
                pipe.peer_reset = true;
                pipe.edge.broken = true;
                pipe.to_server.clear();
            }
        }
    }
}

/// The text messages behind the 101, in order.
fn lines(got: &[u8]) -> Vec<String> {
    let Some(end) = got.windows(4).position(|w| w == b"\r\n\r\n") else { return vec![] };
    assert!(got.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&got[..end]));
    let mut rest = got[end + 4..].to_vec();
    let (mut session, mut at, mut lines) = (Session::client(1 << 20), 0, vec![]);
    loop {
        match session.receive(&mut rest[at..]).expect("the server breaks no rule") {
            (0, None) => return lines,
            (used, event) => {
                if let Some(WsEvent::Message(_, text)) = event {
                    lines.push(String::from_utf8(text.to_vec()).unwrap());
                }
                at += used;
            }
        }
    }
}

fn server(world: &Rc<RefCell<World>>, now: Instant) -> Server<SimNetwork, Site> {
    let settings = Settings {
        secret: SECRET.to_vec(),
        cookie_secure: false,
        allow_origin: vec![],
        www: None,
        search_url: "http://127.0.0.1:1/{}".into(),
        allow_private: false,
        lab: false,
    };
    let limits = Limits {
        message_rate: 0.0,
        high_water: 4096,
        slice_steps_max: 5,
        slice_bytes_max: 300,
        ping_every: Duration::from_secs(3600),
        silent_for: Duration::from_secs(7200),
        write_stall: Duration::from_secs(3600),
        idle_for: Duration::from_secs(3600),
        head_within: Duration::from_secs(3600),
        ..Limits::default()
    };
    let site = Site::new(settings, &limits, (now, SystemTime::now())).unwrap();
    Server::new(SimNetwork(world.clone()), site, limits, Arc::new(|| ()), now)
}

/// One run.
pub fn simulate(seed: u64) {
    let mut dice = Dice::new(seed);
    let (world, mut now) = (Rc::new(RefCell::new(World::default())), Instant::now());
    let (mut server, signer) = (server(&world, now), Signer::new(SECRET));
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    // The witness joins first, never leaves, and so sees the whole log.
    let mut clients = vec![Client::member("witness".into(), &signer, unix, &mut dice)];
    world.borrow_mut().backlog.push_back(clients[0].pipe.clone());
    let mut wait = Some(Duration::ZERO);
    let mut quiet = 0;
    for turn in 0.. {
        let settling = turn > 600;
        if !settling && server.counts().members > 0 && dice.one_in(20) {
            let n = clients.len();
            let client = match dice.one_in(3) {
                true => Client::browser(&mut dice),
                false => Client::member(format!("member{n}"), &signer, unix, &mut dice),
            };
            let mut world = world.borrow_mut();
            world.backlog.push_back(client.pipe.clone());
            world.shortage += dice.one_in(5) as usize;
            clients.push(client);
        }
        for (n, client) in clients.iter_mut().enumerate() {
            client.act(&mut dice, n > 0 && !settling);
            if settling && !client.gone {
                let mut pipe = client.pipe.borrow_mut();
                client.got.extend(pipe.to_peer.drain(..));
                pipe.room = 1 << 20;
                pipe.edge.writable |= std::mem::take(&mut pipe.blocked);
            }
        }
        let list = edges(&world, &mut dice, if settling { Manner::Prompt } else { Manner::Whimsical });
        let all_in = world.borrow().backlog.is_empty();
        quiet = if all_in && list.len() <= 1 && wait != Some(Duration::ZERO) { quiet + 1 } else { 0 };
        now += Duration::from_millis(dice.below(40) as u64);
        wait = server.turn(&list, now);
        let counts = server.counts();
        assert!(counts.members <= counts.connections, "{counts:?}");
        if settling && quiet > 20 && clients.iter().all(|client| client.gone || client.script.is_empty()) {
            break;
        }
        assert!(turn < 20_000, "the simulation does not come to rest: {counts:?}");
    }
    check(&clients);
    leave(&mut clients, &world, &mut server, &mut dice, now);
}

fn check(clients: &[Client]) {
    let log = lines(&clients[0].got);
    assert_eq!(log[0], "witness enter room");
    for client in clients.iter().filter(|client| !client.gone) {
        if client.is_member {
            let seen = lines(&client.got);
            let enter = format!("{} enter room", client.name);
            let start = log.iter().position(|line| *line == enter).expect("the witness saw everybody enter");
            assert_eq!(seen, log[start..], "{} saw something else than the witness", client.name);
        } else {
            let text = String::from_utf8_lossy(&client.got);
            assert_eq!(text.matches("Hello, World!").count(), client.requests);
            assert!(text.ends_with("Hello, World!"));
        }
    }
}

/// Everybody leaves, and nothing is left.
fn leave(
    clients: &mut [Client],
    world: &Rc<RefCell<World>>,
    server: &mut Server<SimNetwork, Site>,
    dice: &mut Dice,
    mut now: Instant,
) {
    for client in clients.iter_mut().filter(|client| !client.gone) {
        let mut pipe = client.pipe.borrow_mut();
        pipe.peer_fin = true;
        pipe.edge.read_closed = true;
    }
    for _ in 0..200 {
        now += Duration::from_millis(100);
        server.turn(&edges(world, dice, Manner::Prompt), now);
    }
    // One that vanished without reading its answers is given up when its output has stalled for long enough.
    server.turn(&[], now + Duration::from_secs(4000));
    let counts = server.counts();
    assert_eq!((counts.connections, counts.members, counts.fetches, counts.booked), (0, 0, 0, 0), "{counts:?}");
    assert!(world.borrow().pipes.iter().all(|pipe| pipe.borrow().server_gone), "a stream was not dropped");
    server.turn(&[], now + Duration::from_secs(8000));
    assert_eq!(server.counts().timers, 0);
}

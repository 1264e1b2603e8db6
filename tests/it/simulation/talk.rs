//! What strangers say: pipelined requests of every kind, then perhaps an upgrade with frames right after it, a last
//! word or a broken one; and what they must hear if no byte was changed.

use crate::support::dice::Dice;
use squall::site::cookie::Signer;
use squall::ws::deflate::{Agreement, Codec, negotiate};
use squall::ws::frame::{Opcode, encode_masked};
use squall::ws::session::{Kind, Session};

/// Bytes of a message on `/echo`; longer ones are refused.
pub const ECHO_BYTES_MAX: usize = 30_000;

/// RSV1 of a message's first frame.
const COMPRESSED: u8 = 0x40;

/// The next thing that a stranger must hear.
#[derive(Debug)]
pub enum Expected {
    /// A response with one of these; with 101, what follows are frames. `true`: it has no body in spite of its length.
    Response(&'static [u16], bool),
    /// The same message.
    Message(Kind, Vec<u8>),
    /// The last frame.
    Close(u16),
    /// From here on, whatever a room has to say.
    Room,
}

/// What one stranger says, and will hear.
#[derive(Default)]
pub struct Talk {
    pub bytes: Vec<u8>,
    pub expected: Vec<Expected>,
    /// A client that hangs up before the response does not want it.
    pub must_stay: bool,
    /// A byte was changed: nothing is certain any more.
    pub is_mutated: bool,
}

/// Requests with one response each, after which the connection goes on. `#` becomes a number.
const REQUESTS: [(&str, &[u16]); 17] = [
    ("GET / HTTP/1.1\r\nHost: sim\r\n\r\n", &[200]),
    ("GET /plaintext HTTP/1.1\r\nHost: sim\r\n\r\n", &[200]),
    ("HEAD /plaintext HTTP/1.1\r\nHost: sim\r\n\r\n", &[200]),
    ("HEAD / HTTP/1.1\r\nHost: sim\r\nAccept-Language: de\r\n\r\n", &[200]),
    ("\r\n\r\nGET /static/squall.css HTTP/1.1\r\nHost: sim\r\n\r\n", &[200]),
    ("GET /healthz HTTP/1.1\r\nHost: sim\r\n\r\n", &[200, 503]),
    ("GET /nowhere HTTP/1.1\r\nHost: sim\r\n\r\n", &[404]),
    ("GET http://sim/chat/ HTTP/1.1\r\nHost: other\r\n\r\n", &[303]),
    ("GET /echo HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\n\r\n", &[426]),
    ("GET /sleep?seconds=0.0# HTTP/1.1\r\nHost: sim\r\n\r\n", &[200]),
    ("GET /search?wd=# HTTP/1.1\r\nHost: sim\r\n\r\n", &[502, 503, 504]),
    ("OPTIONS * HTTP/1.1\r\nHost: sim\r\n\r\n", &[204]),
    ("BREW /pot HTTP/1.1\r\nHost: sim\r\n\r\n", &[501]),
    ("POST /plaintext HTTP/1.1\r\nHost: sim\r\nContent-Length: 7\r\n\r\nGET / H", &[405]),
    (
        "POST /login HTTP/1.1\r\nHost: sim\r\nContent-Length: 14\r\nExpect: 100-continue\r\n\r\nusername=ann-#",
        &[303, 409],
    ),
    (
        "POST /login HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\n\
         9;a=b\r\nusername=\r\n5\r\nbob-#\r\n0\r\nX: y\r\n\r\n",
        &[303, 409],
    ),
    ("POST /logout HTTP/1.1\r\nHost: sim\r\nContent-Length: 0\r\n\r\n", &[303]),
];

/// Requests after which nothing counts.
const LAST: [(&str, &[u16]); 9] = [
    ("GET /plaintext HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n", &[200]),
    ("GET /plaintext HTTP/1.0\r\n\r\n", &[200]),
    ("GET /forgotten HTTP/1.1\r\nHost: sim\r\n\r\n", &[503]),
    ("GET /plaintext HTTP/1.1\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\nHost: sim\n\n", &[400]),
    ("GET / HTTP/1.1\r\nHost : sim\r\n\r\n", &[400]),
    ("POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", &[400]),
    ("POST /login HTTP/1.1\r\nHost: sim\r\nContent-Length: 99999999\r\n\r\n", &[413]),
    ("POST /login HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", &[400]),
];

const UPGRADE: &str = "Host: sim\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const OFFERS: [&str; 4] = [
    "permessage-deflate",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; server_max_window_bits=10",
    "permessage-deflate; client_max_window_bits",
];

/// The head of a handshake for `path`, which may offer compression; with a cookie for the chat.
pub fn handshake(path: &str, cookie: Option<&str>, offer: Option<&str>) -> String {
    let cookie = cookie.map_or(String::new(), |cookie| format!("Cookie: username={cookie}\r\n"));
    let offer = offer.map_or(String::new(), |offer| format!("Sec-WebSocket-Extensions: {offer}\r\n"));
    format!("GET {path} HTTP/1.1\r\n{UPGRADE}{cookie}{offer}\r\n")
}

/// What to offer, if anything, and if the server knows how.
pub fn offer(dice: &mut Dice) -> Option<&'static str> {
    let offer = OFFERS[dice.below(OFFERS.len())];
    (dice.one_in(2) && cfg!(feature = "deflate")).then_some(offer)
}

/// The client's session after a response with this head, and what it may have to inflate with.
pub fn session(head: &str) -> (Session, Codec) {
    let agreed = head.lines().filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let agreement = negotiate(agreed.map(str::as_bytes), false);
    // What comes is what the server sends.
    let agreement = agreement.map(|it| Agreement { server: it.client, client: it.server, ..it });
    (Session::client(1 << 20).compressed_by(agreement), Codec::new(&squall::ws::Limits::default()))
}

impl Talk {
    pub fn new(name: &str, signer: &Signer, now: u64, may_compress: bool, dice: &mut Dice) -> Talk {
        let mut talk = Talk::default();
        let most = [2, 6, 6, 40][dice.below(4)];
        for _ in 0..dice.below(most) {
            talk.request(REQUESTS[dice.below(REQUESTS.len())], dice);
        }
        match dice.below(8) {
            0 | 1 => {
                let offer = offer(dice).filter(|_| may_compress);
                talk.say(&handshake("/echo", None, offer), &[101]);
                talk.echoes(offer.is_some(), dice);
            }
            2 => {
                let cookie = signer.sign("username", name.as_bytes(), now);
                talk.say(&handshake("/chat/", Some(&cookie), offer(dice).filter(|_| may_compress)), &[101]);
                talk.expected.push(Expected::Room);
                for n in 0..dice.below(6) {
                    talk.frame(Opcode::Text, true, format!("{n} {}", "x".repeat(dice.below(300))).as_bytes(), dice);
                    talk.perhaps_ping(dice);
                }
            }
            3 | 4 => {
                let (text, statuses) = LAST[dice.below(LAST.len())];
                talk.request((text, statuses), dice);
                // A refused client cannot know it yet; others have sent their last request.
                let behind = if statuses[0] == 200 { 0 } else { dice.below(1500) };
                talk.bytes.extend(std::iter::repeat_n(b'?', behind));
            }
            _ => {}
        }
        if dice.one_in(3) {
            talk.mutate(dice);
        }
        talk
    }

    fn say(&mut self, text: &str, statuses: &'static [u16]) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.must_stay |= text.contains("/search");
        self.expected.push(Expected::Response(statuses, text.starts_with("HEAD")));
    }

    fn request(&mut self, (text, statuses): (&str, &'static [u16]), dice: &mut Dice) {
        self.say(&text.replace('#', &dice.below(10).to_string()), statuses);
    }

    fn frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8], dice: &mut Dice) {
        let mask = [0; 4].map(|_: u8| dice.below(256) as u8);
        encode_masked(opcode, fin, mask, payload, &mut self.bytes);
    }

    fn perhaps_ping(&mut self, dice: &mut Dice) {
        if dice.one_in(3) {
            let payload = vec![b'p'; dice.below(126)];
            self.frame(if dice.one_in(4) { Opcode::Pong } else { Opcode::Ping }, true, &payload, dice);
        }
    }

    fn echoes(&mut self, may_compress: bool, dice: &mut Dice) {
        let mut codec = Codec::new(&squall::ws::Limits { deflate_bytes_min: 0, ..Default::default() });
        for _ in 0..dice.below(8) {
            let length = [10, 300, 4000, ECHO_BYTES_MAX][dice.below(4)];
            let (first, length) = (dice.below(256), dice.below(length));
            let is_text = dice.one_in(2);
            let byte = |n: usize| if is_text { b'a' + (n % 26) as u8 } else { n as u8 };
            let payload: Vec<u8> = (first..first + length).map(byte).collect();
            let (kind, opcode) = if is_text { (Kind::Text, Opcode::Text) } else { (Kind::Binary, Opcode::Binary) };
            let compressed = if may_compress && dice.one_in(2) { codec.deflate(&payload) } else { None };
            let (sent, begin) = (compressed.unwrap_or(&payload), self.bytes.len());
            let mut cuts = [dice.below(sent.len()), dice.below(sent.len())];
            cuts.sort();
            if dice.one_in(2) {
                self.frame(opcode, true, sent, dice);
            } else {
                self.frame(opcode, false, &sent[..cuts[0]], dice);
                self.perhaps_ping(dice);
                self.frame(Opcode::Continuation, false, &sent[cuts[0]..cuts[1]], dice);
                self.perhaps_ping(dice);
                self.frame(Opcode::Continuation, true, &sent[cuts[1]..], dice);
            }
            if compressed.is_some() {
                self.bytes[begin] |= COMPRESSED;
            }
            self.expected.push(Expected::Message(kind, payload));
            self.perhaps_ping(dice);
        }
        self.last_frame(dice);
    }

    fn last_frame(&mut self, dice: &mut Dice) {
        let code = match dice.below(7) {
            0 | 1 => {
                let code = [1000, 1001, 1003, 4000][dice.below(4)];
                self.frame(Opcode::Close, true, &[&u16::to_be_bytes(code)[..], b"bye"].concat(), dice);
                return self.expected.push(Expected::Close(code));
            }
            2 => {
                self.bytes.extend_from_slice(&[0x81, 1, b'a']);
                1002
            }
            3 => {
                self.frame(Opcode::Text, true, b"\xff", dice);
                1007
            }
            4 => {
                let longer = ECHO_BYTES_MAX as u64 + 70_000;
                self.bytes.extend_from_slice(&[&[0x82, 0xff][..], &longer.to_be_bytes(), &[1, 2, 3, 4]].concat());
                1009
            }
            _ => return,
        };
        self.expected.push(Expected::Close(code));
        if dice.one_in(2) {
            self.frame(Opcode::Text, true, b"to nobody", dice);
        }
    }

    /// Changes, doubles, drops or adds bytes, a few times.
    fn mutate(&mut self, dice: &mut Dice) {
        self.is_mutated = true;
        for _ in 0..1 + dice.below(4) {
            let at = dice.below(self.bytes.len());
            let end = at + dice.below(30.min(self.bytes.len() - at));
            match dice.below(5) {
                _ if self.bytes.is_empty() => return,
                0 => self.bytes[at] ^= 1 << dice.below(8),
                1 => self.bytes[at] = b"\r\n\0 :,;x0\xff"[dice.below(10)],
                2 => drop(self.bytes.drain(at..end)),
                3 => self.bytes.extend_from_within(at..end),
                _ => {
                    let twice = self.bytes[at..end].to_vec();
                    self.bytes.splice(at..at, twice);
                }
            }
        }
    }
}

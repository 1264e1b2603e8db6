use super::*;
use crate::http;

/// What a connection heard, without the bytes it borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Request(String, String),
    Continue,
    Refused(u16),
}
use Heard::{Continue, Refused, Request};

/// One connection whose input comes in pieces and whose requests get their responses at once.
struct Peer {
    http: Http,
    kept: Vec<u8>,
    heard: Vec<Heard>,
    is_over: bool,
}

impl Peer {
    fn new() -> Peer {
        Peer { http: http(), kept: Vec::new(), heard: Vec::new(), is_over: false }
    }

    /// Takes everything out of `piece` and what was kept.
    fn sends(&mut self, piece: &[u8], limits: &Limits) {
        self.kept.extend_from_slice(piece);
        while !self.is_over && self.http.wants_input() {
            let (used, step) = self.http.step(&self.kept, limits);
            let heard = match step {
                Step::Starved => break,
                Step::Quiet => None,
                Step::ExpectsContinue => Some(Continue),
                Step::Request(request, body) => {
                    let line = format!("{} {}", request.method_token(), request.target());
                    Some(Request(line, String::from_utf8_lossy(body).into_owned()))
                }
                Step::Refused(status, _) => Some(Refused(status)),
                other => panic!("{other:?}"),
            };
            self.kept.drain(..used);
            self.is_over = match heard {
                Some(Request(..)) => {
                    self.http.owe(None);
                    respond(&mut self.http) != Begun::Whole { keep_alive: true }
                }
                Some(Refused(_)) => true,
                _ => false,
            };
            self.heard.extend(heard);
        }
    }
}

fn http() -> Http {
    Http::new(Service::Site, None)
}

fn respond(http: &mut Http) -> Begun {
    http.respond(&Response::text(200, "ok"), &[b' '; 29], &mut Vec::new())
}

/// What is heard of `wire`, which must not depend on where it is cut.
fn hear_with(wire: &str, limits: &Limits) -> Vec<Heard> {
    let mut whole = Peer::new();
    whole.sends(wire.as_bytes(), limits);
    for split in 0..=wire.len() {
        let mut peer = Peer::new();
        peer.sends(&wire.as_bytes()[..split], limits);
        peer.sends(&wire.as_bytes()[split..], limits);
        assert_eq!(peer.heard, whole.heard, "split at {split}");
    }
    let mut peer = Peer::new();
    wire.bytes().for_each(|byte| peer.sends(&[byte], limits));
    assert_eq!(peer.heard, whole.heard, "byte by byte");
    whole.heard
}

fn hear(wire: &str) -> Vec<Heard> {
    hear_with(wire, &Limits::default())
}

fn request(line: &str, body: &str) -> Heard {
    Request(line.to_owned(), body.to_owned())
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_pipelined_transcript_gives_the_same_events_at_every_split() {
    let wire = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
                POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
                POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\r\n\
                POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                3\r\nwor\r\n2;x=y\r\nld\r\n0\r\nTrailer: t\r\n\r\n\
                POST /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
                HEAD /6 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\
                GET /7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\
                GET /never HTTP/1.1\r\nHost: a\r\n\r\n";
    let expected = [
        request("GET /1", ""),
        request("POST /2", "hello"),
        request("POST /3", ""),
        request("POST /4", "world"),
        request("POST /5", ""),
        request("HEAD /6", ""),
        request("GET /7", ""),
    ];
    assert_eq!(hear(wire), expected);
}

#[test]
fn nothing_is_read_behind_a_refused_request() {
    let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
    let http =
        http::Limits { body_bytes_max: 5, head_bytes_max: 200, request_line_bytes_max: 100, ..Default::default() };
    let limits = Limits { http, ..Limits::default() };
    for (wire, status) in [
        ("GET / HTTP/1.1\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (post("Content-Length: 5\r\nTransfer-Encoding: chunked", "hello"), 400),
        (post("Transfer-Encoding: chunked", "x\r\n"), 400),
        (post("Content-Length: 6", "world!"), 413),
        (post("Transfer-Encoding: chunked", "6\r\nworld!\r\n"), 413),
        (format!("GET /{}", "x".repeat(200)), 414),
        (post("Expect: 200-ok", ""), 417),
        (post(&format!("X: {}", "x".repeat(200)), ""), 431),
        (post("Transfer-Encoding: gzip, chunked", ""), 501),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505),
    ] {
        assert_eq!(hear_with(&wire, &limits), [Refused(status)], "{wire}");
        assert_eq!(hear_with(&format!("{GET}{wire}"), &limits), [request("GET /", ""), Refused(status)], "{wire}");
    }
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let (limits, done) = (Limits::default(), [request("POST /", "hello")]);
    let mut peer = Peer::new();
    peer.sends(head.as_bytes(), &limits);
    assert_eq!(peer.heard, [Continue]);
    peer.sends(b"hel", &limits);
    peer.sends(b"lo", &limits);
    assert_eq!(peer.heard[1..], done);

    let mut peer = Peer::new();
    peer.sends(format!("{head}h").as_bytes(), &limits);
    peer.sends(b"ello", &limits);
    assert_eq!(peer.heard, done, "it has not waited");
}

#[test]
fn nothing_is_parsed_while_a_response_is_owed() {
    for phase in [Phase::Owed, Phase::Streaming(BodyCoding::Chunked)] {
        let mut http = Http { phase, ..http() };
        assert!(!http.wants_input());
        assert!(matches!(http.step(GET.as_bytes(), &Limits::default()), (0, Step::Starved)));
    }
}

#[test]
fn a_response_is_written_once_and_says_whether_it_was_the_last() {
    let mut http = http();
    assert!(http.wants_input() && !http.is_responding());
    assert_eq!(respond(&mut http), Begun::NotOwed);
    for keep_alive in [true, false] {
        http.owe(None);
        http.terms.keep_alive = keep_alive;
        assert!(!http.wants_input() && http.is_responding());
        assert_eq!(respond(&mut http), Begun::Whole { keep_alive });
        assert!(http.wants_input() && !http.is_responding());
    }
}

#[test]
fn a_higher_minor_version_is_a_request_at_every_split() {
    let post = "POST / HTTP/1.9\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(hear("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), [request("GET /", "")]);
    assert_eq!(hear(&format!("{post}{GET}")), [request("POST /", "hello"), request("GET /", "")]);
    assert_eq!(hear("GET / HTTP/1.2\r\n\r\n"), [Refused(400)]);
}

#[test]
fn a_response_ends_a_sleep() {
    let mut http = http();
    http.owe(None);
    http.deadline = Deadline::Asleep;
    assert_eq!(http.deadline_wanted(b"", false), Deadline::Asleep);
    respond(&mut http);
    http.owe(None);
    assert_eq!(http.deadline_wanted(b"", false), Deadline::Owed, "of the next request");
}

#[test]
fn only_a_request_that_comes_in_pieces_holds_memory() {
    let limits = Limits::default();
    let mut peer = Peer::new();
    peer.sends(GET.as_bytes(), &limits);
    assert_eq!((peer.http.held(), peer.kept.len()), (0, 0));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    peer.sends(head.as_bytes(), &limits);
    assert_eq!((peer.http.held(), peer.kept.len()), (head.len(), 0));
    peer.sends(b"hel", &limits);
    assert!(peer.http.held() >= head.len() + 3 && peer.kept.is_empty());
    peer.sends(b"lo", &limits);
    assert_eq!(peer.http.held(), 0);
}

#[test]
fn the_deadline_follows_from_the_state() {
    let reader = || BodyReader::new(Framing::Length(5), 5);
    let body = || Phase::Body(Box::new(Gathered { head: vec![], body: vec![], reader: reader() }));
    let streaming = || Phase::Streaming(BodyCoding::Chunked);
    // By (part of a head is kept, output waits).
    for (phase, neither, input, output, both) in [
        (Phase::Head, Deadline::Idle, Deadline::Head, Deadline::Writing, Deadline::Writing),
        (body(), Deadline::Body, Deadline::Body, Deadline::Writing, Deadline::Writing),
        (Phase::Owed, Deadline::Owed, Deadline::Owed, Deadline::Owed, Deadline::Owed),
        (streaming(), Deadline::Owed, Deadline::Owed, Deadline::Writing, Deadline::Writing),
    ] {
        let mut http = Http { phase, ..http() };
        http.scan.find_end(b"GET", &Limits::default().http).expect("nothing wrong so far");
        let wanted = [(&b""[..], false), (b"GET", false), (b"", true), (b"GET", true)];
        let wanted = wanted.map(|(kept, output_waits)| http.deadline_wanted(kept, output_waits));
        assert_eq!(wanted, [neither, input, output, both], "{:?}", http.phase);
    }
    assert_eq!(http().deadline_wanted(b"\r\n", false), Deadline::Idle, "an empty line is no head");
}

#[test]
fn each_deadline_has_its_limit() {
    let limits = Limits {
        idle_for: Duration::from_secs(1),
        head_within: Duration::from_secs(2),
        body_within: Duration::from_secs(3),
        write_stall: Duration::from_secs(4),
        response_within: Duration::from_secs(5),
        ..Limits::default()
    };
    let deadlines = [Deadline::Idle, Deadline::Head, Deadline::Body, Deadline::Writing, Deadline::Owed];
    assert_eq!(deadlines.map(|deadline| deadline.limit(&limits).as_secs()), [1, 2, 3, 4, 5]);
}

/// A body written in these pieces, and how it ended.
fn stream(coding: BodyCoding, pieces: &[&str], end: StreamEnd) -> (String, Ended) {
    let (mut http, mut out) = (Http { phase: Phase::Streaming(coding), ..http() }, Vec::new());
    http.terms.keep_alive = true;
    pieces.iter().for_each(|piece| http.encode_piece(piece.as_bytes(), &mut out));
    let ended = http.end_stream(end, &mut out);
    (String::from_utf8(out).expect("text"), ended)
}

#[test]
fn a_streamed_body_is_written_as_its_head_has_promised() {
    let (pieces, body) = (["hello ", "", "world"], "hello world");
    let (whole, last) = (Ended::Whole { keep_alive: true }, Ended::Whole { keep_alive: false });
    let chunked = "6\r\nhello \r\n5\r\nworld\r\n";
    use BodyCoding::{Chunked, Length, UntilClose};
    for (coding, end, text, ended) in [
        (Chunked, StreamEnd::Whole, format!("{chunked}0\r\n\r\n"), &whole),
        (Chunked, StreamEnd::Truncated, chunked.to_owned(), &last),
        (UntilClose, StreamEnd::Whole, body.to_owned(), &whole),
        (UntilClose, StreamEnd::Truncated, body.to_owned(), &Ended::Cut),
        (Length(11), StreamEnd::Whole, body.to_owned(), &whole),
        (Length(11), StreamEnd::Truncated, body.to_owned(), &last),
        // One byte is missing.
        (Length(12), StreamEnd::Whole, body.to_owned(), &last),
        // What exceeds it is dropped.
        (Length(8), StreamEnd::Whole, "hello wo".to_owned(), &whole),
    ] {
        assert_eq!(stream(coding, &pieces, end), (text, *ended), "{coding:?}, {end:?}");
    }
}

#[test]
fn pieces_for_no_stream_are_dropped() {
    for phase in [Phase::Head, Phase::Owed] {
        let (mut http, mut out) = (Http { phase, ..http() }, Vec::new());
        http.encode_piece(b"late", &mut out);
        assert_eq!(http.end_stream(StreamEnd::Whole, &mut out), Ended::NotStreaming);
        assert!(out.is_empty());
    }
}

#[test]
fn blocks_go_out_only_where_their_length_was_promised() {
    let mut blocks = Blocks::default();
    blocks.push(b"hello");
    for (coding, takes) in [(BodyCoding::Length(5), true), (BodyCoding::Length(6), false), (BodyCoding::Chunked, false)]
    {
        assert_eq!(Http { phase: Phase::Streaming(coding), ..http() }.takes_blocks(&blocks), takes, "{coding:?}");
    }
}

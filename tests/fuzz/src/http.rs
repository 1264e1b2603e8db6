//! Transcripts of the machines of HTTP: heads, requests, bodies, responses.

use super::cuts::{Cuts, Next, feed};
use squall::conn::Step;
use squall::conn::http::{Begun, Http};
use squall::event::Response;
use squall::http::Limits;
use squall::http::body::{BodyError, BodyReader};
use squall::http::chunked::Piece;
use squall::http::exchange::{Exchange, ExchangeError, ExchangeEvent};
use squall::http::request::{Framing, HeadScan, HttpError, Request, parse_request};
use squall::net::listeners::Service;
use squall::zlib::PIECE_BYTES_MAX;

/// Names and values of fields.
pub type Fields = Vec<(String, Vec<u8>)>;

/// A request's head, without the bytes it borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub method: &'static str,
    pub target: String,
    pub path: String,
    pub query: String,
    pub host: String,
    pub http_1_0: bool,
    pub fields: Fields,
    pub framing: Framing,
    pub keep_alive: bool,
    pub expects_continue: bool,
    pub wants_upgrade: bool,
}

/// A whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub head: Head,
    pub body: Vec<u8>,
}

/// What is heard of a connection's input by a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Request(Asked),
    /// The last thing that is heard.
    Refused(u16, String),
}

/// A whole response, as a client has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeResponse {
    pub status: u16,
    pub fields: Fields,
    pub length: Option<u64>,
    pub body: Vec<u8>,
    /// Bytes of the input that it took.
    pub used: usize,
    pub kept: bool,
}

/// Limits that short inputs reach.
pub fn small() -> Limits {
    Limits {
        request_line_bytes_max: 64,
        head_bytes_max: 256,
        head_fields_max: 8,
        blank_bytes_max: 6,
        body_bytes_max: 96,
        response_head_bytes_max: 256,
        response_body_bytes_max: 160,
        inflated_bytes_max: 40_000,
    }
}

/// The usual limits, but what a fuzzer's input inflates to must be read in no time.
pub fn usual() -> Limits {
    Limits { inflated_bytes_max: 256 << 10, ..Limits::default() }
}

impl Head {
    fn new(request: &Request) -> Head {
        Head {
            method: request.method.as_str(),
            target: request.target().to_owned(),
            path: request.path().to_owned(),
            query: request.query().to_owned(),
            host: request.host().to_owned(),
            http_1_0: request.http_1_0,
            fields: request
                .fields
                .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
                .collect(),
            framing: request.framing,
            keep_alive: request.keeps_alive(),
            expects_continue: request.expects_continue(),
            wants_upgrade: request.wants_upgrade(),
        }
    }
}

/// The heads that follow each other in `wire`, bodies left out, up to the first that is refused or not whole; and the
/// bytes used.
pub fn heads(wire: &[u8], cuts: Cuts, limits: &Limits) -> (Vec<Result<Head, HttpError>>, usize) {
    let mut heard = Vec::new();
    let mut scan = HeadScan::default();
    let used = feed(wire, cuts, |buf, _| {
        let found = scan.find_end(buf, limits).and_then(|end| {
            let Some(end) = end else { return Ok(None) };
            assert!(end <= limits.blank_bytes_max + limits.head_bytes_max && buf[..end].ends_with(b"\r\n\r\n"));
            assert!(scan.is_idle(), "ready for the next one");
            Ok(Some((end, Head::new(&parse_request(&buf[..end], limits)?))))
        });
        let (step, head) = match found {
            Ok(None) => return (0, Next::Starved),
            Ok(Some((end, head))) => ((end, Next::Again), Ok(head)),
            Err(e) => ((0, Next::Over), Err(e)),
        };
        heard.push(head);
        step
    });
    (heard, used)
}

/// What a server hears of a connection whose requests it answers at once, and the bytes used if it refuses nothing.
pub fn requests(wire: &[u8], cuts: Cuts, limits: &Limits) -> (Vec<Heard>, usize) {
    let all = squall::config::Limits { http: *limits, ..Default::default() };
    let held_max = limits.blank_bytes_max + limits.head_bytes_max + 2 * limits.body_bytes_max;
    let mut heard = Vec::new();
    let (mut http, mut is_over) = (Http::new(Service::Site, None), false);
    let used = feed(wire, cuts, |buf, _| {
        let (used, step) = http.step(buf, &all);
        match step {
            Step::Starved => return (used, Next::Starved),
            Step::Quiet | Step::ExpectsContinue => {}
            Step::Request(request, body) => {
                assert!(body.len() <= limits.body_bytes_max);
                heard.push(Heard::Request(Asked { head: Head::new(&request), body: body.to_vec() }));
                http.owe(None);
                let begun = http.respond(&Response::text(200, ""), &[b' '; 29], &mut Vec::new());
                is_over = begun != Begun::Whole { keep_alive: true };
            }
            Step::Refused(status, why) => {
                assert!((400..600).contains(&status), "{status}");
                heard.push(Heard::Refused(status, why));
                is_over = true;
            }
            other => panic!("{other:?}"),
        }
        assert!(http.held() <= held_max, "{} bytes held", http.held());
        (used, if is_over { Next::Over } else { Next::Again })
    });
    let refused = matches!(heard.last(), Some(Heard::Refused(..)));
    (heard, if refused { 0 } else { used })
}

/// A body, whether its end was reached, and the bytes used.
pub fn body(wire: &[u8], cuts: Cuts, reader: BodyReader) -> Result<(Vec<u8>, bool, usize), BodyError> {
    let mut reader = reader;
    let (mut body, mut ended, mut failed) = (Vec::new(), false, None);
    let used = feed(wire, cuts, |buf, _| match reader.receive(buf) {
        Ok((used, Some(Piece::Data(bytes)))) => {
            assert!(!bytes.is_empty() && bytes.len() <= used);
            body.extend_from_slice(bytes);
            (used, Next::Again)
        }
        Ok((used, Some(Piece::End))) => {
            ended = true;
            (used, Next::Over)
        }
        Ok((used, None)) => {
            assert_eq!(used, buf.len(), "without a piece all is used");
            (used, Next::Starved)
        }
        Err(e) => {
            failed = Some(e);
            (0, Next::Over)
        }
    });
    failed.map_or(Ok((body, ended, used)), Err)
}

/// A response whose connection ends behind `wire`. `head`: HEAD was asked; `decode`: content codings are taken off.
pub fn response(
    wire: &[u8],
    cuts: Cuts,
    head: bool,
    decode: bool,
    limits: &Limits,
) -> Result<WholeResponse, ExchangeError> {
    let body_max = limits.response_body_bytes_max.max(if decode { limits.inflated_bytes_max } else { 0 });
    let mut exchange = Exchange::new(head, decode);
    let mut response: Option<WholeResponse> = None;
    let mut outcome = None;
    let used = feed(wire, cuts, |buf, eof| {
        assert!(!exchange.keeps_alive(), "before the end nobody knows");
        let (used, event) = match exchange.receive(buf, eof, limits) {
            Ok(step) => step,
            Err(e) => {
                outcome = Some(Err(match e {
                    // Where a piece is too much and wrong, the one or the other is seen first.
                    ExchangeError::BodyTooLarge(_) | ExchangeError::Coding(_) if decode => {
                        ExchangeError::BodyTooLarge(0)
                    }
                    e => e,
                }));
                return (0, Next::Over);
            }
        };
        match event {
            Some(ExchangeEvent::Head(head)) => {
                assert!(response.is_none() && (200..1000).contains(&head.status), "one final head");
                let fields = head.headers.map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
                let (status, length) = (head.status, head.length);
                response = Some(WholeResponse { status, fields, length, body: Vec::new(), used: 0, kept: false });
            }
            Some(ExchangeEvent::Body(bytes)) => {
                assert!(!bytes.is_empty() && (!decode || bytes.len() <= buf.len().max(PIECE_BYTES_MAX)));
                let response = response.as_mut().expect("a head before its body");
                response.body.extend_from_slice(bytes);
                assert!(response.body.len() as u64 <= body_max);
            }
            Some(ExchangeEvent::Done) => {
                outcome = Some(Ok(()));
                return (used, Next::Over);
            }
            None if used > 0 => {}
            None => {
                assert!(!eof, "with the end of input there is an event or an error");
                return (0, Next::Starved);
            }
        }
        (used, Next::Again)
    });
    outcome.expect("a response ends in Done or an error")?;
    let kept = exchange.keeps_alive();
    assert!(!(kept && exchange.ends_with_connection()));
    Ok(WholeResponse { used, kept, ..response.expect("a head before the end") })
}

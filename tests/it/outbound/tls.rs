//! Certificates that do not hold, handshakes that do not end well, and records that are none.

use super::ways::End::{Arrives, Fails};
use super::ways::Play::{Raw, RawTls};
use super::ways::{LATE_BODY, Way, hold, way};
use super::{Recorder, limits};
use crate::support::tls_site::{Authority, Secured, authority, certificate, good, self_signed, valid_between};
use crate::support::{Dir, PATIENCE, Response, Site, Stub, get, ms, wait_for};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{ServerConfig, ServerConnection};
use squall::config::Limits;
use squall::reactor::Loop;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

pub const WAYS: &[Way] = &[
    // Whom it claims to be.
    way("has a certificate for another host", RawTls(another_host), Fails(ELSEWHERE)),
    way("has a certificate for no name", RawTls(nameless), Fails(NO_NAME)),
    way("has an expired certificate", RawTls(expired), Fails("the certificate expired ")),
    way("has a certificate that is not valid yet", RawTls(not_yet), Fails("the certificate is valid only in ")),
    way("has a certificate of a foreign authority", RawTls(foreign), Fails(UNKNOWN)),
    way("has signed its certificate itself", RawTls(own), Fails(UNKNOWN)),
    way("has a certificate for clients", RawTls(for_clients), Fails(USAGE)),
    // Another protocol.
    way("speaks plain HTTP where TLS is due", RawTls(plain_http), Fails(NO_TLS)),
    way("speaks TLS where plain HTTP is due", Raw(tls_on_http), Fails("it is not HTTP/1")),
    way("speaks HTTP/2 only", RawTls(http_2_only), Fails(ALPN)),
    way("speaks TLS 1.1 only", RawTls(tls_1_1), Fails("the peer refused us: it shares no version of TLS with us")),
    // An end within the handshake.
    way("closes behind the client's hello", RawTls(closes_behind_hello), Fails(EARLY_HELLO)),
    way("closes behind its own hello", RawTls(closes_behind_its_hello), Fails(EARLY_HELLO)),
    way("refuses the handshake", RawTls(refuses), Fails(REFUSED)),
    way("resets within the handshake", RawTls(resets_in_handshake), Fails(RESET)),
    way("says nothing in the handshake", RawTls(|mut stream| hold(&mut stream)), Fails(SLOW)),
    way("stops behind its hello", RawTls(stops_behind_its_hello), Fails(SLOW)),
    way("drips its handshake", RawTls(drips), Fails(SLOW)),
    way("complains behind the handshake", RawTls(complains), Fails("what we sent (alert BadRecordMac)")),
    // Behind the handshake.
    way("sends garbage instead of a record", RawTls(garbage), Fails(GARBAGE)),
    way("sends a record that was tampered with", RawTls(bad_mac), Fails("cannot decrypt peer's message")),
    way("sends a record that is too long", RawTls(oversized), Fails("the peer sent a TLS record that is too long")),
    way("closes a TLS connection without an answer", RawTls(|stream| drop(meet(stream))), Fails(NOTHING)),
    way("cuts a body that only its end would end", RawTls(cut_until_close), Fails(CUT)),
    way("cuts a body with a length", RawTls(cut_length), Fails(EARLY)),
    way("cuts a body in chunks", RawTls(cut_chunks), Fails(EARLY)),
    way("closes TLS within a body with a length", RawTls(closed_length), Fails(EARLY)),
    way("stops within a secured body", RawTls(stops), Fails(LATE_BODY)),
    way("ends a secured body by closing", RawTls(until_close), Arrives("hello")),
    way("cuts the connection behind a whole body", RawTls(whole_then_cut), Arrives("hello")),
];

const ELSEWHERE: &str = "the certificate is not for 127.0.0.1 but for elsewhere.test";
const USAGE: &str = "the certificate is not for servers but for clients";
const ALPN: &str = "the peer refused us: it does not speak HTTP/1.1 (alert NoApplicationProtocol)";
const REFUSED: &str = "the peer refused us: it shares no cipher or kind of key with us";
const NOTHING: &str = "the connection was closed without a response";
const EARLY: &str = "the connection was closed before the body was whole";
const EARLY_HELLO: &str = "closed within the TLS handshake";
const NO_TLS: &str = "127.0.0.1: the peer does not speak TLS";
const UNKNOWN: &str = "the certificate is from an unknown issuer";
const NO_NAME: &str = "the certificate is not for 127.0.0.1";
const SLOW: &str = "no secure connection to 127.0.0.1 within 1 s";
const RESET: &str = "no secure connection to 127.0.0.1: connection reset";
const GARBAGE: &str = "before the response was whole: the peer sent something that is no TLS record";
const CUT: &str = "it ended without a TLS close_notify";

/// The client knows the tests' own authority.
pub fn trusting(mut client: Loop<Recorder>) -> Loop<Recorder> {
    let roots = Dir::new();
    roots.write("ca.pem", authority().pem());
    client.trust(&roots.path().join("ca.pem")).unwrap_or_else(|e| panic!("{e}"));
    client
}

const NAMES: &[&str] = &["localhost", "127.0.0.1"];

/// The connection after its request.
fn meet(stream: TcpStream) -> Option<Secured> {
    Secured::meet(stream, good())
}

/// The certificate alone should turn the client away.
fn shows(stream: TcpStream, config: Arc<ServerConfig>) {
    if let Some(mut secured) = Secured::meet(stream, config) {
        secured.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    }
}

fn another_host(stream: TcpStream) {
    shows(stream, authority().signed(&certificate(&["elsewhere.test"])));
}

fn nameless(stream: TcpStream) {
    shows(stream, authority().signed(&certificate(&[])));
}

fn expired(stream: TcpStream) {
    shows(stream, authority().signed(&valid_between(NAMES, [2001, 2002])));
}

fn not_yet(stream: TcpStream) {
    shows(stream, authority().signed(&valid_between(NAMES, [2901, 2902])));
}

fn foreign(stream: TcpStream) {
    shows(stream, Authority::new("another authority").signed(&certificate(NAMES)));
}

fn own(stream: TcpStream) {
    shows(stream, self_signed(&certificate(NAMES)));
}

fn for_clients(stream: TcpStream) {
    let mut params = certificate(NAMES);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    shows(stream, authority().signed(&params));
}

/// It responds to the client's hello as a plain server would.
fn plain_http(mut stream: TcpStream) {
    read_record(&mut stream);
    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    hold(&mut stream);
}

fn tls_on_http(stream: TcpStream) {
    shows(stream, good());
}

fn http_2_only(stream: TcpStream) {
    let mut config = ServerConfig::clone(&good());
    config.alpn_protocols = vec![b"h2".to_vec()];
    shows(stream, Arc::new(config));
}

/// A fatal alert, which is all that is needed of an old or unwilling server.
fn alerts(mut stream: TcpStream, alert: u8) {
    read_record(&mut stream);
    let _ = stream.write_all(&[21, 3, 1, 0, 2, 2, alert]);
    hold(&mut stream);
}

fn tls_1_1(stream: TcpStream) {
    alerts(stream, 70);
}

fn refuses(stream: TcpStream) {
    alerts(stream, 40);
}

/// One record as it stands on the wire.
fn read_record(stream: &mut TcpStream) -> Vec<u8> {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut record = vec![0; 5];
    if stream.read_exact(&mut record).is_ok() {
        record.resize(5 + usize::from(u16::from_be_bytes([record[3], record[4]])), 0);
        let _ = stream.read_exact(&mut record[5..]);
    }
    record
}

/// What a good server would say to the client's hello.
fn server_flight(stream: &mut TcpStream) -> Vec<u8> {
    let mut server = ServerConnection::new(good()).expect("a server");
    let (hello, mut flight) = (read_record(stream), Vec::new());
    let _ = server.read_tls(&mut hello.as_slice()).map(|_| server.process_new_packets());
    while server.wants_write() {
        server.write_tls(&mut flight).expect("a Vec takes all");
    }
    flight
}

/// Its first record: the hello.
fn server_hello(stream: &mut TcpStream) -> Vec<u8> {
    let mut flight = server_flight(stream);
    flight.truncate(5 + usize::from(u16::from_be_bytes([flight[3], flight[4]])));
    flight
}

fn closes_behind_hello(mut stream: TcpStream) {
    read_record(&mut stream);
}

/// Only its half: what the client has to say to that hello would make a reset of a whole close.
fn closes_behind_its_hello(mut stream: TcpStream) {
    let hello = server_hello(&mut stream);
    let _ = stream.write_all(&hello);
    let _ = stream.shutdown(Shutdown::Write);
    hold(&mut stream);
}

fn stops_behind_its_hello(mut stream: TcpStream) {
    let hello = server_hello(&mut stream);
    let _ = stream.write_all(&hello);
    hold(&mut stream);
}

fn resets_in_handshake(mut stream: TcpStream) {
    read_record(&mut stream);
    super::ways::reset(stream);
}

/// The whole flight takes longer than any peer waits for it.
fn drips(mut stream: TcpStream) {
    for byte in server_flight(&mut stream) {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        std::thread::sleep(ms(20));
    }
    hold(&mut stream);
}

/// Says something after the handshake as it is on the wire, past the cryptography.
fn says_raw(stream: TcpStream, bytes: &[u8]) {
    let Some(Secured { mut stream, .. }) = meet(stream) else { return };
    let _ = stream.write_all(bytes);
    hold(&mut stream);
}

/// An alert that is encrypted, as those are that come when the client believes the handshake to be over.
fn complains(stream: TcpStream) {
    // Rustls' server says so when it is shown nonsense.
    let Some(Secured { mut session, mut stream }) = meet(stream) else { return };
    let _ = session.read_tls(&mut [23, 3, 3, 0, 17].iter().chain(&[0; 17]).copied().collect::<Vec<u8>>().as_slice());
    let _ = session.process_new_packets();
    while session.wants_write() && session.write_tls(&mut stream).is_ok() {}
    hold(&mut stream);
}

fn garbage(stream: TcpStream) {
    says_raw(stream, b"This is no record of any version of TLS.");
}

fn bad_mac(stream: TcpStream) {
    says_raw(stream, &[&[23, 3, 3, 0, 40][..], &[7; 40]].concat());
}

fn oversized(stream: TcpStream) {
    says_raw(stream, &[&[23, 3, 3, 0xff, 0xff][..], &[7; 0xffff]].concat());
}

/// Says this and goes without close_notify.
fn cuts(stream: TcpStream, text: &str) {
    if let Some(mut secured) = meet(stream) {
        secured.say(text);
    }
}

fn cut_until_close(stream: TcpStream) {
    cuts(stream, "HTTP/1.1 200 OK\r\n\r\nhello");
}

fn cut_length(stream: TcpStream) {
    cuts(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
}

fn cut_chunks(stream: TcpStream) {
    cuts(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
}

fn whole_then_cut(stream: TcpStream) {
    cuts(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

/// Says this and goes as one should.
fn closes(stream: TcpStream, text: &str) {
    if let Some(mut secured) = meet(stream) {
        secured.say(text);
        secured.close_notify();
    }
}

fn closed_length(stream: TcpStream) {
    closes(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
}

fn until_close(stream: TcpStream) {
    closes(stream, "HTTP/1.1 200 OK\r\n\r\nhello");
}

fn stops(stream: TcpStream) {
    if let Some(mut secured) = meet(stream) {
        secured.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        hold(&mut secured.stream);
    }
}

/// The response to a search at a site that is asked over https.
fn searched(play: fn(TcpStream), limits: Limits) -> Response {
    searched_at("/search?wd=x", play, limits)
}

/// The same, by the way that this target goes.
fn searched_at(target: &str, play: fn(TcpStream), limits: Limits) -> Response {
    let (stub, roots) = (Stub::raw(play), Dir::new());
    roots.write("ca.pem", authority().pem());
    let ca_file = roots.path().join("ca.pem");
    let url = format!("https://{}/?q={{}}", stub.address);
    let site = Site::start(limits, &["--lab", "--search-url", &url, "--ca-file", ca_file.to_str().expect("text")]);
    let response = get(site.address, target);
    site.wait_until_empty();
    wait_for("the site to be left", || (stub.open() == 0).then_some(()));
    response
}

#[test]
fn a_search_over_https_is_relayed() {
    let response = searched(until_close, limits());
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
}

#[test]
fn blocking_search_is_as_strict_over_https() {
    let sync = |play| searched_at("/search-sync?wd=x", play, limits());
    for (play, status, text) in [(until_close as fn(TcpStream), 200, "hello"), (foreign, 502, UNKNOWN)] {
        let response = sync(play);
        assert_eq!((response.status, response.text().contains(text)), (status, true), "{}", response.text());
    }
    assert_eq!(sync(closes_behind_hello).status, 502);
}

#[test]
fn the_page_of_a_search_that_failed_over_https_says_why() {
    for (play, status, cause) in [
        (expired as fn(TcpStream), 502, "no secure connection to 127.0.0.1: the certificate expired "),
        (foreign, 502, UNKNOWN),
        (another_host, 502, ELSEWHERE),
        (plain_http, 502, NO_TLS),
        (refuses, 502, REFUSED),
        (stops_behind_its_hello, 504, "no secure connection to 127.0.0.1 within 0.3 s"),
    ] {
        let connect_within = if status == 504 { ms(300) } else { limits().connect_within };
        let response = searched(play, Limits { connect_within, ..limits() });
        assert_eq!((response.status, response.text().contains(cause)), (status, true), "{cause}: {}", response.text());
    }
}

#[test]
fn a_redirect_from_http_to_https_is_followed_and_verified() {
    for (play, status, text) in [(until_close as fn(TcpStream), 200, "hello"), (foreign, 502, UNKNOWN)] {
        let (secure, roots) = (Stub::raw(play), Dir::new());
        roots.write("ca.pem", authority().pem());
        let location = format!("https://{}/", secure.address);
        let plain = Stub::saying(format!("HTTP/1.1 301 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
        let ca_file = roots.path().join("ca.pem");
        let flag = plain.flag();
        let site = Site::start(limits(), &[&flag[0], &flag[1], "--ca-file", ca_file.to_str().expect("text")]);
        let response = get(site.address, "/search?wd=x");
        assert_eq!((response.status, response.text().contains(text)), (status, true), "{}", response.text());
        site.wait_until_empty();
    }
}

//! What is no handshake, or never becomes one.

use super::{ASK, Secure, child, connect, serves};
use crate::support::client::patient;
use crate::support::dice::Dice;
use crate::support::tls_client::{any_client, certified, secure, shake_hands};
use crate::support::{Client, PATIENCE, ms};
use squall::config::Limits;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// A socket that takes only this many bytes at a time.
struct Dripping(TcpStream, usize);

impl Read for Dripping {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let room = buf.len().min(self.1);
        self.0.read(&mut buf[..room])
    }
}

impl Write for Dripping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(self.1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first flight of a client.
fn hello() -> Vec<u8> {
    let mut bytes = vec![];
    let mut tls = secure(io::Cursor::new(vec![]), &any_client());
    tls.conn.write_tls(&mut bytes).expect("a vector takes it");
    assert!(bytes.len() > 150, "{}", bytes.len());
    bytes
}

#[test]
fn a_handshake_may_come_in_pieces_of_any_size() {
    let site = Secure::with_defaults();
    for piece in [1, 2, 3, 7, 50, 200, 1000] {
        let mut tls = secure(Dripping(patient(site.address), piece), &any_client());
        shake_hands(&mut tls).unwrap_or_else(|e| panic!("pieces of {piece}: {e}"));
        let mut client = Client::over(tls);
        assert_eq!(client.ask(ASK).text(), "Hello, World!", "pieces of {piece}");
    }
    site.wait_until_empty();
}

/// Whatever it says first, it is closed, after an alert at most.
#[track_caller]
fn is_turned_away(address: SocketAddr, bytes: &[u8]) {
    let mut client = Client::connect(address);
    // It may be found out before all of it is sent.
    let _ = client.stream.write_all(bytes);
    let rest = client.rest();
    let alert = [0x15, 3, 3, 0, 2, 2];
    assert!(rest.is_empty() || rest.len() == 7 && rest.starts_with(&alert), "{rest:?}");
}

#[test]
fn plain_http_and_garbage_are_turned_away() {
    let files = certified();
    let mut child = child(&files, &[]);
    let mut bystander = connect(child.address);
    serves(&mut bystander);
    is_turned_away(child.address, ASK.as_bytes());
    is_turned_away(child.address, &ASK.repeat(2000).into_bytes());
    is_turned_away(child.address, b"\r\n\r\n");
    is_turned_away(child.address, &[0; 100_000]);
    // A record of the handshake that holds none, and one that promises more than a record may hold.
    is_turned_away(child.address, b"\x16\x03\x01\x00\x05\xff\x00\x00\x01\x00");
    is_turned_away(child.address, b"\x16\x03\x01\xff\xff\x01\x00\x00\x00");
    // Data before the handshake, and an alert instead of it.
    is_turned_away(child.address, b"\x17\x03\x03\x00\x05hello");
    is_turned_away(child.address, b"\x15\x03\x03\x00\x02\x02\x28");
    let mut dice = Dice::new(1);
    for _ in 0..50 {
        let mut bytes = dice.noise(2000);
        // What begins like a record may go on for as long as it says.
        bytes[0] &= 7;
        is_turned_away(child.address, &bytes);
    }
    serves(&mut bystander);
    serves(&mut connect(child.address));
    child.signal("TERM");
    assert_eq!(child.ended().code(), Some(0));
    let said = child.stderr();
    assert!(said.lines().count() <= 1, "a line per visitor would fill the log: {said}");
}

#[test]
fn a_hello_with_one_byte_changed_does_no_harm() {
    let limits = Limits { head_within: ms(300), ..Limits::default() };
    let site = Secure::start(limits, &[]);
    let hello = hello();
    let mut clients = vec![];
    for at in 0..hello.len() {
        let mut bent = hello.clone();
        bent[at] ^= 1 << (at % 8);
        let mut client = Client::connect(site.address);
        client.send(bent);
        clients.push(client);
    }
    for client in &mut clients {
        // A response, an alert, or nothing at all; but an end.
        client.rest();
    }
    serves(&mut connect(site.address));
    site.wait_until_empty();
}

#[test]
fn endless_handshake_is_closed_at_the_head_deadline() {
    let limits = Limits { head_within: ms(300), ..Limits::default() };
    let site = Secure::start(limits, &["--keep-alive", "3600"]);
    let hello = hello();
    let mut clients: Vec<Client> = [0, 1, 5, 6, hello.len() / 2, hello.len() - 1, hello.len()]
        .iter()
        .map(|&n| {
            let mut client = Client::connect(site.address);
            client.send(&hello[..n]);
            client
        })
        .collect();
    for client in &mut clients {
        client.rest();
    }
    site.wait_until_empty();
}

#[test]
fn dripping_does_not_extend_the_handshake() {
    let limits = Limits { head_within: ms(300), ..Limits::default() };
    let site = Secure::start(limits, &["--keep-alive", "3600"]);
    let (hello, begun) = (hello(), Instant::now());
    let mut client = Client::connect(site.address);
    for byte in hello.chunks(1).cycle() {
        if client.stream.write_all(byte).is_err() || !client.is_quiet() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it drips for ever");
        // The whole hello would take several seconds.
        std::thread::sleep(ms(20));
    }
    client.closed();
    assert!(begun.elapsed() < ms(20) * hello.len() as u32, "{:?}", begun.elapsed());
    site.wait_until_empty();
}

#[test]
fn idle_tls_connection_ends_with_close_notify() {
    let limits = Limits { head_within: ms(200), ..Limits::default() };
    let site = Secure::start(limits, &["--keep-alive", "1"]);
    let mut asked = connect(site.address);
    serves(&mut asked);
    let mut silent = connect(site.address);
    asked.closed();
    silent.closed();
    site.wait_until_empty();
}

#[test]
fn a_head_that_does_not_become_whole_gets_408() {
    let limits = Limits { head_within: ms(200), ..Limits::default() };
    let site = Secure::start(limits, &[]);
    let mut client = connect(site.address);
    client.send("GET / HTTP/1.1\r\n");
    assert_eq!(client.response().status, 408);
    client.closed();
    drop(client);
    site.wait_until_empty();
}

//! Deadlines: a connection that makes progress meets none, one that only seems to does.

use super::ASK;
use crate::support::frames::{BINARY, Said};
use crate::support::{Child, Client, PATIENCE, Site, WsClient, frame, ms, wait_for};
use squall::config::Limits;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

#[test]
fn an_empty_line_does_not_begin_a_request() {
    let limits = Limits { head_within: ms(200), ..Limits::default() };
    let site = Site::start(limits, &["--keep-alive", "1"]);
    let mut served = Client::connect(site.address);
    let mut idle = Client::connect(site.address);
    for client in [&mut served, &mut idle] {
        assert_eq!(client.ask(format!("{ASK}\r\n")).status, 200);
    }
    // Longer than a head may take, shorter than a connection may idle.
    let begun = Instant::now();
    std::thread::sleep(ms(500));
    if begun.elapsed() < ms(900) {
        assert_eq!(served.ask(format!("{ASK}\r\n\r\n")).status, 200);
    }
    let begun = Instant::now();
    for client in [&mut idle, &mut served] {
        client.closed();
    }
    assert!(begun.elapsed() < PATIENCE);
    site.wait_until_empty();
}

#[test]
fn a_stopped_server_reads_before_it_judges() {
    let child = Child::start(&["--keep-alive", "1"], &[]);
    let mut asks: Vec<Client> = (0..3).map(|_| Client::connect(child.address)).collect();
    for client in &mut asks {
        assert_eq!(client.ask(ASK).status, 200);
    }
    child.signal("STOP");
    std::thread::sleep(ms(2500));
    for client in &mut asks {
        client.send(ASK);
    }
    child.signal("CONT");
    for client in &mut asks {
        assert_eq!(client.response().status, 200);
    }
    wait_for("the reason", || child.stderr().contains("the loop stood still").then_some(()));
}

#[test]
fn work_that_blocks_the_loop_is_noticed() {
    let child = Child::start(&["--lab"], &[]);
    let mut clients = [Client::connect(child.address), Client::connect(child.address)];
    let begun = Instant::now();
    for client in &mut clients {
        client.send("GET /block?seconds=1.1 HTTP/1.1\r\nHost: squall\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    assert!(begun.elapsed() >= ms(2200), "one after the other");
    wait_for("the reason", || child.stderr().contains("the loop stood still").then_some(()));
}

#[test]
fn a_silent_connection_is_kept_back_and_then_ends_as_idle() {
    let site = Site::start(Limits::default(), &["--keep-alive", "2"]);
    let begun = Instant::now();
    let mut silent = Client::connect(site.address);
    std::thread::sleep(ms(300));
    let accepted = if cfg!(target_os = "linux") { 0 } else { 1 };
    assert_eq!(site.counts().connections, accepted, "the kernel waits for its request");
    silent.closed();
    // A second in the kernel, and two of keep-alive.
    let after = begun.elapsed();
    assert!(after > ms(1900) && after < ms(4500), "{after:?}");
    site.wait_until_empty();
}

#[test]
fn a_connection_that_begins_late_is_served() {
    let site = Site::with_defaults();
    // Before and after the kernel stops to keep it back.
    for wait in [0, 500, 1500] {
        let mut client = Client::connect(site.address);
        std::thread::sleep(ms(wait));
        client.send(&ASK[..5]);
        std::thread::sleep(ms(20));
        assert_eq!(client.ask(&ASK[5..]).status, 200, "after {wait} ms");
    }
}

#[test]
fn deaf_client_is_given_up_though_it_goes_on_asking() {
    let limits = Limits { write_stall: ms(300), ..Limits::default() };
    let site = Site::start(limits, &["--keep-alive", "3600"]);
    let mut client = Client::connect(site.address);
    socket2::SockRef::from(&client.stream).set_recv_buffer_size(4096).unwrap();
    while site.counts().booked == 0 {
        client.send(ASK.repeat(100));
        std::thread::sleep(Duration::from_micros(200));
    }
    let until = Instant::now() + PATIENCE;
    while site.counts().connections > 0 {
        assert!(Instant::now() < until, "it is still there: {:?}", site.counts());
        // The kernel's buffers may grow and take what has waited; then it takes more to make something wait again.
        let asks = if site.counts().booked == 0 { 100 } else { 1 };
        let _ = client.stream.write(ASK.repeat(asks).as_bytes());
        std::thread::sleep(ms(20));
    }
    site.wait_until_empty();
}

/// Reads with pauses, so that all of it takes longer than any patience below.
fn read_slowly(echo: &mut WsClient, bytes: usize) -> Vec<u8> {
    let mut got = vec![0; bytes];
    let mut at = 0;
    while at < bytes {
        let to = bytes.min(at + bytes / 100);
        let n = echo.client.stream.read(&mut got[at..to]).expect("it is not cut");
        assert!(n > 0, "closed after {at} of {bytes} bytes");
        at += n;
        std::thread::sleep(ms(15));
    }
    got
}

/// A peer that has sent one large message, of which its kernel takes little at once; and the frame of its echo.
fn large_echo(site: &Site) -> (WsClient, Vec<u8>) {
    let mut echo = WsClient::echo(site.address);
    socket2::SockRef::from(&echo.client.stream).set_recv_buffer_size(64 << 10).unwrap();
    let payload = vec![7; 12 << 20];
    echo.send(frame(BINARY, &payload));
    let mut expected = vec![0x82, 127];
    expected.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    expected.extend_from_slice(&payload);
    (echo, expected)
}

#[test]
fn a_slow_reader_is_not_silent() {
    let limits = Limits { ping_every: ms(500), silent_for: ms(600), close_within: ms(100), ..Limits::default() };
    let site = Site::start(limits, &[]);
    let (mut echo, expected) = large_echo(&site);
    assert!(read_slowly(&mut echo, expected.len()) == expected);
    assert!(matches!(echo.heard(), Said::Ping(_)), "and it is asked whether it is there");
}

#[test]
fn half_closed_slow_reader_gets_all_of_its_echo() {
    let limits = Limits { close_within: ms(600), ..Limits::default() };
    let site = Site::start(limits, &[]);
    let (mut echo, expected) = large_echo(&site);
    echo.client.finish();
    assert!(read_slowly(&mut echo, expected.len()) == expected);
    echo.client.closed();
    site.wait_until_empty();
}

#[test]
fn closing_slow_reader_gets_all_of_its_echo() {
    let limits = Limits { close_within: ms(600), ..Limits::default() };
    let site = Site::start(limits, &[]);
    let (mut echo, expected) = large_echo(&site);
    echo.send(crate::support::frames::close(1000, ""));
    assert!(read_slowly(&mut echo, expected.len()) == expected);
    assert_eq!(echo.heard(), Said::Close(Some(1000), String::new()));
    echo.client.closed();
    site.wait_until_empty();
}

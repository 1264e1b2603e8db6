//! The process stands still for a while. The first turn after it may come without any readiness: a stop ends
//! `epoll_wait` with EINTR (signal(7)).

use super::driver::{BEGUN_AT, Driver, ms};
use super::found::{clients, frame, heard, run, site};
use crate::support::network::PipeRef;
use squall::config::Limits;
use squall::event::App;
use squall::site::cookie::Signer;
use squall::ws::frame::Opcode;

const ASK: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
const PING: &str = "\u{89}\0";

/// The process stands still for this many seconds; what the peers do meanwhile is reported afterwards.
fn stall<A: App>(driver: &mut Driver<A>, seconds: usize, meanwhile: impl FnOnce()) {
    driver.now += ms(seconds * 1000);
    meanwhile();
    driver.turn(&[]);
    run(driver);
}

/// Time passes, and every deadline is met.
fn pass<A: App>(driver: &mut Driver<A>, seconds: usize) {
    let until = driver.now + ms(seconds * 1000);
    loop {
        let last = driver.now;
        if !driver.wait() || driver.now > until {
            driver.now = until.max(last);
            return run(driver);
        }
        driver.turn(&[]);
        run(driver);
    }
}

fn handshake(target: &str, fields: &str) -> Vec<u8> {
    let head = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    format!("GET {target} HTTP/1.1\r\n{head}{fields}\r\n").into_bytes()
}

fn cookie(name: &str) -> String {
    format!("Cookie: username={}\r\n", Signer::new(b"simulated").sign("username", name.as_bytes(), BEGUN_AT))
}

/// What came since the last look, bytes as characters.
fn news(pipe: &PipeRef) -> String {
    pipe.borrow_mut().to_peer.drain(..).map(char::from).collect()
}

#[test]
fn a_websocket_is_pinged_after_a_stall() {
    for (answers, stalled) in [(true, 85), (false, 85), (true, 3600), (false, 3600)] {
        let (mut driver, [pipe]) = clients(site(&Limits::default()), Limits::default(), 1 << 20);
        pipe.borrow_mut().put(handshake("/echo", ""));
        run(&mut driver);
        pass(&mut driver, 35);
        assert!(news(&pipe).ends_with(PING), "the first ping, after 30 s");
        pipe.borrow_mut().put(frame(Opcode::Pong, b""));
        run(&mut driver);
        stall(&mut driver, stalled, || ());
        assert_eq!(news(&pipe), PING, "a ping, and no Close");
        if answers {
            pipe.borrow_mut().put(frame(Opcode::Pong, b""));
            run(&mut driver);
        }
        pass(&mut driver, 11);
        assert_eq!(news(&pipe).contains("no answer to pings"), !answers);
        pass(&mut driver, 9);
        assert_eq!(pipe.borrow().server_gone, !answers);
    }
}

#[test]
fn a_message_that_came_during_a_stall_is_a_sign_of_life() {
    let (mut driver, [pipe]) = clients(site(&Limits::default()), Limits::default(), 1 << 20);
    pipe.borrow_mut().put(handshake("/echo", ""));
    run(&mut driver);
    stall(&mut driver, 3600, || pipe.borrow_mut().put(frame(Opcode::Text, b"hi")));
    assert!(news(&pipe).contains("\u{81}\u{2}hi"));
    pass(&mut driver, 20);
    assert!(!pipe.borrow().server_gone);
}

#[test]
fn rest_of_a_request_during_a_stall_is_in_time() {
    let post = b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nusername=ann".to_vec();
    for (request, cut, status) in [(ASK.to_vec(), 5, 200), (post.clone(), 20, 303), (post.clone(), post.len() - 1, 303)]
    {
        let (mut driver, [pipe]) = clients(site(&Limits::default()), Limits::default(), 1 << 20);
        pipe.borrow_mut().put(request[..cut].iter().copied());
        run(&mut driver);
        stall(&mut driver, 60, || pipe.borrow_mut().put(request[cut..].iter().copied()));
        assert!(news(&pipe).starts_with(&format!("HTTP/1.1 {status} ")), "cut at {cut}");
    }
}

#[test]
fn the_rest_of_a_request_may_come_soon_after_a_stall() {
    // The kernel's buffer was full, or the sender had to wait: the rest is still on its way.
    for (wait, status) in [(5, 200), (11, 408)] {
        let (mut driver, [pipe]) = clients(site(&Limits::default()), Limits::default(), 1 << 20);
        pipe.borrow_mut().put(ASK[..5].iter().copied());
        run(&mut driver);
        stall(&mut driver, 60, || ());
        pass(&mut driver, wait);
        pipe.borrow_mut().put(ASK[5..].iter().copied());
        run(&mut driver);
        assert!(news(&pipe).starts_with(&format!("HTTP/1.1 {status} ")), "{wait} s after it");
    }
}

#[test]
fn request_during_a_stall_is_answered() {
    let (mut driver, [asks, rests]) = clients(site(&Limits::default()), Limits::default(), 1 << 20);
    for pipe in [&asks, &rests] {
        pipe.borrow_mut().put(ASK.iter().copied());
        run(&mut driver);
        assert!(news(pipe).contains("Hello, World!"));
    }
    stall(&mut driver, 600, || asks.borrow_mut().put(ASK.iter().copied()));
    assert!(news(&asks).contains("Hello, World!"));
    pass(&mut driver, 11);
    assert_eq!((asks.borrow().server_gone, rests.borrow().server_gone), (false, true), "the idle one is closed");
}

#[test]
fn reader_during_a_stall_is_not_given_up() {
    for (reads, whole) in [(true, true), (false, false)] {
        let (mut driver, [pipe]) = clients(site(&Limits::default()), Limits::default(), 20);
        pipe.borrow_mut().put(ASK.iter().copied());
        run(&mut driver);
        stall(&mut driver, 60, || ());
        pass(&mut driver, 5);
        if reads {
            pipe.borrow_mut().give_room(1 << 20);
        }
        run(&mut driver);
        pass(&mut driver, 12);
        assert_eq!(heard(&pipe).contains("Hello, World!"), whole);
    }
}

#[test]
fn close_during_a_stall_ends_a_session_in_order() {
    let (mut driver, [pipe]) = clients(site(&Limits::default()), Limits::default(), 1 << 20);
    pipe.borrow_mut().put(handshake("/chat/", &cookie("ann")));
    run(&mut driver);
    pipe.borrow_mut().put(frame(Opcode::Binary, b"no text"));
    run(&mut driver);
    assert!(news(&pipe).contains("text only"), "our Close");
    stall(&mut driver, 7, || pipe.borrow_mut().put(frame(Opcode::Close, &1001u16.to_be_bytes())));
    assert_eq!((pipe.borrow().server_gone, pipe.borrow().server_reset), (true, false));
}

#[test]
fn messages_sent_during_a_stall_are_not_too_fast() {
    for (seconds, messages, is_good) in [(60, 60, true), (60, 80, false), (0, 6, false)] {
        let limits = Limits { message_rate: 1.0, message_burst: 5.0, ..Limits::default() };
        let (mut driver, [pipe]) = clients(site(&limits), limits, 1 << 20);
        pipe.borrow_mut().put(handshake("/chat/", &cookie("ann")));
        run(&mut driver);
        stall(&mut driver, seconds, || {
            (0..messages).for_each(|_| pipe.borrow_mut().put(frame(Opcode::Text, b"tick")));
        });
        pass(&mut driver, 1);
        let said = news(&pipe);
        assert_eq!((said.matches("ann:tick").count() == messages, said.contains("too fast")), (is_good, !is_good));
    }
}

#[test]
fn a_sleep_that_is_over_ends_with_the_stall() {
    let (mut driver, [pipe]) = clients(site(&Limits::default()), Limits::default(), 1 << 20);
    pipe.borrow_mut().put(*b"GET /sleep?seconds=10 HTTP/1.1\r\nHost: a\r\n\r\n");
    run(&mut driver);
    stall(&mut driver, 60, || ());
    assert!(news(&pipe).starts_with("HTTP/1.1 200 "));
}

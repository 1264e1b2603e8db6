//! Killing or stopping any client at any byte leaves no connection, descriptor, timer or room member behind.
//!
//! Each script of a client is cut after every one of its bytes, in every way in which a client can go: FIN, FIN with
//! a response unread (which is RST), RST, or not going at all. Then the server must be as empty as it was.

use crate::support::frames::{CONTINUATION, PING, TEXT, close, fragment, handshake};
use crate::support::{Client, PATIENCE, Site, Stub, descriptors, frame, is_alone, login, ms, wait_for};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;
use squall::config::Limits;
use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

/// How a client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It closes its socket, read or unread.
    Drop,
    /// It shuts its half, waits for the server to close, and closes.
    Finish,
    /// It resets the connection (SO_LINGER 0).
    Reset,
    /// It says and reads nothing more, and keeps its socket.
    Stop,
    /// It says nothing more, but reads, so that no response waits.
    Listen,
}

/// Clients that are being cut at the same time.
const TOGETHER: usize = 200;

/// All deadlines so short that a stopped client's come within the test.
pub fn limits() -> Limits {
    Limits {
        head_within: ms(300),
        body_within: ms(300),
        response_within: ms(600),
        write_stall: ms(300),
        ping_every: ms(100),
        silent_for: ms(300),
        close_within: ms(200),
        discard_for: ms(200),
        connect_within: ms(300),
        search_within: ms(400),
        ..Limits::default()
    }
}

fn flags(stub: &Stub) -> Vec<String> {
    let mut flags = ["--keep-alive", "1", "--message-rate", "0"].map(str::to_owned).to_vec();
    flags.extend(stub.flag());
    flags
}

/// A slow search site: a head, and pieces without end.
fn slow_site() -> Stub {
    Stub::start(|mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && std::io::Write::write_all(&mut asked.stream, &[b'x'; 100]).is_ok() {
            std::thread::sleep(ms(20));
        }
    })
}

/// The scripts, by name.
fn scripts(cookie: &str) -> Vec<(&'static str, Vec<u8>)> {
    let get = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n".repeat(2);
    let form = "POST /login HTTP/1.1\r\nHost: squall\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n\
                9\r\nusername=\r\n3;x=y\r\nann\r\n0\r\nA: b\r\n\r\n";
    let upload = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 12\r\n\r\nusername=annGET / HTTP/1.0\r\n\r\n";
    let refused = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\nGET /\n and more that is not read";
    let chat = [
        handshake("/chat/", &format!("Cookie: {cookie}\r\n")).into_bytes(),
        frame(TEXT, "one"),
        fragment(TEXT, false, "tw"),
        frame(PING, "?"),
        fragment(CONTINUATION, true, "o"),
        close(1000, "bye"),
    ];
    let echo = [handshake("/echo", "").into_bytes(), frame(TEXT, "x".repeat(200)), b"\x81\x00no mask".to_vec()];
    let search = "GET /search?wd=x HTTP/1.1\r\nHost: squall\r\nAccept-Language: en\r\n\r\n";
    let sleep = "GET /sleep?seconds=0.1 HTTP/1.1\r\nHost: squall\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n";
    vec![
        ("two GETs", get.into()),
        ("a login in chunks", form.into()),
        ("a login with a length", upload.into()),
        ("a refused request", refused.into()),
        ("a chat", chat.concat()),
        ("a broken echo", echo.concat()),
        ("a search", search.into()),
        ("a sleep", sleep.into()),
    ]
}

/// Cuts every script after every byte in this way.
fn cut_everywhere(site: &Site, cookie: &str, way: Way) {
    let cuts: Vec<(&str, Vec<u8>)> = scripts(cookie)
        .into_iter()
        .flat_map(|(name, wire)| (0..=wire.len()).map(move |n| (name, wire[..n].to_vec())).collect::<Vec<_>>())
        .collect();
    assert!(cuts.len() > 1000);
    for together in cuts.chunks(TOGETHER) {
        let clients: Vec<Client> = together
            .iter()
            .map(|(_, wire)| {
                let mut client = Client::connect(site.address);
                client.send(wire);
                client
            })
            .collect();
        match way {
            Way::Drop => drop(clients),
            Way::Reset => {
                for client in clients {
                    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
                }
            }
            Way::Finish => {
                for mut client in clients {
                    // The server may have refused the script and gone already.
                    let _ = client.stream.shutdown(std::net::Shutdown::Write);
                    client.rest();
                }
            }
            Way::Stop => {
                hung_up(&clients);
                drop(clients);
            }
            Way::Listen => listen(clients),
        }
    }
}

/// Waits until the server has closed every one, without reading from any.
fn hung_up(clients: &[Client]) {
    let mut poll = Poll::new().unwrap();
    let mut watched: Vec<Option<TcpStream>> = clients
        .iter()
        .enumerate()
        .map(|(n, client)| {
            client.stream.set_nonblocking(true).unwrap();
            let mut twin = TcpStream::from_std(client.stream.try_clone().unwrap());
            poll.registry().register(&mut twin, Token(n), Interest::READABLE).unwrap();
            Some(twin)
        })
        .collect();
    let mut events = Events::with_capacity(1024);
    wait_for("the server to hang up", || {
        poll.poll(&mut events, Some(ms(10))).unwrap();
        for event in events.iter().filter(|event| event.is_read_closed() || event.is_error()) {
            watched[event.token().0] = None;
        }
        watched.iter().all(Option::is_none).then_some(())
    });
}

/// Reads from all of them until the server has closed every one.
fn listen(mut clients: Vec<Client>) {
    for client in &clients {
        client.stream.set_nonblocking(true).unwrap();
    }
    let mut buf = [0; 4096];
    wait_for("the server to close", || {
        clients.retain_mut(|client| match client.stream.read(&mut buf) {
            Ok(n) => n > 0,
            Err(e) => e.kind() == ErrorKind::WouldBlock,
        });
        clients.is_empty().then_some(())
    });
}

/// The whole test of one way, in a process of its own because descriptors are counted.
fn nothing_is_left(name: &str, way: Way) {
    if !is_alone(&format!("leftovers::{name}")) {
        return;
    }
    // The first server of a process opens what stays open: the standard library's and the kernel's.
    let stub = slow_site();
    let args = flags(&stub);
    let site = Site::start(limits(), &args.iter().map(String::as_str).collect::<Vec<_>>());
    let cookie = login(site.address, "ann");
    let rest = |what: &str| {
        site.wait_until(what, |c| {
            (c.connections, c.members, c.fetches, c.fetches_running, c.booked, c.timers) == (0, 0, 0, 0, 0, 0)
        });
        wait_for("the site's connections to end", || (stub.open() == 0).then_some(()));
        descriptors("self")
    };
    let before = rest("the beginning");
    cut_everywhere(&site, &cookie, way);
    let after = rest(&format!("nothing left after {way:?}"));
    // What a closed socket of the stub's threads still holds goes a moment later.
    wait_for("descriptors", || (descriptors("self") <= before).then_some(()));
    assert!(after >= before, "the base line was not one: {before}, then {after}");
}

#[test]
fn a_client_that_closes_at_any_byte_leaves_nothing() {
    nothing_is_left("a_client_that_closes_at_any_byte_leaves_nothing", Way::Drop);
}

#[test]
fn a_client_that_shuts_its_half_at_any_byte_leaves_nothing() {
    nothing_is_left("a_client_that_shuts_its_half_at_any_byte_leaves_nothing", Way::Finish);
}

#[test]
fn a_client_that_resets_at_any_byte_leaves_nothing() {
    nothing_is_left("a_client_that_resets_at_any_byte_leaves_nothing", Way::Reset);
}

#[test]
fn client_that_stops_at_any_byte_leaves_nothing() {
    nothing_is_left("client_that_stops_at_any_byte_leaves_nothing", Way::Stop);
}

#[test]
fn client_silent_from_any_byte_on_leaves_nothing() {
    nothing_is_left("client_silent_from_any_byte_on_leaves_nothing", Way::Listen);
}

#[test]
fn descriptors_come_back_when_clients_are_gone() {
    let stub = slow_site();
    let child = crate::support::Child::start(&flags(&stub).iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    let cookie = login(child.address, "ann");
    let settled = || {
        let mut seen = 0;
        wait_for("a stable number", || {
            std::thread::sleep(ms(50));
            let last = std::mem::replace(&mut seen, descriptors(&child.pid()));
            (last == seen).then_some(seen)
        })
    };
    let before = settled();
    for (_, wire) in scripts(&cookie) {
        for n in (0..=wire.len()).step_by(5) {
            let mut client = Client::connect(child.address);
            client.send(&wire[..n]);
            if n % 2 == 0 {
                SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        }
    }
    wait_for("its descriptors", || (descriptors(&child.pid()) <= before).then_some(()));
}

#[test]
fn stale_heap_entries_do_not_pile_up() {
    let site = Site::with_defaults();
    for _ in 0..1500 {
        let mut client = Client::connect(site.address);
        client.send("GET /plaintext HTTP/1.0\r\n\r\n");
        client.rest();
    }
    let timers = site.wait_until("no connection", |c| c.connections == 0).timers;
    assert!(timers <= 1024, "{timers} entries for no connection");
}

//! What a request, an echo and a delivery cost the server once it is warm: not one call to the allocator.
//!
//! The server runs on a thread of its own, over real sockets; only that thread is counted (`meter`), so the clients may
//! allocate as they like. What a connection costs when it comes is not asked here.

mod meter;
mod site;
#[path = "../it"]
#[allow(dead_code, unused_imports)]
mod it {
    pub mod support;
}

use it::support;
use meter::Calls;
use site::Site;
use support::{Client, WsClient, frame, login};

/// How often each thing is done before it is counted: every buffer has found its size then, and the log of the room has
/// used its chunks of 64 KiB in turn.
const WARM_UP: usize = 2000;
const COUNTED: usize = 3000;
const CONNECTIONS: usize = 8;
const TOGETHER: usize = 16;
const MEMBERS: usize = 20;

const REQUEST: &str = "GET /plaintext HTTP/1.1\r\nHost: squall\r\nUser-Agent: costs\r\nAccept: */*\r\n\r\n";

/// Does `round` until it is warm, then counts.
#[track_caller]
fn assert_free(site: &Site, what: &str, mut round: impl FnMut()) {
    (0..WARM_UP).for_each(|_| round());
    let costs = site.costs_of(|| (0..COUNTED).for_each(|_| round()));
    assert_eq!(costs.calls, Calls::default(), "{COUNTED} {what}; the first calls came from\n{}\n", costs.places);
}

#[test]
fn an_allocation_is_counted_with_its_place() {
    let site = Site::start(&[]);
    let mut client = Client::connect(site.address);
    let costs = site.costs_of(|| assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: squall\r\n\r\n").status, 200));
    assert!(costs.calls.allocated > 0 && costs.calls.freed > 0, "a page is rendered into memory: {:?}", costs.calls);
    assert!(costs.places.contains("src/site"), "{}", costs.places);
}

#[test]
fn a_request_allocates_nothing() {
    let site = Site::start(&[]);
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| Client::connect(site.address)).collect();
    assert_free(&site, "rounds of one request", || {
        clients.iter_mut().for_each(|client| client.send(REQUEST));
        clients.iter_mut().for_each(|client| assert_eq!(client.answer().body, b"Hello, World!"));
    });
}

#[test]
fn sixteen_requests_in_one_read_allocate_nothing() {
    let site = Site::start(&[]);
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| Client::connect(site.address)).collect();
    let (requests, answers) = (REQUEST.repeat(TOGETHER), TOGETHER);
    assert_free(&site, "rounds of sixteen requests", || {
        clients.iter_mut().for_each(|client| client.send(&requests));
        for client in &mut clients {
            (0..answers).for_each(|_| assert_eq!(client.answer().body, b"Hello, World!"));
        }
    });
}

#[test]
fn an_echo_allocates_nothing() {
    let site = Site::start(&[]);
    let mut peers: Vec<WsClient> = (0..CONNECTIONS).map(|_| WsClient::echo(site.address)).collect();
    assert_free(&site, "rounds of one echo", || {
        peers.iter_mut().for_each(|peer| peer.say("hello"));
        peers.iter_mut().for_each(|peer| assert_eq!(peer.next_frame().1, b"hello"));
    });
}

#[test]
fn sixteen_echoes_in_one_read_allocate_nothing() {
    let site = Site::start(&[]);
    let mut peers: Vec<WsClient> = (0..CONNECTIONS).map(|_| WsClient::echo(site.address)).collect();
    let messages = frame(support::frames::TEXT, "hello").repeat(TOGETHER);
    assert_free(&site, "rounds of sixteen echoes", || {
        peers.iter_mut().for_each(|peer| peer.send(&messages));
        for peer in &mut peers {
            (0..TOGETHER).for_each(|_| assert_eq!(peer.next_frame().1, b"hello"));
        }
    });
}

#[test]
fn a_delivery_allocates_nothing() {
    let site = Site::start(&["--message-rate", "0"]);
    let mut members: Vec<WsClient> = Vec::new();
    for n in 0..MEMBERS {
        members.push(WsClient::chat(site.address, &login(site.address, &format!("member {n}"))));
    }
    // Each has heard the enter lines of those after it.
    for (n, member) in members.iter_mut().enumerate() {
        (n..MEMBERS).for_each(|n| assert_eq!(member.heard(), support::frames::text(&format!("member {n} enter room"))));
    }
    assert_free(&site, "messages to a room", || {
        members[0].say("a message of some length, so that it is like one that people write");
        for member in &mut members {
            assert!(member.next_frame().1.starts_with(b"member 0:a message"));
        }
    });
}

//! What a request, an echo and a delivery cost the server once it is warm: not one call to the allocator. A message in a
//! room costs one, for its text on the way to the store.
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
use site::{Costs, Site};
use support::{Client, WsClient, frame, login};

/// Rounds before the counted ones: every buffer finds its size, and the log of the room uses each of its chunks of
/// 64 KiB.
const WARM_UP: usize = 2000;
/// Rounds of the warm-up for which the loop stands still while the clients send.
const TOGETHER: usize = 20;
const COUNTED: usize = 3000;
const CONNECTIONS: usize = 8;
/// Requests or messages that a client sends in one write.
const PIPELINED: usize = 16;
const MEMBERS: usize = 20;

const REQUEST: &str = "GET /plaintext HTTP/1.1\r\nHost: squall\r\nUser-Agent: costs\r\nAccept: */*\r\n\r\n";

/// Does rounds of `send` and `receive` until the server is warm, then counts what further rounds cost.
///
/// Timing decides how many of the connections fall into one batch. So in the first rounds the loop stands still until
/// all have sent, and the reply buffer meets the largest batch before anything is counted. Counting again after a count
/// with calls would be weaker: a list that leaks doubles so seldom that one of the counts misses it.
#[track_caller]
fn assert_free<C>(site: &Site, what: &str, clients: &mut [C], send: impl Fn(&mut [C]), receive: impl Fn(&mut [C])) {
    let costs = costs_of_rounds(site, clients, send, receive);
    assert_eq!(costs.calls, Calls::default(), "{COUNTED} {what}; the first calls came from\n{}\n", costs.places);
}

fn costs_of_rounds<C>(site: &Site, clients: &mut [C], send: impl Fn(&mut [C]), receive: impl Fn(&mut [C])) -> Costs {
    for _ in 0..TOGETHER {
        site.standing_still(|| send(clients));
        receive(clients);
    }
    let mut rounds = |count| {
        for _ in 0..count {
            send(clients);
            receive(clients);
        }
    };
    rounds(WARM_UP);
    site.costs_of(|| rounds(COUNTED))
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
    assert_requests_are_free("rounds of one request", 1);
}

#[test]
fn sixteen_requests_in_one_read_allocate_nothing() {
    assert_requests_are_free("rounds of sixteen requests", PIPELINED);
}

#[track_caller]
fn assert_requests_are_free(what: &str, pipelined: usize) {
    let site = Site::start(&[]);
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| Client::connect(site.address)).collect();
    let requests = REQUEST.repeat(pipelined);
    let send = |clients: &mut [Client]| clients.iter_mut().for_each(|client| client.send(&requests));
    assert_free(&site, what, &mut clients, send, |clients| {
        for client in clients {
            (0..pipelined).for_each(|_| assert_eq!(client.response().body, b"Hello, World!"));
        }
    });
}

#[test]
fn an_echo_allocates_nothing() {
    assert_echoes_are_free("rounds of one echo", 1);
}

#[test]
fn sixteen_echoes_in_one_read_allocate_nothing() {
    assert_echoes_are_free("rounds of sixteen echoes", PIPELINED);
}

#[track_caller]
fn assert_echoes_are_free(what: &str, pipelined: usize) {
    let site = Site::start(&[]);
    let mut peers: Vec<WsClient> = (0..CONNECTIONS).map(|_| WsClient::echo(site.address)).collect();
    let messages = frame(support::frames::TEXT, "hello").repeat(pipelined);
    let send = |peers: &mut [WsClient]| peers.iter_mut().for_each(|peer| peer.send(&messages));
    assert_free(&site, what, &mut peers, send, |peers| {
        for peer in peers {
            (0..pipelined).for_each(|_| assert_eq!(peer.next_frame().1, b"hello"));
        }
    });
}

#[test]
fn a_message_allocates_its_text_and_a_delivery_nothing() {
    let site = Site::start(&["--message-rate", "0"]);
    let mut members: Vec<WsClient> = Vec::new();
    for n in 0..MEMBERS {
        members.push(WsClient::chat(site.address, &login(site.address, &format!("member {n}"))));
    }
    // Each has heard the enter lines of those after it.
    for (n, member) in members.iter_mut().enumerate() {
        (n..MEMBERS).for_each(|n| assert_eq!(member.heard(), support::frames::text(&format!("member {n} enter room"))));
    }
    let say = |members: &mut [WsClient]| {
        members[0].say("a message of some length, so that it is like one that people write");
    };
    let costs = costs_of_rounds(&site, &mut members, say, |members| {
        for member in members {
            assert!(member.next_frame().1.starts_with(b"member 0:a message"));
        }
    });
    let Calls { allocated, resized, .. } = costs.calls;
    // In memory, the store keeps a text of its own.
    let texts = if cfg!(feature = "history") { 1 } else { 2 };
    assert_eq!((allocated, resized), (texts * COUNTED as u64, 0), "the first calls came from\n{}\n", costs.places);
}

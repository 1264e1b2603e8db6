//! An application that speaks a subprotocol of WebSocket.

use crate::support::at;
use crate::support::network::{FakeNetwork, Pipe, PipeRef};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Effect, Effects, Request, Response};
use squall::id::ConnId;
use squall::reactor::Server;
use squall::ws::handshake::{check, choose_subprotocol};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

struct Echo;

impl App for Echo {
    fn request(&mut self, to: ConnId, request: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        let chosen = check(request).and_then(|accept| Ok((accept, choose_subprotocol(request, &["echo.v1"])?)));
        match chosen {
            Ok((accept, subprotocol)) => {
                out.push(Effect::Upgrade { to, accept, subprotocol, compression: None, message_bytes_max: 100 });
            }
            Err(why) => out.respond(to, Response::text(400, why.to_string())),
        }
    }
}

/// The response to an upgrade with these fields.
fn upgrade(fields: &str) -> String {
    let (network, now) = (FakeNetwork::default(), Instant::now());
    let mut pipe = Pipe::roomy();
    pipe.say(format!(
        "GET / HTTP/1.1\r\nHost: squall\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
    ));
    let peer = PipeRef::new(RefCell::new(pipe));
    network.0.borrow_mut().arrive(&peer);
    let mut server = Server::new(network, Echo, Limits::default(), Arc::new(|| {}), now);
    server.turn(&[], at(now));
    let report = peer.borrow_mut().report().expect("it has sent a request");
    server.turn(&[report], at(now));
    String::from_utf8(peer.borrow().heard()).expect("text")
}

#[test]
fn the_chosen_subprotocol_is_named_in_the_101() {
    let head = upgrade("Sec-WebSocket-Protocol: chat, echo.v1\r\n");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(head.matches("\r\nSec-WebSocket-Protocol: echo.v1\r\n").count(), 1, "{head}");
    for fields in ["", "Sec-WebSocket-Protocol: chat\r\n"] {
        let head = upgrade(fields);
        assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("Sec-WebSocket-Protocol"), "{head}");
    }
    assert!(upgrade("Sec-WebSocket-Protocol: a b\r\n").starts_with("HTTP/1.1 400 "));
}

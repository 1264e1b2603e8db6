//! What a listener is for, and what its connections get.

use crate::support::at;
use crate::support::network::{FakeNetwork, Pipe, PipeRef};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Effects, Request, Response};
use squall::id::ConnId;
use squall::net::listeners::Service;
use squall::reactor::Server;
use squall::reactor::https::ToHttps;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

struct Hello;

impl App for Hello {
    fn request(&mut self, from: ConnId, _: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        out.respond(from, Response::text(200, "hello"));
    }
}

#[test]
fn a_connection_gets_the_service_of_its_listener() {
    let (network, now) = (FakeNetwork::default(), Instant::now());
    let peers = [Service::Redirect, Service::Site, Service::Redirect, Service::Site].map(|service| {
        let mut pipe = Pipe::roomy();
        pipe.say("GET /a HTTP/1.1\r\nHost: squall\r\n\r\n");
        let (pipe, mut world) = (PipeRef::new(RefCell::new(pipe)), network.0.borrow_mut());
        world.services.push(service);
        // The first listener is there from the start.
        let listener = world.services.len() - 1;
        world.backlogs.resize_with(listener + 1, Default::default);
        world.backlogs[listener].push_back(Ok(pipe.clone()));
        pipe
    });
    let mut server = Server::new(network.clone(), Hello, Limits::default(), Arc::new(|| {}), now);
    server.redirect_to_https(ToHttps { port: 443, challenges: None });
    server.turn(&[], at(now));
    let all: Vec<_> = peers.iter().filter_map(|pipe| pipe.borrow_mut().report()).collect();
    server.turn(&all, at(now));
    let heard = peers.map(|pipe| String::from_utf8(pipe.borrow().heard()).expect("text"));
    let is_redirect = |text: &String| text.contains("308 ") && text.contains("\r\nLocation: https://squall/a\r\n");
    assert!(is_redirect(&heard[0]) && is_redirect(&heard[2]), "{heard:?}");
    assert!(heard[1].ends_with("hello") && heard[3].ends_with("hello"), "{heard:?}");
}

use super::*;
use crate::clock::{Now, UnixMillis};
use crate::config::Limits;
use crate::conn::Input;
use crate::conn::encoding::Encoding;
use crate::conn::ws::Ws;
use crate::id::FeedId;
use crate::testing::network::{FakeNetwork, FakeStream, Pipe};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

struct Nobody;

impl App for Nobody {}

type Audited = Server<FakeNetwork, Nobody>;

/// A server with two connections, both members of a room.
fn server() -> (Audited, [ConnId; 2]) {
    let now = Instant::now();
    let network = FakeNetwork::default();
    for _ in 0..2 {
        network.0.borrow_mut().arrive(&Rc::new(RefCell::new(Pipe::roomy())));
    }
    let mut server = Server::new(network, Nobody, Limits::default(), Arc::new(|| ()), now);
    server.turn(&[], Now { instant: now, wall: UnixMillis::default() });
    let ids = server.engine.conns.ids().try_into().expect("two connections");
    for id in ids {
        server.engine.conns.get_mut(id).expect("it lives").protocol = Protocol::Ws(Box::new(Ws::new(100, None, now)));
        server.engine.rooms.join(&mut server.engine.conns, id, FeedId(0), Encoding::Frames);
    }
    assert_eq!(server.audit(), Ok(()));
    (server, ids)
}

fn conn(server: &mut Audited, id: ConnId) -> &mut Connection<FakeStream> {
    server.engine.conns.get_mut(id).expect("it lives")
}

#[test]
fn whatever_does_not_hold_is_said_in_a_sentence() {
    type Spoil = fn(&mut Audited, ConnId);
    let all: [(Spoil, &str); 4] = [
        (|server, id| conn(server, id).input = Input::Readable, "there is input that it wants"),
        (|server, id| conn(server, id).outbox.push(b"x"), "output waits that the socket would take"),
        (|server, id| conn(server, id).kept.push(b'x'), "it holds 1 bytes, booked are 0"),
        (|server, id| drop(server.engine.conns.remove(id)), "at 0, where it is not"),
    ];
    for (spoil, why) in all {
        let (mut server, [first, _]) = server();
        spoil(&mut server, first);
        let said = server.audit().expect_err(why);
        assert!(said.contains(why), "{said}, instead of: {why}");
    }
}

#[test]
fn a_member_and_its_room_must_name_each_other() {
    let (mut server, [first, second]) = server();
    for (id, index) in [(first, 1), (second, 0)] {
        conn(&mut server, id).subscription.as_mut().expect("a member").index = index;
    }
    assert!(server.audit().expect_err("indices").contains("at 0, where it is not"));
}

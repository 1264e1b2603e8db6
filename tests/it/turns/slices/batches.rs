//! Several connections that are served together: what each of them hears, and how long a response may wait.

use super::*;

/// Responds to every request, echoes every message, and sends it to all sockets that were opened before as well.
#[derive(Default)]
struct Gossip {
    sockets: Vec<ConnId>,
}

impl App for Gossip {
    fn request(&mut self, from: ConnId, request: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        if request.wants_upgrade() {
            let (accept, message_bytes_max) = ([b'a'; 28], 1 << 20);
            out.push(Effect::Upgrade { to: from, accept, subprotocol: None, compression: None, message_bytes_max });
            self.sockets.push(from);
        } else {
            out.respond(from, Response::text(200, "hello"));
        }
    }

    fn message(&mut self, from: ConnId, _: Kind, text: Payload<'_>, _: Now, out: &mut Effects) {
        let text = text.contiguous().expect("a short one");
        if text == b"bye" {
            self.sockets.iter().for_each(|&id| out.push(Effect::Close(id, 1000, "bye")));
        } else {
            let text = out.write(|bytes| bytes.extend_from_slice(text));
            let before = self.sockets.iter().copied().take_while(|&id| id != from);
            [from].into_iter().chain(before).for_each(|id| out.push(Effect::Send(id, Kind::Text, text.clone())));
        }
    }
}

fn all(ids: &[ConnId]) -> Vec<(Source, Ready)> {
    ids.iter().map(|&id| readable(id)).collect()
}

/// Takes one turn in which all of these are readable.
fn turn<A: App>(server: &mut Server<FakeNetwork, A>, ids: &[ConnId]) -> Option<Duration> {
    let wait = server.turn(&all(ids), Now::read());
    assert_eq!(server.audit(), Ok(()));
    wait
}

/// This many WebSockets, in the order of their ids.
fn sockets(count: usize) -> (Server<FakeNetwork, Gossip>, Vec<ConnId>, Vec<PipeRef>) {
    let (mut server, ids, peers) = meet(Gossip::default(), Limits::default(), count);
    peers.iter().for_each(|peer| say(peer, upgrade()));
    turn(&mut server, &ids);
    peers.iter().for_each(|peer| peer.borrow_mut().forget());
    (server, ids, peers)
}

fn text_frame(text: &str) -> Vec<u8> {
    [&[0x81, text.len() as u8], text.as_bytes()].concat()
}

#[test]
fn more_than_a_batch_is_served_in_one_turn() {
    let limits = Limits::default();
    let count = 3 * limits.batch_max + 1;
    let (mut server, ids, peers) = meet(Gossip::default(), limits, count);
    peers.iter().for_each(|peer| say(peer, ASK));
    turn(&mut server, &ids);
    for peer in &peers {
        assert!(peer.borrow().heard().starts_with(b"HTTP/1.1 200"));
        assert_eq!(peer.borrow().writes, 1);
    }
}

/// Responds with pages, and writes down how many responses have not reached their peer when the next request comes.
struct Waiting {
    page: usize,
    peers: Rc<RefCell<Vec<PipeRef>>>,
    requests: usize,
    most: Rc<Cell<usize>>,
}

impl App for Waiting {
    fn request(&mut self, from: ConnId, _: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        let sent = self.peers.borrow().iter().filter(|peer| told(peer) > 0).count();
        self.most.set(self.most.get().max(self.requests - sent));
        self.requests += 1;
        out.respond(from, Response::new(200, "text/plain", Body::Owned(vec![b'x'; self.page])));
    }
}

#[test]
fn no_response_waits_for_more_than_a_slice_of_others() {
    let limits = Limits { slice_bytes_max: 10 << 10, ..Limits::default() };
    for (page, waiting) in [(4 << 10, 2), (10 << 10, 0), (1 << 10, 9)] {
        let (most, shared) = (Rc::default(), Rc::<RefCell<Vec<_>>>::default());
        let app = Waiting { page, peers: Rc::clone(&shared), requests: 0, most: Rc::clone(&most) };
        let (mut server, ids, peers) = meet(app, limits.clone(), limits.batch_max);
        shared.borrow_mut().clone_from(&peers);
        peers.iter().for_each(|peer| say(peer, ASK));
        turn(&mut server, &ids);
        assert!(most.get() <= waiting, "{} pages of {page} bytes wait", most.get());
        assert!(peers.iter().all(|peer| told(peer) > page));
    }
}

#[test]
fn own_responses_come_before_messages_of_others() {
    let (mut server, ids, peers) = sockets(3);
    peers.iter().zip(["a", "b", "c"]).for_each(|(peer, text)| say(peer, frame(TEXT, text)));
    turn(&mut server, &ids);
    let expected = [["a", "b", "c"].as_slice(), &["b", "c"], &["c"]];
    for (peer, texts) in peers.iter().zip(expected) {
        assert_eq!(peer.borrow().heard(), texts.iter().flat_map(|text| text_frame(text)).collect::<Vec<_>>());
    }
}

#[test]
fn socket_closed_by_another_hears_its_response_first() {
    let (mut server, ids, peers) = sockets(3);
    let close = [[0x88, 5].as_slice(), &1000u16.to_be_bytes(), b"bye"].concat();
    peers.iter().zip(["a", "bye", "c"]).for_each(|(peer, text)| say(peer, frame(TEXT, text)));
    turn(&mut server, &ids);
    assert_eq!(peers[0].borrow().heard(), [text_frame("a"), close.clone()].concat());
    assert_eq!(peers[1].borrow().heard(), close);
    assert_eq!(peers[2].borrow().heard(), close);
}

#[test]
fn leaving_member_hears_responses_before_the_room() {
    let (mut server, ids, peers) = room(Limits::default());
    peers[0].borrow_mut().forget();
    // A pong is an answer; what is said goes to the room.
    say(&peers[0], [frame(PING, "p"), frame(TEXT, "said"), frame(CLOSE, 1000u16.to_be_bytes())].concat());
    turn(&mut server, &ids);
    let close = [[0x88, 2].as_slice(), &1000u16.to_be_bytes()].concat();
    assert_eq!(peers[0].borrow().heard(), [[0x8a, 1, b'p'].as_slice(), &text_frame("said"), &close].concat());
    assert!(peers[1..MEMBERS].iter().all(|peer| told(peer) == text_frame("said").len()));
}

#[test]
fn kept_input_waits_for_room_in_the_read_buffer() {
    let (mut server, ids, peers) = meet(Gossip::default(), Limits::default(), 3);
    let long = ASK.replacen("\r\n", &format!("\r\nX: {}\r\n", "x".repeat(12 << 10)), 1);
    let (begin, rest) = long.split_at(long.len() - 2);
    [&upgrade(), &upgrade(), begin].iter().zip(&peers).for_each(|(says, peer)| say(peer, says));
    turn(&mut server, &ids);
    let text = frame(TEXT, vec![b'a'; 30 << 10]);
    [text.as_slice(), &text, rest.as_bytes()].iter().zip(&peers).for_each(|(says, peer)| say(peer, says));
    turn(&mut server, &ids);
    assert!(told(&peers[0]) > 2 * (30 << 10) && told(&peers[1]) > 30 << 10);
    assert!(peers[2].borrow().heard().starts_with(b"HTTP/1.1 200"));
}

#[test]
fn messages_larger_than_the_read_buffer_are_all_handled() {
    for bytes in [1000, 10 << 10, 31 << 10, 32 << 10, 60 << 10] {
        let (mut server, ids, peers) = sockets(20);
        let said: Vec<_> = (0..20).map(|n| vec![b'a' + n; bytes]).collect();
        peers.iter().zip(&said).for_each(|(peer, text)| say(peer, frame(TEXT, text)));
        let mut wait = turn(&mut server, &ids);
        while wait == Some(Duration::ZERO) {
            wait = turn(&mut server, &[]);
        }
        for (n, (peer, text)) in peers.iter().zip(&said).enumerate() {
            let heard = peer.borrow().heard();
            assert_eq!(heard.iter().filter(|&&byte| byte == text[0]).count(), bytes, "socket {n}, {bytes} bytes");
            assert!(heard.len() > (20 - n) * bytes, "socket {n} has heard those behind it");
        }
    }
}

//! Fetches turn by turn: places, the queue, kept connections and handshakes, with sites that the test plays.

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

type OnDone = Box<dyn FnMut(&mut Effects)>;

/// Writes down what it hears, and does something at every end.
struct Recorder {
    heard: Rc<RefCell<Vec<String>>>,
    on_done: OnDone,
}

impl App for Recorder {
    fn fetched(&mut self, from: ConnId, fetched: Fetched<'_>, _: Now, out: &mut Effects) {
        let what = match fetched {
            Fetched::Head(..) | Fetched::Redirect(..) => return,
            Fetched::Body(piece) => format!("{} bytes", piece.len()),
            Fetched::Done => "done".to_owned(),
            Fetched::Failed(e) => e.to_string(),
        };
        let is_done = what == "done";
        self.heard.borrow_mut().push(format!("{}: {what}", from.slot()));
        if is_done {
            (self.on_done)(out);
        }
    }
}

struct World {
    server: Server<FakeNetwork, Recorder>,
    network: FakeNetwork,
    now: Instant,
    heard: Rc<RefCell<Vec<String>>>,
}

fn fetch(url: &str, now: Instant) -> Box<Fetch> {
    Box::new(Fetch::get(Url::parse(url).expect("a URL"), now, Duration::from_secs(20)))
}

impl World {
    fn new(limits: Limits, on_done: OnDone) -> World {
        let (network, now, heard) = (FakeNetwork::default(), Instant::now(), Rc::default());
        network.0.borrow_mut().dials = Dials::Connected(Pipe::roomy);
        let recorder = Recorder { heard: Rc::clone(&heard), on_done };
        World { server: Server::new(network.clone(), recorder, limits, Arc::new(|| {}), now), network, now, heard }
    }

    fn with(limits: Limits) -> World {
        World::new(limits, Box::new(|_| {}))
    }

    fn fetch(&mut self, owner: usize, url: &str) {
        let fetch = fetch(url, self.now);
        self.server.start(|_, out| out.push(Effect::Fetch(ConnId::outside(owner), fetch)));
    }

    /// Turns until there is nothing left to do at once.
    fn turn(&mut self, readiness: &[(Source, Ready)]) {
        let mut wait = self.server.turn(readiness, at(self.now));
        for _ in 0..20 {
            if wait != Some(Duration::ZERO) {
                return;
            }
            wait = self.server.turn(&[], at(self.now));
        }
        panic!("the loop spins");
    }

    fn site(&self, n: usize) -> PipeRef {
        self.network.pipe(n)
    }

    fn sites(&self) -> usize {
        self.network.0.borrow().pipes.len()
    }

    /// Clients that wait to be accepted; the first ones do not finish their TLS handshake.
    fn arrive(&mut self, clients: usize, securing: usize) {
        for n in 0..clients {
            let pipe = Pipe { securing: n < securing, ..Pipe::roomy() };
            self.network.0.borrow_mut().arrive(&PipeRef::new(RefCell::new(pipe)));
        }
        self.turn(&[(Source::Listener(0), READABLE)]);
    }

    /// Connection number `n` says something, and the loop hears it.
    fn says(&mut self, n: usize, what: &[u8]) {
        let readable = self.readable(n, what);
        self.turn(&[readable]);
    }

    fn readable(&self, n: usize, what: &[u8]) -> (Source, Ready) {
        let site = self.site(n);
        site.borrow_mut().say(what);
        let id = site.borrow().id.expect("it is watched");
        (Source::Connection(id), READABLE)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.borrow().clone()
    }
}

#[test]
fn fetches_that_waited_too_long_leave_the_queue() {
    let mut world = World::with(Limits { fetches_max: 1, fetches_waiting_max: 1, ..Limits::default() });
    for owner in 0..2 {
        world.fetch(owner, "http://127.0.0.1/");
        world.turn(&[]);
    }
    world.now += Duration::from_secs(10);
    world.turn(&[]);
    assert_eq!(world.heard(), ["1: too many fetches are under way: no place became free within 10 s"]);
    world.fetch(2, "http://127.0.0.1/");
    world.turn(&[]);
    assert_eq!(world.heard().len(), 1, "the third may wait: {:?}", world.heard());
}

#[test]
fn a_response_that_came_during_a_stall_is_in_time() {
    let (head, rest) = OK.split_at(30);
    for (before, during) in [("", OK), (head, rest)] {
        let mut world = World::with(Limits::default());
        world.fetch(0, "http://127.0.0.1/");
        world.turn(&[]);
        world.says(0, before.as_bytes());
        world.now += Duration::from_secs(60);
        let readable = world.readable(0, during.as_bytes());
        // The first turn after a stop may come without any readiness.
        world.turn(&[]);
        world.turn(&[readable]);
        assert_eq!(world.heard(), ["0: 2 bytes", "0: done"]);
    }
}

#[test]
fn a_site_that_stays_silent_after_a_stall_has_a_deadline() {
    let mut world = World::with(Limits::default());
    world.fetch(0, "http://127.0.0.1/");
    world.turn(&[]);
    world.now += Duration::from_secs(60);
    world.turn(&[]);
    assert_eq!(world.heard(), [""; 0]);
    world.now += Duration::from_secs(10);
    world.turn(&[]);
    assert_eq!(world.heard().len(), 1, "{:?}", world.heard());
}

#[test]
fn a_handshake_is_not_late_after_a_stall() {
    let mut world = World::with(Limits::default());
    world.arrive(2, 2);
    world.now += Duration::from_secs(60);
    world.turn(&[]);
    assert_eq!(world.server.counts().connections, 2);
    world.site(0).borrow_mut().securing = false;
    world.says(0, b"GET / HT");
    world.now += Duration::from_secs(10);
    world.turn(&[]);
    assert_eq!(world.server.counts().connections, 1, "only the one that has gone on");
}

#[test]
fn a_full_origin_does_not_hold_up_a_fetch_to_another() {
    let mut world = World::with(Limits { fetches_max: 4, origin_fetches_max: 1, ..Limits::default() });
    for (owner, host) in ["127.0.0.1", "127.0.0.1", "127.0.0.2"].iter().enumerate() {
        world.fetch(owner, &format!("http://{host}/"));
    }
    world.turn(&[]);
    assert_eq!((world.sites(), world.server.counts().fetches_running), (2, 2));
}

#[test]
fn a_queued_fetch_that_was_replaced_does_not_come_back() {
    let mut world = World::with(Limits { fetches_max: 1, ..Limits::default() });
    world.fetch(0, "http://127.0.0.1/a");
    world.turn(&[]);
    world.fetch(1, "http://127.0.0.1/b");
    world.turn(&[]);
    world.fetch(1, "http://127.0.0.1/c");
    world.site(0).borrow_mut().peer_reset = true;
    world.says(0, b"");
    assert!(world.site(1).borrow().heard().starts_with(b"GET /c "), "/b was taken back");
    world.says(1, OK.as_bytes());
    assert_eq!(world.heard()[1..], ["1: 2 bytes", "1: done"]);
    assert_eq!((world.server.counts().fetches, world.server.counts().fetches_running), (0, 0));
}

#[test]
fn a_kept_connection_that_is_shed_is_not_kept() {
    let mut world = World::with(Limits { buffer_bytes_max: 1 << 20, ..Limits::default() });
    world.fetch(0, "http://127.0.0.1/");
    world.turn(&[]);
    world.says(0, OK.as_bytes());
    assert_eq!(world.server.counts().kept, 1);
    world.site(0).borrow_mut().held = 2 << 20;
    world.says(0, b"");
    assert_eq!((world.server.counts().kept, world.server.counts().fetches), (0, 0));
    assert_eq!(world.heard(), ["0: 2 bytes", "0: done"], "the owner does not hear of it");
}

#[test]
fn fetch_begun_at_the_end_of_another_takes_one_place() {
    let (now, mut left) = (Instant::now(), 3);
    let on_done = Box::new(move |out: &mut Effects| {
        if left > 0 {
            left -= 1;
            out.push(Effect::Fetch(ConnId::outside(100 + left), fetch("http://127.0.0.1/next", now)));
        }
    });
    let mut world = World::new(Limits { fetches_max: 8, ..Limits::default() }, on_done);
    world.fetch(0, "http://127.0.0.1/");
    world.turn(&[]);
    for _ in 0..4 {
        world.says(0, OK.as_bytes());
    }
    let counts = world.server.counts();
    assert_eq!((counts.fetches, counts.fetches_running, counts.kept), (0, 0, 1));
    assert_eq!(world.heard().iter().filter(|heard| heard.ends_with("done")).count(), 4);
}

#[test]
fn a_redirect_keeps_its_place_and_its_connection() {
    let mut world = World::with(Limits { fetches_max: 1, ..Limits::default() });
    let first = Fetch { redirects_max: 1, ..*fetch("http://127.0.0.1/", world.now) };
    world.server.start(|_, out| out.push(Effect::Fetch(ConnId::outside(0), Box::new(first))));
    world.fetch(1, "http://127.0.0.1/waits");
    world.turn(&[]);
    world.says(0, b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 2\r\n\r\nno");
    for (owner, asked) in [(0, "GET /there "), (1, "GET /waits ")] {
        let heard = String::from_utf8_lossy(&world.site(0).borrow().heard()).into_owned();
        assert!(heard.contains(asked), "{heard}");
        world.says(0, OK.as_bytes());
        assert_eq!(world.heard()[2 * owner..], [format!("{owner}: 2 bytes"), format!("{owner}: done")]);
    }
    assert_eq!(world.sites(), 1);
}

#[test]
#[cfg(feature = "deflate")]
fn inflated_bytes_count_for_the_slice() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 32 << 20]).expect("a vector takes all");
    let bomb = gzip.finish().expect("a vector takes all");
    let limits = Limits {
        http: squall::http::Limits { inflated_bytes_max: u64::MAX, ..Default::default() },
        ..Limits::default()
    };
    let most = 2 * limits.slice_bytes_max;
    let mut world = World::with(limits);
    let fetch = Fetch { decode: true, ..*fetch("http://127.0.0.1/", world.now) };
    world.server.start(|_, out| out.push(Effect::Fetch(ConnId::outside(0), Box::new(fetch))));
    world.turn(&[]);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bomb.len());
    let readable = world.readable(0, &[head.as_bytes(), &bomb].concat());
    world.server.turn(&[readable], at(world.now));
    let bytes = |heard: &String| heard.strip_prefix("0: ")?.strip_suffix(" bytes")?.parse::<usize>().ok();
    let inflated: usize = world.heard().iter().filter_map(bytes).sum();
    assert!((1..=most).contains(&inflated), "{inflated} bytes in one slice");
}

#[test]
fn handshakes_per_turn_are_limited_and_others_go_first() {
    let limits = Limits::default();
    let (burst, part) = (5 * limits.handshakes_per_turn, limits.handshakes_per_turn);
    let mut world = World::with(limits);
    world.arrive(burst + 1, burst);
    let readiness: Vec<_> = (0..=burst).map(|n| world.readable(n, b"")).collect();
    let reads = |world: &World| (0..burst).map(|n| world.site(n).borrow().reads).sum::<usize>();
    let before = (reads(&world), world.site(burst).borrow().reads);
    let wait = world.server.turn(&readiness, at(world.now));
    assert_eq!(world.site(burst).borrow().reads, before.1 + 1, "a connection that is in is served at once");
    assert_eq!((reads(&world) - before.0, wait), (part, Some(Duration::ZERO)), "and the burst goes on at once");
    world.turn(&[]);
    assert_eq!(reads(&world) - before.0, burst, "to its end");
}

#[test]
fn responses_that_come_together_are_heard_in_one_turn() {
    let mut world = World::with(Limits::default());
    for owner in 0..3 {
        world.fetch(owner, "http://127.0.0.1/");
    }
    world.turn(&[]);
    let readiness: Vec<_> = (0..3).map(|n| world.readable(n, OK.as_bytes())).collect();
    world.server.turn(&readiness, at(world.now));
    assert_eq!(world.heard(), ["0: 2 bytes", "0: done", "1: 2 bytes", "1: done", "2: 2 bytes", "2: done"]);
}

#[test]
fn input_of_an_idle_connection_is_no_response() {
    let (now, mut left) = (Instant::now(), 2);
    // The first of them may have the connection whose end it is.
    let on_done = Box::new(move |out: &mut Effects| {
        for owner in [100, 101].into_iter().filter(|_| left == 1) {
            out.push(Effect::Fetch(ConnId::outside(owner), fetch("http://127.0.0.1/next", now)));
        }
        left -= 1;
    });
    let mut world = World::new(Limits::default(), on_done);
    for owner in 0..2 {
        world.fetch(owner, "http://127.0.0.1/");
    }
    world.turn(&[]);
    world.says(0, OK.as_bytes());
    assert_eq!(world.server.counts().kept, 1);
    let readiness = [world.readable(1, OK.as_bytes()), world.readable(0, OK.as_bytes())];
    world.turn(&readiness);
    assert_eq!(world.heard(), ["0: 2 bytes", "0: done", "1: 2 bytes", "1: done"], "the new fetches have sent nothing");
    let counts = world.server.counts();
    assert_eq!((counts.fetches_running, world.sites()), (2, 3));
}

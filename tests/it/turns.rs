//! Single turns of the loop over a network in memory: races that no real socket repeats.

mod fetches;
mod followers;
mod services;
mod slices;
mod subprotocols;

use crate::support::network::{Dials, FakeNetwork, Pipe, PipeRef, READABLE, WRITABLE};
use crate::support::{Dir, at, wait_for};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Body, Effect, Effects, Fetch, Fetched, Finished, Job, Request, Response, Url};
use squall::id::ConnId;
use squall::net::{Ready, Source};
use squall::reactor::Server;
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Writes down how its fetches end.
struct Ends(Rc<RefCell<Vec<String>>>);

impl App for Ends {
    fn fetched(&mut self, _: ConnId, fetched: Fetched<'_>, _: Now, _: &mut Effects) {
        if let Fetched::Failed(why) = fetched {
            self.0.borrow_mut().push(why.to_string());
        }
    }
}

#[test]
fn failed_write_of_a_request_is_the_reason() {
    let (network, ends, now) = (FakeNetwork::default(), Rc::default(), Instant::now());
    network.0.borrow_mut().dials = Dials::Connected(|| {
        let mut pipe = Pipe::roomy();
        pipe.reset(false);
        pipe
    });
    let mut server = Server::new(network.clone(), Ends(Rc::clone(&ends)), Limits::default(), Arc::new(|| {}), now);
    let within = Duration::from_secs(20);
    let url = Url::parse("http://127.0.0.1/").expect("a URL");
    let fetch = Fetch::get(url, now, within);
    server.start(|_, out| out.push(Effect::Fetch(ConnId::outside(0), Box::new(fetch))));
    server.turn(&[], at(now));
    let id = network.pipe(0).borrow().id.expect("it is watched");
    server.turn(&[(Source::Connection(id), WRITABLE)], at(now));
    let why = format!("the connection broke before the response was whole: {}", io::Error::from(ErrorKind::BrokenPipe));
    assert_eq!(*ends.borrow(), [why]);
    server.turn(&[], at(now));
    assert_eq!((server.counts().fetches, server.counts().fetches_running), (0, 0));
}

/// Responds to everything with a file, and records how many responses are held when the next file comes.
struct Files {
    path: PathBuf,
    network: FakeNetwork,
    /// Files that have come, and the most responses that were held.
    seen: Rc<Cell<(usize, usize)>>,
}

impl App for Files {
    fn request(&mut self, from: ConnId, _: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        out.push(Effect::Run(from, Job::ReadFile { path: self.path.clone() }));
    }

    fn finished(&mut self, from: ConnId, finished: Finished, _: Now, out: &mut Effects) {
        let Finished::File(file) = finished else { return };
        let (files, most) = self.seen.get();
        let held = files - (CLIENTS - self.network.0.borrow().living());
        self.seen.set((files + 1, most.max(held)));
        let body = Body::Blocks(Box::new(file.expect("it is there").bytes));
        out.push(Effect::Respond(from, Response::new(200, "text/plain", body)));
    }
}

const CLIENTS: usize = 20;

#[test]
fn files_that_come_in_one_turn_are_booked_one_by_one() {
    let www = Dir::new();
    www.write("file", vec![7; 1 << 20]);
    let (network, now) = (FakeNetwork::default(), Instant::now());
    for _ in 0..CLIENTS {
        let mut deaf = Pipe::default();
        deaf.say("GET / HTTP/1.1\r\nHost: squall\r\n\r\n");
        network.0.borrow_mut().arrive(&PipeRef::new(RefCell::new(deaf)));
    }
    let (seen, woken) = (Rc::default(), Arc::new(AtomicUsize::new(0)));
    let app = Files { path: www.path().join("file"), network: network.clone(), seen: Rc::clone(&seen) };
    let limits = Limits { buffer_bytes_max: 4 << 20, job_threads: CLIENTS, ..Limits::default() };
    let wake = Arc::new({
        let woken = woken.clone();
        move || {
            woken.fetch_add(1, SeqCst);
        }
    });
    let mut server = Server::new(network.clone(), app, limits, wake, now);
    server.turn(&[], at(now));
    let all: Vec<_> = network.0.borrow().pipes.iter().filter_map(|pipe| pipe.borrow_mut().report()).collect();
    assert_eq!(all.len(), CLIENTS);
    server.turn(&all, at(now));
    wait_for("all files", || (woken.load(SeqCst) == CLIENTS).then_some(()));
    server.turn(&[(Source::Jobs, Ready::default())], at(now));
    let (files, most) = seen.get();
    assert_eq!(files, CLIENTS);
    assert!((3..=4).contains(&most), "{most} responses of 1 MiB were held at once");
    assert!(server.counts().booked <= 4 << 20, "{:?}", server.counts());
    assert_eq!(server.counts().connections, network.0.borrow().living());
}

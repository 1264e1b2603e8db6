//! Single turns of the loop over a network that says exactly what the test wants: races that no real socket repeats.

mod fetches;
mod slices;

use crate::support::at;
use crate::support::{Dir, wait_for};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Body, Effect, Effects, Event, Fetch, Fetched, Finished, Job, Response, Url};
use squall::id::ConnId;
use squall::net::{Network, Ready, Source, Stream};
use squall::reactor::Server;
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// A stream that says once what it was given and takes nothing.
struct Mute {
    says: &'static [u8],
    /// Why it takes nothing.
    refuses: ErrorKind,
    living: Rc<Cell<usize>>,
}

impl Read for Mute {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match std::mem::take(&mut self.says) {
            b"" => Err(ErrorKind::WouldBlock.into()),
            mut says => says.read(buf),
        }
    }
}

impl Write for Mute {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.refuses.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Mute {
    fn shutdown_write(&mut self) {}

    fn reset_on_drop(&self) {}

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 80).into())
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.living.set(self.living.get() - 1);
    }
}

/// So many wait to be accepted, ask something and read nothing; whoever is connected to has reset already.
#[derive(Clone, Default)]
struct Outside {
    backlog: Rc<Cell<usize>>,
    living: Rc<Cell<usize>>,
    watched: Rc<RefCell<Vec<ConnId>>>,
}

impl Outside {
    fn stream(&self, says: &'static [u8], refuses: ErrorKind) -> Mute {
        self.living.set(self.living.get() + 1);
        Mute { says, refuses, living: self.living.clone() }
    }
}

impl Network for Outside {
    type Stream = Mute;

    fn accept(&mut self, _: usize) -> io::Result<Mute> {
        self.backlog.set(self.backlog.get().checked_sub(1).ok_or(ErrorKind::WouldBlock)?);
        Ok(self.stream(b"GET / HTTP/1.1\r\nHost: squall\r\n\r\n", ErrorKind::WouldBlock))
    }

    fn connect(&mut self, _: SocketAddr) -> io::Result<Mute> {
        Ok(self.stream(b"", ErrorKind::BrokenPipe))
    }

    fn watch(&mut self, _: &mut Mute, id: ConnId) -> io::Result<()> {
        self.watched.borrow_mut().push(id);
        Ok(())
    }

    fn listeners(&self) -> usize {
        1
    }

    fn stop_listening(&mut self) {}
}

/// Writes down how its fetches end.
struct Ends(Rc<RefCell<Vec<String>>>);

impl App for Ends {
    fn on_event(&mut self, _: ConnId, event: Event<'_>, _: Now, _: &mut Effects) {
        if let Event::Fetched(Fetched::Failed(why)) = event {
            self.0.borrow_mut().push(why.to_string());
        }
    }
}

#[test]
fn a_fetch_whose_request_cannot_be_written_ends_with_its_reason() {
    let (network, ends, now) = (Outside::default(), Rc::default(), Instant::now());
    let mut server = Server::new(network.clone(), Ends(Rc::clone(&ends)), Limits::default(), Arc::new(|| {}), now);
    let within = Duration::from_secs(20);
    let url = Url::parse("http://127.0.0.1/").expect("a URL");
    let fetch = Fetch::get(url, now, within);
    server.start(|_, out| out.push(Effect::Fetch(ConnId::outside(0), Box::new(fetch))));
    server.turn(&[], at(now));
    let id = network.watched.borrow()[0];
    server.turn(&[(Source::Connection(id), Ready { writable: true, ..Ready::default() })], at(now));
    let why = format!("the connection broke before the answer was whole: {}", io::Error::from(ErrorKind::BrokenPipe));
    assert_eq!(*ends.borrow(), [why]);
    server.turn(&[], at(now));
    assert_eq!((server.counts().fetches, server.counts().fetches_running), (0, 0));
}

/// Answers everything with a file, and writes down how many answers are held when the next file comes.
struct Files {
    path: PathBuf,
    living: Rc<Cell<usize>>,
    /// Files that have come, and the most answers that were held.
    seen: Rc<Cell<(usize, usize)>>,
}

impl App for Files {
    fn on_event(&mut self, from: ConnId, event: Event<'_>, _: Now, out: &mut Effects) {
        match event {
            Event::Request(..) => out.push(Effect::Run(from, Job::ReadFile { path: self.path.clone() })),
            Event::Finished(Finished::File(file)) => {
                let (files, most) = self.seen.get();
                let held = files - (CLIENTS - self.living.get());
                self.seen.set((files + 1, most.max(held)));
                let body = Body::Blocks(Box::new(file.expect("it is there").bytes));
                out.push(Effect::Respond(from, Response::new(200, "text/plain", body)));
            }
            _ => {}
        }
    }
}

const CLIENTS: usize = 20;

#[test]
fn files_that_come_in_one_turn_are_booked_one_by_one() {
    let www = Dir::new();
    www.write("file", vec![7; 1 << 20]);
    let (network, now) = (Outside::default(), Instant::now());
    network.backlog.set(CLIENTS);
    let (seen, woken) = (Rc::default(), Arc::new(AtomicUsize::new(0)));
    let app = Files { path: www.path().join("file"), living: network.living.clone(), seen: Rc::clone(&seen) };
    let limits = Limits { buffer_bytes_max: 4 << 20, job_threads: CLIENTS, ..Limits::default() };
    let wake = Arc::new({
        let woken = woken.clone();
        move || {
            woken.fetch_add(1, SeqCst);
        }
    });
    let mut server = Server::new(network.clone(), app, limits, wake, now);
    server.turn(&[], at(now));
    let all = network.watched.borrow().clone();
    let readable = Ready { readable: true, ..Ready::default() };
    server.turn(&all.iter().map(|&id| (Source::Connection(id), readable)).collect::<Vec<_>>(), at(now));
    wait_for("all files", || (woken.load(SeqCst) == CLIENTS).then_some(()));
    server.turn(&[(Source::Jobs, Ready::default())], at(now));
    let (files, most) = seen.get();
    assert_eq!(files, CLIENTS);
    assert!((3..=4).contains(&most), "{most} answers of 1 MiB were held at once");
    assert!(server.counts().booked <= 4 << 20, "{:?}", server.counts());
    assert_eq!(server.counts().connections, network.living.get());
}

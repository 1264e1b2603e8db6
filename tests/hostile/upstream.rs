//! A search site that is never done: half of its responses do not begin, the others do not end.

use crate::swarm::Swarm;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const DRIP_EVERY: Duration = Duration::from_millis(100);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNK: &[u8] = b"10\r\n0123456789abcdef\r\n";

/// A thread that plays it.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    open: AtomicUsize,
    came: AtomicUsize,
}

impl Upstream {
    pub fn start() -> io::Result<Upstream> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || play(&listener, &shared).expect("the search site works")
        });
        Ok(Upstream { address, shared, thread: Some(thread) })
    }

    /// Connections of the server that are there.
    pub fn open(&self) -> usize {
        self.shared.open.load(SeqCst)
    }

    /// Connections there have ever been.
    pub fn came(&self) -> usize {
        self.shared.came.load(SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn play(listener: &TcpListener, shared: &Shared) -> io::Result<()> {
    let mut swarm = Swarm::new()?;
    let head: Rc<[u8]> = HEAD.into();
    let chunk: Rc<[u8]> = CHUNK.into();
    let mut dripped = Instant::now();
    while !shared.stop.load(SeqCst) {
        while let Ok((stream, _)) = listener.accept() {
            let key = swarm.adopt(stream, &head, 0)?;
            if shared.came.fetch_add(1, SeqCst).is_multiple_of(2) {
                swarm.allow(key, HEAD.len() as u64);
            }
        }
        swarm.turn(Duration::from_millis(2))?;
        for key in swarm.ended_keys() {
            swarm.close(key);
        }
        shared.open.store(swarm.peers.len(), SeqCst);
        if dripped.elapsed() > DRIP_EVERY {
            dripped = Instant::now();
            let streaming = swarm.peers.iter().filter(|(_, peer)| peer.sent > 0).map(|(key, _)| key);
            for key in streaming.collect::<Vec<_>>() {
                swarm.repeat(key, &chunk);
            }
        }
    }
    Ok(())
}

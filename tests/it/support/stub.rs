//! A search site to be played by a test: one thread per connection, and the test says what it does.

use super::{PATIENCE, ms};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A site that listens on a loopback address.
pub struct Stub {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    met: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

/// One connection to the stub, after its request's head.
pub struct Asked {
    pub stream: TcpStream,
    /// The head of the request, with its empty line.
    pub request: String,
}

impl Stub {
    /// A site that does `play` with every request.
    pub fn start(play: impl Fn(Asked) + Send + Sync + 'static) -> Stub {
        Stub::on("127.0.0.1", play)
    }

    /// The same on another loopback address.
    pub fn on(ip: &str, play: impl Fn(Asked) + Send + Sync + 'static) -> Stub {
        Stub::meeting(ip, move |stream, shared| {
            if let Some(asked) = Asked::read(stream, shared) {
                play(asked);
            }
        })
    }

    /// A site that resets every connection at once, whatever has been asked by then.
    pub fn resetting() -> Stub {
        Stub::meeting("127.0.0.1", |stream, _| {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(ms(0)));
        })
    }

    /// A site that does `play` with every connection, whatever has been asked by then.
    pub fn raw(play: impl Fn(TcpStream) + Send + Sync + 'static) -> Stub {
        Stub::meeting("127.0.0.1", move |stream, _| play(stream))
    }

    fn meeting(ip: &str, meet: impl Fn(TcpStream, &Shared) + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind((ip, 0)).expect("a loopback address");
        let address = listener.local_addr().expect("an address");
        let (shared, meet) = (Arc::new(Shared::default()), Arc::new(meet));
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                loop {
                    let (stream, _) = listener.accept().unwrap_or_else(|e| panic!("{e}"));
                    if shared.stop.load(SeqCst) {
                        return;
                    }
                    let (shared, meet) = (shared.clone(), meet.clone());
                    shared.met.fetch_add(1, SeqCst);
                    shared.open.fetch_add(1, SeqCst);
                    std::thread::spawn(move || {
                        let open = Open(&shared);
                        meet(stream, &shared);
                        drop(open);
                    });
                }
            }
        });
        Stub { address, shared, thread: Some(thread) }
    }

    /// A site that gives everyone these bytes and closes.
    pub fn saying(response: impl Into<Vec<u8>>) -> Stub {
        let response = response.into();
        Stub::start(move |mut asked| asked.say(&response))
    }

    /// The flag `--search-url` and its value.
    pub fn flag(&self) -> [String; 2] {
        ["--search-url".into(), format!("http://{}/s?wd={{}}", self.address)]
    }

    /// Heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().expect("no thread panics with it").clone()
    }

    /// Connections so far.
    pub fn met(&self) -> usize {
        self.shared.met.load(SeqCst)
    }

    /// Connections that are being played now.
    pub fn open(&self) -> usize {
        self.shared.open.load(SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        // The last connection ends the wait for the next one.
        if TcpStream::connect(self.address).is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

/// One connection that is being played, also if its play panics.
struct Open<'a>(&'a Shared);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

/// Reads a head with its empty line; `None`: the other side is gone, or says nothing.
pub fn read_head(from: &mut impl Read) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match from.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
    Some(String::from_utf8(head).expect("heads are ASCII"))
}

impl Asked {
    fn read(mut stream: TcpStream, shared: &Shared) -> Option<Asked> {
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = read_head(&mut stream)?;
        shared.requests.lock().expect("no thread panics with it").push(request.clone());
        Some(Asked { stream, request })
    }

    /// The request's target.
    pub fn target(&self) -> &str {
        self.request.split(' ').nth(1).expect("METHOD TARGET VERSION")
    }

    /// Writes, and ignores whether the other side is still there.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Reads until the other side is gone; `false`: it was not within the test's patience.
    pub fn wait_for_the_end(&mut self) -> bool {
        let mut buf = [0; 1024];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return e.kind() == ErrorKind::ConnectionReset,
            }
        }
    }
}

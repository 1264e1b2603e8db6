//! The connections: bytes from and to many servers' sockets on one poll. What they mean is a [`Client`]'s matter.

use crate::figures::Times;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connections that are being opened at once: fewer than any server's backlog.
const OPENING_MAX: usize = 128;
const OPEN_WITHIN: Duration = Duration::from_secs(60);
/// Connections for each loopback address: its ports, less some for connections that just ended.
const PER_SOURCE: usize = 10_000;
const READ_BYTES: usize = 1 << 20;

/// What a connection says; connections are numbered in the order in which they are opened.
pub trait Client {
    /// The first bytes on connection `id`.
    fn hello(&self, id: usize) -> &[u8];
    /// How many connections have been answered, and are open.
    fn opened(&self) -> usize;
    /// Takes bytes from the front of what has come, gives how many; what is to be said now goes to `out`.
    ///
    /// # Errors
    /// What is wrong with them. That is the end of the load: a server that fails is not measured.
    fn receive(&mut self, id: usize, bytes: &[u8], now: Instant, out: &mut Vec<u8>) -> Result<usize, String>;
    /// Connections that are due to send; `None`: none waits for a time.
    fn due(&mut self, now: Instant, say: &mut dyn FnMut(usize, &[u8])) -> Option<Instant>;
    /// How much has been done, of what is counted.
    fn done(&self) -> u64;
    fn times(&mut self) -> &mut Times;
}

struct Connection {
    stream: TcpStream,
    /// Came, but is not whole.
    begun: Vec<u8>,
    unsent: Vec<u8>,
}

pub struct Fleet {
    poll: Poll,
    events: Events,
    address: SocketAddr,
    connections: Vec<Connection>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Fleet {
    pub fn new(address: SocketAddr) -> Result<Fleet, String> {
        let poll = Poll::new().map_err(|e| e.to_string())?;
        let (events, input) = (Events::with_capacity(1024), vec![0; READ_BYTES]);
        Ok(Fleet { poll, events, address, connections: Vec::new(), input, output: Vec::new() })
    }

    /// Opens further connections, until there are `all`.
    pub fn open(&mut self, client: &mut impl Client, all: usize) -> Result<(), String> {
        let until = Instant::now() + OPEN_WITHIN;
        while client.opened() < all {
            while self.connections.len() < all.min(client.opened() + OPENING_MAX) {
                let id = self.connections.len();
                self.connect(id).map_err(|e| format!("connection {id}: {e}"))?;
                self.send(id, client.hello(id))?;
            }
            self.turn(client, Duration::from_millis(20))?;
            if Instant::now() > until {
                return Err(format!("only {} of {all} connections were answered", client.opened()));
            }
        }
        Ok(())
    }

    fn connect(&mut self, id: usize) -> std::io::Result<()> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        if let SocketAddr::V4(address) = self.address
            && address.ip().is_loopback()
        {
            // Each process has addresses of its own: those of the one before may still be in TIME_WAIT.
            let source = [127, 1 + (std::process::id() % 250) as u8, (id / PER_SOURCE) as u8, 1];
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        socket.set_tcp_nodelay(true)?;
        socket.connect(&self.address.into())?;
        socket.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(socket.into());
        self.poll.registry().register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)?;
        self.connections.push(Connection { stream, begun: Vec::new(), unsent: Vec::new() });
        Ok(())
    }

    /// Turns until then.
    pub fn run(&mut self, client: &mut impl Client, until: Instant) -> Result<(), String> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(client, left)?;
        }
    }

    pub fn turn(&mut self, client: &mut impl Client, wait: Duration) -> Result<(), String> {
        let mut failed = Ok(());
        let mut say = |id: usize, bytes: &[u8]| {
            let said = self.send(id, bytes);
            failed = std::mem::replace(&mut failed, Ok(())).and(said);
        };
        let now = Instant::now();
        let next = client.due(now, &mut say);
        failed?;
        let wait = next.map_or(wait, |next| next.saturating_duration_since(now).min(wait));
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(wait)) {
            Err(e) if e.kind() != ErrorKind::Interrupted => return Err(e.to_string()),
            _ => {}
        }
        for event in &events {
            let Token(id) = event.token();
            if event.is_writable() && !self.connections[id].unsent.is_empty() {
                let unsent = std::mem::take(&mut self.connections[id].unsent);
                self.send(id, &unsent)?;
            }
            if event.is_readable() {
                self.receive(id, client).map_err(|why| format!("connection {id}: {why}"))?;
            }
        }
        self.events = events;
        Ok(())
    }

    /// Now what the socket takes, the rest when it is writable.
    pub fn send(&mut self, id: usize, bytes: &[u8]) -> Result<(), String> {
        let connection = &mut self.connections[id];
        let mut sent = 0;
        if connection.unsent.is_empty() {
            sent = match connection.stream.write(bytes) {
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => 0,
                Err(e) => return Err(format!("connection {id}: {e}")),
            };
        }
        connection.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Reads until the socket is empty, and says in one write what that calls for.
    fn receive(&mut self, id: usize, client: &mut impl Client) -> Result<(), String> {
        let mut output = std::mem::take(&mut self.output);
        output.clear();
        loop {
            let connection = &mut self.connections[id];
            let begun = connection.begun.len();
            self.input[..begun].copy_from_slice(&connection.begun);
            let n = match connection.stream.read(&mut self.input[begun..]) {
                Ok(0) => return Err("the server has closed it".into()),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.to_string()),
            };
            let bytes = &self.input[..begun + n];
            let used = client.receive(id, bytes, Instant::now(), &mut output)?;
            connection.begun.clear();
            connection.begun.extend_from_slice(&bytes[used..]);
            if bytes.len() < READ_BYTES {
                break;
            }
        }
        if !output.is_empty() {
            self.send(id, &output)?;
        }
        self.output = output;
        Ok(())
    }
}

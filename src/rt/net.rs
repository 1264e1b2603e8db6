//! Where streams come from and what they can do: the kernel's by mio, or a test's.
//!
//! [`Network`] gives out [`Stream`]s and has them watched; what becomes ready comes back as a list of
//! ([`Source`], [`Ready`]). Sockets are registered once, for both directions, edge-triggered (epoll(7)).

use crate::id::ConnId;
#[cfg(feature = "tls")]
use crate::rt::tls::{self, TlsStream};
use crate::rt::wire::Wire;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
#[cfg(feature = "tls")]
use rustls::{ClientConfig, ServerConfig};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;
#[cfg(feature = "tls")]
use std::sync::Arc;

/// The queue of connections the kernel has completed and nobody has accepted; mio alone would ask for 128.
const BACKLOG: i32 = 4096;
/// Unsent bytes the kernel takes before a socket stops being writable: 500 deaf members held 1.5 GiB of kernel memory
/// without it and 49 MiB with it (tcp(7), TCP_NOTSENT_LOWAT).
const NOTSENT_LOWAT: u32 = 128 << 10;

/// A non-blocking byte stream.
pub trait Stream: Read + Write {
    /// Takes the handshake as far as the socket allows; `true` once bytes may flow, for TCP at once.
    ///
    /// # Errors
    /// The handshake has failed: the stream is of no use.
    fn secure(&mut self) -> io::Result<bool> {
        Ok(true)
    }
    /// Bytes that were taken by `write` and still wait here for the socket; `flush` sends them.
    fn unsent(&self) -> usize {
        0
    }
    /// Whether it is known how the input ends: the next read tells, and no event will call for it.
    fn input_ended(&self) -> bool {
        false
    }
    /// Of a stream that waits: a read waits so long at most, and then says `WouldBlock`.
    ///
    /// # Errors
    /// The kernel refuses, or it is a stream that never waits.
    fn wait_at_most(&self, _within: Duration) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
    /// Sends FIN behind what was written.
    fn shutdown_write(&mut self);
    /// Makes the drop a reset (SO_LINGER 0): only that gives the kernel's send buffer back at once.
    fn reset_on_drop(&self);
    /// The pending error of the socket (SO_ERROR): how a connect ended.
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    /// The other end; `NotConnected` while a connect is under way.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}

/// Writes once; answers how much was taken, and notes in `writable` when the socket is full.
///
/// # Errors
/// What the socket says besides `WouldBlock` and `Interrupted`: the peer is gone.
pub fn write_some(stream: &mut impl Stream, bytes: &[u8], writable: &mut bool) -> io::Result<usize> {
    loop {
        return match stream.write(bytes) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                // A short write means that the send buffer is full, and its edge is still to come. So does ciphertext
                // that is left behind.
                *writable = n == bytes.len() && stream.unsent() == 0;
                Ok(n)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                *writable = false;
                Ok(0)
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => Err(e),
        };
    }
}

/// What the loop needs of the world.
pub trait Network {
    type Stream: Stream;

    /// The next connection of listener number `listener`.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; a shortage of descriptors or memory (accept(2)); or one client's own failure.
    fn accept(&mut self, listener: usize) -> io::Result<Self::Stream>;
    /// Starts to connect; the stream becomes writable when that is decided.
    ///
    /// # Errors
    /// No descriptor, no route, or no permission (connect(2)).
    fn connect(&mut self, to: SocketAddr) -> io::Result<Self::Stream>;
    /// Connects and waits for it; the stream it gives waits, too, and is never watched.
    ///
    /// # Errors
    /// As connect(2), `TimedOut` after `within`; or this network has nobody who waits.
    fn connect_and_wait(&mut self, _to: SocketAddr, _within: Duration) -> io::Result<Self::Stream> {
        Err(ErrorKind::Unsupported.into())
    }
    /// Puts TLS on a stream that has just been connected to `host`, a name or an address; [`Stream::secure`] drives it.
    ///
    /// # Errors
    /// This network has no TLS, or the host cannot stand in a certificate.
    fn encrypt(&mut self, _stream: Self::Stream, _host: &str) -> io::Result<Self::Stream> {
        Err(ErrorKind::Unsupported.into())
    }
    /// From now on reports the readiness of `stream` under `id`.
    ///
    /// # Errors
    /// The kernel's limit of watches is reached (epoll_ctl(2)).
    fn watch(&mut self, stream: &mut Self::Stream, id: ConnId) -> io::Result<()>;
    /// How many listeners there are.
    fn listeners(&self) -> usize;
    /// Stops listening; clients in the backlog are refused.
    fn stop_listening(&mut self);
}

/// Who became ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Connection(ConnId),
    Listener(usize),
    /// The pool has results.
    Jobs,
    /// A signal came.
    Signals,
}

/// What the kernel said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    pub readable: bool,
    pub writable: bool,
    /// The peer's FIN is here, perhaps behind data.
    pub read_closed: bool,
    /// Reset, or both directions are shut.
    pub broken: bool,
}

// Generation 0 is nobody's (see `rt::slab`), so the low half of the token names everything else.
const JOBS: usize = u32::MAX as usize;
const SIGNALS: usize = JOBS - 1;

impl Source {
    /// The token of mio for this source.
    pub fn token(self) -> Token {
        Token(match self {
            Source::Connection(id) => (id.generation() as usize) << 32 | id.slot(),
            Source::Listener(n) => n,
            Source::Jobs => JOBS,
            Source::Signals => SIGNALS,
        })
    }

    fn of(token: Token) -> Source {
        match (token.0 >> 32, token.0 & JOBS) {
            (0, JOBS) => Source::Jobs,
            (0, SIGNALS) => Source::Signals,
            (0, n) => Source::Listener(n),
            (generation, slot) => Source::Connection(ConnId::new(slot, generation as u32)),
        }
    }
}

/// Translates one event of mio.
pub fn readiness(event: &Event) -> (Source, Ready) {
    let ready = Ready {
        readable: event.is_readable(),
        writable: event.is_writable(),
        read_closed: event.is_read_closed(),
        broken: event.is_error() || event.is_read_closed() && event.is_write_closed(),
    };
    (Source::of(event.token()), ready)
}

/// The kernel's network.
pub struct Kernel {
    registry: Registry,
    listeners: Vec<TcpListener>,
    /// For what is accepted from here on; the listener behind these many is plain.
    #[cfg(feature = "tls")]
    inward: Option<(Arc<ServerConfig>, usize)>,
    /// For what is connected; made when it is first needed.
    #[cfg(feature = "tls")]
    outward: Option<Arc<ClientConfig>>,
}

impl Kernel {
    /// Listens on every address.
    ///
    /// # Errors
    /// The address that could not be bound, and why.
    pub fn new(registry: Registry, addresses: &[SocketAddr]) -> Result<Kernel, (SocketAddr, io::Error)> {
        let mut listeners = Vec::new();
        for (n, &address) in addresses.iter().enumerate() {
            let listen = || {
                let mut listener = listen(address)?;
                registry.register(&mut listener, Source::Listener(n).token(), Interest::READABLE)?;
                Ok(listener)
            };
            listeners.push(listen().map_err(|e| (address, e))?);
        }
        Ok(Kernel {
            registry,
            listeners,
            #[cfg(feature = "tls")]
            inward: None,
            #[cfg(feature = "tls")]
            outward: None,
        })
    }

    /// The addresses that were bound, with the port the kernel chose for 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|l| l.local_addr().ok()).collect()
    }

    /// From now on the first `listeners` listeners speak TLS; connections that are there keep what they have.
    #[cfg(feature = "tls")]
    pub fn speak_tls(&mut self, config: Arc<ServerConfig>, listeners: usize) {
        self.inward = Some((config, listeners));
    }

    /// From now on what is connected to is judged by this.
    #[cfg(feature = "tls")]
    pub fn trust(&mut self, config: Arc<ClientConfig>) {
        self.outward = Some(config);
    }
}

/// Options set on a listener are inherited by what it accepts (tcp(7)), so an accept is one system call.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

impl Network for Kernel {
    type Stream = Wire;

    fn accept(&mut self, n: usize) -> io::Result<Wire> {
        let Some(listener) = self.listeners.get(n) else { return Err(ErrorKind::WouldBlock.into()) };
        let (stream, _) = listener.accept()?;
        #[cfg(feature = "tls")]
        if let Some((config, _)) = self.inward.as_ref().filter(|(_, listeners)| n < *listeners) {
            return Ok(Wire::Tls(Box::new(TlsStream::server(stream, config)?)));
        }
        Ok(Wire::Plain(stream))
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        Ok(Wire::Plain(stream))
    }

    fn connect_and_wait(&mut self, to: SocketAddr, within: Duration) -> io::Result<Wire> {
        let stream = std::net::TcpStream::connect_timeout(&to, within)?;
        Ok(Wire::Plain(TcpStream::from_std(stream)))
    }

    #[cfg(feature = "tls")]
    fn encrypt(&mut self, stream: Wire, host: &str) -> io::Result<Wire> {
        let Wire::Plain(stream) = stream else { return Ok(stream) };
        if self.outward.is_none() {
            self.outward = Some(tls::client_config(&[]).map_err(io::Error::other)?);
        }
        let config = self.outward.as_ref().expect("it has just been made");
        Ok(Wire::Tls(Box::new(TlsStream::client(stream, host, config)?)))
    }

    fn watch(&mut self, stream: &mut Wire, id: ConnId) -> io::Result<()> {
        let token = Source::Connection(id).token();
        self.registry.register(stream.socket(), token, Interest::READABLE | Interest::WRITABLE)
    }

    fn listeners(&self) -> usize {
        self.listeners.len()
    }

    fn stop_listening(&mut self) {
        self.listeners.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_survives_its_token() {
        let all = [
            Source::Connection(ConnId::new(0, 1)),
            Source::Connection(ConnId::new(77, u32::MAX)),
            Source::Listener(0),
            Source::Listener(9),
            Source::Jobs,
            Source::Signals,
        ];
        assert_eq!(all.map(|source| Source::of(source.token())), all);
    }
}

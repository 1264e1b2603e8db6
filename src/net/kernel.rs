//! The kernel's network, by mio: listeners, connections, and what epoll says of them.
//!
//! With the feature `tls` it also holds what TLS needs: our certificate for connections that we accept, and the trusted authorities where
//! we go out. The description of a listener says whether it speaks TLS; a connection keeps what it began with.

use crate::id::ConnId;
use crate::net::doors::Door;
use crate::net::listeners::{Listener, Service, Transport};
#[cfg(feature = "tls")]
use crate::net::tls::{self, TlsStream};
use crate::net::wire::Wire;
use crate::net::{Arrival, Edge, Network, Ready, Source};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
#[cfg(feature = "tls")]
use rustls::{ClientConfig, ServerConfig};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::path::Path;
#[cfg(feature = "tls")]
use std::sync::Arc;

/// Connections that the kernel has completed and that are not accepted yet; mio alone would ask for 128.
const BACKLOG: i32 = 4096;
/// Unsent bytes the kernel takes before the socket of a client stops being writable: 500 deaf members held 1.5 GiB of
/// kernel memory without it and 49 MiB with it (tcp(7), TCP_NOTSENT_LOWAT). What we ask others is small.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 128 << 10;

/// Seconds for which the kernel keeps back a connection that has sent nothing yet (tcp(7), TCP_DEFER_ACCEPT). So an
/// accept finds the request there, and one wake-up serves both: `ab` without keep-alive costs the server 0.80 of the CPU
/// time (medians of 33 paired rounds). It is short, because the deadlines of a silent connection begin when it is over.
#[cfg(target_os = "linux")]
const KEPT_BACK_SECONDS: uapi::c::c_int = 1;

/// Translates one event of mio.
pub fn readiness(event: &Event) -> (Source, Ready) {
    let input = match (event.is_read_closed(), event.is_readable()) {
        (true, _) => Edge::ReadClosed,
        (false, true) => Edge::Readable,
        (false, false) => Edge::None,
    };
    let ready = Ready {
        input,
        writable: event.is_writable(),
        broken: event.is_error() || event.is_read_closed() && event.is_write_closed(),
    };
    (Source::of(event.token()), ready)
}

/// The kernel's network.
pub struct Kernel {
    registry: Registry,
    listeners: Vec<(TcpListener, Listener)>,
    /// Their numbers are behind those of the listeners.
    doors: Vec<(Door, Service)>,
    /// For what the listeners accept that speak TLS.
    #[cfg(feature = "tls")]
    tls_server: Option<Arc<ServerConfig>>,
    /// For what we connect to; made when it is first needed.
    #[cfg(feature = "tls")]
    tls_client: Option<Arc<ClientConfig>>,
}

impl Kernel {
    /// Opens every listener.
    ///
    /// # Errors
    /// The address that could not be bound, and why.
    pub fn new(registry: Registry, described: &[Listener]) -> Result<Kernel, (SocketAddr, io::Error)> {
        let mut listeners = Vec::new();
        for (n, &listener) in described.iter().enumerate() {
            let listen = || {
                let mut socket = listen(listener.address)?;
                registry.register(&mut socket, Source::Listener(n).token(), Interest::READABLE)?;
                let address = socket.local_addr()?;
                Ok((socket, Listener { address, ..listener }))
            };
            listeners.push(listen().map_err(|e| (listener.address, e))?);
        }
        Ok(Kernel {
            registry,
            listeners,
            doors: vec![],
            #[cfg(feature = "tls")]
            tls_server: None,
            #[cfg(feature = "tls")]
            tls_client: None,
        })
    }

    /// The listeners, with the ports the kernel chose for 0.
    pub fn described(&self) -> Vec<Listener> {
        self.listeners.iter().map(|&(_, listener)| listener).collect()
    }

    /// Opens a door on `path` ([`Door::open`]).
    ///
    /// # Errors
    /// As of [`Door::open`], or there is no room for a watch.
    pub fn open_door(&mut self, path: &Path, service: Service) -> io::Result<()> {
        let mut door = Door::open(path)?;
        let token = Source::Listener(self.listeners()).token();
        self.registry.register(&mut door.listener, token, Interest::READABLE)?;
        self.doors.push((door, service));
        Ok(())
    }

    /// From now on the listeners that speak TLS use this; connections that are there keep what they have.
    #[cfg(feature = "tls")]
    pub fn speak_tls(&mut self, config: Arc<ServerConfig>) {
        self.tls_server = Some(config);
    }

    /// Puts TLS on a stream that was accepted.
    #[cfg(feature = "tls")]
    fn secure(&self, stream: TcpStream) -> io::Result<Wire> {
        let config = self.tls_server.as_ref().ok_or(ErrorKind::Unsupported)?;
        Ok(Wire::Tls(Box::new(TlsStream::server(stream.into(), config)?)))
    }

    /// The same without the feature.
    #[cfg(not(feature = "tls"))]
    fn secure(&self, _: TcpStream) -> io::Result<Wire> {
        Err(ErrorKind::Unsupported.into())
    }

    /// From now on this says which sites are trusted that we connect to by https.
    #[cfg(feature = "tls")]
    pub fn trust(&mut self, config: Arc<ClientConfig>) {
        self.tls_client = Some(config);
    }

    /// From now on the same sites are trusted as by `other`.
    pub fn trust_like(&mut self, other: &Kernel) {
        #[cfg(feature = "tls")]
        self.tls_client.clone_from(&other.tls_client);
        #[cfg(not(feature = "tls"))]
        let _ = other;
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
    {
        socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
        keep_back(&socket)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Sets TCP_DEFER_ACCEPT, which neither std nor socket2 can.
#[cfg(target_os = "linux")]
fn keep_back(socket: &Socket) -> io::Result<()> {
    uapi::setsockopt(socket.as_raw_fd(), uapi::c::IPPROTO_TCP, uapi::c::TCP_DEFER_ACCEPT, &KEPT_BACK_SECONDS)
        .map_err(|e| io::Error::from_raw_os_error(e.0))
}

impl Network for Kernel {
    type Stream = Wire;

    fn accept(&mut self, n: usize) -> io::Result<Arrival<Wire>> {
        let Some((socket, listener)) = self.listeners.get(n) else {
            let door = n.checked_sub(self.listeners.len()).and_then(|n| self.doors.get(n));
            let (door, service) = door.ok_or(ErrorKind::WouldBlock)?;
            return Ok(Arrival { stream: Wire::Plain(door.accept()?.into()), service: *service, peer: None });
        };
        let (stream, peer) = socket.accept()?;
        let stream = match listener.transport {
            Transport::Tcp => Wire::Plain(stream.into()),
            Transport::Tls => self.secure(stream)?,
        };
        Ok(Arrival { stream, service: listener.service, peer: Some(peer.ip()) })
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        Ok(Wire::Plain(stream.into()))
    }

    #[cfg(feature = "tls")]
    fn encrypt(&mut self, stream: Wire, host: &str) -> io::Result<Wire> {
        let Wire::Plain(stream) = stream else { return Ok(stream) };
        if self.tls_client.is_none() {
            self.tls_client = Some(tls::client_config(&[]).map_err(io::Error::other)?);
        }
        let config = self.tls_client.as_ref().expect("it has just been made");
        Ok(Wire::Tls(Box::new(TlsStream::client(stream, host, config)?)))
    }

    fn watch(&mut self, stream: &mut Wire, id: ConnId) -> io::Result<()> {
        let token = Source::Connection(id).token();
        self.registry.register(stream.socket(), token, Interest::READABLE | Interest::WRITABLE)
    }

    fn listeners(&self) -> usize {
        self.listeners.len() + self.doors.len()
    }

    fn stop_listening(&mut self) {
        self.listeners.clear();
        self.doors.clear();
    }
}

//! The sockets of a load: plain TCP, with what `-b` and `-B` ask for.

use crate::id::ConnId;
use crate::net::listeners::Service;
use crate::net::wire::Wire;
use crate::net::{Network, Source};
use mio::net::TcpStream;
use mio::{Interest, Registry};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

/// Connects, and has connections watched.
pub struct Sockets {
    registry: Registry,
    /// The address that connections come from.
    from: Option<IpAddr>,
    /// Bytes of the kernel's buffers of a connection.
    buffer_bytes: Option<usize>,
}

impl Sockets {
    /// Sockets that are watched by this poll.
    pub fn new(registry: Registry, from: Option<IpAddr>, buffer_bytes: Option<usize>) -> Sockets {
        Sockets { registry, from, buffer_bytes }
    }
}

impl Network for Sockets {
    type Stream = Wire;

    fn accept(&mut self, _: usize) -> io::Result<(Wire, Service)> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<Wire> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        if let Some(bytes) = self.buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(from) = self.from {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        match socket.connect(&to.into()) {
            Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
            _ => Ok(Wire::Plain(TcpStream::from_std(socket.into()).into())),
        }
    }

    fn watch(&mut self, stream: &mut Wire, id: ConnId) -> io::Result<()> {
        let token = Source::Connection(id).token();
        self.registry.register(stream.socket(), token, Interest::READABLE | Interest::WRITABLE)
    }

    fn listeners(&self) -> usize {
        0
    }

    fn stop_listening(&mut self) {}
}

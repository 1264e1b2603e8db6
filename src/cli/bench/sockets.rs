//! The sockets of a load: TCP or Unix, with what `-b` and `-B` ask for, and TLS on them for https.

pub mod route;

use super::tls::Tls;
use crate::id::ConnId;
use crate::net::socket::Socket;
use crate::net::wire::Wire;
use crate::net::{Arrival, Network, Source};
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry};
use rlimit::Resource;
use route::Route;
use socket2::{Domain, Protocol, SockAddr, Type};
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Descriptors of this program besides its connections: the standard ones, polls, files.
const OTHER_FILES: u64 = 32;

/// Whether `connections` connections may be open at once. (The program raises its limit at its start.)
///
/// # Errors
/// A line that says how many may be.
pub fn enough_files(connections: usize) -> Result<(), String> {
    let limit = rlimit::getrlimit(Resource::NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    match connections as u64 <= limit.saturating_sub(OTHER_FILES) {
        true => Ok(()),
        false => {
            let most = limit.saturating_sub(OTHER_FILES);
            Err(format!("-c {connections}: the limit of open files ({limit}) allows {most}; ulimit -n raises it"))
        }
    }
}

/// Connects, and has connections watched.
pub struct Sockets {
    registry: Registry,
    route: Route,
    /// Counts the connections, whose turn it is to come from the next address.
    turn: usize,
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is none"))]
    tls: Option<Arc<Tls>>,
}

/// An address that a flag names is not there, or refuses.
#[derive(Debug)]
pub struct FlagError {
    /// The flag, its value, and what is wrong.
    text: String,
    /// The system's number of the error.
    pub errno: i32,
    /// It is an address of this machine, not of the server.
    pub is_ours: bool,
}

impl FlagError {
    /// The flag's part in an error of a connect, if it has one.
    pub fn of(error: &io::Error) -> Option<&FlagError> {
        error.get_ref()?.downcast_ref()
    }

    /// The Unix socket cannot be connected to. `WouldBlock` stays what it is: the backlog is full.
    fn unix(path: &SockAddr, error: io::Error) -> io::Error {
        let (Some(path), Some(errno)) = (path.as_pathname(), error.raw_os_error()) else { return error };
        if error.kind() == ErrorKind::WouldBlock {
            return error;
        }
        let why = error.to_string();
        let why = why.split(" (os error ").next().unwrap_or_default();
        let text = format!("--unix {}: {why}", path.display());
        io::Error::new(error.kind(), FlagError { text, errno, is_ours: false })
    }

    /// Connections cannot come from this address. (A connect that finds no port fails with the same number.)
    fn bind(from: IpAddr, error: io::Error) -> io::Error {
        match (error.kind(), error.raw_os_error()) {
            (ErrorKind::AddrNotAvailable, Some(errno)) => {
                let text = format!("-B {from}: this machine does not have the address");
                io::Error::other(FlagError { text, errno, is_ours: true })
            }
            _ => error,
        }
    }
}

impl Display for FlagError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for FlagError {}

impl Sockets {
    /// Sockets of thread number `thread`, watched by its poll.
    pub fn new(registry: Registry, route: &Route, thread: usize, tls: Option<Arc<Tls>>) -> Sockets {
        Sockets { registry, route: route.clone(), turn: thread, tls }
    }

    fn connect_tcp(&mut self, to: SocketAddr) -> io::Result<Socket> {
        let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        self.size(&socket)?;
        if !self.route.from.is_empty() {
            let from = self.route.from[self.turn % self.route.from.len()];
            self.turn = self.turn.wrapping_add(1);
            choose_port_at_connect(&socket)?;
            socket.bind(&SocketAddr::new(from, 0).into()).map_err(|e| FlagError::bind(from, e))?;
        }
        match socket.connect(&to.into()) {
            Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
            _ => Ok(TcpStream::from_std(socket.into()).into()),
        }
    }

    fn size(&self, socket: &socket2::Socket) -> io::Result<()> {
        if let Some(bytes) = self.route.buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
            socket.set_recv_buffer_size(bytes)?;
        }
        Ok(())
    }
}

/// Lets connect(2) choose the port, which then need not differ between servers (ip(7), IP_BIND_ADDRESS_NO_PORT); bind(2)
/// would take one that nothing else of the address has.
#[cfg(target_os = "linux")]
fn choose_port_at_connect(socket: &socket2::Socket) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let yes: uapi::c::c_int = 1;
    uapi::setsockopt(socket.as_raw_fd(), uapi::c::IPPROTO_IP, uapi::c::IP_BIND_ADDRESS_NO_PORT, &yes)
        .map_err(|e| io::Error::from_raw_os_error(e.0))
}

/// Other systems have no such option.
#[cfg(not(target_os = "linux"))]
fn choose_port_at_connect(_: &socket2::Socket) -> io::Result<()> {
    Ok(())
}

impl Network for Sockets {
    type Stream = Wire;

    fn accept(&mut self, _: usize) -> io::Result<Arrival<Wire>> {
        Err(ErrorKind::WouldBlock.into())
    }

    /// Connects to the Unix socket, if there is one, else to this address. `WouldBlock`: the Unix socket's backlog is
    /// full (unix(7)), and no event tells when it has room.
    fn connect(&mut self, to: SocketAddr) -> io::Result<Wire> {
        let Some(path) = &self.route.unix else { return Ok(Wire::Plain(self.connect_tcp(to)?)) };
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        self.size(&socket)?;
        socket.connect(path).map_err(|e| FlagError::unix(path, e))?;
        Ok(Wire::Plain(Socket::Unix(UnixStream::from_std(socket.into()))))
    }

    #[cfg(feature = "tls")]
    fn encrypt(&mut self, stream: Wire, host: &str) -> io::Result<Wire> {
        match (stream, &self.tls) {
            (Wire::Plain(socket), Some(tls)) => tls.client(socket, host),
            (Wire::Plain(_), None) => Err(ErrorKind::Unsupported.into()),
            (wire, _) => Ok(wire),
        }
    }

    #[cfg(feature = "tls")]
    fn secured(&mut self, stream: &Wire) {
        self.tls.iter().for_each(|tls| tls.secured(stream));
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

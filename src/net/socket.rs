//! A stream socket of the kernel: TCP, or one that stays on this machine (unix(7)).

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

/// A non-blocking stream socket.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Sends FIN. An error means that the peer is gone already, which the next read tells.
    pub fn shutdown_write(&self) {
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// Makes the drop a reset (SO_LINGER 0). A Unix socket has no reset.
    pub fn reset_on_drop(&self) {
        if let Socket::Tcp(stream) = self {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// The pending error of the socket (SO_ERROR).
    ///
    /// # Errors
    /// The kernel knows no such socket.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Socket::Tcp(stream) => stream.take_error(),
            Socket::Unix(stream) => stream.take_error(),
        }
    }

    /// The other end; for a Unix socket, which has none of this kind, 0.0.0.0 and port 0.
    ///
    /// # Errors
    /// `NotConnected` while a connect is under way.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Socket::Tcp(stream) => stream.peer_addr(),
            Socket::Unix(stream) => stream.peer_addr().map(|_| (Ipv4Addr::UNSPECIFIED, 0).into()),
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Socket {
        Socket::Tcp(stream)
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Socket {
        Socket::Unix(stream)
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(buf),
            Socket::Unix(stream) => stream.read(buf),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.write(bytes),
            Socket::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.register(registry, token, interests),
            Socket::Unix(stream) => stream.register(registry, token, interests),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.reregister(registry, token, interests),
            Socket::Unix(stream) => stream.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.deregister(registry),
            Socket::Unix(stream) => stream.deregister(registry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_unix_socket_reads_writes_and_ends_like_tcp() {
        let (near, mut far) = UnixStream::pair().expect("two sockets");
        let mut near = Socket::Unix(near);
        let mut buf = [0; 8];
        assert_eq!(near.read(&mut buf).map_err(|e| e.kind()), Err(ErrorKind::WouldBlock));
        assert_eq!((near.write(b"ask").ok(), far.read(&mut buf).ok(), &buf[..3]), (Some(3), Some(3), &b"ask"[..]));
        assert_eq!(near.peer_addr().ok(), Some((Ipv4Addr::UNSPECIFIED, 0).into()));
        assert!(near.take_error().is_ok_and(|error| error.is_none()));
        near.shutdown_write();
        assert_eq!(far.read(&mut buf).ok(), Some(0));
    }
}

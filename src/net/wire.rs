//! A TCP connection as the loop sees it: plain, or with TLS in between.
//!
//! TLS is a layer of the stream that nothing above knows: reading gives plaintext and drives the handshake, writing
//! takes plaintext. What is left to say is [`Stream::secure`] (is the handshake done?) and [`Stream::unsent`]
//! (ciphertext that the socket has not taken, although the plaintext is gone).

use crate::net::Stream;
#[cfg(feature = "tls")]
use crate::net::tls::TlsStream;
use mio::net::TcpStream;
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// One connection of the kernel's network.
pub enum Wire {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// The socket itself.
    pub fn socket(&mut self) -> &mut TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.inner_mut(),
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.inner(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buf),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(bytes),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(_) => Ok(()),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

impl Stream for Wire {
    fn secure(&mut self) -> io::Result<bool> {
        match self {
            Wire::Plain(_) => Ok(true),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.secure(),
        }
    }

    fn is_securing(&self) -> bool {
        match self {
            Wire::Plain(_) => false,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.is_securing(),
        }
    }

    fn unsent(&self) -> usize {
        match self {
            Wire::Plain(_) => 0,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.unsent(),
        }
    }

    fn held(&self) -> usize {
        match self {
            Wire::Plain(_) => 0,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.held(),
        }
    }

    fn wanted_room(&self) -> usize {
        match self {
            Wire::Plain(_) => 0,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.wanted_room(),
        }
    }

    fn input_ended(&self) -> bool {
        match self {
            Wire::Plain(_) => false,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.input_ended(),
        }
    }

    fn say_goodbye(&mut self) {
        #[cfg(feature = "tls")]
        if let Wire::Tls(stream) = self {
            stream.close_notify();
        }
    }

    fn shutdown_write(&mut self) {
        self.say_goodbye();
        // An error means that the peer is gone already, which the next read tells.
        let _ = self.tcp().shutdown(Shutdown::Write);
    }

    fn reset_on_drop(&self) {
        let _ = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.tcp().take_error()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().peer_addr()
    }
}

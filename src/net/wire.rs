//! A connection as the loop sees it: plain, or with TLS in between.
//!
//! TLS is a layer of the stream that nothing above knows: reading gives plaintext and drives the handshake, writing
//! takes plaintext. What is left to say is [`Stream::secure`] (is the handshake done?) and [`Stream::unsent`]
//! (ciphertext that the socket has not taken, although the plaintext is gone).

use crate::net::Stream;
use crate::net::socket::Socket;
#[cfg(feature = "tls")]
use crate::net::tls::TlsStream;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

/// One connection of the kernel's network.
pub enum Wire {
    Plain(Socket),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Socket>>),
}

impl Wire {
    /// The socket itself, to register it.
    pub fn socket(&mut self) -> &mut Socket {
        match self {
            Wire::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.inner_mut(),
        }
    }

    fn inner(&self) -> &Socket {
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
        self.inner().shutdown_write();
    }

    fn reset_on_drop(&self) {
        self.inner().reset_on_drop();
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner().take_error()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner().peer_addr()
    }
}

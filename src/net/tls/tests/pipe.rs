//! A byte stream in memory, and certificates, for the tests of TLS.

use crate::net::tls::{TlsStream, client_config, server_config};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

/// One direction.
pub struct Way {
    pub bytes: VecDeque<u8>,
    /// Bytes that it holds at most.
    pub room: usize,
    /// Bytes that one call moves at most.
    pub piece: usize,
    /// Every second call fails, with `WouldBlock` and `Interrupted` in turn.
    pub stutters: bool,
    /// No more will be written.
    pub shut: bool,
    /// The error of a read once there are no bytes.
    pub broken: Option<ErrorKind>,
    pub reads: usize,
    pub writes: usize,
}

impl Way {
    fn balk(&self, calls: usize) -> io::Result<()> {
        match calls % 4 {
            1 if self.stutters => Err(ErrorKind::WouldBlock.into()),
            3 if self.stutters => Err(ErrorKind::Interrupted.into()),
            _ => Ok(()),
        }
    }
}

/// One end of a pair of ways.
pub struct Pipe {
    pub input: Rc<RefCell<Way>>,
    pub output: Rc<RefCell<Way>>,
}

impl Pipe {
    pub fn pair() -> (Pipe, Pipe) {
        let way = || {
            let (bytes, piece, room) = (VecDeque::new(), usize::MAX, usize::MAX);
            let way = Way { bytes, room, piece, stutters: false, shut: false, broken: None, reads: 0, writes: 0 };
            Rc::new(RefCell::new(way))
        };
        let (up, down) = (way(), way());
        (Pipe { input: down.clone(), output: up.clone() }, Pipe { input: up, output: down })
    }

    /// Changes both ways.
    pub fn narrow(&self, change: impl Fn(&mut Way)) {
        change(&mut self.input.borrow_mut());
        change(&mut self.output.borrow_mut());
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut way = self.input.borrow_mut();
        way.reads += 1;
        way.balk(way.reads)?;
        match (way.bytes.len(), way.broken) {
            (0, Some(kind)) => Err(kind.into()),
            (0, None) if way.shut => Ok(0),
            (0, None) => Err(ErrorKind::WouldBlock.into()),
            (waiting, _) => {
                let n = waiting.min(buf.len()).min(way.piece);
                way.bytes.drain(..n).zip(buf).for_each(|(byte, to)| *to = byte);
                Ok(n)
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut way = self.output.borrow_mut();
        way.writes += 1;
        way.balk(way.writes)?;
        match bytes.len().min(way.room.saturating_sub(way.bytes.len())).min(way.piece) {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => {
                way.bytes.extend(&bytes[..n]);
                Ok(n)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An authority that signs for `localhost` and 127.0.0.1.
pub struct House {
    pub root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl House {
    pub fn new() -> House {
        House::named("house")
    }

    pub fn named(name: &str) -> House {
        House::of(name, |_| {})
    }

    /// An authority, after `change`.
    pub fn of(name: &str, change: impl FnOnce(&mut CertificateParams)) -> House {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        House { root, issuer: Issuer::new(params, key) }
    }

    /// A chain and its key, after `change`.
    pub fn sign(
        &self,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    pub fn client(&self) -> Arc<ClientConfig> {
        client_config(std::slice::from_ref(&self.root)).unwrap()
    }

    pub fn server(&self) -> Arc<ServerConfig> {
        let (chain, key) = self.sign(|_| {});
        server_config(chain, key).unwrap()
    }

    /// [`House::server`], speaking only `version`.
    pub fn server_of(&self, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
        let (chain, key) = self.sign(|_| {});
        let model = server_config(chain.clone(), key.clone_key()).unwrap();
        let builder = ServerConfig::builder_with_provider(model.crypto_provider().clone());
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = model.alpn_protocols.clone();
        config.ticketer = model.ticketer.clone();
        Arc::new(config)
    }
}

pub type Tls = TlsStream<Pipe>;

/// Both ends, before the first byte.
pub fn ends(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> (Tls, Tls) {
    let (near, far) = Pipe::pair();
    (TlsStream::client(near, "localhost", client).unwrap(), TlsStream::server(far, server).unwrap())
}

/// Both ends, secure, and with nothing on the wire.
pub fn pair() -> (Tls, Tls) {
    let house = House::new();
    let (mut client, mut server) = ends(&house.client(), &house.server());
    shake(&mut client, &mut server).unwrap();
    assert!(would_block(client.read(&mut [0; 100])));
    (client, server)
}

/// Handshakes until both are secure, or one fails.
pub fn shake(client: &mut Tls, server: &mut Tls) -> io::Result<()> {
    for _ in 0..100_000 {
        // Both run, so that the second learns why the first failed.
        let (near, far) = (client.secure(), server.secure());
        if near? && far? && client.unsent() + server.unsent() == 0 {
            return Ok(());
        }
    }
    panic!("the handshake does not end");
}

pub fn would_block<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
}

/// A read; `WouldBlock` is nothing.
pub fn read_some(end: &mut Tls, buf: &mut [u8]) -> usize {
    match end.read(buf) {
        Ok(n) => n,
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}");
            0
        }
    }
}

/// Sends `up` and `down` at the same time; returns what arrived, by reads of `buf` bytes.
pub fn converse(client: &mut Tls, server: &mut Tls, up: &[u8], down: &[u8], buf: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut buf, mut at_server, mut at_client) = (vec![0; buf], vec![], vec![]);
    let (mut up_sent, mut down_sent) = (0, 0);
    for _ in 0..10_000_000 {
        for (end, bytes, sent, got) in
            [(&mut *client, up, &mut up_sent, &mut at_client), (&mut *server, down, &mut down_sent, &mut at_server)]
        {
            match end.write(&bytes[*sent..]) {
                Ok(n) => *sent += n,
                Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
            }
            let n = read_some(end, &mut buf);
            got.extend_from_slice(&buf[..n]);
            assert!(end.flush().is_ok() || end.unsent() > 0);
        }
        if at_server.len() >= up.len() && at_client.len() >= down.len() {
            return (at_server, at_client);
        }
    }
    panic!("{} of {} and {} of {} bytes", at_server.len(), up.len(), at_client.len(), down.len());
}

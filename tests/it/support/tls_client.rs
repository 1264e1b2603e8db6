//! A client of https on rustls' ordinary blocking interface: it shares no code with the server's TLS.
//!
//! A [`Client`] on it takes an end without close_notify for a failure, as browsers do.

use super::client::patient;
use super::tls_site::{authority, certificate};
use super::{Client, Dir, WsClient};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// TLS over a stream that waits.
pub type Tls<S = TcpStream> = StreamOwned<ClientConnection, S>;

/// A client that trusts the tests' authority, and speaks these versions.
pub fn client_of(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority().root()).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).expect("the provider has them");
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// Such a client with a cache of its own, so that it does not resume sessions of another.
pub fn any_client() -> Arc<ClientConfig> {
    Arc::new(client_of(rustls::DEFAULT_VERSIONS))
}

/// TLS over a stream, before the client's first byte.
pub fn secure<S: Read + Write>(stream: S, config: &Arc<ClientConfig>) -> Tls<S> {
    let name = ServerName::try_from("localhost").expect("a name");
    StreamOwned::new(ClientConnection::new(config.clone(), name).expect("a configuration"), stream)
}

/// An https connection with its handshake done.
#[track_caller]
pub fn connect(address: SocketAddr) -> Client<Tls> {
    connect_as(address, &any_client())
}

/// The same with this configuration.
#[track_caller]
pub fn connect_as(address: SocketAddr, config: &Arc<ClientConfig>) -> Client<Tls> {
    let mut tls = secure(patient(address), config);
    shake_hands(&mut tls).expect("a handshake");
    Client::over(tls)
}

/// Takes the handshake to its end.
pub fn shake_hands<S: Read + Write>(tls: &mut Tls<S>) -> std::io::Result<()> {
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock)?;
    }
    Ok(())
}

/// Logs in over https; returns the Cookie field's value.
#[track_caller]
pub fn login(address: SocketAddr, name: &str) -> String {
    let response = connect(address).ask(format!(
        "POST /login HTTP/1.1\r\nHost: squall\r\nConnection: close\r\nContent-Length: {}\r\n\r\nusername={name}",
        "username=".len() + name.len()
    ));
    let cookie = response.field("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("it has a value").to_owned()
}

/// A session of wss.
#[track_caller]
pub fn open(address: SocketAddr, path: &str, fields: &str) -> WsClient<Tls> {
    WsClient::switch(connect(address), path, fields)
}

/// Says that nothing more will be said (RFC 8446 section 6.1); TCP stays open.
pub fn close_notify(tls: &mut Tls) {
    tls.conn.send_close_notify();
    while tls.conn.wants_write() {
        tls.conn.write_tls(&mut tls.sock).expect("the server takes it");
    }
}

/// The certificate that the server has shown.
pub fn shown(tls: &Tls) -> CertificateDer<'static> {
    tls.conn.peer_certificates().expect("the handshake is done")[0].clone().into_owned()
}

/// `cert.pem` and `key.pem` of a server for `localhost` and 127.0.0.1.
pub fn certified() -> Dir {
    let files = Dir::new();
    certify_anew(&files);
    files
}

/// Another certificate and key in place of those that are there.
pub fn certify_anew(files: &Dir) {
    let (cert, key) = authority().files(&certificate(&["localhost", "127.0.0.1"]));
    files.write("cert.pem", cert);
    files.write("key.pem", key);
}

/// The flags that name them.
pub fn flags(files: &Dir) -> [String; 4] {
    let path = |name: &str| format!("{}/{name}", files.arg());
    ["--tls-cert".into(), path("cert.pem"), "--tls-key".into(), path("key.pem")]
}

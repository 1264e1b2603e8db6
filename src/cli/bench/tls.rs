//! https of a load: what is offered to servers, and what the report says of it.
//!
//! Every connection makes a whole handshake, as those of `ab`: no session is resumed. Certificates are not verified, see
//! `verifier`.

mod certificate;
mod ciphers;
mod key;
mod verifier;

use super::report::Row;
use super::trace;
use crate::config::bench_args::{Protocol, TlsArgs};
use crate::net::socket::Socket;
use crate::net::tls::{TlsStream, explain_key, load_certificates, load_key};
use crate::net::wire::Wire;
use certificate::Certificate;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, CommonState, NamedGroup, ProtocolVersion};
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use verifier::AnyCertificate;

/// How connections speak TLS, and what the first of them has agreed. Threads share it.
#[derive(Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// The name of the server in the handshake (SNI).
    name: Option<String>,
    agreed: OnceLock<[Row; 2]>,
    /// That of `-v`.
    verbosity: usize,
}

impl Tls {
    /// What the flags say, for a server that the handshake calls `name`. An address is no name (RFC 6066 section 3).
    ///
    /// # Errors
    /// A sentence about the flag that is wrong.
    pub fn new(args: &TlsArgs, name: &str, verbosity: usize) -> Result<Tls, String> {
        let protocol = args.protocol.unwrap_or(Protocol::All);
        let default = ring::default_provider();
        let verifier = AnyCertificate(default.signature_verification_algorithms);
        let cipher_suites = ciphers::chosen(args.ciphers.as_deref(), protocol)?;
        let provider = CryptoProvider { cipher_suites, ..default };
        let versions: &[_] = match protocol {
            Protocol::All => &[&TLS13, &TLS12],
            Protocol::Tls12 => &[&TLS12],
            Protocol::Tls13 => &[&TLS13],
        };
        let builder = ClientConfig::builder_with_provider(provider.into()).with_protocol_versions(versions);
        let builder = builder.map_err(|e| e.to_string())?.dangerous();
        let builder = builder.with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &args.certificate {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let (chain, key) = (load_certificates(path)?, load_key(path)?);
                builder.with_client_auth_cert(chain, key).map_err(|e| unusable(path, e))?
            }
        };
        config.resumption = Resumption::disabled();
        let name = if args.no_server_name { None } else { server_name(name)? };
        config.enable_sni = name.is_some();
        Ok(Tls { config: config.into(), name, agreed: OnceLock::new(), verbosity })
    }

    /// The host that connections are encrypted for; without a name it is told to no server.
    pub fn host(&self) -> &str {
        self.name.as_deref().unwrap_or("localhost")
    }

    /// Puts TLS on a connection.
    ///
    /// # Errors
    /// As [`TlsStream::client`].
    pub fn client(&self, socket: Socket, host: &str) -> io::Result<Wire> {
        Ok(Wire::Tls(Box::new(TlsStream::client(socket, host, &self.config)?)))
    }

    /// The handshake of a connection is done.
    pub fn secured(&self, wire: &Wire) {
        let Wire::Tls(stream) = wire else { return };
        self.agreed.get_or_init(|| rows(stream.agreed()));
        if self.verbosity >= trace::TALK {
            trace::print(certificates(stream.agreed()).as_bytes());
        }
    }

    /// The lines of the report, once a handshake is done.
    pub fn rows(&self) -> Vec<Row> {
        let name = self.name.as_ref().map(|name| ("TLS Server Name:", name.clone()));
        self.agreed.get().map_or_else(Vec::new, |agreed| agreed.iter().cloned().chain(name).collect())
    }
}

/// The name as it can stand in a handshake; `None` for an address, and for an empty Host.
fn server_name(host: &str) -> Result<Option<String>, String> {
    match ServerName::try_from(host.trim_matches(['[', ']'])) {
        Ok(ServerName::DnsName(name)) => Ok(Some(name.as_ref().to_owned())),
        Err(_) if !host.is_empty() => Err(format!("no TLS server can be called {host:?}; -I sends no name")),
        _ => Ok(None),
    }
}

fn unusable(path: &Path, error: rustls::Error) -> String {
    format!("{}: {}", path.display(), explain_key(error))
}

fn rows(agreed: &CommonState) -> [Row; 2] {
    let version = match agreed.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let (cipher, bits) =
        agreed.negotiated_cipher_suite().map_or(("unknown", 0), |suite| ciphers::described(suite.suite()));
    let certificate = agreed.peer_certificates().and_then(|chain| chain.first());
    let key_bits = certificate.and_then(|first| Certificate::parse(first).ok()).map_or(0, |first| first.key.bits());
    let group = match agreed.negotiated_key_exchange_group().map(|group| group.name()) {
        Some(NamedGroup::X25519) => "X25519 253 bits",
        Some(NamedGroup::secp256r1) => "ECDH prime256v1 256 bits",
        Some(NamedGroup::secp384r1) => "ECDH secp384r1 384 bits",
        _ => "unknown",
    };
    [("SSL/TLS Protocol:", format!("{version},{cipher},{key_bits},{bits}")), ("Server Temp Key:", group.to_owned())]
}

/// What `ab -v 2` prints of the server's certificates: those above its own first.
fn certificates(agreed: &CommonState) -> String {
    let chain = agreed.peer_certificates().unwrap_or_default();
    let text = |der| Certificate::parse(der).map_or_else(|_| String::new(), |certificate| certificate.to_string());
    let above: String = chain.iter().skip(1).map(|der| text(der)).collect();
    above + "Peer certificate\n" + &chain.first().map_or_else(String::new, |der| text(der))
}

#[cfg(test)]
mod tests;

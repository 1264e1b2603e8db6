//! The TLS side of a site to be played: a certificate authority of the tests' own, what it has signed, and a server on
//! rustls' ordinary blocking interface.

use super::PATIENCE;
use super::stub::read_head;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

/// The authority that the tests' clients trust. One a process.
pub fn authority() -> &'static Authority {
    static TRUSTED: OnceLock<Authority> = OnceLock::new();
    TRUSTED.get_or_init(|| Authority::new("squall test authority"))
}

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = certificate(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// For `--ca-file`.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with such a certificate, signed by this authority.
    pub fn signed(&self, params: &CertificateParams) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.0).expect("a certificate");
        server(signed.der().clone(), &key)
    }

    /// Certificate and key in PEM, as they stand in files.
    pub fn files(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("a certificate").pem(), key.serialize_pem())
    }

    /// What a client needs to trust it.
    pub fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }
}

/// What a certificate for these names and addresses says. It is valid now.
pub fn certificate(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).expect("names")
}

/// The same, but valid from the beginning of one year to that of another.
pub fn valid_between(names: &[&str], years: [i32; 2]) -> CertificateParams {
    let mut params = certificate(names);
    [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
    params
}

/// A server whose certificate is signed by itself only.
pub fn self_signed(params: &CertificateParams) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let signed = params.self_signed(&key).expect("a certificate");
    server(signed.der().clone(), &key)
}

/// A server as it should be: for `localhost` and 127.0.0.1, known to [`authority`].
pub fn good() -> Arc<ServerConfig> {
    static GOOD: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    GOOD.get_or_init(|| authority().signed(&certificate(&["localhost", "127.0.0.1"]))).clone()
}

fn server(chain: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let builder = builder.expect("the provider has the default versions").with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![chain], key).expect("the key is the certificate's"))
}

/// One TLS connection to the site.
pub struct Secured {
    pub session: ServerConnection,
    pub stream: TcpStream,
}

impl Secured {
    /// Plays the server's part until a request has come; `None`: none has.
    pub fn meet(stream: TcpStream, config: Arc<ServerConfig>) -> Option<Secured> {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        let mut secured = Secured { session: ServerConnection::new(config).ok()?, stream };
        secured.next_request().map(|_| secured)
    }

    /// The head of the next request.
    pub fn next_request(&mut self) -> Option<String> {
        read_head(self)
    }

    /// Writes; whether the other side is still there is not looked at.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.write_all(bytes.as_ref()).and_then(|()| self.flush());
    }

    /// Says that this is all (RFC 8446 section 6.1).
    pub fn close_notify(&mut self) {
        self.session.send_close_notify();
        let _ = self.session.complete_io(&mut self.stream);
    }
}

impl Read for Secured {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        rustls::Stream::new(&mut self.session, &mut self.stream).read(buf)
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        rustls::Stream::new(&mut self.session, &mut self.stream).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        rustls::Stream::new(&mut self.session, &mut self.stream).flush()
    }
}

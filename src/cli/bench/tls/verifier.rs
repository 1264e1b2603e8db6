//! No certificate is refused, as with `ab`: a load is no place to decide whom to trust. That the server holds the key of
//! its certificate is verified all the same: a handshake costs what it costs every client.

use super::certificate::Certificate;
use super::key::Key;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Accepts every certificate whose key can be used.
#[derive(Debug)]
pub struct AnyCertificate(pub WebPkiSupportedAlgorithms);

impl AnyCertificate {
    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        is_tls13: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        match key(certificate)?.has_signed(message, (signed.scheme, signed.signature()), &self.0, is_tls13) {
            true => Ok(HandshakeSignatureValid::assertion()),
            false => Err(Error::General("the server does not hold the key of its certificate".into())),
        }
    }
}

/// Rustls' own reader refuses what many test servers have: certificates of version 1, as `openssl x509 -req` makes them.
fn key<'a>(certificate: &'a CertificateDer<'_>) -> Result<Key<'a>, Error> {
    let parsed = Certificate::parse(certificate).map_err(|_| Error::from(CertificateError::BadEncoding))?;
    Ok(parsed.key)
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = key(certificate)?;
        match key.is_known(&self.0) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::General(format!("the key of the certificate is none that works here: {}", key.name()))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

use super::*;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// openssl req -x509 -newkey rsa:2048 -utf8 -days 30000 with a name of several kinds of characters.
const PEM: &[u8] = b"\
-----BEGIN CERTIFICATE-----\n\
MIID9TCCAt2gAwIBAgIUSHPP5aczvZOpfGv4/azmbqQzzTwwDQYJKoZIhvcNAQEL\n\
BQAwgYgxCzAJBgNVBAYTAkRFMRMwEQYDVQQIDApTb21lIFN0YXRlMQ4wDAYDVQQK\n\
DAVUw7xzdDEUMBIGA1UECwwLYS9iK2NcZD1lLGYxEjAQBgNVBAMMCWxvY2FsaG9z\n\
dDEXMBUGCSqGSIb3DQEJARYIYUBiLnRlc3QxETAPBgoJkiaJk/IsZAEZFgF4MCAX\n\
DTI2MTEzMDA0MzcxNVoYDzIxMDkwMTE5MDQzNzE1WjCBiDELMAkGA1UEBhMCREUx\n\
EzARBgNVBAgMClNvbWUgU3RhdGUxDjAMBgNVBAoMBVTDvHN0MRQwEgYDVQQLDAth\n\
L2IrY1xkPWUsZjESMBAGA1UEAwwJbG9jYWxob3N0MRcwFQYJKoZIhvcNAQkBFghh\n\
QGIudGVzdDERMA8GCgmSJomT8ixkARkWAXgwggEiMA0GCSqGSIb3DQEBAQUAA4IB\n\
DwAwggEKAoIBAQDZUDGUsflJd7f8AfZ1ZRURkQQJYCLySij4RCacEb1UJG4u0+5G\n\
cFUdZPyeK8vu/dfimWvylo1ytNwY7K78PbVlI0dnOMjGg/iNq/B1aYKyr3xh9EgH\n\
rkHpdV8YzHMQxb4RV3lGQMugp//H7RrASOCH0lpmbpDDSDG3FO622C7vUIFAZgt2\n\
k5kgJALJmBR2MFSlJo5WjLHW1nu6Qau0e6ZD7F2fzkKp8wvcY9+knM7rQ2nN5nNk\n\
O9vLuAgNG+qpglojVLg6j/Oo+ou397GsavepjDN656Q/nxBG5rI1HZbc7+l2ryz+\n\
q0KYl8gWLpWAbHQ6QOP6ReNVBGGpDyCp99dLAgMBAAGjUzBRMB0GA1UdDgQWBBSi\n\
V7un/jRvSASsr5NcsB3Jwsmv9TAfBgNVHSMEGDAWgBSiV7un/jRvSASsr5NcsB3J\n\
wsmv9TAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQAm4WAlJR9S\n\
NbOnfKt6+ryhEib0xx5Jd49kwIj9uCv1RjZ599tqqiAWgv2iUAr6Oa/GLVcv5ego\n\
yf+yszVIMvtdgMt/Njmjl9zc2R5/dg8rersApOo15BBbjYYc7gm97MIlABf46yEi\n\
kkqnBWvlliycoCE9hPTQr1bSyE1/9O90kEDO4TQUgZ9dh5i70co4wmNVKS9Q/fRa\n\
ofXdFe7LrYEmcL4ehylsEIVU0H5HFO3FuGFVzJYY0HDlmnFVOPs2793BRRIE2N6j\n\
V/S6fkIvcnF8UCopdlGgxguIhVi2960pVzRtuzTWNJosjLgNbzdOC7StgDqpvyLm\n\
rjUaMb98w2dM\n\
-----END CERTIFICATE-----\n\
";

/// As `ab` prints it, but for the year 2109, which `ab` leaves out.
const SHOWN: &str = r"Certificate version: 3
Valid from: Nov 30 04:37:15 2026 GMT
Valid to  : Jan 19 04:37:15 2109 GMT
Public key is 2048 bits
The issuer name is /C=DE/ST=Some State/O=T\xC3\xBCst/OU=a\/b\+c\d=e,f/CN=localhost/emailAddress=a@b.test/DC=x
The subject name is /C=DE/ST=Some State/O=T\xC3\xBCst/OU=a\/b\+c\d=e,f/CN=localhost/emailAddress=a@b.test/DC=x
Extension Count: 3
";

fn der() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(PEM).expect("a certificate")
}

#[test]
fn a_certificate_is_shown_as_by_ab() {
    let der = der();
    let certificate = Certificate::parse(&der).expect("it is sound");
    assert_eq!(certificate.to_string(), SHOWN);
    assert_eq!(certificate.key.name(), "RSA, 2048 bits");
}

#[test]
fn keys_are_as_long_as_openssl_says() {
    for (algorithm, bits, name) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, 256, "ECDSA, 256 bits"),
        (&rcgen::PKCS_ECDSA_P384_SHA384, 384, "ECDSA, 384 bits"),
        (&rcgen::PKCS_ED25519, 256, "Ed25519, 256 bits"),
    ] {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        let params = rcgen::CertificateParams::new(["a.test".to_owned()]).expect("a name");
        let der = params.self_signed(&key).expect("a certificate").der().clone();
        let certificate = Certificate::parse(&der).expect("it is sound");
        assert_eq!((certificate.key.bits(), certificate.key.name().as_str()), (bits, name));
        assert!(certificate.key.is_known(&ring::default_provider().signature_verification_algorithms));
    }
}

#[test]
fn a_damaged_certificate_is_refused_or_shown() {
    let sound = der();
    for length in 0..sound.len() {
        assert!(Certificate::parse(&sound[..length]).is_err(), "{length}");
    }
    for at in 0..sound.len() {
        for flipped in [1, 0x20, 0x80, 0xff] {
            let mut spoiled = sound.to_vec();
            spoiled[at] ^= flipped;
            // A value may have changed, or the form; whatever it is, it ends.
            if let Ok(certificate) = Certificate::parse(&spoiled) {
                assert!(certificate.to_string().starts_with("Certificate version: "), "{at}");
            }
        }
    }
}

#[test]
fn only_a_name_can_stand_in_a_handshake() {
    let name = |host: &str| Tls::new(&TlsArgs::default(), host, 0).map(|tls| tls.name);
    assert_eq!(name("a.test"), Ok(Some("a.test".into())));
    for host in ["127.0.0.1", "::1", "[::1]", ""] {
        assert_eq!(name(host), Ok(None), "{host}");
    }
    assert!(name("a b").is_err_and(|why| why.starts_with("no TLS server can be called \"a b\"")));
    let silent = TlsArgs { no_server_name: true, ..TlsArgs::default() };
    assert!(Tls::new(&silent, "a b", 0).is_ok_and(|tls| tls.name.is_none()));
}

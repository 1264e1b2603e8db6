//! `squall bench` over https: its report, its flags, and servers that are not as they should be.

use super::run;
use crate::support::tls_client::{certified, flags};
use crate::support::tls_site::{Secured, authority, certificate, good};
use crate::support::{Dir, Site, Stub};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, crypto::ring};
use squall::config::Limits;
use std::sync::{Arc, Mutex};

const RESPONSE: &str = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A site of https: what one connection was like, and the response that it gets.
fn playing<T: Send + 'static>(
    config: Arc<ServerConfig>,
    look: impl Fn(&mut Secured) -> T + Send + Sync + 'static,
) -> (Stub, Arc<Mutex<Vec<T>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let stub = Stub::raw({
        let seen = seen.clone();
        move |stream| {
            if let Some(mut secured) = Secured::meet(stream, config.clone()) {
                let looked = look(&mut secured);
                seen.lock().expect("no thread panics with it").push(looked);
            }
        }
    });
    (stub, seen)
}

fn url(stub: &Stub) -> String {
    format!("https://localhost:{}/", stub.address.port())
}

/// The flag that leads `localhost` to the stub, whatever this machine thinks of the name.
fn resolve(port: u16) -> String {
    format!("--resolve=localhost:{port}:127.0.0.1")
}

fn load(stub: &Stub, flags: &[&str]) -> (Option<i32>, String, String) {
    run(&[&["bench", &resolve(stub.address.port())], flags, &[url(stub).as_str()]].concat())
}

/// A server that shows this chain and signs with this key, without a look whether they fit.
fn showing(chain: CertificateDer<'static>, key: &rcgen::KeyPair) -> Arc<ServerConfig> {
    #[derive(Debug)]
    struct Always(Arc<CertifiedKey>);
    impl ResolvesServerCert for Always {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(self.0.clone())
        }
    }
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = ring::sign::any_supported_type(&key).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has them").with_no_client_auth();
    Arc::new(builder.with_cert_resolver(Arc::new(Always(Arc::new(CertifiedKey::new(vec![chain], key))))))
}

#[test]
fn the_report_of_https_has_the_lines_of_ab() {
    let files = certified();
    let tls = flags(&files);
    let site = Site::start(Limits::default(), &tls.each_ref().map(String::as_str));
    let port = site.address.port();
    let url = format!("https://localhost:{port}/plaintext");
    for (flags, protocol) in [
        (&["-n", "20", "-c", "4"][..], "TLSv1.3,TLS_AES_256_GCM_SHA384,256,256"),
        (&["-n", "20", "-c", "4", "-k", "-f", "TLS1.2"], "TLSv1.2,ECDHE-ECDSA-AES256-GCM-SHA384,256,256"),
        (&["-f", "tls1.3", "-Z", "TLS_AES_128_GCM_SHA256"], "TLSv1.3,TLS_AES_128_GCM_SHA256,256,128"),
    ] {
        let (code, stdout, stderr) = run(&[&["bench", "-q", &resolve(port)], flags, &[url.as_str()]].concat());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{flags:?}");
        let lines = format!(
            "Server Port:            {port}\nSSL/TLS Protocol:       {protocol}\n\
             Server Temp Key:        X25519 253 bits\nTLS Server Name:        localhost\n\nDocument Path:"
        );
        assert!(stdout.contains(&lines) && stdout.contains("Failed requests:        0\n"), "{stdout}");
    }
}

#[test]
fn a_kept_connection_carries_more_than_a_record() {
    let (stub, _) = playing(good(), |secured| {
        // More than sockets hold.
        let body = vec![b'x'; 1 << 20];
        for _ in 0..3 {
            secured.say(format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n", body.len()));
            secured.say(&body);
            secured.next_request();
        }
    });
    let (code, stdout, stderr) = load(&stub, &["-k", "-n", "3"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("HTML transferred:       3145728 bytes\n"), "{stdout}");
    assert!(stdout.contains("Keep-Alive requests:    3\n") && stub.met() == 1, "{stdout}");
}

#[test]
fn a_large_body_is_sent_whole() {
    let dir = Dir::new();
    dir.write("body", vec![b'y'; 3 << 20]);
    let (stub, seen) = playing(good(), |secured| {
        let (mut left, mut buf) = (3 << 20, vec![0; 1 << 16]);
        while left > 0 {
            match std::io::Read::read(secured, &mut buf) {
                Ok(n) if n > 0 => left -= n,
                _ => break,
            }
        }
        secured.say(RESPONSE);
        left
    });
    let body = dir.path().join("body");
    let (code, stdout, stderr) = load(&stub, &["-p", body.to_str().expect("text")]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert_eq!(*seen.lock().expect("no thread panics with it"), [0]);
}

#[test]
fn every_connection_makes_a_whole_handshake() {
    let (stub, seen) = playing(good(), |secured| {
        secured.say(RESPONSE);
        (secured.session.handshake_kind(), secured.session.alpn_protocol().map(<[u8]>::to_vec))
    });
    for flags in [["-n", "3", "-f", "TLS1.3"], ["-n", "3", "-f", "TLS1.2"]] {
        assert_eq!(load(&stub, &flags).0, Some(0));
    }
    let seen = seen.lock().expect("no thread panics with it");
    assert_eq!(*seen, vec![(Some(HandshakeKind::Full), None); 6]);
}

#[test]
fn the_server_is_named_as_the_host_is_unless_asked_not_to() {
    let (stub, seen) = playing(good(), |secured| {
        secured.say(RESPONSE);
        secured.session.server_name().map(str::to_owned)
    });
    for flags in [&[][..], &["-H", "Host: other.test:99"], &["-I"], &["-I", "-H", "Host: a b"]] {
        let (code, stdout, stderr) = load(&stub, flags);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        let name = seen.lock().expect("no thread panics with it").pop().expect("a connection");
        let line = name.as_ref().map(|name| format!("TLS Server Name:        {name}\n"));
        assert_eq!(stdout.contains("TLS Server Name:"), line.is_some(), "{stdout}");
        assert!(stdout.contains(&line.unwrap_or_default()), "{stdout}");
        let expected = match flags {
            [] => Some("localhost"),
            ["-H", _] => Some("other.test"),
            _ => None,
        };
        assert_eq!(name.as_deref(), expected);
    }
    let (code, _, stderr) = run(&["bench", &format!("https://{}/", stub.address)]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(*seen.lock().expect("no thread panics with it"), [None], "an address is no name");
}

#[test]
fn a_client_certificate_is_shown_to_the_server() {
    let mut roots = RootCertStore::empty();
    roots.add(authority().root()).expect("a certificate");
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build();
    let (chain, key) = authority().files(&certificate(&["localhost"]));
    let dir = Dir::new();
    dir.write("both.pem", key + &chain);
    let both = dir.path().join("both.pem");
    let load_pem = |path: &std::path::Path| {
        (squall::net::tls::load_certificates(path).expect("one"), squall::net::tls::load_key(path).expect("one"))
    };
    let (certificates, key) = load_pem(&both);
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("the provider has them").with_client_cert_verifier(verifier.expect("a root is there"));
    let config = builder.with_single_cert(certificates.clone(), key).expect("the key is the certificate's");
    let (stub, seen) = playing(Arc::new(config), |secured| {
        secured.say(RESPONSE);
        secured.session.peer_certificates().map(<[_]>::len)
    });
    let (code, _, stderr) = load(&stub, &["-E", both.to_str().expect("text")]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(*seen.lock().expect("no thread panics with it"), [Some(1)]);
    let (code, _, stderr) = load(&stub, &[]);
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("it wants a certificate of ours"), "{stderr}");
}

#[test]
fn wrong_flags_of_tls_give_one_line_and_code_22() {
    let dir = Dir::new();
    let (chain, key) = authority().files(&certificate(&["localhost"]));
    let (_, other) = authority().files(&certificate(&["localhost"]));
    dir.write("chain.pem", &chain);
    dir.write("key.pem", key);
    dir.write("two.pem", chain + &other);
    let path = |name: &str| format!("{}/{name}", dir.arg());
    for (flags, says) in [
        (["-Z", "AES256-SHA"], "there is no cipher \"AES256-SHA\" here; there are TLS_AES_256_GCM_SHA384, "),
        (["-E", "/none/such"], "/none/such cannot be read"),
        (["-E", &path("chain.pem")], "holds no unencrypted private key"),
        (["-E", &path("key.pem")], "holds no certificate"),
        (["-E", &path("two.pem")], "two.pem: the key is not the certificate's"),
        (["-H", "Host: a b"], "no TLS server can be called \"a b\"; -I sends no name"),
    ] {
        let (code, stdout, stderr) = run(&["bench", flags[0], flags[1], "https://127.0.0.1/"]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(22), "", 1), "{flags:?}: {stderr}");
        assert!(stderr.starts_with("squall bench: ") && stderr.contains(says), "{flags:?}: {stderr}");
    }
    // As with `ab`, flags of TLS do no harm to http, but a wrong one is wrong there, too.
    let stub = Stub::saying(RESPONSE);
    let url = format!("http://{}/", stub.address);
    assert_eq!(run(&["bench", "-f", "TLS1.2", &url]).0, Some(0));
    assert_eq!(run(&["bench", "-Z", "none", &url]).0, Some(22));
}

#[test]
fn certificates_are_not_verified_but_their_keys_are() {
    let (key, other) = (rcgen::KeyPair::generate().expect("a key"), rcgen::KeyPair::generate().expect("a key"));
    let expired = crate::support::tls_site::valid_between(&["other.test"], [2001, 2002]);
    let signed = expired.self_signed(&key).expect("a certificate").der().to_vec();
    // Version 3 is written as 2, version 1 as 0.
    let at = signed.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).expect("a version");
    let mut old = signed.clone();
    old[at + 4] = 0;
    for version in ["TLS1.2", "TLS1.3"] {
        for certificate in [&signed, &old] {
            let stub = playing(showing(certificate.clone().into(), &key), |secured| secured.say(RESPONSE)).0;
            let (code, stdout, stderr) = load(&stub, &["-f", version]);
            assert_eq!((code, stderr.as_str()), (Some(0), ""));
            assert!(stdout.contains("Failed requests:        0\n"), "{stdout}");
        }
        let stub = playing(showing(signed.clone().into(), &other), |secured| secured.say(RESPONSE)).0;
        let (code, _, stderr) = load(&stub, &["-f", version]);
        let says = "SSL handshake failed: the server does not hold the key of its certificate\n";
        assert_eq!((code, stderr.as_str()), (Some(1), says));
    }
}

#[test]
fn a_server_without_tls_is_one_line_or_counted() {
    let stub = Stub::raw(|mut stream| {
        let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.0 400 Bad Request\r\n\r\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let (code, _, stderr) = load(&stub, &["-n", "3"]);
    assert_eq!((code, stderr.as_str()), (Some(1), "SSL handshake failed: the peer does not speak TLS\n"));
    let (code, stdout, _) = load(&stub, &["-r", "-n", "3"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("(Connect: 3, Receive: 0, Length: 0, Exceptions: 0)") && !stdout.contains("SSL/TLS"));
}

#[test]
fn only_a_cut_within_a_response_is_a_failure() {
    for (response, says_goodbye, failures) in [
        (RESPONSE, false, 0),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", true, 0),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", false, 2),
        ("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf", true, 2),
    ] {
        let (stub, _) = playing(good(), move |secured| {
            secured.say(response);
            if says_goodbye {
                secured.close_notify();
            }
        });
        let (code, stdout, stderr) = load(&stub, &["-n", "2"]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{response:?}");
        assert!(stdout.contains(&format!("Failed requests:        {failures}\n")), "{response:?}: {stdout}");
    }
}

#[test]
fn a_kept_connection_that_is_cut_is_replaced() {
    let keeping = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
    let (stub, _) = playing(good(), move |secured| {
        secured.say(keeping);
        secured.next_request();
    });
    let (code, stdout, stderr) = load(&stub, &["-k", "-n", "3"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("Complete requests:      3\nFailed requests:        0\n"), "{stdout}");
}

#[test]
fn certificates_are_shown_at_level_2() {
    let (stub, _) = playing(good(), |secured| secured.say(RESPONSE));
    let (code, stdout, stderr) = load(&stub, &["-n", "2", "-v", "2"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let shown = "Peer certificate\nCertificate version: 3\nValid from: ";
    assert_eq!(stdout.matches(shown).count(), 2, "{stdout}");
    assert!(stdout.contains("\nPublic key is 256 bits\nThe issuer name is /CN="), "{stdout}");
}

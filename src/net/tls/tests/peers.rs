//! Peers with the wrong certificate, that misbehave, or of another implementation.

use super::*;
use rustls::{AlertDescription, ClientConnection, Connection, ServerConnection};
use std::net::{TcpListener, TcpStream};

/// The errors of both ends when the client refuses the server's certificate.
fn refused(host: &str, near: &Arc<ClientConfig>, far: &Arc<ServerConfig>) -> [String; 2] {
    let (left, right) = Pipe::pair();
    let mut client = TlsStream::client(left, host, near).unwrap();
    let mut server = TlsStream::server(right, far).unwrap();
    let (kind, ours) = error_of(shake(&mut client, &mut server));
    assert_eq!((kind, client.unsent()), (ErrorKind::InvalidData, 0));
    for result in [client.read(&mut [0; 9]), client.write(b"x")] {
        assert_eq!(error_of(result), (kind, ours.clone()));
    }
    let (kind, theirs) = error_of(server.read(&mut [0; 9]));
    assert_eq!(kind, ErrorKind::InvalidData);
    [ours, theirs]
}

#[test]
fn a_refused_certificate_is_explained_to_both_ends() {
    let house = House::new();
    let server = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let (chain, key) = house.sign(change);
        server_config(chain, key).unwrap()
    };
    let (near, far) = (house.client(), house.server());
    assert_eq!(
        refused("wrong.example", &near, &far),
        [
            "the certificate is not for wrong.example but for localhost, 127.0.0.1",
            "the peer refused us: it does not accept our certificate (alert BadCertificate)"
        ]
    );
    let many = server(&|params| {
        params.subject_alt_names.clear();
        let names = ["a.example", "b.example", "*.c.example", "d.example", "e.example"];
        params.subject_alt_names.extend(names.map(|name| rcgen::SanType::DnsName(name.try_into().unwrap())));
    });
    assert_eq!(
        refused("127.0.0.1", &near, &many)[0],
        "the certificate is not for 127.0.0.1 but for a.example, b.example, *.c.example and 2 more"
    );

    let authority = server(&|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    assert_eq!(
        refused("localhost", &near, &authority)[0],
        "the certificate is that of an authority and cannot stand for a site: it has CA:TRUE"
    );

    let expired = server(&|params| params.not_after = rcgen::date_time_ymd(2000, 1, 1));
    let [ours, theirs] = refused("localhost", &near, &expired);
    assert!(ours.starts_with("the certificate expired ") && ours.ends_with(" days ago"), "{ours}");
    assert_eq!(theirs, "the peer refused us: our certificate has expired (alert CertificateExpired)");
    let young = server(&|params| params.not_before = rcgen::date_time_ymd(2900, 1, 1));
    let [ours, _] = refused("localhost", &near, &young);
    assert!(ours.starts_with("the certificate is valid only in ") && ours.ends_with(" days"), "{ours}");

    let [ours, theirs] = refused("localhost", &House::named("foreign").client(), &far);
    assert!(ours.starts_with("the certificate is from an unknown issuer"), "{ours}");
    assert!(theirs.ends_with("does not trust the issuer of our certificate (alert UnknownCA)"), "{theirs}");

    let purpose = server(&|params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth]);
    let [ours, _] = refused("localhost", &near, &purpose);
    assert_eq!(ours, "the certificate is not for servers but for clients");
}

#[test]
fn a_certificate_may_be_for_an_address() {
    let house = House::new();
    let (left, right) = Pipe::pair();
    let mut client = TlsStream::client(left, "127.0.0.1", &house.client()).unwrap();
    let mut server = TlsStream::server(right, &house.server()).unwrap();
    shake(&mut client, &mut server).unwrap();
    for host in ["", "a b", "[::1]", "bücher.example"] {
        let error = error_of(TlsStream::client(Pipe::pair().0, host, &house.client()));
        assert_eq!(error, (ErrorKind::InvalidInput, format!("no certificate can be for the host {host:?}")));
    }
    assert!(TlsStream::client(Pipe::pair().0, "::1", &house.client()).is_ok());
}

#[test]
fn a_peer_of_another_protocol_has_its_own_error() {
    let house = House::new();
    let garbage: [&[u8]; 2] = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"];
    let (mut client, mut server) = ends(&house.client(), &house.server());
    for (end, bytes) in [&mut client, &mut server].into_iter().zip(garbage) {
        end.inner().input.borrow_mut().bytes = bytes.iter().copied().collect();
        let spoken = (ErrorKind::InvalidData, "the peer does not speak TLS".to_owned());
        assert_eq!(error_of(end.secure()), spoken);
        assert_eq!(error_of(end.read(&mut [0; 9])), spoken);
    }
    let alert = [21, 3, 3, 0, 2, 2, AlertDescription::DecodeError.into()];
    assert!(server.inner().output.borrow().bytes.iter().eq(&alert), "the alert is sent");
}

#[test]
fn a_damaged_record_is_fatal_after_the_data_before_it() {
    for buf in [4, 65_536] {
        let (mut client, mut server) = pair();
        client.write_all(b"sound").unwrap();
        client.write_all(b"damaged").unwrap();
        *server.inner().input.borrow_mut().bytes.back_mut().unwrap() ^= 1;
        let mut got = vec![0; 5];
        server.read_exact(&mut got[..buf.min(4)]).unwrap();
        server.read_exact(&mut got[4..]).unwrap();
        assert_eq!(got, b"sound");
        assert!(server.input_ended());
        let (kind, text) = error_of(server.read(&mut vec![0; buf]));
        assert_eq!((kind, &text[..]), (ErrorKind::InvalidData, "cannot decrypt peer's message"));
        assert_eq!(error_of(server.write(b"x")), (kind, text));
        let theirs = "the peer refused us: it could not decrypt or verify what we sent (alert BadRecordMac)";
        assert_eq!(error_of(client.read(&mut [0; 9])).1, theirs);
    }
}

#[test]
fn a_stream_error_has_that_of_rustls_as_its_source() {
    let error = error::invalid_data(rustls::Error::NoApplicationProtocol);
    let inside = error.get_ref().and_then(|e| e.downcast_ref::<TlsError>()).expect("a TlsError");
    assert_eq!(inside.0, rustls::Error::NoApplicationProtocol);
    assert_eq!(error.to_string(), "the peer does not speak HTTP/1.1");
}

#[test]
fn endless_tickets_do_not_hold_the_loop() {
    let house = House::new();
    let mut far = Arc::unwrap_or_clone(house.server());
    far.send_tls13_tickets = 6000;
    let (mut client, mut server) = ends(&house.client(), &Arc::new(far));
    shake(&mut client, &mut server).unwrap();
    assert!(client.inner().input.borrow().bytes.len() > FRUITLESS_BYTES_MAX);
    let (kind, text) = error_of(client.read(&mut vec![0; 65_536]));
    assert_eq!((kind, &text[..]), (ErrorKind::InvalidData, "the peer sends and sends, but no data"));
}

/// Sends the output of the buffered connection, and gives it its input.
fn turn(peer: &mut Connection, pipe: &mut Pipe) {
    while peer.wants_write() && peer.write_tls(pipe).is_ok() {}
    while peer.wants_read() && peer.read_tls(pipe).is_ok_and(|n| n > 0) {
        peer.process_new_packets().unwrap();
    }
    while peer.wants_write() && peer.write_tls(pipe).is_ok() {}
}

/// A conversation with a key update in the middle (RFC 8446 section 4.6.3), where the version has one.
fn talk(ours: &mut Tls, peer: &mut Connection, pipe: &mut Pipe, renews: bool) {
    let mut buf = vec![0; 65_536];
    for round in 0..5_usize {
        let bytes = pattern(1 + round * 9000);
        if renews && round > 1 {
            peer.refresh_traffic_keys().unwrap();
        }
        peer.writer().write_all(&bytes).unwrap();
        turn(peer, pipe);
        assert_eq!(ours.read(&mut buf).unwrap(), bytes.len());
        assert!(buf.starts_with(&bytes));
        ours.write_all(&bytes).unwrap();
        let mut got = vec![];
        while got.len() < bytes.len() {
            turn(peer, pipe);
            let n = peer.reader().read(&mut buf).unwrap();
            got.extend_from_slice(&buf[..n]);
        }
        assert!(got == bytes);
    }
    peer.send_close_notify();
    turn(peer, pipe);
    assert_eq!(ours.read(&mut buf).unwrap(), 0);
    ours.close_notify();
    turn(peer, pipe);
    assert_eq!(peer.reader().read(&mut buf).unwrap(), 0);
}

#[test]
fn buffered_ends_of_rustls_understand_ours() {
    let house = House::new();
    for version in [&TLS12, &TLS13] {
        let (near, far) = (house.client(), house.server_of(version));
        let name = ServerName::try_from("localhost").unwrap();
        let clients = Connection::from(ClientConnection::new(near.clone(), name).unwrap());
        let servers = Connection::from(ServerConnection::new(far.clone()).unwrap());
        for mut peer in [clients, servers] {
            let (left, mut right) = Pipe::pair();
            let mut ours = match &peer {
                Connection::Client(_) => TlsStream::server(left, &far).unwrap(),
                Connection::Server(_) => TlsStream::client(left, "localhost", &near).unwrap(),
            };
            while !ours.secure().unwrap() | peer.is_handshaking() {
                turn(&mut peer, &mut right);
            }
            talk(&mut ours, &mut peer, &mut right, version == &TLS13);
        }
    }
}

#[test]
fn a_stream_that_blocks_never_says_would_block() {
    let house = House::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let far = house.server();
    let echo = std::thread::spawn(move || {
        let mut server = TlsStream::server(listener.accept().unwrap().0, &far).unwrap();
        let mut got = vec![];
        server.read_to_end(&mut got).unwrap();
        server.write_all(&got).unwrap();
        server.close_notify();
    });
    let mut client = TlsStream::client(TcpStream::connect(address).unwrap(), "localhost", &house.client()).unwrap();
    let (bytes, mut got) = (pattern(100_000), vec![]);
    client.write_all(&bytes).unwrap();
    client.close_notify();
    client.read_to_end(&mut got).unwrap();
    assert!(got == bytes);
    echo.join().unwrap();
}

#[test]
fn pem_files_are_read_or_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["a".into()]).unwrap().self_signed(&key).unwrap();
    let chain = file("chain.pem", &format!("words\n{0}\n{0}", certificate.pem()));
    let secret = file("key.pem", &key.serialize_pem());
    assert_eq!(load_certificates(&chain).unwrap(), vec![certificate.der().clone(); 2]);
    server_config(load_certificates(&chain).unwrap(), load_key(&secret).unwrap()).unwrap();

    let cut = file("cut.pem", &certificate.pem()[..100]);
    let odd = file("odd.pem", "-----BEGIN CERTIFICATE\n");
    let sour = file("sour.pem", &certificate.pem().replace('M', "!"));
    for (path, what, why) in [
        (&secret, "certificate", "holds no certificate in PEM"),
        (&chain, "key", "holds no unencrypted private key in PEM"),
        (&cut, "certificate", "is damaged: a PEM section has no end"),
        (&odd, "certificate", "is damaged: a PEM section has no proper first line"),
        (&sour, "certificate", "is damaged: a PEM section holds what is not Base64"),
        (&directory.path().join("absent"), "certificate", "cannot be read: No such file or directory"),
        (&directory.path().join("absent"), "key", "cannot be read: No such file or directory"),
    ] {
        let loaded = if what == "key" { load_key(path).map(drop) } else { load_certificates(path).map(drop) };
        let sentence = loaded.unwrap_err();
        assert!(sentence.contains(why) && sentence.contains(path.to_str().unwrap()), "{sentence}");
    }
}

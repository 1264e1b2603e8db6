mod peers;
mod pipe;
mod words;

use super::*;
use pipe::*;
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

/// Bytes that show when they are out of place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n ^ n >> 8 ^ n >> 16) as u8).collect()
}

fn error_of<T>(result: io::Result<T>) -> (ErrorKind, String) {
    result.map(drop).map_err(|e| (e.kind(), e.to_string())).expect_err("an error")
}

#[test]
fn any_cut_of_the_wire_gives_the_same_conversation() {
    let house = House::new();
    let (up, down) = (pattern(700), pattern(20_000));
    for version in [&TLS12, &TLS13] {
        let (near, far) = (house.client(), house.server_of(version));
        for piece in (1..40).chain([100, 1000, 5000, usize::MAX]) {
            for stutters in [false, true] {
                let (mut client, mut server) = ends(&near, &far);
                client.inner().narrow(|way| (way.piece, way.stutters) = (piece, stutters));
                let got = converse(&mut client, &mut server, &up, &down, 65_536);
                assert!(got == (up.clone(), down.clone()), "pieces of {piece}");
                assert_eq!(client.side.state().protocol_version(), Some(version.version));
            }
        }
    }
}

#[test]
fn a_mebibyte_goes_both_ways_through_a_pipe_of_any_width() {
    let bytes = pattern(1 << 20);
    for (room, buf) in [(100, 65_536), (5000, 65_536), (100_000, 65_536), (usize::MAX, 65_536), (5000, 999)] {
        let (mut client, mut server) = pair();
        client.inner().narrow(|way| way.room = room);
        let got = converse(&mut client, &mut server, &bytes, &bytes, buf);
        assert!(got.0 == bytes && got.1 == bytes, "room {room}");
    }
}

#[test]
fn a_short_read_means_that_nothing_is_left() {
    let bytes = pattern(200_000);
    for buf in [1, 100, 5000, 16_000, 20_000, 33_000, 49_152, 65_536, 100_000, 300_000] {
        let (mut client, mut server) = pair();
        let (mut buf, mut got) = (vec![0; buf], vec![]);
        // Whole and partial records: the second write does not arrive whole at once.
        server.write_all(&bytes).unwrap();
        server.write_all(&bytes).unwrap();
        let held = server.inner().output.borrow_mut().bytes.split_off(300_000);
        let mut rest = Some(held);
        while got.len() < 2 * bytes.len() {
            let n = read_some(&mut client, &mut buf);
            got.extend_from_slice(&buf[..n]);
            if n < buf.len() {
                assert!(client.plain.is_empty() && client.inner().input.borrow().bytes.is_empty());
                client.inner().input.borrow_mut().bytes.extend(rest.take().into_iter().flatten());
            }
        }
        assert!(got[..bytes.len()] == bytes && got[bytes.len()..] == bytes);
    }
}

#[test]
fn a_request_is_one_read_and_one_write_and_no_memory() {
    let (mut client, mut server) = pair();
    let calls = |end: &Tls| (end.inner().input.borrow().reads, end.inner().output.borrow().writes);
    let mut buf = vec![0; 65_536];
    let before = calls(&server);
    for _ in 0..10 {
        assert_eq!(client.write(b"question").unwrap(), 8);
        assert_eq!(server.read(&mut buf).unwrap(), 8);
        assert_eq!(server.write(b"answer").unwrap(), 6);
        assert_eq!(client.read(&mut buf).unwrap(), 6);
    }
    assert_eq!(calls(&server), (before.0 + 10, before.1 + 10));
    for end in [&client, &server] {
        assert_eq!((end.incoming.capacity(), end.plain.held(), end.outgoing.held()), (0, 0, 0));
    }
    assert!(size_of::<Tls>() <= 1408, "{}", size_of::<Tls>());
}

#[test]
fn a_handshake_may_end_with_data_and_writes_are_few() {
    let house = House::new();
    let (mut client, mut server) = ends(&house.client(), &house.server());
    while !client.secure().unwrap() {
        let _ = server.secure().unwrap();
    }
    // The server has not seen our Finished yet; the first request comes with it.
    client.write_all(b"early bird").unwrap();
    assert!(server.secure().unwrap());
    assert!(server.inner().input.borrow().bytes.is_empty());
    let mut buf = vec![0; 65_536];
    assert_eq!(server.read(&mut buf).unwrap(), 10);

    let before = server.inner().output.borrow().writes;
    assert_eq!(server.write(&[7; 256 << 10]).unwrap(), 256 << 10);
    assert_eq!(server.inner().output.borrow().writes, before + 4);
}

#[test]
fn unsent_ciphertext_is_bounded_when_the_stream_is_full() {
    let (mut client, mut server) = pair();
    server.inner().output.borrow_mut().room = 10_000;
    assert_eq!(server.write(&[1; 5000]).unwrap(), 5000);
    assert_eq!(server.unsent(), 0);
    // Taken, but not sent.
    assert_eq!(server.write(&[2; 6000]).unwrap(), 6000);
    assert!((1..2000).contains(&server.unsent()), "{}", server.unsent());
    assert!(would_block(server.flush()));
    assert_eq!(server.write(&[3; 1 << 20]).unwrap(), UNSENT_BYTES_MAX);
    assert!(server.unsent() > UNSENT_BYTES_MAX && server.unsent() < 2 * UNSENT_BYTES_MAX);
    assert!(would_block(server.write(b"no")));
    assert_eq!(server.write(b"").unwrap(), 0);

    server.inner().output.borrow_mut().room = usize::MAX;
    server.flush().unwrap();
    assert_eq!((server.unsent(), server.outgoing.held()), (0, 0));
    let mut got = vec![0; 11_000 + UNSENT_BYTES_MAX];
    client.read_exact(&mut got).unwrap();
    assert!(got[..5000] == [1; 5000] && got[5000..11_000] == [2; 6000] && got[11_000..].iter().all(|&b| b == 3));
}

#[test]
fn close_notify_ends_one_direction_only() {
    let (mut client, mut server) = pair();
    client.write_all(b"last words").unwrap();
    client.close_notify();
    client.close_notify();
    assert_eq!(error_of(client.write(b"more")).0, ErrorKind::BrokenPipe);
    // Bytes behind close_notify are ignored.
    server.inner().input.borrow_mut().bytes.extend(b"garbage");
    let mut buf = vec![0; 65_536];
    assert!(!server.input_ended());
    assert_eq!(server.read(&mut buf).unwrap(), 10);
    assert!(server.input_ended());
    assert_eq!((server.read(&mut buf).unwrap(), server.read(&mut buf).unwrap()), (0, 0));

    server.write_all(b"answer").unwrap();
    server.close_notify();
    assert_eq!(client.read(&mut buf).unwrap(), 6);
    assert_eq!(client.read(&mut buf).unwrap(), 0);
    assert_eq!(client.read(&mut []).unwrap(), 0);
}

#[test]
fn an_end_without_close_notify_follows_the_data() {
    for broken in [None, Some(ErrorKind::ConnectionReset)] {
        for buf in [3, 65_536] {
            let (mut client, mut server) = pair();
            server.write_all(b"whole record").unwrap();
            server.write_all(b"a cut one").unwrap();
            {
                let mut way = client.inner().input.borrow_mut();
                way.bytes.pop_back();
                (way.shut, way.broken) = (true, broken);
            }
            let (mut got, mut buf) = (vec![], vec![0; buf]);
            let end = loop {
                match client.read(&mut buf) {
                    Ok(n) => got.extend_from_slice(&buf[..n]),
                    error => break error_of(error),
                }
            };
            assert_eq!(got, b"whole record");
            let cut = (ErrorKind::UnexpectedEof, "closed without close_notify".to_owned());
            assert_eq!(end, broken.map_or(cut, |kind| (kind, io::Error::from(kind).to_string())));
            assert_eq!(error_of(client.read(&mut buf)), end);
            // A half-closed peer may still be told something; a broken one may not.
            assert_eq!(client.write(b"still open").is_ok(), broken.is_none());
        }
    }
}

#[test]
fn a_handshake_may_be_cut_anywhere() {
    let house = House::new();
    let (near, far) = (house.client(), house.server());
    for cut in (0..).step_by(7) {
        let (mut client, mut server) = ends(&near, &far);
        assert!(!client.secure().unwrap() && !server.secure().unwrap());
        let mut way = client.inner().input.borrow_mut();
        if cut >= way.bytes.len() {
            break;
        }
        way.bytes.truncate(cut);
        way.shut = true;
        drop(way);
        let cut = (ErrorKind::UnexpectedEof, "closed within the TLS handshake".to_owned());
        assert_eq!(error_of(client.secure()), cut);
        assert_eq!(error_of(client.read(&mut [0; 9])), cut);
        assert_eq!(error_of(client.write(b"x")), cut);
        client.close_notify();
        assert_eq!(client.unsent(), 0);
    }
}

#[test]
fn a_stream_in_its_handshake_takes_nothing_and_gives_nothing() {
    let house = House::new();
    let (mut client, mut server) = ends(&house.client(), &house.server());
    assert!(would_block(client.write(b"too early")));
    assert!(client.inner().output.borrow().bytes.len() > 100, "a write begins the handshake");
    // Reading is enough to go on.
    let mut buf = vec![0; 65_536];
    assert!(would_block(server.read(&mut buf)) && would_block(client.read(&mut buf)));
    assert!(would_block(server.read(&mut buf)));
    assert_eq!((client.write(b"now").unwrap(), server.read(&mut buf).unwrap()), (3, 3));
}

#[test]
fn the_second_connection_resumes_the_first() {
    let house = House::new();
    for version in [&TLS12, &TLS13] {
        let (near, far) = (house.client(), house.server_of(version));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let (mut client, mut server) = ends(&near, &far);
            let got = converse(&mut client, &mut server, b"question", b"answer", 65_536);
            assert_eq!(got, (b"question".to_vec(), b"answer".to_vec()));
            for end in [&client, &server] {
                assert_eq!(end.side.state().handshake_kind(), Some(kind), "{version:?}");
                assert_eq!(end.side.state().alpn_protocol(), Some(&b"http/1.1"[..]));
            }
        }
    }
}

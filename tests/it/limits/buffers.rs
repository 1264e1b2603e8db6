//! The budget of all buffers: a connection over it is closed, its memory is given back, and no other notices.

use crate::support::frames::{BINARY, CONTINUATION, PING, Said, close, fragment};
use crate::support::{Child, Client, Dir, Site, WsClient, frame, get, wait_for};
use squall::config::Limits;
use std::net::SocketAddr;

const PIECE: usize = 100_000;

/// Fifty peers with the beginning of a large message each: those that stay, and those closed for lack of memory.
fn overfill(address: SocketAddr) -> (Vec<WsClient>, Vec<WsClient>) {
    let (mut stay, mut go) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let mut echo = WsClient::echo(address);
        echo.send(fragment(BINARY, false, vec![1; PIECE]));
        echo.send(frame(PING, ""));
        let first = echo.heard();
        // It is booked when its slice ends, which may be after the first Pong, but never after a second one.
        let heard = if matches!(first, Said::Pong(_)) {
            echo.send(frame(PING, ""));
            echo.heard()
        } else {
            first
        };
        match heard {
            Said::Pong(_) => stay.push(echo),
            heard => {
                assert_eq!(heard, Said::Close(Some(1013), "busy".into()));
                go.push(echo);
            }
        }
    }
    assert!(!stay.is_empty() && go.len() > 30, "{} stay, {} go", stay.len(), go.len());
    (stay, go)
}

/// Goes on with its message, as a peer does that has not read our Close yet, and then closes.
fn go_on_and_go(mut echo: WsClient) {
    for _ in 0..5 {
        echo.send(fragment(CONTINUATION, false, vec![1; PIECE]));
    }
    echo.send(close(1013, ""));
    echo.client.closed();
}

#[test]
fn rest_of_a_message_over_the_budget_is_discarded() {
    let budget = 1_000_000;
    let site = Site::start(Limits::default(), &["--buffer-max", "1000000"]);
    let (stay, go) = overfill(site.address);
    for echo in go {
        go_on_and_go(echo);
        let booked = site.counts().booked;
        assert!(booked <= budget, "{booked} bytes are held");
    }
    assert!(site.counts().booked >= stay.len() * PIECE);
    assert_eq!(get(site.address, "/plaintext").status, 200);
    drop(stay);
    site.wait_until_empty();
}

#[test]
fn closing_for_lack_of_memory_is_one_log_line() {
    let child = Child::start(&["--buffer-max", "1000000"], &[]);
    let (_stay, go) = overfill(child.address);
    let closed = go.len();
    go.into_iter().for_each(go_on_and_go);
    assert_eq!(get(child.address, "/plaintext").status, 200);
    let said = || child.stderr().matches("buffers are full").count();
    wait_for("all to be said", || (said() >= closed).then_some(()));
    assert_eq!(said(), closed, "{}", child.stderr());
}

#[test]
fn unread_files_stay_within_the_budget() {
    let file = 2 << 20;
    let www = Dir::new();
    www.write("static/large.bin", vec![7; file]);
    let budget = 16 << 20;
    let site = Site::start(Limits::default(), &["--www", www.arg(), "--buffer-max", "16777216"]);
    let mut clients: Vec<Client> = (0..200).map(|_| Client::connect(site.address)).collect();
    for client in &mut clients {
        socket2::SockRef::from(&client.stream).set_recv_buffer_size(4096).unwrap();
        // Twice: what the kernel does not take of the two is much.
        client.send("GET /static/large.bin HTTP/1.1\r\nHost: squall\r\n\r\n".repeat(2));
    }
    let mut most = 0;
    wait_for("all to be answered or closed", || {
        let booked = site.counts().booked;
        most = most.max(booked);
        clients.iter().all(|client| !client.is_quiet()).then_some(())
    });
    assert!(most <= budget + 2 * file, "{most} bytes were held");
    assert!(most > budget / 2, "{most} bytes: the files did not wait for their readers");
    assert_eq!(get(site.address, "/plaintext").status, 200);
    drop(clients);
    site.wait_until_empty();
    assert_eq!(get(site.address, "/static/large.bin").body.len(), file);
}

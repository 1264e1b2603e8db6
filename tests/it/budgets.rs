//! Work is done in slices: a connection that sends much takes turns with the others, and no work is forgotten.
//!
//! When a budget ends a slice, no edge comes for the rest: each of these tests would hang if the server did not come back
//! to it.

use crate::support::frames::{BINARY, CONTINUATION, Said, TEXT, fragment, text};
use crate::support::{Client, Site, Stub, WsClient, frame, get, login};
use squall::config::Limits;
use std::io::Write;

const ASK: &str = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n";

/// Budgets so small that nearly everything ends a slice.
fn tiny() -> Limits {
    Limits {
        slice_bytes_max: 1,
        slice_steps_max: 1,
        accepts_per_turn: 1,
        high_water: 1,
        job_threads: 1,
        ..Limits::default()
    }
}

/// Writes from a thread of its own, so that the test can read meanwhile.
fn send_aside(client: &Client, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
    let mut stream = client.stream.try_clone().expect("a socket");
    std::thread::spawn(move || stream.write_all(&bytes).expect("the server takes it"))
}

#[test]
fn five_thousand_pipelined_requests_are_all_answered() {
    for limits in [Limits::default(), tiny()] {
        let site = Site::start(limits, &[]);
        let mut client = Client::connect(site.address);
        let sent = send_aside(&client, ASK.repeat(5000).into_bytes());
        for _ in 0..5000 {
            assert_eq!(client.response().body, b"Hello, World!");
        }
        assert!(client.is_quiet());
        sent.join().unwrap();
    }
}

#[test]
fn late_reader_gets_everything() {
    for limits in [Limits::default(), tiny()] {
        let site = Site::start(limits, &[]);
        let mut client = Client::connect(site.address);
        let sent = send_aside(&client, ASK.repeat(20_000).into_bytes());
        site.wait_until("output to wait", |c| c.booked > 0);
        for _ in 0..20_000 {
            assert_eq!(client.response().status, 200);
        }
        sent.join().unwrap();
        drop(client);
        site.wait_until_empty();
    }
}

#[test]
fn ten_thousand_messages_at_once_are_all_echoed() {
    for limits in [Limits::default(), tiny()] {
        let site = Site::start(limits, &[]);
        let mut echo = WsClient::echo(site.address);
        let wire = (0..10_000).flat_map(|n: u32| frame(TEXT, n.to_string())).collect();
        let sent = send_aside(&echo.client, wire);
        for n in 0..10_000 {
            assert_eq!(echo.heard(), Said::Text(n.to_string()));
        }
        sent.join().unwrap();
    }
}

#[test]
fn endless_sender_does_not_delay_others() {
    let site = Site::with_defaults();
    let echo = WsClient::echo(site.address);
    let mut stream = echo.client.stream.try_clone().unwrap();
    let busy = std::thread::spawn(move || {
        // One message that never ends: nothing but input for the server.
        let mut head = vec![0x02, 0xff];
        head.extend_from_slice(&(16u64 << 20).to_be_bytes());
        stream.write_all(&[head, vec![0; 4]].concat()).unwrap();
        for _ in 0..255 {
            stream.write_all(&[0; 64 << 10]).unwrap();
        }
    });
    let mut others = 0;
    while !busy.is_finished() {
        assert_eq!(get(site.address, "/plaintext").status, 200);
        others += 1;
    }
    busy.join().unwrap();
    assert!(others > 0);
}

#[test]
fn the_smallest_budgets_change_nothing_but_speed() {
    let stub = Stub::start(|mut asked| {
        let body = "x".repeat(100_000);
        asked.say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n{body}\r\n0\r\n\r\n"));
    });
    let flag = stub.flag();
    let site = Site::start(tiny(), &["--message-rate", "0", &flag[0], &flag[1]]);
    let mut client = Client::connect(site.address);
    client.send(format!("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n{ASK}GET /sleep?seconds=0.01 HTTP/1.1\r\nHost: squall\r\n\r\n{ASK}"));
    assert_eq!(client.response().body.len(), 100_000);
    assert_eq!(client.response().body, b"Hello, World!");
    assert_eq!(client.response().status, 200);
    client.finish();
    assert_eq!(client.response().body, b"Hello, World!");
    client.closed();

    let mut echo = WsClient::echo(site.address);
    echo.send(fragment(BINARY, false, vec![1; 100_000]));
    echo.send(fragment(CONTINUATION, true, vec![1; 100_000]));
    assert!(echo.heard() == Said::Binary(vec![1; 200_000]));

    let cookies = [login(site.address, "ann"), login(site.address, "bob")];
    let [mut ann, mut bob] = cookies.map(|cookie| WsClient::chat(site.address, &cookie));
    for n in 0..100 {
        ann.say(&n.to_string());
        bob.say(&n.to_string());
    }
    for member in [&mut ann, &mut bob] {
        let mut said = 0;
        while said < 200 {
            said += usize::from(matches!(member.heard(), Said::Text(line) if line.contains(':')));
        }
    }
    drop((echo, ann, bob));
    site.wait_until_empty();
}

#[test]
fn a_hundred_connections_at_once_are_all_accepted() {
    let site = Site::start(tiny(), &[]);
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(site.address)).collect();
    for client in &mut clients {
        client.send(ASK);
    }
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(site.counts().connections, 100);
}

#[test]
fn files_beyond_the_queue_of_the_pool_get_503() {
    let www = crate::support::Dir::new();
    www.write("static/file.txt", "file");
    let site = Site::start(Limits { jobs_waiting_max: 4, ..tiny() }, &["--www", www.arg()]);
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(site.address)).collect();
    for client in &mut clients {
        client.send("GET /static/file.txt HTTP/1.1\r\nHost: squall\r\n\r\n");
    }
    let mut served = 0;
    for client in &mut clients {
        let response = client.response();
        match response.status {
            200 => served += 1,
            status => assert_eq!(status, 503),
        }
    }
    assert!(served > 0);
    assert_eq!(get(site.address, "/static/file.txt").text(), "file");
}

#[test]
fn a_deaf_member_does_not_delay_a_message() {
    // In single bytes it would take too long.
    let limits = Limits { slice_bytes_max: 1000, ..tiny() };
    let site = Site::start(limits, &["--message-rate", "0", "--lag-max", "100000000"]);
    let deaf = WsClient::chat(site.address, &login(site.address, "deaf"));
    let mut ann = WsClient::chat(site.address, &login(site.address, "ann"));
    assert_eq!(ann.heard(), text("ann enter room"));
    let line = "x".repeat(4000);
    for _ in 0..1000 {
        ann.say(&line);
        assert_eq!(ann.heard(), Said::Text(format!("ann:{line}")));
    }
    let held = site.counts().booked;
    assert!(held > 1_000_000, "{held}");
    // Late, but whole: the deaf one begins to read.
    let mut late = deaf;
    assert_eq!((late.heard(), late.heard()), (text("deaf enter room"), text("ann enter room")));
    for _ in 0..1000 {
        assert_eq!(late.heard(), Said::Text(format!("ann:{line}")));
    }
    site.wait_until("the feed to shrink", |c| c.booked <= 64 << 10 && c.cut == 0);
}

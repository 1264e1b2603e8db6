//! What happens at the edges of a machine: too many clients, no descriptors, no memory, ten thousand sleepers.

mod buffers;
mod drain;
mod patience;
mod sleepers;

use crate::support::child::PROGRAM;
use crate::support::frames::{Said, TEXT, fragment};
use crate::support::{Child, Client, Dir, Site, WsClient, get, ms};
use squall::config::Limits;
use std::time::{Duration, Instant};

const ASK: &str = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n";

#[test]
fn client_over_the_connection_limit_waits_for_a_leave() {
    let site = Site::start(Limits::default(), &["--max-connections", "2"]);
    let mut inside: Vec<Client> = (0..2).map(|_| Client::connect(site.address)).collect();
    for client in &mut inside {
        assert_eq!(client.ask(ASK).status, 200);
    }
    // The kernel completes the connect and keeps what is sent; no client is refused.
    let mut waiting = Client::connect(site.address);
    waiting.send(ASK);
    for client in &mut inside {
        assert_eq!(client.ask(ASK).status, 200);
    }
    assert!(waiting.is_quiet());
    assert_eq!(site.counts().connections, 2);
    drop(inside.pop());
    assert_eq!(waiting.response().status, 200);
    drop((inside, waiting));
    site.wait_until_empty();
}

#[test]
fn waiting_clients_are_accepted_in_order() {
    let site = Site::start(Limits::default(), &["--max-connections", "32"]);
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(site.address)).collect();
    for client in &mut clients {
        client.send(ASK);
    }
    for mut client in clients {
        assert_eq!(client.response().status, 200);
        assert!(site.counts().connections <= 32);
    }
    site.wait_until_empty();
}

#[test]
fn without_descriptors_clients_wait_and_cpu_rests() {
    let child = Child::with_open_files(40, &["--max-connections", "1000", "--keep-alive", "600"]);
    let mut clients: Vec<Client> = (0..60).map(|_| Client::connect(child.address)).collect();
    for client in &mut clients {
        client.send(ASK);
    }
    crate::support::wait_for("the shortage to be said", || child.stderr().contains("out of descriptors").then_some(()));
    // The first ones are inside, the others in the backlog.
    assert_eq!(clients[0].response().status, 200);
    let inside = crate::support::wait_for("some inside", || {
        let answered = clients.iter().skip(1).filter(|client| !client.is_quiet()).count() + 1;
        (answered > 10).then_some(answered)
    });
    assert!(inside < 40, "{inside}");

    let (ticks, begun) = (child.cpu_ticks(), Instant::now());
    std::thread::sleep(Duration::from_secs(1));
    let (ticks, took) = (child.cpu_ticks() - ticks, begun.elapsed());
    let share = ticks as f64 * 0.01 / took.as_secs_f64();
    assert!(share < 0.1, "{share:.2} of a CPU while nothing can be done");
    assert_eq!(child.stderr().matches("out of descriptors").count(), 1, "said once per shortage");

    // The one that waits longest is served as soon as one leaves, and so on to the last.
    let first = clients.remove(0);
    let (waiting, inside): (Vec<Client>, Vec<Client>) = clients.into_iter().partition(Client::is_quiet);
    assert!(waiting.len() > 10 && inside.len() > 10);
    let mut left = Instant::now();
    drop(first);
    for mut client in waiting {
        assert_eq!(client.response().status, 200);
        assert!(left.elapsed() < ms(1500), "{:?}", left.elapsed());
        left = Instant::now();
    }
}

#[test]
fn soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let data = Dir::new();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -Sn 64; exec \"$0\" \"$@\"", PROGRAM]);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg()]);
    let child = Child::run(command, data, 1);
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(child.address)).collect();
    for client in &mut clients {
        client.send(ASK);
    }
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    assert!(crate::support::descriptors(&child.pid()) > 100);
    assert!(!child.stderr().contains("out of descriptors"), "{}", child.stderr());
}

#[test]
fn buffer_budget_closes_with_503_or_1013() {
    let site = Site::start(Limits::default(), &["--buffer-max", "100000"]);
    let half = |n: usize| {
        let head = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 500000\r\n\r\n";
        format!("{head}{}", "x".repeat(n))
    };
    let mut first = Client::connect(site.address);
    first.send(half(60_000));
    site.wait_until("the first half", |c| c.booked > 60_000);
    let mut second = Client::connect(site.address);
    second.send(half(60_000));
    assert_eq!(second.response().status, 503);
    // It was in the middle of its body: what it still sends is swallowed, lest a reset destroy the response.
    for _ in 0..100 {
        second.send([b'x'; 4000]);
    }
    let mut echo = WsClient::echo(site.address);
    echo.send(fragment(TEXT, false, "x".repeat(60_000)));
    assert_eq!(echo.heard(), Said::Close(Some(1013), "busy".into()));
    drop((second, echo));
    // Connections that were there first are not disturbed, nor those that need no memory.
    assert_eq!(get(site.address, "/plaintext").status, 200);
    site.wait_until("the first alone", |c| c.connections == 1 && c.booked > 60_000);
    drop(first);
    site.wait_until_empty();
}

#[test]
fn deaf_peer_is_not_read_from() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    client.stream.set_write_timeout(Some(ms(300))).unwrap();
    // Requests without end, and not one response read: at high water the server stops reading.
    let many = ASK.repeat(1000);
    let mut sent = 0;
    while let Ok(n) = std::io::Write::write(&mut client.stream, many.as_bytes()) {
        sent += n;
        assert!(sent < 200 << 20, "the server takes everything");
    }
    let booked = site.counts().booked;
    assert!(booked < 1 << 20, "{booked} bytes are held");
    assert_eq!(client.response().status, 200);
    drop(client);
    site.wait_until_empty();
}

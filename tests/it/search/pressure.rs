//! Many searches, slow browsers, and browsers that leave: what is held and what is let go.

use super::{asking, search_html, with_defaults};
use crate::support::{Client, Stub, get, ms, wait_for};
use squall::config::Limits;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SEARCH: &str = "GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n";

/// A site that writes for ever, and how much it has got rid of.
fn endless() -> (Stub, Arc<AtomicU64>) {
    let written = Arc::new(AtomicU64::new(0));
    let stub = Stub::start({
        let written = written.clone();
        move |mut asked| {
            asked.say("HTTP/1.1 200 OK\r\n\r\n");
            asked.stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
            while let Ok(n) = asked.stream.write(&[b'x'; 16 << 10]) {
                written.fetch_add(n as u64, SeqCst);
            }
        }
    });
    (stub, written)
}

/// Waits until a number has stood still for a while.
fn settled(number: &AtomicU64) -> u64 {
    let mut last = (number.load(SeqCst), Instant::now());
    wait_for("the number to stand still", || {
        let now = number.load(SeqCst);
        if now != last.0 {
            last = (now, Instant::now());
        }
        (now > 0 && last.1.elapsed() > ms(300)).then_some(now)
    })
}

fn patient() -> Limits {
    let minute = Duration::from_secs(60);
    Limits {
        http: squall::http::Limits { response_body_bytes_max: u64::MAX, ..Default::default() },
        search_within: minute,
        write_stall: minute,
        ..Limits::default()
    }
}

#[test]
fn slow_browser_stops_reading_from_the_site() {
    let (stub, written) = endless();
    let limits = patient();
    let high_water = limits.high_water;
    let site = asking(&stub, limits, &[]);
    let mut client = Client::connect(site.address);
    client.send(SEARCH);
    let first = settled(&written);
    let booked = site.counts().booked;
    // What is booked is memory, and a growing buffer may have twice the room that it needs.
    let held_max = 2 * (high_water + 2 * (64 << 10)) + 1024;
    assert!(booked <= held_max, "{booked} bytes are held");
    assert!(first < 64 << 20, "{first} bytes were taken from the site");
    // Read again, and it flows again.
    assert_eq!(client.head().status, 200);
    let mut buf = vec![0; 64 << 10];
    while written.load(SeqCst) < first + (8 << 20) {
        assert!(client.stream.read(&mut buf).unwrap() > 0);
    }
    assert!(site.counts().booked <= held_max);
    drop(client);
    wait_for("the site to see the end", || (stub.open() == 0).then_some(()));
    site.wait_until_empty();
}

#[test]
fn response_ends_though_output_is_above_high_water() {
    // Its connection is kept, so no FIN comes to tell: the end is where the length says.
    for extra in [0, 1, 1000, 60_000] {
        let limits = Limits { high_water: 8192, ..Limits::default() };
        let length = (4 << 20) + extra;
        let stub = Stub::start(move |mut asked| {
            asked.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
            asked.say(vec![b'x'; length]);
            asked.wait_for_the_end();
        });
        let site = asking(&stub, limits, &[]);
        let mut client = Client::connect(site.address);
        client.send(SEARCH);
        assert_eq!(client.head().status, 200);
        std::thread::sleep(ms(100));
        let mut left = length;
        while left > 0 {
            let n = left.min(5000);
            assert_eq!(client.take(n).len(), n);
            left -= n;
        }
        assert_eq!(client.ask("GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n").body, b"Hello, World!");
        site.wait_until("the connection to be kept", |c| (c.fetches, c.kept) == (0, 1));
    }
}

#[test]
fn leaving_browser_cancels_its_search() {
    let stub = Stub::start(|mut asked| assert!(asked.wait_for_the_end()));
    let site = with_defaults(&stub);
    for way in ["drop", "finish", "reset"] {
        let mut client = Client::connect(site.address);
        client.send(SEARCH);
        wait_for("the question", || (stub.open() == 1).then_some(()));
        match way {
            // While a search waits, FIN means that its browser has gone.
            "finish" => client.finish(),
            "reset" => socket2::SockRef::from(&client.stream).set_linger(Some(ms(0))).unwrap(),
            _ => {}
        }
        if way == "finish" {
            client.closed();
        }
        drop(client);
        wait_for("the site to see the end", || (stub.open() == 0).then_some(()));
        site.wait_until_empty();
    }
}

#[test]
fn browser_leaving_in_mid_response_cancels_its_search() {
    let (stub, _) = endless();
    let site = asking(&stub, patient(), &[]);
    for bytes in [0, 1, 100, 100_000, 1_000_000] {
        let mut client = Client::connect(site.address);
        client.send(SEARCH);
        client.take(bytes);
        if bytes % 2 == 0 {
            drop(client);
        } else {
            client.finish();
            client.rest();
        }
        wait_for("the site to see the end", || (stub.open() == 0).then_some(()));
        site.wait_until_empty();
    }
}

#[test]
fn searches_over_the_limit_wait_and_are_answered() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let stub = Stub::start({
        let most = most.clone();
        move |mut asked| {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::sleep(ms(50));
            now.fetch_sub(1, SeqCst);
            asked.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        }
    });
    let site = asking(&stub, Limits::default(), &["--search-max", "2"]);
    let mut clients: Vec<Client> = (0..5).map(|_| Client::connect(site.address)).collect();
    for client in &mut clients {
        client.send(SEARCH);
    }
    site.wait_until("a queue", |c| c.fetches == 5 && c.fetches_running == 2);
    assert_eq!(get(site.address, "/plaintext").status, 200, "others do not wait");
    for client in &mut clients {
        assert_eq!(client.response().text(), "hello");
    }
    assert_eq!(most.load(SeqCst), 2);
    drop(clients);
    site.wait_until_empty();
}

#[test]
fn time_in_the_queue_counts() {
    let stub = Stub::start(|mut asked| assert!(asked.wait_for_the_end()));
    let limits = Limits { search_within: ms(300), ..Limits::default() };
    let site = asking(&stub, limits, &["--search-max", "1"]);
    let mut first = Client::connect(site.address);
    first.send(SEARCH);
    site.wait_until("the first", |c| c.fetches_running == 1);
    let mut second = Client::connect(site.address);
    second.send(SEARCH);
    site.wait_until("the second", |c| (c.fetches, c.fetches_running) == (2, 1));
    for client in [&mut first, &mut second] {
        let response = client.response();
        assert_eq!((response.status, response.text().contains("within 0.3 s")), (504, true), "{}", response.text());
    }
    drop((first, second));
    site.wait_until_empty();
}

#[test]
fn leaving_the_queue_leaves_no_gap() {
    let stub = Stub::start(|mut asked| assert!(asked.wait_for_the_end()));
    let site = asking(&stub, Limits::default(), &["--search-max", "1"]);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(site.address)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(SEARCH);
        site.wait_until("the queue", |c| c.fetches == n + 1);
    }
    drop(clients.remove(1));
    site.wait_until("one less", |c| (c.fetches, c.fetches_running) == (2, 1));
    drop(clients.remove(0));
    site.wait_until("the last one's turn", |c| (c.fetches, c.fetches_running) == (1, 1));
    wait_for("its question", || (stub.requests().len() == 2).then_some(()));
    drop(clients);
    site.wait_until_empty();
}

#[test]
fn a_full_queue_is_503() {
    let stub = Stub::start(|mut asked| assert!(asked.wait_for_the_end()));
    let limits = Limits { fetches_waiting_max: 1, ..Limits::default() };
    let site = asking(&stub, limits, &["--search-max", "1"]);
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(site.address)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(SEARCH);
        site.wait_until("the queue", |c| c.fetches == n + 1);
    }
    let response = search_html(&site, "x");
    assert_eq!((response.status, response.text().contains("too many fetches")), (503, true), "{}", response.text());
    drop(clients);
    site.wait_until_empty();
}

#[test]
fn a_pipelined_request_behind_a_search_waits_for_it() {
    let stub = Stub::start(|mut asked| {
        std::thread::sleep(ms(100));
        asked.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    });
    let site = with_defaults(&stub);
    let mut client = Client::connect(site.address);
    client.send(format!("{SEARCH}GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n{SEARCH}"));
    assert_eq!(client.response().text(), "hello");
    assert_eq!(client.response().text(), "Hello, World!");
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn a_search_under_way_is_finished_while_draining() {
    let stub = Stub::start(|mut asked| {
        std::thread::sleep(ms(200));
        asked.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    });
    let site = with_defaults(&stub);
    let mut client = Client::connect(site.address);
    client.send(SEARCH);
    site.wait_until("the search", |c| c.fetches == 1);
    site.drain();
    let response = client.response();
    assert_eq!((response.text().as_str(), response.field("connection")), ("hello", Some("close")));
    wait_for("the end of the loop", || site.is_over().then_some(()));
    assert!(TcpStream::connect(site.address).is_err());
}

#[test]
fn streaming_search_closes_its_connection_while_draining() {
    let (tell, told) = channel::<()>();
    let told = Mutex::new(told);
    let stub = Stub::start(move |mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        told.lock().unwrap().recv().unwrap();
        asked.say("5\r\nworld\r\n0\r\n\r\n");
    });
    let site = asking(&stub, Limits::default(), &["--drain", "3600", "--keep-alive", "3600"]);
    let mut client = Client::connect(site.address);
    client.send(SEARCH);
    assert_eq!(client.head().field("connection"), None, "it was to be kept alive");
    assert_eq!(client.take(10), b"5\r\nhello\r\n");
    site.drain();
    wait_for("the drain", || TcpStream::connect(site.address).is_err().then_some(()));
    tell.send(()).unwrap();
    assert_eq!(client.rest(), b"5\r\nworld\r\n0\r\n\r\n");
    wait_for("the end of the loop", || site.is_over().then_some(()));
}

#[test]
fn redirect_keeps_its_place_before_waiting_searches() {
    let (tell, told) = channel::<()>();
    let told = Mutex::new(told);
    let stub = Stub::start(move |mut asked| {
        if asked.target() == "/s?wd=first" {
            told.lock().unwrap().recv().unwrap();
            return asked.say("HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
        }
        let target = asked.target().to_owned();
        asked.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()));
    });
    let limits = Limits { fetches_waiting_max: 2, ..Limits::default() };
    let site = asking(&stub, limits, &["--search-max", "1"]);
    let mut clients = Vec::new();
    for (n, words) in ["first", "second", "third"].into_iter().enumerate() {
        let mut client = Client::connect(site.address);
        client.send(format!("GET /search?wd={words} HTTP/1.1\r\nHost: squall\r\n\r\n"));
        site.wait_until("the queue", |c| (c.fetches, c.fetches_running) == (n + 1, 1));
        clients.push(client);
    }
    tell.send(()).unwrap();
    let targets = ["/s?wd=first", "/there", "/s?wd=second", "/s?wd=third"];
    for (client, target) in clients.iter_mut().zip(&targets[1..]) {
        let response = client.response();
        assert_eq!((response.status, response.text().as_str()), (200, *target));
    }
    let requests = stub.requests();
    let asked: Vec<&str> = requests.iter().filter_map(|request| request.split(' ').nth(1)).collect();
    assert_eq!(asked, targets);
    drop(clients);
    site.wait_until_empty();
}

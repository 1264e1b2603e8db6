//! Thousands of searches at once: none waits for another, and none is fetched for a browser that has left.

use crate::support::{Child, Site, ms, wait_for};
use squall::config::Limits;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const SEARCHES: usize = 2000;
const LEAVERS: usize = 1000;

/// Sends searches to one squall that fetches from another, all at once, all different, each a second long. Returns the
/// time of the slowest.
fn all_at_once(site: &Child) -> Duration {
    let connect = |_| TcpStream::connect(site.address).expect("room in the backlog");
    let mut clients: Vec<TcpStream> = (0..SEARCHES).map(connect).collect();
    let began = Instant::now();
    for (n, client) in clients.iter_mut().enumerate() {
        let ask = format!("GET /search?wd={n} HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n");
        client.write_all(ask.as_bytes()).expect("room for a request");
    }
    for (n, client) in clients.into_iter().enumerate() {
        let mut response = String::new();
        BufReader::new(client).read_to_string(&mut response).expect("a whole response");
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(response.contains(&format!("&amp;wd={n}\">")), "{n} got the response of another");
    }
    began.elapsed()
}

#[test]
fn two_thousand_searches_run_at_once_on_one_thread() {
    let other = Child::start(&[], &[]);
    let url = format!("http://{}/sleep?seconds=1&wd={{}}", other.address);
    let site = Child::start(&["--search-url", &url, "--search-max", "2000", "--history", "memory"], &[]);
    let threads = site.status("Threads");
    // The bound is the promise; that others use this machine meanwhile is not the server's doing.
    let took = (0..3).map(|_| all_at_once(&site)).find(|took| *took <= ms(1500));
    assert!(took.is_some(), "never within 1.5 s");
    assert_eq!((threads, site.status("Threads")), (1, 1), "an address needs no resolver, and nothing else a thread");
}

#[test]
fn a_thousand_leaving_browsers_cancel_their_fetches() {
    let upstream = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback address");
    let url = format!("http://{}/?wd={{}}", upstream.local_addr().expect("an address"));
    let site = Site::start(Limits::default(), &["--search-url", &url, "--search-max", "1000"]);
    let took = (0..3).map(|_| until_the_last_is_closed(&site, &upstream)).find(|took| *took <= ms(100));
    assert!(took.is_some(), "never within 100 ms");
}

/// A thousand browsers ask, then leave; returns the time until the site has none of their fetches.
fn until_the_last_is_closed(site: &Site, upstream: &TcpListener) -> Duration {
    let mut browsers: Vec<TcpStream> = (0..LEAVERS).map(|_| TcpStream::connect(site.address).unwrap()).collect();
    for (n, browser) in browsers.iter_mut().enumerate() {
        browser.write_all(format!("GET /search?wd={n} HTTP/1.1\r\nHost: squall\r\n\r\n").as_bytes()).unwrap();
    }
    let mut asked = HashSet::new();
    let mut fetches: Vec<TcpStream> = Vec::new();
    for _ in 0..LEAVERS {
        let mut lines = BufReader::new(upstream.accept().expect("one for each").0);
        let mut line = String::new();
        lines.read_line(&mut line).expect("a request");
        asked.insert(line);
        fetches.push(lines.into_inner());
    }
    assert_eq!(asked.len(), LEAVERS, "each asks for its own words");
    site.wait_until("all to be under way", |counts| counts.fetches_running == LEAVERS);
    drop(browsers);
    let left = Instant::now();
    for fetch in &mut fetches {
        fetch.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let closed = wait_for("the end of a fetch", || match fetch.read(&mut [0; 512]) {
            Ok(0) => Some(true),
            Ok(_) => None,
            Err(e) => Some(e.kind() == ErrorKind::ConnectionReset),
        });
        assert!(closed);
    }
    let took = left.elapsed();
    site.wait_until_empty();
    took
}

//! `squall bench`: where its connections go, where they come from, and what `-v` shows of them.

use super::run;
use crate::support::stub::read_head;
use crate::support::{Dir, Stub};
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread;

const RESPONSE: &str = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Responds to this many connections, one at a time; returns the requests.
fn serve(listener: UnixListener, connections: usize) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let connect = || {
            let (mut stream, _) = listener.accept().expect("a client");
            let request = read_head(&mut stream).expect("a request");
            stream.write_all(RESPONSE.as_bytes()).expect("the client listens");
            request
        };
        std::iter::repeat_with(connect).take(connections).collect()
    })
}

#[test]
fn a_unix_socket_gets_the_requests_of_the_url() {
    let dir = Dir::new();
    let path = dir.path().join("socket");
    let server = serve(UnixListener::bind(&path).expect("a socket"), 3);
    let path = path.to_str().expect("text");
    let (code, stdout, stderr) = run(&["bench", "-n", "3", "--unix", path, "http://none.test/x"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in ["Server Hostname:        none.test\n", "Failed requests:        0\n", "Complete requests:      3\n"] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
    for request in server.join().expect("it served") {
        assert!(request.starts_with("GET /x HTTP/1.0\r\nHost: none.test\r\n"), "{request}");
    }
}

/// Its backlog has room for two connections.
#[test]
fn more_connections_than_a_backlog_has_wait_for_it() {
    let dir = Dir::new();
    let path = dir.path().join("socket");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&socket2::SockAddr::unix(&path).expect("a short path")).expect("a place");
    socket.listen(1).expect("it listens");
    let server = serve(socket.into(), 60);
    let path = path.to_str().expect("text");
    let (code, stdout, stderr) = run(&["bench", "-n", "60", "-c", "20", "--unix", path, "http://a.test/"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("Complete requests:      60\nFailed requests:        0\n"), "{stdout}");
    assert_eq!(server.join().expect("it served").len(), 60);
}

#[test]
fn a_unix_socket_that_is_not_there_is_one_line() {
    let says = "--unix /none/such: No such file or directory";
    for flags in [&["-q"][..], &["-q", "-r", "-n", "20"]] {
        let (code, _, stderr) = run(&[&["bench"], flags, &["--unix", "/none/such", "http://a.test/"]].concat());
        assert_eq!((code, stderr), (Some(2), format!("squall bench: {says}\n")), "{flags:?}");
    }
    let (code, _, stderr) = run(&["bench", "-q", "--ws", "echo", "--unix", "/none/such", "ws://a.test/"]);
    let stderr_expected = format!("squall bench: no connection opened: {says}: is the server there?\n");
    assert_eq!((code, stderr), (Some(1), stderr_expected));
}

#[test]
fn an_address_that_this_machine_does_not_have_is_one_line() {
    let says = "-B 192.0.2.1: this machine does not have the address";
    let (code, _, stderr) = run(&["bench", "-q", "-B", "192.0.2.1", "http://127.0.0.1:9/"]);
    assert_eq!((code, stderr), (Some(libc::EADDRNOTAVAIL), format!("squall bench: {says}\n")));
    let (code, report, stderr) = run(&["bench", "-q", "--ws", "idle", "-B", "192.0.2.1", "ws://127.0.0.1:9/"]);
    assert_eq!((code, stderr), (Some(1), format!("squall bench: no connection opened: {says}\n")));
    assert!(report.contains("   (no_address: 1)\n") && !report.contains("client-limited"), "{report}");
}

#[test]
fn a_name_may_have_an_address_of_the_command_line() {
    let stub = Stub::saying(RESPONSE);
    let port = stub.address.port();
    let (url, resolve) = (format!("http://None.test:{port}/"), format!("none.test:{port}:127.0.0.1"));
    let (code, _, stderr) = run(&["bench", "--resolve", "other.test:80:127.0.0.9", "--resolve", &resolve, &url]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stub.requests()[0].contains(&format!("\r\nHost: none.test:{port}\r\n")), "{:?}", stub.requests());
}

#[cfg(target_os = "linux")]
#[test]
fn source_addresses_take_turns() {
    let peers = Arc::new(Mutex::new(Vec::new()));
    let stub = Stub::start({
        let peers = peers.clone();
        move |mut asked| {
            let peer = asked.stream.peer_addr().expect("it is connected").ip().to_string();
            peers.lock().expect("no thread panics with it").push(peer);
            asked.say(RESPONSE);
        }
    });
    let url = format!("http://{}/", stub.address);
    let (code, _, stderr) = run(&["bench", "-n", "6", "-B", "127.0.0.3,127.0.0.4", "-B", "127.0.0.5", &url]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let turns = ["127.0.0.3", "127.0.0.4", "127.0.0.5"].repeat(2);
    assert_eq!(*peers.lock().expect("no thread panics with it"), turns);
}

#[test]
fn requests_and_responses_are_shown_by_level() {
    let stub = Stub::start(|mut asked| {
        let status = if asked.target() == "/no" { "404 Not Found" } else { "200 OK" };
        asked.say(format!("HTTP/1.0 {status}\r\nContent-Length: 2\r\n\r\nhi"));
    });
    let shown = |level: &str, path: &str| {
        let (code, stdout, stderr) = run(&["bench", "-n", "2", "-v", level, &format!("http://{}{path}", stub.address)]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        let begin = stdout.find("...").expect("the line before the first request") + 3;
        let end = stdout.rfind("..done").expect("the line behind the last response");
        stdout[begin..end].replace(&stub.address.to_string(), "ADDRESS")
    };
    let request = |path: &str| {
        format!(
            "INFO: GET header == \n---\nGET {path} HTTP/1.0\r\nHost: ADDRESS\r\n\
             User-Agent: ApacheBench/2.3\r\nAccept: */*\r\n\r\n\n---\n"
        )
    };
    let response = "LOG: header received:\nHTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi\n";
    assert_eq!(shown("1", "/"), "");
    assert_eq!(shown("2", "/"), request("/") + &response.repeat(2));
    assert_eq!(shown("3", "/"), request("/") + &format!("{response}LOG: Response code = 200\n").repeat(2));
    let missing = response.replace("200 OK", "404 Not Found");
    let warned = format!("{missing}WARNING: Response code not 2xx (404)\n");
    assert_eq!(shown("2", "/no"), request("/no") + &warned.repeat(2));
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_needs_the_feature() {
    let (code, stdout, stderr) = run(&["bench", "https://127.0.0.1/"]);
    assert_eq!((code, stdout.as_str()), (Some(22), ""));
    assert!(stderr.starts_with("squall bench: https ") && stderr.contains("`tls`"), "{stderr}");
}

//! Sites that are not there, and connections that end, or never do anything.

use super::ways::End::{Arrives, Fails};
use super::ways::Play::{Absent, Closes, Http, Raw, Says};
use super::ways::{self, SILENT, Way, hold, reset, way};
use crate::support::ms;
use crate::support::stub::Asked;
use socket2::{Domain, Socket, Type};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

pub const WAYS: &[Way] = &[
    way("does not listen", Absent(unused), Fails("no connection to 127.0.0.1:1: Connection refused")),
    way("never answers a connect", Absent(deaf), Fails("no connection within 1 s")),
    way("has a name that does not exist", Absent(nameless), Fails(".invalid could not be resolved: ")),
    way("is private, where a redirect leads", Raw(never), Fails("127.0.0.1, which is not a public address")).led_here(),
    way("resets every connection", Raw(reset), Fails("Connection reset by peer")),
    way("resets before its response", Http(|asked| reset(asked.stream)), Fails("Connection reset by peer")),
    way("resets within its head", Http(reset_in_head), Fails("Connection reset by peer")),
    way("resets within its body", Http(reset_in_body), Fails("Connection reset by peer")),
    way("resets within a chunk", Http(reset_in_chunk), Fails("Connection reset by peer")),
    way("resets where its end would be the body's", Http(reset_until_close), Fails("Connection reset by peer")),
    way("closes without an answer", Closes(""), Fails("the connection was closed without a response")),
    way("shuts its half and stays", Http(shuts_and_stays), Fails("the connection was closed without a response")),
    way("says nothing", Says(""), Fails(SILENT)),
    way("answers and shuts its half", Http(responds_and_shuts), Arrives("hello")),
];

/// Port 1 cannot be bound without rights, and no service has it.
fn unused() -> ways::Absent {
    ways::Absent { url: "http://127.0.0.1:1/".into(), kept: Box::new(()) }
}

/// A listener whose backlog is full does not respond to a SYN: the kernel drops it, and the connect waits.
fn deaf() -> ways::Absent {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    socket.listen(0).expect("it listens");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("an address");
    let mut fill = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, ms(200)) {
        fill.push(stream);
        assert!(fill.len() < 10, "the backlog is not 0");
    }
    ways::Absent { url: format!("http://{address}/"), kept: Box::new((listener, fill)) }
}

/// A label of 64 characters is refused by the resolver itself, so this needs no network.
fn nameless() -> ways::Absent {
    ways::Absent { url: format!("http://{}.invalid/", "x".repeat(64)), kept: Box::new(()) }
}

fn never(_: TcpStream) {
    panic!("no connection may come here");
}

/// Says this, and resets a moment later.
fn resets_behind(mut asked: Asked, text: &str) {
    asked.say(text);
    // So that it is not always the same read of the client's that finds both.
    std::thread::sleep(ms(20));
    reset(asked.stream);
}

fn reset_in_head(asked: Asked) {
    resets_behind(asked, "HTTP/1.1 200 OK\r\nContent-");
}

fn reset_in_body(asked: Asked) {
    resets_behind(asked, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
}

fn reset_in_chunk(asked: Asked) {
    resets_behind(asked, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello");
}

fn reset_until_close(asked: Asked) {
    resets_behind(asked, "HTTP/1.1 200 OK\r\n\r\nhello");
}

fn shuts_and_stays(mut asked: Asked) {
    let _ = asked.stream.shutdown(Shutdown::Write);
    hold(&mut asked.stream);
}

fn responds_and_shuts(mut asked: Asked) {
    asked.say("HTTP/1.1 200 OK\r\n\r\nhello");
    let _ = asked.stream.shutdown(Shutdown::Write);
    hold(&mut asked.stream);
}

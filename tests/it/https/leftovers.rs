//! A thousand clients of https, each cut at some byte of its ciphertext, leave no connection, descriptor or member.

use super::{Secure, connect};
use crate::leftovers::limits;
use crate::support::client::patient;
use crate::support::dice::Dice;
use crate::support::frames::{PING, TEXT, close, handshake};
use crate::support::tls_client::{Tls, client_of, login, secure};
use crate::support::{Site, Stub, descriptors, frame, is_alone, wait_for};
use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A socket that fails when it has taken `left` bytes.
struct Cut {
    stream: TcpStream,
    left: usize,
}

impl Read for Cut {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let n = self.stream.write(&bytes[..bytes.len().min(self.left)])?;
        self.left -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a client goes.
#[derive(Clone, Copy)]
enum Way {
    /// It closes its socket, read or unread.
    Drop,
    /// It resets the connection.
    Reset,
    /// It shuts its half and reads to the end.
    Finish,
    /// It says nothing more, and stays until the server closes.
    Stay,
}

const WAYS: [Way; 4] = [Way::Drop, Way::Reset, Way::Finish, Way::Stay];

fn scripts(cookie: &str) -> Vec<Vec<u8>> {
    let get = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n".repeat(2);
    let form =
        "POST /login HTTP/1.1\r\nHost: squall\r\nTransfer-Encoding: chunked\r\n\r\nc\r\nusername=bob\r\n0\r\n\r\n";
    let chat = [
        handshake("/chat/", &format!("Cookie: {cookie}\r\n")).into_bytes(),
        frame(TEXT, "one"),
        frame(PING, "?"),
        close(1000, "bye"),
    ];
    let echo = [handshake("/echo", "").into_bytes(), frame(TEXT, "x".repeat(200)), b"\x81\x00no mask".to_vec()];
    let search = "GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n";
    vec![get.into(), form.into(), chat.concat(), echo.concat(), search.into()]
}

/// Speaks the script until `left` bytes are out. Whether it worked is of no interest.
fn speak(site: &Site, config: &Arc<ClientConfig>, script: &[u8], left: usize) -> Tls<Cut> {
    let mut tls = secure(Cut { stream: patient(site.address), left }, config);
    // In pieces, so that cuts fall between records, too.
    for piece in script.chunks(60) {
        if tls.write_all(piece).is_err() {
            break;
        }
    }
    tls
}

fn go(mut tls: Tls<Cut>, way: Way) -> Option<TcpStream> {
    let stream = &tls.sock.stream;
    match way {
        Way::Drop => None,
        Way::Reset => {
            SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
            None
        }
        Way::Finish => {
            // The server may have gone already.
            let _ = stream.shutdown(Shutdown::Write);
            let _ = tls.sock.stream.read_to_end(&mut vec![]);
            None
        }
        Way::Stay => Some(tls.sock.stream),
    }
}

#[test]
fn a_thousand_cut_clients_leave_nothing() {
    if !is_alone("https::leftovers::a_thousand_cut_clients_leave_nothing") {
        return;
    }
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let flag = stub.flag();
    let args = ["--keep-alive", "1", "--message-rate", "0", flag[0].as_str(), flag[1].as_str()];
    let site = Secure::start(limits(), &args);
    let cookie = login(site.address, "ann");
    drop(connect(site.address));
    let rest = |what: &str| {
        site.wait_until(what, |c| {
            (c.connections, c.members, c.fetches, c.fetches_running, c.booked) == (0, 0, 0, 0, 0)
        });
        wait_for("the site's connections to end", || (stub.open() == 0).then_some(()));
        descriptors("self")
    };
    let before = rest("the beginning");
    let scripts = scripts(&cookie);
    // The old version has a longer handshake; a resumed one is shorter.
    let configs = [&TLS12, &TLS13].map(|version| Arc::new(client_of(&[version])));
    let mut dice = Dice::new(7);
    for _ in 0..4 {
        let mut staying = vec![];
        for n in 0..250 {
            let script = dice.pick(&scripts);
            let left = dice.below(script.len() + 700);
            let tls = speak(&site, dice.pick(&configs), script, left);
            staying.extend(go(tls, WAYS[n % WAYS.len()]));
        }
        for mut stream in staying {
            let _ = stream.read_to_end(&mut vec![]);
        }
    }
    rest("nothing left");
    wait_for("descriptors", || (descriptors("self") <= before).then_some(()));
}

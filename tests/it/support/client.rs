//! HTTP by hand: bytes out, bytes in, over a plain socket.

use super::PATIENCE;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;

/// One connection of a client, over TCP or what lies on it.
pub struct Client<S = TcpStream> {
    pub stream: S,
    kept: Vec<u8>,
    /// Unread lines of a stream of events.
    events: Vec<u8>,
}

/// One response.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Status line and fields as they came, without the empty line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the only field of this name.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.head.split("\r\n").skip(1).filter_map(|line| {
            let (n, value) = line.split_once(": ").expect("NAME: VALUE");
            n.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert_eq!(values.next(), None, "two fields {name}");
        value
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Names of all fields in their order, lower case.
    pub fn field_names(&self) -> Vec<String> {
        let name = |line: &str| line.split_once(": ").expect("NAME: VALUE").0.to_ascii_lowercase();
        self.head.split("\r\n").skip(1).map(name).collect()
    }
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Client {
        Client::over(patient(address))
    }

    /// FIN: no more from us.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the socket is open");
    }

    /// Whether nothing has come and the server has not closed, as of now.
    pub fn is_quiet(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket");
        self.kept.is_empty() && matches!(peeked, Err(e) if e.kind() == ErrorKind::WouldBlock)
    }
}

impl<S: Read + Write> Client<S> {
    /// On a stream that is there.
    pub fn over(stream: S) -> Client<S> {
        Client { stream, kept: Vec::new(), events: Vec::new() }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server takes it");
    }

    /// Reads once; 0 is the end, a reset counts as one.
    #[track_caller]
    fn more(&mut self) -> usize {
        let mut buf = [0; 64 << 10];
        match self.stream.read(&mut buf) {
            Ok(n) => {
                self.kept.extend_from_slice(&buf[..n]);
                n
            }
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => 0,
            // A socket with a timeout fails so when the process was stopped and goes on (signal(7)).
            Err(e) if e.kind() == ErrorKind::Interrupted => self.more(),
            Err(e) => panic!("{e}; so far: {:?}", String::from_utf8_lossy(&self.kept)),
        }
    }

    /// The next `n` bytes.
    #[track_caller]
    pub fn take(&mut self, n: usize) -> Vec<u8> {
        while self.kept.len() < n {
            assert!(self.more() > 0, "closed after {:?}", String::from_utf8_lossy(&self.kept));
        }
        let rest = self.kept.split_off(n);
        std::mem::replace(&mut self.kept, rest)
    }

    /// Bytes up to and with the next CR LF, without it.
    #[track_caller]
    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.kept.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(end + 2);
                return String::from_utf8(line[..end].to_vec()).expect("text");
            }
            assert!(self.more() > 0, "closed in a line: {:?}", String::from_utf8_lossy(&self.kept));
        }
    }

    /// The next response, to anything but HEAD.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        let mut response = self.head();
        response.body = match (response.status, response.field("transfer-encoding"), response.field("content-length")) {
            (100..=199 | 204 | 304, _, _) => Vec::new(),
            (_, Some("chunked"), None) => self.chunked(),
            (_, None, Some(length)) => self.take(length.parse().expect("a number")),
            (_, None, None) => self.rest(),
            framing => panic!("framed twice: {framing:?}"),
        };
        response
    }

    /// The next response's head, which is all of a response to HEAD.
    #[track_caller]
    pub fn head(&mut self) -> Response {
        let mut head = self.line();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {head:?}"));
        loop {
            match self.line() {
                line if line.is_empty() => return Response { status, head, body: Vec::new() },
                line => head += &format!("\r\n{line}"),
            }
        }
    }

    fn chunked(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line(), 16).expect("a chunk size");
            body.extend_from_slice(&self.take(size));
            assert_eq!(self.line(), "", "behind a chunk");
            if size == 0 {
                return body;
            }
        }
    }

    /// The next line of a chunked stream of events; an empty one ends an event.
    #[track_caller]
    pub fn event_line(&mut self) -> String {
        if self.events.is_empty() {
            let size = usize::from_str_radix(&self.line(), 16).expect("a chunk size");
            assert!(size > 0, "the stream has ended");
            self.events = self.take(size);
            assert_eq!(self.line(), "", "behind a chunk");
        }
        let end = self.events.iter().position(|&byte| byte == b'\n').expect("a chunk has whole lines");
        let rest = self.events.split_off(end + 1);
        let line = std::mem::replace(&mut self.events, rest);
        String::from_utf8(line[..end].to_vec()).expect("text")
    }

    /// Sends a request and reads its response.
    #[track_caller]
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request);
        self.response()
    }

    /// Everything until the server closes.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() > 0 {}
        std::mem::take(&mut self.kept)
    }

    /// The same, but a reset is an error.
    pub fn rest_until_reset(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.kept);
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// Waits for the server to close without having said more.
    #[track_caller]
    pub fn closed(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "not only closed: {:?}", String::from_utf8_lossy(&rest));
    }
}

/// A socket that waits for nothing longer than a test does.
#[track_caller]
pub fn patient(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a TCP socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("a TCP socket");
    stream
}

/// Sends bytes and reads until the server closes; the Date is masked, so that the transcript can be compared.
#[track_caller]
pub fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(address);
    client.send(bytes);
    transcript(&client.rest())
}

/// Text with every Date masked.
pub fn transcript(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mask = |line: &str| match line.starts_with("Date: ") {
        true => "Date: *".to_owned(),
        false => line.to_owned(),
    };
    text.split("\r\n").map(mask).collect::<Vec<_>>().join("\r\n")
}

/// One GET on a connection of its own.
#[track_caller]
pub fn get(address: SocketAddr, target: &str) -> Response {
    Client::connect(address).ask(format!("GET {target} HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n"))
}

/// The cookie of each name at each server, as the browser of that user has it.
static COOKIES: Mutex<BTreeMap<(SocketAddr, String), String>> = Mutex::new(BTreeMap::new());

/// Logs in, always with the same browser for a name; returns the Cookie field's value.
#[track_caller]
pub fn login(address: SocketAddr, name: &str) -> String {
    let key = (address, name.to_owned());
    let cookies = || COOKIES.lock().expect("no thread panics with it");
    let fields = cookies().get(&key).map_or(String::new(), |cookie| format!("Cookie: {cookie}\r\n"));
    let response = post_login(address, name, &fields);
    assert_eq!(response.status, 303, "{}", response.text());
    let cookie = response.field("set-cookie").expect("a cookie").split(';').next().expect("it has a value");
    cookies().insert(key, cookie.to_owned());
    cookie.to_owned()
}

/// One `POST /login` with this name and further fields.
#[track_caller]
pub fn post_login(address: SocketAddr, name: &str, fields: &str) -> Response {
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let body = format!("username={name}");
    Client::connect(address).ask(format!(
        "POST /login HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n{fields}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

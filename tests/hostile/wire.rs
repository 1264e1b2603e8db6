//! What the clients say, and the few exchanges that wait for their response: a login, a switch to WebSocket.

use crate::masked;
pub use crate::masked::{BINARY, CLOSE, CONTINUATION, PING, TEXT, fragment as frame};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Deadline for a well-behaved response.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Of a response's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: squall\r\n\r\n").into_bytes()
}

/// The handshake, with this Cookie field if there is one.
pub fn handshake(path: &str, cookie: Option<&str>) -> Vec<u8> {
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    masked::handshake(path, &cookie).into_bytes()
}

/// A socket that blocks, but not for ever.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A WebSocket whose handshake is done; what the server says first is still in the socket.
pub fn open(address: SocketAddr, path: &str, cookie: Option<&str>) -> io::Result<TcpStream> {
    let mut stream = connect(address)?;
    stream.write_all(&handshake(path, cookie))?;
    let head = read_head(&mut stream)?;
    match head.starts_with("HTTP/1.1 101 ") {
        true => Ok(stream),
        false => Err(Error::new(ErrorKind::InvalidData, format!("no WebSocket: {head:?}"))),
    }
}

/// The cookies so far, by server and name: a name belongs to its first cookie.
static COOKIES: Mutex<BTreeMap<(SocketAddr, String), String>> = Mutex::new(BTreeMap::new());

/// Logs in, once under each name; the value of the Cookie field.
pub fn login(address: SocketAddr, name: &str) -> io::Result<String> {
    let mut cookies = COOKIES.lock().unwrap_or_else(PoisonError::into_inner);
    match cookies.entry((address, name.to_owned())) {
        Entry::Occupied(known) => Ok(known.get().clone()),
        Entry::Vacant(place) => Ok(place.insert(log_in(address, name)?).clone()),
    }
}

fn log_in(address: SocketAddr, name: &str) -> io::Result<String> {
    let mut stream = connect(address)?;
    let length = "username=".len() + name.len();
    write!(
        stream,
        "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\nusername={name}"
    )?;
    let head = read_head(&mut stream)?;
    let cookie = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")?.split(';').next().map(str::to_owned));
    cookie.ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("no cookie: {head:?}")))
}

/// Up to the empty line and not a byte further.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

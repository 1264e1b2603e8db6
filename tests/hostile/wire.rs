//! What the clients say, and the few exchanges that wait for their response: a login, a switch to WebSocket.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;

/// Deadline for a well-behaved response.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Of a response's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: squall\r\n\r\n").into_bytes()
}

/// The handshake of RFC 6455 section 1.3, with this Cookie field if there is one.
pub fn handshake(path: &str, cookie: Option<&str>) -> Vec<u8> {
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: squall\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{cookie}\r\n"
    )
    .into_bytes()
}

/// One masked frame (RFC 6455 section 5.2); `fin`: the last of its message.
pub fn frame(opcode: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut out = vec![opcode | if fin { 0x80 } else { 0 }];
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
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

/// Logs in; the value of the Cookie field.
pub fn login(address: SocketAddr, name: &str) -> io::Result<String> {
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

//! One connection that sends as fast as the server takes it, and reads whatever comes.

use crate::{Flags, sockets};
use serde_json::{Value, json};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const MESSAGE_BYTES: usize = 16 << 20;
/// Requests in one write.
const REQUESTS: usize = 1024;

/// What was sent and what came, MiB a second.
pub fn flood(flags: &Flags, seconds: Duration) -> Result<Value, String> {
    let fail = |e: io::Error| e.to_string();
    let mut stream = TcpStream::connect(flags.address).map_err(fail)?;
    let again = if flags.path == "/echo" {
        stream.write_all(&sockets::handshake(flags.address, &flags.path, "")).map_err(fail)?;
        message()
    } else {
        format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", flags.path, flags.address).repeat(REQUESTS).into_bytes()
    };
    let (mut reader, until) = (stream.try_clone().map_err(fail)?, Instant::now() + seconds);
    let reading = thread::spawn(move || {
        let (mut buf, mut came) = (vec![0; 1 << 20], 0u64);
        loop {
            match reader.read(&mut buf) {
                Ok(0) => return Ok(came),
                Ok(n) => came += n as u64,
                Err(e) if Instant::now() < until => return Err(e),
                Err(_) => return Ok(came),
            }
        }
    });
    let sent = write_until(&mut stream, &again, until).map_err(fail)?;
    let early = reading.is_finished();
    let _ = stream.shutdown(Shutdown::Both);
    let came = reading.join().map_err(|_| "the reader panicked")?.map_err(fail)?;
    if early {
        return Err("the server has closed it".into());
    }
    let rate = |bytes: u64| bytes as f64 / seconds.as_secs_f64() / f64::from(1 << 20);
    Ok(json!({ "sent": rate(sent), "came": rate(came) }))
}

/// The same bytes over and over.
fn write_until(stream: &mut TcpStream, again: &[u8], until: Instant) -> io::Result<u64> {
    let (mut sent, mut at) = (0, 0);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(sent);
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(&again[at..]) {
            Ok(n) => (sent, at) = (sent + n as u64, (at + n) % again.len()),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(e) => return Err(e),
        }
    }
}

/// One masked binary frame.
fn message() -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | 127];
    frame.extend_from_slice(&(MESSAGE_BYTES as u64).to_be_bytes());
    frame.extend_from_slice(&[0x37, 0xfa, 0x21, 0x3d]);
    frame.resize(frame.len() + MESSAGE_BYTES, 0x55);
    frame
}

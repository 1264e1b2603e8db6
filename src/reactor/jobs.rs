//! Work that blocks: on a thread of the pool, or, with `--lab`, on the loop itself, to show what that does to all connections.
//!
//! The blocking fetch uses the same request, the same parser and the same streams as the loop, with sockets that wait.
//! There are no kept connections and no race here: one address after the other, and a new connection each time.

use crate::blocks::{BLOCK_BYTES, Blocks};
use crate::config::Limits;
use crate::event::{Blocking, Fetch, FetchError, FileRead, Finished, Job, Reached, WholeAnswer};
use crate::http::exchange::{Exchange, ExchangeEvent, Stage, encode_request};
use crate::http::url::Scheme;
use crate::net::address::is_public;
use crate::net::{Network, Stream};
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Does one job to its end, on a thread of the pool.
pub(super) fn run(job: Job, limits: &Limits) -> Finished {
    match job {
        Job::ReadFile { path } => Finished::File(read_file(&path, limits.www_file_bytes_max)),
    }
}

/// Does it here and now.
pub(super) fn block(work: Blocking, network: &mut impl Network, limits: &Limits) -> Finished {
    match work {
        Blocking::Sleep(time) => {
            std::thread::sleep(time);
            Finished::Blocked
        }
        Blocking::Fetch(fetch) => Finished::FetchedBlocking(fetch_blocking(&fetch, network, limits)),
    }
}

fn read_file(path: &Path, bytes_max: u64) -> io::Result<FileRead> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let facts = std::fs::metadata(path)?;
    if !facts.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    if facts.len() > bytes_max {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("larger than {bytes_max} bytes")));
    }
    let mut bytes = Blocks::default();
    // The file may grow while it is read.
    let file = File::open(path)?.take(bytes_max);
    io::copy(&mut BufReader::with_capacity(BLOCK_BYTES, file), &mut bytes)?;
    Ok(FileRead { bytes, modified: facts.modified().ok() })
}

/// One whole fetch.
fn fetch_blocking(fetch: &Fetch, network: &mut impl Network, limits: &Limits) -> Result<WholeAnswer, FetchError> {
    let mut stream = connect(fetch, network, limits)?;
    let mut request = Vec::new();
    encode_request(&fetch.url, &fetch.asking(true), &mut request);
    stream.write_all(&request).map_err(|e| broken(fetch, Stage::Start, &e))?;
    let mut exchange = Exchange::new(fetch.is_head(), fetch.decode);
    let (mut whole, mut kept, mut buf) = (WholeAnswer::default(), Vec::new(), vec![0; 64 << 10]);
    let mut eof = false;
    loop {
        let used = match exchange.receive(&kept, eof, &limits.http).map_err(FetchError::Protocol)? {
            (_, Some(ExchangeEvent::Done)) => return Ok(whole),
            (used, Some(ExchangeEvent::Head(head))) => {
                let fields = head.headers.map(|(name, value)| (name.to_owned(), value.to_vec()));
                (whole.status, whole.headers) = (head.status, fields.collect());
                used
            }
            (used, Some(ExchangeEvent::Body(piece))) => {
                whole.body.extend_from_slice(piece);
                used
            }
            (0, None) => {
                let n = read_more(&mut stream, fetch, &exchange, &mut buf)?;
                eof = n == 0;
                kept.extend_from_slice(&buf[..n]);
                0
            }
            (used, None) => used,
        };
        kept.drain(..used);
    }
}

/// Waits for more of a response. Returns the number of bytes, 0 at the end of the connection.
fn read_more(
    stream: &mut impl Stream,
    fetch: &Fetch,
    exchange: &Exchange,
    buf: &mut [u8],
) -> Result<usize, FetchError> {
    let stage = exchange.stage();
    let left = fetch.deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(FetchError::Timeout { after: fetch.within, reached: Reached::Answer(stage) });
    }
    match stream.wait_at_most(left).and_then(|()| stream.read(buf)) {
        Ok(n) => Ok(n),
        // Without close_notify. The response's own framing tells whether something is missing.
        Err(e) if e.kind() == ErrorKind::UnexpectedEof && !exchange.ends_with_connection() => Ok(0),
        Err(e) => Err(broken(fetch, stage, &e)),
    }
}

/// What it means that a socket has failed; one that waits says `WouldBlock` when its time is over.
fn broken(fetch: &Fetch, stage: Stage, e: &io::Error) -> FetchError {
    match e.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            FetchError::Timeout { after: fetch.within, reached: Reached::Answer(stage) }
        }
        _ => FetchError::Broken { why: e.to_string() },
    }
}

/// Looks the name up, tries one address after the other, and secures the first that is connected.
fn connect<N: Network>(fetch: &Fetch, network: &mut N, limits: &Limits) -> Result<N::Stream, FetchError> {
    let (host, port) = (fetch.url.host.clone(), fetch.url.port);
    let addresses = match (host.as_str(), port).to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(e) => return Err(FetchError::Resolve { host, why: e.to_string() }),
    };
    let mut failure = FetchError::no_address(host);
    for address in addresses {
        if fetch.public_only && !is_public(address.ip()) {
            failure = FetchError::Forbidden { host: fetch.url.host.clone() };
            continue;
        }
        let left = fetch.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match network.connect_and_wait(address, left.min(limits.connect_within)) {
            Ok(stream) if fetch.url.scheme == Scheme::Http => return Ok(stream),
            Ok(stream) => return secure(stream, fetch, network, limits),
            Err(e) => failure = FetchError::Connect { address: address.to_string(), why: e.to_string() },
        }
    }
    Err(failure)
}

/// The TLS handshake.
fn secure<N: Network>(
    stream: N::Stream,
    fetch: &Fetch,
    network: &mut N,
    limits: &Limits,
) -> Result<N::Stream, FetchError> {
    let host = &fetch.url.host;
    let secured = stream.wait_at_most(limits.connect_within).and_then(|()| {
        let mut stream = network.encrypt(stream, host)?;
        Ok((stream.secure()?, stream))
    });
    match secured {
        Ok((true, stream)) => Ok(stream),
        Ok((false, _)) => Err(FetchError::TlsTimeout { host: host.clone(), after: limits.connect_within }),
        Err(e) if e.kind() == ErrorKind::Unsupported => Err(FetchError::NoTls),
        Err(e) => Err(FetchError::Tls { host: host.clone(), why: e.to_string() }),
    }
}

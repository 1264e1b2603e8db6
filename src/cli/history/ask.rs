//! A request to the server that uses a history, over the socket in its data directory.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Time for a response: somewhat more than the server takes for a name that is forgotten.
const RESPONSE_WITHIN: Duration = Duration::from_secs(630);
/// Bytes of a response at most.
const RESPONSE_BYTES_MAX: u64 = 64 << 10;

/// What the server says: the status, and the body.
pub struct Said {
    pub status: u16,
    pub body: String,
}

/// Posts `body`, and reads the response up to the end of the connection.
///
/// # Errors
/// The server has gone, or says nothing that can be understood.
pub fn post(mut server: UnixStream, target: &str, body: &[u8]) -> Result<Said, String> {
    let exchange = || -> io::Result<Vec<u8>> {
        server.set_read_timeout(Some(RESPONSE_WITHIN))?;
        let length = body.len();
        write!(
            server,
            "POST {target} HTTP/1.1\r\nHost: squall\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )?;
        server.write_all(body)?;
        let mut response = vec![];
        server.take(RESPONSE_BYTES_MAX).read_to_end(&mut response)?;
        Ok(response)
    };
    let response = exchange().map_err(|e| format!("the server does not respond: {e}"))?;
    parse(&response).ok_or_else(|| "the server has ended before it responded: try again".into())
}

fn parse(response: &[u8]) -> Option<Said> {
    let response = String::from_utf8_lossy(response);
    let (head, body) = response.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Said { status, body: body.trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_to_its_end() {
        let (near, mut far) = UnixStream::pair().expect("two sockets");
        let server = std::thread::spawn(move || {
            let mut request = vec![0; 1024];
            let read = far.read(&mut request).expect("a request");
            far.write_all(b"HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\nno\n").expect("a response");
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let said = post(near, "/x", b"body").expect("a response");
        assert_eq!((said.status, said.body.as_str()), (409, "no"));
        assert!(server.join().expect("it ends").starts_with("POST /x HTTP/1.1\r\nHost: squall\r\n"));
        for broken in
            ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 2\r\n\r\n", "HTTP/1.1 \u{fffd}\u{fffd}\r\n\r\n", "x\r\n\r\n"]
        {
            assert!(parse(broken.as_bytes()).is_none(), "{broken:?}");
        }
    }

    #[test]
    fn a_server_that_ends_is_said() {
        let (near, far) = UnixStream::pair().expect("two sockets");
        drop(far);
        assert!(post(near, "/x", b"body").is_err_and(|why| why.contains("server")));
    }
}

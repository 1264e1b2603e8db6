//! Responses out of bytes, as a client must read them (RFC 9112 sections 4 to 6): strictly, because they are judged.

use std::fmt;

/// One final response, or 101.
#[derive(Debug, Clone, Default)]
pub struct Response {
    pub status: u16,
    /// Status line and fields.
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1.trim()).next()
    }

    fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }
}

/// What became of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It would take another request.
    Open,
    Closed,
}

/// Everything that came back.
#[derive(Debug, Clone)]
pub struct Transcript {
    pub responses: Vec<Response>,
    /// Responses with 100 to 199 but for 101.
    pub interims: usize,
    pub end: End,
    /// Why some bytes are not a response.
    pub garbled: Option<String>,
    /// A response has begun and is not whole.
    pub partial: bool,
}

impl Transcript {
    /// Takes apart what has come so far. `head_at`: that response has no body, for it is one to HEAD.
    pub fn parse(bytes: &[u8], head_at: Option<usize>, end: End) -> Transcript {
        let mut transcript = Transcript { responses: vec![], interims: 0, end, garbled: None, partial: false };
        let mut rest = bytes;
        while !rest.is_empty() {
            let is_head = head_at == Some(transcript.responses.len());
            match next_response(rest, is_head, end == End::Closed) {
                Ok(Some((response, used))) => {
                    rest = &rest[used..];
                    match response.status {
                        100 | 102..=199 => transcript.interims += 1,
                        101 => {
                            transcript.responses.push(response);
                            return transcript;
                        }
                        _ => transcript.responses.push(response),
                    }
                }
                Ok(None) if end == End::Open => {
                    transcript.partial = true;
                    return transcript;
                }
                Ok(None) => {
                    transcript.garbled = Some("it is cut short".into());
                    return transcript;
                }
                Err(why) => {
                    transcript.garbled = Some(why);
                    return transcript;
                }
            }
        }
        transcript
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for response in &self.responses {
            write!(f, "{} ", response.status)?;
        }
        f.write_str(if self.partial { "(and a part) " } else { "" })?;
        f.write_str(if self.end == End::Open { "open" } else { "close" })
    }
}

/// The response at the front and the bytes it takes; nothing if it is not whole yet.
fn next_response(bytes: &[u8], is_head: bool, closed: bool) -> Result<Option<(Response, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        let begins_well = bytes.starts_with(b"HTTP/1.") || b"HTTP/1.".starts_with(bytes);
        return if begins_well { Ok(None) } else { Err(format!("{:?}", String::from_utf8_lossy(bytes))) };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is not ASCII".to_owned())?;
    let mut response = Response { status: status_of(head)?, head: head.to_owned(), body: vec![] };
    for line in head.split("\r\n").skip(1) {
        let name = line.split_once(':').map_or("", |field| field.0);
        if name.is_empty() || name.contains([' ', '\t']) || line.contains(['\r', '\n']) {
            return Err(format!("the field line {line:?}"));
        }
    }
    let (length, coding) = (response.field("content-length"), response.field("transfer-encoding"));
    let body = &bytes[end + 4..];
    let used = match (response.status, coding, length) {
        (100..=199 | 204, None, None) => 0,
        (100..=199 | 204, ..) => return Err(format!("{} with a field that frames a body", response.status)),
        (_, Some(_), Some(_)) => return Err("Content-Length and Transfer-Encoding in one response".into()),
        (304, ..) => 0,
        _ if is_head => 0,
        (_, Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => match chunked(body)? {
            Some((data, used)) => {
                response.body = data;
                used
            }
            None => return Ok(None),
        },
        (_, Some(coding), None) => return Err(format!("the transfer coding {coding}")),
        (_, None, Some(length)) => {
            let length = length.parse::<usize>().map_err(|_| format!("Content-Length: {length}"))?;
            let Some(data) = body.get(..length) else { return Ok(None) };
            response.body = data.to_vec();
            length
        }
        (_, None, None) if closed => {
            response.body = body.to_vec();
            body.len()
        }
        (_, None, None) => return Ok(None),
    };
    debug_assert!(used == 0 || response.has("content-length") || response.has("transfer-encoding") || closed);
    Ok(Some((response, end + 4 + used)))
}

/// RFC 9112 section 4: the space after the status is there even without a reason.
fn status_of(head: &str) -> Result<u16, String> {
    let line = head.split("\r\n").next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let status = status.filter(|rest| rest.as_bytes().get(3) == Some(&b' '));
    let number = status.and_then(|rest| rest[..3].parse().ok());
    number.filter(|number| (100..600).contains(number)).ok_or_else(|| format!("the status line {line:?}"))
}

fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let (mut data, mut at) = (vec![], 0);
    loop {
        let Some(end) = bytes[at..].windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let digits = String::from_utf8_lossy(&bytes[at..at + end]).into_owned();
        let size = usize::from_str_radix(&digits, 16).map_err(|_| format!("the chunk size {digits:?}"))?;
        at += end + 2;
        let Some(chunk) = bytes.get(at..at + size + 2) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err("a chunk without its CRLF".into());
        }
        data.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((data, at)));
        }
    }
}

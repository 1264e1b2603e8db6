//! The client's side of one exchange: a request out, a response in (RFC 9112).
//!
//! ```text
//! Head ─ 1xx ─▶ Head ─ final head ─▶ Body ─ its end ─▶ Done
//! ```
//!
//! Input is the front of a byte slice; output is the bytes used and at most one [`ExchangeEvent`]. What curl and
//! browsers read is read: folded fields, lines that are no fields, bare LF, padded chunk sizes. Two lengths, or a body
//! that is cut short, are errors. A connection is good for a further exchange only if every reader finds the same end
//! ([`Exchange::keeps_alive`]). Redirects, deadlines and the socket are decided elsewhere.

mod head;
mod lines;
mod request;

use crate::http::Limits;
use crate::http::body::{BodyError, BodyReader};
use crate::http::chunked::{ChunkError, Piece};
use crate::http::inflate::{InflateError, Inflater};
use head::{Fate, find_final_head, parse_head};
use lines::{Form, judge, mend};
use std::fmt;

pub use head::ResponseHead;
pub use lines::Fields;
pub use request::{Asking, OURS, encode_request};

/// Interim responses (1xx) before the final one; a server could send them for ever.
const INTERIM_MAX: u8 = 16;

/// One step of a response, in order: `Head`, any number of `Body`, `Done`.
#[derive(Debug, Clone, Copy)]
pub enum ExchangeEvent<'a> {
    Head(ResponseHead<'a>),
    /// The next bytes of the body, never none, transfer coding removed, and content coding where that was wanted.
    Body(&'a [u8]),
    /// The response is whole; what follows it on this connection is not looked at.
    Done,
}

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not a byte of it is there.
    Start,
    /// Its final head is not whole.
    Head,
    /// Its body is not whole.
    Body,
}

/// Why a response cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeError {
    /// The connection ended there.
    EarlyEof(Stage),
    /// It does not begin with HTTP/1.
    NotHttp,
    /// The head breaks the grammar; the text says where.
    Malformed(&'static str),
    /// The body has two lengths, or one that is no number.
    BadLength,
    /// A transfer coding other than `chunked`; none was asked for.
    UnknownCoding,
    /// The chunked coding is broken.
    Chunk(ChunkError),
    /// 101, which was not asked for ([`Exchange::upgrade`]).
    UnexpectedUpgrade,
    /// More than 16 interim responses.
    TooManyInterim,
    /// The head has more than this many bytes.
    HeadTooLong(usize),
    /// The body has, or announces, more than this many bytes.
    BodyTooLarge(u64),
    /// The gzip or deflate of the body is broken or not whole, or gives too many bytes.
    Coding(InflateError),
}

impl ExchangeError {
    /// Whether the response may be valid, and only exceeds a limit.
    pub fn is_limit(&self) -> bool {
        use ExchangeError::{BodyTooLarge, Coding, HeadTooLong, TooManyInterim};
        let inflated = matches!(self, Coding(InflateError::TooLarge(_)));
        inflated || matches!(self, BodyTooLarge(_) | HeadTooLong(_) | TooManyInterim)
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExchangeError::EarlyEof(Stage::Start) => f.write_str("the connection was closed without a response"),
            ExchangeError::EarlyEof(Stage::Head) => f.write_str("the connection was closed within the head"),
            ExchangeError::EarlyEof(Stage::Body) => f.write_str("the connection was closed before the body was whole"),
            ExchangeError::NotHttp => f.write_str("it is not HTTP/1"),
            ExchangeError::Malformed(why) => f.write_str(why),
            ExchangeError::BadLength => f.write_str("its Content-Length is not one number"),
            ExchangeError::UnknownCoding => f.write_str("it has a transfer coding other than chunked"),
            ExchangeError::Chunk(e) => e.fmt(f),
            ExchangeError::UnexpectedUpgrade => f.write_str("it switches protocols, which was not asked for"),
            ExchangeError::TooManyInterim => write!(f, "more than {INTERIM_MAX} interim responses came"),
            ExchangeError::HeadTooLong(max) => write!(f, "its head is longer than {max} bytes"),
            ExchangeError::BodyTooLarge(max) => write!(f, "its body is longer than {max} bytes"),
            ExchangeError::Coding(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ExchangeError {}

impl From<BodyError> for ExchangeError {
    fn from(error: BodyError) -> ExchangeError {
        match error {
            BodyError::Chunk(e) => ExchangeError::Chunk(e),
            BodyError::TooLarge(max) => ExchangeError::BodyTooLarge(max),
        }
    }
}

impl From<InflateError> for ExchangeError {
    fn from(error: InflateError) -> ExchangeError {
        ExchangeError::Coding(error)
    }
}

/// Reads one response, at any split of its bytes.
#[derive(Debug)]
pub struct Exchange {
    asked: Asked,
    /// gzip and deflate are to be taken off.
    decode: bool,
    /// A byte of a response has been seen.
    begun: bool,
    /// What becomes of the connection, as the head has it.
    fate: Fate,
    state: State,
    /// The final head, if it had to be mended; until the next step.
    mended: Vec<u8>,
    /// While the body has a content coding that is taken off.
    inflater: Option<Box<Inflater>>,
}

/// What the request was, as far as the end of its response depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Content,
    /// HEAD: no body, whatever the fields say.
    Head,
    /// For another protocol: 101 is final, and has no body.
    Upgrade,
}

#[derive(Debug)]
enum State {
    Head {
        /// Bytes of the unfinished head in which its end is not.
        seen: usize,
        interim: u8,
    },
    Body(BodyReader),
    Done,
}

impl Exchange {
    /// For the response to one request. `head`: the request is HEAD.
    ///
    /// `decode`: takes gzip and deflate off the body, which may then have `inflated_bytes_max` bytes. A body with
    /// another coding, or with several, comes as it is; so does every body without the feature `deflate`.
    pub fn new(head: bool, decode: bool) -> Exchange {
        Exchange::of(if head { Asked::Head } else { Asked::Content }, decode)
    }

    /// For the response to a request that asks for another protocol (RFC 9110 section 7.8). 101 is then a final head, and
    /// `Done` follows it at once: what is behind it belongs to the other protocol.
    pub fn upgrade() -> Exchange {
        Exchange::of(Asked::Upgrade, false)
    }

    fn of(asked: Asked, decode: bool) -> Exchange {
        let state = State::Head { seen: 0, interim: 0 };
        Exchange { asked, decode, begun: false, fate: Fate::Closed, state, mended: Vec::new(), inflater: None }
    }

    /// Whether a byte of a response has been seen, interim ones included. If not, a server that has closed a kept
    /// connection may never have seen the request.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// How far the response has come.
    pub fn stage(&self) -> Stage {
        match self.state {
            State::Head { .. } if !self.begun => Stage::Start,
            State::Head { .. } => Stage::Head,
            State::Body(_) | State::Done => Stage::Body,
        }
    }

    /// Whether only the end of the connection is the end of the body. Known from the head on.
    pub fn ends_with_connection(&self) -> bool {
        self.fate == Fate::UntilClose
    }

    /// After `Done`: whether the connection may carry another exchange (RFC 9112 section 9.3). Before it never.
    ///
    /// The server must want it, and the end of the response must be beyond doubt. The caller must check three things:
    /// bytes behind the end make the connection unusable (no request asked for them); so does a request that is not sent
    /// whole yet, or that said `Connection: close`.
    pub fn keeps_alive(&self) -> bool {
        matches!(self.state, State::Done) && self.fate == Fate::Kept
    }

    /// Takes one step from the front of `buf`: the bytes used and an event. `eof`: nothing will follow `buf`.
    ///
    /// An event or bytes used: call again with what is behind them, even if that is empty; compressed bytes can be
    /// used long before all that they stand for is out. Neither: read more, which never happens with `eof`. After
    /// `Done` every call returns `Done` and uses nothing.
    ///
    /// # Errors
    /// [`ExchangeError`]; close, and do not use the exchange again. `EarlyEof` says how far the response had come.
    pub fn receive<'a>(
        &'a mut self,
        buf: &'a [u8],
        eof: bool,
        limits: &Limits,
    ) -> Result<(usize, Option<ExchangeEvent<'a>>), ExchangeError> {
        self.begun |= !buf.is_empty();
        self.mended = Vec::new();
        match &mut self.state {
            State::Head { seen, interim } => {
                let (start, end) = find_final_head(buf, seen, interim, self.asked, limits)?;
                let Some(end) = end else {
                    return match eof {
                        false => Ok((start, None)),
                        true if self.begun => Err(ExchangeError::EarlyEof(Stage::Head)),
                        true => Err(ExchangeError::EarlyEof(Stage::Start)),
                    };
                };
                let mut bytes = &buf[start..end];
                let form = judge(bytes)?;
                if form == Form::Uneven {
                    self.mended = mend(bytes);
                    bytes = &self.mended;
                }
                let found = parse_head(bytes, form, *interim, self.asked, limits)?;
                let coding = found.coding.filter(|_| self.decode);
                self.inflater =
                    coding.and_then(|name| Inflater::for_coding(name, limits.inflated_bytes_max)).map(Box::new);
                self.fate = found.fate;
                self.state = State::Body(found.body);
                Ok((end, Some(ExchangeEvent::Head(found.head))))
            }
            State::Body(reader) => {
                let (used, piece) = match &mut self.inflater {
                    None => reader.receive(buf)?,
                    Some(inflater) => receive_coded(reader, inflater, buf)?,
                };
                self.pass_on(used, piece, eof)
            }
            State::Done => Ok((0, Some(ExchangeEvent::Done))),
        }
    }

    /// What one step of the body means: a piece to pass on, the end, or nothing yet.
    fn pass_on<'a>(
        &'a mut self,
        used: usize,
        piece: Option<Piece<'a>>,
        eof: bool,
    ) -> Result<(usize, Option<ExchangeEvent<'a>>), ExchangeError> {
        if !self.inflated().is_empty() {
            return Ok((used, Some(ExchangeEvent::Body(self.inflated()))));
        }
        match piece {
            Some(Piece::Data(_)) if self.inflater.is_some() => return Ok((used, None)),
            Some(Piece::Data(bytes)) => return Ok((used, Some(ExchangeEvent::Body(bytes)))),
            Some(Piece::End) => {}
            None if !eof => return Ok((used, None)),
            None if matches!(&self.state, State::Body(reader) if reader.may_end_here()) => {}
            None => return Err(ExchangeError::EarlyEof(Stage::Body)),
        }
        let is_doubtful = matches!(&self.state, State::Body(reader) if reader.is_doubtful());
        if self.fate == Fate::Kept && (is_doubtful || piece.is_none()) {
            self.fate = Fate::Closed;
        }
        if let Some(inflater) = self.inflater.take() {
            inflater.finish()?;
        }
        self.state = State::Done;
        Ok((used, Some(ExchangeEvent::Done)))
    }

    fn inflated(&self) -> &[u8] {
        self.inflater.as_deref().map_or(&[], Inflater::piece)
    }
}

/// Takes one step of a body that has a content coding. What the inflater has no room for yet is left in `buf`, so it
/// is held nowhere else.
fn receive_coded<'a>(
    reader: &mut BodyReader,
    inflater: &mut Inflater,
    buf: &'a [u8],
) -> Result<(usize, Option<Piece<'a>>), ExchangeError> {
    let before = *reader;
    let (used, piece) = reader.receive(buf)?;
    let data = match piece {
        Some(Piece::Data(bytes)) => bytes,
        _ => &[],
    };
    let unused = data.len() - inflater.inflate(data)?;
    if unused > 0 {
        // Data is always the last of the bytes used, so a shorter look ends in a shorter piece.
        *reader = before;
        return Ok(reader.receive(&buf[..used - unused])?);
    }
    Ok((used, piece))
}

#[cfg(test)]
mod tests;

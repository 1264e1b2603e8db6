//! WebSocket messages out of frames (RFC 6455 sections 5.4 to 5.5, 7.1 and 8.1; compressed ones RFC 7692).
//!
//! ```text
//! Open ── peer sends Close ──▶ ClosedByPeer ── we send Close ─────▶ Done
//!   └──── we send Close ─────▶ ClosedByUs ──── peer sends Close ──▶ Done
//! ```
//!
//! Input is the front of a byte slice; output is the bytes used and at most one [`WsEvent`]. A message that lies in
//! the slice as one whole frame is unmasked in place and borrowed. Any other is put together in the session as its
//! bytes come, and then handed over. So the caller keeps at most an incomplete header or control frame. A compressed
//! message is inflated as it comes, a piece at each step.
//! A peer that breaks a rule has said its last word, like one that sent Close: the rest of its input is swallowed.
//! Sockets, deadlines, replies and rooms are decided elsewhere.

use super::deflate::{Agreement, Codec, Compression};
pub use super::frame::WsError;
use super::frame::{Header, Opcode, parse_header, unmask};
use super::utf8::{Utf8, is_utf8};
use crate::blocks::Blocks;
use crate::zlib::PIECE_BYTES_MAX;
use std::ops::Range;

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Valid UTF-8.
    Text,
    Binary,
}

impl Kind {
    /// The opcode of the frame that such a message is sent in.
    pub fn opcode(self) -> Opcode {
        match self {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        }
    }
}

/// The bytes of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// It came as one frame, and lies where it was read.
    Read(&'a [u8]),
    /// It was put together from fragments; the receiver owns it.
    Assembled(Blocks),
}

impl Payload<'_> {
    /// Bytes in all.
    pub fn len(&self) -> usize {
        match self {
            Payload::Read(bytes) => bytes.len(),
            Payload::Assembled(blocks) => blocks.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, if they lie together: always, up to [`BLOCK_BYTES`](crate::blocks::BLOCK_BYTES).
    pub fn contiguous(&self) -> Option<&[u8]> {
        match self {
            Payload::Read(bytes) => Some(bytes),
            Payload::Assembled(blocks) => blocks.contiguous(),
        }
    }

    /// A copy that lies together.
    pub fn to_vec(&self) -> Vec<u8> {
        match self {
            Payload::Read(bytes) => bytes.to_vec(),
            Payload::Assembled(blocks) => blocks.to_vec(),
        }
    }
}

/// What a peer has said.
#[derive(Debug, PartialEq, Eq)]
pub enum WsEvent<'a> {
    /// One whole message, at most `message_bytes_max` long; text is valid UTF-8.
    Message(Kind, Payload<'a>),
    /// Wants a Pong with the same bytes; only the latest needs one (RFC 6455 section 5.5.3).
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// Status code, and a reason that is valid UTF-8. Wants a Close with the same code unless ours was sent before.
    Close(Option<u16>, &'a [u8]),
}

/// How far the close handshake is (RFC 6455 section 7.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    /// The peer sent Close or broke a rule; our Close is due, and nothing else may be sent any more.
    ClosedByPeer,
    /// Our Close is sent; of the peer's frames only its Close still counts.
    ClosedByUs,
    /// Both are through: close the connection, the server first.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

/// Compressed bytes taken in one step: what they may grow to is looked at soon enough.
const COMPRESSED_BYTES_MAX: usize = 4 << 10;

/// One side of one WebSocket, receiving. Small, because there is one per idle member: 32 bytes, and without compression
/// no heap.
#[derive(Debug)]
pub struct Session {
    role: Role,
    state: State,
    message_bytes_max: usize,
    /// `None`: the next data frame starts one.
    message: Option<Box<Message>>,
    compression: Option<Box<Compression>>,
}

/// A message that has to be put together.
#[derive(Debug)]
struct Message {
    kind: Kind,
    /// The payload, unmasked, inflated and, if it is text, checked.
    bytes: Blocks,
    utf8: Utf8,
    /// The frame under way, if its header is read but not all of its payload.
    frame: Option<Frame>,
}

/// The rest of a data frame.
#[derive(Debug, Clone, Copy)]
struct Frame {
    remaining: usize,
    mask: [u8; 4],
    phase: u8,
    fin: bool,
}

/// What one step came upon, and where in the slice: an event that does not borrow yet.
enum Found {
    Nothing,
    Whole(Kind, Range<usize>),
    Assembled(Kind, Blocks),
    Ping(Range<usize>),
    Pong(Range<usize>),
    Close(Option<u16>, Range<usize>),
}

impl Session {
    /// The server's side: the peer masks its frames, and a message may have `message_bytes_max` bytes.
    pub fn server(message_bytes_max: usize) -> Session {
        Session::new(Role::Server, message_bytes_max)
    }

    /// The client's side: the peer does not mask.
    pub fn client(message_bytes_max: usize) -> Session {
        Session::new(Role::Client, message_bytes_max)
    }

    fn new(role: Role, message_bytes_max: usize) -> Session {
        Session { role, state: State::Open, message_bytes_max, message: None, compression: None }
    }

    /// The same session, with messages that may be compressed as agreed. On the client's side `server` and `client` of the
    /// agreement have to change places.
    pub fn compressed_by(mut self, agreement: Option<Agreement>) -> Session {
        self.compression = agreement.map(|agreement| Box::new(Compression::new(agreement)));
        self
    }

    /// Takes one step over the front of `buf`: the bytes used, and an event if one is complete.
    ///
    /// `(0, None)` means: read more and call again with the longer slice; what lies there is less than a header, or
    /// less than a control frame. Bytes used were unmasked in place and must not be passed again. Once the peer has sent
    /// Close everything is swallowed. `codec` is lent to whatever is compressed.
    ///
    /// # Errors
    /// `Protocol` (1002), `NotUtf8` (1007; at the first wrong byte, also in the middle of a frame), `NotDeflate` (1007)
    /// and `TooBig` (1009; as soon as a header shows it, or that much was inflated). The state is then `ClosedByPeer`, and
    /// our Close with that code is due; or `Done`, if ours had been sent before.
    pub fn receive<'a>(
        &mut self,
        buf: &'a mut [u8],
        codec: &mut Codec,
    ) -> Result<(usize, Option<WsEvent<'a>>), WsError> {
        if matches!(self.state, State::ClosedByPeer | State::Done) {
            return Ok((buf.len(), None));
        }
        let closing = self.state == State::ClosedByUs;
        let (used, found) = self.step(buf, codec).inspect_err(|_| self.on_last_word())?;
        let event = match found {
            Found::Close(code, reason) => {
                self.on_last_word();
                WsEvent::Close(code, &buf[reason])
            }
            Found::Nothing => return Ok((used, None)),
            // Nothing may be sent any more, so messages are of no interest.
            _ if closing => return Ok((used, None)),
            Found::Whole(kind, payload) => WsEvent::Message(kind, Payload::Read(&buf[payload])),
            Found::Assembled(kind, bytes) => WsEvent::Message(kind, Payload::Assembled(bytes)),
            Found::Ping(payload) => WsEvent::Ping(&buf[payload]),
            Found::Pong(payload) => WsEvent::Pong(&buf[payload]),
        };
        Ok((used, Some(event)))
    }

    /// Memory held for a message that is not whole, in bytes.
    pub fn buffered(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |message| message.bytes.held());
        message + self.compression.as_ref().map_or(0, |compression| compression.held())
    }

    /// What was agreed on, if messages may be compressed.
    pub fn agreement(&self) -> Option<Agreement> {
        self.compression.as_ref().map(|compression| compression.agreement())
    }

    /// Compresses a message for the peer. `None`: it is to be sent as it is.
    pub fn deflate<'c>(&mut self, message: &[u8], codec: &'c mut Codec) -> Option<&'c [u8]> {
        self.compression.as_mut()?.deflate(message, codec)
    }

    /// How far the close handshake is.
    pub fn state(&self) -> State {
        self.state
    }

    /// To be called when our Close frame is queued, whichever side is first. Messages are of no interest any more: an
    /// unfinished one is dropped.
    pub fn on_close_sent(&mut self) {
        self.forget();
        self.state = match self.state {
            State::Open => State::ClosedByUs,
            State::ClosedByPeer => State::Done,
            closed => closed,
        };
    }

    /// The peer will say nothing more that counts.
    fn on_last_word(&mut self) {
        self.forget();
        self.message = None;
        self.state = match self.state {
            State::Open => State::ClosedByPeer,
            State::ClosedByUs => State::Done,
            closed => closed,
        };
    }

    fn forget(&mut self) {
        let compressed = self.compression.as_ref().is_some_and(|compression| compression.is_under_way());
        if let Some(message) = &mut self.message {
            message.bytes = Blocks::default();
            if compressed {
                // The rest is not inflated, so its text cannot be checked.
                message.utf8 = Utf8::default();
            }
        }
        if let Some(compression) = &mut self.compression {
            compression.forget();
        }
    }

    fn step(&mut self, buf: &mut [u8], codec: &mut Codec) -> Result<(usize, Found), WsError> {
        if let Some(frame) = self.message.as_mut().and_then(|message| message.frame.take()) {
            return self.take_payload(frame, 0, buf, codec);
        }
        let Some((header, start)) = parse_header(buf, self.compression.is_some())? else {
            return Ok((0, Found::Nothing));
        };
        self.check_mask(&header)?;
        let mask = header.mask.unwrap_or_default();
        if header.opcode.is_control() {
            return control(header.opcode, mask, start..start + header.length as usize, buf);
        }

        let (kind, fresh) = self.kind_of(&header)?;
        let length = self.length_within_limit(&header)?;
        if fresh && header.fin && !header.compressed && length <= buf.len() - start {
            let payload = start..start + length;
            unmask(&mut buf[payload.clone()], mask, 0);
            if kind == Kind::Text && !is_utf8(&buf[payload.clone()]) {
                return Err(WsError::NotUtf8);
            }
            return Ok((payload.end, Found::Whole(kind, payload)));
        }
        if fresh {
            self.message = Some(Box::new(Message::new(kind)));
            if let Some(compression) = self.compression.as_mut().filter(|_| header.compressed) {
                compression.begin();
            }
        }
        self.take_payload(Frame { remaining: length, mask, phase: 0, fin: header.fin }, start, buf, codec)
    }

    /// Takes the bytes of a frame's payload that are there; it goes on at `start`.
    fn take_payload(
        &mut self,
        mut frame: Frame,
        start: usize,
        buf: &mut [u8],
        codec: &mut Codec,
    ) -> Result<(usize, Found), WsError> {
        let compressed = self.compression.as_ref().is_some_and(|compression| compression.is_under_way());
        let piece_max = if compressed { COMPRESSED_BYTES_MAX } else { usize::MAX };
        let mut n = frame.remaining.min(buf.len() - start).min(piece_max);
        let piece = &mut buf[start..start + n];
        unmask(piece, frame.mask, usize::from(frame.phase));
        if compressed {
            n = self.inflate(piece, codec)?;
            // Bytes left for the next step stay as they came.
            unmask(&mut piece[n..], frame.mask, usize::from(frame.phase) + n);
        } else {
            self.append(piece)?;
        }
        frame.remaining -= n;
        frame.phase = ((usize::from(frame.phase) + n) % 4) as u8;

        let is_last = frame.remaining == 0 && frame.fin;
        if is_last {
            self.end_compression(codec)?;
        }
        let Some(message) = &mut self.message else { return Ok((start + n, Found::Nothing)) };
        if is_last && !message.utf8.is_whole() {
            return Err(WsError::NotUtf8);
        }
        message.frame = Some(frame).filter(|frame| frame.remaining > 0);
        let whole = self.message.take_if(|_| is_last);
        Ok((start + n, whole.map_or(Found::Nothing, |message| Found::Assembled(message.kind, message.bytes))))
    }

    /// Adds bytes to the message under way, and checks them if they are text.
    fn append(&mut self, piece: &[u8]) -> Result<(), WsError> {
        let Some(message) = &mut self.message else { return Ok(()) };
        // The first of two errors is reported, however large the pieces are.
        let room = self.message_bytes_max - message.bytes.len();
        if message.kind == Kind::Text && !message.utf8.push(&piece[..piece.len().min(room)]) {
            return Err(WsError::NotUtf8);
        }
        if piece.len() > room {
            return Err(WsError::TooBig);
        }
        if self.state == State::Open {
            message.bytes.push(piece);
        }
        Ok(())
    }

    /// Inflates the front of `input` into the message: one piece, or all of it. Returns the number of bytes used, 0 only
    /// if `input` is empty.
    fn inflate(&mut self, input: &[u8], codec: &mut Codec) -> Result<usize, WsError> {
        let mut used = 0;
        while self.state == State::Open
            && let Some(compression) = &mut self.compression
        {
            let inflated = compression.inflate(&input[used..], codec);
            used += inflated.used;
            let is_full = inflated.piece.len() == PIECE_BYTES_MAX;
            self.append(inflated.piece)?;
            if inflated.is_broken {
                return Err(WsError::NotDeflate);
            }
            // A full piece: there may be more. The rest of the input is for the next step.
            let rests = if is_full { used > 0 && used < input.len() } else { used == input.len() };
            if rests {
                return Ok(used);
            }
        }
        // Nothing may be sent any more, so messages are of no interest.
        Ok(input.len())
    }

    /// The message under way has had its last byte; if it is compressed, the rest inside the inflater comes out.
    fn end_compression(&mut self, codec: &mut Codec) -> Result<(), WsError> {
        let compression = self.compression.as_ref().filter(|compression| compression.is_under_way());
        let Some(mut tail) = compression.map(|compression| compression.tail()) else { return Ok(()) };
        while !tail.is_empty() {
            tail = &tail[self.inflate(tail, codec)?..];
        }
        if let Some(compression) = &mut self.compression {
            compression.end(codec);
        }
        Ok(())
    }

    /// A client masks, a server does not (RFC 6455 section 5.1).
    fn check_mask(&self, header: &Header) -> Result<(), WsError> {
        match (self.role, header.mask) {
            (Role::Server, None) => Err(WsError::Protocol("frame of a client without a mask")),
            (Role::Client, Some(_)) => Err(WsError::Protocol("frame of a server with a mask")),
            _ => Ok(()),
        }
    }

    /// The kind of message that a data frame belongs to, and whether it starts one (RFC 6455 section 5.4).
    fn kind_of(&self, header: &Header) -> Result<(Kind, bool), WsError> {
        match (header.opcode, self.message.as_ref().map(|message| message.kind)) {
            (Opcode::Continuation, Some(kind)) => Ok((kind, false)),
            (Opcode::Continuation, None) => Err(WsError::Protocol("continuation without a message")),
            (_, Some(_)) => Err(WsError::Protocol("new message inside a fragmented one")),
            (Opcode::Text, None) => Ok((Kind::Text, true)),
            (_, None) => Ok((Kind::Binary, true)),
        }
    }

    fn length_within_limit(&self, header: &Header) -> Result<usize, WsError> {
        let left = match self.compression.as_ref().filter(|it| header.compressed || it.is_under_way()) {
            None => self.message_bytes_max - self.message.as_ref().map_or(0, |message| message.bytes.len()),
            // Data that does not compress may grow, but only by this much.
            Some(compression) => {
                let most = self.message_bytes_max.saturating_add(self.message_bytes_max / 8 + 64);
                most.saturating_sub(if header.compressed { 0 } else { compression.taken() })
            }
        };
        usize::try_from(header.length).ok().filter(|length| *length <= left).ok_or(WsError::TooBig)
    }
}

impl Message {
    fn new(kind: Kind) -> Message {
        Message { kind, bytes: Blocks::default(), utf8: Utf8::default(), frame: None }
    }
}

/// A control frame, once all of it is there. It may come between two fragments and leaves their message alone.
fn control(opcode: Opcode, mask: [u8; 4], payload: Range<usize>, buf: &mut [u8]) -> Result<(usize, Found), WsError> {
    let Some(bytes) = buf.get_mut(payload.clone()) else { return Ok((0, Found::Nothing)) };
    unmask(bytes, mask, 0);
    let used = payload.end;
    Ok(match opcode {
        Opcode::Ping => (used, Found::Ping(payload)),
        Opcode::Pong => (used, Found::Pong(payload)),
        _ => {
            let code = check_close(bytes)?;
            let reason = if code.is_some() { payload.start + 2..used } else { used..used };
            (used, Found::Close(code, reason))
        }
    })
}

/// The status code of a Close frame's payload (RFC 6455 sections 5.5.1 and 7.4, and the codes registered since).
fn check_close(payload: &[u8]) -> Result<Option<u16>, WsError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(WsError::Protocol("close code cut in half")) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(WsError::Protocol("close code that may not be sent"));
    }
    if !is_utf8(reason) {
        return Err(WsError::NotUtf8);
    }
    Ok(Some(code))
}

#[cfg(test)]
mod tests;

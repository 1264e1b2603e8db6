//! WebSocket frames: bytes to headers and back (RFC 6455 section 5.2).
//!
//! ```text
//! FIN RSV³ opcode⁴ │ MASK length⁷ │ 16 or 64 more bits of length │ masking key │ payload
//! ```
//!
//! [`parse_header`] reads everything in front of the payload, [`unmask`] makes the payload readable in place,
//! [`encode`] writes what a server sends, [`encode_masked`] what a client sends. Only rules that one frame can break
//! are checked here. `session` knows which side must mask, and how frames make a message.

use std::fmt;

/// Payload of a control frame, bytes (RFC 6455 section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// The longest header: two bytes, a 64-bit length, a masking key.
pub const HEADER_BYTES_MAX: usize = 14;

const FIN: u8 = 0x80;
/// RSV1: the message is compressed (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// What is wrong with a peer's frames; one variant per close code.
///
/// After any of them the peer's input must not be parsed again: send a Close with [`WsError::close_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WsError {
    /// A rule of the framing is broken; says which.
    Protocol(&'static str),
    /// A text message or a close reason is not UTF-8.
    NotUtf8,
    /// A compressed message cannot be inflated.
    NotDeflate,
    /// A message longer than the session takes.
    TooBig,
}

impl WsError {
    /// What to tell the peer (RFC 6455 section 7.4.1): 1002, 1007 or 1009.
    pub fn close_code(self) -> u16 {
        match self {
            WsError::Protocol(_) => 1002,
            WsError::NotUtf8 | WsError::NotDeflate => 1007,
            WsError::TooBig => 1009,
        }
    }

    /// A sentence for the peer, short enough for a Close frame.
    pub fn reason(self) -> &'static str {
        match self {
            WsError::Protocol(what) => what,
            WsError::NotUtf8 => "text is not UTF-8",
            WsError::NotDeflate => "compressed data is broken",
            WsError::TooBig => "message too big",
        }
    }
}

impl fmt::Display for WsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for WsError {}

/// What a frame is for (RFC 6455 section 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return None,
        })
    }

    /// Close, Ping and Pong: never fragmented, and allowed between the fragments of a message.
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    fn begins_a_message(self) -> bool {
        matches!(self, Opcode::Text | Opcode::Binary)
    }
}

/// Everything in front of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The last, or only, frame of its message.
    pub fin: bool,
    /// The first frame of a compressed message.
    pub compressed: bool,
    pub opcode: Opcode,
    /// `None`: the payload is sent as it is.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload behind the header; below 2⁶³.
    pub length: u64,
}

/// Parses the header at the front of `buf`. `compression`: the first frame of a message may say that it is compressed.
///
/// `None` means: read more and call again with the longer slice. Otherwise the header and its own length in bytes
/// (2 to [`HEADER_BYTES_MAX`]); the payload starts there.
///
/// # Errors
/// `Protocol` for a reserved bit or opcode, a fragmented or long control frame, a length that is not written in its
/// shortest form or has its top bit set. Each is found with the first byte that shows it.
pub fn parse_header(buf: &[u8], compression: bool) -> Result<Option<(Header, usize)>, WsError> {
    let Some(&first) = buf.first() else { return Ok(None) };
    let opcode = Opcode::from_bits(first & 0x0f);
    let compressed = compression && first & RESERVED == COMPRESSED && opcode.is_some_and(Opcode::begins_a_message);
    if first & RESERVED != 0 && !compressed {
        return Err(WsError::Protocol("reserved bit set"));
    }
    let opcode = opcode.ok_or(WsError::Protocol("reserved opcode"))?;
    let (fin, is_control) = (first & FIN != 0, opcode.is_control());
    if is_control && !fin {
        return Err(WsError::Protocol("fragmented control frame"));
    }

    let Some(&second) = buf.get(1) else { return Ok(None) };
    let short = second & !MASKED;
    if is_control && usize::from(short) > CONTROL_BYTES_MAX {
        return Err(WsError::Protocol("control frame longer than 125 bytes"));
    }
    let (length, mut at) = match short {
        LENGTH_16 => match buf[2..].first_chunk() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 4),
            None => return Ok(None),
        },
        LENGTH_64 => match buf[2..].first_chunk() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 10),
            None => return Ok(None),
        },
        _ => (u64::from(short), 2),
    };
    if length_field(length) != short.min(LENGTH_64) || length >> 63 != 0 {
        return Err(WsError::Protocol("length not in its shortest form"));
    }

    let mut mask = None;
    if second & MASKED != 0 {
        let Some(key) = buf[at..].first_chunk() else { return Ok(None) };
        mask = Some(*key);
        at += 4;
    }
    Ok(Some((Header { fin, compressed, opcode, mask, length }, at)))
}

/// The seven bits that announce a length: itself, or the size of the field that follows.
fn length_field(length: u64) -> u8 {
    match length {
        0..=125 => length as u8,
        126..=0xffff => LENGTH_16,
        _ => LENGTH_64,
    }
}

/// `flags`: [`FIN`], [`COMPRESSED`].
fn encode_header(opcode: Opcode, flags: u8, mask_bit: u8, length: usize, out: &mut Vec<u8>) {
    debug_assert!(!opcode.is_control() || (flags == FIN && length <= CONTROL_BYTES_MAX));
    let field = length_field(length as u64);
    out.extend_from_slice(&[flags | opcode as u8, mask_bit | field]);
    match field {
        LENGTH_16 => out.extend_from_slice(&(length as u16).to_be_bytes()),
        LENGTH_64 => out.extend_from_slice(&(length as u64).to_be_bytes()),
        _ => {}
    }
}

/// Appends a whole, unmasked frame: what a server sends.
pub fn encode(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    encode_with(opcode, FIN, payload, out);
}

/// The same for a payload that was compressed by `deflate`.
pub fn encode_compressed(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    encode_with(opcode, FIN | COMPRESSED, payload, out);
}

/// Appends what comes before the payload of a server's whole frame; `length` bytes of it must follow.
pub fn encode_start(opcode: Opcode, length: usize, out: &mut Vec<u8>) {
    encode_header(opcode, FIN, 0, length, out);
}

fn encode_with(opcode: Opcode, flags: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(HEADER_BYTES_MAX + payload.len());
    encode_header(opcode, flags, 0, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a masked frame: what a client sends. With `fin` false, `Continuation` frames must follow.
pub fn encode_masked(opcode: Opcode, fin: bool, mask: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(HEADER_BYTES_MAX + payload.len());
    encode_header(opcode, if fin { FIN } else { 0 }, MASKED, payload.len(), out);
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[start..], mask, 0);
}

/// Appends a server's Close frame (RFC 6455 section 5.5.1).
///
/// Without a code the payload is empty and `reason` is not sent. Of a longer reason only the first 123 bytes are
/// sent, cut between two characters.
pub fn encode_close(code: Option<u16>, reason: &str, out: &mut Vec<u8>) {
    let Some(code) = code else { return encode(Opcode::Close, &[], out) };
    let mut length = reason.len().min(CONTROL_BYTES_MAX - 2);
    while !reason.is_char_boundary(length) {
        length -= 1;
    }
    encode_header(Opcode::Close, FIN, 0, 2 + length, out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&reason.as_bytes()[..length]);
}

/// Applies a masking key in place (RFC 6455 section 5.3); masking and unmasking are the same.
///
/// `phase` is the number of payload bytes that came before `buf`; only its last two bits matter.
pub fn unmask(buf: &mut [u8], mut mask: [u8; 4], phase: usize) {
    mask.rotate_left(phase % 4);
    if mask == [0; 4] {
        return;
    }
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = buf.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// The header at the front of `bytes`, which must be whole.
    fn header(bytes: &[u8]) -> Result<Header, WsError> {
        parse_header(bytes, false).map(|found| found.expect("a whole header").0)
    }

    fn refused(bytes: &[u8]) -> &'static str {
        match parse_header(bytes, false) {
            Err(WsError::Protocol(what)) => what,
            other => panic!("{bytes:02x?} gave {other:?}"),
        }
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let text = Header { fin: true, compressed: false, opcode: Opcode::Text, mask: None, length: 5 };
        assert_eq!(parse_header(&[0x81, 0x05, b'H'], false), Ok(Some((text, 2))));
        let masked = Header { mask: Some(KEY), ..text };
        assert_eq!(parse_header(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f], false), Ok(Some((masked, 6))));
        let fragment = Header { fin: false, length: 3, ..text };
        assert_eq!(header(&[0x01, 0x03]), Ok(fragment));
        assert_eq!(header(&[0x80, 0x02]), Ok(Header { opcode: Opcode::Continuation, length: 2, ..text }));
        assert_eq!(header(&[0x89, 0x05]), Ok(Header { opcode: Opcode::Ping, ..text }));
        assert_eq!(header(&[0x82, 0x7e, 1, 0]), Ok(Header { opcode: Opcode::Binary, length: 256, ..text }));
        let long = [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(
            parse_header(&long, false),
            Ok(Some((Header { opcode: Opcode::Binary, length: 65536, ..text }, 10)))
        );
    }

    #[test]
    fn what_is_encoded_is_parsed_at_every_length_of_the_length() {
        for length in [0, 1, 125, 126, 127, 65535, 65536, 100_000] {
            let payload = vec![b'x'; length];
            for masked in [false, true] {
                let mut wire = Vec::new();
                match masked {
                    false => encode(Opcode::Text, &payload, &mut wire),
                    true => encode_masked(Opcode::Text, true, KEY, &payload, &mut wire),
                }
                let (header, at) = parse_header(&wire, false).unwrap().unwrap();
                let mask = masked.then_some(KEY);
                assert_eq!(
                    header,
                    Header { fin: true, compressed: false, opcode: Opcode::Text, mask, length: length as u64 }
                );
                unmask(&mut wire[at..], mask.unwrap_or_default(), 0);
                assert!(at <= HEADER_BYTES_MAX && wire[at..] == payload);
            }
        }
    }

    #[test]
    fn a_header_is_awaited_to_its_last_byte() {
        for length in [5, 300, 70_000] {
            let mut wire = Vec::new();
            encode_masked(Opcode::Binary, true, KEY, &vec![0; length], &mut wire);
            let at = wire.len() - length;
            for end in 0..at {
                assert_eq!(parse_header(&wire[..end], false), Ok(None));
            }
            assert!(parse_header(&wire[..at], false).unwrap().is_some());
        }
    }

    #[test]
    fn reserved_bits_and_opcodes_are_refused_with_the_first_byte() {
        for bit in [0x40, 0x20, 0x10] {
            assert_eq!(refused(&[0x81 | bit]), "reserved bit set");
        }
        for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            assert_eq!(refused(&[0x80 | opcode]), "reserved opcode");
        }
    }

    #[test]
    fn control_frames_are_whole_and_short() {
        for opcode in [0x8, 0x9, 0xa] {
            assert_eq!(refused(&[opcode]), "fragmented control frame");
            assert_eq!(refused(&[0x80 | opcode, 126]), "control frame longer than 125 bytes");
            assert_eq!(refused(&[0x80 | opcode, 127]), "control frame longer than 125 bytes");
            assert!(header(&[0x80 | opcode, 125]).is_ok());
        }
    }

    #[test]
    fn a_length_has_one_form_and_63_bits() {
        let why = "length not in its shortest form";
        assert_eq!(refused(&[0x82, 126, 0, 125]), why);
        assert_eq!(header(&[0x82, 126, 0, 126]).unwrap().length, 126);
        assert_eq!(refused(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), why);
        assert_eq!(refused(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), why);
        let most = [0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(header(&most).unwrap().length, u64::MAX >> 1);
    }

    #[test]
    fn unmasking_in_pieces_equals_unmasking_at_once() {
        let plain: Vec<u8> = (0..67).collect();
        let one_by_one: Vec<u8> = plain.iter().enumerate().map(|(i, byte)| byte ^ KEY[i % 4]).collect();
        for split in 0..=plain.len() {
            let mut bytes = plain.clone();
            unmask(&mut bytes[..split], KEY, 0);
            unmask(&mut bytes[split..], KEY, split);
            assert_eq!(bytes, one_by_one);
        }
    }

    #[test]
    fn a_close_frame_has_a_code_and_a_reason_that_is_cut_to_fit() {
        let mut wire = Vec::new();
        encode_close(None, "unsaid", &mut wire);
        encode_close(Some(1000), "bye", &mut wire);
        assert_eq!(wire, [&[0x88, 0, 0x88, 5, 0x03, 0xe8], &b"bye"[..]].concat());
        wire.clear();
        encode_close(Some(1001), &"é".repeat(100), &mut wire);
        assert_eq!(wire[1], 124, "an é would lie across the limit");
        assert_eq!(str::from_utf8(&wire[4..]), Ok(&*"é".repeat(61)));
    }

    #[test]
    fn every_error_has_its_close_code() {
        for (error, code) in [
            (WsError::Protocol("x"), 1002),
            (WsError::NotUtf8, 1007),
            (WsError::NotDeflate, 1007),
            (WsError::TooBig, 1009),
        ] {
            assert_eq!(error.close_code(), code);
            assert_eq!(error.to_string(), error.reason());
        }
    }
}

//! The machines of a loop and of a session.

use super::Agreement;
use crate::ws::Limits;
use crate::zlib::{self, DeflateStream, FULL_WINDOW_BITS, InflateStream, PIECE_BYTES_MAX, Progress, Wrapper};

/// Ends a message; it is not sent, and put back to inflate (RFC 7692 section 7.2).
const TAIL: &[u8] = &[0, 0, 0xff, 0xff];

/// What an inflater holds, measured: the window and the state.
const INFLATER_BYTES: usize = 45 << 10;

/// Cost of beginning another stream, in bytes of inflated output (0.1 to 0.2 µs, measured).
const STREAM_COST: usize = 128;

/// What one step of inflating gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Inflated<'c> {
    /// Bytes of the input used.
    pub used: usize,
    /// The output. If it is a full piece there may be more, even without input.
    pub piece: &'c [u8],
    /// The next bytes are not deflate; the piece came before them.
    pub is_broken: bool,
}

/// The machines of one loop, shared by all sessions that keep no window.
#[derive(Debug)]
pub struct Codec {
    /// `None` until it is needed, and while a message that is not whole has taken it along.
    inflater: Option<Box<InflateStream>>,
    deflater: Option<Box<DeflateStream>>,
    /// The last piece inflated.
    piece: Box<[u8]>,
    /// The last message deflated.
    out: Vec<u8>,
    work: usize,
    bytes_min: usize,
    bytes_max: usize,
}

impl Codec {
    /// Machines that are made when they are first needed. `limits` say which messages are compressed.
    pub fn new(limits: &Limits) -> Codec {
        let (bytes_min, bytes_max) = (limits.deflate_bytes_min, limits.deflate_bytes_max);
        Codec { inflater: None, deflater: None, piece: Box::default(), out: Vec::new(), work: 0, bytes_min, bytes_max }
    }

    /// Compresses a message for all sessions whose [`Agreement::is_broadcast`]. `None`: send it uncompressed, since it
    /// is too short to gain, too long for one step, or does not shrink.
    pub fn deflate(&mut self, message: &[u8]) -> Option<&[u8]> {
        if !self.is_worth_it(message) {
            return None;
        }
        let deflater = self.deflater.get_or_insert_with(|| Box::new(DeflateStream::new(FULL_WINDOW_BITS)));
        deflater.reset();
        deflate(deflater, message, &mut self.out);
        self.work += message.len();
        (self.out.len() < message.len()).then_some(&self.out)
    }

    /// Bytes inflated and deflated since it was last asked: what they cost, beside what came from the socket.
    pub fn take_work(&mut self) -> usize {
        std::mem::take(&mut self.work)
    }

    fn is_worth_it(&self, message: &[u8]) -> bool {
        // zlib makes nothing of an empty message after another one, not even a tail.
        zlib::IS_BUILT_IN && !message.is_empty() && (self.bytes_min..=self.bytes_max).contains(&message.len())
    }
}

/// One session's side of it: what was agreed on, and the machines it holds. Small while it holds none.
#[derive(Debug)]
pub struct Compression {
    agreement: Agreement,
    /// Held from the first compressed byte of a message to its end; for ever if the window is kept.
    inflater: Option<Box<InflateStream>>,
    deflater: Option<Box<DeflateStream>>,
    /// The message under way is compressed.
    is_under_way: bool,
    /// Something of the message has come, and the stream has not ended with it.
    is_tail_owed: bool,
    /// Compressed bytes of the message under way.
    taken: usize,
}

impl Compression {
    /// For a session that has just agreed.
    pub fn new(agreement: Agreement) -> Compression {
        Compression { agreement, inflater: None, deflater: None, is_under_way: false, is_tail_owed: false, taken: 0 }
    }

    /// What was agreed on.
    pub fn agreement(&self) -> Agreement {
        self.agreement
    }

    /// The message under way is compressed.
    pub fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Compressed bytes of the message under way.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// A compressed message begins.
    pub fn begin(&mut self) {
        (self.is_under_way, self.is_tail_owed, self.taken) = (true, false, 0);
    }

    /// Takes one step over `input`. After a full piece call again with the rest of the input, even if that is empty.
    pub fn inflate<'c>(&mut self, input: &[u8], codec: &'c mut Codec) -> Inflated<'c> {
        if codec.piece.is_empty() {
            codec.piece = vec![0; PIECE_BYTES_MAX].into();
        }
        let keeps_window = self.agreement.client.keeps_window;
        let inflater = self.inflater.get_or_insert_with(|| {
            let shared = if keeps_window { None } else { codec.inflater.take() };
            shared.unwrap_or_else(|| Box::new(InflateStream::new(Wrapper::Raw)))
        });
        let step = inflater.inflate(input, &mut codec.piece);
        let is_end = step.progress == Progress::Ended;
        // A sender may end its stream inside a message (RFC 7692 section 7.2.3.5); another may follow.
        self.is_tail_owed = !is_end && (self.is_tail_owed || step.used > 0);
        if is_end {
            inflater.reset_raw();
            codec.work += STREAM_COST;
        }
        self.taken += step.used;
        codec.work += step.made;
        let is_stuck = (step.used, step.made) == (0, 0) && !is_end && !input.is_empty();
        let is_broken = matches!(step.progress, Progress::Broken(_)) || is_stuck;
        Inflated { used: step.used, piece: &codec.piece[..step.made], is_broken }
    }

    /// The bytes to inflate behind the last byte of a message.
    pub fn tail(&self) -> &'static [u8] {
        if self.is_tail_owed { TAIL } else { &[] }
    }

    /// The message is whole, or given up. An inflater that forgets its window goes back to the loop.
    pub fn end(&mut self, codec: &mut Codec) {
        self.is_under_way = false;
        if !self.agreement.client.keeps_window
            && let Some(mut inflater) = self.inflater.take()
        {
            inflater.reset_raw();
            codec.inflater = Some(inflater);
        }
    }

    /// Compresses a message for this session. `None`: send it uncompressed.
    pub fn deflate<'c>(&mut self, message: &[u8], codec: &'c mut Codec) -> Option<&'c [u8]> {
        let server = self.agreement.server;
        if self.agreement.is_broadcast() {
            return codec.deflate(message);
        }
        if self.agreement.shared || !codec.is_worth_it(message) {
            return None;
        }
        let deflater = self.deflater.get_or_insert_with(|| Box::new(DeflateStream::new(server.bits())));
        if !server.keeps_window {
            deflater.reset();
        }
        deflate(deflater, message, &mut codec.out);
        codec.work += message.len();
        // With a window that is kept it goes out even if it has grown: the deflater will refer to it.
        (server.keeps_window || codec.out.len() < message.len()).then_some(&codec.out)
    }

    /// Gives back all memory; nothing is inflated or deflated any more.
    pub fn forget(&mut self) {
        (self.inflater, self.deflater) = (None, None);
    }

    /// Memory of a machine that a message under way holds, bytes. Those that are kept have a limit of their own, on
    /// their number.
    pub fn held(&self) -> usize {
        if self.inflater.is_some() && !self.agreement.client.keeps_window { INFLATER_BYTES } else { 0 }
    }
}

/// Leaves the compressed message in `out`, without its tail (RFC 7692 section 7.2.1).
fn deflate(deflater: &mut DeflateStream, message: &[u8], out: &mut Vec<u8>) {
    out.clear();
    deflater.deflate(message, out);
    debug_assert!(out.ends_with(TAIL));
    out.truncate(out.len() - TAIL.len());
}

//! The machines themselves, around zlib.

use super::{Agreement, Inflated, PIECE_BYTES_MAX};
use crate::config::Limits;
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

/// Ends a message; it is not sent, and put back to inflate (RFC 7692 section 7.2).
const TAIL: &[u8] = &[0, 0, 0xff, 0xff];

/// How hard deflate tries. Level 1 leaves texts of 1 to 4 KiB 30 % longer than level 9 does, level 2 less than 2 %, at 9 µs
/// for a KiB (zlib-rs, measured).
const LEVEL: u32 = 2;

/// What an inflater holds, measured: the window and the state.
const INFLATER_BYTES: usize = 45 << 10;

/// To begin another stream costs as much time as to inflate so many bytes (0.1 to 0.2 µs, measured).
const STREAM_COST: usize = 128;

/// The machines of one loop, for everybody who keeps no window.
#[derive(Debug)]
pub struct Codec {
    /// `None` until it is needed, and while a message that is not whole has taken it along.
    inflater: Option<Box<Decompress>>,
    deflater: Option<Box<Compress>>,
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

    /// Compresses a message for everybody whose [`Agreement::is_broadcast`]. `None`: it is to be sent as it is, for it
    /// is too short to gain, too long for one step, or does not shrink.
    pub fn deflate(&mut self, message: &[u8]) -> Option<&[u8]> {
        if !self.is_worth_it(message) {
            return None;
        }
        let deflater = self.deflater.get_or_insert_with(|| deflater(super::FULL_WINDOW_BITS));
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
        // Of nothing, twice in a row, zlib makes nothing, not even a tail.
        !message.is_empty() && (self.bytes_min..=self.bytes_max).contains(&message.len())
    }
}

/// One session's side of it: what was agreed on, and the machines it holds. Small while it holds none.
#[derive(Debug)]
pub struct Compression {
    agreement: Agreement,
    /// Held from the first compressed byte of a message to its end; for ever if the window is kept.
    inflater: Option<Box<Decompress>>,
    deflater: Option<Box<Compress>>,
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

    /// Takes one step over `input`. After a full piece call again with the rest of the input, even if that is nothing.
    pub fn inflate<'c>(&mut self, input: &[u8], codec: &'c mut Codec) -> Inflated<'c> {
        if codec.piece.is_empty() {
            codec.piece = vec![0; PIECE_BYTES_MAX].into();
        }
        let keeps_window = self.agreement.client.keeps_window;
        let inflater = self.inflater.get_or_insert_with(|| {
            let of_all = if keeps_window { None } else { codec.inflater.take() };
            // Always with the full window: a smaller one takes as much memory, and `reset` makes it anew each time.
            of_all.unwrap_or_else(|| Box::new(Decompress::new(false)))
        });
        let (read, written) = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(input, &mut codec.piece, FlushDecompress::Sync);
        let used = (inflater.total_in() - read) as usize;
        let made = (inflater.total_out() - written) as usize;
        let is_end = matches!(status, Ok(Status::StreamEnd));
        // A sender may end its stream inside a message (RFC 7692 section 7.2.3.5); another may follow.
        self.is_tail_owed = !is_end && (self.is_tail_owed || used > 0);
        if is_end {
            inflater.reset(false);
            codec.work += STREAM_COST;
        }
        self.taken += used;
        codec.work += made;
        let is_stuck = used == 0 && made == 0 && !is_end && !input.is_empty();
        Inflated { used, piece: &codec.piece[..made], is_broken: status.is_err() || is_stuck }
    }

    /// What is to be inflated behind the last byte of a message.
    pub fn tail(&self) -> &'static [u8] {
        if self.is_tail_owed { TAIL } else { &[] }
    }

    /// The message is whole, or given up. An inflater that forgets its window is everybody's again.
    pub fn end(&mut self, codec: &mut Codec) {
        self.is_under_way = false;
        if !self.agreement.client.keeps_window
            && let Some(mut inflater) = self.inflater.take()
        {
            inflater.reset(false);
            codec.inflater = Some(inflater);
        }
    }

    /// Compresses a message for this session. `None`: it is to be sent as it is.
    pub fn deflate<'c>(&mut self, message: &[u8], codec: &'c mut Codec) -> Option<&'c [u8]> {
        let server = self.agreement.server;
        if self.agreement.is_broadcast() {
            return codec.deflate(message);
        }
        if self.agreement.shared || !codec.is_worth_it(message) {
            return None;
        }
        let deflater = self.deflater.get_or_insert_with(|| deflater(server.bits()));
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

fn deflater(window_bits: u8) -> Box<Compress> {
    Box::new(Compress::new_with_window_bits(flate2::Compression::new(LEVEL), false, window_bits))
}

/// Leaves the compressed message in `out`, without its tail (RFC 7692 section 7.2.1).
fn deflate(deflater: &mut Compress, mut message: &[u8], out: &mut Vec<u8>) {
    out.clear();
    loop {
        out.reserve(message.len() / 2 + 64);
        let read = deflater.total_in();
        deflater.compress_vec(message, out, FlushCompress::Sync).expect("a raw deflate stream cannot fail");
        message = &message[(deflater.total_in() - read) as usize..];
        // With room left, everything is flushed.
        if message.is_empty() && out.len() < out.capacity() {
            break;
        }
    }
    debug_assert!(out.ends_with(TAIL));
    out.truncate(out.len() - TAIL.len());
}

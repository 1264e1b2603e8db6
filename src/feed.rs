//! The log of a room: frames are appended once, and every member reads them from its own [`Cursor`].
//!
//! ```text
//! chunk 7 (2 readers)          chunk 8 (0)          chunk 9 (498)
//! ├ frame ┼ frame ┼ frame ┤    ├ frame ┼ frame ┤    ├ frame ┼ frame ┤  ◀─ append
//!       ▲ slow    ▲ slower                                          ▲ all others
//! ```
//!
//! Publishing costs one append however many members there are. A chunk counts the cursors in it, and the front one
//! goes when its count is zero: there is no search for the slowest. So a room holds what its slowest member still has to
//! read, once, however many are slow. A frame never crosses chunks, so what a cursor has pending in its chunk ends
//! at a frame's border. The bytes mean nothing here; which reader lags too far is decided elsewhere.

pub mod lane;

use std::collections::VecDeque;

/// Bytes of a chunk; a longer frame has a chunk of its own. An active room keeps one chunk and a spare when every reader
/// has read everything, so larger ones cost memory; smaller ones cost writes, since a write ends where a chunk ends.
pub const CHUNK_BYTES: usize = 64 << 10;

/// Frames of one room in one encoding, kept until every reader has read them.
#[derive(Debug)]
pub struct Feed {
    /// Never empty; the last one takes the next frame.
    chunks: VecDeque<Chunk>,
    /// The number of the front chunk. It wraps, which does not matter: chunks are told apart by their distance.
    first: u32,
    /// The position behind the last frame.
    end: u64,
    /// Bytes in all chunks.
    held: usize,
    /// Empty: the next frame is encoded into it, and it becomes the next chunk when the last one is full.
    spare: Vec<u8>,
    /// Empty: the frame ends of the chunk that is dropped go into the next one.
    spare_ends: Vec<u32>,
}

#[derive(Debug)]
struct Chunk {
    /// The position of the first byte.
    start: u64,
    bytes: Vec<u8>,
    /// Where each frame ends, as an offset into `bytes`.
    ends: Vec<u32>,
    /// Cursors in this chunk.
    readers: u32,
}

/// One reader's place. Belongs to the feed that gave it out, and must be given back to it with [`Feed::leave`]: it is
/// neither cloned nor dropped, since a chunk waits for every cursor in it.
#[derive(Debug)]
#[must_use = "a cursor that is lost keeps its chunk for ever"]
pub struct Cursor {
    chunk: u32,
    offset: u32,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed::new()
    }
}

impl Feed {
    /// A feed without frames and readers. Holds no frame memory until the first frame.
    pub fn new() -> Feed {
        Feed {
            chunks: VecDeque::from([Chunk::new(0)]),
            first: 0,
            end: 0,
            held: 0,
            spare: Vec::new(),
            spare_ends: Vec::new(),
        }
    }

    /// Publishes the one frame that `encode` writes (below 4 GiB). No reader is touched; O(1).
    ///
    /// Without readers nothing is kept, and `encode` is not called.
    pub fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if !self.has_readers() {
            return;
        }
        let mut frame = std::mem::take(&mut self.spare);
        encode(&mut frame);
        let length = frame.len();
        self.end += length as u64;
        let last = self.chunks.back_mut().expect("a feed has a chunk");
        if last.bytes.len() + length <= CHUNK_BYTES {
            last.push(&frame);
            self.held += length;
            return self.keep(frame);
        }
        let chunk = last.next(frame, std::mem::take(&mut self.spare_ends));
        self.held += chunk.bytes.len();
        self.chunks.push_back(chunk);
        if length > CHUNK_BYTES {
            // Readers step to an empty chunk behind it: else a room that falls silent would keep a long frame.
            self.chunks.push_back(Chunk::new(self.end));
        }
    }

    /// Whether there is a reader.
    pub fn has_readers(&self) -> bool {
        self.chunks.len() > 1 || self.chunks[0].readers > 0
    }

    /// A new reader, of what is published from now on.
    pub fn join(&mut self) -> Cursor {
        let last = self.chunks.back_mut().expect("a feed has a chunk");
        last.readers += 1;
        let offset = offset(last.bytes.len());
        Cursor { chunk: self.first.wrapping_add(self.chunks.len() as u32 - 1), offset }
    }

    /// Takes a reader's place back; what only it had still to read is freed.
    pub fn leave(&mut self, cursor: Cursor) {
        let index = self.index(&cursor);
        self.chunks[index].readers -= 1;
        self.drop_front();
    }

    /// Cursors given out and not taken back.
    pub fn readers(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.readers as usize).sum()
    }

    /// The position behind the last frame: bytes ever published to a reader.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The position of the next byte for this reader; between 0 and [`Feed::end`].
    pub fn position(&self, cursor: &Cursor) -> u64 {
        self.chunks[self.index(cursor)].start + u64::from(cursor.offset)
    }

    /// Bytes published that this reader has still to read.
    pub fn behind(&self, cursor: &Cursor) -> u64 {
        self.end - self.position(cursor)
    }

    /// Bytes of the frames held; at most [`CHUNK_BYTES`] when every reader has read everything.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Bytes from the first one held to the last: no reader is further behind.
    pub fn span(&self) -> u64 {
        self.end - self.chunks[0].start
    }

    /// Whether this reader has read everything.
    pub fn is_at_end(&self, cursor: &Cursor) -> bool {
        let index = self.index(cursor);
        index + 1 == self.chunks.len() && self.chunks[index].bytes.len() == cursor.offset as usize
    }

    /// The next bytes for this reader, as many as lie together. Empty: it has read everything. Ends at a frame's
    /// border.
    pub fn pending(&mut self, cursor: &mut Cursor) -> &[u8] {
        self.step(cursor);
        &self.chunks[self.index(cursor)].bytes[cursor.offset as usize..]
    }

    /// Moves a reader on by `n` bytes, at most as many as were pending.
    pub fn advance(&mut self, cursor: &mut Cursor, n: usize) {
        debug_assert!(n <= self.chunks[self.index(cursor)].bytes.len() - cursor.offset as usize);
        cursor.offset += n as u32;
        self.step(cursor);
    }

    /// The rest of the frame that this reader is in the middle of; empty if it stands between two frames.
    pub fn rest_of_frame(&self, cursor: &Cursor) -> &[u8] {
        let chunk = &self.chunks[self.index(cursor)];
        let before = chunk.ends.partition_point(|end| *end < cursor.offset);
        match chunk.ends.get(before) {
            Some(end) if cursor.offset > 0 => &chunk.bytes[cursor.offset as usize..*end as usize],
            _ => &[],
        }
    }

    fn index(&self, cursor: &Cursor) -> usize {
        cursor.chunk.wrapping_sub(self.first) as usize
    }

    /// Lets a cursor step to the next chunk if that has all it lacks: nearly always there is none.
    fn step(&mut self, cursor: &mut Cursor) {
        if self.index(cursor) + 1 < self.chunks.len() {
            self.step_on(cursor);
        }
    }

    fn step_on(&mut self, cursor: &mut Cursor) {
        let (mut index, position) = (self.index(cursor), self.position(cursor));
        while let Some(next) = self.chunks.get_mut(index + 1).filter(|next| next.start <= position) {
            next.readers += 1;
            *cursor = Cursor { chunk: cursor.chunk.wrapping_add(1), offset: offset((position - next.start) as usize) };
            self.chunks[index].readers -= 1;
            self.drop_front();
            index = self.index(cursor);
        }
    }

    /// Drops the chunks at the front that have no reader. The last one stays, but empty.
    fn drop_front(&mut self) {
        while self.chunks[0].readers == 0 {
            if self.chunks.len() == 1 {
                self.held = 0;
                self.chunks[0] = Chunk::new(self.end);
                (self.spare, self.spare_ends) = (Vec::new(), Vec::new());
                return;
            }
            let chunk = self.chunks.pop_front().expect("there are two");
            self.first = self.first.wrapping_add(1);
            self.held -= chunk.bytes.len();
            self.keep(chunk.bytes);
            self.spare_ends = chunk.ends;
            self.spare_ends.clear();
        }
    }

    /// Keeps the larger one of `bytes` and the spare, unless it is that of a long frame.
    fn keep(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() > self.spare.capacity() && bytes.capacity() <= CHUNK_BYTES {
            bytes.clear();
            self.spare = bytes;
        }
    }
}

impl Chunk {
    fn new(start: u64) -> Chunk {
        Chunk { start, bytes: Vec::new(), ends: Vec::new(), readers: 0 }
    }

    /// The chunk behind this one, which begins with a frame that does not fit here; `ends` is empty.
    fn next(&self, frame: Vec<u8>, mut ends: Vec<u32>) -> Chunk {
        ends.push(offset(frame.len()));
        Chunk { start: self.start + self.bytes.len() as u64, bytes: frame, ends, readers: 0 }
    }

    /// Adds a frame that fits.
    fn push(&mut self, frame: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < frame.len() {
            self.bytes.reserve_exact(CHUNK_BYTES - self.bytes.len());
        }
        self.bytes.extend_from_slice(frame);
        self.ends.push(offset(self.bytes.len()));
    }
}

fn offset(n: usize) -> u32 {
    u32::try_from(n).expect("a frame is below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes one frame of `length` times `byte`.
    fn publish(feed: &mut Feed, byte: u8, length: usize) {
        feed.append(|out| out.extend(std::iter::repeat_n(byte, length)));
    }

    /// Reads everything, as a socket does that takes whatever it is given.
    fn read(feed: &mut Feed, cursor: &mut Cursor) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let n = feed.pending(cursor).len();
            assert_eq!(feed.is_at_end(cursor), n == 0);
            if n == 0 {
                return all;
            }
            all.extend_from_slice(feed.pending(cursor));
            feed.advance(cursor, n);
        }
    }

    #[test]
    fn a_reader_gets_what_is_published_after_it_joined() {
        let mut feed = Feed::new();
        let mut early = feed.join();
        publish(&mut feed, b'a', 3);
        let mut late = feed.join();
        publish(&mut feed, b'b', 2);
        assert_eq!((feed.position(&early), feed.position(&late), feed.end()), (0, 3, 5));
        assert_eq!((read(&mut feed, &mut early), read(&mut feed, &mut late)), (b"aaabb".to_vec(), b"bb".to_vec()));
        assert_eq!((feed.behind(&early), feed.behind(&late)), (0, 0));
        feed.leave(early);
        feed.leave(late);
        assert_eq!(feed.held(), 0);
    }

    #[test]
    fn a_frame_never_crosses_chunks() {
        let mut feed = Feed::new();
        let mut reader = feed.join();
        publish(&mut feed, b'a', CHUNK_BYTES - 1);
        publish(&mut feed, b'b', 1);
        publish(&mut feed, b'c', 2);
        assert_eq!(feed.pending(&mut reader).len(), CHUNK_BYTES, "two frames fill a chunk to its last byte");
        feed.advance(&mut reader, CHUNK_BYTES);
        assert_eq!(feed.pending(&mut reader), b"cc");
        feed.leave(reader);
    }

    #[test]
    fn a_chunk_begins_where_the_one_before_it_ends() {
        let mut feed = Feed::new();
        let (mut quick, mut slow) = (feed.join(), feed.join());
        let frames = CHUNK_BYTES / 66;
        for i in 0..frames {
            publish(&mut feed, i as u8, 66);
        }
        let end = frames * 66;
        assert_eq!(read(&mut feed, &mut quick).len(), end);
        publish(&mut feed, b'x', 66);
        assert_eq!((feed.held(), feed.chunks.len(), feed.chunks[1].start), (end + 66, 2, end as u64));
        assert_eq!(read(&mut feed, &mut quick), vec![b'x'; 66]);
        // In the middle of the last frame of the full chunk.
        feed.advance(&mut slow, end - 33);
        assert_eq!((feed.position(&slow) as usize, feed.rest_of_frame(&slow).len()), (end - 33, 33));
        assert_eq!(read(&mut feed, &mut slow).len(), 33 + 66);
        assert_eq!((feed.held(), feed.chunks.len()), (66, 1), "every reader has left the first chunk");
        feed.leave(quick);
        feed.leave(slow);
    }

    #[test]
    fn a_long_frame_has_a_chunk_of_its_own() {
        let mut feed = Feed::new();
        let mut reader = feed.join();
        publish(&mut feed, b'a', 1);
        publish(&mut feed, b'b', 10 * CHUNK_BYTES);
        assert_eq!(feed.pending(&mut reader), b"a");
        feed.advance(&mut reader, 1);
        assert_eq!(feed.pending(&mut reader).len(), 10 * CHUNK_BYTES);
        feed.advance(&mut reader, 10 * CHUNK_BYTES);
        assert_eq!(feed.held(), 0);
        assert!(memory(&feed) <= 2 * CHUNK_BYTES);
        publish(&mut feed, b'c', CHUNK_BYTES + 1);
        publish(&mut feed, b'd', CHUNK_BYTES + 1);
        publish(&mut feed, b'e', 1);
        let lengths = [CHUNK_BYTES + 1, CHUNK_BYTES + 1, 1, 0];
        assert_eq!(lengths.map(|n| (feed.pending(&mut reader).len(), feed.advance(&mut reader, n)).0), lengths);
        feed.leave(reader);
    }

    /// Frame bytes allocated, used or not.
    fn memory(feed: &Feed) -> usize {
        feed.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum::<usize>() + feed.spare.capacity()
    }

    #[test]
    fn readers_that_keep_up_need_two_chunks_however_much_is_said() {
        let mut feed = Feed::new();
        let mut readers: Vec<Cursor> = (0..3).map(|_| feed.join()).collect();
        for round in 0..20_000 {
            publish(&mut feed, b'x', 1 + round % 100);
            for reader in &mut readers {
                read(&mut feed, reader);
            }
            assert!(feed.held() <= CHUNK_BYTES && feed.chunks.len() == 1);
            assert!(memory(&feed) <= 2 * CHUNK_BYTES);
        }
        assert!(feed.end() > 10 * CHUNK_BYTES as u64);
        readers.into_iter().for_each(|reader| feed.leave(reader));
        assert_eq!((feed.held(), memory(&feed)), (0, 0));
    }

    #[test]
    fn a_deaf_reader_holds_its_chunks_once_and_gives_them_back() {
        let mut feed = Feed::new();
        publish(&mut feed, b'x', CHUNK_BYTES);
        assert_eq!(feed.end(), 0, "nobody reads, nothing is kept");
        let (mut quick, deaf, slow) = (feed.join(), feed.join(), feed.join());
        for said in 1..=100 {
            publish(&mut feed, b'x', CHUNK_BYTES / 4);
            read(&mut feed, &mut quick);
            assert_eq!(feed.held(), said * CHUNK_BYTES / 4);
        }
        assert_eq!((feed.behind(&deaf), feed.span(), feed.chunks.len()), (feed.end(), feed.end(), 25));
        feed.leave(deaf);
        assert_eq!(feed.held(), 25 * CHUNK_BYTES, "there is another one");
        feed.leave(slow);
        assert_eq!(feed.chunks.len(), 1);
        assert!(feed.held() <= CHUNK_BYTES && memory(&feed) <= 2 * CHUNK_BYTES);
        feed.leave(quick);
    }

    #[test]
    fn chunk_numbers_may_wrap() {
        let mut feed = Feed::new();
        feed.first = u32::MAX - 1;
        let (mut quick, mut slow) = (feed.join(), feed.join());
        for _ in 0..5 {
            publish(&mut feed, b'x', CHUNK_BYTES);
            assert_eq!(read(&mut feed, &mut quick).len(), CHUNK_BYTES);
        }
        assert_eq!(read(&mut feed, &mut slow).len(), 5 * CHUNK_BYTES);
        feed.leave(quick);
        feed.leave(slow);
    }

    #[test]
    fn the_rest_of_a_frame_is_found_at_every_byte() {
        let mut feed = Feed::new();
        let mut reader = feed.join();
        for frame in ["abc", "d", "efgh"] {
            feed.append(|out| out.extend_from_slice(frame.as_bytes()));
        }
        for rest in ["", "bc", "c", "", "", "fgh", "gh", "h"] {
            assert_eq!(feed.rest_of_frame(&reader), rest.as_bytes());
            feed.advance(&mut reader, 1);
        }
        assert_eq!(feed.rest_of_frame(&reader), b"");
        feed.leave(reader);
    }
}

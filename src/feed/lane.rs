//! A member's place in its room: the [`Feed`] from its cursor on, and what is for this member alone.
//!
//! ```text
//! feed   ┼ frame ┼ frame ┼ frame ┼ frame ┼      sent in this order: 1 │ 2 own │ 3 4
//!           1       2   ▲    3       4
//! own                   └ pong, stamped with the feed's end when it was sent
//! ```
//!
//! An own message goes out after everything published before it and ahead of everything published later, as if the
//! member had a queue of its own. A stamp is a frame's border, so an own message never lands inside a frame, however
//! the socket cuts the writes. The lane holds no bytes of the feed and, with nothing of its own to say, no heap.

use super::{Cursor, Feed};
use std::collections::VecDeque;

/// What one member is still to be sent. All methods that take a feed want the one that the cursor is from.
#[derive(Debug)]
pub struct Lane {
    cursor: Cursor,
    /// `None` nearly always; its queue is never empty.
    own: Option<Box<OwnMessages>>,
}

#[derive(Debug, Default)]
struct OwnMessages {
    queue: VecDeque<Own>,
    /// Bytes of the front one that are sent.
    sent: usize,
}

/// A message for this member alone.
#[derive(Debug)]
struct Own {
    /// The position in the feed that it waits for.
    at: u64,
    bytes: Vec<u8>,
}

impl Lane {
    /// The lane of a member that reads from `cursor` on.
    pub fn new(cursor: Cursor) -> Lane {
        Lane { cursor, own: None }
    }

    /// Queues one frame for this member: behind everything published so far, ahead of everything published later.
    ///
    /// There is no limit here; the caller asks [`Lane::behind`] first, or later.
    pub fn send(&mut self, feed: &Feed, frame: Vec<u8>) {
        if !frame.is_empty() {
            self.own.get_or_insert_default().queue.push_back(Own { at: feed.end(), bytes: frame });
        }
    }

    /// The next bytes to write, as many as lie together. Empty: nothing is pending. Call [`Lane::sent`] next.
    pub fn next<'a>(&'a mut self, feed: &'a mut Feed) -> &'a [u8] {
        let Some(own) = &self.own else { return feed.pending(&mut self.cursor) };
        let until_own = (own.queue[0].at - feed.position(&self.cursor)) as usize;
        if until_own == 0 {
            return &own.queue[0].bytes[own.sent..];
        }
        let pending = feed.pending(&mut self.cursor);
        &pending[..pending.len().min(until_own)]
    }

    /// A write took `n` bytes of what [`Lane::next`] gave just before: any number, 0 and a part of a frame included.
    pub fn sent(&mut self, feed: &mut Feed, n: usize) {
        let Some(own) = self.own.as_mut().filter(|own| own.queue[0].at == feed.position(&self.cursor)) else {
            return feed.advance(&mut self.cursor, n);
        };
        own.sent += n;
        if own.sent == own.queue[0].bytes.len() {
            own.queue.pop_front();
            own.sent = 0;
        }
        if own.queue.is_empty() {
            self.own = None;
        }
    }

    /// Whether nothing is pending.
    pub fn is_at_end(&self, feed: &Feed) -> bool {
        self.own.is_none() && feed.is_at_end(&self.cursor)
    }

    /// Bytes still to be sent: those of the feed, and the member's own.
    pub fn behind(&self, feed: &Feed) -> u64 {
        feed.behind(&self.cursor) + self.own_bytes() as u64
    }

    /// Bytes of own messages still to be sent: the memory this member costs besides the feed.
    pub fn own_bytes(&self) -> usize {
        let Some(own) = &self.own else { return 0 };
        own.queue.iter().map(|own| own.bytes.len()).sum::<usize>() - own.sent
    }

    /// Leaves the feed and forgets what is not sent. Only for a connection to which nothing more will be written.
    pub fn leave(self, feed: &mut Feed) {
        feed.leave(self.cursor);
    }

    /// Leaves the feed and gives what must still be written: the rest of the frame under way. Everything behind it is
    /// forgotten.
    #[must_use = "the peer waits for the rest of a frame"]
    pub fn cut(self, feed: &mut Feed) -> Vec<u8> {
        let rest = match &self.own {
            Some(own) if own.sent > 0 => &own.queue[0].bytes[own.sent..],
            _ => feed.rest_of_frame(&self.cursor),
        };
        let rest = rest.to_vec();
        feed.leave(self.cursor);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::CHUNK_BYTES;
    use crate::testing::dice::Dice;

    fn publish(feed: &mut Feed, frame: &[u8]) {
        feed.append(|out| out.extend_from_slice(frame));
    }

    /// Writes until nothing is pending or `most` bytes are gone, at most `piece` at a time.
    fn write(lane: &mut Lane, feed: &mut Feed, piece: usize, most: usize) -> Vec<u8> {
        let mut wire = Vec::new();
        while wire.len() < most {
            let next = lane.next(feed);
            let n = next.len().min(piece).min(most - wire.len());
            wire.extend_from_slice(&next[..n]);
            lane.sent(feed, n);
            if n == 0 {
                break;
            }
        }
        wire
    }

    #[test]
    fn a_lane_is_small() {
        assert!(size_of::<Lane>() <= 24, "{} bytes", size_of::<Lane>());
    }

    #[test]
    fn an_own_message_waits_for_what_was_published_before_it() {
        for piece in 1..20 {
            let mut feed = Feed::new();
            let mut lane = Lane::new(feed.join());
            lane.send(&feed, b"welcome ".to_vec());
            publish(&mut feed, b"one ");
            lane.send(&feed, b"pong ".to_vec());
            lane.send(&feed, b"".to_vec());
            lane.send(&feed, b"error ".to_vec());
            publish(&mut feed, b"two ");
            assert_eq!((lane.own_bytes(), lane.behind(&feed)), (19, 27));
            assert_eq!(write(&mut lane, &mut feed, piece, 10), b"welcome on");
            assert_eq!((lane.own_bytes(), lane.behind(&feed)), (11, 17));
            assert_eq!(write(&mut lane, &mut feed, piece, 99), b"e pong error two ");
            assert_eq!((lane.own_bytes(), lane.behind(&feed)), (0, 0));
            assert!(lane.own.is_none(), "no heap is kept");
            lane.leave(&mut feed);
        }
    }

    #[test]
    fn a_cut_member_gets_the_rest_of_its_frame() {
        // The wire is "abcd" "own" "efg"; of whichever frame is begun the rest follows, and nothing else.
        let rests = ["", "bcd", "cd", "d", "", "wn", "n", "", "fg", "g", ""];
        for (sent, rest) in rests.into_iter().enumerate() {
            let mut feed = Feed::new();
            let mut lane = Lane::new(feed.join());
            publish(&mut feed, b"abcd");
            lane.send(&feed, b"own".to_vec());
            publish(&mut feed, b"efg");
            assert_eq!(write(&mut lane, &mut feed, 99, sent).len(), sent);
            assert_eq!(lane.cut(&mut feed), rest.as_bytes(), "cut behind {sent} bytes");
            assert_eq!(feed.held(), 0);
        }
    }

    /// A frame that can be told from others: mostly short, now and then longer than a chunk.
    fn any_frame(dice: &mut Dice) -> Vec<u8> {
        let most = *dice.pick(&[40, 40, 400, 4000, CHUNK_BYTES / 2, CHUNK_BYTES * 3 / 2]);
        let first = dice.below(256);
        (0..1 + dice.below(most)).map(|i| (first + i) as u8).collect()
    }

    /// A member with a queue of its own beside its lane: what the lane must equal.
    struct Member {
        lane: Lane,
        queue: Vec<u8>,
        /// Where the frames of `queue` end.
        borders: Vec<usize>,
        wire: Vec<u8>,
    }

    impl Member {
        fn new(feed: &mut Feed) -> Member {
            Member { lane: Lane::new(feed.join()), queue: Vec::new(), borders: vec![0], wire: Vec::new() }
        }

        fn owe(&mut self, frame: &[u8]) {
            self.queue.extend_from_slice(frame);
            self.borders.push(self.queue.len());
        }

        fn check(&self, feed: &Feed) {
            assert_eq!(self.lane.behind(feed), (self.queue.len() - self.wire.len()) as u64);
            assert_eq!(self.lane.is_at_end(feed), self.lane.behind(feed) == 0);
            assert!(self.wire == self.queue[..self.wire.len()]);
        }

        /// Ends in the middle of whatever is under way, and must end at the next border.
        fn cut(mut self, feed: &mut Feed) {
            let border = *self.borders.iter().find(|border| **border >= self.wire.len()).expect("the queue's end");
            self.wire.extend(self.lane.cut(feed));
            assert!(self.wire == self.queue[..border]);
        }
    }

    fn run(seed: u64) {
        let dice = &mut Dice::new(seed);
        let feed = &mut Feed::new();
        let mut members: Vec<Member> = (0..3).map(|_| Member::new(feed)).collect();
        for _ in 0..dice.below(200) {
            let who = dice.below(3);
            match dice.below(10) {
                0..=2 => {
                    let frame = any_frame(dice);
                    publish(feed, &frame);
                    members.iter_mut().for_each(|member| member.owe(&frame));
                }
                3 => {
                    let frame = any_frame(dice);
                    members[who].lane.send(feed, frame.clone());
                    members[who].owe(&frame);
                }
                4..=8 => {
                    let (piece, most) = (1 + dice.below(20_000), dice.below(100_000));
                    let wire = write(&mut members[who].lane, feed, piece, most);
                    members[who].wire.extend(wire);
                    members[who].check(feed);
                }
                _ if dice.one_in(4) => {
                    let new = Member::new(feed);
                    std::mem::replace(&mut members[who], new).cut(feed);
                }
                _ => {}
            }
        }
        for member in &mut members {
            let wire = write(&mut member.lane, feed, usize::MAX, usize::MAX);
            member.wire.extend(wire);
            member.check(feed);
            assert_eq!(member.lane.behind(feed), 0);
        }
        assert!(feed.held() <= CHUNK_BYTES, "everybody is caught up");
        members.into_iter().for_each(|member| member.cut(feed));
        assert_eq!(feed.held(), 0);
    }

    #[test]
    fn a_lane_gives_the_bytes_that_a_queue_per_member_gives() {
        for seed in 1..=300 {
            println!("seed {seed}");
            run(seed);
        }
    }
}

//! Those who are ready are served in batches: all of a batch are read, then what they said is handled, then all of them
//! are answered, and then all are settled. Where handling is much work, answers go out in between.
//!
//! A system call leaves little of its caller's code in the nearest caches, and the caller little of the kernel's. One
//! connection at a time pays for that with every call; a batch pays once a stage, and all but its first find everything
//! warm. IX (Belay et al., OSDI 2014) calls this adaptive batching: nobody waits for a batch to fill, and who is alone
//! is a batch of one.
//!
//! Answers lie in the reply buffer for so long. Whoever writes to a member that was served before sends its answers
//! first, so that to each of them everything is as if it had been served alone.

use super::{INBUF_BYTES, Server, shrink};
use crate::conn::upstream::State;
use crate::conn::{Connection, Filled, Protocol};
use crate::event::App;
use crate::id::ConnId;
use crate::net::{Network, Stream};
use std::ops::Range;

/// One connection of the batch.
pub(super) struct Served {
    id: ConnId,
    /// Where in the read buffer what was read ahead begins, and how much that is.
    input: Option<(usize, Filled)>,
    /// Its answers that are not sent yet, in the reply buffer.
    answers: Range<usize>,
}

impl Served {
    /// One that nothing is read of before its turn comes.
    pub fn unread(id: ConnId) -> Served {
        Served { id, input: None, answers: 0..0 }
    }
}

impl<N: Network, A: App> Server<N, A> {
    /// Makes a batch of those at the front of the ready queue, of its first `most` at most, and reads from them: each
    /// once, one behind the other in the read buffer. Answers how many have left the queue.
    ///
    /// Who may have more to read is the last: it reads on when the others were handled, over their bytes. So is an
    /// upstream that awaits no answer: what it is about, a name, a connect or its end, it finds out when it is served.
    pub(super) fn read_batch(&mut self, most: usize) -> usize {
        let (mut left_queue, mut at, mut is_open) = (0, 0, true);
        while is_open && left_queue < most {
            let Some(&id) = self.ready.front() else { break };
            if at > 0 && self.conns.get(id).is_some_and(|conn| INBUF_BYTES - at < self.room_for(conn)) {
                break;
            }
            self.ready.pop_front();
            left_queue += 1;
            if self.waits_for_room(id) {
                continue;
            }
            let Some(conn) = self.conns.get_mut(id) else { continue };
            if conn.is_securing() {
                self.handshakes.push_back(id);
                continue;
            }
            conn.queued = false;
            if conn.dead {
                continue;
            }
            let mut served = Served::unread(id);
            if matches!(&conn.protocol, Protocol::Upstream(upstream) if upstream.state() != State::Exchanging) {
                is_open = false;
            } else if conn.has_input() && self.wants_input(id) {
                let Some(conn) = self.conns.get_mut(id) else { continue };
                match conn.fill(&mut self.inbuf[at..], self.limits.slice_bytes_max) {
                    Ok(filled) => {
                        is_open = !conn.has_input();
                        let end = at + filled.end;
                        served.input = Some((at, filled));
                        at = end;
                    }
                    Err(e) => self.on_socket_error(id, &e),
                }
            }
            self.batch.push(served);
            is_open &= self.batch.len() < self.limits.batch_max;
        }
        left_queue
    }

    /// What of the read buffer a connection may fill at once, bytes.
    fn room_for(&self, conn: &Connection<N::Stream>) -> usize {
        let wanted = conn.stream.as_ref().map_or(0, Stream::wanted_room);
        conn.kept.len() + self.limits.slice_bytes_max.max(wanted)
    }

    /// Serves the batch, part by part, and sends what each part was answered. A part ends behind the slice with which a
    /// slice's worth of work is done, so an answer waits for about two at most.
    pub(super) fn serve_batch(&mut self) {
        let mut begun = 0;
        while begun < self.batch.len() {
            let (mut end, mut work) = (begun, 0);
            while end < self.batch.len() && work < self.limits.slice_bytes_max {
                work += self.serve(end);
                end += 1;
            }
            (begun..end).for_each(|n| self.send_answers(n));
            (begun..end).for_each(|n| self.settle(self.batch[n].id));
            self.reply.clear();
            shrink(&mut self.reply);
            begun = end;
        }
        self.batch.clear();
    }

    /// One slice of the n-th connection of the batch: its input within the budgets. Answers what work that was.
    fn serve(&mut self, n: usize) -> usize {
        let (id, is_last) = (self.batch[n].id, n + 1 == self.batch.len());
        let Some(conn) = self.conns.get(id).filter(|conn| !conn.dead) else { return 0 };
        if matches!(conn.protocol, Protocol::Upstream(_)) {
            self.continue_connect(id);
        }
        let input = self.batch[n].input.take();
        if let Some((at, Filled { end, .. })) = input
            && self.waits_after_all(id, at..at + end)
        {
            return 0;
        }
        self.served_from = self.reply.len();
        self.serving = Some(id);
        let work = self.read_slice(id, input, is_last);
        self.serving = None;
        self.batch[n].answers = self.served_from..self.reply.len();
        work
    }

    /// Lets one that was read ahead wait with its input, if others of the batch have made its room busy meanwhile.
    fn waits_after_all(&mut self, id: ConnId, input: Range<usize>) -> bool {
        let is_queued = self.conns.get(id).is_none_or(|conn| conn.queued);
        if is_queued || !self.waits_for_room(id) {
            return false;
        }
        if let Some(conn) = self.conns.get_mut(id) {
            conn.kept.extend_from_slice(&self.inbuf[input]);
            (conn.unparsed, conn.queued) = (true, true);
        }
        true
    }

    /// Bytes of answers to the connection that is served.
    pub(super) fn answered(&self) -> usize {
        self.reply.len() - self.served_from
    }

    /// Whether this is the connection that is served, so that output for it belongs in the reply buffer. Else it belongs
    /// in the outbox or the lane, and what it was answered within the batch is sent first.
    pub(super) fn is_served(&mut self, id: ConnId) -> bool {
        let is_served = self.serving == Some(id);
        if !is_served && !self.reply.is_empty() {
            self.send_answers_of(id);
        }
        is_served
    }

    /// Sends at once what a connection of the batch was answered.
    pub(super) fn send_answers_of(&mut self, id: ConnId) {
        let Some(n) = self.batch.iter().position(|served| served.id == id) else { return };
        if self.serving == Some(id) {
            self.batch[n].answers = self.served_from..self.reply.len();
            self.send_answers(n);
            self.reply.truncate(self.served_from);
        } else {
            self.send_answers(n);
        }
    }

    /// What the n-th of the batch was answered, in one write.
    fn send_answers(&mut self, n: usize) {
        let Served { id, answers, .. } = &mut self.batch[n];
        let (id, answers) = (*id, std::mem::take(answers));
        if answers.is_empty() {
            return;
        }
        let sent = self.conns.get_mut(id).map(|conn| conn.send(&self.reply[answers]));
        if let Some(Err(e)) = sent {
            self.on_socket_error(id, &e);
        }
    }
}

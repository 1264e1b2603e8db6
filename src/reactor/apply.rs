//! Effects become bytes, deadlines, jobs and fetches, in the order in which the application named them.
//!
//! Nothing raises an event before all effects are applied: then come the end of work done on the loop itself
//! (`--lab`), and the news that the pool took no more. What else fails is marked, and told in its own time.

use super::{Server, blocking, shrink};
use crate::conn::Protocol;
use crate::conn::http::Clock;
use crate::event::{App, Blocking, Effect, Event, Job};
use crate::id::ConnId;
use crate::net::Network;
use std::time::Instant;

/// What is told when all effects are applied.
#[derive(Default)]
struct After {
    /// Whose job the pool did not take.
    refused: Option<ConnId>,
    blocking: Option<(ConnId, Blocking)>,
}

impl<N: Network, A: App> Server<N, A> {
    /// Applies and forgets all effects.
    pub(super) fn apply(&mut self) {
        let mut list = std::mem::take(&mut self.effects.list);
        // Nearly always there is one, and that is an answer.
        if let [Effect::Respond(id, response)] = &mut list[..] {
            self.respond(*id, response);
            self.forget(list);
        } else {
            self.apply_all(list);
        }
    }

    /// Drops them, and keeps the memory for those of the next event.
    #[inline(always)]
    fn forget(&mut self, mut list: Vec<Effect>) {
        list.clear();
        self.effects.list = list;
        self.effects.bytes.clear();
        shrink(&mut self.effects.bytes);
    }

    fn apply_all(&mut self, mut list: Vec<Effect>) {
        let mut after = After::default();
        // Where they lie: they are too large to be moved about.
        list.iter_mut().for_each(|effect| self.enact(effect, &mut after));
        self.forget(list);
        if let Some(id) = after.refused {
            self.tell(id, Event::Left);
        }
        if let Some((id, job)) = after.blocking {
            let finished = blocking::block(job, &mut self.network, &self.limits);
            self.tell(id, Event::Finished(finished));
        }
    }

    fn enact(&mut self, effect: &mut Effect, after: &mut After) {
        match effect {
            Effect::Respond(id, response) => self.respond(*id, response),
            Effect::Piece(id, range) => self.stream_piece(*id, range.clone()),
            Effect::End(id, whole) => self.stream_end(*id, *whole),
            Effect::Upgrade { to, accept, compression, message_bytes_max } => {
                self.upgrade(*to, accept, *compression, *message_bytes_max);
            }
            Effect::Send(id, kind, range) => self.send_message(*id, *kind, range.clone()),
            Effect::SendBlocks(id, kind, blocks) => self.send_blocks(*id, *kind, std::mem::take(blocks)),
            Effect::Close(id, code, reason) => self.close_for_app(*id, *code, reason),
            Effect::Join(id, feed) => self.join(*id, *feed),
            Effect::Publish(feed, range) => self.publish(*feed, range.clone()),
            Effect::Sleep(id, until) => self.sleep(*id, *until),
            Effect::Quit => self.quit = true,
            Effect::Fetch(..) | Effect::Run(..) | Effect::RunBlocking(..) => {
                match std::mem::replace(effect, Effect::Quit) {
                    Effect::Fetch(id, fetch) => self.fetch(id, fetch),
                    Effect::Run(id, job) => after.refused = self.run(id, job).or(after.refused),
                    Effect::RunBlocking(id, work) => after.blocking = Some((id, work)),
                    _ => {}
                }
            }
        }
    }

    /// Hands a job to the pool; answers who got 503 because the pool's queue is full.
    fn run(&mut self, id: ConnId, job: Job) -> Option<ConnId> {
        let limits = self.limits.clone();
        let refused = self.jobs.submit(move || (id, blocking::run(job, &limits))).is_err();
        if refused {
            self.respond_plainly(id, 503, "Too much work is waiting. Try again in a moment.\n");
        }
        refused.then_some(id)
    }

    fn sleep(&mut self, id: ConnId, until: Instant) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if let Protocol::Http(http) = &mut conn.protocol {
            (http.asleep, http.clock) = (true, Clock::Owed);
            self.timers.set(id, &mut conn.timer, until);
        }
    }
}

//! Leaving in peace: the first signal drains, the second ends the loop at once.
//!
//! Draining stops accepting, closes idle connections, answers what is under way and closes WebSockets with 1001. At
//! the deadline a request that still waits gets 503, and everything else is dropped.

use super::Server;
use crate::conn::Protocol;
use crate::event::{App, Event};
use crate::id::ConnId;
use crate::net::Network;
use std::time::{Duration, Instant};

/// After the deadline, the last answers have so long to get out.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl<N: Network, A: App> Server<N, A> {
    /// Begins to drain; called again, ends the loop.
    pub fn drain(&mut self, now: Instant) {
        self.now = now;
        if self.draining.is_some() {
            self.quit = true;
            return;
        }
        log::info!("draining; connections: {}", self.inbound);
        self.draining = Some(self.now + self.limits.drain_within);
        self.network.stop_listening();
        self.drop_kept();
        self.tell(ConnId::NOBODY, Event::Draining);
        for id in self.everybody() {
            let Some(conn) = self.conns.get(id) else { continue };
            match &conn.protocol {
                Protocol::Http(_) => self.touch(id),
                Protocol::Ws(_) => self.close_session(id, 1001, "server restarts"),
                Protocol::Upstream(_) | Protocol::Discarding(_) => {}
            }
        }
        self.look_after_touched();
        self.reap();
    }

    /// At the deadline nobody is waited for any more.
    pub(super) fn drain_if_due(&mut self) {
        if self.draining.is_none_or(|until| until > self.now) {
            return;
        }
        if std::mem::replace(&mut self.drain_overdue, true) {
            self.quit = true;
            return;
        }
        self.draining = Some(self.now + LAST_WORDS);
        for id in self.everybody() {
            let Some(conn) = self.conns.get(id) else { continue };
            match &conn.protocol {
                Protocol::Http(http) if http.awaits_answer() => {
                    self.respond_plainly(id, 503, "The server is shutting down.\n");
                    self.tell(id, Event::Left);
                }
                _ => self.bury(id),
            }
        }
        self.look_after_touched();
        self.reap();
    }

    fn everybody(&self) -> Vec<ConnId> {
        self.conns.iter().map(|(id, _)| id).collect()
    }
}

//! What is true between two turns, looked at all at once: for simulations, and for whoever hunts a bug.
//!
//! In goes a server between two turns, out comes the first sentence that does not hold. Nothing is changed or mended.
//! The walk costs time in proportion to what is there, so no turn does it by itself.
//!
//! A connection is at rest if it is not dead and nothing has put it on a list of those who get a turn. An edge comes
//! once, so everything that somebody at rest could do must wait for an edge, for somebody else, or for its deadline:
//! to settle it once more would change nothing. That sentence finds the wake-up that was forgotten.

use super::{Server, fetches};
use crate::conn::http::{Clock, Http};
use crate::conn::upstream::{State, Upstream};
use crate::conn::ws::{Membership, Ws};
use crate::conn::{Connection, Protocol};
use crate::event::App;
use crate::id::ConnId;
use crate::net::Network;
use std::collections::HashMap;
use std::time::Duration;

type Verdict = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

impl<N: Network, A: App> Server<N, A> {
    /// Checks what has to hold between two turns: the lists and what is on them, the sums, the rooms, the fetches, the
    /// deadlines, and that nobody at rest has something to do.
    ///
    /// # Errors
    /// A sentence about the first thing that does not hold: a bug of this crate, never of a peer.
    pub fn audit(&self) -> Result<(), String> {
        ensure!(self.serving.is_none() && self.reply.is_empty() && self.batch.is_empty(), "a slice is under way");
        ensure!(self.effects.list.is_empty(), "effects wait to be applied");
        self.audit_lists()?;
        self.audit_sums()?;
        self.audit_rooms()?;
        self.audit_fetches()?;
        for (id, conn) in self.living() {
            self.audit_connection(id, conn).map_err(|why| format!("{id:?}, {}: {why}", spoken(conn)))?;
        }
        Ok(())
    }

    fn living(&self) -> impl Iterator<Item = (ConnId, &Connection<N::Stream>)> {
        self.conns.iter().filter(|(_, conn)| !conn.dead)
    }

    /// Every mark in a connection stands for one place on its list.
    fn audit_lists(&self) -> Verdict {
        let ready = count(self.ready.iter().chain(&self.handshakes).chain(self.rooms.unheard()));
        let (touched, dead) = (count(&self.touched), count(&self.dead));
        for (id, conn) in self.conns.iter() {
            for (name, list, mark) in
                [("ready", &ready, conn.queued), ("touched", &touched, conn.touched), ("dead", &dead, conn.dead)]
            {
                let times = list.get(&id).copied().unwrap_or_default();
                ensure!(times == mark as usize, "{id:?} is marked {name}: {mark}, and on the list {times} times");
            }
        }
        let is_anybody_listed = !ready.is_empty() || !touched.is_empty() || !dead.is_empty() || self.rooms.are_dirty();
        let wait = self.wait_time();
        ensure!(!is_anybody_listed || wait == Some(Duration::ZERO), "somebody is listed, and the wait is {wait:?}");
        Ok(())
    }

    fn audit_sums(&self) -> Verdict {
        let inbound = self.conns.iter().filter(|(_, conn)| !matches!(conn.protocol, Protocol::Upstream(_))).count();
        ensure!(inbound == self.inbound, "{inbound} connections came in, {} are counted", self.inbound);
        let booked: usize = self.conns.iter().map(|(_, conn)| conn.booked as usize).sum();
        ensure!(booked == self.booked, "{booked} bytes are booked, {} are counted", self.booked);
        let keepers =
            |conn: &Connection<N::Stream>| matches!(&conn.protocol, Protocol::Ws(ws) if ws.has_own_machines());
        let windows = self.conns.iter().filter(|(_, conn)| keepers(conn)).count();
        ensure!(windows == self.windows, "{windows} may keep windows, {} are counted", self.windows);
        // Without exception: also who waits for a place, for the application or for a member's next word.
        let unarmed = self.timers.unarmed(self.living().map(|(id, conn)| (id, &conn.timer)));
        ensure!(unarmed.is_none(), "{unarmed:?} lives and has no deadline");
        Ok(())
    }

    /// No member without a connection, no connection in a room that does not list it.
    fn audit_rooms(&self) -> Verdict {
        let forgotten = self.rooms.forgotten();
        ensure!(forgotten.is_none(), "{forgotten:?} has something to do, and no flush will come to it");
        for (feed_id, readers, members) in self.rooms.iter() {
            ensure!(!members.is_empty(), "{feed_id:?} has no reader");
            ensure!(readers == members.len(), "{feed_id:?} has {readers} cursors for {} members", members.len());
            for (place, &id) in members.iter().enumerate() {
                let holds = self
                    .conns
                    .get(id)
                    .and_then(membership)
                    .is_some_and(|membership| membership.feed == feed_id && membership.place as usize == place);
                ensure!(holds, "{feed_id:?} lists {id:?} at place {place}, where it is not");
            }
        }
        let members = self.conns.iter().filter(|(_, conn)| membership(conn).is_some()).count();
        ensure!(members == self.rooms.members(), "{members} are in a room, {} are listed", self.rooms.members());
        Ok(())
    }

    /// Places, the queue and the kept connections; owners and their fetches name each other.
    fn audit_fetches(&self) -> Verdict {
        let all = &self.fetches;
        let (waiting, kept) = (count(&all.waiting), count(&all.kept));
        let mut running_at = HashMap::new();
        for (id, conn) in self.conns.iter() {
            let Protocol::Upstream(upstream) = &conn.protocol else { continue };
            if upstream.running {
                *running_at.entry(fetches::origin(&upstream.fetch.url)).or_default() += 1;
            }
            // Until it is reaped, a dead one may still be listed.
            for (list, state) in [(&waiting, State::Queued), (&kept, State::Kept)] {
                let (times, is_so) = (list.get(&id).copied().unwrap_or_default(), upstream.state() == state);
                let holds = if conn.dead { times <= 1 } else { times == is_so as usize };
                ensure!(holds, "{id:?} is {:?}, and on the list of the {state:?} {times} times", upstream.state());
            }
        }
        let listed = |id: &ConnId| self.conns.get(*id).is_some();
        ensure!(all.kept.iter().all(listed), "a kept connection is gone");
        ensure!(self.draining.is_none() || all.kept.is_empty(), "draining, connections are kept");
        let running: usize = running_at.values().sum();
        ensure!(running == all.running, "{running} fetches run, {} are counted", all.running);
        ensure!(running_at == all.running_at, "{running_at:?} run at the origins, counted are {:?}", all.running_at);
        ensure!(running <= self.limits.fetches_max, "{running} fetches run");
        for (&owner, &id) in &all.of_outside {
            let owned = self.conns.get(id).and_then(upstream).is_some_and(|upstream| upstream.owner == owner);
            ensure!(owned, "{owner:?} waits for {id:?}, whose owner it is not");
        }
        Ok(())
    }

    fn audit_connection(&self, id: ConnId, conn: &Connection<N::Stream>) -> Verdict {
        match &conn.protocol {
            Protocol::Http(http) => self.audit_http(id, conn, http)?,
            Protocol::Ws(ws) => self.audit_ws(conn, ws)?,
            Protocol::Upstream(upstream) => self.audit_upstream(id, conn, upstream)?,
            Protocol::Discarding(left) => ensure!(*left > 0 && !conn.eof, "nothing is left to be discarded"),
        }
        // After a stall every deadline may be as far off as the grace.
        let grace = self.stalls.patient_until(self.now).map_or(Duration::ZERO, |until| until - self.now);
        let patience = self.patience(conn).map(|most| most.max(grace));
        let due = self.timers.due(&conn.timer).map(|due| due.saturating_duration_since(self.now));
        // Deadlines are rounded up to the millisecond.
        ensure!(
            patience.is_none_or(|most| due.is_some_and(|due| due <= most + Duration::from_millis(1))),
            "it may take {patience:?}, and its deadline is in {due:?}"
        );
        ensure!(!conn.outbox.is_empty() || conn.outbox.held() == 0, "its outbox is empty and holds memory");
        if conn.queued || conn.touched {
            return Ok(());
        }
        ensure!(!conn.writable || conn.is_flushed(), "output waits that the socket would take");
        ensure!(!self.wants_input(id) || !conn.has_input(), "there is input that it wants");
        ensure!(!self.is_done(id), "it is done");
        let (held, booked) = (conn.held(), conn.booked as usize);
        // The flush of the rooms takes from what a member holds, and does not stop to book it.
        let holds = held == booked || held < booked && membership(conn).is_some();
        ensure!(holds, "it holds {held} bytes, booked are {booked}");
        Ok(())
    }

    /// How far off a deadline may be at most. Of an answer that is owed, the application says so (a sleep, a fetch).
    fn patience(&self, conn: &Connection<N::Stream>) -> Option<Duration> {
        let limits = &self.limits;
        Some(match &conn.protocol {
            Protocol::Http(http) if http.clock == Clock::Owed => return None,
            // Who has just come has the time of a head to begin with.
            Protocol::Http(http) if http.clock == Clock::Idle => limits.idle_for.max(limits.head_within),
            Protocol::Http(http) => http.clock.limit(limits),
            Protocol::Ws(ws) if ws.is_open() && !conn.eof => limits.ping_every,
            Protocol::Ws(_) => limits.close_within,
            Protocol::Discarding(_) => limits.discard_for,
            Protocol::Upstream(upstream) => match upstream.state() {
                State::Kept => limits.upstream_idle_for,
                State::Queued => limits.fetch_queue_within,
                State::Resolving | State::Connecting | State::Securing => limits.connect_within,
                _ => upstream.fetch.deadline.saturating_duration_since(self.now),
            },
        })
    }

    fn audit_http(&self, id: ConnId, conn: &Connection<N::Stream>, http: &Http) -> Verdict {
        if http.fetch != ConnId::NOBODY {
            let owned = self.conns.get(http.fetch).and_then(upstream).is_some_and(|upstream| upstream.owner == id);
            ensure!(owned && http.is_answering(), "it waits for {:?}, which is not its own", http.fetch);
        }
        let is_flushed = conn.is_flushed();
        ensure!(!conn.eof || conn.unparsed || !http.wants_input(), "its input has ended, and it waits for more");
        if conn.queued || conn.touched || conn.is_securing() {
            return Ok(());
        }
        ensure!(!http.is_closing() || !is_flushed, "its last answer is out, and it is not closed");
        let clock = http.clock_wanted(&conn.kept, !is_flushed);
        ensure!(http.clock == clock, "its clock is {:?}, and should be {clock:?}", http.clock);
        Ok(())
    }

    fn audit_ws(&self, conn: &Connection<N::Stream>, ws: &Ws) -> Verdict {
        ensure!(!ws.over || ws.membership.is_none(), "its session is over, and it is in a room");
        ensure!(!conn.eof || conn.unparsed || ws.over, "its input has ended, and the application was not told");
        if conn.queued || conn.touched {
            return Ok(());
        }
        ensure!(!(ws.is_finished() || conn.eof) || !conn.is_flushed(), "all is said, and it is not closed");
        let room = ws.membership.as_ref().and_then(|m| Some((m, self.rooms.feed_of(m)?)));
        let behind = room.map_or(0, |(membership, feed)| membership.lane.behind(feed));
        let is_flushed_later = room.is_some_and(|(membership, _)| self.rooms.comes_to(membership));
        ensure!(behind == 0 || !conn.writable || is_flushed_later, "its room has {behind} bytes that it would take");
        let behind_room = room.map_or(0, |(membership, _)| behind - membership.lane.own_bytes() as u64);
        let is_late = behind_room > self.limits.feed_bytes_max() as u64;
        ensure!(!is_late || self.rooms.are_dirty(), "it is {behind_room} bytes behind its room");
        let output_waits = !conn.outbox.is_empty() || behind > 0;
        ensure!(ws.ping.is_none() || output_waits, "a ping waits for nothing");
        Ok(())
    }

    fn audit_upstream(&self, id: ConnId, conn: &Connection<N::Stream>, upstream: &Upstream<N::Stream>) -> Verdict {
        let (state, owner) = (upstream.state(), upstream.owner);
        let is_connected = matches!(state, State::Securing | State::Exchanging | State::Kept);
        ensure!(conn.stream.is_some() == is_connected, "{state:?}, its stream is there: {}", !is_connected);
        ensure!(state != State::Over, "it is over");
        ensure!(conn.queued || !matches!(state, State::Placed | State::TurnedAway), "{state:?}, and it has no turn");
        ensure!(state != State::Exchanging || !conn.eof || conn.unparsed, "its answer has ended unseen");
        let has_place = !matches!(state, State::Queued | State::TurnedAway | State::Kept);
        ensure!(upstream.running == has_place, "{state:?}, it has a place: {}", upstream.running);
        if state == State::Kept {
            return Ok(());
        }
        let owned = match self.conns.get(owner).map(|conn| &conn.protocol) {
            Some(Protocol::Http(http)) => http.fetch,
            _ => self.fetches.of_outside.get(&owner).copied().unwrap_or(ConnId::NOBODY),
        };
        ensure!(owned == id, "its owner {owner:?} waits for {owned:?}");
        let may_start = state == State::Queued && self.dead.is_empty() && self.is_place_for(&upstream.fetch.url);
        ensure!(!may_start, "it waits for a place, and there is one");
        Ok(())
    }
}

fn count<'a>(ids: impl IntoIterator<Item = &'a ConnId>) -> HashMap<ConnId, usize> {
    let mut times = HashMap::new();
    for &id in ids {
        *times.entry(id).or_default() += 1;
    }
    times
}

fn membership<S>(conn: &Connection<S>) -> Option<&Membership> {
    match &conn.protocol {
        Protocol::Ws(ws) => ws.membership.as_ref(),
        _ => None,
    }
}

fn upstream<S>(conn: &Connection<S>) -> Option<&Upstream<S>> {
    match &conn.protocol {
        Protocol::Upstream(upstream) => Some(upstream),
        _ => None,
    }
}

fn spoken<S>(conn: &Connection<S>) -> &'static str {
    match &conn.protocol {
        Protocol::Http(_) => "HTTP",
        Protocol::Ws(_) => "WebSocket",
        Protocol::Upstream(_) => "upstream",
        Protocol::Discarding(_) => "discarding",
    }
}

#[cfg(test)]
mod tests;

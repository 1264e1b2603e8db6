//! What is true between two turns, looked at all at once: for simulations, and to find a bug.
//!
//! In goes a server between two turns, out comes the first sentence that does not hold. Nothing is changed or mended.
//! The walk costs time in proportion to what is there, so no turn does it by itself.
//!
//! A connection is at rest if it is not dead and no list brings it a turn. An edge comes
//! once, so everything that a connection at rest could do must wait for an edge, another connection or its deadline:
//! to settle it once more would change nothing. That sentence finds the wake-up that was forgotten.

use super::Server;
use super::engine::{Engine, Life};
use crate::conn::closing::Closing;
use crate::conn::http::{Deadline, Http};
use crate::conn::upstream::{State, Upstream};
use crate::conn::ws::Ws;
use crate::conn::{Connection, Protocol};
use crate::event::App;
use crate::id::ConnId;
use crate::net::{Network, Stream};
use std::time::Duration;

type Verdict = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

/// See [`Server::audit`].
pub(super) fn audit<N: Network, A: App>(server: &Server<N, A>) -> Verdict {
    let engine = &server.engine;
    let Engine { conns, rooms, client, limits, codecs, .. } = engine;
    ensure!(engine.output.is_idle() && server.batch.is_empty(), "a slice is under way");
    ensure!(server.effects.list.is_empty() && engine.inbox.is_empty(), "effects or events wait");
    conns.audit()?;
    rooms.audit(conns)?;
    engine.history.audit(conns)?;
    client.audit(conns, limits)?;
    ensure!(engine.life == Life::Serving || client.kept() == 0, "draining, connections are kept");
    let has_windows =
        |conn: &Connection<N::Stream>| matches!(&conn.protocol, Protocol::Ws(ws) if ws.has_own_machines());
    let windows = conns.iter().filter(|(_, conn)| has_windows(conn)).count();
    ensure!(windows == codecs.windows(), "{windows} may keep windows, {} are counted", codecs.windows());
    let has_work = conns.wait(engine.clock.now) == Some(Duration::ZERO) || rooms.are_dirty();
    let wait = server.wait();
    ensure!(!has_work || wait == Some(Duration::ZERO), "there is work, and the wait is {wait:?}");
    for (id, conn) in conns.iter().filter(|(_, conn)| !conn.is_dead()) {
        audit_connection(engine, id, conn).map_err(|why| format!("{id:?}, {}: {why}", spoken(conn)))?;
    }
    Ok(())
}

fn audit_connection<N: Network>(engine: &Engine<N>, id: ConnId, conn: &Connection<N::Stream>) -> Verdict {
    match &conn.protocol {
        Protocol::Http(http) => audit_http(engine, id, conn, http)?,
        Protocol::Ws(ws) => audit_ws(engine, conn, ws)?,
        Protocol::Upstream(upstream) => audit_upstream(conn, upstream)?,
        Protocol::Discarding(left) => ensure!(*left > 0 && !conn.input.has_ended(), "nothing is left to be discarded"),
    }
    // After a stall every deadline may be as far off as the grace.
    let now = engine.clock.now;
    let grace = engine.clock.patient_until().map_or(Duration::ZERO, |until| until - now);
    let patience = patience(engine, conn).map(|most| most.max(grace));
    let due = engine.conns.deadline(conn).map(|due| due.saturating_duration_since(now));
    // Deadlines are rounded up to the millisecond.
    ensure!(
        patience.is_none_or(|most| due.is_some_and(|due| due <= most + Duration::from_millis(1))),
        "it may take {patience:?}, and its deadline is in {due:?}"
    );
    ensure!(!conn.outbox.is_empty() || conn.outbox.held() == 0, "its outbox is empty and holds memory");
    if conn.is_listed() {
        return Ok(());
    }
    ensure!(!conn.writable || conn.is_flushed(), "output waits that the socket would take");
    ensure!(!engine.wants_input(conn, 0) || !conn.has_input(), "there is input that it wants");
    ensure!(!engine.is_done(id), "it is done");
    let (held, booked) = (conn.held(), conn.booked());
    // The flush of the rooms takes from what a member holds, and does not stop to book it.
    let holds = held == booked || held < booked && conn.subscription.is_some();
    ensure!(holds, "it holds {held} bytes, booked are {booked}");
    Ok(())
}

/// How far off a deadline may be at most. Of a response that is owed, the application says so (a sleep, a fetch).
fn patience<N: Network>(engine: &Engine<N>, conn: &Connection<N::Stream>) -> Option<Duration> {
    let limits = &engine.limits;
    Some(match &conn.protocol {
        Protocol::Http(http) if matches!(http.deadline, Deadline::Owed | Deadline::Asleep) => return None,
        // A new connection has the time of a head to begin with.
        Protocol::Http(http) if http.deadline == Deadline::Idle => limits.idle_for.max(limits.head_within),
        Protocol::Http(http) if http.deadline == Deadline::Following => limits.ping_every.max(limits.write_stall),
        Protocol::Http(http) => http.deadline.limit(limits),
        Protocol::Ws(ws) if ws.is_open() && !conn.input.has_ended() => limits.ping_every,
        Protocol::Ws(_) => limits.close_within,
        Protocol::Discarding(_) => limits.discard_for,
        Protocol::Upstream(upstream) => match upstream.state() {
            State::Kept => limits.upstream_idle_for,
            State::Queued => limits.fetch_queue_within,
            State::Resolving | State::Connecting | State::Securing => limits.connect_within,
            _ => upstream.fetch.deadline.saturating_duration_since(engine.clock.now),
        },
    })
}

fn audit_http<N: Network>(engine: &Engine<N>, id: ConnId, conn: &Connection<N::Stream>, http: &Http) -> Verdict {
    if http.fetch != ConnId::NONE {
        let upstream = engine.conns.get(http.fetch).map(|conn| &conn.protocol);
        let is_owned = matches!(upstream, Some(Protocol::Upstream(upstream)) if upstream.owner == id);
        ensure!(is_owned && http.is_responding(), "it waits for {:?}, which is not its own", http.fetch);
    }
    let (is_flushed, is_closing) = (conn.is_flushed(), conn.closing != Closing::No);
    let waits_in_vain = conn.input.has_ended() && !conn.unparsed && http.wants_input() && !is_closing;
    ensure!(!waits_in_vain, "its input has ended, and it waits for more");
    ensure!(http.is_following() == conn.subscription.is_some(), "it follows a room and is no member, or the reverse");
    if conn.is_listed() || conn.is_securing() {
        return Ok(());
    }
    audit_member(engine, conn)?;
    ensure!(!is_closing || !is_flushed || http.is_responding(), "its last response is out, and it is not closed");
    let deadline = http.deadline_wanted(&conn.kept, !is_flushed);
    ensure!(http.deadline == deadline, "its deadline is {:?}, and should be {deadline:?}", http.deadline);
    Ok(())
}

fn audit_ws<N: Network>(engine: &Engine<N>, conn: &Connection<N::Stream>, ws: &Ws) -> Verdict {
    let has_ended = conn.input.has_ended();
    ensure!(!ws.over || conn.subscription.is_none(), "its session is over, and it is in a room");
    ensure!(!has_ended || conn.unparsed || ws.over, "its input has ended, and the application was not told");
    if conn.is_listed() {
        return Ok(());
    }
    ensure!(!(ws.is_finished() || has_ended) || !conn.is_flushed(), "all is said, and it is not closed");
    let output_waits = !conn.outbox.is_empty() || audit_member(engine, conn)? > 0;
    ensure!(ws.ping.is_none() || output_waits, "a ping waits for nothing");
    Ok(())
}

/// Returns the bytes that a member has still to be sent.
fn audit_member<N: Network>(engine: &Engine<N>, conn: &Connection<N::Stream>) -> Result<u64, String> {
    let room = conn.subscription.as_ref().and_then(|member| Some((member, engine.rooms.feed_of(member)?)));
    let behind = room.map_or(0, |(member, feed)| member.lane.behind(feed));
    let is_flushed_later = room.is_some_and(|(member, _)| engine.rooms.comes_to(member));
    ensure!(behind == 0 || !conn.writable || is_flushed_later, "its room has {behind} bytes that it would take");
    let behind_room = room.map_or(0, |(member, _)| behind - member.lane.own_bytes() as u64);
    let is_late = behind_room > engine.limits.feed_bytes_max() as u64;
    ensure!(!is_late || engine.rooms.are_dirty(), "it is {behind_room} bytes behind its room");
    Ok(behind)
}

fn audit_upstream(conn: &Connection<impl Stream>, upstream: &Upstream) -> Verdict {
    let state = upstream.state();
    let is_connected = matches!(state, State::Securing | State::Exchanging | State::Kept);
    ensure!(conn.stream.is_some() == is_connected, "{state:?}, its stream is there: {}", !is_connected);
    ensure!(state != State::Over, "it is over");
    ensure!(conn.is_queued() || !matches!(state, State::Placed | State::TurnedAway), "{state:?}, and it has no turn");
    let is_unseen = state == State::Exchanging && conn.input.has_ended() && !conn.unparsed;
    ensure!(!is_unseen, "its response has ended unseen");
    let has_place = !matches!(state, State::Queued | State::TurnedAway | State::Kept);
    ensure!(upstream.running == has_place, "{state:?}, it has a place: {}", upstream.running);
    Ok(())
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

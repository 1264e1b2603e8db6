//! The chat: rooms, their members, and what is said in them.
//!
//! A message is stored first and shown then ([`crate::store`]): its author is told so, and every member is shown it, in
//! the order in which messages were stored. Members speak one of two protocols, the [`plain`] lines of the course or
//! [`v1`], in the same rooms. A room has a log for each of them; how far each member has read is the server's affair. A
//! WebSocket outside the rooms is an echo.

pub mod addresses;
pub mod agenda;
pub mod allowance;
pub mod allowances;
pub mod attendance;
pub mod commands;
pub mod entrance;
pub mod expulsion;
pub mod frames;
pub mod join;
pub mod members;
pub mod moderation;
pub mod names;
pub mod newcomers;
pub mod plain;
pub mod room;
pub mod rooms;
pub mod rules;
pub mod speech;
pub mod v1;

use super::language::Localized;
use super::visit::Visit;
use crate::clock::Now;
use crate::event::{Command, Effect, Effects, Kind, Outcome, Payload, Position, Response, StreamEnd};
use crate::http::event_stream::encode_event;
use crate::id::ConnId;
use crate::store::{self, Act, Draft, Entry, Nonce, Refusal, Until};
use addresses::Addresses;
use attendance::{Attendance, publish};
use commands::Order;
use entrance::{Entrance, Manner, Newcomer, Place, Reader, Reading};
use expulsion::Expulsion;
use frames::{barred, not_stored, say, send};
use join::{Joining, Next};
use members::{Members, Traits};
use moderation::{Moderation, Rank};
use names::{Claim, Names};
use newcomers::Newcomers;
use room::Dialect;
use rules::Rules;
use speech::{Tolls, Wanted};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use v1::Problem;

/// Close codes, RFC 6455 section 7.4.1 and the registry of section 11.7.
const UNSUPPORTED_DATA: u16 = 1003;
const POLICY_VIOLATION: u16 = 1008;
const TOO_BIG: u16 = 1009;
const INTERNAL_ERROR: u16 = 1011;
/// Acts that `/log` lists.
const LOG_LINES: u32 = 50;

/// The rooms, their members, and the names that are online.
pub struct Chat {
    members: Members,
    attendance: Attendance,
    moderation: Moderation,
    pub addresses: Addresses,
    /// Connections that read their past before they enter or follow a room.
    joining: Newcomers,
    /// Responses that follow a room.
    readers: HashMap<ConnId, Reader>,
    rules: Rules,
}

impl Chat {
    /// No rooms.
    pub fn new(rules: Rules, addresses: Addresses, now: Instant) -> Chat {
        Chat {
            members: Members::default(),
            attendance: Attendance::new(Names::new(rules.rate, now), rules.grace),
            moderation: Moderation::default(),
            addresses,
            joining: Newcomers::default(),
            readers: HashMap::new(),
            rules,
        }
    }

    /// The claim to a name; `None` while another name that looks like it is online.
    pub fn claim(&self, name: &str) -> Option<Claim> {
        self.attendance.names.claim(name)
    }

    /// Checks that no ban is about this name or the address of the visit.
    ///
    /// # Errors
    /// 403, which says until when.
    pub fn admit(&self, visit: &Visit, name: &str) -> Result<(), Response> {
        match self.moderation.ban(name, visit.address(), visit.cx.now.wall) {
            None => Ok(()),
            Some(Until::Ever) => Err(visit.refusal(403, "why_banned")),
            Some(Until::Time(end)) => {
                let why = Localized::new("why_banned_until", [&end]);
                Err(visit.pages.error(visit.user, 403, &why))
            }
        }
    }

    /// Takes the turn of the visitor called `name` to write in a room.
    ///
    /// # Errors
    /// It may not, or it comes too soon.
    pub fn take_turn(&mut self, visit: &Visit, name: &Arc<str>, room: &Arc<str>) -> Result<(), Problem> {
        let (address, now) = (visit.address(), visit.cx.now);
        let mut tolls = Tolls { names: &mut self.attendance.names, addresses: &mut self.addresses };
        tolls.take(name, address, now.instant).map_err(Problem::TooFast)?;
        let turn = self.moderation.take_turn(name, room, visit.rank(), now);
        turn.map_err(|bar| Problem::Barred(bar, now.wall))
    }

    /// Whether the room is in no list.
    pub fn is_hidden(&self, room: &str) -> bool {
        self.moderation.settings(room).is_hidden
    }

    /// Whether a connection may enter this room.
    pub fn place_in(&self, room: &str) -> Place {
        if !self.rules.allows_room(room) {
            return Place::NoSuchRoom;
        }
        let is_there =
            self.attendance.rooms.find(room).is_some() || self.attendance.rooms.count() < self.rules.rooms_max;
        if is_there { Place::Free } else { Place::TooManyRooms }
    }

    /// A connection enters a room, as soon as it has what it wants to know of the past.
    pub fn enter(&mut self, from: ConnId, entrance: Entrance, now: Instant, out: &mut Effects) {
        let Entrance { claim, rank, address, room, manner } = entrance;
        let number = self.attendance.rooms.find_or_make(room);
        let name = self.attendance.names.enter(claim, now);
        let dialect = if matches!(manner, Manner::V1(_)) { Dialect::V1 } else { Dialect::Plain };
        self.members.insert(from, number, name.clone(), Traits { dialect, rank, address });
        let (joining, next) = match manner {
            Manner::Plain { history: 0 } => return self.be_present(from, now, out),
            Manner::Plain { history } => Joining::plain(history),
            Manner::V1(since) => Joining::since(since, dialect),
        };
        self.begin_joining(from, Newcomer { room: number, name, joining, is_reading: false }, next, now, out);
    }

    /// A response, whose head is under way, follows a room, as soon as it has what its client has missed.
    pub fn follow(&mut self, from: ConnId, entrance: Reading, now: Instant, out: &mut Effects) {
        let Reading { room, name, address, since } = entrance;
        let room = self.attendance.rooms.find_or_make(room);
        let (joining, next) = Joining::since(since, Dialect::Events);
        self.readers.insert(from, Reader { room, name: name.clone(), address, is_following: false });
        self.begin_joining(from, Newcomer { room, name, joining, is_reading: false }, next, now, out);
    }

    /// The names of the rooms with members.
    pub fn room_names(&self) -> impl Iterator<Item = &str> {
        self.attendance.rooms.iter().map(|room| &*room.name).filter(|name| self.count_in(name) > 0)
    }

    /// The number of names in a room.
    pub fn count_in(&self, room: &str) -> usize {
        self.attendance.rooms.find(room).map_or(0, |number| self.attendance.rooms[number].count())
    }

    /// The message of a member is handed to the store; that of any other WebSocket is sent back.
    pub fn on_message(&mut self, from: ConnId, kind: Kind, payload: Payload<'_>, now: Now, out: &mut Effects) {
        let Some(member) = self.members.get_mut(from) else {
            return out.send(from, kind, payload);
        };
        if kind == Kind::Binary {
            return self.expel(from, UNSUPPORTED_DATA, "text only", now.instant, out);
        }
        let text = payload.contiguous();
        let mut tolls = Tolls { names: &mut self.attendance.names, addresses: &mut self.addresses };
        if member.dialect == Dialect::V1 {
            let (frame, room) = (text.unwrap_or_default(), &self.attendance.rooms[member.room as usize].name);
            return match speech::read(frame, member, room, tolls, &mut self.moderation, &self.rules, now) {
                Ok(Wanted::Entry(draft)) => self.append(from, draft, now, out),
                Ok(Wanted::Order(order, nonce)) => self.carry_out(from, order, nonce, now, out),
                Err((problem, nonce)) => send(from, out, |frame| v1::write_error(&problem, nonce, frame)),
            };
        }
        if tolls.take(&member.name, member.address, now.instant).is_err() {
            return self.expel(from, POLICY_VIOLATION, "too fast", now.instant, out);
        }
        let text = text.filter(|text| text.len() <= self.rules.text_bytes_max);
        let Some(text) = text.and_then(|text| str::from_utf8(text).ok()) else {
            return self.expel(from, TOO_BIG, "too long", now.instant, out);
        };
        let (user, room) = (member.name.clone(), &self.attendance.rooms[member.room as usize].name);
        if let Err(bar) = self.moderation.take_turn(&user, room, member.rank, now) {
            return self.expel(from, POLICY_VIOLATION, barred(bar), now.instant, out);
        }
        self.append(from, Draft::Message { user, nonce: None, text: text.into() }, now, out);
    }

    fn append(&mut self, from: ConnId, draft: Draft, now: Now, out: &mut Effects) {
        if self.joining.get(from).is_some() {
            // It stands in line, and speaks before its `welcome`.
            return self.refuse(from, Refusal::Busy, draft.nonce(), now.instant, out);
        }
        if let Some(room) = self.begin_write(from) {
            out.push(Effect::Store(from, Command::Append { room, at: now.wall, draft }));
        }
    }

    /// Does what a member of `squall.v1` may do; it has the rank for it.
    fn carry_out(&mut self, from: ConnId, order: Order, nonce: Nonce, now: Now, out: &mut Effects) {
        let Some(member) = self.members.get_mut(from) else { return };
        let (rank, by, number) = (member.rank, member.name.clone(), member.room);
        let lines = match order {
            Order::Who if rank == Rank::Operator => self.members.lines(number),
            Order::Who => self.attendance.rooms[number as usize].names().into_iter().map(str::to_owned).collect(),
            Order::Help => commands::help(rank),
            Order::Invite => match &self.rules.invitations {
                Some(passes) => vec![passes.invitation_path(now.wall.whole())],
                None => return send(from, out, |frame| v1::write_error(&Problem::NoGate, Some(nonce), frame)),
            },
            Order::Log => {
                let command = Command::ReadActs { limit: LOG_LINES, nonce: Some(nonce) };
                return out.push(Effect::Store(from, command));
            }
            Order::Do(deed) => {
                let Some(room) = self.begin_write(from) else { return };
                let act = Act { at: now.wall, by, room, deed };
                return out.push(Effect::Store(from, Command::Record { act, nonce: Some(nonce) }));
            }
        };
        send(from, out, |frame| v1::write_result(Some(nonce), order.title(), &lines, frame));
    }

    /// A member has something to be stored; returns the name of its room.
    fn begin_write(&mut self, from: ConnId) -> Option<Arc<str>> {
        let member = self.members.get_mut(from)?;
        let room = self.attendance.rooms.get_mut(member.room as usize)?;
        member.unstored += 1;
        room.under_way += 1;
        Some(room.name.clone())
    }

    /// The store has done something for this connection, or for a room.
    pub fn on_stored(&mut self, from: ConnId, outcome: Outcome, now: Instant, out: &mut Effects) {
        match outcome {
            Outcome::Appended { room, nonce, position, is_new } => {
                if let Some(nonce) = nonce.filter(|_| self.members.get_mut(from).is_some()) {
                    send(from, out, |frame| v1::write_ack(nonce, position, frame));
                }
                self.end_write(from, &room, if is_new { position.id } else { 0 }, now, out);
            }
            Outcome::Recorded { nonce, act, entry } => {
                if self.members.get_mut(from).is_some() {
                    if let (Some(nonce), Some(position)) = (nonce, entry) {
                        send(from, out, |frame| v1::write_ack(nonce, position, frame));
                    }
                    send(from, out, |frame| v1::write_result(nonce, &act.to_string(), &[], frame));
                }
                self.end_write(from, &act.room, entry.map_or(0, |entry| entry.id), now, out);
            }
            Outcome::Refused { room, nonce, why } => {
                self.refuse(from, why, nonce, now, out);
                self.end_write(from, &room, 0, now, out);
            }
            Outcome::Act(act) => self.enforce(&act, now, out),
            Outcome::InForce(acts) => acts.iter().for_each(|act| self.enforce(act, now, out)),
            Outcome::Acts { nonce, acts } => {
                let lines: Vec<String> = acts.iter().map(Act::to_string).collect();
                if self.members.get_mut(from).is_some() {
                    send(from, out, |frame| v1::write_result(nonce, Order::Log.title(), &lines, frame));
                }
            }
            Outcome::Entry { room, entry } => self.show(&room, &entry, now, out),
            Outcome::Page { page, .. } => self.take_page(from, &page, now, out),
            Outcome::Unread => match self.joining.get(from).map(|newcomer| newcomer.joining.dialect()) {
                Some(Dialect::Events) => {
                    out.push(Effect::End(from, StreamEnd::Truncated));
                    self.on_left(from, now, out);
                }
                Some(_) => self.expel(from, INTERNAL_ERROR, "the history cannot be read", now, out),
                // The log of the operators.
                None => self.refuse(from, Refusal::Storage, None, now, out),
            },
            // For the login, for requests over HTTP and for the owner.
            Outcome::Claimed { .. } | Outcome::Unclaimed { .. } | Outcome::Rooms(_) | Outcome::Found { .. } => {}
            Outcome::Forgotten(_) | Outcome::Unchanged(_) => {}
            Outcome::Imported { .. } | Outcome::NotImported { .. } => {}
        }
    }

    /// An act is in force from now on: for those that are here, too.
    fn enforce(&mut self, act: &Act, now: Instant, out: &mut Effects) {
        if let Some(settings) = self.moderation.apply(act)
            && let Some(number) = self.attendance.rooms.find(&act.room)
        {
            let room = &self.attendance.rooms[number];
            publish(room, out, |frame| v1::write_settings(settings, &act.by, frame));
        }
        let Some(expulsion) = Expulsion::of(act) else { return };
        let room = self.attendance.rooms.find(&act.room);
        for (from, dialect) in self
            .members
            .find(|member| expulsion.is_for(&member.name, member.address, room == Some(member.room as usize)))
        {
            if dialect == Dialect::V1 {
                send(from, out, |frame| v1::write_error(&expulsion.problem(act.at), None, frame));
            }
            self.expel(from, POLICY_VIOLATION, expulsion.reason(), now, out);
        }
        let is_meant = |reader: &Reader| expulsion.is_for(&reader.name, reader.address, room == Some(reader.room));
        let followers = self.readers.iter().filter(|(_, reader)| is_meant(reader)).map(|(&from, _)| from);
        let followers: Vec<ConnId> = followers.collect();
        for from in followers {
            out.push(Effect::End(from, StreamEnd::Whole));
            self.on_left(from, now, out);
        }
    }

    /// A message of this member is lost.
    fn refuse(&mut self, from: ConnId, why: Refusal, nonce: Option<Nonce>, now: Instant, out: &mut Effects) {
        match self.members.get_mut(from).map(|member| member.dialect) {
            Some(Dialect::V1) => send(from, out, |frame| v1::write_error(&Problem::NotStored(why), nonce, frame)),
            // Lines have no errors: only the end says that the message was lost.
            Some(Dialect::Plain) => self.expel(from, INTERNAL_ERROR, not_stored(why), now, out),
            // No member speaks in events.
            Some(Dialect::Events) | None => {}
        }
    }

    /// Shows a new entry to every member of its room.
    fn show(&mut self, name: &str, entry: &Entry, now: Instant, out: &mut Effects) {
        let Some(number) = self.attendance.rooms.find(name) else { return };
        let room = &mut self.attendance.rooms[number];
        if room.has_shown(entry.id) {
            return;
        }
        room.shown = Some(entry.position());
        if let store::Kind::Message { user, text: Some(text), .. } = &entry.kind
            && room.has(Dialect::Plain)
        {
            say(room, out, |line| plain::write_message(line, user, text));
        }
        if room.has(Dialect::V1) || room.has(Dialect::Events) {
            let frame = out.write(|frame| v1::write_entry(entry, None, frame));
            out.push(Effect::Publish(room.feed(Dialect::V1), frame.clone()));
            out.push(Effect::PublishAt(room.feed(Dialect::Events), entry.position(), frame));
        }
        self.attendance.let_go(number, now, out);
    }

    /// Something of this connection waits no longer to be stored. `id` is that of a new entry, else 0.
    fn end_write(&mut self, from: ConnId, room: &str, id: u64, now: Instant, out: &mut Effects) {
        let Some(number) = self.attendance.rooms.find(room) else { return };
        let room = &mut self.attendance.rooms[number];
        room.stored = room.stored.max(id);
        if let Some(member) = self.members.get_mut(from) {
            member.unstored -= 1;
            room.under_way -= 1;
        } else {
            self.attendance.end_append(from, number, id, now, out);
        }
        self.attendance.rooms.drop_if_unused(number);
    }

    fn begin_joining(&mut self, from: ConnId, newcomer: Newcomer, first: Next, now: Instant, out: &mut Effects) {
        self.attendance.rooms[newcomer.room].under_way += 1;
        self.joining.insert(from, newcomer, first);
        self.let_newcomers_read(now, out);
    }

    fn let_newcomers_read(&mut self, now: Instant, out: &mut Effects) {
        while let Some((id, first)) = self.joining.next_reader() {
            self.go_on_joining(id, first, now, out);
        }
    }

    /// A page of the history is there for a connection that is about to enter or to follow.
    fn take_page(&mut self, from: ConnId, page: &store::Page, now: Instant, out: &mut Effects) {
        let Some(newcomer) = self.joining.get_mut(from) else { return };
        let shown = *self.attendance.rooms[newcomer.room].shown.get_or_insert(page.last);
        let next = newcomer.joining.take(page, shown, &newcomer.name);
        self.go_on_joining(from, next, now, out);
    }

    fn go_on_joining(&mut self, from: ConnId, next: Next, now: Instant, out: &mut Effects) {
        let Some(newcomer) = self.joining.get(from) else { return };
        let room = self.attendance.rooms[newcomer.room].name.clone();
        let (range, limit) = match (next, newcomer.joining.dialect()) {
            (Next::Read(range, limit), _) => (range, limit),
            (Next::Gap { oldest, reason, then }, Dialect::Events) => {
                let mut gap = Vec::new();
                v1::write_gap(oldest, reason, &mut gap);
                let event = out.write(|event| encode_event(None::<Position>, &gap, event));
                out.push(Effect::Piece(from, event));
                then
            }
            (Next::Gap { then, .. }, Dialect::Plain) => then,
            (Next::Gap { oldest, reason, then }, Dialect::V1) => {
                send(from, out, |frame| v1::write_gap(oldest, reason, frame));
                then
            }
            (Next::Enter, Dialect::Events) => return self.be_reader(from, now, out),
            (Next::Enter, _) => return self.be_present(from, now, out),
        };
        out.push(Effect::Store(from, Command::Read { room, range, limit }));
    }

    /// The response follows its room from here on.
    fn be_reader(&mut self, from: ConnId, now: Instant, out: &mut Effects) {
        let Some(Newcomer { room: number, joining, .. }) = self.joining.remove(from) else { return };
        let room = &mut self.attendance.rooms[number];
        room.under_way -= 1;
        room.add_reader();
        if let Some(reader) = self.readers.get_mut(&from) {
            reader.is_following = true;
        }
        let events = out.write(|events| match (joining.history(), room.shown) {
            // Without an event a client would have no position to come back with (WHATWG HTML, section 9.2.6).
            ([], shown) => events.extend_from_slice(format!("id: {}\n\n", shown.unwrap_or_default()).as_bytes()),
            (history, _) => events.extend_from_slice(history),
        });
        out.push(Effect::Piece(from, events));
        out.push(Effect::Join(from, room.feed(Dialect::Events)));
        self.let_newcomers_read(now, out);
    }

    /// The connection follows its room from here on, and its name is there.
    fn be_present(&mut self, from: ConnId, now: Instant, out: &mut Effects) {
        let Some(member) = self.members.get_mut(from) else { return };
        let (number, dialect, rank, name) = (member.room as usize, member.dialect, member.rank, member.name.clone());
        let joining = self.joining.remove(from).map(|newcomer| newcomer.joining);
        let room = &mut self.attendance.rooms[number];
        room.under_way -= u32::from(joining.is_some());
        let entered = self.attendance.arrive(number, &name, dialect, now, out);
        let room = &self.attendance.rooms[number];
        match (&joining, dialect) {
            (Some(joining), Dialect::V1) => {
                let settings = self.moderation.settings(&room.name);
                let frame = out.write(|frame| self.rules.write_welcome(room, (&name, rank), settings, joining, frame));
                out.push(Effect::Send(from, Kind::Text, frame));
            }
            (Some(joining), Dialect::Plain | Dialect::Events) => {
                joining.lines().for_each(|line| send(from, out, |frame| frame.extend_from_slice(line)));
            }
            (None, _) => {}
        }
        out.push(Effect::Join(from, room.feed(dialect)));
        self.attendance.announce(number, from, &name, dialect, entered, out);
        self.let_newcomers_read(now, out);
    }

    /// The connection has ended; a member leaves the room, behind its own messages.
    pub fn on_left(&mut self, from: ConnId, now: Instant, out: &mut Effects) {
        if let Some(Reader { room, is_following: true, .. }) = self.readers.remove(&from) {
            self.attendance.rooms[room].remove_reader();
            return self.attendance.rooms.drop_if_unused(room);
        }
        if let Some(Newcomer { room, .. }) = self.joining.remove(from) {
            self.attendance.rooms[room].under_way -= 1;
            if let Some(member) = self.members.remove(from) {
                // It was never there.
                self.attendance.names.leave(&member.name, now);
            }
            self.attendance.rooms.drop_if_unused(room);
            return self.let_newcomers_read(now, out);
        }
        if let Some(member) = self.members.remove(from) {
            self.attendance.part(from, member, now, out);
        }
    }

    /// The alarm: tells what rooms have to tell by now.
    pub fn on_alarm(&mut self, now: Instant, out: &mut Effects) {
        self.attendance.on_alarm(now, out);
    }

    /// The process stood still: what clients did meanwhile, at their rates, comes all at once.
    pub fn on_stalled(&mut self, stall: Duration) {
        self.attendance.names.add_stall(stall);
        self.addresses.add_stall(stall);
    }

    /// From now on no leave is announced.
    pub fn drain(&mut self) {
        self.attendance.drain();
    }

    fn expel(&mut self, from: ConnId, code: u16, reason: &'static str, now: Instant, out: &mut Effects) {
        out.push(Effect::Close(from, code, reason));
        self.on_left(from, now, out);
    }
}

#[cfg(test)]
mod tests;

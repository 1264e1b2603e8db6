//! The chat: rooms, their members, and what is said in them.
//!
//! A message is stored first and shown then ([`crate::store`]): its author is told so, and every member is shown it, in
//! the order in which messages were stored. Members speak one of two protocols, the [`plain`] lines of the course or
//! [`v1`], in the same rooms. A room has a log for each of them; how far each member has read is the server's affair. A
//! WebSocket outside the rooms is an echo.

pub mod agenda;
pub mod allowance;
pub mod entrance;
pub mod frames;
pub mod join;
pub mod members;
pub mod names;
pub mod newcomers;
pub mod plain;
pub mod room;
pub mod rooms;
pub mod rules;
pub mod v1;

use super::context::User;
use super::language::Localized;
use super::pages::{Page, Pages};
use super::room_name::{self, LOBBY};
use crate::clock::Now;
use crate::event::{Command, Effect, Effects, Kind, Outcome, Payload, Position, Response, StreamEnd};
use crate::http::event_stream::encode_event;
use crate::http::url::{Form, encode_component};
use crate::id::ConnId;
use crate::store::{self, Draft, Entry, Nonce, Refusal, Rights};
use agenda::Agenda;
use allowance::Allowance;
use entrance::{Entrance, Manner, Newcomer, Place};
use frames::{not_stored, say, send};
use join::{Joining, Next, Since};
use members::{Leaver, Member, Members};
use names::{Claim, Names};
use newcomers::Newcomers;
use room::{Dialect, Entered, News, Telling};
use rooms::Rooms;
use rules::Rules;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use v1::{Problem, Said};

/// Close codes, RFC 6455 section 7.4.1 and the registry of section 11.7.
const UNSUPPORTED_DATA: u16 = 1003;
const POLICY_VIOLATION: u16 = 1008;
const TOO_BIG: u16 = 1009;
const INTERNAL_ERROR: u16 = 1011;

/// The rooms, their members, and the names that are online.
pub struct Chat {
    members: Members,
    names: Names,
    rooms: Rooms,
    /// Connections that read their past before they enter or follow a room.
    joining: Newcomers,
    /// Responses that follow a room, by its number.
    readers: HashMap<ConnId, usize>,
    /// Members that have gone, whose last messages are not shown yet.
    leaving: HashMap<ConnId, Leaver>,
    agenda: Agenda,
    rules: Rules,
    draining: bool,
}

impl Chat {
    /// No rooms.
    pub fn new(rules: Rules) -> Chat {
        Chat {
            members: Members::default(),
            names: Names::default(),
            rooms: Rooms::default(),
            joining: Newcomers::default(),
            readers: HashMap::new(),
            leaving: HashMap::new(),
            agenda: Agenda::default(),
            rules,
            draining: false,
        }
    }

    /// The chat page for a user that may enter, else the way to the login and back; 400 without a name of a room.
    pub fn page(&self, user: &User, query: &Form, pages: &Pages) -> Response {
        let typed = query.value("room");
        let Ok(room) = room_name::check(typed.as_deref().unwrap_or(LOBBY)) else {
            return pages.error(user, 400, &Localized::new("why_room", []));
        };
        // A name that looks like that of a member cannot enter, so the login has to change it.
        if user.name.as_ref().is_some_and(|name| self.claim(name).is_some()) {
            return pages.render(&Page::Chat, user, 200);
        }
        let next = match typed {
            // Encoded once as a value in its own query, and again as one in that of the login.
            Some(_) => encode_component(&format!("/chat/?room={}", encode_component(&room))),
            None => "/chat/".into(),
        };
        Response::redirect(303, format!("/login?next={next}")).header("Cache-Control", "no-store")
    }

    /// The claim to a name; `None` while another name that looks like it is online.
    pub fn claim(&self, name: &str) -> Option<Claim> {
        self.names.claim(name)
    }

    /// Whether a connection may enter this room.
    pub fn place_in(&self, room: &str) -> Place {
        if !self.rules.allows_room(room) {
            return Place::NoSuchRoom;
        }
        let is_there = self.rooms.find(room).is_some() || self.rooms.count() < self.rules.rooms_max;
        if is_there { Place::Free } else { Place::TooManyRooms }
    }

    /// A connection enters a room, as soon as it has what it wants to know of the past.
    pub fn enter(&mut self, from: ConnId, entrance: Entrance, now: Instant, out: &mut Effects) {
        let Entrance { claim, room, manner } = entrance;
        let number = self.rooms.find_or_make(room);
        let name = self.names.enter(claim);
        let dialect = if matches!(manner, Manner::V1(_)) { Dialect::V1 } else { Dialect::Plain };
        let allowance = Allowance::full(&self.rules.rate, now);
        self.members.insert(from, number, name.clone(), allowance, dialect);
        let (joining, next) = match manner {
            Manner::Plain { history: 0 } => return self.be_present(from, now, out),
            Manner::Plain { history } => Joining::plain(history),
            Manner::V1(since) => Joining::since(since, dialect),
        };
        self.begin_joining(from, Newcomer { room: number, name, joining, is_reading: false }, next, now, out);
    }

    /// A response, whose head is under way, follows a room, as soon as it has what its client has missed.
    pub fn follow(
        &mut self,
        from: ConnId,
        room: Arc<str>,
        name: Arc<str>,
        since: Since,
        now: Instant,
        out: &mut Effects,
    ) {
        let room = self.rooms.find_or_make(room);
        let (joining, next) = Joining::since(since, Dialect::Events);
        self.begin_joining(from, Newcomer { room, name, joining, is_reading: false }, next, now, out);
    }

    /// The names of the rooms with members.
    pub fn room_names(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().map(|room| &*room.name).filter(|name| self.count_in(name) > 0)
    }

    /// The number of names in a room.
    pub fn count_in(&self, room: &str) -> usize {
        self.rooms.find(room).map_or(0, |number| self.rooms[number].count())
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
        if member.dialect == Dialect::V1 {
            return match self.read_v1(from, text, now.instant) {
                Ok(draft) => self.submit(from, draft, now, out),
                Err((problem, nonce)) => send(from, out, |frame| v1::write_error(problem, nonce, frame)),
            };
        }
        if member.allowance.take(&self.rules.rate, now.instant).is_err() {
            return self.expel(from, POLICY_VIOLATION, "too fast", now.instant, out);
        }
        let text = text.filter(|text| text.len() <= self.rules.text_bytes_max);
        let Some(text) = text.and_then(|text| str::from_utf8(text).ok()) else {
            return self.expel(from, TOO_BIG, "too long", now.instant, out);
        };
        let draft = Draft::Message { user: member.name.clone(), nonce: None, text: text.into() };
        self.submit(from, draft, now, out);
    }

    /// What a member of `squall.v1` wants to have stored.
    fn read_v1(&mut self, from: ConnId, frame: Option<&[u8]>, now: Instant) -> Result<Draft, (Problem, Option<Nonce>)> {
        let said = v1::parse(frame.unwrap_or_default()).map_err(|e| (Problem::Malformed, e.0))?;
        let Some(member) = self.members.get_mut(from) else { return Err((Problem::Malformed, None)) };
        let (Said::Message { nonce, .. } | Said::Delete { nonce, .. }) = said;
        let rate = &self.rules.rate;
        member.allowance.take(rate, now).map_err(|wait| (Problem::TooFast(wait), Some(nonce)))?;
        let name = member.name.clone();
        match said {
            Said::Message { text, .. } if text.len() > self.rules.text_bytes_max => {
                Err((Problem::TooLong, Some(nonce)))
            }
            Said::Message { text, .. } if text.trim().is_empty() => Err((Problem::Empty, Some(nonce))),
            Said::Message { text, nonce } => Ok(Draft::Message { user: name, nonce: Some(nonce), text: text.into() }),
            Said::Delete { id, nonce } => {
                Ok(Draft::Deletion { target: id, by: name, rights: Rights::Author, nonce: Some(nonce) })
            }
        }
    }

    fn submit(&mut self, from: ConnId, draft: Draft, now: Now, out: &mut Effects) {
        if self.joining.get(from).is_some() {
            // It stands in line, and speaks before its `welcome`.
            return self.refuse(from, Refusal::Busy, draft.nonce(), now.instant, out);
        }
        let Some(member) = self.members.get_mut(from) else { return };
        let Some(room) = self.rooms.get_mut(member.room as usize) else { return };
        member.unstored += 1;
        room.under_way += 1;
        out.push(Effect::Store(from, Command::Append { room: room.name.clone(), at: now.wall, draft }));
    }

    /// The store has done something for this connection, or for a room.
    pub fn on_stored(&mut self, from: ConnId, outcome: Outcome, now: Instant, out: &mut Effects) {
        match outcome {
            Outcome::Appended { room, nonce, id, is_new } => {
                if let Some(nonce) = nonce.filter(|_| self.members.get_mut(from).is_some()) {
                    send(from, out, |frame| v1::write_ack(nonce, id, frame));
                }
                self.end_append(from, &room, if is_new { id } else { 0 }, now, out);
            }
            Outcome::Refused { room, nonce, why } => {
                self.refuse(from, why, nonce, now, out);
                self.end_append(from, &room, 0, now, out);
            }
            Outcome::Entry { room, entry } => self.show(&room, &entry, now, out),
            Outcome::Page { page, .. } => self.take_page(from, &page, now, out),
            Outcome::Unread => match self.joining.get(from).map(|newcomer| newcomer.joining.dialect()) {
                Some(Dialect::Events) => {
                    out.push(Effect::End(from, StreamEnd::Truncated));
                    self.on_left(from, now, out);
                }
                Some(_) => self.expel(from, INTERNAL_ERROR, "the history cannot be read", now, out),
                None => {}
            },
            // No member asks for these.
            Outcome::Rooms(_)
            | Outcome::Forgotten(_)
            | Outcome::Unchanged(_)
            | Outcome::Imported { .. }
            | Outcome::NotImported { .. } => {}
        }
    }

    /// A message of this member is lost.
    fn refuse(&mut self, from: ConnId, why: Refusal, nonce: Option<Nonce>, now: Instant, out: &mut Effects) {
        match self.members.get_mut(from).map(|member| member.dialect) {
            Some(Dialect::V1) => send(from, out, |frame| v1::write_error(Problem::NotStored(why), nonce, frame)),
            // Lines have no errors: only the end says that the message was lost.
            Some(Dialect::Plain) => self.expel(from, INTERNAL_ERROR, not_stored(why), now, out),
            // No member speaks in events.
            Some(Dialect::Events) | None => {}
        }
    }

    /// Shows a new entry to every member of its room.
    fn show(&mut self, name: &str, entry: &Entry, now: Instant, out: &mut Effects) {
        let Some(number) = self.rooms.find(name) else { return };
        let room = &mut self.rooms[number];
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
        self.let_go(number, now, out);
    }

    /// One message of this connection waits no longer to be stored. `id` is that of a new entry, else 0.
    fn end_append(&mut self, from: ConnId, room: &str, id: u64, now: Instant, out: &mut Effects) {
        let Some(number) = self.rooms.find(room) else { return };
        let room = &mut self.rooms[number];
        room.stored = room.stored.max(id);
        if let Some(member) = self.members.get_mut(from) {
            member.unstored -= 1;
            room.under_way -= 1;
        } else if let Some(leaver) = self.leaving.get_mut(&from) {
            leaver.unstored -= 1;
            leaver.last = leaver.last.max(id);
            room.under_way -= 1;
            self.let_go(number, now, out);
        }
        self.rooms.drop_if_unused(number);
    }

    /// Announces the leave of each connection that has ended, once its own messages are shown.
    fn let_go(&mut self, number: usize, now: Instant, out: &mut Effects) {
        let room = &self.rooms[number];
        if room.leavers == 0 {
            return;
        }
        let gone = |leaver: &Leaver| leaver.room == number && leaver.unstored == 0 && room.has_shown(leaver.last);
        let gone: Vec<Leaver> = self.leaving.extract_if(|_, leaver| gone(leaver)).map(|(_, leaver)| leaver).collect();
        for leaver in gone {
            let room = &mut self.rooms[number];
            (room.under_way, room.leavers) = (room.under_way - 1, room.leavers - 1);
            self.leave(number, &leaver.name, leaver.dialect, now, out);
        }
    }

    fn begin_joining(&mut self, from: ConnId, newcomer: Newcomer, first: Next, now: Instant, out: &mut Effects) {
        self.rooms[newcomer.room].under_way += 1;
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
        let shown = *self.rooms[newcomer.room].shown.get_or_insert(page.last);
        let next = newcomer.joining.take(page, shown, &newcomer.name);
        self.go_on_joining(from, next, now, out);
    }

    fn go_on_joining(&mut self, from: ConnId, next: Next, now: Instant, out: &mut Effects) {
        let Some(newcomer) = self.joining.get(from) else { return };
        let room = self.rooms[newcomer.room].name.clone();
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
        let room = &mut self.rooms[number];
        room.under_way -= 1;
        room.add_reader();
        self.readers.insert(from, number);
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
        let (number, dialect, name) = (member.room as usize, member.dialect, member.name.clone());
        let joining = self.joining.remove(from).map(|newcomer| newcomer.joining);
        let room = &mut self.rooms[number];
        room.under_way -= u32::from(joining.is_some());
        let entered = room.enter(&name, dialect);
        if entered == Entered::First {
            // Before it follows the room: a member of `squall.v1` is told of itself by `welcome`.
            let telling = room.tell_enter(name.clone(), now);
            self.tell(number, telling, out);
        }
        let room = &self.rooms[number];
        match (&joining, dialect) {
            (Some(joining), Dialect::V1) => {
                let frame = out.write(|frame| self.rules.write_welcome(room, &name, joining, frame));
                out.push(Effect::Send(from, Kind::Text, frame));
            }
            (Some(joining), Dialect::Plain | Dialect::Events) => {
                joining.lines().for_each(|line| send(from, out, |frame| frame.extend_from_slice(line)));
            }
            (None, _) => {}
        }
        out.push(Effect::Join(from, room.feed(dialect)));
        match entered {
            Entered::First | Entered::Back => say(room, out, |line| plain::write_enter(line, &name)),
            Entered::Again if dialect == Dialect::Plain => send(from, out, |line| plain::write_enter(line, &name)),
            Entered::Again => {}
        }
        self.let_newcomers_read(now, out);
    }

    /// The connection has ended; a member leaves the room, behind its own messages.
    pub fn on_left(&mut self, from: ConnId, now: Instant, out: &mut Effects) {
        if let Some(number) = self.readers.remove(&from) {
            self.rooms[number].remove_reader();
            return self.rooms.drop_if_unused(number);
        }
        if let Some(Newcomer { room, .. }) = self.joining.remove(from) {
            self.rooms[room].under_way -= 1;
            if let Some(member) = self.members.remove(from) {
                // It was never there.
                self.names.leave(&member.name);
            }
            self.rooms.drop_if_unused(room);
            return self.let_newcomers_read(now, out);
        }
        let Some(Member { room, name, dialect, unstored, .. }) = self.members.remove(from) else { return };
        let number = room as usize;
        let room = &mut self.rooms[number];
        let last = room.stored;
        if unstored > 0 || !room.has_shown(last) {
            (room.under_way, room.leavers) = (room.under_way + 1, room.leavers + 1);
            self.leaving.insert(from, Leaver { room: number, name, dialect, unstored, last });
            return;
        }
        self.leave(number, &name, dialect, now, out);
    }

    fn leave(&mut self, number: usize, name: &Arc<str>, dialect: Dialect, now: Instant, out: &mut Effects) {
        self.names.leave(name);
        let room = &mut self.rooms[number];
        if room.leave(name, dialect, now) && !self.draining {
            say(room, out, |line| plain::write_leave(line, name));
            if let Some(at) = room.plan_leave(name, now, self.rules.grace) {
                self.agenda.plan(at, number, out);
            }
        }
        self.rooms.drop_if_unused(number);
    }

    /// The alarm: tells what rooms have to tell by now.
    pub fn on_alarm(&mut self, now: Instant, out: &mut Effects) {
        while let Some(number) = self.agenda.next(now, out) {
            let Some(room) = self.rooms.get_mut(number) else { continue };
            let (gone, later) = room.take_leavers(now, self.rules.grace);
            let changes = room.take_changes(now);
            let leaves: Vec<Telling> = gone.into_iter().map(|name| room.tell_leave(name, now)).collect();
            for at in later {
                self.agenda.plan(at, number, out);
            }
            for telling in changes.map(Telling::Now).into_iter().chain(leaves) {
                self.tell(number, telling, out);
            }
            self.rooms.drop_if_unused(number);
        }
    }

    /// Tells the members of `squall.v1`, now or at its time.
    fn tell(&mut self, number: usize, telling: Telling, out: &mut Effects) {
        let news = match telling {
            Telling::Now(news) => news,
            Telling::At(at) => return self.agenda.plan(at, number, out),
            Telling::Planned => return,
        };
        let room = &self.rooms[number];
        if !room.has(Dialect::V1) && !room.has(Dialect::Events) {
            return;
        }
        let count = room.count();
        let frame = out.write(|frame| match &news {
            News::Enter(name) => v1::write_presence("enter", name, count, frame),
            News::Leave(name) => v1::write_presence("leave", name, count, frame),
            News::Changes { entered, left } => v1::write_changes(entered, left, count, frame),
        });
        out.push(Effect::Publish(room.feed(Dialect::V1), frame.clone()));
        out.push(Effect::Publish(room.feed(Dialect::Events), frame));
    }

    /// The process stood still: the messages that members sent meanwhile, at their rate, come all at once.
    pub fn on_stalled(&mut self, stall: Duration) {
        self.members.add_stall(&self.rules.rate, stall);
    }

    /// From now on no leave is announced.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    fn expel(&mut self, from: ConnId, code: u16, reason: &'static str, now: Instant, out: &mut Effects) {
        out.push(Effect::Close(from, code, reason));
        self.on_left(from, now, out);
    }
}

#[cfg(test)]
mod tests;

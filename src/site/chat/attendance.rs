//! Which names are in which room, and what the members of a room are told of it.

use super::agenda::Agenda;
use super::frames::{say, send};
use super::members::{Leaver, Member};
use super::names::Names;
use super::plain;
use super::room::{Dialect, Entered, News, Room, Telling};
use super::rooms::Rooms;
use super::v1;
use crate::event::{Effect, Effects};
use crate::id::ConnId;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The rooms, the names that are online, and the members that are about to leave.
pub struct Attendance {
    pub rooms: Rooms,
    pub names: Names,
    /// Members that have gone, whose last messages are not shown yet.
    leaving: HashMap<ConnId, Leaver>,
    agenda: Agenda,
    /// Time between the end of a name's last connection and its leave, in `squall.v1`.
    grace: Duration,
    draining: bool,
}

impl Attendance {
    /// No rooms and no names.
    pub fn new(names: Names, grace: Duration) -> Attendance {
        Attendance {
            rooms: Rooms::default(),
            names,
            leaving: HashMap::new(),
            agenda: Agenda::default(),
            grace,
            draining: false,
        }
    }

    /// From now on no leave is announced.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// A connection is in the room from here on. The members of `squall.v1` are told at once: before the connection
    /// follows the room, since its `welcome` has its own name.
    pub fn arrive(
        &mut self,
        number: usize,
        name: &Arc<str>,
        dialect: Dialect,
        now: Instant,
        out: &mut Effects,
    ) -> Entered {
        let room = &mut self.rooms[number];
        let entered = room.enter(name, dialect);
        if entered == Entered::First {
            let telling = room.tell_enter(name.clone(), now);
            self.tell(number, telling, out);
        }
        entered
    }

    /// The connection follows the room: it and the members of the plain protocol are told of its name.
    pub fn announce(
        &self,
        number: usize,
        from: ConnId,
        name: &str,
        dialect: Dialect,
        entered: Entered,
        out: &mut Effects,
    ) {
        match entered {
            Entered::First | Entered::Back => say(&self.rooms[number], out, |line| plain::write_enter(line, name)),
            Entered::Again if dialect == Dialect::Plain => send(from, out, |line| plain::write_enter(line, name)),
            Entered::Again => {}
        }
    }

    /// The connection of a member has ended. It leaves behind its own messages.
    pub fn part(&mut self, from: ConnId, member: Member, now: Instant, out: &mut Effects) {
        let Member { room, name, dialect, unstored, .. } = member;
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

    /// One message of a connection that may have gone waits no longer to be stored. `id` is that of a new entry, else 0.
    pub fn end_append(&mut self, from: ConnId, number: usize, id: u64, now: Instant, out: &mut Effects) {
        if let Some(leaver) = self.leaving.get_mut(&from) {
            leaver.unstored -= 1;
            leaver.last = leaver.last.max(id);
            self.rooms[number].under_way -= 1;
            self.let_go(number, now, out);
        }
    }

    /// Announces the leave of each connection that has ended, once its own messages are shown.
    pub fn let_go(&mut self, number: usize, now: Instant, out: &mut Effects) {
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

    /// Whether no member is about to leave.
    #[cfg(test)]
    pub fn is_settled(&self) -> bool {
        self.leaving.is_empty()
    }

    fn leave(&mut self, number: usize, name: &Arc<str>, dialect: Dialect, now: Instant, out: &mut Effects) {
        self.names.leave(name, now);
        let room = &mut self.rooms[number];
        if room.leave(name, dialect, now) && !self.draining {
            say(room, out, |line| plain::write_leave(line, name));
            if let Some(at) = room.plan_leave(name, now, self.grace) {
                self.agenda.plan(at, number, out);
            }
        }
        self.rooms.drop_if_unused(number);
    }

    /// The alarm: tells what rooms have to tell by now.
    pub fn on_alarm(&mut self, now: Instant, out: &mut Effects) {
        while let Some(number) = self.agenda.next(now, out) {
            let Some(room) = self.rooms.get_mut(number) else { continue };
            let (gone, later) = room.take_leavers(now, self.grace);
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
        let count = room.count();
        publish(room, out, |frame| match &news {
            News::Enter(name) => v1::write_presence("enter", name, count, frame),
            News::Leave(name) => v1::write_presence("leave", name, count, frame),
            News::Changes { entered, left } => v1::write_changes(entered, left, count, frame),
        });
    }
}

/// One frame to all members of `squall.v1`, and to those that follow its events. It is no entry, so it has no id.
pub fn publish(room: &Room, out: &mut Effects, write: impl FnOnce(&mut Vec<u8>)) {
    if !room.has(Dialect::V1) && !room.has(Dialect::Events) {
        return;
    }
    let frame = out.write(write);
    out.push(Effect::Publish(room.feed(Dialect::V1), frame.clone()));
    out.push(Effect::Publish(room.feed(Dialect::Events), frame));
}

//! One room: what was shown in it, and the names that are present.

use crate::id::FeedId;
use crate::store::Position;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// With more names, members get numbers and changes from time to time, instead of a frame for each change.
const SMALL_MAX: usize = 200;
/// Names that `welcome` lists at most.
const LISTED_MAX: usize = 200;
/// Names in each list of a `presence` frame at most; the count is always exact.
const CHANGES_MAX: usize = 50;
/// Interval of `presence` frames.
const CHANGES_EVERY: Duration = Duration::from_secs(1);

/// The protocol that a member speaks. Each has its own log of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Lines of text.
    Plain,
    /// `squall.v1`.
    V1,
    /// Its frames as Server-Sent Events. They have readers, who are not present.
    Events,
}

/// A room with members, or with work under way for it.
pub struct Room {
    pub name: Arc<str>,
    /// The number of its place in the list of rooms.
    number: usize,
    /// The last entry that was shown here; `None` until the history was read.
    pub shown: Option<Position>,
    /// The id of the last entry that is known to be stored.
    pub stored: u64,
    /// Members by dialect, and readers.
    members: [u32; 3],
    present: HashMap<Arc<str>, Presence>,
    /// Names that may be leaving, by the time at which that is looked at.
    leaving: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
    changes: Changes,
    /// Connections that are about to enter or leave, and messages that wait to be stored: the room stays for them.
    pub under_way: u32,
    /// Of these, members that have gone and whose last messages are not shown yet.
    pub leavers: u32,
}

/// A name in the room.
#[derive(Default)]
struct Presence {
    connections: u32,
    /// When the last connection left.
    gone_at: Option<Instant>,
    /// It is in the list of names that may be leaving.
    is_listed: bool,
}

/// What was not told yet, in a large room.
#[derive(Default)]
struct Changes {
    entered: Vec<Arc<str>>,
    left: Vec<Arc<str>>,
    /// When it is told.
    due: Option<Instant>,
}

/// What a member of `squall.v1` is told of the names in its room.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    Enter(Arc<str>),
    Leave(Arc<str>),
    Changes { entered: Vec<Arc<str>>, left: Vec<Arc<str>> },
}

/// When news is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Telling {
    Now(News),
    /// Together with other changes, at this time.
    At(Instant),
    /// The same, at a time that is known already.
    Planned,
}

/// What a connection that enters means for its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// It is new in the room.
    First,
    /// Its last connection has left a moment ago, and its leave was not announced to all.
    Back,
    /// It has other connections.
    Again,
}

impl Room {
    /// An empty room.
    pub fn new(name: Arc<str>, number: usize) -> Room {
        Room {
            name,
            number,
            shown: None,
            stored: 0,
            members: [0; 3],
            present: HashMap::new(),
            leaving: BinaryHeap::new(),
            changes: Changes::default(),
            under_way: 0,
            leavers: 0,
        }
    }

    /// The log of the room for this dialect.
    pub fn feed(&self, dialect: Dialect) -> FeedId {
        FeedId(self.number as u32 * 3 + dialect as u32)
    }

    /// Whether a member speaks this dialect.
    pub fn has(&self, dialect: Dialect) -> bool {
        self.members[dialect as usize] > 0
    }

    /// Whether the entry with this id was shown here, if it is one of this room.
    pub fn has_shown(&self, id: u64) -> bool {
        id == 0 || self.shown.is_some_and(|shown| id <= shown.id)
    }

    /// Names in the room, those included whose leave is not announced yet.
    pub fn count(&self) -> usize {
        self.present.len()
    }

    /// Some of these names: all of them in a small room.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.present.keys().take(LISTED_MAX).map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    /// Whether nothing is left that needs the room.
    pub fn is_unused(&self) -> bool {
        self.under_way == 0 && self.present.is_empty() && !self.has(Dialect::Events)
    }

    /// A response follows the room.
    pub fn add_reader(&mut self) {
        self.members[Dialect::Events as usize] += 1;
    }

    /// The response does not follow the room any more.
    pub fn remove_reader(&mut self) {
        self.members[Dialect::Events as usize] -= 1;
    }

    /// A connection enters.
    pub fn enter(&mut self, name: &Arc<str>, dialect: Dialect) -> Entered {
        self.members[dialect as usize] += 1;
        let is_new = !self.present.contains_key(name);
        let presence = self.present.entry(name.clone()).or_default();
        presence.connections += 1;
        match (is_new, presence.gone_at.take()) {
            (true, _) => Entered::First,
            (false, Some(_)) => Entered::Back,
            (false, None) => Entered::Again,
        }
    }

    /// A connection leaves. Returns whether it was the last one of its name.
    pub fn leave(&mut self, name: &Arc<str>, dialect: Dialect, now: Instant) -> bool {
        self.members[dialect as usize] -= 1;
        let Some(presence) = self.present.get_mut(name) else { return false };
        presence.connections -= 1;
        if presence.connections > 0 {
            return false;
        }
        presence.gone_at = Some(now);
        true
    }

    /// The name of the last connection that left is announced as gone after `grace`, if it has not come back. Returns
    /// the time of a new look. `None`: one is planned already, or no member would be told and the name is gone at once.
    pub fn plan_leave(&mut self, name: &Arc<str>, now: Instant, grace: Duration) -> Option<Instant> {
        if !self.has(Dialect::V1) && !self.has(Dialect::Events) {
            self.present.remove(name);
            return None;
        }
        let presence = self.present.get_mut(name)?;
        if std::mem::replace(&mut presence.is_listed, true) {
            return None;
        }
        let at = now.checked_add(grace)?;
        self.leaving.push(Reverse((at, name.clone())));
        Some(at)
    }

    /// The names whose time to come back is over leave. Those that left later than they were listed for wait on: when to
    /// look at each of them again.
    pub fn take_leavers(&mut self, now: Instant, grace: Duration) -> (Vec<Arc<str>>, Vec<Instant>) {
        let (mut gone, mut later) = (vec![], vec![]);
        while self.leaving.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, name))) = self.leaving.pop() else { break };
            let Some(presence) = self.present.get_mut(&name) else { continue };
            match presence.gone_at.and_then(|at| at.checked_add(grace)) {
                None => presence.is_listed = false,
                Some(at) if at > now => {
                    self.leaving.push(Reverse((at, name)));
                    later.push(at);
                }
                Some(_) => {
                    self.present.remove(&name);
                    gone.push(name);
                }
            }
        }
        (gone, later)
    }

    /// A name has entered.
    pub fn tell_enter(&mut self, name: Arc<str>, now: Instant) -> Telling {
        if self.is_small() {
            return Telling::Now(News::Enter(name));
        }
        let changes = &mut self.changes;
        note(name, &mut changes.entered, &mut changes.left);
        changes.begin(now)
    }

    /// A name has left, and its time to come back is over.
    pub fn tell_leave(&mut self, name: Arc<str>, now: Instant) -> Telling {
        if self.is_small() {
            return Telling::Now(News::Leave(name));
        }
        let changes = &mut self.changes;
        note(name, &mut changes.left, &mut changes.entered);
        changes.begin(now)
    }

    /// The changes, if they are due.
    pub fn take_changes(&mut self, now: Instant) -> Option<News> {
        self.changes.due.filter(|&due| due <= now)?;
        let Changes { entered, left, .. } = std::mem::take(&mut self.changes);
        Some(News::Changes { entered, left })
    }

    /// Whether each change is told at once. Not before the changes that wait.
    fn is_small(&self) -> bool {
        self.present.len() <= SMALL_MAX && self.changes.due.is_none()
    }
}

impl Changes {
    /// Something is to be told with the others.
    fn begin(&mut self, now: Instant) -> Telling {
        match self.due {
            Some(_) => Telling::Planned,
            None => Telling::At(*self.due.insert(now + CHANGES_EVERY)),
        }
    }
}

/// Notes a name in one list, or strikes it from the other one.
fn note(name: Arc<str>, here: &mut Vec<Arc<str>>, there: &mut Vec<Arc<str>>) {
    match there.iter().position(|other| *other == name) {
        Some(n) => drop(there.swap_remove(n)),
        None if here.len() < CHANGES_MAX => here.push(name),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(15);

    fn room(names: &[&str]) -> Room {
        let mut room = Room::new("lobby".into(), 3);
        for name in names {
            room.enter(&Arc::from(*name), Dialect::V1);
        }
        room
    }

    #[test]
    fn each_dialect_has_its_feed() {
        let room = room(&["ann"]);
        assert_eq!((room.feed(Dialect::Plain), room.feed(Dialect::V1)), (FeedId(9), FeedId(10)));
        assert_eq!((room.has(Dialect::Plain), room.has(Dialect::V1)), (false, true));
    }

    #[test]
    fn a_name_that_comes_back_in_time_has_not_left() {
        let (mut room, now, bob): (_, _, Arc<str>) = (room(&["ann", "bob"]), Instant::now(), "bob".into());
        assert!(room.leave(&bob, Dialect::V1, now));
        let due = room.plan_leave(&bob, now, GRACE).expect("it is planned");
        assert_eq!((due, room.count()), (now + GRACE, 2));
        assert_eq!(room.enter(&bob, Dialect::V1), Entered::Back);
        assert_eq!(room.take_leavers(due, GRACE), (vec![], vec![]));
        assert_eq!(room.count(), 2);
        assert!(room.leave(&bob, Dialect::V1, due), "and it is planned anew");
        assert_eq!(room.plan_leave(&bob, due, GRACE), Some(due + GRACE));
    }

    #[test]
    fn a_name_that_goes_again_has_its_time_again() {
        let (mut room, now, bob): (_, _, Arc<str>) = (room(&["ann", "bob"]), Instant::now(), "bob".into());
        let later = now + GRACE / 2;
        assert!(room.leave(&bob, Dialect::V1, now));
        assert_eq!(room.plan_leave(&bob, now, GRACE), Some(now + GRACE));
        assert_eq!(room.enter(&bob, Dialect::V1), Entered::Back);
        assert!(room.leave(&bob, Dialect::V1, later));
        assert_eq!(room.plan_leave(&bob, later, GRACE), None, "it is listed");
        assert_eq!(room.take_leavers(now + GRACE, GRACE), (vec![], vec![later + GRACE]));
        assert_eq!(room.take_leavers(later + GRACE, GRACE), (vec![bob], vec![]));
        assert_eq!((room.count(), room.names()), (1, vec!["ann"]));
    }

    #[test]
    fn names_that_went_twice_leave_each_at_its_time() {
        let (mut room, now) = (room(&["ann", "bob", "cid"]), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        let go = |room: &mut Room, name: &str, at| {
            let name = name.into();
            assert!(room.leave(&name, Dialect::V1, at));
            room.plan_leave(&name, at, GRACE)
        };
        for name in ["ann", "bob"] {
            assert_eq!(go(&mut room, name, after(0)), Some(after(15)));
            room.enter(&name.into(), Dialect::V1);
        }
        assert_eq!([go(&mut room, "bob", after(5)), go(&mut room, "ann", after(6))], [None; 2]);
        let (gone, mut later) = room.take_leavers(after(15), GRACE);
        later.sort();
        assert_eq!((gone, later), (vec![], vec![after(20), after(21)]));
        assert_eq!(room.take_leavers(after(20), GRACE), (vec!["bob".into()], vec![]));
        assert_eq!(room.take_leavers(after(21), GRACE), (vec!["ann".into()], vec![]));
        assert_eq!(room.names(), ["cid"]);
    }

    #[test]
    fn without_members_of_v1_a_name_leaves_at_once() {
        let (mut room, now, bob): (_, _, Arc<str>) = (room(&[]), Instant::now(), "bob".into());
        room.enter(&bob, Dialect::Plain);
        assert_eq!(room.enter(&bob, Dialect::Plain), Entered::Again);
        assert!(!room.leave(&bob, Dialect::Plain, now) && !room.is_unused());
        assert!(room.leave(&bob, Dialect::Plain, now));
        assert_eq!(room.plan_leave(&bob, now, GRACE), None);
        assert!(room.is_unused());
    }

    #[test]
    fn a_large_room_tells_its_changes_together() {
        let names: Vec<String> = (0..SMALL_MAX).map(|n| format!("member {n}")).collect();
        let mut room = room(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let now = Instant::now();
        assert_eq!(room.tell_enter("ann".into(), now), Telling::Now(News::Enter("ann".into())));
        room.enter(&"bob".into(), Dialect::V1);
        assert_eq!(room.tell_enter("bob".into(), now), Telling::At(now + CHANGES_EVERY));
        for n in 0..1000 {
            let name: Arc<str> = format!("newcomer {n}").into();
            room.enter(&name, Dialect::V1);
            assert_eq!(room.tell_enter(name, now), Telling::Planned);
        }
        assert_eq!(room.tell_leave("member 1".into(), now), Telling::Planned);
        assert_eq!(
            room.tell_leave("bob".into(), now),
            Telling::Planned,
            "its enter was not told, nor will its leave be"
        );
        assert_eq!(room.take_changes(now), None);
        let Some(News::Changes { entered, left }) = room.take_changes(now + CHANGES_EVERY) else { panic!("due") };
        assert_eq!((entered.len(), left), (CHANGES_MAX - 1, vec!["member 1".into()]));
        assert_eq!(room.names().len(), LISTED_MAX);
    }
}

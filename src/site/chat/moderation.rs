//! What operators have decided, as far as it is in force.

use crate::clock::{Now, UnixMillis};
use crate::site::context::{Standing, User};
use crate::store::acts::{Act, Deed, Network, Until, Whom};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names whose last message in a slow room is remembered. With more, those whose time is over are forgotten first.
const SPOKEN_MAX: usize = 10_000;

/// What a connection may do besides writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    Member,
    /// Its name is an operator's, and its password was typed.
    Operator,
}

impl Rank {
    /// The rank of this user.
    pub fn of(user: &User) -> Rank {
        match user.standing {
            Standing::Operator(_) => Rank::Operator,
            Standing::Guest | Standing::Named(_) => Rank::Member,
        }
    }
}

/// The state of a room that operators can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Seconds between two messages of a name; 0 is no limit.
    pub slow: u32,
    /// Only operators may write.
    pub is_locked: bool,
    /// The room is in no list.
    pub is_hidden: bool,
}

/// Why a name may not write in a room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    Muted(Until),
    Locked,
    /// The next message may come after this time.
    Slow(Duration),
}

/// The acts in force. The store has at most [`IN_FORCE_MAX`](crate::store::acts::IN_FORCE_MAX).
#[derive(Default)]
pub struct Moderation {
    muted: HashMap<Arc<str>, Until>,
    banned: HashMap<Arc<str>, Until>,
    networks: HashMap<Network, Until>,
    rooms: HashMap<Arc<str>, Settings>,
    /// When names have written in slow rooms.
    spoken: HashMap<(Arc<str>, Arc<str>), Instant>,
}

impl Moderation {
    /// An act is in force from now on, or ends another one. Returns the settings of its room if they have changed.
    pub fn apply(&mut self, act: &Act) -> Option<Settings> {
        match &act.deed {
            Deed::Mute { name, until } => drop(self.muted.insert(name.clone(), *until)),
            Deed::Unmute { name } => drop(self.muted.remove(name)),
            Deed::Ban { whom: Whom::Name(name), until } => drop(self.banned.insert(name.clone(), *until)),
            Deed::Ban { whom: Whom::Network(network), until } => drop(self.networks.insert(*network, *until)),
            Deed::Unban { whom: Whom::Name(name) } => drop(self.banned.remove(name)),
            Deed::Unban { whom: Whom::Network(network) } => drop(self.networks.remove(network)),
            Deed::Slow { seconds } => return self.set(&act.room, |settings| settings.slow = *seconds),
            Deed::Lock => return self.set(&act.room, |settings| settings.is_locked = true),
            Deed::Unlock => return self.set(&act.room, |settings| settings.is_locked = false),
            Deed::Hide => return self.set(&act.room, |settings| settings.is_hidden = true),
            Deed::Show => return self.set(&act.room, |settings| settings.is_hidden = false),
            // The login keeps those that are freed.
            Deed::Kick { .. } | Deed::Clear { .. } | Deed::Delete { .. } | Deed::Free { .. } => {}
        }
        None
    }

    fn set(&mut self, room: &Arc<str>, change: impl FnOnce(&mut Settings)) -> Option<Settings> {
        let before = self.settings(room);
        let mut settings = before;
        change(&mut settings);
        match settings == Settings::default() {
            true => drop(self.rooms.remove(room)),
            false => drop(self.rooms.insert(room.clone(), settings)),
        }
        (settings != before).then_some(settings)
    }

    /// The settings of a room.
    pub fn settings(&self, room: &str) -> Settings {
        self.rooms.get(room).copied().unwrap_or_default()
    }

    /// Until when this name, or one with this address, may not enter; `None` if it may.
    pub fn ban(&self, name: &str, address: Option<IpAddr>, now: UnixMillis) -> Option<Until> {
        let in_force = |until: &&Until| !until.is_over(now);
        let by_name = self.banned.get(name).filter(in_force);
        let by_address = || {
            let address = address.filter(|_| !self.networks.is_empty())?.to_canonical();
            // Each prefix is one look: 33 or 129, whatever the number of bans.
            (0..=128)
                .map_while(|prefix| Network::new(address, prefix))
                .find_map(|network| self.networks.get(&network).filter(in_force))
        };
        by_name.or_else(by_address).copied()
    }

    /// Takes the turn of a name to write in a room.
    ///
    /// # Errors
    /// It may not, and why.
    pub fn take_turn(&mut self, name: &Arc<str>, room: &Arc<str>, rank: Rank, now: Now) -> Result<(), Bar> {
        if rank == Rank::Operator {
            return Ok(());
        }
        if let Some(&until) = self.muted.get(name).filter(|until| !until.is_over(now.wall)) {
            return Err(Bar::Muted(until));
        }
        let settings = self.settings(room);
        if settings.is_locked {
            return Err(Bar::Locked);
        }
        if settings.slow == 0 {
            return Ok(());
        }
        let wait = Duration::from_secs(settings.slow.into());
        let since = |at: &Instant| now.instant.saturating_duration_since(*at);
        let key = (room.clone(), name.clone());
        if let Some(left) =
            self.spoken.get(&key).and_then(|at| wait.checked_sub(since(at))).filter(|left| !left.is_zero())
        {
            return Err(Bar::Slow(left));
        }
        if self.spoken.len() >= SPOKEN_MAX {
            let rooms = &self.rooms;
            let slow = |room: &Arc<str>| rooms.get(room).map_or(0, |settings| settings.slow);
            self.spoken.retain(|(room, _), at| since(at) < Duration::from_secs(slow(room).into()));
        }
        if self.spoken.len() >= SPOKEN_MAX && !self.spoken.contains_key(&key) {
            return Err(Bar::Slow(wait));
        }
        self.spoken.insert(key, now.instant);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(deed: Deed) -> Act {
        Act { at: UnixMillis::from_millis(5000), by: "op".into(), room: "lobby".into(), deed }
    }

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(millis)
    }

    fn now(millis: u64) -> Now {
        Now { instant: Instant::now(), wall: at(millis) }
    }

    #[test]
    fn a_ban_is_by_name_or_by_address_and_has_an_end() {
        let mut moderation = Moderation::default();
        let end = Until::Time(at(9000));
        moderation.apply(&act(Deed::Ban { whom: Whom::Name("bob".into()), until: end }));
        assert_eq!(moderation.ban("bob", None, at(8999)), Some(end));
        assert_eq!(moderation.ban("bob", None, at(9000)), None);
        assert_eq!(moderation.ban("ann", None, at(0)), None);
        for text in ["10.0.0.0/8", "2001:db8::/64", "192.0.2.7"] {
            let network = Network::parse(text).expect(text);
            moderation.apply(&act(Deed::Ban { whom: Whom::Network(network), until: Until::Ever }));
        }
        let banned = |address: &str| moderation.ban("ann", address.parse().ok(), at(0)).is_some();
        for address in ["10.9.9.9", "::ffff:10.9.9.9", "2001:db8::5", "192.0.2.7"] {
            assert!(banned(address), "{address}");
        }
        for address in ["11.0.0.1", "2001:db8:0:1::5", "192.0.2.8", "::1"] {
            assert!(!banned(address), "{address}");
        }
        moderation.apply(&act(Deed::Unban { whom: Whom::Network(Network::parse("10.0.0.0/8").expect("one")) }));
        moderation.apply(&act(Deed::Unban { whom: Whom::Name("bob".into()) }));
        assert_eq!(moderation.ban("bob", "10.9.9.9".parse().ok(), at(0)), None);
    }

    #[test]
    fn a_muted_name_and_a_locked_room_are_not_for_operators() {
        let (mut moderation, ann, lobby): (_, Arc<str>, Arc<str>) =
            (Moderation::default(), "ann".into(), "lobby".into());
        let until = Until::Time(at(9000));
        moderation.apply(&act(Deed::Mute { name: "ann".into(), until }));
        assert_eq!(moderation.take_turn(&ann, &lobby, Rank::Member, now(8000)), Err(Bar::Muted(until)));
        assert_eq!(moderation.take_turn(&ann, &lobby, Rank::Operator, now(8000)), Ok(()));
        assert_eq!(moderation.take_turn(&ann, &lobby, Rank::Member, now(9000)), Ok(()));
        let locked = Settings { is_locked: true, ..Settings::default() };
        assert_eq!(moderation.apply(&act(Deed::Lock)), Some(locked));
        assert_eq!(moderation.apply(&act(Deed::Lock)), None, "it was before");
        assert_eq!(moderation.take_turn(&ann, &lobby, Rank::Member, now(9000)), Err(Bar::Locked));
        assert_eq!(moderation.take_turn(&ann, &"other".into(), Rank::Member, now(9000)), Ok(()));
        assert_eq!(moderation.apply(&act(Deed::Unlock)), Some(Settings::default()));
        assert!(moderation.rooms.is_empty(), "a room as all are takes no memory");
    }

    #[test]
    fn a_slow_room_has_one_message_of_a_name_in_its_time() {
        let (mut moderation, lobby): (_, Arc<str>) = (Moderation::default(), "lobby".into());
        moderation.apply(&act(Deed::Slow { seconds: 10 }));
        let start = now(0);
        let mut turn = |name: &str, seconds| {
            let now = Now { instant: start.instant + Duration::from_secs(seconds), ..start };
            moderation.take_turn(&name.into(), &lobby, Rank::Member, now)
        };
        assert_eq!(turn("ann", 0), Ok(()));
        assert_eq!(turn("ann", 4), Err(Bar::Slow(Duration::from_secs(6))));
        assert_eq!(turn("bob", 4), Ok(()));
        assert_eq!(turn("ann", 10), Ok(()));
        for n in 0..SPOKEN_MAX - 2 {
            assert_eq!(turn(&format!("user {n}"), 12), Ok(()));
        }
        assert_eq!(turn("cid", 13), Err(Bar::Slow(Duration::from_secs(10))), "too many are remembered");
        assert_eq!(turn("cid", 14), Ok(()), "the time of bob is over");
    }
}

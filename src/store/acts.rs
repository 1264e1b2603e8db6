//! What operators do: bans, mutes, the settings of rooms.
//!
//! An act is stored before it counts. Some acts stay in force, such as a ban, until another one takes their place. The
//! others are only logged, such as a kick. Of both kinds the store keeps the last [`LOGGED_MAX`].

use super::{Draft, Rights};
pub use crate::address::Network;
use crate::clock::UnixMillis;
use std::fmt;
use std::sync::Arc;

/// Acts in force at most. They are in memory, too.
pub const IN_FORCE_MAX: usize = 10_000;
/// Acts that are kept for the log, besides those in force.
pub const LOGGED_MAX: u64 = 10_000;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub at: UnixMillis,
    /// The operator's name.
    pub by: Arc<str>,
    /// Where it was done; the room that it is about if it is about one.
    pub room: Arc<str>,
    pub deed: Deed,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The connections of a name in the room were closed.
    Kick {
        name: Arc<str>,
    },
    /// The name may not write, in any room.
    Mute {
        name: Arc<str>,
        until: Until,
    },
    Unmute {
        name: Arc<str>,
    },
    /// The name, or all addresses of a network, may not enter any room.
    Ban {
        whom: Whom,
        until: Until,
    },
    Unban {
        whom: Whom,
    },
    /// All messages of the name in the room were deleted.
    Clear {
        name: Arc<str>,
    },
    /// A message in the room was deleted.
    Delete {
        id: u64,
    },
    /// Seconds between two messages of a member in the room; 0 is no limit.
    Slow {
        seconds: u32,
    },
    /// Only operators may write in the room.
    Lock,
    Unlock,
    /// The room is in no list.
    Hide,
    Show,
    /// The name belongs to no cookie any more: those that were signed before are void, until none of them is valid.
    Free {
        name: Arc<str>,
        until: Until,
    },
}

/// How long something is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Time(UnixMillis),
    Ever,
}

impl Until {
    /// The end, milliseconds since 1970.
    pub fn millis(self) -> Option<u64> {
        match self {
            Until::Time(end) => Some(end.millis()),
            Until::Ever => None,
        }
    }

    /// Whether it is over.
    pub fn is_over(self, now: UnixMillis) -> bool {
        matches!(self, Until::Time(end) if end <= now)
    }
}

/// Whom a ban is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    Name(Arc<str>),
    Network(Network),
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::Name(name) => f.write_str(name),
            Whom::Network(network) => network.fmt(f),
        }
    }
}

/// What an act does to those in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It takes the place of the one with this key.
    Sets(String),
    /// It ends the one with this key.
    Ends(String),
    /// None: it is only logged.
    None,
}

impl Act {
    /// What it does to the acts in force.
    pub fn effect(&self) -> Effect {
        let room = &self.room;
        match &self.deed {
            Deed::Mute { name, .. } => Effect::Sets(format!("mute {name}")),
            Deed::Unmute { name } => Effect::Ends(format!("mute {name}")),
            Deed::Ban { whom, .. } => Effect::Sets(format!("ban {whom}")),
            Deed::Unban { whom } => Effect::Ends(format!("ban {whom}")),
            Deed::Slow { seconds: 0 } => Effect::Ends(format!("slow {room}")),
            Deed::Slow { .. } => Effect::Sets(format!("slow {room}")),
            Deed::Lock => Effect::Sets(format!("lock {room}")),
            Deed::Unlock => Effect::Ends(format!("lock {room}")),
            Deed::Hide => Effect::Sets(format!("hide {room}")),
            Deed::Show => Effect::Ends(format!("hide {room}")),
            Deed::Free { name, .. } => Effect::Sets(format!("free {name}")),
            Deed::Kick { .. } | Deed::Clear { .. } | Deed::Delete { .. } => Effect::None,
        }
    }

    /// The entry that it makes in the history of its room.
    pub fn draft(&self) -> Option<Draft> {
        let by = self.by.clone();
        match &self.deed {
            Deed::Clear { name } => Some(Draft::Clear { user: name.clone(), by }),
            Deed::Delete { id } => Some(Draft::Deletion { target: *id, by, rights: Rights::Operator, nonce: None }),
            _ => None,
        }
    }

    /// Whether its time is over. One without an end is in force until another act ends it.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        match self.deed {
            Deed::Mute { until, .. } | Deed::Ban { until, .. } | Deed::Free { until, .. } => until.is_over(now),
            _ => false,
        }
    }
}

/// A deed as a store writes it: a verb, what it is about, and a number, which is a time, a count or an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    pub verb: &'static str,
    pub subject: String,
    /// Milliseconds of the end (`None`: there is none), seconds, or the id of a message.
    pub number: Option<u64>,
}

impl Deed {
    /// Its parts.
    pub fn parts(&self) -> Parts {
        let parts = |verb, subject: &dyn fmt::Display, number| Parts { verb, subject: subject.to_string(), number };
        match self {
            Deed::Kick { name } => parts("kick", name, None),
            Deed::Mute { name, until } => parts("mute", name, until.millis()),
            Deed::Unmute { name } => parts("unmute", name, None),
            Deed::Ban { whom: Whom::Name(name), until } => parts("ban", name, until.millis()),
            Deed::Ban { whom: Whom::Network(network), until } => parts("ban-network", network, until.millis()),
            Deed::Unban { whom: Whom::Name(name) } => parts("unban", name, None),
            Deed::Unban { whom: Whom::Network(network) } => parts("unban-network", network, None),
            Deed::Clear { name } => parts("clear", name, None),
            Deed::Delete { id } => parts("delete", &"", Some(*id)),
            Deed::Slow { seconds } => parts("slow", &"", Some((*seconds).into())),
            Deed::Lock => parts("lock", &"", None),
            Deed::Unlock => parts("unlock", &"", None),
            Deed::Hide => parts("private", &"", None),
            Deed::Show => parts("public", &"", None),
            Deed::Free { name, until } => parts("free", name, until.millis()),
        }
    }

    /// The deed with these parts; `None` if there is none.
    pub fn of(verb: &str, subject: &str, number: Option<u64>) -> Option<Deed> {
        let name = || Arc::<str>::from(subject);
        let until = number.map_or(Until::Ever, |millis| Until::Time(UnixMillis::from_millis(millis)));
        Some(match verb {
            "kick" => Deed::Kick { name: name() },
            "mute" => Deed::Mute { name: name(), until },
            "unmute" => Deed::Unmute { name: name() },
            "ban" => Deed::Ban { whom: Whom::Name(name()), until },
            "ban-network" => Deed::Ban { whom: Whom::Network(Network::parse(subject)?), until },
            "unban" => Deed::Unban { whom: Whom::Name(name()) },
            "unban-network" => Deed::Unban { whom: Whom::Network(Network::parse(subject)?) },
            "clear" => Deed::Clear { name: name() },
            "delete" => Deed::Delete { id: number? },
            "slow" => Deed::Slow { seconds: u32::try_from(number?).ok()? },
            "lock" => Deed::Lock,
            "unlock" => Deed::Unlock,
            "private" => Deed::Hide,
            "public" => Deed::Show,
            "free" => Deed::Free { name: name(), until },
            _ => return None,
        })
    }
}

impl fmt::Display for Act {
    /// One line of the log: time, operator, room, deed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { verb, subject, number } = self.deed.parts();
        write!(f, "{} {} in {}: {verb}", self.at, self.by, self.room)?;
        if !subject.is_empty() {
            write!(f, " {subject}")?;
        }
        match (&self.deed, number) {
            (Deed::Delete { .. }, Some(id)) => write!(f, " {id}"),
            (Deed::Slow { .. }, Some(seconds)) => write!(f, " {seconds} s"),
            (_, Some(millis)) => write!(f, " until {}", UnixMillis::from_millis(millis)),
            (Deed::Mute { .. } | Deed::Ban { .. }, None) => f.write_str(" for ever"),
            (_, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).expect(text)
    }

    /// One deed of each kind.
    fn deeds() -> Vec<Deed> {
        let name: Arc<str> = "bob".into();
        let until = Until::Time(UnixMillis::from_millis(1_700_000_000_000));
        let whom = Whom::Network(network("2001:db8::/32"));
        vec![
            Deed::Kick { name: name.clone() },
            Deed::Mute { name: name.clone(), until },
            Deed::Unmute { name: name.clone() },
            Deed::Ban { whom: Whom::Name(name.clone()), until: Until::Ever },
            Deed::Ban { whom: whom.clone(), until },
            Deed::Unban { whom: Whom::Name(name.clone()) },
            Deed::Unban { whom },
            Deed::Clear { name: name.clone() },
            Deed::Delete { id: 7 },
            Deed::Slow { seconds: 10 },
            Deed::Lock,
            Deed::Unlock,
            Deed::Hide,
            Deed::Show,
            Deed::Free { name, until },
        ]
    }

    #[test]
    fn deeds_are_read_as_they_are_written() {
        for deed in deeds() {
            let Parts { verb, subject, number } = deed.parts();
            assert_eq!(Deed::of(verb, &subject, number), Some(deed));
        }
        for (verb, subject, number) in
            [("", "bob", None), ("dance", "", None), ("delete", "", None), ("slow", "", Some(1 << 40))]
        {
            assert_eq!(Deed::of(verb, subject, number), None, "{verb}");
        }
        assert_eq!(Deed::of("ban-network", "bob", None), None);
    }

    #[test]
    fn what_ends_an_act_has_its_key() {
        let act = |deed| Act { at: UnixMillis::default(), by: "op".into(), room: "lobby".into(), deed };
        let effects: Vec<Effect> = deeds().into_iter().map(|deed| act(deed).effect()).collect();
        let ended: Vec<&String> =
            effects.iter().filter_map(|effect| if let Effect::Ends(key) = effect { Some(key) } else { None }).collect();
        assert_eq!(ended.len(), 5);
        for key in ended {
            assert!(effects.contains(&Effect::Sets(key.clone())), "{key}");
        }
        assert_eq!(act(Deed::Slow { seconds: 0 }).effect(), Effect::Ends("slow lobby".into()));
    }

    #[test]
    fn an_act_is_a_line_of_the_log() {
        let at = UnixMillis::from_millis(1_700_000_000_123);
        let line = |deed| Act { at, by: "op".into(), room: "lobby".into(), deed }.to_string();
        let ban = Deed::Ban { whom: Whom::Network(network("10.0.0.0/8")), until: Until::Ever };
        assert_eq!(line(ban), "2023-11-14T22:13:20.123Z op in lobby: ban-network 10.0.0.0/8 for ever");
        let mute = Deed::Mute { name: "bob".into(), until: Until::Time(at) };
        assert_eq!(line(mute), "2023-11-14T22:13:20.123Z op in lobby: mute bob until 2023-11-14T22:13:20.123Z");
        assert_eq!(line(Deed::Delete { id: 7 }), "2023-11-14T22:13:20.123Z op in lobby: delete 7");
        assert_eq!(line(Deed::Slow { seconds: 5 }), "2023-11-14T22:13:20.123Z op in lobby: slow 5 s");
    }
}

//! What a member types behind a `/`.

use super::moderation::Rank;
use crate::clock::UnixMillis;
use crate::site::name;
use crate::store::acts::{Deed, Network, Until, Whom};
use std::sync::Arc;

/// Milliseconds for which a login cookie is valid: what makes cookies void lasts as long.
const COOKIE_MILLIS: u64 = 30 * DAY;
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Seconds of slow mode at most: a day.
const SLOW_MAX: u32 = 86_400;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// Lists the names in the room.
    Who,
    /// Lists the commands.
    Help,
    /// Makes a link with which another person can log in.
    Invite,
    /// Lists what operators have done.
    Log,
    /// Only for operators, as `Log` is.
    Do(Deed),
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    Unknown,
    /// The line as it should be.
    Usage(&'static str),
}

impl Order {
    /// What stands above its lines.
    pub fn title(&self) -> &'static str {
        match self {
            Order::Who => "In this room:",
            Order::Help => "Commands:",
            Order::Invite => "With this path on this server another person can log in, for 7 days:",
            Order::Log => "What operators have done:",
            Order::Do(_) => "",
        }
    }
}

/// The lines of `/help`.
pub fn help(rank: Rank) -> Vec<String> {
    let operators = if rank == Rank::Operator { &FOR_OPERATORS[..] } else { &[] };
    FOR_ALL.iter().chain(operators).map(|line| (*line).to_owned()).collect()
}

/// Those for everybody. `/me` is a message, in which the page shows the name and the text as one sentence.
const FOR_ALL: [&str; 5] = [
    "/me TEXT: says what you do",
    "/who: lists the names in the room",
    "/invite: makes a link with which another person can log in",
    "/help: lists the commands",
    "A text that begins with / is sent with // in front.",
];

/// Those for operators.
const FOR_OPERATORS: [&str; 15] = [
    "/kick NAME: closes the connections of a name in this room",
    "/mute NAME TIME: the name cannot write, in any room; TIME is a number with s, m, h or d, or ever",
    "/unmute NAME",
    "/ban NAME|ADDRESS/PREFIX TIME: the name, or all addresses of a network, cannot enter any room",
    "/unban NAME|ADDRESS/PREFIX",
    "/clear NAME: deletes all messages of a name in this room",
    "/delete ID: deletes a message in this room",
    "/slow SECONDS: time between two messages of a name in this room; 0 ends it",
    "/lock: only operators can write in this room",
    "/unlock",
    "/private: the room is in no list",
    "/public",
    "/free NAME: the name belongs to no person any more, and whoever has it has to log in again",
    "/log: lists what operators have done",
    "Names with spaces need no quotes: the last word is the time.",
];

/// Parses a line that begins with `/`.
///
/// # Errors
/// There is no such command, or it was not used as it should be.
pub fn parse(line: &str, now: UnixMillis) -> Result<Order, Wrong> {
    let line = line.trim();
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let deed = match verb {
        "/who" => return without(rest, Order::Who, "/who"),
        "/help" => return without(rest, Order::Help, "/help"),
        "/invite" => return without(rest, Order::Invite, "/invite"),
        "/log" => return without(rest, Order::Log, "/log"),
        "/lock" => return without(rest, Order::Do(Deed::Lock), "/lock"),
        "/unlock" => return without(rest, Order::Do(Deed::Unlock), "/unlock"),
        "/private" => return without(rest, Order::Do(Deed::Hide), "/private"),
        "/public" => return without(rest, Order::Do(Deed::Show), "/public"),
        "/kick" => name(rest).map(|name| Deed::Kick { name }).ok_or("/kick NAME"),
        "/clear" => name(rest).map(|name| Deed::Clear { name }).ok_or("/clear NAME"),
        "/unmute" => name(rest).map(|name| Deed::Unmute { name }).ok_or("/unmute NAME"),
        "/free" => {
            let until = Until::Time(UnixMillis::from_millis(now.millis().saturating_add(COOKIE_MILLIS)));
            name(rest).map(|name| Deed::Free { name, until }).ok_or("/free NAME")
        }
        "/mute" => with_time(rest, now)
            .and_then(|(rest, until)| Some(Deed::Mute { name: name(rest)?, until }))
            .ok_or("/mute NAME TIME"),
        "/ban" => with_time(rest, now)
            .and_then(|(rest, until)| Some(Deed::Ban { whom: whom(rest)?, until }))
            .ok_or("/ban NAME|ADDRESS/PREFIX TIME"),
        "/unban" => whom(rest).map(|whom| Deed::Unban { whom }).ok_or("/unban NAME|ADDRESS/PREFIX"),
        "/slow" => number(rest)
            .and_then(|seconds| u32::try_from(seconds).ok().filter(|&seconds| seconds <= SLOW_MAX))
            .map(|seconds| Deed::Slow { seconds })
            .ok_or("/slow SECONDS, at most 86400"),
        "/delete" => number(rest).map(|id| Deed::Delete { id }).ok_or("/delete ID"),
        _ => return Err(Wrong::Unknown),
    };
    deed.map(Order::Do).map_err(Wrong::Usage)
}

fn without(rest: &str, order: Order, usage: &'static str) -> Result<Order, Wrong> {
    if rest.is_empty() { Ok(order) } else { Err(Wrong::Usage(usage)) }
}

/// A name in its normal form.
fn name(text: &str) -> Option<Arc<str>> {
    name::check(text).ok().map(Arc::from)
}

fn whom(text: &str) -> Option<Whom> {
    match Network::parse(text) {
        Some(network) => Some(Whom::Network(network)),
        None => name(text).map(Whom::Name),
    }
}

/// A number in digits only.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The last word as an end from `now` on, and the text in front of it.
fn with_time(text: &str, now: UnixMillis) -> Option<(&str, Until)> {
    let (rest, time) = text.rsplit_once(char::is_whitespace)?;
    if time == "ever" {
        return Some((rest.trim_end(), Until::Ever));
    }
    let unit = match time.bytes().last()? {
        b's' => SECOND,
        b'm' => MINUTE,
        b'h' => HOUR,
        b'd' => DAY,
        _ => return None,
    };
    let count = number(&time[..time.len() - 1]).filter(|&count| count > 0)?;
    // Ten thousand years are enough, and a date that can be written.
    let millis = count.checked_mul(unit).filter(|&millis| millis <= 3_650_000 * DAY)?;
    Some((rest.trim_end(), Until::Time(UnixMillis::from_millis(now.millis().checked_add(millis)?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn order(line: &str) -> Result<Order, Wrong> {
        parse(line, UnixMillis::from_millis(NOW))
    }

    fn deed(line: &str) -> Deed {
        match order(line) {
            Ok(Order::Do(deed)) => deed,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn after(millis: u64) -> Until {
        Until::Time(UnixMillis::from_millis(NOW + millis))
    }

    #[test]
    fn commands_are_read() {
        assert_eq!(order("/who"), Ok(Order::Who));
        assert_eq!(order(" /help "), Ok(Order::Help));
        assert_eq!(order("/log"), Ok(Order::Log));
        assert_eq!(deed("/kick bob"), Deed::Kick { name: "bob".into() });
        assert_eq!(deed("/kick Bob  the builder"), Deed::Kick { name: "Bob the builder".into() });
        assert_eq!(deed("/mute bob 10m"), Deed::Mute { name: "bob".into(), until: after(600_000) });
        assert_eq!(deed("/mute Bob 7 90s"), Deed::Mute { name: "Bob 7".into(), until: after(90_000) });
        let ban = |whom, until| Deed::Ban { whom, until };
        assert_eq!(deed("/ban bob 2d"), ban(Whom::Name("bob".into()), after(172_800_000)));
        let network = Network::parse("10.0.0.0/8").expect("a network");
        assert_eq!(deed("/ban 10.1.2.3/8 ever"), ban(Whom::Network(network), Until::Ever));
        assert_eq!(deed("/unban 10.0.0.0/8"), Deed::Unban { whom: Whom::Network(network) });
        assert_eq!(deed("/slow 0"), Deed::Slow { seconds: 0 });
        assert_eq!(deed("/delete 17"), Deed::Delete { id: 17 });
        assert_eq!(deed("/free bob"), Deed::Free { name: "bob".into(), until: after(30 * DAY) });
        assert_eq!(deed("/private"), Deed::Hide);
    }

    #[test]
    fn anything_else_is_no_command() {
        for line in ["", "/", "//", "/dance", "/WHO", "who", "/me waves", "/kickbob"] {
            assert_eq!(order(line), Err(Wrong::Unknown), "{line}");
        }
        for line in [
            "/who me",
            "/kick",
            "/kick a:b",
            "/mute bob",
            "/mute bob 10",
            "/mute bob m",
            "/mute bob 0m",
            "/mute bob -1m",
            "/mute bob +1m",
            "/mute bob 10000000d",
            "/mute bob 99999999999999999999d",
            "/mute 10m",
            "/mute bob 1日",
            "/ban bob",
            "/slow",
            "/slow 86401",
            "/slow -1",
            "/slow 99999999999999999999",
            "/delete",
            "/delete x",
            "/lock all",
        ] {
            assert!(
                matches!(order(line), Err(Wrong::Usage(usage)) if line.starts_with(usage.split(' ').next().unwrap_or("?"))),
                "{line}"
            );
        }
    }
}

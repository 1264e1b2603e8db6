//! The frames of `squall.v1`: JSON objects with a `type`.
//!
//! `src/doc/chat.md` has the protocol for readers who write a client.

use super::commands::Wrong;
use super::moderation::{Bar, Rank, Settings};
use crate::clock::UnixMillis;
use crate::store::{Entry, Kind, Nonce, Position, Refusal, RoomFacts, Until};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

/// The subprotocol's name (RFC 6455 section 1.9).
pub const NAME: &str = "squall.v1";

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Message {
        text: String,
        nonce: Nonce,
    },
    Delete {
        id: u64,
        nonce: Nonce,
    },
    /// A line that begins with `/`.
    Command {
        text: String,
        nonce: Nonce,
    },
}

/// What is wrong with a frame, and the nonce if it has one.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub Option<Nonce>);

/// Parses a client's frame. Members that are not known are ignored.
///
/// # Errors
/// [`Malformed`] for anything that is no frame of this protocol.
pub fn parse(frame: &[u8]) -> Result<Said, Malformed> {
    let mut object: Value = serde_json::from_slice(frame).map_err(|_| Malformed(None))?;
    let nonce = object["nonce"].as_str().and_then(Nonce::parse).ok_or(Malformed(None))?;
    let malformed = Malformed(Some(nonce));
    match object["type"].as_str() {
        Some("message") => match object.get_mut("text").map(Value::take) {
            Some(Value::String(text)) => Ok(Said::Message { text, nonce }),
            _ => Err(malformed),
        },
        Some("command") => match object.get_mut("text").map(Value::take) {
            Some(Value::String(text)) => Ok(Said::Command { text, nonce }),
            _ => Err(malformed),
        },
        Some("delete") => object["id"].as_u64().map(|id| Said::Delete { id, nonce }).ok_or(malformed),
        _ => Err(malformed),
    }
}

/// The start of a session, as it is told in `welcome`.
pub struct Welcome<'a> {
    pub room: &'a str,
    pub you: &'a str,
    pub position: Position,
    pub members: &'a [&'a str],
    /// Names in the room.
    pub count: usize,
    /// Entries as [`write_entry`] writes them, with commas between them.
    pub history: &'a [u8],
    pub resumed: bool,
    pub text_bytes_max: usize,
    pub messages_per_second: f64,
    pub burst: f64,
    pub rank: Rank,
    pub settings: Settings,
}

/// Appends `welcome`.
pub fn write_welcome(welcome: &Welcome, out: &mut Vec<u8>) {
    start("welcome", out);
    member("room", welcome.room, out);
    member("you", welcome.you, out);
    plain("position", format_args!("\"{}\"", welcome.position), out);
    out.extend_from_slice(b",\"members\":");
    write_names(welcome.members, out);
    plain("count", welcome.count, out);
    out.extend_from_slice(b",\"history\":[");
    out.extend_from_slice(welcome.history);
    out.push(b']');
    plain("resumed", welcome.resumed, out);
    plain("limits", format_args!("{{\"text_bytes\":{}", welcome.text_bytes_max), out);
    plain("messages_per_second", welcome.messages_per_second, out);
    plain("burst", welcome.burst, out);
    out.push(b'}');
    plain("operator", welcome.rank == Rank::Operator, out);
    out.extend_from_slice(b",\"settings\":{");
    write_state(welcome.settings, out);
    out.extend_from_slice(b"}}");
}

/// Appends `settings`: an operator has changed the room.
pub fn write_settings(settings: Settings, by: &str, out: &mut Vec<u8>) {
    start("settings", out);
    out.push(b',');
    write_state(settings, out);
    member("by", by, out);
    out.push(b'}');
}

fn write_state(settings: Settings, out: &mut Vec<u8>) {
    let Settings { slow, is_locked, is_hidden } = settings;
    // A vector takes whatever is written.
    let _ = write!(out, "\"locked\":{is_locked},\"slow\":{slow},\"private\":{is_hidden}");
}

/// Appends `result`: what a command of this member did or found.
pub fn write_result(nonce: Option<Nonce>, text: &str, lines: &[String], out: &mut Vec<u8>) {
    start("result", out);
    if let Some(nonce) = nonce {
        plain("nonce", format_args!("\"{nonce}\""), out);
    }
    member("text", text, out);
    if !lines.is_empty() {
        out.extend_from_slice(b",\"lines\":");
        write_names(lines, out);
    }
    out.push(b'}');
}

/// Appends an entry: `message`, `deleted` or `cleared`. The author itself gets the nonces of its messages.
pub fn write_entry(entry: &Entry, reader: Option<&str>, out: &mut Vec<u8>) {
    start(
        match entry.kind {
            Kind::Message { .. } => "message",
            Kind::Deleted { .. } => "deleted",
            Kind::Cleared { .. } => "cleared",
        },
        out,
    );
    plain("id", entry.id, out);
    plain("tag", format_args!("\"{:08x}\"", entry.tag), out);
    match &entry.kind {
        Kind::Message { user, nonce, text } => {
            member("from", user, out);
            match text {
                Some(text) => member("text", text, out),
                None => plain("deleted", true, out),
            }
            if let Some(nonce) = nonce.filter(|_| reader == Some(&**user)) {
                plain("nonce", format_args!("\"{nonce}\""), out);
            }
        }
        Kind::Deleted { target, by } => {
            plain("target", target, out);
            member("by", by, out);
        }
        Kind::Cleared { user, by } => {
            member("user", user, out);
            member("by", by, out);
        }
    }
    plain("at", format_args!("\"{}\"", entry.at), out);
    out.push(b'}');
}

/// Appends `ack`: the message is stored.
pub fn write_ack(nonce: Nonce, position: Position, out: &mut Vec<u8>) {
    start("ack", out);
    plain("nonce", format_args!("\"{nonce}\""), out);
    plain("id", position.id, out);
    plain("tag", format_args!("\"{:08x}\"", position.tag), out);
    out.push(b'}');
}

/// Appends `enter` or `leave`.
pub fn write_presence(kind: &str, user: &str, count: usize, out: &mut Vec<u8>) {
    start(kind, out);
    member("user", user, out);
    plain("count", count, out);
    out.push(b'}');
}

/// Appends `presence`: what changed in a large room, in part.
pub fn write_changes<N: AsRef<str>>(entered: &[N], left: &[N], count: usize, out: &mut Vec<u8>) {
    start("presence", out);
    out.extend_from_slice(b",\"entered\":");
    write_names(entered, out);
    out.extend_from_slice(b",\"left\":");
    write_names(left, out);
    plain("count", count, out);
    out.push(b'}');
}

/// Appends `gap`: what the client has is not our past.
pub fn write_gap(oldest: u64, reason: &str, out: &mut Vec<u8>) {
    start("gap", out);
    plain("oldest", oldest, out);
    member("reason", reason, out);
    out.push(b'}');
}

/// Appends a row of the list of rooms.
pub fn write_room(name: &str, members: usize, facts: Option<&RoomFacts>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"name\":");
    write_text(name, out);
    plain("members", members, out);
    match facts {
        Some(room) => plain("last", format_args!("{{\"position\":\"{}\",\"at\":\"{}\"}}", room.last, room.at), out),
        None => plain("last", "null", out),
    }
    out.push(b'}');
}

/// What a client did wrong, or what went wrong for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    Malformed,
    Empty,
    TooLong,
    /// The next message may come after this time.
    TooFast(Duration),
    NotStored(Refusal),
    /// It may not write in this room now; the time is that of the message.
    Barred(Bar, UnixMillis),
    Kicked,
    /// Until when, and the time of the ban.
    Banned(Until, UnixMillis),
    NotOperator,
    /// There are no invitations.
    NoGate,
    /// It is no command.
    Command(Wrong),
}

impl Problem {
    /// Its code, its sentence, and when the client may try again.
    pub fn parts(&self) -> (&'static str, Cow<'static, str>, Option<Duration>) {
        let (code, text, retry_after) = match self {
            Problem::Malformed => ("malformed", "This is no frame of squall.v1.", None),
            Problem::Empty => ("empty", "The message has no text.", None),
            Problem::TooLong => ("too_long", "The message is too long.", None),
            Problem::TooFast(wait) => ("too_fast", "Too many messages in a short time.", Some(*wait)),
            Problem::NotStored(why) => match why {
                Refusal::Storage => {
                    ("storage", "The message cannot be stored at the moment.", Some(Duration::from_secs(5)))
                }
                Refusal::Busy => ("busy", "Too many messages wait to be stored.", Some(Duration::from_secs(1))),
                Refusal::NonceReused => ("nonce_reused", "Another message was sent with this nonce.", None),
                Refusal::NoSuchMessage => ("no_such_message", "There is no such message, or it was deleted.", None),
                Refusal::NotYours => ("not_yours", "Only its author can delete this message.", None),
                Refusal::TooManyActs => ("too_many_acts", "Too many bans, mutes and settings are in force.", None),
            },
            Problem::Barred(Bar::Muted(until), now) => {
                ("muted", "An operator has muted this name.", left(*until, *now))
            }
            Problem::Barred(Bar::Locked, _) => ("locked", "Only operators can write in this room.", None),
            Problem::Barred(Bar::Slow(wait), _) => {
                ("slow", "This room is slow: wait between two messages.", Some(*wait))
            }
            Problem::Kicked => ("kicked", "An operator has closed this connection.", None),
            Problem::Banned(until, now) => {
                ("banned", "An operator has banned this name or address.", left(*until, *now))
            }
            Problem::NotOperator => ("not_operator", "Only operators can do that.", None),
            Problem::NoGate => ("no_gate", "No invitation is needed here: share the address of the room.", None),
            Problem::Command(Wrong::Unknown) => {
                ("unknown_command", "There is no such command; /help lists them.", None)
            }
            Problem::Command(Wrong::Usage(usage)) => return ("usage", format!("It is used so: {usage}").into(), None),
        };
        (code, text.into(), retry_after)
    }
}

/// Time until this end.
fn left(until: Until, now: UnixMillis) -> Option<Duration> {
    until.millis().map(|end| Duration::from_millis(end.saturating_sub(now.millis())))
}

/// Appends `error`.
pub fn write_error(problem: &Problem, nonce: Option<Nonce>, out: &mut Vec<u8>) {
    let (code, text, retry_after) = problem.parts();
    start("error", out);
    member("code", code, out);
    member("text", &text, out);
    if let Some(nonce) = nonce {
        plain("nonce", format_args!("\"{nonce}\""), out);
    }
    if let Some(wait) = retry_after {
        plain("retry_after_ms", wait.as_nanos().div_ceil(1_000_000).min(u128::from(u32::MAX)), out);
    }
    out.push(b'}');
}

fn start(kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
}

/// A member whose value is a text.
fn member(name: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_text(text, out);
}

/// A member whose value is written as it is displayed.
fn plain(name: &str, value: impl Display, out: &mut Vec<u8>) {
    // A vector takes whatever is written.
    let _ = write!(out, ",\"{name}\":{value}");
}

fn write_names<N: AsRef<str>>(names: &[N], out: &mut Vec<u8>) {
    out.push(b'[');
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write_text(name.as_ref(), out);
    }
    out.push(b']');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing text to a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;

    const NONCE: &str = "00112233445566778899aabbccddeeff";

    fn nonce() -> Nonce {
        Nonce::parse(NONCE).expect("32 digits")
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        serde_json::from_str::<Value>(&text).expect("JSON");
        text
    }

    #[test]
    fn what_a_client_says_is_parsed() {
        let message = format!(r#"{{"type":"message","text":"a\"b\u00e9","nonce":"{NONCE}","more":[1]}}"#);
        let said = Said::Message { text: "a\"bé".into(), nonce: nonce() };
        assert_eq!(parse(message.as_bytes()), Ok(said));
        let delete = format!(r#"{{"nonce":"{NONCE}","id":7,"type":"delete"}}"#);
        assert_eq!(parse(delete.as_bytes()), Ok(Said::Delete { id: 7, nonce: nonce() }));
    }

    #[test]
    fn anything_else_is_malformed() {
        let deep = "[".repeat(100_000);
        for frame in ["", "{}", "7", "null", "[]", "hello", r#"{"type":"message","text":"x"}"#, &deep] {
            assert_eq!(parse(frame.as_bytes()), Err(Malformed(None)), "{:.20}", frame);
        }
        for rest in
            [r#""type":"message""#, r#""type":"message","text":7"#, r#""type":"delete","id":-1"#, r#""type":"x""#]
        {
            let frame = format!(r#"{{"nonce":"{NONCE}",{rest}}}"#);
            assert_eq!(parse(frame.as_bytes()), Err(Malformed(Some(nonce()))), "{rest}");
        }
    }

    #[test]
    fn entries_are_written_for_all_and_for_their_author() {
        let at = UnixMillis::from_millis(1_700_000_000_123);
        let text = Some("<b>\u{2028}\"\\\n".into());
        let kind = Kind::Message { user: "ann".into(), nonce: Some(nonce()), text };
        let entry = Entry { id: 13, tag: 0xa1, at, kind };
        let start = r#"{"type":"message","id":13,"tag":"000000a1","from":"ann","text":"<b> \"\\\n""#;
        let end = r#","at":"2023-11-14T22:13:20.123Z"}"#;
        assert_eq!(
            written(|out| write_entry(&entry, Some("bob"), out)),
            format!("{start}{end}").replace(' ', "\u{2028}")
        );
        let own = written(|out| write_entry(&entry, Some("ann"), out));
        assert!(own.contains(&format!(r#""nonce":"{NONCE}""#)));
        let gone = Entry { kind: Kind::Message { user: "ann".into(), nonce: None, text: None }, ..entry.clone() };
        let start = r#"{"type":"message","id":13,"tag":"000000a1","from":"ann","deleted":true"#;
        assert_eq!(written(|out| write_entry(&gone, None, out)), format!("{start}{end}"));
        let deleted = Entry { kind: Kind::Deleted { target: 7, by: "bob".into() }, ..entry.clone() };
        let start = r#"{"type":"deleted","id":13,"tag":"000000a1","target":7,"by":"bob""#;
        assert_eq!(written(|out| write_entry(&deleted, None, out)), format!("{start}{end}"));
        let cleared = Entry { kind: Kind::Cleared { user: "ann".into(), by: "bob".into() }, ..entry };
        let start = r#"{"type":"cleared","id":13,"tag":"000000a1","user":"ann","by":"bob""#;
        assert_eq!(written(|out| write_entry(&cleared, None, out)), format!("{start}{end}"));
    }

    #[test]
    fn a_welcome_has_all_that_a_client_needs() {
        let welcome = Welcome {
            room: "lobby",
            you: "ann",
            position: Position { id: 12, tag: 0x9f3a_01c2 },
            members: &["ann", "bob"],
            count: 2,
            history: br#"{"id":12}"#,
            resumed: false,
            text_bytes_max: 4096,
            messages_per_second: 10.0,
            burst: 20.0,
            rank: Rank::Operator,
            settings: Settings { slow: 7, is_locked: true, is_hidden: false },
        };
        let expected = concat!(
            r#"{"type":"welcome","room":"lobby","you":"ann","position":"12.9f3a01c2","members":["ann","bob"],"count":2,"#,
            r#""history":[{"id":12}],"resumed":false,"#,
            r#""limits":{"text_bytes":4096,"messages_per_second":10,"burst":20},"operator":true,"#,
            r#""settings":{"locked":true,"slow":7,"private":false}}"#
        );
        assert_eq!(written(|out| write_welcome(&welcome, out)), expected);
    }

    #[test]
    fn an_error_says_when_to_try_again() {
        let problem = Problem::TooFast(Duration::from_micros(99_001));
        let expected = format!(
            r#"{{"type":"error","code":"too_fast","text":"Too many messages in a short time.","nonce":"{NONCE}","retry_after_ms":100}}"#
        );
        assert_eq!(written(|out| write_error(&problem, Some(nonce()), out)), expected);
        let expected = r#"{"type":"error","code":"empty","text":"The message has no text."}"#;
        assert_eq!(written(|out| write_error(&Problem::Empty, None, out)), expected);
    }

    #[test]
    fn the_other_frames_are_what_the_document_says() {
        assert_eq!(
            written(|out| write_ack(nonce(), Position { id: 13, tag: 0xa1 }, out)),
            format!(r#"{{"type":"ack","nonce":"{NONCE}","id":13,"tag":"000000a1"}}"#)
        );
        let enter = r#"{"type":"enter","user":"bob","count":2}"#;
        assert_eq!(written(|out| write_presence("enter", "bob", 2, out)), enter);
        let changes = r#"{"type":"presence","entered":["a","b"],"left":[],"count":300}"#;
        assert_eq!(written(|out| write_changes(&["a", "b"], &[], 300, out)), changes);
        let settings = r#"{"type":"settings","locked":false,"slow":7,"private":true,"by":"op"}"#;
        let slow = Settings { slow: 7, is_locked: false, is_hidden: true };
        assert_eq!(written(|out| write_settings(slow, "op", out)), settings);
        let result = format!(r#"{{"type":"result","nonce":"{NONCE}","text":"here","lines":["a","b"]}}"#);
        let lines = ["a", "b"].map(str::to_owned);
        assert_eq!(written(|out| write_result(Some(nonce()), "here", &lines, out)), result);
        assert_eq!(written(|out| write_result(None, "here", &[], out)), r#"{"type":"result","text":"here"}"#);
        let gap = r#"{"type":"gap","oldest":5,"reason":"pruned"}"#;
        assert_eq!(written(|out| write_gap(5, "pruned", out)), gap);
    }
}

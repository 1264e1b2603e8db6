//! The history as JSON lines, one for each entry: what `squall history export` writes and `import` reads.

use super::{name, room_name};
use crate::clock::UnixMillis;
use crate::config::Limits;
use crate::store::{Entry, Kind, Nonce};
use serde_json::Value;
use std::sync::Arc;

/// Bytes of a line at most, without its end: the longest text with each byte escaped, and what stands around it.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub room: Arc<str>,
    pub entry: Entry,
}

impl Line {
    /// Appends the line, with its end.
    pub fn write(room: &str, entry: &Entry, out: &mut Vec<u8>) {
        let mut line = Members(out);
        line.text("room", room);
        line.plain("id", entry.id);
        line.plain("tag", format_args!("\"{:08x}\"", entry.tag));
        line.plain("at", format_args!("\"{}\"", entry.at));
        match &entry.kind {
            Kind::Message { user, nonce, text } => {
                line.text("type", "message");
                line.text("user", user);
                if let Some(nonce) = nonce {
                    line.plain("nonce", format_args!("\"{nonce}\""));
                }
                match text {
                    Some(text) => line.text("text", text),
                    None => line.plain("deleted", true),
                }
            }
            Kind::Deleted { target, by } => {
                line.text("type", "deleted");
                line.plain("target", target);
                line.text("by", by);
            }
            Kind::Cleared { user, by } => {
                line.text("type", "cleared");
                line.text("user", user);
                line.text("by", by);
            }
        }
        out.extend_from_slice(b"}\n");
    }

    /// Parses a line. Members that it need not have are left out of account.
    ///
    /// # Errors
    /// What is wrong with it, as a part of a sentence.
    pub fn parse(line: &[u8]) -> Result<Line, String> {
        if line.len() > LINE_BYTES_MAX {
            return Err(format!("it has more than {LINE_BYTES_MAX} bytes"));
        }
        let value: Value = serde_json::from_slice(line).map_err(|e| format!("it is no JSON: {e}"))?;
        let fields = Fields(&value);
        let typed = fields.text("room")?;
        let room = room_name::check(typed).ok().filter(|room| **room == *typed);
        let room = room.ok_or_else(|| format!("{typed:?} is no name of a room"))?;
        let tag = fields.text("tag")?;
        let is_hex = tag.len() == 8 && tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let tag = is_hex.then(|| u32::from_str_radix(tag, 16).ok()).flatten();
        let tag = tag.ok_or("its \"tag\" is not 8 hexadecimal digits")?;
        let at = fields.text("at")?;
        let at = UnixMillis::parse(at).ok_or("its \"at\" is not a time such as 2026-11-30T12:00:00.000Z")?;
        let kind = match fields.text("type")? {
            "message" => Kind::Message {
                user: fields.name("user")?,
                nonce: match value.get("nonce") {
                    None | Some(Value::Null) => None,
                    Some(nonce) => {
                        let nonce = nonce.as_str().and_then(Nonce::parse);
                        Some(nonce.ok_or("its \"nonce\" is not 32 hexadecimal digits")?)
                    }
                },
                text: match value.get("deleted") {
                    Some(Value::Bool(true)) if value.get("text").is_none() => None,
                    None | Some(Value::Bool(false)) => Some(message_text(fields.text("text")?)?.into()),
                    Some(_) => return Err("it has a \"text\" and is \"deleted\"".into()),
                },
            },
            "deleted" => Kind::Deleted { target: fields.number("target")?, by: fields.name("by")? },
            "cleared" => Kind::Cleared { user: fields.name("user")?, by: fields.name("by")? },
            other => return Err(format!("its \"type\" {other:?} is none of message, deleted, cleared")),
        };
        Ok(Line { room, entry: Entry { id: fields.number("id")?, tag, at, kind } })
    }
}

fn message_text(text: &str) -> Result<&str, String> {
    let most = Limits::default().chat_text_bytes_max;
    if text.len() > most {
        return Err(format!("its \"text\" has more than {most} bytes"));
    }
    Ok(text)
}

/// The members of a line that is written.
struct Members<'a>(&'a mut Vec<u8>);

impl Members<'_> {
    fn text(&mut self, key: &str, value: &str) {
        self.plain(key, Value::from(value));
    }

    fn plain(&mut self, key: &str, value: impl std::fmt::Display) {
        let before = if matches!(self.0.last(), None | Some(b'\n')) { '{' } else { ',' };
        self.0.extend_from_slice(format!("{before}\"{key}\":{value}").as_bytes());
    }
}

/// The members of a line that is read.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    fn text(self, key: &str) -> Result<&'a str, String> {
        self.0.get(key).and_then(Value::as_str).ok_or_else(|| format!("it has no text {key:?}"))
    }

    fn number(self, key: &str) -> Result<u64, String> {
        self.0.get(key).and_then(Value::as_u64).ok_or_else(|| format!("it has no number {key:?}"))
    }

    fn name(self, key: &str) -> Result<Arc<str>, String> {
        let typed = self.text(key)?;
        match name::normal_form(typed) {
            Ok(name) if name == typed => Ok(typed.into()),
            _ => Err(format!("its {key:?} {typed:?} is no name of a user")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind) -> Entry {
        Entry { id: 7, tag: 0xa1, at: UnixMillis::from_millis(1_700_000_000_123), kind }
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        let user: Arc<str> = "张 三".into();
        let nonce = Some(Nonce([0xab; 16]));
        let nonce_text = "ab".repeat(16);
        for (kind, rest) in [
            (
                Kind::Message { user: user.clone(), nonce, text: Some("a \"b\"\n\u{1}😀".into()) },
                format!(r#""message","user":"张 三","nonce":"{nonce_text}","text":"a \"b\"\n\u0001😀""#),
            ),
            (
                Kind::Message { user: user.clone(), nonce: None, text: None },
                r#""message","user":"张 三","deleted":true"#.into(),
            ),
            (Kind::Deleted { target: 3, by: user.clone() }, r#""deleted","target":3,"by":"张 三""#.into()),
            (
                Kind::Cleared { user: "forgotten-1".into(), by: "op".into() },
                r#""cleared","user":"forgotten-1","by":"op""#.into(),
            ),
        ] {
            let (mut line, entry) = (vec![], entry(kind));
            Line::write("lobby", &entry, &mut line);
            let start = r#"{"room":"lobby","id":7,"tag":"000000a1","at":"2023-11-14T22:13:20.123Z","type":"#;
            assert_eq!(String::from_utf8_lossy(&line), format!("{start}{rest}}}\n"));
            Line::write("lobby", &entry, &mut line);
            let lines: Vec<&[u8]> = line.split(|&byte| byte == b'\n').collect();
            assert_eq!(lines.len(), 3);
            assert_eq!(Line::parse(lines[1]), Ok(Line { room: "lobby".into(), entry }));
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        let good = r#"{"room":"lobby","id":7,"tag":"000000a1","at":"2023-11-14T22:13:20.123Z","type":"message","user":"ann","text":"hi"}"#;
        assert!(Line::parse(good.as_bytes()).is_ok());
        let more = good.replace("}", r#","deleted":false,"nonce":null,"other":[1]}"#);
        assert_eq!(Line::parse(more.as_bytes()), Line::parse(good.as_bytes()));
        for (from, to, why) in [
            (good, "", "it is no JSON"),
            (good, "[]", "no text \"room\""),
            (good, "7", "no text \"room\""),
            ("\"lobby\"", "\"a b\"", "is no name of a room"),
            ("\"lobby\"", "\"e\u{301}\"", "is no name of a room"),
            ("\"id\":7", "\"id\":-7", "no number \"id\""),
            ("\"id\":7", "\"id\":7.5", "no number \"id\""),
            ("000000a1", "000000A1", "8 hexadecimal digits"),
            ("000000a1", "+00000a1", "8 hexadecimal digits"),
            (".123Z", "Z", "is not a time"),
            ("message", "edited", "is none of"),
            ("\"ann\"", "\"a:b\"", "is no name of a user"),
            ("\"ann\"", "\" ann\"", "is no name of a user"),
            ("\"text\":\"hi\"", "\"x\":1", "no text \"text\""),
            ("\"text\":", "\"deleted\":true,\"text\":", "and is \"deleted\""),
            ("\"text\":", "\"nonce\":\"12\",\"text\":", "32 hexadecimal digits"),
            ("\"text\":", "\"nonce\":12,\"text\":", "32 hexadecimal digits"),
            ("\"message\"", "\"deleted\"", "no number \"target\""),
            ("\"message\"", "\"cleared\"", "no text \"by\""),
            ("\"hi\"", &format!("{:?}", "x".repeat(5000)), "has more than 4096 bytes"),
            ("\"hi\"", &format!("{:?}", "x".repeat(LINE_BYTES_MAX)), "has more than 65536 bytes"),
        ] {
            let line = good.replace(from, to);
            assert_ne!(line, good);
            let refused = Line::parse(line.as_bytes()).expect_err(&line);
            assert!(refused.contains(why), "{line}: {refused}");
        }
    }
}

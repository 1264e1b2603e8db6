//! One line of a journal: JSON → [`Line`]. `src/doc/verify.md` describes the format.

use super::entry::{Content, Entry, Facts};
use super::names::{Digest, Name, Names, plain};
use serde_json::{Map, Value};

/// A room that a line does not name.
const ROOM: &str = "lobby";
/// Characters of a journal's text that a message repeats, at most.
const QUOTED_MAX: usize = 40;

/// One line of a journal.
#[derive(Debug)]
pub struct Line {
    pub room: Name,
    pub event: Event,
}

/// Who wrote a line, and what it says.
#[derive(Debug)]
pub enum Event {
    /// A client's: what it did, or received.
    Client(Name, Act),
    /// The reader's: a part of the room's history as it is at the end.
    Final(Vec<Entry>),
    /// The tester's: the history was replaced by an older copy, which has the entries up to `kept`.
    Restored { kept: u64 },
    /// The tester's: the entries up to `id` were pruned.
    Pruned { id: u64 },
}

/// What a client did, or received.
#[derive(Debug)]
pub enum Act {
    /// It has a connection, on which it asked for what is behind the entry `since`.
    Connected { user: Name, since: Option<u64> },
    /// Its connection has ended.
    Disconnected,
    /// It is about to send something.
    Sent { nonce: Digest, draft: Draft },
    /// What it sent is stored, with this id.
    Acked { nonce: Digest, id: u64 },
    /// What it sent is not stored.
    Refused { nonce: Digest },
    /// It has what it needs to begin, or to go on.
    Welcome { position: Option<u64>, resumed: bool, history: Vec<Entry> },
    /// What it had is to be replaced.
    Gap(Gap),
    /// It was shown an entry.
    Saw(Entry),
}

/// What a client sends.
#[derive(Debug, Clone, Copy)]
pub enum Draft {
    /// A message with this text.
    Text(Digest),
    /// The deletion of a message.
    Deletion { target: u64 },
}

impl Draft {
    /// The entry that it becomes, when this user sends it.
    pub fn by(self, user: Name) -> Content {
        match self {
            Draft::Text(text) => Content::Message { from: user, text: Some(text) },
            Draft::Deletion { target } => Content::Deleted { by: user, target },
        }
    }
}

/// What a gap says about the past of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The history of the room is another one now.
    Forked,
    /// The history is the same, and what the client missed is not given.
    TooMuch,
}

impl Line {
    /// Parses a line.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(bytes: &[u8], names: &mut Names) -> Result<Line, String> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|e| format!("this is not JSON: {}", without_line(&e)))?;
        let Value::Object(fields) = value else { return Err("expected a JSON object".into()) };
        let fields = Fields(&fields);
        let event = fields.text("event")?;
        let room = names.name(fields.optional("room", "a text", Value::as_str)?.unwrap_or(ROOM));
        let event = match event {
            "final" => Event::Final(fields.entries("entries", names)?),
            "restored" => Event::Restored { kept: fields.optional_id("kept")?.unwrap_or(0) },
            "pruned" => Event::Pruned { id: fields.id("id")? },
            _ => {
                let act = fields.act(event, names)?;
                Event::Client(names.name(fields.text("client")?), act)
            }
        };
        Ok(Line { room, event })
    }
}

/// The fields of one object.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn act(&self, event: &str, names: &mut Names) -> Result<Act, String> {
        Ok(match event {
            "connected" => {
                let since =
                    self.optional("since", "a text", Value::as_str)?.map(|text| id_of("since", text)).transpose()?;
                Act::Connected { user: names.name(self.text("user")?), since }
            }
            "disconnected" => Act::Disconnected,
            "sent" => Act::Sent { nonce: self.nonce()?, draft: self.draft()? },
            "acked" => Act::Acked { nonce: self.nonce()?, id: self.id("id")? },
            "refused" => Act::Refused { nonce: self.nonce()? },
            "welcome" => Act::Welcome {
                position: self
                    .optional("position", "a text", Value::as_str)?
                    .map(|text| id_of("position", text))
                    .transpose()?,
                resumed: self.optional("resumed", "true or false", Value::as_bool)?.unwrap_or(false),
                history: self.entries("history", names)?,
            },
            "gap" => Act::Gap(match self.optional("reason", "a text", Value::as_str)? {
                Some("pruned" | "too_far" | "malformed") => Gap::TooMuch,
                _ => Gap::Forked,
            }),
            "saw" => Act::Saw(self.entry("entry", names)?),
            other => return Err(format!("there is no event {}", quoted(other))),
        })
    }

    fn draft(&self) -> Result<Draft, String> {
        match self.optional_id("target")? {
            Some(target) => Ok(Draft::Deletion { target }),
            None => Ok(Draft::Text(Digest::of(self.text("text")?))),
        }
    }

    /// A list of entries.
    fn entries(&self, name: &str, names: &mut Names) -> Result<Vec<Entry>, String> {
        let list =
            self.optional(name, "a list", Value::as_array)?.ok_or_else(|| format!("the field {name} is missing"))?;
        list.iter().map(|value| entry(name, value, names)).collect()
    }

    fn entry(&self, name: &str, names: &mut Names) -> Result<Entry, String> {
        let value = self.0.get(name).ok_or_else(|| format!("the field {name} is missing"))?;
        entry(name, value, names)
    }

    fn nonce(&self) -> Result<Digest, String> {
        self.text("nonce").map(Digest::of)
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        self.optional(name, "a text", Value::as_str)?.ok_or_else(|| format!("the field {name} is missing"))
    }

    fn id(&self, name: &str) -> Result<u64, String> {
        self.optional_id(name)?.ok_or_else(|| format!("the field {name} is missing"))
    }

    fn optional_id(&self, name: &str) -> Result<Option<u64>, String> {
        let id = self.optional(name, "a whole number", Value::as_u64)?;
        // Ids are counted on from, so none may be the last number there is.
        if id == Some(u64::MAX) { Err(format!("the field {name} is too great")) } else { Ok(id) }
    }

    /// A field that may be absent or `null`.
    fn optional<T>(&self, name: &str, kind: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| format!("the field {name} is not {kind}")),
        }
    }
}

/// An entry, as squall.v1 writes it; a `type` that is absent is `message`.
fn entry(field: &str, value: &Value, names: &mut Names) -> Result<Entry, String> {
    let Value::Object(fields) = value else {
        return Err(format!("the field {field}: expected an entry, a JSON object"));
    };
    let fields = Fields(fields);
    let content = match fields.optional("type", "a text", Value::as_str)?.unwrap_or("message") {
        "message" => {
            let from = names.name(fields.text("from")?);
            let is_deleted = fields.optional("deleted", "true or false", Value::as_bool)?.unwrap_or(false);
            let text = if is_deleted { None } else { Some(Digest::of(fields.text("text")?)) };
            Content::Message { from, text }
        }
        "deleted" => Content::Deleted { by: names.name(fields.text("by")?), target: fields.id("target")? },
        "cleared" => Content::Cleared { by: names.name(fields.text("by")?), user: names.name(fields.text("user")?) },
        other => return Err(format!("there is no entry of the type {}", quoted(other))),
    };
    let tag = fields.optional("tag", "a text", Value::as_str)?.map(Digest::of);
    let nonce = fields.optional("nonce", "a text", Value::as_str)?.map(Digest::of);
    Ok(Entry { id: fields.id("id")?, nonce, facts: Facts { tag, content } })
}

/// The id of a position, `ID.TAG` or `ID`.
fn id_of(field: &str, position: &str) -> Result<u64, String> {
    let id = position.split_once('.').map_or(position, |(id, _)| id);
    let is_decimal = id.bytes().all(|byte| byte.is_ascii_digit());
    let id = id.parse().ok().filter(|&id: &u64| is_decimal && id < u64::MAX);
    id.ok_or_else(|| format!("the field {field} is not ID.TAG: {}", quoted(position)))
}

/// A text of a journal in a message.
fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTED_MAX).collect();
    format!("{:?}", plain(&cut))
}

/// The parser's sentence without its line, which is always 1.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((why, _)) => format!("{why}, at byte {}", error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Line, String> {
        Line::parse(line.as_bytes(), &mut Names::default())
    }

    #[test]
    fn a_wrong_line_gets_a_sentence() {
        for (line, why) in [
            ("", "this is not JSON: EOF while parsing a value, at byte 0"),
            (r#"{"event":"saw""#, "this is not JSON: EOF while parsing an object, at byte 14"),
            ("[]", "expected a JSON object"),
            ("{}", "the field event is missing"),
            (r#"{"event":7}"#, "the field event is not a text"),
            (r#"{"event":"seen","client":"c"}"#, r#"there is no event "seen""#),
            (r#"{"event":"disconnected"}"#, "the field client is missing"),
            (r#"{"event":"disconnected","client":"c","room":1}"#, "the field room is not a text"),
            (r#"{"event":"connected","client":"c"}"#, "the field user is missing"),
            (
                r#"{"event":"connected","client":"c","user":"a","since":"+1.a"}"#,
                r#"the field since is not ID.TAG: "+1.a""#,
            ),
            (r#"{"event":"connected","client":"c","user":"a","since":""}"#, r#"the field since is not ID.TAG: """#),
            (r#"{"event":"sent","client":"c","nonce":"n"}"#, "the field text is missing"),
            (r#"{"event":"sent","client":"c","text":"t"}"#, "the field nonce is missing"),
            (r#"{"event":"acked","client":"c","nonce":"n","id":-1}"#, "the field id is not a whole number"),
            (r#"{"event":"acked","client":"c","nonce":"n","id":18446744073709551615}"#, "the field id is too great"),
            (r#"{"event":"welcome","client":"c"}"#, "the field history is missing"),
            (r#"{"event":"welcome","client":"c","history":[],"resumed":1}"#, "the field resumed is not true or false"),
            (
                r#"{"event":"welcome","client":"c","history":[7]}"#,
                "the field history: expected an entry, a JSON object",
            ),
            (r#"{"event":"saw","client":"c"}"#, "the field entry is missing"),
            (r#"{"event":"saw","client":"c","entry":{"from":"a","text":"t"}}"#, "the field id is missing"),
            (r#"{"event":"saw","client":"c","entry":{"id":1,"from":"a"}}"#, "the field text is missing"),
            (r#"{"event":"saw","client":"c","entry":{"type":"edited"}}"#, r#"there is no entry of the type "edited""#),
            (r#"{"event":"final"}"#, "the field entries is missing"),
            (r#"{"event":"pruned"}"#, "the field id is missing"),
        ] {
            assert_eq!(parse(line).expect_err(line), why, "{line}");
        }
        let long = format!(r#"{{"event":"\u0007{}","client":"c"}}"#, "x".repeat(1000));
        assert!(parse(&long).is_err_and(|why| why.len() < 80 && !why.contains('\u{7}')));
    }

    #[test]
    fn fields_that_are_not_needed_are_ignored() {
        let line = r#"{"event":"saw","client":"c","at":1.5,"entry":{"id":1,"from":"a","text":"","at":"…","x":[]}}"#;
        assert!(matches!(parse(line), Ok(Line { event: Event::Client(_, Act::Saw(Entry { id: 1, .. })), .. })));
    }
}

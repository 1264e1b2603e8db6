//! What the owner asks a running server to do with its history: `squall history forget` and `import` come here, over the
//! socket in the data directory. Only the owner of the process can open it, so nothing here asks for a login.

use super::context::Context;
use super::lines::Line;
use crate::event::{Body, Command, Effect, Effects, Outcome, Position, Response};
use crate::http::request::Method;
use crate::http::url::Form;
use crate::id::ConnId;
use crate::store::{Entry, Flaw, Refusal, Texts, Wrong};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The socket in the data directory.
pub const SOCKET: &str = "control.sock";
/// Where a name is forgotten: `{"name":NAME,"keep_texts":BOOL}`. The response is `{"rooms":N,"name":NAME}`.
pub const FORGET: &str = "/history/forget";
/// Where entries of one room are imported, as lines; `?after=` has the position of the last entry of the room. The response
/// is `{"last":POSITION}`, or with 409 `{"line":N,"why":TEXT}`.
pub const IMPORT: &str = "/history/import";

/// Time for a name to be forgotten: its messages are erased in small steps, and other programs that read the file hold up
/// the end.
const FORGET_WITHIN: Duration = Duration::from_secs(600);
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 1024;

/// The requests that wait for the store.
#[derive(Default)]
pub struct Control {
    waiting: HashMap<ConnId, Asked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Forget,
    Import,
}

impl Control {
    /// A request on the socket.
    pub fn request(&mut self, cx: Context, out: &mut Effects) {
        let asked = match (cx.request.method, cx.request.path()) {
            (Method::Post, FORGET) => forget(cx).map(|command| (Asked::Forget, command)),
            (Method::Post, IMPORT) => import(cx).map(|command| (Asked::Import, command)),
            (_, FORGET | IMPORT) => Err(Response::text(405, "This is for POST only.\n").header("Allow", "POST")),
            _ => Err(Response::text(404, "There is no such request.\n")),
        };
        match asked {
            Ok((asked, command)) => {
                self.waiting.insert(cx.from, asked);
                if asked == Asked::Forget {
                    out.push(Effect::Sleep(cx.from, cx.now.instant + FORGET_WITHIN));
                }
                out.push(Effect::Store(cx.from, command));
            }
            Err(refusal) => out.respond(cx.from, refusal),
        }
    }

    /// Responds to the request that has waited for this outcome. Returns the outcome if there is none.
    pub fn on_stored(&mut self, from: ConnId, outcome: Outcome, out: &mut Effects) -> Option<Outcome> {
        if self.waiting.is_empty() || self.waiting.remove(&from).is_none() {
            return Some(outcome);
        }
        let response = match outcome {
            Outcome::Forgotten(done) => {
                json_response(200, json!({ "rooms": done.rooms, "name": done.anonymous.as_deref() }))
            }
            Outcome::Unchanged(why) => Response::text(503, format!("{}\n", Wrong::Refused(why))),
            Outcome::Imported { last, .. } => json_response(200, json!({ "last": last.to_string() })),
            Outcome::NotImported { flaw, .. } => flawed(flaw),
            _ => Response::text(503, format!("{}\n", Wrong::Refused(Refusal::Storage))),
        };
        out.respond(from, response);
        None
    }

    /// The time of a request is over. Returns whether there was one.
    pub fn on_woke(&mut self, from: ConnId, out: &mut Effects) -> bool {
        let was_waiting = self.waiting.remove(&from).is_some();
        if was_waiting {
            let why = "The name is forgotten, but not all of it is out of the files yet: the server goes on with that, \
                       unless a program that reads the history holds it up.\n";
            out.respond(from, Response::text(504, why));
        }
        was_waiting
    }

    /// A connection that waited is gone.
    pub fn on_left(&mut self, from: ConnId) {
        self.waiting.remove(&from);
    }
}

fn forget(cx: Context) -> Result<Command, Response> {
    let asked: Value = serde_json::from_slice(cx.body).unwrap_or_default();
    let name = asked.get("name").and_then(Value::as_str).filter(|name| name.len() <= NAME_BYTES_MAX);
    let keeps = asked.get("keep_texts").and_then(Value::as_bool);
    let (Some(name), Some(keeps)) = (name, keeps) else {
        return Err(Response::text(400, "A name, and whether its texts are kept, were expected.\n"));
    };
    let texts = if keeps { Texts::Keep } else { Texts::Erase };
    Ok(Command::Forget { user: name.into(), texts, at: cx.now.wall })
}

fn import(cx: Context) -> Result<Command, Response> {
    let query = Form::parse(cx.request.query().as_bytes()).ok();
    let after = query.and_then(|query| Position::parse(&query.value("after")?));
    let after = after.ok_or_else(|| Response::text(400, "The position of the last entry was expected.\n"))?;
    let (mut room, mut entries): (Option<Arc<str>>, Vec<Entry>) = (None, vec![]);
    let lines = cx.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    for (index, line) in lines.enumerate() {
        let line = Line::parse(line).map_err(|why| flawed_line(index, &why))?;
        if *room.get_or_insert_with(|| line.room.clone()) != line.room {
            return Err(flawed_line(index, "it is of another room"));
        }
        entries.push(line.entry);
    }
    let room = room.ok_or_else(|| Response::text(400, "Lines were expected.\n"))?;
    Ok(Command::Import { room, after, entries })
}

fn flawed(flaw: Flaw) -> Response {
    flawed_line(flaw.index, &flaw.why.to_string())
}

fn flawed_line(index: usize, why: &str) -> Response {
    json_response(409, json!({ "line": index, "why": why }))
}

fn json_response(status: u16, value: Value) -> Response {
    Response::new(status, "application/json", Body::Owned(format!("{value}\n").into_bytes()))
}

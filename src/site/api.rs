//! The chat over HTTP: the list of rooms, pages of a room's history, searches in it, its events, and messages from scripts.
//!
//! Every request needs the login cookie, as the chat itself does.

use super::chat::entrance::{Place, Reading};
use super::chat::join::Since;
use super::chat::v1::Problem;
use super::chat::{Chat, v1};
use super::room_name;
use super::visit::{Visit, too_many};
use crate::config::Limits;
use crate::event::{Body, Command, Effect, Effects, Outcome, Response};
use crate::http::request::Method;
use crate::http::url::Form;
use crate::id::ConnId;
use crate::store::words::Words;
use crate::store::{self, Draft, Entry, Found, Nonce, PAGE_MAX, Range, RoomFacts};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Entries of a page when the request does not say how many.
const PAGE: u32 = 50;
/// Rooms with a history in the list: it is made on the loop.
const ROOMS_MAX: usize = 1000;

/// A resource of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Messages,
    Events,
}

/// The requests that wait for the store.
pub struct Api {
    waiting: HashMap<ConnId, Waiting>,
    text_bytes_max: usize,
}

/// What a request waits for.
enum Waiting {
    /// A page of the history, for this reader.
    Page(Arc<str>),
    /// Messages that are searched for, for this reader.
    Search(Arc<str>),
    Rooms,
    /// Its message is to be stored.
    Post,
}

impl Api {
    /// Nothing waits.
    pub fn new(limits: &Limits) -> Api {
        Api { waiting: HashMap::new(), text_bytes_max: limits.chat_text_bytes_max }
    }

    /// `GET /api/rooms`.
    pub fn rooms(&mut self, visit: Visit, out: &mut Effects) {
        let from = visit.cx.from;
        match visit.name() {
            Ok(_) => self.ask(from, Waiting::Rooms, Command::ListRooms, out),
            Err(refusal) => out.respond(from, refusal),
        }
    }

    /// `/api/rooms/NAME/messages` and `/api/rooms/NAME/events`; `path` is decoded.
    pub fn room(&mut self, visit: Visit, path: &str, resource: Resource, chat: &mut Chat, out: &mut Effects) {
        let cx = visit.cx;
        let room = path.strip_prefix("/api/rooms/").and_then(|path| path.rsplit_once('/')).map_or("", |path| path.0);
        let found = visit.name().and_then(|name| {
            chat.admit(&visit, name)?;
            let room = room_name::check(room).map_err(|_| visit.refusal(400, "why_room"))?;
            match chat.place_in(&room) {
                Place::NoSuchRoom => Err(visit.refusal(404, "why_no_room")),
                // Only a follower needs the room itself.
                Place::TooManyRooms if resource == Resource::Events => {
                    Err(visit.refusal(503, "why_rooms").header("Retry-After", "60"))
                }
                Place::Free | Place::TooManyRooms => Ok((Arc::<str>::from(name), room)),
            }
        });
        let begun = found.and_then(|(name, room)| match (resource, cx.request.method) {
            (Resource::Messages, Method::Post) => self.post(visit, name, room, chat, out),
            (Resource::Messages, _) => self.read(visit, name, room, out),
            (Resource::Events, method) => {
                if method == Method::Get {
                    visit.take_entrance(chat)?;
                }
                out.respond(cx.from, event_stream());
                if method == Method::Get {
                    let reading = Reading { room, name, address: visit.address(), since: since(&visit) };
                    chat.follow(cx.from, reading, cx.now.instant, out);
                }
                Ok(())
            }
        });
        if let Err(refusal) = begun {
            out.respond(cx.from, refusal);
        }
    }

    fn read(&mut self, visit: Visit, name: Arc<str>, room: Arc<str>, out: &mut Effects) -> Result<(), Response> {
        let number = |key: &str| match visit.query.value(key) {
            None => Ok(None),
            Some(text) => text.parse::<u64>().map(Some).map_err(|_| visit.refusal(400, "why_page")),
        };
        let before = number("before")?;
        let limit = number("limit")?.map_or(PAGE, |limit| u32::try_from(limit).unwrap_or(u32::MAX));
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(visit.refusal(400, "why_page"));
        }
        let (waiting, command) = match visit.query.value("q") {
            None => {
                let range = before.map_or(Range::Last, Range::Before);
                (Waiting::Page(name), Command::Read { room, range, limit })
            }
            Some(query) => {
                let words = Words::parse(&query).map_err(|_| visit.refusal(400, "why_words"))?;
                (Waiting::Search(name), Command::Search { room, words, before, limit })
            }
        };
        self.ask(visit.cx.from, waiting, command, out);
        Ok(())
    }

    fn post(
        &mut self,
        visit: Visit,
        user: Arc<str>,
        room: Arc<str>,
        chat: &mut Chat,
        out: &mut Effects,
    ) -> Result<(), Response> {
        let cx = visit.cx;
        visit.origins.check(cx.request).map_err(|why| visit.pages.error(visit.user, 403, &why))?;
        if chat.claim(&user).is_none() {
            return Err(visit.refusal(409, "name_taken"));
        }
        let (text, nonce) = posted(&visit)?;
        if text.trim().is_empty() {
            return Err(visit.refusal(400, "why_no_text"));
        }
        if text.len() > self.text_bytes_max {
            return Err(visit.refusal(413, "why_long_text"));
        }
        chat.take_turn(&visit, &user, &room).map_err(|problem| match problem {
            Problem::TooFast(wait) => too_many(visit.pages, visit.user, "why_too_fast", wait),
            problem => refused(&problem, 403),
        })?;
        let draft = Draft::Message { user, nonce, text: text.into() };
        self.ask(cx.from, Waiting::Post, Command::Append { room, at: cx.now.wall, draft }, out);
        Ok(())
    }

    fn ask(&mut self, from: ConnId, waiting: Waiting, command: Command, out: &mut Effects) {
        self.waiting.insert(from, waiting);
        out.push(Effect::Store(from, command));
    }

    /// Responds to the request that has waited for this outcome. Returns the outcome if there is none.
    pub fn on_stored(&mut self, from: ConnId, outcome: Outcome, chat: &Chat, out: &mut Effects) -> Option<Outcome> {
        let Some(waiting) = self.waiting.remove(&from) else { return Some(outcome) };
        out.respond(
            from,
            match (waiting, outcome) {
                (Waiting::Page(reader), Outcome::Page { page, .. }) => page_response(&page, &reader),
                (Waiting::Search(reader), Outcome::Found { found, .. }) => found_response(&found, &reader),
                (Waiting::Rooms, Outcome::Rooms(rooms)) => rooms_response(rooms, chat),
                (Waiting::Post, Outcome::Appended { nonce, position, is_new, .. }) => {
                    let nonce = nonce.map(|nonce| nonce.to_string());
                    json_response(if is_new { 201 } else { 200 }, json!({ "id": position.id, "nonce": nonce }))
                }
                (Waiting::Post, Outcome::Refused { why, .. }) => refused(&Problem::NotStored(why), 409),
                _ => unreadable(),
            },
        );
        None
    }

    /// A connection that waited is gone.
    pub fn on_left(&mut self, from: ConnId) {
        self.waiting.remove(&from);
    }
}

/// What a client that follows a room has: Last-Event-ID, which browsers send by themselves, or `since`.
fn since(visit: &Visit) -> Since {
    match visit.cx.request.header("last-event-id") {
        Some(id) if !id.is_empty() => Since::parse(Some(&String::from_utf8_lossy(id))),
        _ => Since::parse(visit.query.value("since").as_deref()),
    }
}

/// The text and the nonce of a message: a form, or a JSON object.
fn posted(visit: &Visit) -> Result<(String, Option<Nonce>), Response> {
    let kind = visit.cx.request.header("content-type").unwrap_or_default();
    let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let wrong = || visit.refusal(400, "why_post");
    let (text, nonce) = if kind.eq_ignore_ascii_case(b"application/json") {
        let mut object: Value = serde_json::from_slice(visit.cx.body).map_err(|_| wrong())?;
        let nonce = match &object["nonce"] {
            Value::Null => None,
            Value::String(nonce) => Some(nonce.clone()),
            _ => return Err(wrong()),
        };
        // Not by `object["text"]`, which panics where the body is no object.
        match object.get_mut("text").map(Value::take) {
            Some(Value::String(text)) => (text, nonce),
            _ => return Err(wrong()),
        }
    } else if kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        let form = Form::parse(visit.cx.body).map_err(|_| visit.refusal(400, "why_encoding"))?;
        (form.value("text").ok_or_else(wrong)?, form.value("nonce"))
    } else {
        return Err(visit
            .refusal(415, "why_post")
            .header("Accept", "application/json, application/x-www-form-urlencoded"));
    };
    match nonce {
        None => Ok((text, None)),
        Some(nonce) => Nonce::parse(&nonce).map(|nonce| (text, Some(nonce))).ok_or_else(wrong),
    }
}

fn page_response(page: &store::Page, reader: &str) -> Response {
    let rest = format!("\"oldest\":{},\"position\":\"{}\"", page.oldest, page.last);
    messages_response(&page.entries, &rest, reader)
}

fn found_response(found: &Found, reader: &str) -> Response {
    let next = found.next.map_or("null".into(), |id| id.to_string());
    messages_response(&found.entries, &format!("\"next\":{next}"), reader)
}

/// An object with these entries; `rest` is what it has besides them.
fn messages_response(entries: &[Entry], rest: &str, reader: &str) -> Response {
    let mut body = b"{\"messages\":[".to_vec();
    for (n, entry) in entries.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        v1::write_entry(entry, Some(reader), &mut body);
    }
    body.extend_from_slice(format!("],{rest}}}\n").as_bytes());
    private(Response::new(200, "application/json", Body::Owned(body)))
}

/// The rooms with a history or with members, by name: those that were used last, if there are many.
fn rooms_response(mut stored: Vec<RoomFacts>, chat: &Chat) -> Response {
    stored.retain(|room| chat.place_in(&room.name) != Place::NoSuchRoom && !chat.is_hidden(&room.name));
    stored.sort_unstable_by_key(|room| std::cmp::Reverse(room.at));
    stored.truncate(ROOMS_MAX);
    stored.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let mut rooms: Vec<(&str, Option<&RoomFacts>)> = stored.iter().map(|room| (&*room.name, Some(room))).collect();
    let others = chat
        .room_names()
        .filter(|name| !chat.is_hidden(name) && stored.binary_search_by(|room| (*room.name).cmp(name)).is_err());
    rooms.extend(others.map(|name| (name, None)));
    rooms.sort_unstable_by_key(|&(name, _)| name);
    let mut body = b"{\"rooms\":[".to_vec();
    for (n, (name, facts)) in rooms.into_iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        v1::write_room(name, chat.count_in(name), facts, &mut body);
    }
    body.extend_from_slice(b"]}\n");
    private(Response::new(200, "application/json", Body::Owned(body)))
}

/// A refusal as JSON: 503 if the client may try again soon, else `status`.
fn refused(problem: &Problem, status: u16) -> Response {
    let (code, sentence, retry_after) = problem.parts();
    let is_temporary = matches!(problem, Problem::NotStored(_)) && retry_after.is_some();
    let response = json_response(if is_temporary { 503 } else { status }, json!({ "code": code, "text": sentence }));
    match retry_after {
        Some(wait) => response.header("Retry-After", wait.as_secs().max(1).to_string()),
        None => response,
    }
}

fn unreadable() -> Response {
    let text = "The history cannot be read at the moment.";
    json_response(503, json!({ "code": "storage", "text": text })).header("Retry-After", "5")
}

fn json_response(status: u16, value: Value) -> Response {
    private(Response::new(status, "application/json", Body::Owned(format!("{value}\n").into_bytes())))
}

fn event_stream() -> Response {
    // Some proxies keep what they relay until they have a block of it; nginx does not with this field.
    private(Response::new(200, "text/event-stream", Body::Stream(None))).header("X-Accel-Buffering", "no")
}

/// It depends on the cookie, and changes with every message.
fn private(response: Response) -> Response {
    response.header("X-Content-Type-Options", "nosniff").header("Cache-Control", "private, no-store")
}

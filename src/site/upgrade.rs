//! The upgrade of a request to a WebSocket: its checks, for the chat and the echo.
//!
//! An Upgrade without `upgrade` in Connection, or over HTTP/1.0, is ignored (RFC 9110 section 7.8): `/chat/` responds
//! with its page then, `/echo` with 426.

use super::chat::entrance::{Entrance, Manner, Place};
use super::chat::join::Since;
use super::chat::{Chat, v1};
use super::context::{Context, User};
use super::language::Localized;
use super::origins::Origins;
use super::pages::Pages;
use super::room_name::{self, LOBBY};
use super::visit::Visit;
use crate::config::Limits;
use crate::event::{Effect, Effects, Request, Response};
use crate::http::url::Form;
use crate::ws::deflate::{self, Agreement};
use crate::ws::handshake::{self, UpgradeError};

/// The value of Sec-WebSocket-Accept, the subprotocol, and how the connection enters.
type Admission = ([u8; 28], Option<&'static str>, Entrance);

/// The limits of new WebSockets, and whether there are new ones.
pub struct Upgrades {
    chat_message_bytes_max: usize,
    echo_message_bytes_max: usize,
    draining: bool,
    /// The log has said that a handshake came without its Upgrade field.
    has_warned: bool,
}

impl Upgrades {
    /// Of a server that is not draining.
    pub fn new(limits: &Limits) -> Upgrades {
        Upgrades {
            chat_message_bytes_max: limits.chat_message_bytes_max,
            echo_message_bytes_max: limits.echo_message_bytes_max,
            draining: false,
            has_warned: false,
        }
    }

    /// From now on every upgrade is refused with 503.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether upgrades are refused with 503.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// The checks in their order: head, key and subprotocols (400), version (426), Origin (403), draining (503), cookie
    /// (401), name (409), ban (403), room (400, 404, 503), address (429). Then the connection enters the room of the
    /// query.
    pub fn chat(&self, visit: Visit, chat: &mut Chat, out: &mut Effects) {
        let cx = visit.cx;
        match self.admit(&visit, chat) {
            Ok((accept, subprotocol, entrance)) => {
                // Without windows that are kept, a message is compressed once for the whole room.
                let (compression, message_bytes_max) = (negotiate(cx.request, true), self.chat_message_bytes_max);
                out.push(Effect::Upgrade { to: cx.from, accept, subprotocol, compression, message_bytes_max });
                chat.enter(cx.from, entrance, cx.now.instant, out);
            }
            Err(response) => out.respond(cx.from, response),
        }
    }

    fn admit(&self, visit: &Visit, chat: &mut Chat) -> Result<Admission, Response> {
        let Visit { cx, user, query, origins, pages } = *visit;
        let accept = self.check(cx.request, user, origins, pages)?;
        let subprotocol =
            handshake::choose_subprotocol(cx.request, &[v1::NAME]).map_err(|e| refused(e, user, pages))?;
        let name = visit.name()?;
        let claim = chat.claim(name).ok_or_else(|| visit.refusal(409, "name_taken"))?;
        let (rank, address) = (visit.rank(), visit.address());
        chat.admit(visit, name)?;
        let room = query.value("room").unwrap_or_else(|| LOBBY.into());
        let room = room_name::check(&room).map_err(|_| visit.refusal(400, "why_room"))?;
        match chat.place_in(&room) {
            Place::Free => {}
            Place::NoSuchRoom => return Err(visit.refusal(404, "why_no_room")),
            Place::TooManyRooms => return Err(visit.refusal(503, "why_rooms").header("Retry-After", "60")),
        }
        visit.take_entrance(chat)?;
        let manner = match subprotocol {
            Some(_) => Manner::V1(Since::parse(query.value("since").as_deref())),
            None => Manner::Plain { history: history_of(query) },
        };
        Ok((accept, subprotocol, Entrance { claim, rank, address, room, manner }))
    }

    /// The same without cookie and name: every WebSocket outside the chat is an echo.
    pub fn echo(&mut self, cx: Context, user: &User, origins: &Origins, pages: &Pages, out: &mut Effects) {
        self.warn_if_stripped("/echo", cx.request);
        match self.check(cx.request, user, origins, pages) {
            Ok(accept) => {
                let (compression, message_bytes_max) = (negotiate(cx.request, false), self.echo_message_bytes_max);
                out.push(Effect::Upgrade { to: cx.from, accept, subprotocol: None, compression, message_bytes_max });
            }
            Err(response) => out.respond(cx.from, response),
        }
    }

    /// Logs once that a proxy removes the Upgrade field: the browser reports a lost network, and the operator would see
    /// nothing.
    pub fn warn_if_stripped(&mut self, path: &'static str, request: &Request) {
        if is_stripped_handshake(request) && !std::mem::replace(&mut self.has_warned, true) {
            log::warn!(
                "{path} was asked for by a script without an upgrade: a proxy in front has to pass on Upgrade and \
                 Connection, over HTTP/1.1 (said once)"
            );
        }
    }

    /// The value of Sec-WebSocket-Accept, or the refusal.
    fn check(&self, request: &Request, user: &User, origins: &Origins, pages: &Pages) -> Result<[u8; 28], Response> {
        let accept = handshake::check(request).map_err(|e| refused(e, user, pages))?;
        origins.check(request).map_err(|why| pages.error(user, 403, &why))?;
        // A session that begins now would end in a moment, without the Close of those that were there.
        if self.draining { Err(Response::text(503, "draining\n")) } else { Ok(accept) }
    }
}

/// The messages that a client of the plain protocol wants to be sent first: none, unless it asks.
fn history_of(query: &Form) -> u32 {
    let count = query.value("history").and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn refused(error: UpgradeError, user: &User, pages: &Pages) -> Response {
    match error {
        UpgradeError::Malformed(what) => pages.error(user, 400, &Localized::new("why_handshake", []).because(what)),
        UpgradeError::Required => upgrade_required(pages.error(user, 426, &Localized::new("why_websocket", []))),
    }
}

/// Whether this was a WebSocket handshake until a proxy removed the upgrade. Upgrade and Connection are for one hop
/// only (RFC 9110 section 7.6.1); nginx drops them and passes the key and the version on. Firefox sends Sec-Fetch-Mode,
/// too.
fn is_stripped_handshake(request: &Request) -> bool {
    let has = |name| request.header(name).is_some();
    !request.wants_upgrade()
        && (has("sec-websocket-key")
            || has("sec-websocket-version")
            || request.header("sec-fetch-mode").is_some_and(|mode| mode.eq_ignore_ascii_case(b"websocket")))
}

fn negotiate(request: &Request, shared: bool) -> Option<Agreement> {
    deflate::negotiate(request.headers_named("sec-websocket-extensions"), shared)
}

/// RFC 6455 section 4.2.2: the version that is understood; RFC 9110 section 15.5.22: the protocol that is wanted.
fn upgrade_required(response: Response) -> Response {
    response.header("Upgrade", "websocket").header("Connection", "Upgrade").header("Sec-WebSocket-Version", "13")
}

#[cfg(test)]
mod tests;

//! The page of the chat.

use super::chat::Chat;
use super::pages::Page;
use super::room_name::{self, LOBBY};
use super::visit::Visit;
use crate::event::Response;
use crate::http::url::encode_component;

/// The page for a user that may enter, else the way to the login and back; 400 without a name of a room, 403 for one that
/// is banned.
pub fn respond(visit: &Visit, chat: &Chat) -> Response {
    let Visit { user, query, pages, .. } = *visit;
    let typed = query.value("room");
    let Ok(room) = room_name::check(typed.as_deref().unwrap_or(LOBBY)) else {
        return visit.refusal(400, "why_room");
    };
    // A name that looks like that of a member cannot enter, so the login has to change it.
    if let Some(name) = user.name().filter(|name| chat.claim(name).is_some()) {
        return chat.admit(visit, name).err().unwrap_or_else(|| pages.render(&Page::Chat, user, 200));
    }
    let next = match typed {
        // Encoded once as a value in its own query, and again as one in that of the login.
        Some(_) => encode_component(&format!("/chat/?room={}", encode_component(&room))),
        None => "/chat/".into(),
    };
    Response::redirect(303, format!("/login?next={next}")).header("Cache-Control", "no-store")
}

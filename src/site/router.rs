//! Who answers which request.
//!
//! A path has a `Route`, a route has its methods; HEAD goes wherever GET goes. Unknown paths get 404, known ones
//! with another method 405 and Allow, methods nobody knows 501. An Upgrade without `upgrade` in Connection, or over
//! HTTP/1.0, is ignored (RFC 9110 section 7.8): `/chat/` answers with its page then, `/echo` with 426.

use super::files::CHALLENGES;
use super::language::Sentence;
use super::pages::Page;
use super::{Ask, Site, plaintext};
use crate::event::{Body, Effect, Effects, Request, Response};
use crate::http::request::Method;
use crate::http::url::{Form, NotUtf8, decode_path};
use crate::ws::deflate::{self, Agreement};
use crate::ws::handshake::{self, UpgradeError};
use std::borrow::Cow;

/// What a 401 must say (RFC 9110 section 11.6.1). No browser knows the scheme, so none asks for a password.
const CHALLENGE: &str = "Cookie form-action=\"/login\", cookie-name=\"username\"";

/// Everything the site answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Plaintext,
    Index,
    Sleep,
    Login,
    Logout,
    Chat,
    ChatWithoutSlash,
    Echo,
    Search,
    Static,
    Health,
    SearchSync,
    Block,
}

impl Route {
    fn of(path: &[u8], lab: bool) -> Option<Route> {
        Some(match path {
            b"/plaintext" => Route::Plaintext,
            b"/" => Route::Index,
            b"/sleep" => Route::Sleep,
            b"/login" => Route::Login,
            b"/logout" => Route::Logout,
            b"/chat/" => Route::Chat,
            b"/chat" => Route::ChatWithoutSlash,
            b"/echo" => Route::Echo,
            b"/search" => Route::Search,
            b"/favicon.ico" => Route::Static,
            b"/healthz" => Route::Health,
            b"/search-sync" if lab => Route::SearchSync,
            b"/block" if lab => Route::Block,
            _ if path.starts_with(b"/static/") => Route::Static,
            [b'/', path @ ..] if path.starts_with(CHALLENGES.as_bytes()) => Route::Static,
            _ => return None,
        })
    }

    fn allow(self) -> &'static str {
        match self {
            Route::Login => "GET, HEAD, POST, OPTIONS",
            Route::Logout => "POST, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }

    fn allows(self, method: Method) -> bool {
        match method {
            Method::Get | Method::Head => self != Route::Logout,
            Method::Post => matches!(self, Route::Login | Route::Logout),
            _ => false,
        }
    }
}

impl Site {
    /// Answers one request, or sees to it that it will be.
    pub(super) fn route(&mut self, ask: Ask, out: &mut Effects) {
        let mut route = Route::of(ask.request.path_bytes(), self.settings.lab);
        let mut path = Cow::Borrowed("");
        // What is a route as it was sent has nothing to decode, but for the name of a file.
        if matches!(route, None | Some(Route::Static)) {
            path = decoded(ask.request.path());
            route = Route::of(path.as_bytes(), self.settings.lab);
        }
        match (route, ask.request.method) {
            (_, Method::Other | Method::Connect) => self.refuse(ask, 501, "why_no_method", out),
            (None, Method::Options) if ask.request.path() == "*" => {
                out.respond(ask.from, allow(204, "GET, HEAD, POST, OPTIONS"))
            }
            (None, _) => self.refuse(ask, 404, "why_no_page", out),
            (Some(route), Method::Options) => out.respond(ask.from, allow(204, route.allow())),
            (Some(route), method) if !route.allows(method) => {
                let visitor = self.visitor(ask);
                let response = self.error(&visitor, 405, &Sentence::new("why_not_this_method", []));
                out.respond(ask.from, response.header("Allow", route.allow()));
            }
            (Some(route), _) => self.answer(route, ask, &path, out),
        }
    }

    fn answer(&mut self, route: Route, ask: Ask, path: &str, out: &mut Effects) {
        let query = match route {
            // It has no parameters, and to look for them costs 87 instructions of 3,670 (callgrind).
            Route::Plaintext => Ok(Form::default()),
            _ => Form::parse(ask.request.query().as_bytes()),
        };
        match (route, query) {
            (Route::Plaintext, _) => plaintext(ask.from, out),
            (_, Err(NotUtf8)) => self.refuse(ask, 400, "why_encoding", out),
            (Route::Index, _) => {
                let visitor = self.visitor(ask);
                out.respond(ask.from, self.index(&visitor, None));
            }
            (Route::Sleep, Ok(query)) => self.sleep(ask, query, out),
            (Route::Block, Ok(query)) => self.block(ask, query, out),
            (Route::Login, _) if ask.request.method == Method::Post => self.log_in(ask, out),
            (Route::Login, Ok(query)) => self.login_form(ask, query, out),
            (Route::Logout, _) => self.log_out(ask, out),
            (Route::Chat, _) if ask.request.wants_upgrade() => self.enter_chat(ask, out),
            (Route::Chat, _) => self.chat_page(ask, out),
            (Route::ChatWithoutSlash, _) => out.respond(ask.from, Response::redirect(308, "/chat/")),
            (Route::Echo, _) => self.echo(ask, out),
            (Route::Search | Route::SearchSync, Ok(query)) => {
                match query.value("wd").filter(|words| !words.trim().is_empty()) {
                    Some(words) => self.search(ask, &words, route == Route::SearchSync, out),
                    None => {
                        let visitor = self.visitor(ask);
                        let page = Page::Search { user: visitor.user.as_deref() };
                        out.respond(ask.from, self.pages.render(&page, visitor.lang, 200));
                    }
                }
            }
            (Route::Static, _) => self.file(ask, path.trim_start_matches('/'), out),
            (Route::Health, _) if self.draining => out.respond(ask.from, Response::text(503, "draining\n")),
            (Route::Health, _) => out.respond(ask.from, Response::text(200, "ok\n")),
        }
    }

    pub(super) fn refuse(&self, ask: Ask, status: u16, why: &'static str, out: &mut Effects) {
        let visitor = self.visitor(ask);
        out.respond(ask.from, self.error(&visitor, status, &Sentence::new(why, [])));
    }

    fn chat_page(&mut self, ask: Ask, out: &mut Effects) {
        self.warn_of_stripped("/chat/", ask.request);
        let visitor = self.visitor(ask);
        // A name that looks like that of a member cannot enter, so the login has to change it.
        let response = match visitor.user.as_ref().filter(|name| self.chat.claim(name).is_some()) {
            Some(user) => self.pages.render(&Page::Chat { user }, visitor.lang, 200),
            None => Response::redirect(303, "/login?next=/chat/").header("Cache-Control", "no-store"),
        };
        out.respond(ask.from, response);
    }

    /// The checks in their order: head and key (400), version (426), Origin (403), cookie (401), presence (409).
    fn enter_chat(&mut self, ask: Ask, out: &mut Effects) {
        let accept = match self.check_upgrade(ask) {
            Ok(accept) => accept,
            Err(response) => return out.respond(ask.from, response),
        };
        let Some(name) = self.user(ask) else {
            let response = self.error(&self.visitor(ask), 401, &Sentence::new("why_no_name", []));
            return out.respond(ask.from, response.header("WWW-Authenticate", CHALLENGE));
        };
        let Some(claim) = self.chat.claim(&name) else {
            let response = self.error(&self.visitor(ask), 409, &Sentence::new("name_taken", []));
            return out.respond(ask.from, response);
        };
        // Without windows that are kept, a message is compressed once for the whole room.
        let (compression, message_bytes_max) = (negotiate(ask, true), self.limits.chat_message_bytes_max);
        out.push(Effect::Upgrade { to: ask.from, accept, compression, message_bytes_max });
        self.chat.enter(ask.from, claim, ask.now.instant, out);
    }

    fn echo(&mut self, ask: Ask, out: &mut Effects) {
        self.warn_of_stripped("/echo", ask.request);
        match self.check_upgrade(ask) {
            Ok(accept) => {
                let (compression, message_bytes_max) = (negotiate(ask, false), self.limits.echo_message_bytes_max);
                out.push(Effect::Upgrade { to: ask.from, accept, compression, message_bytes_max });
            }
            Err(response) => out.respond(ask.from, response),
        }
    }

    /// Says once that handshakes arrive stripped: the browser sees a lost network, the operator would see nothing.
    fn warn_of_stripped(&mut self, path: &'static str, request: &Request) {
        if is_stripped_handshake(request) && !std::mem::replace(&mut self.has_warned_of_stripped, true) {
            log::warn!(
                "{path} was asked for by a script without an upgrade: a proxy in front has to pass on Upgrade and \
                 Connection, over HTTP/1.1 (said once)"
            );
        }
    }

    fn check_upgrade(&self, ask: Ask) -> Result<[u8; 28], Response> {
        let refuse = |status, why: &Sentence| self.error(&self.visitor(ask), status, why);
        let accept = handshake::check(ask.request).map_err(|e| match e {
            UpgradeError::Malformed(what) => refuse(400, &Sentence::new("why_handshake", []).because(what)),
            UpgradeError::Required => upgrade_required(refuse(426, &Sentence::new("why_websocket", []))),
        })?;
        self.check_origin(ask.request).map_err(|why| refuse(403, &why))?;
        // A session that begins now would end in a moment, without the Close of those that were there.
        if self.draining { Err(Response::text(503, "draining\n")) } else { Ok(accept) }
    }
}

/// Whether this was a WebSocket handshake until a proxy took the upgrade out. Upgrade and Connection are for one hop
/// only (RFC 9110 section 7.6.1); nginx drops them and passes the key and the version on. Firefox sends Sec-Fetch-Mode too.
fn is_stripped_handshake(request: &Request) -> bool {
    let has = |name| request.header(name).is_some();
    !request.wants_upgrade()
        && (has("sec-websocket-key")
            || has("sec-websocket-version")
            || request.header("sec-fetch-mode").is_some_and(|mode| mode.eq_ignore_ascii_case(b"websocket")))
}

/// A path without its percent-encoding; empty for what no route and no file of ours is called by.
fn decoded(path: &str) -> Cow<'_, str> {
    match path.contains('%') {
        true => decode_path(path).map_or(Cow::Borrowed(""), |path| Cow::Owned(format!("/{path}"))),
        false => Cow::Borrowed(path),
    }
}

fn negotiate(ask: Ask, shared: bool) -> Option<Agreement> {
    deflate::negotiate(ask.request.headers_named("sec-websocket-extensions"), shared)
}

fn allow(status: u16, methods: &'static str) -> Response {
    Response::new(status, "", Body::Static(b"")).header("Allow", methods)
}

/// RFC 6455 section 4.2.2: the version that is understood; RFC 9110 section 15.5.22: the protocol that is wanted.
fn upgrade_required(response: Response) -> Response {
    response.header("Upgrade", "websocket").header("Connection", "Upgrade").header("Sec-WebSocket-Version", "13")
}

#[cfg(test)]
mod tests;

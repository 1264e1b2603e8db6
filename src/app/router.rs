//! Who answers which request.
//!
//! A path has a [`Route`], a route has its methods; HEAD goes wherever GET goes. Unknown paths get 404, known ones
//! with another method 405 and Allow, methods nobody knows 501.

use super::pages::Page;
use super::{Site, plaintext};
use crate::event::{Effect, Effects, Request, Response};
use crate::id::ConnId;
use crate::proto::http::Method;
use crate::proto::upgrade;
use crate::proto::url::{decode_path, query_value};
use std::borrow::Cow;
use std::time::Instant;

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
    fn of(path: &str, lab: bool) -> Option<Route> {
        Some(match path {
            "/plaintext" => Route::Plaintext,
            "/" => Route::Index,
            "/sleep" => Route::Sleep,
            "/login" => Route::Login,
            "/logout" => Route::Logout,
            "/chat/" => Route::Chat,
            "/chat" => Route::ChatWithoutSlash,
            "/echo" => Route::Echo,
            "/search" => Route::Search,
            "/favicon.ico" => Route::Static,
            "/healthz" => Route::Health,
            "/search-sync" if lab => Route::SearchSync,
            "/block" if lab => Route::Block,
            _ if path.starts_with("/static/") => Route::Static,
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
    pub(super) fn route(&mut self, from: ConnId, request: &Request, body: &[u8], now: Instant, out: &mut Effects) {
        let path = match request.path.contains('%') {
            true => decode_path(request.path).map_or(Cow::Borrowed(""), |path| Cow::Owned(format!("/{path}"))),
            false => Cow::Borrowed(request.path),
        };
        match (Route::of(&path, self.settings.lab), request.method) {
            (_, Method::Other | Method::Connect) => {
                self.refuse(from, request, 501, "This method is not known here.", now, out)
            }
            (None, Method::Options) if request.path == "*" => out.respond(from, allow(204, "GET, HEAD, POST, OPTIONS")),
            (None, _) => self.refuse(from, request, 404, "There is no such page.", now, out),
            (Some(route), Method::Options) => out.respond(from, allow(204, route.allow())),
            (Some(route), method) if !route.allows(method) => {
                let visitor = self.visitor(request, now);
                let response = self.error(&visitor, 405, "This page does not answer to this method.", false);
                out.respond(from, response.header("Allow", route.allow()));
            }
            (Some(route), _) => self.answer(route, from, request, &path, body, now, out),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn answer(
        &mut self,
        route: Route,
        from: ConnId,
        request: &Request,
        path: &str,
        body: &[u8],
        now: Instant,
        out: &mut Effects,
    ) {
        match route {
            Route::Plaintext => out.respond(from, plaintext()),
            Route::Index => {
                let visitor = self.visitor(request, now);
                let page = Page::Index { user: visitor.user.as_deref(), slept: None, lab: self.settings.lab };
                out.respond(from, self.pages.render(&page, visitor.lang, 200));
            }
            Route::Sleep => self.sleep(from, request, now, out),
            Route::Block => self.block(from, request, now, out),
            Route::Login if request.method == Method::Post => self.log_in(from, request, body, now, out),
            Route::Login => self.login_form(from, request, now, out),
            Route::Logout => self.log_out(from, request, out),
            Route::Chat if request.wants_upgrade => self.enter_chat(from, request, now, out),
            Route::Chat => self.chat_page(from, request, now, out),
            Route::ChatWithoutSlash => out.respond(from, Response::redirect(308, "/chat/")),
            Route::Echo => self.echo(from, request, out),
            Route::Search | Route::SearchSync => {
                match query_value(request.query, "wd").filter(|words| !words.trim().is_empty()) {
                    Some(words) => self.search(from, request, &words, route == Route::SearchSync, now, out),
                    None => {
                        let visitor = self.visitor(request, now);
                        let page = Page::Search { user: visitor.user.as_deref() };
                        out.respond(from, self.pages.render(&page, visitor.lang, 200));
                    }
                }
            }
            Route::Static => self.file(from, path.trim_start_matches('/'), request, now, out),
            Route::Health if self.draining => out.respond(from, Response::text(503, "draining\n")),
            Route::Health => out.respond(from, Response::text(200, "ok\n")),
        }
    }

    fn refuse(&self, from: ConnId, request: &Request, status: u16, text: &str, now: Instant, out: &mut Effects) {
        let visitor = self.visitor(request, now);
        out.respond(from, self.error(&visitor, status, text, false));
    }

    fn chat_page(&mut self, from: ConnId, request: &Request, now: Instant, out: &mut Effects) {
        let visitor = self.visitor(request, now);
        let response = match &visitor.user {
            Some(user) => self.pages.render(&Page::Chat { user }, visitor.lang, 200),
            None => Response::redirect(303, "/login?next=/chat/").header("Cache-Control", "no-store"),
        };
        out.respond(from, response);
    }

    /// The checks in their order: head and key (400), version (426), Origin (403), cookie (401).
    fn enter_chat(&mut self, from: ConnId, request: &Request, now: Instant, out: &mut Effects) {
        let accept = match self.check_upgrade(request) {
            Ok(accept) => accept,
            Err(response) => return out.respond(from, response),
        };
        let Some(name) = self.user(request, now) else {
            return out.respond(from, Response::text(401, "Log in first: the chat needs the cookie of /login.\n"));
        };
        out.push(Effect::Upgrade(from, accept, self.limits.chat_message_bytes_max));
        self.chat.enter(from, &name, now, out);
    }

    fn echo(&self, from: ConnId, request: &Request, out: &mut Effects) {
        if !request.wants_upgrade {
            return out.respond(from, upgrade_required());
        }
        match self.check_upgrade(request) {
            Ok(accept) => out.push(Effect::Upgrade(from, accept, self.limits.echo_message_bytes_max)),
            Err(response) => out.respond(from, response),
        }
    }

    fn check_upgrade(&self, request: &Request) -> Result<[u8; 28], Response> {
        let accept = upgrade::check(request).map_err(|e| match e.status() {
            426 => upgrade_required(),
            status => Response::text(status, format!("{e}\n")),
        })?;
        self.check_origin(request).map_err(|why| Response::text(403, format!("{why}\n")))?;
        Ok(accept)
    }
}

fn allow(status: u16, methods: &'static str) -> Response {
    Response::new(status, "", crate::event::Body::Static(b"")).header("Allow", methods)
}

/// RFC 6455 section 4.2.2: the version that is understood; RFC 9110 section 15.5.22: the protocol that is wanted.
fn upgrade_required() -> Response {
    Response::text(426, "This is a WebSocket, version 13.\n")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Version", "13")
}

#[cfg(test)]
mod tests;

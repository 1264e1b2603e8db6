//! The site: values in, effects out.
//!
//! [`Site`] passes each event to its component. [`router`] finds the route of a request; [`index`], [`login`],
//! [`upgrade`], [`chat`], [`search`] and [`files`] serve it, each with its own state, such as the requests whose
//! response is still to come. [`pages`] renders what people read. No module here knows a socket, waits, or reads a
//! clock.

pub mod api;
pub mod base;
pub mod chat;
pub mod chat_page;
pub mod context;
#[cfg(feature = "history")]
pub mod control;
pub mod cookie;
pub mod files;
pub mod index;
pub mod language;
#[cfg(feature = "history")]
pub mod lines;
pub mod login;
pub mod name;
pub mod operators;
pub mod origins;
pub mod pages;
pub mod room_name;
pub mod router;
pub mod search;
pub mod upgrade;
pub mod visit;

use crate::clock::Now;
use crate::config::Limits;
use crate::event::{
    App, Blocking, Body, Effect, Effects, Fetched, Finished, Kind, Outcome, Payload, Request, Response,
};
use crate::http::request::Method;
use crate::http::url::{Form, NotUtf8, encode_component};
use crate::id::ConnId;
use api::Api;
use chat::Chat;
use chat::addresses::Addresses;
use chat::rules::Rules;
use context::Context;
#[cfg(feature = "history")]
use control::Control;
use files::Files;
use index::Index;
use language::Localized;
use login::Login;
use origins::Origins;
use pages::Pages;
use router::{Found, Route, Router};
use search::Search;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use upgrade::Upgrades;
use visit::{Visit, too_many};

/// What the site is told at start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Key of the login cookie.
    pub secret: Vec<u8>,
    /// Set the cookie with Secure always, not only over TLS.
    pub cookie_secure: bool,
    /// Origins that are allowed besides the server's own, as [`crate::config::parse_origin`] writes them.
    pub allow_origin: Vec<String>,
    /// Directory that overlays the built-in pages and files.
    pub www: Option<PathBuf>,
    /// Template of the search site with one `{}`.
    pub search_url: String,
    /// Redirects may lead to addresses that are not public.
    pub allow_private: bool,
    /// The blocking contrasts exist.
    pub lab: bool,
    /// The only rooms, if they are given.
    pub rooms: Option<Vec<String>>,
    /// The file of the operators.
    pub operators_file: Option<PathBuf>,
    /// The file of the invitations: with it a new login needs one.
    pub invite_file: Option<PathBuf>,
}

/// The application.
pub struct Site {
    router: Router,
    pages: Pages,
    origins: Origins,
    index: Index,
    login: Login,
    upgrades: Upgrades,
    chat: Chat,
    api: Api,
    #[cfg(feature = "history")]
    control: Control,
    search: Search,
    files: Files,
}

impl Site {
    /// Reads the templates and checks the settings.
    ///
    /// # Errors
    /// A sentence that says what is wrong with which setting.
    pub fn new(settings: Settings, limits: &Limits, now: Instant) -> Result<Site, String> {
        let login = Login::new(&settings, now)?;
        let mut rules = Rules::new(limits, settings.rooms.as_deref(), now)?;
        rules.invitations = login.invitations();
        Ok(Site {
            router: Router::new(&settings),
            pages: Pages::new(settings.www.as_deref(), &files::folder(settings.www.as_deref()))?,
            index: Index::new(&settings),
            login,
            upgrades: Upgrades::new(limits),
            chat: Chat::new(rules, Addresses::new(limits, now), now),
            api: Api::new(limits),
            #[cfg(feature = "history")]
            control: Control::default(),
            search: Search::new(&settings, limits)?,
            origins: Origins::new(settings.allow_origin),
            files: Files::new(settings.www),
        })
    }

    fn route(&mut self, cx: Context, out: &mut Effects) {
        match self.router.find(cx.request) {
            // Without its user and parameters, which cost 2,200 instructions (callgrind); a whole request has 2,100.
            Found::Route(Route::Plaintext, _) => out.respond(cx.from, plaintext()),
            Found::Route(route, path) => match Form::parse(cx.request.query().as_bytes()) {
                Ok(query) => self.serve(route, cx, &path, query, out),
                Err(NotUtf8) => out.respond(cx.from, self.refusal(cx, 400, "why_encoding")),
            },
            Found::Options(methods) => out.respond(cx.from, router::options(methods)),
            Found::WrongMethod(methods) => {
                out.respond(cx.from, self.refusal(cx, 405, "why_not_this_method").header("Allow", methods));
            }
            Found::UnknownMethod => out.respond(cx.from, self.refusal(cx, 501, "why_no_method")),
            Found::Nothing => out.respond(cx.from, self.refusal(cx, 404, "why_no_page")),
        }
    }

    fn serve(&mut self, route: Route, cx: Context, path: &str, query: Form, out: &mut Effects) {
        let (pages, user) = (&self.pages, self.login.user(cx));
        let response = match route {
            Route::Plaintext => plaintext(),
            Route::Health if self.upgrades.is_draining() => Response::text(503, "draining\n"),
            Route::Health => Response::text(200, "ok\n"),
            Route::Index => match query.value("invite").filter(|_| user.name().is_none()) {
                Some(token) => Response::redirect(303, format!("/login?invite={}", encode_component(&token))),
                None => self.index.page(&user, pages),
            },
            Route::Sleep => return self.index.sleep(cx, user, query, pages, out),
            Route::Block => return self.index.block(cx, user, query, pages, out),
            Route::Login if cx.request.method == Method::Post => {
                match self.chat.addresses.take_login(cx.request.client.copied(), cx.now.instant) {
                    Ok(()) => return self.login.log_in(cx, user, &self.origins, &self.chat, pages, out),
                    Err(wait) => too_many(pages, &user, "why_logins", wait),
                }
            }
            Route::Login => self.login.form(&user, query, &self.chat, pages),
            Route::Logout => self.login.log_out(cx, &user, &self.origins, pages),
            Route::Chat => {
                let visit = Visit { cx, user: &user, query: &query, origins: &self.origins, pages };
                if cx.request.wants_upgrade() {
                    self.login.note_use(&user, cx.now, out);
                    return self.upgrades.chat(visit, &mut self.chat, out);
                }
                self.upgrades.warn_if_stripped("/chat/", cx.request);
                self.login.renew_on(chat_page::respond(&visit, &self.chat), cx, &user)
            }
            Route::ChatWithoutSlash => Response::redirect(308, "/chat/"),
            Route::Rooms | Route::Room(_) => {
                self.login.note_use(&user, cx.now, out);
                let visit = Visit { cx, user: &user, query: &query, origins: &self.origins, pages };
                return match route {
                    Route::Room(resource) => self.api.room(visit, path, resource, &mut self.chat, out),
                    _ => self.api.rooms(visit, out),
                };
            }
            Route::Echo => return self.upgrades.echo(cx, &user, &self.origins, pages, out),
            Route::Search => return self.search.request(cx, user, query, Effect::Fetch, pages, out),
            Route::SearchSync => {
                let start: search::Start = |id, fetch| Effect::RunBlocking(id, Blocking::Fetch(fetch));
                return self.search.request(cx, user, query, start, pages, out);
            }
            Route::Static => return self.files.request(cx, user, path, pages, out),
        };
        out.respond(cx.from, response);
    }

    fn refusal(&self, cx: Context, status: u16, why: &'static str) -> Response {
        self.pages.error(&self.login.user(cx), status, &Localized::new(why, []))
    }
}

impl App for Site {
    fn request(&mut self, from: ConnId, request: &Request<'_>, body: &[u8], now: Now, out: &mut Effects) {
        self.route(Context { from, request, body, now }, out);
    }

    #[cfg(feature = "history")]
    fn control(&mut self, from: ConnId, request: &Request<'_>, body: &[u8], now: Now, out: &mut Effects) {
        self.control.request(Context { from, request, body, now }, out);
    }

    fn message(&mut self, from: ConnId, kind: Kind, payload: Payload<'_>, now: Now, out: &mut Effects) {
        self.chat.on_message(from, kind, payload, now, out);
    }

    fn fetched(&mut self, from: ConnId, fetched: Fetched<'_>, _: Now, out: &mut Effects) {
        self.search.on_fetched(from, fetched, &self.pages, out);
    }

    fn finished(&mut self, from: ConnId, finished: Finished, now: Now, out: &mut Effects) {
        match finished {
            Finished::File(read) => {
                if let Some(read) = self.login.on_read(from, read, now, &self.chat, &self.pages, out) {
                    self.files.on_finished(from, read, now, &self.pages, out);
                }
            }
            Finished::Password(verdict) => self.login.on_checked(from, verdict, now, &self.pages, out),
            Finished::Blocked => self.index.resume(from, &self.pages, out),
        }
    }

    fn stored(&mut self, from: ConnId, outcome: Outcome, now: Now, out: &mut Effects) {
        #[cfg(feature = "history")]
        let Some(outcome) = self.control.on_stored(from, outcome, out) else { return };
        let outcome = self.login.on_stored(from, outcome, now, &self.pages, out);
        let outcome = outcome.and_then(|outcome| self.api.on_stored(from, outcome, &self.chat, out));
        if let Some(outcome) = outcome {
            self.chat.on_stored(from, outcome, now.instant, out);
        }
    }

    fn woke(&mut self, from: ConnId, now: Now, out: &mut Effects) {
        match from {
            ConnId::NONE => self.chat.on_alarm(now.instant, out),
            #[cfg(feature = "history")]
            _ if self.control.on_woke(from, out) => {}
            _ => self.index.resume(from, &self.pages, out),
        }
    }

    fn left(&mut self, from: ConnId, now: Now, out: &mut Effects) {
        self.index.on_left(from);
        self.search.on_left(from);
        self.files.on_left(from);
        self.api.on_left(from);
        #[cfg(feature = "history")]
        self.control.on_left(from);
        self.login.on_left(from);
        self.chat.on_left(from, now.instant, out);
    }

    fn stalled(&mut self, most: Duration) {
        self.chat.on_stalled(most);
    }

    fn draining(&mut self) {
        self.upgrades.drain();
        self.chat.drain();
    }
}

/// `Hello, World!`, for load tests: as short as a response can be.
fn plaintext() -> Response {
    Response::new(200, "text/plain", Body::Static(b"Hello, World!"))
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

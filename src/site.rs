//! The site: values in, effects out.
//!
//! `router` finds who answers a request; `login` knows cookies, `name` names, `chat` the room, `search` the relay,
//! `pages`, `language` and `files` what people see. Nothing in here knows a socket, waits, or reads a clock: an answer
//! that takes time is a `Pending` until its event comes.

pub mod base;
pub mod chat;
pub mod cookie;
pub mod files;
pub mod language;
pub mod login;
pub mod name;
pub mod pages;
pub mod router;
pub mod search;

use crate::clock::Now;
use crate::config::{Limits, parse_origin};
use crate::event::{App, Blocking, Body, Effect, Effects, Event, FileRead, Finished, Job, Request, Response};
use crate::http::request::Method;
use crate::http::url::{Form, same_authority};
use crate::id::ConnId;
use chat::Chat;
use cookie::Signer;
use files::{Asset, Complaints, Conditions, Files};
use language::{Lang, Sentence};
use pages::{Page, Pages, Pause, Place};
use search::Search;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What the site is told at start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Key of the login cookie.
    pub secret: Vec<u8>,
    /// Set the cookie with Secure always, not only over TLS.
    pub cookie_secure: bool,
    /// Origins that are allowed besides the server's own, as [`parse_origin`] writes them.
    pub allow_origin: Vec<String>,
    /// Directory that overlays the built-in pages and files.
    pub www: Option<PathBuf>,
    /// Template of the search site with one `{}`.
    pub search_url: String,
    /// Redirects may lead to addresses that are not public.
    pub allow_private: bool,
    /// The blocking contrasts exist.
    pub lab: bool,
}

/// The application.
pub struct Site {
    settings: Settings,
    limits: Limits,
    pages: Pages,
    files: Files,
    complaints: Complaints,
    signer: Signer,
    chat: Chat,
    search: Search,
    pending: HashMap<ConnId, Pending>,
    draining: bool,
    /// A WebSocket handshake has come without its upgrade, and the log has said so.
    has_warned_of_stripped: bool,
}

/// One request, and what an answer to it needs to know.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub from: ConnId,
    pub request: &'a Request<'a>,
    pub body: &'a [u8],
    pub now: Now,
}

/// Who asks, and how they want to be talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub user: Option<String>,
    pub lang: Lang,
    /// They accept HTML; else errors are short texts.
    pub html: bool,
    /// The answer is for the frame of the search page.
    pub framed: bool,
}

/// An answer that is still to come.
#[derive(Debug)]
enum Pending {
    Sleep(Visitor, f64),
    Block(Visitor, f64),
    File(Box<PendingFile>),
    Search(Box<search::UnderWay>),
}

/// A file of `--www` that is being read.
#[derive(Debug)]
struct PendingFile {
    visitor: Visitor,
    path: PathBuf,
    embedded: Option<&'static Asset>,
    conditions: Conditions,
}

impl Site {
    /// Reads the templates and checks the settings.
    ///
    /// # Errors
    /// A sentence that says what is wrong with which setting.
    pub fn new(settings: Settings, limits: &Limits, now: Instant) -> Result<Site, String> {
        Ok(Site {
            pages: Pages::new(settings.www.as_deref())?,
            files: Files::new(settings.www.clone()),
            complaints: Complaints::default(),
            signer: Signer::new(&settings.secret),
            chat: Chat::new(limits, now),
            search: Search::new(&settings.search_url, settings.allow_private, limits)?,
            limits: limits.clone(),
            settings,
            pending: HashMap::new(),
            draining: false,
            has_warned_of_stripped: false,
        })
    }

    /// Who sent this request.
    fn visitor(&self, ask: Ask) -> Visitor {
        let accept = ask.request.header("accept").unwrap_or_default();
        Visitor {
            user: self.user(ask),
            lang: Lang::of(ask.request.header("accept-language")),
            html: accept.windows(9).any(|part| part.eq_ignore_ascii_case(b"text/html")),
            // Over plain http browsers say Sec-Fetch-Dest to their own machine only, so search.js says it in the query.
            framed: ask.request.header("sec-fetch-dest") == Some(&b"iframe"[..])
                || Form::parse(ask.request.query().as_bytes()).is_ok_and(|query| query.value("framed").is_some()),
        }
    }

    /// A page, or a short text in English, as the visitor likes it.
    fn error(&self, visitor: &Visitor, status: u16, why: &Sentence) -> Response {
        self.error_at(Place::Page, visitor, status, why)
    }

    fn error_at(&self, place: Place, visitor: &Visitor, status: u16, why: &Sentence) -> Response {
        if !visitor.html {
            return Response::text(status, format!("{}\n", why.text(Lang::En)));
        }
        let page = Page::Error { user: visitor.user.as_deref(), status, why, place };
        self.pages.render(&page, visitor.lang, status)
    }

    fn sleep(&mut self, ask: Ask, query: Form, out: &mut Effects) {
        let visitor = self.visitor(ask);
        match seconds_of(query, 10.0, 60.0) {
            Ok(seconds) => {
                out.push(Effect::Sleep(ask.from, ask.now.instant + Duration::from_secs_f64(seconds)));
                self.pending.insert(ask.from, Pending::Sleep(visitor, seconds));
            }
            Err(why) => out.respond(ask.from, self.error(&visitor, 400, &why)),
        }
    }

    fn block(&mut self, ask: Ask, query: Form, out: &mut Effects) {
        let visitor = self.visitor(ask);
        match seconds_of(query, 3.0, 10.0) {
            Ok(seconds) => {
                let pause = Blocking::Sleep(Duration::from_secs_f64(seconds));
                out.push(Effect::RunBlocking(ask.from, pause));
                self.pending.insert(ask.from, Pending::Block(visitor, seconds));
            }
            Err(why) => out.respond(ask.from, self.error(&visitor, 400, &why)),
        }
    }

    /// The index page, perhaps at the end of a pause.
    fn index(&self, visitor: &Visitor, pause: Option<Pause>) -> Response {
        let page = Page::Index { user: visitor.user.as_deref(), pause, lab: self.settings.lab };
        self.pages.render(&page, visitor.lang, 200)
    }

    fn file(&mut self, ask: Ask, path: &str, out: &mut Effects) {
        let found = self.files.lookup(path);
        let conditions = Conditions::of(ask.request);
        match (found.overlay, found.embedded) {
            (Some(path), embedded) => {
                let pending = PendingFile { visitor: self.visitor(ask), path: path.clone(), embedded, conditions };
                self.pending.insert(ask.from, Pending::File(Box::new(pending)));
                out.push(Effect::Run(ask.from, Job::ReadFile { path }));
            }
            (None, Some(asset)) => out.respond(ask.from, asset.answer(&conditions)),
            (None, None) => {
                let visitor = self.visitor(ask);
                out.respond(ask.from, self.error(&visitor, 404, &Sentence::new("why_no_file", [])));
            }
        }
    }

    fn file_read(&mut self, file: PendingFile, read: std::io::Result<FileRead>, now: Now) -> Response {
        let ask = &file.conditions;
        match (read, file.embedded) {
            (Ok(read), _) => files::answer_overlay(&file.path, read, now.wall, ask),
            (Err(e), Some(asset)) if is_absent(&e) => asset.answer(ask),
            (Err(e), None) if is_absent(&e) => self.error(&file.visitor, 404, &Sentence::new("why_no_file", [])),
            (Err(e), _) => {
                self.complaints.log(&file.path, &e, now.instant);
                let status = if is_forbidden(&e) { 403 } else { 500 };
                self.error(&file.visitor, status, &Sentence::new("why_unreadable", []))
            }
        }
    }

    fn on_finished(&mut self, from: ConnId, finished: Finished, now: Now, out: &mut Effects) {
        match (self.pending.remove(&from), finished) {
            (Some(Pending::File(file)), Finished::File(read)) => {
                let response = self.file_read(*file, read, now);
                out.respond(from, response);
            }
            (Some(Pending::Block(visitor, seconds)), Finished::Blocked) => {
                out.respond(from, self.index(&visitor, Some(Pause::Blocked(seconds))));
            }
            (Some(Pending::Search(search)), Finished::FetchedBlocking(answer)) => {
                self.on_fetched_blocking(from, *search, answer, out);
            }
            _ => {}
        }
    }

    /// Whether a request comes from a page of ours, or from no page at all; else what was compared.
    fn check_origin(&self, request: &Request) -> Result<(), Sentence> {
        for origin in request.headers_named("origin").map(String::from_utf8_lossy) {
            match parse_origin(&origin) {
                Ok(ours) if same_authority(&ours, request.host()) || self.settings.allow_origin.contains(&ours) => {}
                Err(_) if origin == "null" && is_own_form(request) => {}
                _ => return Err(Sentence::new("why_origin", [&origin, &request.host()])),
            }
        }
        Ok(())
    }
}

/// Whether a browser says that a form without an origin is from one of our own pages. Under the policy `no-referrer`,
/// which a proxy may add, the Origin of a form is `null` (Fetch Standard, "append a request Origin header"); that of a
/// WebSocket never is. No script can set Sec-Fetch-Site, and for a sandboxed page it is `cross-site`.
fn is_own_form(request: &Request) -> bool {
    let mut sites = request.headers_named("sec-fetch-site").peekable();
    request.method == Method::Post && sites.peek().is_some() && sites.all(|site| site == b"same-origin")
}

impl App for Site {
    fn on_event(&mut self, from: ConnId, event: Event<'_>, now: Now, out: &mut Effects) {
        match event {
            Event::Request(request, body) => self.route(Ask { from, request, body, now }, out),
            Event::Message(kind, payload) => self.chat.on_message(from, kind, payload, now.instant, out),
            Event::Fetched(fetched) => self.on_fetched(from, fetched, out),
            Event::Finished(finished) => self.on_finished(from, finished, now, out),
            Event::Woke => {
                if let Some(Pending::Sleep(visitor, seconds)) = self.pending.remove(&from) {
                    out.respond(from, self.index(&visitor, Some(Pause::Slept(seconds))));
                }
            }
            Event::Left => {
                self.pending.remove(&from);
                self.chat.on_left(from, out);
            }
            Event::Stalled(most) => self.chat.allow_for(most),
            Event::Draining => {
                self.draining = true;
                self.chat.drain();
            }
        }
    }
}

/// `?seconds=S`, a fraction allowed, 0 to `most`; what a timer makes of it, so that -0 is 0 and 1e-300, too.
fn seconds_of(query: Form, default: f64, most: f64) -> Result<f64, Sentence> {
    let Some(text) = query.value("seconds") else { return Ok(default) };
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=most).contains(&seconds) => Ok(Duration::from_secs_f64(seconds).as_secs_f64()),
        _ => Err(Sentence::new("why_seconds", [&most])),
    }
}

fn is_absent(e: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
    matches!(e.kind(), NotFound | NotADirectory | IsADirectory | InvalidFilename)
}

/// Whether the file is there and may not be read, or is a loop of links: 403, as with nginx.
fn is_forbidden(e: &std::io::Error) -> bool {
    // A loop has no `ErrorKind` in stable Rust yet.
    e.kind() == std::io::ErrorKind::PermissionDenied || e.raw_os_error() == Some(libc::ELOOP)
}

/// `Hello, World!`, for load tests: as little as an answer can be.
fn plaintext(to: ConnId, out: &mut Effects) {
    out.respond_with(to, || Response::new(200, "text/plain", Body::Static(b"Hello, World!")));
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

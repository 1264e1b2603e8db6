//! The search: the question goes to another site, its answer is relayed as it comes.
//!
//! ```text
//! request ──▶ Fetch ── Head ──▶ redirect? ── Done ──▶ Fetch … (5 at most)
//!                        ├────▶ Respond(stream) ── Body ──▶ Piece … ── Done ──▶ End
//!                        └────▶ a page: Body … until its base element has a place ──▶ Respond, Piece …
//! ```
//!
//! What is relayed acts on our own origin, so fields pass by an allow-list and the page is sandboxed; a page gets a
//! base element ([`Opening`]). A redirect's own body is read to its end, so that its connection can be used again.
//! Sockets, names, deadlines and backpressure are the server's.

use super::language::Sentence;
use super::pages::Place;
use super::{Ask, Pending, Site, Visitor};
use crate::config::{Limits, parse_template};
use crate::event::{
    Blocking, Body, Effect, Effects, Fetch, FetchError, Fetched, Response, StreamEnd, Url, WholeAnswer,
};
use crate::http::redirect::{self, Target};
use crate::http::request::Method;
use crate::http::response::reason;
use crate::http::url::{Scheme, insert_words};
use crate::id::ConnId;
use crate::site::base::{Opening, is_utf_16_label};
use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

/// Statuses that say nothing without a field that is not relayed (WWW-Authenticate, Allow, Proxy-Authenticate,
/// Content-Range, Upgrade), or that answer a field which a search does not send (If-None-Match, Range).
const NOT_RELAYED: [u16; 7] = [206, 304, 401, 405, 407, 416, 426];
/// A deny-list would miss some: Clear-Site-Data, Refresh or Set-Cookie would act on our origin.
/// Content-Type and Content-Length are relayed, too, as parts of the [`Response`].
const RELAYED: [(&str, &str); 2] = [("content-encoding", "Content-Encoding"), ("content-language", "Content-Language")];
/// What may be shown as what it says it is; everything else becomes bytes to be saved. A relayed script or style sheet
/// would be one of ours to the policy of our pages, and the parts of a `multipart` bring header fields of their own.
const SHOWN: [&str; 7] = [
    "text/html",
    "text/plain",
    "text/xml",
    "application/xhtml+xml",
    "application/xml",
    "application/json",
    "application/pdf",
];
/// The same of whole kinds.
const SHOWN_KINDS: [&str; 3] = ["image/", "audio/", "video/"];
/// What is only saved.
const BYTES: &str = "application/octet-stream";
/// Someone else's page is shown under our origin, in our frame: nothing in it may run.
const POLICY: &str = "sandbox; frame-ancestors 'self'";

/// What is known about searching.
pub struct Search {
    template: String,
    host: String,
    allow_private: bool,
    within: Duration,
    redirects_max: u8,
}

/// One search under way.
#[derive(Debug)]
pub struct UnderWay {
    visitor: Visitor,
    fetch: Fetch,
    redirects_left: u8,
    phase: Phase,
}

/// What the news of the fetch mean.
#[derive(Debug)]
enum Phase {
    /// No head yet.
    Asking,
    /// It was a redirect, to there; so many bytes of its body have come.
    Leaving(Url, usize),
    /// A page of HTML has begun; its head, less the length, is relayed once its base element has a place.
    Opening(Box<Opening>, Box<Response>, Option<u64>),
    /// The head is relayed, pieces follow.
    Relaying,
}

/// What an answer's head leads to.
enum Next {
    Redirect(Url),
    Relay,
    Fail(Sentence),
}

impl Search {
    /// # Errors
    /// The template is none ([`parse_template`]), or leads to what is not fetched.
    pub fn new(template: &str, allow_private: bool, limits: &Limits) -> Result<Search, String> {
        let wrong = |why: &str| format!("--search-url {template}: {why}");
        parse_template(template).map_err(|why| wrong(&why))?;
        let filled = insert_words(template, "x").unwrap_or_default();
        let url = Url::parse(&filled).map_err(|e| wrong(&e.to_string()))?;
        if url.scheme == Scheme::Https && !cfg!(feature = "tls") {
            return Err(wrong(&FetchError::NoTls.to_string()));
        }
        Ok(Search {
            template: template.into(),
            host: url.host,
            allow_private,
            within: limits.search_within,
            redirects_max: limits.redirects_max,
        })
    }

    fn fetch(&self, ask: Ask, words: &str) -> Result<Fetch, Sentence> {
        let filled = insert_words(&self.template, words).expect("new has seen the place for the words");
        let url = Url::parse(&filled).map_err(|e| Sentence::new("why_search", []).because(e))?;
        let mut headers: Vec<(Cow<'static, str>, String)> = Vec::new();
        if let Some(language) = ask.request.header("accept-language").and_then(|value| std::str::from_utf8(value).ok())
        {
            headers.push(("Accept-Language".into(), language.to_owned()));
        }
        headers.push(("Accept-Encoding".into(), "identity".to_owned()));
        let method = if ask.request.method == Method::Head { "HEAD".into() } else { "GET".into() };
        Ok(Fetch { method, headers, ..Fetch::get(url, ask.now.instant, self.within) })
    }

    /// Where an answer leads: to another site, to the browser, or nowhere.
    fn next(&self, search: &UnderWay, status: u16, location: Option<&[u8]>) -> Next {
        match redirect::target(&search.fetch.url, status, location) {
            Target::None if NOT_RELAYED.contains(&status) => {
                Next::Fail(Sentence::new("why_status", [&status, &reason(status)]))
            }
            Target::None => Next::Relay,
            _ if search.redirects_left == 0 => Next::Fail(Sentence::new("why_redirects", [&self.redirects_max])),
            Target::To(url) => Next::Redirect(url),
            Target::Bad(e, location) => Next::Fail(Sentence::new("why_location", [&location]).because(e)),
        }
    }

    /// The same question to another place. The configured host is trusted; any other must be public, and so must be
    /// wherever that leads.
    fn redirect(&self, search: &mut UnderWay, url: Url) -> Fetch {
        search.redirects_left -= 1;
        search.fetch.public_only |= !self.allow_private && url.host != self.host;
        search.fetch.url = url;
        search.fetch.clone()
    }
}

impl UnderWay {
    /// The base element has its place: the head goes out, behind it what has come of the page.
    fn open(&mut self, from: ConnId, begin: Range<usize>, added: usize, out: &mut Effects) {
        if let Phase::Opening(_, mut response, length) = std::mem::replace(&mut self.phase, Phase::Relaying) {
            response.body = Body::Stream(length.and_then(|length| length.checked_add(added as u64)));
            out.respond(from, *response);
            if !begin.is_empty() {
                out.push(Effect::Piece(from, begin));
            }
        }
    }
}

impl Site {
    /// Starts a search; `blocking` does it on the loop, while everybody waits.
    pub(super) fn search(&mut self, ask: Ask, words: &str, blocking: bool, out: &mut Effects) {
        let visitor = self.visitor(ask);
        let fetch = match self.search.fetch(ask, words) {
            Ok(fetch) => fetch,
            Err(why) => return out.respond(ask.from, self.search_failed(&visitor, 502, &why)),
        };
        out.push(match blocking {
            true => Effect::RunBlocking(ask.from, Blocking::Fetch(Box::new(fetch.clone()))),
            false => Effect::Fetch(ask.from, Box::new(fetch.clone())),
        });
        let redirects_left = self.search.redirects_max;
        let search = UnderWay { visitor, fetch, redirects_left, phase: Phase::Asking };
        self.pending.insert(ask.from, Pending::Search(Box::new(search)));
    }

    /// News of the fetch.
    pub(super) fn on_fetched(&mut self, from: ConnId, fetched: Fetched<'_>, out: &mut Effects) {
        let Some(Pending::Search(search)) = self.pending.get_mut(&from) else { return };
        match fetched {
            Fetched::Head(head, _) => match self.search.next(search, head.status, head.header("location")) {
                Next::Redirect(url) => search.phase = Phase::Leaving(url, 0),
                Next::Relay => {
                    let field = |name: &str| head.header(name);
                    // Such an answer is whole with its head: the fetch is dropped, and nobody tells its end.
                    let is_whole = search.fetch.is_head() || head.status == 204;
                    let opening = opening_of(&search.fetch.url, field);
                    let is_page = opening.is_some();
                    match opening {
                        Some(opening) if !is_whole => {
                            let response = relayed(head.status, field, Body::Stream(None));
                            search.phase = Phase::Opening(Box::new(opening), Box::new(response), head.length);
                        }
                        _ => {
                            // What a base element adds to a page is known with the page only.
                            let length = head.length.filter(|_| !is_page);
                            out.respond(from, relayed(head.status, field, Body::Stream(length)));
                            search.phase = Phase::Relaying;
                        }
                    }
                    if is_whole {
                        self.pending.remove(&from);
                    }
                }
                Next::Fail(why) => self.fail(from, 502, &why, out),
            },
            Fetched::Body(piece) => match &mut search.phase {
                Phase::Relaying => {
                    let piece = out.write(|bytes| bytes.extend_from_slice(piece));
                    out.push(Effect::Piece(from, piece));
                }
                Phase::Opening(opening, ..) => {
                    let mut added = None;
                    let begin = out.write(|bytes| added = opening.read(piece, bytes));
                    if let Some(added) = added {
                        search.open(from, begin, added, out);
                    }
                }
                Phase::Leaving(_, bytes) if *bytes + piece.len() <= redirect::BODY_BYTES_MAX => *bytes += piece.len(),
                Phase::Leaving(..) => self.follow(from, out),
                Phase::Asking => {}
            },
            Fetched::Done => match &mut search.phase {
                Phase::Relaying => self.relay_over(from, StreamEnd::Whole, out),
                Phase::Opening(opening, ..) => {
                    let mut added = 0;
                    let page = out.write(|bytes| added = opening.end(bytes));
                    search.open(from, page, added, out);
                    self.relay_over(from, StreamEnd::Whole, out);
                }
                Phase::Leaving(..) => self.follow(from, out),
                Phase::Asking => {}
            },
            Fetched::Failed(e) => match search.phase {
                Phase::Relaying => {
                    log::info!("a search broke off: {e}");
                    self.relay_over(from, StreamEnd::Truncated, out);
                }
                // Where it leads is known, and that is all that was wanted of it.
                Phase::Leaving(..) if !matches!(e, FetchError::Timeout { .. }) => self.follow(from, out),
                _ => self.fail(from, e.status(), &no_answer(&e), out),
            },
        }
    }

    /// The redirect has said enough: on to where it leads.
    fn follow(&mut self, from: ConnId, out: &mut Effects) {
        let Some(Pending::Search(search)) = self.pending.get_mut(&from) else { return };
        if let Phase::Leaving(url, _) = std::mem::replace(&mut search.phase, Phase::Asking) {
            let fetch = self.search.redirect(search, url);
            out.push(Effect::Fetch(from, Box::new(fetch)));
        }
    }

    fn relay_over(&mut self, from: ConnId, end: StreamEnd, out: &mut Effects) {
        self.pending.remove(&from);
        out.push(Effect::End(from, end));
    }

    /// The whole answer at once, from the blocking way.
    pub(super) fn on_fetched_blocking(
        &mut self,
        from: ConnId,
        mut search: UnderWay,
        answer: Result<WholeAnswer, FetchError>,
        out: &mut Effects,
    ) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(e) => return out.respond(from, self.search_failed(&search.visitor, e.status(), &no_answer(&e))),
        };
        let field = |name: &str| {
            answer.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
        };
        match self.search.next(&search, answer.status, field("location")) {
            Next::Redirect(url) => {
                let fetch = self.search.redirect(&mut search, url);
                out.push(Effect::RunBlocking(from, Blocking::Fetch(Box::new(fetch))));
                self.pending.insert(from, Pending::Search(Box::new(search)));
            }
            Next::Relay => {
                let opening = opening_of(&search.fetch.url, field);
                let length = || std::str::from_utf8(field("content-length")?).ok()?.parse::<u64>().ok();
                let body = match (search.fetch.is_head(), opening) {
                    (true, opening) => Body::Stream(length().filter(|_| opening.is_none())),
                    (false, None) => Body::Owned(answer.body),
                    (false, Some(mut opening)) => {
                        let mut page = Vec::with_capacity(answer.body.len() + (1 << 10));
                        if opening.read(&answer.body, &mut page).is_none() {
                            opening.end(&mut page);
                        }
                        Body::Owned(page)
                    }
                };
                out.respond(from, relayed(answer.status, field, body));
            }
            Next::Fail(why) => out.respond(from, self.search_failed(&search.visitor, 502, &why)),
        }
    }

    fn fail(&mut self, from: ConnId, status: u16, why: &Sentence, out: &mut Effects) {
        if let Some(Pending::Search(search)) = self.pending.remove(&from) {
            out.respond(from, self.search_failed(&search.visitor, status, why));
        }
    }

    fn search_failed(&self, visitor: &Visitor, status: u16, why: &Sentence) -> Response {
        let place = if visitor.framed { Place::Frame } else { Place::Relay };
        let response = self.error_at(place, visitor, status, why);
        // A page brings its own fields.
        if visitor.html { response } else { sandboxed(response) }
    }
}

fn no_answer(e: &FetchError) -> Sentence {
    Sentence::new("why_search", []).because(e)
}

/// The begin of a page of HTML; `None` for anything else, and where its bytes are not those of ASCII letters.
fn opening_of<'a>(url: &Url, field: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Opening> {
    let kind = String::from_utf8_lossy(field("content-type").unwrap_or_default()).to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    let is_html = parts.next() == Some("text/html");
    let label = parts.find_map(|part| part.strip_prefix("charset="));
    let is_plain = field("content-encoding").is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity"));
    (is_html && is_plain && !label.is_some_and(is_utf_16_label)).then(|| Opening::new(url.clone()))
}

/// The answer as we pass it on.
fn relayed<'a>(status: u16, field: impl Fn(&str) -> Option<&'a [u8]>, body: Body) -> Response {
    let text = |name: &str| Some(std::str::from_utf8(field(name)?).ok()?.to_owned());
    let content_type = match field("content-type") {
        None => String::new(),
        Some(_) => text("content-type").filter(|kind| is_shown(kind)).unwrap_or_else(|| BYTES.into()),
    };
    let mut response = Response::new(status, content_type, body).header("X-Content-Type-Options", "nosniff");
    for (name, ours) in RELAYED {
        if let Some(value) = text(name) {
            response = response.header(ours, value);
        }
    }
    sandboxed(response)
}

/// Whether a Content-Type is one of those that browsers show. A list of several types is read by each in its own way.
fn is_shown(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_listed = SHOWN.contains(&kind.as_str()) || SHOWN_KINDS.iter().any(|begin| kind.starts_with(begin));
    is_listed && !content_type.contains(',')
}

/// Nothing in it runs, and nobody whose pictures it shows is told what was searched for.
fn sandboxed(response: Response) -> Response {
    response.header("Content-Security-Policy", POLICY).header("Referrer-Policy", "same-origin")
}

#[cfg(test)]
mod tests;

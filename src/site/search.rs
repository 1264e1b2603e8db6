//! The search: a request to another site, whose response is relayed as it comes.
//!
//! ```text
//! request ──▶ Fetch ── Head ──▶ Respond(stream) ── Body ──▶ Piece … ── Done ──▶ End
//!                        └────▶ HTML: Body … until the base element is inserted ──▶ Respond, Piece …
//! ```
//!
//! A relayed response acts on our own origin, so fields pass by an allow-list and the page is sandboxed; HTML gets a
//! base element ([`Opening`]). Sockets, names, redirects, deadlines and backpressure are the server's.

use super::Settings;
use super::base::{Opening, is_utf_16_label};
use super::context::{Context, User};
use super::language::Localized;
use super::pages::{Layout, Page, Pages};
use crate::config::{Limits, parse_template};
use crate::event::{
    Body, Effect, Effects, Fetch, FetchError, Fetched, Leads, Request, Response, ResponseHead, StreamEnd, Url,
};
use crate::http::request::Method;
use crate::http::response::reason;
use crate::http::url::{Form, Scheme, insert_words};
use crate::id::ConnId;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// Statuses that mean nothing without a field that is not relayed (WWW-Authenticate, Allow, Proxy-Authenticate,
/// Content-Range, Upgrade), or without a field that a search does not send (If-None-Match, Range).
const NOT_RELAYED: [u16; 7] = [206, 304, 401, 405, 407, 416, 426];
/// A deny-list would miss some: Clear-Site-Data, Refresh or Set-Cookie would act on our origin.
/// Content-Type and Content-Length are relayed, too, as parts of the [`Response`].
const RELAYED: [(&str, &str); 2] = [("content-encoding", "Content-Encoding"), ("content-language", "Content-Language")];
/// Types that are relayed as they are; every other becomes bytes to be saved. To the policy of our pages a relayed
/// script or style sheet would be one of ours, and the parts of a `multipart` bring header fields of their own.
const SHOWN: [&str; 7] = [
    "text/html",
    "text/plain",
    "text/xml",
    "application/xhtml+xml",
    "application/xml",
    "application/json",
    "application/pdf",
];
/// The same for every subtype.
const SHOWN_KINDS: [&str; 3] = ["image/", "audio/", "video/"];
/// The type of everything else.
const BYTES: &str = "application/octet-stream";
/// A foreign page is shown under our origin, in our frame: nothing in it may run.
const POLICY: &str = "sandbox; frame-ancestors 'self'";

/// The search site, and the searches under way by the browser's connection.
pub struct Search {
    site: SearchSite,
    under_way: HashMap<ConnId, UnderWay>,
}

/// What all searches have in common.
struct SearchSite {
    template: String,
    within: Duration,
    redirects_max: u8,
    /// The configured host is trusted; any other that a redirect leads to must be public.
    leads: Leads,
}

/// The effect that starts the fetch of a search, for this connection.
pub type Start = fn(ConnId, Box<Fetch>) -> Effect;

/// One search under way.
#[derive(Debug)]
struct UnderWay {
    user: User,
    /// How its failure is shown.
    layout: Layout,
    /// What is asked for, through all redirects.
    url: Url,
    is_head: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// No head yet.
    Asking,
    /// HTML has begun: its head and its length wait for the base element.
    Opening(Box<Opening>, Box<Response>, Option<u64>),
    /// The head is relayed, pieces follow.
    Relaying,
}

impl SearchSite {
    fn fetch(&self, cx: Context, words: &str) -> Result<Fetch, Localized> {
        let filled = insert_words(&self.template, words).expect("new has checked the template");
        let url = Url::parse(&filled).map_err(|e| Localized::new("why_search", []).because(e))?;
        let mut headers: Vec<(Cow<'static, str>, String)> = Vec::new();
        if let Some(language) = cx.request.header("accept-language").and_then(|value| std::str::from_utf8(value).ok()) {
            headers.push(("Accept-Language".into(), language.to_owned()));
        }
        headers.push(("Accept-Encoding".into(), "identity".to_owned()));
        let method = if cx.request.method == Method::Head { "HEAD".into() } else { "GET".into() };
        let (redirects_max, leads) = (self.redirects_max, self.leads.clone());
        Ok(Fetch { method, headers, redirects_max, leads, ..Fetch::get(url, cx.now.instant, self.within) })
    }
}

impl UnderWay {
    /// The base element is inserted: the head goes out, behind it the page so far.
    fn open(&mut self, from: ConnId, begin: Range<usize>, added: usize, out: &mut Effects) {
        if let Phase::Opening(_, mut response, length) = std::mem::replace(&mut self.phase, Phase::Relaying) {
            response.body = Body::Stream(length.and_then(|length| length.checked_add(added as u64)));
            out.respond(from, *response);
            if !begin.is_empty() {
                out.push(Effect::Piece(from, begin));
            }
        }
    }

    /// An error instead of the response.
    fn failure(&self, status: u16, why: &Localized, pages: &Pages) -> Response {
        failure(self.layout, &self.user, status, why, pages)
    }
}

impl Search {
    /// # Errors
    /// The template is malformed ([`parse_template`]), or its URL cannot be fetched.
    pub fn new(settings: &Settings, limits: &Limits) -> Result<Search, String> {
        let Settings { search_url: template, allow_private, .. } = settings;
        let wrong = |why: &str| format!("--search-url {template}: {why}");
        parse_template(template).map_err(|why| wrong(&why))?;
        let filled = insert_words(template, "x").unwrap_or_default();
        let url = Url::parse(&filled).map_err(|e| wrong(&e.to_string()))?;
        if url.scheme == Scheme::Https && !cfg!(feature = "tls") {
            return Err(wrong(&FetchError::NoTls.to_string()));
        }
        let (within, redirects_max) = (limits.search_within, limits.redirects_max);
        let leads = if *allow_private { Leads::Anywhere } else { Leads::PublicBut(url.host) };
        let site = SearchSite { template: template.clone(), within, redirects_max, leads };
        Ok(Search { site, under_way: HashMap::new() })
    }

    /// `/search?wd=WORDS`: starts a search, or shows the form.
    pub fn request(&mut self, cx: Context, user: User, query: Form, start: Start, pages: &Pages, out: &mut Effects) {
        let Some(words) = query.value("wd").filter(|words| !words.trim().is_empty()) else {
            return out.respond(cx.from, pages.render(&Page::Search, &user, 200));
        };
        let layout = if is_framed(cx.request, query) { Layout::Framed } else { Layout::Relayed };
        let fetch = match self.site.fetch(cx, &words) {
            Ok(fetch) => fetch,
            Err(why) => return out.respond(cx.from, failure(layout, &user, 502, &why, pages)),
        };
        let (url, is_head) = (fetch.url.clone(), fetch.is_head());
        out.push(start(cx.from, Box::new(fetch)));
        self.under_way.insert(cx.from, UnderWay { user, layout, url, is_head, phase: Phase::Asking });
    }

    /// The connection has ended.
    pub fn on_left(&mut self, from: ConnId) {
        self.under_way.remove(&from);
    }

    /// The number of searches under way.
    #[cfg(test)]
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Takes one step of the fetch.
    pub fn on_fetched(&mut self, from: ConnId, fetched: Fetched<'_>, pages: &Pages, out: &mut Effects) {
        let Some(search) = self.under_way.get_mut(&from) else { return };
        match fetched {
            Fetched::Redirect(_, _, next) => {
                if let Some(url) = next {
                    search.url = url.clone();
                }
            }
            Fetched::Head(head, _) if NOT_RELAYED.contains(&head.status) => {
                let why = Localized::new("why_status", [&head.status, &reason(head.status)]);
                self.fail(from, 502, &why, pages, out);
            }
            Fetched::Head(head, _) => {
                // Such a response is whole with its head: the server drops the fetch, and no event tells its end.
                let is_whole = search.is_head || head.status == 204;
                let opening = opening_of(&search.url, &head);
                let is_html = opening.is_some();
                match opening {
                    Some(opening) if !is_whole => {
                        let response = relayed(&head, Body::Stream(None));
                        search.phase = Phase::Opening(Box::new(opening), Box::new(response), head.length);
                    }
                    _ => {
                        // What a base element adds to a page is known with the page only.
                        let length = head.length.filter(|_| !is_html);
                        out.respond(from, relayed(&head, Body::Stream(length)));
                        search.phase = Phase::Relaying;
                    }
                }
                if is_whole {
                    self.under_way.remove(&from);
                }
            }
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
                Phase::Asking => {}
            },
            Fetched::Failed(e) => match search.phase {
                // A response that was not sent yet, as of a blocking search, is taken back.
                Phase::Relaying if !out.take_back(from) => {
                    log::info!("a search broke off: {e}");
                    self.relay_over(from, StreamEnd::Truncated, out);
                }
                _ => self.fail(from, e.status(), &why_failed(e), pages, out),
            },
        }
    }

    fn relay_over(&mut self, from: ConnId, end: StreamEnd, out: &mut Effects) {
        self.under_way.remove(&from);
        out.push(Effect::End(from, end));
    }

    fn fail(&mut self, from: ConnId, status: u16, why: &Localized, pages: &Pages, out: &mut Effects) {
        if let Some(search) = self.under_way.remove(&from) {
            out.respond(from, search.failure(status, why, pages));
        }
    }
}

/// Whether the response is for the frame of the search page. Over plain http browsers send Sec-Fetch-Dest to their own
/// machine only, so search.js adds `framed` to the query.
fn is_framed(request: &Request, query: Form) -> bool {
    request.header("sec-fetch-dest") == Some(&b"iframe"[..]) || query.value("framed").is_some()
}

/// An error instead of a relayed response.
fn failure(layout: Layout, user: &User, status: u16, why: &Localized, pages: &Pages) -> Response {
    let response = pages.error_in(layout, user, status, why);
    // A page brings its own fields.
    if user.accepts_html { response } else { sandboxed(response) }
}

fn why_failed(e: FetchError) -> Localized {
    match e {
        FetchError::TooManyRedirects { max } => Localized::new("why_redirects", [&max]),
        FetchError::BadLocation { location, why } => Localized::new("why_location", [&location]).because(why),
        e => Localized::new("why_search", []).because(e),
    }
}

/// The start of an HTML page; `None` for any other type, and for encodings in which markup is not ASCII.
fn opening_of(url: &Url, head: &ResponseHead) -> Option<Opening> {
    let kind = String::from_utf8_lossy(head.header("content-type").unwrap_or_default()).to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    let is_html = parts.next() == Some("text/html");
    let label = parts.find_map(|part| part.strip_prefix("charset="));
    let is_plain = head.header("content-encoding").is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity"));
    (is_html && is_plain && !label.is_some_and(is_utf_16_label)).then(|| Opening::new(url.clone()))
}

/// The response as it is passed on.
fn relayed(head: &ResponseHead, body: Body) -> Response {
    let text = |name: &str| Some(std::str::from_utf8(head.header(name)?).ok()?.to_owned());
    let content_type = match head.header("content-type") {
        None => String::new(),
        Some(_) => text("content-type").filter(|kind| is_shown(kind)).unwrap_or_else(|| BYTES.into()),
    };
    let mut response = Response::new(head.status, content_type, body).header("X-Content-Type-Options", "nosniff");
    for (name, ours) in RELAYED {
        if let Some(value) = text(name) {
            response = response.header(ours, value);
        }
    }
    sandboxed(response)
}

/// Whether a Content-Type is relayed as it is. Browsers disagree about a list of several types.
fn is_shown(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_listed = SHOWN.contains(&kind.as_str()) || SHOWN_KINDS.iter().any(|begin| kind.starts_with(begin));
    is_listed && !content_type.contains(',')
}

/// Nothing in it runs, and no other site that it loads from is told the words.
fn sandboxed(response: Response) -> Response {
    response.header("Content-Security-Policy", POLICY).header("Referrer-Policy", "same-origin")
}

#[cfg(test)]
mod tests;

//! The test bench of the site: a site and its clock. Compiled under `#[cfg(test)]` only.
//!
//! In go the lines of a request's head, or any other event; out come the effects. A store in memory takes the commands
//! among them, and its outcomes are told at once. Only [`Bench::later`] moves the clock.

use super::{Settings, Site};
use crate::clock::{Now, UnixMillis};
use crate::config::Limits;
use crate::event::{App, Body, Effect, Effects, Fetched, Finished, Outcome, Request, Response};
use crate::http::request::{HeadScan, parse_request};
use crate::id::ConnId;
use crate::store::Store;
use crate::store::memory::Memory;
use crate::store::tags::Tags;
use std::time::{Duration, Instant};

/// The secret of the Tornado process that signed [`ALICE`] and [`ZHANG`], at [`THEN`].
pub const SECRET: &[u8] = b"__TODO:_GENERATE_YOUR_OWN_RANDOM_VALUE_HERE__";
/// The start of every bench, seconds since 1970.
pub const THEN: u64 = 1_700_000_000;
/// The name `alice`.
pub const ALICE: &str = "Cookie: username=\"2|1:0|10:1700000000|8:username|8:YWxpY2U=|\
                         4b414fcb46b1b73b7a383282275d30bbeb05694a6630a5d34ea2690afa089794\"";
/// The name `张三`.
pub const ZHANG: &str = "Cookie: username=\"2|1:0|10:1700000000|8:username|8:5byg5LiJ|\
                         e473a8650b1481f654fe83c91d7f1a7735512469ff9b9e8804ab99547917893e\"";
/// The Accept field of a browser.
pub const HTML: &str = "Accept: text/html,*/*;q=0.8";

/// The default settings, with the search site `http://search.test/s?wd={}`.
pub fn settings() -> Settings {
    Settings {
        secret: SECRET.into(),
        cookie_secure: false,
        allow_origin: vec![],
        www: None,
        search_url: "http://search.test/s?wd={}".into(),
        allow_private: false,
        lab: false,
        rooms: None,
        operators_file: None,
        invite_file: None,
    }
}

/// A site, and the time of its next event.
pub struct Bench {
    pub site: Site,
    pub store: Memory,
    pub now: Now,
}

impl Bench {
    /// A site with the settings of [`settings`].
    pub fn new() -> Bench {
        Bench::with(|_| {})
    }

    /// The same with other settings.
    pub fn with(change: impl FnOnce(&mut Settings)) -> Bench {
        let mut settings = settings();
        change(&mut settings);
        let now = Now { instant: Instant::now(), wall: UnixMillis::from_millis(THEN * 1000) };
        let site = Site::new(settings, &Limits::default(), now.instant).expect("the settings are sound");
        Bench { site, store: memory(), now }
    }

    /// A request for `squall.test`: method and target (and the version, if not 1.1), then its other fields.
    pub fn ask(&mut self, from: ConnId, line: &str, fields: &[&str]) -> Effects {
        self.send(from, line, fields, "")
    }

    /// A form.
    pub fn post(&mut self, from: ConnId, path: &str, fields: &[&str], form: &str) -> Effects {
        let length = format!("Content-Length: {}", form.len());
        self.send(from, &format!("POST {path}"), &[fields, &[&length]].concat(), form)
    }

    fn send(&mut self, from: ConnId, line: &str, fields: &[&str], body: &str) -> Effects {
        with_request(line, fields, |request| {
            self.tell(|site, now, out| site.request(from, request, body.as_bytes(), now, out))
        })
    }

    pub fn fetched(&mut self, from: ConnId, fetched: Fetched) -> Effects {
        self.tell(|site, now, out| site.fetched(from, fetched, now, out))
    }

    pub fn finished(&mut self, from: ConnId, finished: Finished) -> Effects {
        self.tell(|site, now, out| site.finished(from, finished, now, out))
    }

    pub fn woke(&mut self, from: ConnId) -> Effects {
        self.tell(|site, now, out| site.woke(from, now, out))
    }

    pub fn left(&mut self, from: ConnId) -> Effects {
        self.tell(|site, now, out| site.left(from, now, out))
    }

    fn tell(&mut self, call: impl FnOnce(&mut Site, Now, &mut Effects)) -> Effects {
        let mut out = Effects::default();
        call(&mut self.site, self.now, &mut out);
        let Bench { site, store, now } = self;
        keep(store, &mut out, |from, outcome, out| site.stored(from, outcome, *now, out));
        out.list.iter().for_each(assert_no_key_is_shown);
        out
    }

    /// Requests whose response is still to come.
    pub fn pending(&self) -> usize {
        self.site.index.waiting() + self.site.search.under_way() + self.site.files.reads() + self.site.login.waiting()
    }

    /// Time passes, on both clocks.
    pub fn later(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.wall = UnixMillis::from_millis(self.now.wall.millis() + time.as_millis() as u64);
    }
}

/// An empty store whose tags are the same in every test.
pub fn memory() -> Memory {
    Memory::new(&Limits::default(), Tags::new(1))
}

/// Hands the commands among the effects to the store, and tells what comes of them.
pub fn keep(store: &mut Memory, out: &mut Effects, mut told: impl FnMut(ConnId, Outcome, &mut Effects)) {
    while out.list.iter().any(|effect| matches!(effect, Effect::Store(..))) {
        for effect in std::mem::take(&mut out.list) {
            match effect {
                Effect::Store(from, command) => store.submit(from, command),
                other => out.list.push(other),
            }
        }
        while let Some((from, outcome)) = store.take() {
            told(from, outcome, out);
        }
    }
}

/// A text that the table does not have is shown by its key.
#[track_caller]
fn assert_no_key_is_shown(effect: &Effect) {
    if let Effect::Respond(_, Response { body: Body::Owned(body), .. }) = effect {
        let body = String::from_utf8_lossy(body);
        assert!(!body.contains("why_"), "a text is missing in the table: {body}");
    }
}

/// Parses a request for `squall.test` with this request line (the version is optional) and these fields.
pub fn with_request<T>(line: &str, fields: &[&str], take: impl FnOnce(&Request) -> T) -> T {
    let version = if line.contains(" HTTP/") { "" } else { " HTTP/1.1" };
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let head = format!("{line}{version}\r\nHost: squall.test\r\n{fields}\r\n").into_bytes();
    let limits = Limits::default().http;
    assert_eq!(HeadScan::default().find_end(&head, &limits), Ok(Some(head.len())));
    take(&parse_request(&head, &limits).expect("the test writes a request"))
}

/// The connection of slot `n`.
pub fn conn(n: usize) -> ConnId {
    ConnId::new(n, 1)
}

/// The response, which is the only effect.
#[track_caller]
pub fn response(out: &Effects) -> &Response {
    match &out.list[..] {
        [Effect::Respond(_, response)] => response,
        list => panic!("one response was expected: {list:?}"),
    }
}

/// A short response of a text that was put together.
pub fn words(status: u16, text: &str) -> Response {
    Response::text(status, text.to_owned())
}

/// The value of one field of a response.
pub fn field<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers.iter().find(|field| field.0 == name).map(|field| &*field.1)
}

/// The body of a response, as text.
#[track_caller]
pub fn text(response: &Response) -> &str {
    let bytes = match &response.body {
        Body::Static(bytes) => bytes,
        Body::Owned(bytes) => &bytes[..],
        Body::Blocks(blocks) => blocks.contiguous().expect("a short body"),
        body => panic!("a body of text was expected: {body:?}"),
    };
    std::str::from_utf8(bytes).expect("text")
}

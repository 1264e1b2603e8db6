//! The site under watch: a test sees what the site is told, and what it wants done.

use squall::clock::Now;
use squall::event::{App, Effect, Effects, Fetched, Finished, Kind, Outcome, Payload, Request};
use squall::id::ConnId;
use squall::site::Site;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What is told about a connection.
pub enum Told<'a> {
    Request(&'a Request<'a>),
    Message,
    Fetched(&'a Fetched<'a>),
    Finished,
    Stored,
    Woke,
    Left,
}

/// Whether the site is told as well.
pub enum Pass {
    On,
    Stop,
}

/// What a test does with it.
pub trait Watch {
    /// Before the site is told. What is pushed counts among the effects.
    fn hear(&mut self, from: ConnId, told: &Told<'_>, now: Now, out: &mut Effects) -> Pass {
        let _ = (from, told, now, out);
        Pass::On
    }

    /// The effects of one event, whose ranges name these bytes.
    fn note(&mut self, effects: &[Effect], bytes: &[u8], now: Now);
}

/// The application: the site, and what watches it.
pub struct Watched<W> {
    site: Site,
    watch: Rc<RefCell<W>>,
}

impl<W: Watch> Watched<W> {
    pub fn new(site: Site, watch: &Rc<RefCell<W>>) -> Watched<W> {
        Watched { site, watch: Rc::clone(watch) }
    }

    /// Notes the effects behind the first `before`.
    fn note(&self, before: usize, now: Now, out: &Effects) {
        self.watch.borrow_mut().note(&out.list[before..], &out.bytes, now);
    }
}

impl<W: Watch> App for Watched<W> {
    fn request(&mut self, from: ConnId, request: &Request<'_>, body: &[u8], now: Now, out: &mut Effects) {
        let before = out.list.len();
        if let Pass::On = self.watch.borrow_mut().hear(from, &Told::Request(request), now, out) {
            self.site.request(from, request, body, now, out);
        }
        self.note(before, now, out);
    }

    fn message(&mut self, from: ConnId, kind: Kind, payload: Payload<'_>, now: Now, out: &mut Effects) {
        let before = out.list.len();
        if let Pass::On = self.watch.borrow_mut().hear(from, &Told::Message, now, out) {
            self.site.message(from, kind, payload, now, out);
        }
        self.note(before, now, out);
    }

    fn fetched(&mut self, from: ConnId, fetched: Fetched<'_>, now: Now, out: &mut Effects) {
        let before = out.list.len();
        if let Pass::On = self.watch.borrow_mut().hear(from, &Told::Fetched(&fetched), now, out) {
            self.site.fetched(from, fetched, now, out);
        }
        self.note(before, now, out);
    }

    fn finished(&mut self, from: ConnId, finished: Finished, now: Now, out: &mut Effects) {
        let before = out.list.len();
        if let Pass::On = self.watch.borrow_mut().hear(from, &Told::Finished, now, out) {
            self.site.finished(from, finished, now, out);
        }
        self.note(before, now, out);
    }

    fn stored(&mut self, from: ConnId, outcome: Outcome, now: Now, out: &mut Effects) {
        let before = out.list.len();
        if let Pass::On = self.watch.borrow_mut().hear(from, &Told::Stored, now, out) {
            self.site.stored(from, outcome, now, out);
        }
        self.note(before, now, out);
    }

    fn woke(&mut self, from: ConnId, now: Now, out: &mut Effects) {
        let before = out.list.len();
        if let Pass::On = self.watch.borrow_mut().hear(from, &Told::Woke, now, out) {
            self.site.woke(from, now, out);
        }
        self.note(before, now, out);
    }

    fn left(&mut self, from: ConnId, now: Now, out: &mut Effects) {
        let before = out.list.len();
        if let Pass::On = self.watch.borrow_mut().hear(from, &Told::Left, now, out) {
            self.site.left(from, now, out);
        }
        self.note(before, now, out);
    }

    fn stalled(&mut self, most: Duration) {
        self.site.stalled(most);
    }

    fn draining(&mut self) {
        self.site.draining();
    }
}

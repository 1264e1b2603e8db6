//! The index page: at once, after a sleep on a timer, or after blocking the loop (`--lab`).

use super::Settings;
use super::context::{Context, User};
use super::language::Localized;
use super::pages::{Delay, Page, Pages};
use crate::event::{Blocking, Effect, Effects, Response};
use crate::http::url::Form;
use crate::id::ConnId;
use std::collections::HashMap;
use std::time::Duration;

/// The index page and the requests that wait for it.
pub struct Index {
    /// The page links to the blocking contrasts.
    lab: bool,
    waiting: HashMap<ConnId, Waiting>,
}

/// What a response that is still to come needs.
struct Waiting {
    user: User,
    delay: Delay,
}

impl Index {
    /// The page of these settings.
    pub fn new(settings: &Settings) -> Index {
        Index { lab: settings.lab, waiting: HashMap::new() }
    }

    /// The page without a delay.
    pub fn page(&self, user: &User, pages: &Pages) -> Response {
        self.page_after(None, user, pages)
    }

    /// `/sleep?seconds=S`: the page comes when the timer fires.
    pub fn sleep(&mut self, cx: Context, user: User, query: Form, pages: &Pages, out: &mut Effects) {
        match seconds_of(query, 10.0, 60.0) {
            Ok(seconds) => {
                out.push(Effect::Sleep(cx.from, cx.now.instant + Duration::from_secs_f64(seconds)));
                self.waiting.insert(cx.from, Waiting { user, delay: Delay::Slept(seconds) });
            }
            Err(why) => out.respond(cx.from, pages.error(&user, 400, &why)),
        }
    }

    /// `/block?seconds=S`: the page comes when the loop runs again.
    pub fn block(&mut self, cx: Context, user: User, query: Form, pages: &Pages, out: &mut Effects) {
        match seconds_of(query, 3.0, 10.0) {
            Ok(seconds) => {
                out.push(Effect::RunBlocking(cx.from, Blocking::Sleep(Duration::from_secs_f64(seconds))));
                self.waiting.insert(cx.from, Waiting { user, delay: Delay::Blocked(seconds) });
            }
            Err(why) => out.respond(cx.from, pages.error(&user, 400, &why)),
        }
    }

    /// The delay is over.
    pub fn resume(&mut self, from: ConnId, pages: &Pages, out: &mut Effects) {
        if let Some(Waiting { user, delay }) = self.waiting.remove(&from) {
            out.respond(from, self.page_after(Some(delay), &user, pages));
        }
    }

    /// The connection has ended.
    pub fn on_left(&mut self, from: ConnId) {
        self.waiting.remove(&from);
    }

    /// The number of requests that wait.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn page_after(&self, delay: Option<Delay>, user: &User, pages: &Pages) -> Response {
        pages.render(&Page::Index { delay, lab: self.lab }, user, 200)
    }
}

/// The value of `seconds` from 0 to `most`, fractions allowed, in a timer's precision: -0 and 1e-300 are 0.
fn seconds_of(query: Form, default: f64, most: f64) -> Result<f64, Localized> {
    let Some(text) = query.value("seconds") else { return Ok(default) };
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=most).contains(&seconds) => Ok(Duration::from_secs_f64(seconds).as_secs_f64()),
        _ => Err(Localized::new("why_seconds", [&most])),
    }
}

#[cfg(test)]
mod tests;

//! What the server promises the application: a request is owed one response, and the next request comes after it; news
//! come only for a connection that waits for them; the end of a connection is reported once. An application that forgets
//! a response is told that it is too late.

use squall::clock::Now;
use squall::event::{App, Body, Effect, Effects, Event};
use squall::id::ConnId;
use squall::site::Site;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waiting {
    /// For a response, or for the rest of one.
    Response,
    /// A session is open.
    Session,
}

/// Whom the application still expects something of.
#[derive(Default)]
pub struct Open(HashMap<ConnId, Waiting>);

impl Open {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn hear(&mut self, from: ConnId, event: &Event) {
        let state = self.0.get(&from).copied();
        match event {
            Event::Request(..) => {
                assert_eq!(state, None, "{from:?} asks again before it has its response");
                self.0.insert(from, Waiting::Response);
            }
            Event::Message(..) => assert_eq!(state, Some(Waiting::Session), "{from:?} speaks out of its session"),
            Event::Woke | Event::Fetched(_) => assert_eq!(state, Some(Waiting::Response), "{from:?} waits for nothing"),
            Event::Left => assert!(self.0.remove(&from).is_some(), "{from:?} leaves twice"),
            Event::Finished(_) | Event::Draining | Event::Stalled(_) => {}
        }
    }

    fn say(&mut self, effect: &Effect) {
        match effect {
            Effect::Respond(id, response) if !matches!(response.body, Body::Stream(_)) => drop(self.0.remove(id)),
            Effect::End(id, _) | Effect::Close(id, ..) => drop(self.0.remove(id)),
            Effect::Upgrade { to, .. } => drop(self.0.insert(*to, Waiting::Session)),
            _ => {}
        }
    }
}

/// The site, and what it was promised.
pub struct Promised {
    pub site: Site,
    pub open: Rc<RefCell<Open>>,
}

impl App for Promised {
    fn on_event(&mut self, from: ConnId, event: Event<'_>, now: Now, out: &mut Effects) {
        let before = out.list.len();
        self.open.borrow_mut().hear(from, &event);
        if matches!(&event, Event::Request(request, _) if request.path() == "/forgotten") {
            return;
        }
        self.site.on_event(from, event, now, out);
        out.list[before..].iter().for_each(|effect| self.open.borrow_mut().say(effect));
    }
}

//! What the server promises the application: a request is owed one response, and the next request comes after it; news
//! come only for a connection that waits for them; the end of a connection is reported once. An application that forgets
//! a response is told that it is too late.

use crate::support::watched::{Pass, Told, Watch};
use squall::clock::Now;
use squall::event::{Body, Effect, Effects};
use squall::id::ConnId;
use std::collections::HashMap;

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

    fn say(&mut self, effect: &Effect) {
        match effect {
            Effect::Respond(id, response) if !matches!(response.body, Body::Stream(_)) => drop(self.0.remove(id)),
            Effect::End(id, _) | Effect::Close(id, ..) => drop(self.0.remove(id)),
            Effect::Upgrade { to, .. } => drop(self.0.insert(*to, Waiting::Session)),
            _ => {}
        }
    }
}

impl Watch for Open {
    fn hear(&mut self, from: ConnId, told: &Told<'_>, _: Now, _: &mut Effects) -> Pass {
        let state = self.0.get(&from).copied();
        match told {
            Told::Request(request) => {
                assert_eq!(state, None, "{from:?} asks again before it has its response");
                self.0.insert(from, Waiting::Response);
                if request.path() == "/forgotten" {
                    return Pass::Stop;
                }
            }
            Told::Message => assert_eq!(state, Some(Waiting::Session), "{from:?} speaks out of its session"),
            Told::Woke | Told::Fetched(_) => assert_eq!(state, Some(Waiting::Response), "{from:?} waits for nothing"),
            Told::Left => assert!(self.0.remove(&from).is_some(), "{from:?} leaves twice"),
            Told::Finished | Told::Stored => {}
        }
        Pass::On
    }

    fn note(&mut self, effects: &[Effect], _: &[u8], _: Now) {
        effects.iter().for_each(|effect| self.say(effect));
    }
}

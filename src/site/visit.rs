//! A request for the chat, over HTTP or to be upgraded, and what its response is made of.

use super::chat::Chat;
use super::chat::moderation::Rank;
use super::context::{Context, User};
use super::language::Localized;
use super::origins::Origins;
use super::pages::Pages;
use crate::event::Response;
use crate::http::url::Form;
use std::net::IpAddr;
use std::time::Duration;

/// The challenge of a 401 (RFC 9110 section 11.6.1). No browser knows the scheme, so none asks for a password.
const CHALLENGE: &str = "Cookie form-action=\"/login\", cookie-name=\"username\"";

/// A request, its user and query, and what it is checked by.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    pub cx: Context<'a>,
    pub user: &'a User,
    pub query: &'a Form<'a>,
    pub origins: &'a Origins,
    pub pages: &'a Pages,
}

impl<'a> Visit<'a> {
    /// The name of the user.
    ///
    /// # Errors
    /// 401: there is no valid cookie.
    pub fn name(&self) -> Result<&'a str, Response> {
        let refusal = || self.refusal(401, "why_no_name").header("WWW-Authenticate", CHALLENGE);
        self.user.name().ok_or_else(refusal)
    }

    /// What the user may do.
    pub fn rank(&self) -> Rank {
        Rank::of(self.user)
    }

    /// The address of the client, if it is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.cx.request.client.copied()
    }

    /// Takes an entrance of the allowance of the client's address.
    ///
    /// # Errors
    /// 429: there were too many.
    pub fn take_entrance(&self, chat: &mut Chat) -> Result<(), Response> {
        let taken = chat.addresses.take_entrance(self.address(), self.cx.now.instant);
        taken.map_err(|wait| too_many(self.pages, self.user, "why_entrances", wait))
    }

    /// A refusal with this status and text.
    pub fn refusal(&self, status: u16, why: &'static str) -> Response {
        self.pages.error(self.user, status, &Localized::new(why, []))
    }
}

/// 429 with this text: there may be another one after this time.
pub fn too_many(pages: &Pages, user: &User, why: &'static str, wait: Duration) -> Response {
    // Seconds, rounded up: RFC 9110 section 10.2.3 has whole ones.
    let seconds = wait.as_secs().saturating_add(1);
    pages.error(user, 429, &Localized::new(why, [])).header("Retry-After", seconds.to_string())
}

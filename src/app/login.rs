//! Names and the cookie that carries them.
//!
//! A name is a courtesy, not an identity: whoever logs in first has it while it is online, and a signed cookie cannot
//! be taken back before it expires.

use super::cookie::{clear_cookie, find, set_cookie};
use super::pages::{NameProblem, Page};
use super::{Ask, Site, Visitor};
use crate::event::{Effects, Response};
use crate::proto::url::{form_pairs, is_local_path, query_value};

/// The cookie's name, the same as in the course's Tornado site.
const COOKIE: &str = "username";
const NAME_CHARS_MAX: usize = 32;
/// Where a login leads without a valid `next`.
const DEFAULT_NEXT: &str = "/chat/";

impl Site {
    /// The name in a valid cookie.
    pub(super) fn user(&self, ask: Ask) -> Option<String> {
        let signed = find(ask.request.headers_named("cookie"), COOKIE)?;
        let value = self.signer.verify(COOKIE, &signed, ask.now.wall.seconds())?;
        let name = String::from_utf8(value).ok()?;
        // A cookie that another application made may carry what we would not accept.
        (check_name(&name) == Ok(name.as_str())).then_some(name)
    }

    pub(super) fn login_form(&self, ask: Ask, out: &mut Effects) {
        let visitor = self.visitor(ask);
        let next = next_of(query_value(ask.request.query(), "next"));
        out.respond(ask.from, self.login_page(&visitor, "", &next, None, 200));
    }

    pub(super) fn log_in(&self, ask: Ask, out: &mut Effects) {
        let visitor = self.visitor(ask);
        if let Err(why) = self.check_origin(ask.request) {
            return out.respond(ask.from, self.error(&visitor, 403, &why));
        }
        let (mut typed, mut next) = (String::new(), None);
        for (key, value) in form_pairs(ask.body) {
            match key.as_ref() {
                "username" => typed = value.into_owned(),
                "next" => next = Some(value.into_owned()),
                _ => {}
            }
        }
        let next = next_of(next);
        let response = match check_name(&typed) {
            Err(problem) => self.login_page(&visitor, &typed, &next, Some(problem), 400),
            Ok(name) if self.chat.is_present(name) && visitor.user.as_deref() != Some(name) => {
                self.login_page(&visitor, name, &next, Some(NameProblem::Taken), 409)
            }
            Ok(name) => {
                let signed = self.signer.sign(COOKIE, name.as_bytes(), ask.now.wall.seconds());
                Response::redirect(303, next)
                    .header("Set-Cookie", set_cookie(COOKIE, &signed, self.settings.cookie_secure))
                    .header("Cache-Control", "no-store")
            }
        };
        out.respond(ask.from, response);
    }

    pub(super) fn log_out(&self, ask: Ask, out: &mut Effects) {
        let response = match self.check_origin(ask.request) {
            Ok(()) => {
                let cleared = clear_cookie(COOKIE, self.settings.cookie_secure);
                Response::redirect(303, "/").header("Set-Cookie", cleared)
            }
            Err(why) => self.error(&self.visitor(ask), 403, &why),
        };
        out.respond(ask.from, response);
    }

    fn login_page(
        &self,
        visitor: &Visitor,
        name: &str,
        next: &str,
        problem: Option<NameProblem>,
        status: u16,
    ) -> Response {
        let page = Page::Login { user: visitor.user.as_deref(), name, next, problem };
        self.pages.render(&page, visitor.lang, status)
    }
}

fn next_of(asked: Option<String>) -> String {
    asked.filter(|next| is_local_path(next)).unwrap_or_else(|| DEFAULT_NEXT.into())
}

/// The name, trimmed, if it may be one: 1 to 32 characters, none of them a colon (it ends the name in a chat line), a
/// control, or one that shows nothing or turns text around.
pub fn check_name(typed: &str) -> Result<&str, NameProblem> {
    let name = typed.trim();
    if name.is_empty() {
        return Err(NameProblem::Empty);
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(NameProblem::TooLong);
    }
    let refused = |c: char| {
        matches!(c, ':' | '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if name.contains(refused) { Err(NameProblem::BadCharacter) } else { Ok(name) }
}

#[cfg(test)]
mod tests;

//! Names and the cookie that carries them.
//!
//! A name is a courtesy, not an identity: whoever logs in first has it while it is online, and a signed cookie cannot
//! be taken back before it expires.

use super::cookie::{clear_cookie, find, set_cookie};
use super::language::Sentence;
use super::pages::{NameProblem, Page};
use super::{Ask, Site, Visitor};
use crate::event::{Effects, Request, Response};
use crate::proto::url::{Form, is_local_path};

/// The cookie's name, the same as in the course's Tornado site.
const COOKIE: &str = "username";
const NAME_CHARS_MAX: usize = 32;
/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
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

    pub(super) fn login_form(&self, ask: Ask, query: Form, out: &mut Effects) {
        let visitor = self.visitor(ask);
        let next = next_of(query.value("next"));
        out.respond(ask.from, self.login_page(&visitor, "", &next, None, 200));
    }

    pub(super) fn log_in(&self, ask: Ask, out: &mut Effects) {
        let visitor = self.visitor(ask);
        if let Err(why) = self.check_origin(ask.request) {
            return out.respond(ask.from, self.error(&visitor, 403, &why));
        }
        if let Err(refusal) = self.check_media_type(ask.request, &visitor) {
            return out.respond(ask.from, refusal);
        }
        let Ok(form) = Form::parse(ask.body) else {
            return self.refuse(ask, 400, "why_encoding", out);
        };
        let typed = form.value("username").unwrap_or_default();
        let next = next_of(form.value("next"));
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

    /// The body is a form as browsers send it, or its type is not said; else 415, which names what is accepted (RFC
    /// 9110 section 15.5.16).
    fn check_media_type(&self, request: &Request, visitor: &Visitor) -> Result<(), Response> {
        let refusal = |why, expected: &'static str, sent: &[u8], field| {
            let why = Sentence::new(why, [&expected, &String::from_utf8_lossy(sent)]);
            Err(self.error(visitor, 415, &why).header(field, expected))
        };
        let is_form = |kind: &[u8]| {
            let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default();
            kind.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes())
        };
        if let Some(kind) = request.headers_named("content-type").find(|kind| !is_form(kind)) {
            return refusal("why_media_type", FORM, kind, "Accept");
        }
        match request.headers_named("content-encoding").find(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            Some(coding) => refusal("why_coding", "identity", coding, "Accept-Encoding"),
            None => Ok(()),
        }
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

//! Logging in and out: the form, and the cookie that carries the name.
//!
//! A name is a courtesy, not an identity: whoever logs in first has it while it is online, and a signed cookie cannot
//! be taken back before it expires.

use super::cookie::{clear_cookie, find, set_cookie};
use super::language::Sentence;
use super::pages::{NameProblem, Page};
use super::{Ask, Site, Visitor, name};
use crate::event::{Effects, Request, Response};
use crate::http::url::{Form, is_local_path};

/// The cookie's name, the same as in the course's Tornado site.
const COOKIE: &str = "username";
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
        (name::check(&name).as_deref() == Ok(&name)).then_some(name)
    }

    pub(super) fn login_form(&self, ask: Ask, query: Form, out: &mut Effects) {
        let visitor = self.visitor(ask);
        let next = next_of(query.value("next"));
        // The chat has sent this browser here, because another one is online under a name that looks like its own.
        let is_taken = visitor.user.as_ref().is_some_and(|name| self.chat.claim(name).is_none());
        let problem = is_taken.then_some(NameProblem::Taken);
        out.respond(ask.from, self.login_page(&visitor, "", &next, problem, 200));
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
        let response = match name::check(&typed) {
            Err(problem) => self.login_page(&visitor, &typed, &next, Some(problem), 400),
            Ok(name) if !self.may_take(&visitor, &name) => {
                self.login_page(&visitor, &name, &next, Some(NameProblem::Taken), 409)
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

    /// Whether no member is online under this name or one that looks like it, but for the visitor itself.
    fn may_take(&self, visitor: &Visitor, name: &str) -> bool {
        let is_own = visitor.user.as_deref() == Some(name);
        self.chat.claim(name).is_some_and(|claim| is_own || claim.is_first())
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

#[cfg(test)]
mod tests;

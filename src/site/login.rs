//! Logging in and out: the form, and the cookie that carries the name.
//!
//! A name is no identity: a login takes any name that is not online, and a signed cookie cannot be revoked before it
//! expires.

use super::Settings;
use super::chat::Chat;
use super::context::{Context, User};
use super::cookie::{Signer, clear_cookie, find, set_cookie};
use super::language::Localized;
use super::name;
use super::origins::Origins;
use super::pages::{NameProblem, Page, Pages};
use crate::event::{Request, Response};
use crate::http::url::{Form, NotUtf8, is_local_path};

/// The cookie's name, the same as in the course's Tornado site.
pub const COOKIE: &str = "username";
/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// Where a login leads without a valid `next`.
const DEFAULT_NEXT: &str = "/chat/";

/// What signs and verifies the login cookie.
pub struct Login {
    signer: Signer,
    /// The cookie is set with Secure.
    cookie_secure: bool,
}

impl Login {
    /// With the secret of these settings.
    pub fn new(settings: &Settings) -> Login {
        Login { signer: Signer::new(&settings.secret), cookie_secure: settings.cookie_secure }
    }

    /// The user of this request, with the name in its cookie.
    pub fn user(&self, cx: Context) -> User {
        User::of(cx.request, self.name(cx))
    }

    fn name(&self, cx: Context) -> Option<String> {
        let signed = find(cx.request.headers_named("cookie"), COOKIE)?;
        let value = self.signer.verify(COOKIE, &signed, cx.now.wall.seconds())?;
        let name = String::from_utf8(value).ok()?;
        // A cookie that another application made may carry what we would not accept.
        (name::check(&name).as_deref() == Ok(&name)).then_some(name)
    }

    /// The form of `/login`.
    pub fn form(&self, user: &User, query: Form, chat: &Chat, pages: &Pages) -> Response {
        let next = next_of(query.value("next"));
        // The chat has sent this browser here, because another one is online under a name that looks like its own.
        let is_taken = user.name.as_ref().is_some_and(|name| chat.claim(name).is_none());
        form(user, "", &next, is_taken.then_some(NameProblem::Taken), 200, pages)
    }

    /// `POST /login`: the cookie and a redirect to `next`, or the form with what is wrong.
    pub fn log_in(&self, cx: Context, user: &User, origins: &Origins, chat: &Chat, pages: &Pages) -> Response {
        if let Err(why) = origins.check(cx.request) {
            return pages.error(user, 403, &why);
        }
        if let Err(refusal) = check_media_type(cx.request, user, pages) {
            return refusal;
        }
        let posted = match Form::parse(cx.body) {
            Ok(posted) => posted,
            Err(NotUtf8) => return pages.error(user, 400, &Localized::new("why_encoding", [])),
        };
        let typed = posted.value("username").unwrap_or_default();
        let next = next_of(posted.value("next"));
        match name::check(&typed) {
            Err(problem) => form(user, &typed, &next, Some(problem), 400, pages),
            Ok(name) if !may_take(user, &name, chat) => form(user, &name, &next, Some(NameProblem::Taken), 409, pages),
            Ok(name) => {
                let signed = self.signer.sign(COOKIE, name.as_bytes(), cx.now.wall.seconds());
                Response::redirect(303, next)
                    .header("Set-Cookie", set_cookie(COOKIE, &signed, self.cookie_secure))
                    .header("Cache-Control", "no-store")
            }
        }
    }

    /// `POST /logout`: clears the cookie.
    pub fn log_out(&self, cx: Context, user: &User, origins: &Origins, pages: &Pages) -> Response {
        match origins.check(cx.request) {
            Ok(()) => Response::redirect(303, "/").header("Set-Cookie", clear_cookie(COOKIE, self.cookie_secure)),
            Err(why) => pages.error(user, 403, &why),
        }
    }
}

/// Whether no member is online under this name or one that looks like it, except this user.
fn may_take(user: &User, name: &str, chat: &Chat) -> bool {
    let is_own = user.name.as_deref() == Some(name);
    chat.claim(name).is_some_and(|claim| is_own || claim.is_first())
}

fn form(user: &User, name: &str, next: &str, problem: Option<NameProblem>, status: u16, pages: &Pages) -> Response {
    pages.render(&Page::Login { name, next, problem }, user, status)
}

/// Checks that the body is a form as browsers send it, or has no media type.
///
/// # Errors
/// 415, which names what is accepted (RFC 9110 section 15.5.16).
fn check_media_type(request: &Request, user: &User, pages: &Pages) -> Result<(), Response> {
    let refusal = |why, expected: &'static str, sent: &[u8], field| {
        let why = Localized::new(why, [&expected, &String::from_utf8_lossy(sent)]);
        Err(pages.error(user, 415, &why).header(field, expected))
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

fn next_of(asked: Option<String>) -> String {
    asked.filter(|next| is_local_path(next)).unwrap_or_else(|| DEFAULT_NEXT.into())
}

#[cfg(test)]
mod tests;

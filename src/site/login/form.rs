//! What a login form brings, and what it says when it comes again.

use crate::event::{Request, Response};
use crate::http::url::{Form, NotUtf8, is_local_path};
use crate::site::context::{Context, User};
use crate::site::language::Localized;
use crate::site::origins::Origins;
use crate::site::pages::{Asks, LoginProblem, Pages};

/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// Where a login leads without a valid `next`.
const DEFAULT_NEXT: &str = "/chat/";

/// The form as it comes again: with what is wrong, or with the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    pub status: u16,
    pub asks: Asks,
    pub problem: Option<LoginProblem>,
    /// Seconds after which the same form may succeed.
    pub retry_after: Option<u64>,
}

impl Again {
    /// Nothing is wrong: this is the next step.
    pub fn step(asks: Asks) -> Again {
        Again { status: 200, asks, problem: None, retry_after: None }
    }

    /// The name cannot be taken.
    pub fn wrong(status: u16, problem: LoginProblem) -> Again {
        Again { status, asks: Asks::Name, problem: Some(problem), retry_after: None }
    }

    /// The password is not accepted.
    pub fn wrong_password(status: u16, problem: LoginProblem) -> Again {
        Again { asks: Asks::Password, ..Again::wrong(status, problem) }
    }

    /// The same form may succeed after these seconds.
    pub fn retry_after(self, seconds: u64) -> Again {
        Again { retry_after: Some(seconds), ..self }
    }
}

/// The form of a login, if it may be one.
///
/// # Errors
/// 403 for a page of another site, 415 and 400 for what is no form.
pub fn posted<'a>(cx: Context<'a>, user: &User, origins: &Origins, pages: &Pages) -> Result<Form<'a>, Response> {
    origins.check(cx.request).map_err(|why| pages.error(user, 403, &why))?;
    check_media_type(cx.request, user, pages)?;
    Form::parse(cx.body).map_err(|NotUtf8| pages.error(user, 400, &Localized::new("why_encoding", [])))
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

/// Where a login leads: `asked` if it is a path of this site, else the chat.
pub fn next_of(asked: Option<String>) -> String {
    asked.filter(|next| is_local_path(next)).unwrap_or_else(|| DEFAULT_NEXT.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_is_a_local_path_or_the_chat() {
        assert_eq!(next_of(Some("/search?wd=x".into())), "/search?wd=x");
        for bad in ["//evil.example/", "/\\evil.example/", "http://evil.example/", "", "chat", "/a\\b", "/a\tb"] {
            assert_eq!(next_of(Some(bad.into())), "/chat/", "{bad:?}");
        }
        assert_eq!(next_of(None), "/chat/");
    }
}

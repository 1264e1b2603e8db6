//! The request context: a request, its connection, its time and its user.

use super::language::Lang;
use crate::clock::Now;
use crate::event::Request;
use crate::id::ConnId;

/// One request, its connection and its time.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub from: ConnId,
    pub request: &'a Request<'a>,
    pub body: &'a [u8],
    pub now: Now,
}

/// The sender of a request, and the form in which it wants the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// From a valid login cookie.
    pub name: Option<String>,
    pub lang: Lang,
    /// Without, errors are short texts in English.
    pub accepts_html: bool,
}

impl User {
    /// The user called `name`, with the preferences of the request.
    pub fn of(request: &Request, name: Option<String>) -> User {
        let accept = request.header("accept").unwrap_or_default();
        User {
            name,
            lang: Lang::of(request.header("accept-language")),
            accepts_html: accept.windows(9).any(|part| part.eq_ignore_ascii_case(b"text/html")),
        }
    }
}

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

/// What the cookies of a request prove of its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is no valid cookie, or it has an operator's name and no proof of the password.
    Guest,
    /// A valid cookie has this name.
    Named(String),
    /// The same, and another cookie proves that this operator has typed the password.
    Operator(String),
}

/// The sender of a request, and the form in which it wants the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub standing: Standing,
    pub lang: Lang,
    /// Without, errors are short texts in English.
    pub accepts_html: bool,
}

impl User {
    /// A user with the preferences of the request.
    pub fn of(request: &Request, standing: Standing) -> User {
        let accept = request.header("accept").unwrap_or_default();
        User {
            standing,
            lang: Lang::of(request.header("accept-language")),
            accepts_html: accept.windows(9).any(|part| part.eq_ignore_ascii_case(b"text/html")),
        }
    }

    /// The name, unless it is a guest.
    pub fn name(&self) -> Option<&str> {
        match &self.standing {
            Standing::Guest => None,
            Standing::Named(name) | Standing::Operator(name) => Some(name),
        }
    }
}

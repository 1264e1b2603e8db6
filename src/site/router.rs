//! Which route a request has.
//!
//! A path has a [`Route`], a route has its methods; HEAD goes wherever GET goes. Unknown paths get 404, known ones with
//! another method 405 and Allow, unknown methods 501.

use super::Settings;
use super::api::Resource;
use super::files::CHALLENGES;
use crate::event::{Body, Request, Response};
use crate::http::request::Method;
use crate::http::url::decode_path;
use std::borrow::Cow;

/// Everything that the site serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Plaintext,
    Index,
    Sleep,
    Login,
    Logout,
    Chat,
    ChatWithoutSlash,
    Rooms,
    Room(Resource),
    Echo,
    Search,
    Static,
    Health,
    SearchSync,
    Block,
}

/// What the router finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A route that allows the method, and the decoded path, which is complete for [`Route::Static`] and [`Route::Room`] only.
    Route(Route, Cow<'a, str>),
    /// OPTIONS, with the methods that it names.
    Options(&'static str),
    /// 405, with the methods that there are.
    WrongMethod(&'static str),
    /// 501.
    UnknownMethod,
    /// 404.
    Nothing,
}

/// The table of paths.
pub struct Router {
    /// The blocking contrasts exist.
    lab: bool,
}

impl Router {
    /// The routes of these settings.
    pub fn new(settings: &Settings) -> Router {
        Router { lab: settings.lab }
    }

    /// Finds the route of a request.
    pub fn find<'a>(&self, request: &Request<'a>) -> Found<'a> {
        let mut route = Route::of(request.path_bytes(), self.lab);
        let mut path = Cow::Borrowed("");
        // Only an unknown path and the name of a file or a room can have something to decode.
        if matches!(route, None | Some(Route::Static | Route::Room(_))) {
            path = decoded(request.path());
            route = Route::of(path.as_bytes(), self.lab);
        }
        match (route, request.method) {
            (_, Method::Other | Method::Connect) => Found::UnknownMethod,
            (None, Method::Options) if request.path() == "*" => Found::Options("GET, HEAD, POST, OPTIONS"),
            (None, _) => Found::Nothing,
            (Some(route), Method::Options) => Found::Options(route.methods()),
            (Some(route), method) if !route.allows(method) => Found::WrongMethod(route.methods()),
            (Some(route), _) => Found::Route(route, path),
        }
    }
}

impl Route {
    fn of(path: &[u8], lab: bool) -> Option<Route> {
        Some(match path {
            b"/plaintext" => Route::Plaintext,
            b"/" => Route::Index,
            b"/sleep" => Route::Sleep,
            b"/login" => Route::Login,
            b"/logout" => Route::Logout,
            b"/chat/" => Route::Chat,
            b"/chat" => Route::ChatWithoutSlash,
            b"/echo" => Route::Echo,
            b"/api/rooms" => Route::Rooms,
            b"/search" => Route::Search,
            b"/favicon.ico" => Route::Static,
            b"/healthz" => Route::Health,
            b"/search-sync" if lab => Route::SearchSync,
            b"/block" if lab => Route::Block,
            _ if path.starts_with(b"/static/") => Route::Static,
            [b'/', b'a', b'p', b'i', b'/', b'r', b'o', b'o', b'm', b's', b'/', path @ ..] => {
                let end = path.iter().position(|&byte| byte == b'/')?;
                match &path[end..] {
                    b"/messages" => Route::Room(Resource::Messages),
                    b"/events" => Route::Room(Resource::Events),
                    _ => return None,
                }
            }
            [b'/', path @ ..] if path.starts_with(CHALLENGES.as_bytes()) => Route::Static,
            _ => return None,
        })
    }

    fn methods(self) -> &'static str {
        match self {
            Route::Login => "GET, HEAD, POST, OPTIONS",
            Route::Logout => "POST, OPTIONS",
            Route::Room(Resource::Messages) => "GET, HEAD, POST, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }

    fn allows(self, method: Method) -> bool {
        match method {
            Method::Get | Method::Head => self != Route::Logout,
            Method::Post => matches!(self, Route::Login | Route::Logout | Route::Room(Resource::Messages)),
            _ => false,
        }
    }
}

/// The path without its percent-encoding; empty where that makes no sense.
fn decoded(path: &str) -> Cow<'_, str> {
    match path.contains('%') {
        true => decode_path(path).map_or(Cow::Borrowed(""), |path| Cow::Owned(format!("/{path}"))),
        false => Cow::Borrowed(path),
    }
}

/// The response to OPTIONS.
pub fn options(methods: &'static str) -> Response {
    Response::new(204, "", Body::Static(b"")).header("Allow", methods)
}

#[cfg(test)]
mod tests;

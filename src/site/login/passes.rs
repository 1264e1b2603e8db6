//! What is signed for a user: the cookies that carry a name, and invitations.

use crate::clock::{Now, UnixTime};
use crate::event::Response;
use crate::http::url::encode_component;
use crate::site::context::{Context, Standing};
use crate::site::cookie::{Signed, Signer, clear_cookie, find, set_cookie};
use crate::site::name;

/// The cookie's name, the same as in the course's Tornado site.
pub const COOKIE: &str = "username";
/// The cookie that proves that an operator has typed the password; its value is the name, too.
pub const OPERATOR_COOKIE: &str = "operator";
/// What an invitation is signed as. No cookie has this name.
const INVITATION: &str = "invite";
/// Age from which on a cookie is replaced when the chat page is loaded, seconds: a day.
const RENEWED_AFTER: u64 = 24 * 3600;
/// Life of an invitation, seconds: 7 days.
const INVITATION_SECONDS: u64 = 7 * 24 * 3600;

/// Signs and verifies, with the secret of the server.
pub struct Passes {
    signer: Signer,
    /// Cookies are set with Secure.
    secure: bool,
}

impl Passes {
    /// With this secret.
    pub fn new(secret: &[u8], secure: bool) -> Passes {
        Passes { signer: Signer::new(secret), secure }
    }

    /// The name in this cookie of a request, if it is valid, and the second in which it was signed.
    pub fn name(&self, cx: Context, cookie: &str) -> Option<(String, u64)> {
        let signed = find(cx.request.headers_named("cookie"), cookie)?;
        let Signed { value, at } = self.signer.verify(cookie, &signed, cx.now.wall.seconds())?;
        let name = String::from_utf8(value).ok()?;
        // A cookie that another application made may carry what we would not accept.
        (name::check(&name).as_deref() == Ok(&name)).then_some((name, at))
    }

    /// A number that stands for the secret.
    pub fn fingerprint(&self) -> u64 {
        self.signer.fingerprint()
    }

    /// The cookies of this standing, and the way to `next`.
    pub fn grant(&self, standing: &Standing, next: &str, now: Now) -> Response {
        self.put_on(Response::redirect(303, next.to_owned()), standing, now).header("Cache-Control", "no-store")
    }

    /// Whether a cookie that was signed in this second is to be replaced by a new one.
    pub fn is_old(&self, signed_at: u64, now: Now) -> bool {
        now.wall.seconds().saturating_sub(signed_at) > RENEWED_AFTER
    }

    /// Adds the cookies of this standing to a response.
    pub fn put_on(&self, response: Response, standing: &Standing, now: Now) -> Response {
        let set = |response: Response, cookie: &str, name: &str| {
            let signed = self.signer.sign(cookie, name.as_bytes(), now.wall.seconds());
            response.header("Set-Cookie", set_cookie(cookie, &signed, self.secure))
        };
        match standing {
            Standing::Guest => response,
            Standing::Named(name) => set(response, COOKIE, name),
            Standing::Operator(name) => set(set(response, COOKIE, name), OPERATOR_COOKIE, name),
        }
    }

    /// Clears the cookies: the operator's only where there is one.
    pub fn revoke(&self, cx: Context) -> Response {
        let response = Response::redirect(303, "/").header("Set-Cookie", clear_cookie(COOKIE, self.secure));
        match find(cx.request.headers_named("cookie"), OPERATOR_COOKIE) {
            Some(_) => response.header("Set-Cookie", clear_cookie(OPERATOR_COOKIE, self.secure)),
            None => response,
        }
    }

    /// A path with which another browser can log in, for 7 days from `now` on.
    pub fn invitation_path(&self, now: UnixTime) -> String {
        format!("/?invite={}", encode_component(&self.invitation(now)))
    }

    /// A token that counts for 7 days from `now` on.
    pub fn invitation(&self, now: UnixTime) -> String {
        self.signer.sign(INVITATION, b"", now.seconds())
    }

    /// Whether this is an invitation that still counts.
    pub fn is_invitation(&self, token: &str, now: UnixTime) -> bool {
        let signed = self.signer.verify(INVITATION, token, now.seconds());
        signed.is_some_and(|signed| now.seconds().saturating_sub(signed.at) <= INVITATION_SECONDS)
    }
}

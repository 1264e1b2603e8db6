//! Logging in and out: the form, and the cookies that carry the name.
//!
//! A login is a request that may wait three times, each time as an [`Attempt`]:
//!
//! ```text
//! POST /login ─▶ an operator's name? ── its password ─▶ the pool computes a hash ─▶ 403, or the cookies
//!                └▶ an invitation? ─▶ the pool reads the file of tokens ─▶ 403
//!                   └▶ the store claims the name ─▶ 409, or the cookie
//! ```
//!
//! A name belongs to the first cookie that has used it. A signed cookie cannot be revoked before it expires, unless an
//! operator frees its name.

mod claims;
mod form;
mod freed;
mod gate;
mod guard;
mod passes;

use super::Settings;
use super::chat::Chat;
use super::context::{Context, Standing, User};
use super::name;
use super::operators::{Kin, Operators};
use super::origins::Origins;
use super::pages::{Asks, Invite, LoginForm, LoginProblem, Page, Pages};
use crate::clock::Now;
use crate::event::{Effect, Effects, FileRead, Job, Outcome, Response};
use crate::http::url::Form;
use crate::id::ConnId;
use crate::password::{Password, Verdict};
use crate::store::{Act, Claim, Deed};
use claims::Claims;
use form::{Again, next_of, posted};
use freed::Freed;
use gate::Gate;
use guard::{Guard, Refusal};
pub use passes::{COOKIE, OPERATOR_COOKIE, Passes};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Instant;

/// What signs and verifies the login cookie, and the logins under way.
pub struct Login {
    passes: Rc<Passes>,
    operators: Operators,
    guard: Guard,
    /// A new login needs a token, if there is one.
    gate: Option<Gate>,
    freed: Freed,
    claims: Claims,
    attempts: HashMap<ConnId, Attempt>,
}

/// A login that waits for a thread or for the store. The browser's own login stays as it is until it has succeeded.
struct Attempt {
    user: User,
    /// Checked, and in its normal form.
    name: String,
    /// A local path.
    next: String,
    /// As typed.
    invite: String,
    waits_for: Wait,
}

/// What an [`Attempt`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Tokens,
    Password,
    Claim,
}

impl Login {
    /// With the secret and the files of these settings; rates count from `now` on.
    ///
    /// # Errors
    /// A sentence about the file of the operators or of the invitations.
    pub fn new(settings: &Settings, now: Instant) -> Result<Login, String> {
        let passes = Rc::new(Passes::new(&settings.secret, settings.cookie_secure));
        let operators = settings.operators_file.as_deref().map(Operators::load).transpose()?;
        Ok(Login {
            claims: Claims::new(passes.fingerprint()),
            passes,
            operators: operators.unwrap_or_default(),
            guard: Guard::new(now),
            gate: settings.invite_file.as_deref().map(Gate::open).transpose()?,
            freed: Freed::default(),
            attempts: HashMap::new(),
        })
    }

    /// The user of this request, as its cookies prove it.
    pub fn user(&self, cx: Context) -> User {
        User::of(cx.request, self.standing(cx))
    }

    fn standing(&self, cx: Context) -> Standing {
        let Some(name) = self.name(cx, COOKIE) else { return Standing::Guest };
        match self.operators.find(&name) {
            Kin::None => Standing::Named(name),
            Kin::Operator(_) if self.name(cx, OPERATOR_COOKIE).as_deref() == Some(&name) => Standing::Operator(name),
            // Such a cookie is older than the operator, or signed without the password.
            Kin::Operator(_) | Kin::Alike => Standing::Guest,
        }
    }

    /// The name in this cookie, if it is valid.
    fn name(&self, cx: Context, cookie: &str) -> Option<String> {
        self.passes.name(cx, cookie).filter(|(name, at)| !self.freed.voids(name, *at)).map(|(name, _)| name)
    }

    /// The form of `/login`.
    pub fn form(&self, user: &User, query: Form, chat: &Chat, pages: &Pages) -> Response {
        let next = next_of(query.value("next"));
        // The chat has sent this browser here, because another one is online under a name that looks like its own.
        let is_taken = user.name().is_some_and(|name| chat.claim(name).is_none());
        let invite = query.value("invite").unwrap_or_default();
        let again = Again { problem: is_taken.then_some(LoginProblem::Online), ..Again::step(Asks::Name) };
        self.render(again, user, "", &next, &invite, pages)
    }

    /// `POST /login`: the cookie and a redirect to `next`, or the form with what is wrong, now or later.
    pub fn log_in(
        &mut self,
        cx: Context,
        user: User,
        origins: &Origins,
        chat: &Chat,
        pages: &Pages,
        out: &mut Effects,
    ) {
        let posted = match posted(cx, &user, origins, pages) {
            Ok(posted) => posted,
            Err(refusal) => return out.respond(cx.from, refusal),
        };
        let typed = posted.value("username").unwrap_or_default();
        let next = next_of(posted.value("next"));
        let invite = posted.value("invite").unwrap_or_default().trim().to_owned();
        let name = match name::check(&typed) {
            Ok(name) => name.into_owned(),
            Err(problem) => {
                let again = Again::wrong(400, LoginProblem::Name(problem));
                return out.respond(cx.from, self.render(again, &user, &typed, &next, &invite, pages));
            }
        };
        let attempt = Attempt { user, name, next, invite, waits_for: Wait::Tokens };
        match self.operators.find(&attempt.name) {
            _ if attempt.user.name() == Some(&attempt.name) => self.renew(cx.from, attempt, cx.now, chat, pages, out),
            Kin::Alike => self.ask_again(cx.from, attempt, Again::wrong(409, LoginProblem::OfOperator), pages, out),
            Kin::Operator(hash) => match posted.value("password").filter(|password| !password.is_empty()) {
                Some(password) => {
                    let job = Job::CheckPassword { hash, password: Password::typed(password) };
                    self.check_password(cx.from, attempt, job, cx.now, pages, out);
                }
                None => {
                    self.ask_again(cx.from, attempt, Again::step(Asks::Password), pages, out);
                }
            },
            Kin::None => self.pass_gate(cx.from, attempt, cx.now, chat, pages, out),
        }
    }

    /// The browser has a valid cookie with this name already.
    fn renew(&mut self, from: ConnId, attempt: Attempt, now: Now, chat: &Chat, pages: &Pages, out: &mut Effects) {
        match chat.claim(&attempt.name) {
            Some(_) => out.respond(from, self.passes.grant(&attempt.user.standing, &attempt.next, now)),
            None => self.ask_again(from, attempt, Again::wrong(409, LoginProblem::Online), pages, out),
        }
    }

    fn check_password(&mut self, from: ConnId, attempt: Attempt, job: Job, now: Now, pages: &Pages, out: &mut Effects) {
        match self.guard.begin(from, &attempt.name, now.instant) {
            Ok(()) => {
                out.push(Effect::Run(from, job));
                self.attempts.insert(from, Attempt { waits_for: Wait::Password, ..attempt });
            }
            Err(Refusal::TooFast(wait)) => {
                let again = Again::wrong_password(429, LoginProblem::TooFast);
                self.ask_again(from, attempt, again.retry_after(wait.as_secs().saturating_add(1)), pages, out);
            }
            Err(Refusal::Busy) => {
                let again = Again::wrong_password(503, LoginProblem::Busy).retry_after(1);
                self.ask_again(from, attempt, again, pages, out);
            }
        }
    }

    /// A hash was computed, for a login that may be gone.
    pub fn on_checked(&mut self, from: ConnId, verdict: Verdict, now: Now, pages: &Pages, out: &mut Effects) {
        self.guard.end(from);
        let Some(attempt) = self.take_attempt(from, Wait::Password) else { return };
        match verdict {
            Verdict::Right => {
                out.respond(from, self.passes.grant(&Standing::Operator(attempt.name), &attempt.next, now));
            }
            Verdict::Wrong => {
                self.ask_again(from, attempt, Again::wrong_password(403, LoginProblem::Password), pages, out);
            }
        }
    }

    /// A name that is no operator's: whether it may come in at all. A browser with a valid cookie is in already.
    fn pass_gate(&mut self, from: ConnId, attempt: Attempt, now: Now, chat: &Chat, pages: &Pages, out: &mut Effects) {
        let gate = self.gate.as_mut().filter(|_| attempt.user.name().is_none());
        match gate.and_then(|gate| gate.refresh(now.instant)) {
            Some(job) => {
                out.push(Effect::Run(from, job));
                self.attempts.insert(from, Attempt { waits_for: Wait::Tokens, ..attempt });
            }
            None => self.claim(from, attempt, now, chat, pages, out),
        }
    }

    /// A file was read. Returns what was read if no login has waited for it.
    pub fn on_read(
        &mut self,
        from: ConnId,
        read: io::Result<FileRead>,
        now: Now,
        chat: &Chat,
        pages: &Pages,
        out: &mut Effects,
    ) -> Option<io::Result<FileRead>> {
        let Some(attempt) = self.take_attempt(from, Wait::Tokens) else { return Some(read) };
        if let Some(gate) = &mut self.gate {
            gate.take(read);
        }
        self.claim(from, attempt, now, chat, pages, out);
        None
    }

    fn claim(&mut self, from: ConnId, attempt: Attempt, now: Now, chat: &Chat, pages: &Pages, out: &mut Effects) {
        let is_in = attempt.user.name().is_some();
        let is_invited = || {
            self.gate.as_ref().is_none_or(|gate| {
                gate.admits(&attempt.invite, now.wall.whole())
                    || self.passes.is_invitation(&attempt.invite, now.wall.whole())
            })
        };
        if !is_in && !is_invited() {
            return self.ask_again(from, attempt, Again::wrong(403, LoginProblem::Invite), pages, out);
        }
        if !chat.claim(&attempt.name).is_some_and(|claim| claim.is_first()) {
            return self.ask_again(from, attempt, Again::wrong(409, LoginProblem::Online), pages, out);
        }
        out.push(Effect::Store(from, self.claims.claim(&attempt.name, now)));
        self.attempts.insert(from, Attempt { waits_for: Wait::Claim, ..attempt });
    }

    /// The store has done something. Returns the outcome unless it was for a login alone.
    pub fn on_stored(
        &mut self,
        from: ConnId,
        outcome: Outcome,
        now: Now,
        pages: &Pages,
        out: &mut Effects,
    ) -> Option<Outcome> {
        match &outcome {
            Outcome::Act(act) => {
                self.note_act(act);
                return Some(outcome);
            }
            Outcome::InForce(acts) => {
                acts.iter().for_each(|act| self.note_act(act));
                return Some(outcome);
            }
            Outcome::Unclaimed { name, .. } if from == ConnId::NONE => self.claims.forget(name),
            Outcome::Claimed { .. } | Outcome::Unclaimed { .. } => {}
            _ => return Some(outcome),
        }
        let Some(attempt) = self.take_attempt(from, Wait::Claim) else { return Some(outcome) };
        match outcome {
            Outcome::Claimed { claim: Claim::New, .. } => {
                out.respond(from, self.passes.grant(&Standing::Named(attempt.name), &attempt.next, now));
            }
            Outcome::Claimed { claim: Claim::Taken, .. } => {
                self.ask_again(from, attempt, Again::wrong(409, LoginProblem::Owned), pages, out);
            }
            _ => {
                let again = Again::wrong(503, LoginProblem::NotStored).retry_after(5);
                self.ask_again(from, attempt, again, pages, out);
            }
        }
        None
    }

    /// A name that is freed has no claim, and its cookies from before are void.
    fn note_act(&mut self, act: &Act) {
        if let Deed::Free { name, .. } = &act.deed {
            self.freed.add(name.clone(), act.at);
            self.claims.forget(name);
        }
    }

    /// A name is used with its cookie: it belongs to that cookie, if it belonged to none.
    pub fn note_use(&mut self, user: &User, now: Now, out: &mut Effects) {
        if let Some(command) = user.name().and_then(|name| self.claims.note(name, now)) {
            out.push(Effect::Store(ConnId::NONE, command));
        }
    }

    /// Adds new cookies to a page if those of its user are more than a day old. So a user that comes once a month keeps
    /// the name.
    pub fn renew_on(&self, page: Response, cx: Context, user: &User) -> Response {
        match self.passes.name(cx, COOKIE) {
            Some((_, at)) if self.passes.is_old(at, cx.now) => self.passes.put_on(page, &user.standing, cx.now),
            _ => page,
        }
    }

    /// What signs invitations, if a new login needs one.
    pub fn invitations(&self) -> Option<Rc<Passes>> {
        self.gate.as_ref().map(|_| self.passes.clone())
    }

    /// `POST /logout`: clears the cookies.
    pub fn log_out(&self, cx: Context, user: &User, origins: &Origins, pages: &Pages) -> Response {
        match origins.check(cx.request) {
            Ok(()) => self.passes.revoke(cx),
            Err(why) => pages.error(user, 403, &why),
        }
    }

    /// The connection has ended. A hash that it has asked for is still computed.
    pub fn on_left(&mut self, from: ConnId) {
        self.attempts.remove(&from);
    }

    /// The number of logins that wait.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.attempts.len()
    }

    fn take_attempt(&mut self, from: ConnId, waits_for: Wait) -> Option<Attempt> {
        self.attempts.remove(&from).filter(|attempt| attempt.waits_for == waits_for)
    }

    fn ask_again(&self, from: ConnId, attempt: Attempt, again: Again, pages: &Pages, out: &mut Effects) {
        let Attempt { user, name, next, invite, .. } = &attempt;
        out.respond(from, self.render(again, user, name, next, invite, pages));
    }

    /// The form, with what is wrong or wanted.
    fn render(&self, again: Again, user: &User, name: &str, next: &str, invite: &str, pages: &Pages) -> Response {
        let Again { status, asks, problem, retry_after } = again;
        let is_rejected = problem == Some(LoginProblem::Invite);
        let invite = match &self.gate {
            None => Invite::NotNeeded,
            Some(_) if user.name().is_some() || asks == Asks::Password => Invite::NotNeeded,
            Some(_) if invite.is_empty() || is_rejected => Invite::Asked,
            Some(_) => Invite::Given(invite),
        };
        let form = LoginForm { name, next, problem, asks, invite };
        let response = pages.render(&Page::Login(form), user, status);
        match retry_after {
            Some(seconds) => response.header("Retry-After", seconds.to_string()),
            None => response,
        }
    }
}

#[cfg(test)]
mod tests;

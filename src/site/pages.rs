//! The pages for people: templates of `www/pages`, overlaid by those of `--www`, to whole responses.
//!
//! In goes a [`Page`] (which one, and what it shows) and its [`User`], out comes a [`Response`] with its security
//! fields. Templates are read once, at start. Every value passes the autoescape of the templates; built-in pages carry
//! a policy that allows only our own files, overlaid ones belong to the operator and carry none.

use crate::http::response::{Body, Response};
use crate::site::context::User;
use crate::site::language::{Lang, Localized, TEXTS};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What every built-in page and file may do: use our styles, show our pictures, post forms to us; and more, if its
/// script needs it.
macro_rules! policy {
    ($($more:literal)?) => {
        concat!(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
            $(, "; ", $more)?
        )
    };
}

/// Without a script: files, too, which a browser may be shown as pages.
pub const POLICY: &str = policy!();
/// With one, which talks to us and makes no markup out of text (Trusted Types). In `connect-src`, 'self' covers ws: and
/// wss: of the same authority (CSP 3, section 6.7.2.8).
const SCRIPT_POLICY: &str =
    policy!("script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'");
/// The chat may be installed.
const CHAT_POLICY: &str = policy!(
    "script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; \
     manifest-src 'self'"
);
/// The search form shows the relayed page in a frame.
const SEARCH_POLICY: &str = policy!(
    "script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; frame-src 'self'"
);
/// An error instead of a relayed page: no scripts, no forms, and that frame may hold it.
const SANDBOX_POLICY: &str = "sandbox; default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                             frame-ancestors 'self'";

/// Lists templates of `www/pages` by name.
macro_rules! embed {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../www/pages/", $name)))),*] };
}

const EMBEDDED: [(&str, &str); 6] =
    embed!["base.html", "index.html", "login.html", "chat.html", "search.html", "error.html"];

/// What is wrong with a name that a user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameProblem {
    Empty,
    /// Over 32 characters or 256 bytes.
    TooLong,
    /// A colon, a control or an invisible character.
    BadCharacter,
    /// It stands for a name that was forgotten.
    Reserved,
}

impl NameProblem {
    /// The key of its text.
    fn key(self) -> &'static str {
        match self {
            NameProblem::Empty => "name_empty",
            NameProblem::TooLong => "name_long",
            NameProblem::BadCharacter => "name_character",
            NameProblem::Reserved => "name_reserved",
        }
    }
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginProblem {
    Name(NameProblem),
    /// The name, or one that looks like it, is online, and this browser does not have its cookie.
    Online,
    /// The same of a name that another browser has used before.
    Owned,
    /// The name looks like an operator's.
    OfOperator,
    /// It is wrong.
    Password,
    /// Too many passwords were tried.
    TooFast,
    /// Too many passwords are being checked.
    Busy,
    /// The history cannot be written.
    NotStored,
    /// The token is none, or its time is over; or there is no token.
    Invite,
}

impl LoginProblem {
    /// The key of its text.
    fn key(self) -> &'static str {
        match self {
            LoginProblem::Name(problem) => problem.key(),
            LoginProblem::Online => "name_taken",
            LoginProblem::Owned => "name_owned",
            LoginProblem::OfOperator => "name_of_operator",
            LoginProblem::Password => "login_wrong_password",
            LoginProblem::TooFast => "login_too_fast",
            LoginProblem::Busy => "login_busy",
            LoginProblem::NotStored => "login_not_stored",
            LoginProblem::Invite => "login_wrong_invite",
        }
    }
}

/// What a login form asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    Name,
    /// The name is an operator's: it stays as it is.
    Password,
}

/// The invitation of a login form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invite<'a> {
    NotNeeded,
    Asked,
    /// By the link that led here.
    Given(&'a str),
}

/// What a login form shows.
#[derive(Debug, Clone, Copy)]
pub struct LoginForm<'a> {
    /// As typed.
    pub name: &'a str,
    /// A checked local path.
    pub next: &'a str,
    pub problem: Option<LoginProblem>,
    pub asks: Asks,
    pub invite: Invite<'a>,
}

/// What came before the index page, with its seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// On a timer.
    Slept(f64),
    /// On the loop itself.
    Blocked(f64),
}

impl Delay {
    fn text(self, lang: Lang) -> String {
        match self {
            Delay::Slept(seconds) => Localized::new("slept", [&seconds]).text(lang),
            Delay::Blocked(seconds) => Localized::new("blocked", [&seconds]).text(lang),
        }
    }
}

/// How an error is shown as a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Like any other page.
    Whole,
    /// Instead of a relayed page, and sandboxed like that one.
    Relayed,
    /// The same in the frame of the search page, which has a bar already.
    Framed,
}

/// A page and what it shows besides the user.
#[derive(Debug, Clone, Copy)]
pub enum Page<'a> {
    /// `lab`: the blocking contrasts exist.
    Index {
        delay: Option<Delay>,
        lab: bool,
    },
    Login(LoginForm<'a>),
    Chat,
    Search,
    /// The title follows the status, `why` is the exact problem.
    Error {
        why: &'a Localized,
        layout: Layout,
    },
}

impl Page<'_> {
    fn template(&self) -> &'static str {
        match self {
            Page::Index { .. } => "index.html",
            Page::Login(_) => "login.html",
            Page::Chat => "chat.html",
            Page::Search => "search.html",
            Page::Error { .. } => "error.html",
        }
    }

    fn policy(&self) -> &'static str {
        match self {
            Page::Index { .. } => SCRIPT_POLICY,
            Page::Chat => CHAT_POLICY,
            Page::Search => SEARCH_POLICY,
            Page::Error { layout: Layout::Relayed | Layout::Framed, .. } => SANDBOX_POLICY,
            Page::Login(_) | Page::Error { layout: Layout::Whole, .. } => POLICY,
        }
    }

    /// What the template sees besides the common values.
    fn values(&self, lang: Lang, status: u16) -> Value {
        match *self {
            Page::Index { delay, lab } => context! { pause => delay.map(|delay| delay.text(lang)), lab },
            Page::Login(LoginForm { name, next, problem, asks, invite }) => {
                let problem_of = match problem {
                    Some(LoginProblem::Invite) => "invite",
                    Some(_) if asks == Asks::Password => "password",
                    _ => "username",
                };
                let (asks_invite, invite) = match invite {
                    Invite::NotNeeded => (false, None),
                    Invite::Asked => (true, None),
                    Invite::Given(token) => (false, Some(token)),
                };
                let problem = problem.and_then(|problem| lang.text(problem.key()));
                let asks_password = asks == Asks::Password;
                context! { name, next, problem, problem_of, asks_password, asks_invite, invite }
            }
            Page::Chat | Page::Search => context! {},
            Page::Error { why, layout } => {
                let title = lang.text(&format!("error_{status}")).unwrap_or_default();
                let (framed, sandboxed) = (layout == Layout::Framed, layout != Layout::Whole);
                context! { status, title, why => why.parts(lang), framed, sandboxed }
            }
        }
    }
}

/// The parsed templates and the texts they show.
#[derive(Debug)]
pub struct Pages {
    templates: Environment<'static>,
    /// Names that came from `--www`.
    overlaid: BTreeSet<String>,
    /// One map of texts a language, in the order of [`Lang::ALL`].
    texts: [Value; 2],
}

impl Pages {
    /// The embedded templates, overlaid and joined by `*.html` of `www/pages` if there is a `www`.
    ///
    /// # Errors
    /// A sentence that names the file, and the line where it does not parse.
    pub fn new(www: Option<&Path>) -> Result<Pages, String> {
        let mut templates = Environment::new();
        let tidy = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        templates.set_syntax(tidy.expect("the delimiters are the default ones"));
        // A misspelt name is an error in the log, not a hole in the page.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in EMBEDDED {
            templates.add_template(name, source).map_err(|e| format!("the built-in template {name}: {e}"))?;
        }
        let mut overlaid = BTreeSet::new();
        for (name, source) in www.map_or(Ok(vec![]), |www| read_overlay(&www.join("pages")))? {
            templates.add_template_owned(name.clone(), source).map_err(|e| {
                let why = e.detail().map_or(e.kind().to_string(), str::to_owned);
                format!("the template pages/{name} of --www does not parse: line {}: {why}", e.line().unwrap_or(1))
            })?;
            overlaid.insert(name);
        }
        let texts = Lang::ALL.map(|lang| {
            Value::from(TEXTS.iter().map(|row| (row.0, Value::from(lang.pick(row)))).collect::<BTreeMap<_, _>>())
        });
        Ok(Pages { templates, overlaid, texts })
    }

    /// The page with its security and caching fields, under `status`. A template of `--www` that fails (a name it
    /// made up, a file it includes) gives a plain 500 and a line in the log.
    pub fn render(&self, page: &Page<'_>, user: &User, status: u16) -> Response {
        let name = page.template();
        let html = match self.html(name, page, user, status) {
            Ok(html) => html,
            Err(e) => {
                log::error!("the page {name} cannot be rendered: {e:#}");
                return Response::text(500, "This page cannot be shown: its template is broken. The log says where.\n");
            }
        };
        // Every page depends on the cookie. Without one it may still show a name, the one that was typed.
        let caching = if user.name().is_some() { "private, no-store" } else { "private, no-cache" };
        let mut headers = vec![
            ("X-Content-Type-Options", "nosniff".into()),
            ("Referrer-Policy", "same-origin".into()),
            ("Cache-Control", caching.into()),
            ("Vary", "Accept-Language, Cookie".into()),
        ];
        if !self.is_overlaid(name) {
            headers.push(("Content-Security-Policy", page.policy().into()));
        }
        Response { status, content_type: "text/html; charset=utf-8".into(), headers, body: Body::Owned(html.into()) }
    }

    /// An error as the user accepts it: a page, or a short text in English.
    pub fn error(&self, user: &User, status: u16, why: &Localized) -> Response {
        self.error_in(Layout::Whole, user, status, why)
    }

    /// The same where a page would have this layout.
    pub fn error_in(&self, layout: Layout, user: &User, status: u16, why: &Localized) -> Response {
        match user.accepts_html {
            true => self.render(&Page::Error { why, layout }, user, status),
            false => Response::text(status, format!("{}\n", why.text(Lang::En))),
        }
    }

    fn html(&self, name: &str, page: &Page<'_>, user: &User, status: u16) -> Result<String, minijinja::Error> {
        let common = context! {
            t => self.texts[user.lang as usize].clone(),
            lang => user.lang.tag(),
            user => user.name(),
            page => name.trim_end_matches(".html"),
            framed => false,
            sandboxed => false,
        };
        self.templates.get_template(name)?.render(context! { ..page.values(user.lang, status), ..common })
    }

    /// A page is overlaid, too, when only the frame around it is.
    fn is_overlaid(&self, name: &str) -> bool {
        self.overlaid.contains(name) || self.overlaid.contains("base.html")
    }
}

/// Names and sources of the templates in `directory`, which need not exist.
fn read_overlay(directory: &Path) -> Result<Vec<(String, String)>, String> {
    let failed = |path: &Path, e: std::io::Error| format!("the template {} cannot be read: {e}", path.display());
    let entries = match std::fs::read_dir(directory) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(|e| failed(directory, e))?,
    };
    let mut found = vec![];
    for entry in entries {
        let path = entry.map_err(|e| failed(directory, e))?.path();
        if let (Some(name), Some("html")) = (path.file_name(), path.extension().and_then(|end| end.to_str())) {
            // Opening a pipe would wait for its writer.
            if !path.is_file() {
                return Err(format!("the template {} is not a file", path.display()));
            }
            let source = std::fs::read_to_string(&path).map_err(|e| failed(&path, e))?;
            found.push((name.to_string_lossy().into_owned(), source));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;

//! Static files: those embedded in the binary and those of `--www`.
//!
//! In goes a decoded path (`/static/chat.js`, `/favicon.ico`). A file of `--www` is read on the pool, and its response
//! follows with [`Files::on_finished`]; without one the embedded file is sent. Conditional fields may make either a 304
//! or a 412. Below `/.well-known/acme-challenge/` there are the files of that folder of `--www` (RFC 8555 section 8.3),
//! and nothing embedded. Directories, index files and ranges are not served. Embedded files carry the strict policy of
//! the built-in pages; files of `--www` belong to the operator and carry none.

mod conditions;
mod unreadable;

use super::context::{Context, User};
use super::language::Localized;
use super::pages::{POLICY, Pages};
use crate::clock::{Now, UnixTime};
use crate::event::{Effect, Effects, FileRead, Job};
use crate::http::response::{Body, Response};
use crate::id::ConnId;
use conditions::{Conditions, Verdict};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};
use unreadable::UnreadableLog;

/// The folder in which ACME clients prove to a certificate authority that the server is theirs (RFC 8555 section 8.3).
pub const CHALLENGES: &str = ".well-known/acme-challenge/";

/// One embedded file.
#[derive(Debug)]
struct Asset {
    /// Below `www/static`.
    name: &'static str,
    bytes: &'static [u8],
    /// Strong, quotes included: 16 hex digits of the content's SHA-256.
    etag: String,
}

/// Lists files of `www/static` by name.
macro_rules! embed {
    ($($name:literal),* $(,)?) => { [$(Asset::new($name, include_bytes!(concat!("../../www/static/", $name)))),*] };
}

static EMBEDDED: LazyLock<[Asset; 39]> = LazyLock::new(|| {
    embed![
        "squall.css",
        "chat.css",
        "chat.js",
        "chat-alerts.js",
        "chat-box.js",
        "chat-complete.js",
        "chat-deletions.js",
        "chat-fold.js",
        "chat-link.js",
        "chat-log.js",
        "chat-markup.js",
        "chat-members.js",
        "chat-message.js",
        "chat-name.js",
        "chat-older.js",
        "chat-outbox.js",
        "chat-page.js",
        "chat-panels.js",
        "chat-rooms.js",
        "chat-scroll.js",
        "chat-search.js",
        "chat-status.js",
        "chat-storage.js",
        "chat-unread.js",
        "chat-unsent.js",
        "chat-viewport.js",
        "chat-voice.js",
        "login.js",
        "echo.js",
        "search.js",
        "barbs.svg",
        "isobars.svg",
        "favicon.svg",
        "favicon-unread.svg",
        "favicon.ico",
        "squall.webmanifest",
        "icon-192.png",
        "icon-512.png",
        "icon-maskable-512.png",
    ]
});

/// Content types by extension; text is UTF-8.
const CONTENT_TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("xml", "text/xml; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("ico", "image/x-icon"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("pdf", "application/pdf"),
    ("wasm", "application/wasm"),
    ("zip", "application/zip"),
];

/// The sources of a file, best first.
#[derive(Debug, Default)]
struct Candidates {
    /// A file of `--www`, which may or may not exist: to be read on the pool.
    overlay: Option<PathBuf>,
    embedded: Option<&'static Asset>,
}

/// The files of a server, and those that are being read.
#[derive(Debug)]
pub struct Files {
    www: Option<PathBuf>,
    reads: HashMap<ConnId, Read>,
    unreadable: UnreadableLog,
}

/// A file of `--www` that is being read.
#[derive(Debug)]
struct Read {
    user: User,
    path: PathBuf,
    embedded: Option<&'static Asset>,
    conditions: Conditions,
}

impl Files {
    /// The embedded files, overlaid by those of `www/static` if there is a `www`.
    pub fn new(www: Option<PathBuf>) -> Files {
        Files { www, reads: HashMap::new(), unreadable: UnreadableLog::default() }
    }

    /// A request for the file of this decoded path.
    pub fn request(&mut self, cx: Context, user: User, path: &str, pages: &Pages, out: &mut Effects) {
        let Candidates { overlay, embedded } = self.lookup(path.trim_start_matches('/'));
        let conditions = Conditions::of(cx.request);
        match (overlay, embedded) {
            (Some(path), embedded) => {
                out.push(Effect::Run(cx.from, Job::ReadFile { path: path.clone() }));
                self.reads.insert(cx.from, Read { user, path, embedded, conditions });
            }
            (None, Some(asset)) => out.respond(cx.from, asset.response(&conditions)),
            (None, None) => out.respond(cx.from, pages.error(&user, 404, &Localized::new("why_no_file", []))),
        }
    }

    /// The pool has read a file, or has failed to.
    pub fn on_finished(
        &mut self,
        from: ConnId,
        result: io::Result<FileRead>,
        now: Now,
        pages: &Pages,
        out: &mut Effects,
    ) {
        let Some(read) = self.reads.remove(&from) else { return };
        let error = |status, why| pages.error(&read.user, status, &Localized::new(why, []));
        let response = match (result, read.embedded) {
            (Ok(file), _) => overlay_response(&read.path, file, now.wall.whole(), &read.conditions),
            (Err(e), Some(asset)) if is_absent(&e) => asset.response(&read.conditions),
            (Err(e), None) if is_absent(&e) => error(404, "why_no_file"),
            (Err(e), _) => {
                self.unreadable.log(&read.path, &e, now.instant);
                error(if is_forbidden(&e) { 403 } else { 500 }, "why_unreadable")
            }
        };
        out.respond(from, response);
    }

    /// The connection has ended.
    pub fn on_left(&mut self, from: ConnId) {
        self.reads.remove(&from);
    }

    /// The number of files that are being read.
    #[cfg(test)]
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// The sources of `path` (decoded, without its leading slash); none for a path that is neither below `static/` nor
    /// directly in [`CHALLENGES`], ends in a slash, or would leave the directory. `favicon.ico` means
    /// `static/favicon.ico`.
    fn lookup(&self, path: &str) -> Candidates {
        let overlay = |folder: &str, name: &str| self.www.as_ref().map(|www| www.join(folder).join(name));
        if let Some(token) = path.strip_prefix(CHALLENGES) {
            let is_token = is_plain(token) && !token.contains('/');
            return Candidates { overlay: overlay(CHALLENGES, token).filter(|_| is_token), embedded: None };
        }
        let name = if path == "favicon.ico" { Some(path) } else { path.strip_prefix("static/") };
        let Some(name) = name.filter(|name| is_plain(name)) else { return Candidates::default() };
        Candidates { overlay: overlay("static", name), embedded: EMBEDDED.iter().find(|asset| asset.name == name) }
    }
}

fn is_absent(e: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
    matches!(e.kind(), NotFound | NotADirectory | IsADirectory | InvalidFilename)
}

/// Whether the file exists but may not be read, or is a loop of links: 403, as with nginx.
fn is_forbidden(e: &io::Error) -> bool {
    // A loop has no `ErrorKind` in stable Rust yet.
    e.kind() == io::ErrorKind::PermissionDenied || e.raw_os_error() == Some(libc::ELOOP)
}

/// Only names between single slashes: nothing empty, no `.`, no `..`, no NUL.
fn is_plain(name: &str) -> bool {
    let normal = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    normal && !name.contains('\0') && name.split('/').all(|part| !part.is_empty() && part != ".")
}

impl Asset {
    fn new(name: &'static str, bytes: &'static [u8]) -> Asset {
        let hash = Sha256::digest(bytes);
        let digits: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Asset { name, bytes, etag: format!("\"{digits}\"") }
    }

    /// The file, or what the conditions make of it.
    fn response(&'static self, conditions: &Conditions) -> Response {
        let validators = Validators { etag: Some(Cow::Borrowed(&self.etag)), modified: None, last_modified: None };
        response(Body::Static(self.bytes), content_type(self.name), validators, conditions)
            .header("Content-Security-Policy", POLICY)
    }
}

/// A file of `--www`, or what the conditions make of it. The tag is made of length and time: a file that changes twice
/// in one nanosecond keeps its tag.
fn overlay_response(path: &Path, file: FileRead, now: UnixTime, conditions: &Conditions) -> Response {
    let age = file.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let etag = age.map(|age| Cow::Owned(format!("\"{:x}-{:x}\"", file.bytes.len(), age.as_nanos())));
    // Never later than Date (RFC 9110 section 8.8.2.1).
    let last_modified = file.modified.and_then(UnixTime::of).map(|time| time.min(now));
    let validators = Validators { etag, modified: age, last_modified };
    response(Body::Blocks(Box::new(file.bytes)), content_type(&path.to_string_lossy()), validators, conditions)
}

/// The validators of a file (RFC 9110 section 8.8).
struct Validators {
    etag: Option<Cow<'static, str>>,
    /// Since the epoch, as the file system has it: what the dates of a request are compared with.
    modified: Option<Duration>,
    /// The same as it is sent; `None` where no date can express it.
    last_modified: Option<UnixTime>,
}

fn response(body: Body, content_type: &'static str, validators: Validators, conditions: &Conditions) -> Response {
    let mut headers = vec![
        ("Cache-Control", Cow::Borrowed("no-cache")),
        ("Accept-Ranges", "none".into()),
        ("X-Content-Type-Options", "nosniff".into()),
    ];
    let verdict = conditions.judge(validators.etag.as_deref(), validators.modified);
    if let Some(time) = validators.last_modified {
        headers.push(("Last-Modified", time.to_string().into()));
    }
    if let Some(etag) = validators.etag {
        headers.push(("ETag", etag));
    }
    match verdict {
        Verdict::Send => Response { status: 200, content_type: content_type.into(), headers, body },
        Verdict::NotModified => Response { status: 304, content_type: "".into(), headers, body: Body::Static(b"") },
        Verdict::Failed => Response::text(412, "The file is not in the state that was asked for.\n"),
    }
}

/// By extension, in any case; `application/octet-stream` for those that are not listed.
fn content_type(name: &str) -> &'static str {
    let extension =
        name.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, extension)| extension);
    let known = CONTENT_TYPES.iter().find(|row| row.0.eq_ignore_ascii_case(extension));
    known.map_or("application/octet-stream", |row| row.1)
}

#[cfg(test)]
mod tests;

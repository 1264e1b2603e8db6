//! Static files: those embedded in the binary and those of `--www`.
//!
//! In goes a decoded path (`static/chat.js`, `favicon.ico`), out come [`Candidates`]: the overlay's path, which the
//! caller reads on the pool, and the embedded [`Asset`] to fall back on. Either becomes a response here; [`Conditions`]
//! may make it a 304 or a 412.
//! Below `/.well-known/acme-challenge/` there are the files of that folder of `--www` (RFC 8555 section 8.3), and nothing
//! embedded.
//! Directories, index files and ranges are not served. Embedded files carry the strict policy of the built-in pages;
//! files of `--www` belong to somebody else and carry none.

mod complaints;
mod conditions;

use crate::clock::UnixTime;
use crate::event::FileRead;
use crate::http::response::{Body, Response};
use crate::site::pages::POLICY;
pub use complaints::Complaints;
pub use conditions::Conditions;
use conditions::Verdict;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

/// Where ACME clients put the file that proves to a certificate authority whose server this is (RFC 8555 section 8.3).
pub const CHALLENGES: &str = ".well-known/acme-challenge/";

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// Below `www/static`.
    pub name: &'static str,
    pub bytes: &'static [u8],
    /// Strong, quotes included: 16 hex digits of the content's SHA-256.
    etag: String,
}

/// Lists files of `www/static` by name.
macro_rules! embed {
    ($($name:literal),* $(,)?) => { [$(Asset::new($name, include_bytes!(concat!("../../www/static/", $name)))),*] };
}

static EMBEDDED: LazyLock<[Asset; 13]> = LazyLock::new(|| {
    embed![
        "squall.css",
        "chat.js",
        "chat-page.js",
        "chat-link.js",
        "chat-log.js",
        "chat-box.js",
        "login.js",
        "echo.js",
        "search.js",
        "barbs.svg",
        "isobars.svg",
        "favicon.svg",
        "favicon.ico",
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

/// Where a path may be answered from, best first.
#[derive(Debug, Default)]
pub struct Candidates {
    /// A file of `--www`, which may or may not exist: to be read on the pool.
    pub overlay: Option<PathBuf>,
    pub embedded: Option<&'static Asset>,
}

/// The files a server has.
#[derive(Debug)]
pub struct Files {
    www: Option<PathBuf>,
}

impl Files {
    /// The embedded files, overlaid by those of `www/static` if there is a `www`.
    pub fn new(www: Option<PathBuf>) -> Files {
        Files { www }
    }

    /// Where `path` (decoded, without its leading slash) can come from; nothing for a path that is neither below
    /// `static/` nor right in [`CHALLENGES`], ends in a slash, or would leave the directory. `favicon.ico` means
    /// `static/favicon.ico`.
    pub fn lookup(&self, path: &str) -> Candidates {
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

    /// The file, 304 if the peer has it, or 412.
    pub fn answer(&'static self, ask: &Conditions) -> Response {
        let validators = Validators { etag: Some(Cow::Borrowed(&self.etag)), modified: None, last_modified: None };
        let mut response = answer(Body::Static(self.bytes), content_type(self.name), validators, ask);
        response.headers.push(("Content-Security-Policy", POLICY.into()));
        response
    }
}

/// Answers with a file of `--www`, 304 if the peer has it, or 412. The tag is made of length and time, so reading a file
/// twice in the same nanosecond of its life is the same file.
pub fn answer_overlay(path: &Path, file: FileRead, now: UnixTime, ask: &Conditions) -> Response {
    let age = file.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let etag = age.map(|age| Cow::Owned(format!("\"{:x}-{:x}\"", file.bytes.len(), age.as_nanos())));
    // Never later than Date (RFC 9110 section 8.8.2.1).
    let last_modified = file.modified.and_then(UnixTime::of).map(|time| time.min(now));
    let validators = Validators { etag, modified: age, last_modified };
    answer(Body::Blocks(Box::new(file.bytes)), content_type(&path.to_string_lossy()), validators, ask)
}

/// What tells one state of a file from another.
struct Validators {
    etag: Option<Cow<'static, str>>,
    /// Since the epoch, as the file system has it: what the dates of a request are compared with.
    modified: Option<Duration>,
    /// The same as it is sent; `None` where no date can express it.
    last_modified: Option<UnixTime>,
}

fn answer(body: Body, content_type: &'static str, validators: Validators, ask: &Conditions) -> Response {
    let mut headers = vec![
        ("Cache-Control", Cow::Borrowed("no-cache")),
        ("Accept-Ranges", "none".into()),
        ("X-Content-Type-Options", "nosniff".into()),
    ];
    let verdict = ask.judge(validators.etag.as_deref(), validators.modified);
    if let Some(time) = validators.last_modified {
        headers.push(("Last-Modified", time.to_string().into()));
    }
    if let Some(etag) = validators.etag {
        headers.push(("ETag", etag));
    }
    match verdict {
        Verdict::Holds => Response { status: 200, content_type: content_type.into(), headers, body },
        Verdict::HasIt => Response { status: 304, content_type: "".into(), headers, body: Body::Static(b"") },
        Verdict::Fails => Response::text(412, "The file is not in the state that was asked for.\n"),
    }
}

/// By extension, in any case; bytes that are not known are bytes.
fn content_type(name: &str) -> &'static str {
    let extension =
        name.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, extension)| extension);
    let known = CONTENT_TYPES.iter().find(|row| row.0.eq_ignore_ascii_case(extension));
    known.map_or("application/octet-stream", |row| row.1)
}

#[cfg(test)]
mod tests;

//! Static files: those embedded in the binary and those of `--www`, with their conditional answers (RFC 9110
//! section 13).
//!
//! In goes a decoded path (`static/chat.js`, `favicon.ico`), out come [`Candidates`]: the overlay's path, which the
//! caller reads on the pool, and the embedded [`Asset`] to fall back on. Either becomes a response here, or a 304.
//! Directories, index files and ranges are not served. Embedded files carry the strict policy of the built-in pages;
//! files of `--www` belong to somebody else and carry none.

use crate::app::pages::POLICY;
use crate::proto::response::{Body, Response};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

static EMBEDDED: LazyLock<[Asset; 8]> = LazyLock::new(|| {
    embed!["squall.css", "chat.js", "echo.js", "search.js", "barbs.svg", "isobars.svg", "favicon.svg", "favicon.ico"]
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

/// What a request says about the copy it has already.
#[derive(Debug, Default, Clone, Copy)]
pub struct Conditions<'a> {
    /// If-None-Match.
    pub if_none_match: Option<&'a [u8]>,
    /// If-Modified-Since; counts only without If-None-Match.
    pub if_modified_since: Option<&'a [u8]>,
}

/// The files a server has.
#[derive(Debug)]
pub struct Files {
    overlay: Option<PathBuf>,
}

impl Files {
    /// The embedded files, overlaid by those of `www/static` if there is a `www`.
    pub fn new(www: Option<PathBuf>) -> Files {
        Files { overlay: www.map(|www| www.join("static")) }
    }

    /// Where `path` (decoded, without its leading slash) can come from; nothing for a path that is not below
    /// `static/`, ends in a slash, or would leave the directory. `favicon.ico` means `static/favicon.ico`.
    pub fn lookup(&self, path: &str) -> Candidates {
        let name = if path == "favicon.ico" { Some(path) } else { path.strip_prefix("static/") };
        let Some(name) = name.filter(|name| is_plain(name)) else { return Candidates::default() };
        Candidates {
            overlay: self.overlay.as_ref().map(|directory| directory.join(name)),
            embedded: EMBEDDED.iter().find(|asset| asset.name == name),
        }
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

    /// The file, or 304 if the peer has it.
    pub fn answer(&'static self, ask: &Conditions) -> Response {
        let validators = Validators { etag: Some(Cow::Borrowed(&self.etag)), modified: None };
        let mut response = answer(Body::Static(self.bytes), content_type(self.name), validators, ask);
        response.headers.push(("Content-Security-Policy", POLICY.into()));
        response
    }
}

/// Answers with a file of `--www`, or 304 if the peer has it. The tag is made of length and time, so reading a file
/// twice in the same nanosecond of its life is the same file.
pub fn answer_overlay(path: &Path, bytes: Vec<u8>, modified: Option<SystemTime>, ask: &Conditions) -> Response {
    let age = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let etag = age.map(|age| Cow::Owned(format!("\"{:x}-{:x}\"", bytes.len(), age.as_nanos())));
    let validators = Validators { etag, modified: age };
    answer(Body::Owned(bytes), content_type(&path.to_string_lossy()), validators, ask)
}

/// What tells one state of a file from another.
struct Validators {
    etag: Option<Cow<'static, str>>,
    /// Since the epoch.
    modified: Option<Duration>,
}

impl Validators {
    /// Does the peer have this very state (RFC 9110 sections 13.1.2, 13.1.3 and 13.2.2)?
    fn are_met(&self, ask: &Conditions) -> bool {
        match (ask.if_none_match, ask.if_modified_since) {
            (Some(list), _) => self.etag.as_deref().is_some_and(|etag| lists_tag(list, etag)),
            (None, Some(date)) => {
                let since = std::str::from_utf8(date).ok().and_then(|date| httpdate::parse_http_date(date).ok());
                let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                // The date was sent in whole seconds, so it is compared in whole seconds.
                matches!((self.modified, since), (Some(modified), Some(since)) if modified.as_secs() <= since.as_secs())
            }
            (None, None) => false,
        }
    }
}

fn answer(body: Body, content_type: &'static str, validators: Validators, ask: &Conditions) -> Response {
    let mut headers = vec![
        ("Cache-Control", Cow::Borrowed("no-cache")),
        ("Accept-Ranges", "none".into()),
        ("X-Content-Type-Options", "nosniff".into()),
    ];
    let has_it = validators.are_met(ask);
    if let Some(modified) = validators.modified {
        headers.push(("Last-Modified", httpdate::fmt_http_date(UNIX_EPOCH + modified).into()));
    }
    if let Some(etag) = validators.etag {
        headers.push(("ETag", etag));
    }
    match has_it {
        true => Response { status: 304, content_type: "".into(), headers, body: Body::Static(b"") },
        false => Response { status: 200, content_type: content_type.into(), headers, body },
    }
}

/// Weak comparison against `*` or a list of tags. A tag may hold a comma, so the list is not split at commas.
fn lists_tag(list: &[u8], etag: &str) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    while let Some(open) = rest.iter().position(|&byte| byte == b'"') {
        let Some(length) = rest[open + 1..].iter().position(|&byte| byte == b'"') else { return false };
        let end = open + length + 2;
        if &rest[open..end] == etag.as_bytes() {
            return true;
        }
        rest = &rest[end..];
    }
    false
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

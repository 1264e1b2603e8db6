//! The requests that are sent again and again, in the bytes of `ab`; and the file of `--requests`.
//!
//! ```text
//! # a comment
//! GET /a?b=c
//! Accept: text/html
//!
//! POST http://127.0.0.1:8888/say
//! Content-Type: application/json
//! @message.json
//! ```
//!
//! A file has one request after the other, with a blank line in between: a line with the method and the URL, which may be a
//! path of the URL on the command line; fields; at last perhaps `@` and the file of the body. (The format is that of
//! vegeta's targets.) All requests go to one server.

use super::slot::Request;
use crate::config::BenchArgs;
use crate::http::url::Url;
use crate::http::words::is_token;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::path::{Path, PathBuf};

/// Requests that a file may have; the load sends them in turn.
const REQUESTS_MAX: usize = 100_000;

/// What differs from request to request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    method: String,
    /// The path and query.
    target: String,
    /// Whole fields, as they are sent.
    fields: Vec<String>,
    body: Option<Vec<u8>>,
}

/// The requests to send: that of the command line, or those of a file. And whether any of them has a body.
///
/// # Errors
/// A file cannot be read, or makes no sense; the text names the line.
pub fn all(args: &BenchArgs, url: &Url) -> Result<(Vec<Request>, bool), String> {
    let targets = match &args.load.requests_file {
        None => vec![of_flags(args, url)?],
        Some(path) => {
            let text = read_text(path).map_err(|why| format!("--requests {}: {why}", path.display()))?;
            let parsed = parse(&text, url, path.parent().unwrap_or(Path::new("")));
            parsed.map_err(|(line, why)| format!("{}:{line}: {why}", path.display()))?
        }
    };
    let have_bodies = targets.iter().any(|target| target.body.is_some());
    Ok((targets.iter().map(|target| encode(args, url, target)).collect(), have_bodies))
}

fn of_flags(args: &BenchArgs, url: &Url) -> Result<Target, String> {
    let method = match &args.method {
        Some(method) => method.as_str(),
        None if args.post.is_some() => "POST",
        None if args.put.is_some() => "PUT",
        None if args.head => "HEAD",
        None => "GET",
    };
    let files = [("-p", &args.post), ("-u", &args.put)];
    let file = files.into_iter().find_map(|(flag, path)| Some((flag, path.as_ref()?)));
    let read = |(flag, path): (_, &PathBuf)| fs::read(path).map_err(|e| format!("{flag} {}: {e}", path.display()));
    let body = file.map(read).transpose()?;
    Ok(Target { method: method.into(), target: url.target.clone(), fields: Vec::new(), body })
}

fn read_text(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".into())
}

/// Parses a file of requests; what is wrong comes with the number of its line. Files of bodies are below `dir`.
fn parse(text: &str, url: &Url, dir: &Path) -> Result<Vec<Target>, (usize, String)> {
    let mut targets: Vec<Target> = Vec::new();
    let mut is_open = false;
    for (n, line) in text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())) {
        let wrong = |why: &str| (n, why.to_owned());
        match (line, &mut targets[..]) {
            ("", _) => is_open = false,
            (comment, _) if comment.starts_with('#') => {}
            (line, [.., last]) if is_open => match line.strip_prefix('@') {
                Some(file) if last.body.is_none() => {
                    last.body = Some(fs::read(dir.join(file)).map_err(|e| (n, format!("@{file}: {e}")))?);
                }
                Some(_) => return Err(wrong("the request has a body already")),
                None if last.body.is_some() => return Err(wrong("fields stand before the body")),
                None => match line.split_once(':') {
                    Some((name, _)) if is_token(name) => last.fields.push(line.to_owned()),
                    _ => return Err(wrong("expected NAME: VALUE, @FILE, or a blank line before the next request")),
                },
            },
            (line, _) => {
                let (method, place) = line.split_once(' ').ok_or_else(|| wrong("expected METHOD URL"))?;
                if !is_token(method) {
                    return Err(wrong("expected METHOD URL"));
                }
                if targets.len() == REQUESTS_MAX {
                    return Err(wrong("there are too many requests"));
                }
                let target = target_of(place.trim(), url).map_err(|why| (n, why))?;
                targets.push(Target { method: method.into(), target, fields: Vec::new(), body: None });
                is_open = true;
            }
        }
    }
    if targets.is_empty() { Err((1, "there is no request in it".into())) } else { Ok(targets) }
}

/// The path and query of a URL on the server of `url`.
fn target_of(place: &str, url: &Url) -> Result<String, String> {
    let whole = match place.starts_with('/') {
        true => format!("{}://{}{place}", url.scheme.as_str(), url.authority()),
        false => place.to_owned(),
    };
    let parsed = Url::parse(&whole).map_err(|e| format!("{place}: {e}"))?;
    if (parsed.scheme, &parsed.host, parsed.port) != (url.scheme, &url.host, url.port) {
        return Err(format!("{place} is not on {}, where all requests go", url.authority()));
    }
    Ok(parsed.target)
}

/// Whether a field of `-H`, or of the target, has this name, and stands in for ours.
fn is_given(args: &BenchArgs, target: &Target, name: &str) -> bool {
    value_of(args.headers.iter().chain(&target.fields), name).is_some()
}

/// The Host of `-H`.
pub fn given_host(args: &BenchArgs) -> Option<&str> {
    value_of(args.headers.iter(), "Host")
}

fn value_of<'a>(fields: impl Iterator<Item = &'a String>, name: &str) -> Option<&'a str> {
    let mut fields = fields.filter_map(|line| line.split_once(':'));
    fields.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Encodes the request: HTTP/1.0 unless 1.1 is asked for, the fields in the order in which `ab` sends them, and its spelling of their names.
fn encode(args: &BenchArgs, url: &Url, target: &Target) -> Request {
    // A proxy is told the whole URL (RFC 9112 section 3.2.2).
    let proxied = args.proxy.as_ref().map(|_| format!("{}://{}", url.scheme.as_str(), url.authority()));
    let version = if args.http_1_1 { "HTTP/1.1" } else { "HTTP/1.0" };
    let mut lines = vec![format!("{} {}{} {version}", target.method, proxied.unwrap_or_default(), target.target)];
    if args.keep_alive && !args.http_1_1 {
        lines.push("Connection: Keep-Alive".into());
    }
    if !args.cookies.is_empty() {
        lines.push(format!("Cookie: {}", args.cookies.join("; ")));
    }
    if let Some(auth) = &args.auth {
        lines.push(format!("Authorization: Basic {}", STANDARD.encode(auth)));
    }
    if let Some(auth) = &args.proxy_auth {
        lines.push(format!("Proxy-Authorization: Basic {}", STANDARD.encode(auth)));
    }
    if let Some(body) = &target.body {
        lines.push(format!("Content-length: {}", body.len()));
        if !is_given(args, target, "content-type") || target.fields.is_empty() {
            lines.push(format!("Content-type: {}", args.content_type));
        }
    }
    lines.extend(args.headers.iter().chain(&target.fields).cloned());
    let ours = [("Host", url.authority()), ("User-Agent", "ApacheBench/2.3".into()), ("Accept", "*/*".into())];
    let ours = ours.iter().filter(|(name, _)| !is_given(args, target, name));
    lines.extend(ours.map(|(name, value)| format!("{name}: {value}")));
    let mut bytes = (lines.join("\r\n") + "\r\n\r\n").into_bytes();
    bytes.extend_from_slice(target.body.as_deref().unwrap_or_default());
    Request { bytes, is_head: target.method == "HEAD" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Target>, (usize, String)> {
        let url = Url::parse("http://a.test:81/").expect("a URL");
        parse(text, &url, Path::new(env!("CARGO_MANIFEST_DIR")))
    }

    #[test]
    fn a_file_has_one_request_after_the_other() {
        let text = "# two\nGET /a?b\nX: y\nZ: 1\n\n\nPOST http://a.test:81/c\n@Cargo.toml\n";
        let body = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("it is there");
        let target = |method: &str, target: &str, fields: &[&str], body| Target {
            method: method.into(),
            target: target.into(),
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
            body,
        };
        let expected = [target("GET", "/a?b", &["X: y", "Z: 1"], None), target("POST", "/c", &[], Some(body))];
        assert_eq!(parsed(text).expect("it is sound"), expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, says) in [
            ("", 1, "no request"),
            ("GET", 1, "METHOD URL"),
            ("G@T /", 1, "METHOD URL"),
            ("GET /\nno field", 2, "NAME: VALUE"),
            ("GET /\n\nX: y", 3, "METHOD URL"),
            ("GET /\n@/none/such", 2, "@/none/such: No such file"),
            ("GET /\n@Cargo.toml\nX: y", 3, "before the body"),
            ("GET /\n@Cargo.toml\n@Cargo.toml", 3, "body already"),
            ("GET http://b.test/", 1, "is not on a.test:81"),
            ("GET https://a.test:81/", 1, "is not on a.test:81"),
            ("GET ftp://a.test/", 1, "ftp"),
        ] {
            let (at, why) = parsed(text).expect_err(text);
            assert!(at == line && why.contains(says), "{text:?}: {at}: {why}");
        }
    }
}

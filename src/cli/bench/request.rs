//! The request that is sent again and again, in the bytes of `ab`.

use crate::config::BenchArgs;
use crate::http::url::Url;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Whether a field of `-H` has this name, and stands in for ours.
fn is_given(args: &BenchArgs, name: &str) -> bool {
    args.headers.iter().any(|line| line.split_once(':').is_some_and(|(given, _)| given.eq_ignore_ascii_case(name)))
}

/// Encodes the request: HTTP/1.0 unless 1.1 is asked for, the fields in the order in which `ab` sends them, and its spelling of their names.
pub fn encode(args: &BenchArgs, url: &Url, body: &[u8]) -> Vec<u8> {
    let method = match &args.method {
        Some(method) => method.as_str(),
        None if args.post.is_some() => "POST",
        None if args.put.is_some() => "PUT",
        None if args.head => "HEAD",
        None => "GET",
    };
    // A proxy is told the whole URL (RFC 9112 section 3.2.2).
    let proxied = args.proxy.as_ref().map(|_| format!("{}://{}", url.scheme.as_str(), url.authority()));
    let version = if args.http_1_1 { "HTTP/1.1" } else { "HTTP/1.0" };
    let mut lines = vec![format!("{method} {}{} {version}", proxied.unwrap_or_default(), url.target)];
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
    if has_body(args) {
        lines.push(format!("Content-length: {}", body.len()));
        lines.push(format!("Content-type: {}", args.content_type));
    }
    lines.extend(args.headers.iter().cloned());
    let ours = [("Host", url.authority()), ("User-Agent", "ApacheBench/2.3".into()), ("Accept", "*/*".into())];
    lines.extend(ours.iter().filter(|(name, _)| !is_given(args, name)).map(|(name, value)| format!("{name}: {value}")));
    let mut request = (lines.join("\r\n") + "\r\n\r\n").into_bytes();
    request.extend_from_slice(body);
    request
}

/// Whether the request has a body, which may be empty.
pub fn has_body(args: &BenchArgs) -> bool {
    args.post.is_some() || args.put.is_some()
}

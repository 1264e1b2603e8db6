//! URLs and their parts: parse, resolve, encode, decode, compare (RFC 3986, RFC 9110 section 4.2).
//!
//! [`Url`] is where a fetch goes: http or https, always with a host, a port and a target that can stand in a request
//! line. The functions behind it work on the texts that requests and forms bring: authorities, paths, queries.
//! Not here: names in other scripts (IDNA), user names and passwords, fragments; the first two are refused.

use crate::proto::words::{set_of, span_in};
use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode, percent_decode_str, percent_encode_byte, utf8_percent_encode,
};
use std::fmt;
use std::net::Ipv6Addr;

/// Everything but unreserved (RFC 3986 section 2.3).
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What people write into URLs and a request line cannot hold; `%` is taken as it is.
const NOT_IN_TARGET: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// The two schemes that HTTP has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

/// An absolute http or https URL, ready to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub scheme: Scheme,
    /// In lower case; an IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
    /// Path and query as they stand in the request line: begins with `/`, is ASCII without spaces, has no fragment.
    pub target: String,
}

/// Why a text is not a URL that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlError {
    NoScheme,
    /// A scheme other than http and https.
    UnknownScheme(String),
    NoHost,
    /// A user name or password before the host: nothing here would send it.
    UserInfo,
    /// The host is not ASCII; its `xn--` form would do.
    ForeignHost(String),
    BadHost(String),
    BadPort(String),
    /// A control character anywhere.
    ControlCharacter,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that is meant if none is named.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl Url {
    /// Parses an absolute URL. The host becomes lower case, dot segments and the fragment are dropped, spaces and
    /// characters beyond ASCII are percent-encoded in the target.
    ///
    /// # Errors
    /// [`UrlError`], whose text names what is wrong.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(UrlError::ControlCharacter);
        }
        let (scheme, rest) = split_scheme(text).ok_or(UrlError::NoScheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(UrlError::UnknownScheme(scheme.to_owned())),
        };
        let rest = rest.strip_prefix("//").ok_or(UrlError::NoHost)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = parse_authority(authority)?;
        let (path, query) = split_target(rest);
        Ok(Url { scheme, host, port: port.unwrap_or(scheme.default_port()), target: target(path, query) })
    }

    /// Resolves a reference, such as a Location field, against this URL (RFC 3986 section 5.2).
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn resolve(&self, reference: &str) -> Result<Url, UrlError> {
        if split_scheme(reference).is_some() {
            return Url::parse(reference);
        }
        if reference.starts_with("//") {
            return Url::parse(&format!("{}:{reference}", self.scheme.as_str()));
        }
        if reference.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(UrlError::ControlCharacter);
        }
        let (base, base_query) = split_target(&self.target);
        let (path, query) = split_target(reference);
        let target = match path {
            "" => target(base, query.or(base_query)),
            _ if path.starts_with('/') => target(path, query),
            _ => {
                let folder = &base[..=base.rfind('/').unwrap_or(0)];
                target(&format!("{folder}{path}"), query)
            }
        };
        Ok(Url { scheme: self.scheme, host: self.host.clone(), port: self.port, target })
    }

    /// What the Host field says: brackets around IPv6, no default port.
    pub fn authority(&self) -> String {
        let Url { host, port, .. } = self;
        match (host.contains(':'), *port == self.scheme.default_port()) {
            (false, true) => host.clone(),
            (false, false) => format!("{host}:{port}"),
            (true, true) => format!("[{host}]"),
            (true, false) => format!("[{host}]:{port}"),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.target)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlError::NoScheme => f.write_str("the URL does not begin with http:// or https://"),
            UrlError::UnknownScheme(scheme) => write!(f, "the scheme {scheme} is neither http nor https"),
            UrlError::NoHost => f.write_str("the URL has no host"),
            UrlError::UserInfo => f.write_str("the URL has a user name or password, which are not supported"),
            UrlError::ForeignHost(host) => write!(f, "the host {host} is not ASCII: write it in its xn-- form"),
            UrlError::BadHost(host) => write!(f, "{host} is not a host name or address"),
            UrlError::BadPort(port) => write!(f, "{port} is not a port number"),
            UrlError::ControlCharacter => f.write_str("the URL has a control character in it"),
        }
    }
}

impl std::error::Error for UrlError {}

/// The scheme in front of a colon and what is behind it (RFC 3986 section 3.1).
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next()?.is_ascii_alphabetic()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then_some((scheme, rest))
}

/// Path and query of what is behind an authority; the fragment is dropped.
fn split_target(text: &str) -> (&str, Option<&str>) {
    let text = text.split('#').next().unwrap_or_default();
    match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    }
}

fn target(path: &str, query: Option<&str>) -> String {
    let mut target = without_dot_segments(path);
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    utf8_percent_encode(&target, NOT_IN_TARGET).to_string()
}

/// RFC 3986 section 5.2.4; the result begins with `/`.
fn without_dot_segments(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => _ = kept.pop(),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        // A dot segment at the end stands for a folder.
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

fn parse_authority(authority: &str) -> Result<(String, Option<u16>), UrlError> {
    let bad_host = || UrlError::BadHost(authority.to_owned());
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(bad_host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| bad_host())?;
            (address.to_string(), port)
        }
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            (host.to_ascii_lowercase(), port)
        }
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    if !host.is_ascii() {
        return Err(UrlError::ForeignHost(host));
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':')) {
        return Err(bad_host());
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, None)),
        None => Err(bad_host()),
        Some("") => Ok((host, None)),
        Some(text) => match text.parse().ok().filter(|&port: &u16| is_port(text.as_bytes()) && port > 0) {
            Some(port) => Ok((host, Some(port))),
            None => Err(UrlError::BadPort(text.to_owned())),
        },
    }
}

/// `true` if the text is a host with an optional port, as in a Host field: a registered name, an IPv4 address or an
/// IPv6 address in brackets; no user name (RFC 9110 section 7.2). An empty host is none.
pub fn is_authority(text: impl AsRef<[u8]>) -> bool {
    let text = text.as_ref();
    let host = if text.first() == Some(&b'[') { address_in_brackets(text) } else { span_in(text, &HOST_BYTES) };
    host > 0 && (host == text.len() || text[host] == b':' && is_port(&text[host + 1..]))
}

/// How many bytes an IPv6 address and the brackets around it are in front of these; 0 if there is none.
fn address_in_brackets(text: &[u8]) -> usize {
    let end = text.iter().position(|&byte| byte == b']').unwrap_or_default();
    let address = text.get(1..end).and_then(|address| str::from_utf8(address).ok());
    if address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) { end + 1 } else { 0 }
}

/// What a registered name is made of (RFC 3986 section 3.2.2): unreserved and sub-delims. Not `%`: nobody's name is
/// percent-encoded, and to compare such a host one would have to decode it. A table, because every request has a Host.
static HOST_BYTES: [bool; 256] =
    set_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=");

/// Digits up to 65535, or none at all: `example.org:` is valid (RFC 3986 section 3.2.3).
fn is_port(text: &[u8]) -> bool {
    let zeros = if text.len() > 5 { text.iter().take_while(|&&byte| byte == b'0').count() } else { 0 };
    let digits = &text[zeros..];
    if digits.len() > 5 {
        return false;
    }
    let value = digits.iter().try_fold(0, |value, byte| {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        (digit <= 9).then_some(10 * value + digit)
    });
    value.is_some_and(|value| value <= u32::from(u16::MAX))
}

/// Whether two hex digits are behind every `%`.
fn is_well_encoded(bytes: &[u8]) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    memchr::memchr_iter(b'%', bytes).all(|at| is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)))
}

/// Whether an Origin field names the authority of a Host field: letter case and the default port of the Origin's
/// scheme make no difference, nor does http or https (a TLS proxy may stand in front). Other schemes and `null` never
/// do: their host is no server.
pub fn same_authority(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority| {
        let authority = str::strip_suffix(authority, default_port).unwrap_or(authority);
        authority.strip_suffix(':').unwrap_or(authority)
    };
    let (authority, host) = (bare(authority), bare(host));
    !authority.is_empty() && authority.eq_ignore_ascii_case(host)
}

/// Whether a redirect to this text stays on this site in every browser: one `/`, then neither `/` nor `\`, no
/// backslash and no control character anywhere (browsers read `\` as `/` and drop tabs and line ends).
pub fn is_local_path(next: &str) -> bool {
    next.starts_with('/') && !next.starts_with("//") && !next.contains(|c: char| c == '\\' || c.is_control())
}

/// Percent-encodes all but unreserved characters; a space becomes `%20`.
pub fn encode_component(text: &str) -> String {
    utf8_percent_encode(text, NOT_UNRESERVED).to_string()
}

/// Puts percent-encoded `words` in the place of the one `{}` of a template; `None` if there is none, or two.
pub fn insert_words(template: &str, words: &str) -> Option<String> {
    let (before, behind) = template.split_once("{}")?;
    (!behind.contains("{}")).then(|| format!("{before}{}{behind}", encode_component(words)))
}

/// Decodes the path of a request into the name of a file, without the `/` in front: `/static/a%20b` is `static/a b`.
///
/// `None` for what no file of ours is called by: a broken `%`, bytes that are not UTF-8, NUL, a backslash, and
/// segments that are empty (but for a last one), `.` or `..`. So the result stays inside the folder it is joined to.
pub fn decode_path(path: &str) -> Option<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if !is_well_encoded(path.as_bytes()) {
        return None;
    }
    let decoded = percent_decode_str(path).decode_utf8().ok()?.into_owned();
    let plain = !decoded.contains(['\0', '\\']) && !decoded.starts_with('/') && !decoded.contains("//");
    (plain && decoded.split('/').all(|segment| segment != "." && segment != "..")).then_some(decoded)
}

/// A query, or a body in `application/x-www-form-urlencoded`, whose names and values are UTF-8 once they are decoded.
///
/// Other bytes are refused, not replaced: with U+FFFD in their place, two names in another encoding would be one.
#[derive(Debug, Clone, Copy)]
pub struct Form<'a>(&'a [u8]);

/// A name or a value of a form is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUtf8;

impl<'a> Form<'a> {
    /// # Errors
    /// Any of its names and values is not UTF-8.
    pub fn parse(form: &'a [u8]) -> Result<Form<'a>, NotUtf8> {
        // `&` and `=` are ASCII, so the whole is UTF-8 if and only if each part is.
        percent_decode(form).decode_utf8().map(|_| Form(form)).map_err(|_| NotUtf8)
    }

    /// The last value of this name, decoded; `+` is a space.
    pub fn value(&self, name: &str) -> Option<String> {
        let values = form_urlencoded::parse(self.0).filter(|(key, _)| key == name);
        values.last().map(|(_, value)| value.into_owned())
    }
}

/// Percent-encodes what a URI reference cannot hold (RFC 3986 section 4.1), such as a Location (RFC 9110 section
/// 10.2.2): characters beyond ASCII, blanks, quotes, brackets outside of the host, a `%` that encodes nothing, and a
/// second `#`. What is encoded already stays.
pub fn encode_reference(reference: &str) -> String {
    let mut encoded = String::with_capacity(reference.len());
    let host_end = match reference.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => {
            reference.len() - rest.len() + rest.find(['/', '?', '#']).unwrap_or(rest.len())
        }
        _ => 0,
    };
    let mut has_fragment = false;
    for (at, byte) in reference.bytes().enumerate() {
        let fits = match byte {
            b'%' => is_well_encoded(&reference.as_bytes()[at..reference.len().min(at + 3)]),
            b'#' => !std::mem::replace(&mut has_fragment, true),
            b'[' | b']' => at < host_end,
            _ => REFERENCE_BYTES[usize::from(byte)],
        };
        match fits {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(percent_encode_byte(byte)),
        }
    }
    encoded
}

/// Unreserved and reserved characters (RFC 3986 sections 2.2 and 2.3), without `#`, `[` and `]`.
static REFERENCE_BYTES: [bool; 256] =
    set_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?@!$&'()*+,;=");

#[cfg(test)]
mod tests;

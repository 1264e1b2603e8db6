//! Conditional requests for a file (RFC 9110 section 13).
//!
//! ```text
//! If-Match ──── absent ──▶ If-Unmodified-Since ──▶ If-None-Match ──── absent ──▶ If-Modified-Since
//!     └ holds, or 412            └ holds, or 412       └ holds, or 304               └ holds, or 304
//! ```
//!
//! The fields of a request go in, later the tag and the time of the file; out comes the status of the response.
//! If-Range is not read, because ranges are not served. Only for GET and HEAD: with other methods a 304 would be a 412.

use crate::event::Request;
use std::time::{Duration, UNIX_EPOCH};

/// The conditional fields of a request. Owned, because a file is read after its request is gone; without such fields it
/// holds no memory.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// `*` or tags, of all such fields together.
    if_match: Option<Vec<u8>>,
    /// Seconds since the epoch.
    if_unmodified_since: Option<u64>,
    /// As `if_match`.
    if_none_match: Option<Vec<u8>>,
    /// Seconds since the epoch.
    if_modified_since: Option<u64>,
}

/// What the conditions make of a response that would be 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 200.
    Send,
    /// 304: the client's copy is current.
    NotModified,
    /// 412: a precondition failed.
    Failed,
}

impl Conditions {
    /// Reads the four fields. A malformed or repeated date counts as absent (sections 13.1.3 and 13.1.4).
    pub fn of(request: &Request) -> Conditions {
        Conditions {
            if_match: tags(request, "if-match"),
            if_unmodified_since: date(request, "if-unmodified-since"),
            if_none_match: tags(request, "if-none-match"),
            if_modified_since: date(request, "if-modified-since"),
        }
    }

    /// Judges a file with this strong tag and this time of modification since the epoch, in the order of section
    /// 13.2.2.
    ///
    /// Without a tag no listed tag matches; without a time dates are ignored.
    pub fn judge(&self, etag: Option<&str>, modified: Option<Duration>) -> Verdict {
        let has_tag = |list: &[u8], strong| list == b"*" || etag.is_some_and(|etag| lists_tag(list, etag, strong));
        // The date was sent in whole seconds, so it is compared in whole seconds.
        let is_older = |date: u64| modified.map(|modified| modified.as_secs() <= date);
        let is_as_wanted = match (&self.if_match, self.if_unmodified_since) {
            (Some(list), _) => has_tag(list, true),
            (None, Some(date)) => is_older(date).unwrap_or(true),
            (None, None) => true,
        };
        let has_it = match (&self.if_none_match, self.if_modified_since) {
            (Some(list), _) => has_tag(list, false),
            (None, Some(date)) => is_older(date).unwrap_or(false),
            (None, None) => false,
        };
        match (is_as_wanted, has_it) {
            (false, _) => Verdict::Failed,
            (true, true) => Verdict::NotModified,
            (true, false) => Verdict::Send,
        }
    }
}

/// All fields of this name as one list (RFC 9110 section 5.3).
fn tags(request: &Request, name: &str) -> Option<Vec<u8>> {
    let mut fields = request.headers_named(name);
    let mut list = fields.next()?.to_vec();
    for field in fields {
        list.extend_from_slice(b", ");
        list.extend_from_slice(field);
    }
    Some(list)
}

fn date(request: &Request, name: &str) -> Option<u64> {
    let mut fields = request.headers_named(name);
    let only = fields.next().filter(|_| fields.next().is_none())?;
    let date = httpdate::parse_http_date(std::str::from_utf8(only).ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// Whether a list of tags has `etag`, which is strong; `strong`: one with `W/` before it is another tag (section
/// 8.8.3.2). A tag may hold a comma, so the list is not split at commas.
fn lists_tag(list: &[u8], etag: &str, strong: bool) -> bool {
    let mut rest = list;
    while let Some(open) = rest.iter().position(|&byte| byte == b'"') {
        let Some(length) = rest[open + 1..].iter().position(|&byte| byte == b'"') else { return false };
        let end = open + length + 2;
        if &rest[open..end] == etag.as_bytes() && !(strong && rest[..open].ends_with(b"W/")) {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::http::Limits;
    use crate::http::request::parse_request;

    const TAG: &str = "\"a,b\"";
    /// 14 November 2023, 22:13:20, and half a second.
    const MODIFIED: Duration = Duration::new(1_700_000_000, 500_000_000);
    const AT: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
    const AFTER: &str = "Wed, 15 Nov 2023 00:00:00 GMT";

    /// Those of a request with these lines.
    pub fn conditions(lines: &[&str]) -> Conditions {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines.join("\r\n") + "\r\n");
        let head = head.replace("\r\n\r\n\r\n", "\r\n\r\n");
        Conditions::of(&parse_request(head.as_bytes(), &Limits::default()).expect("a request"))
    }

    fn judge(lines: &[&str]) -> Verdict {
        conditions(lines).judge(Some(TAG), Some(MODIFIED))
    }

    #[test]
    fn a_request_without_conditions_is_200() {
        assert_eq!(judge(&[]), Verdict::Send);
        assert_eq!(conditions(&["X: y"]), Conditions::default());
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for list in ["\"a,b\"", "W/\"a,b\"", "\"x\", \"a,b\"", "\"a\",W/\"b\",\"a,b\"", ", \"a,b\",", "*"] {
            assert_eq!(judge(&[&format!("If-None-Match: {list}")]), Verdict::NotModified, "{list}");
        }
        for list in ["", "\"x\"", "\"", "a,b", "\"a\",\"b\"", "W/\"*\"", "\"*\"", "\"a,b", "*, \"x\""] {
            assert_eq!(judge(&[&format!("If-None-Match: {list}")]), Verdict::Send, "{list}");
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        for list in ["\"a,b\"", "\"x\", \"a,b\"", "W/\"a,b\", \"a,b\"", "*"] {
            assert_eq!(judge(&[&format!("If-Match: {list}")]), Verdict::Send, "{list}");
        }
        for list in ["", "\"x\"", "W/\"a,b\"", "\"*\"", "a,b"] {
            assert_eq!(judge(&[&format!("If-Match: {list}")]), Verdict::Failed, "{list}");
        }
    }

    #[test]
    fn tags_of_several_fields_are_one_list() {
        assert_eq!(judge(&["If-None-Match: \"x\"", "If-None-Match: \"a,b\""]), Verdict::NotModified);
        assert_eq!(judge(&["If-Match: \"x\"", "if-match: \"a,b\""]), Verdict::Send);
    }

    #[test]
    fn dates_are_compared_in_whole_seconds() {
        let since = |date: &str| judge(&[&format!("If-Modified-Since: {date}")]);
        assert_eq!(
            [since(BEFORE), since(AT), since(AFTER)],
            [Verdict::Send, Verdict::NotModified, Verdict::NotModified]
        );
        let since = |date: &str| judge(&[&format!("If-Unmodified-Since: {date}")]);
        assert_eq!([since(BEFORE), since(AT), since(AFTER)], [Verdict::Failed, Verdict::Send, Verdict::Send]);
    }

    #[test]
    fn the_three_formats_of_dates_are_read_and_no_other() {
        for date in [AT, "Tuesday, 14-Nov-23 22:13:20 GMT", "Tue Nov 14 22:13:20 2023"] {
            assert_eq!(judge(&[&format!("If-Modified-Since: {date}")]), Verdict::NotModified, "{date}");
        }
        for date in ["", "yesterday", "1700000000", "Tue, 14 Foo 2123 22:13:20 GMT", "\u{fc}"] {
            assert_eq!(judge(&[&format!("If-Modified-Since: {date}")]), Verdict::Send, "{date}");
            assert_eq!(judge(&[&format!("If-Unmodified-Since: {date}")]), Verdict::Send, "{date}");
        }
    }

    #[test]
    fn a_repeated_date_is_ignored() {
        let twice = format!("If-Modified-Since: {AFTER}");
        assert_eq!(judge(&[&twice, &twice]), Verdict::Send);
        let twice = format!("If-Unmodified-Since: {BEFORE}");
        assert_eq!(judge(&[&twice, &twice]), Verdict::Send);
    }

    #[test]
    fn tags_win_over_dates_and_412_over_304() {
        let (modified, unmodified) = (format!("If-Modified-Since: {AFTER}"), format!("If-Unmodified-Since: {BEFORE}"));
        assert_eq!(judge(&["If-None-Match: \"x\"", &modified]), Verdict::Send);
        assert_eq!(judge(&["If-Match: *", &unmodified]), Verdict::Send);
        assert_eq!(judge(&["If-None-Match: *", "If-Match: \"x\""]), Verdict::Failed);
        assert_eq!(judge(&["If-None-Match: *", &unmodified]), Verdict::Failed);
        assert_eq!(judge(&["If-Match: *", "If-None-Match: *"]), Verdict::NotModified);
        assert_eq!(judge(&["If-Match: *", &modified]), Verdict::NotModified);
    }

    #[test]
    fn a_file_without_tag_and_time_matches_no_tag_and_date() {
        let judge = |line: &str| conditions(&[line]).judge(None, None);
        assert_eq!(judge("If-None-Match: \"a\""), Verdict::Send);
        assert_eq!(judge("If-None-Match: *"), Verdict::NotModified);
        assert_eq!(judge("If-Match: \"a\""), Verdict::Failed);
        assert_eq!(judge("If-Match: *"), Verdict::Send);
        assert_eq!(judge(&format!("If-Modified-Since: {AFTER}")), Verdict::Send);
        assert_eq!(judge(&format!("If-Unmodified-Since: {BEFORE}")), Verdict::Send);
    }
}

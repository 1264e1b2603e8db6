//! Conditional requests for a file (RFC 9110 section 13).
//!
//! ```text
//! If-Match ──── absent ──▶ If-Unmodified-Since ──▶ If-None-Match ──── absent ──▶ If-Modified-Since
//!     └ holds, or 412            └ holds, or 412       └ holds, or 304               └ holds, or 304
//! ```
//!
//! The fields of a request go in, and later the tag and the time of the file; out comes what the answer must be. If-Range
//! is not read, because ranges are not served. Only for GET and HEAD: to other methods a 304 would be a 412.

use crate::event::Request;
use std::time::{Duration, UNIX_EPOCH};

/// What a request says about the copy that it has, or about the state in which it wants the file. It owns what it
/// knows, because a file is read after its request is gone; without conditions it holds no memory.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// `*` or tags, of all such fields together.
    if_match: Option<Vec<u8>>,
    /// In seconds since the epoch, as the next but one.
    if_unmodified_since: Option<u64>,
    if_none_match: Option<Vec<u8>>,
    if_modified_since: Option<u64>,
}

/// What the conditions make of an answer that would be 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is 200.
    Holds,
    /// 304: the peer has this very state.
    HasIt,
    /// 412: the file is not in the state that was asked for.
    Fails,
}

impl Conditions {
    /// Reads the four fields. A date that is none, or is there twice, counts as absent (sections 13.1.3 and 13.1.4).
    pub fn of(request: &Request) -> Conditions {
        Conditions {
            if_match: tags(request, "if-match"),
            if_unmodified_since: date(request, "if-unmodified-since"),
            if_none_match: tags(request, "if-none-match"),
            if_modified_since: date(request, "if-modified-since"),
        }
    }

    /// Judges a file with this strong tag that was modified so long after the epoch, in the order of section 13.2.2.
    ///
    /// Without a tag no tag is its own; without a time dates are not looked at.
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
            (false, _) => Verdict::Fails,
            (true, true) => Verdict::HasIt,
            (true, false) => Verdict::Holds,
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

/// Whether `etag`, which is strong, is in a list of tags; `strong`: `W/` before it makes it another one (section
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
    use crate::config::Limits;
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
    fn a_request_without_conditions_holds() {
        assert_eq!(judge(&[]), Verdict::Holds);
        assert_eq!(conditions(&["X: y"]), Conditions::default());
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for list in ["\"a,b\"", "W/\"a,b\"", "\"x\", \"a,b\"", "\"a\",W/\"b\",\"a,b\"", ", \"a,b\",", "*"] {
            assert_eq!(judge(&[&format!("If-None-Match: {list}")]), Verdict::HasIt, "{list}");
        }
        for list in ["", "\"x\"", "\"", "a,b", "\"a\",\"b\"", "W/\"*\"", "\"*\"", "\"a,b", "*, \"x\""] {
            assert_eq!(judge(&[&format!("If-None-Match: {list}")]), Verdict::Holds, "{list}");
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        for list in ["\"a,b\"", "\"x\", \"a,b\"", "W/\"a,b\", \"a,b\"", "*"] {
            assert_eq!(judge(&[&format!("If-Match: {list}")]), Verdict::Holds, "{list}");
        }
        for list in ["", "\"x\"", "W/\"a,b\"", "\"*\"", "a,b"] {
            assert_eq!(judge(&[&format!("If-Match: {list}")]), Verdict::Fails, "{list}");
        }
    }

    #[test]
    fn tags_of_several_fields_are_one_list() {
        assert_eq!(judge(&["If-None-Match: \"x\"", "If-None-Match: \"a,b\""]), Verdict::HasIt);
        assert_eq!(judge(&["If-Match: \"x\"", "if-match: \"a,b\""]), Verdict::Holds);
    }

    #[test]
    fn dates_are_compared_in_whole_seconds() {
        let since = |date: &str| judge(&[&format!("If-Modified-Since: {date}")]);
        assert_eq!([since(BEFORE), since(AT), since(AFTER)], [Verdict::Holds, Verdict::HasIt, Verdict::HasIt]);
        let since = |date: &str| judge(&[&format!("If-Unmodified-Since: {date}")]);
        assert_eq!([since(BEFORE), since(AT), since(AFTER)], [Verdict::Fails, Verdict::Holds, Verdict::Holds]);
    }

    #[test]
    fn all_three_formats_of_a_date_are_read_and_nothing_else_is_one() {
        for date in [AT, "Tuesday, 14-Nov-23 22:13:20 GMT", "Tue Nov 14 22:13:20 2023"] {
            assert_eq!(judge(&[&format!("If-Modified-Since: {date}")]), Verdict::HasIt, "{date}");
        }
        for date in ["", "yesterday", "1700000000", "Tue, 14 Foo 2123 22:13:20 GMT", "\u{fc}"] {
            assert_eq!(judge(&[&format!("If-Modified-Since: {date}")]), Verdict::Holds, "{date}");
            assert_eq!(judge(&[&format!("If-Unmodified-Since: {date}")]), Verdict::Holds, "{date}");
        }
    }

    #[test]
    fn a_date_that_is_there_twice_is_none() {
        let twice = format!("If-Modified-Since: {AFTER}");
        assert_eq!(judge(&[&twice, &twice]), Verdict::Holds);
        let twice = format!("If-Unmodified-Since: {BEFORE}");
        assert_eq!(judge(&[&twice, &twice]), Verdict::Holds);
    }

    #[test]
    fn tags_win_over_dates_and_failing_over_having() {
        let (modified, unmodified) = (format!("If-Modified-Since: {AFTER}"), format!("If-Unmodified-Since: {BEFORE}"));
        assert_eq!(judge(&["If-None-Match: \"x\"", &modified]), Verdict::Holds);
        assert_eq!(judge(&["If-Match: *", &unmodified]), Verdict::Holds);
        assert_eq!(judge(&["If-None-Match: *", "If-Match: \"x\""]), Verdict::Fails);
        assert_eq!(judge(&["If-None-Match: *", &unmodified]), Verdict::Fails);
        assert_eq!(judge(&["If-Match: *", "If-None-Match: *"]), Verdict::HasIt);
        assert_eq!(judge(&["If-Match: *", &modified]), Verdict::HasIt);
    }

    #[test]
    fn a_file_without_tag_or_time_has_no_tag_of_a_list_and_no_date() {
        let judge = |line: &str| conditions(&[line]).judge(None, None);
        assert_eq!(judge("If-None-Match: \"a\""), Verdict::Holds);
        assert_eq!(judge("If-None-Match: *"), Verdict::HasIt);
        assert_eq!(judge("If-Match: \"a\""), Verdict::Fails);
        assert_eq!(judge("If-Match: *"), Verdict::Holds);
        assert_eq!(judge(&format!("If-Modified-Since: {AFTER}")), Verdict::Holds);
        assert_eq!(judge(&format!("If-Unmodified-Since: {BEFORE}")), Verdict::Holds);
    }
}

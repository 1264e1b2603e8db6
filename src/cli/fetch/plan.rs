//! The plan for every target: its request, and what is kept of the response.

use crate::config::FetchArgs;
use crate::event::{Fetch, Leads, Url};
use std::borrow::Cow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The choices of one command, the same for all its targets.
#[derive(Debug, Clone)]
pub struct Plan {
    method: Cow<'static, str>,
    headers: Vec<(Cow<'static, str>, String)>,
    data: Vec<u8>,
    decode: bool,
    within: Duration,
    /// Redirects that are followed; 0: a redirect is a response like any other.
    redirects_max: u8,
    allow_private: bool,
    /// A status of 400 or more is a failure.
    pub fail: bool,
    /// Bodies are reported.
    pub body: bool,
    /// Bodies are written to files of this directory.
    pub output: Option<PathBuf>,
}

impl Plan {
    /// The plan of these arguments; `data` is what `--data` stands for.
    pub fn new(args: &FetchArgs, data: Vec<u8>) -> Plan {
        let given = |name: &str| args.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let mut headers = Vec::new();
        if !given("Accept") {
            headers.push(("Accept".into(), "*/*".to_owned()));
        }
        if args.data.is_some() && !given("Content-Type") {
            headers.push(("Content-Type".into(), "application/x-www-form-urlencoded".to_owned()));
        }
        headers.extend(args.headers.iter().map(|(name, value)| (name.clone().into(), value.clone())));
        let method = match &args.method {
            Some(method) => method.clone().into(),
            None if args.data.is_some() => "POST".into(),
            None => "GET".into(),
        };
        Plan {
            method,
            headers,
            data,
            // A given coding is shown as it came.
            decode: !given("Accept-Encoding"),
            within: args.max_time,
            redirects_max: args.redirects,
            allow_private: args.allow_private,
            fail: args.fail,
            body: args.body,
            output: args.output.clone(),
        }
    }

    /// The first request to a target that starts now.
    pub fn fetch(&self, url: Url, now: Instant) -> Fetch {
        Fetch {
            method: self.method.clone(),
            headers: self.headers.clone(),
            body: self.data.clone(),
            decode: self.decode,
            redirects_max: self.redirects_max,
            leads: if self.allow_private { Leads::Anywhere } else { Leads::PublicFromPublic },
            ..Fetch::get(url, now, self.within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::args;
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    /// The request of these flags, and the plan behind it.
    fn fetch(flags: &[&str]) -> (Plan, Fetch) {
        let args = args(&[flags, &["a.test"]].concat());
        let data = args.data.clone().unwrap_or_default().into_bytes();
        let plan = Plan::new(&args, data);
        let fetch = plan.fetch(url("http://a.test/"), Instant::now());
        (plan, fetch)
    }

    fn fields(fetch: &Fetch) -> Vec<String> {
        fetch.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_target_is_fetched_decoded_within_20_seconds() {
        let (_, fetch) = fetch(&[]);
        assert_eq!((&*fetch.method, fetch.body.as_slice(), fetch.decode), ("GET", &b""[..], true));
        assert_eq!((fields(&fetch), fetch.public_only), (vec!["Accept: */*".to_owned()], false));
        assert_eq!(fetch.within, Duration::from_secs(20));
    }

    #[test]
    fn data_means_a_posted_form_by_default() {
        let (_, form) = fetch(&["--data", "a=b"]);
        assert_eq!((&*form.method, form.body.as_slice()), ("POST", &b"a=b"[..]));
        assert_eq!(fields(&form), ["Accept: */*", "Content-Type: application/x-www-form-urlencoded"]);
        let (_, put) = fetch(&["--data", "{}", "--method", "PUT", "-H", "content-type: application/json"]);
        assert_eq!((&*put.method, put.body.as_slice()), ("PUT", &b"{}"[..]));
        assert_eq!(fields(&put), ["Accept: */*", "content-type: application/json"]);
        let (_, empty) = fetch(&["--data", ""]);
        assert_eq!((&*empty.method, empty.body.len()), ("POST", 0));
        assert_eq!(&*fetch(&["--method", "HEAD"]).1.method, "HEAD");
    }

    #[test]
    fn given_fields_replace_ours_and_turn_decoding_off() {
        let (_, fetch) = fetch(&["-H", "accept: text/html", "-H", "Accept-Encoding: br", "--max-time", "0.5"]);
        assert_eq!((fields(&fetch).join("; "), fetch.decode), ("accept: text/html; Accept-Encoding: br".into(), false));
        assert_eq!(fetch.within, Duration::from_millis(500));
    }
}

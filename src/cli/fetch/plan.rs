//! The plan for every target: its request, its redirects, and what is kept of the response.

use crate::config::FetchArgs;
use crate::event::{Fetch, Url};
use crate::http::redirect;
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
    pub redirects_max: u8,
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
            ..Fetch::get(url, now, self.within)
        }
    }

    /// Turns a request that was answered with a redirect into the next one, within the same deadline. `is_public`: the
    /// answer came from a public address, from where no redirect may lead into a private network.
    pub fn redirect(&self, fetch: &mut Fetch, status: u16, to: Url, is_public: bool) {
        if !redirect::keeps_method(status, &fetch.method) {
            fetch.method = "GET".into();
            fetch.body = Vec::new();
            fetch.headers.retain(|(name, _)| !redirect::describes_body(name));
        }
        if !redirect::same_origin(&fetch.url, &to) {
            // A given Host means the site it was given for.
            let stays = |name: &str| redirect::is_credential(name) || name.eq_ignore_ascii_case("Host");
            fetch.headers.retain(|(name, _)| !stays(name));
        }
        // Also on the same host: its name may mean another address by now.
        fetch.public_only |= is_public && !self.allow_private;
        fetch.url = to;
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

    #[test]
    fn a_redirect_to_get_drops_the_body_and_its_fields() {
        let flags = ["--data", "a=b", "-H", "Content-Language: en", "-H", "X-Kept: y"];
        for (status, method, left) in [
            (303, "GET", vec!["Accept: */*", "X-Kept: y"]),
            (302, "GET", vec!["Accept: */*", "X-Kept: y"]),
            (
                307,
                "POST",
                vec![
                    "Accept: */*",
                    "Content-Type: application/x-www-form-urlencoded",
                    "Content-Language: en",
                    "X-Kept: y",
                ],
            ),
        ] {
            let (plan, mut fetch) = fetch(&flags);
            plan.redirect(&mut fetch, status, url("http://a.test/next"), false);
            assert_eq!((&*fetch.method, fields(&fetch)), (method, left.into_iter().map(Into::into).collect()));
            assert_eq!(fetch.body.is_empty(), method == "GET");
            assert_eq!(fetch.url, url("http://a.test/next"));
        }
    }

    #[test]
    fn credentials_and_host_stay_with_their_origin() {
        let flags = ["-H", "Authorization: Basic x", "-H", "cookie: a=b", "-H", "X-Kept: y", "-H", "host: www.test"];
        let (plan, mut fetch) = fetch(&flags);
        plan.redirect(&mut fetch, 302, url("http://a.test:80/elsewhere"), false);
        assert_eq!(fields(&fetch).len(), 5, "the same origin");
        plan.redirect(&mut fetch, 302, url("http://a.test:8080/"), false);
        assert_eq!(fields(&fetch), ["Accept: */*", "X-Kept: y"]);
        plan.redirect(&mut fetch, 302, url("http://a.test/"), false);
        assert_eq!(fields(&fetch).len(), 2, "they do not come back");
    }

    #[test]
    fn redirects_from_public_sites_must_stay_public() {
        let (plan, mut fetch_) = fetch(&[]);
        plan.redirect(&mut fetch_, 302, url("http://b.test/"), false);
        assert!(!fetch_.public_only, "an intranet may redirect inside");
        plan.redirect(&mut fetch_, 302, url("http://c.test/"), true);
        assert!(fetch_.public_only);
        plan.redirect(&mut fetch_, 302, url("http://d.test/"), false);
        assert!(fetch_.public_only, "once public, always public");
        let (plan, mut fetch) = fetch(&["--allow-private"]);
        plan.redirect(&mut fetch, 302, url("http://b.test/"), true);
        assert!(!fetch.public_only);
    }
}

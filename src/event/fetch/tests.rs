use super::*;

#[test]
fn each_failure_of_a_fetch_has_its_status_and_names_its_cause() {
    let (host, address) = (|| "a.test".to_owned(), || "192.0.2.1:80".to_owned());
    let (why, after) = (|| "because".to_owned(), Duration::from_millis(2500));
    for (error, status, text) in [
        (FetchError::Resolve { host: host(), why: why() }, 502, "the name a.test could not be resolved: because"),
        (FetchError::ResolveTimeout { host: host(), after }, 504, "the name a.test was not resolved within 2.5 s"),
        (FetchError::Busy, 503, "too many fetches are under way, try again in a moment"),
        (FetchError::QueueTimeout { after }, 503, "too many fetches are under way: no place became free within 2.5 s"),
        (FetchError::Forbidden { host: host() }, 502, "a redirect leads to a.test, which is not a public address"),
        (FetchError::Connect { address: address(), why: why() }, 502, "no connection to 192.0.2.1:80: because"),
        (FetchError::ConnectTimeout { after }, 504, "no connection within 2.5 s"),
        (FetchError::NoTls, 502, "this program was built without https (its feature is `tls`)"),
        (FetchError::Tls { host: host(), why: why() }, 502, "no secure connection to a.test: because"),
        (FetchError::TlsTimeout { host: host(), after }, 504, "no secure connection to a.test within 2.5 s"),
        (FetchError::Broken { why: why() }, 502, "the connection broke before the response was whole: because"),
        (
            FetchError::Protocol(ExchangeError::EarlyEof(Stage::Head)),
            502,
            "the response is not whole: the connection was closed within the head",
        ),
        (FetchError::Protocol(ExchangeError::NotHttp), 502, "the response makes no sense: it is not HTTP/1"),
        (FetchError::TooManyRedirects { max: 5 }, 502, "it redirects more than 5 times"),
        (
            FetchError::BadLocation { location: "ftp://a".into(), why: UrlError::NoHost },
            502,
            "it redirects to ftp://a: the URL has no host",
        ),
        (
            FetchError::Protocol(ExchangeError::HeadTooLong(9)),
            502,
            "the response is refused: its head is longer than 9 bytes",
        ),
    ] {
        assert_eq!((error.status(), error.to_string().as_str()), (status, text));
    }
    for (reached, text) in [
        (Reached::Queue, "too many fetches were under way"),
        (Reached::Name, "the name was still being looked up"),
        (Reached::Connect, "the connection was not there yet"),
        (Reached::Handshake, "the TLS handshake was still under way"),
        (Reached::Response(Stage::Start), "nothing came"),
        (Reached::Response(Stage::Head), "its head was still coming"),
        (Reached::Response(Stage::Body), "its body was still coming"),
    ] {
        let error = FetchError::Timeout { after, reached };
        let text = format!("no complete response within 2.5 s: {text}");
        assert_eq!((error.status(), error.to_string()), (504, text));
    }
}

#[test]
fn only_what_may_be_asked_twice_is_idempotent() {
    let url = Url::parse("http://a.test/").expect("a URL");
    let fetch = Fetch::get(url, Instant::now(), Duration::from_secs(1));
    assert!(fetch.is_idempotent() && !fetch.is_head());
    assert!(Fetch { method: "HEAD".into(), ..fetch.clone() }.is_head());
    assert!(!Fetch { method: "POST".into(), ..fetch.clone() }.is_idempotent());
    assert!(!Fetch { method: "get".into(), ..fetch }.is_idempotent(), "a method is case-sensitive");
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// A fetch of `http://a.test/` with these fields that follows redirects.
fn with(fields: &[&str]) -> Fetch {
    let field = |line: &&str| line.split_once(": ").map(|(name, value)| (name.to_owned().into(), value.to_owned()));
    let headers = fields.iter().filter_map(field).collect();
    let plain = Fetch::get(url("http://a.test/"), Instant::now(), Duration::from_secs(1));
    Fetch { headers, redirects_max: 9, ..plain }
}

fn fields(fetch: &Fetch) -> Vec<String> {
    fetch.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

/// The fetch that follows, after a response from a private address.
fn next(fetch: &Fetch, status: u16, location: &str) -> Fetch {
    let next = fetch.redirected(status, Some(location.as_bytes()), Side::Private);
    next.expect("it can be followed").expect("it is a redirect")
}

#[test]
fn a_redirect_keeps_the_deadline_and_counts() {
    let first = with(&[]);
    let second = next(&first, 302, "x#y");
    let expected = Fetch { url: url("http://a.test/x#y"), redirects: 1, ..first.clone() };
    assert_eq!(second, expected);
    assert_eq!(next(&second, 302, "/").redirects, 2);
}

#[test]
fn a_response_without_a_target_is_no_redirect() {
    for (redirects_max, status, location) in
        [(9, 200, Some("/x")), (9, 304, Some("/x")), (9, 302, None), (0, 302, Some("/x"))]
    {
        let fetch = Fetch { redirects_max, ..with(&[]) };
        assert_eq!(fetch.redirected(status, location.map(str::as_bytes), Side::Public), Ok(None), "{status}");
    }
}

#[test]
fn redirects_are_followed_up_to_the_limit() {
    let mut fetch = Fetch { redirects_max: 2, ..with(&[]) };
    for _ in 0..2 {
        fetch = next(&fetch, 302, "/");
    }
    assert_eq!(fetch.redirected(302, Some(b"/"), Side::Private), Err(FetchError::TooManyRedirects { max: 2 }));
    let error = FetchError::BadLocation { location: "http://".into(), why: UrlError::NoHost };
    assert_eq!(fetch.redirected(302, Some(b"http://"), Side::Private), Err(error), "it leads nowhere in any case");
}

#[test]
fn a_redirect_to_get_drops_the_body_and_its_fields() {
    let asked = ["Accept: */*", "Content-Type: text/plain", "Content-Language: en", "X-Kept: y"];
    let post = Fetch { method: "POST".into(), body: b"a=b".to_vec(), ..with(&asked) };
    for (status, method, left) in [
        (303, "GET", &["Accept: */*", "X-Kept: y"][..]),
        (302, "GET", &["Accept: */*", "X-Kept: y"]),
        (307, "POST", &asked),
    ] {
        let fetch = next(&post, status, "/next");
        assert_eq!((&*fetch.method, fields(&fetch)), (method, left.iter().map(|&field| field.to_owned()).collect()));
        assert_eq!(fetch.body.is_empty(), method == "GET");
        assert_eq!(fetch.url, url("http://a.test/next"));
    }
}

#[test]
fn credentials_and_host_stay_with_their_origin() {
    let first = with(&["Authorization: Basic x", "cookie: a=b", "X-Kept: y", "host: www.test"]);
    let same = next(&first, 302, "http://a.test:80/elsewhere");
    assert_eq!(fields(&same).len(), 4, "the same origin");
    let other = next(&same, 302, "http://a.test:8080/");
    assert_eq!(fields(&other), ["X-Kept: y"]);
    assert_eq!(fields(&next(&other, 302, "http://a.test/")), ["X-Kept: y"], "they do not come back");
}

#[test]
fn redirects_from_public_sites_must_stay_public() {
    let inside = Fetch { leads: Leads::PublicFromPublic, ..with(&[]) };
    let from = |fetch: &Fetch, side| {
        let next = fetch.redirected(302, Some(b"http://b.test/"), side);
        next.expect("it can be followed").expect("it is a redirect")
    };
    assert!(!from(&inside, Side::Private).public_only, "an intranet may redirect inside");
    let outside = from(&inside, Side::Public);
    assert!(outside.public_only && from(&outside, Side::Private).public_only, "once public, always public");
    assert!(!from(&with(&[]), Side::Public).public_only, "anywhere is anywhere");
}

#[test]
fn every_host_but_the_trusted_one_must_be_public() {
    let mut fetch = Fetch { leads: Leads::PublicBut("a.test".into()), ..with(&[]) };
    for (location, public_only) in [
        ("http://A.test:8080/", false),
        ("/x", false),
        ("http://b.test/", true),
        ("/still-there", true),
        ("//a.test/back", true),
    ] {
        fetch = next(&fetch, 302, location);
        assert_eq!(fetch.public_only, public_only, "{location}");
    }
}

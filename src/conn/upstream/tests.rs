use super::*;
use crate::event::{Leads, Reached, Url};
use crate::http::url::UrlError;

const WITHIN: Duration = Duration::from_secs(20);

fn fetch(url: &str, now: Instant) -> Box<Fetch> {
    Box::new(Fetch::get(Url::parse(url).expect("a URL"), now, WITHIN))
}

fn upstream(url: &str, now: Instant) -> Upstream {
    Upstream::new(ConnId::new(0, 1), fetch(url, now), State::Placed, now)
}

fn addresses(of: &[&str]) -> Vec<SocketAddr> {
    of.iter().map(|address| address.parse().expect("an address")).collect()
}

/// One that has been answered from `address`, and is kept.
fn kept(url: &str, address: &str, now: Instant) -> Upstream {
    let mut upstream = upstream(url, now);
    upstream.connected(addresses(&[address])[0], now);
    upstream.begin_exchange(now);
    upstream.keep();
    upstream
}

/// Reads the head of a response at this time.
fn hear(upstream: &mut Upstream, now: Instant) -> Journey {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    match upstream.step(head, Input::Drained, true, &Limits::default(), now) {
        (_, Step::Fetched(_, Fetched::Head(_, journey))) => journey,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_phase_is_timed_if_it_happens() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let ms = |ms| Some(Duration::from_millis(ms));
    let mut upstream = upstream("https://a.test/", start);
    upstream.begin_resolving(at(1));
    upstream.begin_connecting(&[IpAddr::from([192, 0, 2, 1])], at(4)).expect("it may be tried");
    upstream.connected(addresses(&["192.0.2.1:443"])[0], at(10));
    upstream.begin_exchange(at(30));
    let journey = hear(&mut upstream, at(75));
    assert_eq!((journey.dns, journey.connect, journey.tls), (ms(3), ms(6), ms(20)));
    assert_eq!((journey.first_byte, journey.address.port()), (Duration::from_millis(45), 443));
    upstream.keep();
    upstream.reuse(ConnId::new(1, 2), fetch("https://a.test/2", start), at(100));
    let journey = hear(&mut upstream, at(101));
    assert_eq!((journey.dns, journey.connect, journey.tls), (None, None, None));
    assert_eq!((journey.first_byte, journey.address.port()), (Duration::from_millis(1), 443));
}

#[test]
fn plain_http_to_an_address_has_neither_a_name_nor_tls() {
    let now = Instant::now();
    let mut upstream = upstream("http://192.0.2.1/", now);
    upstream.begin_connecting(&[IpAddr::from([192, 0, 2, 1])], now).expect("it may be tried");
    upstream.connected(addresses(&["192.0.2.1:80"])[0], now);
    upstream.begin_exchange(now);
    let journey = hear(&mut upstream, now);
    assert_eq!((journey.dns, journey.connect, journey.tls), (None, Some(Duration::ZERO), None));
}

#[test]
fn a_connect_never_outlives_its_fetch() {
    let now = Instant::now();
    let limits = Limits { connect_within: Duration::from_secs(60), ..Limits::default() };
    let upstream = upstream("http://a.test/", now);
    assert_eq!(upstream.phase_deadline(now, &limits), upstream.fetch.deadline);
}

/// One that asks for http://a.test/ and follows redirects; its connection leads to a private address.
fn asking(now: Instant) -> Upstream {
    let fetch = Fetch { redirects_max: 1, leads: Leads::PublicFromPublic, ..*fetch("http://a.test/", now) };
    let mut upstream = Upstream::new(ConnId::new(0, 1), Box::new(fetch), State::Placed, now);
    upstream.connected(addresses(&["10.0.0.1:80"])[0], now);
    upstream.begin_exchange(now);
    upstream
}

/// Takes a step over `input`, of which all is used.
fn step<'b>(upstream: &'b mut Upstream, input: &'b [u8]) -> Step<'b> {
    match upstream.step(input, Input::Drained, true, &Limits::default(), Instant::now()) {
        (used, step) if used == input.len() => step,
        other => panic!("{other:?}"),
    }
}

fn redirect(location: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

#[test]
fn a_redirect_is_told_and_its_body_is_not() {
    let mut upstream = asking(Instant::now());
    let head = redirect("/x", 4);
    let Step::Fetched(_, Fetched::Redirect(head, _, Some(url))) = step(&mut upstream, &head) else {
        panic!("a redirect")
    };
    assert_eq!((head.status, url.to_string()), (302, "http://a.test/x".to_owned()));
    assert!(matches!(step(&mut upstream, b"here"), Step::Quiet));
    assert!(matches!(step(&mut upstream, b""), Step::FetchEnd(End::Redirect { is_quiet: true })));
    let next = upstream.take_next().expect("the next fetch");
    assert_eq!((next.url.target.as_str(), next.redirects, next.public_only), ("/x", 1, false));
    assert!(upstream.take_next().is_none(), "it is followed once");
}

#[test]
fn a_redirects_body_is_read_to_64_kib() {
    for pieces in [&[BODY_BYTES_MAX + 1][..], &[BODY_BYTES_MAX, 1]] {
        let mut upstream = asking(Instant::now());
        step(&mut upstream, &redirect("/x", 1 << 20));
        let (last, before) = pieces.split_last().expect("a piece");
        for &piece in before {
            assert!(matches!(step(&mut upstream, &vec![b'x'; piece]), Step::Quiet));
        }
        let last = vec![b'x'; *last];
        assert!(matches!(step(&mut upstream, &last), Step::FetchEnd(End::Redirect { is_quiet: false })));
    }
}

#[test]
fn a_redirect_whose_body_fails_is_followed_in_time() {
    let now = Instant::now();
    let (broken, late) = (
        FetchError::Broken { why: "reset".into() },
        FetchError::Timeout { after: WITHIN, reached: Reached::Response(Stage::Body) },
    );
    let mut upstream = asking(now);
    assert!(!upstream.may_follow(&broken), "nothing has come");
    step(&mut upstream, &redirect("/x", 4));
    assert!(upstream.may_follow(&broken) && !upstream.may_follow(&late), "there is no time left to go there");
}

#[test]
fn a_redirect_that_is_not_followed_is_told_with_its_reason() {
    let bad = FetchError::BadLocation { location: "ftp://a.test/".into(), why: UrlError::UnknownScheme("ftp".into()) };
    for (location, redirects, error) in [("ftp://a.test/", 0, bad), ("/x", 1, FetchError::TooManyRedirects { max: 1 })]
    {
        let mut upstream = asking(Instant::now());
        upstream.fetch.redirects = redirects;
        let head = redirect(location, 4);
        assert!(matches!(step(&mut upstream, &head), Step::Fetched(_, Fetched::Redirect(_, _, None))));
        let (_, Step::FetchEnd(End::Failed(why))) =
            upstream.step(b"here", Input::Drained, true, &Limits::default(), Instant::now())
        else {
            panic!("it fails")
        };
        assert_eq!(why, error);
        assert!(!upstream.may_follow(&why) && upstream.take_next().is_none());
    }
}

#[test]
fn a_foreign_redirect_needs_a_public_address() {
    let now = Instant::now();
    let mut upstream = upstream("http://a.test/", now);
    upstream.fetch.public_only = true;
    let all = ["10.0.0.1", "1.1.1.1", "127.0.0.1"].map(|address| address.parse().expect("an address"));
    assert_eq!(upstream.begin_connecting(&all, now), Ok(addresses(&["1.1.1.1:80"])));
    let forbidden = Err(FetchError::Forbidden { host: "a.test".into() });
    assert_eq!(upstream.begin_connecting(&all[..1], now), forbidden);
}

#[test]
fn a_kept_connection_serves_its_own_origin_only() {
    let now = Instant::now();
    let kept = kept("http://a.test/x", "192.0.2.1:80", now);
    for (url, suits) in [
        ("http://a.test/y", true),
        ("http://a.test:80/y", true),
        ("https://a.test/y", false),
        ("http://a.test:81/y", false),
        ("http://b.test/y", false),
    ] {
        assert_eq!(kept.suits(&fetch(url, now)), suits, "{url}");
    }
}

#[test]
fn a_kept_connection_inside_is_not_for_a_redirect_from_outside() {
    let now = Instant::now();
    for (address, suits) in [("1.1.1.1:80", true), ("10.0.0.1:80", false)] {
        let foreign = Fetch { public_only: true, ..*fetch("http://a.test/", now) };
        assert_eq!(kept("http://a.test/", address, now).suits(&foreign), suits, "{address}");
    }
}

#[test]
fn only_an_unheard_idempotent_request_is_retried() {
    let now = Instant::now();
    let closed = || FetchError::Protocol(ExchangeError::EarlyEof(Stage::Start));
    let reset = || FetchError::Broken { why: "reset".into() };
    let reused = |method: &'static str| {
        let mut upstream = kept("http://a.test/", "192.0.2.1:80", now);
        let fetch = Fetch { method: method.into(), ..*fetch("http://a.test/", now) };
        upstream.reuse(ConnId::new(1, 2), Box::new(fetch), now);
        upstream
    };
    assert!(reused("GET").may_retry(&closed()) && reused("HEAD").may_retry(&reset()));
    assert!(!reused("POST").may_retry(&closed()), "it may have been done");
    assert!(!reused("GET").may_retry(&FetchError::Timeout { after: WITHIN, reached: Reached::Response(Stage::Start) }));
    assert!(!reused("GET").may_retry(&FetchError::Protocol(ExchangeError::NotHttp)));
    assert!(!upstream("http://a.test/", now).may_retry(&closed()), "it was new");
    let mut heard = reused("GET");
    heard.exchange.receive(b"HTTP", false, &crate::http::Limits::default()).expect("a begin");
    assert!(!heard.may_retry(&reset()), "a response had begun");
}

#[test]
fn only_a_response_or_the_end_of_a_kept_connection_is_read() {
    let now = Instant::now();
    let mut upstream = upstream("http://a.test/", now);
    use State::{Connecting, Exchanging, Kept, Over, Placed, Queued, Resolving, Securing, TurnedAway};
    for state in [Queued, TurnedAway, Placed, Resolving, Connecting, Securing, Exchanging, Kept, Over] {
        upstream.state = state;
        assert_eq!(upstream.is_read(), matches!(state, Exchanging | Kept), "{state:?}");
    }
}

//! Redirects that lead nowhere, round in circles, or where they must not, and what the page of a failed search says.

use super::{LONG, WITHIN, limits};
use crate::support::stub::Asked;
use crate::support::{Site, Stub, get};
use squall::config::Limits;

/// The page about a search that this site has answered, without `--allow-private`.
#[track_caller]
fn failed(name: &str, stub: &Stub, status: u16, cause: &str) {
    let search_within = if status == 504 { WITHIN } else { LONG };
    let limits = Limits { search_within, ..limits() };
    let flag = stub.flag();
    let site = Site::start(limits, &[&flag[0], &flag[1]]);
    let response = get(site.address, "/search?wd=x");
    assert_eq!((response.status, response.text().contains(cause)), (status, true), "{name}: {}", response.text());
    site.wait_until_empty();
}

/// A site that responds to every request with such a redirect.
fn leading(location: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Stub {
    Stub::start(move |mut asked| {
        let location = location(&asked);
        asked.say(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\nhere"));
    })
}

#[test]
fn redirect_to_another_scheme_is_502_and_explained() {
    for (name, location, cause) in [
        ("leads to ftp", "ftp://127.0.0.1/", "the scheme ftp is neither http nor https"),
        ("leads to a script", "javascript:alert(1)", "the scheme javascript is neither http nor https"),
        ("leads to a file", "file:///etc/passwd", "the scheme file is neither http nor https"),
        ("leads to no host", "http:///", "the URL has no host"),
        ("leads to a port that is none", "http://127.0.0.1:99999/", "the URL has no valid port"),
        ("leads to an account", "http://me:secret@127.0.0.1/", "a user name or password"),
        ("leads to a host that is none", "http://a_b%/", "the URL has no valid host"),
        ("leads to an address that is none", "http://127.0.0.256/", "invalid IPv4 address"),
    ] {
        failed(name, &leading(move |_| location.to_owned()), 502, cause);
    }
}

/// All of these lead to `/there` on the same port in curl or in a browser.
#[test]
fn location_is_read_as_browsers_read_it() {
    let stub = Stub::start(|mut asked| {
        let port = asked.stream.local_addr().expect("an address").port();
        let spellings = [
            format!("http:///127.0.0.1:{port}/there"),
            format!("///127.0.0.1:{port}/there"),
            format!("\\\\127.0.0.1:{port}\\there"),
            "http:/there".into(),
            "/th\tere".into(),
            "/x/%2e%2E/there".into(),
            "/there#fragment".into(),
            format!("http://127.1:{port}/there"),
            format!("http://0x7f000001:{port}/there"),
            format!("//\u{2460}\u{2461}\u{2466}.0.0.1:{port}/there"),
            format!("HTTP://\u{ff2c}\u{ff2f}calhost:{port}/there"),
        ];
        match asked.target().trim_start_matches("/s?wd=").parse::<usize>() {
            Ok(n) => {
                let location = &spellings[n % spellings.len()];
                asked.say(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\nhere"));
            }
            Err(_) => {
                let target = asked.target().to_owned();
                asked.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()));
            }
        }
    });
    let flag = stub.flag();
    let site = Site::start(limits(), &[&flag[0], &flag[1], "--allow-private", "--lab"]);
    for n in 0..11 {
        for way in ["search", "search-sync"] {
            let response = get(site.address, &format!("/{way}?wd={n}"));
            assert_eq!((response.status, response.text().as_str()), (200, "/there"), "{way}, spelling {n}");
        }
    }
}

#[test]
fn redirects_end_after_five_even_in_a_circle() {
    let round = leading(|asked| asked.target().to_owned());
    failed("leads to itself", &round, 502, "redirects more than 5 times");
    assert_eq!(round.requests().len(), 6);
    let on = leading(|asked| format!("{}x", asked.target()));
    failed("leads on and on", &on, 502, "redirects more than 5 times");
    assert_eq!(on.requests().len(), 6);
}

#[test]
fn redirect_to_a_private_address_is_502_unconnected() {
    let inner = Stub::on("127.0.0.2", |_| {});
    let location = format!("http://{}/", inner.address);
    failed(
        "leads inward",
        &leading(move |_| location.clone()),
        502,
        "leads to 127.0.0.2, which is not a public address",
    );
    for (name, host) in [
        ("leads to a private network", "10.0.0.1"),
        ("leads to the cloud's own data", "169.254.169.254"),
        ("leads to this host by another form", "[::ffff:127.0.0.1]"),
        ("leads to no address", "0.0.0.0"),
        ("leads to a name of this host", "localhost"),
    ] {
        let location = format!("http://{host}:{}/", inner.address.port());
        failed(name, &leading(move |_| location.clone()), 502, "which is not a public address");
    }
    assert_eq!(inner.met(), 0);
}

#[test]
fn the_page_of_a_failed_search_says_what_its_site_did() {
    for (name, text, status, cause) in [
        ("closes without an answer", "", 502, "the connection was closed without a response"),
        ("speaks SSH", "SSH-2.0-OpenSSH\r\n", 502, "it is not HTTP/1"),
        (
            "has two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
            502,
            "its Content-Length is not one number",
        ),
        (
            "announces too much",
            "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n",
            502,
            "its body is longer than 65536 bytes",
        ),
    ] {
        failed(name, &Stub::saying(text), status, cause);
    }
    let silent = Stub::start(|mut asked| assert!(asked.wait_for_the_end()));
    failed("says nothing", &silent, 504, "no complete response within 0.6 s");
}

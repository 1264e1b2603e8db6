//! Pages of HTML, which get a base element.

use super::*;

#[test]
fn a_page_gets_a_base_element_and_nothing_else_is_touched() {
    let base = "<base href=\"http://search.test/s?wd=x\">";
    for (fields, has_base) in [
        ("Content-Type: text/html", true),
        ("Content-Type: Text/HTML; charset=gbk\r\nContent-Encoding: identity", true),
        ("Content-Type: text/html; charset=\"utf-8\"", true),
        ("Content-Type: text/html\r\nContent-Encoding: gzip", false),
        ("Content-Type: text/html; charset=UTF-16", false),
        ("Content-Type: text/html; x=y; Charset=\"utf-16le\"", false),
        ("Content-Type: text/html;charset=unicode", false),
        ("Content-Type: text/htmlx", false),
        ("Content-Type: application/json", false),
        ("X: text/html", false),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: 10\r\n\r\n");
        let mut bench = Bench::new();
        search(&mut bench);
        let at_once = hear(&mut bench, &head).list.len();
        let out = bench.fetched(conn(0), Fetched::Body(b"hello"));
        let text = if has_base { base } else { "" };
        assert_eq!(String::from_utf8_lossy(&out.bytes), format!("{text}hello"), "{fields}");
        assert_eq!(at_once, usize::from(!has_base), "the length is known with the place of the element");
        if has_base {
            assert_eq!(head_of(&out).body, Body::Stream(Some(10 + base.len() as u64)), "{fields}");
        }
        assert_eq!(bench.fetched(conn(0), Fetched::Body(b"world")).bytes, b"world");
        assert_eq!(done(&mut bench).list, [Effect::End(conn(0), StreamEnd::Whole)]);

        let mut bench = Bench::new();
        bench.ask(conn(0), "HEAD /search?wd=x", &[]);
        let length = if has_base { None } else { Some(10) };
        assert_eq!(response(&hear(&mut bench, &head)).body, Body::Stream(length), "{fields}");
        assert!(is_forgotten(&bench));
    }
}

#[test]
fn a_page_is_sent_when_its_base_is_inserted() {
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
    let mut bench = Bench::new();
    search(&mut bench);
    redirect(&mut bench, "http://search.test/there?a=1&b=2#c");
    assert!(hear(&mut bench, html).list.is_empty());
    for piece in ["\u{feff}<!doctype ", "html><base href"] {
        assert!(bench.fetched(conn(0), Fetched::Body(piece.as_bytes())).list.is_empty(), "{piece}");
    }
    let out = bench.fetched(conn(0), Fetched::Body(b"=y><title>x"));
    assert_eq!(head_of(&out).body, Body::Stream(None));
    let page = "\u{feff}<!doctype html><base href=\"http://search.test/y\"><base href=y><title>x";
    assert_eq!(String::from_utf8_lossy(&out.bytes), page);
    assert_eq!(out.list.last(), Some(&Effect::Piece(conn(0), 0..page.len())));

    for (body, page) in [("", ""), ("<head>", "<head><base href=\"http://search.test/s?wd=x\">")] {
        let mut bench = Bench::new();
        search(&mut bench);
        hear(&mut bench, html);
        let nothing = bench.fetched(conn(0), Fetched::Body(body.as_bytes()));
        assert!(nothing.list.is_empty() && nothing.bytes.is_empty());
        let out = done(&mut bench);
        assert_eq!((head_of(&out).status, String::from_utf8_lossy(&out.bytes).as_ref()), (200, page));
        assert_eq!(out.list.last(), Some(&Effect::End(conn(0), StreamEnd::Whole)));
        assert!(is_forgotten(&bench));
    }
}

#[test]
fn a_page_that_breaks_off_in_its_head_is_502() {
    let mut bench = Bench::new();
    search(&mut bench);
    hear(&mut bench, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
    bench.fetched(conn(0), Fetched::Body(b"<!doctype html><title>x"));
    let out = fail(&mut bench, FetchError::Broken { why: "reset".into() });
    assert_eq!(response(&out).status, 502);
    assert!(is_forgotten(&bench));
}

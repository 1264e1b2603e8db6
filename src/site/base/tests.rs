use super::*;

const PAGE: &str = "https://a.test/b/c?d=1&e";
/// The element of a page without a base of its own.
const OURS: &str = "<base href=\"https://a.test/b/c?d=1&amp;e\">";

/// The page with its element, taken in pieces of this size.
fn in_pieces(page: &[u8], size: usize) -> Vec<u8> {
    let mut opening = Opening::new(Url::parse(PAGE).expect("a URL"));
    let (mut out, mut added) = (Vec::new(), None);
    for piece in page.chunks(size) {
        match added {
            None => added = opening.read(piece, &mut out),
            Some(_) => out.extend_from_slice(piece),
        }
        assert!(added.is_some() || out.is_empty(), "what is held is not written");
    }
    let added = added.unwrap_or_else(|| opening.end(&mut out));
    assert_eq!(out.len(), page.len() + added);
    out
}

/// The same for pieces of any size, as text.
#[track_caller]
fn with_base(page: impl AsRef<[u8]>) -> String {
    let page = page.as_ref();
    let whole = in_pieces(page, page.len().max(1));
    for size in [1, 2, 3, 7, 100] {
        assert!(in_pieces(page, size) == whole, "{} in pieces of {size}", page.escape_ascii());
    }
    whole.iter().map(|&byte| char::from(byte)).collect()
}

/// The element is inserted at `|`.
#[track_caller]
fn assert_place(page: &str, element: &str) {
    let (before, behind) = page.split_once('|').expect("a place");
    assert_eq!(with_base(format!("{before}{behind}")), format!("{before}{element}{behind}"));
}

#[test]
fn the_base_comes_before_the_first_url_or_ends_the_head() {
    for page in [
        "|hello",
        "|<p>hello",
        "<!doctype html>|<p>hello",
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\">\n<!-- <base href=/x> -->\n<HTML lang=en>\n|<BODY>",
        "<!doctype html><html><head><title>x <base href=/> </title>|</head><body>",
        "<html><head><meta charset=gbk>|<link rel=icon href=x><title>x</title></head><body>",
        "<meta name=robots content=x>|<script>'<base href=/x>'</script><p>",
        "<head profile=x>|<style>@import url(x); /* <base href=/x> */</style>",
        "|<meta http-equiv=refresh content='5; url=x'><body>",
        "|<meta http-equiv=Content-Security-Policy content=\"base-uri 'none'\"><body>",
        "|<noscript><link href=x></noscript><body>",
        "<head>|<template><base href=/x></template>",
        "<base target=_top>|<body>",
        "<title>x</title>|<frameset>",
        "<?xml version='1.0'?><!doctype html>|<svg>",
        "</p>|</body>",
        "<!doctype html>\n\n|",
        "|<title>not closed",
        "<head>|<!-- not closed",
        "<head>|<link href=",
        "<head>|<",
    ] {
        assert_place(page, OURS);
    }
    assert_eq!(with_base(""), "", "nothing is put before nothing");
}

#[test]
fn the_pages_own_base_is_resolved_at_its_address() {
    for (href, expected) in [
        ("'/'", "https://a.test/"),
        ("'../x/'", "https://a.test/x/"),
        ("x/y", "https://a.test/b/x/y"),
        ("\"?q=1&amp;r=2&s\"", "https://a.test/b/c?q=1&amp;r=2&amp;s"),
        ("''", "https://a.test/b/c?d=1&amp;e"),
        ("'//b.test'", "https://b.test/"),
        ("'///b.test'", "https://b.test/"),
        ("http://b.test/x", "http://b.test/x"),
        ("' https:/x\n/y '", "https://a.test/x/y"),
        ("\\\\b.test\\x", "https://b.test/x"),
        ("&#47;x&#x2f;y&#X2F;", "https://a.test/x/y/"),
        ("'/&lt;&gt;&quot;&apos;&amp;lt;&nope;&'", "https://a.test/%3C%3E%22'&amp;lt;&amp;nope;&amp;"),
        ("ftp://b.test/x", "ftp://b.test/x"),
        ("data:text/html,x", "https://a.test/b/c?d=1&amp;e"),
        ("javascript:alert(1)", "https://a.test/b/c?d=1&amp;e"),
        ("http://[", "https://a.test/b/c?d=1&amp;e"),
    ] {
        let element = format!("<base href=\"{expected}\">");
        assert_place(&format!("<meta charset=utf-8><title>x</title>|<base href={href}><link href=z><body>"), &element);
    }
    for none in ["&#xfffffff;", "&#xd800;", "&#;", "&#x;", "&;", "&amp", "&#47"] {
        assert_eq!(without_references(none), none);
    }
    // Bytes of an unknown encoding.
    let page = with_base(b"<meta charset=gbk><base href='/\xd6\xd0/'><body>");
    assert!(page.contains("<base href=\"https://a.test/%D6%D0/\"><base href='/"), "{page}");
}

#[test]
fn a_base_is_found_to_the_end_of_the_head_and_the_first_counts() {
    let root = "<base href=\"https://a.test/\">";
    for page in [
        "<head>|<link href=x><script src=y></script><base href='/'></head><body>",
        "<head>|<style>x</style></head>\n<!-- x --><base href='/'><base href='/x'><body>",
        "<head><base target=x>|<base target=y href='/'><base href='/x'><meta charset=utf-8><p>",
        "<title></title>|<noscript><link href=x></noscript><BASE HREF=/>",
    ] {
        assert_place(page, root);
    }
    for page in ["|<p><base href='/'>", "<head>|<script>'</script >'<base href='/'>", "|x<base href='/'>"] {
        assert_place(page, OURS);
    }
}

#[test]
fn marks_stay_in_front_and_utf_16_is_unchanged() {
    assert_eq!(with_base("\u{feff}<p>x").as_bytes(), format!("\u{ef}\u{bb}\u{bf}{OURS}<p>x").as_bytes());
    for page in ["\u{feff}<!doctype html><html><base href='/'>x", "<html><head></head>x"] {
        let utf_16: Vec<u16> = page.encode_utf16().collect();
        for bytes in [
            utf_16.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            utf_16.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<u8>>(),
        ] {
            assert!(in_pieces(&bytes, 1) == bytes && in_pieces(&bytes, 1000) == bytes);
        }
    }
    for short in [&b"\xff\xfe"[..], b"\xfe\xff", b"\0<"] {
        assert_eq!(in_pieces(short, 1), short);
    }
    for short in ["x", "<p", "\u{bb}"] {
        assert_eq!(in_pieces(short.as_bytes(), 1).len(), short.len() + OURS.len());
    }
}

#[test]
fn meta_charset_stays_within_the_first_1024_bytes() {
    let charset = "<meta charset='gbk'>";
    for (before, copied) in
        [(1024 - charset.len() - OURS.len(), ""), (1024 - charset.len(), charset), (1025 - charset.len(), "")]
    {
        let link = format!("<link href='{}'>", "x".repeat(before - 14));
        assert_eq!(link.len(), before);
        assert_place(&format!("|{link}{charset}<p>"), &format!("{copied}{OURS}"));
        let title = format!("<title>{}</title>", "x".repeat(before - 15));
        assert_place(&format!("{title}{charset}|<p>"), OURS);
    }
    let pragma = "<META HTTP-EQUIV=Content-Type CONTENT='text/html; CHARSET=gbk'>";
    let space = " ".repeat(1000 - 13 - pragma.len());
    let root = "<base href=\"https://a.test/\">";
    assert_place(&format!("|<base href=/>{space}{pragma}<p>"), &format!("{pragma}{root}"));
}

#[test]
fn held_bytes_are_bounded() {
    for begin in ["<head>", "<head><!-- ", "<head><title>", "<head><link href='", "<head><meta x"] {
        let page = format!("{begin}{}", " ".repeat(HELD_BYTES_MAX));
        let mut opening = Opening::new(Url::parse(PAGE).expect("a URL"));
        let mut out = Vec::new();
        for byte in &page.as_bytes()[..HELD_BYTES_MAX - 1] {
            assert_eq!(opening.read(&[*byte], &mut out), None);
        }
        assert_eq!(opening.read(&page.as_bytes()[HELD_BYTES_MAX - 1..], &mut out), Some(OURS.len()), "{begin}");
        assert_eq!(out.len(), page.len() + OURS.len());
    }
    let late = format!("<head><title>{}</title><base href=/><p>", "x".repeat(HELD_BYTES_MAX));
    assert!(with_base(&late).starts_with(&format!("<head>{OURS}<title>")), "it is not looked for any further");
}

#[test]
fn a_url_cannot_end_the_attribute() {
    assert_eq!(base_element("http://a/\"'<>&"), "<base href=\"http://a/&quot;'&lt;&gt;&amp;\">");
}

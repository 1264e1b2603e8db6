//! Files and pages: what is served, what never is, and what a cache is told.

use crate::support::{Client, Dir, Site, get};
use squall::config::Limits;

#[test]
fn an_embedded_file_has_a_tag_and_304() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    let file = client.ask("GET /static/chat.js HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!(file.field("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(file.body, std::fs::read("www/static/chat.js").unwrap());
    let tag = file.field("etag").unwrap();
    let asks = [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()];
    for has in asks {
        let ask = format!("GET /static/chat.js HTTP/1.1\r\nHost: squall\r\nIf-None-Match: {has}\r\n\r\n");
        let response = client.ask(ask);
        assert_eq!((response.status, response.field("etag"), response.field("content-length")), (304, Some(tag), None));
    }
    let other = client.ask("GET /static/chat.js HTTP/1.1\r\nHost: squall\r\nIf-None-Match: \"x\"\r\n\r\n");
    assert_eq!(other.status, 200);
}

#[test]
fn a_page_names_its_files_by_version_and_they_are_kept() {
    let site = Site::with_defaults();
    let index = get(site.address, "/");
    assert_eq!(index.field("cache-control"), Some("private, no-cache"));
    let html = index.text();
    let named: Vec<&str> = html.split('"').filter(|part| part.starts_with("/static/")).collect();
    assert!(named.len() > 5, "{html}");
    for target in named {
        let file = get(site.address, target.split('#').next().unwrap());
        assert_eq!(
            (file.status, file.field("cache-control")),
            (200, Some("public, max-age=31536000, immutable")),
            "{target}"
        );
        assert!(file.field("etag").is_some());
    }
    let www = Dir::new();
    let edited = Site::start(Limits::default(), &["--www", www.arg()]);
    let html = get(edited.address, "/").text().to_owned();
    assert!(html.contains("<script src=\"/static/login.js\"") && !html.contains("/static/v-"), "{html}");
    assert_eq!(get(edited.address, "/static/login.js").field("cache-control"), Some("no-cache"));
}

#[test]
fn a_path_is_percent_decoded_once() {
    let site = Site::with_defaults();
    assert_eq!(get(site.address, "/%70laintext").text(), "Hello, World!");
    assert_eq!(get(site.address, "/static/%63hat.js").status, 200);
    assert_eq!(get(site.address, "/static/%2563hat.js").status, 404);
    assert_eq!(get(site.address, "/plaintext?x=%zz").status, 200);
}

#[test]
fn nothing_outside_static_is_served() {
    let www = Dir::new();
    www.write("static/inside.txt", "inside");
    www.write("secret.txt", "secret");
    for site in [Site::with_defaults(), Site::start(Limits::default(), &["--www", www.arg()])] {
        for target in [
            "/static/../Cargo.toml",
            "/static/../secret.txt",
            "/static/%2e%2e/secret.txt",
            "/static/%2e%2e/",
            "/static/..%2fsecret.txt",
            "/static//etc/passwd",
            "/static/%2fetc%2fpasswd",
            "/static/./inside.txt",
            "/static/..%5csecret.txt",
            "/static/",
            "/static",
            "/static/inside.txt/",
            "/static/inside.txt%00",
            "/static/nothing.txt",
            "/../secret.txt",
            "/secret.txt",
            "/pages/index.html",
            "/static/pages/index.html",
            "/static/../pages/index.html",
            "/index.html",
        ] {
            let response = get(site.address, target);
            assert_eq!(response.status, 404, "{target}");
            assert!(!response.text().contains("secret"), "{target}");
        }
    }
}

#[test]
fn www_overlays_files_and_pages() {
    let www = Dir::new();
    www.write("static/hello.html", "<p>hello");
    www.write("static/chat.js", "mine");
    www.write("pages/index.html", "index of {{ \"<mine>\" }}");
    let site = Site::start(Limits::default(), &["--www", www.arg()]);
    let file = get(site.address, "/static/hello.html");
    assert_eq!((file.status, file.text().as_str()), (200, "<p>hello"));
    assert_eq!(file.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(file.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(file.field("content-security-policy"), None, "these files are their owner's");
    assert_eq!(get(site.address, "/static/chat.js").text(), "mine");
    assert_eq!(get(site.address, "/static/squall.css").status, 200, "what is not there is embedded");
    assert_eq!(get(site.address, "/").text(), "index of &lt;mine&gt;");

    let (tag, time) = (file.field("etag").unwrap(), file.field("last-modified").unwrap());
    for condition in [format!("If-None-Match: {tag}"), format!("If-Modified-Since: {time}")] {
        let ask = format!("GET /static/hello.html HTTP/1.1\r\nHost: squall\r\n{condition}\r\n\r\n");
        assert_eq!(Client::connect(site.address).ask(ask).status, 304, "{condition}");
    }
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let www = Dir::new();
    www.write("static/large.bin", [0; 101]);
    www.write("static/small.bin", [0; 100]);
    let site = Site::start(Limits { www_file_bytes_max: 100, ..Limits::default() }, &["--www", www.arg()]);
    assert_eq!(get(site.address, "/static/small.bin").body.len(), 100);
    assert_eq!(get(site.address, "/static/large.bin").status, 500);
}

#[test]
fn the_built_in_pages_run_nothing_but_their_own() {
    let site = Site::with_defaults();
    for target in ["/", "/login", "/search", "/static/squall.css"] {
        let response = get(site.address, target);
        let policy = response.field("content-security-policy").unwrap_or_else(|| panic!("{target} has no policy"));
        assert!(policy.contains("default-src 'none'") || policy.contains("default-src 'self'"), "{target}: {policy}");
        assert!(!policy.contains("unsafe"), "{target}: {policy}");
    }
}

#[test]
fn errors_are_pages_for_browsers_and_text_for_others() {
    let site = Site::with_defaults();
    let short = get(site.address, "/nowhere");
    assert_eq!(
        (short.field("content-type"), short.text().as_str()),
        (Some("text/plain; charset=utf-8"), "There is no such page.\n")
    );
    let ask = |language: &str| {
        let wire = format!(
            "GET /nowhere HTTP/1.1\r\nHost: squall\r\nAccept: text/html\r\nAccept-Language: {language}\r\n\r\n"
        );
        Client::connect(site.address).ask(wire)
    };
    let (english, chinese) = (ask("en"), ask("zh-CN,zh;q=0.9"));
    for page in [&english, &chinese] {
        assert_eq!((page.status, page.field("content-type")), (404, Some("text/html; charset=utf-8")));
    }
    assert!(english.text().contains("lang=\"en\"") && chinese.text().contains("lang=\"zh"));
}

//! The line in front of a relayed page: it makes relative links and pictures lead to the page's own site.

use crate::proto::url::Url;

/// The begin of an HTML document whose relative links are resolved against `url`: `<!doctype html><base href="…">`.
///
/// A page begins its document again behind it. Parsers drop a second doctype, and of several base elements the first
/// one counts (HTML Living Standard, section 4.2.3).
pub fn base_element(url: &Url) -> String {
    let mut html = String::from("<!doctype html><base href=\"");
    for c in url.to_string().chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            c => html.push(c),
        }
    }
    html.push_str("\">");
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::url::Scheme;

    #[test]
    fn the_url_stands_in_the_attribute_as_it_is_asked_for() {
        for (url, href) in [
            ("https://Example.com:443/s", "https://example.com/s"),
            ("http://[::1]:8080/a/b?c#d", "http://[::1]:8080/a/b?c#d"),
            ("http://a.test/?a=1&b=2&amp;c", "http://a.test/?a=1&amp;b=2&amp;amp;c"),
            ("http://a.test/%22%3C?wd=%E4%B8%AD%26", "http://a.test/%22%3C?wd=%E4%B8%AD%26"),
            ("http://a.test/\"><script>?'", "http://a.test/%22%3E%3Cscript%3E?%27"),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(base_element(&url), format!("<!doctype html><base href=\"{href}\">"));
        }
    }

    #[test]
    fn no_target_ends_the_attribute() {
        let target = "/\"'<>&".to_owned();
        let url = Url { scheme: Scheme::Http, host: "a.test".into(), port: 80, target, fragment: None };
        let expected = "<!doctype html><base href=\"http://a.test/&quot;'&lt;&gt;&amp;\">";
        assert_eq!(base_element(&url), expected);
    }
}

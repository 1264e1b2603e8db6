//! Text in XML.

/// Text that may stand in an element, or in an attribute in double quotes. XML 1.0 has no way to write most control
/// characters, so they are replaced.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..'\u{20}' | '\u{7f}'..'\u{a0}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_xml_is_escaped() {
        assert_eq!(escape("p99>20ms & \"<a>\""), "p99&gt;20ms &amp; &quot;&lt;a&gt;&quot;");
        assert_eq!(escape("a\nb\u{1b}c\u{ffff}é"), "a b\u{fffd}c\u{fffd}é");
    }
}

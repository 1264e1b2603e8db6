use super::*;

#[track_caller]
fn is_kept(name: &str) {
    let checked = check(name);
    assert!(matches!(checked, Ok(Cow::Borrowed(kept)) if kept == name), "{}: {checked:?}", name.escape_unicode());
}

#[track_caller]
fn is_refused(name: &str) {
    assert_eq!(check(name), Err(NameProblem::BadCharacter), "{}", name.escape_unicode());
}

#[test]
fn a_name_has_1_to_32_characters_after_trimming() {
    assert_eq!(check("  alice \t").as_deref(), Ok("alice"));
    is_kept(&"好".repeat(32));
    assert_eq!(check(&"好".repeat(33)), Err(NameProblem::TooLong));
    for empty in ["", " ", "\u{3000} ", "\r\n"] {
        assert_eq!(check(empty), Err(NameProblem::Empty), "{empty:?}");
    }
}

#[test]
fn a_name_has_at_most_256_bytes_in_nfc() {
    is_kept(&"😀".repeat(32));
    // One character, and 2 bytes for each mark.
    is_kept(&format!("q{}", "\u{307}".repeat(127)));
    assert_eq!(check(&format!("q{}", "\u{307}".repeat(128))), Err(NameProblem::TooLong));
    // 9 bytes each as they were typed, 3 when they are composed.
    let syllables = "\u{1112}\u{1161}\u{11ab}".repeat(32);
    assert_eq!(check(&syllables).as_deref(), Ok(&*"한".repeat(32)));
    assert_eq!(check(&"한".repeat(500_000)), Err(NameProblem::TooLong));
}

#[test]
fn a_name_has_no_colon_control_or_format() {
    for bad in [
        ':',
        '\0',
        '\n',
        '\x1f',
        '\x7f',
        '\u{85}',
        '\u{9f}',
        '\u{ad}',
        '\u{61c}',
        '\u{200b}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{206a}',
        '\u{feff}',
        '\u{e000}',
        '\u{ffff}',
        '\u{10ffff}',
    ] {
        is_refused(&format!("a{bad}b"));
    }
    for good in ["a~b", "a\u{2010}b", "a\u{2027}b", "O'Brien <b>", "😀", "ａ：ｂ"] {
        is_kept(good);
    }
}

#[test]
fn a_blank_is_no_character_of_a_name() {
    for blank in BLANKS.into_iter().chain(['\u{2800}', '\u{3164}', '\u{ffa0}', '\u{115f}', '\u{34f}', '\u{17b5}']) {
        for name in [format!("{blank}"), format!("a{blank}b"), format!("{blank}b")] {
            is_refused(&name);
        }
    }
    for shown in ['\u{2801}', '\u{3163}', '\u{3131}', '\u{2423}', '\u{2e31}'] {
        is_kept(&format!("{shown}"));
    }
}

#[test]
fn every_character_is_accepted_or_refused() {
    let mut buffer = [0; 4];
    for c in '\0'..=char::MAX {
        let name = c.encode_utf8(&mut buffer);
        let is_good = check(name).is_ok();
        assert!(!is_good || !looks(name).iter().all(String::is_empty), "{c:?} is seen and has no look");
    }
}

#[test]
fn spaces_of_every_kind_are_one_plain_space() {
    for space in ["  ", "\u{a0}", "\u{1680}", "\u{2003}\u{200a}", "\u{202f}", "\u{205f}", "\u{3000}"] {
        assert_eq!(check(&format!("a{space}b")).as_deref(), Ok("a b"), "{}", space.escape_unicode());
    }
    is_kept("a b c");
}

#[test]
fn a_name_is_kept_in_nfc() {
    for (typed, kept) in [("e\u{301}", "é"), ("\u{212b}", "Å"), ("\u{958}", "\u{915}\u{93c}"), ("\u{fa0c}", "兀")] {
        assert_eq!(check(typed).as_deref(), Ok(kept), "{}", typed.escape_unicode());
    }
    is_kept("ﬁ");
}

#[test]
fn a_name_does_not_begin_with_a_mark() {
    for mark in ['\u{301}', '\u{93f}', '\u{20dd}', '\u{5b0}'] {
        is_refused(&format!("{mark}a"));
        is_kept(&format!("q{mark}"));
    }
}

/// RFC 5892 appendix A.1 and A.2.
#[test]
fn joiners_are_allowed_where_the_rfc_allows_them() {
    for good in [
        "می\u{200c}خواهم",
        "ب\u{64e}\u{200c}\u{64e}ب", // marks are transparent
        "ب\u{200c}د",               // dual-joining, right-joining
        "ꡲ\u{200c}ب",               // left-joining
        "क्\u{200c}ष",
        "क्\u{200d}",
        "ශ්\u{200d}රී",
        "ന്\u{200d}",
    ] {
        is_kept(good);
    }
    for bad in [
        "\u{200c}",
        "\u{200d}",
        "د\u{200c}ب", // right-joining, dual-joining
        "ب\u{200c}",
        "\u{200c}ب",
        "ب\u{200c}\u{200c}ب",
        "ب\u{200d}ب",
        "क\u{200d}ष",
        "क\u{200c}ष",
        "a\u{200c}b",
        "ب\u{200c}x",
    ] {
        is_refused(bad);
    }
}

/// UTS 51 section 1.4.
#[test]
fn emoji_bring_their_joiners_selectors_and_tags() {
    for sequence in [
        "👨\u{200d}👩\u{200d}👧",
        "👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👩🏿",
        "🏃🏻\u{200d}♀\u{fe0f}\u{200d}➡\u{fe0f}",
        "☝🏽",
        "⌚\u{fe0e}",
        "©\u{fe0f}",
        "#\u{fe0f}\u{20e3}",
        "🇩🇪",
        TAGGED_FLAGS[1],
        TAGGED_FLAGS[2],
    ] {
        is_kept(sequence);
        is_kept(&format!("a{sequence}1{sequence}"));
    }
    for bad in [
        "👨\u{200d}",
        "👨\u{200d}\u{fe0f}",
        "👨\u{200d}1\u{fe0f}\u{20e3}",
        "🏽\u{200d}👨",
        "☝🏽\u{fe0f}",
        "❤\u{fe0e}\u{fe0f}",
        "#\u{fe0f}",
        "a\u{fe0f}\u{20e3}",
        "中\u{e0100}",
        "≩\u{fe00}",
        "😀\u{e0020}\u{e007f}",
        "\u{e007f}",
        &TAGGED_FLAGS[0][..20],
    ] {
        is_refused(bad);
        is_refused(&format!("a{bad}"));
    }
}

fn are_alike(one: &str, other: &str) -> bool {
    looks(one).iter().any(|look| looks(other).contains(look))
}

#[test]
fn names_are_alike_by_skeleton_and_case() {
    for (one, other) in [
        ("alice", "аlice"),
        ("alice", "ALICE"),
        ("Alice", "ａｌｉｃｅ"),
        ("paypal", "раураӏ"),
        ("Ivan", "ivan"),
        ("Ivan", "lvan"),
        ("IVAN", "ІѴАΝ"),
        ("Mary", "rnary"),
        ("bob", "b0b"),
        ("ſtraße", "STRASSE"),
        ("ΣΑΣ", "σας"),
        ("José", "JOSE\u{301}"),
        ("می\u{200c}خواهم", "میخواهم"),
        ("❤", "❤\u{fe0f}"),
        ("👨👩", "👨\u{200d}👩"),
    ] {
        assert!(are_alike(one, other) && are_alike(other, one), "{one} {other}: {:?} {:?}", looks(one), looks(other));
    }
    for (one, other) in [("alice", "alicia"), ("ivan", "lvan"), ("jose", "josé"), ("a b", "ab"), ("张三", "张王")]
    {
        assert!(!are_alike(one, other), "{one} {other}");
    }
}

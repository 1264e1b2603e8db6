use super::*;

fn of(field: &str) -> Lang {
    Lang::of(Some(field.as_bytes()))
}

#[test]
fn the_greater_weight_wins_then_the_first() {
    assert_eq!(of("zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh);
    assert_eq!(of("en-US,en;q=0.9,zh-CN;q=0.8"), Lang::En);
    assert_eq!(of("en;q=0.5, ZH-Hant-TW ; q=0.7"), Lang::Zh);
    assert_eq!(of("en, zh"), Lang::En);
    assert_eq!(of("zh, en"), Lang::Zh);
    assert_eq!(of("fr, zh;q=0.001"), Lang::Zh);
}

#[test]
fn english_is_the_default() {
    assert_eq!(Lang::of(None), Lang::En);
    for field in ["", "*", "fr-CH, fr;q=0.9", "zh;q=0", "zh;q=x", "zh;q=7", ",;,", "zhx"] {
        assert_eq!(of(field), Lang::En, "{field}");
    }
    assert_eq!(Lang::of(Some(b"zh\xff")), Lang::En);
}

#[test]
fn every_text_has_both_languages_and_one_row() {
    let mut seen = std::collections::HashSet::new();
    for (key, en, zh) in TEXTS {
        assert!(seen.insert(key), "{key} has two rows");
        assert!(!en.is_empty() && !zh.is_empty(), "{key} lacks a text");
        for placeholder in ["{}", "{cause}"] {
            assert_eq!(
                en.matches(placeholder).count(),
                zh.matches(placeholder).count(),
                "{key}: the languages differ in {placeholder}"
            );
        }
        for behind in [en, zh].iter().filter_map(|text| text.split_once("{cause}")).map(|(_, behind)| behind) {
            assert!(!behind.contains('{'), "{key}: the cause comes last");
        }
        assert!(!zh.is_ascii(), "{key} is not translated");
    }
    assert_eq!(Lang::Zh.text("chat"), Some("聊天"));
    assert_eq!(Lang::En.text("no such key"), None);
}

#[test]
fn a_text_is_filled_in_and_its_cause_stays_apart() {
    let origin = Localized::new("why_origin", [&"http://{}", &"squall"]);
    assert_eq!(origin.text(Lang::En), "The Origin http://{} is not the host squall that was asked.");
    assert_eq!(origin.text(Lang::Zh), "请求来自 http://{}，而不是所访问的主机 squall。");
    let location = Localized::new("why_location", [&"ftp://a"]).because("no {cause}");
    assert_eq!(location.parts(Lang::Zh), ["搜索失败：对方网站重定向到 ftp://a：", "no {cause}", "。"]);
    assert_eq!(location.text(Lang::En), "The search failed: the site redirects to ftp://a: no {cause}.");
    assert_eq!(Localized::new("why_no_page", []).parts(Lang::En), ["There is no such page.", "", ""]);
}

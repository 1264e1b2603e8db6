//! URLs, references, paths and queries, as people and servers write them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::http::redirect::{Target, same_origin, target};
use squall::http::url::{self, Url};
use squall::site::base::{Opening, base_element};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once('\n').unwrap_or((&text, ""));
    let base = Url::parse("https://a.test/b/c?d").expect("a URL");
    if let Ok(url) = Url::parse(first) {
        check_url(&url);
        check_reference(&url, second);
    }
    check_reference(&base, first);
    check_redirect(&base, data);
    let _ = url::Form::parse(data).map(|form| form.value(first));
    check_local_path(first, &base);
    check_path(first);
    check_texts(first, second);
    check_page(&base, data);
});

/// A page gets the same base element whole and byte by byte, and is otherwise as it was.
fn check_page(url: &Url, page: &[u8]) {
    let with_base = |size: usize| {
        let (mut opening, mut out, mut added) = (Opening::new(url.clone()), Vec::new(), None);
        for piece in page.chunks(size) {
            match added {
                None => added = opening.read(piece, &mut out),
                Some(_) => out.extend_from_slice(piece),
            }
        }
        let added = added.unwrap_or_else(|| opening.end(&mut out));
        assert_eq!(out.len(), page.len() + added);
        out
    };
    assert_eq!(with_base(1), with_base(page.len().max(1)));
}

/// A URL is in its normal form: written and read again it is the same, and it can stand in a request.
fn check_url(url: &Url) {
    assert_eq!(Url::parse(&url.to_string()).as_ref(), Ok(url));
    assert!(url.target.starts_with('/') && url.target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
    assert!(!url.host.is_empty() && url.host == url.host.to_ascii_lowercase() && url.port != 0);
    assert!(url::is_authority(&url.authority()), "{url}");
    assert!(url.fragment.iter().all(|fragment| fragment.bytes().all(|byte| byte.is_ascii_graphic())));
    let text = Url { fragment: None, ..url.clone() }.to_string();
    let origin = text.strip_suffix(&url.target).expect("the target comes last");
    assert!(url::same_authority(origin, &url.authority()), "{url}");
    let path = url.target.split('?').next().unwrap_or_default();
    assert!(path.split('/').all(|segment| segment != "." && segment != ".."), "{url}");
    let element = base_element(&url.to_string());
    assert_eq!(element.matches(['"', '<', '>']).count(), 4, "{element}");
}

/// A reference without an authority never leads to another one.
fn check_reference(base: &Url, reference: &str) {
    let Ok(url) = base.resolve(reference) else { return };
    check_url(&url);
    let as_read: String = reference.trim_start_matches(|c| c <= ' ').replace('\\', "/");
    let as_read: String = as_read.chars().filter(|c| !"\t\r\n".contains(*c)).collect();
    if !as_read.starts_with("//") && !as_read.to_ascii_lowercase().starts_with("http") {
        assert!(same_origin(base, &url), "{reference:?} leads from {base} to {url}");
    }
    assert_eq!(base.resolve(&url.to_string()).as_ref(), Ok(&url));
    if !url.target.starts_with("//") && same_origin(base, &url) {
        assert_eq!(base.resolve(&url.target), Ok(Url { fragment: None, ..url }));
    }
}

fn check_redirect(base: &Url, location: &[u8]) {
    assert_eq!(target(base, 200, Some(location)), Target::None);
    assert_eq!(target(base, 302, None), Target::None);
    match target(base, 302, Some(location)) {
        Target::To(url) => check_url(&url),
        Target::Bad(_, shown) => assert!(str::from_utf8(location).is_err() || shown.as_bytes() == location),
        Target::None => panic!("a Location was there"),
    }
}

/// What counts as local stays here, also for a browser, which takes `\` for `/` and drops tabs and line ends.
fn check_local_path(next: &str, base: &Url) {
    if !url::is_local_path(next) {
        return;
    }
    let as_browsers_read: String = next.replace('\\', "/").chars().filter(|c| !"\t\r\n".contains(*c)).collect();
    assert!(!as_browsers_read.starts_with("//"));
    let led = base.resolve(&as_browsers_read).expect("a path");
    assert!(same_origin(base, &led), "{next:?}");
}

/// A file's name stays inside its folder.
fn check_path(path: &str) {
    let Some(name) = url::decode_path(path) else { return };
    assert!(!name.starts_with('/') && !name.contains(['\0', '\\']));
    assert!(name.split('/').all(|segment| segment != ".."));
    let depth = std::path::Path::new(&name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    assert!(depth, "{name:?}");
}

fn check_texts(first: &str, second: &str) {
    let encoded = url::encode_component(first);
    assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
    let query = format!("a=&wd=x&wd={encoded}");
    let query = url::Form::parse(query.as_bytes()).expect("it is encoded UTF-8");
    assert_eq!(query.value("wd").as_deref(), Some(first));
    let template = format!("http://{second}/{{}}");
    if let Some(filled) = url::insert_words(&template, first) {
        assert!(filled.ends_with(&encoded) && filled.starts_with("http://"));
    }
    let reference = url::encode_reference(first);
    assert!(reference.bytes().all(|byte| byte.is_ascii_graphic()) && url::encode_reference(&reference) == reference);
    // An authority is the same as itself, and of two that are the same both are, in either direction.
    if url::is_authority(first) {
        assert!(url::same_authority(&format!("http://{first}"), first) || first.starts_with(':'));
    }
    if url::same_authority(first, second) {
        assert!(second.len() <= first.len() + ":443".len());
    }
}

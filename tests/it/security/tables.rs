//! What the source itself must say, because no test from outside can tell: which hash, and which comparison.

use std::fs;
use std::path::Path;

/// The text of a file below `src`, without its tests.
fn source(name: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name)).unwrap();
    text.split("#[cfg(test)]").next().unwrap().to_owned()
}

fn sources(below: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(fs::read_to_string(path).unwrap()),
        }
    }
}

/// Names (`present`), hosts (`cache`, `asked`) and origins (`running_at`) are chosen by strangers. The tables of the
/// standard library hash with SipHash under keys that each table draws at random, so nobody can choose them to collide.
#[test]
fn tables_keyed_by_strangers_hash_with_random_keys() {
    let mut all = vec![];
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    for text in &all {
        for other in ["BuildHasher", "with_hasher", "FxHash", "ahash", "fnv", "hashbrown", "IndexMap", "DefaultHasher"]
        {
            assert!(!text.contains(other), "a table with a hash of its own: {other}");
        }
        for begin in ["HashMap<", "HashSet<"] {
            for (at, _) in text.match_indices(begin) {
                let inside = &text[at..at + text[at..].find(['\n', ';', '=']).unwrap_or(text.len() - at)];
                assert!(inside.matches(',').count() <= 2, "a table with a third parameter: {inside}");
            }
        }
    }
}

/// How long an HMAC takes to compare must not tell where it differs.
#[test]
fn the_mac_is_compared_in_constant_time() {
    let cookie = source("site/cookie.rs");
    let verify = cookie.split("pub fn verify(").nth(1).and_then(|text| text.split("\n    }\n").next()).unwrap();
    assert_eq!(
        verify.matches(".verify_slice(").count(),
        1,
        "the comparison of the hmac crate, which looks at every byte"
    );
    assert!(!verify.contains("finalize") && !verify.contains("== mac"), "{verify}");
    let before = verify.split(".verify_slice(").next().unwrap();
    assert!(!before.contains("parse_field"), "nothing of the message is looked at before its MAC");
}

//! Rules of the project that a compiler does not check: where imports may point, how long a file may be, and that the
//! map in `lib.rs` and the table of threats name what exists. (Packages and their licences: tests/deny.toml.)

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;
/// The last cells of the first line of the table of threats.
const THREATS: &str = "| attacker and input | what stops it | tests |";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(below: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", ".git", "node_modules"].contains(&name.as_str()) {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// The README and the documents in the source.
fn documents() -> String {
    let below = root().join("src/doc");
    let inside = if below.exists() { files(&below, ".md") } else { vec![] };
    let paths = [root().join("README.md")].into_iter().chain(inside);
    paths.map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>().join("\n")
}

/// The modules that a module may import, by the first part of its path.
fn may_import(layer: &str) -> &'static [&'static str] {
    match layer {
        "id" => &["id"],
        "address" => &["address"],
        "blocks" => &["blocks"],
        "clock" => &["clock"],
        "password" => &["password"],
        "config" => &["config", "address", "http", "ws"],
        "zlib" => &["zlib"],
        "feed" => &["feed"],
        "store" => &["store", "address", "clock", "config", "id"],
        "http" => &["http", "zlib", "blocks"],
        "ws" => &["ws", "http", "zlib", "blocks"],
        "net" => &["net", "blocks", "id", "config"],
        "workers" => &["workers", "id", "config"],
        "event" => &["event", "store", "http", "ws", "blocks", "clock", "password", "id", "config"],
        "conn" => &["conn", "event", "http", "ws", "net", "feed", "blocks", "clock", "id", "config"],
        "client" => &["client", "conn", "event", "http", "net", "workers", "id", "config"],
        "reactor" => &[
            "reactor", "client", "conn", "event", "http", "ws", "net", "workers", "feed", "store", "address", "blocks",
            "clock", "id", "config",
        ],
        "site" => &["site", "event", "store", "http", "ws", "address", "blocks", "clock", "password", "id", "config"],
        "cli" => &[
            "cli", "reactor", "site", "event", "http", "ws", "net", "workers", "store", "address", "blocks", "clock",
            "password", "id", "config",
        ],
        _ => &[],
    }
}

#[test]
fn imports_point_downward_only() {
    for path in files(&root().join("src"), ".rs") {
        let inside = path.strip_prefix(root().join("src")).unwrap().to_string_lossy().into_owned();
        let layer = inside.split(['/', '.']).next().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for (n, line) in text.lines().enumerate() {
            for part in line.split("crate::").skip(1).filter(|_| !line.trim_start().starts_with("//")) {
                let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // Compiled for tests only, whatever imports it.
                if name == "testing" {
                    continue;
                }
                assert!(may_import(layer).contains(&name.as_str()), "src/{inside}:{}: {layer} imports {name}", n + 1);
            }
        }
    }
}

#[test]
fn protocols_and_the_application_know_no_socket() {
    for layer in ["http", "ws", "site"] {
        for path in files(&root().join("src").join(layer), ".rs") {
            let text = fs::read_to_string(&path).unwrap();
            for word in ["mio::", "socket2", "std::net::Tcp", "Instant::now", "SystemTime::now", "Now::read"] {
                let code = text.lines().take_while(|line| !line.contains("#[cfg(test)]"));
                let used = code.filter(|line| !line.trim_start().starts_with("//")).any(|line| line.contains(word));
                let is_test = path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
                assert!(!used || is_test, "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn no_file_has_more_than_500_lines() {
    for path in files(&root().join("src"), ".rs").into_iter().chain(files(&root().join("tests"), ".rs")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines: look for a second noun", path.display());
    }
}

/// Names, hosts and origins are chosen by strangers. The tables of std use SipHash with random keys, so a stranger cannot
/// make them collide. Another hash would need one of these words, or a package.
#[test]
fn tables_keyed_by_strangers_hash_with_random_keys() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for package in ["ahash", "fnv", "fxhash", "hashbrown", "indexmap", "rustc-hash"] {
        assert!(!manifest.contains(&format!("\n{package} = ")), "{package}");
    }
    for path in files(&root().join("src"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["BuildHasher", "DefaultHasher", "with_hasher"] {
            assert!(!text.contains(word), "{} says {word}", path.display());
        }
    }
}

/// The time that a comparison takes must not tell where the MAC differs: the hmac crate looks at every byte.
#[test]
fn the_mac_is_compared_in_constant_time() {
    let cookie = fs::read_to_string(root().join("src/site/cookie.rs")).unwrap();
    assert_eq!(cookie.matches(".verify_slice(").count(), 1);
}

#[test]
fn nothing_is_unsafe() {
    for path in files(&root().join("src"), ".rs") {
        for line in fs::read_to_string(&path).unwrap().lines().filter(|line| line.contains("unsafe")) {
            assert_eq!(line, "#![forbid(unsafe_code)]", "{}", path.display());
        }
    }
}

/// The lists of the map in lib.rs, each with its lines: a file, and a name that is defined there.
fn routes(map: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let mut routes: Vec<(&str, Vec<_>)> = vec![];
    for line in map.lines().map(|line| line.trim_start_matches("//!").trim()) {
        if let Some(route) = line.strip_prefix("# ") {
            routes.push((route, vec![]));
        } else if let ([.., (_, hops)], Some((file, rest))) = (&mut routes[..], line.split_once(".rs "))
            && rest.trim_start().starts_with('`')
        {
            hops.extend(rest.split('`').nth(1).map(|name| (file, name)));
        }
    }
    routes.retain(|(_, hops)| !hops.is_empty());
    routes
}

/// Whether a function, a type or a variant of this name is defined in the text of a file.
fn defines(text: &str, name: &str) -> bool {
    let ends_there = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let is_item = |kind: &str| {
        let item = format!("{kind}{name}");
        text.match_indices(&item).any(|(at, _)| ends_there(&text[at + item.len()..]))
    };
    ["fn ", "struct ", "enum "].into_iter().any(is_item) || text.contains(&format!("    {name}("))
}

/// That they are on the way of a real message is checked by tests/real/routes.sh.
#[test]
fn every_hop_of_the_map_exists() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let routes = routes(&map);
    assert!(routes.len() >= 5, "{routes:?}");
    for (route, hops) in routes {
        assert!(hops.len() >= 9, "the route of {route} has only {} hops", hops.len());
        for (file, name) in hops {
            let text = fs::read_to_string(root().join("src").join(format!("{file}.rs")));
            let text = text.unwrap_or_else(|e| panic!("{route}: src/{file}.rs: {e}"));
            let last = name.rsplit("::").next().unwrap();
            assert!(defines(&text, last), "{route}: src/{file}.rs does not define {name}");
        }
    }
}

#[test]
fn every_dependency_has_a_documented_reason() {
    let document = fs::read_to_string(root().join("src/doc/development.md")).unwrap();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let names =
        manifest.lines().skip_while(|line| *line != "[dependencies]").take_while(|line| !line.starts_with("[profile"));
    let names = names.filter(|line| !line.starts_with('['));
    for name in names.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name) {
        assert!(document.contains(name), "src/doc/development.md does not say why there is {name}");
    }
}

/// The third cell of each row holds names of tests in backticks.
#[test]
fn every_test_in_the_table_of_threats_exists() {
    let documents = documents();
    let rows = documents.lines().skip_while(|line| !line.ends_with(THREATS)).skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 15, "{} rows under {THREATS:?}", rows.len());
    let mut tests = BTreeSet::new();
    for path in files(&root().join("src"), ".rs").into_iter().chain(files(&root().join("tests"), ".rs")) {
        let text = fs::read_to_string(&path).unwrap();
        let marked = text
            .split("#[test]")
            .skip(1)
            .filter_map(|test| test.split("fn ").nth(1)?.split('(').next().map(str::to_owned));
        tests.extend(marked);
    }
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, _, named] = cells[..] else { panic!("not three cells: {row}") };
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name}");
        }
    }
}

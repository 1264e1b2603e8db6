//! The rules of the house that a compiler does not check: where imports may point, how long a file may be, what no
//! lock file may hold and under which licences the rest comes, and that the map in `lib.rs` and the README's table of
//! threats name what is there.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LINES_MAX: usize = 500;
/// There is one loop here, and it is ours; TLS is rustls'.
const BANNED: [&str; 22] = [
    "tokio",
    "tokio-util",
    "async-std",
    "async-executor",
    "async-global-executor",
    "async-io",
    "smol",
    "futures-executor",
    "actix-rt",
    "monoio",
    "glommio",
    "may",
    "hyper",
    "reqwest",
    "ureq",
    "axum",
    "warp",
    "tiny_http",
    "openssl",
    "openssl-sys",
    "native-tls",
    "aws-lc-sys",
];
/// Licences that ask for no more than to be named: those that the packages need.
const LICENCES: [&str; 7] = ["MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "Zlib", "Unicode-3.0", "CDLA-Permissive-2.0"];
/// The first line of the README's table of threats.
const THREATS: &str = "| who may send what | what stops it | test |";

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

/// What a module may import of ours, by the first part of its path.
fn may_import(layer: &str) -> &'static [&'static str] {
    match layer {
        "id" => &["id"],
        "blocks" => &["blocks"],
        "clock" => &["clock"],
        "config" => &["config"],
        "feed" => &["feed"],
        "http" => &["http", "blocks", "clock", "id", "config"],
        "ws" => &["ws", "http", "blocks", "id", "config"],
        "net" => &["net", "blocks", "id", "config"],
        "workers" => &["workers", "id", "config"],
        "event" => &["event", "http", "ws", "blocks", "clock", "id", "config"],
        "conn" => &["conn", "event", "http", "ws", "net", "feed", "blocks", "clock", "id", "config"],
        "client" => &["client", "conn", "event", "http", "net", "workers", "id", "config"],
        "reactor" => &[
            "reactor", "client", "conn", "event", "http", "ws", "net", "workers", "feed", "blocks", "clock", "id",
            "config",
        ],
        "site" => &["site", "event", "http", "ws", "blocks", "clock", "id", "config"],
        "cli" => {
            &["cli", "reactor", "site", "event", "http", "ws", "net", "workers", "blocks", "clock", "id", "config"]
        }
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
                assert!(!used || path.ends_with("tests.rs"), "{} uses {word}", path.display());
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

#[test]
fn nothing_is_unsafe_and_no_runtime_is_locked() {
    for path in files(&root().join("src"), ".rs") {
        for line in fs::read_to_string(&path).unwrap().lines().filter(|line| line.contains("unsafe")) {
            assert_eq!(line, "#![forbid(unsafe_code)]", "{}", path.display());
        }
    }
    for path in files(root(), "Cargo.lock") {
        let text = fs::read_to_string(&path).unwrap();
        for banned in BANNED {
            assert!(!text.contains(&format!("name = \"{banned}\"")), "{} holds {banned}", path.display());
        }
    }
}

/// The hops of one route of the map in lib.rs: a file, and the name that stands there.
fn hops<'a>(map: &'a str, route: &str) -> Vec<(&'a str, &'a str)> {
    let lines = map.lines().skip_while(|line| !line.ends_with(route)).skip(1);
    let lines = lines.take_while(|line| line.starts_with("//!") && !line.starts_with("//! #"));
    lines
        .filter_map(|line| {
            let (file, rest) = line.trim_start_matches("//!").trim().split_once("  ")?;
            Some((file, rest.split('`').nth(1)?))
        })
        .collect()
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

#[test]
fn the_routes_of_the_map_exist_hop_by_hop() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (route, least) in [("# The route of one chat message", 9), ("# The route of one fetch", 12)] {
        let hops = hops(&map, route);
        assert!(hops.len() >= least, "{route} has only {} hops", hops.len());
        for (file, name) in hops {
            let text = fs::read_to_string(root().join("src").join(file));
            let text = text.unwrap_or_else(|e| panic!("{route}: src/{file}: {e}"));
            let last = name.rsplit("::").next().unwrap();
            assert!(defines(&text, last), "{route}: src/{file} does not define {name}");
        }
    }
}

#[test]
fn the_readme_names_every_dependency() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let names =
        manifest.lines().skip_while(|line| *line != "[dependencies]").take_while(|line| !line.starts_with("[profile"));
    let names = names.filter(|line| !line.starts_with('['));
    for name in names.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name) {
        assert!(readme.contains(name), "the README does not say why there is {name}");
    }
}

/// What cargo knows of the packages that this program is built of on this machine, with all features.
fn metadata() -> Value {
    let cargo = |args: &[&str]| {
        let ran = Command::new(env!("CARGO")).args(args).current_dir(root()).output().expect("cargo is there");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        if ran.status.success() { Ok(String::from_utf8(ran.stdout).expect("JSON")) } else { Err(said) }
    };
    let version = cargo(&["-vV"]).expect("cargo has a version");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("it was built for a machine");
    let ask = ["metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", host];
    // Everything is there already, or this test would not have been built; but a cache may have been swept since.
    let told = cargo(&[&ask[..], &["--offline"]].concat()).or_else(|_| cargo(&ask));
    serde_json::from_str(&told.unwrap_or_else(|said| panic!("{said}"))).expect("JSON")
}

/// The packages that end up in the program, by id; those that only build or test it do not.
fn packages_in_the_program(metadata: &Value) -> BTreeSet<&str> {
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a list");
    let nodes: BTreeMap<&str, &Value> = nodes.iter().map(|node| (node["id"].as_str().expect("an id"), node)).collect();
    let (mut found, mut next) = (BTreeSet::new(), vec![metadata["resolve"]["root"].as_str().expect("a root")]);
    while let Some(id) = next.pop() {
        if found.insert(id) {
            let is_normal =
                |dep: &&Value| dep["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
            let deps = nodes[id]["deps"].as_array().expect("a list").iter().filter(is_normal);
            next.extend(deps.map(|dep| dep["pkg"].as_str().expect("an id")));
        }
    }
    found
}

/// Whether an SPDX expression can be met with these licences: OR of ANDs of names, with brackets. An exception
/// (`WITH`) only adds permissions.
fn is_met(expression: &str, licences: &mut BTreeSet<&'static str>) -> bool {
    let text = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = text.split_whitespace().peekable();
    let met = any_of(&mut words, licences);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words, used: &mut BTreeSet<&'static str>) -> bool {
    let mut met = all_of(words, used);
    while words.next_if_eq(&"OR").is_some() {
        let other = all_of(words, used);
        met |= other;
    }
    met
}

fn all_of(words: &mut Words, used: &mut BTreeSet<&'static str>) -> bool {
    let mut met = one(words, used);
    while words.next_if_eq(&"AND").is_some() {
        let other = one(words, used);
        met &= other;
    }
    met
}

fn one(words: &mut Words, used: &mut BTreeSet<&'static str>) -> bool {
    let met = match words.next() {
        Some("(") => {
            let met = any_of(words, used);
            return words.next() == Some(")") && met;
        }
        name => LICENCES.into_iter().find(|licence| Some(*licence) == name),
    };
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
    }
    used.extend(met);
    met.is_some()
}

#[test]
fn an_expression_of_licences_is_read_as_spdx_says() {
    let mut used = BTreeSet::new();
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("Unlicense OR MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT AND ISC", true),
        ("GPL-3.0-only AND MIT OR ISC", true),
        ("GPL-3.0-only AND (MIT OR ISC)", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true),
        ("MIT/Apache-2.0", true),
        ("MIT)", false),
        ("(MIT", false),
        ("MIT ISC", false),
        ("", false),
    ] {
        assert_eq!(is_met(expression, &mut used), met, "{expression}");
    }
}

#[test]
fn every_package_in_the_program_has_a_licence_of_the_list_and_none_is_banned() {
    let metadata = metadata();
    let inside = packages_in_the_program(&metadata);
    assert!(inside.len() > 50, "only {} packages", inside.len());
    let mut used = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("a list") {
        let name = package["name"].as_str().expect("a name");
        assert!(!BANNED.contains(&name), "{name} is banned");
        if inside.contains(package["id"].as_str().expect("an id")) {
            let licence = package["license"].as_str().unwrap_or_default();
            assert!(is_met(licence, &mut used), "{name} comes under {licence:?}");
        }
    }
    assert_eq!(used, BTreeSet::from(LICENCES), "the list holds what is needed and no more");
}

/// The third cell of each row holds names of tests in backticks.
#[test]
fn every_test_that_the_table_of_threats_names_exists() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows: Vec<&str> =
        readme.lines().skip_while(|line| *line != THREATS).skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 15, "the README has {} rows under {THREATS:?}", rows.len());
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

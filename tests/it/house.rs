//! The rules of the house that a compiler does not check: where imports may point, how long a file may be, what no
//! lock file may hold, and that the map in `lib.rs` names what is there.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;

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
        "config" => &["config"],
        "proto" => &["proto", "id", "config"],
        "rt" => &["rt", "id", "config"],
        "event" => &["event", "proto", "id", "config"],
        "conn" => &["conn", "event", "proto", "rt", "id", "config"],
        "app" => &["app", "event", "proto", "id", "config"],
        "server" => &["server", "app", "conn", "event", "proto", "rt", "id", "config"],
        "fetch_list" => &["fetch_list", "server", "event", "proto", "id", "config"],
        _ => &["app", "config", "conn", "event", "fetch_list", "id", "proto", "rt", "server"],
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
    for layer in ["proto", "app"] {
        for path in files(&root().join("src").join(layer), ".rs") {
            let text = fs::read_to_string(&path).unwrap();
            for word in ["mio::", "socket2", "std::net::Tcp", "Instant::now", "SystemTime::now"] {
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
        for runtime in ["tokio", "async-std", "smol"] {
            assert!(!text.contains(&format!("name = \"{runtime}\"")), "{} holds {runtime}", path.display());
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
    for name in names.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name) {
        assert!(readme.contains(name), "the README does not say why there is {name}");
    }
}

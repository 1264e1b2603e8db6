//! The README and the documents of `src/doc`: their links lead somewhere, also in rustdoc, and what they name exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(root().join("src/doc")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// The text outside of blocks of code.
fn prose(path: &Path) -> String {
    let text = read(path);
    text.split("\n```").step_by(2).collect()
}

/// The targets of links in the text itself, and those of definitions with their labels.
fn links(prose: &str) -> (Vec<&str>, Vec<(&str, &str)>) {
    let inline = prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let defined = prose.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
    (inline.collect(), defined.collect())
}

/// The anchor that a forge gives to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn links_lead_to_files_and_headings() {
    for path in documents().into_iter().chain([root().join("README.md")]) {
        let prose = prose(&path);
        let (inline, defined) = links(&prose);
        for link in inline.into_iter().chain(defined.into_iter().map(|(_, target)| target)) {
            if link.starts_with("http") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: there is no {link}", path.display());
            let has_heading = || read(&target).lines().any(|line| line.starts_with('#') && anchor(line) == fragment);
            assert!(fragment.is_empty() || has_heading(), "{}: there is no {link}", path.display());
        }
    }
}

#[test]
fn rustdoc_has_every_document_and_link() {
    let module = read("src/doc.rs");
    for path in documents() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let included = format!("document!({name}, \"doc/{name}.md\");");
        assert!(module.contains(&included), "src/doc.rs: {included}");
        let prose = prose(&path);
        let (inline, defined) = links(&prose);
        assert!(inline.iter().all(|link| link.starts_with("http")), "{name}: {inline:?} need a label");
        for (label, _) in defined {
            assert!(module.contains(&format!("/// [{label}]: ")), "src/doc.rs does not say what [{label}] is");
        }
    }
}

/// The flags in a text of help, or another one.
fn flags(text: &str) -> BTreeSet<String> {
    let is_flag = |word: &&str| word.strip_prefix("--").is_some_and(|name| name.starts_with(char::is_lowercase));
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '.').filter(is_flag);
    words
        .map(|flag| flag.trim_end_matches('.').to_owned())
        .filter(|flag| flag != "--help" && flag != "--version")
        .collect()
}

fn flags_of(args: &[&str]) -> BTreeSet<String> {
    let ran = Command::new(env!("CARGO_BIN_EXE_squall")).args(args).output().expect("it runs");
    flags(&String::from_utf8_lossy(&ran.stdout))
}

fn flags_of_the_program() -> BTreeSet<String> {
    flags_of(&["--help"]).into_iter().chain(flags_of(&["fetch", "--help"])).collect()
}

#[test]
fn limits_names_every_flag() {
    let named = flags(&read("src/doc/limits.md"));
    let missing: Vec<String> = flags_of_the_program().difference(&named).cloned().collect();
    assert!(missing.is_empty(), "src/doc/limits.md does not name {missing:?}");
}

/// The documents are about the whole program, with `squall bench` and `squall history`.
#[cfg(all(feature = "bench", feature = "history"))]
#[test]
fn named_flags_and_files_exist() {
    let mut known = flags_of_the_program();
    known.extend(flags(&read("tests/run.sh")));
    for command in ["export", "import", "backup", "check", "forget"] {
        known.extend(flags_of(&["history", command, "--help"]));
    }
    known.extend(flags_of(&["bench", "--help"]));
    known.extend(flags("--no-default-features"));
    for path in documents().into_iter().chain([root().join("README.md")]) {
        for span in prose(&path).split('`').skip(1).step_by(2) {
            let word = span.split_whitespace().next().unwrap_or_default();
            if word.starts_with("--") {
                assert!(known.contains(word), "{}: there is no flag {span}", path.display());
            }
            if ["tests/", "src/", "www/"].iter().any(|folder| word.starts_with(folder)) {
                assert!(root().join(word).exists(), "{}: there is no {word}", path.display());
            }
        }
    }
}

#[test]
fn readme_is_short_and_repeats_measured_rows() {
    let (readme, performance) = (read("README.md"), read("src/doc/performance.md"));
    assert!(readme.lines().count() <= 200, "the README has {} lines", readme.lines().count());
    let rows: Vec<&str> = readme.lines().skip_while(|line| !line.contains(" the floor |")).collect();
    let rows = rows.iter().take_while(|line| line.starts_with('|'));
    assert!(rows.clone().count() > 5);
    for row in rows {
        assert!(performance.lines().any(|line| line == *row), "src/doc/performance.md does not have {row}");
    }
}

//! The operators: names that cannot be taken without their password, nor can any name that looks like one of them.
//!
//! `--operators-file` has a line `NAME:HASH` for each, as `squall operator NAME` prints it. It is read at start.

use super::cookie::open_to_others;
use super::name;
use crate::password::Hash;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// Bytes of the file, at most: a longer one is another file, or a device without an end.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The names of the operators and the hashes of their passwords.
#[derive(Debug, Default)]
pub struct Operators {
    hashes: HashMap<Box<str>, Arc<Hash>>,
    /// The looks of all of these names, each with the line of the file that has it.
    looks: HashMap<Box<str>, usize>,
}

/// What a name is to the operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kin {
    /// It is no operator's.
    None,
    /// It is this operator's: its password has this hash.
    Operator(Arc<Hash>),
    /// It looks like an operator's, so it cannot be taken.
    Alike,
}

impl Operators {
    /// Reads the file. Warns if others than its owner can read it.
    ///
    /// # Errors
    /// A sentence that names the file, and the line if one is wrong.
    pub fn load(path: &Path) -> Result<Operators, String> {
        let shown = path.display();
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
        read.map_err(|e| format!("--operators-file {shown} cannot be read: {e}"))?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(format!("--operators-file {shown} is longer than {FILE_BYTES_MAX} bytes: is it another file?"));
        }
        let operators = Operators::parse(&text).map_err(|why| format!("--operators-file {shown}: {why}"))?;
        if let Some(mode) = open_to_others(path) {
            log::warn!(
                "--operators-file {shown} is open to others than its owner (mode {mode:04o}): chmod 600 {shown}"
            );
        }
        Ok(operators)
    }

    /// The operators of this text: lines `NAME:HASH`, and lines that are empty or begin with `#`.
    ///
    /// # Errors
    /// A sentence that begins with the number of the line.
    pub fn parse(text: &str) -> Result<Operators, String> {
        let mut operators = Operators::default();
        for (n, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                operators.add(n, line).map_err(|why| format!("line {n}: {why}"))?;
            }
        }
        Ok(operators)
    }

    fn add(&mut self, n: usize, line: &str) -> Result<(), String> {
        let (typed, phc) = line.split_once(':').ok_or("expected NAME:HASH, as squall operator NAME prints it")?;
        let name = name::check(typed).map_err(|_| {
            format!("{typed:?} is no name: it must have 1 to 32 characters, none of them a colon or invisible")
        })?;
        let hash = Hash::parse(phc.trim()).map_err(|why| format!("the hash of {name:?} {why}"))?;
        let looks = name::looks(&name);
        if let Some(before) = looks.iter().find_map(|look| self.looks.get(&**look)) {
            return Err(format!("{name:?} is the name in line {before}, or looks like it"));
        }
        self.looks.extend(looks.map(|look| (look.into_boxed_str(), n)));
        self.hashes.insert(name.into(), Arc::new(hash));
        Ok(())
    }

    /// What this name is to the operators.
    pub fn find(&self, name: &str) -> Kin {
        if self.hashes.is_empty() {
            return Kin::None;
        }
        match self.hashes.get(name) {
            Some(hash) => Kin::Operator(hash.clone()),
            None if name::looks(name).iter().any(|look| self.looks.contains_key(&**look)) => Kin::Alike,
            None => Kin::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$x59UGLuAwBDnzRfVUBQJ7zA6GJrOY5gZkOVPda70TuA";

    #[test]
    fn an_operator_is_a_line_and_guards_all_that_looks_like_it() {
        let text = format!("\u{feff}# who runs this\r\n\r\n Ivan :{HASH}\r\n张三: {HASH} \n");
        let operators = Operators::parse(&text).expect("it is sound");
        let hash = Arc::new(Hash::parse(HASH).expect("a hash"));
        for name in ["Ivan", "张三"] {
            assert_eq!(operators.find(name), Kin::Operator(hash.clone()), "{name}");
        }
        for name in ["ivan", "IVAN", "lvan", "\u{406}van"] {
            assert_eq!(operators.find(name), Kin::Alike, "{name}");
        }
        assert_eq!(operators.find("Ivana"), Kin::None);
        assert_eq!(Operators::default().find("Ivan"), Kin::None);
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let long = "x".repeat(33);
        for (lines, why) in [
            ("ann", "line 1: expected NAME:HASH".to_owned()),
            (&format!("#\n:{HASH}"), "line 2: \"\" is no name".into()),
            (&format!("{long}:{HASH}"), format!("line 1: {long:?} is no name")),
            ("ann:secret", "line 1: the hash of \"ann\" is no argon2id hash".into()),
            ("ann:", "line 1: the hash of \"ann\" is no argon2id hash".into()),
            (&format!("ann:{}", HASH.replace("m=8", "m=4194304")), "line 1: the hash of \"ann\" costs too much".into()),
            (&format!("ann:{HASH}\nbob:{HASH}\nann:{HASH}"), "line 3: \"ann\" is the name in line 1".into()),
            (&format!("ann:{HASH}\nAnn:{HASH}"), "line 2: \"Ann\" is the name in line 1, or looks like it".into()),
        ] {
            let said = Operators::parse(lines).expect_err("it is wrong");
            assert!(said.starts_with(&why), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("operators");
        let said = |path: &Path| Operators::load(path).expect_err("it is wrong");
        assert!(said(&path).contains("operators cannot be read: No such file"), "{}", said(&path));
        std::fs::write(&path, [0xff]).expect("a file");
        assert!(said(&path).contains("operators cannot be read: "), "{}", said(&path));
        std::fs::write(&path, "#".repeat(2 << 20)).expect("a file");
        assert!(said(&path).contains("is longer than 1048576 bytes"), "{}", said(&path));
        std::fs::write(&path, format!("ann:{HASH}\n")).expect("a file");
        assert!(matches!(Operators::load(&path).map(|found| found.find("ann")), Ok(Kin::Operator(_))));
    }
}

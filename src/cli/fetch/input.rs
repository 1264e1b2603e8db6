//! The input that is read before the loop starts: the list of targets and the body of the request.
//!
//! Reads may block here, and nothing is fetched before all of it is valid. Standard input can be one of the two.

use crate::config::FetchArgs;
use std::fs::File;
use std::io::{self, BufRead, Read};

/// Lines of a list on standard input, comments included, at most.
const LINES_MAX: usize = 1_000_000;
/// One line of a list, bytes: servers refuse longer URLs.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Body of a request, bytes, at most: each target under way holds a copy.
const DATA_BYTES_MAX: usize = 16 << 20;

/// The list and the body.
#[derive(Debug, PartialEq, Eq)]
pub struct Input {
    /// As given, in order.
    pub targets: Vec<String>,
    /// Of `--data`; empty without it.
    pub data: Vec<u8>,
}

impl Input {
    /// Reads what the arguments name; `stdin` is read for `-` and `@-` only.
    ///
    /// # Errors
    /// A sentence: something cannot be read or is over its limit, or both need standard input.
    pub fn read(args: &FetchArgs, mut stdin: impl BufRead) -> Result<Input, String> {
        let lists = args.targets.iter().filter(|&target| target == "-").count();
        let data_from_stdin = args.data.as_deref() == Some("@-");
        if lists + usize::from(data_from_stdin) > 1 {
            return Err("standard input can be read once only: for one list (-) or for the data (@-)".into());
        }
        let mut targets = Vec::with_capacity(args.targets.len());
        for target in &args.targets {
            match target.as_str() {
                "-" => read_list(&mut stdin, &mut targets)?,
                _ => targets.push(target.clone()),
            }
        }
        let data = match args.data.as_deref() {
            None => Vec::new(),
            Some("@-") => read_data(stdin).map_err(|why| format!("--data @-: {why}"))?,
            Some(text) => match text.strip_prefix('@') {
                Some(path) => File::open(path)
                    .map_err(|e| e.to_string())
                    .and_then(read_data)
                    .map_err(|why| format!("--data {text}: {why}"))?,
                None => text.as_bytes().to_vec(),
            },
        };
        Ok(Input { targets, data })
    }
}

/// Appends the lines of a list, without blank lines, comments, and the byte-order mark of some editors.
fn read_list(mut from: impl BufRead, targets: &mut Vec<String>) -> Result<(), String> {
    let mut line = Vec::new();
    for n in 1.. {
        line.clear();
        let with_its_end = LINE_BYTES_MAX as u64 + 2;
        let read = from.by_ref().take(with_its_end).read_until(b'\n', &mut line);
        match read.map_err(|e| format!("the list on standard input: {e}"))? {
            0 => break,
            _ if n > LINES_MAX => return Err(format!("the list has more than {LINES_MAX} lines")),
            _ if without_end(&line).len() > LINE_BYTES_MAX => {
                return Err(format!("line {n} of the list has more than {LINE_BYTES_MAX} bytes"));
            }
            _ => {}
        }
        let text = std::str::from_utf8(&line).map_err(|_| format!("line {n} of the list is not UTF-8"))?;
        let text = if n == 1 { text.trim_start_matches('\u{feff}') } else { text }.trim();
        if !text.is_empty() && !text.starts_with('#') {
            targets.push(text.to_owned());
        }
    }
    Ok(())
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line)
}

fn read_data(from: impl Read) -> Result<Vec<u8>, String> {
    let mut data = Vec::new();
    let read: io::Result<usize> = from.take(DATA_BYTES_MAX as u64 + 1).read_to_end(&mut data);
    match read.map_err(|e| e.to_string())? {
        n if n > DATA_BYTES_MAX => Err(format!("more than {DATA_BYTES_MAX} bytes")),
        _ => Ok(data),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::args;
    use super::*;

    fn read(line: &[&str], stdin: &[u8]) -> Result<Input, String> {
        Input::read(&args(line), stdin)
    }

    #[test]
    fn a_list_replaces_its_dash_without_comments() {
        let list = b"b.test\r\n\n  # not today\n#c.test\n http://d.test/x#y \n\ne.test";
        let input = read(&["a.test", "-", "z.test"], list).expect("a list");
        assert_eq!(input.targets, ["a.test", "b.test", "http://d.test/x#y", "e.test", "z.test"]);
        for empty in ["", "\n", "# nothing", "\u{feff}", "\u{feff}\r\n"] {
            assert_eq!(read(&["-"], empty.as_bytes()).expect("an empty list").targets, [""; 0], "{empty:?}");
        }
        assert_eq!(read(&["a.test"], b"b.test").expect("no list").targets, ["a.test"], "standard input is not read");
    }

    #[test]
    fn a_list_may_begin_with_the_byte_order_mark_of_utf_8() {
        for (list, targets) in [
            ("\u{feff}a.test\r\nb.test\r\n", ["a.test", "b.test"]),
            ("\u{feff}# remark\na.test\n\u{feff}b.test", ["a.test", "\u{feff}b.test"]),
        ] {
            assert_eq!(read(&["-"], list.as_bytes()).expect("a list").targets, targets, "{list:?}");
        }
    }

    #[test]
    fn a_list_has_its_limits() {
        let longest = "x".repeat(LINE_BYTES_MAX);
        for end in ["", "\n", "\r\n"] {
            let list = format!("{longest}{end}");
            assert_eq!(read(&["-"], list.as_bytes()).expect("a list").targets, [longest.as_str()]);
            for more in ["x", " ", " x"] {
                let why = read(&["-"], format!("a\n{longest}{more}{end}").as_bytes()).expect_err("too long");
                assert_eq!(why, "line 2 of the list has more than 8192 bytes", "{more:?}{end:?}");
            }
        }
        assert_eq!(read(&["-"], b"a\n\xff\n").expect_err("not text"), "line 2 of the list is not UTF-8");
        assert!(read(&["-"], "\n".repeat(LINES_MAX).as_bytes()).is_ok());
        let why = read(&["-"], "\n".repeat(LINES_MAX + 1).as_bytes()).expect_err("too many");
        assert_eq!(why, "the list has more than 1000000 lines");
    }

    #[test]
    fn data_is_a_text_a_file_or_standard_input_byte_for_byte() {
        let data = |line: &[&str], stdin| read(line, stdin).map(|input| input.data);
        assert_eq!(data(&["a.test", "--data", "a=b&c\n"], b""), Ok(b"a=b&c\n".to_vec()));
        assert_eq!(data(&["a.test", "--data", ""], b""), Ok(vec![]));
        assert_eq!(data(&["a.test", "--data", "@-"], b"\xff\r\n"), Ok(b"\xff\r\n".to_vec()));
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(&file, b"\0x").expect("it takes two bytes");
        let from_file = data(&["a.test", "--data", &format!("@{}", file.path().display())], b"");
        assert_eq!(from_file, Ok(b"\0x".to_vec()));
        let why = data(&["a.test", "--data", "@/no/such/file"], b"").expect_err("no file");
        assert!(why.starts_with("--data @/no/such/file: No such file"), "{why}");
        let long = vec![b'x'; DATA_BYTES_MAX + 1];
        assert_eq!(data(&["a.test", "--data", "@-"], &long[1..]).map(|data| data.len()), Ok(DATA_BYTES_MAX));
        assert_eq!(data(&["a.test", "--data", "@-"], &long), Err("--data @-: more than 16777216 bytes".into()));
    }

    #[test]
    fn standard_input_is_read_once() {
        for line in [&["-", "a.test", "-"][..], &["-", "--data", "@-"]] {
            assert!(read(line, b"a.test\n").is_err_and(|why| why.contains("once only")), "{line:?}");
        }
    }

    /// Input that cannot be read.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("torn"))
        }
    }

    #[test]
    fn input_that_breaks_is_named() {
        let read = |line: &[&str]| Input::read(&args(line), io::BufReader::new(Broken)).expect_err("it is broken");
        assert_eq!(read(&["-"]), "the list on standard input: torn");
        assert_eq!(read(&["a.test", "--data", "@-"]), "--data @-: torn");
    }
}

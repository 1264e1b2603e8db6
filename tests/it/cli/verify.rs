//! `squall verify` as it is run by people: files, standard input, exit codes.

use super::run;
use crate::support::Dir;
use crate::support::child::PROGRAM;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

const CLIENT: &str = r#"{"event":"connected","client":"c1","user":"ann"}
{"event":"welcome","client":"c1","position":"0.0","resumed":false,"history":[]}
{"event":"sent","client":"c1","nonce":"n1","text":"hi"}
{"event":"acked","client":"c1","nonce":"n1","id":1}
{"event":"saw","client":"c1","entry":{"type":"message","id":1,"tag":"0a1b2c3d","from":"ann","text":"hi"}}
"#;
const READER: &str = r#"{"event":"final","entries":[{"type":"message","id":1,"tag":"0a1b2c3d","from":"ann","text":"hi"}]}
"#;

/// Runs the command on files with these texts.
fn verify(texts: &[&str], flags: &[&str]) -> (Option<i32>, String, String) {
    let dir = Dir::new();
    let names: Vec<String> = (0..texts.len()).map(|n| format!("{n}.jsonl")).collect();
    names.iter().zip(texts).for_each(|(name, text)| dir.write(name, text));
    let paths: Vec<String> = names.iter().map(|name| dir.path().join(name).to_string_lossy().into_owned()).collect();
    let args = ["verify"].into_iter().chain(flags.iter().copied()).chain(paths.iter().map(String::as_str));
    let (code, stdout, stderr) = run(&args.collect::<Vec<_>>());
    let folder = format!("{}/", dir.arg());
    (code, stdout.replace(&folder, ""), stderr.replace(&folder, ""))
}

#[test]
fn sound_journals_end_with_0() {
    let counts = "rooms 1, clients 1, sent 1, acknowledged 1, shown 1, gaps 0, final 1: no anomaly\n";
    assert_eq!(verify(&[CLIENT, READER], &[]), (Some(0), counts.into(), String::new()));
    assert_eq!(verify(&[&[READER, CLIENT].concat()], &[]).0, Some(0));
}

/// The journal in the document.
#[test]
fn the_documented_journal_is_sound() {
    let document = include_str!("../../../src/doc/verify.md");
    let journal = document.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a journal");
    assert!(journal.lines().count() > 5);
    let (code, stdout, stderr) = verify(&[journal], &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
}

/// Each kind of anomaly is in the table of the document.
#[test]
fn every_kind_of_anomaly_is_documented() {
    let (_, stdout, _) = verify(&[CLIENT, READER], &["--json"]);
    let counts: Value = serde_json::from_str(&stdout).expect("one object");
    let kinds: Vec<&String> = counts["anomalies"].as_object().expect("an object").keys().collect();
    assert_eq!(kinds.len(), 12);
    let document = include_str!("../../../src/doc/verify.md");
    assert!(kinds.iter().all(|kind| document.contains(&format!("\n| `{kind}` | "))), "{kinds:?}");
}

#[test]
fn anomalies_end_with_1() {
    let (code, stdout, stderr) = verify(&[CLIENT, &READER.replace("\"hi\"", "\"ho\"")], &[]);
    let lines = "0.jsonl:4: disagree: room lobby, id 1, c1: acknowledged and shown with another text than in the final \
                 history (1.jsonl:1)\n\
                 1.jsonl:1: phantom: room lobby, id 1: in the final history, and sent by no client\n\
                 rooms 1, clients 1, sent 1, acknowledged 1, shown 1, gaps 0, final 1: 2 anomalies: 1 disagree, 1 phantom\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(1), lines, ""));
}

#[test]
fn a_program_can_read_the_verdict() {
    let (code, stdout, _) = verify(&[CLIENT, r#"{"event":"final","entries":[]}"#], &["--json"]);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((code, lines.len()), (Some(1), 2));
    let expected = r#"{"anomaly":"lost","room":"lobby","id":1,"clients":["c1"],"at":{"file":"0.jsonl","line":4},"other":null,
                       "text":"acknowledged and shown, and not in the final history"}"#;
    let mut lost = lines[0].clone();
    let name = lost["at"]["file"].as_str().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
    lost["at"]["file"] = name.into();
    assert_eq!(lost, serde_json::from_str::<Value>(expected).expect("JSON"));
    assert_eq!((lines[1]["anomalies"]["lost"].as_u64(), lines[1]["anomalies"]["hole"].as_u64()), (Some(1), Some(0)));
}

#[test]
fn a_journal_that_cannot_be_read_ends_with_2() {
    for (texts, why) in [
        (vec![CLIENT, "{"], "1.jsonl:1: this is not JSON: EOF while parsing an object, at byte 1"),
        (vec![CLIENT], "room lobby: no journal has the final history"),
        (vec![""], "the journals are empty"),
        (vec!["\u{0}\u{0}"], "0.jsonl:1: this is not JSON: expected value, at byte 1"),
    ] {
        let (code, stdout, stderr) = verify(&texts, &[]);
        assert_eq!((code, stdout.as_str(), stderr), (Some(2), "", format!("squall verify: {why}\n")), "{texts:?}");
    }
    let (code, _, stderr) = run(&["verify", "/none/such"]);
    assert!(code == Some(2) && stderr.starts_with("squall verify: /none/such: No such file"), "{stderr}");
    let (code, _, stderr) = run(&["verify", "/"]);
    assert!(code == Some(2) && stderr.starts_with("squall verify: /:1: Is a directory"), "{stderr}");
    assert_eq!(run(&["verify"]).0, Some(2));
}

#[test]
fn a_journal_may_come_on_standard_input() {
    let mut command = Command::new(PROGRAM);
    command.args(["verify", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("a pipe").write_all([CLIENT, READER].concat().as_bytes()).expect("it reads");
    assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(0));
}

#[test]
fn a_reader_of_the_verdict_may_leave() {
    let dir = Dir::new();
    dir.write("j", [CLIENT, "{\"event\":\"final\",\"entries\":[]}"].concat());
    let mut command = Command::new(PROGRAM);
    command.arg("verify").arg(dir.path().join("j")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), ended.stderr), (Some(1), vec![]));
}

//! `squall bench`: the files of a run, its conditions, and the comparison of two.

use super::run;
use crate::support::{Dir, Site};
use serde_json::Value;
use squall::config::Limits;
use std::fs;

#[test]
fn wrong_output_flags_give_one_line_and_code_22() {
    let url = "http://127.0.0.1:9/";
    for (args, says) in [
        (vec!["--fail-if", "p99", url], "expected a name, one of > >= < <="),
        (vec!["--fail-if", "p99>20", url], "p99 is a time: expected a unit"),
        (vec!["--fail-if", "p999>20ms", url], "p999 is no percentile"),
        (vec!["--fail-if", "rate<5%", url], "rate is a number a second"),
        (vec!["--fail-if", "foo>1", url], "--fail-if foo>1: there is no figure foo; there are min, mean, max, "),
        (vec!["--fail-if", "reach<1", "--ws", "echo", "ws://127.0.0.1:9/"], "there is no figure reach; there are "),
        (vec!["--fail-if", "server_cpu_us>1", url], "there is no figure server_cpu_us; there are "),
        (vec!["--ci", "gitlab=a", url], "expected k6=FILE, benchmark-action=FILE or bencher=FILE"),
        (vec!["--ci", "k6", url], "expected k6=FILE"),
        (vec!["--json", "-", "--plot", "-", url], "--plot -: another flag writes there, too"),
        (vec!["--json", "/none/such/a.json", url], "--json /none/such/a.json: No such file"),
        (vec!["--hlog", "/", url], "--hlog /"),
        (vec!["--hlog", "/none/such/x", url], "--hlog /none/such/x: No such file"),
        (vec!["-g", "/none/such/x", url], "-g /none/such/x: No such file"),
        (vec!["-e", "/none/such/x", url], "-e /none/such/x: No such file"),
        (vec!["-g", "/tmp/x", "-e", "/tmp/x", url], "-e /tmp/x: another flag writes there, too"),
        (vec!["--compare", "a.json"], "2 values required"),
        (vec!["--compare", "/none/a", "/none/b"], "--compare /none/a: No such file"),
        (vec!["--compare", "a.json", "b.json", url], "cannot be used with"),
    ] {
        let (code, stdout, stderr) = run(&[&["bench"], &args[..]].concat());
        assert_eq!((code, stdout.as_str()), (Some(22), ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("squall bench: ") && stderr.contains(says), "{args:?}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
    }
}

#[test]
fn a_run_writes_each_file_that_is_asked_for() {
    let (site, dir) = (Site::start(Limits::default(), &[]), Dir::new());
    let url = format!("http://{}/plaintext", site.address);
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let [k6, action, bencher] =
        ["k6", "benchmark-action", "bencher"].map(|format| format!("{format}={}", path(format)));
    let files = ["json", "junit", "hdr", "hlog", "plot"].map(|flag| (format!("--{flag}"), path(flag)));
    let mut args = vec!["bench", "-q", "-k", "-n", "200", "-c", "4", "--ci", &k6, "--ci", &action, "--ci", &bencher];
    files.iter().for_each(|(flag, path)| args.extend([flag.as_str(), path.as_str()]));
    args.push(&url);
    let (code, stdout, stderr) = run(&args);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("Complete requests:      200\n"), "{stdout}");
    let read = |name: &str| fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let json = |name: &str| serde_json::from_str::<Value>(&read(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let written = json("json");
    assert_eq!((written["schema"].as_str(), written["url"].as_str()), (Some("squall-bench/1"), Some(url.as_str())));
    assert_eq!((written["succeeded"].as_u64(), written["connections"].as_u64()), (Some(200), Some(4)));
    assert_eq!((written["statuses"]["200"].as_u64(), written["waiting_us"]["count"].as_u64()), (Some(200), Some(200)));
    assert_eq!(json("k6").pointer("/metrics/http_reqs/count").and_then(Value::as_u64), Some(200));
    assert!(json("benchmark-action").as_array().is_some_and(|list| list.len() == 6));
    assert!(json("bencher")[&url]["throughput"]["value"].as_f64().is_some_and(|rate| rate > 0.0));
    assert!(read("junit").contains("<testsuite name=\"squall bench\" tests=\"1\" failures=\"0\""));
    assert!(read("hdr").contains("Total count    =          200]"), "{}", read("hdr"));
    assert!(read("hlog").lines().any(|line| line.starts_with("0.000,")), "{}", read("hlog"));
    assert!(read("plot").starts_with("<svg ") && read("plot").ends_with("</svg>\n"));
}

#[test]
fn every_second_of_a_schedule_is_written() {
    let (site, dir) = (Site::start(Limits::default(), &[]), Dir::new());
    let url = format!("http://{}/plaintext", site.address);
    let [json, log] = ["json", "hlog"].map(|name| dir.path().join(name).to_string_lossy().into_owned());
    let load = ["bench", "-q", "-k", "--rate", "50", "--duration", "1.3"];
    let (code, _, stderr) =
        run(&[&load[..], &["--json", &json, "--hlog", &log, "--fail-if", "late_p99>1s", &url]].concat());
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let written: Value = serde_json::from_str(&fs::read_to_string(json).expect("a file")).expect("JSON");
    assert_eq!(written["schedule"]["rate"].as_f64(), Some(50.0));
    let intervals = written["intervals"].as_array().expect("intervals");
    let counted: u64 = intervals.iter().filter_map(|interval| interval["succeeded"].as_u64()).sum();
    assert_eq!((intervals.len(), Some(counted)), (2, written["succeeded"].as_u64()), "{written}");
    let log = fs::read_to_string(log).expect("a file");
    let begins: Vec<&str> =
        log.lines().filter(|line| line.contains("HISTF")).filter_map(|line| line.get(..12)).collect();
    assert!(begins.len() == 2 && begins[0] == "0.000,1.000," && begins[1].starts_with("1.000,0."), "{log}");
}

#[test]
fn a_file_on_standard_output_stands_there_alone() {
    let site = Site::start(Limits::default(), &[]);
    let url = format!("http://{}/plaintext", site.address);
    let (code, stdout, stderr) = run(&["bench", "-q", "-n", "20", "--json", "-", &url]);
    assert_eq!(code, Some(0), "{stderr}");
    let json: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout}"));
    assert_eq!(json.pointer("/metrics/success_rate").and_then(Value::as_f64), Some(1.0));
    assert!(stderr.contains("Complete requests:      20\n"), "{stderr}");
}

#[test]
fn a_condition_that_holds_ends_with_code_3() {
    let (site, dir) = (Site::start(Limits::default(), &[]), Dir::new());
    let url = format!("http://{}/plaintext", site.address);
    let junit = dir.path().join("junit").to_string_lossy().into_owned();
    let conditions = ["--fail-if", "p50>1us", "--fail-if", "errors>0.1%", "--fail-if", "requests<21"];
    let (code, stdout, stderr) =
        run(&[&["bench", "-q", "-n", "20", "--junit", &junit], &conditions[..], &[&url]].concat());
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stdout.contains("Complete requests:      20\n"), "{stdout}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("fail-if p50>1us: p50 is "), "{stderr}");
    assert_eq!(lines[1], "fail-if requests<21: requests is 20");
    let junit = fs::read_to_string(junit).expect("a file");
    assert!(junit.contains("tests=\"3\" failures=\"2\"") && junit.contains("name=\"errors&gt;0.1%\""), "{junit}");
    let (code, _, stderr) = run(&["bench", "-q", "-n", "20", "--fail-if", "p50>1h", &url]);
    assert_eq!(code, Some(22), "{stderr}");
    let (code, _, stderr) = run(&["bench", "-q", "-n", "20", "--fail-if", "p50>10s", &url]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn two_runs_are_compared_without_a_server() {
    let (site, dir) = (Site::start(Limits::default(), &[]), Dir::new());
    let url = format!("http://{}/plaintext", site.address);
    let [old, new] = ["old", "new"].map(|name| dir.path().join(name).to_string_lossy().into_owned());
    for (path, connections) in [(&old, "1"), (&new, "2")] {
        let (code, _, stderr) = run(&["bench", "-q", "-n", "50", "-c", connections, "--json", path, &url]);
        assert_eq!(code, Some(0), "{stderr}");
    }
    let (code, stdout, stderr) = run(&["bench", "--compare", &old, &new]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let first: Vec<&str> = stdout.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(first[..8], ["old", "rate", "p50", "p90", "p99", "p99.9", "errors", "client"], "{stdout}");
    assert!(stdout.contains("note: the runs differ: connections 1 and 2\n"), "{stdout}");
}

//! The flags of `squall fetch`.
//!
//! A meaningless flag is refused here, with a sentence and exit code 2. `cli::fetch` reads the list on standard input
//! and `--data @FILE`.

use super::numbers::{at_least_one, count, parse_bytes, parse_seconds};
use crate::http::exchange::OURS;
use crate::http::words::is_token;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `squall fetch`.
#[derive(Args, Debug, Clone)]
pub struct FetchArgs {
    /// Hosts (http://HOST/ is fetched) or URLs; - is a list of them on standard input, one a line, where lines that
    /// begin with # are comments
    #[arg(required = true, value_name = "HOST|URL|-")]
    pub targets: Vec<String>,
    /// Targets under way at once; the next one starts when one ends
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one())]
    pub concurrency: usize,
    /// One target after the other, for the contrast: the same as --concurrency 1
    #[arg(long, conflicts_with = "concurrency")]
    pub sequential: bool,
    /// Seconds that a target may take from its own start, redirects included; fractions allowed
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = |text: &str| parse_seconds(text, 0.001))]
    pub max_time: Duration,
    /// Method of the request [default: GET, or POST with --data]
    #[arg(long, value_name = "METHOD", value_parser = parse_method)]
    pub method: Option<String>,
    /// Body of the request: TEXT, the bytes of FILE, or with @- those of standard input
    #[arg(long, value_name = "TEXT|@FILE", allow_hyphen_values = true)]
    pub data: Option<String>,
    /// Field of the request, in place of our own of that name; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_field)]
    pub headers: Vec<(String, String)>,
    /// Redirects that are followed; 0 shows the redirect itself
    #[arg(long, value_name = "N", default_value = "5", value_parser = parse_redirects)]
    pub redirects: u8,
    /// Let redirects from public sites lead to private and loopback addresses
    #[arg(long)]
    pub allow_private: bool,
    /// Print the bodies too, each behind its head
    #[arg(long)]
    pub body: bool,
    /// Write each body to a file of its own in DIR, under a name that ends in .part until it is whole
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Bytes of one body, inflated, with --body and --output; K, M and G behind the number are KiB, MiB and GiB; a
    /// longer one is a failure
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = parse_bytes)]
    pub body_max: usize,
    /// Count a status of 400 or more as a failure
    #[arg(long)]
    pub fail: bool,
    /// Print one JSON object a line and target, failures included
    #[arg(long)]
    pub json: bool,
    /// Certificates (PEM) to trust besides the built-in ones
    #[arg(long, env = "SQUALL_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

fn parse_redirects(text: &str) -> Result<u8, String> {
    count(0..=u8::MAX.into())(text).map(|n| n as u8)
}

fn parse_method(text: &str) -> Result<String, String> {
    match text {
        "CONNECT" => Err("CONNECT asks for a tunnel, not for a response".into()),
        _ if is_token(text) => Ok(text.to_owned()),
        _ => Err("expected one word, such as GET or DELETE".into()),
    }
}

fn parse_field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE, such as Accept: text/html")?;
    let value = value.trim_matches([' ', '\t']);
    if !is_token(name) {
        return Err(format!("{name:?} is not the name of a field"));
    }
    if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
        return Err(format!("{name} is for squall to decide: it says where the request ends and what comes back"));
    }
    if value.contains(|c: char| c.is_ascii_control() && c != '\t') {
        return Err(format!("the value of {name} has a control character in it"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Cli, Command};
    use clap::{CommandFactory, Parser};

    fn parse(args: &[&str]) -> Result<FetchArgs, String> {
        let line = ["squall", "fetch"].iter().chain(args);
        match Cli::try_parse_from(line).map_err(|e| e.to_string())?.command {
            Some(Command::Fetch(args)) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_defaults_fetch_at_once_and_keep_nothing() {
        let args = parse(&["a.test", "-"]).expect("a command");
        assert_eq!(args.targets, ["a.test", "-"]);
        assert_eq!((args.concurrency, args.sequential, args.redirects), (100, false, 5));
        assert_eq!((args.max_time, args.body_max), (Duration::from_secs(20), 64 << 20));
        assert_eq!(
            (args.method, args.data, args.headers.len(), args.output, args.ca_file),
            (None, None, 0, None, None)
        );
        assert!(!args.body && !args.fail && !args.json && !args.allow_private);
    }

    #[test]
    fn flags_have_one_sentence_and_none_turns_off_verification() {
        let cli = Cli::command();
        let fetch = cli.find_subcommand("fetch").expect("there is fetch");
        for flag in fetch.get_arguments() {
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty() && !help.contains(". "), "{}: {help}", flag.get_id());
            assert_ne!(flag.get_long(), Some("insecure"));
        }
        assert!(parse(&["--insecure", "a.test"]).is_err());
    }

    #[test]
    fn fields_are_parsed_and_repeat() {
        let args = parse(&["-H", "X-A: b: c ", "--header", "Accept:", "-Hx:\ty", "a.test"]).expect("a command");
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(args.headers, [field("X-A", "b: c"), field("Accept", ""), field("x", "y")]);
    }

    #[test]
    fn meaningless_arguments_are_refused_with_a_reason() {
        for (args, why) in [
            (&["-H", "no colon"][..], "expected NAME: VALUE"),
            (&["-H", ": x"], "not the name of a field"),
            (&["-H", "a b: x"], "not the name of a field"),
            (&["-H", "X: a\r\nY: b"], "control character"),
            (&["-H", "content-length: 1"], "for squall to decide"),
            (&["-H", "Transfer-Encoding: chunked"], "for squall to decide"),
            (&["-H", "Connection: close"], "for squall to decide"),
            (&["-H", "Expect: 100-continue"], "for squall to decide"),
            (&["-H", "Upgrade: websocket"], "for squall to decide"),
            (&["--method", "GET /x"], "expected one word"),
            (&["--method", ""], "expected one word"),
            (&["--method", "CONNECT"], "a tunnel"),
            (&["--max-time", "0"], "expected seconds"),
            (&["--max-time", "soon"], "expected seconds"),
            (&["--concurrency", "0"], "--concurrency"),
            (&["--sequential", "--concurrency", "2"], "cannot be used with"),
            (&["--redirects", "256"], "--redirects"),
            (&["--body-max", "0"], "--body-max"),
        ] {
            let refused = parse(&[args, &["a.test"]].concat());
            assert!(refused.as_ref().is_err_and(|e| e.contains(why)), "{args:?}: {refused:?}");
        }
        assert!(parse(&["--json"]).is_err_and(|e| e.contains("HOST|URL|-")), "there must be a target");
    }
}

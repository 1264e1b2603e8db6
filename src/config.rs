//! Every flag: unit, default, reason. The limits of the program are in `config/limits.rs`.
//!
//! [`Limits`] are the bounds of the program; tests inject small ones. [`Cli`] is the command line (clap). Each flag of
//! the server is also an environment variable `SQUALL_*`: lists are separated by commas, flags without a value are 1 or
//! 0, true or false, yes or no, on or off. A blank one counts as unset.

mod addresses;
#[cfg(feature = "bench")]
pub mod bench_args;
mod chat_args;
mod cookie_args;
mod fetch_args;
mod history_args;
#[cfg(feature = "history")]
mod history_tools_args;
mod limits;
mod numbers;
mod operator_args;
mod origin;
mod variables;
mod verify_args;

#[cfg(feature = "bench")]
pub use bench_args::{BenchArgs, Model, ModelArgs, ModelsFlags};
pub use chat_args::{ChatArgs, FixedRooms};
pub use cookie_args::CookieArgs;
pub use fetch_args::FetchArgs;
pub use history_args::{History, HistoryArgs};
#[cfg(feature = "history")]
pub use history_args::{HistoryKeep, HistorySync};
#[cfg(feature = "history")]
pub use history_tools_args::{
    BackupArgs, CheckArgs, DataDir, ExportArgs, ForgetArgs, HistoryTool, HistoryToolsArgs, ImportArgs,
};
pub use limits::Limits;
pub use operator_args::OperatorArgs;
pub use origin::parse_origin;
pub use variables::is_blank;
pub use verify_args::VerifyArgs;

use crate::address::Network;
use addresses::{parse_address, parse_network};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use numbers::{at_least_one, count, parse_bytes, parse_seconds};
use std::ffi::{OsStr, OsString};
#[cfg(feature = "bench")]
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::{ParseError, Position, Url};

/// The command line.
#[derive(Parser, Debug)]
#[command(
    name = "squall",
    version,
    about = "A chat and search server on one event loop",
    long_about = "A chat and search server on one event loop: pages, a WebSocket room, a relayed search. \
                  `squall` alone is `squall serve`.",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: Serve,
}

impl Cli {
    /// Parses the command line of this program; a wrong one ends it with code 2.
    ///
    /// With a subcommand the server's variables are ignored: it reads its own, and clap would report a wrong one of the
    /// server with any command.
    pub fn read() -> Cli {
        let (named, words) = (Cli::command().mut_args(|flag| flag.env(None::<&str>)), words());
        let line = match without_blank(named).try_get_matches_from(&words) {
            Ok(line) if line.subcommand_name().is_some() => line,
            // Help names the blank ones, too.
            Err(e) if !e.use_stderr() => Cli::command().get_matches_from(&words),
            #[cfg(feature = "bench")]
            Err(e) if words.get(1).is_some_and(|word| word == "bench") => end_bench_with(&e),
            _ => without_blank(Cli::command()).try_get_matches_from(&words).unwrap_or_else(|e| end_with(&e)),
        };
        Cli::from_arg_matches(&line).unwrap_or_else(|e| e.exit())
    }

    /// A sentence for each unknown variable with our prefix, with the nearest known one.
    pub fn unknown_variables() -> Vec<String> {
        variables::unknown(&variables::known(&Cli::command()), &std::env::vars_os().collect::<Vec<_>>())
    }
}

/// The words of the command line. Called by the name of `ab`, this program is `squall bench`.
fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.first().and_then(|name| Path::new(name).file_name()).is_some_and(|name| name == "ab") {
        words.insert(1, "bench".into());
    }
    words
}

/// Ends the program with code 22, as `ab` does, and one line.
#[cfg(feature = "bench")]
fn end_bench_with(error: &clap::Error) -> ! {
    let text = error.to_string();
    // What is wrong is the first paragraph; it may quote a value that has line ends.
    let why = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    // Nothing is left to do if standard error is closed.
    let _ = writeln!(std::io::stderr(), "squall bench: {why}; squall bench --help lists the flags");
    std::process::exit(i32::from(BenchArgs::USAGE))
}

/// Whether a variable is set to white space.
fn is_blank_variable(name: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| is_blank(&value))
}

fn without_blank(command: clap::Command) -> clap::Command {
    variables::without(command, is_blank_variable)
}

/// Ends the program with code 2. The error names a flag; if no flag is wrong, the set variables are named, too.
fn end_with(error: &clap::Error) -> ! {
    // Nothing is left to do if standard error is closed.
    let _ = error.print();
    if variables::without(Cli::command(), |_| true).try_get_matches().is_ok() {
        let is_set = |name: &String| std::env::var_os(name).is_some_and(|value| !is_blank(&value));
        let set: Vec<String> = variables::known(&Cli::command()).into_iter().filter(is_set).collect();
        eprintln!("\nThe flags alone are sound: one of these variables is wrong: {}", set.join(", "));
    }
    std::process::exit(2)
}

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve pages, chat and search (the default)
    Serve(Box<Serve>),
    /// Fetch many hosts or URLs at once and print their status lines and headers as they come
    Fetch(Box<FetchArgs>),
    /// Judge a chat by the journals of its clients: nothing lost, doubled or out of order
    Verify(VerifyArgs),
    /// Print a login cookie for a script, signed with the server's secret
    Cookie(CookieArgs),
    /// Ask for an operator's password and print the line for --operators-file
    Operator(OperatorArgs),
    #[cfg(feature = "history")]
    /// Export, back up, check and change the history of the rooms, while a server runs or without one
    History(HistoryToolsArgs),
    #[cfg(feature = "bench")]
    /// Load an HTTP server and report its rate and times, with the options of ab
    Bench(Box<BenchArgs>),
    #[cfg(feature = "bench")]
    /// One of the server models that `squall bench --models` measures
    #[command(hide = true)]
    Model(ModelArgs),
}

/// The default search site.
#[cfg(feature = "tls")]
const SEARCH_URL: &str = "https://www.baidu.com/s?ie=utf-8&wd={}";
/// The same without https.
#[cfg(not(feature = "tls"))]
const SEARCH_URL: &str = "http://www.baidu.com/s?ie=utf-8&wd={}";

/// Descriptors that the program needs besides connections: files of `--www`, logs, the poll, listeners.
const OTHER_FILES: usize = 64;

/// Whether the login cookie is marked Secure.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieSecure {
    /// On TLS listeners only
    Auto,
    /// Always: for a server behind a TLS proxy
    Always,
}

/// Flags of `squall serve`.
#[derive(Args, Debug, Clone)]
pub struct Serve {
    /// Address to listen on, or a name, which stands for its first address; repeatable, port 0 lets the kernel choose
    #[arg(long, env = "SQUALL_LISTEN", value_name = "ADDR:PORT", value_delimiter = ',', value_parser = parse_address,
          default_value = "127.0.0.1:8888")]
    pub listen: Vec<SocketAddr>,
    /// Where the generated cookie secret is kept
    #[arg(long, env = "SQUALL_DATA_DIR", value_name = "DIR", default_value = "./squall-data")]
    pub data_dir: PathBuf,
    /// Key of the login cookie: the file's bytes, 16 or more, without one trailing line end [default:
    /// DATA_DIR/cookie-secret, made at the first start]
    #[arg(long, env = "SQUALL_COOKIE_SECRET_FILE", value_name = "FILE")]
    pub cookie_secret_file: Option<PathBuf>,
    /// Mark the login cookie Secure
    #[arg(long, env = "SQUALL_COOKIE_SECURE", value_enum, default_value = "auto")]
    pub cookie_secure: CookieSecure,
    /// Network of the proxies in front, whose X-Forwarded-For says from which address a request is; repeatable
    #[arg(long, env = "SQUALL_TRUSTED_PROXY", value_name = "ADDRESS[/PREFIX]", value_delimiter = ',',
          value_parser = parse_network)]
    pub trusted_proxy: Vec<Network>,
    /// Origin, of any scheme, that may open WebSockets and post forms besides the server's own; repeatable. Browsers
    /// send the login cookie along from the same site only (SameSite=Lax)
    #[arg(long, env = "SQUALL_ALLOW_ORIGIN", value_name = "SCHEME://HOST[:PORT]", value_delimiter = ',',
          value_parser = parse_origin)]
    pub allow_origin: Vec<String>,
    /// Directory whose `static` and `pages` overlay the built-in ones; files of its `.well-known/acme-challenge` are
    /// served, too
    #[arg(long, env = "SQUALL_WWW", value_name = "DIR")]
    pub www: Option<PathBuf>,
    /// The search site; {} in its path or query is where the words go
    #[arg(
        long,
        env = "SQUALL_SEARCH_URL",
        value_name = "URL",
        default_value = SEARCH_URL,
        value_parser = parse_template
    )]
    pub search_url: String,
    /// Searches fetched at once; others wait in a queue
    #[arg(long, env = "SQUALL_SEARCH_MAX", value_name = "N", default_value = "256", value_parser = at_least_one())]
    pub search_max: usize,
    /// Connections to search sites kept for the next search; 0 makes a connection each
    #[arg(long, env = "SQUALL_UPSTREAM_IDLE", value_name = "N", default_value = "64",
          value_parser = count(0..=1_000_000))]
    pub upstream_idle: usize,
    /// Certificates (PEM) of authorities to trust besides the built-in ones when a search goes over https
    #[arg(long, env = "SQUALL_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Let redirects of a search lead to private and loopback addresses
    #[arg(long, env = "SQUALL_ALLOW_PRIVATE", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub allow_private: bool,
    /// Bytes of unfinished input and unsent output of all connections together; K, M and G behind the number
    /// are KiB, MiB and GiB
    #[arg(long, env = "SQUALL_BUFFER_MAX", value_name = "BYTES", default_value = "256M", value_parser = parse_bytes)]
    pub buffer_max: usize,
    /// Connections at once [default: the limit of open files less --search-max,
    /// --upstream-idle and 64, at least half of it]
    #[arg(long, env = "SQUALL_MAX_CONNECTIONS", value_name = "N", value_parser = at_least_one())]
    pub max_connections: Option<usize>,
    /// Certificate chain (PEM); with --tls-key every --listen serves https and wss, and SIGHUP reads both again
    #[arg(long, env = "SQUALL_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate (PEM)
    #[arg(long, env = "SQUALL_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Address that redirects plain http to https; besides it serves only the ACME challenges of --www
    #[arg(long, env = "SQUALL_REDIRECT_HTTP", value_name = "ADDR:PORT", value_parser = parse_address,
          requires = "tls_cert")]
    pub redirect_http: Option<SocketAddr>,
    /// Seconds that a kept-alive connection may idle, 1 or more
    #[arg(long, env = "SQUALL_KEEP_ALIVE", value_name = "SECONDS", default_value = "15",
          value_parser = |text: &str| parse_seconds(text, 1.0))]
    pub keep_alive: Duration,
    /// Seconds that what is under way may take after SIGTERM or SIGINT
    #[arg(long, env = "SQUALL_DRAIN", value_name = "SECONDS", default_value = "10",
          value_parser = |text: &str| parse_seconds(text, 0.0))]
    pub drain: Duration,
    /// Log every response in the combined format; - is standard error; SIGHUP and SIGUSR1 open the file again
    #[arg(long, env = "SQUALL_ACCESS_LOG", value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// Add /search-sync and /block, which do their work on the loop, so that every other client waits
    #[arg(long, env = "SQUALL_LAB", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub lab: bool,
    #[command(flatten)]
    pub chat: ChatArgs,
    #[command(flatten)]
    pub history: HistoryArgs,
}

impl Serve {
    /// The limits with the values of the flags.
    pub fn apply_to(&self, limits: Limits) -> Limits {
        let limits = self.chat.apply_to(limits);
        Limits {
            fetches_max: self.search_max,
            origin_fetches_max: self.search_max,
            upstreams_kept_max: self.upstream_idle,
            buffer_bytes_max: self.buffer_max,
            connections_max: self.max_connections.unwrap_or(limits.connections_max),
            idle_for: self.keep_alive,
            drain_within: self.drain,
            ..limits
        }
    }

    /// The number of connections for `open_files` descriptors: all but those that searches and the program itself need,
    /// and at least half.
    pub fn connections_for(&self, open_files: u64) -> usize {
        let open_files = usize::try_from(open_files).unwrap_or(usize::MAX);
        let others = self.search_max.saturating_add(self.upstream_idle).saturating_add(OTHER_FILES);
        open_files.saturating_sub(others).max(open_files / 2).max(1)
    }

    /// A sentence, if the flags need more than `open_files` descriptors.
    pub fn shortage_of(&self, open_files: u64) -> Option<String> {
        let enough = self.connections_for(open_files);
        if let Some(asked) = self.max_connections.filter(|&asked| asked > enough) {
            return Some(format!(
                "--max-connections {asked}: with a limit of {open_files} open files there is room for {enough} beside \
                 --search-max and --upstream-idle; raise the limit (ulimit -n, LimitNOFILE=)"
            ));
        }
        let searches = [("--search-max", self.search_max), ("--upstream-idle", self.upstream_idle)];
        let (flag, most) = searches.into_iter().find(|&(_, most)| most as u64 > open_files)?;
        Some(format!("{flag} {most}: the limit of open files is {open_files}; raise it (ulimit -n, LimitNOFILE=)"))
    }
}

/// Checks the template of a search site: an http or https URL with one `{}` in its path or query, so that a user's
/// words never choose the host.
///
/// # Errors
/// A sentence with the problem.
pub fn parse_template(text: &str) -> Result<String, String> {
    match text.matches("{}").count() {
        1 => {}
        n => return Err(format!("expected exactly one {{}} where the words go, found {n}")),
    }
    let filled = |words| match Url::parse(&text.replace("{}", words)) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) => Ok(url),
        Ok(_) | Err(ParseError::RelativeUrlWithoutBase) => {
            Err("expected a URL that begins with http:// or https://".to_owned())
        }
        Err(e) => Err(format!("expected a URL: {e}")),
    };
    // The words are in the part that they change. They are digits, which a port accepts, too.
    let (one, two) = (filled("1")?, filled("2")?);
    if one[..Position::BeforePath] != two[..Position::BeforePath] {
        return Err("the {} stands in the host or before it: words go into the path or the query".into());
    }
    if one[..Position::AfterQuery] == two[..Position::AfterQuery] {
        return Err("the {} stands behind #, and that is never sent: words go into the path or the query".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serve_is_the_default_command() {
        Cli::command().debug_assert();
        let cli = Cli::parse_from(["squall", "--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--search-max", "7"]);
        assert!(cli.command.is_none());
        assert_eq!((cli.serve.listen.len(), cli.serve.search_max), (2, 7));
        let named = Cli::parse_from(["squall", "serve", "--lab"]);
        assert!(matches!(named.command, Some(Command::Serve(serve)) if serve.lab));
    }

    #[test]
    fn every_server_flag_has_a_variable_and_a_help_text() {
        let cli = Cli::command();
        let serve = cli.find_subcommand("serve").expect("there is serve");
        for command in [&cli, serve] {
            let flags: Vec<_> = command.get_arguments().filter(|flag| !flag.is_global_set()).collect();
            assert!(flags.len() >= 16, "{} flags", flags.len());
            for flag in flags.iter().filter(|flag| !["help", "version"].contains(&flag.get_id().as_str())) {
                let name = flag.get_long().expect("a long name").replace('-', "_").to_uppercase();
                let variable = flag.get_env().and_then(|variable| variable.to_str());
                assert_eq!(variable, Some(format!("SQUALL_{name}").as_str()));
                assert!(flag.get_help().is_some_and(|help| !help.to_string().is_empty()), "{name}");
            }
        }
    }

    #[test]
    fn a_template_is_a_url_with_its_words_in_path_or_query() {
        for text in [
            "http://a/{}",
            "HTTP://A/?q={}",
            "Https://a/x/{}/y?z#w",
            "https:a/{}",
            "http://bücher.test/{}",
            "http://[::1]:8080/?{}",
        ] {
            assert_eq!(parse_template(text).as_deref(), Ok(text));
        }
        for (text, why) in [
            ("http://a/", "found 0"),
            ("http://a/{}?{}", "found 2"),
            ("a/{}", "begins with http:// or https://"),
            ("ftp://a/{}", "begins with http:// or https://"),
            ("localhost:80/{}", "begins with http:// or https://"),
            ("{}", "begins with http:// or https://"),
            ("http://{}/", "stands in the host"),
            ("http://{}.a.test/", "stands in the host"),
            ("http:///{}", "stands in the host"),
            ("http://[::{}]/", "stands in the host"),
            ("http://a:80{}/", "stands in the host"),
            ("http://{}@a/", "stands in the host"),
            ("http://a/#{}", "stands behind #"),
            ("http://[{}/", "invalid IPv6 address"),
            ("http://a:port/{}", "invalid port number"),
        ] {
            assert!(parse_template(text).is_err_and(|said| said.contains(why)), "{text}: {:?}", parse_template(text));
        }
    }

    #[test]
    fn connections_get_at_least_half_of_the_descriptors() {
        let Cli { mut serve, .. } = Cli::parse_from(["squall"]);
        assert_eq!(serve.connections_for(20_000), 20_000 - 256 - 64 - 64);
        assert_eq!(serve.connections_for(100), 50);
        serve.search_max = 19_000;
        assert_eq!(serve.connections_for(20_000), 10_000);
        serve.search_max = usize::MAX;
        assert_eq!(serve.connections_for(20_000), 10_000);
    }

    #[test]
    fn flags_that_need_more_than_the_open_files_are_named() {
        let short = |open_files: u64, flags: &[&str]| {
            let Cli { serve, .. } = Cli::parse_from(["squall"].iter().chain(flags));
            serve.shortage_of(open_files).and_then(|why| Some(why.split_whitespace().next()?.to_owned()))
        };
        assert_eq!(short(1024, &[]), None);
        assert_eq!(short(1024, &["--max-connections", "640"]), None);
        assert_eq!(short(1024, &["--max-connections", "641"]).as_deref(), Some("--max-connections"));
        assert_eq!(short(1024, &["--max-connections", "900", "--search-max", "60", "--upstream-idle", "0"]), None);
        assert_eq!(short(1024, &["--search-max", "1025"]).as_deref(), Some("--search-max"));
        assert_eq!(short(1024, &["--upstream-idle", "1025"]).as_deref(), Some("--upstream-idle"));
        assert_eq!(short(u64::MAX, &["--max-connections", "4294967295"]), None);
    }
}

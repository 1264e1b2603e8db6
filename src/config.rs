//! Every limit and every flag: unit, default, reason.
//!
//! [`Limits`] is what the machines obey; tests inject small ones. [`Cli`] is the command line (clap), and each flag of
//! the server is also an environment variable `SQUALL_*`: lists separated by commas, flags without a value as 1 or 0,
//! true or false, yes or no, on or off.

use clap::builder::{BoolishValueParser, RangedU64ValueParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// Bounds on memory, time and work. Every queue, state and loop of the program has its number here.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Request line, bytes; over it 414, before the head is complete.
    pub request_line_bytes_max: usize,
    /// Whole head, bytes; over it 431.
    pub head_bytes_max: usize,
    /// Header fields of one head; over it 431. The parser has slots for 100 at most.
    pub head_fields_max: usize,
    /// Empty lines before a request (RFC 9112 section 2.2), bytes; over it 400.
    pub blank_bytes_max: usize,
    /// Request body, bytes, transfer coding removed; over it 413.
    pub body_bytes_max: usize,
    /// A head must be whole so long after its first byte; else 408.
    pub head_within: Duration,
    /// A body must be whole so long after its head; else 408.
    pub body_within: Duration,
    /// A kept-alive connection may idle so long (`--keep-alive`).
    pub idle_for: Duration,
    /// The application must answer so soon where nothing else (a sleep, a fetch) has a deadline; else 503.
    pub answer_within: Duration,
    /// An answer must make progress so often, or its reader is given up.
    pub write_stall: Duration,

    /// A chat frame or assembled message, bytes; over it 1009.
    pub chat_message_bytes_max: usize,
    /// The text of a chat message, bytes of UTF-8; over it 1009.
    pub chat_text_bytes_max: usize,
    /// A message on `/echo`, bytes.
    pub echo_message_bytes_max: usize,
    /// Messages a second and member (`--message-rate`), 0 = no limit; over it 1008.
    pub message_rate: f64,
    /// Messages a member may send at once before the rate counts.
    pub message_burst: f64,
    /// The server pings so often.
    pub ping_every: Duration,
    /// A peer that has said nothing for so long is closed.
    pub silent_for: Duration,
    /// After our Close frame the peer's has so long to come; after a cut, so long until the reset.
    pub close_within: Duration,
    /// A member so many bytes behind its room is cut (`--lag-max`).
    pub lag_bytes_max: usize,

    /// All unfinished input and unsent output together, bytes (`--buffer-max`); whoever would cross it is closed.
    pub buffer_bytes_max: usize,
    /// Unsent output at which no more is read from that peer, bytes.
    pub high_water: usize,
    /// Connections at once; over it clients wait in the backlog (`--max-connections`).
    pub connections_max: usize,
    /// Accepts a turn: a burst of newcomers must not keep the others waiting.
    pub accepts_per_turn: usize,
    /// After EMFILE no edge comes, so accept is tried again so often.
    pub accept_retry: Duration,
    /// Bytes read from one connection in one slice.
    pub slice_bytes_max: usize,
    /// Steps of its protocol (a request, a frame, a piece of a body) in one slice.
    pub slice_steps_max: usize,
    /// What a closing connection may still send before it is dropped, bytes.
    pub discard_bytes_max: usize,
    /// How long it may do so.
    pub discard_for: Duration,
    /// Draining: what is under way may take so long (`--drain`).
    pub drain_within: Duration,

    /// Threads that read files.
    pub job_threads: usize,
    /// Files that may wait for a thread; over it 503.
    pub jobs_waiting_max: usize,
    /// Threads that look up names; apart from files, for a name may take many seconds.
    pub name_threads: usize,
    /// Names that may wait for a thread; over it 502.
    pub names_waiting_max: usize,
    /// Results of threads taken in one turn.
    pub results_per_turn: usize,
    /// A file of `--www`, bytes; over it 500. It is held in memory while it is sent.
    pub www_file_bytes_max: u64,

    /// Fetches at once (`--search-max`); others wait up to their deadline.
    pub fetches_max: usize,
    /// Fetches that may wait; over it 503.
    pub fetches_waiting_max: usize,
    /// Looking up a name may take so long, and then connecting as long again.
    pub connect_within: Duration,
    /// A search may take so long in all.
    pub search_within: Duration,
    /// Head of an upstream's answer, bytes; less than the loop's read buffer (64 KiB), in which it must lie whole.
    pub upstream_head_bytes_max: usize,
    /// Body of an upstream's answer, bytes, transfer coding removed.
    pub upstream_body_bytes_max: u64,
    /// Redirects a search follows.
    pub redirects_max: u8,

    /// Lines of the access log (3 KiB each at most) that may wait for the disk; over it they are dropped and counted.
    pub log_lines_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_line_bytes_max: 8 << 10,
            head_bytes_max: 16 << 10,
            head_fields_max: 100,
            blank_bytes_max: 1 << 10,
            body_bytes_max: 1 << 20,
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            idle_for: Duration::from_secs(15),
            answer_within: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            chat_message_bytes_max: 64 << 10,
            chat_text_bytes_max: 4096,
            echo_message_bytes_max: 16 << 20,
            message_rate: 10.0,
            message_burst: 20.0,
            ping_every: Duration::from_secs(30),
            silent_for: Duration::from_secs(75),
            close_within: Duration::from_secs(5),
            lag_bytes_max: 4 << 20,
            buffer_bytes_max: 256 << 20,
            high_water: 256 << 10,
            connections_max: 10_000,
            accepts_per_turn: 256,
            accept_retry: Duration::from_millis(100),
            slice_bytes_max: 256 << 10,
            slice_steps_max: 1024,
            discard_bytes_max: 8 << 20,
            discard_for: Duration::from_secs(2),
            drain_within: Duration::from_secs(10),
            job_threads: 4,
            jobs_waiting_max: 1024,
            name_threads: 8,
            names_waiting_max: 4096,
            results_per_turn: 64,
            www_file_bytes_max: 16 << 20,
            fetches_max: 256,
            fetches_waiting_max: 4096,
            connect_within: Duration::from_secs(5),
            search_within: Duration::from_secs(20),
            upstream_head_bytes_max: 32 << 10,
            upstream_body_bytes_max: 8 << 20,
            redirects_max: 5,
            log_lines_max: 16_384,
        }
    }
}

impl Limits {
    /// What a room may hold for readers who are behind, bytes: a lag that would fill all buffers is too much as well.
    pub fn feed_bytes_max(&self) -> usize {
        self.lag_bytes_max.min(self.buffer_bytes_max)
    }
}

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

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve pages, chat and search (the default)
    Serve(Box<Serve>),
    /// Fetch several hosts or URLs at once and print their status lines and headers as they come
    Fetch(FetchArgs),
}

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
    /// Address to listen on; repeatable, port 0 lets the kernel choose
    #[arg(long, env = "SQUALL_LISTEN", value_name = "ADDR:PORT", value_delimiter = ',', value_parser = parse_address,
          default_value = "127.0.0.1:8888")]
    pub listen: Vec<SocketAddr>,
    /// Where the generated cookie secret is kept
    #[arg(long, env = "SQUALL_DATA_DIR", value_name = "DIR", default_value = "./squall-data")]
    pub data_dir: PathBuf,
    /// Key of the login cookie: the file's bytes without one trailing line end [default: DATA_DIR/cookie-secret, made
    /// at the first start]
    #[arg(long, env = "SQUALL_COOKIE_SECRET_FILE", value_name = "FILE")]
    pub cookie_secret_file: Option<PathBuf>,
    /// Mark the login cookie Secure
    #[arg(long, env = "SQUALL_COOKIE_SECURE", value_enum, default_value = "auto")]
    pub cookie_secure: CookieSecure,
    /// Origin that may open WebSockets and post forms besides the server's own; repeatable
    #[arg(long, env = "SQUALL_ALLOW_ORIGIN", value_name = "SCHEME://HOST[:PORT]", value_delimiter = ',',
          value_parser = parse_origin)]
    pub allow_origin: Vec<String>,
    /// Directory whose `static` and `pages` overlay the built-in ones
    #[arg(long, env = "SQUALL_WWW", value_name = "DIR")]
    pub www: Option<PathBuf>,
    /// The search site; {} is where the words go
    #[arg(
        long,
        env = "SQUALL_SEARCH_URL",
        value_name = "URL",
        default_value = "http://www.baidu.com/s?ie=utf-8&wd={}",
        value_parser = parse_template
    )]
    pub search_url: String,
    /// Searches fetched at once; others wait in a queue
    #[arg(long, env = "SQUALL_SEARCH_MAX", value_name = "N", default_value = "256", value_parser = at_least_one())]
    pub search_max: usize,
    /// Let redirects of a search lead to private and loopback addresses
    #[arg(long, env = "SQUALL_ALLOW_PRIVATE", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub allow_private: bool,
    /// Chat messages a second and member; 0 is no limit
    #[arg(long, env = "SQUALL_MESSAGE_RATE", value_name = "N", default_value = "10", value_parser = parse_rate)]
    pub message_rate: f64,
    /// Bytes that a chat member may be behind its room before it is cut
    #[arg(long, env = "SQUALL_LAG_MAX", value_name = "BYTES", default_value = "4194304", value_parser = at_least_one())]
    pub lag_max: usize,
    /// Bytes of unfinished input and unsent output of all connections together
    #[arg(long, env = "SQUALL_BUFFER_MAX", value_name = "BYTES", default_value = "268435456",
          value_parser = at_least_one())]
    pub buffer_max: usize,
    /// Connections at once [default: the limit of open files less --search-max and 64, at least half of it]
    #[arg(long, env = "SQUALL_MAX_CONNECTIONS", value_name = "N", value_parser = at_least_one())]
    pub max_connections: Option<usize>,
    /// Seconds that a kept-alive connection may idle, 1 or more
    #[arg(long, env = "SQUALL_KEEP_ALIVE", value_name = "SECONDS", default_value = "15",
          value_parser = |text: &str| parse_seconds(text, 1.0))]
    pub keep_alive: Duration,
    /// Seconds that what is under way may take after SIGTERM or SIGINT
    #[arg(long, env = "SQUALL_DRAIN", value_name = "SECONDS", default_value = "10",
          value_parser = |text: &str| parse_seconds(text, 0.0))]
    pub drain: Duration,
    /// Log every answer in the combined format; - is standard error
    #[arg(long, env = "SQUALL_ACCESS_LOG", value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// Add /search-sync and /block, which do their work on the loop so that everybody waits
    #[arg(long, env = "SQUALL_LAB", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub lab: bool,
}

/// Arguments of `squall fetch`.
#[derive(Args, Debug, Clone)]
pub struct FetchArgs {
    /// Hosts (http://HOST/ is fetched) or http:// URLs
    #[arg(required = true, value_name = "HOST|URL")]
    pub targets: Vec<String>,
}

impl Serve {
    /// The limits with the flags put in; `connections_max` follows the limit of open files unless it is given.
    pub fn apply_to(&self, limits: Limits) -> Limits {
        Limits {
            fetches_max: self.search_max,
            message_rate: self.message_rate,
            lag_bytes_max: self.lag_max,
            buffer_bytes_max: self.buffer_max,
            connections_max: self.max_connections.unwrap_or(limits.connections_max),
            idle_for: self.keep_alive,
            drain_within: self.drain,
            ..limits
        }
    }

    /// How many connections `open_files` descriptors are good for: all but those that searches and the program itself
    /// need, and at least half.
    pub fn connections_for(&self, open_files: u64) -> usize {
        let open_files = usize::try_from(open_files).unwrap_or(usize::MAX);
        open_files.saturating_sub(self.search_max + 64).max(open_files / 2).max(1)
    }
}

fn at_least_one() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<u64>::new().range(1..=u64::from(u32::MAX)).map(|n| n as usize)
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses =
        text.to_socket_addrs().map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:8888".to_owned())?;
    addresses.next().ok_or_else(|| "this name has no address".to_owned())
}

/// `scheme://host[:port]` in the one form in which origins are compared (RFC 6454 section 6.2): lower case, without
/// the scheme's default port. For `--allow-origin` and for the Origin field of a request.
///
/// # Errors
/// A sentence, for anything else: another scheme than http and https, a path, `null`.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let expected = || "expected http://HOST[:PORT] or https://HOST[:PORT], with nothing behind it".to_owned();
    let origin = text.to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://").ok_or_else(expected)?;
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(expected()),
    };
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((_, port)) if !port.bytes().all(|byte| byte.is_ascii_digit()) => return Err(expected()),
        Some((host, port)) => (host, port.parse::<u16>().map_err(|_| expected())?),
        None => (authority, default_port),
    };
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    match is_host {
        false => Err(expected()),
        true if port == default_port => Ok(format!("{scheme}://{host}")),
        true => Ok(format!("{scheme}://{host}:{port}")),
    }
}

fn parse_template(text: &str) -> Result<String, String> {
    match text.matches("{}").count() {
        1 if text.starts_with("http://") || text.starts_with("https://") => Ok(text.to_owned()),
        1 => Err("expected a URL that begins with http:// or https://".into()),
        n => Err(format!("expected exactly one {{}} where the words go, found {n}")),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err("expected a number of messages a second, 0 or more".into()),
    }
}

fn parse_seconds(text: &str, least: f64) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (least..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("expected seconds, from {least} to 86400")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_serve_is_the_default() {
        Cli::command().debug_assert();
        let cli = Cli::parse_from(["squall", "--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--search-max", "7"]);
        assert!(cli.command.is_none());
        assert_eq!((cli.serve.listen.len(), cli.serve.search_max), (2, 7));
        let named = Cli::parse_from(["squall", "serve", "--lab"]);
        assert!(matches!(named.command, Some(Command::Serve(serve)) if serve.lab));
    }

    #[test]
    fn every_flag_of_the_server_is_an_environment_variable_and_has_a_help_text() {
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
    fn an_origin_is_a_scheme_and_an_authority_in_one_form() {
        for (text, origin) in [
            ("http://a", "http://a"),
            ("HTTP://A.Example:80", "http://a.example"),
            ("https://a:443", "https://a"),
            ("https://a:0443", "https://a"),
            ("https://a:80", "https://a:80"),
            ("http://a_b:8888", "http://a_b:8888"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[2001:DB8::80]", "http://[2001:db8::80]"),
        ] {
            assert_eq!(parse_origin(text).as_deref(), Ok(origin));
        }
        for text in [
            "",
            "null",
            "*",
            "a",
            "a:80",
            "//a",
            "http:a",
            "http:/a",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:+80",
            "http://a:65536",
            "http://a/",
            "http://a?b",
            "http://a#b",
            "http://a b",
            "http://u@a",
            "http://a:80:80",
            "http://[::1",
            "http://[a]",
            "http://bücher.example",
            "ftp://a",
            "ws://a",
            "chrome-extension://a",
            "http://a,b",
        ] {
            assert!(parse_origin(text).is_err_and(|why| why.starts_with("expected ")), "{text}");
        }
    }

    #[test]
    fn connections_leave_descriptors_for_searches_but_never_less_than_half() {
        let Cli { mut serve, .. } = Cli::parse_from(["squall"]);
        assert_eq!(serve.connections_for(20_000), 20_000 - 256 - 64);
        assert_eq!(serve.connections_for(100), 50);
        serve.search_max = 19_000;
        assert_eq!(serve.connections_for(20_000), 10_000);
    }
}

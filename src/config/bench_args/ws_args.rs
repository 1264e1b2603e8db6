//! The flags of `squall bench` for WebSocket. What goes together with which mode is checked where the run is planned.

use crate::config::numbers::{at_least_one, parse_bytes};
use crate::http::words::is_token;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What the connections of a run do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WsMode {
    /// Messages go to the server and come back
    Echo,
    /// Members of a room; what one says goes to all
    Fanout,
    /// They are opened and held
    Idle,
    /// All connections are cut at once and open again
    Storm,
}

impl WsMode {
    /// As it stands on the command line.
    pub fn name(self) -> &'static str {
        match self {
            WsMode::Echo => "echo",
            WsMode::Fanout => "fanout",
            WsMode::Idle => "idle",
            WsMode::Storm => "storm",
        }
    }
}

/// The flags that go with a ws or wss URL.
#[derive(Args, Debug, Clone, Default)]
pub struct WsArgs {
    /// What the -c connections to a ws or wss URL do
    #[arg(id = "ws", long = "ws", value_name = "MODE", conflicts_with_all = HTTP_ONLY)]
    pub mode: Option<WsMode>,
    /// Messages under way on each connection (echo) [default: 1]
    #[arg(long, value_name = "MESSAGES", requires = "ws", value_parser = at_least_one())]
    pub in_flight: Option<usize>,
    /// Bytes of a message, such as 64, 4K or 1M (echo, fanout; at least 33 in fanout) [default: 64]
    #[arg(long, value_name = "BYTES", requires = "ws", conflicts_with = "message", value_parser = parse_bytes)]
    pub message_bytes: Option<usize>,
    /// File with the message (echo, fanout). In fanout, {stamp} in it is replaced by the stamp; without it the stamp is the beginning
    #[arg(long, value_name = "FILE", requires = "ws")]
    pub message: Option<PathBuf>,
    /// Members that speak (fanout) [default: 1]
    #[arg(long, value_name = "MEMBERS", requires = "ws", value_parser = at_least_one())]
    pub senders: Option<usize>,
    /// Share of the members that do not read, percent (fanout) [default: 0]
    #[arg(long, value_name = "PERCENT", requires = "ws", value_parser = parse_share)]
    pub slow: Option<f64>,
    /// URL to which a form with `username` is posted for each name; the cookies are sent with the handshake
    #[arg(long, value_name = "URL", requires = "ws")]
    pub login: Option<String>,
    /// Names that log in; connections share them [default: one for each connection]
    #[arg(long, value_name = "NAMES", requires = "login", value_parser = at_least_one())]
    pub logins: Option<usize>,
    /// Subprotocol that the server has to choose
    #[arg(long, value_name = "NAME", requires = "ws", value_parser = parse_subprotocol)]
    pub subprotocol: Option<String>,
    /// Connections opened a second, at most; logins count, too [default: as many as open, 100 at once]
    #[arg(long, value_name = "CONNECTIONS", requires = "ws", value_parser = parse_connect_rate)]
    pub connect_rate: Option<f64>,
    /// Further connections, which are opened first and do nothing [default: 0]
    #[arg(long, value_name = "CONNECTIONS", requires = "ws", value_parser = at_least_one())]
    pub others: Option<usize>,
    /// Path of the further connections [default: that of the URL]
    #[arg(long, value_name = "PATH", requires = "others")]
    pub others_path: Option<String>,
}

/// The flags that mean something for HTTP requests only.
const HTTP_ONLY: [&str; 24] = [
    "requests",
    "post",
    "put",
    "content_type",
    "head",
    "method",
    "keep_alive",
    "proxy",
    "proxy_auth",
    "may_vary",
    "gnuplot",
    "csv",
    "html",
    "table",
    "row",
    "cell",
    "go_on",
    "no_percentages",
    "no_confidence",
    "threads",
    "http_1_1",
    "pipeline",
    "requests_file",
    "verbosity",
];

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if (0.0..100.0).contains(&percent) => Ok(percent),
        _ => Err("expected percent, from 0 to less than 100".into()),
    }
}

fn parse_connect_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=1e6).contains(rate));
    rate.ok_or_else(|| "expected connections a second, from 0.001 to 1000000".into())
}

fn parse_subprotocol(text: &str) -> Result<String, String> {
    if is_token(text) { Ok(text.to_owned()) } else { Err("expected a name, such as squall.v1".into()) }
}

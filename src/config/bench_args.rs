//! The flags of `squall bench`: those of `ab` (ApacheBench 2.3) under their letters.
//!
//! A meaningless flag is refused with one line and exit code 22, as `ab` has it. What `ab` lets the order of its flags
//! decide is decided by their meaning: `-n` is kept beside `-t`, and every `-C` is sent.

mod condition;
mod load_args;
mod model_args;
mod output_args;
mod socket_args;
mod tls_args;
mod ws_args;

pub use condition::{Bound, Comparison, Condition, Series, Statistic, Subject};
pub use load_args::LoadArgs;
pub use model_args::{Model, ModelArgs, ModelsFlags};
pub use output_args::{CiFile, CiFormat, OutputArgs};
pub use socket_args::{Resolve, SocketArgs};
pub use tls_args::{Protocol, TlsArgs};
pub use ws_args::{WsArgs, WsMode};

use super::numbers::{at_least_one, count, parse_seconds};
use crate::http::words::is_token;
use clap::{ArgAction, Args, Command};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `squall bench`.
#[derive(Args, Debug, Clone)]
#[command(args_override_self = true, disable_help_flag = true, mut_args(model_args::alone))]
pub struct BenchArgs {
    /// The URL to load: http, https, ws or wss
    #[arg(value_name = "URL")]
    pub url: Option<String>,
    /// Requests in all [default: 1, or 50000 with -t]
    #[arg(short = 'n', value_name = "REQUESTS", value_parser = at_least_one())]
    pub requests: Option<usize>,
    /// Connections, each with one request at a time
    #[arg(short = 'c', value_name = "CONCURRENCY", default_value = "1", value_parser = at_least_one())]
    pub concurrency: usize,
    /// Seconds after which the run ends, or at 50000 requests without -n; requests under way are dropped
    #[arg(short = 't', value_name = "SECONDS", value_parser = |text: &str| parse_seconds(text, 0.001))]
    pub time_limit: Option<Duration>,
    /// Seconds to wait for a response, or for a WebSocket handshake
    #[arg(short = 's', value_name = "SECONDS", default_value = "30", value_parser = |text: &str| parse_seconds(text, 0.001))]
    pub response_within: Duration,
    /// File whose bytes are the body of a POST
    #[arg(short = 'p', value_name = "FILE", conflicts_with = "put")]
    pub post: Option<PathBuf>,
    /// File whose bytes are the body of a PUT
    #[arg(short = 'u', value_name = "FILE")]
    pub put: Option<PathBuf>,
    /// Content-type of the body
    #[arg(short = 'T', value_name = "TYPE", default_value = "text/plain", value_parser = parse_value)]
    pub content_type: String,
    /// Send HEAD instead of GET
    #[arg(short = 'i', conflicts_with_all = ["post", "put", "method"])]
    pub head: bool,
    /// Method of the request, such as DELETE
    #[arg(short = 'm', value_name = "METHOD", value_parser = parse_method)]
    pub method: Option<String>,
    /// Keep connections for further requests (HTTP/1.0 with Connection: Keep-Alive)
    #[arg(short = 'k')]
    pub keep_alive: bool,
    /// Speak HTTP/1.1, which keeps connections without being asked to
    #[arg(long = "http1.1")]
    pub http_1_1: bool,
    /// Cookie NAME=VALUE; repeatable
    #[arg(short = 'C', value_name = "COOKIE", value_parser = parse_value, allow_hyphen_values = true)]
    pub cookies: Vec<String>,
    /// Header field of the request; repeatable. Host, User-Agent and Accept replace the default ones
    #[arg(short = 'H', value_name = "NAME: VALUE", value_parser = parse_line)]
    pub headers: Vec<String>,
    /// Basic authentication, USER:PASSWORD
    #[arg(short = 'A', value_name = "USER:PASSWORD", allow_hyphen_values = true)]
    pub auth: Option<String>,
    /// Continue after socket errors and invalid responses
    #[arg(short = 'r')]
    pub go_on: bool,
    /// Responses may differ in length
    #[arg(short = 'l')]
    pub may_vary: bool,
    /// No progress output
    #[arg(short = 'q')]
    pub quiet: bool,
    /// No table of percentages
    #[arg(short = 'd')]
    pub no_percentages: bool,
    /// No medians and deviations, and no warnings about them
    #[arg(short = 'S')]
    pub no_confidence: bool,
    /// Write each request's times to a file for gnuplot (tab-separated)
    #[arg(short = 'g', value_name = "FILE")]
    pub gnuplot: Option<PathBuf>,
    /// Write a time for each percentage to a file (CSV)
    #[arg(short = 'e', value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Print the report as a table in HTML
    #[arg(short = 'w')]
    pub html: bool,
    /// Attributes of the table; -x, -y and -z each imply -w
    #[arg(short = 'x', value_name = "ATTRIBUTES", allow_hyphen_values = true)]
    pub table: Option<String>,
    /// Attributes of its rows
    #[arg(short = 'y', value_name = "ATTRIBUTES", allow_hyphen_values = true)]
    pub row: Option<String>,
    /// Attributes of its cells [default: bgcolor=white]
    #[arg(short = 'z', value_name = "ATTRIBUTES", allow_hyphen_values = true)]
    pub cell: Option<String>,
    /// Proxy that gets the requests
    #[arg(short = 'X', value_name = "HOST[:PORT]", value_parser = parse_proxy)]
    pub proxy: Option<(String, u16)>,
    /// Basic authentication for the proxy, USER:PASSWORD
    #[arg(short = 'P', value_name = "USER:PASSWORD", allow_hyphen_values = true)]
    pub proxy_auth: Option<String>,
    #[command(flatten)]
    pub sockets: SocketArgs,
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Verbosity: 2 prints requests and response heads, 3 also status codes
    #[arg(short = 'v', value_name = "LEVEL", default_value = "0", value_parser = count(0..=9))]
    pub verbosity: usize,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub ws: WsArgs,
    /// Print the version
    #[arg(short = 'V')]
    pub version: bool,
    /// Print the flags, to standard error, and end with code 22
    #[arg(short = 'h')]
    pub usage: bool,
    /// Print the flags
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    pub models: ModelsFlags,
}

impl BenchArgs {
    /// The exit code of wrong usage, that of `ab`.
    pub const USAGE: u8 = 22;

    /// The flags, one a line.
    pub fn usage() -> String {
        BenchArgs::augment_args(Command::new("squall bench")).about("Load an HTTP server").render_help().to_string()
    }
}

fn parse_method(text: &str) -> Result<String, String> {
    if is_token(text) { Ok(text.to_owned()) } else { Err("expected a method, such as DELETE".into()) }
}

fn parse_value(text: &str) -> Result<String, String> {
    match text.contains(['\r', '\n', '\0']) {
        true => Err("a field cannot have a line end".into()),
        false => Ok(text.to_owned()),
    }
}

/// The host of a proxy, and its port, 80 if none is named.
fn parse_proxy(text: &str) -> Result<(String, u16), String> {
    let expected = || "expected HOST[:PORT]".to_owned();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| expected())?),
        None => (text, 80),
    };
    if host.is_empty() || port == 0 { Err(expected()) } else { Ok((host.to_owned(), port)) }
}

/// A whole field, as it is sent.
fn parse_line(text: &str) -> Result<String, String> {
    let line = parse_value(text)?;
    match line.split_once(':') {
        Some((name, _)) if is_token(name) => Ok(line),
        _ => Err("expected NAME: VALUE".into()),
    }
}
